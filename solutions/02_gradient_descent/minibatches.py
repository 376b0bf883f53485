"""The minibatches of one epoch (lecture part A, minibatches; part B, practical tricks: shuffle the samples).

Every epoch goes through the training set once, in an order of its own. The batches are indices into the samples.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def epoch_batches(num_samples: int, batch_size: int, generator: Generator) -> list[Tensor]:
    """A list (or tuple) of int64 tensors of shape (batch_size,), the last one shorter if need be. Together they hold
    each of 0 … num_samples − 1 once, in a random order drawn from `generator`: a new one at every call, all orders
    equally likely. No other source of chance is touched.
    """
    # Shuffle first, then cut: every sample can meet every other in a batch. The generator's state moves on as numbers
    # are drawn, so that the next call with it gives another order.
    order = torch.randperm(num_samples, generator=generator)
    return list(order.split(batch_size))
