"""Pieces of torch code with the axes of what they compute, and the products that are summed over an axis of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

ADD, MUL, POWER, ATOM = range(4)


class NotWritten(Exception):
    """Part of a formula is beyond what can be written here; the message says which."""


@dataclass(frozen=True)
class Part:
    """Code for a part of a formula. `axes` are its tensor's last axes, by index; `batched` says whether a batch's axis
    lies in front of them; `level` how tightly its outermost operation binds.
    """

    code: str
    axes: tuple[sp.Symbol, ...] = ()
    batched: bool = False
    level: int = ATOM
    number: bool = False

    def at(self, level: int) -> str:
        return self.code if self.level >= level else f"({self.code})"


def aligned(part: Part, axes: tuple[sp.Symbol, ...], level: int) -> str:
    """The part with an axis for each of `axes`, of length 1 where it has none."""
    if part.number or part.axes == axes:
        return part.at(level)
    kept = ["" if index in part.axes else "None" for index in axes]
    if not part.batched:
        while kept and kept[0]:
            kept.pop(0)
    if not any(kept):
        return part.at(level)
    if part.batched:
        while not kept[0]:
            kept.pop(0)
        kept.insert(0, "...")
    return f"{part.at(ATOM)}[{', '.join(each or ':' for each in kept)}]"


def product_summed(parts: Sequence[Part], summed: Sequence[sp.Symbol], left: tuple[sp.Symbol, ...]) -> Part | None:
    """The product of parts of different axes, summed: a product of matrices where it is one, else Einstein's sum.

    `left` are the axes that stay, in order. None where an index is no single letter.
    """
    made = _matrix_product(parts, summed[0], left) if len(summed) == 1 else None
    if made is not None:
        return made
    if any(len(str(index)) > 1 for part in parts for index in part.axes):
        return None
    batched = any(part.batched for part in parts)
    letters = [("..." if part.batched else "") + "".join(map(str, part.axes)) for part in parts]
    target = ("..." if batched else "") + "".join(map(str, left))
    operands = ", ".join(part.code for part in parts)
    return Part(f'torch.einsum("{",".join(letters)}->{target}", {operands})', left, batched)


def _matrix_product(parts: Sequence[Part], summed: sp.Symbol, left: tuple[sp.Symbol, ...]) -> Part | None:
    matrices = [part for part in parts if len(part.axes) == 2 and not part.batched]
    vectors = [part for part in parts if part.axes == (summed,)]
    if len(parts) != 2 or len(matrices) + len(vectors) != 2 or not matrices:
        return None
    first = matrices[0]
    if vectors and vectors[0].batched:
        right = _turned(first) if first.axes[1] == summed else first.at(POWER)
        return Part(f"{vectors[0].at(MUL)} @ {right}", left, True, MUL)
    second = vectors[0] if vectors else matrices[1]
    if not vectors and first.axes[first.axes[0] == summed] != left[0]:
        first, second = second, first
    one = _turned(first) if first.axes[0] == summed else first.at(MUL)
    other = _turned(second) if len(second.axes) == 2 and second.axes[1] == summed else second.at(POWER)
    return Part(f"{one} @ {other}", left, level=MUL)


def _turned(matrix: Part) -> str:
    return matrix.code.removesuffix(".T") if matrix.code.endswith(".T") else f"{matrix.at(ATOM)}.T"


def below(part: sp.Expr) -> bool:
    """Whether it stands below a fraction bar."""
    return isinstance(part, sp.Pow) and bool(part.args[1].is_negative)
