"""What a candidate must return at one point: exact values with the error that floating point may make there.

The truth is the derived formula, or any torch function, at 200 bits. The tolerance comes from running the accepted ways
of writing it on bounded numbers at the candidate's own precision, every input off by a relative u: the radius of the
result bounds what a right computation loses, so a result within K radii is right and one outside is wrong. At a kink or
a tie the truth is a segment: every subgradient lies between the two one-sided values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gradcheck.errors import NoBound
from gradcheck.operators.record import Operator
from gradcheck.references.apply import Bound, Role, widened
from gradcheck.references.binding import Array

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.numbers.dispatch import Numbers
    from gradcheck.references.formula import Formula

Floats = npt.NDArray[np.float64]

K = 4.0
"""Radii that a right answer may be away from the truth. Measured: independently written ones stay within 1.2."""

TRUTH_BITS = 200

PRECISION: dict[str, tuple[int, float, float]] = {
    # dtype: significand bits, unit roundoff, the smallest number that is asked of anybody: float32's smallest normal
    # one in float64 too, so that a sigmoid clipped at ±500 is right; float16's own is larger.
    "float64": (53, 2.0**-53, 2.0**-126),
    "float32": (24, 2.0**-24, 2.0**-126),
    "float16": (11, 2.0**-11, 2.0**-14),
    "bfloat16": (8, 2.0**-8, 2.0**-126),
}


@dataclass(frozen=True)
class Expected:
    """`value` in float64 with `tolerance` per entry; `other` is the far end of the segment at kinks, else None."""

    value: Floats
    tolerance: Floats
    other: Floats | None = None


class Point:
    """An operator at given inputs, ready to say what any right implementation returns there.

    `inputs` are numpy arrays of any shape the operator takes, labels int64; `copies` and other integer sizes are given
    in `sizes`. `dtype` is the candidate's floating type. With `sample` the inputs are those of one sample, as
    `jacobian` wants them. SymPy, python-flint and torch are imported on first use.
    """

    def __init__(
        self,
        operator: Operator,
        inputs: Mapping[str, Array],
        dtype: str = "float64",
        sizes: Mapping[str, int] | None = None,
        *,
        sample: bool = False,
    ) -> None:
        self.operator, self.dtype, self.sample = operator, dtype, sample
        self.inputs, self.sizes = inputs, sizes or {}
        self.cotangents: Array | None = None

    def forward(self) -> Expected:
        """y, in the output's shape."""
        return _each(self._expected("forward"), lambda part: part.reshape(self._exact[1].output_shape))

    def vjp(self, cotangents: Array) -> list[dict[str, Expected]]:
        """For each cotangent along the front axis of `cotangents`, the gradient of every differentiable input."""
        self._give(cotangents)
        scale = float(max(1.0, np.abs(cotangents).max(initial=0.0)))
        found = {
            each.name: self._expected("backward", each.name, scale) for each in self.operator.differentiable_inputs
        }

        def of(name: str, row: int) -> Expected:
            shape = len(cotangents), *np.shape(self.inputs[name])
            return _each(found[name], lambda part: part.reshape(shape)[row])

        return [{name: of(name, row) for name in found} for row in range(len(cotangents))]

    def jacobian(self, wrt: str) -> Expected:
        """∂y_i/∂x_j of one sample, outputs' axes first. Needs `sample`."""
        return self._expected("jacobian", wrt)

    # The same in float64, without a tolerance: fast, for searching. Both ends of every segment.

    def quick_forward(self) -> tuple[Floats, Floats]:
        first, second = self._quick("forward")
        shape = self._floats.output_shape
        return first.reshape(shape), second.reshape(shape)

    def quick_jacobian(self, wrt: str) -> tuple[Floats, Floats]:
        return self._quick("jacobian", wrt)

    def quick_vjp(self, cotangent: Array) -> dict[str, tuple[Floats, Floats]]:
        self._give(cotangent[None])
        ends = {}
        for each in self.operator.differentiable_inputs:
            first, second = self._quick("backward", each.name)
            shape = np.shape(self.inputs[each.name])
            ends[each.name] = first.reshape(shape), second.reshape(shape)
        return ends

    def _quick(self, role: Role, wrt: str = "") -> tuple[Floats, Floats]:
        import torch

        with torch.no_grad():
            # A tie goes to the first branch, as its test would say where it allows the tie; then to the other.
            first, second = (self._floats.value(role, wrt, flip=flip).numpy() for flip in (True, False))
        return first, second

    # On numbers.

    @cached_property
    def _floats(self) -> Bound:
        return self._bound(nullcontext(), lambda tensor: tensor)

    @cached_property
    def _exact(self) -> tuple[Any, Bound]:
        from gradcheck.numbers.exact import Exact

        numbers = Exact(TRUTH_BITS)
        return numbers, self._bound(numbers, numbers.wrap)

    @cached_property
    def _bounded(self) -> tuple[Rounded, Bound]:
        made = bounded(self.dtype)
        return made, self._bound(made.numbers, made.wrap)

    @cached_property
    def _balls(self) -> tuple[Rounded, Bound]:
        made = balls(self.dtype)
        return made, self._bound(made.numbers, made.wrap)

    def _bound(self, numbers: AbstractContextManager[Any], wrap: Callable[[Tensor], Tensor]) -> Bound:
        tensors = {name: _tensor(array) for name, array in self.inputs.items()}
        wrapped = {name: wrap(each) if each.is_floating_point() else each for name, each in tensors.items()}
        cotangents = None if self.cotangents is None else wrap(_tensor(self.cotangents))
        with numbers:
            bound = Bound(self.operator, wrapped, self.sizes, sample=self.sample)
            if cotangents is not None:
                bound.give(cotangents)
        return bound

    def _give(self, cotangents: Array) -> None:
        """What stands for grad_output in the VJPs: one after the other along the front axis."""
        self.cotangents = np.asarray(cotangents, dtype=np.float64)
        for name in ("_floats", "_exact", "_bounded", "_balls"):
            self.__dict__.pop(name, None)

    def _expected(self, role: Role, wrt: str = "", scale: float = 1.0) -> Expected:
        """Which side of a comparison the truth takes is exact numbers' to say; ties give the segment its other end."""
        import torch

        from gradcheck.references.derive import formula_of, torch_forms_of

        exact, at = self._exact
        truth = formula_of(self.operator, role, wrt)
        with torch.no_grad(), exact:
            ties = exact.ties
            low = at.evaluate(truth)
            high = at.evaluate(truth, flip=True) if exact.ties > ties else None
        value, own = values_of(exact, low)
        radius = np.zeros_like(value)
        for form in at.affordable(role, wrt):
            for flip in (False, True) if high is not None else (False,):
                radius = np.maximum(radius, self._spread(form, flip=flip)[1])
        for form in torch_forms_of(self.operator, role, wrt):
            middle, around = self._spread(form)
            radius = np.maximum(radius, around + np.abs(middle - value))
        other = None if high is None else values_of(exact, high)
        return _expected(self.dtype, (value, own), other, radius, scale, self.operator.name)

    def _spread(self, form: Formula, *, flip: bool = False) -> tuple[Floats, Floats]:
        """What a form gives at the candidate's precision, and how far right computations may be from that."""
        import torch

        for name in ("_bounded", "_balls"):  # the fast ones first
            rounded, at = getattr(self, name)
            with torch.no_grad(), rounded.numbers:
                value = at.evaluate(form, flip=flip)
            middle, radius = rounded.parts(value) if hasattr(value, "parts") else _plain(value)
            if np.isfinite(radius).all():
                break
        return middle, radius


@dataclass(frozen=True)
class Rounded:
    """Numbers that know what a right program at some precision may lose.

    `wrap` makes inputs of tensors, off by one rounding; `parts` takes results apart into values and radii; `widest`
    makes one result of those of several forms.
    """

    numbers: Any
    wrap: Callable[[Tensor], Tensor]
    parts: Callable[[Any], tuple[Floats, Floats]]
    widest: Callable[[Sequence[Any]], Any]


def bounded(dtype: str, *, across: bool = False) -> Rounded:
    """Bounded numbers: fast, but their values are float64 and overflow as those do. With `across` what rounding decides
    comes out the other way.
    """
    import torch

    from gradcheck.numbers.bounded import Bounded, BoundedTensor
    from gradcheck.numbers.dispatch import outside_of_modes

    numbers = Bounded(getattr(torch, dtype), across=across)

    def widest(forms: Sequence[Any]) -> Any:
        first, *others = forms
        if not others:
            return first
        with outside_of_modes():
            radius = first.rad
            for other in others:
                radius = torch.maximum(radius, other.rad + (other.mid - first.mid).abs())
            return BoundedTensor(first.mid, radius)

    return Rounded(
        numbers,
        lambda tensor: numbers.wrap(tensor, off=1.0),
        lambda leaf: (leaf.mid.numpy(), leaf.rad.numpy()),
        widest,
    )


def balls(dtype: str, *, across: bool = False) -> Rounded:
    """Balls of as many bits as the candidate has: slow, but their exponents have no end."""
    import flint

    from gradcheck.numbers.exact import Exact

    bits, unit_roundoff, _ = PRECISION[dtype]
    numbers = Exact(bits, flip=across)
    around = np.frompyfunc(lambda value: flint.arb(value, abs(value) * unit_roundoff), 1, 1)

    def widest(forms: Sequence[Any]) -> Any:
        if len(forms) == 1:
            return forms[0]
        every = [numbers.balls(form) for form in forms]
        hull = every[0]
        for other in every[1:]:
            hull = np.frompyfunc(lambda left, right: left.union(right), 2, 1)(hull, other)
        return numbers.keep(hull)

    return Rounded(
        numbers,
        lambda tensor: numbers.keep(around(tensor.detach().cpu().double().numpy().astype(object))),
        lambda leaf: values_of(numbers, leaf),
        widest,
    )


def expect(
    compute: Callable[..., Any], arguments: Mapping[str, Any], dtype: str, *, what: str = "this function"
) -> Any:
    """What `compute(**arguments)` must give: its result with an `Expected` in the place of each tensor or number.

    `arguments` are tensors, numbers and trees of them; `compute` is torch code. Where rounding decides a comparison,
    the far side is as right as the near one.
    """
    from torch.utils._pytree import tree_flatten, tree_unflatten

    from gradcheck.numbers.exact import Exact

    given = as_tensors(arguments)
    exact = Exact(TRUTH_BITS)
    found, tree = tree_flatten(_run(exact, exact.wrap, compute, given))
    truths = [values_of(exact, leaf) for leaf in found]
    others: list[tuple[Floats, Floats] | None] = [None] * len(truths)
    if exact.ties:
        flipped = Exact(TRUTH_BITS, flip=True)
        across, _ = tree_flatten(_run(flipped, flipped.wrap, compute, given))
        others = [values_of(flipped, leaf) for leaf in across]
    leaves = [
        _expected(dtype, truth, other, radius, size_of(given), what)
        if is_computed(leaf)
        else Expected(truth[0], 0 * truth[0])
        for leaf, truth, other, radius in zip(found, truths, others, _radii(compute, given, dtype), strict=True)
    ]
    return tree_unflatten(leaves, tree)


def rough(compute: Callable[..., Any], arguments: Mapping[str, Any], dtype: str) -> Any | None:
    """About what `compute(**arguments)` gives, in plain floats; at a tie one side only. None where floats overflow."""
    import torch
    from torch.utils._pytree import tree_flatten, tree_unflatten

    given = as_tensors(arguments)
    with torch.no_grad():
        found, tree = tree_flatten(compute(**given))
    values = [_plain(leaf)[0] for leaf in found]
    if not all(np.isfinite(value).all() for value in values):
        return None
    return tree_unflatten([loose(value, value, size_of(given), dtype) for value in values], tree)


def loose(value: Floats, other: Floats, scale: float, dtype: str) -> Expected:
    """What a search takes for right where the truth is one of these, about."""
    relative = 1e-9 if dtype == "float64" else 1e-4
    tolerance = relative * (np.abs(value) + np.abs(other) + scale)
    return Expected(value, tolerance, None if np.array_equal(value, other) else other)


def _radii(compute: Callable[..., Any], given: Any, dtype: str) -> list[Floats]:
    """Of each result how far right computations may be from what it is at the candidate's precision."""
    for numbers in (bounded, balls):
        near, undecided = _leaves(numbers(dtype), compute, given)
        if all(np.isfinite(radius).all() for _, radius in near):
            break
    if not undecided:
        return [radius for _, radius in near]
    far, _ = _leaves(numbers(dtype, across=True), compute, given)
    pairs = zip(near, far, strict=True)
    return [np.maximum(radius, np.abs(middle - other) + around) for (middle, radius), (other, around) in pairs]


def _leaves(rounded: Rounded, compute: Callable[..., Any], given: Any) -> tuple[list[tuple[Floats, Floats]], bool]:
    """The results' parts, and whether rounding decided a comparison."""
    from torch.utils._pytree import tree_leaves

    with widened(rounded.widest):
        found = tree_leaves(_run(rounded.numbers, rounded.wrap, compute, given))
    numbers = rounded.numbers
    return [rounded.parts(leaf) if hasattr(leaf, "parts") else _plain(leaf) for leaf in found], bool(
        numbers.unclear or numbers.ties
    )


def _run(numbers: Numbers, wrap: Callable[[Tensor], Tensor], compute: Callable[..., Any], given: Any) -> Any:
    import torch

    numbered = wrapped(wrap, given)
    with torch.no_grad(), numbers:
        return compute(**numbered)


def wrapped(wrap: Callable[[Tensor], Tensor], given: Any) -> Any:
    """A tree of tensors with its real numbers made numbers of another kind."""
    from torch.utils._pytree import tree_map

    return tree_map(lambda leaf: wrap(leaf) if is_computed(leaf) else leaf, given)


def is_computed(leaf: Any) -> bool:
    """Whether it is a tensor of real numbers, of any kind."""
    return hasattr(leaf, "is_floating_point") and bool(leaf.is_floating_point())


def values_of(exact: Any, leaf: Any) -> tuple[Floats, Floats]:
    """The nearest float64 of each number, and how far the truth may lie from that."""
    if not hasattr(leaf, "parts"):
        return _plain(leaf)
    value, own = exact.values(leaf)
    return value.numpy(), own.numpy()


def _plain(leaf: Any) -> tuple[Floats, Floats]:
    value = np.asarray(leaf, dtype=np.float64)
    return value, np.zeros_like(value)


def as_tensors(arguments: Mapping[str, Any]) -> Any:
    """A Python float that is given is a number like any other."""
    import torch
    from torch.utils._pytree import tree_map

    return tree_map(
        lambda leaf: torch.tensor(leaf, dtype=torch.float64) if isinstance(leaf, float) else leaf, dict(arguments)
    )


def size_of(given: Any) -> float:
    """The size of the largest number in a tree of tensors, at least 1."""
    from torch.utils._pytree import tree_leaves

    sizes = [float(leaf.abs().max()) for leaf in tree_leaves(given) if is_computed(leaf) and leaf.numel()]
    return max([1.0, *sizes])


def _tensor(array: Array) -> Tensor:
    import torch

    values = np.asarray(array)
    return torch.from_numpy(np.array(values, dtype=np.float64 if values.dtype.kind == "f" else np.int64, order="C"))


def _expected(
    dtype: str,
    truth: tuple[Floats, Floats],
    other: tuple[Floats, Floats] | None,
    radius: Floats,
    scale: float,
    what: str,
) -> Expected:
    tolerance = tolerance_of(dtype, truth[0], radius, truth[1], scale, what)
    if other is None:
        return Expected(truth[0], tolerance)
    wider = np.maximum(tolerance, tolerance_of(dtype, other[0], radius, other[1], scale, what))
    return Expected(truth[0], wider, other[0])


def tolerance_of(dtype: str, value: Floats, radius: Floats, own: Floats, scale: float, what: str) -> Floats:
    """How far from `value` a right answer may lie whose ball has this `radius`. Raises NoBound.

    `own` is what 200 bits leave open; `scale` the size of what went in, for what underflows.
    """
    if not (np.isfinite(value).all() and np.isfinite(own).all()):
        raise NoBound(
            f"{what} has no value at these inputs (a logarithm or root of a negative number, a division by 0?): keep "
            "such inputs out, or write what holds there with Piecewise"
        )
    tiny = PRECISION[dtype][2]
    # The last term: the truth itself is kept in float64.
    tolerance = K * radius + tiny * max(1, value.size) * scale + own + np.abs(value) * PRECISION["float64"][1]
    if not np.isfinite(tolerance).all():
        raise NoBound(f"{what}: an accepted form has no bound at these inputs; leave it out of the record")
    return np.asarray(tolerance, dtype=np.float64)


def _each(expected: Expected, change: Callable[[Floats], Floats]) -> Expected:
    """The same change of the value, the tolerance and the far end."""
    other = None if expected.other is None else change(expected.other)
    return Expected(change(expected.value), change(expected.tolerance), other)
