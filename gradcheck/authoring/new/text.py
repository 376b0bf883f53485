"""The two files of a new exercise as text: its record in the catalog, and its solution, begun or written."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from gradcheck.authoring.new.plan import Plan
from gradcheck.checks.task import FunctionSpec
from gradcheck.operators.record import BATCH_SIZE, Input, Operator
from gradcheck.showing.templating import filled
from gradcheck.showing.text import in_a_row

_TEMPLATES = Path(__file__).parent.parent / "templates" / "exercise"
_WIDTH = 116
_TOGETHER = "\N{NO-BREAK SPACE}"
_DEFAULT = {each.name: each.default for each in fields(Operator)}
_POINTS = {"forward": 1, "backward": 2, "jacobian": 1}

Bodies = Mapping[str, list[str]]
"""The code of each function, by its name."""


def record(plan: Plan, unit: str, title: str, order: int, code: str, why: str) -> str:
    """The catalog's file. `code` is the torch function's expression; where it is empty, `why` says what is missing."""
    operator = plan.operator
    body = statement("return ", code)
    if not code:
        missing = f'raise NotImplementedError("_{operator.name} is not written yet")'
        body = [f"# TODO: write this in torch ({why})", missing]
    if "torch." in code:
        body = ["import torch", "", *body]
    return filled(
        _TEMPLATES / "record.py.jinja",
        name=operator.name,
        title=title,
        unit=unit,
        order=order,
        builders=sorted({each.spec.role for each in plan.functions}),
        signature=_signature(tuple(each.name for each in operator.inputs)),
        function=body,
        formula=_formula(operator.formula),
        inputs=[_input(each) for each in operator.inputs],
        fields=_flags(operator),
        functions=[_builder(each.spec, each.points) for each in plan.functions],
    )


def statement(start: str, code: str) -> list[str]:
    """`start` and an expression, one term a line where it is too long for one."""
    if len(start + code) <= _WIDTH:
        return [start + code]
    pieces, depth = [""], 0
    for at, letter in enumerate(code):
        depth += (letter in "([") - (letter in ")]")
        if not depth and code[at : at + 3] in (" + ", " - "):
            pieces.append("")
        pieces[-1] += letter
    lines = [f"    {piece.strip()}" for piece in pieces]
    return [f"{start}(", *(line + ("  # noqa: E501" if len(line) > _WIDTH else "") for line in lines), ")"]


def _formula(text: str) -> str:
    if len(text) <= _WIDTH - 16:
        return f'    formula="{text}",'
    pieces = textwrap.wrap(text, _WIDTH - 16, break_long_words=False, break_on_hyphens=False)
    quoted = [f'        "{piece} "' for piece in pieces[:-1]] + [f'        "{pieces[-1]}"']
    return "\n".join(["    formula=(", *quoted, "    ),"])


def _names(names: tuple[str, ...]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"({quoted},)" if len(names) == 1 else f"({quoted})"


def _input(an_input: Input) -> str:
    parts = [f'"{an_input.name}"', _names(an_input.shape)]
    parts += [f"wrt={_names(an_input.wrt)}"] if an_input.wrt else []
    parts += ["batched=True"] if an_input.batched else []
    parts += [f'kind="{an_input.kind}"'] if an_input.kind != "real" else []
    parts += [f'classes="{an_input.classes}"'] if an_input.classes else []
    return f"Input({', '.join(parts)})"


def _flags(operator: Operator) -> list[str]:
    found = [f"output_shape={_names(operator.output_shape)}"] if operator.output_shape else []
    names = ("flattened", "any_shape", "unbatched", "stable", "empty_batch")
    return found + [f"{name}={getattr(operator, name)}" for name in names if getattr(operator, name) != _DEFAULT[name]]


def _builder(spec: FunctionSpec, points: float) -> str:
    parts = [f'"{name}"' for name in spec.parameters]
    parts += [f'wrt="{spec.wrt}"'] if spec.wrt else []
    parts += [f'returns="{spec.returns}"'] if spec.returns != "tensor" else []
    parts += [f"points={points:g}"] if points != _POINTS[spec.role] else []
    parts += [f"may_share={_names(spec.may_share)}"] if spec.may_share else []
    return f"{spec.role}({', '.join(parts)})"


def _signature(parameters: tuple[str, ...]) -> str:
    return ", ".join(f"{name}: Tensor" for name in parameters)


# The solution.


def solution(plan: Plan, title: str, lines: list[str], bodies: Bodies | None = None) -> str:
    """The solution's file: with `bodies`, or with the derived formulas `lines` as comments and nothing done yet."""
    functions = [
        {
            "name": each.spec.name,
            "signature": _signature(each.spec.parameters),
            "returns": _returned(plan.operator, each.spec),
            "docstring": _docstring(_says(plan.operator, each.spec)),
            "body": [*_derived(each.spec, lines), *(bodies[each.spec.name] if bodies else _unwritten(each.spec))],
        }
        for each in plan.functions
    ]
    return filled(
        _TEMPLATES / "solution.py.jinja",
        title=title,
        formula=lines[0],
        about="\n".join(textwrap.wrap(_about(plan.operator), _WIDTH)),
        torch=any("torch." in line for body in (bodies or {}).values() for line in body),
        functions=functions,
    )


def _unwritten(spec: FunctionSpec) -> list[str]:
    return [
        "# TODO: write this, and in comments how one gets there",
        f'raise NotImplementedError("{spec.name} is not written yet")',
    ]


def _derived(spec: FunctionSpec, lines: list[str]) -> list[str]:
    """The formulas that belong to a function, as comments."""
    chosen = {
        "forward": lines[:1],
        "backward": [line for line in lines if line.startswith("grad_")],
        "jacobian": [line for line in lines if line.startswith("∂")],
    }[spec.role]
    wrapped = [textwrap.wrap(line, _WIDTH - 6, subsequent_indent="    ") for line in chosen]
    return [f"# {line}" for each in wrapped for line in each]


def _returned(operator: Operator, spec: FunctionSpec) -> str:
    if spec.returns != "tuple":
        return "Tensor"
    return f"tuple[{', '.join('Tensor' for _ in operator.differentiable_inputs)}]"


def _docstring(text: str) -> str:
    if len(text) <= _WIDTH - 6:
        return f'    """{text}"""'
    first, _, rest = text.partition(". ")
    kept = re.sub(r"\([^()]*\)", lambda shape: shape[0].replace(" ", _TOGETHER), rest)
    body = "\n".join(textwrap.wrap(kept, _WIDTH, initial_indent="    ", subsequent_indent="    "))
    return f'    """{first}.\n\n{body.replace(_TOGETHER, " ")}\n    """'


def _about(operator: Operator) -> str:
    told = []
    if operator.any_shape:
        every = in_a_row([each.name for each in operator.inputs])
        shapes = "any shape" if len(operator.inputs) == 1 else "any shape, the same for all"
        told.append(f"{'Entry by entry: ' if operator.output_shape else ''}{every} may have {shapes}.")
    told += [
        f"{each.name} holds labels, whole numbers from 0 to {each.classes} − 1, and has no gradient."
        for each in operator.inputs
        if each.kind == "label"
    ]
    told += [
        f"{each.name} is given, and has no gradient."
        for each in operator.inputs
        if not each.differentiable and each.kind != "label"
    ]
    if operator.stable:
        told.append("Results must be finite and accurate for inputs up to ±1e4.")
    if "Piecewise" in operator.formula:
        told.append("At a kink or a tie every subgradient is right.")
    return " ".join(told)


def _says(operator: Operator, spec: FunctionSpec) -> str:
    """What a learner is told of a function: what goes in, what comes out, in which shape."""
    out = operator.output_name
    inputs = in_a_row([_shaped(operator, each) for each in operator.inputs])
    if spec.role == "jacobian":
        (wrt,) = operator.differentiable_inputs
        given = in_a_row([f"{each.name} {_shape(each.shape)}" for each in operator.inputs])
        shape = _shape((*operator.output_shape, *wrt.shape))
        return f"J[i, j] = ∂{out}_i/∂{wrt.name}_j for one sample, {given}. Returns {shape}."
    if spec.role == "forward":
        if operator.any_shape:
            every = in_a_row([each.name for each in operator.inputs])
            return f"{out}, shaped like {every}." if operator.output_shape else f"{out}, a scalar, of {every}."
        shape = _result(operator)
        single = f" One sample without B gives {_shape(operator.output_shape)}." if operator.unbatched else ""
        return f"{out}, {shape}, of {inputs}.{single}"
    names = [each.name for each in operator.differentiable_inputs]
    upstream = f"grad_output is the derivative of the cost by {out}, {_result(operator)}."
    if operator.any_shape and operator.output_shape:
        upstream = f"grad_output is the derivative of the cost by {out}, shaped like {out}."
    if len(names) == 1:
        return f"The gradient of the cost by {names[0]}, shaped like it. {upstream}"
    returned = ", ".join(f"grad_{name}" for name in names)
    told = f"The gradients of the cost by {in_a_row(names)}."
    return f"{told} Returns ({returned}), each shaped like its input. {upstream}"


def _result(operator: Operator) -> str:
    shape = ((BATCH_SIZE,) if operator.batched else ()) + operator.output_shape
    return _shape(shape) if shape else "a scalar"


def _shaped(operator: Operator, each: Input) -> str:
    if operator.any_shape:
        return each.name
    shape = ((BATCH_SIZE,) if each.batched else ()) + each.shape
    return f"{each.name} {_shape(shape)}"


def _shape(names: tuple[str, ...]) -> str:
    return f"({names[0]},)" if len(names) == 1 else f"({', '.join(names)})"
