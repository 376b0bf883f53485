"""Learning rates that fall during training (lecture part B, practical tricks).

With samples drawn at random the gradient never becomes zero; steps that shrink let w come to rest. Epochs count from 0.
"""

from __future__ import annotations

import math

import torch


def step_decay(lr: float, epoch: int, drop: float, every: int) -> float:
    """lr · drop^(epoch // every), a Python float: the rate is multiplied by `drop` after every `every` epochs."""
    # TODO: your code here
    raise NotImplementedError("step_decay is not written yet")


def cosine(lr: float, epoch: int, total: int) -> float:
    """Half a period of a cosine, from lr at epoch 0 to 0 at epoch `total`, a Python float."""
    # TODO: your code here
    raise NotImplementedError("cosine is not written yet")
