"""What mistakes are called: `make diagnose` counts, for every code, what it is diagnosed as, and writes the table.

Run over every derived mutant, every record's misconception, the wrong answers of tests/checks and the labelled
submissions of tests/diagnosis/labelled. Of those in labelled/read a person has read every first line, by the rules
there; what was said of a line counts for as long as the line is the same. With `--unread` nothing is written: the rows
whose line nobody has read are printed, for whoever reads them.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from gradcheck.catalog import all_exercises
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.mistakes import code_of, mutant_in_words
from gradcheck.diagnosis.mutants import function_of, mutants
from tests.checks.tables import WRONG
from tests.checks.wrong_answers import ANY
from tests.diagnosis.diagnosed import first_failure
from tests.diagnosis.labelled import HELD_OUT, READ, SUBMISSIONS

TABLE = Path(__file__).parent.parent.parent / "docs" / "diagnosis-table.md"
READINGS = Path(__file__).parent / "labelled" / "read" / "read.json"
"""What a person said of first lines: by the name of a row the line, and `right`, `vague` or `misleading`."""
PARTS = 40


class Named(NamedTuple):
    """One wrong answer: where it comes from, the codes that are right for it, and what it was called."""

    source: str
    what: str
    wanted: tuple[str, ...]
    code: str
    also: tuple[str, ...] = ()
    message: str = ""
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        """Whether a code that the label allows is among its names; any name, where the label leaves it open."""
        if not self.wanted:
            return self.code not in ("unrecognised", "passed")
        return bool({self.code, *self.also} & set(self.wanted))


def read_ones():
    """Those whose first lines a person reads, like `wrong_answers`."""
    for each in READ:
        yield (
            "read",
            f"{each.exercise}.{each.function}: {each.name}",
            each.codes,
            each.exercise,
            each.function,
            each.wrong,
        )


def wrong_answers():
    """Source, name, the right codes, exercise, function, the wrong function."""
    for exercise in all_exercises().values():
        specs = [graded.spec for graded in exercise.functions if graded.spec.role != "function"]
        for operator in dict.fromkeys(spec.operator or exercise.operator for spec in specs):
            for mutant in mutants(operator):
                spec = function_of(mutant, exercise.task)
                if spec is not None:
                    name = f"{exercise.name}.{spec.name} by {mutant.wrt}: {mutant_in_words(mutant, full=True)}"
                    yield (
                        "mutants",
                        name,
                        (code_of(mutant),),
                        exercise.name,
                        spec.name,
                        Calculator(exercise.task, spec).as_function(mutant),
                    )
        for each in exercise.misconceptions:
            name = f"{exercise.name}.{each.function}: {each.text}"
            yield "misconceptions", name, (each.code,), exercise.name, each.function, each.wrong
    for each in WRONG:
        function = each.check.split(".")[0]
        wanted = () if each.code in ("", ANY) else (each.code,)
        yield "checks", each.id, wanted, each.exercise, function, each.function
    for source, submissions in (("submissions", SUBMISSIONS), ("held out", HELD_OUT)):
        for each in submissions:
            name = f"{each.exercise}.{each.function}: {each.name}"
            yield source, name, each.codes, each.exercise, each.function, each.wrong
    yield from read_ones()


def diagnosed(part: int, cache: Path, *, unread: bool) -> list[Named]:
    """Every PARTS-th of the wrong answers; a mutant that is right, differently written, is left out."""
    found = []
    for number, (source, name, wanted, exercise, function, wrong) in enumerate(
        read_ones() if unread else wrong_answers()
    ):
        if number % PARTS == part:
            torch.manual_seed(0)  # what is left to chance falls alike whenever the table is written
            started = time.perf_counter()
            result = first_failure(exercise, function, wrong, cache, shrink=source == "read")
            took = time.perf_counter() - started
            if result is not None:
                told = result.diagnosis
                found.append(Named(source, name, wanted, told.code, told.also, result.message, took))
            elif source != "mutants":
                found.append(Named(source, name, wanted, "passed"))
    return found


def table(named: list[Named], readings: dict[str, list[str]]) -> str:
    """The page: a summary, what a reader said, then per code how many, how many rightly, and what else they were called."""
    lines = [
        "# What mistakes are called",
        "",
        "Written by `make diagnose`. A *mutant* is a derived formula with one mistake, a *misconception* a wrong answer of",
        "an exercise's record; *checks* are the wrong answers of `tests/checks`. A *submission* was written and labelled",
        "without sight of the diagnosis (`tests/diagnosis/labelled`), and those *held out* were not looked at until it was",
        "first counted; by now they have been. Those *read* (`labelled/read`) were written from the curriculum alone,",
        "and nobody who works on the diagnosis has seen them. *Rightly* counts those diagnosed under a code that the label",
        "allows, or whose other names (mistakes that lead to the very same numbers) hold one. The older labels do not know",
        "`wrong-function`, so what it names counts as misnamed there.",
        "",
        "| source | wrong answers | rightly named | `unrecognised` | misnamed |",
        "|---|---|---|---|---|",
    ]
    for source in dict.fromkeys(each.source for each in named):
        own = [each for each in named if each.source == source]
        right = sum(each.right for each in own)
        unknown = sum(each.code == "unrecognised" and not each.right for each in own)
        share = f"{right} ({100 * right / len(own):.1f} %)"
        lines.append(f"| {source} | {len(own)} | {share} | {unknown} | {len(own) - right - unknown} |")
    lines += [
        "",
        "## As a person reads it",
        "",
        "Each first line of those *read*, beside the function's body, by the rules of `labelled/read/rules.md`.",
        "",
        "| first line | how many | share |",
        "|---|---|---|",
    ]
    read = Counter(reading(each, readings) for each in named if each.source == "read")
    for said in ("right", "vague", "misleading", "not caught", *(["unread"] if read["unread"] else [])):
        lines.append(f"| {said} | {read[said]} | {100 * read[said] / max(1, read.total()):.1f} % |")
    lines += ["", "## By code", "", "| code | wrong answers | rightly named | else called |", "|---|---|---|---|"]
    for code in sorted({each.wanted[0] for each in named if each.wanted}):
        own = [each for each in named if each.wanted[:1] == (code,)]
        others = Counter(each.code for each in own if not each.right)
        told = ", ".join(f"{other} {count}" for other, count in others.most_common())
        lines.append(f"| {code} | {len(own)} | {sum(each.right for each in own)} | {told} |")
    return "\n".join(lines) + "\n"


def reading(each: Named, readings: dict[str, list[str]]) -> str:
    """What a person said of the line, if it is the one that they read."""
    if each.code == "passed":
        return "not caught"
    line, said = readings.get(each.what, ("", ""))
    return said if line == each.message else "unread"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(2) as pool:
        parts = pool.map(partial(diagnosed, cache=Path(folder), unread="--unread" in sys.argv), range(PARTS))
        named = sorted(each for part in parts for each in part)
    readings = json.loads(READINGS.read_text(encoding="utf-8")) if READINGS.exists() else {}
    if "--unread" in sys.argv:
        for each in named:
            if each.source == "read" and reading(each, readings) == "unread":
                sys.stdout.write(json.dumps([each.what, each.code, each.message], ensure_ascii=False) + "\n")
        return 0
    TABLE.write_text(table(named, readings), encoding="utf-8")
    for each in named:
        if not each.right and each.source != "read":
            sys.stdout.write(
                f"{each.source}: {each.what}\n    {'/'.join(each.wanted)} is called {each.code}: {each.message}\n"
            )
    took = sorted(each.seconds for each in named if each.source == "read")
    if took:
        middle, most = statistics.median(took), took[int(0.95 * len(took))]
        sys.stdout.write(f"seconds from the first check to the diagnosis: {middle:.2f}, 95 of 100 within {most:.2f}\n")
    sys.stdout.write(f"wrote {TABLE.name}\n")
    ours = [each for each in named if each.source in ("mutants", "misconceptions") and not each.right]
    return 1 if [each for each in ours if each.code != "returns-zero"] else 0


if __name__ == "__main__":
    sys.exit(main())
