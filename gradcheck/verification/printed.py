"""A verdict as text, as HTML and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import msgspec

from gradcheck.references.expected import K
from gradcheck.showing.templating import environment
from gradcheck.showing.text import in_json, printable
from gradcheck.verification.facts import Entries, Failure, Note, Verified
from gradcheck.verification.words import failure_told, in_a_line, name_of, note_told, shortened
from gradcheck.verification.written import SCHEMA, WrittenVerdict

if TYPE_CHECKING:
    from jinja2 import Template


def as_text(verdict: Verified, width: int = 80) -> str:
    """What is wrong, by how much, where, and what to do about it; a few lines where all is well."""
    lines = _wrapped(f"{_head(verdict)}: {_outcome(verdict)}.", width, "", "  ")
    for told in map(failure_told, verdict.failures):
        lines += ["", *_wrapped(told.said, width, "", "  "), *_table(told.rows, width)]
        for each in told.more:
            lines += _wrapped(each, width, "  ", "    ")
    right = _right(verdict)
    lines += ["", *_wrapped(right, width, "", "  ")] if right and lines[1:] else _wrapped(right, width, "", "  ")
    for told in map(note_told, verdict.notes):
        lines += [*_wrapped(f"Note: {told.said}", width, "", "  "), *_table(told.rows, width)]
    return "\n".join(lines)


def as_html(verdict: Verified) -> str:
    """The same as a fragment for notebooks: its own style, nothing loaded, everything escaped."""
    return _template().render(
        head=_head(verdict),
        passed=verdict.passed,
        outcome=_outcome(verdict),
        failures=list(map(failure_told, verdict.failures)),
        right=_right(verdict),
        notes=list(map(note_told, verdict.notes)),
    )


def as_json(verdict: Verified) -> str:
    """The facts: docs/library/verdict.md says what each of them is."""
    written = {
        "schema": SCHEMA,
        "candidate": verdict.candidate,
        "reference": verdict.reference,
        "passed": verdict.passed,
        "seed": verdict.seed,
        "dtype": verdict.dtype,
        "device": verdict.device,
        "rounding": verdict.rounding,
        "allowed": K,
        "checks": verdict.checks,
        "worst": [{"quantity": each, "radii": radii} for each, radii in verdict.worst.items()],
        "failures": [_written(each) | {"text": one_line(each)} for each in verdict.failures],
        "notes": [_written(each) | {"text": one_line(each)} for each in verdict.notes],
        "results": [
            {"id": each.id, "status": each.status, "message": each.message, "code": each.code}
            for each in verdict.results
        ],
    }
    record = msgspec.convert(in_json(_plain(written)), WrittenVerdict)
    return json.dumps(msgspec.to_builtins(record), ensure_ascii=False, allow_nan=False, indent=1)


def one_line(fact: Failure | Note, width: int = 0) -> str:
    """grad weight: 3 of 12 entries wrong: the sign is flipped (seed 0). Cut, where a width is given that it exceeds."""
    said, end = shortened(in_a_line(fact)), f" (seed {fact.seed})" if isinstance(fact, Failure) else ""
    most = width - len(end) if width else len(said)
    return (said if len(said) <= most else f"{said[: max(most - 2, 0)]} …") + end


def _head(verdict: Verified) -> str:
    """What was held against what, and how."""
    against = f" against {verdict.reference}" if verdict.reference else ""
    how = f" in {verdict.dtype}" if verdict.dtype else ""
    where = f" on {verdict.device}" if verdict.device not in ("", "cpu") else ""
    return f"{verdict.candidate}{against}{how}{where}" + (", fused" if verdict.rounding == "fused" else "")


def _outcome(verdict: Verified) -> str:
    wrong = len(verdict.failures)
    return "passed" if not wrong else "1 thing is wrong" if wrong == 1 else f"{wrong} things are wrong"


def _right(verdict: Verified) -> str:
    """The largest error of whatever is not wrong."""
    wrong = {each.quantity for each in verdict.failures}
    told = [f"{name_of(each)} {radii:.2g}" for each, radii in verdict.worst.items() if each not in wrong]
    return f"Right (largest error in radii, {K:g} allowed): {', '.join(told)}." if told else ""


def _wrapped(text: str, width: int, first: str, then: str) -> list[str]:
    return wrap(printable(text), width, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)


def _table(rows: Sequence[tuple[str, ...]], width: int) -> list[str]:
    """Columns below each other; where these do not fit, an entry after the other."""
    if not rows:
        return []
    sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(sizes) + 2 * len(sizes) <= width:
        return ["".join("  " + cell.rjust(size) for cell, size in zip(row, sizes, strict=True)) for row in rows]
    head, *others = rows
    entries = ["; ".join(f"{name} {cell}" for name, cell in zip(head, row, strict=True)) for row in others]
    return [line for entry in entries for line in _wrapped(entry, width, "  ", "    ")]


@cache
def _template() -> Template:
    return environment(printable).get_template("verdict.html")


def _written(fact: Failure | Note) -> dict[str, Any]:
    plain: dict[str, Any] = _plain(fact)
    if isinstance(entries := fact.entries, Entries):
        plain["entries"]["total"] = entries.total
    if not plain.get("ratio", True):
        del plain["ratio"]  # no default is a float's 0.0 to msgspec, but the very object
    return plain


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, enc_hook=str)
