"""What came of calls, as a header and raw bytes. A worker packs it; the judge unpacks it and believes nothing.

`unpack` takes a header that may say anything, and either returns an `Outcome` of plain data for each of the first calls
or raises Malformed. How many bytes may follow is asked of the header first, so that no allocation hangs on a worker's
word alone. A call that came to nothing but tensors, as nearly all do, is told by the number of their form.
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import astuple, replace
from typing import Any, NamedTuple, get_args

import numpy as np

from gradcheck.checks.outcome import (
    Fault,
    Foreign,
    Operand,
    Operation,
    OperationKind,
    Outcome,
    RaisePlace,
    Returned,
    SideBySide,
    Signature,
    Stray,
    Unwritten,
    Value,
)
from gradcheck.isolation.worker.wire import MOST_BODY, Header, Malformed

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
    sizes = isinstance(shape, list) and len(shape) <= 16 and all(type(n) is int and 0 <= n <= MOST_BODY for n in shape)
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
    state, recorded, operations = row.get("state"), row.get("recorded"), row.get("operations")
    if state not in _STATES or type(recorded) is not bool or type(operations) is not int:
        raise Malformed
    fault = _fault(row.get("fault"))
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


def _fault(node: Any) -> Fault | None:
    if node is None:
        return None
    kind, text, lines, bases, operation = _row(node, 5)
    return Fault(_text(kind), _text(text), _texts(lines), _texts(bases), _operation(operation))


def _operation(node: Any) -> Operation | None:
    """What raised, in a submission's own words: short texts, lines and sizes."""
    if node is None:
        return None
    line, source, kind, name, operands, missing, similar, strays = _row(node, 8)
    if kind not in get_args(OperationKind) or not isinstance(operands, list) or not isinstance(strays, list):
        raise Malformed
    return Operation(
        _line(line),
        _short(source),
        kind,
        _short(name),
        tuple(map(_operand, operands[:_LINES])),
        _short(missing),
        tuple(map(_short, _texts(similar))),
        tuple(map(_stray, strays[:_LINES])),
    )


def _operand(node: Any) -> Operand:
    source, kind, shape, dtype, value = _row(node, 5)
    if shape is not None:
        if not isinstance(shape, list) or len(shape) > 16:
            raise Malformed
        shape = tuple(map(_line, shape))
    return Operand(_short(source), _short(kind), shape, _short(dtype), _short(value))


def _stray(node: Any) -> Stray:
    line, source, dtype, name = _row(node, 4)
    return Stray(_line(line), _short(source), _short(dtype), _short(name))


def _row(node: Any, length: int) -> list[Any]:
    if not isinstance(node, list) or len(node) != length:
        raise Malformed
    return node


def _line(value: Any) -> int:
    """The number of a line, or a size."""
    if type(value) is not int or value < 0:
        raise Malformed
    return min(value, MOST_BODY)


def _short(value: Any) -> str:
    return _text(value)[:_NAME]


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
