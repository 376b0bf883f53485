"""From a formula and a few wishes to the operator of a new exercise: what is batched, and what is differentiated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, get_args

from gradcheck.catalog.exercise import Graded
from gradcheck.checks.task import Task, default_task
from gradcheck.errors import GradcheckError
from gradcheck.operators.record import MODULES, Operator
from gradcheck.references.survey import Kind, Survey, operator_of, survey

_POINTS = {"forward": 1.0, "backward": 2.0, "jacobian": 1.0}


@dataclass(frozen=True)
class Wish:
    """What is asked for on the command line. `inputs` are NAME, NAME:KIND or NAME:label:SIZE and come first, in their
    order; the others follow as they appear. `batch` are the inputs with an axis of samples; None leaves that to the
    formula. `points` belong to the functions in their order.
    """

    name: str
    formula: str
    unit: str = ""
    title: str = ""
    points: tuple[float, ...] = ()
    inputs: tuple[str, ...] = ()
    batch: tuple[str, ...] | None = None
    any_shape: bool | None = None
    stable: bool = False
    new_unit: bool = False
    solve: bool = False


@dataclass(frozen=True)
class Plan:
    """`remarks` are the choices that the author may want to change."""

    operator: Operator
    functions: tuple[Graded, ...]
    remarks: tuple[str, ...]

    @property
    def task(self) -> Task:
        return Task(self.operator.name, self.operator, tuple(each.spec for each in self.functions))


def plan(wish: Wish, function: Callable[..., Any]) -> Plan:
    """The operator of a wish; `function` is its torch function. Raises GradcheckError, FormulaError."""
    kinds = _kinds(wish.inputs)
    found = survey(wish.formula, tuple(kinds))
    for name in kinds:
        if name not in found.shapes:
            raise GradcheckError(f"--input {name}: the formula has no input {name}; it has {', '.join(found.shapes)}")
    names = [*kinds, *(name for name in found.shapes if name not in kinds)]
    flattened = _flattened(wish, found, kinds)
    batched, remarks = _batched(wish, found, names, flattened)
    for name, (kind, classes) in kinds.items():
        _declarable(found, name, kind, classes)
    operator = operator_of(
        found,
        wish.name,
        function,
        names=names,
        kinds={name: kind for name, (kind, _) in kinds.items()},
        batched=batched,
        flattened=flattened,
        any_shape=flattened,
        unbatched=len(names) == 1 and bool(batched),
        stable=wish.stable,
        empty_batch=wish.unit in ("", MODULES) and bool(found.indices) and (flattened or bool(batched)),
    )
    return Plan(operator, _functions(operator, wish.points), tuple(remarks))


def _kinds(declared: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Kind and size of the inputs that were declared."""
    kinds: dict[str, tuple[str, str]] = {}
    for text in declared:
        name, _, rest = text.partition(":")
        kind, _, size = rest.partition(":")
        if not name.isidentifier() or kind not in ("", *get_args(Kind)) or (size and kind != "label"):
            raise GradcheckError(
                f"--input {text!r} cannot be read; write NAME, NAME:constant, NAME:probability or NAME:label:SIZE"
            )
        if name in kinds:
            raise GradcheckError(f"--input {name} is given twice")
        kinds[name] = kind, size
    return kinds


def _flattened(wish: Wish, found: Survey, kinds: dict[str, tuple[str, str]]) -> bool:
    """Whether one index runs over everything: y[i] = f(x[i]), or, where it is asked for, a sum of such."""
    alike = found.alike and all(kind != "label" for kind, _ in kinds.values())
    if wish.any_shape and not alike:
        raise GradcheckError("--any-shape: only a formula with one index, which every input has, is of any shape")
    if wish.any_shape and wish.batch:
        raise GradcheckError("--any-shape and --batch exclude each other: a batch is one of the shapes")
    pointwise = alike and bool(found.indices)
    return pointwise and not wish.batch if wish.any_shape is None else wish.any_shape


def _batched(wish: Wish, found: Survey, names: list[str], flattened: bool) -> tuple[set[str], list[str]]:
    """The inputs with an axis of samples, and what there is to say about it."""
    for name in wish.batch or ():
        if name not in found.shapes:
            raise GradcheckError(f"--batch {name}: the formula has no input {name}; it has {', '.join(names)}")
        if found.of_samples:
            raise GradcheckError(f"--batch {name}: the formula has an index b or a size B of its own; rename them")
        if not found.shapes[name]:
            raise GradcheckError(f"--batch {name}: {name} is a scalar; give it an index of its own instead")
    if wish.batch is not None or flattened or found.of_samples:
        return set(wish.batch or ()), []
    if len(names) == 1 and found.indices:
        return {names[0]}, [f"{names[0]} takes a batch, one sample a row, or a single sample (--no-batch: one only)"]
    if found.indices:
        return set(), ["no input has an axis of samples; --batch NAME gives it one"]
    return set(), []


def _declarable(found: Survey, name: str, kind: str, classes: str) -> None:
    """Raises GradcheckError where an input cannot be what it is declared to be."""
    if name in found.labels:
        if kind not in ("", "label"):
            raise GradcheckError(f"--input {name}:{kind}: {name} stands for an index in the formula, so it is a label")
        array, axis = found.labels[name]
        own = found.shapes[array][axis]
        if classes and classes != own:
            raise GradcheckError(f"--input {name}:label:{classes}: it chooses along {array}'s axis of size {own}")
    elif kind == "label":
        raise GradcheckError(f"--input {name}:label: {name} stands for no index in the formula, as x[i, {name}[i]]")
    elif kind == "constant" and not found.shapes[name]:
        raise GradcheckError(f"--input {name}:constant: a scalar is always differentiated; give it an index")


def _functions(operator: Operator, points: tuple[float, ...]) -> tuple[Graded, ...]:
    specs = list(default_task(operator).functions)
    if operator.batched and not operator.output_shape:
        specs[0] = replace(specs[0], returns="tensor")
    if _passes_on(operator):
        specs[1] = replace(specs[1], may_share=("grad_output",))
    if points and len(points) != len(specs):
        names = ", ".join(spec.name for spec in specs)
        raise GradcheckError(f"--points: {len(points)} numbers for {len(specs)} functions ({names}); write 1,2,1")
    if any(not 0 < each < 1000 for each in points):
        raise GradcheckError("--points: every function is worth more than 0 and less than 1000 points")
    worth = points or tuple(_POINTS[spec.role] for spec in specs)
    return tuple(Graded(spec, each) for spec, each in zip(specs, worth, strict=True))


def _passes_on(operator: Operator) -> bool:
    """Whether a gradient is grad_output itself, which may then be handed back as it is."""
    from gradcheck.references.derive import COTANGENT, derive
    from gradcheck.references.formula import array_element

    vjps = [derive(operator).vjps[each.name][0] for each in operator.differentiable_inputs]
    return any(form.indices and form.expression == array_element(COTANGENT, form.indices) for form in vjps)
