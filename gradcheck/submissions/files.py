"""What a file is, by its name, as people, browsers and systems write names, and by its content, without running it."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from gradcheck.catalog import all_exercises
from gradcheck.checks.file_code import only_raises, tree_of

Likeness = Literal["called so", "like it", "perhaps"]
"""`relu.py`; `Relu.py`, `relu (1).py`, `relu copy.py`; and what only mentions it: `relu_ada.py`, `relu.py.txt`."""

_COPY = r"copy|kopie|copia|cópia|copie"
_BEFORE = re.compile(rf"(?:{_COPY}) (?:of|von|de) ", re.IGNORECASE)
_BEHIND = re.compile(rf"(?:[-_–\s]*\(?(?:{_COPY})\)?(?:[-_\s]*\d+)?|\s*\(\d+\)|[-_\s]+\d+)\s*$", re.IGNORECASE)
_TOOLS = {"conftest", "setup", "sitecustomize", "usercustomize", "__init__", "__main__"}
_COMPILED = (".pyc", ".pyo", ".pyd", ".so")


@dataclass(frozen=True)
class Named:
    """The exercise that a file could be, and how much its name says so."""

    exercise: str
    likeness: Likeness


@lru_cache(maxsize=4096)
def exercise_named(name: str) -> Named | None:
    """What a file of this name could be; None where its name says nothing."""
    stem, dot, ending = name.partition(".")
    if name.lower().endswith(_COMPILED) or is_a_tool(name):
        return None
    if ending == "py" and stem in all_exercises():
        return Named(stem, "called so")
    is_python = f"{dot}{ending}".lower().endswith(".py")
    if found := _squeezed_names().get(_squeezed(_without_copies(stem))):
        return Named(found, "like it" if is_python else "perhaps")
    mentioned = _mentioned(name if is_python else stem)
    return Named(mentioned, "perhaps") if mentioned and is_python else None


def is_a_tool(name: str) -> bool:
    """Whether a Python file is one that tools look for, such as tests: nobody's exercise is called so."""
    stem = name.lower().partition(".")[0]
    return stem in _TOOLS or stem.startswith("test_") or stem.endswith("_test")


def resembles_unit(folder: str) -> bool:
    """`modules`, `04-Modules` and the like: the name of a unit with its number or case changed."""
    return _letters(folder) in _unit_letters()


def _without_copies(stem: str) -> str:
    stem = _BEFORE.sub("", unicodedata.normalize("NFC", stem).strip(), count=1)
    while shorter := _BEHIND.sub("", stem):
        if shorter == stem:
            break
        stem = shorter
    return stem


def _mentioned(name: str) -> str:
    """The one exercise whose name stands in a file's name as words of its own; of `log_softmax` not softmax as well."""
    words = f"_{re.sub(r'[^a-z0-9]+', '_', name.casefold())}_"
    found = [each for each in all_exercises() if f"_{each}_" in words]
    longest = max(found, key=len, default="")
    return longest if all(f"_{each}_" in f"_{longest}_" for each in found) else ""


def _squeezed(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalpha())


@cache
def _squeezed_names() -> dict[str, str]:
    return {_squeezed(name): name for name in all_exercises()}


@cache
def _unit_letters() -> frozenset[str]:
    return frozenset(_letters(exercise.unit) for exercise in all_exercises().values())


Sort = Literal["work", "stub", "foreign"]
"""Work: something that is no stub, or that cannot be parsed and so may be anything. A stub holds nothing but imports,
text and functions that are not written. Foreign is what has none of the functions that an exercise asks for.
"""

_BEGINNINGS = (
    (b"\xff\xfe", "saved as UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "saved as UTF-16; save it as UTF-8"),
    (b"{\\rtf", "a text document (RTF), not plain text; save it as plain text"),
    (b"Rar!", "a RAR archive; hand in a .zip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; hand in a .zip"),
    (b"%PDF", "a PDF; hand in the .py file itself"),
    (b"PK\x03\x04", "an archive or an office document, not plain text"),
    (b"\xd0\xcf\x11\xe0", "an office document, not plain text"),
)
_PAGE = re.compile(rb"\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL)
_NOTEBOOK = re.compile(rb'\s*\{.{0,200000}?"(?:cells|nbformat)"\s*:', re.DOTALL)
_PARSED = 500_000
"""Files beyond are not parsed to find out what they are: they count as work."""


def instead_of_text(content: bytes) -> str:
    """What a file is that cannot be Python's text, and what to do; empty for everything else."""
    found = next((told for beginning, told in _BEGINNINGS if content.startswith(beginning)), "")
    if found:
        return found
    if _PAGE.match(content):
        return "a web page; hand in the file that the page is about"
    if content.lstrip()[:1] == b"{" and _NOTEBOOK.match(content):
        return "a notebook; hand in its code as a .py file"
    return ""


def sort_of(content: bytes, exercise: str = "") -> Sort:
    """What a file is for an exercise, or without one for any of them."""
    if len(content) > _PARSED:
        return "work"
    defined = _top(content)
    if defined is None:
        return "work"
    names, imported, written = defined
    if not names and not imported and not written:
        return "stub"  # empty, or text alone
    if not _asked(exercise) & (names | imported) and "*" not in imported:
        return "foreign"
    return "work" if written or _asked(exercise) & imported or "*" in imported else "stub"


def bare(content: bytes) -> bytes:
    """The same for files that differ in line ends, blanks at the ends of lines and empty lines at the end alone."""
    lines = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return b"\n".join(line.rstrip() for line in lines).strip(b"\n")


@lru_cache(maxsize=512)
def _top(content: bytes) -> tuple[frozenset[str], frozenset[str], bool] | None:
    """The names that a file defines and imports, and whether it holds more than a stub does. None where it cannot be
    parsed.
    """
    tree = tree_of(content)
    if tree is None:
        return None
    names, imported, written = set[str](), set[str](), False
    for each in tree.body:
        if isinstance(each, ast.FunctionDef) and only_raises(each):
            names.add(each.name)
        elif isinstance(each, (ast.Import, ast.ImportFrom)):
            imported |= {alias.asname or alias.name for alias in each.names}
        elif not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)) and not isinstance(
            each, ast.Pass
        ):
            written = True
            names |= set(_bound(each))
    return frozenset(names), frozenset(imported), written


def _bound(statement: ast.AST) -> Iterator[str]:
    """What a statement defines at the top of its file, whichever branch it stands in."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, ast.Name) and isinstance(statement.ctx, ast.Store):
        yield statement.id
    elif isinstance(statement, ast.alias):
        yield statement.asname or statement.name
    else:
        for each in ast.iter_child_nodes(statement):
            yield from _bound(each)


def _asked(exercise: str) -> frozenset[str]:
    every = all_exercises()
    chosen = [every[exercise]] if exercise else every.values()
    return frozenset(graded.spec.name for each in chosen for graded in each.functions)
