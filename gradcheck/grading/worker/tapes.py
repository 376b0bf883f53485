"""A tape: calls that every right submission is asked for, made ready before there is a submission.

Making tensors, and telling afterwards whether they were changed, costs more than most calls. So all tensors of a tape
are views of one buffer, made once; each worker has a copy of it from its fork. One comparison of the buffer tells
whether any argument of any call was written to. Where anything at all is unusual the tape says so, and the exercise is
graded call by call in a fresh worker: a tape can confirm that all is well, it never refuses anything.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.limits import quiet, settings_kept
from gradcheck.grading.worker.wire import Header

# Taken before any submission can put something else in their place.
_cat, _equal, _numpy, _reshape = torch.cat, torch.equal, torch.Tensor.numpy, torch.Tensor.reshape
_detach, _data_ptr, _no_grad = torch.Tensor.detach, torch.Tensor.data_ptr, torch.no_grad
_Tensor = torch.Tensor
_strided = torch.strided

DTYPES = {torch.float64: "float64", torch.float32: "float32", torch.int64: "int64", torch.bool: "bool"}
"""The dtypes of arguments and results, in the order of an answer's body."""


class Tape:
    """The calls of one exercise: `calls` maps a function to the arguments of each of its calls."""

    def __init__(self, functions: Mapping[str, list[list[Any]]], size: int, body: bytes | bytearray) -> None:
        self.buffer = torch.zeros(size, dtype=torch.uint8)
        self.tensors: list[torch.Tensor] = []
        self.areas: list[int] = []
        self.calls = {name: [self._made(nodes, body) for nodes in calls] for name, calls in functions.items()}
        self.kept = self.buffer.clone()
        self.places = [tensor.data_ptr() for tensor in self.tensors]
        self.version = self.buffer._version  # noqa: SLF001 — torch counts in-place changes, of all views of a buffer
        self.first, self.last = self.buffer.data_ptr(), self.buffer.data_ptr() + size

    def _made(self, nodes: list[Any], body: bytes | bytearray) -> tuple[Any, ...]:
        return tuple(self._value(node, body) for node in nodes)

    def _value(self, node: Any, body: bytes | bytearray) -> Any:
        if node[0] == "v":
            return node[1]
        if node[0] == "t":
            return tuple(self._value(part, body) for part in node[1])
        _, dtype, shape, strides, area, at, of_values, values_shape, offset = node
        count = int(np.prod(values_shape, dtype=np.int64))
        values = torch.from_numpy(np.frombuffer(body, np.dtype(of_values), count, offset).copy().reshape(values_shape))
        kind: torch.dtype = getattr(torch, dtype)
        whole = self.buffer[at : self.buffer.numel() - (self.buffer.numel() - at) % kind.itemsize].view(kind)
        tensor = whole.as_strided(shape, strides)
        if count:
            # Of an expanded tensor, whose rows are one row, that row is written.
            target = whole.as_strided(values_shape, strides) if values_shape != shape else tensor
            target.copy_(values.to(kind))
        self.tensors.append(tensor)
        self.areas.append(self.buffer.data_ptr() + area)
        return tensor

    def untouched(self) -> bool:
        """Whether every tensor of the tape is as it was made: numbers, geometry, memory."""
        return (
            self.buffer._version == self.version  # noqa: SLF001
            and _equal(self.buffer, self.kept)
            and [_data_ptr(tensor) for tensor in self.tensors] == self.places
        )

    def shared(self, leaves: list[torch.Tensor]) -> list[list[int]]:
        """The numbers of those leaves that lie in some argument's memory, each with that argument's number."""
        found = []
        for number, leaf in enumerate(leaves):
            place = _data_ptr(leaf)
            if self.first <= place < self.last and leaf.numel():
                found.append([number, bisect_right(self.areas, place) - 1])
        return found


def play(tape: Tape, candidate: InProcessCandidate) -> tuple[Header, bytes]:
    """Call the tape's functions, one after the other, until something is unusual. The answer's body holds all numbers
    of function after function, of each its float64 ones first, then float32, int64, bool.
    """
    if candidate.broken:
        return {"usual": False}, b""
    functions, bodies = [], []
    with settings_kept(), quiet(candidate.printed):
        for name, calls in tape.calls.items():
            told = _played(candidate.functions.get(name), calls, tape)
            if told is None:
                return {"usual": False}, b""
            functions.append(told[0])
            bodies.append(told[1])
        if not tape.untouched():
            return {"usual": False}, b""
    return {"usual": True, "functions": functions}, b"".join(bodies)


def _played(function: Any, calls: list[tuple[Any, ...]], tape: Tape) -> tuple[Header, bytes] | None:
    try:
        return _read([function(*arguments) for arguments in calls], tape)
    except BaseException:
        return None


def _read(results: list[Any], tape: Tape) -> tuple[Header, bytes] | None:
    leaves: list[torch.Tensor] = []
    forms = []
    for result in results:
        kind = type(result)
        if kind is _Tensor:
            leaves.append(result)
            forms.append(-1)
        elif kind in (tuple, list):
            leaves += result
            forms.append(len(result))
        else:
            return None
    if not all([type(leaf) is _Tensor and leaf.layout is _strided and not leaf.is_quantized for leaf in leaves]):  # noqa: C419 — a list is faster
        return None
    shares = tape.shared(leaves)
    shapes, dtypes = [list(leaf.shape) for leaf in leaves], [DTYPES[leaf.dtype] for leaf in leaves]
    blocks = []
    with _no_grad():
        for dtype in DTYPES:
            flat = [_reshape(leaf, -1) for leaf in leaves if leaf.dtype is dtype]
            if flat:
                blocks.append(_numpy(_detach(_cat(flat))).tobytes())
    return {"forms": forms, "shapes": shapes, "dtypes": dtypes, "shares": shares}, b"".join(blocks)
