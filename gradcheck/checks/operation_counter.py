"""Counts the floating-point operations that torch does in a block, whatever the function is called.

torch.utils.flop_counter knows matrix products only; a product written as a broadcast multiplication and a sum must
count too. Python arithmetic on single numbers is not seen.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_CONTRACTIONS = {"mm", "bmm", "addmm", "baddbmm", "mv", "addmv", "dot", "vdot", "addbmm"}
_ARITHMETIC = {"mul", "add", "sub", "div", "sum", "mean", "addcmul", "neg", "pow", "square", "cumsum", "prod"}


class OperationCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's class says nothing of its own
    """`total` is the count so far: two for every term of a contraction, one for every entry of other arithmetic."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Whether torch keeps its compiler away from us, for which it would import all of it: 869 modules, 4 s."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.rstrip("_")
        tensors = [each for each in args if isinstance(each, torch.Tensor)]
        if name in _CONTRACTIONS and tensors and isinstance(result, torch.Tensor):
            inner = tensors[1].shape[-1] if name.startswith("add") or name == "baddbmm" else tensors[0].shape[-1]
            self.total += 2 * max(1, result.numel()) * inner
        elif name in _ARITHMETIC and tensors:
            self.total += max(each.numel() for each in (*tensors, result) if isinstance(each, torch.Tensor))
        return result
