"""A project as a learner has it, and pytest run in it as they run it: in a process of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests import warm_start

ROOT = Path(__file__).parents[2]
Completed = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def source_of() -> Callable[..., str]:
    """The text of a solution (or, from "exercises", of a stub): `source_of("04_modules/relu.py")`."""

    def read(path: str, folder: str = "solutions") -> str:
        return (ROOT / folder / path).read_text(encoding="utf-8")

    return read


@pytest.fixture(scope="session")
def expected_values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept for all projects of a session: deriving them anew for each would only cost time."""
    return tmp_path_factory.mktemp("gradcheck")


@pytest.fixture
def project(tmp_path: Path, expected_values: Path) -> Callable[[Mapping[str, str]], Path]:
    """Lays out a project with these files below `exercises/`."""

    def lay_out(files: Mapping[str, str]) -> Path:
        (tmp_path / "conftest.py").write_text('pytest_plugins = ["gradcheck.pytest_plugin"]\n')
        # Marks the root: started further down, pytest would not look for the conftest above otherwise.
        (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
        if not (tmp_path / ".gradcheck").exists():
            (tmp_path / ".gradcheck").symlink_to(expected_values)
        for path, text in files.items():
            (tmp_path / "exercises" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "exercises" / path).write_text(text, encoding="utf-8")
        return tmp_path

    return lay_out


@pytest.fixture
def run_pytest(tmp_path: Path) -> Callable[..., Completed]:
    """`run_pytest("exercises", "-k", "jacobian")`, as typed in the project's folder or in `cwd` below it."""

    def run(*arguments: str, cwd: str = ".", **settings: str) -> Completed:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV_"))}
        environment |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "100"} | settings
        return subprocess.run(
            [*warm_start.python(), "-m", "pytest", "-p", "no:benchmark", *arguments],
            cwd=tmp_path / cwd,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=100,
            check=False,
        )

    return run
