"""Expected values of what is composed of operators: a reverse sweep of the derived VJPs in ball arithmetic.

Every number is kept twice: exact, at 200 bits, and as a ball at the candidate's precision that holds whatever a right
computation may have lost on the way. So the tolerance of a network's gradient follows from the same arithmetic as that
of one module. A branch (ReLU, max) is decided on the exact numbers; where rounding may decide it otherwise, either
branch will do.
"""

from __future__ import annotations

import operator as op
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gradcheck.operators.operator import Operator
from gradcheck.references.binding import BATCH_LENGTH, Array, bind, internal_output_shape, output_shape
from gradcheck.references.expected import PRECISION, Expected, midpoints, radii, tolerance_of
from gradcheck.references.fields import TRUTH_BITS, BallField

if TYPE_CHECKING:
    from gradcheck.references.formula import Formula

Balls = npt.NDArray[Any]


class Twin:
    """An array of numbers, exact and as balls. It knows `+ - * / @`, indexing, `T`, `sum`, `reshape`; see `Sweep` for
    the rest. Other operands may be Python numbers, which are taken as exact, or arrays of a `Sweep`.
    """

    __array_ufunc__ = None  # numpy's own operators give way to ours

    def __init__(self, sweep: Sweep, exact: Balls, rounded: Balls) -> None:
        self.sweep, self.exact, self.rounded = sweep, exact, rounded

    @property
    def shape(self) -> tuple[int, ...]:
        return self.exact.shape

    def __len__(self) -> int:
        return len(self.exact)

    def __getitem__(self, index: Any) -> Twin:
        return self.sweep.twin(lambda array: np.asarray(array[index], dtype=object), self)

    @property
    def T(self) -> Twin:
        return self.sweep.twin(lambda array: array.T, self)

    def reshape(self, *shape: int) -> Twin:
        return self.sweep.twin(lambda array: array.reshape(shape), self)

    def sum(self, axis: int | None = None) -> Twin:
        return self.sweep.twin(lambda array: _total(array, axis), self)

    def _with(self, other: Any, function: Callable[[Any, Any], Any]) -> Twin:
        return self.sweep.twin(function, self, other)

    def __add__(self, other: Any) -> Twin:
        return self._with(other, op.add)

    def __sub__(self, other: Any) -> Twin:
        return self._with(other, op.sub)

    def __mul__(self, other: Any) -> Twin:
        return self._with(other, op.mul)

    def __truediv__(self, other: Any) -> Twin:
        return self._with(other, op.truediv)

    def __matmul__(self, other: Any) -> Twin:
        return self._with(other, _matmul)

    def __radd__(self, other: Any) -> Twin:
        return self._with(other, lambda mine, theirs: theirs + mine)

    def __rsub__(self, other: Any) -> Twin:
        return self._with(other, lambda mine, theirs: theirs - mine)

    __rmul__ = __mul__

    def __neg__(self) -> Twin:
        return self * -1


def _total(array: Balls, axis: int | None) -> Balls:
    return np.asarray(array.sum(axis=axis), dtype=object)


def _matmul(left: Balls, right: Balls) -> Balls:
    if left.shape[-1] == 0:  # numpy has no sum of no objects
        return np.zeros(left.shape[:-1] + right.shape[:-2] + right.shape[-1:][: right.ndim - 1], dtype=object)
    return np.asarray(left @ right, dtype=object)


class Sweep:
    """Operators applied to `Twin`s. `dtype` is the candidate's floating type."""

    def __init__(self, dtype: str) -> None:
        bits, self.unit_roundoff, _ = PRECISION[dtype]
        self.dtype = dtype
        self.fields = BallField(TRUTH_BITS), BallField(bits, self.unit_roundoff)

    # Into the sweep.

    def input(self, values: Any) -> Twin:
        """Numbers that a candidate is given: exact, and as balls of the unit roundoff."""
        array = np.asarray(values, dtype=np.float64)
        return Twin(self, *(field.array(array) for field in self.fields))

    def constant(self, values: Any) -> Twin:
        """Numbers that everybody knows exactly."""
        array = np.asarray(values, dtype=np.float64)
        return Twin(self, *(self.fields[0].array(array) for _ in self.fields))

    # Through it.

    def twin(self, function: Callable[..., Any], *twins: Any) -> Twin:
        """The same function of both kinds of numbers, each at its own precision."""
        results = []
        for position, field in enumerate(self.fields):
            with field.precision():
                arrays = [self._plain(each, position) for each in twins]
                results.append(np.asarray(function(*arrays), dtype=object))
        return Twin(self, *results)

    @staticmethod
    def _plain(value: Any, position: int) -> Any:
        if isinstance(value, Twin):
            return (value.exact, value.rounded)[position]
        return np.asarray(value, dtype=object) if isinstance(value, np.ndarray) else value

    def apply(self, name: str, *twins: Any) -> Twin:
        """exp, log, log1p, tanh, sqrt, Abs, cos, sin, Max or Min, entry by entry."""
        return self.twin(self.fields[0].functions[name], *twins)

    def stack(self, twins: list[Twin], axis: int = 0) -> Twin:
        return self.twin(lambda *arrays: np.stack(arrays, axis), *twins)

    def concatenate(self, twins: list[Twin], axis: int = 0) -> Twin:
        return self.twin(lambda *arrays: np.concatenate(arrays, axis), *twins)

    def union(self, first: Twin, second: Twin) -> Twin:
        """Where either of two numbers will do: balls that hold both."""
        return self.twin(self.fields[0].union, first, second)

    def root(self, squares: Twin) -> Twin:
        """The square root of numbers that are ≥ 0. Where a ball reaches down to 0, whatever lies within the root of
        its upper end.
        """
        return self.twin(_ROOT, squares)

    def zeros(self, shape: tuple[int, ...]) -> Twin:
        return self.constant(np.zeros(shape))

    def positive(self, twin: Twin) -> npt.NDArray[np.bool_]:
        """Where the exact numbers are above zero."""
        return np.asarray(self.fields[0].sign_of_difference(twin.exact, 0 * twin.exact) > 0)

    def where(self, mask: npt.NDArray[np.bool_], yes: Twin, no: Twin) -> Twin:
        return self.twin(lambda first, second: np.where(mask, first, second), yes, no)

    def forward(self, operator: Operator, sizes: Mapping[str, int] | None = None, **inputs: Any) -> Twin:
        """The operator's output."""
        from gradcheck.references.derive import derive

        derivation = derive(operator)
        call = OperatorCall(self, operator, inputs, sizes or {})
        result = self.evaluate(call, self.output_of(derivation), derivation.forms)
        return result.reshape(*call.output_shape)

    def vjp(
        self, operator: Operator, cotangent: Any, sizes: Mapping[str, int] | None = None, **inputs: Any
    ) -> dict[str, Twin]:
        """The gradient of every differentiable input, by the derived VJPs."""
        from gradcheck.references.derive import COTANGENT, derive

        derivation = derive(operator)
        call = OperatorCall(self, operator, inputs, sizes or {})
        shape = internal_output_shape(operator, call.sizes)
        call.give(COTANGENT, self._as_twin(cotangent).reshape(*shape))
        found = {}
        for each in operator.differentiable_inputs:
            forms = derivation.vjps[each.name]
            # A sum of products rounds much the same however it is written; Σ_i g_i J_ij would only cost time.
            forms = forms if operator.stable else forms[:1]
            found[each.name] = self.evaluate(call, self.vjp_of(derivation, each.name), forms).reshape(
                *call.shapes[each.name]
            )
        return found

    def jacobian(self, operator: Operator, wrt: str, **inputs: Any) -> Twin:
        """∂y/∂wrt of one sample, outputs' axes first."""
        from gradcheck.references.derive import derive

        forms = derive(operator).jacobians[wrt]
        call = OperatorCall(self, operator, inputs, {}, sample=True)
        return self.evaluate(call, self.jacobian_of(derive(operator), wrt), forms)

    def output_of(self, derivation: Any) -> Formula:
        """The formula that is taken for an output."""
        formula: Formula = derivation.output
        return formula

    def vjp_of(self, derivation: Any, name: str) -> Formula:
        """The formula that is taken for a VJP. A test puts a wrong one in its place."""
        formula: Formula = derivation.vjps[name][0]
        return formula

    def jacobian_of(self, derivation: Any, name: str) -> Formula:
        """The formula that is taken for a Jacobian."""
        formula: Formula = derivation.jacobians[name][0]
        return formula

    def evaluate(self, call: OperatorCall, truth: Formula, forms: tuple[Formula, ...]) -> Twin:
        """`truth` exactly; of the forms the widest ball, around what the first one gives."""
        exact_field, rounded_field = self.fields
        judge = call.evaluator(exact_field, 0, truth)
        with exact_field.precision():
            exact = judge(truth.expression, truth.indices)
        balls = call.evaluator(rounded_field, 1, truth, judge)
        with rounded_field.precision():
            rounded = [balls(form.expression, form.indices) for form in forms]
            widest = np.frompyfunc(
                lambda *each: type(each[0])(each[0].mid(), max(b.rad() for b in each)), len(forms), 1
            )
            return Twin(self, np.asarray(exact, dtype=object), np.asarray(widest(*rounded), dtype=object))

    def _as_twin(self, value: Any) -> Twin:
        return value if isinstance(value, Twin) else self.constant(value)

    # Out of it.

    def expected(self, twin: Twin, scale: float = 1.0) -> Expected:
        """The value with its tolerance. `scale` is the size of what went in, for what underflows."""
        value, own = midpoints(twin.exact), radii(twin.exact)
        return Expected(value, tolerance_of(self.dtype, value, radii(twin.rounded), own, scale, "this function"))


_ROOT = np.frompyfunc(
    lambda ball: ball.sqrt() if ball.lower() > 0 else type(ball)(0, ball.upper().sqrt()),
    1,
    1,
)


class OperatorCall:
    """An operator with its arrays bound: sizes known, flattened where it wants that."""

    def __init__(
        self,
        sweep: Sweep,
        operator: Operator,
        inputs: Mapping[str, Any],
        sizes: Mapping[str, int],
        *,
        sample: bool = False,
    ) -> None:
        self.sweep, self.operator, self.sample = sweep, operator, sample
        twins = {name: value for name, value in inputs.items() if isinstance(value, Twin)}
        self.shapes = {name: np.shape(value.exact if name in twins else value) for name, value in inputs.items()}
        self.arrays: list[dict[str, Array]] = []
        self.sizes: dict[str, int] = {}
        for position in (0, 1):
            arrays = {name: np.asarray(Sweep._plain(value, position)) for name, value in inputs.items()}  # noqa: SLF001
            bound, self.sizes = bind(operator, arrays, dict(sizes), sample=sample)
            self.arrays.append(bound)

    @property
    def output_shape(self) -> tuple[int, ...]:
        return output_shape(self.operator, self.shapes, self.sizes)

    def give(self, name: str, twin: Twin) -> None:
        self.arrays[0][name], self.arrays[1][name] = twin.exact, twin.rounded

    def evaluator(self, field: Any, position: int, truth: Formula, exact: Any = None) -> Any:
        """For formulas of this operator, over the exact arrays (0) or those in balls (1). A tie goes to the second
        branch.
        """
        from gradcheck.references.derive import derive
        from gradcheck.references.evaluate import Evaluator
        from gradcheck.references.formula import size_symbol

        ranges = derive(self.operator).ranges | truth.ranges
        sizes = {size_symbol(name): number for name, number in ({BATCH_LENGTH: 1} | self.sizes).items()}
        return Evaluator(
            field, self.arrays[position], sizes, ranges, at_tie="second", exact=exact, either=exact is not None
        )
