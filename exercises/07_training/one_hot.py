"""Labels as one-hot vectors: row p has a one at labels[p] and zeros elsewhere.

Hard inputs are graded too: strided memory.
"""

from __future__ import annotations

import torch
from torch import Tensor


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """(m, num_classes) in the default floating dtype; labels (m,) int64, m may be 0.

    A label below 0 or above num_classes − 1 raises ValueError.
    """
    # TODO: your code here
    raise NotImplementedError("one_hot is not written yet")
