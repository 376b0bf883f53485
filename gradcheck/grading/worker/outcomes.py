"""What came of a call, as a header and raw bytes. A worker packs it; the judge unpacks it and believes nothing.

`unpack` takes a header that may say anything, and either returns an `Outcome` of plain data within bounds or raises
Malformed. How many bytes may follow is asked of the header first, so that no allocation hangs on a worker's word alone.
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from dataclasses import astuple
from typing import Any, get_args

import numpy as np

from gradcheck.checks.outcome import Fault, Foreign, Outcome, RaisePlace, Returned, Unwritten, Value
from gradcheck.grading.worker.wire import MOST_BODY, Header, Malformed

_STATES = ("returned", "not_started", "unfinished", "raised", "exited", "timed_out", "missing")
_DEPTH = 4
_PARTS = 4096
_TEXT = 4_000
_LINES = 40
_STATE = 16_000
_NAME = 200
_MOST_LINES = 1_000_000
_KINDS = {"f": "<f8", "i": "<i8"}
_ITEM = 8


def pack(outcome: Outcome, printed: str) -> tuple[Header, bytes]:
    """A header and the numbers of all tensors in it, float64 or int64, one behind the other."""
    arrays: list[bytes] = []
    fault = outcome.fault
    header = {
        "state": outcome.state,
        "value": _pack(outcome.value, arrays),
        "fault": [fault.kind, fault.text, list(fault.lines)[:_LINES], list(fault.bases)[:_LINES]] if fault else None,
        "mutated": list(outcome.mutated)[:_LINES],
        "refused": outcome.refused,
        "recorded": outcome.recorded,
        "advanced": list(outcome.advanced)[:_LINES],
        "operations": outcome.operations,
        "generators": [[name, b64encode(state).decode()] for name, state in outcome.generators.items()][:_LINES],
        "elsewhere": outcome.drew_elsewhere,
        "unwritten": list(astuple(outcome.unwritten)) if outcome.unwritten else None,
        "printed": printed,
    }
    return header, b"".join(arrays)


def _pack(value: Value, arrays: list[bytes]) -> Any:
    if isinstance(value, Returned):
        kind = None
        if value.values is not None:
            kind = "i" if value.values.dtype.kind == "i" else "f"
            arrays.append(np.ascontiguousarray(value.values, dtype=_KINDS[kind]).tobytes())
        return [
            "R",
            list(value.shape),
            value.dtype,
            value.device,
            kind,
            list(value.shares_with)[:_LINES],
            value.problem,
        ]
    if isinstance(value, Foreign):
        return ["X", value.description, value.remedy]
    if isinstance(value, tuple):
        return ["T", [_pack(part, arrays) for part in value]]
    if isinstance(value, dict):
        return ["D", [[key, _pack(part, arrays)] for key, part in value.items()]]
    return ["S", value] if isinstance(value, str) else ["F", float(value)]


def must_fit(header: Header, length: int) -> None:
    """Raises Malformed unless the tensors of a header need just so many bytes."""
    if length_of(header) != length:
        raise Malformed


def length_of(header: Header) -> int:
    """The bytes that the tensors of a header need. Raises Malformed where it is no such header, or beyond bounds."""
    return _length(header.get("value"), 0)


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
    sizes = isinstance(shape, list) and len(shape) <= 16 and all(type(n) is int and 0 <= n <= MOST_BODY for n in shape)
    if not sizes or kind not in (None, *_KINDS):
        raise Malformed
    # Sizes beside a zero take no room, but no array can have them either.
    if kind is not None and math.prod(max(1, size) for size in shape) * _ITEM > MOST_BODY:
        raise Malformed
    for text in (dtype, device, problem):
        _text(text)
    _texts(shares)


def unpack(header: Header, body: bytes | bytearray) -> tuple[Outcome, str]:
    """The outcome and what was printed. Raises Malformed."""
    state, recorded, operations = header.get("state"), header.get("recorded"), header.get("operations")
    if state not in _STATES or type(recorded) is not bool or type(operations) is not int:
        raise Malformed
    must_fit(header, len(body))
    fault = _fault(header.get("fault"))
    if fault is None and state not in ("returned", "not_started"):
        raise Malformed
    value, _ = _unpack(header["value"], body, 0)
    outcome = Outcome(
        state,
        value if state == "returned" else 0.0,
        fault,
        _texts(header.get("mutated")),
        _text(header.get("refused")),
        recorded,
        _texts(header.get("advanced")),
        max(0, min(operations, 1 << 62)),
        _generators(header.get("generators")),
        header.get("elsewhere") is True,
        _unwritten(header.get("unwritten")) if state == "unfinished" else None,
    )
    return outcome, _text(header.get("printed"))


def _fault(node: Any) -> Fault | None:
    if node is None:
        return None
    if not isinstance(node, list) or len(node) != 4:
        raise Malformed
    return Fault(_text(node[0]), _text(node[1]), _texts(node[2]), _texts(node[3]))


def _unwritten(node: Any) -> Unwritten:
    """Two names of functions, three numbers of lines and a place; nothing that could be a sentence."""
    if not isinstance(node, list) or len(node) != 6:
        raise Malformed
    function, line, place, caller, call, written = node
    if place not in get_args(RaisePlace) or not _is_name(function) or not (caller == "" or _is_name(caller)):
        raise Malformed
    if not all(type(each) is int and 0 <= each <= _MOST_LINES for each in (line, call, written)):
        raise Malformed
    return Unwritten(function, line, place, caller, call, written)


def _is_name(name: Any) -> bool:
    """Whether it is a function's name, or one that Python gives to what has none: `<lambda>`, `<module>`."""
    if not isinstance(name, str) or len(name) > _NAME:
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


def _unpack(node: Any, body: bytes | bytearray, at: int) -> tuple[Value, int]:
    kind = node[0]
    if kind == "R":
        _, shape, dtype, device, of_values, shares, problem = node
        values, end = None, at
        if of_values is not None:
            count = math.prod(shape)
            values, end = np.frombuffer(body, _KINDS[of_values], count, at).reshape(shape), at + count * _ITEM
        return Returned(tuple(shape), dtype, device, values, _texts(shares), problem), end
    if kind == "T":
        parts = []
        for each in node[1]:
            part, at = _unpack(each, body, at)
            parts.append(part)
        return tuple(parts), at
    if kind == "D":
        pairs: dict[Any, Value] = {}
        for key, each in node[1]:
            if type(key) not in (str, int) or len(str(key)) > _TEXT:
                raise Malformed
            pairs[key], at = _unpack(each, body, at)
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
