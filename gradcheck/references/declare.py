"""The operator of a formula that was surveyed: by which letters it is differentiated, and whether it can be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from gradcheck.errors import FormulaError, GradcheckError
from gradcheck.operators.operator import Input, Operator
from gradcheck.references.survey import Survey

Kind = Literal["real", "constant", "label", "probability"]

_LETTERS = ("p", "q", "r", "s", "t", "u", "v", "w", "h", "l", "a", "c", "d", "e", "f")


def operator_of(
    found: Survey,
    name: str,
    function: Callable[..., Any],
    *,
    names: Sequence[str] = (),
    kinds: Mapping[str, str] = MappingProxyType({}),
    batched: Collection[str] = (),
    **more: Any,
) -> Operator:
    """The record of a formula: inputs in the order of `names`, or as they appear; constants and probabilities by
    `kinds`; those in `batched` take an axis of samples. Raises GradcheckError, FormulaError.
    """
    letters = _letters(found)
    operator = Operator(
        name=name,
        formula=found.text,
        inputs=tuple(
            _input(found, each, kinds.get(each, ""), each in batched, letters) for each in names or found.shapes
        ),
        output_shape=tuple(found.sizes[index] for index in found.indices),
        function=function,
        **more,
    )
    if not operator.differentiable_inputs:
        raise GradcheckError("no input can be differentiated: every one is a label, a probability or a constant")
    _derivable(operator)
    return operator


def _letters(found: Survey) -> dict[tuple[str, int], str]:
    """A fresh index for every size, as often as one input has it: none that the formula uses."""
    flat = all(len(shape) < 2 for shape in found.shapes.values())
    one = len({shape for shape in found.shapes.values() if shape}) < 2
    taken = {name.lower() for name in found.names} | found.names
    pool = [letter for letter in (("j",) if flat and one else ()) + _LETTERS if letter not in taken]
    wanted = {
        (size, shape[:position].count(size)): None
        for shape in sorted(found.shapes.values(), key=len, reverse=True)
        for position, size in enumerate(shape)
    }
    if len(wanted) > len(pool):
        raise GradcheckError("the formula has too many axes to differentiate by")
    return dict(zip(wanted, pool, strict=False))


def _input(found: Survey, name: str, kind: str, batched: bool, letters: dict[tuple[str, int], str]) -> Input:
    shape = found.shapes[name]
    if name in found.labels:
        array, axis = found.labels[name]
        return Input(name, shape, batched=batched, kind="label", classes=found.shapes[array][axis])
    if kind in ("constant", "probability"):
        return Input(name, shape, batched=batched, kind="probability" if kind == "probability" else "real")
    counts = [(size, shape[:position].count(size)) for position, size in enumerate(shape)]
    return Input(name, shape, wrt=tuple(letters[each] for each in counts), batched=batched)


def _derivable(operator: Operator) -> None:
    """Raises FormulaError where the formula cannot be differentiated, or its derivative not evaluated."""
    from gradcheck.references.derive import derive
    from gradcheck.references.program import program

    try:
        derivation = derive(operator)
    except GradcheckError:
        raise
    except Exception as error:
        raise FormulaError(f"the formula cannot be differentiated: {error}") from None
    for name, forms in derivation.vjps.items():
        try:
            program(forms[0])
        except FormulaError as error:
            raise FormulaError(f"the derivative by {name} cannot be evaluated; write it otherwise: {error}") from None
