"""The plugin in suites that have other business: it is there once, by whatever way it came, and costs nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CONFTEST = """
import sys

HEAVY = {"torch", "numpy", "sympy", "flint", "hypothesis", "click", "rich", "gradcheck.pytest_plugin"}


def pytest_sessionfinish(session):
    plugins = session.config.pluginmanager.list_name_plugin()
    print("\\nloaded:", sorted(HEAVY & sys.modules.keys()))
    print("plugins:", [name for name, plugin in plugins if getattr(plugin, "__name__", "") == "gradcheck.pytest_verify"])
"""


@pytest.fixture
def run(tmp_path):
    """`run(files, *options)`: pytest over these files in a process of its own, with the entry point of pyproject.toml as
    an installation would have it.
    """

    def run(files: dict[str, str], *options: str) -> str:
        points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
        info = tmp_path / "site" / "verifying-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: verifying\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[pytest11]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))
        for path, text in {"suite/pytest.ini": "[pytest]\n", **files}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        paths = [str(ROOT), str(Path(__file__).parent), str(info.parent)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "CI"))}
        environment |= {"PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "80", "PYTHONUTF8": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:benchmark", "-p", "no:cacheprovider", *options],
            cwd=tmp_path / "suite",
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        assert not done.stderr, done.stderr
        return done.stdout

    return run


WAYS = {
    "entry point": (),
    "both": ("-p", "gradcheck.pytest_verify"),
    "off": ("-p", "no:gradcheck.pytest_verify"),
}


@pytest.mark.outside
@pytest.mark.parametrize("way", WAYS)
def test_it_is_there_once_loads_nothing_heavy_and_collects_no_exercise(run, way):
    solution = (ROOT / "solutions/04_modules/relu.py").read_text()
    printed = run(
        {"suite/conftest.py": CONFTEST, "suite/exercises/04_modules/relu.py": solution}, *WAYS[way], "-p", "no:xdist"
    )
    assert "loaded: []\n" in printed
    assert f"plugins: {[] if way == 'off' else ['gradcheck.pytest_verify']}\n" in printed
    assert "no tests ran" in printed


SUITE = """
import gradcheck
import pytest
import torch
from kernels_to_verify import WrongSign, square

@pytest.mark.parametrize("rows", [1, 2])
@gradcheck.verifies(WrongSign, square)
def test_rows(rows):
    return torch.ones(rows)
"""


@pytest.mark.outside
def test_what_workers_of_xdist_find_is_summed_up_here(run):
    pytest.importorskip("xdist")
    printed = run({"suite/test_mine.py": SUITE}, "-n", "1", "-p", "gradcheck.pytest_verify")
    summary = printed[printed.index("= gradcheck =") :].splitlines()
    assert sorted(line for line in summary if line.startswith("test_mine.py")) == [
        "test_mine.py::test_rows[1]",
        "test_mine.py::test_rows[2]",
    ]
    assert printed.count("test_mine.py:7: GradientError") == 2
    assert "2 failed" in printed


@pytest.mark.outside
def test_beside_the_course_nothing_doubles(run):
    stub = (ROOT / "exercises/04_modules/relu.py").read_text()
    files = {
        "suite/conftest.py": 'pytest_plugins = ["gradcheck.pytest_plugin", "gradcheck.pytest_verify"]\n' + CONFTEST,
        "suite/test_mine.py": SUITE,
        "suite/exercises/04_modules/relu.py": stub,
    }
    printed = run(files, "-p", "no:xdist", "exercises", "test_mine.py")
    assert "plugins: ['gradcheck.pytest_verify']\n" in printed
    assert printed.count("= gradcheck =") == printed.count("= progress =") == 1
    assert printed.count("GradientError") == 2
    assert re.search(r"= 2 failed, \d+ not started in", printed)
