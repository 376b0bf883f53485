"""Makes calls in this process, one after the other under one guard, and says what came of each."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from gradcheck.checks.autodiff_guard import AutodiffGuard, watching
from gradcheck.checks.limits import Clock
from gradcheck.checks.operation_counter import OperationCounter
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
