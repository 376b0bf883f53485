"""Calls as a header and raw bytes, and back. They go from the judge to a worker only."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.checks.outcome import Argument, Call, GeneratorArgument

Node = Any
"""JSON: `["a", dtype, layout, dtype of the values, shape, offset]` a tensor, `["g", seed, state, elsewhere]` a
generator, `["v", plain]`, `["t", parts]` a tuple, `["l", parts]` a list, `["d", [[key, part], …]]` a dict, whose keys
may be tuples.
"""


class Packed:
    """Arrays, one behind the other. Each starts at a multiple of 64 bytes, as torch's own allocator has it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.length = 0

    def add(self, array: npt.NDArray[Any]) -> int:
        """Take the array's bytes; the offset at which they start."""
        offset = self.length
        content = np.ascontiguousarray(array).tobytes()
        padding = -len(content) % 64
        self.pieces += [content, bytes(padding)]
        self.length += len(content) + padding
        return offset

    def bytes(self) -> bytes:
        return b"".join(self.pieces)


def pack_calls(calls: Sequence[Call], into: Packed) -> list[Node]:
    """Functions, whether to count, names and nodes, in the arguments' order."""
    return [
        [each.function, each.count, [[name, _pack(value, into)] for name, value in each.arguments.items()]]
        for each in calls
    ]


def _pack(value: Any, into: Packed) -> Node:
    if isinstance(value, Argument):
        array = np.asarray(value.values)
        return ["a", value.dtype, value.layout, array.dtype.str, list(array.shape), into.add(array)]
    if isinstance(value, GeneratorArgument):
        return ["g", value.seed, b64encode(value.state).decode(), value.elsewhere]
    if isinstance(value, (tuple, list)):
        return ["t" if isinstance(value, tuple) else "l", [_pack(part, into) for part in value]]
    if isinstance(value, dict):
        return ["d", [[_key(key), _pack(part, into)] for key, part in value.items()]]
    return ["v", value.item() if isinstance(value, np.generic) else value]


def _key(key: Any) -> Node:
    return ["t", [_key(part) for part in key]] if isinstance(key, tuple) else ["v", key]


def unpack_calls(rows: Sequence[Node], body: bytes | bytearray) -> list[Call]:
    """The calls that `pack_calls` was given."""
    return [
        Call(function, {name: _unpack(node, body) for name, node in named}, count) for function, count, named in rows
    ]


def _unpack(node: Node, body: bytes | bytearray) -> Any:
    kind = node[0]
    if kind == "a":
        _, dtype, layout, of_values, shape, offset = node
        count = int(np.prod(shape, dtype=np.int64))
        values = np.frombuffer(body, np.dtype(of_values), count, offset).reshape(shape)
        return Argument(values, dtype, layout)
    if kind == "g":
        return GeneratorArgument(node[1], b64decode(node[2]), node[3])
    if kind == "t":
        return tuple(_unpack(part, body) for part in node[1])
    if kind == "l":
        return [_unpack(part, body) for part in node[1]]
    if kind == "d":
        return {_unpack(key, body): _unpack(part, body) for key, part in node[1]}
    return node[1]
