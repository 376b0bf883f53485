"""What of automatic differentiation a file's code names, and where: read from its syntax, nothing is run.

Comments and strings are not code, and neither is what runs only under `if __name__ == "__main__":`. A backward that a
learner wrote, `MyFunction.backward(ctx, grad_output)`, is the learner's own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

Found = list[tuple[int, str]]
"""Lines and words."""

_TRANSFORMS = {
    "grad", "grad_and_value", "vjp", "jvp", "jacrev", "jacfwd", "hessian", "linearize", "make_dual", "unpack_dual",
    "dual_level", "jacobian", "vhp", "hvp",
}  # fmt: skip
_MODULES = ("torch.autograd", "torch.func", "functorch", "torch._functorch", "torch._C._functorch")
_OWN = ("torch.autograd.Function.", "torch.autograd.function.")
_METHODS = {
    "requires_grad_": "requires_grad",
    "grad_fn": "grad_fn",
    "enable_grad": "torch.enable_grad",
    "_make_dual": "torch.autograd.forward_ad",
    "_fw_primal": "torch.autograd.forward_ad",
}
_SHOWN = 3


class AutodiffWords:
    """Such words in one file. A file that cannot be read has none."""

    def __init__(self, source: bytes) -> None:
        self._aliases: dict[str, str] = {}
        self._named: dict[str, list[ast.stmt]] = {}
        self._run: list[ast.stmt] = []
        for statement in _statements(source):
            self._sort(statement)

    def reached_by(self, function: str) -> str:
        """What a call of `function` may come to, in words; empty where there is nothing."""
        return _told(self._from(self._named.get(function, [])))

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
        every = [statement for statements in self._named.values() for statement in statements]
        return self._from(every + self._run)

    def _sort(self, statement: ast.stmt) -> None:
        for part in ast.walk(statement):
            if isinstance(part, ast.Import):
                for module in part.names:
                    name = module.asname or module.name.partition(".")[0]
                    self._aliases[name] = module.name if module.asname else name
            elif isinstance(part, ast.ImportFrom) and not part.level:
                for taken in part.names:
                    self._aliases[taken.asname or taken.name] = f"{part.module}.{taken.name}"
        if isinstance(statement, ast.If) and _asks_for_main(statement.test):
            for each in statement.orelse:
                self._sort(each)
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._named.setdefault(statement.name, []).append(statement)
        elif not isinstance(statement, (ast.Import, ast.ImportFrom)):
            self._run.append(statement)
            for part in ast.walk(statement):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    self._named.setdefault(part.id, []).append(statement)

    def _from(self, statements: list[ast.stmt]) -> Found:
        """Words in these statements and in whatever of the file they name."""
        found: Found = []
        waiting, seen = list(statements), {id(each) for each in statements}
        while waiting:
            for part in _code(waiting.pop()):
                word = self._word(part)
                if word:
                    found.append((getattr(part, "lineno", 0), word))
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                    for each in self._named.get(part.id, ()):
                        if id(each) not in seen:
                            seen.add(id(each))
                            waiting.append(each)
        return sorted(found)

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
            return _of_torch(self._aliases.get(part.id, ""))
        return ""

    def _named_by(self, name: str, owner: ast.expr) -> str:
        """The word for `owner.name`."""
        if name in _METHODS:
            return _METHODS[name]
        path = self._path(owner)
        if name == "backward":
            # Of a class of the file's own, or of the class itself, it is the learner's.
            own = path in self._named or path in ("self", "cls", "super") or path.partition(".")[0] in self._aliases
            return "" if own and not path.startswith(_MODULES) else ".backward()"
        return _of_torch(f"{path}.{name}") if path else ""

    def _path(self, owner: ast.expr) -> str:
        """The dotted name, with what imports renamed written out; empty for what is none."""
        if isinstance(owner, ast.Name):
            return self._aliases.get(owner.id, owner.id)
        if isinstance(owner, ast.Attribute):
            path = self._path(owner.value)
            return f"{path}.{owner.attr}" if path else ""
        if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "super":
            return "super"
        return ""


def code_of(source: bytes) -> Iterator[ast.AST]:
    """Every part of a file's code, as its words are looked for in it; nothing of a file that cannot be read."""
    for statement in _statements(source):
        yield from _code(statement)


def _statements(source: bytes) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


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


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, but for what is there for a reader only."""
    if isinstance(node, ast.If) and _asks_for_main(node.test):
        for each in node.orelse:
            yield from _code(each)
        return
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _code(child)


def _asks_for_main(test: ast.expr) -> bool:
    if not isinstance(test, ast.Compare) or len(test.comparators) != 1 or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = [test.left, test.comparators[0]]
    names = [side.id for side in sides if isinstance(side, ast.Name)]
    texts = [side.value for side in sides if isinstance(side, ast.Constant)]
    return (names, texts) == (["__name__"], ["__main__"])


def _told(found: Found) -> str:
    first: dict[str, int] = {}
    for line, word in found:
        first.setdefault(word, line)
    shown = [f"{word} (line {line})" for word, line in list(first.items())[:_SHOWN]]
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))
