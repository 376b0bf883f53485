"""Wrong answers of functions that are composed of operators: one formula of the sweep is replaced by its mutant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gradcheck.checks.cases import walk
from gradcheck.checks.drawing import SIZES, RandomDraw
from gradcheck.checks.outcome import Arguments
from gradcheck.checks.task import FunctionSpec
from gradcheck.diagnosis.mutants import Mutant, mutants
from gradcheck.diagnosis.mutated import MutatedSweep, compute
from gradcheck.references.expected import midpoints
from gradcheck.references.sweep import Twin


def drawn(spec: FunctionSpec, seed: int, turn: int = 0) -> Arguments:
    """Arguments of ordinary numbers, as the record draws them, in the sizes of one of three turns."""
    assert spec.reference is not None
    return spec.reference.draw(RandomDraw(np.random.default_rng(seed), "float64", SIZES[turn]))


def mutants_of(spec: FunctionSpec, arguments: Arguments) -> Iterator[Mutant]:
    """The mutants of every formula that the reference of `spec` uses."""
    sweep = MutatedSweep("float64")
    compute(spec.reference, sweep, arguments)
    for operator, role, name in sweep.used:
        for mutant in mutants(operator):
            if (mutant.role, mutant.wrt) == (role, name) and not mutant.partner:
                yield mutant


def same_result(spec: FunctionSpec, mutant: Mutant) -> bool:
    """Whether the mutant's result is the right one to 50 digits, at several sizes: the mistake changes nothing here."""
    for seed in range(4):
        arguments = drawn(spec, seed, seed % len(SIZES))
        sweeps = MutatedSweep("float64"), MutatedSweep("float64", mutant)
        right, wrong = ([leaf for _, leaf in walk(compute(spec.reference, each, arguments))] for each in sweeps)
        for a, b in zip(right, wrong, strict=True):
            with sweeps[0].fields[0].precision():
                difference = np.asarray(a.exact - b.exact, dtype=object)
            if not np.abs(midpoints(difference)).max(initial=0.0) <= 1e-50:  # NaN is another result
                return False
    return True


def as_function(mutant: Mutant | None, spec: FunctionSpec) -> Callable[..., Any]:
    """The reference with one wrong formula as a learner's function, computed with 200 bits and rounded once."""

    def function(*arguments: Any) -> Any:
        import torch

        named = dict(zip(spec.parameters, arguments, strict=True))
        tensors = [each for each in _tensors(named) if each.is_floating_point()]
        dtype = tensors[0].dtype if tensors else torch.float64
        name = str(dtype).removeprefix("torch.")
        result = compute(spec.reference, MutatedSweep(name, mutant), _plain(named))
        return _out(result, dtype)

    return function


def _tensors(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (tuple, list)):
        return [each for part in tree for each in _tensors(part)]
    return [tree] if hasattr(tree, "is_floating_point") else []


def _plain(tree: Any) -> Any:
    from gradcheck.checks.outcome import Argument

    if isinstance(tree, dict):
        return {key: _plain(part) for key, part in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree)(_plain(part) for part in tree)
    if hasattr(tree, "is_floating_point"):
        values = tree.double().numpy() if tree.is_floating_point() else tree.numpy()
        return Argument(values, str(tree.dtype).removeprefix("torch."))
    return tree


def _out(tree: Any, dtype: Any) -> Any:
    import torch

    if isinstance(tree, dict):
        return {key: _out(part, dtype) for key, part in tree.items()}
    if isinstance(tree, (tuple, list)):
        return tuple(_out(part, dtype) for part in tree)
    if isinstance(tree, Twin):
        return torch.tensor(midpoints(tree.exact), dtype=dtype)
    return torch.as_tensor(np.asarray(tree))
