"""Full-batch, stochastic and minibatch gradient descent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function
from gradcheck.catalog.shared.gradient_descent_misconceptions import GRADIENT_DESCENT_MISCONCEPTIONS
from gradcheck.checks.reference import Edge, Reference
from gradcheck.operators.models import AVERAGE_LOSS

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.references.sweep import Sweep, Twin

ORDER = 1


def _data(draw: Draw) -> dict[str, Any]:
    n, samples = draw.size("n"), draw.size("P")
    return {"w": draw.tensor(n), "x": draw.tensor(samples, n), "y": draw.tensor(samples)}


def _full(draw: Draw) -> dict[str, Any]:
    return _data(draw) | {"lr": draw.number(0.01, 0.5)}


def _one(draw: Draw) -> dict[str, Any]:
    return _data(draw) | {"p": draw.whole(0, draw.size("P") - 1), "lr": draw.number(0.01, 0.5)}


def _some(draw: Draw) -> dict[str, Any]:
    data = _data(draw)
    return data | {"indices": draw.labels(draw.size("P"), draw.size("m")), "lr": draw.number(0.01, 0.5)}


def _matrix(draw: Draw) -> dict[str, Any]:
    data = _data(draw)
    n = draw.size("n")
    root = draw.tensor(n, n)
    # eta = root rootᵀ is symmetric positive semi-definite; in the tensor's own precision exactly symmetric.
    eta = type(root)(root.values @ root.values.T, "float64")
    eta = type(root)(eta.values.astype(draw.dtype).astype("float64"), draw.dtype, root.layout)
    return data | {"eta": eta}


def _slope(sweep: Sweep, w: Twin, x: Any, y: Any) -> Twin:
    return sweep.vjp(AVERAGE_LOSS, 1.0, w=w, x=x, y=y)["w"]


def _full_step(sweep: Sweep, w: Twin, x: Twin, y: Twin, lr: Twin) -> Twin:
    return w - lr * _slope(sweep, w, x, y)


def _stochastic_step(sweep: Sweep, w: Twin, x: Twin, y: Twin, p: int, lr: Twin) -> Twin:
    return w - lr * _slope(sweep, w, x[p : p + 1], y[p : p + 1])


def _minibatch_step(sweep: Sweep, w: Twin, x: Twin, y: Twin, indices: Any, lr: Twin) -> Twin:
    return w - lr * _slope(sweep, w, x[indices], y[indices])


def _preconditioned_step(sweep: Sweep, w: Twin, x: Twin, y: Twin, eta: Twin) -> Twin:
    return w - eta @ _slope(sweep, w, x, y)


def _by_autograd(w: Any, x: Any, y: Any) -> Any:
    leaf = w.clone().requires_grad_()
    (y - x @ leaf).square().mean().backward()
    return leaf.grad


def _rates(draw: Any, further: dict[str, Any] | None = None) -> Iterator[Edge]:
    """Rates that leave w as it is, or the gradient."""
    for lr in (0.0, 1.0):
        yield f"a learning rate of {lr:g}", _data(draw) | (further or {}) | {"lr": lr}


def _matrices(draw: Any) -> Iterator[Edge]:
    import numpy as np

    n = draw.size("n")
    yield "eta is the identity", _data(draw) | {"eta": draw.argument(np.eye(n))}
    yield "eta is zero", _data(draw) | {"eta": draw.argument(np.zeros((n, n)))}


def _repeats(draw: Any) -> Iterator[Edge]:
    data = _data(draw)
    yield "an index that repeats", data | {"indices": type(data["x"])(_whole([1, 1, 0]), "int64"), "lr": 0.25}
    yield "one index", data | {"indices": type(data["x"])(_whole([1]), "int64"), "lr": 0.25}
    yield from _rates(draw, {"indices": type(data["x"])(_whole([2, 0]), "int64")})


def _whole(values: list[int]) -> Any:
    import numpy as np

    return np.asarray(values, dtype=np.int64)


EXERCISE = Exercise(
    name="gradient_descent",
    unit="02_gradient_descent",
    title="Full-batch, stochastic and minibatch gradient descent",
    functions=(
        function(
            "full_batch_step",
            "w",
            "x",
            "y",
            "lr",
            reference=Reference(
                draw=_full,
                compute=_full_step,
                opinion=lambda w, x, y, lr: w - lr * _by_autograd(w, x, y),
                edges=_rates,
                names="the new w",
                what="w after one step against the gradient",
                source="lecture part A: batch gradient descent",
            ),
        ),
        function(
            "stochastic_step",
            "w",
            "x",
            "y",
            "p",
            "lr",
            reference=Reference(
                draw=_one,
                compute=_stochastic_step,
                opinion=lambda w, x, y, p, lr: w - lr * _by_autograd(w, x[p : p + 1], y[p : p + 1]),
                edges=lambda draw: _rates(draw, {"p": 1}),
                names="the new w",
                what="w after one step against the gradient of sample p alone",
                source="lecture part A: stochastic gradient descent",
            ),
        ),
        function(
            "minibatch_step",
            "w",
            "x",
            "y",
            "indices",
            "lr",
            reference=Reference(
                draw=_some,
                compute=_minibatch_step,
                opinion=lambda w, x, y, indices, lr: w - lr * _by_autograd(w, x[indices], y[indices]),
                edges=_repeats,
                names="the new w",
                what="w after one step against the minibatch's mean gradient",
                source="lecture part A: minibatches",
            ),
        ),
        function(
            "preconditioned_step",
            "w",
            "x",
            "y",
            "eta",
            reference=Reference(
                draw=_matrix,
                compute=_preconditioned_step,
                opinion=lambda w, x, y, eta: w - eta @ _by_autograd(w, x, y),
                edges=_matrices,
                names="the new w",
                what="w after one step against eta times the gradient",
                source="lecture part A: a matrix of step sizes",
            ),
        ),
    ),
    hints=(
        "Which way does w have to go for the loss to fall: along the gradient, or against it? And how far, if the "
        "gradient is twice as long?",
        "The gradient of the average loss is the average of the samples' gradients. A minibatch is a training set of "
        "its own, x[indices] and y[indices], where an index that repeats counts twice; a single sample is one with P = "
        "1. A matrix eta takes the place of the number lr.",
        "w_i ← w_i − lr ∂L/∂w_i, where ∂L/∂w_i = 1/P Σ_p ∂/∂w_i (y_p − Σ_j w_j x_pj)². For one sample there is no sum "
        "and no P; with a matrix the step is Σ_j eta_ij ∂L/∂w_j.",
    ),
    formula=(
        "∂L/∂w_i = −2/P Σ_p (y_p − Σ_j w_j x_pj) x_pi\n"
        "full batch:  w_i ← w_i − lr ∂L/∂w_i\n"
        "sample p:    w_i ← w_i + 2 lr (y_p − Σ_j w_j x_pj) x_pi\n"
        "minibatch:   w_i ← w_i + 2 lr/m Σ_k (y_p − Σ_j w_j x_pj) x_pi,\n"
        "             p = indices_k, m indices\n"
        "matrix:      w_i ← w_i − Σ_j eta_ij ∂L/∂w_j"
    ),
    misconceptions=GRADIENT_DESCENT_MISCONCEPTIONS,
)
