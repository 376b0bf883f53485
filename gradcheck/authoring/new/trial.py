"""Tries a new exercise before anything is written.

Do the references agree, does a right answer pass, does every derived wrong answer give other numbers?
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from gradcheck.authoring.new.plan import Plan
from gradcheck.authoring.new.text import Bodies, solution, statement
from gradcheck.authoring.new.torch_code import NotWritten, torch_code
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.derived import Opinions
from gradcheck.checks.engine import Verification
from gradcheck.checks.task import FunctionSpec, Task
from gradcheck.checks.trials import Benches
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.mistakes import Mutant, mutant_in_words
from gradcheck.diagnosis.mutants import function_of, is_equivalent, mutants
from gradcheck.errors import GradcheckError, NoBound, ReferenceDisagreement
from gradcheck.operators.record import Input, Operator
from gradcheck.references.derive import COTANGENT, derive, formula_of
from gradcheck.references.formula import Formula, array_element, array_symbol
from gradcheck.references.store import ExpectedStore
from gradcheck.references.typeset import compact

_SEEDS = (0, 1)
_UPSTREAM = "grad_output"


@dataclass(frozen=True)
class Wrong:
    """The derived wrong answers of one function: how many, some in words, and those that no number tells apart."""

    function: str
    count: int
    examples: tuple[str, ...]
    survivors: tuple[str, ...]


def agreement(operator: Operator) -> str:
    """Compares formula, autograd and differences. Raises GradcheckError where they part at ordinary numbers;
    returns what is wrong with the torch function at the edges (infinite, say), or nothing.
    """
    for seed in _SEEDS:
        told = _parted(_opinions(operator, seed), "generic")
        if told:
            raise GradcheckError(f"the references disagree, so nothing is written; {told}")
    return _parted(_opinions(operator, 0), "edge")


def _parted(opinions: Opinions, group: str) -> str:
    """Where the references part, and how; nothing where they agree everywhere."""
    where = "ordinary numbers"
    try:
        for point in opinions.agreement_points(group):
            where = point.case.name
            opinions.agree_at(point)
    except ReferenceDisagreement as error:
        if isinstance(error, NoBound):
            raise _no_value(where) from None
        return f"{where}: {error}"
    return ""


def _no_value(where: str) -> GradcheckError:
    """No learner could be graded there."""
    return GradcheckError(
        f"the formula, or its derivative, has no finite value at some numbers that learners are graded with ({where}), "
        "so nothing is written. It must have one everywhere, at zero, below it, and up to ±1e4: keep a root or a "
        "quotient away from zero (sqrt(1 + …)), and e^x in a quotient."
    )


def right_answer_passes(task: Task, cache: Path) -> None:
    """Grades the derived formulas themselves. Raises GradcheckError where a check refuses them: it would refuse every
    learner. `cache` is a folder for expected values.
    """
    operator = task.operator
    assert operator is not None
    name = operator.differentiable_inputs[0].name
    functions = {}
    for spec in task.functions:
        wrt = "" if spec.role == "forward" else spec.wrt or name
        assert spec.role != "function"
        right = Mutant(operator, spec.role, wrt, "none", formula_of(operator, spec.role, wrt))
        functions[spec.name] = Calculator(task, spec).as_function(right)
    failed = failing(functions, task, cache)
    if failed:
        raise GradcheckError(f"the derived formulas themselves do not pass, so nothing is written: {failed}")


def failing(functions: dict[str, Callable[..., Any]], task: Task, cache: Path) -> str:
    """The first check that these functions do not pass, with its message; nothing where all hold. Whether references
    agree is another question, see `agreement`.
    """
    verification = Verification(InProcessCandidate(functions), task, cache=cache, shrink=False, draws=1)
    for spec in task.functions:
        verification.bench(spec).trusted = True
    bad = next((each for each in verification.results() if each.status != "passed"), None)
    for error in verification.failures:
        if isinstance(error, NoBound):
            assert bad is not None
            raise _no_value(bad.id) from None
        if not isinstance(error, ReferenceDisagreement):
            raise error
    return "" if bad is None else f"{bad.id}: {bad.message.splitlines()[0]}"


def wrong_answers(task: Task) -> list[Wrong]:
    """The mutants of every function, told apart from the right answer by their numbers at random points, or else shown
    by algebra to be right themselves, which then count for nothing.
    """
    assert task.operator is not None
    everything = mutants(task.operator)
    return [
        _of_function(task, spec, [each for each in everything if function_of(each, task) == spec])
        for spec in task.functions
    ]


def _of_function(task: Task, spec: FunctionSpec, found: list[Mutant]) -> Wrong:
    alike = [mutant for mutant in found if _same_numbers(task, spec, mutant)]
    survivors = [mutant for mutant in alike if not is_equivalent(mutant)]
    wrong = [mutant for mutant in found if mutant not in alike]
    kinds = {mutant.kind: mutant for mutant in reversed(wrong)}
    return Wrong(
        spec.name,
        len(wrong) + len(survivors),
        tuple(mutant_in_words(mutant, full=True) for mutant in list(kinds.values())[::-1][:3]),
        tuple(mutant_in_words(mutant, full=True) for mutant in survivors),
    )


def _same_numbers(task: Task, spec: FunctionSpec, mutant: Mutant) -> bool:
    """At every ordinary case: at one alone a mask, say, may let everything through."""
    calculator, bench = Calculator(task, spec), Benches(task, 5, None).of(spec)
    for case in bench.cases("generic"):
        arguments = bench.blind(case).arguments
        right, wrong = calculator.result(arguments), calculator.result(arguments, mutant)
        if right is None or wrong is None:
            return False
        if not all(np.allclose(*each, rtol=1e-9) for each in zip(right, wrong, strict=True)):
            return False
    return True


def _opinions(operator: Operator, seed: int) -> Opinions:
    return Opinions(operator, ExpectedStore(operator, None), seed)


# Bodies for its functions, from the derived formulas: offered only where they pass every check.


def bodies(plan: Plan, title: str, lines: list[str], cache: Path) -> tuple[Bodies | None, str]:
    """Right bodies, or None and the reason. Written with the output (y (g − Σ g y)) before they are written without."""
    why = ""
    for shorten in (True, False):
        try:
            found = {each.spec.name: _body(plan, each.spec, shorten=shorten) for each in plan.functions}
        except NotWritten as error:
            why = f"{error} cannot be written in torch here"
            continue
        why = failing(_run(solution(plan, title, lines, found)), plan.task, cache)
        if not why:
            return found, ""
    return None, why


def _run(source: str) -> dict[str, Callable[..., Any]]:
    namespace: dict[str, Any] = {}
    exec(compile(source, "solution", "exec", dont_inherit=True), namespace)  # noqa: S102 — written here
    return {name: value for name, value in namespace.items() if name in ("forward", "backward", "jacobian")}


def _body(plan: Plan, spec: FunctionSpec, *, shorten: bool) -> list[str]:
    operator, derivation = plan.operator, derive(plan.operator)
    if spec.role == "forward":
        return statement("return ", torch_code(operator, derivation.output))
    names = [each.name for each in operator.differentiable_inputs]
    table = derivation.vjps if spec.role == "backward" else derivation.jacobians
    forms = [table[name][0] for name in names]
    forms = [_upstream(compact(operator, form) if shorten else form) for form in forms]
    batched = operator.batched and spec.role == "backward"
    shapes = {operator.output_name: operator.output_shape, _UPSTREAM: operator.output_shape}
    arrays = tuple(Input(name, shape, batched=batched) for name, shape in shapes.items())
    flat = None if spec.role == "backward" else False
    codes = [torch_code(operator, form, flat=flat, arrays=arrays) for form in forms]
    lines = []
    if any(form.expression.has(*_output(plan)) for form in forms):
        given = ", ".join(each.name for each in operator.inputs)
        lines = [f"{operator.output_name} = forward({given})"]
    if len(names) == 1:
        return [*lines, *statement("return ", codes[0])]
    for name, code in zip(names, codes, strict=True):
        lines += statement(f"grad_{name} = ", code)
    return [*lines, f"return {', '.join(f'grad_{name}' for name in names)}"]


def _upstream(form: Formula) -> Formula:
    """The cotangent by the name that learners have for it."""
    expression = form.expression.replace(
        lambda part: isinstance(part, sp.Indexed) and part.base == array_symbol(COTANGENT),
        lambda part: array_symbol(_UPSTREAM)[tuple(part.indices)],
    )
    expression = expression.xreplace({array_element(COTANGENT, ()): array_element(_UPSTREAM, ())})
    return Formula(expression, form.indices, form.ranges)


def _output(plan: Plan) -> tuple[sp.Expr, sp.Expr]:
    name = plan.operator.output_name
    return array_symbol(name), array_element(name, ())
