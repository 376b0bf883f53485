"""What is asked of a candidate: which functions of which operator, and how each is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gradcheck.operators.operator import Operator

if TYPE_CHECKING:
    from gradcheck.checks.reference import Reference

Role = Literal["forward", "backward", "jacobian", "function"]
"""What a function is to its operator; `function` stands for whatever has a reference of its own."""

CHECKS: dict[Role, tuple[str, ...]] = {
    "forward": ("runs", "type", "shape", "dtype", "purity", "values", "edge_cases"),
    "backward": ("runs", "type", "shape", "dtype", "purity", "values", "edge_cases", "linearity"),
    "jacobian": ("runs", "type", "shape", "dtype", "purity", "values", "edge_cases", "agrees_with_backward"),
    "function": ("runs", "type", "shape", "dtype", "purity", "values", "edge_cases"),
}
"""The checks of a function, in their order. What a record adds comes before `values` (confusions) or last."""

LAST = ("linearity", "agrees_with_backward")

WEIGHTS = {"values": 3, "edge_cases": 1, "linearity": 1}
"""A function's points are shared among these checks and the record's own properties (one part each). The others open
the way to them and earn nothing themselves, so that a function which returns zeros of the right shape earns nothing
either."""


@dataclass(frozen=True)
class Confusion:
    """A right answer put down in the wrong order: a check of its own, so that it is told apart from a wrong answer.

    `confused` gives from the right array what a confused learner returns, or None where the two cannot be told apart.
    """

    check: str
    code: str
    text: str
    confused: Callable[[Any], Any]


def _transposed(right: Any) -> Any:
    return right.T if right.ndim == 2 else None


ORIENTATION = Confusion(
    "orientation", "transposed", "it is transposed: rows are outputs, columns are inputs", _transposed
)


@dataclass(frozen=True)
class Property:
    """Something that must hold of a function beyond single results. `holds` asks for results and says, in words, what
    does not hold (with a diagnosis code, if one fits); None when all is well. A statistical property states in
    `false_alarms` how often it refuses a right answer. One that is `long` takes seconds, as a whole training does.
    """

    check: str
    holds: Callable[[Any], tuple[str, str] | str | None]
    false_alarms: float = 0.0
    long: bool = False


@dataclass(frozen=True)
class FunctionSpec:
    """One function of a task.

    `parameters` are the names that arguments are built from: inputs of the operator, a size such as `copies`,
    `grad_output` (a tensor) or `grad_outputs` (a tuple, one per copy).
    `operator` is what the function belongs to, where it is not the task's own. A `function` has a `reference` instead.
    `wrt` is the input a Jacobian is taken by; it is `alone` where the task has no backward of the same operator, which
    it could agree with. `returns` is what a right function returns; a `scalar` may be a Python
    float too. `may_share` names arguments whose memory a gradient may share, because it is that argument by definition.
    """

    name: str
    role: Role
    parameters: tuple[str, ...]
    wrt: str = ""
    returns: Literal["tensor", "tuple", "scalar"] = "tensor"
    may_share: tuple[str, ...] = ()
    operator: Operator | None = None
    reference: Reference | None = None
    confusions: tuple[Confusion, ...] = ()
    properties: tuple[Property, ...] = ()
    alone: bool = False

    @property
    def is_forward(self) -> bool:
        """Whether it is a forward function, of an operator or of its own: its results may share memory."""
        return "forward" in (self.role, self.name)

    @property
    def checks(self) -> tuple[str, ...]:
        own = tuple(each for each in CHECKS[self.role] if not (self.alone and each == "agrees_with_backward"))
        at = own.index("values")
        told_apart = tuple(each.check for each in self.confusions)
        return own[:at] + told_apart + own[at:] + tuple(each.check for each in self.properties)

    @property
    def long_checks(self) -> tuple[str, ...]:
        """Those that take seconds; whoever asks many candidates leaves them for the end."""
        return tuple(each.check for each in self.properties if each.long)

    def prerequisite(self, check: str) -> str | None:
        """The check of this function that must pass first."""
        if check in LAST or any(each.check == check for each in self.properties):
            return "values"
        position = self.checks.index(check)
        return self.checks[position - 1] if position else None

    def waiting_for(self, check: str) -> tuple[str, ...]:
        """The checks that are not run while `check` fails."""
        waiting = {check}
        for each in self.checks:
            if self.prerequisite(each) in waiting:
                waiting.add(each)
        return tuple(each for each in self.checks if each in waiting - {check})

    def parts_of(self, check: str) -> int:
        """How many parts of the function's points a check earns."""
        return 1 if any(each.check == check for each in self.properties) else WEIGHTS.get(check, 0)


@dataclass(frozen=True)
class Task:
    """Functions to verify, and the operator that they belong to, if there is one. `name` opens every check's id."""

    name: str
    operator: Operator | None
    functions: tuple[FunctionSpec, ...]

    def function(self, name: str) -> FunctionSpec:
        return next(function for function in self.functions if function.name == name)

    def backward_beside(self, jacobian: FunctionSpec) -> FunctionSpec | None:
        """The backward that a Jacobian must agree with."""
        return self.with_role("backward") if "agrees_with_backward" in jacobian.checks else None

    def with_role(self, role: Role) -> FunctionSpec | None:
        return next((function for function in self.functions if function.role == role), None)


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
        functions.append(
            FunctionSpec("jacobian", "jacobian", names, wrt=differentiable[0].name, confusions=(ORIENTATION,))
        )
    return Task(operator.name, operator, tuple(functions))
