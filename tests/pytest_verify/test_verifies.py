"""`verifies` and `verify` in a suite of somebody else's, down to the printed text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import gradcheck
from gradcheck.errors import UsageError
from gradcheck.verification import verdict as words
from tests.pytest_verify.kernels_to_verify import Square, WrongSign, square

pytest_plugins = ["pytester"]

HEAD = """
import gradcheck
import pytest
import torch
from kernels_to_verify import Square, WrongForSeveral, WrongSign, square
"""


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    """pytester takes away again what a suite was the first to import."""
    assert verdict_of(Square, torch.ones(2)).passed
    assert not verdict_of(WrongSign, torch.ones(2)).passed


@pytest.fixture
def suite(pytester, monkeypatch):
    """`suite(text, *options)`: pytest over a test file of this text, at 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.syspath_prepend(Path(__file__).parent)

    def run(text: str, *options: str):
        pytester.makepyfile(test_mine=HEAD + text)
        plugins = ["-p", "gradcheck.pytest_verify", "-p", "no:xdist", "-p", "no:benchmark", "-p", "no:cacheprovider"]
        return pytester.runpytest_inprocess(*plugins, *options)

    return run


def verdict_of(candidate, *inputs, **keywords):
    """The verdict that a test of these must have had."""
    return gradcheck.verify(candidate, square, *inputs, **keywords)


def printed(result) -> str:
    return result.stdout.str()


def test_a_function_that_returns_inputs_is_a_test(suite):
    result = suite("""
@gradcheck.verifies(Square, square)
def test_square():
    return torch.tensor([1.0, -2.0])

@gradcheck.verifies(WrongSign, square)
def test_wrong():
    return (torch.tensor([1.0, -2.0]),)
""")
    result.assert_outcomes(passed=1, failed=1)


def test_a_failure_is_told_by_the_verdict_alone_and_in_one_line_each(suite):
    result = suite("""
@gradcheck.verifies(WrongSign, square)
def test_wrong():
    return torch.tensor([1.0, -2.0])
""")
    verdict = verdict_of(WrongSign, torch.tensor([1.0, -2.0]))
    lines = printed(result).splitlines()
    (first, *_) = told = [words.one_line(failure, 78) for failure in verdict.failures]
    between = lines[next(n for n, line in enumerate(lines) if "_ test_wrong _" in line) + 1 :]
    section = next(n for n, line in enumerate(between) if re.fullmatch("=+ gradcheck =+", line))
    assert "\n".join(between[:section]).strip() == f"{verdict}\n\ntest_mine.py:6: GradientError"
    assert between[section + 1 : section + 2 + len(told)] == ["test_mine.py::test_wrong", *(f"  {t}" for t in told)]
    (short,) = (line for line in lines if line.startswith("FAILED"))
    assert short == f"FAILED test_mine.py::test_wrong - {first}"[: len(short) - 3] + short[-3:]
    assert max(map(len, between)) <= 80


def test_the_fixture_checks_at_once_and_says_where(suite):
    result = suite("""
def of(verify, candidate):
    verify(candidate, square, torch.tensor([1.0]))

def test_fixture(verify):
    of(verify, Square)
    assert not verify(WrongSign, square, torch.tensor([1.0]), check=False).passed
    of(verify, WrongSign)
    raise AssertionError("not reached")
""")
    result.assert_outcomes(failed=1)
    text = printed(result)
    assert "\n\ntest_mine.py:12: in test_fixture\ntest_mine.py:7: GradientError\n" in text
    assert "not reached" not in text
    assert "pytest_verify.py" not in text


def test_a_verdict_that_a_test_checks_itself_is_told_alike(suite):
    result = suite("""
def test_own():
    gradcheck.verify(WrongSign, square, torch.tensor([1.0])).check()
""")
    result.stdout.fnmatch_lines(["test_mine.py:7: GradientError", "*= gradcheck =*", "test_mine.py::test_own"])


@pytest.mark.parametrize("above", [True, False])
def test_parametrised_and_with_fixtures(suite, above):
    verifies, rows = "@gradcheck.verifies(WrongForSeveral, square)", '@pytest.mark.parametrize("rows", [1, 2, 3])'
    result = suite(f"""
@pytest.fixture
def scale():
    return 2.0

class TestRows:
    {verifies if above else rows}
    {rows if above else verifies}
    def test_rows(self, rows, scale):
        return scale * torch.ones(rows)
""")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*= gradcheck =*", "test_mine.py::TestRows::test_rows?3?"])


@pytest.mark.parametrize("above", [True, False])
def test_hypothesis_tells_the_example_that_it_shrank_to(suite, above):
    verifies, given = "@gradcheck.verifies(WrongForSeveral, square)", "@given(st.integers(1, 40), st.booleans())"
    result = suite(f"""
from hypothesis import given, settings, strategies as st

@settings(database=None, derandomize=True)
{verifies if above else given}
{given if above else verifies}
def test_rows(rows, _):
    return torch.randn(rows)
""")
    result.assert_outcomes(failed=1)
    text = printed(result)
    assert re.search(r"Where: all 3 entries.*: test_rows\(\s+rows=3,", text, re.DOTALL)
    assert text.count("rows=") == 1
    result.stdout.fnmatch_lines(["*= gradcheck =*", "test_mine.py::test_rows", "  grad x: all 3 entries wrong: *"])
    assert re.search(r"^test_mine.py:\d: GradientError$", text, re.MULTILINE)
    assert "Explanation" not in text


def test_what_is_wrong_among_several_bugs_that_hypothesis_finds_is_summed_up(suite):
    result = suite("""
from hypothesis import example, given, strategies as st

@gradcheck.verifies(WrongSign, square)
@example(1)
@example(0)
@given(st.just(0))
def test_rows(rows):
    return torch.ones(1 // rows)
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ZeroDivisionError*", "*= gradcheck =*", "test_mine.py::test_rows", "  grad x: *"])


def test_hypothesis_with_the_fixture(suite):
    result = suite("""
from hypothesis import given, strategies as st
from time import sleep

@given(st.just(3))
def test_rows(verify, rows):
    sleep(0.21)
    verify(Square, square, torch.ones(rows))
""")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(("chosen", "passed"), [("", 1), ("@settings(deadline=100)\n", 0)])
def test_an_example_may_take_its_time_unless_a_deadline_is_set(suite, chosen, passed):
    result = suite(f"""
from hypothesis import given, settings, strategies as st
from time import sleep

{chosen}@gradcheck.verifies(Square, square)
@given(st.just(3))
def test_rows(rows):
    sleep(0.21)
    return torch.ones(rows)
""")
    result.assert_outcomes(passed=passed, failed=1 - passed)


def test_what_torch_draws_is_the_same_every_time_and_leaves_no_trace():
    drawn = []

    def draw():
        drawn.append(torch.randn(3))
        return drawn[-1]

    before = torch.get_rng_state()
    gradcheck.verifies(Square, square)(draw)()
    torch.rand(1)
    gradcheck.verifies(Square, square)(draw)()
    gradcheck.verifies(Square, square, seed=1)(draw)()
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    torch.set_rng_state(before)
    expected = torch.rand(2)
    torch.set_rng_state(before)
    torch.rand(1)
    gradcheck.verifies(Square, square)(draw)()
    assert torch.equal(expected[1:], torch.rand(1))


def test_what_is_noted_is_kept_with_a_test_that_passes(suite):
    result = suite("@gradcheck.verifies(Square)\ndef test_square(): return torch.ones(2)\n", "-rP")
    (note,) = gradcheck.verify(Square, torch.ones(2)).notes
    result.stdout.fnmatch_lines(["*- gradcheck -*", words.one_line(note, 78), "*= 1 passed in *"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def test_none(): torch.ones(2)", "test_none returns nothing*"),
        ("def test_whole(): return torch.ones(2, dtype=torch.int64)", "*"),
    ],
)
def test_what_cannot_be_verified_is_said_without_a_traceback(suite, text, told):
    result = suite(f"@gradcheck.verifies(Square, square)\n{text}\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([told, "", "test_mine.py:*: UsageError", "FAILED*UsageError: *"])
    assert "pytest_verify.py" not in printed(result)


def test_a_function_that_raises_is_shown_as_pytest_shows_it(suite):
    result = suite("""
@gradcheck.verifies(Square, square)
def test_raises():
    return 1 // 0
""")
    result.stdout.fnmatch_lines([">       return 1 // 0", "E       ZeroDivisionError*"])
    assert "pytest_verify.py" not in printed(result)


def test_no_generator_and_no_coroutine():
    async def waits():
        pass

    def yields():
        yield

    for function in (waits, yields):
        with pytest.raises(UsageError, match=f"{function.__name__}: .*no async, no yield"):
            gradcheck.verifies(Square, square)(function)


def test_outside_of_pytest_it_is_a_function_that_raises():
    with pytest.raises(gradcheck.GradientError):
        gradcheck.verifies(WrongSign, square)(lambda: torch.ones(2))()


def test_xfail_and_junit(suite, pytester):
    result = suite(
        """
@pytest.mark.xfail(raises=gradcheck.GradientError, strict=True)
@gradcheck.verifies(WrongSign, square)
def test_expected():
    return torch.ones(2)

@gradcheck.verifies(WrongSign, square)
def test_wrong():
    return torch.ones(2)
""",
        "--junitxml=junit.xml",
    )
    result.assert_outcomes(xfailed=1, failed=1)
    assert printed(result).count("test_mine.py::test_expected") == 0
