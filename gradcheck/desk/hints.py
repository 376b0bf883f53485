"""What helps with an exercise: hints, one step after the other, and `gradcheck explain`, its mathematics on one page.
The formulas are the answer, or nearly so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gradcheck.catalog import Exercise
from gradcheck.errors import GradcheckError
from gradcheck.grading.desk_record import NO_HELP, STEPS, Noted, help_taken, note
from gradcheck.operators import Operator
from gradcheck.references.kept import KeptFile
from gradcheck.reports.terminal import folder_option, formula_lines, paragraph
from gradcheck.showing.text import plural, points


@dataclass(frozen=True)
class Hint:
    """A hint that was shown: `step` of `steps`; `again` where it is the last one, shown before; what came of recording
    it.
    """

    exercise: Exercise
    folder: Path
    step: int
    steps: int
    again: bool
    noted: Noted


def steps_of(exercise: Exercise) -> int:
    """How many hints there are. The formula is one where the record has one, or derives it."""
    in_words = min(len(exercise.hints), STEPS - 1)
    return in_words + bool(exercise.formula or exercise.operators)


def give_hint(exercise: Exercise, folder: Path, step: int | None = None) -> Hint:
    """The hint after the last one that was shown, or the one asked for; recorded in `folder`.

    Raises GradcheckError for a step that the exercise does not have.
    """
    steps = steps_of(exercise)
    if step is not None and not 1 <= step <= steps:
        raise GradcheckError(f"{exercise.name} has {steps} hints; ask for --step {steps if step > steps else 1}")
    reached = help_taken(folder).get(exercise.name, NO_HELP).hint
    shown = step or min(reached + 1, steps)
    noted = note(folder, exercise.name, hint=shown)
    return Hint(exercise, folder, shown, steps, step is None and reached >= steps, noted)


def hint_lines(hint: Hint, width: int, cache: Path | None = None) -> list[str]:
    """What people read: the heading, the hint, and how to get the next one. Formulas are kept in the folder `cache`."""
    exercise = hint.exercise
    lines = paragraph(f"{exercise.name}: {exercise.title}   (hint {hint.step} of {hint.steps})", width, "")
    lines += ["", *body_lines(exercise, hint.step, cache, width), ""]
    if hint.again:
        lines += paragraph("This is the last hint; there are no more.", width, "")
    if hint.step == hint.steps:
        lines.append(f"More: gradcheck explain {exercise.name}")
    else:
        asked = f" --step {hint.step + 1}" if hint.noted.not_recorded else ""
        lines.append(f"Next: gradcheck hint {exercise.name}{asked}{folder_option(hint.folder)}")
    return lines


def trouble_lines(noted: Noted, width: int) -> list[str]:
    """What went wrong with the record; no lines where nothing did."""
    lines = paragraph(f"Warning: {noted.warning}.", width, "") if noted.warning else []
    return lines + ([f"not recorded: {noted.not_recorded}"] if noted.not_recorded else [])


def formulas_of(exercise: Exercise, cache: Path | None) -> list[str]:
    """The fourth hint: what the record says, or the derived formulas of the functions' operators."""
    if exercise.formula:
        return exercise.formula.split("\n")
    return [line for operator in exercise.operators for line in _formulas(operator, cache)]


def definition_of(exercise: Exercise, cache: Path | None) -> list[str]:
    """What the exercise's operators are, a line each: no more than its statement. None where it has no operator."""

    def typeset(operator: Operator) -> str:
        from gradcheck.references.typeset import definition

        return definition(operator)

    return [KeptFile(each, cache).text("definition", partial(typeset, each)) for each in exercise.operators]


def _formulas(operator: Operator, cache: Path | None) -> list[str]:
    """`references.typeset.formulas`, derived once."""

    def derived() -> str:
        from gradcheck.references.typeset import formulas

        return "\n".join(formulas(operator))

    return KeptFile(operator, cache).text("formulas", derived).split("\n")


def body_lines(exercise: Exercise, step: int, cache: Path | None, width: int) -> list[str]:
    """One hint without its heading."""
    in_words = exercise.hints[: STEPS - 1]
    if step <= len(in_words):
        return paragraph(in_words[step - 1], width)
    return list(formula_lines(formulas_of(exercise, cache), width))


def explanation(
    exercise: Exercise, width: int, cache: Path | None = None, *, colour: bool = False, blocks: bool = True
) -> list[str]:
    """The page in lines of at most `width` columns, commands and pictures at their own width. What is derived for it is
    kept in the folder `cache`.

    `blocks` says whether the stream can show the picture's blocks; ASCII stands in for them.
    """
    lines = paragraph(f"{exercise.name}: {exercise.title}", width, "")
    lines += ["", "Where it comes from"]
    for source in exercise.sources:
        lines += paragraph(source, width, "    ", "  ")
    lines += ["", "Functions"]
    lines += _functions(exercise, width)
    if exercise.formula:
        lines += ["", "Formulas", *formula_lines(exercise.formula.split("\n"), width)]
    lines += _derived(exercise, width, cache)
    picture = _picture(exercise, width, cache, colour, blocks)
    if picture:
        lines += ["", "The Jacobian at a small example", *picture]
    return lines


def _functions(exercise: Exercise, width: int) -> list[str]:
    """Signatures with their points beside them, or below where the screen is narrow."""
    signatures = [f"{each.spec.name}({', '.join(each.spec.parameters)})" for each in exercise.functions]
    worth = [f"{points(each.points)} {plural(each.points, 'point')}" for each in exercise.functions]
    column, rest = max(map(len, signatures)), max(map(len, worth))
    if column + rest + 7 <= width:
        return [f"    {each:<{column}}   {own}" for each, own in zip(signatures, worth, strict=True)]
    return [
        line
        for each, own in zip(signatures, worth, strict=True)
        for line in (*paragraph(each, width, "    ", "    "), f"        {own}")
    ]


def _derived(exercise: Exercise, width: int, cache: Path | None) -> list[str]:
    lines: list[str] = []
    operators = exercise.operators
    for operator in operators:
        definition, *derived = _formulas(operator, cache)
        of = f" of {operator.name}" if len(operators) > 1 or operator.name != exercise.name else ""
        lines += ["", f"Definition{of}", *formula_lines([definition], width)]
        if derived:
            lines += ["", "Derived from it: Jacobian and VJP", *formula_lines(derived, width)]
    if operators:
        lines.append("")
        lines += paragraph("g is grad_output, dC/dy; δ_ij is 1 where i = j and 0 elsewhere.", width, "")
    return lines


def _picture(exercise: Exercise, width: int, cache: Path | None, colour: bool, blocks: bool) -> list[str]:
    from gradcheck.reports.heatmap import jacobian_picture

    return jacobian_picture(exercise, cache, width=width, colour=colour, ascii=not blocks)
