"""The kinds of numbers that a formula is evaluated in: torch tensors and numpy arrays (fast), balls (exact, bounded).

Both hold arrays that broadcast and understand `+ - * / **`; a `Field` supplies the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Indices = tuple[npt.NDArray[np.int64], ...]

TRUTH_BITS = 200


class Field(Protocol):
    """What the evaluator needs of its numbers."""

    def array(self, values: npt.NDArray[Any]) -> Any: ...
    def integers(self, values: npt.NDArray[Any]) -> Any: ...
    def ratio(self, numerator: int, denominator: int) -> Any: ...
    def gather(self, array: Any, indices: Indices) -> Any: ...
    def sum(self, array: Any, axis: int) -> Any: ...
    def apply(self, name: str, *arrays: Any) -> Any: ...
    def sign_of_difference(self, left: Any, right: Any) -> npt.NDArray[np.int8]: ...
    def where(self, mask: npt.NDArray[np.bool_], yes: Any, no: Any) -> Any: ...


class TorchField:
    """float64 tensors."""

    def __init__(self) -> None:
        import torch

        self.torch = torch
        self.functions: dict[str, Callable[..., Any]] = {
            "exp": torch.exp,
            "log": torch.log,
            "log1p": torch.log1p,
            "tanh": torch.tanh,
            "sqrt": torch.sqrt,
            "sin": torch.sin,
            "cos": torch.cos,
            "Abs": torch.abs,
            "Max": torch.maximum,
            "Min": torch.minimum,
        }

    def array(self, values: npt.NDArray[Any]) -> Any:
        return self.torch.as_tensor(np.ascontiguousarray(values), dtype=self.torch.float64)

    def integers(self, values: npt.NDArray[Any]) -> Any:
        return self.array(values)

    def ratio(self, numerator: int, denominator: int) -> Any:
        return self.torch.tensor(numerator / denominator, dtype=self.torch.float64)

    def gather(self, array: Any, indices: Indices) -> Any:
        return array[tuple(self.torch.from_numpy(np.ascontiguousarray(index)) for index in indices)]

    def sum(self, array: Any, axis: int) -> Any:
        return array.sum(axis, keepdim=True)

    def apply(self, name: str, *arrays: Any) -> Any:
        return self.functions[name](*arrays)

    def sign_of_difference(self, left: Any, right: Any) -> npt.NDArray[np.int8]:
        signs: npt.NDArray[np.int8] = self.torch.sign(left - right).numpy().astype(np.int8)
        return signs

    def where(self, mask: npt.NDArray[np.bool_], yes: Any, no: Any) -> Any:
        return self.torch.where(self.torch.from_numpy(np.ascontiguousarray(mask)), yes, no)


class NumpyField:
    """float64 arrays: the fastest where arrays are small."""

    def __init__(self) -> None:
        self.functions: dict[str, Callable[..., Any]] = {
            "exp": np.exp,
            "log": np.log,
            "log1p": np.log1p,
            "tanh": np.tanh,
            "sqrt": np.sqrt,
            "sin": np.sin,
            "cos": np.cos,
            "Abs": np.abs,
            "Max": np.maximum,
            "Min": np.minimum,
        }

    @contextmanager
    def precision(self) -> Iterator[None]:
        """What is not finite is a result here, nothing to warn of."""
        with np.errstate(all="ignore"):
            yield

    def array(self, values: npt.NDArray[Any]) -> Any:
        return np.asarray(values, dtype=np.float64)

    def integers(self, values: npt.NDArray[Any]) -> Any:
        return self.array(values)

    def ratio(self, numerator: int, denominator: int) -> Any:
        return np.float64(numerator / denominator)

    def gather(self, array: Any, indices: Indices) -> Any:
        return array[indices]

    def sum(self, array: Any, axis: int) -> Any:
        return array.sum(axis, keepdims=True)

    def apply(self, name: str, *arrays: Any) -> Any:
        return self.functions[name](*arrays)

    def sign_of_difference(self, left: Any, right: Any) -> npt.NDArray[np.int8]:
        return np.asarray(np.sign(left - right), dtype=np.int8)

    def where(self, mask: npt.NDArray[np.bool_], yes: Any, no: Any) -> Any:
        return np.where(mask, yes, no)


def _overlapping(left: Any, right: Any) -> bool:
    difference = left - right
    return not difference.is_exact() and difference.contains(0)


_OVERLAP = np.frompyfunc(_overlapping, 2, 1)
_UNION = np.frompyfunc(lambda left, right: left.union(right), 2, 1)


class BallField:
    """Arrays of `flint.arb`: midpoint and radius, every operation rounded outwards.

    `bits` is the working precision. With `unit_roundoff` u > 0 every input is a ball of relative radius u, so that the
    radius of a result bounds what a computation at that precision may lose; with 0 the inputs are exact.
    """

    def __init__(self, bits: int, unit_roundoff: float = 0.0) -> None:
        import flint

        self.bits, self.unit_roundoff = bits, unit_roundoff
        self.arb, self.context = flint.arb, flint.ctx
        self._from_float = np.frompyfunc(self._ball, 1, 1)
        self._from_int = np.frompyfunc(lambda value: flint.arb(int(value)), 1, 1)
        self.functions: dict[str, Callable[..., Any]] = {
            "exp": np.frompyfunc(lambda ball: ball.exp(), 1, 1),
            "log": np.frompyfunc(lambda ball: ball.log(), 1, 1),
            "log1p": np.frompyfunc(lambda ball: ball.log1p(), 1, 1),
            "tanh": np.frompyfunc(lambda ball: ball.tanh(), 1, 1),
            "sqrt": np.frompyfunc(lambda ball: ball.sqrt(), 1, 1),
            "sin": np.frompyfunc(lambda ball: ball.sin(), 1, 1),
            "cos": np.frompyfunc(lambda ball: ball.cos(), 1, 1),
            "Abs": np.frompyfunc(abs, 1, 1),
            "Max": np.frompyfunc(lambda left, right: left.max(right), 2, 1),
            "Min": np.frompyfunc(lambda left, right: left.min(right), 2, 1),
        }

    @contextmanager
    def precision(self) -> Iterator[None]:
        """Work at this field's precision: flint keeps it in one process-wide variable."""
        before = self.context.prec
        self.context.prec = self.bits
        try:
            yield
        finally:
            self.context.prec = before

    def _ball(self, value: float) -> Any:
        return self.arb(float(value), abs(float(value)) * self.unit_roundoff)

    def array(self, values: npt.NDArray[Any]) -> Any:
        if values.dtype == object:  # balls already
            return values
        return np.asarray(self._from_float(values), dtype=object)

    def balls(self, values: npt.NDArray[Any], radii: npt.NDArray[Any]) -> Any:
        """Balls of given radii."""
        made = np.frompyfunc(lambda value, radius: self.arb(float(value), float(radius)), 2, 1)(values, radii)
        return np.asarray(made, dtype=object)

    def integers(self, values: npt.NDArray[Any]) -> Any:
        return np.asarray(self._from_int(values), dtype=object)

    def ratio(self, numerator: int, denominator: int) -> Any:
        return self.arb(numerator) / denominator

    def gather(self, array: Any, indices: Indices) -> Any:
        return np.asarray(array[indices], dtype=object)

    def sum(self, array: Any, axis: int) -> Any:
        if array.shape[axis] == 0:
            shape = (*array.shape[:axis], 1, *array.shape[axis + 1 :])
            return self.integers(np.zeros(shape, dtype=np.int64))
        return array.sum(axis=axis, keepdims=True)

    def apply(self, name: str, *arrays: Any) -> Any:
        return np.asarray(self.functions[name](*arrays), dtype=object)

    def sign_of_difference(self, left: Any, right: Any) -> npt.NDArray[np.int8]:
        """−1, 0 or 1. Inputs must be exact: overlapping balls have no order."""
        difference = np.asarray(left - right, dtype=object)
        signs = np.frompyfunc(lambda ball: 1 if ball > 0 else -1 if ball < 0 else 0, 1, 1)(difference)
        return np.asarray(signs, dtype=np.int8)

    def overlap(self, left: Any, right: Any) -> npt.NDArray[np.bool_]:
        """Where balls of some width have no order. Numbers that are known exactly have one, equal ones too."""
        return np.asarray(_OVERLAP(left, right), dtype=np.bool_)

    def union(self, left: Any, right: Any) -> Any:
        """Balls that hold both."""
        return np.asarray(_UNION(left, right), dtype=object)

    def where(self, mask: npt.NDArray[np.bool_], yes: Any, no: Any) -> Any:
        mask, yes, no = np.broadcast_arrays(mask, np.asarray(yes, dtype=object), np.asarray(no, dtype=object))
        return np.where(mask, yes, no)
