"""Where a call met a `raise NotImplementedError` of the file's own, and what of the learner's stands around it."""

from __future__ import annotations

import ast
import dis
import linecache
import traceback
from collections.abc import Iterable, Sequence
from types import CodeType, TracebackType

from gradcheck.checks.file_code import tree_of
from gradcheck.checks.outcome import MODULE, RaisePlace, Unwritten

_RAISE = dis.opmap["RAISE_VARARGS"]
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def raised_by_itself(error: BaseException, filename: str) -> bool:
    """Whether a `raise` of the file itself raised it. torch raises NotImplementedError too, for what it lacks, and no
    frame stands for its C code.
    """
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and last.tb_frame.f_code.co_filename == filename and _at_a_raise(last)


def _at_a_raise(last: TracebackType) -> bool:
    return last.tb_frame.f_code.co_code[last.tb_lasti] == _RAISE


def unwritten(error: BaseException, filename: str, asked: str) -> Unwritten:
    """The facts of an exception that `raised_by_itself`, in a call of the function `asked`."""
    walked = traceback.walk_tb(error.__traceback__)
    frames = [(_name(frame.f_code), line) for frame, line in walked if frame.f_code.co_filename == filename]
    function, line = frames[-1]
    tree = tree_of("".join(linecache.getlines(filename)))
    caller, call = "", 0
    if function != asked and len(frames) > 1:
        named = [each for each in frames[:-1] if each[0] == MODULE or "<" not in each[0]]  # not <lambda>
        caller, call = (named or frames[:-1])[-1]
    return Unwritten(function, line, _place(tree, line), caller, call, _written_above(tree, function, line))


def _name(code: CodeType) -> str:
    """`forward`; of a method `Softmax.forward`."""
    name: str = getattr(code, "co_qualname", code.co_name)
    return name.rpartition("<locals>.")[2]


def _place(tree: ast.Module | None, line: int) -> RaisePlace:
    within = [each for each in _functions(tree) if each.lineno <= line <= (each.end_lineno or 0)]
    if not within:
        return "alone"
    body = max(within, key=lambda each: each.lineno).body
    at = next((number for number, each in enumerate(body) if each.lineno <= line <= (each.end_lineno or 0)), 0)
    if not isinstance(body[at], ast.Raise):
        return "within"
    if not all(map(_says_nothing, body[at + 1 :])):
        return "above"
    return "alone" if all(map(_says_nothing, body[:at])) else "below"


def _functions(tree: ast.Module | None) -> Iterable[_Function]:
    return (each for each in ast.walk(tree) if isinstance(each, _Function)) if tree else ()


def _says_nothing(statement: ast.stmt) -> bool:
    """A docstring, `...`, `pass`, or one more such `raise`."""
    text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return text or isinstance(statement, ast.Pass) or _raises(statement)


def _raises(statement: ast.stmt) -> bool:
    raised = statement.exc if isinstance(statement, ast.Raise) else None
    raised = raised.func if isinstance(raised, ast.Call) else raised
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def only_raises(function: ast.FunctionDef) -> bool:
    """Whether a function is a stub: nothing but a docstring and a `raise NotImplementedError`."""
    return any(map(_raises, function.body)) and all(map(_says_nothing, function.body))


def _written_above(tree: ast.Module | None, function: str, line: int) -> int:
    """The line of a definition of the same name that is written, above the one which raises and therefore counts."""
    before: Sequence[ast.stmt] = tree.body if tree else ()
    found = [
        each
        for each in before
        if isinstance(each, ast.FunctionDef)
        and each.name == function
        and (each.end_lineno or 0) < line
        and not only_raises(each)
    ]
    return found[-1].lineno if found else 0
