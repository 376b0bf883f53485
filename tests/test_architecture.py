"""Imports run downwards only, and what must be quick to start stays free of heavy libraries."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "gradcheck"

COMMANDS = {path.stem for path in PACKAGE.glob("cli_*.py")}

FLOORS = [
    {"__init__", "__main__", "pytest_plugin", "cli", *COMMANDS},
    {"course", "desk"},
    {"reports"},
    {"grading"},
    {"training"},
    {"diagnosis"},
    {"catalog"},
    {"checks"},
    {"references"},
    {"operators", "numbers"},
    {"errors"},
]
"""From the top. A room may import from its own floor and from those below."""


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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


@pytest.mark.outside
@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import gradcheck, gradcheck.cli", ("torch", "sympy", "flint", "hypothesis", "rich", "numpy")),
        ("import gradcheck.pytest_plugin", ("torch", "sympy", "flint", "hypothesis", "rich")),
        ("from gradcheck.catalog import all_exercises; all_exercises()", ("torch", "sympy", "flint")),
    ],
)
def test_heavy_libraries_wait_until_they_are_used(statement, absent):
    code = f"{statement}; import sys; print([name for name in {absent} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
