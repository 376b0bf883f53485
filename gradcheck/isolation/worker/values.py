"""Calls as the judge sends them to a worker, and what came of them as the worker sends it back: headers and raw bytes.

Calls go from the judge to a worker only, which may believe them. What comes back is believed by nobody: `unpack` takes
a header that may say anything, and either returns an `Outcome` of plain data for each of the first calls or raises
Malformed. How many bytes may follow is asked of the header first, so that no allocation hangs on a worker's word alone.
A call that came to nothing but tensors, as nearly all do, is told by the number of their form.
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import astuple, replace
from functools import cache
from types import UnionType
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from gradcheck.checks.outcome import (
    Argument,
    Call,
    Fault,
    Foreign,
    GeneratorArgument,
    Operation,
    Outcome,
    Returned,
    SideBySide,
    Signature,
    Unwritten,
    Value,
)
from gradcheck.isolation.worker.wire import MOST_BODY, Header, Malformed

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
        [each.function, each.count, [[name, _node_of(value, into)] for name, value in each.arguments.items()]]
        for each in calls
    ]


def _node_of(value: Any, into: Packed) -> Node:
    if isinstance(value, Argument):
        array = np.asarray(value.values)
        return ["a", value.dtype, value.layout, array.dtype.str, list(array.shape), into.add(array)]
    if isinstance(value, GeneratorArgument):
        return ["g", value.seed, b64encode(value.state).decode(), value.elsewhere]
    if isinstance(value, (tuple, list)):
        return ["t" if isinstance(value, tuple) else "l", [_node_of(part, into) for part in value]]
    if isinstance(value, dict):
        return ["d", [[_key(key), _node_of(part, into)] for key, part in value.items()]]
    return ["v", value.item() if isinstance(value, np.generic) else value]


def _key(key: Any) -> Node:
    return ["t", [_key(part) for part in key]] if isinstance(key, tuple) else ["v", key]


def unpack_calls(rows: Sequence[Node], body: bytes | bytearray) -> list[Call]:
    """The calls that `pack_calls` was given."""
    return [
        Call(function, {name: _argument(node, body) for name, node in named}, count) for function, count, named in rows
    ]


def _argument(node: Node, body: bytes | bytearray) -> Any:
    kind = node[0]
    if kind == "a":
        _, dtype, layout, of_values, shape, offset = node
        count = int(np.prod(shape, dtype=np.int64))
        values = np.frombuffer(body, np.dtype(of_values), count, offset).reshape(shape)
        return Argument(values, dtype, layout)
    if kind == "g":
        return GeneratorArgument(node[1], b64decode(node[2]), node[3])
    if kind == "t":
        return tuple(_argument(part, body) for part in node[1])
    if kind == "l":
        return [_argument(part, body) for part in node[1]]
    if kind == "d":
        return {_argument(key, body): _argument(part, body) for key, part in node[1]}
    return node[1]


_STATES: tuple[Any, ...] = get_args(get_type_hints(Outcome)["state"])
_DEPTH = 4
_DIMENSIONS = 16
_PARTS = 4096
_TEXT = 4_000
_LINES = 40
_STATE = 16_000
_NAME = 200
_MOST_LINES = 1_000_000
_KINDS = {"f": "<f8", "i": "<i8"}
_ITEM = 8


def pack(outcomes: Sequence[Outcome], printed: str) -> tuple[Header, bytes]:
    """A header and the numbers of all tensors in it, float64 or int64, one behind the other."""
    arrays: list[bytes] = []
    forms: dict[Any, int] = {}
    rows: list[Any] = []
    for outcome in outcomes:
        parts = outcome.value if type(outcome.value) is tuple else (outcome.value,)
        if _is_usual(outcome) and all([type(part) is Returned for part in parts]):  # noqa: C419 — a list is faster
            rows.append(forms.setdefault(_pack(outcome.value, arrays), len(forms)))
        else:
            rows.append(_whole(outcome, arrays))
    return {"outcomes": rows, "forms": list(forms), "printed": printed}, b"".join(arrays)


def _is_usual(outcome: Outcome) -> bool:
    """Whether there is nothing to say of it but what came back."""
    if outcome.state != "returned" or outcome.mutated or outcome.refused or outcome.recorded or outcome.operations:
        return False
    return not (outcome.advanced or outcome.generators or outcome.drew_elsewhere)


def _whole(outcome: Outcome, arrays: list[bytes]) -> Header:
    fault = outcome.fault
    return {
        "state": outcome.state,
        "value": _pack(outcome.value, arrays),
        "fault": list(astuple(replace(fault, lines=fault.lines[:_LINES], bases=fault.bases[:_LINES])))
        if fault
        else None,
        "mutated": list(outcome.mutated)[:_LINES],
        "refused": outcome.refused,
        "recorded": outcome.recorded,
        "advanced": list(outcome.advanced)[:_LINES],
        "operations": outcome.operations,
        "generators": [[name, b64encode(state).decode()] for name, state in outcome.generators.items()][:_LINES],
        "elsewhere": outcome.drew_elsewhere,
        "unwritten": list(astuple(outcome.unwritten)) if outcome.unwritten else None,
    }


def _pack(value: Value, arrays: list[bytes]) -> Any:
    if isinstance(value, Returned):
        kind = None
        if value.values is not None:
            kind = "i" if value.values.dtype.kind == "i" else "f"
            arrays.append(np.ascontiguousarray(value.values, dtype=_KINDS[kind]).tobytes())
        return "R", value.shape, value.dtype, value.device, kind, value.shares_with[:_LINES], value.problem
    if isinstance(value, Foreign):
        return "X", value.description, value.remedy
    if isinstance(value, tuple):
        return "T", tuple([_pack(part, arrays) for part in value])
    if isinstance(value, dict):
        return "D", tuple([(key, _pack(part, arrays)) for key, part in value.items()])
    return ("S", value) if isinstance(value, str) else ("F", float(value))


def length_of(header: Header, most: int) -> int:
    """The bytes that the tensors of a header need. Raises Malformed where it is no header of outcomes, at least one and
    at most `most`, or beyond bounds.
    """
    rows, forms = header.get("outcomes"), header.get("forms")
    if (
        not isinstance(rows, list)
        or not isinstance(forms, list)
        or not 1 <= len(rows) <= most
        or len(forms) > len(rows)
    ):
        raise Malformed
    lengths = [_length(form, 0) for form in forms]
    total = 0
    for row in rows:
        if type(row) is int and 0 <= row < len(lengths):
            total += lengths[row]
        elif isinstance(row, dict):
            total += _length(row.get("value"), 0)
        else:
            raise Malformed
    if total > MOST_BODY:
        raise Malformed
    return total


def _length(node: Any, depth: int) -> int:
    if not isinstance(node, list) or not node or depth > _DEPTH:
        raise Malformed
    if node[0] == "R":
        _returned_node(node)
        return 0 if node[4] is None else _ITEM * math.prod(node[1])
    if node[0] in ("T", "D"):
        parts = node[1] if len(node) == 2 and isinstance(node[1], list) else None
        if parts is None or len(parts) > _PARTS:
            raise Malformed
        if node[0] == "D":
            if not all(isinstance(pair, list) and len(pair) == 2 for pair in parts):
                raise Malformed
            parts = [part for _, part in parts]
        total = sum(_length(part, depth + 1) for part in parts)
        if total > MOST_BODY:
            raise Malformed
        return total
    return 0


def _returned_node(node: list[Any]) -> None:
    if len(node) != 7:
        raise Malformed
    _, shape, dtype, device, kind, shares, problem = node
    sizes = (
        isinstance(shape, list)
        and len(shape) <= _DIMENSIONS
        and all(type(n) is int and 0 <= n <= MOST_BODY for n in shape)
    )
    if not sizes or kind not in (None, *_KINDS):
        raise Malformed
    # Sizes beside a zero take no room, but no array can have them either.
    if kind is not None and math.prod(max(1, size) for size in shape) * _ITEM > MOST_BODY:
        raise Malformed
    for text in (dtype, device, problem):
        _text(text)
    _texts(shares)


def unpack(header: Header, body: bytes | bytearray, most: int) -> tuple[list[Outcome], str]:
    """The outcomes, at most `most`, and what was printed. Raises Malformed."""
    sent = Sent(header, body, most)
    return sent.outcomes(), sent.printed


class Sent:
    """What a worker sent, before any outcome is made of it, and what was printed. Raises Malformed."""

    def __init__(self, header: Header, body: bytes | bytearray, most: int) -> None:
        if length_of(header, most) != len(body):
            raise Malformed
        self._rows, self._numbers = header["outcomes"], np.frombuffer(body, _KINDS["f"])
        self._forms = [_form(each) for each in header["forms"]]
        self.printed = _text(header.get("printed"))

    def outcomes(self) -> list[Outcome]:
        """All outcomes, at least one. Raises Malformed."""
        found, at = [], 0
        for row in self._rows:
            if isinstance(row, dict):
                outcome, at = _outcome(row, self._numbers, at)
            else:
                several, tensors = self._forms[row]
                parts = []
                for tensor in tensors:
                    part, at = tensor.filled(self._numbers, at)
                    parts.append(part)
                outcome = Outcome("returned", tuple(parts) if several else parts[0])
            found.append(outcome)
        return found

    def side_by_side(self) -> SideBySide | None:
        """The same without outcomes, where all came to tensors and nothing else."""
        if not all([type(row) is int for row in self._rows]):  # noqa: C419 — a list is faster
            return None
        return SideBySide(self._rows, [_in_short(*form) for form in self._forms], self._numbers)


class _Tensor(NamedTuple):
    """A tensor without its numbers; `kind` is None where there are none."""

    shape: tuple[int, ...]
    dtype: str
    device: str
    kind: str | None
    shares_with: tuple[str, ...]
    problem: str
    entries: int

    def filled(self, numbers: Any, at: int) -> tuple[Returned, int]:
        """With the numbers that start there, and where they end."""
        if self.kind is None:
            return Returned(self.shape, self.dtype, self.device, None, self.shares_with, self.problem), at
        end = at + self.entries
        values = numbers[at:end] if self.kind == "f" else numbers[at:end].view(_KINDS[self.kind])
        return Returned(
            self.shape, self.dtype, self.device, values.reshape(self.shape), self.shares_with, self.problem
        ), end


def _tensor(node: list[Any]) -> _Tensor:
    _, shape, dtype, device, kind, shares, problem = node
    return _Tensor(tuple(shape), _text(dtype), _text(device), kind, _texts(shares), _text(problem), math.prod(shape))


def _form(node: list[Any]) -> tuple[bool, list[_Tensor]]:
    """Whether it is one of several tensors, and these. Its length is known already."""
    parts = node[1] if node[0] == "T" else [node]
    if not all(part[0] == "R" for part in parts):
        raise Malformed
    return node[0] == "T", [_tensor(part) for part in parts]


def _in_short(several: bool, tensors: list[_Tensor]) -> tuple[Signature | None, tuple[str, ...]]:
    plain = all(each.kind and each.device == "cpu" and not each.problem for each in tensors)
    signature = (several, tuple((each.shape, each.dtype, each.kind or "") for each in tensors)) if plain else None
    return signature, tuple(name for each in tensors for name in each.shares_with)


def _outcome(row: Header, numbers: Any, at: int) -> tuple[Outcome, int]:
    state: Any = row.get("state")
    recorded, operations = row.get("recorded"), row.get("operations")
    if state not in _STATES or type(recorded) is not bool or type(operations) is not int:
        raise Malformed
    fault = _field(Fault | None, row.get("fault"), _TEXT)
    if fault is None and state not in ("returned", "not_started"):
        raise Malformed
    value, at = _unpack(row["value"], numbers, at)
    outcome = Outcome(
        state,
        value if state == "returned" else 0.0,
        fault,
        _texts(row.get("mutated")),
        _text(row.get("refused")),
        recorded,
        _texts(row.get("advanced")),
        max(0, min(operations, 1 << 62)),
        _generators(row.get("generators")),
        row.get("elsewhere") is True,
        _unwritten(row.get("unwritten")) if state == "unfinished" else None,
    )
    return outcome, at


def _record(kind: Any, node: Any, most: int = _TEXT) -> Any:
    """A dataclass from the list of its fields, each of the type that it declares: texts cut at `most`, lists short."""
    hints = _hints(kind)
    if not isinstance(node, list) or len(node) != len(hints):
        raise Malformed
    return kind(*(_field(hint, each, most) for hint, each in zip(hints, node, strict=True)))


@cache
def _hints(kind: type) -> tuple[Any, ...]:
    return tuple(get_type_hints(kind).values())


def _field(hint: Any, node: Any, most: int) -> Any:
    if hint is str:
        return _text(node)[:most]
    if hint is int:  # the number of a line, or a size
        if type(node) is not int or node < 0:
            raise Malformed
        return min(node, MOST_BODY)
    if get_origin(hint) is tuple:
        of_sizes = get_args(hint)[0] is int
        if not isinstance(node, list) or len(node) > (_DIMENSIONS if of_sizes else _PARTS):
            raise Malformed
        return tuple([_field(get_args(hint)[0], each, most) for each in node[:_LINES]])
    if get_origin(hint) is Literal:
        if node not in get_args(hint):
            raise Malformed
        return node
    if isinstance(hint, UnionType):  # with None
        return None if node is None else _field(get_args(hint)[0], node, most)
    return _record(hint, node, _NAME if hint is Operation else most)


def _unwritten(node: Any) -> Unwritten:
    """Two names of functions, three numbers of lines and a place; nothing that could be a sentence."""
    found: Unwritten = _record(Unwritten, node)
    if not _is_name(found.function) or not (found.caller == "" or _is_name(found.caller)):
        raise Malformed
    if max(found.line, found.call, found.written) > _MOST_LINES:
        raise Malformed
    return found


def _is_name(name: str) -> bool:
    """Whether it is a function's name, or one that Python gives to what has none: `<lambda>`, `<module>`."""
    if len(name) > _NAME:
        return False
    return all(part.removeprefix("<").removesuffix(">").isidentifier() for part in name.split("."))


def _generators(rows: Any) -> dict[str, bytes]:
    if not isinstance(rows, list) or len(rows) > _LINES:
        raise Malformed
    states: dict[str, bytes] = {}
    for row in rows:
        if not isinstance(row, list) or len(row) != 2 or not isinstance(row[1], str) or len(row[1]) > _STATE:
            raise Malformed
        try:
            states[_text(row[0])] = b64decode(row[1], validate=True)
        except ValueError:
            raise Malformed from None
    return states


def _unpack(node: Any, numbers: Any, at: int) -> tuple[Value, int]:
    kind = node[0]
    if kind == "R":
        return _tensor(node).filled(numbers, at)
    if kind == "T":
        parts = []
        for each in node[1]:
            part, at = _unpack(each, numbers, at)
            parts.append(part)
        return tuple(parts), at
    if kind == "D":
        pairs: dict[Any, Value] = {}
        for key, each in node[1]:
            if type(key) not in (str, int) or len(str(key)) > _TEXT:
                raise Malformed
            pairs[key], at = _unpack(each, numbers, at)
        return pairs, at
    if kind == "X" and len(node) == 3:
        return Foreign(_text(node[1]), _text(node[2])), at
    if kind == "S" and len(node) == 2:
        return _text(node[1]), at
    if kind == "F" and len(node) == 2 and type(node[1]) in (float, int):
        try:
            return float(node[1]), at
        except OverflowError:
            raise Malformed from None
    raise Malformed


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Malformed
    return value[:_TEXT]


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _LINES:
        raise Malformed
    return tuple(map(_text, value))
