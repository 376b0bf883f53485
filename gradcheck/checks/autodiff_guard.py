"""Notices automatic differentiation and torch's own backward kernels while a candidate runs.

Every call into torch passes a function mode. It changes nothing; it remembers the first forbidden use and the line of
the candidate's file that made it. What is not executed is not refused, so a file may compare itself with autograd
under `if __name__ == "__main__":`.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_REQUIRES_GRAD_SETTER = torch.Tensor.requires_grad.__set__  # type: ignore[attr-defined]  # a C descriptor
_FORBIDDEN = {
    "requires_grad_": "requires_grad",
    "backward": "torch.autograd",
    "grad": "torch.autograd",
    "_make_dual": "torch.autograd.forward_ad",
    "_fw_primal": "torch.autograd.forward_ad",
}
_TRANSFORMS = {"Grad", "Jvp"}


class AutodiffGuard(TorchFunctionMode):
    """`refused` says in words what was used and where; empty while all is well."""

    def __init__(self, filename: str) -> None:
        super().__init__()
        self.filename = filename
        self.refused = ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not self.refused:
            used = self._forbidden(func, args, kwargs)
            if used:
                self.refused = used + self._where()
        return func(*args, **kwargs)

    def _forbidden(self, func: Any, args: Any, kwargs: dict[str, Any]) -> str:
        name = getattr(func, "__name__", "")
        if name in _FORBIDDEN and not (name == "requires_grad_" and args[1:] == (False,)):
            return _FORBIDDEN[name]
        if kwargs.get("requires_grad") is True:
            return "requires_grad"
        if name == "__set__" and func == _REQUIRES_GRAD_SETTER and args[1:] == (True,):
            return "requires_grad"
        if "_backward" in name:
            return f"torch's own backward kernel {name}"
        # torch has no public way to ask whether a function transform is running.
        transform = torch._C._functorch.peek_interpreter_stack()  # noqa: SLF001
        return "torch.func" if transform is not None and transform.key().name in _TRANSFORMS else ""

    def _where(self) -> str:
        frame = inspect.currentframe()
        while frame is not None:
            if frame.f_code.co_filename == self.filename:
                return f" (line {frame.f_lineno})"
            frame = frame.f_back
        return ""
