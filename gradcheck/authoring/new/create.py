"""A new exercise from its formula: everything that can be derived is derived and tried, and only then written."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gradcheck.authoring.new.plan import Plan, Wish, plan
from gradcheck.authoring.new.text import record, solution
from gradcheck.authoring.stubs import stub_of
from gradcheck.catalog import Exercise, all_exercises, known_operators
from gradcheck.errors import GradcheckError
from gradcheck.grading.small_files import write_whole

_LONGEST_NAME, _LONGEST_TITLE = 40, 80
Say = Callable[[str], None]

UNITS = ("04_modules", "05_losses")
"""Where an exercise goes without --unit: one whose output is a tensor, one whose output is a number."""


def create(root: Path, wish: Wish, say: Say) -> list[Path]:
    """Writes the record, the solution and the stub of a new exercise into the checkout at `root`; says what it finds.

    Raises GradcheckError or FormulaError, with nothing written, where something is not as it must be: the name, the
    formula, references that disagree, files that exist.
    """
    root = checked_root(root)
    check_name(root, wish.name)
    title = wish.title or wish.name.replace("_", " ").capitalize()
    check_title(title)
    begun = plan(wish, _no_function)
    unit = wish.unit or UNITS[not begun.operator.output_shape]
    check_unit(root, unit, new=wish.new_unit)
    code, why = _torch(begun)
    text = record(begun, unit, title, next_order(root, unit), code, why)
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
    write_all(files)
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
    from gradcheck.authoring.new.torch_code import NotWritten, torch_code
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
    from gradcheck.authoring.new.trial import bodies

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
        f"Next: write solutions/{unit}/{name}.py with the derivation, and in gradcheck/catalog/{name}.py what it is "
        "about and three hints.\n"
        f"What is missing: gradcheck dev check {name}\n"
        f"After a change of the solution's docstrings: gradcheck stubs {name} --force"
    )
    running = Path(__file__).resolve().parents[3]
    if running != root.resolve():
        told += f"\nThe gradcheck that runs is that of {running}. Here it is: python -m gradcheck dev check {name}"
    return told


# Where it goes: a checkout, a free name, a unit; nothing that exists is touched.


def checked_root(root: Path) -> Path:
    """The checkout at `root`. Raises GradcheckError where it is none."""
    if not all((root / folder).is_dir() for folder in ("gradcheck/catalog", "solutions", "exercises")):
        raise GradcheckError(
            f"{root} is not a checkout of gradcheck: an exercise is written into gradcheck/catalog/, solutions/ and "
            "exercises/. Run this where these are"
        )
    return root


def check_name(root: Path, name: str) -> None:
    """Raises GradcheckError where an exercise cannot be called that."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or len(name) > _LONGEST_NAME or keyword.iskeyword(name):
        raise GradcheckError(
            f"{name!r} cannot be an exercise's name: it names a Python file, so take small letters, digits and _ "
            f"(at most {_LONGEST_NAME}), such as soft_sign"
        )
    plain = name.replace("_", "")
    taken = {other.replace("_", ""): other for other in (*known_operators(), *all_exercises())}
    files = {path.stem.replace("_", ""): path.stem for path in (root / "gradcheck" / "catalog").glob("*")}
    if plain in taken or plain in files or name.startswith("test_"):
        other = taken.get(plain) or files.get(plain) or name
        what = "an exercise or operator" if plain in taken else "a file of the catalog" if plain in files else "a test"
        same = "" if other == name else ", for workflows write names without _"
        raise GradcheckError(f"the name {name} is taken: {other} is {what}{same}. Take another name")


def check_title(title: str) -> None:
    """Raises GradcheckError where a title would not stand in a Python file's text."""
    if not title.isprintable() or not 0 < len(title) <= _LONGEST_TITLE or re.search(r'["#\\]|^\s|[\s.]$', title):
        raise GradcheckError(
            f"--title {title[:_LONGEST_TITLE]!r}: one line of at most {_LONGEST_TITLE} characters, without quotation "
            "marks, backslashes, #, or a full stop at its end"
        )


def check_unit(root: Path, unit: str, *, new: bool) -> None:
    """Raises GradcheckError where there is no such unit, or, for a `new` one, where there is."""
    known = sorted({each.unit for each in all_exercises().values()} | _folders(root / "solutions"))
    if new:
        if not re.fullmatch(r"[0-9]{2}_[a-z][a-z0-9_]*", unit):
            raise GradcheckError(f"--unit {unit!r}: a unit is called NN_name, such as 08_beyond")
        alike = [each for each in known if each[:3] == unit[:3]]
        if alike and unit not in known:
            raise GradcheckError(f"--unit {unit}: the number is that of {alike[0]}; take the next free one")
    elif unit not in known:
        raise GradcheckError(
            f"there is no unit {unit!r}; there are: {', '.join(known)}. For a new one give --new-unit as well"
        )


def _folders(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if path.is_dir() and re.match(r"\d\d_", path.name)}


def next_order(root: Path, unit: str) -> int:
    """The place after a unit's last exercise. The records' text is read: the checkout may not be what runs."""
    last = 0
    for path in sorted((root / "gradcheck" / "catalog").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if f'"{unit}"' in text:
            last = max(last, _order_in(text))
    return last + 1


def _order_in(text: str) -> int:
    for node in ast.parse(text).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="ORDER")], value=ast.Constant(value=int(order))):
                return order
    return 0


def write_all(files: dict[Path, str]) -> None:
    """All of them or none; a file that exists is not touched. Raises GradcheckError."""
    there = [path for path in files if path.exists() or path.is_symlink()]
    if there:
        raise GradcheckError(f"{there[0]} exists already, so nothing is written. Delete it, or take another name")
    made: list[Path] = []
    try:
        for path, text in files.items():
            made += [each for each in (path.parent,) if not each.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            made.append(path)
            write_whole(path, text.encode())
    except OSError as error:
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        raise GradcheckError(f"{path} cannot be written, so nothing is: {error.strerror}") from None
