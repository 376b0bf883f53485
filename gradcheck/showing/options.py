"""Options that several commands have, each with one meaning everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)


def place(*names: str, **settings: Any) -> Callable[[_Command], _Command]:
    """An option that takes a path."""
    return click.option(*names, type=PATH, **settings)


def seeded(what: str) -> Callable[[_Command], _Command]:
    """--seed, 0 unless it is given, and what it draws."""
    return click.option("--seed", type=int, default=0, show_default=True, help=f"Draws {what}.")


def only(verb: str) -> Callable[[_Command], _Command]:
    """--only, an exercise that is named, again and again."""
    return click.option("--only", multiple=True, metavar="NAME", help=f"{verb} this exercise only; may be given again.")


def units(command: _Command) -> _Command:
    """--units, whose exercises are meant."""
    told = "These units only: 04_modules or 04; may be given again."
    return click.option("--units", multiple=True, metavar="UNIT", help=told)(command)


def jobs(what: str) -> Callable[[_Command], _Command]:
    """--jobs, as many as cores unless it is given."""
    return click.option("--jobs", type=click.IntRange(min=1), default=None, help=f"{what} at once; as many as cores.")
