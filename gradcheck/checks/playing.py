"""Makes calls in this process, one after the other under one guard, and says what came of each.

The guard notices automatic differentiation and torch's own backward kernels while a candidate runs: every call into
torch passes a function mode. It changes nothing; it remembers the first forbidden use and the line of the candidate's
file that made it. What is not executed is not refused, so a file may compare itself with autograd under
`if __name__ == "__main__":`.

A function mode belongs to one thread, can be switched off, and is passed by in a few places; `watching` covers these
for a batch of calls, each of which runs under `guard.on_a_call()`. This keeps honest people honest and says what they
did; it contains nobody.
"""

from __future__ import annotations

import linecache
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import PurePath
from types import FrameType
from typing import Any

import torch
from torch._ops import OpOverload
from torch.autograd import _get_sequence_nr  # type: ignore[attr-defined]  # nodes that this thread has recorded
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from gradcheck.checks.file_code import AutodiffWords
from gradcheck.checks.limits import Clock, of_library
from gradcheck.checks.outcome import EARLIER, Call, Foreign, Outcome
from gradcheck.checks.tensors import Passed, Prepared, Read, overwritten

BATCH_S = 1.0
"""Seconds after which no further call of a batch is made: whoever asked may know enough already."""
_MOST_NUMBERS = 2 << 20
"""After so many that came back neither."""
_PROMPT_S = 0.05
"""What a call before it took of its time is not worth a new clock."""


class Playing:
    """A batch of calls while it is played. `returned` is what earlier calls of each function gave, and is added to.
    `guard`, if there is one, watches each call for automatic differentiation.
    """

    def __init__(
        self,
        functions: Mapping[str, Any],
        prepared: Prepared,
        returned: Mapping[str, deque[Read]],
        guard: AutodiffGuard | None,
    ) -> None:
        self.functions, self.prepared, self.returned, self.guard = functions, prepared, returned, guard
        self.done: list[Outcome] = []
        self._came = False

    def asked(self) -> str:
        """The function that was called last."""
        return self.prepared.calls[min(len(self.done), len(self.prepared.calls) - 1)].function

    def run(self, clock: Clock, between: Callable[[], None]) -> None:
        """Call, until something does not return, or it takes too long."""
        began = restarted = time.perf_counter()
        guard, numbers = self.guard, 0
        with watching(guard) if guard else nullcontext():
            for call, passed in zip(self.prepared.calls, self.prepared.passed, strict=True):
                now = time.perf_counter()
                if self.done and (now > began + BATCH_S or numbers > _MOST_NUMBERS):
                    return
                if now > restarted + _PROMPT_S:
                    clock.restart()
                    restarted = now
                self._came = False
                if guard or call.count or passed.generators:
                    outcome = self._looked_at(call, passed)
                else:
                    came = self.functions[call.function](*passed.values)
                    self._came = True
                    outcome = Outcome("returned", passed.observe(came))
                if clock.rang:
                    return
                self.done.append(outcome)
                for there, _ in passed.returned:
                    numbers += there.size
                between()

    def _looked_at(self, call: Call, passed: Passed) -> Outcome:
        """A call of which there is more to tell than what comes back."""
        guard, counter = self.guard, OperationCounter() if call.count else None
        passed.begin()
        try:
            with guard.on_a_call() if guard else nullcontext(), counter or nullcontext():
                came = self.functions[call.function](*passed.values)
            self._came = True
            drew_elsewhere = passed.drew_elsewhere()
            # Reading what came back can run the candidate's code too, if it is an object of its own making.
            value = passed.observe(came)
        finally:
            passed.put_back()
        return Outcome(
            "returned",
            value,
            refused=guard.refused if guard else "",
            recorded=guard is not None and guard.recorded,
            advanced=passed.advanced(),
            generators=passed.states(),
            drew_elsewhere=drew_elsewhere,
            operations=counter.total if counter else 0,
        )

    def close(self, _clock: Clock, _between: Callable[[], None]) -> None:
        """After the last call: say what each wrote to that it may not write to."""
        touched = self.prepared.memory.touched()
        numbers: dict[str, list[int]] = defaultdict(list)
        for number, call in enumerate(self.prepared.calls[: len(self.done)]):
            passed = self.prepared.passed[number]
            if touched or passed.containers:
                self.done[number].mutated = passed.mutated(touched)
            numbers[call.function].append(number)
        for function, own in numbers.items():
            earlier, results = self.returned[function], [self.prepared.passed[number].returned for number in own]
            first = overwritten([*earlier, *results], len(earlier))
            for number in own[max(0, first - len(earlier)) :] if first is not None else ():
                self.done[number].mutated += (EARLIER,)
            earlier.extend(results)

    def outcomes(self, ended: Outcome | None, closed: Outcome | None) -> list[Outcome]:
        """Of all calls that were made. `ended` is what became of the last one, where it did not come to its end, and
        `closed` the same of `close`.
        """
        if closed is not None:
            return [closed]
        if ended is not None and self._came:
            ended = Outcome("returned", Foreign("something that cannot be read", "return a plain torch.Tensor"))
        return [*self.done, ended] if ended is not None else self.done


_CONTRACTIONS = {"mm", "bmm", "addmm", "baddbmm", "mv", "addmv", "dot", "vdot", "addbmm"}
_ARITHMETIC = {"mul", "add", "sub", "div", "sum", "mean", "addcmul", "neg", "pow", "square", "cumsum", "prod"}


class OperationCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's class says nothing of its own
    """Counts the floating-point operations that torch does in a block, whatever the function is called: torch's own
    counter knows matrix products only, and a product written as a broadcast multiplication and a sum must count too.
    Python arithmetic on single numbers is not seen. `total` is the count so far: two for every term of a contraction,
    one for every entry of other arithmetic.
    """

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
