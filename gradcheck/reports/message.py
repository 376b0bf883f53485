"""Failures and graded folders as a learner reads them: what is wrong, a case small enough to redo by hand, what to do
next. Plain text of at most 80 columns where the numbers allow it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from gradcheck.checks.results import DIGITS, CheckResult, Counterexample, where_of
from gradcheck.grading.desk_record import NO_HELP
from gradcheck.grading.located import locate, shown_path
from gradcheck.reports.terminal import WIDTH, paragraph
from gradcheck.reports.words import WORDS, not_your_fault
from gradcheck.showing.text import points, printable

if TYPE_CHECKING:
    from gradcheck.grading.report import ExerciseReport, Report

_ENTRIES = 40
"""A tensor with more entries is shown by its beginning."""

Line = tuple[str, str]
"""Text, and what it is: `said` is the mistake's sentence, `think` the question, `command` what to type next, `quiet`
what stands beside them.
"""


def failure_text(result: CheckResult, path: str, *, show_answer: bool = False, width: int = WIDTH) -> str:
    """The message of a failed or errored check, or of one that the grader itself failed on. `path` is the exercise file
    as the learner calls it.
    """
    return "\n".join(text for text, _ in failure_lines(result, path, show_answer=show_answer, width=width))


def failure_lines(result: CheckResult, path: str, *, show_answer: bool = False, width: int = WIDTH) -> list[Line]:
    """The same with what each line is, for whoever has colours."""
    made = _ungraded(result, path, width) if result.status == "ungraded" else _failed(result, path, show_answer, width)
    return [(printable(text), kind) for text, kind in made]


def _failed(result: CheckResult, path: str, show_answer: bool, width: int) -> Iterator[Line]:
    known = result.diagnosis.code if result.diagnosis else result.code
    yield f"{result.task}.{result.function}" + (f"   [{known}]" if known else ""), "quiet"
    yield from _wrapped(result.message.replace("\n", " "), width, "said", hanging="")
    for line in result.lines:
        yield from _source(line, width)
    if result.counterexample:
        yield from _example(result.counterexample, show_answer, width)
    diagnosis = result.diagnosis
    if show_answer and diagnosis and diagnosis.answer:
        yield from _wrapped(f"Answer: {diagnosis.answer}", width, "")
    if diagnosis and diagnosis.think:
        yield from _wrapped(f"Think: {diagnosis.think}", width, "think")
    yield from _command("  Again: ", f"pytest {path} -k {result.function}", width)
    yield from _command("  More:  ", f"gradcheck hint {result.task}", width)
    if result.waiting:
        waiting = ", ".join(name.replace("_", " ") for name in result.waiting)
        yield from _wrapped(f"Not checked until this holds: {waiting}", width, "quiet")


def _ungraded(result: CheckResult, path: str, width: int) -> Iterator[Line]:
    """Whose fault it is not, the grader's reason, and the one thing to try: other numbers."""
    yield f"{result.task}.{result.function}", "quiet"
    yield from _wrapped("not graded: the grader itself failed, not your code.", width, "said", hanging="")
    yield from _wrapped(result.message.replace("\n", " "), width, "", "    ")
    yield from _wrapped("No points are counted for it, neither for nor against you.", width, "")
    yield from _command("  Again: ", f"pytest {path} --gradcheck-seed 1", width)
    yield from _wrapped("If that does not help, show this to whoever gave you the exercise.", width, "")


def _command(opening: str, command: str, width: int) -> Iterator[Line]:
    """A command to copy, whole, on a line of its own where it would not fit beside its opening."""
    whole = len(opening) + len(command) <= width
    yield from ((line, "command") for line in ([opening + command] if whole else [opening.rstrip(), f"    {command}"]))


def _wrapped(text: str, width: int, kind: str, indent: str = "  ", hanging: str = "  ") -> list[Line]:
    return [(line, kind) for line in paragraph(text, width, indent, hanging) if line]


def _source(line: str, width: int) -> list[Line]:
    """A line of somebody else's making, in three lines at most."""
    indent = "    "
    if len(indent + line) <= width:
        return [(indent + line, "quiet")]
    cut = wrap(line, width, initial_indent=indent, subsequent_indent=2 * indent, max_lines=3, placeholder=" …")
    return [(each, "quiet") for each in cut]


def _example(example: Counterexample, show_answer: bool, width: int) -> Iterator[Line]:
    rows = _rows(example.inputs, "{} =")
    if example.grad_output is not None:
        rows.append(("grad_output =", example.grad_output))
    if example.got is not None:
        rows += _rows(example.got, "{}:") if isinstance(example.got, dict) else tensors_in("you returned", example.got)
    if show_answer and example.expected is not None:
        many = isinstance(example.expected, dict)
        rows += _rows(example.expected, "correct {}:") if many else tensors_in("correct:", example.expected)
    margin = max((len(label) for label, _ in rows), default=0) + 1
    for label, value in rows:
        for line in _tensor_lines(label, value, margin, width, example.digits):
            yield line, ""
    if where := where_of(example):
        yield from _wrapped(where, width, "quiet", _INDENT)
    if example.about:
        yield from _wrapped(f"with {example.about}", width, "quiet", _INDENT)


_INDENT = " " * 6


def _tensor_lines(label: str, value: Any, margin: int, width: int, digits: int) -> list[str]:
    """A tensor behind its label; below it, where it would not fit beside it."""
    before = f"{_INDENT}{label:<{margin}}"
    text = value if isinstance(value, str) else tensor_text(value, len(before), width, digits)
    beside = hanging(before, text).split("\n")
    if max(map(len, beside)) <= width:
        return beside
    below = " " * 8
    text = value if isinstance(value, str) else tensor_text(value, len(below), width, digits)
    return [before.rstrip(), *hanging(below, text).split("\n")]


def _rows(named: Mapping[str, Any], label: str) -> list[tuple[str, Any]]:
    return [(label.format(own), value) for name, each in named.items() for own, value in tensors_in(name, each)]


def _has_dicts(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)


def tensors_in(name: str, value: Any, several: Callable[[Any], bool] = _has_dicts) -> Iterator[tuple[str, Any]]:
    """Each tensor with a name of its own: the entries of a dict, and those of a list that is `several`."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from tensors_in(f"{name}[{key!r}]", each, several)
    elif several(value):
        for number, each in enumerate(value):
            yield from tensors_in(f"{name}[{number}]", each, several)
    else:
        yield name, value


def tensor_text(value: Any, indent: int = 0, width: int = WIDTH, digits: int = DIGITS) -> str:
    """Nested lists as a tensor is printed: rows below each other, and columns too; long ones cut. It has more than one
    line where there is more than one row, all counted from where the first begins: `hanging` puts them there. A long
    one is cut so that it fits behind `indent`.
    """
    if isinstance(value, dict):
        named = ((f"{printable(str(name))}: ", each) for name, each in value.items())
        return "\n".join(hanging(label, tensor_text(each, indent, width, digits)) for label, each in named)
    if not isinstance(value, (list, tuple)):
        return _number(value, digits)
    if _count(value) > _ENTRIES:
        rest = f", … {_count(value)} entries]"
        shown = [_number(entry, digits) for entry in _flat(value)][:6]
        while len(shown) > 1 and indent + len(f"[{', '.join(shown)}{rest}") > width:
            shown.pop()
        return f"[{', '.join(shown)}{rest}"
    value = _told(value, digits)
    widths: list[int] = []
    for row in _innermost(value):
        widths += [0] * (len(row) - len(widths))
        widths[: len(row)] = [max(known, len(entry)) for known, entry in zip(widths, row, strict=False)]
    return _nested(value, widths)


def _told(value: Any, digits: int) -> Any:
    """The same lists, of texts."""
    return [_told(each, digits) for each in value] if isinstance(value, (list, tuple)) else _number(value, digits)


def hanging(label: str, text: str) -> str:
    """`text` behind a label, its further lines below its first."""
    return label + text.replace("\n", "\n" + " " * len(label))


def _nested(value: Any, widths: list[int]) -> str:
    """`widths` are those of the columns: the entries of every innermost list stand below each other."""
    if not isinstance(value, list):
        return str(value)
    if _is_innermost(value):
        entries = [entry.rjust(width) for entry, width in zip(value, widths, strict=False)]
        return f"[{', '.join(entries)}]"
    return hanging("[", ",\n".join(_nested(each, widths) for each in value)) + "]"


def _is_innermost(value: Any) -> bool:
    return not any(isinstance(each, (list, tuple)) for each in value)


def _innermost(value: Any) -> Iterable[Any]:
    """The lists that hold no others."""
    if _is_innermost(value):
        yield value
        return
    for each in value:
        if isinstance(each, (list, tuple)):
            yield from _innermost(each)


def _number(value: Any, digits: int) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return printable(str(value)).replace("\n", " ")  # as wide as it is shown
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value)}." if value or str(value)[0] != "-" else "-0."
    if 1 <= abs(value) < 1e6:
        digits = max(digits, len(str(int(abs(value)))) + 1)
    return f"{value:.{digits}g}"


def _flat(value: Any) -> Iterable[Any]:
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _flat(each)
    else:
        yield value


def _count(value: Any) -> int:
    return sum(1 for _ in _flat(value))


def line_of(report: ExerciseReport) -> str:
    """One exercise: `04_modules/relu.py   passed   4/4   2 hints`."""
    score = "–" if report.status == "ungraded" else points(report.score)
    line = f"{report.exercise.path:<32} {WORDS[report.state]:<12} {score}/{points(report.max_score)}"
    return f"{line}   {report.help}" if report.help != NO_HELP else line


def failures_text(report: Report, folder: Path, *, show_answer: bool = False, reproduce: bool = False) -> Iterator[str]:
    """The message of every check that failed; what only waits for another check, or is not started, is left out. Of an
    exercise that the grader itself failed on, nothing but that is said. With `reproduce` each has its snippet below it.
    """
    from gradcheck.reports.reproduce import snippet

    for each in report.exercises:
        path = shown_path(locate(folder, each.exercise))
        for result in each.told:
            text = failure_text(result, path, show_answer=show_answer)
            yield f"{text}\n\n{snippet(result, path, show_answer=show_answer)}" if reproduce else text


def total_lines(report: Report) -> Iterator[str]:
    """The points; where not all was graded, those of the rest, and that they are no mark."""
    if not report.ungraded:
        yield f"{report.score:g} of {report.max_score:g} points"
        return
    most = sum(each.max_score for each in report.exercises if each.status != "ungraded")
    yield from paragraph(not_your_fault(report.ungraded), WIDTH, "")
    if most:
        yield f"{report.score:g} of {most:g} points in the other exercises"
