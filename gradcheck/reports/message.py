"""One failure as a learner reads it: what is wrong, a case small enough to redo by hand, what to do next.

Plain text of at most 80 columns where the numbers allow it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from textwrap import wrap
from typing import Any

from gradcheck.checks.results import CheckResult, Counterexample, where_of
from gradcheck.showing.text import printable

WIDTH = 80
_ENTRIES = 40
"""A tensor with more entries is shown by its beginning."""


def failure_text(result: CheckResult, path: str, *, show_answer: bool = False) -> str:
    """The message of a failed or errored check, or of one that the grader itself failed on. `path` is the exercise file
    as the learner calls it.
    """
    if result.status == "ungraded":
        return _ungraded_text(result, path)
    lines = list(_headline(result))
    lines += [shorten(f"    {line}") for line in result.lines]
    if result.counterexample:
        lines += _example(result.counterexample, show_answer)
    if show_answer and result.diagnosis and result.diagnosis.answer:
        lines += _wrapped(f"Answer: {result.diagnosis.answer}", "  ")
    if result.diagnosis and result.diagnosis.think:
        lines += _wrapped(f"Think: {result.diagnosis.think}", "  ")
    lines += _command("  Again: ", f"pytest {path} -k {result.function}")
    lines += _command("  More:  ", f"gradcheck hint {result.task}")
    if result.waiting:
        waiting = ", ".join(name.replace("_", " ") for name in result.waiting)
        lines += _wrapped(f"Not checked until this holds: {waiting}", "  ")
    return "\n".join(printable(line) for line in lines)


def _ungraded_text(result: CheckResult, path: str) -> str:
    """Whose fault it is not, the grader's reason, and the one thing to try: other numbers."""
    opening = f"{result.task}.{result.function}   not graded: the grader itself failed, not your code."
    lines = [
        *wrap(opening, WIDTH, subsequent_indent=" " * 8, break_on_hyphens=False),
        *_wrapped(result.message.replace("\n", " "), " " * 8),
        "  No points are counted for it, neither for nor against you.",
        *_command("  Again: ", f"pytest {path} --gradcheck-seed 1"),
        "  If that does not help, show this to whoever gave you the exercise.",
    ]
    return "\n".join(map(printable, lines))


def _headline(result: CheckResult) -> Iterable[str]:
    opening = f"{result.task}.{result.function}   "
    known = result.diagnosis.code if result.diagnosis else result.code
    code = f" [{known}]" if known else ""
    text = result.message.replace("\n", " ")
    return wrap(opening + text + code, WIDTH, subsequent_indent=" " * 8, break_on_hyphens=False)


def _command(opening: str, command: str) -> list[str]:
    """A command to copy, whole, on a line of its own where it would not fit beside its opening."""
    if len(opening) + len(command) <= WIDTH:
        return [opening + command]
    return [opening.rstrip(), "    " + command]


def _wrapped(text: str, indent: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False)


def _example(example: Counterexample, show_answer: bool) -> list[str]:
    rows = [(f"{name} =", value) for name, value in _rows(example.inputs)]
    if example.grad_output is not None:
        rows.append(("grad_output =", example.grad_output))
    if isinstance(example.got, dict):
        rows += [(f"{name}:", value) for name, value in _rows(example.got)]
    elif example.got is not None:
        rows += _rows({"you returned": example.got})
    if show_answer and example.expected is not None:
        if isinstance(example.expected, dict):
            rows += [(f"correct {name}:", value) for name, value in _rows(example.expected)]
        else:
            rows += _rows({"correct:": example.expected})
    margin = max((len(label) for label, _ in rows), default=0) + 1
    lines = []
    for label, value in rows:
        shown = value if isinstance(value, str) else tensor_text(value, margin + 8)
        lines.append(hanging(f"        {label:<{margin}}", shown))
    if where := where_of(example):
        lines += _wrapped(where, "        ")
    if example.about:
        lines += _wrapped(f"with {example.about}", "        ")
    return lines


def _rows(named: dict[str, Any]) -> list[tuple[str, Any]]:
    """One row per tensor: the entries of a dict, and of a list of tensors, each have their own."""
    rows: list[tuple[str, Any]] = []
    for name, value in named.items():
        if isinstance(value, dict):
            rows += _rows({f"{name}[{key!r}]": each for key, each in value.items()})
        elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
            rows += _rows({f"{name}[{number}]": each for number, each in enumerate(value)})
        else:
            rows.append((name, value))
    return rows


def tensor_text(value: Any, indent: int = 0) -> str:
    """Nested lists as a tensor is printed: rows below each other, and columns too; long ones cut. It has more than one
    line where there is more than one row, all counted from where the first begins: `hanging` puts them there. A long
    one is cut so that it fits behind `indent`.
    """
    if isinstance(value, dict):
        return "\n".join(hanging(f"{printable(str(name))}: ", tensor_text(each)) for name, each in value.items())
    if not isinstance(value, (list, tuple)):
        return _number(value)
    if _count(value) > _ENTRIES:
        rest = f", … {_count(value)} entries]"
        shown = [_number(entry) for entry in _flat(value)][:6]
        while len(shown) > 1 and indent + len(f"[{', '.join(shown)}{rest}") > WIDTH:
            shown.pop()
        return f"[{', '.join(shown)}{rest}"
    widths: list[int] = []
    for row in _innermost(value):
        widths += [0] * (len(row) - len(widths))
        widths[: len(row)] = [max(known, len(_number(entry))) for known, entry in zip(widths, row, strict=False)]
    return _nested(value, widths)


def hanging(label: str, text: str) -> str:
    """`text` behind a label, its further lines below its first."""
    return label + text.replace("\n", "\n" + " " * len(label))


def _nested(value: Any, widths: list[int]) -> str:
    """`widths` are those of the columns: the entries of every innermost list stand below each other."""
    if not isinstance(value, (list, tuple)):
        return _number(value)
    if _is_innermost(value):
        entries = [_number(entry).rjust(width) for entry, width in zip(value, widths, strict=False)]
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


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return printable(str(value)).replace("\n", " ")  # as wide as it is shown
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value)}." if value or str(value)[0] != "-" else "-0."
    return f"{value:.6g}"


def _flat(value: Any) -> Iterable[Any]:
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _flat(each)
    else:
        yield value


def _count(value: Any) -> int:
    return sum(1 for _ in _flat(value))


def shorten(line: str) -> str:
    """A line of somebody else's making, cut to the screen's width."""
    return line if len(line) <= WIDTH else line[: WIDTH - 2] + " …"
