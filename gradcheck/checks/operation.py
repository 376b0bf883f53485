"""Which operation of a candidate's file raised, and what it was given: facts, read off the frame that was left behind.

Nothing of the candidate's is called again. What stands in an expression is looked up; of torch's own functions those
that only compute are repeated on plain tensors, as they were computed a moment ago.
"""

from __future__ import annotations

import ast
import builtins
import dis
import linecache
import operator as op
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import FrameType, ModuleType, TracebackType
from typing import Any

import numpy as np
import torch

from gradcheck.checks.file_code import tree_of
from gradcheck.checks.outcome import Operand, Operation, OperationKind, Stray
from gradcheck.showing.text import name_of, nearest

_LONGEST = 100
"""Characters of an expression that are told."""
_MOST = 8
"""Operands that are told."""
_UNKNOWN = object()

_OPERATORS: dict[type, tuple[str, Callable[..., Any]]] = {
    ast.Add: ("+", op.add), ast.Sub: ("-", op.sub), ast.Mult: ("*", op.mul), ast.Div: ("/", op.truediv),
    ast.FloorDiv: ("//", op.floordiv), ast.Mod: ("%", op.mod), ast.Pow: ("**", op.pow), ast.MatMult: ("@", op.matmul),
    ast.BitAnd: ("&", op.and_), ast.BitOr: ("|", op.or_), ast.BitXor: ("^", op.xor), ast.Lt: ("<", op.lt),
    ast.LtE: ("<=", op.le), ast.Gt: (">", op.gt), ast.GtE: (">=", op.ge), ast.Eq: ("==", op.eq),
    ast.NotEq: ("!=", op.ne), ast.USub: ("-", op.neg), ast.Not: ("not", op.not_), ast.Invert: ("~", op.invert),
}  # fmt: skip
_VIEWS = ("T", "mT", "shape", "ndim", "dtype", "data", "grad")
_COMPUTING = frozenset(
    """
    abs add amax amin argmax argmin broadcast_to bool bmm cat ceil chunk clamp clone cos cumsum detach diag diagonal
    div dot double dim einsum exp expand expm1 eye flatten flip float floor full full_like gather half int log log1p
    log_softmax logsumexp long matmul max maximum mean min minimum mm mul mv neg numel ones ones_like outer permute
    pow prod relu repeat reshape round rsqrt select sigmoid sign sin size softmax split sqrt square squeeze stack std
    sub sum swapaxes t tanh tensor arange linspace tile transpose tril triu unbind unsqueeze var view where zeros
    zeros_like new_zeros new_ones to type_as argsort sort masked_fill eq ne lt le gt ge
    """.split()  # noqa: SIM905 - a hundred quoted names are harder to read
)
"""Functions and methods of torch that compute from what they get, and leave it alone."""
_RANDOM = ("rand", "randn", "empty")
_MAKERS = ("ones", "zeros", "eye", "arange", "linspace", "tensor", "full", *_RANDOM, "float", "half", "double")
"""What makes a tensor of a dtype that no argument decides."""
_KEYWORDS = (
    "dim", "keepdim", "dtype", "axis", "unbiased", "correction", "diagonal", "generator", "min", "max", "index",
    "input", "descending", "reduction", "dim0", "dim1", "device", "num_classes", "repeats", "other", "value", "p",
)  # fmt: skip
"""The names of arguments that torch's functions take."""


def operation_of(error: BaseException, entry: TracebackType | None) -> Operation | None:
    """The operation that `entry` of the traceback of `error` had come to."""
    if entry is None:
        return None
    code, at = entry.tb_frame.f_code, entry.tb_lasti
    start, end, left, right = next(islice(code.co_positions(), at // 2, None))
    tree = tree_of("".join(linecache.getlines(code.co_filename)))
    if tree is None or None in (start, end, left, right):
        return None
    spans: list[ast.AST] = [each for each in ast.walk(tree) if hasattr(each, "end_col_offset")]
    node = _at(spans, (start, left), (end, right))
    if node is None:
        return None
    opcode = dis.opname[code.co_code[at]]
    around = [each for each in spans if _span(each)[0] <= (start, left) and _span(each)[1] >= (end, right)]
    return _Reading(entry.tb_frame, error, around, entry.tb_lineno).of(node, opcode)


def _span(node: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _at(nodes: Iterable[ast.AST], start: Any, end: Any) -> ast.AST | None:
    """The node that stands there; of a method call over several lines Python tells its end alone."""
    exact = [each for each in nodes if _span(each) == (start, end)]
    if exact:
        return next((each for each in exact if isinstance(each, ast.expr)), exact[0])
    ends = [each for each in nodes if isinstance(each, ast.expr) and _span(each)[1] == end and _span(each)[0] <= start]
    return max(ends, key=lambda each: _span(each)[0], default=None)


def _text(node: ast.AST) -> str:
    """An expression on one line, as Python writes it."""
    if isinstance(node, ast.Slice):
        return ast.unparse(ast.Subscript(ast.Name("_", ast.Load()), node, ast.Load()))[2:-1]
    told = " ".join(ast.unparse(node).split())
    return told if len(told) <= _LONGEST else told[: _LONGEST - 2] + " …"


def _tested(node: ast.AST) -> list[ast.expr]:
    """What was asked whether it is true; Python names the statement, or the whole expression."""
    if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
        return _tested(node.test)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _tested(node.operand)
    if isinstance(node, ast.BoolOp):
        return node.values
    return [node] if isinstance(node, ast.expr) else []


def _gone_through(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.For):
        return [node.iter]
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        return [node.generators[0].iter]
    return [node] if isinstance(node, ast.expr) else []


def _sides(node: ast.BinOp | ast.AugAssign | ast.Compare | ast.UnaryOp) -> list[ast.expr]:
    """What an operator stands between, or before."""
    match node:
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.BinOp():
            return [node.left, node.right]
        case ast.AugAssign():
            return [node.target, node.value]
    return [node.operand]


class _Reading:
    """What a frame knows of the expression in which it ended. `around` are the nodes that hold it, from the outside."""

    def __init__(self, frame: FrameType, error: BaseException, around: list[ast.AST], line: int) -> None:
        self.frame, self.error, self.line = frame, error, line
        self.around = around
        self.locals, self.globals = frame.f_locals, frame.f_globals
        self._known: dict[ast.AST, object] = {}

    def of(self, node: ast.AST, opcode: str) -> Operation:
        kind, name, parts = self._parts(node, opcode)
        missing, similar = self._missing(node, kind)
        keywords = {each.value: f"{each.arg}=" for each in getattr(node, "keywords", ()) if each.arg}
        operands = tuple(self._operand(each, keywords.get(each, "")) for each in parts[:_MOST])
        source = _text(parts[0] if kind in ("truth", "iterate") and parts else getattr(node, "test", node))
        return Operation(
            getattr(node, "lineno", self.line) if isinstance(node, ast.stmt) else self.line,
            source,
            kind,
            name,
            operands,
            missing,
            similar,
            tuple(islice(self._strays(), 3)),
        )

    def _parts(self, node: ast.AST, opcode: str) -> tuple[OperationKind, str, list[ast.expr]]:
        """What kind of operation a node is, what it is called, and its operands."""
        if opcode.startswith(("POP_JUMP", "JUMP_IF", "UNARY_NOT", "TO_BOOL")):
            return "truth", "", _tested(node)
        if opcode.startswith("UNPACK") and isinstance(node, (ast.Tuple, ast.List)):
            return "unpack", str(len(node.elts)), self._assigned(node)
        if opcode.startswith(("GET_ITER", "FOR_ITER")):
            return "iterate", "", _gone_through(node)
        asserted = next((each for each in self.around if isinstance(each, ast.Assert) and each.test is node), node)
        if isinstance(asserted, ast.Assert) and issubclass(type(self.error), AssertionError):
            test = asserted.test
            return "assert", "", _sides(test) if isinstance(test, ast.Compare) else []
        if isinstance(node, ast.BinOp | ast.AugAssign | ast.Compare | ast.UnaryOp):
            symbol, _ = _OPERATORS.get(type(node.ops[0] if isinstance(node, ast.Compare) else node.op), ("?", None))
            symbol += "=" if isinstance(node, ast.AugAssign) else ""
            kinds: dict[type, OperationKind] = {ast.Compare: "compare", ast.UnaryOp: "unary"}
            return kinds.get(type(node), "binary"), symbol, _sides(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Attribute):
            return "attribute", node.attr, [node.value]
        if isinstance(node, ast.Subscript):
            index = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if opcode.startswith("STORE"):
                return "store", "", [node.value, *index, *self._assigned(node)]
            return "index", "", [node.value, *index]
        if isinstance(node, ast.Name):
            return "name", node.id, []
        return ("raise" if isinstance(node, ast.Raise) else "other"), "", []

    def _call(self, node: ast.Call) -> tuple[OperationKind, str, list[ast.expr]]:
        given: list[ast.expr] = []
        for each in node.args:
            given += each.elts if isinstance(each, (ast.List, ast.Tuple)) else [each]
        given += [each.value for each in node.keywords]
        if isinstance(node.func, ast.Attribute) and type(self.value(node.func.value)) is not ModuleType:
            return "method", node.func.attr, [node.func.value, *given]
        return "call", _text(node.func), given

    def _assigned(self, target: ast.AST) -> list[ast.expr]:
        """What was to be stored in a target."""
        for each in reversed(self.around):
            if isinstance(each, ast.Assign) and target in each.targets:
                return [each.value]
            if isinstance(each, ast.For) and each.target is target:
                return []
        return []

    # Values.

    def _operand(self, node: ast.expr, label: str) -> Operand:
        value, source = self.value(node), label + _text(node)
        kind = type(value)
        if value is _UNKNOWN:
            return Operand(source, "ndarray" if isinstance(node, ast.Call) and self._is_numpy(node.func) else "")
        name = name_of(kind)
        if _is_tensor(value):
            whole = not value.is_floating_point() and 0 < value.numel() <= 10_000 and value.dtype is not torch.bool
            ends = f"{int(value.min())}…{int(value.max())}" if whole and not value.is_complex() else ""
            return Operand(source, "Tensor", tuple(value.shape), str(value.dtype).removeprefix("torch."), ends)
        if kind is np.ndarray:
            return Operand(source, "ndarray", value.shape, str(value.dtype)[:20])
        if kind in (list, tuple, dict, torch.Size):
            return Operand(source, name, (len(value),))
        return Operand(source, name, value=str(value)[:40] if kind in (int, float, bool, str) else "")

    def value(self, node: ast.AST) -> Any:
        """What an expression stands for; _UNKNOWN where that would take a call of something that is not torch's."""
        if node not in self._known:
            try:
                self._known[node] = self._looked_up(node)
            except Exception:  # whatever torch has against it
                self._known[node] = _UNKNOWN
        return self._known[node]

    def _looked_up(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Name):
            return self._named(node.id)
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Attribute):
            return self._attribute(self.value(node.value), node.attr)
        if isinstance(node, ast.Subscript):
            return self._item(self.value(node.value), self.value(node.slice))
        if isinstance(node, (ast.Tuple, ast.List)):
            parts = [self.value(each) for each in node.elts]
            return _UNKNOWN if any(each is _UNKNOWN for each in parts) else tuple(parts)
        if isinstance(node, ast.Dict):
            keys = [each and self.value(each) for each in node.keys]
            plain = all(type(each) in (str, int) for each in keys)
            return dict(zip(keys, map(self.value, node.values), strict=True)) if plain else _UNKNOWN
        if isinstance(node, ast.Slice):
            ends = [None if each is None else self.value(each) for each in (node.lower, node.upper, node.step)]
            return slice(*ends) if all(type(each) in (int, type(None)) for each in ends) else _UNKNOWN
        if isinstance(node, ast.Call):
            return self._computed(node)
        if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare)):
            return self._arithmetic(node)
        return _UNKNOWN

    def _named(self, name: str) -> Any:
        for names in (self.locals, self.globals, vars(builtins)):
            if name in names:
                return names[name]
        return _UNKNOWN

    @staticmethod
    def _attribute(value: Any, name: str) -> Any:
        if type(value) is ModuleType:
            return value.__dict__.get(name, _UNKNOWN)
        if _is_tensor(value) and (name in _VIEWS or name in _COMPUTING):
            return getattr(value, name)
        if type(value).__module__ == "torch.return_types" and name in ("values", "indices"):
            return getattr(value, name)
        return _UNKNOWN

    @staticmethod
    def _item(value: Any, index: Any) -> Any:
        plain = index if type(index) is tuple else (index,)
        if type(value) in (list, tuple, torch.Size) and type(index) in (int, slice):
            return value[index]
        if type(value) is dict and type(index) in (int, str):
            return value.get(index, _UNKNOWN)
        if _is_tensor(value) and all(type(each) in (int, slice, type(None)) or _is_tensor(each) for each in plain):
            return value[index]
        return _UNKNOWN

    def _arithmetic(self, node: ast.BinOp | ast.UnaryOp | ast.Compare) -> Any:
        kinds = node.ops if isinstance(node, ast.Compare) else [node.op]
        values = [self.value(each) for each in _sides(node)]
        plain = all(type(each) in (int, float, bool) and abs(each) < 1e6 for each in values)
        if not all(type(kind) in _OPERATORS for kind in kinds) or not (plain or any(map(_is_tensor, values))):
            return _UNKNOWN
        if not all(_is_tensor(each) or type(each) in (int, float, bool) for each in values):
            return _UNKNOWN
        functions = [_OPERATORS[type(kind)][1] for kind in kinds]
        if not isinstance(node, ast.Compare):
            return functions[0](*values)
        found = functions[0](*values[:2])
        for function, *pair in zip(functions[1:], values[1:], values[2:], strict=False):
            found = found and function(*pair)  # as Python goes on in a < b < c
        return found

    def _computed(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Name) and node.func.id == "len" and len(node.args) == 1:
            value = self.value(node.args[0])
            return len(value) if _is_tensor(value) or type(value) in (list, tuple, dict, torch.Size) else _UNKNOWN
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in _COMPUTING:
            return _UNKNOWN
        holder = self.value(node.func.value)
        if not self._is_torch(holder):
            return _UNKNOWN
        given = [self.value(each) for each in node.args]
        named = {each.arg or "out": self.value(each.value) for each in node.keywords}
        if "out" in named or not all(map(_is_plain, [*given, *named.values()])):
            return _UNKNOWN
        return getattr(holder, node.func.attr)(*given, **named)

    def _is_numpy(self, function: ast.expr) -> bool:
        return isinstance(function, ast.Attribute) and self.value(function.value) is np

    # What is not there.

    def _missing(self, node: ast.AST, kind: OperationKind) -> tuple[str, tuple[str, ...]]:
        error = type(self.error)
        if issubclass(error, NameError) and isinstance(node, ast.Name):
            return node.id, _alike(node.id, [*self.locals, *self.globals, *vars(builtins)])
        if issubclass(error, AttributeError) and isinstance(node, ast.Attribute):
            return node.attr, _alike(node.attr, _names_in(self.value(node.value)))
        if issubclass(error, KeyError) and isinstance(node, ast.Subscript):
            holder, key = self.value(node.value), self.value(node.slice)
            if type(holder) is dict:
                keys = [each for each in islice(holder, 200) if type(each) in (str, int)]
                told = repr(key)[:_LONGEST] if type(key) in (str, int) else _text(node.slice)
                close = _alike(key, [each for each in keys if type(each) is str]) if type(key) is str else ()
                return told, tuple(map(repr, close or keys[:6]))
        if issubclass(error, TypeError) and kind in ("call", "method") and isinstance(node, ast.Call):
            text = str(self.error) if error is TypeError else ""
            own = isinstance(node.func, ast.Attribute) and self._is_torch(self.value(node.func.value))
            for each in node.keywords:  # the words are Python's; torch names another argument, or none
                alike = _alike(each.arg or "", self._parameters(node.func))
                if f"keyword argument '{each.arg}'" in text or (own and alike and each.arg not in _KEYWORDS):
                    return each.arg or "", alike
        return "", ()

    @staticmethod
    def _is_torch(value: object) -> bool:
        return _is_tensor(value) or value is torch

    def _parameters(self, function: ast.expr) -> Iterable[str]:
        value = self.value(function)
        code = getattr(value, "__code__", None) if type(value).__name__ == "function" else None
        return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code else _KEYWORDS

    # Other dtypes.

    def _strays(self) -> Iterator[Stray]:
        """The candidate's own floating tensors in the statement that are not in the arguments' dtype."""
        code = self.frame.f_code
        given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        dtypes = {each.dtype for name in given for each in _tensors(self.locals.get(name)) if each.is_floating_point()}
        statement = next((each for each in reversed(self.around) if isinstance(each, ast.stmt)), None)
        if len(dtypes) == 1 and statement is not None and not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            yield from self._strays_in(statement, dtypes.pop(), given, "", 0)

    def _strays_in(
        self, node: ast.AST, dtype: torch.dtype, given: tuple[str, ...], name: str, depth: int
    ) -> Iterator[Stray]:
        for each in _calls_in(node):
            made = each.func.attr if isinstance(each.func, ast.Attribute) else ""
            value = self.value(each)
            other = _is_tensor(value) and value.is_floating_point() and value.dtype is not dtype
            random = made in _RANDOM and not any(k.arg == "dtype" for k in each.keywords)
            if made in _MAKERS and (other or (random and dtype is not torch.get_default_dtype())):
                told = value.dtype if other else torch.get_default_dtype()
                yield Stray(each.lineno, _text(each), str(told).removeprefix("torch."), name)
                return
        for one in ast.walk(node):
            if not isinstance(one, ast.Name) or one.id in given or not isinstance(one.ctx, ast.Load):
                continue
            value = self._named(one.id)
            if not _is_tensor(value) or not value.is_floating_point() or value.dtype is dtype or depth > 4:
                continue
            made_at = self._assignment(one.id, node)
            deeper = made_at and next(self._strays_in(made_at.value, dtype, given, one.id, depth + 1), None)
            if deeper:
                yield deeper
            else:
                line = made_at.lineno if made_at else getattr(node, "lineno", self.line)
                told = str(value.dtype).removeprefix("torch.")
                yield Stray(line, _text(made_at.value) if made_at else one.id, told, one.id)
            return

    def _assignment(self, name: str, before: Any) -> ast.Assign | None:
        """The last assignment of a name above a node of the same function."""
        function = next((each for each in reversed(self.around) if isinstance(each, ast.FunctionDef)), None)
        found = [
            each
            for each in (ast.walk(function) if function else ())
            if isinstance(each, ast.Assign)
            and each.lineno < before.lineno
            and any(isinstance(one, ast.Name) and one.id == name for one in each.targets)
        ]
        return max(found, key=lambda each: each.lineno, default=None)


def _calls_in(node: ast.AST) -> Iterator[ast.Call]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def _is_tensor(value: object) -> bool:
    """Whether it is one of torch's own: a subclass may do anything when it is looked at."""
    return type(value) in (torch.Tensor, torch.nn.Parameter)


def _tensors(value: object) -> Iterator[torch.Tensor]:
    if _is_tensor(value):
        assert isinstance(value, torch.Tensor)
        yield value
    elif type(value) in (list, tuple):
        for each in islice(value, 50):  # type: ignore[call-overload]
            yield from _tensors(each)
    elif type(value) is dict:
        for each in islice(value.values(), 50):
            yield from _tensors(each)


def _is_plain(value: object) -> bool:
    kind = type(value)
    if kind in (list, tuple, torch.Size):
        return all(map(_is_plain, value))  # type: ignore[call-overload]
    return _is_tensor(value) or kind in (int, float, bool, str, type(None), torch.dtype)


def _names_in(value: Any) -> Iterable[str]:
    """What can be asked of an object of Python's or torch's."""
    if type(value) is ModuleType:
        return list(value.__dict__)
    if _is_tensor(value):
        return dir(torch.Tensor)
    return dir(type(value)) if type(value) in (list, tuple, dict, str, int, float, torch.Size, np.ndarray) else ()


def _alike(name: str, names: Iterable[str]) -> tuple[str, ...]:
    known = [each for each in dict.fromkeys(names) if type(each) is str and not each.startswith("_")]
    return tuple(filter(None, [nearest(name, known, cutoff=0.7)]))


def ends_with_nothing(function: object) -> str:
    """How a function ends that returned None: which line returns nothing, or should; empty where nobody can tell."""
    code = getattr(function, "__code__", None) if type(function).__name__ == "function" else None
    tree = tree_of("".join(linecache.getlines(code.co_filename))) if code else None
    for each in ast.walk(tree) if tree and code else ():
        # The first line of one with decorators is that of the first of these.
        lines = [getattr(each, "lineno", 0), *(one.lineno for one in getattr(each, "decorator_list", ()))]
        if code and isinstance(each, ast.FunctionDef) and each.name == code.co_name and code.co_firstlineno in lines:
            returns = [one for one in _within(each) if isinstance(one, ast.Return)]
            return _ended(each.body[-1], [one for one in returns if one.value is not None])
    return ""


def _within(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a function, but not those of functions in it."""
    for each in ast.iter_child_nodes(node):
        yield each
        if not isinstance(each, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield from _within(each)


def _ended(last: ast.stmt, returns: list[ast.Return]) -> str:
    """`returns` are those of the whole function that return something."""
    line = last.lineno
    if isinstance(last, ast.With):
        return _ended(last.body[-1], returns)
    if isinstance(last, ast.If):
        if not last.orelse and returns:
            return f"where the condition of line {line} does not hold, no return is reached"
        for body in (last.body, last.orelse):
            if returns and not isinstance(body[-1], ast.Return | ast.Raise):
                return _ended(body[-1], returns)
    if isinstance(last, ast.For | ast.While) and returns:
        return f"after the loop of line {line} nothing is returned"
    if isinstance(last, ast.Return):
        if last.value is None or isinstance(last.value, ast.Constant):
            return f"line {line} returns nothing"
        return f"line {line} returns {_text(last.value)}, which is None" if len(returns) == 1 else ""
    if isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name):
        name = last.targets[0].id
        return f"it ends with line {line}, which sets {name}; add: return {name}"
    if isinstance(last, ast.Expr) and not isinstance(last.value, ast.Constant):
        what = last.value
        prints = isinstance(what, ast.Call) and isinstance(what.func, ast.Name) and what.func.id == "print"
        done = "prints something" if prints else "computes something and does not return it"
        return f"its last line, {line}, {done}; write return there"
    return "" if returns else "there is no return statement in it"
