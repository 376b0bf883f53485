"""The code of a file as it is written: its functions, and what each may come to. Nothing is run.

Comments and strings are not code, and neither is what runs only under `if __name__ == "__main__":`.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache


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
    if not isinstance(test, ast.Compare) or len(test.comparators) != 1 or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = [test.left, test.comparators[0]]
    names = [side.id for side in sides if isinstance(side, ast.Name)]
    texts = [side.value for side in sides if isinstance(side, ast.Constant)]
    return (names, texts) == (["__name__"], ["__main__"])
