"""The records as they stand in the catalog: each by itself, and what must hold between them. Nothing is run.

What it is about, points, hints and misconceptions are there, and none of them gives the answer away; every check can
run, and can fail, as far as the record alone says it; names, files and order fit, and nothing is left over.
"""

from __future__ import annotations

import ast
import math
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from gradcheck import catalog
from gradcheck.catalog.exercise import About, Exercise
from gradcheck.checks.task import FunctionSpec
from gradcheck.diagnosis.codes import CODES
from gradcheck.showing.text import nearest

FOLDERS = ("exercises", "solutions")
STEPS = ("a question that leads on", "the idea", "the derivation's first line")
LONGEST_HINT, LONGEST_TEXT = 300, 160
"""Characters: a hint is read at one glance, a misconception is one sentence."""
TEXTS = {
    "statement": (500, "what the lecture says, in two to five plain sentences"),
    "purpose": (LONGEST_TEXT, "what the piece is for, in one sentence"),
    "idea": (240, "the idea of the solution, in one or two sentences"),
}
"""What a record says of its exercise: at most so many characters, and what is to be told."""
MINUTES, DIFFICULTIES = range(5, 91), (1, 2, 3)

_TODO = re.compile(r"\bTODO\b")
_UNIT = re.compile(r"\d\d_[a-z0-9_]+")
_DERIVATIVE = re.compile(r"(?:grad_\w+|[d∂]\w*/[d∂])[^\s=]*\s*=[^.,;:]*")
"""An equation that says what a derivative is."""
LEAST = 12
"""Characters, spaces not counted, from which on an expression is more than a word that happens to be the same."""

_ALIKE = str.maketrans({"−": "-", "·": "*", "×": "*", "²": "**2", "’": "'"})
_UPSTREAM = {"grad_output", "grad_outputs"}
Told = Iterator[tuple[str, str]]
"""Causes and their remedies."""


@dataclass(frozen=True)
class Problem:
    """Something that must not stay so: the `cause`, in the file `where`, and the `remedy`. `exercise` is the name that
    it belongs to, a file's stem where no record has that name.
    """

    exercise: str
    where: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class ExerciseVerdict:
    """What came of checking one exercise: the problems, and how many wrong answers were graded and refused."""

    problems: tuple[Problem, ...]
    refused: int = 0


# Between them.


@dataclass(frozen=True)
class Record:
    """An exercise and the catalog's module that it was found in; `order` is its ORDER, None where there is none."""

    exercise: Exercise
    module: str
    order: int | None

    @property
    def file(self) -> str:
        return f"gradcheck/catalog/{self.module}.py"


def read_record(module: str) -> Record | Problem | None:
    """The record of a module of the catalog; None where it holds none, as `exercise` does."""
    file = f"gradcheck/catalog/{module}.py"
    try:
        contents = vars(import_module(f"{catalog.__name__}.{module}"))
    except Exception as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        cause = f"Python cannot import it: {type(error).__name__}{line}: {said}"
        return Problem(module, file, cause, "mend it: no command that needs the catalog works before")
    found = contents.get("EXERCISE")
    if found is None:
        return None
    if not isinstance(found, Exercise):
        cause = f"EXERCISE is no record, but of type {type(found).__name__}"
        return Problem(module, file, cause, "let EXERCISE be a gradcheck.catalog.exercise.Exercise")
    order = contents.get("ORDER")
    return Record(found, module, order if isinstance(order, int) else None)


def read_catalog() -> tuple[list[Record], list[Problem]]:
    """Every record, unit after unit in its order, and what cannot be read as one."""
    found = [read_record(module.name) for module in pkgutil.iter_modules(catalog.__path__)]
    records = [each for each in found if isinstance(each, Record)]
    records.sort(key=lambda each: (each.exercise.unit, each.order or 0, each.exercise.name))
    return records, [each for each in found if isinstance(each, Problem)]


def catalog_problems(records: Sequence[Record]) -> Iterator[Problem]:
    """What is wrong with records beside each other."""
    for number, each in enumerate(records):
        name = each.exercise.name
        others = [other for other in records if other is not each]
        namesake = next((other for other in records[:number] if other.exercise.name == name), None)
        if namesake:
            yield Problem(name, each.file, f"{namesake.file} has a record of the same name", "rename one of the two")
        if each.module != name:
            cause = f"the record is called {name}, its file {each.module}.py"
            yield Problem(name, each.file, cause, f"rename the file to {name}.py, or the record to {each.module}")
        if each.order is None:
            yield Problem(name, each.file, "it has no ORDER", f"write ORDER = {_free(records, each)} above the record")
        beside = [o for o in others if (o.exercise.unit, o.order) == (each.exercise.unit, each.order)]
        if each.order is not None and beside:
            cause = f"ORDER = {each.order} is also that of {beside[0].exercise.name}, in the same unit"
            yield Problem(name, each.file, cause, f"give one of them another number; {_free(records, each)} is free")


def _free(records: Sequence[Record], of: Record) -> int:
    return 1 + max((each.order or 0 for each in records if each.exercise.unit == of.exercise.unit), default=0)


def stray_problems(records: Sequence[Record], root: Path) -> Iterator[Problem]:
    """Files of exercises and solutions that no record speaks of."""
    paths = {each.exercise.path for each in records}
    by_name = {each.exercise.name: each for each in records}
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*.py")):
            path = file.relative_to(root / folder).as_posix()
            if path not in paths and "__pycache__" not in path:
                yield _stray(by_name, f"{folder}/{path}", file.stem, folder)


def _stray(by_name: dict[str, Record], where: str, stem: str, folder: str) -> Problem:
    if stem in by_name:
        exercise, unit = by_name[stem].exercise, where.rsplit("/", 2)[1]
        cause = f"it lies in {unit}, but the record's unit is {exercise.unit}"
        return Problem(stem, where, cause, f"move it to {folder}/{exercise.path}, or mend the record's unit")
    close = nearest(stem, by_name, cutoff=0.8)
    begin = f"write gradcheck/catalog/{stem}.py (gradcheck new {stem} begins one in a free name), or delete this file"
    remedy = f"rename it, if {close} is meant; otherwise {begin}" if close else begin
    return Problem(stem, where, "the catalog has no record of this name", remedy)


# One by itself.


def record_problems(exercise: Exercise, answers: Answers) -> Iterator[Problem]:
    """What is wrong with the record as it is written; `answers` knows what may not stand in it."""
    where = f"gradcheck/catalog/{exercise.name}.py"
    for cause, remedy in (
        *_general(exercise),
        *_about(exercise.about, answers),
        *_hints(exercise, answers),
        *_formula(exercise),
        *_misconceptions(exercise, answers),
    ):
        yield Problem(exercise.name, where, cause, remedy)


def _general(exercise: Exercise) -> Told:
    if not _UNIT.fullmatch(exercise.unit):
        yield f"the unit is called {exercise.unit!r}", "name it like its folder: 04_modules"
    if not exercise.title.strip() or _TODO.search(exercise.title):
        yield "it has no title yet", "write one: a few words, which stand above its hints and in lists"
    if not exercise.functions:
        yield "it asks for no function", "add one: forward, backward, jacobian or function"
    for graded in exercise.functions:
        if not (graded.points > 0 and math.isfinite(graded.points)):
            cause = f"{graded.spec.name} is worth {graded.points:g} points, so that no check of it counts"
            yield cause, "give it points above 0"


def _about(about: About, answers: Answers) -> Told:
    for part, (longest, what) in TEXTS.items():
        text = getattr(about, part)
        if not text.strip() or _TODO.search(text):
            yield f"its {part} is not written yet", f"write it: {what}"
        elif "\n" in text or len(text) > longest:
            yield f"its {part} has {len(text)} characters", f"say it in at most {longest}, on one line"
        equation = _DERIVATIVE.search(text)
        given_away = answers.given_away(text) or (equation[0] if equation else "")
        if given_away and part != "idea":
            yield f"its {part} gives the answer away: {given_away}", f"say {what}, not how it is differentiated"
    for name in about.torch:
        if not _is_in_torch(name):
            yield f"there is no {name}", "write torch's own name with all its dots, or none"
    if about.minutes not in MINUTES:
        yield f"it takes {about.minutes} minutes", f"say how long it takes, {MINUTES[0]} to {MINUTES[-1]} minutes"
    if about.difficulty not in DIFFICULTIES:
        yield f"its difficulty is {about.difficulty}", "say 1, 2 or 3"


def _is_in_torch(name: str) -> bool:
    import torch

    found: object = torch
    first, *parts = name.split(".")
    for part in parts:
        found = getattr(found, part, None)
    return first == "torch" and bool(parts) and callable(found)


def _hints(exercise: Exercise, answers: Answers) -> Told:
    for number, step in enumerate(STEPS):
        hint = exercise.hints[number].strip() if number < len(exercise.hints) else ""
        if not hint:
            yield f"hint {number + 1} of {len(STEPS)} is missing", f"write it: {step}, without the answer"
        elif _TODO.search(hint):
            yield f"hint {number + 1} is still a TODO", f"write it: {step}, without the answer"
        elif len(hint) > LONGEST_HINT:
            yield f"hint {number + 1} has {len(hint)} characters", f"say it in at most {LONGEST_HINT}"
        given_away = answers.given_away(hint)
        if given_away:
            yield f"hint {number + 1} gives the answer away: {given_away}", f"lead there, as {step} does"
    if len(exercise.hints) > len(STEPS):
        yield f"only {len(STEPS)} of its {len(exercise.hints)} hints are ever shown", "join or drop what is beyond them"


def _formula(exercise: Exercise) -> Told:
    if not exercise.formula.strip() and not exercise.operators:
        yield "the last hint has no formula, and none is derived", "write the record's `formula`: what is to be found"
    elif _TODO.search(exercise.formula):
        yield "its formula is still a TODO", "write it: what is to be found"


def _misconceptions(exercise: Exercise, answers: Answers) -> Told:
    functions = [graded.spec.name for graded in exercise.functions]
    for each in exercise.misconceptions:
        mine = f"the misconception {each.text!r}"
        if each.function not in functions:
            yield f"{mine} is about {each.function}, which is not asked for", f"choose from {', '.join(functions)}"
        if each.code not in CODES:
            yield f"{mine} has the unknown code {each.code}", "choose one of those in docs/diagnoses.md"
        if not each.text.strip() or _TODO.search(each.text + each.think):
            yield f"{mine} is not written yet", "say in one sentence what the learner did"
        elif "\n" in each.text or len(each.text) > LONGEST_TEXT or not each.text[0].islower() or each.text[-1] == ".":
            cause = f"{mine} is not in the form of the others"
            yield cause, f"one line of at most {LONGEST_TEXT} characters, a small letter first, no full stop at the end"
        given_away = answers.given_away(each.text, each.think)
        if given_away:
            yield f"{mine} gives the answer away: {given_away}", "say what was done, not what should be"


def reach_problems(exercise: Exercise) -> list[Problem]:
    """Checks that would never run, would run for ever or cannot fail. While there are any, nothing can be graded."""
    where = f"gradcheck/catalog/{exercise.name}.py"
    names = Counter(graded.spec.name for graded in exercise.functions)
    told = [
        (f"{number} functions are called {name}: only the first is ever graded", "give each a name of its own")
        for name, number in names.items()
        if number > 1
    ]
    for graded in exercise.functions:
        told += [*_unfounded(exercise, graded.spec), *_unreachable(exercise, graded.spec)]
    return [Problem(exercise.name, where, cause, remedy) for cause, remedy in told]


def _unfounded(exercise: Exercise, spec: FunctionSpec) -> Told:
    """A function that has nothing to be graded by."""
    if spec.role == "function":
        if spec.reference is None or (spec.reference.compute is None and spec.reference.verdict is None):
            cause = f"no result of {spec.name} can be wrong: its reference has neither compute nor verdict"
            yield cause, "give it one of them"
        return
    operator = spec.operator or exercise.operator
    if operator is None:
        yield f"{spec.name} belongs to no operator and has no reference", "name its operator, or the exercise's"
        return
    known = {each.name for each in operator.inputs} | _UPSTREAM | set(operator.output_shape)
    for name in spec.parameters:
        if name not in known:
            cause = f"{spec.name} takes {name}, which the operator {operator.name} knows nothing of"
            yield cause, f"choose from its inputs: {', '.join(each.name for each in operator.inputs)}"
    if spec.role == "jacobian" and spec.wrt not in {each.name for each in operator.differentiable_inputs}:
        cause = f"{spec.name} differentiates by {spec.wrt!r}, which the operator {operator.name} has no derivative by"
        yield cause, f"choose from {', '.join(each.name for each in operator.differentiable_inputs)}"


def _unreachable(exercise: Exercise, spec: FunctionSpec) -> Told:
    for check, number in Counter(spec.checks).items():
        if number > 1:
            cause = f"{spec.name} has {number} checks called {check}: only one of them can ever run"
            yield cause, "give the record's own check another name"
        elif (broken := _broken_chain(spec, check)) is not None:
            yield broken, "let it wait for a check that runs before it"
    if "agrees_with_backward" in spec.checks and exercise.task.with_role("backward") is None:
        cause = f"{spec.name}.agrees_with_backward can never fail: the exercise asks for no backward"
        yield cause, "ask for a backward, or say alone=True of the Jacobian"


def _broken_chain(spec: FunctionSpec, check: str) -> str | None:
    """Why a check never runs: one that it waits for is not there, or waits for itself."""
    chain = [check]
    while (before := spec.prerequisite(chain[-1])) is not None:
        if before not in spec.checks:
            return f"{spec.name}.{check} never runs: {before}, which it waits for, is no check of {spec.name}"
        chain.append(before)
        if chain.count(before) > 1:
            return f"{spec.name}.{check} never runs: it waits for itself ({' → '.join(chain)})"
    return None


class Answers:
    """The expressions of a solution's code, and the right-hand sides of the derived VJPs and Jacobians."""

    def __init__(self, code: list[str], formulas: list[str]) -> None:
        self._known = [(text, _squeezed(text)) for text in (*code, *formulas)]
        self._known = [(text, squeezed) for text, squeezed in self._known if len(squeezed) >= LEAST]

    def given_away(self, *texts: str) -> str:
        """The longest answer that stands in one of the texts, or nothing."""
        spoken = [_squeezed(text) for text in texts]
        found = [text for text, squeezed in self._known if any(squeezed in each for each in spoken)]
        return max(found, key=len, default="")


def answers_of(exercise: Exercise, root: Path) -> Answers:
    """Those of one exercise. Raises FormulaError where a formula cannot be read."""
    from gradcheck.references.typeset import formulas

    try:
        tree = ast.parse((root / "solutions" / exercise.path).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        tree = ast.Module([], [])  # told of where files are checked
    code = [text for node in tree.body if isinstance(node, ast.FunctionDef) for text in _code(node)]
    lines = [line for operator in exercise.operators for line in formulas(operator)[1:]]
    return Answers(code, [line.split(" = ", 1)[-1] for line in lines])


def _code(function: ast.FunctionDef) -> Iterator[str]:
    """What is computed in a function: whatever has an operator or takes an attribute."""
    for node in ast.walk(function):
        if isinstance(node, (ast.Return, ast.Assign, ast.AugAssign)) and node.value is not None:
            parts = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Attribute, ast.Subscript)
            if any(isinstance(each, parts) for each in ast.walk(node.value)):
                yield ast.unparse(node.value)


def _squeezed(text: str) -> str:
    return "".join(text.translate(_ALIKE).split())
