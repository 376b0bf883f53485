"""The code of a file as it is written: its functions, what each may come to, what of automatic differentiation is
named, where a `raise NotImplementedError` stands. Nothing is run.

Comments and strings are not code, and neither is what runs only under `if __name__ == "__main__":`. A backward that a
learner wrote, `MyFunction.backward(ctx, grad_output)`, is the learner's own.
"""

from __future__ import annotations

import ast
import dis
import linecache
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from types import CodeType, TracebackType

from gradcheck.checks.outcome import MODULE, RaisePlace, Unwritten
from gradcheck.showing.text import in_a_row


class FileCode:
    """What the statements of one file name. A file that cannot be read names nothing.

    `aliases`: what a name that was imported stands for, written out. `named`: the statements outside of all functions
    that define a name, `run` those that run when the file is loaded.
    """

    def __init__(self, source: bytes | str) -> None:
        self.aliases: dict[str, str] = {}
        self.named: dict[str, list[ast.stmt]] = {}
        self.run: list[ast.stmt] = []
        for statement in _statements(source):
            self._sort(statement)

    def _sort(self, statement: ast.stmt) -> None:
        for part in ast.walk(statement):
            if isinstance(part, ast.Import):
                for module in part.names:
                    name = module.asname or module.name.partition(".")[0]
                    self.aliases[name] = module.name if module.asname else name
            elif isinstance(part, ast.ImportFrom) and not part.level:
                for taken in part.names:
                    self.aliases[taken.asname or taken.name] = f"{part.module}.{taken.name}"
        if isinstance(statement, ast.If) and _asks_for_main(statement.test):
            for each in statement.orelse:
                self._sort(each)
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self.named.setdefault(statement.name, []).append(statement)
        elif not isinstance(statement, (ast.Import, ast.ImportFrom)):
            self.run.append(statement)
            for part in ast.walk(statement):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    self.named.setdefault(part.id, []).append(statement)

    @property
    def whole(self) -> list[ast.stmt]:
        """All statements that define something or run, those that define several names more than once."""
        return [*self.run, *(each for several in self.named.values() for each in several)]

    def reached(self, nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
        """These parts of the code, and the statements of whatever of the file they name."""
        waiting = list(nodes)
        seen = {id(each) for each in waiting}
        while waiting:
            node = waiting.pop()
            yield node
            for part in code_below(node):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                    for each in self.named.get(part.id, ()):
                        if id(each) not in seen:
                            seen.add(id(each))
                            waiting.append(each)

    def path(self, owner: ast.expr) -> str:
        """The dotted name, with what imports renamed written out; empty for what is none."""
        if isinstance(owner, ast.Name):
            return self.aliases.get(owner.id, owner.id)
        if isinstance(owner, ast.Attribute):
            path = self.path(owner.value)
            return f"{path}.{owner.attr}" if path else ""
        if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "super":
            return "super"
        return ""


def code_of(source: bytes | str) -> Iterator[ast.AST]:
    """Every part of a file's code, as its words are looked for in it; nothing of a file that cannot be read."""
    for statement in _statements(source):
        yield from code_below(statement)


@lru_cache(maxsize=8)
def tree_of(source: bytes | str) -> ast.Module | None:
    """The syntax of a file, to be read and not changed; None of one that cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an odd escape in their text
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _statements(source: bytes | str) -> list[ast.stmt]:
    tree = tree_of(source)
    return tree.body if tree else []


def code_below(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, but for what is there for a reader only."""
    if isinstance(node, ast.If) and _asks_for_main(node.test):
        for each in node.orelse:
            yield from code_below(each)
        return
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from code_below(child)


def _asks_for_main(test: ast.expr) -> bool:
    match test:
        case ast.Compare(ast.Name("__name__"), [ast.Eq()], [ast.Constant("__main__")]):
            return True
        case ast.Compare(ast.Constant("__main__"), [ast.Eq()], [ast.Name("__name__")]):
            return True
    return False


Found = list[tuple[int, str]]
"""Lines and words."""

_TRANSFORMS = {
    "grad", "grad_and_value", "vjp", "jvp", "jacrev", "jacfwd", "hessian", "linearize", "make_dual", "unpack_dual",
    "dual_level", "jacobian", "vhp", "hvp",
}  # fmt: skip
_MODULES = ("torch.autograd", "torch.func", "functorch", "torch._functorch", "torch._C._functorch")
_OWN = ("torch.autograd.Function.", "torch.autograd.function.")
_METHODS = {
    "requires_grad_": ".requires_grad_()",
    "grad_fn": "grad_fn",
    "enable_grad": "torch.enable_grad",
    "_make_dual": "torch.autograd.forward_ad",
    "_fw_primal": "torch.autograd.forward_ad",
}
_SHOWN = 3


class AutodiffWords(FileCode):
    """Such words in one file. A file that cannot be read has none."""

    def reached_by(self, function: str) -> str:
        """What a call of `function` may come to, in words; empty where there is nothing."""
        return _told(self._from(self.named.get(function, [])))

    def at(self, line: int) -> str:
        """The first word of the statement that a line belongs to, or a module whose parameters require gradients; empty
        where it names nothing.
        """
        statements = [part for each in self.whole for part in code_below(each) if isinstance(part, ast.stmt)]
        around = [each for each in statements if each.lineno <= line <= (each.end_lineno or 0)]
        inner = min(around, key=lambda each: (each.end_lineno or 0) - each.lineno, default=None)
        parts = list(code_below(inner)) if inner else []
        found = sorted((_line(part), word) for part in parts if (word := self._word(part)))
        paths = [self.path(part.func) for part in parts if isinstance(part, ast.Call)]
        modules = [each for each in paths if each.startswith("torch.nn.") and each.rpartition(".")[2][:1].isupper()]
        return next((word for _, word in found), "") or next((f"the parameters of {each}" for each in modules), "")

    @property
    def anywhere(self) -> str:
        """What any of the file's code names, its loading included."""
        return _told(self._all)

    @property
    def words(self) -> tuple[str, ...]:
        """The same without lines, each once."""
        return tuple(dict.fromkeys(word for _, word in self._all))

    @cached_property
    def _all(self) -> Found:
        return self._from(self.whole)

    def _from(self, nodes: Iterable[ast.AST]) -> Found:
        """Words in these parts of the code and in whatever of the file they name."""
        parts = (part for each in self.reached(nodes) for part in code_below(each))
        return sorted((_line(part), word) for part in parts if (word := self._word(part)))

    def _word(self, part: ast.AST) -> str:
        if isinstance(part, ast.keyword):
            asked = part.arg == "requires_grad" and not (isinstance(part.value, ast.Constant) and not part.value.value)
            return "requires_grad" if asked else ""
        if isinstance(part, ast.Attribute):
            if part.attr == "requires_grad" and isinstance(part.ctx, ast.Store):
                return "requires_grad"
            return self._named_by(part.attr, part.value)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "getattr":
            named = part.args[1] if len(part.args) > 1 else None
            if isinstance(named, ast.Constant) and isinstance(named.value, str):
                return self._named_by(named.value, part.args[0])
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
            return _of_torch(self.aliases.get(part.id, ""))
        return ""

    def _named_by(self, name: str, owner: ast.expr) -> str:
        """The word for `owner.name`."""
        if name in _METHODS:
            return _METHODS[name]
        path = self.path(owner)
        if name == "backward":
            # Of a class of the file's own, or of the class itself, it is the learner's.
            own = path in self.named or path in ("self", "cls", "super") or path.partition(".")[0] in self.aliases
            return "" if own and not path.startswith(_MODULES) else ".backward()"
        return _of_torch(f"{path}.{name}") if path else ""


def _line(part: ast.AST) -> int:
    return getattr(part, "lineno", 0)


def _of_torch(path: str) -> str:
    """`path` if it names automatic differentiation or a backward formula of torch."""
    first, _, last = path.rpartition(".")
    if f"{path}.".startswith(_OWN):
        return ""
    if last in _TRANSFORMS and first.startswith(_MODULES):
        return path
    if path.startswith("torch.") and ("backward" in last or path.startswith("torch.nn.grad.")):
        return path
    return path if path.startswith(("torch._C._functorch.", "torch.autograd.forward_ad.")) else ""


def _told(found: Found) -> str:
    first: dict[str, int] = {}
    for line, word in found:
        first.setdefault(word, line)
    shown = [f"{word} (line {line})" for word, line in list(first.items())[:_SHOWN]]
    return in_a_row(shown)


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
