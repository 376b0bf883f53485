"""What a right function gives, or one in which a formula is wrong: of an operator, or composed of several."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from gradcheck.catalog import Exercise
from gradcheck.catalog.exercise import Misconception
from gradcheck.checks.cases import walk
from gradcheck.checks.drawing import SIZES, RandomDraw
from gradcheck.checks.outcome import Argument, Arguments
from gradcheck.checks.task import FunctionSpec, Role, Task, tensors_of
from gradcheck.diagnosis.mistakes import Mutant, mutant_in_words
from gradcheck.diagnosis.mutants import function_of, is_equivalent, mutants, standing_in
from gradcheck.errors import FormulaError
from gradcheck.operators.record import Operator
from gradcheck.references.apply import Use, forward, jacobian, recording, replaced, vjp
from gradcheck.references.expected import TRUTH_BITS, Floats, as_tensors, is_computed, values_of, wrapped

Leaves = tuple[Floats, ...]


_UNFITTING = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, ZeroDivisionError, FormulaError)
"""How a what-if ends whose shapes do not fit each other."""


class Calculator:
    """A right implementation of one function, to be asked what-if questions: quickly, in float64, or as a learner's
    function that is wrong in its formula and in nothing else.
    """

    def __init__(self, task: Task, spec: FunctionSpec) -> None:
        self.task, self.spec = task, spec
        self.operator: Operator | None = None if spec.reference else spec.operator or task.operator

    @property
    def able(self) -> bool:
        """Whether there is anything to compute with."""
        reference = self.spec.reference
        return self.operator is not None or (reference is not None and reference.compute is not None)

    def compute(self, tensors: Mapping[str, Any], mutant: Mutant | None = None) -> Any:
        """What comes back for tensors of any numbers, with one formula replaced by its mutant."""
        import torch

        with torch.no_grad(), ExitStack() as stack:
            for (role, name), formula in standing_in(mutant).items():
                assert mutant is not None
                stack.enter_context(replaced(mutant.operator, role, name, formula))
            if self.operator is not None:
                return _applied(self.operator, self.spec, tensors)
            assert self.spec.reference is not None
            assert self.spec.reference.compute is not None
            return self.spec.reference.compute(**tensors)

    def result(self, arguments: Arguments, mutant: Mutant | None = None) -> Leaves | None:
        """The same in float64: the leaves in the order of a trial's; None where the arguments fit nothing."""
        try:
            with np.errstate(all="ignore"):
                return _leaves(self.compute(tensors_of(arguments), mutant))
        except _UNFITTING:
            return None

    def run(self, program: Callable[..., Any], arguments: Arguments) -> Leaves | None:
        """The same for a program in the place of the reference, which may end in any way."""
        import torch

        try:
            with np.errstate(all="ignore"), torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a slip: it is nobody's program
                return _leaves(program(**tensors_of(arguments)))
        except Exception:
            return None

    # Beside the function: its operator's other results.

    def forward(self, arguments: Arguments) -> Floats | None:
        """The operator's output, for a backward or a Jacobian."""
        return self._beside(arguments, "forward", "")

    def jacobian(self, arguments: Arguments, name: str, row: int | None = None) -> Floats | None:
        """∂y/∂name of one sample: of the given row where the input is batched."""
        operator = self.operator
        if operator is None or any(each.name not in arguments for each in operator.inputs):
            return None
        batched = {each.name for each in operator.inputs if each.batched}
        given = {
            key: replace(value, values=value.values[row]) if row is not None and key in batched else value
            for key, value in arguments.items()
            if isinstance(value, Argument)
        }
        return self._beside(given, "jacobian", name)

    def _beside(self, arguments: Arguments, role: Role, name: str) -> Floats | None:
        if self.operator is None:
            return None
        found = Calculator(self.task, replace(self.spec, role=role, wrt=name, returns="tensor")).result(arguments)
        return found[0] if found else None

    # Wrong answers.

    def mutants(self) -> Iterator[Mutant]:
        """Every wrong formula that the function can be written with."""
        if self.operator is not None:
            yield from (each for each in mutants(self.operator) if function_of(each, self.task) == self.spec)
            return
        for operator, role, name in self.used(self.drawn(0)):
            for mutant in mutants(operator):
                if (mutant.role, mutant.wrt) == (role, name) and not mutant.partner:
                    yield mutant

    def used(self, arguments: Arguments) -> list[Use]:
        """The formulas that a function is composed of."""
        with recording() as used:
            self.compute(tensors_of(arguments))
        return list(used)

    def drawn(self, seed: int, turn: int = 0) -> Arguments:
        """Arguments of ordinary numbers, as a record draws them, in the sizes of one of three turns."""
        assert self.spec.reference is not None
        return self.spec.reference.draw(RandomDraw(np.random.default_rng(seed), "float64", SIZES[turn]))

    def is_right(self, mutant: Mutant) -> bool:
        """Whether the mistake changes nothing here: by algebra, or by 50 digits of the results at several sizes."""
        return is_equivalent(mutant) if self.operator is not None else self._same_result(mutant)

    def _same_result(self, mutant: Mutant) -> bool:
        for seed in range(4):
            numbers, given = _exact(tensors_of(self.drawn(seed, seed % len(SIZES))))
            with numbers:
                right, wrong = ([leaf for _, leaf in walk(self.compute(given, each))] for each in (None, mutant))
                differences = [a - b for a, b in zip(right, wrong, strict=True)]
            for each in differences:
                if not np.abs(values_of(numbers, each)[0]).max(initial=0.0) <= 1e-50:  # NaN is another result
                    return False
        return True

    def as_function(self, wrong: Mutant | Callable[..., Any] | None) -> Callable[..., Any]:
        """A mutant, or a program in the reference's place, as a learner's function: tensors in, new tensors of the
        arguments' precision out.

        It computes with 200 bits and rounds once, at the end, so that it is refused for its formula and for nothing
        else: in float64 e^−x / (1 + e^−x)² would be NaN at x = −1000.
        """

        def function(*arguments: Any) -> Any:
            import torch
            from torch.utils._pytree import tree_leaves, tree_map

            dtype = next((each.dtype for each in tree_leaves(list(arguments)) if is_computed(each)), torch.float64)
            numbers, given = _exact(dict(zip(self.spec.parameters, arguments, strict=True)))
            with numbers:
                found = wrong(**given) if callable(wrong) else self.compute(given, wrong)
            return tree_map(
                lambda leaf: torch.tensor(values_of(numbers, leaf)[0], dtype=dtype) if is_computed(leaf) else leaf,
                found,
            )

        return function


@dataclass(frozen=True)
class WrongAnswer:
    """A wrong answer to one function. `text` says what is wrong with it, `run` is the function, written so.
    `is_right` tells by algebra, where that can be said, whether it is right after all, only written differently.
    """

    function: str
    text: str
    run: Callable[..., Any]
    is_right: Callable[[], bool]
    misconception: Misconception | None = None


def wrong_answers(exercise: Exercise) -> Iterator[WrongAnswer]:
    """The mutants of every formula that a function stands for or is composed of, then the record's misconceptions."""
    for graded in exercise.functions:
        calculator = Calculator(exercise.task, graded.spec)
        for mutant in calculator.mutants() if calculator.able else ():
            text = mutant_in_words(mutant, composed=calculator.operator is None, full=True)
            right = partial(calculator.is_right, mutant)
            yield WrongAnswer(graded.spec.name, text, calculator.as_function(mutant), right)
    for each in exercise.misconceptions:
        yield WrongAnswer(each.function, each.text, each.wrong, lambda: False, each)


def _leaves(tree: Any) -> Leaves:
    return tuple(np.array(leaf.numpy(), dtype=np.float64) for _, leaf in walk(tree))


def _exact(tree: Mapping[str, Any]) -> tuple[Any, Any]:
    """Exact numbers, and a tree of them."""
    from gradcheck.numbers.exact import Exact

    numbers = Exact(TRUTH_BITS)
    return numbers, wrapped(numbers.wrap, as_tensors(tree))


def _applied(operator: Operator, spec: FunctionSpec, given: Mapping[str, Any]) -> Any:
    """What a right function of an operator returns."""
    upstream: Any = given.get("grad_outputs", given.get("grad_output"))
    # Asked for a gradient without the inputs (their values do not matter), their shape is that of one copy.
    inputs = {each.name: given[each.name] if each.name in given else upstream[0] for each in operator.inputs}
    sizes = {name: given[name] for name in given if isinstance(given[name], int)}
    if isinstance(upstream, (tuple, list)):
        import torch

        sizes[operator.output_shape[0]] = len(upstream)
        upstream = torch.stack(list(upstream))
    if spec.role == "jacobian":
        return jacobian(operator, spec.wrt, sizes=sizes, **inputs)
    if spec.role == "forward":
        result = forward(operator, sizes=sizes, **inputs)
        return tuple(result) if spec.returns == "tuple" else result
    gradients = tuple(vjp(operator, upstream, sizes=sizes, **inputs).values())
    return gradients if spec.returns == "tuple" else gradients[0]
