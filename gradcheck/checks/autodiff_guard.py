"""Notices automatic differentiation and torch's own backward kernels while a candidate runs.

Every call into torch passes a function mode. It changes nothing; it remembers the first forbidden use and the line of
the candidate's file that made it. What is not executed is not refused, so a file may compare itself with autograd
under `if __name__ == "__main__":`.

A function mode belongs to one thread, can be switched off, and is passed by in a few places; `watching` covers these
for a batch of calls, each of which runs under `guard.on_a_call()`. This keeps honest people honest and says what they
did; it contains nobody.
"""

from __future__ import annotations

import linecache
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import PurePath
from types import FrameType
from typing import Any

import torch
from torch._ops import OpOverload
from torch.autograd import _get_sequence_nr  # type: ignore[attr-defined]  # nodes that this thread has recorded
from torch.overrides import TorchFunctionMode

from gradcheck.checks.autodiff_words import AutodiffWords
from gradcheck.checks.limits import of_library

_REQUIRES_GRAD_SETTER = torch.Tensor.requires_grad.__set__  # type: ignore[attr-defined]  # a C descriptor
_GRAD_FN_GETTER: Any = torch.Tensor.grad_fn.__get__  # type: ignore[union-attr]
_FORBIDDEN = {
    "requires_grad_": "requires_grad",
    "backward": "torch.autograd",
    "grad": "torch.autograd",
    "_make_dual": "torch.autograd.forward_ad",
    "_fw_primal": "torch.autograd.forward_ad",
}
_TRANSFORMS = {"Grad", "Jvp"}
_NAMES = ("requires_grad", "torch.autograd", "torch.func")
"""Words of ours for what may have another name in a file."""


class AutodiffGuard(TorchFunctionMode):
    """`refused` says in words what was used and where; empty while all is well. `recorded`: whether torch recorded
    anything to differentiate, in any thread; a forward function may do that by the way, a gradient may not.
    """

    def __init__(self, filename: str) -> None:
        super().__init__()
        self.filename = filename
        self.refused = ""
        self.recorded = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not self.refused:
            self.notice(_forbidden(func, args, kwargs) or _decomposition(sys._getframe(1).f_code))  # noqa: SLF001
        return func(*args, **kwargs)

    @contextmanager
    def on_a_call(self) -> Iterator[None]:
        """Watch the block, in this thread, and begin anew."""
        self.refused, self.recorded = "", False
        with counting(self), self:
            yield

    def notice(self, used: str) -> None:
        """Remember the first forbidden use."""
        if used and not self.refused:
            self.refused = self._told(used)

    def _told(self, used: str) -> str:
        """What the candidate's file calls it, and the line; `used` where there is no file or its name stands there."""
        lines = list(self._lines())
        named = [(word, line) for text, line in lines if (word := _words_in(text).at(line))]
        text, line = lines[0] if lines else ("", 0)
        hidden = used.startswith(_NAMES) and used.partition(" ")[0].rpartition(".")[2] not in text
        word = "automatic differentiation" if text and hidden else used
        word, line = named[0] if named else (word, line)
        return f"{word} (line {line})" if line and self.filename else word

    def _lines(self) -> Iterator[tuple[str, int]]:
        """Where the candidate is now, innermost first: the text of its file, or of whatever is not torch's or ours, and
        the line.
        """
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 — inspect has no lighter way
        while frame is not None:
            filename = frame.f_code.co_filename
            if filename == self.filename if self.filename else not of_library(filename):
                yield "".join(linecache.getlines(filename)), frame.f_lineno
            if frame.f_code.co_name == "bounded" and of_library(filename):
                return
            frame = frame.f_back


@lru_cache(maxsize=4)
def _words_in(text: str) -> AutodiffWords:
    return AutodiffWords(text)


def _forbidden(func: Any, args: Any, kwargs: dict[str, Any]) -> str:
    name = getattr(func, "__name__", "")
    if name in _FORBIDDEN and not (name == "requires_grad_" and args[1:] == (False,)):
        return _FORBIDDEN[name]
    if kwargs.get("requires_grad") is True:
        return "requires_grad"
    if name == "__set__" and func == _REQUIRES_GRAD_SETTER and args[1:] == (True,):
        return "requires_grad"
    if name == "__get__" and func == _GRAD_FN_GETTER:
        return "torch.autograd (grad_fn)"
    if "_backward" in name:
        return f"torch's own backward kernel {name}"
    # torch has no public way to ask whether a function transform is running.
    transform = torch._C._functorch.peek_interpreter_stack()  # noqa: SLF001
    return "torch.func" if transform is not None and transform.key().name in _TRANSFORMS else ""


def _decomposition(caller: Any) -> str:
    """torch keeps its backward formulas in Python too; there the caller is one of them."""
    if (
        "_decomp" in caller.co_filename
        and "backward" in caller.co_name
        and PurePath(caller.co_filename).parts[-3:-1] == ("torch", "_decomp")
    ):
        return f"torch's own backward formula {caller.co_name}"
    return ""


@contextmanager
def watching(guard: AutodiffGuard) -> Iterator[None]:
    """Have `guard` watch the threads that the block starts too, and the ways past a function mode."""
    bootstrap: Any = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]  # noqa: SLF001
    redispatch: Any = OpOverload.redispatch
    disable: Any = torch._C.DisableTorchFunction  # noqa: SLF001

    def in_a_thread(thread: threading.Thread) -> None:
        with counting(guard), guard:
            bootstrap(thread)

    def noticed_redispatch(overload: Any, *args: Any, **kwargs: Any) -> Any:
        guard.notice(_forbidden(overload, (), {}))
        return redispatch(overload, *args, **kwargs)

    def noticed_disable() -> Any:
        guard.notice("torch._C.DisableTorchFunction, which hides what is called")
        return disable()

    with (
        _replaced(threading.Thread, "_bootstrap_inner", in_a_thread),
        _replaced(OpOverload, "redispatch", noticed_redispatch),
        _replaced(torch._C, "DisableTorchFunction", noticed_disable),  # noqa: SLF001
    ):
        yield


@contextmanager
def _replaced(owner: Any, name: str, stand_in: Any) -> Iterator[None]:
    real = getattr(owner, name)
    setattr(owner, name, stand_in)
    try:
        yield
    finally:
        setattr(owner, name, real)


@contextmanager
def counting(guard: AutodiffGuard) -> Iterator[None]:
    """Notice only whether this thread records operations in the block: `guard.recorded`."""
    before = _get_sequence_nr()
    try:
        yield
    finally:
        guard.recorded = guard.recorded or _get_sequence_nr() != before
