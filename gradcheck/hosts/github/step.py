"""What a step of a GitHub workflow writes to: its outputs, its summary, its log. Nothing there is ever replaced."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gradcheck.errors import GradcheckError


def output_file(environment: Mapping[str, str], given: Path | None) -> Path:
    """Where a step's outputs go, seen to be writable before anything is graded. Raises GradcheckError."""
    named = environment.get("GITHUB_OUTPUT", "")
    if given is None and not named:
        raise GradcheckError(
            "GITHUB_OUTPUT names no file for the result: run this in a step of a workflow, or give --output FILE"
        )
    path = given if given is not None else Path(named)
    whose = "--output" if given is not None else "GITHUB_OUTPUT"
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        why = f"{error.strerror}; nothing was graded"
        raise GradcheckError(f"{path}, which {whose} names, cannot be written: {why}") from None
    return path


def append_output(path: Path, name: str, value: str) -> None:
    """`name=value`, which is one line, at the end of a step's outputs. Raises GradcheckError."""
    try:
        _append(path, f"{name}={value}\n")
    except OSError as error:
        raise GradcheckError(f"{path} cannot be written: {error.strerror}; the result is lost") from None


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
