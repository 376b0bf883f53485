"""The record of one exercise: what is asked, what it is worth, and what helps."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.checks.task import WEIGHTS, FunctionSpec, Task
from gradcheck.operators.operator import Operator


@dataclass(frozen=True)
class Graded:
    """A function of an exercise and its points."""

    spec: FunctionSpec
    points: float


@dataclass(frozen=True)
class Exercise:
    """An exercise: `name` is its file's stem, `unit` its folder. `hints` go from a question to the formula's door."""

    name: str
    unit: str
    title: str
    operator: Operator
    functions: tuple[Graded, ...]
    hints: tuple[str, ...]

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
        total = sum(WEIGHTS.get(name, 0) for name in graded.spec.checks)
        return graded.points * WEIGHTS.get(check, 0) / total


def forward(*parameters: str, points: float = 1, returns: str = "tensor") -> Graded:
    """The operator itself. `returns` is tensor, scalar or tuple."""
    return Graded(FunctionSpec("forward", "forward", parameters, returns=returns), points)  # type: ignore[arg-type]


def backward(*parameters: str, points: float = 2, returns: str = "tensor", may_share: tuple[str, ...] = ()) -> Graded:
    """The vector-Jacobian product."""
    spec = FunctionSpec("backward", "backward", parameters, returns=returns, may_share=may_share)  # type: ignore[arg-type]
    return Graded(spec, points)


def jacobian(
    *parameters: str, wrt: str, name: str = "jacobian", points: float = 1, may_share: tuple[str, ...] = ()
) -> Graded:
    """∂output/∂wrt of one sample."""
    return Graded(FunctionSpec(name, "jacobian", parameters, wrt=wrt, may_share=may_share), points)
