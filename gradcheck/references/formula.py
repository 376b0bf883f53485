"""Reads a formula in index notation into SymPy.

The notation is Python's, so that a record can be written and searched as text:

    y[i] = exp(x[i]) / Sum(exp(x[k]), (k, 0, n-1))

The left side names the output and orders its indices. On the right stand indexed inputs, sizes, numbers, `+ - * / **`,
the functions of `FUNCTIONS`, `Sum(body, (index, 0, size-1))`, `Piecewise((value, condition), …, (value, True))`
and `delta(i, j)`. An index may be reckoned with: `x[c, 2*i + k - 1]` reads 0 where that lies outside of x. So may a
size: `L - K + 1`, with `//` for a quotient rounded down. The text is walked, never executed.
"""

from __future__ import annotations

import ast
import operator as op
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import sympy as sp
from sympy.codegen.cfunctions import log1p

from gradcheck.errors import FormulaError
from gradcheck.operators.record import Operator

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": sp.exp,
    "log": sp.log,
    "log1p": log1p,
    "tanh": sp.tanh,
    "sqrt": sp.sqrt,
    "Abs": sp.Abs,
    "Max": sp.Max,
    "Min": sp.Min,
    "delta": sp.KroneckerDelta,
}
_ARGUMENTS = dict.fromkeys(FUNCTIONS, 1) | {"Max": 2, "Min": 2, "delta": 2}
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: op.add,
    ast.Sub: op.sub,
    ast.Mult: op.mul,
    ast.Div: op.truediv,
    ast.Pow: op.pow,
    ast.FloorDiv: lambda left, right: sp.floor(left / right),
}
_COMPARE: dict[type[ast.cmpop], Callable[..., Any]] = {ast.Gt: sp.Gt, ast.GtE: sp.Ge, ast.Lt: sp.Lt, ast.LtE: sp.Le}

ALLOWED = (
    "inputs such as x[i], + - * / **, numbers, sizes, "
    + ", ".join(name for name in FUNCTIONS if name != "delta")
    + ", delta(i, j), Sum(body, (k, 0, n-1)), Piecewise((value, condition), …, (value, True))"
)

OWN = "′"
"""Ends every name that the engine gives: nobody can write it in a formula, so no formula can mean something else."""


@cache
def index_symbol(name: str) -> sp.Symbol:
    """The SymPy symbol of an index."""
    return sp.Symbol(name, integer=True, nonnegative=True)


@cache
def size_symbol(name: str) -> sp.Symbol:
    """The SymPy symbol of a size."""
    return sp.Symbol(name, integer=True, positive=True)


@cache
def array_symbol(name: str) -> sp.IndexedBase:
    """The SymPy symbol of an array. Real, so that the derivative of Abs is a sign."""
    return sp.IndexedBase(name, real=True)


def array_element(name: str, indices: tuple[sp.Expr, ...]) -> sp.Expr:
    """One element of an array; a scalar is a plain symbol, which SymPy's Indexed cannot be."""
    return array_symbol(name)[indices] if indices else sp.Symbol(name, real=True)


BATCH = index_symbol("b" + OWN)
BATCH_LENGTH = size_symbol("B" + OWN)
"""The index of a sample in a batch, and how many there are."""


@dataclass
class Formula:
    """A formula that was read: `expression` with the free indices `indices`; `ranges` maps each index to its size.

    `programs` keeps what `gradcheck.references.program` made of it.
    """

    expression: sp.Expr
    indices: tuple[sp.Symbol, ...]
    ranges: dict[sp.Symbol, sp.Expr] = field(default_factory=dict)
    programs: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)


def is_number(expression: Any) -> bool:
    """Whether it is made of sizes and numbers by + - * / alone: the same for every input."""
    if isinstance(expression, sp.Symbol):
        return bool(expression.is_integer and expression.is_positive)
    if isinstance(expression, sp.Pow):
        return is_number(expression.args[0]) and expression.args[1].is_Integer
    if isinstance(expression, (sp.Add, sp.Mul, sp.floor)):
        return all(map(is_number, expression.args))
    return isinstance(expression, sp.Rational)


def is_whole(expression: Any) -> bool:
    """Whether it is made of indices, sizes and whole numbers alone."""
    symbols = expression.free_symbols
    return all(isinstance(each, sp.Symbol) and each.is_integer for each in symbols) and bool(expression.is_integer)


class Text:
    """A formula as it was written, to point at a place in it."""

    _LONGEST = 2000
    _SHOWN = 100

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())

    def fail(self, node: ast.AST | None, why: str, remedy: str = "") -> FormulaError:
        """What is wrong, with the place under a caret. `remedy` says what to write instead."""
        first, last = 0, len(self.text)
        if node is not None:
            first, last = int(getattr(node, "col_offset", 0)), int(getattr(node, "end_col_offset", last) or last)
        return self.fail_at(first, last, why, remedy)

    def fail_at(self, first: int, last: int, why: str, remedy: str = "") -> FormulaError:
        # A long formula is shown around the place, so that the caret stays under it.
        shown, last = self.text, max(last, first + 1)
        if len(shown) > self._SHOWN:
            left = max(0, first - 40)
            shown, first, last = shown[left : left + self._SHOWN], first - left, min(last - left, self._SHOWN)
        lines = [f"the formula cannot be used: {why}", f"    {shown}", f"    {' ' * first}{'^' * (last - first)}"]
        return FormulaError("\n".join([*lines, remedy] if remedy else lines))

    def sides(self) -> tuple[ast.expr, ast.expr]:
        """The syntax trees of `y[i] = …`."""
        match self._parsed():
            case [ast.Assign(targets=[target], value=value)]:
                return target, value
        raise self.fail(None, "it has no left side", "It is written y[i] = …, or C = … for a scalar.")

    def side(self) -> ast.expr:
        """The syntax tree of a right side alone."""
        match self._parsed():
            case [ast.Expr(value=value)]:
                return value
        raise self.fail(None, "this is a right side without a left one")

    def _parsed(self) -> list[ast.stmt]:
        if len(self.text) > self._LONGEST or not self.text.isascii() or not self.text.isprintable():
            raise FormulaError(f"a formula is plain ASCII text of at most {self._LONGEST} characters: y[i] = exp(x[i])")
        try:
            return ast.parse(self.text).body
        except SyntaxError as error:
            at = min(max((error.offset or 1) - 1, 0), len(self.text))
            raise self.fail_at(at, at + 1, f"it cannot be read here ({error.msg})", f"Allowed: {ALLOWED}.") from None
        except (RecursionError, MemoryError, ValueError):
            raise self.fail(None, "it is nested too deeply") from None


class _Reader:
    """Walks the syntax tree of one right side. `arrays` maps an input's name to the sizes of its axes; `labels` are
    those inputs that hold whole numbers.
    """

    def __init__(
        self,
        text: Text,
        arrays: Mapping[str, tuple[sp.Expr, ...]],
        sizes: set[str],
        ranges: dict[sp.Symbol, sp.Expr],
        labels: Collection[str] = (),
    ) -> None:
        self.fail, self.arrays, self.sizes, self.ranges, self.labels = text.fail, arrays, sizes, ranges, labels
        self.scope = set(ranges)

    def read(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return sp.Rational(repr(node.value))
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self.read(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return self.binary(node)
        if isinstance(node, ast.Subscript):
            return self.indexed(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self.call(node, node.func.id)
        if isinstance(node, ast.Compare):
            raise self.fail(node, "a comparison stands in Piecewise only", "Write Piecewise((1, …), (0, True)).")
        raise self.fail(node, "this is not part of the notation", f"Allowed: {ALLOWED}.")

    def condition(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and node.value is True:
            return sp.true
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
            return _COMPARE[type(node.ops[0])](self.read(node.left), self.read(node.comparators[0]))
        raise self.fail(node, "a condition compares two numbers by >, >=, < or <=, or is True")

    def binary(self, node: ast.BinOp) -> Any:
        left, right = self.read(node.left), self.read(node.right)
        if isinstance(node.op, (ast.Div, ast.FloorDiv)) and right == 0:
            raise self.fail(node, "this divides by 0")
        if isinstance(node.op, ast.FloorDiv) and not (is_whole(left) and is_whole(right)):
            raise self.fail(node, "// is for sizes and indices; divide numbers by /")
        if isinstance(node.op, ast.Pow) and not (right.is_Rational and right.q <= 2):
            remedy = "Write another power with exp and log."
            raise self.fail(node.right, "an exponent is a whole number or a half", remedy)
        return _BINARY[type(node.op)](left, right)

    def name(self, node: ast.Name) -> Any:
        symbol = index_symbol(node.id)
        if symbol in self.scope:
            return symbol
        if symbol in self.ranges:
            raise self.fail(node, f"the index {node.id} means nothing here: its Sum ends before this place")
        if node.id in self.sizes and self.arrays.get(node.id) == ():
            raise self.fail(node, f"{node.id} is both an input and a size; rename one of them")
        if node.id in self.sizes:
            return size_symbol(node.id)
        if self.arrays.get(node.id, ()):
            raise self.fail(node, f"{node.id} has {_axes(self.arrays[node.id])}; name each of them by an index")
        if node.id in self.arrays:
            return array_element(node.id, ())
        raise self.fail(node, "this name is neither an input, nor a size, nor an index")

    def indexed(self, node: ast.Subscript) -> Any:
        if not isinstance(node.value, ast.Name) or node.value.id not in self.arrays:
            raise self.fail(node, "only an input of the operator can be indexed")
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        axes = self.arrays[node.value.id]
        if len(parts) != len(axes):
            raise self.fail(node, f"{node.value.id} has {_axes(axes)}, but here stand {len(parts)}")
        indices = tuple(self.index(part) for part in parts)
        for index, size, part in zip(indices, axes, parts, strict=True):
            if self.ranges.get(index, size) != size:
                raise self.fail(
                    part,
                    f"{index} runs over {self.ranges[index]} entries, but this axis of {node.value.id} has {size}; "
                    "take another index, or reckon with it",
                )
        return array_element(node.value.id, indices)

    def index(self, node: ast.expr) -> Any:
        read = self.read(node)
        known = {each: sp.S.Zero for each in read.atoms(sp.Indexed, sp.Symbol) if _name(each) in self.labels}
        if not is_whole(read.xreplace(known)):
            raise self.fail(node, "an index is made of indices, sizes, labels and whole numbers")
        return read

    def call(self, node: ast.Call, name: str) -> Any:
        if name == "Sum":
            return self.sum(node)
        if name == "Piecewise":
            return self.piecewise(node)
        if name not in FUNCTIONS:
            raise self.fail(node, f"{name} is not a function of the notation", f"Allowed: {ALLOWED}.")
        if len(node.args) != _ARGUMENTS[name]:
            raise self.fail(node, f"{name} takes {_ARGUMENTS[name]} of {', '.join('ab'[: _ARGUMENTS[name]])}")
        read = self.index if name == "delta" else self.read
        return FUNCTIONS[name](*(read(argument) for argument in node.args))

    def piecewise(self, node: ast.Call) -> Any:
        pairs = [pair.elts for pair in node.args if isinstance(pair, ast.Tuple) and len(pair.elts) == 2]
        if not pairs or len(pairs) != len(node.args):
            raise self.fail(node, "a choice is made of pairs of a value and a comparison", _PIECEWISE)
        read = [(self.read(value), self.condition(condition)) for value, condition in pairs]
        if read[-1][1] != sp.true:
            raise self.fail(node.args[-1], "pairs of a value and a comparison, the last with True", _PIECEWISE)
        return sp.Piecewise(*read)

    def sum(self, node: ast.Call) -> Any:
        match node.args:
            case [body, ast.Tuple(elts=[ast.Name(id=index), ast.Constant(value=0), last])]:
                symbol = index_symbol(index)
                size = self.read(last) + 1
                if not is_size(size):
                    raise self.fail(node, "a sum runs over one of the sizes, from 0 to size-1")
                if symbol in self.ranges:
                    place = node.args[1].elts[0]  # type: ignore[attr-defined]  # a tuple, as matched
                    raise self.fail(place, f"the index {index} is in use already", "Give this sum one of its own.")
                self.ranges[symbol] = size
                self.scope.add(symbol)
                inner = self.read(body)
                self.scope.remove(symbol)
                return sp.Sum(inner, (symbol, 0, size - 1))
        raise self.fail(node, "a sum is written Sum(body, (k, 0, n-1))", "For two indices put Sum in Sum.")


_PIECEWISE = "It is written Piecewise((x[i], x[i] > 0), (0, True))."


def _name(element: Any) -> str:
    """The array's name, of one element of it."""
    return str(element.base.label.name if isinstance(element, sp.Indexed) else element.name)


def _axes(axes: Sequence[Any]) -> str:
    return f"{len(axes)} axis" if len(axes) == 1 else f"{len(axes)} axes"


def is_size(expression: sp.Expr) -> bool:
    """Whether it counts something: sizes and whole numbers, added, subtracted and divided, none by another's size."""
    symbols = expression.free_symbols
    plain = expression.replace(sp.floor, lambda inside: inside)
    linear = all(sp.Poly(plain, *symbols).total_degree() <= 1 for _ in symbols) if symbols else True
    return bool(linear and is_number(expression) and expression.is_integer)


@cache
def read_size(text: str) -> sp.Expr:
    """A size, or a rule for one such as `L - K + 1`. Raises FormulaError."""
    if text.isidentifier():
        return size_symbol(text)
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise FormulaError(f"the size {text!r} cannot be read: {error.msg}") from None
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    size = _Reader(Text(text), {}, names, {}).read(tree)
    if not is_number(size):
        raise FormulaError(f"the size {text!r} is not made of sizes and whole numbers by + - * and //")
    return size


def sizes_of(operator: Operator) -> set[str]:
    """The names of all sizes that a record declares."""
    named = {size for an_input in operator.inputs for size in (*an_input.shape, an_input.classes) if size}
    return named | {symbol.name for size in operator.output_shape for symbol in read_size(size).free_symbols}


def read_formula(operator: Operator) -> Formula:
    """The definition of `operator` for one sample. Raises FormulaError."""
    text = Text(operator.formula)
    target, right = text.sides()
    names: list[str] = []
    if isinstance(target, ast.Subscript):
        parts = target.slice.elts if isinstance(target.slice, ast.Tuple) else [target.slice]
        names = [part.id for part in parts if isinstance(part, ast.Name)]
    if len(names) != len(operator.output_shape) or len(set(names)) != len(names):
        raise text.fail(target, f"the left side and output_shape {operator.output_shape} do not match")
    indices = tuple(index_symbol(name) for name in names)
    ranges = dict(zip(indices, map(read_size, operator.output_shape), strict=True))
    return Formula(_read(operator, text, right, ranges), indices, ranges)


def read_form(operator: Operator, text: str, wrt: str = "") -> Formula:
    """A further form of the output, or with `wrt` of the Jacobian of one sample by that input. Raises FormulaError."""
    definition = read_formula(operator)
    ranges = {index: definition.ranges[index] for index in definition.indices}
    indices = definition.indices
    if wrt:
        an_input = operator.input(wrt)
        fresh = tuple(index_symbol(name) for name in an_input.wrt)
        ranges |= dict(zip(fresh, map(read_size, an_input.shape), strict=True))
        indices += fresh
    form = Text(text)
    return Formula(_read(operator, form, form.side(), ranges), indices, ranges)


def _read(operator: Operator, text: Text, tree: ast.expr, ranges: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    arrays = {an_input.name: tuple(map(read_size, an_input.shape)) for an_input in operator.inputs}
    reserved = {name for an_input in operator.differentiable_inputs for name in an_input.wrt}
    before = set(ranges)
    labels = {an_input.name for an_input in operator.inputs if an_input.kind == "label"}
    expression = _Reader(text, arrays, sizes_of(operator), ranges, labels).read(tree)
    taken = {symbol.name for symbol in set(ranges) - before} & reserved
    if taken:
        raise text.fail(None, f"the index {', '.join(sorted(taken))} is reserved for derivatives")
    return expression
