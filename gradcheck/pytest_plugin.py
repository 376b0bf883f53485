"""`pytest exercises`: one item per function and check. Adapters only; the engine does the checking.

A file is an exercise when its folder is named like a unit of the catalog. Its items are
`exercises/04_modules/relu.py::backward::values` and so on, so that `-k`, `-x`, `--lf`, `-n` and `--junitxml` work as
they do elsewhere. Editors show them as a tree, in words: see `FunctionNode` and `CheckItem`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ExceptionInfo, TerminalRepr
from _pytest._io import TerminalWriter
from _pytest.junitxml import LogXML, xml_key
from _pytest.outcomes import Skipped
from _pytest.terminal import TerminalReporter

from gradcheck.catalog import Exercise, advice_for, exercises_of
from gradcheck.checks.engine import Verification
from gradcheck.checks.results import CheckResult
from gradcheck.checks.task import FunctionSpec
from gradcheck.errors import Ungraded
from gradcheck.grading.sources import Sources
from gradcheck.reports.words import WORDS

if TYPE_CHECKING:
    from gradcheck.classes.course_here import CourseHere

NOT_STARTED, UNGRADED = "not_started", "ungraded"
_SELECTED = pytest.StashKey[set[str]]()


class FailureShown(TerminalRepr):
    """A failure as it is told: `text`, in colours and in the terminal's width where there is one; `more` is its end."""

    def __init__(self, result: CheckResult, path: str, show_answer: bool, text: str, more: str) -> None:
        self.result, self.path, self.show_answer, self.text, self.more = result, path, show_answer, text, more

    def __str__(self) -> str:
        return self.text

    def toterminal(self, tw: TerminalWriter) -> None:
        from gradcheck.reports.message import failure_lines
        from gradcheck.reports.terminal import WIDTH

        if not tw.hasmarkup:
            tw.line(self.text)
            return
        width = max(20, min(WIDTH, tw.fullwidth))
        for line, kind in failure_lines(self.result, self.path, show_answer=self.show_answer, width=width):
            tw.line(line, **_MARKUP.get(kind, {}))
        if self.more:
            tw.line(self.more.lstrip("\n"))


_MARKUP = {
    "said": {"bold": True, "red": True},
    "think": {"cyan": True},
    "command": {"light": True},
    "quiet": {"light": True},
}


class CheckNotPassed(Exception):
    """Carries the result of a check to where pytest asks how to show it."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__(f"{result.id}: {result.message}")
        self.result = result


class NotStarted(Skipped):
    """A check of what waits to be written: skipped, for editors, `--lf` and JUnit too; yet the run is not done."""


class ExerciseFile(pytest.File):
    """One exercise; its file is loaded when the first check runs, never while collecting."""

    exercise: Exercise
    started: Verification | None = None
    digest = ""

    def collect(self) -> Iterator[FunctionNode]:
        for graded in self.exercise.functions:
            yield FunctionNode.from_parent(self, name=graded.spec.name, spec=graded.spec)

    @property
    def shown(self) -> str:
        """The path as it can be typed where pytest was started."""
        return Path(os.path.relpath(self.path, self.config.invocation_params.dir)).as_posix()

    def verification(self) -> Verification:
        if self.started is None:
            from gradcheck.grading.grade import verification_of
            from gradcheck.grading.last_results import digest_of
            from gradcheck.grading.load import load_candidate

            self.digest = digest_of(self.path)
            candidate = load_candidate(self.exercise, self.path, self.shown)
            cache = self.config.rootpath / ".gradcheck" / "cache"
            seed = self.config.getoption("gradcheck_seed")
            self.started = verification_of(self.exercise, candidate, seed, cache)
        return self.started


class FunctionNode(pytest.Class):
    """A function of an exercise. It is a class for pytest, because between a file and its tests editors show classes
    and nothing else.
    """

    def __init__(self, spec: FunctionSpec, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.spec = spec
        self.printed = ""

    @cached_property
    def line(self) -> int:
        """Where the function is defined, from 1; the file's first line where it is not."""
        return Sources(self.path.parent).line(self.path.name, self.name) or 1

    def _getobj(self) -> FunctionType:
        """What editors ask for its place: a function that stands where the learner's does. Nobody calls it."""
        code = (lambda: None).__code__.replace(co_filename=str(self.path), co_firstlineno=self.line, co_name=self.name)
        return FunctionType(code, {}, self.name)

    def collect(self) -> Iterator[CheckItem]:
        for check in self.spec.checks:
            yield CheckItem.from_parent(self, name=check)


class CheckItem(pytest.Item):
    """One check of one function. Its id, by which it is chosen, ends in the check's name for good; `name` does so only
    while items are chosen, and then is what editors show.
    """

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.check = self.name

    @property
    def function(self) -> FunctionNode:
        assert isinstance(self.parent, FunctionNode)
        return self.parent

    @property
    def file(self) -> ExerciseFile:
        assert isinstance(self.function.parent, ExerciseFile)
        return self.function.parent

    @property
    def words(self) -> str:
        return f"{self.function.name}: {self.check.replace('_', ' ')}"

    def runtest(self) -> None:
        try:
            self._check()
        except (CheckNotPassed, pytest.skip.Exception):
            raise
        except Exception as error:
            # The engine lets nothing of a submission through: it is ours, or tells of the machine.
            from gradcheck.checks.results import failure_in_words, is_ours, show_traceback

            if not is_ours(error):
                raise
            show_traceback(error)
            message = failure_in_words(error, self.config.getoption("gradcheck_seed"))
            result = CheckResult(self.file.exercise.name, self.function.name, self.check, "ungraded", message)
            raise CheckNotPassed(result) from None

    def _check(self) -> None:
        verification = self.file.verification()
        result = verification.result(self.function.name, self.check)
        self._show_printed(verification.candidate.printed.take(), again=not result.ok)
        if result.status == "skipped" and not self._waits_visibly(result):
            # The check it waits for is not part of this run: say here why, or a wrong file would look right.
            _, function, check = result.blocked_by.rsplit(".", 2)
            result = verification.result(function, check)
        if result.status == "skipped":
            pytest.skip(result.message)
        if result.status == NOT_STARTED:
            raise NotStarted(f"{result.task}.{result.function} is not started")
        if not result.ok:
            raise CheckNotPassed(result)

    def _show_printed(self, text: str, *, again: bool) -> None:
        """What the candidate printed; a check that judges a call of an earlier check shows that call's text again."""
        sys.stdout.write(text or (self.function.printed if again else ""))
        self.function.printed = text or self.function.printed

    def teardown(self) -> None:
        if self.file.started is not None:
            self.file.started.save()

    def _waits_visibly(self, result: CheckResult) -> bool:
        _, function, check = result.blocked_by.rsplit(".", 2)
        selected, own = _selected(self.session), f"{self.function.nodeid}::{check}"
        if function == self.function.name:
            return own in selected
        # Why a file was not read is told at the first function, or at the first check of one that runs without it.
        if f"{self.file.nodeid}::{function}::{check}" in selected or check != "runs":
            return True
        return self.check != "runs" and own in selected

    def repr_failure(self, excinfo: ExceptionInfo[BaseException], style: Any = None) -> str | TerminalRepr:
        if isinstance(excinfo.value, CheckNotPassed):
            from gradcheck.reports.message import failure_text

            show = self.config.getoption("gradcheck_show_answer")
            text = plain = failure_text(excinfo.value.result, self.file.shown, show_answer=show)
            if self.config.getoption("gradcheck_reproduce"):
                from gradcheck.reports.reproduce import snippet

                text += "\n\n" + snippet(excinfo.value.result, self.file.shown, show_answer=show)
            if self.config.getoption("gradcheck_picture"):
                from gradcheck.reports.heatmap import terminal_picture

                reporter = self.config.pluginmanager.get_plugin("terminalreporter")  # xdist's workers have none
                colour = bool(reporter and reporter.hasmarkup and not self.config.getoption("xmlpath", None))
                result, verification = excinfo.value.result, self.file.verification()
                lines = terminal_picture(result, verification, colour=colour, show_answer=show)
                text = "\n".join([text, *lines])
            return FailureShown(excinfo.value.result, self.file.shown, show, text, text[len(plain) :])
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, self.function.line - 1, f"{self.file.exercise.name}.{self.function.name}.{self.check}"


class StrayFile(pytest.File):
    """A file in a unit's folder that is no exercise: it was renamed, or does not belong there."""

    advice = ""

    def collect(self) -> Iterator[StrayItem]:
        yield StrayItem.from_parent(self, name="unknown_exercise")


class StrayItem(pytest.Item):
    def runtest(self) -> None:
        assert isinstance(self.parent, StrayFile)
        pytest.fail(self.parent.advice, pytrace=False)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, 0, "unknown exercise"


class Nothing(pytest.File):
    """What pytest's own collector finds in an exercise: no test module."""

    def collect(self) -> Iterable[pytest.Item]:
        return ()


class UnitFolder(pytest.Directory):
    """A unit's folder. Exercises of the course whose file is gone are collected too, and read as not started."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        for path in sorted(self.path.iterdir()):
            if path.is_file() and not self.ihook.pytest_ignore_collect(collection_path=path, config=self.config):
                yield from self.ihook.pytest_collect_file(file_path=path, parent=self)
        for exercise in _course(self.path.parent).of_unit(self.path.name):
            path = self.path / f"{exercise.name}.py"
            if not path.is_file():
                yield _exercise_file(self, path, exercise)


def _exercise_file(parent: pytest.Collector, path: Path, exercise: Exercise) -> ExerciseFile:
    node: ExerciseFile = ExerciseFile.from_parent(parent, path=path)
    node.exercise = exercise
    return node


def _course(folder: Path) -> CourseHere:
    from gradcheck.classes.course_here import course_here

    return course_here(folder)


def _selected(session: pytest.Session) -> set[str]:
    """The node ids of this run, after -k and the like."""
    if _SELECTED not in session.stash:
        session.stash[_SELECTED] = {item.nodeid for item in session.items}
    return session.stash[_SELECTED]


def _status(report: pytest.TestReport) -> str | None:
    """What became of a check, in a report that came from here or from a worker of xdist."""
    return getattr(report, "gradcheck", {}).get("status") if report.when == "call" else None


class JUnit(LogXML):
    """The file of --junitxml, in which what the grader itself failed on is an error, as in `gradcheck export`."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        super().pytest_runtest_logreport(report)
        if _status(report) == UNGRADED:
            # Not among the failures, and pytest has errors only for what it runs around a test.
            failure = next(each for each in self.node_reporter(report).nodes if each.tag == "failure")
            failure.tag = "error"
            self.stats["failure"] -= 1
            self.add_stats("error")


# Hooks.


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gradcheck", "exercises in backpropagation")
    group.addoption(
        "--gradcheck-seed", type=int, default=0, metavar="N", help="draw all inputs and cotangents from this seed (0)"
    )
    group.addoption(
        "--show-answer",
        action="store_true",
        dest="gradcheck_show_answer",
        help="print the correct values beside a failure (they are hidden by default)",
    )
    group.addoption(
        "--reproduce",
        action="store_true",
        dest="gradcheck_reproduce",
        help="print lines of plain torch below a failure: pasted into python they make the call that fails",
    )
    group.addoption(
        "--picture",
        action="store_true",
        dest="gradcheck_picture",
        help="draw the case, and a wrong matrix, below a failure",
    )


@pytest.hookimpl(trylast=True)  # after pytest's own, which makes the JUnit file
def pytest_configure(config: pytest.Config) -> None:
    if (xml := config.stash.get(xml_key, None)) is not None:
        config.pluginmanager.unregister(xml)  # which has its hooks by now
        xml.__class__ = JUnit
        config.pluginmanager.register(xml)
    for argument in config.args if config.args_source is config.ArgsSource.ARGS else ():
        path = Path(argument.split("::", 1)[0])
        place = (config.invocation_params.dir / path).resolve()
        members = exercises_of(place.parent.name)
        if members and path.suffix == ".py" and not place.exists():
            raise pytest.UsageError(_advice(path, place, members))


def _advice(path: Path, place: Path, members: list[Exercise]) -> str:
    """What to do about a file that is not there; `place` is its whole path."""
    course = _course(place.parent.parent)
    if course.file is not None and path.stem in course.exercises:
        # A course's repository holds no solutions, and stubs are made from these.
        return f"{path} is missing. If git knows it: git checkout {path}"
    return advice_for(path, members)


def pytest_report_header(config: pytest.Config) -> str:
    return f"gradcheck: seed {config.getoption('gradcheck_seed')} (change it with --gradcheck-seed N)"


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return UnitFolder.from_parent(parent, path=path) if exercises_of(path.name) else None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    members = exercises_of(file_path.parent.name)
    if not members or file_path.suffix != ".py" or file_path.name.startswith(("_", "conftest")):
        return None
    for exercise in members:
        if exercise.name == file_path.stem:
            # What is not of the course is run only if it is named.
            asked = exercise.name in _course(file_path.parent.parent).exercises or parent.session.isinitpath(file_path)
            return _exercise_file(parent, file_path, exercise) if asked else None
    stray: StrayFile = StrayFile.from_parent(parent, path=file_path)
    stray.advice = advice_for(file_path, members)
    return stray


def pytest_collection_finish(session: pytest.Session) -> None:
    # Hypothesis's own plugin imports all of Hypothesis (0.5 s) to sum up tests that an exercise run does not have.
    checks = [item for item in session.items if isinstance(item, CheckItem)]
    for item in checks:
        item.name = item.words
    if checks and len(checks) == len(session.items):
        session.config.pluginmanager.unregister(name="hypothesispytest")


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    # A file named on the command line is imported as a test module too; an exercise never is.
    return Nothing.from_parent(parent, path=module_path) if exercises_of(module_path.parent.name) else None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome: Any = yield
    if isinstance(item, CheckItem) and call.when == "call":
        report = outcome.get_result()
        raised = call.excinfo.value if call.excinfo else None
        status = "passed" if report.passed else "skipped" if report.skipped else "failed"
        if isinstance(raised, (CheckNotPassed, NotStarted)):
            status = raised.result.status if isinstance(raised, CheckNotPassed) else NOT_STARTED
        # Plain data only: xdist sends it to the process that prints the summary.
        report.gradcheck = {
            "exercise": item.file.exercise.name,
            "function": item.function.name,
            "check": item.check,
            "status": status,
            "folder": Path(os.path.relpath(item.path.parent.parent, item.config.invocation_params.dir)).as_posix(),
            "digest": item.file.digest,
        }
        if report.skipped:
            told = str(raised) if isinstance(raised, NotStarted) else report.longrepr[2]
            report.longrepr = (str(item.path), item.function.line, told)  # not this file


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    status = _status(report)
    if status == NOT_STARTED:
        return WORDS[NOT_STARTED], "-", WORDS[NOT_STARTED].upper()
    # Not among the failures: those are the learner's.
    return (WORDS[UNGRADED], "?", WORDS[UNGRADED].upper()) if status == UNGRADED else None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run in which the grader failed ends as `gradcheck report` does, whatever else failed, and one is not done while
    something waits to be written; what ended the run itself stays.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")  # xdist's workers have none
    ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    if ended and reporter is not None and reporter.stats.get(WORDS[UNGRADED]):
        session.exitstatus = Ungraded.exit_status
    elif session.exitstatus == pytest.ExitCode.OK and reporter is not None and reporter.stats.get(WORDS[NOT_STARTED]):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Sums up what ran: scores of the exercises touched, and the next step."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    told = [report.gradcheck for report in reports if hasattr(report, "gradcheck")]
    if not told:
        return
    from gradcheck.desk.progress import progress_of, progress_text
    from gradcheck.grading.last_results import remember_run
    from gradcheck.reports.ink import showable

    if ungraded := terminalreporter.stats.get(WORDS[UNGRADED]):
        terminalreporter.section("the grader itself failed", yellow=True)
        for report in ungraded:
            terminalreporter.write_line(report.longreprtext.strip())
    state = terminalreporter.config.rootpath / ".gradcheck"
    remember_run(told, state)
    progress = progress_of(told, terminalreporter.config.invocation_params.dir, state)
    terminalreporter.section("progress")
    blocks = showable(getattr(sys.__stdout__, "encoding", None))
    for line in progress_text(progress, colour=terminalreporter.hasmarkup, blocks=blocks).splitlines():
        terminalreporter.line(line)  # each by itself: what cannot be shown of one spoils no other
