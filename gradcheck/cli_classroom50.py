"""Classroom 50: `bundle classroom50` makes what is uploaded there, `host classroom50` is what runs there. Adapters only; heavy imports come
late.
"""

from __future__ import annotations

import click


@click.command("classroom50")
def bundle() -> None:
    """Make what is uploaded to Classroom 50."""


@click.command("classroom50")
def host() -> None:
    """Grade one submission on Classroom 50."""
