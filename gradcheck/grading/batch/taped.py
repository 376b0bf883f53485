"""The judge's side of a tape: which calls a right submission is asked for, and whether their results are all right.

A tape saves time and decides nothing by itself. It holds the very trials that `Verification` makes; an exercise is
confirmed when each result has exactly the wanted form and lies within the tolerance, equal calls gave equal results,
and backward is linear and agrees with the Jacobian. Then every check would pass. Otherwise the checks themselves run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck.checks import compare, properties
from gradcheck.checks.outcome import Argument, Returned
from gradcheck.checks.task import FunctionSpec, Task
from gradcheck.checks.trials import Benches
from gradcheck.grading.batch.layouts import laid_out
from gradcheck.grading.batch.taped_parts import DTYPES, Agreed, TapedPart, Unsuitable, bytes_of, numbers_of
from gradcheck.grading.worker.wire import MOST_BODY, Header
from gradcheck.references.expected import Floats

_ALIGNED = 64


class TapedExercise:
    """The tape of one exercise: `header` and `body` are what a zygote makes it from. Raises Unsuitable."""

    def __init__(self, task: Task, benches: Benches) -> None:
        self.task, self.benches = task, benches
        self.parts = {spec.name: TapedPart(spec) for spec in task.functions}
        self._agreements: list[Agreed] = []
        for spec in task.functions:
            self._record(spec)
        self._numbers = {name: list(numbers_of(part)) for name, part in self.parts.items()}
        self.owners: list[tuple[str, int, str]] = []
        self.header, self.body = self._packed()
        self.most_bytes = sum(map(bytes_of, self.parts.values()))

    def _record(self, spec: FunctionSpec) -> None:
        if spec.properties:
            raise Unsuitable
        bench, part = self.benches.of(spec), self.parts[spec.name]
        bench.agree()
        generic, edges = bench.cases("generic"), bench.cases("edge")
        firsts = []
        for case in (*generic, *edges):
            numbers = [part.add(trial) for trial in bench.of(case)]
            firsts.append(numbers[0])
        for number in firsts[: min(2, len(generic))]:
            part.again.append((number, part.add(part.trials[number])))
        if "linearity" in spec.checks:
            for case in generic[:1] + [case for case in edges if not case.smooth][:1]:
                part.linear.append([part.add(trial) for trial in bench.linear(case)])
        backward = self.task.backward_beside(spec)
        if backward is not None:
            position, backwards = properties.position_of(bench), self.benches.of(backward)
            other = self.parts[backward.name]
            for batch, first in zip(backwards.batches(), firsts, strict=False):
                made = [other.add(trial) for trial in backwards.of(batch)]
                self._agreements.append(Agreed(part, first, other, made, position))

    # What a zygote gets.

    def _packed(self) -> tuple[Header, bytes]:
        pieces: list[bytes] = []
        size = sent = 0
        functions: dict[str, list[list[Any]]] = {}

        def node(value: Any, owner: tuple[str, int, str]) -> Any:
            nonlocal size, sent
            if isinstance(value, tuple):
                return ["t", [node(each, owner) for each in value]]
            if not isinstance(value, Argument):
                if not isinstance(value, (int, float, str, bool)):
                    raise Unsuitable
                return ["v", value]
            values = np.ascontiguousarray(value.values).reshape(np.shape(value.values))
            if value.dtype not in DTYPES:
                raise Unsuitable
            shape: list[int] = list(values.shape)
            item = np.dtype(DTYPES[value.dtype]).itemsize
            strides, start, room, written = laid_out(values, value.layout)
            area = size
            size += -(-max(room * item, 1) // _ALIGNED) * _ALIGNED
            content = values[:1].tobytes() if written != shape else values.tobytes()
            made = ["a", value.dtype, shape, strides, area, area + start * item, values.dtype.str, written, sent]
            padding = -len(content) % 8
            pieces.append(content + bytes(padding))
            sent += len(content) + padding
            self.owners.append(owner)
            return made

        for name, part in self.parts.items():
            functions[name] = [
                [node(value, (name, number, parameter)) for parameter, value in trial.arguments.items()]
                for number, trial in enumerate(part.trials)
            ]
        if size > MOST_BODY:
            raise Unsuitable
        return {"exercise": self.task.name, "functions": functions, "size": size + _ALIGNED}, b"".join(pieces)

    # What a worker answers.

    def confirms(self, answer: Header, body: bytes | bytearray) -> bool:
        """Whether an answer proves that every check passes. It may hold anything."""
        functions = answer.get("functions")
        if answer.get("usual") is not True or not isinstance(functions, list) or len(functions) != len(self.parts):
            return False
        if len(body) != self.most_bytes:
            return False
        at = 0
        results: dict[str, list[Floats]] = {}
        for told, (name, part) in zip(functions, self.parts.items(), strict=True):
            if not isinstance(told, dict) or not self._formed(told, part):
                return False
            leaves, at = self._read(name, part, body, at)
            if leaves is None:
                return False
            results[name] = leaves
        if not all(self._consistent(part, results[name]) for name, part in self.parts.items()):
            return False
        return all(each.holds(results) for each in self._agreements)

    def _formed(self, told: Mapping[str, Any], part: TapedPart) -> bool:
        if any(told.get(key) != getattr(part, key) for key in ("forms", "shapes", "dtypes")):
            return False
        shares = told.get("shares")
        return isinstance(shares, list) and all(self._may_share(part, each) for each in shares)

    def _may_share(self, part: TapedPart, pair: Any) -> bool:
        if part.spec.is_forward:
            return True
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(each) is int for each in pair):
            return False
        leaf, argument = pair
        if not 0 <= leaf < len(part.shapes) or not 0 <= argument < len(self.owners):
            return False
        function, call, name = self.owners[argument]
        if function != part.spec.name or not part.first_leaf[call] <= leaf < part.first_leaf[call] + abs(
            part.forms[call]
        ):
            return False
        # All numbers are right where anything is confirmed: there grad_output may come back.
        return properties.may_share(part.spec, part.trials[call], name) or properties.is_upstream(name)

    def _read(self, name: str, part: TapedPart, body: bytes | bytearray, at: int) -> tuple[list[Floats] | None, int]:
        """Every leaf's numbers, where all of them are as expected."""
        leaves: list[Floats] = [np.zeros(0)] * len(part.shapes)
        for numbers in self._numbers[name]:
            entries = numbers.value.size
            got = np.frombuffer(body, DTYPES[numbers.dtype], entries, at).astype(np.float64)
            at += entries * np.dtype(DTYPES[numbers.dtype]).itemsize
            if not numbers.hold(got):
                return None, at
            start = 0
            for leaf, dtype in enumerate(part.dtypes):
                if dtype == numbers.dtype:
                    length = math.prod(part.shapes[leaf])
                    leaves[leaf] = got[start : start + length].reshape(part.shapes[leaf])
                    start += length
        return leaves, at

    def _consistent(self, part: TapedPart, leaves: list[Floats]) -> bool:
        def of(call: int) -> list[Floats]:
            first = part.first_leaf[call]
            return leaves[first : first + abs(part.forms[call])]

        for number, trial in enumerate(part.trials):
            if len(trial.expected) > 1 and any(each.other is not None for each in trial.expected):
                values = [Returned(got.shape, "", "cpu", got) for got in of(number)]
                if compare.difference(trial.wanted, values, trial.expected):
                    return False
        for one, other in part.again:
            if not all(np.array_equal(*pair, equal_nan=True) for pair in zip(of(one), of(other), strict=True)):
                return False
        return not any(
            properties.not_linear([part.trials[each] for each in four], [of(each) for each in four])
            for four in part.linear
        )
