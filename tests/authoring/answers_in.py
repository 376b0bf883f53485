"""Finds the answers of solutions/ in other text: the same statements, whatever their names, comments and layout.

Two pieces of code are the same here when their syntax trees are, apart from docstrings and annotations, once every name
that is a parameter or assigned is replaced by its order of appearance. Besides, the answers' text is looked for
everywhere, blanks apart: in strings, comments, and files that are no Python.
"""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SOLUTIONS = Path(__file__).parent.parent.parent / "solutions"
_SHORT = 24
"""Characters of an answer, blanks apart, below which its text may stand anywhere by chance."""


@dataclass(frozen=True)
class Answer:
    """What one function of a solution does: its statements, or the one expression that it returns."""

    name: str
    nodes: tuple[ast.AST, ...]
    text: str
    key: str


def _children(node: ast.AST) -> Iterator[object]:
    for field, value in ast.iter_fields(node):
        if field in {"ctx", "annotation", "returns", "type_comment", "kind", "simple", "decorator_list"}:
            continue
        yield from _statements(value) if field == "body" and isinstance(value, list) else [value]


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """Without a docstring."""
    text = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) if body else False
    return body[1:] if text else body


def _spelled(value: object, bound: set[str], names: dict[str, str]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_spelled(each, bound, names) for each in value)}]"
    if not isinstance(value, ast.AST):
        return repr(value)
    own = value.id if isinstance(value, ast.Name) else value.arg if isinstance(value, ast.arg) else None
    if own is not None:
        return names.setdefault(own, f"v{len(names)}") if own in bound else own
    kind = "Assign" if isinstance(value, ast.AnnAssign) else type(value).__name__
    return f"{kind}({', '.join(_spelled(each, bound, names) for each in _children(value))})"


def _key(nodes: tuple[ast.AST, ...], bound: set[str]) -> str:
    names: dict[str, str] = {}
    return "; ".join(_spelled(node, bound, names) for node in nodes)


def _bound_in(nodes: tuple[ast.AST, ...]) -> set[str]:
    walked = [each for node in nodes for each in ast.walk(node)]
    parameters = {each.arg for each in walked if isinstance(each, ast.arg)}
    return parameters | {each.id for each in walked if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}


def _trivial(expression: ast.expr | None) -> bool:
    """What can be said in one way only and is no answer by itself: a name, one call, one product."""
    return expression is None or sum(isinstance(each, (ast.BinOp, ast.Call)) for each in ast.walk(expression)) < 2


def _blankless(text: str) -> str:
    """Neither blanks nor brackets, which may be set in many ways, nor whole lines of comment in between."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return "".join("".join(lines).split()).replace("(", "").replace(")", "")


def answers() -> list[Answer]:
    found = []
    for path in sorted(SOLUTIONS.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            nodes: tuple[ast.AST, ...] = tuple(_statements(node.body))
            if len(nodes) == 1 and isinstance(nodes[0], ast.Return):
                if _trivial(nodes[0].value):
                    continue
                nodes = (nodes[0].value,)
            key = _key(nodes, _bound_in((node.args, *nodes)))
            found.append(Answer(f"{path.stem}.{node.name}", nodes, "".join(map(ast.unparse, nodes)), key))
    return found


class Search:
    """`found_in` a file: the names of the answers that it holds."""

    def __init__(self) -> None:
        self.answers = answers()
        self._by_key: dict[str, list[str]] = {}
        for each in self.answers:
            self._by_key.setdefault(each.key, []).append(each.name)
        # Keys are dear: they are made only for what has the form of an answer at first sight.
        self._forms = {tuple(map(self._form, each.nodes)) for each in self.answers}
        self._lengths = {len(form) for form in self._forms}
        texts = {_blankless(each.text): each.name for each in self.answers}
        self._texts = {text: name for text, name in texts.items() if len(text) >= _SHORT}

    @staticmethod
    def _form(node: ast.AST) -> tuple[object, ...]:
        kind = ast.Assign if isinstance(node, ast.AnnAssign) else type(node)
        inner = (type(each) for each in _children(node) if isinstance(each, ast.AST))
        return (kind, *inner)

    def found_in(self, name: str, content: bytes) -> set[str]:
        text = content.decode("utf-8", errors="replace")
        blankless = _blankless(text)
        found = {answer for each, answer in self._texts.items() if each in blankless}
        return found | self._in_code(text) if name.endswith(".py") else found

    def _in_code(self, text: str) -> set[str]:
        tree = ast.parse(text)
        bound = _bound_in((tree,))
        found: set[str] = set()
        for node in ast.walk(tree):
            runs = [(node,)] if isinstance(node, ast.expr) else []
            for field in ("body", "orelse", "finalbody"):
                block = getattr(node, field, None)
                if isinstance(block, list):
                    runs += [
                        tuple(block[i : i + length]) for length in self._lengths for i in range(len(block) - length + 1)
                    ]
            for run in runs:
                if tuple(map(self._form, run)) in self._forms:
                    found.update(self._by_key.get(_key(run, bound), ()))
        return found


def every_file(folder: Path) -> Mapping[str, bytes]:
    """All files below a folder, those inside of its wheels and zip files too."""
    found: dict[str, bytes] = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = path.relative_to(folder).as_posix()
        found[name] = path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(io.BytesIO(found.pop(name))) as archive:
                found |= {f"{name}!{inner}": archive.read(inner) for inner in archive.namelist()}
    return found
