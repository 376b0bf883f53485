"""`gradcheck explain`: an exercise and its mathematics on one page. The formulas are the answer, or nearly so."""

from __future__ import annotations

from gradcheck.catalog import Exercise
from gradcheck.desk.paper import formula_lines, paragraph
from gradcheck.showing.text import plural, points


def explanation(exercise: Exercise, width: int, *, colour: bool = False, blocks: bool = True) -> list[str]:
    """The page in lines of at most `width` columns, commands and pictures at their own width.

    `blocks` says whether the stream can show the picture's blocks; ASCII stands in for them.
    """
    lines = paragraph(f"{exercise.name}: {exercise.title}", width, "")
    lines += ["", "Where it comes from"]
    for source in _sources(exercise):
        lines += paragraph(source, width, "    ", "  ")
    lines += ["", "Functions"]
    lines += _functions(exercise, width)
    if exercise.formula:
        lines += ["", "Formulas", *formula_lines(exercise.formula.split("\n"), width)]
    lines += _derived(exercise, width)
    picture = _picture(exercise, width, colour, blocks)
    if picture:
        lines += ["", "The Jacobian at a small example", *picture]
    return lines


def _sources(exercise: Exercise) -> list[str]:
    """Where the lecture, or torch's documentation, says what is asked."""
    own = [graded.spec.reference.source for graded in exercise.functions if graded.spec.reference]
    found = [operator.source for operator in exercise.operators] + own
    return list(dict.fromkeys(part.strip() for source in found for part in source.split(";") if part.strip()))


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


def _derived(exercise: Exercise, width: int) -> list[str]:
    from gradcheck.references.typeset import formulas

    lines: list[str] = []
    operators = exercise.operators
    for operator in operators:
        definition, *derived = formulas(operator)
        of = f" of {operator.name}" if len(operators) > 1 or operator.name != exercise.name else ""
        lines += ["", f"Definition{of}", *formula_lines([definition], width)]
        if derived:
            lines += ["", "Derived from it: Jacobian and VJP", *formula_lines(derived, width)]
    if operators:
        lines.append("")
        lines += paragraph("g is grad_output, dC/dy; δ_ij is 1 where i = j and 0 elsewhere.", width, "")
    return lines


def _picture(exercise: Exercise, width: int, colour: bool, blocks: bool) -> list[str]:
    from gradcheck.reports.heatmap import jacobian_picture

    return jacobian_picture(exercise, width=width, colour=colour, ascii=not blocks)
