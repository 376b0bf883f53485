"""`gradcheck dev check`: whether exercises may be given to learners, and what to do about those that may not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import gradcheck
from gradcheck.authoring.dev_check.catalog import FOLDERS, Record, catalog_problems, read_catalog, stray_problems
from gradcheck.authoring.dev_check.lanes import Failed, Work, checked
from gradcheck.authoring.dev_check.problem import ExerciseVerdict, Problem
from gradcheck.errors import GradcheckError, UnknownExercise
from gradcheck.reports.terminal import paragraph

Progress = Callable[[str, int, int], None]
PACKAGE = Path(gradcheck.__file__).resolve().parent


def check(
    root: Path, names: Sequence[str], *, quick: bool, jobs: int, limit_s: float, progress: Progress
) -> Iterator[tuple[str, ExerciseVerdict]]:
    """Every exercise with its verdict, or those in `names`; at the end the files that belong to none.

    Raises GradcheckError where there is nothing to check in `root`, UnknownExercise for a name that is nowhere.
    """
    _must_be_a_checkout(root)
    records, unreadable = read_catalog()
    between = [*unreadable, *catalog_problems(records), *stray_problems(records, root)]
    wanted = _chosen(names, records, between)
    chosen = [each for each in records if each.exercise.name in wanted]
    with tempfile.TemporaryDirectory(prefix="gradcheck-") as cache:
        verdicts = _verdicts(chosen, Work(root, Path(cache), quick), jobs, limit_s, progress)
        for record in chosen:
            own = [each for each in between if each.exercise == record.exercise.name]
            between = [each for each in between if each not in own]
            found = next(verdicts)
            yield record.exercise.name, ExerciseVerdict((*own, *found.problems), found.refused)
    for name in dict.fromkeys(each.exercise for each in between if each.exercise in wanted):
        yield name, ExerciseVerdict(tuple(each for each in between if each.exercise == name))


def _verdicts(
    chosen: list[Record], work: Work, jobs: int, limit_s: float, progress: Progress
) -> Iterator[ExerciseVerdict]:
    """In the order of the records, each as soon as those before it are known."""
    done: dict[str, ExerciseVerdict] = {}
    records = {each.module: each for each in chosen}
    running = checked([each.module for each in chosen], work, min(jobs, len(chosen)), limit_s)
    progress("checking", 0, len(chosen))
    for record in chosen:
        while record.module not in done:
            module, answer = next(running)
            if isinstance(answer, Failed):
                remedy = "look for a loop without end in its record or solution, or give it more with --limit-s"
                late = records[module]
                answer = ExerciseVerdict((Problem(late.exercise.name, late.file, answer.why, remedy),))
            done[module] = answer
            progress("checking", len(done), len(chosen))
        yield done[record.module]


def _must_be_a_checkout(root: Path) -> None:
    missing = [folder for folder in FOLDERS if not (root / folder).is_dir()]
    if missing:
        raise GradcheckError(
            f"there is no {missing[0]}/ in {root}; exercises are checked where gradcheck's source is, so run this there"
        )
    own = root / "gradcheck"
    if (own / "catalog").is_dir() and own.resolve() != PACKAGE:
        raise GradcheckError(
            f"the catalog here is not the one in use, which is {PACKAGE / 'catalog'}; "
            "run: python -m gradcheck dev check"
        )


def _chosen(names: Sequence[str], records: list[Record], between: list[Problem]) -> set[str]:
    known = {each.exercise.name for each in records} | {each.exercise for each in between}
    stems = [name.rstrip("/").rsplit("/", 1)[-1].removesuffix(".py") for name in names]
    for stem in stems:
        if stem not in known:
            close = get_close_matches(stem, known, n=1, cutoff=0.5)
            advice = f"did you mean {close[0]}?" if close else "gradcheck list shows those that there are"
            raise UnknownExercise(f"there is no exercise {stem!r}; {advice}")
    return set(stems) or known


def verdict_lines(name: str, verdict: ExerciseVerdict, width: int) -> Iterator[str]:
    """What people read of one exercise: that it is in order, or each problem with its remedy."""
    if not verdict.problems:
        refused = f", {verdict.refused} wrong answers refused" if verdict.refused else ""
        yield f"{name}: in order{refused}"
        return
    yield f"{name}:"
    for each in verdict.problems:
        yield from paragraph(f"{each.where}: {each.cause}", width, "  ", "  ")
        yield from paragraph(f"→ {each.remedy}", width, "    ", "  ")


def closing_line(verdicts: Sequence[ExerciseVerdict]) -> str:
    """How many problems there are."""
    problems = sum(len(each.problems) for each in verdicts)
    exercises = f"{len(verdicts)} {'exercise' if len(verdicts) == 1 else 'exercises'}"
    if not problems:
        return f"{exercises} checked: no problem"
    bad = sum(bool(each.problems) for each in verdicts)
    return f"{exercises} checked: {problems} {'problem' if problems == 1 else 'problems'} in {bad}"
