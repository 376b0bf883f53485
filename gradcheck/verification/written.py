"""`gradcheck/verdict/v1` as it is written: a record for each of its objects, documented in docs/library/verdict.md."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from gradcheck.checks.results import Status
from gradcheck.diagnosis.matching import Factor
from gradcheck.verification.facts import AlongAxis, CotangentKind, FailureKind, NoteKind, Quantity

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
    ratio: Number = 0.0
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
