"""The mistake in a learner's own code, found by mending it: one place is written otherwise, and everything is right.

Such a sentence is true whatever the code's style is, and it names the line; it says what kind of mistake stands there,
not what belongs there. Variants run where the code runs, under the same limits, and the judge judges them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import islice, pairwise, permutations
from typing import TYPE_CHECKING

from gradcheck.checks.candidate import Candidate, Varied
from gradcheck.checks.judge import judge
from gradcheck.checks.outcome import Call, Foreign, Value
from gradcheck.checks.results import CheckResult
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Trial
from gradcheck.diagnosis.evidence import gather
from gradcheck.diagnosis.from_source import read_function
from gradcheck.diagnosis.rewriting import (
    TERM_TOO_MANY,
    DataFlow,
    Rewriting,
    neighbours,
    operations,
    rewritten,
    whole_number,
    written,
)

if TYPE_CHECKING:
    from gradcheck.checks.engine import Verification

MOST_VARIANTS = 800
"""So many are tried of each kind; a quarter, where a verdict of the record's own takes its time."""
_MOST_PARTS = 3_000
_TOGETHER = 12
_SHOWN = 36
"""Characters of the learner's own code that a sentence quotes."""


@dataclass(frozen=True)
class Repair:
    """A place that is wrong, and nothing else: its line, the mistake's code and a sentence, how far it is from what
    people write, and the codes of other changes that would mend everything too.
    """

    line: int
    code: str
    text: str
    cost: float
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edit:
    """One place written otherwise: the repair that it would be, and the whole function's text."""

    repair: Repair
    function: str
    text: str


def repaired(verification: Verification, spec: FunctionSpec) -> Repair | None:
    """The plainest single change after which all ordinary calls are right; None where there is none."""
    return verification.searched((repaired, spec.name), lambda: (_repaired(verification, spec), True))


def _repaired(verification: Verification, spec: FunctionSpec) -> Repair | None:
    evidence = gather(verification, spec).sightings
    failing = [each.trial for each in evidence if each.failure is not None]
    # What only claims to be a tensor may end the process when something is computed with it.
    if not failing or any(each.outcome.state == "timed_out" or _holds_foreign(each.outcome.value) for each in evidence):
        return None
    # Not the smallest: one entry is right by coincidence too often.
    failing.sort(key=lambda each: abs(sum(part.value.size for part in each.expected) - 12))
    candidate = verification.candidate
    slow = spec.reference is not None and spec.reference.verdict is not None
    most = MOST_VARIANTS // 4 if slow else MOST_VARIANTS
    raised = all(each.outcome.state == "raised" for each in evidence if each.failure is not None)
    trials = failing + [each.trial for each in evidence if each.failure is None]
    for added in (False, True):
        made = islice(edits(candidate, spec.name, added=added), most)
        # What raises may go by leaving it out, though it belongs there.
        some = [each for each in made if not raised or each.repair.code in _FITTING]
        some.sort(key=lambda each: each.repair.cost)
        names = {f"{spec.name} {number + added * MOST_VARIANTS}": each for number, each in enumerate(some)}
        left = candidate.vary([Varied(name, spec.name, each.function, each.text) for name, each in names.items()])
        for trial in trials:
            if left:
                verification.budget.must_go_on()
                left = _right(verification, spec, left, trial)
        if left:
            plainest, *others = (names[name].repair for name in left)
            also = dict.fromkeys(each.code for each in others if each.code != plainest.code)
            return replace(plainest, also=tuple(also))
    return None


def _holds_foreign(value: Value) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    return isinstance(value, Foreign) or any(map(_holds_foreign, parts))


_FITTING = ("transposed", "wrong-axis", "wrong-index", "wrong-variable", "swapped-gradients")
"""Mistakes in how things fit each other."""


def _right(verification: Verification, spec: FunctionSpec, names: list[str], trial: Trial) -> list[str]:
    """Those of the functions that are right in this call."""
    blank = CheckResult(verification.task.name, spec.name, "values", "passed")
    found, at = [], 0
    while at < len(names):
        some = names[at : at + _TOGETHER]  # what raises ends a batch, and the rest of it was made in vain
        outcomes = verification.candidate.call_many([Call(name, trial.arguments) for name in some])
        for name, outcome in zip(some, outcomes, strict=False):
            if judge(spec, blank, trial, outcome) is None:
                found.append(name)
        at += len(outcomes)
        if outcomes[-1].state in ("timed_out", "exited"):
            break
    return found


# Everything that may be written otherwise.


def edits(candidate: Candidate, function: str, *, added: bool = False) -> Iterator[Edit]:
    """Every change of one place in `function` or in what it calls of the same file: of what is written, or with
    something `added`, which is tried where no plainer change helps.
    """
    read = read_function(candidate, function)
    if read is None:
        return
    helpers = [
        (node.name, node) for node in read.called if isinstance(node, ast.FunctionDef) and node not in read.nodes
    ]
    for name, node in [*((function, node) for node in read.nodes), *helpers]:
        tree = _plain(node, name)
        for made, repair in _changes(tree, added=added) if tree is not None else ():
            yield Edit(repair, name, made)


def _plain(node: ast.AST, name: str) -> ast.FunctionDef | None:
    """The definition under that name, a lambda as one, without what may not be evaluated twice."""
    if isinstance(node, ast.Lambda):
        tree = ast.FunctionDef(name, node.args, [ast.copy_location(ast.Return(node.body), node)], [])
    elif isinstance(node, ast.FunctionDef):
        tree = deepcopy(node)
    else:
        return None
    tree.name, tree.decorator_list, tree.returns = name, [], None
    for each in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs):
        each.annotation = None
    parts = list(ast.walk(tree))
    if len(parts) > _MOST_PARTS or any(isinstance(each, (ast.While, ast.AsyncFor, ast.Yield)) for each in parts):
        return None  # a loop that is changed might never end
    return ast.fix_missing_locations(tree)


_Otherwise = tuple[str, str, float, str]
"""A code, a sentence in which {} is the place as it stands, a cost, and what is written instead."""


def _changes(tree: ast.FunctionDef, *, added: bool) -> Iterator[tuple[str, Repair]]:
    """The text of the function with every change of one place, and what that would mend."""
    flow = DataFlow(tree, tuple(each.arg for each in tree.args.args))
    inside = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    seen = {ast.unparse(tree)}

    def ways(node: ast.AST) -> Iterator[Rewriting]:
        if not added:
            found = _otherwise(node, inside, flow)
        elif isinstance(node, ast.expr) and _stands_alone(node, inside.get(id(node))):
            found = _completed(node, flow)
        else:
            return
        yield from ((*each, None) for each in found)

    for made, node, (code, text, cost, *_) in rewritten(tree, ways, seen):
        yield made, Repair(getattr(node, "lineno", 1), code, text.format(_quoted(node)), cost)
    if not added:
        yield from _of_statements(tree, seen)


def _quoted(node: ast.AST) -> str:
    text = ast.unparse(node).split("\n")[0]
    return f"`{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}`".replace("{", "{{").replace("}", "}}")


def _otherwise(node: ast.AST, inside: dict[int, ast.AST], flow: DataFlow) -> Iterator[_Otherwise]:
    around = inside.get(id(node))
    match node:
        case ast.BinOp():
            yield from _operations(node, around)
        case ast.UnaryOp(op=ast.USub(), operand=operand) if whole_number(node) is None:
            yield "sign-flipped", "the sign of {} is wrong", 1.0, written(operand)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            for other in _COMPARED.get(type(op), ()):
                strictness = other == _COMPARED[type(op)][0] and other not in ("!=", "==")
                code = "kink" if strictness else "wrong-mask"
                yield code, "the comparison {} is not the right one", 1.0, f"{written(left)} {other} {written(right)}"
        case ast.Call():
            yield from _calls(node)
        case ast.Attribute(value=value, attr=("T" | "mT")):
            yield "transposed", "{} is transposed where it should not be", 0.9, written(value)
        case ast.Subscript(value=value, slice=part, ctx=ast.Load()):
            yield from _subscripts(value, part)
        case ast.IfExp(test=test, body=body, orelse=other):
            turned = f"{written(other)} if {written(test)} else {written(body)}"
            yield "wrong-mask", "the two cases of {} are exchanged", 1.0, turned
        case ast.Tuple(elts=elements, ctx=ast.Load()) if isinstance(around, ast.Return) and 1 < len(elements) < 4:
            for order in permutations(map(written, elements)):
                yield "swapped-gradients", "the results are returned in the wrong order", 0.9, f"({', '.join(order)})"
        case ast.AugAssign(target=target, op=(ast.Add() | ast.Sub()) as op, value=value):
            name, given, adds = ast.unparse(target), ast.unparse(value), isinstance(op, ast.Add)
            if adds:
                text = "{} adds to what was there, which should be replaced"
                yield "accumulated-over-steps", text, 1.1, f"{name} = {given}"
            text = "{} adds what should be subtracted" if adds else "{} subtracts what should be added"
            yield "sign-flipped", text, 1.0, f"{name} {'-=' if adds else '+='} {given}"
        case ast.Assign(targets=[target], value=value) if _assigned_before(target, flow):
            text, name = "{} overwrites what was there; several contributions add up", ast.unparse(target)
            yield "overwritten-not-accumulated", text, 1.1, f"{name} = {name} + {written(value)}"
        case ast.Name(id=name, ctx=ast.Load()) if name in flow.own or name in flow.local:
            for other in (*flow.own, *flow.local):
                if other != name:
                    yield "wrong-variable", f"{name} is not the right variable there", 1.5, other
        case ast.Constant(value=int(number) | float(number)) if not isinstance(number, bool):
            yield from _numbers(number, around, inside)


_COMPARED: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Gt: (">=", "<", "<=", "=="),
    ast.GtE: (">", "<=", "<"),
    ast.Lt: ("<=", ">", ">="),
    ast.LtE: ("<", ">=", ">"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
}


_LOOP = "the loop over {} has the wrong number of steps"


def _operations(node: ast.BinOp, around: ast.AST | None) -> Iterator[_Otherwise]:
    left, right = written(node.left), written(node.right)
    counts = isinstance(around, ast.Call) and getattr(around.func, "id", "") == "range"
    for code, text, cost, instead, _ in operations(node, mend=True):
        if counts and (code, text, cost) == TERM_TOO_MANY:
            yield "wrong-index", _LOOP, cost, instead
        else:
            yield code, text, cost, instead
    match node.op:
        case ast.Add() | ast.Sub() if counts:
            yield "wrong-index", _LOOP, 1.2, f"{left} {'+' if isinstance(node.op, ast.Sub) else '-'} {right}"
        case ast.Pow():
            yield "wrong-function", "the power {} does not belong there", 1.1, left
            for exponent in ("2", "0.5", "-1", "-0.5", "3"):
                yield "wrong-function", "the power in {} is not the right one", 1.2, f"{left} ** {exponent}"
        case ast.FloorDiv() | ast.Mod():
            for sign in ("//", "/", "%"):
                yield "wrong-function", "{} is not the right kind of division", 1.2, f"{left} {sign} {right}"


def _calls(node: ast.Call) -> Iterator[_Otherwise]:
    called, whole = node.func, ast.unparse(node)
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    of_library = isinstance(called, ast.Attribute) and getattr(called.value, "id", "") in _LIBRARIES
    if isinstance(called, ast.Attribute) and not of_library:
        given, rest, head, first = called.value, node.args, f"{written(called.value)}.", []
    elif node.args and not isinstance(node.args[0], ast.Starred):
        given, rest = node.args[0], node.args[1:]
        head, first = ast.unparse(called)[: -len(name)] if name else "", [given]
    else:
        return
    if name not in _MAKERS:
        code, cost = (_DROPPED[name], 1.2) if name in _DROPPED else ("extra-term", 1.3)
        yield code, f"{name} does not belong there: {{}}", cost, written(given)

    def call(other: str, *more: str, without: tuple[str, ...] = (), args: Sequence[ast.expr] = rest) -> str:
        """Another function of the same, `without` some keywords."""
        kept = [each for each in node.keywords if each.arg not in without]
        return f"{head}{other}({', '.join([*map(ast.unparse, [*first, *args, *kept]), *more])})"

    for other, why in _MISTAKEN.get(name, ()):
        yield why, f"{name} is not the right function there: {{}}", 1.1, call(other)
    if name in _REDUCING:
        yield from _axes(node, name, rest, call)
    if len(node.args) == 2 and not node.keywords:
        one, other = map(ast.unparse, node.args)
        text = "the arguments of {} stand in the wrong order"
        yield "wrong-variable", text, 1.2, f"{ast.unparse(called)}({other}, {one})"
    backwards = "the loop over {} runs in the wrong direction"
    if name == "range":
        for start, more in ((0, 1), (0, -1), (1, 0)) if len(node.args) == 1 else ():
            yield "wrong-index", _LOOP, 1.2, f"range({start}, {ast.unparse(node.args[0])} + {more})"
        yield "wrong-direction", backwards, 1.3, f"reversed({whole})"
    if name == "reversed":
        yield "wrong-direction", backwards, 1.1, written(given)


_KEPT, _AXIS = ("keepdim", "keepdims"), ("dim", "axis")


def _axes(node: ast.Call, name: str, rest: Sequence[ast.expr], call: Callable[..., str]) -> Iterator[_Otherwise]:
    """Of a sum and its like: over another axis, over all or one, with that axis kept or not."""
    keywords = {each.arg for each in node.keywords}
    if not keywords & {*_KEPT}:
        text = "in {} the axis is lost that lets each row meet its own number"
        yield "wrong-axis", text, 1.0, call(name, "keepdim=True")
    else:
        yield "wrong-shape", "{} keeps an axis that should go", 1.0, call(name, without=_KEPT)
    if keywords & {*_AXIS} or rest:
        for axis in ("0", "1", "-1"):
            yield "wrong-axis", "{} goes over the wrong axis", 1.0, call(name, f"dim={axis}", without=_AXIS, args=())
        over_all = call(name, without=tuple(map(str, keywords)), args=())
        yield "wrong-axis", "{} goes over one axis, where all are meant", 1.2, over_all
    else:
        text = "{} goes over everything, where one axis is meant"
        for axis in ("0", "-1"):
            yield "extra-reduction", text, 1.1, call(name, f"dim={axis}")
            yield "extra-reduction", text, 1.15, call(name, f"dim={axis}", "keepdim=True")


_LIBRARIES = ("torch", "F", "np", "numpy", "math", "nn")
_MAKERS = (
    *("range", "zeros", "ones", "zeros_like", "ones_like", "eye", "tensor", "full"),
    *("len", "list", "tuple", "dict", "zip", "enumerate"),
)
_REDUCING = (
    *("sum", "mean", "max", "min", "amax", "amin", "softmax", "log_softmax", "logsumexp"),
    *("argmax", "argmin", "std", "var", "prod", "cumsum"),
)
_DROPPED = {
    "sum": "extra-reduction",
    "mean": "extra-reduction",
    "t": "transposed",
    "abs": "changes-upstream",
    "sign": "changes-upstream",
    "clamp": "changes-upstream",
    "round": "low-precision",
    "float": "low-precision",
    "flip": "wrong-index",
    "reversed": "wrong-direction",
    "squeeze": "wrong-shape",
    "flatten": "wrong-shape",
}
"""The mistake that a function is where it does not belong."""

_MISTAKEN: dict[str, tuple[tuple[str, str], ...]] = {
    "sum": (("mean", "scaled-by-size"), ("max", "wrong-function")),
    "mean": (("sum", "scaled-by-size"),),
    "max": (("min", "wrong-function"), ("sum", "wrong-function")),
    "min": (("max", "wrong-function"),),
    "amax": (("amin", "wrong-function"), ("sum", "wrong-function")),
    "argmax": (("argmin", "wrong-function"),),
    "argmin": (("argmax", "wrong-function"),),
    "tanh": (("sigmoid", "wrong-function"),),
    "sigmoid": (("tanh", "wrong-function"), ("softmax", "wrong-function")),
    "softmax": (("log_softmax", "wrong-function"),),
    "log_softmax": (("softmax", "wrong-function"),),
    "exp": (("log", "wrong-function"), ("expm1", "wrong-function")),
    "log": (("exp", "wrong-function"), ("log1p", "wrong-function")),
    "log2": (("log", "wrong-function"),),
    "log10": (("log", "wrong-function"),),
    "sin": (("cos", "wrong-function"),),
    "cos": (("sin", "wrong-function"),),
    "outer": (("inner", "wrong-function"),),
    "floor": (("ceil", "wrong-function"),),
    "ceil": (("floor", "wrong-function"),),
    "std": (("var", "wrong-function"),),
    "var": (("std", "wrong-function"),),
}
"""Functions, and what they are mistaken for, with the code of the mistake."""


def _subscripts(value: ast.expr, part: ast.expr) -> Iterator[_Otherwise]:
    base, text = written(value), "{} is not the right entry"
    number = whole_number(part)
    if number is not None:
        for other in neighbours(number):
            yield "wrong-index", text, 1.1, f"{base}[{other}]"
    elif isinstance(part, (ast.Name, ast.BinOp)):
        for shift in ("- 1", "+ 1"):
            yield "wrong-index", text, 1.1, f"{base}[{written(part)} {shift}]"
        if isinstance(part, ast.BinOp):
            yield "wrong-index", text, 1.1, f"{base}[{ast.unparse(part.left)}]"
    elif isinstance(part, ast.Slice):
        lower, upper = ("" if each is None else ast.unparse(each) for each in (part.lower, part.upper))
        step = f":{ast.unparse(part.step)}" if part.step else ""
        for one, end in (
            *((f"({lower or 0}) {shift} 1", upper) for shift in "+-"),
            *((lower, f"({upper or 0}) {shift} 1") for shift in "+-"),
            ("", upper),
            (lower, ""),
        ):
            yield "wrong-index", "{} takes the wrong entries", 1.2, f"{base}[{one}:{end}{step}]"
        if step:
            yield "wrong-index", "{} takes the entries in the wrong order", 1.0, f"{base}[{lower}:{upper}]"
    elif isinstance(part, ast.Tuple) and len(part.elts) == 2:
        first, second = map(ast.unparse, part.elts)
        yield "wrong-index", "the indices of {} are exchanged", 1.0, f"{base}[{second}, {first}]"


def _numbers(value: float, around: ast.AST | None, inside: dict[int, ast.AST]) -> Iterator[_Otherwise]:
    if isinstance(around, ast.UnaryOp):
        around = inside.get(id(around))
    if isinstance(around, (ast.Subscript, ast.Slice, ast.keyword, ast.Tuple)) or isinstance(value, bool):
        if isinstance(value, int) and isinstance(around, (ast.Slice, ast.Tuple)):
            for shift in (-1, 1):
                yield "wrong-index", "the number {} takes the wrong entries", 1.4, str(value + shift)
        return
    counted = isinstance(around, ast.Call)
    code, text = (
        ("wrong-index", "the number {} is off") if counted else ("scaled-by-constant", "the number {} is wrong")
    )
    near = [value - 1, value + 1] if isinstance(value, int) else []
    for other in dict.fromkeys([*near, 2 * value, value / 2, -value, 0, 1, 2]):
        if other != value:
            yield code, text, 1.3, repr(int(other) if other == int(other) and isinstance(value, int) else other)


def _assigned_before(target: ast.AST, flow: DataFlow) -> bool:
    return isinstance(target, ast.Subscript) or (
        isinstance(target, ast.Name) and len(flow.assigned.get(target.id, ())) > 1
    )


def _stands_alone(node: ast.expr, around: ast.AST | None) -> bool:
    """Whether the expression is the whole of a result, of an assigned value, of an argument."""
    if isinstance(node, (ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Slice, ast.Starred)):
        return False
    if isinstance(around, (ast.Return, ast.Assign, ast.AugAssign)):
        return not (isinstance(around, ast.Assign) and node in around.targets)
    if isinstance(around, ast.Tuple):
        return isinstance(around.ctx, ast.Load)
    return isinstance(around, (ast.BinOp, ast.Call, ast.DictComp, ast.ListComp, ast.Dict)) and not isinstance(
        getattr(node, "ctx", None), ast.Store
    )


def _completed(node: ast.AST, flow: DataFlow) -> Iterator[_Otherwise]:
    """Something is missing at the place: a sign, a factor, a sum, a transposition."""
    assert isinstance(node, ast.expr)
    whole = written(node)
    yield "sign-flipped", "the sign of {} is wrong", 1.2, f"(-{whole})"
    yield "transposed", "{} must be transposed", 1.2, f"{whole}.mT"
    yield "wrong-index", "{} is in reverse order", 1.5, f"{whole}[::-1]"
    for axis in ("0", "-1"):
        yield "missing-reduction", "a sum is missing around {}", 1.3, f"{whole}.sum({axis})"
        yield "missing-reduction", "a mean is missing around {}", 1.4, f"{whole}.mean({axis})"
    yield "missing-reduction", "a sum is missing around {}", 1.35, f"{whole}.sum()"
    yield "missing-reduction", "a mean is missing around {}", 1.4, f"{whole}.mean()"
    for power in ("2", "0.5"):
        yield "missing-term", "a power or root is missing at {}", 1.4, f"({whole} ** {power})"
    for name in ("exp", "log", "tanh", "sigmoid", "abs"):
        yield "missing-term", "a function is missing around {}", 1.5, f"{whole}.{name}()"
    yield "missing-term", "{} stands where one minus it belongs", 1.4, f"(1 - {whole})"
    for other in flow.own if isinstance(node, ast.Name) else ():
        if other != whole:
            yield "wrong-index", "all of {} is taken, where some entries are asked for", 1.3, f"{whole}[{other}]"
    for other in (*flow.own, *flow.local):
        code = "missing-upstream" if other.startswith("grad_") else "missing-term"
        yield code, "a factor is missing at {}", 1.4, f"({whole} * {other})"
        yield "missing-term", "a term is missing at {}", 1.6, f"({whole} + {other})"
        yield "missing-term", "a term is missing at {}", 1.6, f"({whole} - {other})"
        yield "missing-term", "a division is missing at {}", 1.5, f"({whole} / {other})"


_GONE = ("extra-term", "the line {} does not belong there", 1.4)
_EARLY = ("updated-too-early", "the line {} comes one too early", 1.2)


def _of_statements(tree: ast.FunctionDef, seen: set[str]) -> Iterator[tuple[str, Repair]]:
    """A line too many, or two in the wrong order."""
    for node in ast.walk(tree):
        for field in ("body", "orelse"):
            body = getattr(node, field, None)
            if not isinstance(body, list) or len(body) < 2:
                continue
            changed = [
                ([*body[:k], *body[k + 1 :]], each, _GONE)
                for k, each in enumerate(body)
                if isinstance(each, (ast.Assign, ast.AugAssign, ast.Expr, ast.If, ast.For))
            ]
            changed += [
                ([*body[:k], other, one, *body[k + 2 :]], one, _EARLY)
                for k, (one, other) in enumerate(pairwise(body))
                if not isinstance(other, ast.Return)
            ]
            for instead, at, (code, text, cost) in changed:
                setattr(node, field, instead)
                made = ast.unparse(tree)
                setattr(node, field, body)
                if made not in seen:
                    seen.add(made)
                    yield made, Repair(at.lineno, code, text.format(_quoted(at)), cost)
