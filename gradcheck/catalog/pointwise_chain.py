"""The chain rule along a cascade of point-wise functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function
from gradcheck.checks.reference import Edge, Reference

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.references.sweep import Sweep, Twin

ORDER = 1


def _chain(draw: Draw, stages: int, *shape: int) -> dict[str, Any]:
    return {"grad_output": draw.cotangent(*shape), "derivatives": [draw.tensor(*shape) for _ in range(stages)]}


def _draw(draw: Draw) -> dict[str, Any]:
    return _chain(draw, draw.size("K"), draw.size("rows"), draw.size("columns"))


def _backward(_sweep: Sweep, grad_output: Twin, derivatives: list[Twin]) -> tuple[Twin, ...]:
    grads = [grad_output]
    for derivative in reversed(derivatives):
        grads.insert(0, grads[0] * derivative)
    return tuple(grads)


def _by_autograd(grad_output: Any, derivatives: list[Any]) -> Any:
    import torch

    # Functions with these derivatives everywhere: h_k(z) = derivative_k z.
    states = [torch.zeros_like(grad_output, requires_grad=True)]
    for derivative in derivatives:
        states.append(derivative * states[-1])
    return torch.autograd.grad(states[-1], states, grad_output)


def _edges(draw: Any) -> Iterator[Edge]:
    yield "no derivatives", _chain(draw, 0, 3)
    yield "one derivative, one axis", _chain(draw, 1, 4)
    yield "numbers without axes", _chain(draw, 3)
    yield "three axes", _chain(draw, 2, 2, 3, 2)
    yield "no entries", _chain(draw, 2, 0)
    yield "many stages", _chain(draw, 12, 2)


EXERCISE = Exercise(
    name="pointwise_chain",
    unit="03_backpropagation",
    title="The chain rule along a cascade of point-wise functions",
    functions=(
        function(
            "backward",
            "grad_output",
            "derivatives",
            reference=Reference(
                draw=_draw,
                compute=_backward,
                opinion=_by_autograd,
                edges=_edges,
                names="dC/dz",
                what="the chain rule",
                source="lecture part A: backpropagation through a non-linear function",
            ),
            points=2,
            may_share=("grad_output",),
        ),
    ),
    hints=(
        "Turn z_k by a small dz. By how much does z_(k+1) = h_k(z_k) turn, and by how much C, if you know dC/dz_(k+1)?",
        "The functions act entry by entry: does entry 3 of z_k reach any other entry of z_(k+1)?",
        "Begin at the end, where dC/dz_K is given, and go back one stage at a time. Each gradient makes the next.",
    ),
)
