"""Between tensors as a caller passes them and arrays as a formula indexes them: flattening, the batch axis, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.operators.operator import BATCH_SIZE, Operator

Array = npt.NDArray[Any]


def bind(
    operator: Operator, inputs: Mapping[str, Array], sizes: dict[str, int], *, sample: bool = False
) -> tuple[dict[str, Array], dict[str, int]]:
    """The inputs as the formula indexes them (flattened, a batch axis where it belongs), and every size's number."""
    arrays: dict[str, Array] = {}
    for an_input in operator.inputs:
        array = np.asarray(inputs[an_input.name])
        names = ((BATCH_SIZE,) if an_input.batched and not sample else ()) + an_input.shape
        if operator.flattened:
            array = array.reshape(-1)
        elif an_input.batched and not sample and array.ndim == len(an_input.shape):
            array = array[None]
        sizes |= dict(zip(names, array.shape, strict=True))
        arrays[an_input.name] = array
    return arrays, sizes


def internal_output_shape(operator: Operator) -> tuple[str, ...]:
    """The names of the output's sizes as the formula indexes it."""
    return ((BATCH_SIZE,) if operator.batched else ()) + operator.output_shape


def output_shape(
    operator: Operator, shapes: Mapping[str, tuple[int, ...]], sizes: Mapping[str, int]
) -> tuple[int, ...]:
    """The output's shape as a caller sees it."""
    first = operator.inputs[0]
    shape = tuple(sizes[name] for name in operator.output_shape)
    if operator.flattened and operator.output_shape:
        return (*shape[:-1], *shapes[first.name])
    if operator.batched and len(shapes[first.name]) > len(first.shape):
        return (sizes[BATCH_SIZE], *shape)
    return shape
