"""Runs what a page tells its readers to type, in a copy of the project, as somebody does who follows the page."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from tests import warm_start
from tests.docs.doc_pages import ROOT, Block, Step, blocks_of

LIMIT_S = 150
"""For one command. Whoever reads waits no longer either."""

_COPIED = (
    "gradcheck", "exercises", "solutions", "examples", "docs", "tests",
    "conftest.py", "constraints.txt", "LICENSE", "Makefile", "pyproject.toml", "README.md", "zensical.toml",
)  # fmt: skip

_WRAPPER = """
cd "$(cat "$DOC_STATE/cwd")" || exit 99
source "$DOC_STATE/environment"
trap 'pwd > "$DOC_STATE/cwd"; export -p > "$DOC_STATE/environment"' EXIT
source "$DOC_STATE/command"
"""
"""The folder and the variables of a command stay for the next one, as in a terminal."""


@dataclass(frozen=True)
class Ran:
    """What one command did: where it stands, its exit status and all that it printed."""

    where: str
    command: str
    status: int
    printed: str
    wanted: int
    shown: str

    @property
    def problem(self) -> str:
        """Empty where the page tells the truth."""
        if self.status != self.wanted:
            wrong = f"exits {self.status}, not {self.wanted}"
        elif not shows(self.shown, self.printed):
            wrong = f"does not print\n{self.shown}"
        else:
            return ""
        return f"{self.where}: `{self.command}` {wrong}\nIt printed:\n{self.printed}"


def shows(shown: str, printed: str) -> bool:
    """Whether what a page shows stands in what was printed; … stands for anything, and spaces do not count."""
    pattern, before = "", "…"
    for word in shown.split():
        between = "" if "…" in {before, word} else r"\s+"
        pattern += between + re.escape(word).replace("…", ".*?")
        before = word
    return bool(re.search(pattern, printed, re.DOTALL))


def _type_warm(folder: Path) -> None:
    """What is typed in Python starts as `warm_start` says."""
    folder.mkdir()
    for name in ("gradcheck", "pytest", "python", "python3"):
        script = [] if name.startswith("python") else [str(Path(sys.executable).parent / name)]
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join([*warm_start.python(), *script])} "$@"\n')
        (folder / name).chmod(0o755)


class Shell:
    """A terminal in `folder`: commands keep its folder and variables. Nothing of it reaches a network."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.folder = folder
        self.state = state
        for name in ("home", "tmp"):
            (state / name).mkdir(parents=True)
        (state / "cwd").write_text(f"{folder}\n")
        (state / "environment").write_text("")
        (state / "wrapper").write_text(_WRAPPER)
        (state / "gitconfig").write_text(
            "[user]\nname = Reader\nemail = reader@example.org\n[init]\ndefaultBranch = main\n"
        )
        _type_warm(state / "bin")
        nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
        self.environment = {
            **nowhere,
            "PATH": f"{state / 'bin'}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(folder),
            "PYTHONUTF8": "1",
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "80",
            "HOME": str(state / "home"),
            "TMPDIR": str(state / "tmp"),
            "GIT_CONFIG_GLOBAL": str(state / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "PIP_NO_INDEX": "1",
            "DOC_STATE": str(state),
        }

    def run(self, command: str) -> tuple[int, str]:
        """Exit status and everything that was printed, to either stream. Past the time limit all of it is ended."""
        (self.state / "command").write_text(command + "\n", encoding="utf-8")
        started = subprocess.Popen(
            ["bash", str(self.state / "wrapper")],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        try:
            printed, _ = started.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            printed, _ = started.communicate()
            return 124, f"{printed}\n(ended after {LIMIT_S} seconds)"
        return started.returncode, printed


class Original:
    """The project as it was when the tests began: what every page starts from, whoever edits it meanwhile.

    Compiled files come along: they hold as long as the times of their sources stay the same.
    """

    def __init__(self, folder: Path, names: tuple[str, ...] = _COPIED) -> None:
        self.folder = folder
        self.project = folder / "original"
        self.project.mkdir(parents=True)
        for name in names:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.project / name, symlinks=True)
            elif source.exists():
                shutil.copy2(source, self.project / name)
        self._lock = threading.Lock()

    def shell(self, folder: Path) -> Shell:
        """A terminal in a copy of the project, below `folder`."""
        shutil.copytree(self.project, folder / "project", symlinks=True)
        return Shell(folder / "project", folder / "state")

    def graded(self) -> Path:
        """What `gradcheck grade` makes of examples/class, for every page that begins with it (`given: graded`). It takes
        ten seconds and more, so one run serves them all.
        """
        with self._lock:
            made = self.folder / "sample" / "project" / "graded"
            if not made.exists():
                status, printed = self.shell(self.folder / "sample").run(
                    "gradcheck grade examples/class --course examples/class/course.toml --out graded"
                )
                if status:
                    raise AssertionError(f"the sample class cannot be graded:\n{printed}")
            return made


def run_page(page: str, folder: Path, original: Original, *, text: str | None = None) -> list[Ran]:
    """Everything that `page` has to type or to run as Python, in order, in a copy of the project below `folder`.

    Goes on after a failure, so that one run tells of all of them.
    """
    shell = original.shell(folder)
    ran: list[Ran] = []
    for block in blocks_of(page, text):
        if "given: graded" in block.notes and not (shell.folder / "graded").exists():
            shutil.copytree(original.graded(), shell.folder / "graded")
        for command in block.first:
            ran.append(_ran(shell, block, Step(block.line, command, ""), 0))
        if block.file:
            (shell.folder / block.file).write_text(f"{block.text}\n", encoding="utf-8")
        elif block.language == "python" and not block.reason_not_run:
            (shell.state / "block.py").write_text(block.text, encoding="utf-8")
            ran.append(_ran(shell, block, Step(block.line, f"python {shell.state / 'block.py'}", ""), block.exits))
        elif block.language == "console":
            steps = block.steps()
            ran += [_ran(shell, block, step, block.exits if step is steps[-1] else 0) for step in steps]
    return ran


def _ran(shell: Shell, block: Block, step: Step, wanted: int) -> Ran:
    status, printed = shell.run(step.command)
    return Ran(f"{block.page}:{step.line}", step.command, status, printed, wanted, step.shown)
