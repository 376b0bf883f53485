"""How counts, points and near misses are told, wherever they are."""

import pytest

from gradcheck.showing.text import counted, did_you_mean, nearest, plural, points


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 hints"), (1, "1 hint"), (2, "2 hints"), (1204, "1,204 hints")], ids=str
)
def test_one_hint_and_two_hints(count, told):
    assert counted(count, "hint") == told


def test_a_word_may_have_a_plural_of_its_own():
    assert [counted(count, "axis", "axes") for count in (1, 2)] == ["1 axis", "2 axes"]
    assert [plural(count, "is", "are") for count in (1, 2, 0.5)] == ["is", "are", "are"]


@pytest.mark.parametrize(("value", "told"), [(1.0, "1"), (2.5, "2.5"), (1 / 3, "0.33"), (10.0, "10"), (0.0, "0")])
def test_points_have_no_more_digits_than_needed(value, told):
    assert points(value) == told


def test_what_is_alike_is_suggested_and_else_all_that_there_is():
    names = ("relu", "sigmoid", "softmax")
    assert did_you_mean("sigmoyd", names) == "did you mean sigmoid?"
    assert did_you_mean("xyz", names) == "there are: relu, sigmoid, softmax"
    assert did_you_mean("xyz", iter(names), "ask") == "ask"
    assert did_you_mean("xyz", iter(names)) == "there are: relu, sigmoid, softmax"


def test_a_guess_is_as_daring_as_whoever_asks():
    assert nearest("reply", ["relu"], cutoff=0.6) == "relu"
    assert nearest("reply", ["relu"], cutoff=0.8) == ""
