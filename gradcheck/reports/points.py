"""An operator at a point that a picture is drawn of: a counterexample's inputs, or small ones made for the purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.operators.operator import BATCH_SIZE, Operator

if TYPE_CHECKING:
    from gradcheck.references.expected import Point


def point_at(operator: Operator, inputs: Mapping[str, Any], *, sample: bool) -> Point:
    """The operator at inputs given as nested lists, sizes such as `copies` among them."""
    from gradcheck.references.expected import Point

    arrays = {
        each.name: np.asarray(inputs[each.name], dtype=np.int64 if each.kind == "label" else np.float64)
        for each in operator.inputs
    }
    sizes = {name: value for name, value in inputs.items() if name not in arrays and isinstance(value, int)}
    return Point(operator, arrays, sizes=sizes, sample=sample)


_SIZES = {BATCH_SIZE: 2, "n": 4, "C": 4, "K": 3, "I": 3, "O": 2, "copies": 2, "P": 3, "m": 2}
_ENTRIES = (0.8, -1.3, 0.5, -0.4, 1.1, -0.7, 0.3, 0.9, -0.6, 1.4, -0.2, 0.6)


def small_inputs(operator: Operator) -> dict[str, Any]:
    """Fixed inputs of both signs, different for every input; one sample."""
    inputs: dict[str, Any] = {}
    for turn, each in enumerate(operator.inputs):
        shape = tuple(_SIZES.get(name, 3) for name in each.shape)
        count = int(np.prod(shape))
        entries = np.resize(np.roll(_ENTRIES, -3 * turn), count).reshape(shape)
        if each.kind == "label":
            entries = np.arange(count).reshape(shape) % _SIZES.get(each.classes, 3)
        elif each.kind == "probability":
            entries = np.resize((1.0, 0.0), count).reshape(shape)
        inputs[each.name] = entries
    if "copies" in operator.output_shape:
        inputs["copies"] = _SIZES["copies"]
    return inputs
