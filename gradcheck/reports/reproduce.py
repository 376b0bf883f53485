"""A failure as a few lines of plain torch, to paste into Python: the calls that show it, and what to look at.

The numbers are written so that each comes back bit for bit. The correct ones are not among them unless asked for.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np

from gradcheck.checks.outcome import Argument, Call, GeneratorArgument
from gradcheck.checks.results import DIGITS, CheckResult, Counterexample
from gradcheck.reports.terminal import WIDTH
from gradcheck.showing.text import printable

_MOST = 4_000
"""A snippet with more numbers than this is nothing that anybody pastes."""
_LOOK = {
    "raised": "it raises",
    "unfinished": "it raises",
    "timed-out": "it does not end: stop it with Ctrl-C",
    "exited": "it ends Python",
    "must-raise": "it must raise an exception, and does not",
    **dict.fromkeys(("nondeterministic", "keeps-state"), "the same call as above; the result is another"),
}


def calls_of(result: CheckResult) -> tuple[Call, ...]:
    """The calls that show a failure, one after another in a new process; none where no call of one function does."""
    example, told = result.counterexample, result.diagnosis.calls if result.diagnosis else ()
    if example is None or not (told or example.calls or example.arguments):
        return ()
    return told or example.calls or (Call(result.function, example.arguments),)


def snippet(result: CheckResult, path: str, *, show_answer: bool = False) -> str:
    """What to paste into a Python that was started where `path` leads to the learner's file. Where there is nothing to
    call, a comment says so.
    """
    calls, example = calls_of(result), result.counterexample
    opening = _comment(f"{result.task}.{result.function}: {result.message}")
    if not calls or example is None:
        return "\n".join([*opening, "# There is no call that shows this."])
    written = [_assignments(call) for call in calls]
    numbers = sum(_count(value) for call in calls for value in call.arguments.values())
    if numbers > _MOST:
        return "\n".join([*opening, f"# It takes {numbers:,} numbers to show this, too many to paste."])
    names = list(dict.fromkeys(call.function for call in calls))
    load = f"run_path({json.dumps(path, ensure_ascii=False)})"
    lines = ["# Paste this into python, started in this folder:", *opening]
    lines += ["import torch", "from runpy import run_path", ""]
    if len(names) == 1:
        lines.append(f'{names[0]} = {load}["{names[0]}"]')
    else:
        lines += [f"functions = {load}", *(f'{name} = functions["{name}"]' for name in names)]
    if example.digits > DIGITS:
        lines.append("torch.set_printoptions(precision=17)")
    bound: dict[str, str] = {}
    for number, (call, assigned) in enumerate(zip(calls, written, strict=True), start=1):
        for name, text in assigned.items():
            if bound.get(name) != text or "torch.Generator" in text:
                lines += text.split("\n")
            bound[name] = text
        lines += _shared_chance(call.arguments)
        made = f"{call.function}({', '.join(assigned)})"
        lines += _shown(result, example, made, number, len(calls))
    if show_answer and example.expected is not None:
        lines += _lines(_expression(example.expected), 0, "correct = ", "")
    return "\n".join(lines)


def _comment(text: str) -> list[str]:
    plain = printable(text.replace("\n", " "))
    return wrap(plain, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _shown(result: CheckResult, example: Counterexample, made: str, number: int, of: int) -> Iterator[str]:
    """The call, and what there is to see of it."""
    last = number == of
    if result.code == "mutates-input" and of > 1:
        yield made if last else f"earlier = {made}"
        yield f"print(earlier)  # {'changed by another call' if last else 'what came back'}"
    elif result.code == "mutates-input" and example.changed:
        changed = ", ".join(example.changed)
        yield from (f"print({changed})  # before", made, f"print({changed})  # after")
    elif result.code == "aliases-input" and example.changed:
        yield from (f"result = {made}", "print(result)", f"{example.changed[0]}.fill_(7)")
        yield f"print(result)  # changed with {example.changed[0]}"
    else:
        code = result.diagnosis.code if result.diagnosis and result.diagnosis.code in _LOOK else result.code
        if last and code in _LOOK:
            yield f"# {_LOOK[code]}"
        yield f"print({made})"


# What a call gets, as Python has it.


@dataclass(frozen=True)
class _Bracketed:
    """Something in brackets, on one line where that fits. `alone`: with one part it needs a comma all the same."""

    opening: str
    parts: Sequence[_Expression]
    closing: str
    alone: bool = False


_Expression = str | _Bracketed


def _assignments(call: Call) -> dict[str, str]:
    """By name, the lines that make each argument."""
    found = {}
    for argument, value in call.arguments.items():
        name = "".join(each if each.isalnum() else "_" for each in argument)
        name = f"{name}_" if name == call.function else name
        lines = list(_lines(_expression(value), 0, f"{name} = ", ""))
        if isinstance(value, GeneratorArgument) and value.state:
            state = f'torch.frombuffer(bytearray(b64decode("{b64encode(value.state).decode()}")), dtype=torch.uint8)'
            lines += ["from base64 import b64decode", f"{name}.set_state({state})"]
        found[name] = "\n".join(lines)
    return found


def _shared_chance(arguments: dict[str, Any]) -> list[str]:
    """The generators that everybody shares, in the state that the call found them in."""
    seeds = {each.elsewhere for each in arguments.values() if isinstance(each, GeneratorArgument)} - {None}
    return [f"import random, numpy; random.seed({n}); numpy.random.seed({n}); torch.manual_seed({n})" for n in seeds]


def _expression(value: Any) -> _Expression:
    if isinstance(value, Argument):
        return _tensor(value)
    if isinstance(value, GeneratorArgument):
        return f"torch.Generator().manual_seed({value.seed})"
    if isinstance(value, dict):
        return _Bracketed("{", [_keyed(_plain(key), _expression(each)) for key, each in value.items()], "}")
    if isinstance(value, (list, tuple)):
        opening, closing = "[]" if isinstance(value, list) else "()"
        return _Bracketed(opening, [_expression(each) for each in value], closing, isinstance(value, tuple))
    return _plain(value)


def _keyed(key: str, value: _Expression) -> _Expression:
    if isinstance(value, str):
        return f"{key}: {value}"
    return _Bracketed(f"{key}: {value.opening}", value.parts, value.closing, value.alone)


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (float, np.floating)):
        return _digits(float(value))
    return str(int(value)) if isinstance(value, np.integer) else repr(value)


def _tensor(argument: Argument) -> _Expression:
    """A tensor of these values, this dtype and this place in memory."""
    values, kind, after = np.asarray(argument.values), f"dtype=torch.{argument.dtype}", ")"
    shape = str(values.shape)
    if not values.size:
        return f"torch.empty({shape}, {kind})"
    if argument.layout == "transposed" and values.ndim == 1:
        wider = np.zeros(2 * values.size, values.dtype)
        wider[::2] = values
        values, after = wider, ")[::2]"
    elif argument.layout == "transposed" and values.ndim:
        after = ").mT.contiguous().mT"
    elif argument.layout == "expanded" and values.ndim and (values == values[:1]).all():
        values, after = values[:1], f").expand({shape})"
    elif argument.layout == "offset" and values.ndim:
        values, after = np.concatenate([np.zeros_like(values[:1]), values]), ")[1:]"
    texts = [_entry(each, argument.dtype) for each in values.ravel().tolist()]
    if len(texts) > 12 and len(set(texts)) == 1:
        return _Bracketed("torch.full(", [str(values.shape), texts[0], kind], after)
    return _Bracketed("torch.tensor(", [_nested(iter(texts), values.shape), kind], after)


def _nested(texts: Iterator[str], shape: Sequence[int]) -> _Expression:
    return _Bracketed("[", [_nested(texts, shape[1:]) for _ in range(shape[0])], "]") if shape else next(texts)


def _entry(value: Any, dtype: str) -> str:
    if dtype == "bool":
        return str(bool(value))
    if "int" in dtype:
        return str(int(value))
    if dtype == "float32" and math.isfinite(value):
        with np.errstate(over="ignore"):
            single = np.float32(value)
        short = str(single)  # as few digits as float32 needs, unless they are read as another number
        if np.isfinite(single) and np.float32(float(short)) == single:
            return short
        value = float(single)
    return _digits(float(value))


def _digits(value: float) -> str:
    return repr(value) if math.isfinite(value) else f'float("{value}")'


def _count(value: Any) -> int:
    """The numbers that it takes to write it; of tensors that repeat one number, one."""
    if isinstance(value, Argument):
        values = np.ravel(value.values)
        return 1 if (values[:1] == values).all() else values.size
    if isinstance(value, (dict, list, tuple)):
        return sum(map(_count, value.values() if isinstance(value, dict) else value))
    return 1


def _flat(written: _Expression) -> str:
    if isinstance(written, str):
        return written
    comma = "," if written.alone and len(written.parts) == 1 else ""
    return f"{written.opening}{', '.join(map(_flat, written.parts))}{comma}{written.closing}"


def _lines(written: _Expression, indent: int, before: str, after: str) -> Iterator[str]:
    """On one line if it fits; else its parts below each other, numbers as many on a line as fit."""
    margin = " " * indent
    flat = f"{margin}{before}{_flat(written)}{after}"
    if isinstance(written, str) or len(flat) <= WIDTH:
        yield flat
        return
    yield f"{margin}{before}{written.opening}"
    row = ""
    for part in written.parts:
        if isinstance(part, str):
            longer = f"{row} {part}," if row else f"{margin}    {part},"
            if row and len(longer) > WIDTH:
                yield row
                longer = f"{margin}    {part},"
            row = longer
        else:
            yield from [row] if row else []
            row = ""
            yield from _lines(part, indent + 4, "", ",")
    yield from [row] if row else []
    yield f"{margin}{written.closing}{after}"
