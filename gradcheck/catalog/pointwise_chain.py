"""The chain rule along a cascade of point-wise functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.task import Edge, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

ORDER = 1


def _chain(draw: Draw, stages: int, *shape: int) -> dict[str, Any]:
    return {"grad_output": draw.cotangent(*shape), "derivatives": [draw.tensor(*shape) for _ in range(stages)]}


def _draw(draw: Draw) -> dict[str, Any]:
    return _chain(draw, draw.size("K"), draw.size("rows"), draw.size("columns"))


def _backward(grad_output: Tensor, derivatives: list[Tensor]) -> tuple[Tensor, ...]:
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
    yield "many stages", _chain(draw, 12, 2)


def _right(grad_output: Any, derivatives: list[Any]) -> list[Any]:
    grads = [grad_output.clone()]
    for derivative in reversed(derivatives):
        grads.insert(0, grads[0] * derivative)
    return grads


def _from_the_front(grad_output: Any, derivatives: list[Any]) -> list[Any]:
    grads = [grad_output.clone()]
    for derivative in derivatives:
        grads.append(grads[-1] * derivative)
    return grads


def _one_tensor_for_all(grad_output: Any, derivatives: list[Any]) -> list[Any]:
    first = _right(grad_output, derivatives)[0]
    return [*(first.clone() for _ in derivatives), grad_output.clone()]


def _added_up(grad_output: Any, derivatives: list[Any]) -> list[Any]:
    grads = [grad_output.clone()]
    for derivative in reversed(derivatives):
        grads.insert(0, grads[0] + derivative)
    return grads


EXERCISE = Exercise(
    name="pointwise_chain",
    unit="03_backpropagation",
    title="The chain rule along a cascade of point-wise functions",
    about=About(
        statement=(
            "A point-wise function acts on each entry by itself: z_i = h(s_i). The lecture turns s_i by a little: z_i "
            "turns by as much as h is steep there, and C by as much as it is steep in z_i. Where such functions follow "
            "each other, z_(k+1) = h_k(z_k), the gradient is handed back from the output to the input, one function "
            "after the other."
        ),
        purpose=(
            "Backpropagation in its plainest form: every activation function of a network hands its gradient back like "
            "this."
        ),
        torch=("torch.autograd.grad",),
        idea=(
            "Begin with grad_output at the end and multiply by one slope per stage on the way back. Each gradient "
            "makes the one before it, so all of them together cost a single pass."
        ),
        minutes=15,
        difficulty=1,
    ),
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
        "Turn z_k by a small dz. By how much does z_(k+1) = h_k(z_k) turn, and by how much C, if you know dC/dz_(k+1)? "
        "Does entry 3 of z_k reach any other entry of z_(k+1)?",
        "The functions act entry by entry, so each stage multiplies entry by entry. Begin at the end, where dC/dz_K is "
        "given, and go back one stage at a time: each gradient makes the one before it.",
        "dC/dz_K = g, and dC/dz_(K−1) = dC/dz_K · ∂z_K/∂z_(K−1), where ∂z_K/∂z_(K−1) = h_(K−1)'(z_(K−1)), entry by "
        "entry: the last of the derivatives.",
    ),
    formula=("dC/dz_K = g\ndC/dz_k = dC/dz_(k+1) · h_k'(z_k), entry by entry, k = K − 1, …, 0"),
    misconceptions=(
        Misconception(
            "backward",
            "wrong-index",
            "you multiplied from the input on, so that z_k's gradient holds the derivatives before it",
            _from_the_front,
            "Between z_k and the output, which functions lie on the way?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "every gradient holds grad_output and the derivative of its own stage alone",
            lambda grad_output, derivatives: [*(grad_output * each for each in derivatives), grad_output.clone()],
            "How does a change of z_0 reach C: through how many functions?",
        ),
        Misconception(
            "backward",
            "overwritten-not-accumulated",
            "all gradients but the last are the same: one tensor, changed in place, stands in the list each time",
            _one_tensor_for_all,
            "How many different tensors does your list hold?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you added the derivatives along the way where they belong multiplied",
            _added_up,
            "A change that is first doubled and then tripled: by which factor has it grown?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you divided by the derivatives",
            lambda grad_output, derivatives: _right(grad_output, [1 / each for each in derivatives]),
            "A steep function makes a small change large. What does that do to dC/dz?",
        ),
        Misconception(
            "backward",
            "wrong-index",
            "you are one stage off: z_k's gradient holds the derivatives after that of its own function only",
            lambda grad_output, derivatives: _right(grad_output, [*derivatives[1:], grad_output * 0 + 1]),
            "Which function takes z_k: h_k, or h_(k+1)?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "the last function's derivative is missing from every gradient",
            lambda grad_output, derivatives: _right(grad_output, [*derivatives[:-1], grad_output * 0 + 1]),
            "What lies between z_(K−1) and z_K?",
        ),
    ),
)
