"""The site's page of every exercise, made from its record: `python -m gradcheck.authoring.pages DEST`.

What gives an answer away stands in closed folds only. Everything is made here: nothing is fetched, and the same records
give the same pages.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.catalog import Exercise, all_exercises
from gradcheck.catalog.exercise import Graded
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.results import CheckResult
from gradcheck.errors import GradcheckError
from gradcheck.grading.grade import verification_of
from gradcheck.grading.load import load_candidate
from gradcheck.reports.computation import computation_of
from gradcheck.reports.computation_svg import computation_svg
from gradcheck.reports.heatmap import jacobians_of
from gradcheck.reports.html import pattern
from gradcheck.reports.message import failure_lines
from gradcheck.reports.words import LEVELS
from gradcheck.showing.options import PATH
from gradcheck.showing.text import counted, plural, points

if TYPE_CHECKING:
    from jinja2 import Environment

ROOT = Path(__file__).parents[2]
_LECTURE = "https://atcold.github.io/NYU-DLSP20/en/week02/"
_PARTS = {"lecture part A": "02-1/", "lecture part B": "02-2/", "practicum": "02-3/"}
_TORCH = "https://docs.pytorch.org/docs/stable/"
_COLLECTED = {"torch.utils.data": "data", "torch.nn.init": "nn.init"}
"""Modules of torch with one page for all that is in them."""

_STEPS = ("a question", "the idea", "the derivation's first line")


def write_pages(docs: Path, names: Iterable[str] = (), *, root: Path = ROOT, messages: bool = True) -> list[Path]:
    """Write exercises/NAME.md for every exercise, or those in `names`, and exercises/index.md, gallery.md and
    assets/pictures.css, below the folder `docs`. `root` has solutions/ and docs/. Without `messages` no mistake is
    graded, which takes most of the time.
    """
    if not (root / "solutions").is_dir():
        raise GradcheckError(f"there is no solutions/ in {root}; pages are made with it, so give the source's folder")
    exercises = list(all_exercises().values())
    chosen = [each for each in exercises if not names or each.name in set(names)]
    parts = _parts_of(root)
    texts = {"assets/pictures.css": _template("pictures.css").render()}
    drawn = {each: list(_pictures(each)) for each in chosen}
    wrong = {each: failed for each in chosen if messages and (failed := _mistake_of(each, root))}
    for each in chosen:
        told = _docstrings((root / "solutions" / each.path).read_text(encoding="utf-8"))
        texts[f"exercises/{each.name}.md"] = _template("exercise-page.md").render(
            **_about(each, told),
            **_neighbours(each, exercises),
            parts=parts.get(each.name, []),
            pictures=drawn[each],
            message=failure_lines(wrong[each], f"exercises/{each.path}") if each in wrong else [],
            computation=_computation(wrong.get(each)),
        )
    units = [(_in_words(unit), list(members)) for unit, members in groupby(exercises, lambda each: each.unit)]
    texts["exercises/index.md"] = _template("exercise-index.md").render(units=units)
    walls = [(unit, [(each, drawn[each]) for each in members if drawn.get(each)]) for unit, members in units]
    computed = [(each, shown) for each in chosen if (shown := _computation(wrong.get(each)))]
    texts["gallery.md"] = _template("gallery.md").render(units=[each for each in walls if each[1]], computed=computed)
    written = []
    for name, text in texts.items():
        path = docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        written.append(path)
    return written


def _in_words(unit: str) -> str:
    """04_modules as 04 Modules."""
    number, _, name = unit.partition("_")
    return f"{number} {name.replace('_', ' ').capitalize()}"


def _about(exercise: Exercise, told: Mapping[str, str]) -> dict[str, Any]:
    """What a page says of its exercise; `told` are the docstrings of its functions."""
    from gradcheck.references.mathml import markup

    formulas = [(operator, markup(operator)) for operator in exercise.operators]
    return {
        "exercise": exercise,
        "unit": _in_words(exercise.unit),
        "description": json.dumps(f"{exercise.title}: {exercise.about.purpose}", ensure_ascii=False),
        "prose": _prose_of(exercise),
        "sources": [(source, _address(source)) for source in exercise.sources],
        "torch": [(name, _address(name)) for name in exercise.about.torch],
        "functions": [(graded, told.get(graded.spec.name, "")) for graded in exercise.functions],
        "formulas": formulas,
        "several": len(formulas) > 1,
        "hints": list(zip(exercise.hints, _STEPS, strict=False)),
        "lines": exercise.formula.split("\n") if exercise.formula else [],
        "mistakes": [
            (graded.spec.name, list(dict.fromkeys(_mistakes(exercise, graded)))) for graded in exercise.functions
        ],
    }


def _neighbours(exercise: Exercise, exercises: Sequence[Exercise]) -> dict[str, Exercise | None]:
    at = exercises.index(exercise)
    return {"before": exercises[at - 1] if at else None, "after": next(iter(exercises[at + 1 :]), None)}


def _prose_of(exercise: Exercise) -> Any:
    """Sentences as HTML, with the formulas in them typeset."""
    from markupsafe import Markup

    from gradcheck.references.mathml import markup_of_text

    names = {name for graded in exercise.functions for name in graded.spec.parameters}
    return lambda text: Markup(markup_of_text(text, names))  # noqa: S704 — it escapes what is no formula


@cache
def _environment() -> Environment:
    from markupsafe import Markup

    from gradcheck.showing.templating import environment

    made = environment(str)
    made.filters |= {
        "points": points,
        "counted": counted,
        "plural": plural,
        "difficulty": LEVELS.__getitem__,
        "markup": Markup,
    }
    return made


def _template(name: str) -> Any:
    return _environment().get_template(name)


def _docstrings(source: str) -> dict[str, str]:
    """What each function's docstring says: its shapes, which a learner's file has too."""
    found = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    return {node.name: " ".join((ast.get_docstring(node) or "").split()) for node in found}


def _address(source: str) -> str:
    """Where a source is read: a part of the lecture, or torch's page on a name. None for another source."""
    part = next((place for name, place in _PARTS.items() if source.startswith(name)), None)
    if part is not None:
        return _LECTURE + part
    if not (name := re.match(r"torch(\.\w+)+", source)):
        return ""
    collected = _COLLECTED.get(name[0].rpartition(".")[0])
    return f"{_TORCH}{collected}.html#{name[0]}" if collected else f"{_TORCH}generated/{name[0]}.html"


def _parts_of(root: Path) -> dict[str, list[str]]:
    """By exercise, the parts of the week in which the lecture map has it."""
    found: dict[str, list[str]] = {}
    part = ""
    for line in (root / "docs" / "lecture-map.md").read_text(encoding="utf-8").splitlines():
        part = line.removeprefix("## ") if line.startswith("## ") else part
        for name in re.findall(r"`(?:\w+/)?(\w+)`", line):
            if part not in found.setdefault(name, []):
                found[name].append(part)
    return found


def _mistakes(exercise: Exercise, graded: Graded) -> Iterator[tuple[str, str, str]]:
    """Each misconception about one function: what is said, its code, and what to think about."""
    from gradcheck.diagnosis.codes import thought

    for each in exercise.misconceptions:
        if each.function == graded.spec.name:
            yield each.text, each.code, each.think or thought(each.code, graded.spec)


def _mistake_of(exercise: Exercise, root: Path) -> CheckResult | None:
    """What grading finds of the first known mistake, of backward where there is one; None where none is known."""
    known = sorted(exercise.misconceptions, key=lambda each: each.function != "backward")
    if not known:
        return None
    right: Mapping[str, Any] = load_candidate(exercise, root / "solutions" / exercise.path).functions
    candidate = InProcessCandidate({**right, known[0].function: known[0].wrong})
    verification = verification_of(exercise, candidate, 0, None)
    checks = exercise.task.function(known[0].function).checks
    results = (verification.result(known[0].function, check) for check in checks)
    return next((each for each in results if each.status == "failed"), None)


def _computation(failed: CheckResult | None) -> dict[str, Any] | None:
    """The failing case, drawn."""
    found = computation_of(failed) if failed else None
    return computation_svg(found) if found else None


def _pictures(exercise: Exercise) -> Iterator[dict[str, Any]]:
    """The Jacobians at a small example, drawn."""
    return (pattern(*each) for each in jacobians_of(exercise))


@click.command()
@click.argument("docs", type=PATH)
def _main(docs: Path) -> None:
    """Write the pages below the folder DOCS, which holds a copy of docs/."""
    click.echo(f"{counted(len(write_pages(docs)), 'file')} below {docs}")


if __name__ == "__main__":
    _main()
