"""The instructor's look at the machine: doctor. Adapters only; heavy imports come late."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from gradcheck.errors import GradcheckError


@click.command()
@click.option(
    "--json",
    "out",
    type=click.Path(path_type=Path),
    help="Write what was found (gradcheck/doctor/v1) here; - is standard output.",
)
def doctor(out: Path | None) -> None:
    """Say which layers of the sandbox hold on this machine, and why others do not.

    Each is tried in a process of its own that attacks it, harmlessly. Exits 0 when the baseline holds, which needs no
    rights, and 1 otherwise.
    """
    from gradcheck.desk.paper import screen_width
    from gradcheck.isolation.sandbox.health import examine, lines

    health = examine()
    text = json.dumps(health.as_json(), indent=1) + "\n"
    if out is not None and str(out) == "-":
        click.echo(text, nl=False)
    else:
        colours = {"held": click.style("held", fg="green"), "missing": click.style("missing", fg="yellow")}
        for line in lines(health, screen_width(), colours):
            click.echo(line)
    if out is not None and str(out) != "-":
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise GradcheckError(f"{out} cannot be written: {error.strerror}; give --json another place") from None
        click.echo(f"written: {out}")
    sys.exit(1 if health.baseline_missing else 0)
