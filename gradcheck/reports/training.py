"""Trainings as people watch them: what does not hold of the files, a bar for each, what was found, then the plots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gradcheck.catalog import find_exercise
from gradcheck.checks.candidate import Candidate
from gradcheck.checks.engine import Verification
from gradcheck.checks.results import CheckResult, Status
from gradcheck.errors import GradcheckError, SubmissionError, Ungraded
from gradcheck.grading.load import load_candidate
from gradcheck.grading.located import locate, shown_path
from gradcheck.grading.report import status_of
from gradcheck.references.expected import Floats
from gradcheck.reports.terminal import screen_width
from gradcheck.reports.uses import use_of
from gradcheck.showing.text import plural, printable
from gradcheck.training import ensemble, plots, session
from gradcheck.training.learning import logits_at
from gradcheck.training.network import spiral

LIMIT_S = 60.0
"""Seconds for one call: 25 epochs on 3,000 points."""

FILES = "what is used of your files, by the checks of pytest"


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


@dataclass(frozen=True)
class Standing:
    """What the checks say of one exercise, before anything is trained with it."""

    exercise: str
    path: Path
    states: Mapping[str, Status]
    """By function."""
    failures: Mapping[str, CheckResult]
    """By function, the first check that failed."""

    @property
    def status(self) -> Status:
        return status_of(self.states.values())

    @property
    def part(self) -> session.Readiness:
        """What a training needs to know of it."""
        stuck = next((each for each in self.failures.values() if each.check == "runs"), None)
        unwritten = [f"{self.exercise}.{name}" for name, state in self.states.items() if state == "not_started"]
        obstacle = ""
        if stuck:
            obstacle = f"{self.exercise}.{stuck.function} does not run, see above"
        elif not self.path.exists():
            obstacle = f"{self.path.name} is missing"
        elif unwritten:
            obstacle = f"{', '.join(unwritten)} {plural(len(unwritten), 'is', 'are')} not written yet"
        return session.Readiness(tuple(self.failures), obstacle, absent=not stuck)

    def holding(self) -> list[str]:
        """What holds of it: all that is used, or function by function."""
        if self.status == "passed":
            return [self.exercise]
        return [f"{self.exercise}.{name}" for name, state in self.states.items() if state == "passed"]

    def lines(self) -> list[session.Line]:
        """What to say of it; nothing where all holds."""
        if self.status == "ungraded":
            return [session.Line(FILES, f"{self.exercise} could not be checked: the grader failed, not your code")]
        messages: dict[str, list[str]] = {}
        for function, each in self.failures.items():
            messages.setdefault(each.message, []).append(f"{self.exercise}.{function}")
        told = [session.Line(FILES, f"{', '.join(names)}: {text}", holds=False) for text, names in messages.items()]
        return [*told, session.Line(FILES, f"again: pytest {shown_path(self.path)}")] if told else []


def standing_of(folder: Path, name: str, cached: Path | None) -> Standing:
    """Check what is used of an exercise as pytest does, without the trainings that follow anyway."""
    from gradcheck.diagnosis.explain import explained_for

    exercise = find_exercise(name)
    path = locate(folder, exercise)
    candidate = load_candidate(exercise, path, shown_path(path))
    run = Verification(candidate, exercise.task, cache=cached, shrink=False, explain=explained_for(exercise))
    specs = {function: exercise.task.function(function) for function in session.USED[name]}
    found = {
        function: [run.result(function, check) for check in spec.checks if check not in spec.long_checks]
        for function, spec in specs.items()
    }
    run.save()
    failures = {
        function: next(each for each in results if each.status in ("failed", "errored"))
        for function, results in found.items()
        if any(each.status in ("failed", "errored") for each in results)
    }
    states = {function: status_of(each.status for each in results) for function, results in found.items()}
    return Standing(name, path, states, failures)


def _standing_lines(standings: Sequence[Standing]) -> list[session.Line]:
    """What holds, then what does not."""
    good = [name for each in standings for name in each.holding()]
    hold = [session.Line(FILES, f"{', '.join(good)} {plural(len(good), 'holds', 'hold')}", holds=True)]
    return [*(hold if good else []), *(line for each in standings for line in each.lines())]


@contextmanager
def bars() -> Iterator[session.Watch]:
    """A progress bar per training, with its loss; nothing where the output is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console()
    columns = (
        TextColumn("{task.description:<26}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
    )
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as progress:

        def watch(name: str) -> Callable[[int, int, float], None]:
            # Nothing is shown before something is known: no number of epochs, no loss.
            task = progress.add_task(name, visible=False, loss="")

            def told(done: int, total: int, loss: float) -> None:
                text = loss_text(loss)
                progress.update(task, completed=done, total=total, loss=text, visible=done < total)

            return told

        yield watch
        for task in progress.task_ids:
            progress.update(task, visible=False)  # a training may end before its last epoch


def loss_text(loss: float) -> str:
    """A loss as a progress bar shows it."""
    return f"loss {loss:.3f}" if np.isfinite(loss) else "loss is NaN" if np.isnan(loss) else "loss is infinite"


class Reading(NamedTuple):
    """Something to read: what, why, and where it is."""

    title: str
    why: str
    address: str


READ_NEXT = (
    Reading(
        "Christopher Olah: Calculus on Computational Graphs",
        "Your graph exercise in pictures, and why one sweep backwards is so much cheaper than many forwards.",
        "https://colah.github.io/posts/2015-08-Backprop/",
    ),
    Reading(
        "Andrej Karpathy: micrograd",
        "About a hundred lines record what is computed and do your backward by themselves; you know what each is for.",
        "https://github.com/karpathy/micrograd",
    ),
    Reading(
        "Sasha Rush: Autodiff Puzzles",
        "More Jacobians to find, each with a picture of what you found so far.",
        "https://github.com/srush/Autodiff-Puzzles",
    ),
    Reading(
        "Baydin and others: Automatic Differentiation in Machine Learning, a Survey",
        "Where backpropagation comes from, what forward mode does better, and what is neither of the two.",
        "https://arxiv.org/abs/1502.05767",
    ),
    Reading(
        "PyTorch: Extending torch.autograd",
        "How a forward and a backward of yours become a Function that torch trains with; gradcheck verifies those too.",
        "https://docs.pytorch.org/docs/stable/notes/extending.html",
    ),
)
"""For who has passed everything."""


def keepsake(folder: Path, drawn: Path, seed: int = 0) -> Path:
    """One picture, made of the learner's own trained network, for who has passed everything. Raises GradcheckError,
    with the reason, where there is none.
    """
    if plots.missing():
        raise GradcheckError(plots.missing())
    plots.prepare(drawn)
    with bars() as watch:
        params = session.long_run(finder(folder), watch, seed).after
    folds = np.column_stack((params["w_h"], params["b_h"]))
    return plots.keepsake(partial(logits_at, params), folds, spiral(seed=seed)[0], drawn)


def train_folder(
    folder: Path,
    drawn: Path | None,
    seed: int,
    cached: Path | None = None,
    *,
    animated: bool = True,
    finished: bool = False,
) -> int:
    """Everything of `gradcheck train`; the exit code: 0 when every network that is written holds, 3 where the grader
    itself failed at checking a file. `finished`: every exercise of the course has passed.
    """
    find = finder(folder)
    missing = plots.missing() if drawn else ""
    if missing:
        print(f"no plots: {missing}")  # noqa: T201 — this is what a command prints
    drawn = None if missing else drawn
    if drawn:
        plots.prepare(drawn)
    names = list(dict.fromkeys(name for network in session.NETWORKS for name in network.exercises))
    standings = {
        name: standing_of(folder, name, cached) for name in [*names, *(["vanishing_gradient"] if drawn else [])]
    }
    parts = {name: each.part for name, each in standings.items()}
    lines = _standing_lines(list(standings.values()))
    _tell(lines)
    with bars() as watch:
        more, references = session.reference_lines(watch, seed)
        courses = []
        for network in session.NETWORKS:
            found, course = session.learner_lines(network, find, parts, watch, seed)
            more += found
            courses += [course] if course else []
    wrong = any(line.holds is False for line in [*lines, *more])
    finished = finished and not wrong
    used = "" if wrong else next(filter(None, (use_of(unit, find) for unit in _TRAINED)), "")
    _tell([*more, *([session.Line("what you built", used)] if used else [])])
    if drawn:
        chain = parts["vanishing_gradient"]
        made = session.draw(references, courses, find, chain, seed, drawn, animated=animated)
        if finished and not parts["training_loop"].obstacle:
            made.append(keepsake(folder, drawn, seed))
        _name(made)
    if finished:
        _tell(reading_lines())
    if any(each.status == "ungraded" for each in standings.values()):
        return Ungraded.exit_status
    return 1 if wrong else 0


_TRAINED = ("07_training", "05_losses", "04_modules")
"""The units whose pieces are trained, the last first."""


def reading_lines() -> list[session.Line]:
    """What to read next, for who has passed everything."""
    name = "every exercise has passed; what to read next"
    return [session.Line(name, part) for each in READ_NEXT for part in (f"{each.title}. {each.why}", each.address)]


def ensemble_of(folder: Path, drawn: Path, cached: Path | None = None) -> int:
    """Everything of `gradcheck ensemble`; the exit code: 0 when mean_and_variance holds, 3 where the grader itself
    failed at checking it.
    """
    part = finder(folder)("ensemble")
    if plots.missing():
        raise GradcheckError(plots.missing())
    standing = standing_of(folder, "ensemble", cached)  # before anybody waits for a training
    lines = _standing_lines([standing])
    if part is None or standing.part.obstacle:
        plots.forget("ensemble.png", drawn)
        _tell([*lines, session.Line("the ensembles", f"not drawn: {standing.part.obstacle}", holds=False)])
        return 1
    _tell(lines)
    note = "" if standing.status in ("passed", "ungraded") else "your mean_and_variance does not hold"
    x, y = ensemble.data()
    grid = np.linspace(-2.0, 2.0, 200)
    panels, lines = {}, []
    with bars() as watch:
        for kind, title in (("relu", "five ReLU networks"), ("tanh", "five tanh networks")):
            members = ensemble.predictions(x, y, grid, kind, progress=watch(title))  # type: ignore[arg-type]
            summed = ensemble.summary(members, part)
            if isinstance(summed, str):
                plots.forget("ensemble.png", drawn)
                _tell([session.Line("the ensembles", f"not drawn: {summed}", holds=False)])
                return 1
            mean, variance = summed
            with np.errstate(invalid="ignore"):
                deviation = np.sqrt(variance)
            panels[title + (f"\n({note})" if note else "")] = members, mean, deviation
            lines.append(session.Line(title, _spread(x, grid, variance, deviation) + (f"; {note}" if note else "")))
    _tell(lines)
    _name([plots.regression(panels, x, y, grid, drawn)])
    if standing.status == "ungraded":
        return Ungraded.exit_status
    return 1 if note else 0


def _spread(x: Floats, grid: Floats, variance: Floats, deviation: Floats) -> str:
    """σ where there is data and where there is none."""
    unusable = int((~np.isfinite(deviation)).sum())
    if unusable:
        negative = " (the variance is negative there)" if (variance < 0).any() else ""
        return f"σ is no number at {unusable} of {len(grid)} points{negative}"
    inside = (grid >= x.min()) & (grid <= x.max())
    return f"σ is {deviation[inside].mean():.3f} where there is data, {deviation[~inside].mean():.3f} beside it"


def _tell(lines: list[session.Line]) -> None:
    from rich.console import Console

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

    whole = text.startswith("https://")  # to be copied
    return wrap(text, screen_width() - 6, break_on_hyphens=False, break_long_words=not whole)


def _name(paths: list[Path]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print("plots:")
    for path in paths:
        console.print(f"  {shown_path(path)}", markup=False)
