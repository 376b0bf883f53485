"""Runs the learner's commands as `gradcheck …` does, without a process each."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from gradcheck.catalog import find_exercise
from gradcheck.commands.cli import cli
from gradcheck.errors import GradcheckError

ROOT = Path(__file__).parents[2]


@dataclass
class Done:
    code: int
    out: str
    err: str


def run(*arguments: str, keys: str | None = None) -> Done:
    """Exit code and both streams. Only what gradcheck says on purpose may end a command."""
    result = CliRunner().invoke(cli, arguments, input=keys)
    if isinstance(result.exception, GradcheckError):
        return Done(2, result.stdout, f"{result.stderr}gradcheck: {result.exception}\n")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def refused(*arguments: str) -> str:
    """The sentence with which a command is refused."""
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    return done.err.strip().removeprefix("gradcheck: ")


def place(name: str, source: str = "solutions", folder: str = "exercises") -> Path:
    """An exercise's solution or stub, in a folder below the current one."""
    path = Path(folder) / find_exercise(name).path
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / source / find_exercise(name).path, path)
    return path
