"""A function that is right in some cases and wrong in others: what tells them apart.

At the edges it is what the failing cases have in common, told only of a case that has it: the case that the learner
sees may be smaller than those that failed first, and what was special about them may be gone from it. In the ordinary
cases it is a dtype, a batch axis, or a size that was taken for granted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gradcheck.checks.cases import walk
from gradcheck.checks.outcome import Argument
from gradcheck.checks.results import CheckResult, Diagnosis
from gradcheck.checks.traits import Trait
from gradcheck.diagnosis.evidence import Evidence, Failing, Observation, Sighting, mapped, observe
from gradcheck.diagnosis.matching import close, path_name, scale_of, sizes_of

_MOST = 0.5
"""So many of the cases that have a trait of their numbers must fail for it to be told. A trait of sizes is told only
where all of them do: a function that passes a case of that size is not wrong there.
"""


class Particular(NamedTuple):
    """A size or number among the arguments, by its name, and what it is: ("the batch size", "1"), ("lr", "above 1")."""

    name: str
    value: str


Fact = Trait | Particular


@dataclass(frozen=True)
class Circumstance:
    """What cases have in common; `words` completes "it is wrong …". `strict`: told only where every case that has it
    fails. `share`: once it is found to tell the failing cases from the others, how many that have it fail.
    """

    code: str
    words: str
    facts: frozenset[Fact]
    strict: bool = False
    share: float = 0.5


def _where(code: str, words: str, *facts: Fact, strict: bool = False) -> Circumstance:
    return Circumstance(code, words, frozenset(facts), strict)


KNOWN: tuple[Circumstance, ...] = (
    _where("empty-batch", "for an empty batch", Trait.EMPTY, strict=True),
    _where("edge-size", "for an empty list", Trait.NOTHING_LISTED, strict=True),
    _where("non-contiguous", "for tensors that are not contiguous in memory", Trait.STRIDED),
    _where("non-contiguous", "for a slice of a longer tensor", Trait.SLICED, strict=True),
    _where("edge-case", "where a label is no class", Trait.LABEL_OUTSIDE, strict=True),
    _where("edge-case", "where a column is constant", Trait.CONSTANT_COLUMN, strict=True),
    _where("unstable", "where a mean is large beside its spread", Trait.LARGE_MEAN),
    _where("kink", "where entries are nearly equal", Trait.NEARLY_EQUAL),
    _where("unstable", "for large inputs", Trait.LARGE),
    _where("unstable", "for very large inputs", Trait.VERY_LARGE),
    _where("unstable", "where columns are of very different scales", Trait.SPREAD_OUT, strict=True),
    _where("kink", "where entries are equal", Trait.EQUAL_ENTRIES),
    _where("kink", "at kinks, ties or exact zeros", Trait.TIED),
    _where("kink", "at exact zeros", Trait.ZERO),
    _where("kink", "where all inputs are zero", Trait.ALL_ZERO),
    _where("kink", "where two inputs are equal", Trait.EQUAL_INPUTS, strict=True),
    _where("unstable", "for large inputs in float32", Trait.LARGE, Trait.FLOAT32),
    _where("edge-size", "for a single sample without a batch axis", Trait.UNBATCHED, strict=True),
    _where("edge-size", "where there is a single class", Trait.SINGLE_CLASS, strict=True),
    _where("edge-case", "where no sample has the last class", Trait.LAST_CLASS_ABSENT, strict=True),
    _where("edge-case", "where two samples have the same label", Trait.LABEL_REPEATED, strict=True),
    _where("edge-case", "where every label is the largest entry of its row", Trait.ALL_PREDICTED, strict=True),
    _where("edge-case", "where no label is the largest entry of its row", Trait.NONE_PREDICTED, strict=True),
    _where("edge-size", "where the batch is larger than the data", Trait.BATCH_BEYOND_DATA, strict=True),
    _where("edge-size", "where the last batch is smaller than the others", Trait.LAST_BATCH_SMALLER, strict=True),
    _where("edge-size", "where a list has one part", Trait.ONE_LISTED, strict=True),
    _where("edge-size", "where an input is a single number", Trait.ONE_ENTRY, strict=True),
    _where("edge-size", "where a size is one", Trait.SIZE_ONE, strict=True),
    _where("edge-size", "for tensors of three or more axes", Trait.MANY_AXES, strict=True),
    _where("edge-size", "for a tensor without axes", Trait.NO_AXES, strict=True),
    _where("edge-size", "where all sizes are equal", Trait.EQUAL_SIZES, strict=True),
    _where("edge-size", "where there are as many rows as columns", Trait.SQUARE, strict=True),
    _where("edge-size", "for larger tensors", Trait.MORE_ENTRIES, strict=True),
    _where("low-precision", "for small inputs", Trait.SMALL),
    _where("low-precision", "in float32", Trait.FLOAT32),
    _where("wrong-mask", "where all inputs are positive", Trait.ALL_POSITIVE),
    _where("wrong-mask", "where all inputs are negative", Trait.ALL_NEGATIVE),
    _where("edge-case", "where all inputs are whole numbers", Trait.WHOLE_NUMBERS, strict=True),
    _where("changes-upstream", "where grad_output is large", Trait.UPSTREAM_LARGE),
    _where("changes-upstream", "where grad_output is very large", Trait.UPSTREAM_VERY_LARGE),
    _where("changes-upstream", "where grad_output is small", Trait.UPSTREAM_SMALL),
    _where("changes-upstream", "where grad_output is very small", Trait.UPSTREAM_VERY_SMALL),
    _where("changes-upstream", "where grad_output is zero almost everywhere", Trait.UPSTREAM_SPARSE),
)


def circumstances(evidence: Evidence, failure: CheckResult) -> Circumstance | None:
    """What tells the failing cases from the others best, and holds of the case shown with the failure; None where
    nothing covers them, or where too many cases that have it do not fail. Where nothing covers all, what covers those
    that fail like the one shown.
    """
    kind = (failure.status, failure.code)
    alike = [each for each in evidence.sightings if each.failure is None or each.kind == kind]
    found = _covering(evidence, failure)
    return found or (_covering(replace(evidence, sightings=alike), failure) if alike != evidence.sightings else None)


def _covering(evidence: Evidence, failure: CheckResult) -> Circumstance | None:
    failing = evidence.failing
    if not failing or len(failing) == len(evidence.sightings):
        return None
    best: tuple[float, Circumstance] | None = None
    for known in _told(evidence, failure):
        having = [each for each in evidence.sightings if known.facts <= facts_of(each)]
        covered = sum(each.failure is not None for each in having)
        share = covered / len(having) if covered == len(failing) else 0.0
        if share and (best is None or share > best[0] * 1.25):
            best = share, known
    return replace(best[1], share=round(best[0], 2)) if best else None


def in_part(evidence: Evidence, failure: CheckResult) -> Circumstance | None:
    """What holds of the case shown and of no passing case, though others fail too: one circumstance of several."""
    best: tuple[int, Circumstance] | None = None
    numbers = failure.counterexample.arguments if failure.counterexample else {}
    for known in _told(evidence, failure):
        failing, having = _cases(known, evidence)
        if any(isinstance(each, Particular) and each.name in numbers for each in known.facts):
            continue  # a number that stands in a single case may have nothing to do with it
        if failing == having and (best is None or failing > best[0]):
            best = failing, known
    return best[1] if best else None


def _told(evidence: Evidence, failure: CheckResult) -> Iterator[Circumstance]:
    """What holds of the case shown, and what enough of the failing cases owe their failure to."""
    example = failure.counterexample
    if example is None or not example.arguments or not evidence.failing:
        return
    case = replace(evidence.failing[0].trial.case, probes=(example.arguments,))
    shown = replace(
        evidence.failing[0], trial=replace(evidence.failing[0].trial, case=case, arguments=example.arguments)
    )
    facts = facts_of(shown)
    numbers = example.arguments
    particular = (
        _where("edge-case" if name in numbers else "edge-size", f"where {name} is {value}", fact, strict=True)
        for fact in _particulars(shown)
        for name, value in [fact]
    )
    for known in (*particular, *KNOWN):
        if known.facts <= facts:
            failing, having = _cases(known, evidence)
            if having and failing >= (having if known.strict else _MOST * having):
                yield known


def _cases(known: Circumstance, evidence: Evidence) -> tuple[int, int]:
    """How many cases it holds of that fail, and how many in all. Where zero is right, as for a cotangent of zero, most
    mistakes are: that says nothing.
    """
    having: dict[str, bool] = {}
    for each in evidence.sightings:
        if known.facts <= facts_of(each) and (each.failure is not None or not _of_nothing(each)):
            name = each.trial.case.name
            having[name] = having.get(name, False) or each.failure is not None
    return sum(having.values()), len(having)


def _of_nothing(sighting: Sighting) -> bool:
    expected = sighting.trial.expected
    return bool(expected) and not any(np.any(each.value) for each in expected)


def facts_of(sighting: Sighting) -> frozenset[Fact]:
    """The traits of a call, which of its sizes are one, and what its numbers are."""
    return sighting.traits | frozenset(_particulars(sighting))


def _particulars(sighting: Sighting) -> Iterator[Particular]:
    trial = sighting.trial
    sizes = sizes_of(Observation(trial, (), (), (), sighting.operator))
    numbers = {name: each for name, each in trial.arguments.items() if type(each) in (int, float)}
    yield from (Particular(name, "1") for name, size in sizes.items() if size == 1 and name not in numbers)
    for name, number in numbers.items():
        yield Particular(name, f"{number:g}")
        if number < 0:
            yield Particular(name, "negative")
        if number > 1 and isinstance(number, float):
            yield Particular(name, "above 1")


Told = tuple[str, str]
"""A code and a sentence; both empty where nothing is told."""


def by_size(failing: Failing, evidence: Evidence) -> Diagnosis | None:
    """A dtype, a batch axis, or a size that was taken for granted; None where the cases do not say so clearly.

    Cases differ in dtype and in sizes at once: that a dtype is the reason is tried, on the same numbers in another one.
    """
    cases = evidence.by_case.values()
    right = [seen for seen in cases if all(each.failure is None for each in seen)]
    wrong = [seen for seen in cases if seen not in right]
    if not right or not wrong:
        return None
    precisions = _dtypes(right), _dtypes(wrong)
    if not precisions[0] & precisions[1] and all(
        _cured(failing, each, min(precisions[0])) for seen in wrong for each in seen
    ):
        code, text = _by_dtype(*precisions, failing.failure)
    else:
        code, text = _by_case(right, wrong, failing.failure)
    return (
        replace(failing.told(code, text, 0.9), cases=tuple(seen[0].trial.case.name for seen in wrong)) if code else None
    )


def _by_case(right: list[list[Sighting]], wrong: list[list[Sighting]], failure: CheckResult) -> Told:
    if all(_unbatched(seen) for seen in wrong):
        return "edge-size", "right for a batch, wrong for a single sample without a batch axis"
    if all(_unbatched(seen) for seen in right):
        return "wrong-axis", "right for a single sample, wrong for a batch: something runs over the batch"
    if max(_most_axes(seen) for seen in right) < min(_most_axes(seen) for seen in wrong):
        return "wrong-axis", "right for one axis, wrong for more: something runs over a single axis"
    return _by_shape(right, wrong, failure) if failure.status == "errored" else ("", "")


def _by_dtype(right: set[str], wrong: set[str], failure: CheckResult) -> Told:
    first, second = (" and ".join(sorted(each)) for each in (right, wrong))
    if failure.status == "errored":
        return "wrong-dtype", f"it works in {first}, but not in {second}: {failure.message}"
    return "low-precision", f"right in {first}, wrong in {second}"


def _cured(failing: Failing, sighting: Sighting, dtype: str) -> bool:
    """Whether the same numbers in another dtype lead to the right ones, or at least to a result where nothing is
    expected.
    """
    trial = sighting.trial
    arguments = mapped(trial.arguments, lambda leaf: replace(leaf, dtype=dtype) if _is_float(leaf) else leaf)
    outcome = failing.verification.candidate.call(failing.spec.name, arguments)
    seen = observe(trial, outcome)
    if seen is None:
        return outcome.state == "returned" and not trial.expected
    pairs = zip(seen.got, seen.expected, strict=True)
    return all(close(got, expected, "float32", scale_of(seen, expected)) for got, expected in pairs)


def _is_float(leaf: object) -> bool:
    return isinstance(leaf, Argument) and leaf.dtype.startswith("float")


def _by_shape(right: list[list[Sighting]], wrong: list[list[Sighting]], failure: CheckResult) -> Told:
    """A call that ends in an exception: the argument whose shapes differ there, in number of axes or in size."""
    good, bad = [_shapes(seen) for seen in right], [_shapes(seen) for seen in wrong]
    for name in good[0]:
        works, fails = ({each.get(name, ()) for each in shapes} for shapes in (good, bad))
        if not {len(shape) for shape in works} & {len(shape) for shape in fails}:
            return "edge-size", f"{_works_where(name, works, fails)}: {failure.message}"
    for name in good[0]:
        works, fails = ({each.get(name, ()) for each in shapes} for shapes in (good, bad))
        if not works & fails:
            return "hard-coded-size", f"{_works_where(name, works, fails)}: {failure.message}"
    return "", ""


def _works_where(name: str, works: set[tuple[int, ...]], fails: set[tuple[int, ...]]) -> str:
    return f"it works where {name} has the shape {min(works)}, but not where it has {min(fails)}"


def _dtypes(cases: list[list[Sighting]]) -> set[str]:
    return {seen[0].trial.case.dtype for seen in cases}


def _shapes(seen: list[Sighting]) -> dict[str, tuple[int, ...]]:
    leaves = walk(seen[0].trial.arguments)
    return {path_name(path): np.shape(leaf.values) for path, leaf in leaves if isinstance(leaf, Argument)}


def _unbatched(seen: list[Sighting]) -> bool:
    return Trait.UNBATCHED in seen[0].traits


def _most_axes(seen: list[Sighting]) -> int:
    return max((array.ndim for array in seen[0].trial.case.inputs.values()), default=0)
