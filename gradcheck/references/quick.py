"""A sweep in plain float64, without bounds: for searching and for diagnosis, where many guesses are tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.references.fields import NumpyField
from gradcheck.references.sweep import OperatorCall, Sweep, Twin

if TYPE_CHECKING:
    from gradcheck.references.formula import Formula


class QuickSweep(Sweep):
    """Like `Sweep`, but every number is kept once, as float64; `exact` and `rounded` of its twins are the same array.

    A branch at a tie goes to the second side, as in `Sweep`. It has no `expected`: there is no bound.
    """

    def __init__(self) -> None:
        self.dtype, self.unit_roundoff = "float64", 0.0
        field = NumpyField()
        self.fields = field, field  # type: ignore[assignment]  # numbers of another kind, with the same operations

    def input(self, values: Any) -> Twin:
        return self._kept(values)

    def constant(self, values: Any) -> Twin:
        return self._kept(values)

    def twin(self, function: Callable[..., Any], *twins: Any) -> Twin:
        with np.errstate(all="ignore"):
            return self._kept(function(*(self._plain(each, 0) for each in twins)))

    def union(self, first: Twin, second: Twin) -> Twin:  # noqa: ARG002 — the second would do as well
        """Both are right; the first."""
        return first

    def root(self, squares: Twin) -> Twin:
        return self.apply("sqrt", squares)

    def evaluate(self, call: OperatorCall, truth: Formula, forms: tuple[Formula, ...]) -> Twin:  # noqa: ARG002 — no bound
        with np.errstate(all="ignore"):
            return self._kept(call.evaluator(self.fields[0], 0, truth)(truth.expression, truth.indices))

    def _kept(self, values: Any) -> Twin:
        array = np.asarray(values, dtype=np.float64)
        return Twin(self, array, array)
