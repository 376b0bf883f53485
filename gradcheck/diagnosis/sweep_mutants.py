"""Wrong answers of functions that are composed of operators: one of the formulas they use is replaced by its mutant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np

from gradcheck.checks.drawing import SIZES, RandomDraw
from gradcheck.checks.outcome import Arguments
from gradcheck.checks.reference import tensors_of
from gradcheck.checks.task import FunctionSpec
from gradcheck.diagnosis.mutants import Mutant, mutants
from gradcheck.references.apply import Use, recording, replaced
from gradcheck.references.expected import TRUTH_BITS, is_computed, values_of


def drawn(spec: FunctionSpec, seed: int, turn: int = 0) -> Arguments:
    """Arguments of ordinary numbers, as the record draws them, in the sizes of one of three turns."""
    assert spec.reference is not None
    return spec.reference.draw(RandomDraw(np.random.default_rng(seed), "float64", SIZES[turn]))


def mutants_of(spec: FunctionSpec, arguments: Arguments) -> Iterator[Mutant]:
    """The mutants of every formula that the reference of `spec` uses."""
    for operator, role, name in used_by(spec, arguments):
        for mutant in mutants(operator):
            if (mutant.role, mutant.wrt) == (role, name) and not mutant.partner:
                yield mutant


def used_by(spec: FunctionSpec, arguments: Arguments) -> list[Use]:
    """The formulas that the reference of `spec` is composed of."""
    with recording() as used:
        composed(spec, tensors_of(arguments))
    return list(used)


def composed(spec: FunctionSpec, tensors: Mapping[str, Any], mutant: Mutant | None = None) -> Any:
    """The reference's result for tensors of any numbers, with one formula replaced by its mutant."""
    import torch

    assert spec.reference is not None
    assert spec.reference.compute is not None
    wrong = replaced(mutant.operator, mutant.role, mutant.wrt, mutant.formula) if mutant else nullcontext()
    with torch.no_grad(), wrong:
        return spec.reference.compute(**tensors)


def same_result(spec: FunctionSpec, mutant: Mutant) -> bool:
    """Whether the mutant's result is the right one to 50 digits, at several sizes: the mistake changes nothing here."""
    from torch.utils._pytree import tree_leaves, tree_map

    from gradcheck.numbers.exact import Exact

    for seed in range(4):
        numbers = Exact(TRUTH_BITS)
        given = tree_map(
            lambda leaf: numbers.wrap(leaf) if is_computed(leaf) else leaf,  # noqa: B023
            tensors_of(drawn(spec, seed, seed % len(SIZES))),
        )
        with numbers:
            right, wrong = (tree_leaves(composed(spec, given, each)) for each in (None, mutant))
            differences = [a - b for a, b in zip(right, wrong, strict=True)]
        for each in differences:
            if not np.abs(values_of(numbers, each)[0]).max(initial=0.0) <= 1e-50:  # NaN is another result
                return False
    return True


def as_function(mutant: Mutant | None, spec: FunctionSpec) -> Callable[..., Any]:
    """The reference with one wrong formula as a learner's function, computed with 200 bits and rounded once."""

    def function(*arguments: Any) -> Any:
        import torch
        from torch.utils._pytree import tree_leaves, tree_map

        from gradcheck.numbers.exact import Exact

        numbers = Exact(TRUTH_BITS)
        given = tree_map(
            lambda leaf: torch.tensor(leaf, dtype=torch.float64) if isinstance(leaf, float) else leaf,
            dict(zip(spec.parameters, arguments, strict=True)),
        )
        dtype = next((each.dtype for each in tree_leaves(list(arguments)) if is_computed(each)), torch.float64)
        exact = tree_map(lambda leaf: numbers.wrap(leaf) if is_computed(leaf) else leaf, given)
        with numbers:
            result = composed(spec, exact, mutant)
        return tree_map(
            lambda leaf: torch.tensor(values_of(numbers, leaf)[0], dtype=dtype) if is_computed(leaf) else leaf, result
        )

    return function
