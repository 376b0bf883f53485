"""The record of one exercise: what is asked, what it is worth, and what helps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gradcheck.checks.reference import Reference
from gradcheck.checks.task import ORIENTATION, Confusion, FunctionSpec, Property, Task
from gradcheck.operators.operator import Operator

__all__ = ["Exercise", "Graded", "backward", "forward", "function", "jacobian"]

Returns = Literal["tensor", "tuple", "scalar"]


@dataclass(frozen=True)
class Graded:
    """A function of an exercise and its points."""

    spec: FunctionSpec
    points: float


@dataclass(frozen=True)
class Exercise:
    """An exercise: `name` is its file's stem, `unit` its folder. `hints` go from a question to the formula's door.

    `operator` is what its functions belong to, unless they name another or have references of their own.
    """

    name: str
    unit: str
    title: str
    functions: tuple[Graded, ...]
    hints: tuple[str, ...]
    operator: Operator | None = None

    @property
    def task(self) -> Task:
        return Task(self.name, self.operator, tuple(graded.spec for graded in self.functions))

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
) -> Graded:
    """∂output/∂wrt of one sample."""
    spec = FunctionSpec(
        name, "jacobian", parameters, wrt=wrt, may_share=may_share, operator=operator, confusions=(ORIENTATION,)
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
