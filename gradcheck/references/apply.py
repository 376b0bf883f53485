"""Operators on torch tensors, by their derived formulas: floats, or whatever numbers torch's operators compute with.

What composed references are written with, as ordinary functions:

    before = forward(WEIGHTED_SUM, z=x, w=w)
    grad_w = vjp(WEIGHTED_SUM, grad_output, z=x, w=w)["w"]

`replaced` runs a block of such code with one formula wrong, `recording` tells which formulas it used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from gradcheck.operators.record import Operator
from gradcheck.references.binding import BATCH_LENGTH, bind, number_of, output_shape, shaped

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.references.formula import Formula

Role = Literal["forward", "backward", "jacobian"]
Use = tuple[Operator, Role, str]
"""A formula that was used: the operator's definition, or its derivative by an input."""

FEW, TIMES = 10_000, 64
"""A further form may hold `FEW` entries on the way, or so many times as many as the derived one: beyond, it is a matrix
product with the Jacobian, which costs the square of a long row.
"""

_REPLACED: ContextVar[Mapping[Use, Formula]] = ContextVar("replaced formulas", default=MappingProxyType({}))
_WIDEST: ContextVar[Callable[[Sequence[Any]], Any] | None] = ContextVar("the widest of several forms", default=None)
_USED: ContextVar[dict[Use, None] | None] = ContextVar("used formulas", default=None)


def forward(operator: Operator, /, *, sizes: Mapping[str, int] | None = None, **tensors: Tensor) -> Tensor:
    """The operator's output. `sizes` are those that no input shows, such as the number of copies."""
    bound = Bound(operator, tensors, sizes or {})
    made: Tensor = shaped(bound.value("forward"), bound.output_shape)
    return made


def vjp(
    operator: Operator, cotangent: Tensor, /, *, sizes: Mapping[str, int] | None = None, **tensors: Tensor
) -> Mapping[str, Tensor]:
    """The gradient of every differentiable input, each computed when it is asked for."""
    return _Gradients(Bound(operator, tensors, sizes or {}), cotangent)


def jacobian(operator: Operator, wrt: str, /, *, sizes: Mapping[str, int] | None = None, **tensors: Tensor) -> Tensor:
    """∂y/∂wrt of one sample, outputs' axes first."""
    return Bound(operator, tensors, sizes or {}, sample=True).value("jacobian", wrt)


def either(first: Tensor, second: Tensor) -> Tensor:
    """Where either of two numbers will do: the first, bounded so that the second is as right."""
    widest = _WIDEST.get()
    return widest((first, second)) if widest else first


@contextmanager
def replaced(operator: Operator, role: Role, wrt: str, formula: Formula) -> Iterator[None]:
    """Within, this formula stands where the definition (`forward`, wrt "") or a derivative by `wrt` belongs. The
    operator's output may occur in it by its name.
    """
    token = _REPLACED.set({**_REPLACED.get(), (operator, role, wrt): formula})
    try:
        yield
    finally:
        _REPLACED.reset(token)


@contextmanager
def recording() -> Iterator[dict[Use, None]]:
    """Collects every formula that is used within, in order; of VJPs the gradients that were asked for."""
    used: dict[Use, None] = {}
    token = _USED.set(used)
    try:
        yield used
    finally:
        _USED.reset(token)


@contextmanager
def widened(widest: Callable[[Sequence[Any]], Any]) -> Iterator[None]:
    """Within, every accepted form of a formula is computed and `widest` makes one result of theirs: numbers that bound
    what any of the forms may lose.
    """
    token = _WIDEST.set(widest)
    try:
        yield
    finally:
        _WIDEST.reset(token)


class Bound:
    """An operator with its tensors bound: sizes known, flattened where it wants that, a batch axis where it belongs."""

    def __init__(
        self, operator: Operator, tensors: Mapping[str, Tensor], sizes: Mapping[str, int], *, sample: bool = False
    ) -> None:
        self.operator, self.sample = operator, sample
        self.shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        self.arrays, self.sizes = bind(operator, tensors, sizes, sample=sample)
        self.stacked = False

    @property
    def output_shape(self) -> tuple[int, ...]:
        return output_shape(self.operator, self.shapes, self.sizes)

    def give(self, cotangents: Tensor) -> None:
        """What VJPs are taken of: one cotangent, or several along an axis in front, which gradients then have too."""
        from gradcheck.references.derive import COTANGENT

        front = (self.sizes[BATCH_LENGTH],) if self.operator.batched else ()
        shape = front + tuple(number_of(size, self.sizes) for size in self.operator.output_shape)
        self.stacked = len(cotangents.shape) > len(self.output_shape)
        self.arrays[COTANGENT] = shaped(cotangents, (len(cotangents), *shape) if self.stacked else shape)

    def value(self, role: Role, wrt: str = "", *, flip: bool = False) -> Tensor:
        """What the right formula gives, or whatever stands in its place."""
        from gradcheck.references.derive import formula_of

        use = self.operator, role, wrt
        used = _USED.get()
        if used is not None:
            used[use] = None
        formula = _REPLACED.get().get(use)
        widest = _WIDEST.get()
        if formula is None and widest is not None:
            forms = self.affordable(role, wrt)
            # A sum of products rounds much the same however it is written.
            forms = forms if role != "backward" or self.operator.stable else forms[:1]
            made: Tensor = widest([self.evaluate(form, flip=flip) for form in forms])
            return made
        return self.evaluate(formula or formula_of(self.operator, role, wrt), flip=flip)

    def affordable(self, role: Role, wrt: str = "") -> list[Formula]:
        """The right formula and what else counts as right, but for those whose cost is of another order."""
        from gradcheck.references.derive import forms_of, formula_of
        from gradcheck.references.program import program

        forms = forms_of(self.operator, role, wrt)
        if len(forms) == 1:
            return list(forms)
        most = max(FEW, TIMES * program(formula_of(self.operator, role, wrt)).entries(self.sizes))
        return [form for form in forms if program(form).entries(self.sizes) <= most]

    def evaluate(self, formula: Formula, *, flip: bool = False) -> Tensor:
        """Any formula over the names of this operator, its output among them."""
        from gradcheck.references.derive import COTANGENT, definition_of
        from gradcheck.references.program import program

        made = program(formula, (COTANGENT,) if self.stacked else ())
        name = self.operator.output_name
        if name in made.reads and name not in self.arrays:
            self.arrays[name] = self.evaluate(definition_of(self.operator, sample=self.sample), flip=flip)
        return made(self.arrays, self.sizes, flip=flip)


class _Gradients(Mapping[str, "Tensor"]):
    """The gradients of one VJP by input; computed when they are read, so that what nobody reads costs nothing."""

    def __init__(self, bound: Bound, cotangent: Tensor) -> None:
        bound.give(cotangent)
        self.bound = bound
        self.found: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.found:
            self.found[name] = shaped(self.bound.value("backward", name), self.bound.shapes[name])
        return self.found[name]

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in self.bound.operator.differentiable_inputs)

    def __len__(self) -> int:
        return len(self.bound.operator.differentiable_inputs)
