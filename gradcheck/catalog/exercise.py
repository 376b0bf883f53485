"""The record of one exercise: what is asked, what it is worth, and what helps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from gradcheck.checks.task import ORIENTATION, Confusion, FunctionSpec, Property, Reference, Task
from gradcheck.operators.record import Operator

__all__ = ["About", "Exercise", "Graded", "Misconception", "backward", "forward", "function", "jacobian"]

Returns = Literal["tensor", "tuple", "scalar"]


@dataclass(frozen=True)
class Graded:
    """A function of an exercise and its points."""

    spec: FunctionSpec
    points: float


@dataclass(frozen=True)
class Misconception:
    """A mistake that people make in one function of an exercise, beyond those that are derived from its formula.

    `wrong`     the function as it is written by somebody who makes the mistake: torch tensors in, torch tensors out.
    `code`      the diagnosis code.
    `text`      what the learner did, in one sentence that does not give the answer away.
    `think`     the one thing to think about; empty: what is usual for the code.
    """

    function: str
    code: str
    text: str
    wrong: Callable[..., Any]
    think: str = ""


@dataclass(frozen=True)
class About:
    """What an exercise is about, in words.

    `statement`   what the lecture says, in our words.
    `purpose`     what the piece is for, in one sentence.
    `torch`       torch's own names for it, with their dots; none where it has none.
    `idea`        the idea of the solution: for whoever has passed, or asks for it.
    `minutes`     how long it takes somebody who has heard the lecture; `difficulty` is 1, 2 or 3.
    """

    statement: str
    purpose: str
    torch: tuple[str, ...]
    idea: str
    minutes: int
    difficulty: int


@dataclass(frozen=True)
class Exercise:
    """An exercise: `name` is its file's stem, `unit` its folder.

    `hints` are three steps: a question, the idea, the derivation's first line. `formula` is the fourth; where it is
    empty, the derived formulas of the functions' operators are.
    `operator` is what its functions belong to, unless they name another or have references of their own.
    `misconceptions` are tried against a wrong answer, beside what is derived.
    """

    name: str
    unit: str
    title: str
    about: About
    functions: tuple[Graded, ...]
    hints: tuple[str, ...]
    operator: Operator | None = None
    formula: str = ""
    misconceptions: tuple[Misconception, ...] = ()

    @property
    def task(self) -> Task:
        return Task(self.name, self.operator, tuple(graded.spec for graded in self.functions))

    @property
    def operators(self) -> list[Operator]:
        """Of its functions, each once."""
        found = (graded.spec.operator or self.operator for graded in self.functions)
        return [operator for operator in dict.fromkeys(found) if operator is not None]

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the lecture, or torch's documentation, says what is asked."""
        own = [graded.spec.reference.source for graded in self.functions if graded.spec.reference]
        found = [operator.source for operator in self.operators] + own
        return tuple(dict.fromkeys(part.strip() for source in found for part in source.split(";") if part.strip()))

    @property
    def path(self) -> str:
        """Where it lies below `exercises/` or `solutions/`."""
        return f"{self.unit}/{self.name}.py"

    @property
    def max_score(self) -> float:
        return sum(graded.points for graded in self.functions)

    def points_of(self, function: str, check: str) -> float:
        """What one check is worth."""
        graded = next(each for each in self.functions if each.spec.name == function)
        total = sum(map(graded.spec.parts_of, graded.spec.checks))
        return graded.points * graded.spec.parts_of(check) / total


def forward(
    *parameters: str,
    points: float = 1,
    returns: Returns = "tensor",
    name: str = "forward",
    operator: Operator | None = None,
) -> Graded:
    """The operator itself. `returns` is tensor, scalar or tuple."""
    return Graded(FunctionSpec(name, "forward", parameters, returns=returns, operator=operator), points)


def backward(
    *parameters: str,
    points: float = 2,
    returns: Returns = "tensor",
    may_share: tuple[str, ...] = (),
    name: str = "backward",
    operator: Operator | None = None,
) -> Graded:
    """The vector-Jacobian product."""
    spec = FunctionSpec(name, "backward", parameters, returns=returns, may_share=may_share, operator=operator)
    return Graded(spec, points)


def jacobian(
    *parameters: str,
    wrt: str,
    name: str = "jacobian",
    points: float = 1,
    may_share: tuple[str, ...] = (),
    operator: Operator | None = None,
    alone: bool = False,
) -> Graded:
    """∂output/∂wrt of one sample; `alone` where the exercise asks for no backward of this operator."""
    spec = FunctionSpec(
        name,
        "jacobian",
        parameters,
        wrt=wrt,
        may_share=may_share,
        operator=operator,
        confusions=(ORIENTATION,),
        alone=alone,
    )
    return Graded(spec, points)


def function(
    name: str,
    *parameters: str,
    reference: Reference,
    points: float = 1,
    may_share: tuple[str, ...] = (),
    confusions: tuple[Confusion, ...] = (),
    properties: tuple[Property, ...] = (),
) -> Graded:
    """A function that is no single operator: graded by a reference of its own, and by properties."""
    spec = FunctionSpec(
        name,
        "function",
        parameters,
        may_share=may_share,
        reference=reference,
        confusions=confusions,
        properties=properties,
    )
    return Graded(spec, points)
