"""What mistakes are called: `make diagnose` counts, for every code, what it is diagnosed as, and writes the table.

Run over every derived mutant, every record's misconception and the labelled submissions of tests/diagnosis/labelled.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch
from diagnosed import first_failure
from labelled import HELD_OUT, SUBMISSIONS

from gradcheck.catalog import all_exercises
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.mutants import code_of, function_of, mutant_in_words, mutants

TABLE = Path(__file__).parent.parent.parent / "docs" / "diagnosis-table.md"
PARTS = 40


class Named(NamedTuple):
    """One wrong answer: where it comes from, the codes that are right for it, and what it was called."""

    source: str
    what: str
    wanted: tuple[str, ...]
    code: str
    also: tuple[str, ...] = ()
    message: str = ""

    @property
    def right(self) -> bool:
        return bool({self.code, *self.also} & set(self.wanted))


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
    for source, submissions in (("submissions", SUBMISSIONS), ("held out", HELD_OUT)):
        for each in submissions:
            name = f"{each.exercise}.{each.function}: {each.name}"
            yield source, name, each.codes, each.exercise, each.function, each.wrong


def diagnosed(part: int, cache: Path) -> list[Named]:
    """Every PARTS-th of the wrong answers; a mutant that is right, differently written, is left out."""
    found = []
    for number, (source, name, wanted, exercise, function, wrong) in enumerate(wrong_answers()):
        if number % PARTS == part:
            torch.manual_seed(0)  # what is left to chance falls alike whenever the table is written
            result = first_failure(exercise, function, wrong, cache)
            if result is not None:
                found.append(Named(source, name, wanted, result.diagnosis.code, result.diagnosis.also, result.message))
            elif source != "mutants":
                found.append(Named(source, name, wanted, "passed"))
    return found


def table(named: list[Named]) -> str:
    """The page: a summary, then per code how many, how many rightly, and what the others were called."""
    lines = [
        "# What mistakes are called",
        "",
        "Written by `make diagnose`. A *mutant* is a derived formula with one mistake, a *misconception* a wrong answer of",
        "an exercise's record, a *submission* a wrong answer that was written and labelled without sight of the diagnosis",
        "(`tests/diagnosis/labelled`); those *held out* were not looked at while the diagnosis was built. *Rightly* counts",
        "those diagnosed under a code that the label allows, or whose other names (mistakes that lead to the very same",
        "numbers) hold one. The labels do not know `wrong-function`, so what it names counts as misnamed there.",
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
    lines += ["", "| code | wrong answers | rightly named | else called |", "|---|---|---|---|"]
    for code in sorted({each.wanted[0] for each in named}):
        own = [each for each in named if each.wanted[0] == code]
        others = Counter(each.code for each in own if not each.right)
        told = ", ".join(f"{other} {count}" for other, count in others.most_common())
        lines.append(f"| {code} | {len(own)} | {sum(each.right for each in own)} | {told} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(2) as pool:
        parts = pool.map(diagnosed, range(PARTS), [Path(folder)] * PARTS)
        named = sorted(each for part in parts for each in part)
    TABLE.write_text(table(named), encoding="utf-8")
    for each in named:
        if not each.right:
            sys.stdout.write(
                f"{each.source}: {each.what}\n    {'/'.join(each.wanted)} is called {each.code}: {each.message}\n"
            )
    sys.stdout.write(f"wrote {TABLE.name}\n")
    ours = [each for each in named if each.source in ("mutants", "misconceptions") and not each.right]
    return 1 if [each for each in ours if each.code != "returns-zero"] else 0


if __name__ == "__main__":
    sys.exit(main())
