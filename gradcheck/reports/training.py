"""Trainings as people watch them: a progress bar each, then a line for what was found, then the plots by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from gradcheck.catalog import find_exercise
from gradcheck.checks.candidate import Candidate
from gradcheck.errors import GradcheckError, SubmissionError
from gradcheck.grading.grade import locate, shown_path
from gradcheck.grading.load import load_candidate
from gradcheck.training import ensemble, plots, session

LIMIT_S = 60.0
"""Seconds for one call: 25 epochs on 3,000 points."""


def finder(folder: Path) -> Callable[[str], Candidate | None]:
    """The files of a folder laid out like exercises/, by exercise. Raises SubmissionError when it is no folder."""
    if not folder.is_dir():
        raise SubmissionError(f"{folder} is not a folder; give one laid out like exercises/ (04_modules/relu.py, …)")

    @cache
    def find(name: str) -> Candidate | None:
        exercise = find_exercise(name)
        path = locate(folder, exercise)
        return load_candidate(exercise, path, shown_path(path), LIMIT_S) if path.is_file() else None

    return find


@contextmanager
def bars() -> Iterator[session.Watch]:
    """A progress bar per training, with its loss; nothing but the end where the output is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<26}"), BarColumn(24), MofNCompleteColumn())
    with Progress(
        *columns, TextColumn("loss {task.fields[loss]:.3f}"), TimeRemainingColumn(), console=Console(), transient=True
    ) as progress:

        def watch(name: str) -> Callable[[int, int, float], None]:
            task = progress.add_task(name, total=None, loss=float("nan"))

            def told(done: int, total: int, loss: float) -> None:
                progress.update(task, completed=done, total=total, loss=loss, visible=done < total)

            return told

        yield watch


def train_folder(folder: Path, drawn: Path | None, seed: int) -> int:
    """Everything of `gradcheck train`; the exit code: 0 when every network that is written holds."""
    find = finder(folder)
    missing = plots.missing() if drawn else ""
    drawn = None if missing else drawn
    with bars() as watch:
        lines, reference = session.reference_lines(watch, drawn, seed)
        curves, params = {"reference": reference.losses}, {}
        for name, network in session.learner_networks(find).items():
            found, losses, after = session.learner_lines(name, network, watch, seed)
            lines += found
            if after:
                curves["yours"], params = losses, after
    _tell(lines)
    if drawn:
        made = session.learner_plots(curves, params, find, seed, drawn)
        _name([*made, drawn / "regions_reference.png", drawn / "regions_linear.png"])
    elif missing:
        print(f"no plots: {missing}")  # noqa: T201 — this is what a command prints
    return 1 if any(line.holds is False for line in lines) else 0


def ensemble_of(folder: Path, drawn: Path) -> int:
    """Everything of `gradcheck ensemble`; the exit code."""
    import numpy as np

    part = finder(folder)("ensemble")
    if plots.missing():
        raise GradcheckError(plots.missing())
    told = ensemble.summary(np.zeros((2, 3)), part)  # before anybody waits for a training
    if isinstance(told, str):
        _tell([session.Line("your mean_and_variance (07)", told, holds=False)])
        return 1
    x, y = ensemble.data()
    grid = np.linspace(-2.0, 2.0, 200)
    panels, lines = {}, []
    with bars() as watch:
        for kind, title in (("relu", "five ReLU networks"), ("tanh", "five tanh networks")):
            members = ensemble.predictions(x, y, grid, kind, progress=watch(title))  # type: ignore[arg-type]
            summed = ensemble.summary(members, part)
            if isinstance(summed, str):
                raise GradcheckError(f"mean_and_variance: {summed}; check it with: pytest -k ensemble")
            mean, deviation = summed
            panels[title] = members, mean, deviation
            inside = np.abs(grid) <= 1
            text = f"σ is {deviation[inside].mean():.3f} where there is data, {deviation[~inside].mean():.3f} beside it"
            lines.append(session.Line(title, text))
    _tell(lines)
    _name([plots.regression(panels, x, y, grid, drawn)])
    return 0


def _tell(lines: list[session.Line]) -> None:
    from rich.console import Console

    from gradcheck.reports.message import printable

    console = Console(highlight=False, soft_wrap=True)
    signs = {True: "[green]✓[/]", False: "[red]✗[/]", None: " "}
    last = ""
    for line in lines:
        if line.name != last:
            console.print(line.name, markup=False, style="bold")
        last = line.name
        for number, text in enumerate(_folded(printable(line.text))):
            console.print(f"  {signs[line.holds] if not number else ' '} ", end="")
            console.print(text, markup=False)


def _folded(text: str) -> list[str]:
    from textwrap import wrap

    return wrap(text, 74, break_on_hyphens=False)


def _name(paths: list[Path]) -> None:
    from rich.console import Console

    Console(highlight=False, soft_wrap=True).print(
        "plots:", ", ".join(shown_path(path) for path in paths), markup=False
    )
