"""What is found out about a candidate: facts, for whoever prints them, and for machines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from gradcheck.diagnosis.matching import Factor

Indices = tuple[int, ...]

CotangentKind = Literal["dense", "zero", "minus-two", "one-hot", "expanded", "ones", "non-contiguous", "undefined"]
"""How a grad_output was made: dense entries of both signs; -2 times those; 1 in one place; a 1 that is expanded, as
`.sum().backward()` passes it; ones that are not; the dense one laid out column after column; none for one of several
outputs.
"""

QuantityKind = Literal["output", "gradient", "second-gradient"]

FailureKind = Literal[
    "raised",  # `error`, `message`, `at`
    "timed-out",  # `got` seconds
    "type",  # `got` names what came in the place of a tensor
    "count",  # `got` outputs or gradients came, `wanted` belong there
    "shape",  # `got` and `wanted`, lists of sizes
    "dtype",  # `got` and `wanted`, names
    "device",  # `got` and `wanted`, names
    "values",  # `entries`
    "along",  # `got` is what a gradient times a random direction adds up to, `wanted` what it must
    "cut-off",  # an output that should have a graph has none: no gradient can flow
    "no-gradient",  # None came where a gradient belongs
    "not-linear",  # `entries`: for this kind of cotangent the gradient is not that of a linear map
    "changes-input",  # `got` names it, `message` says in which "forward" or "backward"
    "changes-grad-output",  # `got` is its position, `message` names the Function
    "changes-saved",  # `got` is its position or the name of an attribute, `message` names the Function
    "not-deterministic",  # `entries`: two equal calls differ by more than an order of summation explains
    "unwritten",  # `entries` are what happened to lie in memory: nobody wrote them
    "needs-input-grad",  # `entries`: the gradient is another where only this input asks for one
    "keeps-state",  # `entries`: a second use before the backward changes the gradient of the first
    "check",  # a check of an exercise, `at`, did not pass: `message`
]

NoteKind = Literal[
    "own-forward",  # no reference was given: what is held against the truth is the backward alone
    "kinks",  # `count` comparisons were ties, or within rounding: any subgradient is right there
    "relative-to-largest",  # `entries` are right only relative to the largest one of the tensor
    "worse-than-torch",  # `ratio`: the largest error in terms of torch's own
    "better-formula",  # `entries`: the exact value lies far inside of what the reference may lose
    "shares-memory",  # a gradient shares its memory with what `message` names: "grad_output" or an input
    "order-of-summation",  # two equal calls differ, by no more than rounding explains
    "no-bound",  # `count` entries are not judged
    "sampled",  # `count` entries are not held against the truth one by one, but by sums along random directions
    "blunt",  # `ratio`: errors up to this part of the largest entry may go unseen
    "nothing-to-compare",  # no entry at all
    "estimated",  # the tolerance is estimated: no bound is known, or it says little
    "not-checked",  # `check` was left out, `message` says why
]


@dataclass(frozen=True)
class Quantity:
    """One tensor that the candidate hands back: an output or the gradient by an input or parameter. `name` is the
    input's; of several outputs the position; empty for a single output.
    """

    kind: QuantityKind
    name: str = ""


@dataclass(frozen=True)
class Off:
    """An entry that is wrong: what came, and between what it may lie, give or take `radius`: `low` and `high` differ at
    kinks only.
    """

    index: Indices
    got: float
    low: float
    high: float
    radius: float


AxisRange = Literal["all", "only", "first", "last", "all-but-first", "all-but-last", "from", "below", "every", "some"]


@dataclass(frozen=True)
class AlongAxis:
    """Which places along one axis hold wrong entries: `at` is the place of "only", where "from" begins, before which
    "below" ends, the step of "every", which begins at `start`; `size` is how many places there are.
    """

    axis: int
    range: AxisRange
    size: int
    at: int = 0
    start: int = 0


@dataclass(frozen=True)
class Entries:
    """Wrong entries of a tensor: how many of how many, the worst few, and where they lie axis by axis, if the wrong
    ones are exactly those that are in all of these ranges.
    """

    shape: tuple[int, ...]
    wrong: int
    worst: tuple[Off, ...]
    along: tuple[AlongAxis, ...] = ()

    @property
    def total(self) -> int:
        return math.prod(self.shape)


Way = Literal[
    "sum",  # over `axes`, or over all; of grad_output where that is changed
    "mean",
    "absolute",  # without its signs: grad_output, or where `part` is "result" what comes back
    "sign",  # only the signs
    "positive",  # the positive entries only
    "clipped",
    "squared",
    "normalised",
    "reversed",  # along `axes`
    "shifted",
    "exchanged",  # two places
    "permuted",
    "copied",  # some places hold what belongs to others
    "flattened",  # column after column
    "first",  # only this part of grad_output along `axes` counts
    "last",
    "below",  # the place `at`
    "from",
    "all-but-first",
    "all-but-last",
    "offset",  # `factor` times `name` is added, or a number where no name is
    "along",  # what is missing is constant along `axes`, or there a multiple of `name`
    "factor",  # a factor is missing, or too many: `name`, or constant along `axes`
    "cancellation",
    "expanded",
]


@dataclass(frozen=True)
class Mistake:
    """The mistake that explains what came back. `code` is one of `diagnosis.codes.CODES`; `factor` tells a factor,
    `name` another input, output or argument that is meant, `axes` what is summed or not, `dtype` whose precision it
    has, `part` a term or factor of a formula. `way` is how exactly, where a code has several ways: one of `Way`, or of
    a formula the kind of `diagnosis.mistakes.KINDS`; `at` is a place along an axis.
    """

    code: str
    factor: Factor | None = None
    name: str = ""
    axes: tuple[int, ...] = ()
    dtype: str = ""
    part: str = ""
    way: Way | str = ""
    at: int = 0


@dataclass(frozen=True)
class Failure:
    """Something that is wrong with a candidate. What `got` and `wanted` are is said by the kind."""

    kind: FailureKind
    quantity: Quantity | None = None
    cotangent: CotangentKind | None = None
    entries: Entries | None = None
    mistake: Mistake | None = None
    got: Any = None
    wanted: Any = None
    error: str = ""
    message: str = ""
    at: str = ""
    """File and line of the candidate's own code."""
    seed: int = 0


@dataclass(frozen=True)
class Note:
    """Something worth knowing that is no mistake."""

    kind: NoteKind
    quantity: Quantity | None = None
    entries: Entries | None = None
    count: int = 0
    ratio: float = 0.0
    check: str = ""
    message: str = ""
