"""A new exercise from its formula: everything that can be derived is derived and tried, and only then written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gradcheck.authoring.new import place
from gradcheck.authoring.new.plan import Plan, Wish, plan
from gradcheck.authoring.new.text import record, solution
from gradcheck.authoring.stubs import stub_of
from gradcheck.catalog import Exercise

Say = Callable[[str], None]

UNITS = ("04_modules", "05_losses")
"""Where an exercise goes without --unit: one whose output is a tensor, one whose output is a number."""


def create(root: Path, wish: Wish, say: Say) -> list[Path]:
    """Writes the record, the solution and the stub of a new exercise into the checkout at `root`; says what it finds.

    Raises GradcheckError or FormulaError, with nothing written, where something is not as it must be: the name, the
    formula, references that disagree, files that exist.
    """
    root = place.checked_root(root)
    place.check_name(root, wish.name)
    title = wish.title or wish.name.replace("_", " ").capitalize()
    place.check_title(title)
    begun = plan(wish, _no_function)
    unit = wish.unit or UNITS[not begun.operator.output_shape]
    place.check_unit(root, unit, new=wish.new_unit)
    code, why = _torch(begun)
    text = record(begun, unit, title, place.next_order(root, unit), code, why)
    exercise = load(text)
    assert exercise.operator is not None
    whole = Plan(exercise.operator, exercise.functions, begun.remarks)
    lines = _formulas(whole)
    for line in _described(exercise, whole, lines):
        say(line)
    with TemporaryDirectory() as folder:
        _tried(whole, code, why, Path(folder), say)
        answer = _solution(whole, title, lines, Path(folder), solve=wish.solve, say=say)
    files = {
        root / "gradcheck" / "catalog" / f"{wish.name}.py": text,
        root / "solutions" / exercise.path: answer,
        root / "exercises" / exercise.path: stub_of(answer, exercise),
    }
    place.write_all(files)
    return list(files)


def load(text: str) -> Exercise:
    """The record that a catalog file of this text holds."""
    namespace: dict[str, Any] = {}
    exec(compile(text, "record", "exec", dont_inherit=True), namespace)  # noqa: S102 — written by this package
    exercise = namespace["EXERCISE"]
    assert isinstance(exercise, Exercise)
    return exercise


def _no_function(*_inputs: Any) -> Any:
    raise NotImplementedError


def _torch(begun: Plan) -> tuple[str, str]:
    """The torch function's expression, or why there is none."""
    from gradcheck.authoring.new.parts import NotWritten
    from gradcheck.authoring.new.torch_code import torch_code
    from gradcheck.references.derive import derive

    try:
        return torch_code(begun.operator, derive(begun.operator).output), ""
    except NotWritten as error:
        return "", f"{error} cannot be written by itself"


def _formulas(whole: Plan) -> list[str]:
    from gradcheck.references.typeset import formulas

    return formulas(whole.operator)


def _described(exercise: Exercise, whole: Plan, lines: list[str]) -> Iterator[str]:
    points = ", ".join(f"{each.spec.name} {each.points:g}" for each in exercise.functions)
    yield f"{exercise.unit}/{exercise.name}: {exercise.title} ({points} points)"
    yield from (f"    {line}" for line in lines)
    yield from (f"  {remark}" for remark in whole.remarks)


def _tried(whole: Plan, code: str, why: str, cache: Path, say: Say) -> None:
    from gradcheck.authoring.new.trial import agreement, right_answer_passes, wrong_answers

    right_answer_passes(whole.task, cache)
    say("  the derived formulas pass every check")
    name = whole.operator.name
    if code:
        edges = agreement(whole.operator)
        say(f"  in torch: {code}")
        say("  the derived gradient, torch.autograd and differences agree")
        if edges:
            say(f"  but not at the edges: write _{name} in the record so that it holds there too ({edges})")
    else:
        say(f"  in torch: nothing, for {why}. Write _{name} in the record: until then there is no second opinion")
    for wrong in wrong_answers(whole.task):
        say(f"  {wrong.function}: {wrong.count} wrong answers derived, {_told_apart(wrong.survivors)}, such as")
        for example in wrong.examples:
            say(f"      {example}")
        for survivor in wrong.survivors:
            say(f"      NOT told apart: {survivor}")


def _told_apart(survivors: tuple[str, ...]) -> str:
    return f"{len(survivors)} of them not told apart" if survivors else "all told apart"


def _solution(whole: Plan, title: str, lines: list[str], cache: Path, *, solve: bool, say: Say) -> str:
    if not solve:
        return solution(whole, title, lines)
    from gradcheck.authoring.new.solve import bodies

    found, why = bodies(whole, title, lines, cache)
    if found is None:
        say(f"  --solve: no solution written, its bodies are yours to write ({why})")
    else:
        say("  --solve: the solution passes every check; how one gets there is yours to write in its comments")
    return solution(whole, title, lines, found)


def next_step(root: Path, name: str) -> str:
    """What the author does next."""
    unit = next(path.parent.name for path in (root / "solutions").glob(f"*/{name}.py"))
    told = (
        f"Next: write solutions/{unit}/{name}.py with the derivation, and three hints in gradcheck/catalog/{name}.py.\n"
        f"What is missing: gradcheck dev check {name}\n"
        f"After a change of the solution's docstrings: gradcheck stubs {name} --force"
    )
    running = Path(__file__).resolve().parents[3]
    if running != root.resolve():
        told += f"\nThe gradcheck that runs is that of {running}. Here it is: python -m gradcheck dev check {name}"
    return told
