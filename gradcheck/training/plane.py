"""What a network makes of the plane: the probabilities of the classes at its points, and colours for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats

COLOURS = ("#1d4e89", "#d1495b", "#f2b134")
"""Of the classes: dark, middle and light, so that they are told apart in grey and by people who do not tell red from
green.
"""
EDGE = 1.15
"""Half the side of the square that is shown."""

Logits = Callable[[Floats], Floats]
"""The logits of points (n, 2), one row each."""


def shares_of(logits: Logits, side: int, edge: float = EDGE) -> Floats:
    """The probabilities of the classes on a grid of side · side points, (side, side, classes); all the same where the
    logits are no numbers.
    """
    line = np.linspace(-edge, edge, side)
    found = np.asarray(logits(np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)), dtype=np.float64)
    with np.errstate(all="ignore"):
        powers = np.exp(found - found.max(axis=1, keepdims=True))
        shares = powers / powers.sum(axis=1, keepdims=True)
    known = np.isfinite(shares).all(axis=1, keepdims=True)
    squared: Floats = np.where(known, shares, 1 / found.shape[1]).reshape(side, side, -1)
    return squared


def shade(shares: Floats, strength: float = 0.45) -> Floats:
    """The classes' colours mixed by their probabilities, on white."""
    from matplotlib.colors import to_rgb

    mixed: Floats = 1 - strength * (1 - shares @ np.array([to_rgb(colour) for colour in COLOURS]))
    return mixed


def draw_borders(axes: Any, shares: Floats, edge: float = EDGE, **style: Any) -> list[Any]:
    """Lines where two classes are equally likely and no third is likelier."""
    line, drawn = np.linspace(-edge, edge, len(shares)), []
    for number in range(1, shares.shape[-1]):  # a border has two sides: all but one class see all of them
        ahead = shares[..., number] - np.delete(shares, number, axis=-1).max(axis=-1)
        if ahead.min() < 0 < ahead.max():
            drawn.append(axes.contour(line, line, ahead, levels=[0.0], **style))
    return drawn


def draw_points(axes: Any, x: Floats, labels: Array, size: float) -> Any:
    """The data, no class on top of the others."""
    order = np.random.default_rng(0).permutation(len(x))
    colours = np.array(COLOURS)[labels[order] % len(COLOURS)]
    return axes.scatter(x[order, 0], x[order, 1], s=size, c=colours, linewidths=0)


def bare(axes: Any, edge: float = EDGE) -> None:
    """The plane without numbers: what counts is what lies beside what."""
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
