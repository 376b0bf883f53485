"""What is asked of a candidate: which functions of which operator, how each is called, and what it is graded by.

A `Reference` says how arguments are drawn and what any right implementation returns. A record says `compute`, torch
code over the derived operators (gradients, networks, update steps), or `verdict` where many results are right (a
permutation, an order of nodes). For a function of an operator all of it follows from the operator's own record: see
`derived.of_operator`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gradcheck.checks.outcome import Argument, Arguments, Value, mapped
from gradcheck.operators.record import Operator

if TYPE_CHECKING:
    from gradcheck.checks.cases import Case
    from gradcheck.references.expected import Expected

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
    def is_backward(self) -> bool:
        """Whether it is a backward function, of an operator or of its own."""
        return "backward" in (self.role, self.name)

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

    def forward_of(self, backward: FunctionSpec) -> FunctionSpec | None:
        """The forward that a backward goes back through, where it can be called with what the backward is given."""
        if not backward.is_backward:
            return None
        role = "forward" if backward.role == "backward" else "function"
        fitting = (each for each in self.functions if each.is_forward and each.role == role)
        taken = set(backward.parameters)
        same = (each for each in fitting if each.operator == backward.operator and taken.issuperset(each.parameters))
        return next(same, None)

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


Edge = tuple[str, Arguments] | tuple[str, Arguments, str]
"""A name, arguments, and, where the function must refuse them, the exception's name."""

Usual = Literal["scales", "sizes", "memory", "integers", "constants", "float32"]
USUAL: frozenset[Usual] = frozenset(("scales", "sizes", "memory", "integers", "constants", "float32"))


@dataclass(frozen=True)
class Leaf:
    """One tensor of a result: its name; whether it may be (`scalar`) or must be (`number`) a Python float; its dtype
    where that is not the arguments'; whether it may be left out of a dict, which then means zero; the argument whose
    shape it has; how the parts of a list are counted.
    """

    name: str
    kind: Literal["tensor", "scalar", "number"] = "tensor"
    dtype: str = ""
    optional: bool = False
    like: str = ""
    counted: str = "[{}]"


Names = str | Leaf | tuple[Any, ...]
"""Names of the parts of a result. A name for a list or dict serves for each of its parts."""

Row = dict[str, "Expected"]
"""What one call must give, by the way to each part of the result, as JSON."""


@dataclass(frozen=True)
class Reference:
    """What a function of its own is graded by.

    `draw`      draws the arguments, by parameter name, in the order of the signature.
    `compute`   the result in plain torch code, for tensors of any numbers: from the arguments (Python floats as tensors
                without axes, lists and dicts as they are), by `references.apply` where a derived formula matters.
    `verdict`   from the plain arguments and the value that came back: the check that fails (type, shape, dtype or
                values), why, and perhaps a diagnosis code; or None. With `compute` as well, both must be content; the
                verdict is asked first, so that it can name a mistake that numbers alone do not show.
    `names`     what people call the parts of the result.
    `edges`     further arguments, drawn one set after another.
    `usual`     which of the edges that every function gets make sense here.
    `opinion`   the same by torch.autograd, from torch tensors: the second opinion, asked before anything is graded.
    `mistaken`  for the result's single tensor: from its right shape a shape that shows a known mistake, what to say of
                it, and its code.
    `what`      what results differ from, in words.

    What follows from these, unless a record of another kind says it:

    `values`    from a dtype and what was drawn for each cotangent, what must come back.
    `quick`     about the same in float64, with a coarse tolerance: fast, for searching.
    `generic`, `edge`  the cases. `stream` names where their numbers come from.
    `shapes`    from what was drawn the shapes that must come back, where they are known without the numbers.
    """

    draw: Callable[[Any], Arguments]
    compute: Callable[..., Any] | None = None
    verdict: Callable[[Arguments, Value], tuple[str, ...] | None] | None = None
    names: Names = "the result"
    edges: Callable[[Any], Iterator[Edge]] | None = None
    usual: frozenset[Usual] = USUAL
    opinion: Callable[..., Any] | None = None
    mistaken: Callable[[tuple[int, ...]], tuple[tuple[int, ...], str, str] | None] | None = None
    what: str = "what the definition gives"
    source: str = ""

    values: Callable[[str, Sequence[Arguments]], list[Row]] | None = None
    quick: Callable[[str, Sequence[Arguments]], list[Row]] | None = None
    generic: Callable[[], list[Case]] | None = None
    edge: Callable[[], list[Case]] | None = None
    shapes: Callable[[Case], dict[str, tuple[int, ...]]] | None = None
    stream: str = ""

    @property
    def judges_numbers(self) -> bool:
        """Whether there is a right result; else the verdict alone judges."""
        return self.values is not None or self.compute is not None

    def cases(self, group: str) -> list[Case]:
        """The cases of a group that follow from the record, not drawn yet."""
        from gradcheck.checks.cases import usual_edges, usual_generic

        if group == "generic":
            return self.generic() if self.generic else list(usual_generic(self.usual))
        return self.edge() if self.edge else list(usual_edges(self.usual))

    def computed(self, dtype: str, drawn: Sequence[Arguments]) -> list[Row]:
        """What must come back of each call."""
        if self.values is not None:
            return self.values(dtype, drawn)
        return [self._composed(dtype, each) for each in drawn]

    def guessed(self, dtype: str, drawn: Sequence[Arguments]) -> list[Row]:
        """About what must come back, as exactly as a search needs it."""
        if not self.judges_numbers:
            return [{} for _ in drawn]
        return (self.quick or self.computed)(dtype, drawn)

    def rough(self, dtype: str, arguments: Arguments) -> Row | None:
        """About what must come back of one call, for a search to rule a case out before exact numbers are asked; None
        where there is no quicker way, or floats overflow.
        """
        from gradcheck.references.expected import rough

        if self.compute is None or self.values or self.quick:
            return None
        found = rough(self.compute, tensors_of(arguments), dtype)
        return None if found is None else _row(found)

    def _composed(self, dtype: str, arguments: Arguments) -> Row:
        from gradcheck.references.expected import expect

        assert self.compute is not None
        return _row(expect(self.compute, tensors_of(arguments), dtype, what="a function with a reference of its own"))

    @property
    def fingerprint(self) -> str:
        """All that the expected values depend on besides the arguments and the engine: the record's own file."""
        return "" if self.compute is None else Path(self.compute.__code__.co_filename).read_text(encoding="utf-8")


def _row(tree: Any) -> Row:
    from gradcheck.checks.cases import walk

    return {json.dumps(path): leaf for path, leaf in walk(tree)}


def named(names: Names, path: tuple[Any, ...]) -> Leaf:
    """The leaf that stands at `path` of a result."""
    if isinstance(names, tuple):
        return named(names[path[0]], path[1:])
    leaf = names if isinstance(names, Leaf) else Leaf(names)
    if not path:
        return leaf
    *_, last = path
    text = str(last) if isinstance(last, str) else leaf.name + "".join(leaf.counted.format(step) for step in path)
    return replace(leaf, name=text)


def tensors_of(value: Any) -> Any:
    """Arguments as references compute with them: tensors of float64 or of whole numbers, at any depth."""
    import numpy as np
    import torch

    def tensor(leaf: Any) -> Any:
        if isinstance(leaf, Argument):
            values = np.asarray(leaf.values)
            return torch.from_numpy(np.array(values, dtype=np.float64 if values.dtype.kind == "f" else values.dtype))
        return torch.tensor(leaf, dtype=torch.float64) if isinstance(leaf, float) else leaf

    return mapped(value, tensor)
