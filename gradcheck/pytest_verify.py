"""The library in pytest: `@gradcheck.verifies(candidate, reference)` over a function that returns inputs, and a fixture
`verify`. Nothing of the course is loaded, nor any library: other people's suites start this plugin too.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ExceptionChainRepr, ReprEntryNative, ReprFileLocation, ReprTraceback
from _pytest.terminal import TerminalReporter

from gradcheck.errors import GradcheckError, UsageError

if TYPE_CHECKING:
    from gradcheck.verification.verdict import Verdict

_NOTES = pytest.StashKey[dict[str, None]]()
_WIDTH = 78
"""Of a line that stands indented by two."""

_noted: list[dict[str, None]] = []
"""What the verdicts of the running test note, each line once; below it that of a session around this one."""


def verifies(candidate: Any, reference: Any = None, **keywords: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that makes a test of a function that returns inputs, a tensor or a tuple of them: what
    `gradcheck.verify(candidate, reference, *inputs, **keywords)` finds must pass. torch draws from `seed` in there.
    `parametrize`, fixtures and Hypothesis's `@given` work as in any test, above and below.
    """

    def decorate(draw: Callable[..., Any]) -> Any:
        if given := getattr(draw, "hypothesis", None):
            given.inner_test = _test_of(given.inner_test, candidate, reference, keywords)
            draw.verifies = True  # type: ignore[attr-defined]
            return draw
        return _test_of(draw, candidate, reference, keywords)

    return decorate


def _test_of(draw: Callable[..., Any], candidate: Any, reference: Any, keywords: dict[str, Any]) -> Callable[..., None]:
    name = getattr(draw, "__name__", repr(draw))
    if inspect.iscoroutinefunction(draw) or inspect.isasyncgenfunction(draw) or inspect.isgeneratorfunction(draw):
        raise UsageError(
            f"{name}: `verifies` stands over a plain function that returns the inputs: no async, no yield."
        )

    @functools.wraps(draw)
    def test(*arguments: Any, **fixtures: Any) -> None:
        __tracebackhide__ = True
        with _drawn_from(keywords.get("seed", 0)):
            inputs = draw(*arguments, **fixtures)
        if inputs is None:
            raise UsageError(f"{name} returns nothing: under `verifies` it returns the inputs, a tensor or a tuple.")
        checked(candidate, reference, *(inputs if isinstance(inputs, tuple) else (inputs,)), **keywords)

    test.verifies = True  # type: ignore[attr-defined]
    test.place_as = draw  # type: ignore[attr-defined]  # where pytest says it is, through Hypothesis too
    return test


@contextmanager
def _drawn_from(seed: int) -> Iterator[None]:
    """What torch draws in here is the same every time; what it draws elsewhere is as if nothing had been drawn."""
    import torch

    devices = range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0)  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


def checked(*arguments: Any, check: bool = True, **keywords: Any) -> Verdict:
    """`gradcheck.verify`, checked at once unless `check` is False, and what it notes kept for the test's report."""
    __tracebackhide__ = True
    from gradcheck.verification.verdict import one_line
    from gradcheck.verification.verify import verify

    verdict = verify(*arguments, **keywords)
    if check:
        verdict.check()
    if _noted:
        _noted[-1].update((one_line(note, _WIDTH), None) for note in verdict.notes)
    return verdict


@pytest.fixture(name="verify", scope="session")  # which Hypothesis allows; there is nothing in it to be made anew
def _verify() -> Callable[..., Verdict]:
    """`verify(candidate, reference, *inputs)` as gradcheck.verify, checked at once; `check=False` only returns it."""
    return checked


# Hooks.


@pytest.hookimpl(hookwrapper=True, tryfirst=True)  # no frame of every traceback; before Hypothesis reads its settings
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    function = getattr(item, "obj", None)
    if getattr(function, "is_hypothesis_test", False):
        verifying = getattr(function, "verifies", False) or checked in getattr(item, "funcargs", {}).values()
        if verifying:
            _adapt(getattr(function, "__func__", function))
    _noted.append(item.stash.setdefault(_NOTES, {}))
    yield
    _noted.pop()


def _adapt(function: Any) -> None:
    """The first example loads what verifies, for which Hypothesis's 200 ms are not meant; a deadline of one's own
    stays. And what Hypothesis explains by the lines that ran, it would explain by lines of ours.
    """
    from hypothesis import Phase, settings

    own, default = getattr(function, "_hypothesis_internal_use_settings", None), settings.default
    if own is not None and default is not None:
        deadline = None if own.deadline == default.deadline else own.deadline
        phases = [phase for phase in own.phases if phase is not Phase.explain]
        function._hypothesis_internal_use_settings = settings(own, deadline=deadline, phases=phases)  # noqa: SLF001


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call" and report.passed and (notes := item.stash.get(_NOTES, None)):
        report.sections.append(("gradcheck", "\n".join(notes)))
    if call.excinfo is not None:
        _tell(item, call.excinfo, report)
    return report


def _tell(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException], report: pytest.TestReport) -> None:
    """What is wrong, in the place of a traceback through here, and a line of it each for the summary."""
    error = excinfo.value
    errors = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)  # of Hypothesis: several bugs
    if not any(isinstance(each, GradcheckError) for each in errors):
        return
    from gradcheck.verification.verdict import GradientError, one_line

    wrong = [fact for each in errors if isinstance(each, GradientError) for fact in each.verdict.failures]
    if wrong:
        # Plain data only: xdist sends it to the process that prints the summary.
        report.gradcheck_wrong = [one_line(fact, _WIDTH) for fact in wrong]  # type: ignore[attr-defined]
    ours = isinstance(error, GradcheckError) and any(entry.path == Path(__file__) for entry in excinfo.traceback)
    if item.config.option.fulltrace or not (ours or isinstance(error, GradientError)):
        return
    path, line, _ = item.location
    name = type(error).__name__
    calls = [(entry.lineno + 1, entry.name) for entry in excinfo.traceback if entry.path == item.path]
    number = calls[-1][0] if calls else (line or 0) + 1
    where = [*(f"{path}:{at}: in {function}" for at, function in calls[:-1]), f"{path}:{number}: {name}"]
    parts = [str(error), "\n".join(getattr(error, "__notes__", ())), "\n".join(where)]  # notes are Hypothesis's
    text = "\n\n".join(filter(None, parts)) + "\n"
    told = ReprTraceback([ReprEntryNative([text])], None, "native")
    crash = ReprFileLocation(str(item.path), number, one_line(wrong[0]) if wrong else f"{name}: {error}")
    report.longrepr = ExceptionChainRepr([(told, crash, None)])


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """One line for each thing that is wrong, below the test that found it."""
    reports = [report for kind in ("error", "failed") for report in terminalreporter.stats.get(kind, ())]
    told = [report for report in reports if hasattr(report, "gradcheck_wrong")]
    if told:
        terminalreporter.section("gradcheck")
    for report in told:
        terminalreporter.write_line(report.nodeid)
        for line in report.gradcheck_wrong:
            terminalreporter.write_line(f"  {line}")
