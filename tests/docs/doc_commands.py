"""Whether a command in the documentation can be typed: the command and its options exist, and so do its exercises."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache

import click

from gradcheck.catalog import all_exercises
from gradcheck.commands.cli import cli
from tests.docs.doc_pages import ROOT

STARTS = re.compile(r"(python3? -m )?(gradcheck|pytest)(?= |$)")
_TYPED = re.compile(
    r"^\s*(\$ |- run: |run: )?((python3?|py|\S*/python|\S*\\python) -m |\S*/)?(gradcheck|pytest|make|pip) +[\w./$<-]"
)
_OURS = ("hint", "explain", "solution", "reset")


def looks_typed(line: str) -> bool:
    """Whether a line of a block is something to type."""
    return bool(_TYPED.match(line))


def words_of(command: str) -> list[str]:
    """The words of a command up to a pipe, a redirection, a comment or the next command."""
    command = command.replace("\\\n", " ").replace("[", " ").replace("]", " ").replace("|", " | ")
    words = shlex.split(command, comments=True)
    ends = [number for number, word in enumerate(words) if word in {"|", "||", "&&", ";", ">", ">>", "2>", "<"}]
    return words[: ends[0]] if ends else words


def ours(command: str) -> tuple[tuple[str, ...], list[str]] | None:
    """`gradcheck bundle gradescope --out x` as (("bundle", "gradescope"), ["--out", "x"]); None if it is not ours.

    Raises ValueError for a command that does not exist.
    """
    words = words_of(command)
    if words[:1] in (["python"], ["python3"]) and words[1:2] == ["-m"]:
        words = words[2:]
    if words[:1] != ["gradcheck"] or len(words) == 1 or words[1].startswith(("…", "-")):
        return None
    rest = words[1:]
    found: click.Command = cli
    path: list[str] = []
    while isinstance(found, click.Group) and rest and not rest[0].startswith("-"):
        name = rest[0]
        if name not in found.commands:
            if name.isupper() or name.startswith("…"):
                break
            raise ValueError(f"there is no command `gradcheck {' '.join([*path, name])}`")
        found = found.commands[name]
        path.append(name)
        rest = rest[1:]
    return tuple(path), rest


def command_named(path: tuple[str, ...]) -> click.Command:
    found: click.Command = cli
    for name in path:
        assert isinstance(found, click.Group)
        found = found.commands[name]
    return found


def options_of(path: tuple[str, ...]) -> dict[str, click.Option]:
    options = [each for each in command_named(path).params if isinstance(each, click.Option)]
    return {name: option for option in options for name in (*option.opts, *option.secondary_opts)}


def problem_with(command: str) -> str:
    """What is wrong with a command of ours or of pytest, in one sentence; empty where nothing is."""
    words = words_of(command)
    if words[:3] in (["python", "-m", "pytest"], ["python3", "-m", "pytest"]):
        words = words[2:]
    if words and words[0] == "pytest":
        return _problem_with_pytest(words[1:])
    try:
        split = ours(command)
    except ValueError as error:
        return str(error)
    if split is None:
        return ""
    path, rest = split
    known = options_of(path)
    for number, word in enumerate(rest):
        name, _, value = word.partition("=")
        if not word.startswith("-") or word in {"-", "-h", "--help"}:
            continue
        if name not in known:
            return f"`gradcheck {' '.join(path)}` has no option {name}"
        choice, after = known[name].type, value or "".join(rest[number + 1 : number + 2])
        if isinstance(choice, click.Choice) and after not in choice.choices and not after.isupper() and after != "…":
            return f"{name} is one of {', '.join(choice.choices)}, not {after}"
    exercises = set(all_exercises())
    named = rest[:1] if path and path[0] in _OURS else []
    named += [rest[number + 1] for number, word in enumerate(rest[:-1]) if word == "--only"]
    for name in named:
        if name not in exercises and not name.startswith(("-", "…")) and not name.isupper():
            return f"there is no exercise {name}"
    return ""


def _problem_with_pytest(rest: list[str]) -> str:
    for word in rest:
        name = word.partition("=")[0]
        if word.startswith("-") and not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", _pytest_help()):
            return f"pytest has no option {name}"
        if (
            "/" in word
            and not word.startswith("-")
            and not (ROOT / word.partition("::")[0]).exists()
            and word.islower()
        ):
            return f"there is no {word}"
    return ""


@cache
def _pytest_help() -> str:
    asked = [sys.executable, "-m", "pytest", "--help"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
