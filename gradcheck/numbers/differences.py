"""Derivatives without any rule of differentiation: central differences of the forward in hundreds of bits.

With a step of 2 to a third of the bits below 1, what the quotient leaves out is of the size of the step's square, and
what the subtraction cancels leaves the other two thirds: 1e-140 at 700 bits, for what is of ordinary size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flint
import numpy as np
from torch import Tensor
from torch.utils._pytree import tree_leaves

from gradcheck.numbers.dispatch import NumberTensor, is_real
from gradcheck.numbers.exact import Exact
from gradcheck.numbers.exact.system import Array, arbs
from gradcheck.numbers.run import evaluate

BITS = 700


def directional(
    function: Callable[..., Any], args: Sequence[Any], directions: Sequence[Tensor | None], bits: int = BITS
) -> list[Array]:
    """How fast each output of `function` changes as the arguments move along the directions: arrays of balls.

    A direction is a tensor like its argument, None for one that stays. The balls surround the quotient; how far that
    is from the derivative, they do not know.
    """
    after, before = (moved(function, args, directions, side, bits) for side in (1, -1))
    with flint.ctx.workprec(bits):
        pairs = zip(after, before, strict=True)
        return [np.asarray((one - other) / (2 * step(bits)), dtype=object) for one, other in pairs]


def step(bits: int) -> flint.arb:
    return flint.arb(2) ** -(bits // 3)


def moved(
    function: Callable[..., Any],
    args: Sequence[Any],
    directions: Sequence[Tensor | None],
    steps: int,
    bits: int = BITS,
) -> list[Array]:
    """The outputs in balls where the arguments have moved so many steps along the directions."""
    numbers = Exact(bits)
    with numbers:
        distance = steps * step(bits)
        there = [
            arg if direction is None else numbers.keep(arbs(arg.detach()) + arbs(direction.detach()) * distance)
            for arg, direction in zip(args, directions, strict=True)
        ]
        outputs = tree_leaves(evaluate(numbers, function, there))
        return [numbers.balls(output) for output in outputs if isinstance(output, NumberTensor) or is_real(output)]
