"""Arguments of networks that stay clear of kinks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcheck.checks.outcome import Argument

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw

CLEAR = 1e-3
"""How far from 0 a hidden unit stays, measured by the terms of its sum. Rounding moves it by less than a thousandth of
that even in float32, so no right answer decides otherwise whether the unit is on."""


def clear_bias(x: Any, weight: Argument, bias: Argument) -> Argument:
    """The bias, moved where a unit of `x @ weight.T + bias` lies at a kink of ReLU or nearly so."""
    import numpy as np

    from gradcheck.checks.drawing import rounded

    sums = x @ weight.values.T
    sizes = (np.abs(x) @ np.abs(weight.values).T + np.abs(bias.values)).max(axis=0, initial=0.0)
    moved = bias.values.copy()
    for unit, size in enumerate(sizes):
        # Small whole numbers stay easy to read: half a unit leads away from them.
        step = 0.5 if size == 0 or 1 <= size <= 100 else size / 128
        for turn in range(2 * len(sums) * 128):
            tried = rounded(bias.values[unit] + step * ((turn + 1) // 2) * (-1) ** turn, bias.dtype)
            if (np.abs(sums[:, unit] + tried) > CLEAR * max(size, step)).all():
                moved[unit] = tried
                break
    return Argument(moved, bias.dtype, bias.layout)


def two_layer_data(draw: Draw) -> dict[str, Any]:
    """x and params."""
    batch, inputs, hidden, classes = (draw.size(name) for name in ("B", "n", "H", "K"))
    x, w_h, b_h = draw.tensor(batch, inputs), draw.tensor(hidden, inputs), draw.tensor(hidden)
    params = {"w_h": w_h, "b_h": clear_bias(x.values, w_h, b_h)}
    params |= {"w_y": draw.tensor(classes, hidden), "b_y": draw.tensor(classes)}
    return {"x": x, "params": params}
