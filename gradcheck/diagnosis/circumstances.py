"""A function that is right for ordinary numbers and wrong at the edges: what the failing cases have in common.

A trait is a fact about the arguments of a call. It is told only of a case that has it: the case that the learner sees
may be smaller than those that failed first, and what was special about them may be gone from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gradcheck.checks.cases import walk
from gradcheck.checks.outcome import Argument, Arguments
from gradcheck.checks.results import CheckResult
from gradcheck.diagnosis.evidence import Evidence, Sighting, is_upstream
from gradcheck.operators.operator import Operator
from gradcheck.references.expected import Floats

LARGE = 9.0
"""Inputs from here on are large: e^−9 beside 1 is nearly nothing."""

_MOST = 0.5
"""So many of the cases that have a trait of their numbers must fail for it to be told. A trait of sizes is told only
where all of them do: a function that passes a case of that size is not wrong there.
"""


@dataclass(frozen=True)
class Situation:
    """What a function was asked with."""

    arguments: Arguments
    operator: Operator | None = None

    @cached_property
    def inputs(self) -> list[Argument]:
        """The tensors of the arguments but for the cotangents."""
        return [each for path, each in self._tensors if not is_upstream(str(path[0]))]

    @cached_property
    def upstream(self) -> list[Argument]:
        return [each for path, each in self._tensors if is_upstream(str(path[0]))]

    @cached_property
    def _tensors(self) -> list[tuple[tuple[object, ...], Argument]]:
        return [(path, leaf) for path, leaf in walk(self.arguments) if isinstance(leaf, Argument)]

    @property
    def tensors(self) -> list[Argument]:
        return self.inputs + self.upstream

    @cached_property
    def numbers(self) -> Floats:
        """The entries of the floating inputs."""
        arrays = [np.ravel(each.values) for each in self.inputs if each.dtype.startswith("float")]
        return np.concatenate(arrays) if arrays else np.zeros(0)

    @property
    def largest(self) -> float:
        return float(np.abs(self.numbers).max(initial=0.0))

    @property
    def largest_upstream(self) -> float:
        return max((float(np.abs(each.values).max(initial=0.0)) for each in self.upstream), default=0.0)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [np.shape(each.values) for each in self.inputs]

    @property
    def single_precision(self) -> bool:
        return any(each.dtype == "float32" for each in self.tensors)

    @property
    def single(self) -> bool:
        """Whether a batched input is given without its batch axis."""
        operator = self.operator
        if operator is None:
            return False
        batched = [each for each in operator.inputs if each.batched and each.name in self.arguments]
        return any(np.ndim(self.arguments[each.name].values) == len(each.shape) for each in batched)


@dataclass(frozen=True)
class Trait:
    """What a case may have in common with others; `words` completes "it is wrong …". `strict`: told only where every
    case that has it fails.
    """

    code: str
    words: str
    holds: Callable[[Situation], bool]
    strict: bool = False


@dataclass(frozen=True)
class Circumstance:
    """The trait that tells the failing cases from the others: its code and words, and the share of the cases having it
    that fail.
    """

    code: str
    words: str
    share: float


def _tied(situation: Situation) -> bool:
    """Exact zeros, or two entries alike."""
    numbers = situation.numbers
    return bool((numbers == 0).any() or len(np.unique(numbers)) < numbers.size)


def _square(situation: Situation) -> bool:
    sizes = {size for shape in situation.shapes for size in shape}
    return len(sizes) == 1 and sizes != {1} and any(len(shape) > 1 for shape in situation.shapes)


def _sparse(situation: Situation) -> bool:
    entries = [np.ravel(each.values) for each in situation.upstream]
    return any(each.size > 1 and np.count_nonzero(each) == 1 for each in entries)


_TRAITS: tuple[Trait, ...] = (
    Trait("empty-batch", "for an empty batch", lambda s: any(each.values.size == 0 for each in s.tensors), strict=True),
    Trait(
        "non-contiguous",
        "for tensors that are not contiguous in memory",
        lambda s: any(each.layout in ("transposed", "expanded") for each in s.tensors),
    ),
    Trait("unstable", "for large inputs", lambda s: s.largest >= LARGE),
    Trait("kink", "at kinks, ties or exact zeros", _tied),
    Trait("kink", "at exact zeros", lambda s: bool((s.numbers == 0).any())),
    Trait("kink", "where all inputs are zero", lambda s: bool(s.numbers.size) and not s.numbers.any()),
    Trait("unstable", "for large inputs in float32", lambda s: s.largest >= LARGE and s.single_precision),
    Trait("edge-size", "for a single sample without a batch axis", lambda s: s.single, strict=True),
    Trait("edge-size", "where a size is one", lambda s: any(1 in shape for shape in s.shapes), strict=True),
    Trait(
        "edge-size",
        "for tensors of three or more axes",
        lambda s: any(len(shape) > 2 for shape in s.shapes),
        strict=True,
    ),
    Trait("edge-size", "for a tensor without axes", lambda s: set(s.shapes) == {()}, strict=True),
    Trait("edge-size", "where all sizes are equal", _square, strict=True),
    Trait(
        "edge-size", "for larger tensors", lambda s: any(size > 5 for shape in s.shapes for size in shape), strict=True
    ),
    Trait("low-precision", "for small inputs", lambda s: 0 < s.largest < 0.05),
    Trait("low-precision", "in float32", lambda s: s.single_precision),
    Trait("wrong-mask", "where all inputs are positive", lambda s: bool(s.numbers.size and (s.numbers > 0).all())),
    Trait("wrong-mask", "where all inputs are negative", lambda s: bool(s.numbers.size and (s.numbers < 0).all())),
    Trait("changes-upstream", "where grad_output is large", lambda s: s.largest_upstream >= 500),
    Trait("changes-upstream", "where grad_output is very large", lambda s: s.largest_upstream >= 5e5),
    Trait("changes-upstream", "where grad_output is small", lambda s: 0 < s.largest_upstream <= 2e-3),
    Trait("changes-upstream", "where grad_output is very small", lambda s: 0 < s.largest_upstream <= 2e-6),
    Trait("changes-upstream", "where grad_output is zero almost everywhere", _sparse),
)


def circumstances(evidence: Evidence, failure: CheckResult) -> Circumstance | None:
    """The trait that tells the failing cases from the others best, and that the case shown with the failure has; None
    where no trait covers them, or where too many that have it do not fail.
    """
    failing = evidence.failing
    if not failing or len(failing) == len(evidence.sightings):
        return None
    best: tuple[float, Trait] | None = None
    for trait in _told(evidence, failure):
        having = [each for each in evidence.sightings if trait.holds(situation_of(each, evidence))]
        covered = sum(each.failure is not None for each in having)
        share = covered / len(having) if covered == len(failing) else 0.0
        if share and (best is None or share > best[0] * 1.25):
            best = share, trait
    return Circumstance(best[1].code, best[1].words, round(best[0], 2)) if best else None


def in_part(evidence: Evidence, failure: CheckResult) -> Circumstance | None:
    """A trait of the case shown that no passing case has, though others fail too: one circumstance of several."""
    best: tuple[int, Trait] | None = None
    for trait in _told(evidence, failure):
        failing, having = _cases(trait, evidence)
        if failing == having and (best is None or failing > best[0]):
            best = failing, trait
    return Circumstance(best[1].code, best[1].words, 0.5) if best else None


def situation_of(sighting: Sighting, evidence: Evidence) -> Situation:
    return Situation(sighting.trial.arguments, evidence.operator)


def _told(evidence: Evidence, failure: CheckResult) -> Iterator[Trait]:
    """The traits that the case shown has, and that enough of the failing cases owe their failure to."""
    shown = failure.counterexample
    if shown is None or not shown.arguments:
        return
    situation = Situation(shown.arguments, evidence.operator)
    for trait in _TRAITS:
        if trait.holds(situation):
            failing, having = _cases(trait, evidence)
            if having and failing >= (having if trait.strict else _MOST * having):
                yield trait


def _cases(trait: Trait, evidence: Evidence) -> tuple[int, int]:
    """How many cases have the trait and fail, and how many have it: a zero cotangent passes wherever it stands."""
    having: dict[str, bool] = {}
    for each in evidence.sightings:
        if trait.holds(situation_of(each, evidence)):
            name = each.trial.case.name
            having[name] = having.get(name, False) or each.failure is not None
    return sum(having.values()), len(having)
