"""A formula as one function on torch tensors, of floats or of any other numbers that torch's operators compute with.

Every index has an axis of its own; sums reduce, the rest broadcasts. What reads an input outside of it by index
arithmetic (`x[i + k - 1]`) reads 0. Nothing here knows what kind of numbers it works on.
"""

from __future__ import annotations

import operator as op
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import sympy as sp
from sympy.core.relational import Relational

from gradcheck.errors import FormulaError
from gradcheck.references.formula import Formula, is_number, is_whole

if TYPE_CHECKING:
    from torch import Tensor

Positions = npt.NDArray[np.int64]

_LEAD = sp.Dummy("lead", integer=True)
"""The axis in front along which several cotangents lie."""

_RELATIONS = {sp.Gt: "gt", sp.Ge: "ge", sp.Lt: "lt", sp.Le: "le"}
_FLIPPED = {"gt": "ge", "ge": "gt", "lt": "le", "le": "lt"}
_FUNCTIONS = {name: name for name in ("exp", "log", "log1p", "tanh", "sin", "cos")} | {"Abs": "abs"}


def program(formula: Formula, lead: tuple[str, ...] = ()) -> Program:
    """The program of a formula, made once. The arrays named in `lead` have one further axis in front."""
    if lead not in formula.programs:
        formula.programs[lead] = Program(formula, lead)
    made: Program = formula.programs[lead]
    return made


@dataclass(frozen=True)
class _Node:
    """A part of the formula: where its value lies, and the axes that it has, in the program's order.

    A number has none: it is a Fraction, made of sizes alone.
    """

    slot: int
    axes: tuple[int, ...] = ()
    number: bool = False


class _Run:
    """The values of one evaluation."""

    def __init__(
        self, arrays: Mapping[str, Tensor], sizes: Mapping[str, int], lengths: Sequence[Any], *, flip: bool
    ) -> None:
        self.arrays, self.sizes, self.lengths, self.flip = arrays, sizes, lengths, flip
        self.names = _Names(sizes)
        self.values: list[Any] = []


Step = Callable[[_Run], Any]


class Program:
    """One formula, taken apart once; called with its arrays it returns a tensor with an axis per free index.

    Raises FormulaError where the formula holds what nobody can compute, and IndexError where an index without
    arithmetic leaves an array.
    """

    def __init__(self, formula: Formula, lead: tuple[str, ...] = ()) -> None:
        self.formula, self.lead = formula, lead
        front = (_LEAD,) if lead else ()
        self.free = (*front, *formula.indices)
        self.order = {index: place for place, index in enumerate(dict.fromkeys((*self.free, *formula.ranges)))}
        self.steps: list[Step] = []
        self.known: dict[Any, _Node] = {}
        self.axes: set[tuple[int, ...]] = set()
        self.reads: set[str] = set()
        self.result = self._tensor(self._node(formula.expression))
        self.missing = [self.order[index] for index in self.free if self.order[index] not in self.result.axes]
        used = {place for axes in self.axes for place in axes}.union(self.order[index] for index in self.free)
        self.lengths_of = {
            place: arithmetic(formula.ranges[index])
            for index, place in self.order.items()
            if place in used and index != _LEAD
        }

    def __call__(self, arrays: Mapping[str, Tensor], sizes: Mapping[str, int], *, flip: bool = False) -> Tensor:
        """The value at these arrays; with `flip` a comparison of equal numbers goes the other way."""
        run = _Run(arrays, sizes, self._lengths(arrays, sizes), flip=flip)
        for step in self.steps:
            run.values.append(step(run))
        value: Tensor = run.values[self.result.slot]
        if self.missing:
            for place in self.missing:  # in ascending order: what lies before is there
                value = value.unsqueeze(place)
            value = value.expand([run.lengths[place] for place in range(len(self.free))])
        return value

    def entries(self, sizes: Mapping[str, int]) -> int:
        """How many entries the largest tensor on the way has, for one cotangent."""
        lengths = [1 if length is None else length for length in self._lengths({}, sizes)]
        return max((prod(lengths[place] for place in axes) for axes in self.axes), default=1)

    def _lengths(self, arrays: Mapping[str, Tensor], sizes: Mapping[str, int]) -> list[Any]:
        names = _Names(sizes)
        lengths: list[Any] = [None] * len(self.order)
        for place, length in self.lengths_of.items():
            lengths[place] = max(0, int(length(names)))
        if self.lead and arrays:
            lengths[0] = arrays[self.lead[0]].shape[0]
        return lengths

    # The formula taken apart.

    def _node(self, expression: Any) -> _Node:
        if expression not in self.known:
            self.known[expression] = self._made(expression)
        return self.known[expression]

    def _made(self, expression: Any) -> _Node:
        if is_number(expression):
            value = arithmetic(expression)
            return self._add(lambda run: Fraction(value(run.names)), (), number=True)
        match expression:
            case sp.Indexed():
                return self._gather(expression.base.label.name, expression.indices)
            case sp.Symbol():
                if expression in self.order:
                    return self._positions_as_values(expression)
                return self._gather(expression.name, ())
            case sp.Add():
                return self._sum_of_terms(expression.args)
            case sp.Mul():
                return self._product(expression)
            case sp.Pow():
                return self._power(expression)
            case sp.Sum():
                return self._sum(expression)
            case sp.KroneckerDelta():
                mask = self._equal(*expression.args)
                return self._add(lambda run: run.values[mask.slot].double(), mask.axes)
            case sp.Piecewise():
                return self._piecewise(expression)
        return self._function(expression)

    def _add(self, step: Step, axes: Iterable[int], *, number: bool = False) -> _Node:
        own = tuple(sorted(axes))
        self.axes.add(own)
        self.steps.append(step)
        return _Node(len(self.steps) - 1, own, number)

    def _tensor(self, node: _Node) -> _Node:
        """The node as a tensor where it is a number yet."""
        if not node.number:
            return node
        key = "tensor", node.slot
        if key not in self.known:
            self.known[key] = self._add(lambda run: _constant(run.values[node.slot]), ())
        return self.known[key]

    def _apply(self, function: Callable[..., Any], *nodes: _Node) -> _Node:
        """A function of several tensors, entry by entry."""
        axes = sorted({place for node in nodes for place in node.axes})
        laid = [self._laid(node, axes) for node in nodes]
        return self._add(lambda run: function(*(value(run) for value in laid)), axes)

    @staticmethod
    def _laid(node: _Node, axes: Sequence[int]) -> Step:
        """The value with an axis of length one for each of `axes` that it lacks, but those that broadcasting adds."""
        slot = node.slot
        if not node.axes:
            return lambda run: run.values[slot]
        wanted = axes[axes.index(node.axes[0]) :]
        if len(wanted) == len(node.axes):
            return lambda run: run.values[slot]
        own = set(node.axes)
        return lambda run: run.values[slot].reshape([run.lengths[place] if place in own else 1 for place in wanted])

    def _scaled(self, node: _Node, *, by: _Node) -> _Node:
        """A tensor times a number: multiplied and divided by whole numbers, for 1/3 is no float."""
        return self._add(lambda run: _times(run.values[node.slot], run.values[by.slot]), node.axes)

    def _sum_of_terms(self, terms: Sequence[sp.Expr]) -> _Node:
        numbers = [term for term in terms if is_number(term)]
        terms = ([sp.Add(*numbers)] if numbers else []) + [term for term in terms if term not in numbers]
        signed = [(-1, -term) if _is_negative(term) else (1, term) for term in terms]
        signed.sort(key=lambda pair: -pair[0])  # stable: a difference begins with what it is taken from
        (sign, first), *rest = signed
        total = self._node(first)
        if sign < 0:
            total = self._apply(op.neg, self._tensor(total))
        for sign, term in rest:
            node = self._node(term)
            if node.number or total.number:
                total = self._with_number(total, node, sign)
            else:
                total = self._apply(op.add if sign > 0 else op.sub, total, node)
        return total

    def _with_number(self, left: _Node, right: _Node, sign: int) -> _Node:
        """A sum or a difference of which one side is a number."""
        function = op.add if sign > 0 else op.sub
        axes = left.axes or right.axes
        return self._add(
            lambda run: function(*(_operand(run.values[each.slot]) for each in (left, right))),
            axes,
        )

    def _product(self, expression: sp.Mul) -> _Node:
        """Divide rather than multiply by a reciprocal: that is what people write, and it rounds once."""
        factors = [factor for factor in expression.args if not is_number(factor)]
        number = sp.Mul(*(factor for factor in expression.args if is_number(factor)))
        masks = [factor for factor in factors if isinstance(factor, sp.KroneckerDelta)]
        below = [factor for factor in factors if isinstance(factor, sp.Pow) and factor.args[1].is_negative]
        above = [factor for factor in factors if factor not in masks and factor not in below]
        product: _Node | None = None
        for factor in above:
            node = self._tensor(self._node(factor))
            product = node if product is None else self._apply(op.mul, product, node)
        if product is None and below:
            if number == 1:
                product, below = self._node(below[0]), below[1:]
            else:
                product, number = self._tensor(self._node(number)), sp.S.One
        for factor in below:
            assert product is not None
            product = self._apply(op.truediv, product, self._tensor(self._node(factor.args[0] ** -factor.args[1])))
        if product is None:
            product = self._tensor(self._node(number))
        elif number != 1:
            product = self._scaled(product, by=self._node(number))
        for mask in masks:
            product = self._apply(_kept, product, self._equal(*mask.args))
        return product

    def _power(self, expression: sp.Pow) -> _Node:
        base, exponent = expression.args
        if not (exponent.is_Rational and exponent.q <= 2):
            raise FormulaError(f"whole powers and square roots can be computed, not {expression}: write it with exp")
        if exponent.is_negative:
            return self._apply(op.methodcaller("reciprocal"), self._tensor(self._node(base**-exponent)))
        if exponent == sp.Rational(1, 2):
            return self._apply(op.methodcaller("sqrt"), self._tensor(self._node(base)))
        if exponent.q == 2:
            base, exponent = sp.sqrt(base), exponent.p
        # Multiplied out: that is what people write, and it knows where a square is small.
        factor = product = self._tensor(self._node(base))
        for _ in range(int(exponent) - 1):
            product = self._apply(op.mul, product, factor)
        return product

    def _sum(self, expression: sp.Sum) -> _Node:
        body, *limits = expression.args
        node = self._tensor(self._node(body))
        places = [self.order[index] for index, *_ in limits]
        dims = [node.axes.index(place) for place in places if place in node.axes]
        total = node
        if dims:
            axes = [place for place in node.axes if place not in places]
            total = self._add(lambda run: run.values[node.slot].sum(dims), axes)
        absent = [last - first + 1 for index, first, last in limits if self.order[index] not in node.axes]
        for size in absent:
            total = self._scaled(total, by=self._node(size))
        return total

    def _piecewise(self, expression: sp.Piecewise) -> _Node:
        *branches, (last, always) = expression.args
        if always != sp.true:
            raise FormulaError(f"a Piecewise must end with (value, True): {expression}")
        chosen = self._node(last)
        for value, condition in reversed(branches):
            yes, no = self._node(value), chosen
            if yes.number and no.number:
                yes = self._tensor(yes)
            chosen = self._choice(self._condition(condition), yes, no)
        return self._tensor(chosen)

    def _choice(self, mask: _Node, yes: _Node, no: _Node) -> _Node:
        axes = sorted({*mask.axes, *yes.axes, *no.axes})
        laid = [self._laid(each, axes) for each in (mask, yes, no)]

        def choose(run: _Run) -> Any:
            import torch

            condition, first, second = (value(run) for value in laid)
            return torch.where(condition, _operand(first), _operand(second))

        return self._add(choose, axes)

    def _condition(self, condition: Any) -> _Node:
        """A truth value for each entry."""
        if condition not in self.known:
            self.known[condition] = self._decided(condition)
        return self.known[condition]

    def _decided(self, condition: Any) -> _Node:
        if isinstance(condition, (sp.And, sp.Or)):
            join = op.and_ if isinstance(condition, sp.And) else op.or_
            first, *others = (self._condition(part) for part in condition.args)
            for other in others:
                first = self._apply(join, first, other)
            return first
        if isinstance(condition, sp.Not):
            return self._apply(op.invert, self._condition(condition.args[0]))
        if isinstance(condition, (sp.Eq, sp.Ne)) or not isinstance(condition, Relational):
            raise FormulaError(f"a condition compares by >, >=, < or <=, not by {condition}")
        name = next(name for kind, name in _RELATIONS.items() if isinstance(condition, kind))
        left, right = condition.args
        if is_whole(left) and is_whole(right):
            return self._mask(getattr(op, name), left, right)
        sides = [self._node(side) for side in (left, right)]
        if all(side.number for side in sides):
            sides[0] = self._tensor(sides[0])
        axes = sorted({place for side in sides for place in side.axes})
        laid = [self._laid(side, axes) for side in sides]

        def compare(run: _Run) -> Any:
            function = getattr(op, _FLIPPED[name] if run.flip else name)
            return function(*(_operand(value(run)) for value in laid))

        return self._add(compare, axes)

    def _function(self, expression: Any) -> _Node:
        name = expression.func.__name__
        if name in ("Max", "Min"):
            first, *rest = (self._tensor(self._node(argument)) for argument in expression.args)
            for other in rest:
                first = self._apply(_by_name("maximum" if name == "Max" else "minimum"), first, other)
            return first
        if name not in _FUNCTIONS:
            raise FormulaError(f"{expression} cannot be computed: write it with {', '.join(_FUNCTIONS)} or Piecewise")
        return self._apply(_by_name(_FUNCTIONS[name]), self._tensor(self._node(expression.args[0])))

    # Indices.

    def _places(self, *expressions: Any) -> tuple[int, ...]:
        """The axes that indices depend on, those of looked-up ones included."""
        found = {symbol for each in expressions for symbol in each.free_symbols if symbol in self.order}
        for each in expressions:
            for symbol in each.free_symbols:
                if symbol.is_Indexed or symbol in self.order or isinstance(symbol, sp.IndexedBase):
                    continue
                if is_index(symbol):
                    raise FormulaError(f"the index {symbol} of {each} runs over nothing: sum over it, or put it left")
        return tuple(sorted(self.order[symbol] for symbol in found))

    def _whole(self, expressions: Sequence[Any], places: tuple[int, ...]) -> Callable[[_Run], list[Any]]:
        """The whole numbers that index expressions take, each along `places`, and where they are whole."""
        parts = [tuple(map(arithmetic, sp.fraction(sp.together(each)))) for each in expressions]
        indices = [(index, place) for index, place in self.order.items() if place in places]

        def positions(run: _Run) -> list[Any]:
            known: dict[Any, Any] = {}
            for index, place in indices:
                shape = [1] * len(places)
                shape[places.index(place)] = -1
                known[index] = np.arange(run.lengths[place], dtype=np.int64).reshape(shape)
            names = _Names(run.sizes, known, run.arrays)
            found = []
            for above, below in parts:
                number, divisor = above(names), below(names)
                found.append((number // divisor, number % divisor == 0))
            return found

        return positions

    def _mask(self, function: Callable[[Any, Any], Any], left: Any, right: Any) -> _Node:
        """A comparison of index arithmetic: no number is looked at."""
        places = self._places(left, right)
        positions = self._whole([left - right], places)

        def mask(run: _Run) -> Any:
            ((number, whole),) = positions(run)
            shape = [run.lengths[place] for place in places]
            return _from_numpy(np.broadcast_to(function(number, 0) & whole, shape))

        return self._add(mask, places)

    def _equal(self, left: Any, right: Any) -> _Node:
        key = "equal", left, right
        if key not in self.known:
            self.known[key] = self._mask(op.eq, left, right)
        return self.known[key]

    def _positions_as_values(self, index: sp.Symbol) -> _Node:
        place = self.order[index]
        return self._add(lambda run: _from_numpy(np.arange(run.lengths[place], dtype=np.float64)), (place,))

    def _gather(self, name: str, indices: Sequence[Any]) -> _Node:
        """The entries of an array that `indices` name."""
        self.reads.add(name)
        every = ((_LEAD,) if name in self.lead else ()) + tuple(indices)
        plain = [index in self.order for index in every]
        alone = [
            is_plain and sum(index in other.free_symbols for other in every) == 1
            for is_plain, index in zip(plain, every, strict=True)
        ]
        if all(alone):
            return self._view(name, every)
        looked_up = [index for index, private in zip(every, alone, strict=True) if not private]
        shared = self._places(*looked_up)
        positions = self._whole(looked_up, shared)
        kept = [self.order[index] for index, private in zip(every, alone, strict=True) if private]
        at = [axis for axis, private in enumerate(alone) if not private]
        # Where torch puts the looked-up axes: where they stood if they are neighbours, else in front.
        before = at[0] if at == list(range(at[0], at[-1] + 1)) else 0
        laid = [*kept[:before], *shared, *kept[before:]]
        axes = sorted(laid)
        turn = [laid.index(place) for place in axes]
        moves = [bool(each.args) and not isinstance(each, sp.Indexed) for each in looked_up]

        def gather(run: _Run) -> Any:
            array = _array(run.arrays, name)
            lengths = [run.lengths[place] for place in shared]
            inside: Any = True
            chosen: list[Any] = [slice(None)] * len(every)
            for axis, (number, whole), moving in zip(at, positions(run), moves, strict=True):
                size = array.shape[axis]
                within = (number >= 0) & (number < size) & whole
                if not moving and not np.all(within):
                    raise IndexError(f"an index of {name} lies outside of its {size} entries")
                inside = inside & within
                chosen[axis] = np.broadcast_to(np.clip(number, 0, max(0, size - 1)), lengths)
            for axis, (index, private) in enumerate(zip(every, alone, strict=True)):
                if private:
                    array = _as_long(array, axis, run.lengths[self.order[index]], name)
            if 0 in array.shape and all(lengths):
                value = array.new_zeros([run.lengths[place] for place in axes])
            else:
                value = array[tuple(_from_numpy(each) if isinstance(each, np.ndarray) else each for each in chosen)]
                value = value.permute(turn) if turn != sorted(turn) else value
            if np.all(inside):
                return value
            inside = np.broadcast_to(inside, lengths)
            shape = [run.lengths[place] if place in shared else 1 for place in axes]
            return _kept(value, _from_numpy(inside.reshape(shape)))

        return self._add(gather, axes)

    def _view(self, name: str, indices: Sequence[sp.Symbol]) -> _Node:
        """Every index runs along an axis of its own: the array itself, its axes in order."""
        places = [self.order[index] for index in indices]
        turn = sorted(range(len(places)), key=places.__getitem__)

        def view(run: _Run) -> Any:
            array = _array(run.arrays, name)
            if array.ndim != len(places):
                raise IndexError(f"{name} has {array.ndim} axes, not {len(places)}")
            for axis, place in enumerate(places):
                array = _as_long(array, axis, run.lengths[place], name)
            return array.permute(turn) if turn != sorted(turn) else array

        return self._add(view, places)


class _Names:
    """What stands for the symbols of whole-number arithmetic: sizes by name, indices, the tables that are looked up."""

    def __init__(
        self,
        sizes: Mapping[str, int],
        indices: Mapping[sp.Symbol, Positions] | None = None,
        tables: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.sizes, self.indices, self.tables = sizes, indices or {}, tables or {}

    def __getitem__(self, symbol: sp.Symbol) -> Any:
        if symbol in self.indices:
            return self.indices[symbol]
        if symbol.name not in self.sizes:
            raise FormulaError(f"nothing says how large {symbol.name} is: no input has an axis of that size")
        return self.sizes[symbol.name]

    def looked_up(self, name: str, places: tuple[Any, ...]) -> Any:
        table = _array(self.tables, name)
        if table.is_floating_point():
            raise FormulaError(f"{name} stands where an index belongs, but holds real numbers: declare it as a label")
        return table.numpy()[places].astype(np.int64)


def arithmetic(expression: Any) -> Callable[[_Names], Any]:
    """Whole-number arithmetic, and a quotient of it, as a function of what stands for its symbols."""
    match expression:
        case sp.Integer():
            number = int(expression)
            return lambda _: number
        case sp.Rational():
            ratio = Fraction(int(expression.p), int(expression.q))
            return lambda _: ratio
        case sp.Indexed():
            name, places = expression.base.label.name, [arithmetic(index) for index in expression.indices]
            return lambda names: names.looked_up(name, tuple(place(names) for place in places))
        case sp.Symbol():
            if not expression.is_integer:  # an integer input without an axis
                return lambda names: names.looked_up(expression.name, ())
            return lambda names: names[expression]
        case sp.Add() | sp.Mul():
            parts = [arithmetic(part) for part in expression.args]
            join = op.add if isinstance(expression, sp.Add) else op.mul

            def joined(names: _Names) -> Any:
                total = parts[0](names)
                for part in parts[1:]:
                    total = join(total, part(names))
                return total

            return joined
        case sp.Pow():
            base, exponent = arithmetic(expression.args[0]), int(expression.args[1])
            if exponent < 0:
                return lambda names: Fraction(1, base(names) ** -exponent)
            return lambda names: base(names) ** exponent
        case sp.floor():
            above, below = map(arithmetic, sp.fraction(sp.together(expression.args[0])))
            return lambda names: above(names) // below(names)
    raise FormulaError(f"{expression} is no whole-number arithmetic: use sizes, indices, + - * and //")


def is_index(symbol: Any) -> bool:
    """Indices may be 0, sizes may not."""
    return bool(isinstance(symbol, sp.Symbol) and symbol.is_integer and not symbol.is_positive)


def _array(arrays: Mapping[str, Tensor], name: str) -> Any:
    if name not in arrays:
        raise FormulaError(f"the formula reads {name}, which is not given")
    return arrays[name]


def _as_long(array: Any, axis: int, length: int, name: str) -> Any:
    """Its first entries, where an index runs less far than the array."""
    size = array.shape[axis]
    if size < length:
        raise IndexError(f"an index runs to {length} along an axis of {name} that has {size} entries")
    return array if size == length else array.narrow(axis, 0, length)


def _is_negative(term: sp.Expr) -> bool:
    return bool(term.as_coeff_Mul()[0].is_negative)


def _operand(value: Any) -> Any:
    """A number as torch takes it beside a tensor; one that is no float becomes a tensor of the numbers at work."""
    if not isinstance(value, Fraction):
        return value
    return int(value) if value.denominator == 1 else _constant(value)


def _constant(value: Fraction) -> Any:
    import torch

    # A factory's entries are exact in every kind of numbers; 1/3 must be divided out in them.
    above = torch.full((), float(value.numerator), dtype=torch.float64)
    return above if value.denominator == 1 else above / value.denominator


def _times(value: Any, number: Fraction) -> Any:
    above, below = number.numerator, number.denominator
    if above == -1:
        value = -value
    elif above != 1:
        value = value * above
    return value if below == 1 else value / below


def _kept(value: Any, mask: Any) -> Any:
    """The value where `mask` holds, else 0, whatever the value is there."""
    return value.masked_fill(~mask, 0)


def _by_name(name: str) -> Callable[..., Any]:
    """A function of torch, looked up when it is needed: torch takes two seconds to import."""

    def function(*values: Any) -> Any:
        import torch

        return getattr(torch, name)(*values)

    return function


def _from_numpy(array: Any) -> Any:
    import torch

    return torch.from_numpy(np.array(array, order="C"))
