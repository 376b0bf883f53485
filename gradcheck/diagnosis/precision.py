"""Results that are right to some digits: how many, and what in the file takes the others away."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence

import numpy as np

from gradcheck.checks.file_code import code_below
from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.from_source import ReadFunction
from gradcheck.diagnosis.guess import say
from gradcheck.diagnosis.matching import NEARLY, digits_right
from gradcheck.references.expected import Floats

Pair = tuple[Observation, Floats, Floats]
"""A call, what came back, and what was expected."""

_FLOAT32 = 5, 8
"""So many digits are right of what was computed in float32, the last ones lost on the way."""
_WORSE = 30.0
"""By so many times less precise at float32: what two nearly equal numbers leave when they are subtracted."""


def precision_told(pairs: Sequence[Pair], name: str, least: int, read: ReadFunction | None) -> tuple[str, str]:
    """How many digits are right, and why no more, with a thought of its own perhaps; empty where less than `least` are,
    or some call is plainly wrong.
    """
    exact = [pair for pair in pairs if pair[0].exact]
    digits, why, think = digits_right(exact), "", ""
    if digits >= least:
        line = read and _quotient(read)
        if line:
            why, think = f"a difference quotient (line {line}), not the derivative", _DERIVE
        elif digits >= _SEVERAL and _worse_at_float32(pairs):
            why = "nearly equal numbers are subtracted, as in a difference quotient"
    if not why:
        parts = [part for each in read.called for part in code_below(each)] if read else []
        digits = digits_right(pairs)
        if digits >= least:
            why = _culprit(parts, digits) or "something rounds, or a small number is added"
        elif not digits and least == 1 and (digits := _of_scale(pairs)):
            why = next(iter(sorted(_rounded(parts, digits))), (0, ""))[1]
    text = "{what} {is} right to about {digits} digits only: {why}"
    return (say(text, name, digits=digits, why=why), think) if why else ("", "")


_DERIVE = "A quotient comes near the slope, whatever the step. Which formula is the slope itself?"
_SEVERAL = 3


def _of_scale(pairs: Sequence[Pair]) -> int:
    """How many digits are right beside the largest number that should have come back, in all calls alike."""
    largest = max((float(np.abs(expected).max(initial=0.0)) for *_, expected in pairs), default=0.0)
    worst = max((float(np.abs(got - expected).max(initial=0.0)) for _, got, expected in pairs), default=0.0)
    if not 0 < worst <= NEARLY * largest:  # NaN is not
        return 0
    return int(-math.log10(worst / largest))


def _worse_at_float32(pairs: Sequence[Pair]) -> bool:
    """Whether float32 loses far more than its own digits."""
    exact, single = (_error([pair for pair in pairs if pair[0].exact is kind]) for kind in (True, False))
    return single > max(1e-4, _WORSE * exact)


def _error(pairs: Sequence[Pair]) -> float:
    """The largest error beside the largest number of its own call; 0 where nothing is known."""
    errors = [
        float(np.abs(got - expected).max(initial=0.0) / (np.abs(expected).max(initial=0.0) or 1.0))
        for _, got, expected in pairs
        if np.isfinite(got).all()
    ]
    return max(errors, default=0.0)


def _quotient(read: ReadFunction) -> int:
    """The line where a difference is divided by a small number; 0 where there is none."""
    parts = [part for each in read.called for part in code_below(each)]
    small = {name for name, value in _constants(parts) if 0 < value <= _STEP}
    for part in parts:
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div) and _is_step(part.right, small):
            inside = ast.walk(part.left)
            if any(isinstance(each, ast.BinOp) and isinstance(each.op, ast.Sub) for each in inside):
                return part.lineno
    return 0


_STEP = 0.02


def _constants(parts: Sequence[ast.AST]) -> Iterator[tuple[str, float]]:
    """Names that stand for one number as it is written."""
    for part in parts:
        if isinstance(part, ast.Assign):
            yield from ((each.id, _number(part.value)) for each in part.targets if isinstance(each, ast.Name))
        elif isinstance(part, ast.arguments):
            named = [*part.posonlyargs, *part.args]
            for arg, value in zip(named[::-1], part.defaults[::-1], strict=False):
                yield arg.arg, _number(value)


def _is_step(part: ast.expr, small: set[str]) -> bool:
    """h, 2 * h, 1e-6."""
    if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mult):
        return _is_step(part.left, small) or _is_step(part.right, small)
    return (isinstance(part, ast.Name) and part.id in small) or 0 < _number(part) <= _STEP


# Culprits.


def _culprit(parts: list[ast.AST], digits: int) -> str:
    """What of the code explains so many digits, the likeliest first; empty where there is nothing."""
    for look in (_cast, _rounded, _small):
        found = sorted(look(parts, digits))
        if found:
            return found[0][1]
    return ""


_Found = Iterator[tuple[int, str]]
_NARROW = {"float32", "float16", "half", "bfloat16"}


def _cast(parts: list[ast.AST], digits: int) -> _Found:
    if not _FLOAT32[0] <= digits <= _FLOAT32[1]:
        return
    for part in parts:
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr == "float":
            yield part.lineno, f"{_short(part)} on line {part.lineno} rounds to float32"
        elif isinstance(part, ast.Attribute) and part.attr in _NARROW:
            yield part.lineno, f"{ast.unparse(part)} on line {part.lineno} holds no more"


_KNOWN = {"π": math.pi, "e": math.e, "ln 2": math.log(2), "√2": math.sqrt(2), "√(2 π)": math.sqrt(2 * math.pi)}


def _rounded(parts: list[ast.AST], digits: int) -> _Found:
    for part in parts:
        value = _number(part)
        for words, known in _KNOWN.items():
            off = abs(value / known - 1) if value else 1.0
            if 1e-12 < off < NEARLY and -math.log10(off) < digits + 3:
                line = getattr(part, "lineno", 0)
                yield line, f"{value!r} on line {line} stands for {words}"


def _small(parts: list[ast.AST], digits: int) -> _Found:
    for part in parts:
        if isinstance(part, ast.BinOp) and isinstance(part.op, (ast.Add, ast.Sub)):
            for side, other in ((part.right, part.left), (part.left, part.right)):
                if _fits(_number(side), digits) and not _number(other):
                    yield part.lineno, f"{_written(_number(side))} is added on line {part.lineno}"
        elif isinstance(part, ast.Call) and ast.unparse(part.func).rpartition(".")[2] in _CLIPPING:
            values = [
                each for each in (*part.args, *(each.value for each in part.keywords)) if _fits(_number(each), digits)
            ]
            if values:
                yield part.lineno, f"something is clipped at {_written(_number(values[0]))} on line {part.lineno}"


_CLIPPING = {"clamp", "clamp_", "clip", "clip_", "clamp_min", "maximum", "max"}


def _fits(value: float, digits: int) -> bool:
    """Whether adding so little may leave as many digits as are right: numbers beside it may be a thousandth."""
    return 0 < value <= 0.02 and -math.log10(value) < digits + 4


def _number(part: ast.AST) -> float:
    """A number as it stands in the code, 0 where it is none."""
    if isinstance(part, ast.Constant) and type(part.value) is float and math.isfinite(part.value):
        return part.value
    return 0.0


def _written(value: float) -> str:
    """0.001, 1e-8, as people write it."""
    factor, power = f"{value:e}".split("e")
    return f"{value:g}" if value >= 1e-3 else f"{float(factor):g}e{int(power)}"


def _short(part: ast.expr) -> str:
    text = ast.unparse(part)
    return text if len(text) <= 40 else f"….{text.rpartition('.')[2]}"
