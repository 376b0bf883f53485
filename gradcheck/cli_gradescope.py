"""Gradescope: `bundle gradescope` makes what is uploaded there, `host gradescope` is what runs there. Adapters only; heavy imports come
late.
"""

from __future__ import annotations

import click


@click.command("gradescope")
def bundle() -> None:
    """Make what is uploaded to Gradescope."""


@click.command("gradescope")
def host() -> None:
    """Grade one submission on Gradescope."""
