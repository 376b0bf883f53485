"""A function that is right for ordinary numbers and wrong at the edges: what the failing cases have in common.

It is told only of a case that has it: the case that the learner sees may be smaller than those that failed first, and
what was special about them may be gone from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gradcheck.checks.results import CheckResult
from gradcheck.checks.traits import Trait, traits_of
from gradcheck.diagnosis.evidence import Evidence

_MOST = 0.5
"""So many of the cases that have a trait of their numbers must fail for it to be told. A trait of sizes is told only
where all of them do: a function that passes a case of that size is not wrong there.
"""


@dataclass(frozen=True)
class Circumstance:
    """Traits that cases have in common; `words` completes "it is wrong …". `strict`: told only where every case that
    has them fails. `share`: once it is found to tell the failing cases from the others, how many that have it fail.
    """

    code: str
    words: str
    traits: frozenset[Trait]
    strict: bool = False
    share: float = 0.5

    def holds(self, traits: frozenset[Trait]) -> bool:
        return self.traits <= traits


def _where(code: str, words: str, *traits: Trait, strict: bool = False) -> Circumstance:
    return Circumstance(code, words, frozenset(traits), strict)


KNOWN: tuple[Circumstance, ...] = (
    _where("empty-batch", "for an empty batch", Trait.EMPTY, strict=True),
    _where("non-contiguous", "for tensors that are not contiguous in memory", Trait.STRIDED),
    _where("unstable", "for large inputs", Trait.LARGE),
    _where("kink", "at kinks, ties or exact zeros", Trait.TIED),
    _where("kink", "at exact zeros", Trait.ZERO),
    _where("kink", "where all inputs are zero", Trait.ALL_ZERO),
    _where("unstable", "for large inputs in float32", Trait.LARGE, Trait.FLOAT32),
    _where("edge-size", "for a single sample without a batch axis", Trait.UNBATCHED, strict=True),
    _where("edge-size", "where a size is one", Trait.SIZE_ONE, strict=True),
    _where("edge-size", "for tensors of three or more axes", Trait.MANY_AXES, strict=True),
    _where("edge-size", "for a tensor without axes", Trait.NO_AXES, strict=True),
    _where("edge-size", "where all sizes are equal", Trait.EQUAL_SIZES, strict=True),
    _where("edge-size", "for larger tensors", Trait.MORE_ENTRIES, strict=True),
    _where("low-precision", "for small inputs", Trait.SMALL),
    _where("low-precision", "in float32", Trait.FLOAT32),
    _where("wrong-mask", "where all inputs are positive", Trait.ALL_POSITIVE),
    _where("wrong-mask", "where all inputs are negative", Trait.ALL_NEGATIVE),
    _where("changes-upstream", "where grad_output is large", Trait.UPSTREAM_LARGE),
    _where("changes-upstream", "where grad_output is very large", Trait.UPSTREAM_VERY_LARGE),
    _where("changes-upstream", "where grad_output is small", Trait.UPSTREAM_SMALL),
    _where("changes-upstream", "where grad_output is very small", Trait.UPSTREAM_VERY_SMALL),
    _where("changes-upstream", "where grad_output is zero almost everywhere", Trait.UPSTREAM_SPARSE),
)


def circumstances(evidence: Evidence, failure: CheckResult) -> Circumstance | None:
    """What tells the failing cases from the others best, and holds of the case shown with the failure; None where
    nothing covers them, or where too many cases that have it do not fail.
    """
    failing = evidence.failing
    if not failing or len(failing) == len(evidence.sightings):
        return None
    best: tuple[float, Circumstance] | None = None
    for known in _told(evidence, failure):
        having = [each for each in evidence.sightings if known.holds(each.traits)]
        covered = sum(each.failure is not None for each in having)
        share = covered / len(having) if covered == len(failing) else 0.0
        if share and (best is None or share > best[0] * 1.25):
            best = share, known
    return replace(best[1], share=round(best[0], 2)) if best else None


def in_part(evidence: Evidence, failure: CheckResult) -> Circumstance | None:
    """What holds of the case shown and of no passing case, though others fail too: one circumstance of several."""
    best: tuple[int, Circumstance] | None = None
    for known in _told(evidence, failure):
        failing, having = _cases(known, evidence)
        if failing == having and (best is None or failing > best[0]):
            best = failing, known
    return best[1] if best else None


def _told(evidence: Evidence, failure: CheckResult) -> Iterator[Circumstance]:
    """What holds of the case shown, and what enough of the failing cases owe their failure to."""
    shown = failure.counterexample
    if shown is None or not shown.arguments:
        return
    traits = traits_of(shown.arguments, evidence.operator)
    for known in KNOWN:
        if known.holds(traits):
            failing, having = _cases(known, evidence)
            if having and failing >= (having if known.strict else _MOST * having):
                yield known


def _cases(known: Circumstance, evidence: Evidence) -> tuple[int, int]:
    """How many cases it holds of that fail, and how many in all: a zero cotangent passes wherever it stands."""
    having: dict[str, bool] = {}
    for each in evidence.sightings:
        if known.holds(each.traits):
            name = each.trial.case.name
            having[name] = having.get(name, False) or each.failure is not None
    return sum(having.values()), len(having)
