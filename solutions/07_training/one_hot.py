"""Labels as one-hot vectors: row p has a one at labels[p] and zeros elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """(m, num_classes) in the default floating dtype; labels (m,) int64, m may be 0.

    A label below 0 or above num_classes − 1 raises ValueError.
    """
    # A negative index counts from the end, so −1 would pass for the last class: ask before indexing.
    if ((labels < 0) | (labels >= num_classes)).any():
        raise ValueError(f"labels must lie in 0 … {num_classes - 1}")
    # Entry (p, k) is [k = labels_p]: compare every label with every class.
    classes = torch.arange(num_classes)
    return (labels[:, None] == classes).to(torch.get_default_dtype())
