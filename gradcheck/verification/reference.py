"""What says what is right: any torch code, a module, a formula, an operator, or the candidate's own forward."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_leaves

from gradcheck.errors import UsageError
from gradcheck.numbers.rules import taking_apart
from gradcheck.operators.record import BATCH_SIZE, Operator
from gradcheck.references import apply
from gradcheck.references.survey import Survey, operator_of, survey

if TYPE_CHECKING:
    from gradcheck.verification.candidate import Subject
    from gradcheck.verification.inputs import Inputs

Tensors = Mapping[str, Any]
"""The tensors of a call, or numbers in their places, by name."""

NAMELESS = "the reference"


@dataclass(frozen=True)
class Ground:
    """What a candidate is held against. Called with the tensors, or with any numbers in their places, it returns the
    outputs; torch.autograd passes through it.

    `own` says that it is the candidate's own forward, which proves the backward alone. `operator` is what a formula
    says, where there is one.
    """

    name: str
    function: Callable[[Tensors], Any]
    own: bool = False
    operator: Operator | None = None
    derived: Callable[[Tensors, Any], dict[str, Any]] | None = None

    @property
    def called(self) -> str:
        """At the beginning of a sentence."""
        return "The reference" if self.name == NAMELESS else f"The reference {self.name}"

    def __call__(self, tensors: Tensors) -> Any:
        with taking_apart():
            return self.function(tensors)

    def vjp(self, tensors: Tensors, cotangent: Any) -> dict[str, Any] | None:
        """The gradients by the derived formulas, on the same numbers; None where there is no formula."""
        return None if self.derived is None else self.derived(tensors, cotangent)


def ground_of(reference: Any, subject: Subject) -> Ground:
    """What `reference` says of the subject's inputs. Raises UsageError where the two do not fit."""
    inputs = subject.inputs
    match reference:
        case None:
            return Ground(f"the forward of {subject.name}", subject.forward_of_own(), own=True)
        case nn.Module():
            return Ground(type(reference).__name__, _of_module(reference, inputs))
        case str():
            return _of_operator(_read(reference, inputs), inputs)
        case Operator():
            return _of_operator(reference, inputs)
        case _ if callable(reference):
            return Ground(_name_of(reference), _of_function(reference, inputs))
    raise UsageError(
        f"the reference is {type(reference).__name__}: give a function of the inputs that is written in torch, a "
        "module, a formula as text, or None for the candidate's own forward"
    )


def _name_of(function: Any) -> str:
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    return NAMELESS if name == "<lambda>" else str(name)


def _of_function(function: Callable[..., Any], inputs: Inputs) -> Callable[[Tensors], Any]:
    """A plain function. A module's parameters are handed to it by keyword, as far as its signature has them."""
    named = _keywords(function, inputs.parameters)
    lacking = [name for name in inputs.parameters if name in inputs.wrt and name not in named]
    if lacking:
        raise UsageError(
            f"{_name_of(function)} does not take the parameters {', '.join(lacking)} of the candidate: give it keyword "
            "parameters of these names, or give a module as the reference, or leave them out of wrt"
        )
    return lambda tensors: function(*inputs.arguments(tensors), **{name: tensors[name] for name in named})


def _keywords(function: Callable[..., Any], names: tuple[str, ...]) -> tuple[str, ...]:
    """Which of these names a function takes by keyword."""
    try:
        parameters = signature(function).parameters
    except (TypeError, ValueError):  # written in C, as F.linear is, which takes them
        return names
    if any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values()):
        return names
    return tuple(
        name for name in names if name in parameters and parameters[name].kind is not Parameter.POSITIONAL_ONLY
    )


def _of_module(module: nn.Module, inputs: Inputs) -> Callable[[Tensors], Any]:
    """A module, at the values of the candidate's parameters. Where the candidate has none, at its own."""
    own = dict(module.named_parameters())
    if inputs.parameters and set(inputs.parameters) != set(own):
        one, other = sorted(set(inputs.parameters) - set(own)), sorted(set(own) - set(inputs.parameters))
        sides = [f"only the candidate has {', '.join(one)}"] if one else []
        sides += [f"only the reference has {', '.join(other)}"] if other else []
        raise UsageError(f"the parameters of the two modules differ: {' and '.join(sides)}; give them the same names")
    fixed = {**({} if inputs.parameters else own), **dict(module.named_buffers())}

    def call(tensors: Tensors) -> Any:
        dtype = next(iter(tensors.values())).dtype
        state = {name: _copied(tensor, dtype) for name, tensor in fixed.items()}
        state |= {name: tensors[name] for name in inputs.parameters}
        return functional_call(module, state, inputs.arguments(tensors))

    return call


def _copied(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy that a module may write into: where torch computes with numbers, it is one of theirs."""
    fresh = torch.zeros_like(tensor, dtype=dtype if tensor.is_floating_point() else None, requires_grad=False)
    return fresh.copy_(tensor.detach())


# Formulas.


@dataclass(frozen=True)
class _Standing:
    """Stands for a tensor among the arguments of a call."""

    name: str


def _read(text: str, inputs: Inputs) -> Operator:
    """The operator of a formula. Of the tensors is read whether they hold samples, each of which the formula is about:
    then they have an axis more than it says. Raises FormulaError.
    """
    found = _surveyed(text)
    given = _given(tuple(found.shapes), tuple(found.labels), inputs)(inputs.tensors)
    more = [name for name, axes in found.shapes.items() if axes and given[name].dim() == len(axes) + 1]
    samples = bool(found.indices) and not found.alike and not found.of_samples
    return _operator(text, tuple(more) if samples else ())


@lru_cache
def _surveyed(text: str) -> Survey:
    return survey(text)


@lru_cache
def _operator(text: str, batched: tuple[str, ...]) -> Operator:
    found = _surveyed(text)

    def function(*tensors: Any) -> Any:
        return apply.forward(operator, **dict(zip(found.shapes, tensors, strict=True)))

    flattened = found.alike and bool(found.indices)
    operator = operator_of(found, found.text, function, batched=batched, flattened=flattened)
    return operator


def _of_operator(operator: Operator, inputs: Inputs) -> Ground:
    labels = tuple(each.name for each in operator.inputs if each.kind == "label")
    given = _given(tuple(each.name for each in operator.inputs), labels, inputs)
    places = given({name: _Standing(name) for name in inputs.tensors})
    names = {place.name: name for name, place in places.items() if isinstance(place, _Standing)}
    unsaid = [name for name in inputs.wrt if name not in names]
    if unsaid:
        raise UsageError(f"the formula says nothing of {', '.join(unsaid)}: leave it out of wrt, or write it in")
    _fit(operator, given(inputs.tensors), {own: name for name, own in names.items()})

    def derived(tensors: Tensors, cotangent: Any) -> dict[str, Any]:
        gradients = apply.vjp(operator, cotangent, **given(tensors))
        return {name: gradients[names[name]] for name in inputs.wrt}

    return Ground(operator.name, lambda tensors: apply.forward(operator, **given(tensors)), False, operator, derived)


def _given(names: tuple[str, ...], labels: tuple[str, ...], inputs: Inputs) -> Callable[[Tensors], dict[str, Any]]:
    """What of a call stands for each input of a formula, by its name.

    Tensors of the same name, and the others one after the other as the formula's inputs appear, a module's parameters
    last. Numbers count where the tensors do not suffice, whole ones are labels.
    """
    reals = [name for name in names if name not in labels]
    found: dict[str, Any] = {name: _Standing(name) for name in reals if name in inputs.tensors}
    arguments = tree_leaves(inputs.arguments({name: _Standing(name) for name in inputs.tensors}))
    arguments = [each for each in arguments if not (isinstance(each, _Standing) and each.name in found)]
    last: list[Any] = [_Standing(name) for name in inputs.parameters if name not in found]
    order = [each for each in arguments if isinstance(each, _Standing)] + last
    rest = [name for name in reals if name not in found]
    if len(order) < len(rest):
        order = [each for each in arguments if isinstance(each, (_Standing, float))] + last
    if not rest:  # what else there is, the formula does not speak of
        order = []
    whole = [each for each in arguments if isinstance(each, Tensor)] if labels else []
    if (len(order), len(whole)) != (len(rest), len(labels)):
        there = [each.name if isinstance(each, _Standing) else "a number" for each in [*found.values(), *order]]
        there += ["one of whole numbers"] * len(whole)
        raise UsageError(f"the formula has the inputs {', '.join(names)}, and the call has {', '.join(there)}")
    found |= {name: _number(each) for name, each in zip([*rest, *labels], [*order, *whole], strict=True)}

    def given(tensors: Tensors) -> dict[str, Any]:
        return {name: tensors[each.name] if isinstance(each, _Standing) else each for name, each in found.items()}

    return given


def _number(argument: Any) -> Any:
    return torch.tensor(argument, dtype=torch.float64) if isinstance(argument, float) else argument


def _fit(operator: Operator, given: Mapping[str, Any], called: Mapping[str, str]) -> None:
    """Raises UsageError where the tensors' shapes cannot be those of one formula."""
    sizes: dict[str, tuple[Any, str]] = {}
    for an_input in operator.inputs:
        name, shape = called.get(an_input.name, an_input.name), list(given[an_input.name].shape)
        of_one = operator.unbatched and len(shape) == len(an_input.shape)
        axes = (*((BATCH_SIZE,) if an_input.batched and not of_one else ()), *an_input.shape)
        lengths: list[Any] = shape
        if operator.flattened and an_input.shape:  # one index runs over all of every tensor
            lengths = [shape]
        if len(lengths) != len(axes):
            own = f"{an_input.name}[{', '.join(axes)}]" if axes else f"{an_input.name}, one number"
            raise UsageError(f"{name} has the shape {shape}, and the formula reads {own}")
        for axis, size in zip(axes, lengths, strict=True):
            known, of = sizes.setdefault(axis, (size, name))
            if known != size:
                raise UsageError(
                    f"{name} has the shape {shape}, where the formula reads [{', '.join(axes)}]: "
                    f"{axis} is {size} here and {known} in {of}"
                )
    for an_input in operator.inputs:
        if an_input.kind == "label" and an_input.classes in sizes:
            labels, (classes, of) = given[an_input.name], sizes[an_input.classes]
            if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
                raise UsageError(
                    f"{an_input.name} chooses among the {classes} of {of}, and holds {int(labels.min())} to "
                    f"{int(labels.max())}: count from 0"
                )
