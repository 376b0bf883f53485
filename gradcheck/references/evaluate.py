"""Evaluates a formula on arrays: every index has an axis of its own; sums reduce, the rest broadcasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import sympy as sp

from gradcheck.references.fields import BallField, Field

Branch = Literal["first", "second"]


@dataclass
class Evaluator:
    """Values for the names of a formula, and a memory of every part already evaluated.

    `numbers` what kind of numbers to compute in.
    `arrays`  numpy arrays by name, one axis per index; those of `lead` have one further axis in front for it.
    `sizes`   the number that each size symbol stands for; `ranges` the size of each index.
    `lead`    an index that runs along the front axis of the named arrays, although no formula mentions it: many
              cotangents are evaluated at once that way.
    `at_tie`  which branch of a comparison is taken where both sides are equal.
    `exact`   decides comparisons, when this evaluator's own inputs are balls of some width.
    `either`  where those balls overlap, rounding decides, and another right computation may go the other way: the value
              is then a ball that holds both branches.
    """

    numbers: Field
    arrays: Mapping[str, npt.NDArray[Any]]
    sizes: Mapping[sp.Symbol, int]
    ranges: Mapping[sp.Symbol, sp.Symbol]
    lead: Mapping[str, sp.Symbol] = field(default_factory=dict)
    at_tie: Branch = "first"
    exact: Evaluator | None = None
    either: bool = False
    tied: bool = False

    def __post_init__(self) -> None:
        self.axis = {index: position for position, index in enumerate(self.ranges)}
        # An index whose size is not given belongs to a formula that is not evaluated here.
        self.lengths = [self.sizes.get(size, 1) for size in self.ranges.values()]
        self.memory: dict[Any, Any] = {}
        self.converted: dict[str, Any] = {}

    def __call__(self, expression: sp.Expr, indices: tuple[sp.Symbol, ...]) -> Any:
        """The value of `expression`, one axis per index of `indices` in that order."""
        full = self.value(expression)
        kept = [self.axis[index] for index in indices]
        dropped = tuple(position for position in range(len(self.axis)) if position not in kept)
        shape = [self.lengths[position] if position in kept else 1 for position in range(len(self.axis))]
        if not hasattr(full, "ndim") or full.ndim == 0:
            full = self.numbers.integers(np.zeros(shape, dtype=np.int64)) + full
        full = full.expand(shape) if hasattr(full, "expand") else np.broadcast_to(full, shape)
        squeezed = full.squeeze(dropped) if dropped else full
        order = [sorted(kept).index(position) for position in kept]
        return squeezed.permute(order) if hasattr(squeezed, "permute") else squeezed.transpose(order)

    def value(self, expression: sp.Expr) -> Any:
        if expression not in self.memory:
            self.memory[expression] = self._evaluate(expression)
        return self.memory[expression]

    def _evaluate(self, expression: sp.Expr) -> Any:
        match expression:
            case sp.Rational():
                return self.numbers.ratio(int(expression.p), int(expression.q))
            case sp.Symbol():
                return self._symbol(expression)
            case sp.Indexed():
                return self._gather(expression.base.label.name, expression.indices)
            case sp.KroneckerDelta():
                left, right = (self._positions(argument) for argument in expression.args)
                return self.numbers.integers((left == right).astype(np.int64))
            case sp.Add():
                first, *rest = (self.value(argument) for argument in expression.args)
                for term in rest:
                    first = first + term
                return first
            case sp.Mul():
                return self._product(expression)
            case sp.Pow():
                return self._power(expression)
            case sp.Sum():
                return self._sum(expression)
            case sp.Piecewise():
                return self._piecewise(expression)
            case _:
                return self._function(expression)

    def _symbol(self, symbol: sp.Symbol) -> Any:
        if symbol in self.sizes:
            return self.numbers.ratio(int(self.sizes[symbol]), 1)
        return self._gather(symbol.name, ())

    def _product(self, expression: sp.Mul) -> Any:
        # Divide rather than multiply by a reciprocal: that is what people write, and it rounds once.
        below = [part for part in expression.args if isinstance(part, sp.Pow) and part.args[1].is_negative]
        above = [part for part in expression.args if part not in below]
        product = self.value(above[0]) if above else self.numbers.ratio(1, 1)
        for factor in above[1:]:
            product = product * self.value(factor)
        for factor in below:
            product = product / self.value(factor.args[0] ** -factor.args[1])
        return product

    def _power(self, expression: sp.Pow) -> Any:
        base, exponent = expression.args
        if not (exponent.is_Rational and exponent.q <= 2):
            raise NotImplementedError(f"the evaluator knows whole powers and square roots only, not {expression}")
        if exponent == sp.Rational(1, 2):
            return self.numbers.apply("sqrt", self.value(base))
        if exponent.is_negative:
            return 1 / self.value(base ** (-exponent))
        if exponent.q == 2:
            base, exponent = sp.sqrt(base), exponent.p
        # Multiplied out: flint's own power has no answer for a ball around zero.
        factor = product = self.value(base)
        for _ in range(int(exponent) - 1):
            product = product * factor
        return product

    def _sum(self, expression: sp.Sum) -> Any:
        body, *limits = expression.args
        total = self.value(body)
        for index, _, _ in limits:
            position = self.axis[index]
            if not hasattr(total, "ndim") or total.ndim == 0 or total.shape[position] == 1 != self.lengths[position]:
                total = total * self.numbers.ratio(self.lengths[position], 1)
            else:
                total = self.numbers.sum(total, position)
        return total

    def _piecewise(self, expression: sp.Piecewise) -> Any:
        *branches, (result, last) = expression.args
        if last != sp.true:
            raise NotImplementedError(f"a Piecewise must end with (value, True): {expression}")
        chosen = self.value(result)
        for value, condition in reversed(branches):
            yes, no = self.value(value), chosen
            chosen = self.numbers.where(self._holds(condition), yes, no)
            if self.either:
                assert isinstance(self.numbers, BallField)
                undecided = self._is_undecided(condition, self.numbers)
                if undecided.any():
                    chosen = self.numbers.where(undecided, self.numbers.union(yes, no), chosen)
        return chosen

    def _is_undecided(self, condition: sp.Basic, numbers: BallField) -> npt.NDArray[np.bool_]:
        """Where the balls of a condition's sides overlap, of any part of it."""
        if isinstance(condition, (sp.And, sp.Or)):
            first, *others = (self._is_undecided(part, numbers) for part in condition.args)
            for other in others:
                first = first | other
            return first
        return numbers.overlap(self.value(condition.gts), self.value(condition.lts))

    def _holds(self, condition: sp.Basic) -> npt.NDArray[np.bool_]:
        """Where a condition holds, decided on the exact inputs; a tie goes to the branch of `at_tie`."""
        if isinstance(condition, (sp.And, sp.Or)):  # SymPy makes them of a sum or product of branches
            join = np.logical_and if isinstance(condition, sp.And) else np.logical_or
            first, *others = (self._holds(part) for part in condition.args)
            for other in others:
                first = join(first, other)
            return first
        judge = self.exact or self
        left, right = (judge.value(side) for side in (condition.gts, condition.lts))
        signs = judge.numbers.sign_of_difference(left, right)
        ties = signs == 0
        self.tied = self.tied or bool(ties.any())
        return np.asarray(np.where(ties, self.at_tie == "first", signs > 0), dtype=np.bool_)

    def _function(self, expression: sp.Expr) -> Any:
        name = expression.func.__name__
        if name in ("Max", "Min"):
            first, *rest = (self.value(argument) for argument in expression.args)
            for other in rest:
                first = self.numbers.apply(name, first, other)
            return first
        return self.numbers.apply(name, *(self.value(argument) for argument in expression.args))

    def _positions(self, index: sp.Expr) -> npt.NDArray[np.int64]:
        """The integers that an index takes, along its own axis; labels are looked up."""
        if index.is_Integer:
            return np.full((1,) * len(self.axis), int(index), dtype=np.int64)
        if isinstance(index, sp.Indexed):
            table = self.arrays[index.base.label.name]
            return np.asarray(table[tuple(self._positions(inner) for inner in index.indices)], dtype=np.int64)
        shape = [1] * len(self.axis)
        shape[self.axis[index]] = -1
        return np.arange(self.lengths[self.axis[index]], dtype=np.int64).reshape(shape)

    def _gather(self, name: str, indices: tuple[sp.Expr, ...]) -> Any:
        if name not in self.converted:
            self.converted[name] = self.numbers.array(self.arrays[name])
        positions = tuple(self._positions(index) for index in indices)
        if name in self.lead:
            positions = (self._positions(self.lead[name]), *positions)
        if not positions:
            return self.converted[name].reshape((1,) * len(self.axis))
        return self.numbers.gather(self.converted[name], tuple(np.broadcast_arrays(*positions)))
