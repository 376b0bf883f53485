"""Reads a formula in index notation into SymPy.

The notation is Python's, so that a record can be written and searched as text:

    y[i] = exp(x[i]) / Sum(exp(x[k]), (k, 0, n-1))

The left side names the output and orders its indices. On the right stand indexed inputs, sizes, numbers, `+ - * / **`,
the functions of `FUNCTIONS`, `Sum(body, (index, 0, size-1))`, `Piecewise((value, condition), …, (value, True))`
and `delta(i, j)`. The text is walked, never executed.
"""

from __future__ import annotations

import ast
import operator as op
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import sympy as sp
from sympy.codegen.cfunctions import log1p

from gradcheck.errors import FormulaError
from gradcheck.operators.operator import BATCH_INDEX, BATCH_SIZE, Operator

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
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: op.add,
    ast.Sub: op.sub,
    ast.Mult: op.mul,
    ast.Div: op.truediv,
    ast.Pow: op.pow,
}
_COMPARE: dict[type[ast.cmpop], Callable[..., Any]] = {ast.Gt: sp.Gt, ast.GtE: sp.Ge, ast.Lt: sp.Lt, ast.LtE: sp.Le}


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


@dataclass
class Formula:
    """A formula that was read: `expression` with the free indices `indices`; `ranges` maps each index to its size."""

    expression: sp.Expr
    indices: tuple[sp.Symbol, ...]
    ranges: dict[sp.Symbol, sp.Symbol] = field(default_factory=dict)


class _Reader:
    """Walks the syntax tree of one right side."""

    def __init__(self, text: str, arrays: set[str], sizes: set[str], ranges: dict[sp.Symbol, sp.Symbol]) -> None:
        self.text, self.arrays, self.sizes, self.ranges = text, arrays, sizes, ranges

    def fail(self, node: ast.AST, why: str) -> FormulaError:
        return FormulaError(f"{why}: {ast.get_source_segment(self.text, node) or self.text!r} in {self.text!r}")

    def read(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return sp.true if node.value is True else sp.sympify(node.value)
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self.read(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return _BINARY[type(node.op)](self.read(node.left), self.read(node.right))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
            return _COMPARE[type(node.ops[0])](self.read(node.left), self.read(node.comparators[0]))
        if isinstance(node, ast.Subscript):
            return self.indexed(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self.call(node, node.func.id)
        raise self.fail(node, "this is not part of the notation")

    def name(self, node: ast.Name) -> Any:
        if index_symbol(node.id) in self.ranges:
            return index_symbol(node.id)
        if node.id in self.sizes:
            return size_symbol(node.id)
        if node.id in self.arrays:
            return array_element(node.id, ())
        raise self.fail(node, "this name is neither an input, nor a size, nor an index")

    def indexed(self, node: ast.Subscript) -> Any:
        if not isinstance(node.value, ast.Name) or node.value.id not in self.arrays:
            raise self.fail(node, "only an input of the operator can be indexed")
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return array_element(node.value.id, tuple(self.read(part) for part in parts))

    def call(self, node: ast.Call, name: str) -> Any:
        if name == "Sum":
            return self.sum(node)
        if name == "Piecewise":
            pairs = [pair.elts for pair in node.args if isinstance(pair, ast.Tuple)]
            return sp.Piecewise(*((self.read(value), self.read(condition)) for value, condition in pairs))
        if name in FUNCTIONS:
            return FUNCTIONS[name](*(self.read(argument) for argument in node.args))
        raise self.fail(node, f"{name} is not a function of the notation ({', '.join(FUNCTIONS)}, Sum, Piecewise)")

    def sum(self, node: ast.Call) -> Any:
        match node.args:
            case [body, ast.Tuple(elts=[ast.Name(id=index), ast.Constant(value=0), last])]:
                symbol = index_symbol(index)
                size = self.read(last) + 1
                if not isinstance(size, sp.Symbol):
                    raise self.fail(node, "a sum runs over one of the sizes, from 0 to size-1")
                if symbol in self.ranges:
                    raise self.fail(node, f"the index {index} is in use already; give this sum one of its own")
                self.ranges[symbol] = size
                return sp.Sum(self.read(body), (symbol, 0, size - 1))
        raise self.fail(node, "a sum is written Sum(body, (index, 0, size-1))")


def sizes_of(operator: Operator) -> set[str]:
    """The names of all sizes that a record declares."""
    named = {size for an_input in operator.inputs for size in (*an_input.shape, an_input.classes) if size}
    return named | set(operator.output_shape) | {BATCH_SIZE}


def read_formula(operator: Operator) -> Formula:
    """The definition of `operator` for one sample. Raises FormulaError."""
    left, right = _split(operator.formula)
    target = ast.parse(left, mode="eval").body
    names: list[str] = []
    if isinstance(target, ast.Subscript):
        parts = target.slice.elts if isinstance(target.slice, ast.Tuple) else [target.slice]
        names = [part.id for part in parts if isinstance(part, ast.Name)]
    if len(names) != len(operator.output_shape):
        raise FormulaError(f"{operator.name}: {left!r} and output_shape {operator.output_shape} do not match")
    indices = tuple(index_symbol(name) for name in names)
    ranges = dict(zip(indices, map(size_symbol, operator.output_shape), strict=True))
    return Formula(_read(operator, right, ranges), indices, ranges)


def read_form(operator: Operator, text: str, wrt: str = "") -> Formula:
    """A further form of the output, or with `wrt` of the Jacobian of one sample by that input. Raises FormulaError."""
    definition = read_formula(operator)
    ranges = {index: definition.ranges[index] for index in definition.indices}
    indices = definition.indices
    if wrt:
        an_input = operator.input(wrt)
        fresh = tuple(index_symbol(name) for name in an_input.wrt)
        ranges |= dict(zip(fresh, map(size_symbol, an_input.shape), strict=True))
        indices += fresh
    return Formula(_read(operator, text, ranges), indices, ranges)


def _split(text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not equals:
        raise FormulaError(f"a formula is written 'y[i] = …': {text!r} has no left side")
    return left.strip(), right.strip()


def _read(operator: Operator, text: str, ranges: dict[sp.Symbol, sp.Symbol]) -> sp.Expr:
    arrays = {an_input.name for an_input in operator.inputs}
    reserved = {name for an_input in operator.differentiable_inputs for name in an_input.wrt}
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise FormulaError(f"{operator.name}: {text!r} cannot be read: {error.msg}") from None
    before = set(ranges)
    expression = _Reader(text, arrays, sizes_of(operator), ranges).read(tree)
    taken = {symbol.name for symbol in set(ranges) - before} & (
        reserved | {BATCH_INDEX} if operator.batched else reserved
    )
    if taken:
        raise FormulaError(f"{operator.name}: the index {', '.join(sorted(taken))} is reserved for derivatives")
    return expression
