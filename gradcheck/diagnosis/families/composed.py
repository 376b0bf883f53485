"""Guesses at a slip in a short program: a composed reference with one place of its code changed, and run.

What has no formula of its own (a chain, a step, a network's way back) is expected from a few lines of torch code. A
learner who slips in the same place gets what those lines give with that slip in them.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from textwrap import dedent
from types import FunctionType
from typing import Any

from gradcheck.diagnosis.guess import Context, Guess
from gradcheck.diagnosis.rewriting import DataFlow, Rewriting, neighbours, operations, rewritten, whole_number, written
from gradcheck.operators.record import Operator
from gradcheck.showing.text import in_a_row

_DEEP = 3
"""So many calls down a program's own functions are read."""


@dataclass(frozen=True)
class Slip:
    """A program with one place changed. `text` is a guess's sentence, `answer` the code that belongs there."""

    code: str
    text: str
    answer: str
    cost: float
    program: Callable[..., Any]


def miscoded(context: Context) -> Iterator[Guess]:
    """Every slip in the program that composes the reference."""
    reference = context.spec.reference
    if reference is None or reference.compute is None:
        return
    for slip in slips(reference.compute, context.spec.parameters):
        yield Guess(
            slip.code,
            slip.text,
            lambda o, run=slip.program: context.calculator.run(run, o.trial.arguments),  # type: ignore[misc]
            slip.cost,
            answer=slip.answer,
        )


@lru_cache(maxsize=64)
def slips(program: Callable[..., Any], parameters: tuple[str, ...]) -> tuple[Slip, ...]:
    """All slips in `program` and in the functions of the catalog that it calls. Sentences name `parameters` only: the
    learner's code knows no other names.
    """
    if not isinstance(program, FunctionType):
        return ()
    found = []
    reached = _reached(program)
    for function in reached:
        tree = _tree(function)
        if tree is None:
            continue
        sources = DataFlow(tree, parameters)
        ways = partial(_instead_of, sources=sources, function=function)
        for made, node, (code, told, cost, _, about) in rewritten(tree, ways, {ast.unparse(tree)}):
            assert about is not None
            deps = in_a_row(sources.of(about)) or "results of the way"
            own = about.id if isinstance(about, ast.Name) and about.id in sources.parameters else ""
            text = told.format(deps=deps, part=own or f"what depends on {deps}")
            run = _rebuilt(program, reached, {function: _compiled(made, function)})
            found.append(Slip(code, text, ast.unparse(node), cost, run))
    return tuple(found)


# The functions of a program, taken apart and put together again.


def _reached(program: FunctionType) -> list[FunctionType]:
    """The program, and what of this package's catalog and training it calls."""
    found, queue = [program], [(program, 0)]
    while queue:
        function, depth = queue.pop(0)
        for name in function.__code__.co_names:
            called = function.__globals__.get(name)
            if not isinstance(called, FunctionType) or not called.__module__.startswith(_READ):
                continue
            if called not in found and depth < _DEEP:
                found.append(called)
                queue.append((called, depth + 1))
    return found


_READ = ("gradcheck.catalog", "gradcheck.training")


@lru_cache(maxsize=256)
def _tree(function: FunctionType) -> ast.FunctionDef | None:
    try:
        (tree,) = ast.parse(dedent(inspect.getsource(function))).body
    except (OSError, SyntaxError, ValueError):
        return None
    endless = any(isinstance(node, ast.While) for node in ast.walk(tree))  # one that is changed might never end
    return tree if isinstance(tree, ast.FunctionDef) and not endless and not function.__closure__ else None


def _compiled(text: str, function: FunctionType) -> FunctionType:
    space = dict(function.__globals__)
    exec(compile(text, function.__code__.co_filename, "exec", _ANNOTATIONS), space)  # noqa: S102 — our own reference
    made = space[function.__name__]
    assert isinstance(made, FunctionType)
    return made


_ANNOTATIONS = annotations.compiler_flag
"""They stay text, as in the files that the functions come from."""


def _rebuilt(
    program: FunctionType, reached: list[FunctionType], changed: dict[FunctionType, FunctionType]
) -> Callable[..., Any]:
    """The program again, such that all of its functions call the changed ones."""
    spaces: dict[str, dict[str, Any]] = {}
    made = {}
    for function in reached:
        space = spaces.setdefault(function.__module__, dict(function.__globals__))
        code = changed.get(function, function).__code__
        made[function] = FunctionType(code, space, function.__name__, function.__defaults__)
        made[function].__kwdefaults__ = function.__kwdefaults__
    for space in spaces.values():
        for name, value in list(space.items()):
            if isinstance(value, FunctionType) and value in made:
                space[name] = made[value]
    return made[program]


# One place changed.


def _instead_of(node: ast.AST, sources: DataFlow, function: FunctionType) -> Iterator[Rewriting]:
    match node:
        case ast.BinOp():
            yield from _operations(node)
        case ast.UnaryOp(op=ast.USub(), operand=operand) if not isinstance(operand, ast.Constant):
            yield "sign-flipped", "in {{what}} the sign before {part} is turned", 1.2, written(operand), operand
        case ast.Subscript(ctx=ast.Load()):
            yield from _subscripts(node)
        case ast.Call():
            yield from _calls(node)
        case ast.IfExp(body=ast.BinOp(op=ast.Add()), orelse=alone):
            text = "in {{what}} only the last contribution is kept, where several ways add up"
            yield "overwritten-not-accumulated", text, 1.0, written(alone), node
        case ast.For(iter=runs):
            head, *body = ast.unparse(node).split("\n")
            for code, text, instead in _LOOPS:
                first = head.replace(f" in {ast.unparse(runs)}:", f" in {instead.format(ast.unparse(runs))}:")
                yield code, text, 1.2, "\n".join([first, *body]), runs
        case ast.Name(ctx=ast.Load()):
            yield from _names(node, sources, function)


_LOOPS = (
    ("missing-term", "{{what}} {{is}} right but for the first step of a loop, which is left out", "list({})[1:]"),
    ("missing-term", "{{what}} {{is}} right but for the last step of a loop, which is left out", "list({})[:-1]"),
    ("wrong-direction", "in {{what}} a loop runs in the other direction", "reversed(list({}))"),
)


def _operations(node: ast.BinOp) -> Iterator[Rewriting]:
    one, other = written(node.left), written(node.right)
    sign = _SIGNS.get(type(node.op), "")
    for side, beside, changed in (
        (node.left, node.right, f"{{}} {sign} {other}"),
        (node.right, node.left, f"{one} {sign} {{}}"),
    ):
        if sign and isinstance(side, ast.Constant) and isinstance(side.value, (int, float)):
            near = (side.value - 1, side.value + 1) if sign in "+-" else ()
            for value in (*near, side.value * 2, side.value / 2):
                text = "a number in {{what}} is wrong: that beside {part}"
                yield "scaled-by-constant", text, 1.4, changed.format(value), beside
    yield from operations(node, mend=False)
    if sign == "*" and one == other:
        text = "in {{what}} a square is missing; it depends on {deps}"
        yield "missing-term", text, 1.0, one, node.left
    elif sign == "*":
        text = "in {{what}} a factor enters twice; it depends on {deps}"
        yield "extra-term", text, 1.35, f"{one} * {other} * {other}", node.right


_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.MatMult: "@"}


def _subscripts(node: ast.Subscript) -> Iterator[Rewriting]:
    base, index = written(node.value), node.slice
    text = "in {{what}} a neighbouring entry of {part} is taken"
    first = "in {{what}} the first entry of {part} is taken every time"
    number = whole_number(index)
    if number is not None:
        for other in neighbours(number):
            yield "wrong-index", text, 1.2, f"{base}[{other}]", node.value
    elif isinstance(index, ast.Name):
        for sign in "+-":
            yield "wrong-index", text, 1.2, f"{base}[({index.id} {sign} 1) % len({base})]", node.value
        yield "wrong-index", first, 1.2, f"{base}[0]", node.value
        whole = "in {{what}} all of {part} is taken, where some entries are asked for"
        yield "ignores-argument", whole, 1.2, base, node.value
    elif isinstance(index, ast.Slice) and isinstance(index.lower, ast.Name) and isinstance(index.upper, ast.BinOp):
        for words, at in ((text, f"({index.lower.id} + 1)"), (text, f"({index.lower.id} - 1)"), (first, "0")):
            yield "wrong-index", words, 1.2, f"{base}[[{at} % len({base})]]", node.value
        whole = "in {{what}} all of {part} is taken, where one entry is asked for"
        yield "ignores-argument", whole, 1.2, base, node.value


def _calls(node: ast.Call) -> Iterator[Rewriting]:
    called, whole = node.func, written(node)
    gone, twice = "in {{what}} a function of {part} is left out", "in {{what}} a function of {part} is applied twice"
    if isinstance(called, ast.Name) and called.id == "reversed":
        text = "{{what}} {{is}} computed from the front, where the way leads back from the end"
        yield "wrong-direction", text, 1.1, written(node.args[0]), node
    if not isinstance(called, ast.Attribute):
        return
    base = written(called.value)
    if called.attr in _POINTWISE and not node.args:
        yield "missing-term", gone, 1.15, base, called.value
        yield "extra-term", twice, 1.3, f"{whole}.{called.attr}()", called.value
        for other in _POINTWISE[called.attr]:
            text = "in {{what}} another function is applied to {part}"
            yield "wrong-function", text, 1.25, f"{base}.{other}()", called.value
    elif called.attr == "sum":
        given = ", ".join(map(ast.unparse, [*node.args, *node.keywords]))
        yield "scaled-by-size", "in {{what}} a mean stands where a sum belongs", 1.1, f"{base}.mean({given})", node
        text = "in {{what}} a sum runs over everything, where one axis is meant"
        yield "extra-reduction", text, 1.2, f"{base}.sum()", node
        if node.args and (axis := whole_number(node.args[0])) in (0, 1):
            yield "wrong-axis", "in {{what}} a sum runs over another axis", 1.2, f"{base}.sum({1 - axis})", node
    elif base == "apply" and called.attr == "forward" and len(node.keywords) == 1:
        (given_by,) = node.keywords
        yield "missing-term", gone, 1.15, written(given_by.value), given_by.value
        again = f"apply.forward({ast.unparse(node.args[0])}, {given_by.arg}={whole})"
        yield "extra-term", twice, 1.3, again, given_by.value
    elif base == "apply" and called.attr == "vjp" and len(node.args) == 2 and len(node.keywords) == 1:
        (given_by,) = node.keywords
        text = "in {{what}} a local derivative is left out; it depends on {deps}"
        yield "missing-derivative", text, 1.15, f"{{{given_by.arg!r}: {ast.unparse(node.args[1])}}}", given_by.value


_POINTWISE = {
    "tanh": ("sigmoid", "relu"),
    "sqrt": ("square",),
    "sin": ("cos",),
    "cos": ("sin",),
    "abs": (),
    "exp": (),
    "log": (),
}
"""Methods of one entry each, and what is mistaken for them."""


def _names(node: ast.Name, sources: DataFlow, function: FunctionType) -> Iterator[Rewriting]:
    if node.id in sources.own or node.id in sources.local:
        for other in sources.alike(node.id):
            known = [each in sources.parameters for each in (other, node.id)]
            if all(known):
                text = f"in {{{{what}}}}, {other} stands where {node.id} belongs"
            elif known[0]:
                text = f"in {{{{what}}}}, {other} stands where another variable belongs"
            elif known[1]:
                text = f"in {{{{what}}}}, something else stands where {node.id} belongs"
            else:
                text = "in {{what}} one result of the way stands where another belongs; it depends on {deps}"
            yield "wrong-variable", text, 1.3 - 0.1 * sum(known), other, node
    if node.id in sources.whole:
        for sign, words in (("+", "high"), ("-", "low")):
            text = f"in {{{{what}}}}, {node.id} counts one too {words}"
            yield "wrong-index", text, 1.25, f"({node.id} {sign} 1)", node
    operator = function.__globals__.get(node.id)
    if isinstance(operator, Operator) and operator.flattened:
        from gradcheck.operators import elementwise

        for name, other in vars(elementwise).items():
            if isinstance(other, Operator) and other is not operator and len(other.inputs) == len(operator.inputs) == 1:
                there = f"__import__('gradcheck.operators.elementwise', fromlist=['x']).{name}"
                text = f"in {{{{what}}}}, {other.name} stands where {operator.name} belongs"
                yield "wrong-function", text, 1.15, there, node
