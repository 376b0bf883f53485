"""Where in memory a tensor of a tape lies, so that it looks like one of `checks.tensors.make_tensor`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def laid_out(values: Any, layout: str) -> tuple[list[int], int, int, list[int]]:
    """As `checks.tensors.make_tensor` lays a tensor out: strides, first element, elements of room, and the shape of
    what is written (of an expanded tensor, one row).
    """
    shape = list(values.shape)
    plain = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    entries = math.prod(shape)
    if not shape or not entries:
        return plain, 0, entries, shape
    if layout == "transposed" and len(shape) >= 2:
        swapped = [*shape[:-2], shape[-1], shape[-2]]
        strides = [math.prod(swapped[axis + 1 :]) for axis in range(len(shape))]
        return [*strides[:-2], strides[-1], strides[-2]], 0, entries, shape
    if layout == "transposed":
        return [2], 0, 2 * entries, shape
    if layout == "expanded" and np.array_equal(values, np.broadcast_to(values[:1], shape)):
        return [0, *plain[1:]], 0, entries // shape[0], [1, *shape[1:]]
    if layout == "offset":
        return plain, plain[0], entries + plain[0], shape
    return plain, 0, entries, shape
