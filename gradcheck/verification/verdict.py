"""What `gradcheck.verify` returns: a verdict, as text, as HTML and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from gradcheck.checks.results import Status
from gradcheck.diagnosis.matching import Factor
from gradcheck.errors import GradcheckError
from gradcheck.references.expected import K
from gradcheck.showing.templating import environment
from gradcheck.showing.text import in_json, plural, printable
from gradcheck.verification.facts import AlongAxis, CotangentKind, Failure, FailureKind, Note, NoteKind, Quantity
from gradcheck.verification.words import failure_told, in_a_line, name_of, note_told, shortened

if TYPE_CHECKING:
    from jinja2 import Template

    from gradcheck.checks.results import CheckResult


class GradientError(GradcheckError, AssertionError):
    """A candidate is wrong: the text says how. `verdict` has the facts."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(str(verdict))
        self.verdict = verdict


@dataclass(frozen=True)
class Verdict:
    """All that was found out about a candidate, as text, HTML and JSON. True where nothing is wrong.

    `worst` is the largest error of each quantity, in radii: above `references.expected.K` it is wrong. `rounding`,
    `dtype`, `device` and `seed` say how it was judged, `checks` by what. `results` are the checks of an exercise's
    engine, where the reference is an operator that draws its own inputs.
    """

    candidate: str
    reference: str
    failures: tuple[Failure, ...] = ()
    notes: tuple[Note, ...] = ()
    seed: int = 0
    dtype: str = ""
    device: str = ""
    rounding: str = "stepwise"
    checks: tuple[str, ...] = ()
    worst: Mapping[Quantity, float] = field(default_factory=dict)
    results: tuple[CheckResult, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.failures

    def __bool__(self) -> bool:
        return self.passed

    def check(self) -> None:
        """Raise GradientError, with the printed text, if anything is wrong."""
        if self.failures:
            raise GradientError(self)

    def to_json(self) -> str:
        """The facts as JSON, `gradcheck/verdict/v1`: docs/library/verdict.md says what each of them is."""
        written = vars(self) | {
            "schema": SCHEMA,
            "passed": self.passed,
            "allowed": K,
            "worst": [{"quantity": each, "radii": radii} for each, radii in self.worst.items()],
            "failures": [vars(each) | {"text": one_line(each)} for each in self.failures],
            # To msgspec no other 0.0 is the default, which it leaves out, but the very object.
            "notes": [vars(n) | {"text": one_line(n), "ratio": n.ratio or Note.ratio} for n in self.notes],
        }
        record = msgspec.convert(written, WrittenVerdict, from_attributes=True)
        return json.dumps(
            in_json(msgspec.to_builtins(record, enc_hook=str)), ensure_ascii=False, allow_nan=False, indent=1
        )

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        """As a fragment for notebooks: its own style, nothing loaded, everything escaped."""
        return _template().render(
            head=_head(self),
            passed=self.passed,
            outcome=_outcome(self),
            failures=list(map(failure_told, self.failures)),
            right=_right(self),
            notes=list(map(note_told, self.notes)),
        )


def as_text(verdict: Verdict, width: int = 80) -> str:
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


def one_line(fact: Failure | Note, width: int = 0) -> str:
    """grad weight: 3 of 12 entries wrong: the sign is flipped (seed 0). Cut, where a width is given that it exceeds."""
    said, end = shortened(in_a_line(fact)), f" (seed {fact.seed})" if isinstance(fact, Failure) else ""
    most = width - len(end) if width else len(said)
    return (said if len(said) <= most else f"{said[: max(most - 2, 0)]} …") + end


def _head(verdict: Verdict) -> str:
    """What was held against what, and how."""
    against = f" against {verdict.reference}" if verdict.reference else ""
    how = f" in {verdict.dtype}" if verdict.dtype else ""
    where = f" on {verdict.device}" if verdict.device not in ("", "cpu") else ""
    return f"{verdict.candidate}{against}{how}{where}" + (", fused" if verdict.rounding == "fused" else "")


def _outcome(verdict: Verdict) -> str:
    wrong = len(verdict.failures)
    return f"{wrong} {plural(wrong, 'thing is', 'things are')} wrong" if wrong else "passed"


def _right(verdict: Verdict) -> str:
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


# `gradcheck/verdict/v1` as it is written: a record for each of its objects, documented in docs/library/verdict.md.

SCHEMA: Literal["gradcheck/verdict/v1"] = "gradcheck/verdict/v1"

Number = float | Literal["NaN", "Infinity", "-Infinity"]
"""What of a number JSON lacks is a string."""


class WrittenOff(Struct, frozen=True):
    """A wrong entry: it may lie between `low` and `high`, give or take four times the `radius`."""

    index: tuple[int, ...]
    got: Number
    low: Number
    high: Number
    radius: Number


class WrittenEntries(Struct, frozen=True):
    """Wrong entries of a tensor: how many of how many, the worst few, and where they lie axis by axis."""

    shape: tuple[int, ...]
    wrong: int
    total: int
    worst: tuple[WrittenOff, ...]
    along: tuple[AlongAxis, ...]


class WrittenMistake(Struct, frozen=True, omit_defaults=True):
    """The mistake that explains what came back."""

    code: str
    factor: Factor | None = None
    name: str = ""
    axes: tuple[int, ...] = ()
    dtype: str = ""
    part: str = ""
    way: str = ""
    at: int = 0


class WrittenFailure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that is wrong with the candidate; `text` says it in a line."""

    kind: FailureKind
    text: str
    seed: int
    quantity: Quantity | None = None
    cotangent: CotangentKind | None = None
    entries: WrittenEntries | None = None
    mistake: WrittenMistake | None = None
    got: Any = None
    wanted: Any = None
    error: str = ""
    message: str = ""
    at: str = ""


class WrittenNote(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something worth knowing that is no mistake; `text` says it in a line."""

    kind: NoteKind
    text: str
    quantity: Quantity | None = None
    entries: WrittenEntries | None = None
    count: int = 0
    ratio: Number = Note.ratio
    check: str = ""
    message: str = ""


class WrittenWorst(Struct, frozen=True):
    """The largest error of a quantity, in radii."""

    quantity: Quantity
    radii: Number


class WrittenResult(Struct, frozen=True):
    """One check of an exercise, where the course's engine judged."""

    id: str
    status: Status
    message: str
    code: str


class WrittenVerdict(Struct, frozen=True, kw_only=True):
    """All that was found out about a candidate."""

    schema: Literal["gradcheck/verdict/v1"]
    candidate: str
    reference: str
    passed: bool
    seed: int
    dtype: str
    device: str
    rounding: str
    allowed: float
    checks: tuple[str, ...]
    worst: tuple[WrittenWorst, ...]
    failures: tuple[WrittenFailure, ...]
    notes: tuple[WrittenNote, ...]
    results: tuple[WrittenResult, ...]
