"""Whoever writes exercises: new, dev check. Adapters only; heavy imports come late."""

from __future__ import annotations

import click


@click.command()
@click.argument("name")
def new(name: str) -> None:
    """Begin a new exercise."""


@click.group()
def dev() -> None:
    """For whoever writes exercises."""


COMMANDS = (new, dev)
