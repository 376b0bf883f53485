"""The command line: `gradcheck …` or `python -m gradcheck …`, its commands by who types them."""

from __future__ import annotations

import sys

import click

from gradcheck import __version__
from gradcheck.commands import author, instructor, learner
from gradcheck.errors import GradcheckError
from gradcheck.hosts import commands as hosts
from gradcheck.hosts.github import command as github

SECTIONS = {
    "Working on exercises": learner.COMMANDS,
    "Teaching a course": (*instructor.COMMANDS, *github.COMMANDS, *hosts.COMMANDS),
    "Writing exercises": author.COMMANDS,
}
"""The commands by who types them, in the order in which they are needed."""


class Sections(click.Group):
    """A group whose help shows its commands under the headings of `SECTIONS`."""

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shown = {told: [each for each in commands if not each.hidden] for told, commands in SECTIONS.items()}
        widest = max(len(each.name or "") for commands in shown.values() for each in commands)
        for heading, commands in shown.items():
            with formatter.section(heading):
                room = formatter.width - 6 - widest
                formatter.write_dl([(f"{each.name:<{widest}}", each.get_short_help_str(room)) for each in commands])


@click.group(
    cls=Sections,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.version_option(__version__, prog_name="gradcheck")
@click.pass_context
def cli(context: click.Context) -> None:
    """Learn backpropagation by writing it: grade gradients and Jacobians.

    Without a command it opens the desk in exercises/, where there is one. To check one exercise with pytest:
    pytest exercises/04_modules/relu.py
    """
    if context.invoked_subcommand is None:
        from gradcheck.desk.full_screen.start import in_terminal

        if in_terminal() and learner.EXERCISES.is_dir():
            context.invoke(learner.desk)
        click.echo(context.get_help())


for command in (each for commands in SECTIONS.values() for each in commands):
    cli.add_command(command)


def main() -> None:
    """Run the command line; what gradcheck says on purpose is printed without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a narrow console shows ? for δ rather than fail
    try:
        cli(prog_name="gradcheck")
    except GradcheckError as error:
        click.echo(f"gradcheck: {error}", err=True)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        click.echo("gradcheck: stopped", err=True)
        sys.exit(130)
