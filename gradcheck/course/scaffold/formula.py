"""What a formula says about its exercise: inputs, axes, sizes; every refusal points at the place with a caret."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from gradcheck.checks.cases import SIZES
from gradcheck.errors import FormulaError
from gradcheck.operators.operator import BATCH_SIZE

Kind = Literal["real", "constant", "label", "probability"]

ONE_ARGUMENT = ("exp", "log", "log1p", "tanh", "sqrt")
ALLOWED = (
    "inputs such as x[i], + - * / **, whole numbers, sizes, " + ", ".join(ONE_ARGUMENT) + ", delta(i, j), "
    "Sum(body, (k, 0, n-1)), Piecewise((value, condition), …, (value, True))"
)
DRAWN = tuple(name for name in SIZES[0] if name not in (BATCH_SIZE, "copies"))
"""Sizes that inputs are drawn for."""
_TAKEN = {"torch", "forward", "backward", "jacobian", "grad_output", "grad_outputs", "g", "True", *ONE_ARGUMENT}
_LONGEST = 2000


@dataclass
class Survey:
    """What was found in a formula: `output` with its `indices`, each index's size, the axes of every input by the
    index that walks along it, in order of appearance; labels with the input axis that they choose from.
    """

    text: str
    output: str = ""
    indices: tuple[str, ...] = ()
    dummies: tuple[str, ...] = ()
    axes: dict[str, list[set[str]]] = field(default_factory=dict)
    labels: dict[str, tuple[str, int]] = field(default_factory=dict)
    sizes: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    branches: bool = False

    @property
    def names(self) -> set[str]:
        """Every name in use, so that a fresh one can be chosen."""
        return {self.output, *self.indices, *self.dummies, *self.axes, *self.sizes.values()}


def read(text: str, declared: tuple[str, ...] = ()) -> Reader:
    """Reads `y[i] = …`; `declared` names scalar inputs that would else be taken for sizes. Raises FormulaError."""
    text = " ".join(text.split())
    reader = Reader(text, declared)
    reader.read()
    return reader


class Reader:
    """Walks both sides of a formula. `found` is what there was, `sized` the size that each sum gives its index, `bare`
    the names without an index: scalar inputs and sizes.
    """

    def __init__(self, text: str, declared: tuple[str, ...]) -> None:
        self.text, self.declared, self.found = text, declared, Survey(text)
        self.start = 0
        self.sized: dict[str, str] = {}
        self.bare: dict[str, ast.AST] = {}

    def fail(self, node: ast.AST | None, why: str, remedy: str = "") -> FormulaError:
        first, last = 0, len(self.text)
        if node is not None:
            first = self.start + int(getattr(node, "col_offset", 0))
            last = self.start + int(getattr(node, "end_col_offset", last))
        return self.fail_at(first, last, why, remedy)

    def fail_at(self, first: int, last: int, why: str, remedy: str = "") -> FormulaError:
        # A long formula is shown around the place, so that the caret stays under it.
        shown, last = self.text, max(last, first + 1)
        if len(shown) > 100:
            left = max(0, first - 40)
            shown, first, last = shown[left : left + 100], first - left, min(last - left, 100)
        lines = [f"the formula cannot be used: {why}", f"    {shown}", f"    {' ' * first}{'^' * (last - first)}"]
        return FormulaError("\n".join([*lines, remedy] if remedy else lines))

    # The two sides.

    def read(self) -> None:
        if len(self.text) > _LONGEST or not self.text.isascii() or not self.text.isprintable():
            raise FormulaError(f"a formula is plain ASCII text of at most {_LONGEST} characters: y[i] = exp(x[i])")
        equals = re.search(r"(?<![<>=!])=(?!=)", self.text)
        if not equals:
            raise self.fail(None, "it has no left side", "It is written y[i] = …, or C = … for a scalar.")
        self.left(equals.start())
        self.start = equals.end() + len(self.text[equals.end() :]) - len(self.text[equals.end() :].lstrip())
        self.visit(self.parsed(self.text[self.start :]), self.found.indices)
        used = {name for axes in self.found.axes.values() for indices in axes for name in indices}
        for name in self.found.indices:
            if name not in used:
                at = self.text.index(name, self.text.index("["))
                raise self.fail_at(at, at + len(name), f"the index {name} has no size: it occurs on the left only")
        if not self.found.axes and not self.bare:
            raise self.fail(None, "there is no input in it", "An input is a name with indices: x[i].")

    def parsed(self, text: str) -> ast.expr:
        try:
            return ast.parse(text, mode="eval").body
        except SyntaxError as error:
            at = self.start + min(max((error.offset or 1) - 1, 0), len(text))
            raise self.fail_at(at, at + 1, f"it cannot be read here ({error.msg})", f"Allowed: {ALLOWED}.") from None
        except (RecursionError, MemoryError, ValueError):
            raise self.fail(None, "it is nested too deeply") from None

    def left(self, end: int) -> None:
        target = self.parsed(self.text[:end].rstrip() or "?")
        names: list[ast.expr] = []
        if isinstance(target, ast.Subscript):
            names = list(target.slice.elts) if isinstance(target.slice, ast.Tuple) else [target.slice]
            target = target.value
        if not isinstance(target, ast.Name) or not all(isinstance(name, ast.Name) for name in names):
            raise self.fail_at(0, end, "the left side is a name with indices", "It is written y[i], y[i, j], or C.")
        self.found.output = target.id
        self.free_name(target, target.id, "output")
        indices = tuple(name.id for name in names if isinstance(name, ast.Name))
        for position, name in enumerate(names):
            self.index_name(name, indices[position])
            if indices[position] in indices[:position]:
                raise self.fail(name, f"the index {indices[position]} stands twice on the left")
        self.found.indices = indices

    def free_name(self, node: ast.AST, name: str, what: str) -> None:
        if name in _TAKEN or name.startswith("_"):
            raise self.fail(node, f"{name} is the grader's own name and cannot be the name of an {what}")

    def index_name(self, node: ast.AST, name: str) -> None:
        if name in ("m", *_TAKEN) or name.startswith("_"):
            raise self.fail(node, f"{name} is reserved and cannot be an index", "Take another letter: i, k, o, h.")

    # The right side. `scope` are the indices that mean something here.

    def visit(self, node: ast.expr, scope: tuple[str, ...]) -> None:
        match node:
            case ast.Constant():
                self.number(node)
            case ast.Name():
                self.name(node, scope)
            case ast.UnaryOp(op=ast.USub()):
                self.visit(node.operand, scope)
            case ast.BinOp(op=ast.Pow()):
                self.visit(node.left, scope)
                self.exponent(node.right)
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div()):
                self.visit(node.left, scope)
                self.visit(node.right, scope)
            case ast.Subscript():
                self.element(node, scope)
            case ast.Call(func=ast.Name(id=name), keywords=[]):
                self.call(node, name, scope)
            case ast.Compare():
                raise self.fail(node, "a comparison stands in Piecewise only")
            case _:
                raise self.fail(node, "this is not part of the notation", f"Allowed: {ALLOWED}.")

    def number(self, node: ast.Constant) -> None:
        if isinstance(node.value, float):
            exact = Fraction(str(node.value))
            remedy = f"Write {exact.numerator}/{exact.denominator}." if abs(node.value) < 1e15 else ""
            raise self.fail(node, "a number with a point is not exact", remedy)
        if isinstance(node.value, bool) or not isinstance(node.value, int):
            raise self.fail(node, "only whole numbers are numbers here")

    def exponent(self, node: ast.expr) -> None:
        inner = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else node
        if not isinstance(inner, ast.Constant) or type(inner.value) is not int or abs(inner.value) > 64:
            raise self.fail(node, "an exponent is a whole number", "For a root write sqrt(…).")

    def name(self, node: ast.Name, scope: tuple[str, ...]) -> None:
        if node.id in scope:
            raise self.fail(node, f"the index {node.id} stands by itself", "An index only points into an input: x[i].")
        if node.id == self.found.output:
            raise self.fail(node, f"{node.id} is the output, which cannot define itself")
        self.bare.setdefault(node.id, node)

    def element(self, node: ast.Subscript, scope: tuple[str, ...]) -> None:
        if not isinstance(node.value, ast.Name):
            raise self.fail(node, "only an input can be indexed")
        name = node.value.id
        if name == self.found.output:
            raise self.fail(node, f"{name} is the output, which cannot define itself")
        self.free_name(node.value, name, "input")
        parts = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        axes = self.found.axes.setdefault(name, [set() for _ in parts])
        if len(axes) != len(parts):
            raise self.fail(
                node, f"{name} has {indices_in_words(len(axes))} elsewhere and {indices_in_words(len(parts))} here"
            )
        for position, part in enumerate(parts):
            if isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name):
                self.element(part, scope)
                self.found.labels[part.value.id] = (name, position)
            elif isinstance(part, ast.Name) and part.id in scope:
                axes[position].add(part.id)
            elif isinstance(part, ast.Name):
                known = "its Sum ends before this place" if part.id in self.found.dummies else "nothing gives its size"
                raise self.fail(part, f"the index {part.id} is neither on the left side nor in a Sum around: {known}")
            else:
                raise self.fail(part, "an index is a letter, or an element of a label input: x[i, labels[i]]")

    def call(self, node: ast.Call, name: str, scope: tuple[str, ...]) -> None:
        if name == "Sum":
            self.sum(node, scope)
        elif name == "Piecewise":
            self.piecewise(node, scope)
        elif name == "delta":
            if len(node.args) != 2 or not all(isinstance(each, ast.Name) and each.id in scope for each in node.args):
                raise self.fail(node, "delta takes two indices that mean something here: delta(i, k)")
        elif name in ("Abs", "Max", "Min"):
            shown = [ast.get_source_segment(self.text[self.start :], each) or "…" for each in node.args] + ["…", "…"]
            first, second = (shown[0], f"-({shown[0]})") if name == "Abs" else shown[:2]
            sign, other = ("<" if name == "Min" else ">"), ("0" if name == "Abs" else second)
            remedy = f"Write Piecewise(({first}, {first} {sign} {other}), ({second}, True))."
            raise self.fail(node, f"{name} has a derivative that jumps, and does not say where", remedy)
        elif name in ONE_ARGUMENT:
            if len(node.args) != 1:
                raise self.fail(node, f"{name} takes one argument")
            self.visit(node.args[0], scope)
        else:
            raise self.fail(node, f"{name} is not a function of the notation", f"Allowed: {ALLOWED}.")

    def sum(self, node: ast.Call, scope: tuple[str, ...]) -> None:
        match node.args:
            case [
                body,
                ast.Tuple(
                    elts=[
                        ast.Name() as index,
                        ast.Constant(value=0),
                        ast.BinOp(left=ast.Name() as size, op=ast.Sub(), right=ast.Constant(value=1)),
                    ]
                ),
            ]:
                self.index_name(index, index.id)
                if index.id in (*self.found.indices, *self.found.dummies):
                    raise self.fail(index, f"the index {index.id} is in use already", "Give this sum one of its own.")
                if size.id not in (*DRAWN, BATCH_SIZE):
                    remedy = f"Sizes are {', '.join((*DRAWN, BATCH_SIZE))}: inputs are drawn for these."
                    raise self.fail(size, f"{size.id} is not the name of a size", remedy)
                self.found.dummies += (index.id,)
                self.sized[index.id] = size.id
                self.visit(body, (*scope, index.id))
            case _:
                raise self.fail(node, "a sum is written Sum(body, (k, 0, n-1))", "For two indices put Sum in Sum.")

    def piecewise(self, node: ast.Call, scope: tuple[str, ...]) -> None:
        self.found.branches = True
        for position, pair in enumerate(node.args):
            last = position == len(node.args) - 1
            match pair:
                case ast.Tuple(elts=[value, ast.Constant(value=True)]) if last and position:
                    self.visit(value, scope)
                case ast.Tuple(
                    elts=[
                        value,
                        ast.Compare(left=one, ops=[ast.Gt() | ast.GtE() | ast.Lt() | ast.LtE()], comparators=[other]),
                    ]
                ) if not last:
                    for each in (value, one, other):
                        self.visit(each, scope)
                case _:
                    raise self.fail(pair, "pairs of a value and a comparison, the last with True", _PIECEWISE)
        if len(node.args) < 2:
            raise self.fail(node, "a Piecewise needs at least two branches", _PIECEWISE)


_PIECEWISE = "It is written Piecewise((x[i], x[i] > 0), (0, True))."


def indices_in_words(count: int) -> str:
    return "one index" if count == 1 else f"{count} indices"
