"""Between tensors as a caller passes them and as a formula indexes them: flattening, the batch axis, sizes."""

from __future__ import annotations

import ast
import operator as op
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gradcheck.errors import FormulaError
from gradcheck.operators.record import Operator

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
else:  # the catalog binds operators, and is read without numpy
    Array = Any

BATCH_LENGTH = "B′"
"""What the length of the batch axis is called among sizes; no formula can write it."""

_ARITHMETIC: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: op.add,
    ast.Sub: op.sub,
    ast.Mult: op.mul,
    ast.FloorDiv: op.floordiv,
}


def bind(
    operator: Operator, inputs: Mapping[str, Any], sizes: Mapping[str, int], *, sample: bool = False
) -> tuple[dict[str, Any], dict[str, int]]:
    """The inputs, arrays or tensors, as the formula indexes them (flattened, a batch axis where it belongs), and every
    size's number. `sizes` are those that no input shows. Raises ValueError where shapes do not fit.
    """
    numbers = dict(sizes)
    arrays: dict[str, Any] = {}
    for an_input in operator.inputs:
        array = inputs[an_input.name]
        names = ((BATCH_LENGTH,) if an_input.batched and not sample else ()) + an_input.shape
        if operator.flattened:
            array = array.reshape(-1) if an_input.shape else array
        elif an_input.batched and not sample and len(array.shape) == len(an_input.shape):
            array = array[None]
        numbers |= dict(zip(names, array.shape, strict=True))
        arrays[an_input.name] = array
    return arrays, numbers


def shaped(tensor: Any, shape: tuple[int, ...]) -> Any:
    """The tensor in this shape. To ask for the shape that it has costs as much as to compute with it."""
    return tensor if tuple(tensor.shape) == shape else tensor.reshape(shape)


def output_shape(
    operator: Operator, shapes: Mapping[str, tuple[int, ...]], sizes: Mapping[str, int]
) -> tuple[int, ...]:
    """The output's shape as a caller sees it."""
    first = operator.inputs[0]
    shape = tuple(number_of(size, sizes) for size in operator.output_shape)
    if operator.flattened and operator.output_shape:
        return (*shape[:-1], *shapes[first.name])
    if any(each.batched and len(shapes[each.name]) > len(each.shape) for each in operator.inputs):
        return (sizes[BATCH_LENGTH], *shape)
    return shape


def number_of(size: str, sizes: Mapping[str, int]) -> int:
    """What a size is, or what a rule such as `L - K + 1` makes of others, without SymPy: whoever passes needs none."""
    if size in sizes:
        return sizes[size]
    try:
        return max(0, _reckoned(ast.parse(size, mode="eval").body, sizes))
    except (SyntaxError, KeyError, TypeError):
        raise FormulaError(
            f"the size {size!r} is not known: it is made of the inputs' sizes and whole numbers by + - * and //"
        ) from None


def _reckoned(node: ast.expr, sizes: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return sizes[name]
        case ast.BinOp(left, kind, right) if type(kind) in _ARITHMETIC:
            return _ARITHMETIC[type(kind)](_reckoned(left, sizes), _reckoned(right, sizes))
    raise TypeError
