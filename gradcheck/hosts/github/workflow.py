"""A GitHub workflow that grades: the text of a release's, and what a step of it writes to: outputs, summary, log.
Nothing there is ever replaced.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gradcheck.errors import GradcheckError, explained
from gradcheck.hosts.grader import PYTHON, TORCH_CPU_INDEX
from gradcheck.showing.templating import filled

WORKFLOW = ".github/workflows/classroom.yml"
_TEMPLATE = Path(__file__).parent / "template" / "classroom.yml"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def workflow(exercises: Iterable[str]) -> str:
    """Grades every push, with a step for each exercise: the reporter finds its results as RUNNER_RESULTS, and takes
    letters and digits only. Names come from the catalog, and still no other character may get into a workflow.
    """
    runners: dict[str, str] = {}
    for name in exercises:
        step = name.replace("_", "")
        if not _NAME.fullmatch(name) or step in {*runners.values(), "grade"}:
            raise GradcheckError(f"the exercise {name!r} needs another name: a workflow's step cannot be called by it")
        runners[name] = step
    return filled(_TEMPLATE, python=PYTHON, runners=runners, torch_index=TORCH_CPU_INDEX)


def output_file(environment: Mapping[str, str], given: Path | None) -> Path:
    """Where a step's outputs go, seen to be writable before anything is graded. Raises GradcheckError."""
    named = environment.get("GITHUB_OUTPUT", "")
    if given is None and not named:
        raise GradcheckError(
            "GITHUB_OUTPUT names no file for the result: run this in a step of a workflow, or give --output FILE"
        )
    path = given if given is not None else Path(named)
    whose = "--output" if given is not None else "GITHUB_OUTPUT"
    with explained(f"{path}, which {whose} names, cannot be written", "nothing was graded"), path.open("ab"):
        pass
    return path


def append_output(path: Path, name: str, value: str) -> None:
    """`name=value`, which is one line, at the end of a step's outputs. Raises GradcheckError."""
    with explained(f"{path} cannot be written", "the result is lost"):
        _append(path, f"{name}={value}\n")


def append_summary(environment: Mapping[str, str], text: str) -> str:
    """At the end of the step's summary, where there is one. Returns what went wrong, if anything did."""
    named = environment.get("GITHUB_STEP_SUMMARY", "")
    if not named or not text:
        return ""
    try:
        _append(Path(named), text)
    except OSError as error:
        where = f"{named}, which GITHUB_STEP_SUMMARY names"
        return f"the summary was not written to {where}: {error.strerror}; the result counts all the same"
    return ""


def _append(path: Path, text: str) -> None:
    """In one piece, on a line of its own where somebody left one unfinished."""
    with path.open("ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            text = text if file.read(1) == b"\n" else f"\n{text}"
        file.write(text.encode("utf-8"))


@contextmanager
def commands_stopped(environment: Mapping[str, str], say: Callable[[str], None]) -> Iterator[None]:
    """The runner obeys no line of the log meanwhile, since words of a submission are printed. They are escaped as well:
    this is for what nobody thought of.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        yield
        return
    token = secrets.token_hex(16)  # whoever knew it could end this
    say(f"::stop-commands::{token}")
    try:
        yield
    finally:
        say(f"::{token}::")


def path_from_root(environment: Mapping[str, str], folder: Path) -> str:
    """How paths in `folder` begin for GitHub, which counts from the workspace's root: `""`, or `week2/`."""
    root = Path(environment.get("GITHUB_WORKSPACE") or Path.cwd())
    try:
        way = folder.resolve().relative_to(root.resolve()).as_posix()
    except (OSError, ValueError):
        return ""
    return "" if way == "." else f"{way}/"
