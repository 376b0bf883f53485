"""What is asked of a candidate: which functions of which operator, and how each is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gradcheck.operators.operator import Operator

Role = Literal["forward", "backward", "jacobian"]

CHECKS: dict[Role, tuple[str, ...]] = {
    "forward": ("runs", "type", "shape", "dtype", "purity", "values", "edge_cases"),
    "backward": ("runs", "type", "shape", "dtype", "purity", "values", "edge_cases", "linearity"),
    "jacobian": ("runs", "type", "shape", "dtype", "purity", "values", "edge_cases", "agrees_with_backward"),
}
"""The checks of a function, in their order."""

WEIGHTS = {"values": 3, "edge_cases": 1, "linearity": 1}
"""A function's points are shared among these checks. The others open the way to them and earn nothing themselves, so
that a function which returns zeros of the right shape earns nothing either."""


@dataclass(frozen=True)
class FunctionSpec:
    """One function of a task.

    `parameters` are the names that arguments are built from: inputs of the operator, a size such as `copies`,
    `grad_output` (a tensor) or `grad_outputs` (a tuple, one per copy).
    `wrt` is the input a Jacobian is taken by. `returns` is what a right function returns; a `scalar` may be a Python
    float too. `may_share` names arguments whose memory a gradient may share, because it is that argument by definition.
    """

    name: str
    role: Role
    parameters: tuple[str, ...]
    wrt: str = ""
    returns: Literal["tensor", "tuple", "scalar"] = "tensor"
    may_share: tuple[str, ...] = ()

    @property
    def checks(self) -> tuple[str, ...]:
        return CHECKS[self.role]


@dataclass(frozen=True)
class Task:
    """An operator and the functions to verify. `name` opens every check's id."""

    name: str
    operator: Operator
    functions: tuple[FunctionSpec, ...]

    def function(self, name: str) -> FunctionSpec:
        return next(function for function in self.functions if function.name == name)

    def with_role(self, role: Role) -> FunctionSpec | None:
        return next((function for function in self.functions if function.role == role), None)


def prerequisite(check: str) -> str | None:
    """The check of the same function that must pass first."""
    order = CHECKS["forward"]
    if check not in order:
        return "values"
    position = order.index(check)
    return order[position - 1] if position else None


def waiting_for(check: str, checks: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `checks` that are not run while `check` fails."""
    if prerequisite(check) == "values":
        return ()
    return checks[checks.index(check) + 1 :]


def default_task(operator: Operator) -> Task:
    """The functions that CURRICULUM.md's conventions give an operator: forward, backward, and a Jacobian where one
    sample is a vector and there is a single differentiable input.
    """
    names = tuple(an_input.name for an_input in operator.inputs)
    differentiable = operator.differentiable_inputs
    functions = [
        FunctionSpec("forward", "forward", names, returns="tensor" if operator.output_shape else "scalar"),
        FunctionSpec(
            "backward",
            "backward",
            ("grad_output", *names),
            returns="tensor" if len(differentiable) == 1 else "tuple",
        ),
    ]
    if len(differentiable) == 1 and len(differentiable[0].shape) == 1 and len(operator.output_shape) == 1:
        functions.append(FunctionSpec("jacobian", "jacobian", names, wrt=differentiable[0].name))
    return Task(operator.name, operator, tuple(functions))
