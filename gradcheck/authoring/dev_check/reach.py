"""Whether every check of a record can run, and can fail, as far as the record alone says it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gradcheck.authoring.dev_check.problem import Problem
from gradcheck.catalog import Exercise
from gradcheck.checks.task import FunctionSpec

_UPSTREAM = {"grad_output", "grad_outputs"}


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


def _unfounded(exercise: Exercise, spec: FunctionSpec) -> Iterator[tuple[str, str]]:
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


def _unreachable(exercise: Exercise, spec: FunctionSpec) -> Iterator[tuple[str, str]]:
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
