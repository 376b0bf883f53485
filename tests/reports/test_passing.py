"""What passing says: what the piece is for, torch's names, the idea; at any width, and nothing that is not true."""

from __future__ import annotations

import pytest

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.reports.passing import passed_lines


def said(name: str, width: int = 80, hints: int = 0, *, gave_up: bool = False) -> list[str]:
    return [line for line, _ in passed_lines(find_exercise(name), width, hints=hints, gave_up=gave_up)]


def test_all_of_it_is_said():
    about = find_exercise("relu").about
    told = passed_lines(find_exercise("relu"), 400, hints=0, gave_up=False)
    assert told == [
        ("Passed without a hint.", "said"),
        (about.purpose, ""),
        ("In torch: torch.nn.functional.relu, torch.nn.ReLU", ""),
        (f"The idea: {about.idea}", "quiet"),
    ]


@pytest.mark.parametrize(("hints", "gave_up"), [(1, False), (0, True), (4, True)])
def test_without_a_hint_is_no_word_of_those_who_took_help(hints, gave_up):
    assert said("relu", hints=hints, gave_up=gave_up) == said("relu")[1:]


def test_where_torch_has_no_name_none_is_told():
    assert not find_exercise("spiral").about.torch
    assert "torch" not in " ".join(said("spiral"))


@pytest.mark.parametrize("width", [20, 39, 40, 80])
def test_it_fits_the_screen(width):
    assert max(len(line) for name in all_exercises() for line in said(name, width)) <= width


def test_a_long_name_breaks_at_its_last_dot():
    lines = said("bce_with_logits", 40)
    at = lines.index("In torch: torch.nn.functional.")
    assert lines[at + 1] == "  binary_cross_entropy_with_logits,"
    assert "In torch: torch.nn.functional.binary_cross_entropy_with_logits," in said("bce_with_logits")
