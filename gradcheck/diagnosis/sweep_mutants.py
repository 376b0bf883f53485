"""Wrong answers of functions that are composed of operators: one derived VJP of the sweep is replaced by its mutant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from gradcheck.checks.outcome import Arguments
from gradcheck.checks.reference import Reference
from gradcheck.checks.task import FunctionSpec
from gradcheck.diagnosis.mutants import Mutant, mutants
from gradcheck.operators.operator import Operator
from gradcheck.references.expected import midpoints
from gradcheck.references.formula import Formula
from gradcheck.references.sweep import Sweep, Twin


class _Read(dict[str, Twin]):
    """The gradients of one VJP; remembers which of them were used."""

    def __init__(self, found: Mapping[str, Twin], used: dict[tuple[Operator, str], None], operator: Operator) -> None:
        super().__init__(found)
        self.used, self.operator = used, operator

    def __getitem__(self, name: str) -> Twin:
        self.used[self.operator, name] = None
        return super().__getitem__(name)


class MutatedSweep(Sweep):
    """A sweep in which one VJP is wrong; without a mutant, one that remembers which VJPs were used."""

    def __init__(self, dtype: str, mutant: Mutant | None = None) -> None:
        super().__init__(dtype)
        self.mutant = mutant
        self.used: dict[tuple[Operator, str], None] = {}

    def vjp(
        self, operator: Operator, cotangent: Any, sizes: Mapping[str, int] | None = None, **inputs: Any
    ) -> dict[str, Twin]:
        return _Read(super().vjp(operator, cotangent, sizes, **inputs), self.used, operator)

    def vjp_of(self, derivation: Any, name: str) -> Formula:
        mutant = self.mutant
        if mutant is not None and derivation.operator == mutant.operator and name == mutant.wrt:
            return mutant.formula
        return super().vjp_of(derivation, name)


def mutants_of(spec: FunctionSpec, arguments: Arguments) -> Iterator[Mutant]:
    """The mutants of every derived VJP that the reference of `spec` uses."""
    sweep = MutatedSweep("float64")
    compute(spec.reference, sweep, arguments)
    for operator, name in sweep.used:
        for mutant in mutants(operator):
            if mutant.role == "backward" and mutant.wrt == name and not mutant.partner:
                yield mutant


def compute(reference: Reference | None, sweep: Sweep, arguments: Arguments) -> Any:
    """The reference's result in a sweep."""
    from gradcheck.checks.reference_trials import into

    assert reference is not None
    assert reference.compute is not None
    return reference.compute(sweep, **{name: into(sweep, value) for name, value in arguments.items()})


def as_function(mutant: Mutant | None, spec: FunctionSpec) -> Callable[..., Any]:
    """The reference with one wrong VJP as a learner's function, computed with 200 bits and rounded once."""

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
