"""Imports run downwards only, and what must be quick to start stays free of heavy libraries."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "gradcheck"

FLOORS = [
    {"__init__", "__main__", "pytest_plugin", "pytest_verify", "commands"},
    {"desk"},
    {"authoring"},
    {"hosts"},
    {"gradebooks"},
    {"reports"},
    {"classes"},
    {"isolation"},
    {"submissions"},
    {"grading"},
    {"verification"},
    {"diagnosis"},
    {"catalog"},
    {"training"},
    {"checks"},
    {"references"},
    {"numbers"},
    {"operators"},
    {"errors", "showing"},
]
"""From the top. A room may import from its own floor and from those below."""

LATE = {"numbers", "verification"}
"""Rooms whose modules are written in torch, so whoever else is above imports them inside functions."""


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imports_of(path: Path) -> set[str]:
    return imported(ast.walk(tree_of(path)))


def runs_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """What is executed when a module is imported: no function's body, and nothing that only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from runs_at_import(node)


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return {name for name in found if name.split(".")[0] == "gradcheck"}


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_downwards(path):
    own = floor_of(room_of(path))
    for name in imports_of(path):
        parts = name.split(".")
        if len(parts) > 1 and parts[1] != "__version__":
            assert floor_of(parts[1]) >= own, f"{path.name} imports {name} from a floor above"


def test_the_page_on_rooms_has_these_floors():
    page = (PACKAGE.parent / "docs" / "developer" / "rooms.md").read_text(encoding="utf-8")
    told: list[set[str]] = []
    for number, rooms in re.findall(r"^\| *(\d*) *\| (`[^|]+)\|", page, re.MULTILINE):
        if number:
            told.append(set())
            assert int(number) + len(told) == len(FLOORS), f"floor {number} in rooms.md"
        told[-1] |= {room.removesuffix("/").removesuffix(".py") for room in re.findall("`([^`]+)`", rooms)}
    assert told == [{"commands", "pytest_plugin", "pytest_verify"}, *FLOORS[1:]]


def words_of(name: str) -> list[str]:
    return [word.removesuffix("s") for word in name.split("_")]


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES} - {PACKAGE}), ids=lambda path: path.name)
def test_a_folders_files_do_not_repeat_its_name_nor_one_another(folder):
    names = [words_of(path.stem) for path in folder.glob("*.py") if path.stem != "__init__"]
    assert not [name for name in names if set(name) & set(words_of(folder.name))]
    starts = Counter(name[0] for name in names)
    assert not [word for word, often in starts.items() if often > 2], "these want a folder of their own"


def test_there_are_no_circles():
    names = {".".join(("gradcheck", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in MODULES}
    graph = {name: {other for other in imports_of(path) if other in names} for name, path in names.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for other in graph[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_a_room_of_torch_is_imported_where_it_is_used():
    early = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in MODULES
        for name in imported(runs_at_import(tree_of(path)))
        if name.partition(".")[2].partition(".")[0] in LATE and room_of(path) not in LATE
    }
    assert not early


def test_what_runs_at_import_is_told_from_what_does_not():
    text = """
from typing import TYPE_CHECKING
import gradcheck.one
if TYPE_CHECKING:
    import gradcheck.two
class Here:
    from gradcheck import three
    def there(self):
        import gradcheck.four
try:
    import gradcheck.five
except ImportError:
    import gradcheck.six
"""
    assert imported(runs_at_import(ast.parse(text))) == {
        "gradcheck",
        *(f"gradcheck.{name}" for name in ("one", "three", "five", "six")),
    }


def test_a_class_name_exists_once():
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(PACKAGE).as_posix()}:{node.lineno}")
    assert not {name: found for name, found in places.items() if len(found) > 1}


@pytest.mark.outside
@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import gradcheck, gradcheck.commands.cli", ("torch", "sympy", "flint", "hypothesis", "rich", "numpy")),
        ("import gradcheck.pytest_plugin", ("torch", "sympy", "flint", "hypothesis", "rich")),
        (
            "import gradcheck.desk.listing, gradcheck.desk.hints, gradcheck.desk.watch.loop",
            (
                "torch",
                "sympy",
                "flint",
                "hypothesis",
                "rich",
                "numpy",
                "gradcheck.checks.engine",
                "gradcheck.submissions",
            ),
        ),
        ("from gradcheck.catalog import all_exercises; all_exercises()", ("torch", "sympy", "flint")),
    ],
)
def test_heavy_libraries_wait_until_they_are_used(statement, absent):
    code = f"{statement}; import sys; print([name for name in {absent} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
