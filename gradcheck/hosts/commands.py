"""Where courses are kept, host by host: `bundle HOST` makes what is uploaded, `host HOST` is what runs there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gradcheck.hosts.classroom50 import command as classroom50_command
from gradcheck.hosts.gradescope import command as gradescope_command

if TYPE_CHECKING:
    from gradcheck.gradebooks.collect.result import Reader


@click.group()
def bundle() -> None:
    """Make what is uploaded to the service that keeps the course."""


@click.group(hidden=True)
def host() -> None:
    """What a bundle runs at its host; nothing to call by hand."""


def readers() -> tuple[Reader, ...]:
    """What `gradcheck collect` reads results of hosts with."""
    from gradcheck.hosts.classroom50 import result as classroom50
    from gradcheck.hosts.github import result as github
    from gradcheck.hosts.gradescope import result as gradescope

    return classroom50.collected, github.collected, gradescope.collected


for each in (classroom50_command, gradescope_command):
    bundle.add_command(each.bundle)
    host.add_command(each.host)

COMMANDS = (bundle, host)
