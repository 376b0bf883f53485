"""Learning rates that fall during training (lecture part B, practical tricks).

With samples drawn at random the gradient never becomes zero; steps that shrink let w come to rest. Epochs count from 0.
"""

from __future__ import annotations

import math


def step_decay(lr: float, epoch: int, drop: float, every: int) -> float:
    """lr · drop^(epoch // every), a Python float: the rate is multiplied by `drop` after every `every` epochs."""
    # Epochs 0 … every − 1 see no step yet, the next `every` epochs one, and so on: whole periods are counted.
    return lr * drop ** (epoch // every)


def cosine(lr: float, epoch: int, total: int) -> float:
    """Half a period of a cosine, from lr at epoch 0 to 0 at epoch `total`, a Python float."""
    # The angle π · epoch / total runs from 0 to π, so its cosine from 1 to −1. That plus 1 and halved runs from 1 to 0.
    return lr * (1 + math.cos(math.pi * epoch / total)) / 2
