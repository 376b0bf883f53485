"""Full-batch, stochastic and minibatch gradient descent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.catalog.parts.errors import every_error
from gradcheck.checks.task import Edge, Reference
from gradcheck.operators.models import AVERAGE_LOSS
from gradcheck.references import apply

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

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


def _slope(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return apply.vjp(AVERAGE_LOSS, w.new_ones(()), w=w, x=x, y=y)["w"]


def _full_step(w: Tensor, x: Tensor, y: Tensor, lr: Tensor) -> Tensor:
    return w - lr * _slope(w, x, y)


def _stochastic_step(w: Tensor, x: Tensor, y: Tensor, p: int, lr: Tensor) -> Tensor:
    return w - lr * _slope(w, x[p : p + 1], y[p : p + 1])


def _minibatch_step(w: Tensor, x: Tensor, y: Tensor, indices: Tensor, lr: Tensor) -> Tensor:
    return w - lr * _slope(w, x[indices], y[indices])


def _preconditioned_step(w: Tensor, x: Tensor, y: Tensor, eta: Tensor) -> Tensor:
    return w - eta @ _slope(w, x, y)


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


# What goes wrong.


def _gradient(w: Any, x: Any, y: Any) -> Any:
    return 2 * (x.T @ (x @ w - y)) / len(y)


def _sample_after_sample(w: Any, x: Any, y: Any, lr: float) -> Any:
    for p in range(len(y)):
        w = w - lr / len(y) * _gradient(w, x[p : p + 1], y[p : p + 1])
    return w


def _index_after_index(w: Any, x: Any, y: Any, indices: Any, lr: float) -> Any:
    for p in indices.tolist():
        w = w - lr * _gradient(w, x[p : p + 1], y[p : p + 1])
    return w


def _sample_after_sample_whole(w: Any, x: Any, y: Any, lr: float) -> Any:
    for p in range(len(y)):
        w = w - lr * _gradient(w, x[p : p + 1], y[p : p + 1])
    return w


def _index_after_index_shared(w: Any, x: Any, y: Any, indices: Any, lr: float) -> Any:
    for p in indices.tolist():
        w = w - lr / len(indices) * _gradient(w, x[p : p + 1], y[p : p + 1])
    return w


def _steps_with(gradient: Callable[[Any, Any, Any], Any]) -> dict[str, Callable[..., Any]]:
    """The steps over several samples, with another gradient."""
    return {
        "full_batch_step": lambda w, x, y, lr: w - lr * gradient(w, x, y),
        "minibatch_step": lambda w, x, y, indices, lr: w - lr * gradient(w, *(each[indices] for each in (x, y))),
        "preconditioned_step": lambda w, x, y, eta: w - eta @ gradient(w, x, y),
    }


def _repeats_count_once(w: Any, x: Any, y: Any, indices: Any, lr: float) -> Any:
    # Right where no index repeats; among the ordinary arguments some do.
    once = indices.unique()
    return w - lr * _gradient(w, x[once], y[once])


EXERCISE = Exercise(
    name="gradient_descent",
    unit="02_gradient_descent",
    title="Full-batch, stochastic and minibatch gradient descent",
    about=About(
        statement=(
            "On a mountain in fog one feels where the ground falls most steeply, and takes a step: w moves against the "
            "gradient of the loss, and η says how far. With all samples that is full-batch descent. Stochastic descent "
            "takes one sample at a time: noisy, but fast where samples resemble each other. A minibatch averages a "
            "few, to keep parallel hardware busy. η may be a positive semi-definite matrix: still downhill, if not by "
            "the steepest way."
        ),
        purpose="The step that trains networks of every size. Momentum and Adam refine it; they do not replace it.",
        torch=("torch.optim.SGD",),
        idea=(
            "All four steps share one function, the gradient over a training set: all of it, x[p : p + 1], or "
            "x[indices]. A small step against it lets the loss fall, and with a positive semi-definite eta it cannot "
            "rise."
        ),
        minutes=25,
        difficulty=2,
    ),
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
    misconceptions=(
        *(
            Misconception(name, *each.told, wrong, each.think)
            for each in every_error()
            for name, wrong in _steps_with(each.gradient).items()
        ),
        *(
            Misconception(name, "updated-too-early", text, wrong, "At which w are all gradients of one step taken?")
            for name, text, wrong in (
                (
                    "full_batch_step",
                    "you changed w after every sample, so that later samples see the changed w",
                    _sample_after_sample_whole,
                ),
                (
                    "minibatch_step",
                    "you changed w after every index, so that later samples see the changed w",
                    _index_after_index_shared,
                ),
            )
        ),
        Misconception(
            "full_batch_step",
            "scaled-by-size",
            "you summed the samples' gradients and did not divide by their number",
            lambda w, x, y, lr: w - lr * len(y) * _gradient(w, x, y),
            "Is the loss a sum over the samples or their mean?",
        ),
        Misconception(
            "full_batch_step",
            "wrong-direction",
            "you added the gradient to w: the loss grows that way",
            lambda w, x, y, lr: w + lr * _gradient(w, x, y),
            "The gradient points to where the loss grows. Which way do you want to go?",
        ),
        Misconception(
            "full_batch_step",
            "ignores-learning-rate",
            "you subtracted the whole gradient: lr has no influence",
            lambda w, x, y, lr: w - _gradient(w, x, y),  # noqa: ARG005
            "With half the learning rate, how far should w go?",
        ),
        Misconception(
            "full_batch_step",
            "scaled-by-constant",
            "lr enters squared: you multiplied by it twice",
            lambda w, x, y, lr: w - lr * lr * _gradient(w, x, y),
            "Where do you multiply by lr: in the gradient, in the step, or in both?",
        ),
        Misconception(
            "full_batch_step",
            "updated-too-early",
            "you changed w after every sample, so that later samples see the changed w",
            _sample_after_sample,
            "At which w is the gradient of the full batch taken?",
        ),
        Misconception(
            "full_batch_step",
            "changes-upstream",
            "you divided the gradient by its length: only its direction is left",
            lambda w, x, y, lr: w - lr * _gradient(w, x, y) / _gradient(w, x, y).norm(),
            "Near the minimum the gradient is short. How long should the step be there?",
        ),
        Misconception(
            "full_batch_step",
            "wrong-function",
            "only the signs of the errors are left: you differentiated their absolute values",
            lambda w, x, y, lr: w + lr / len(y) * ((y - x @ w).sign() @ x),
            "Is a square equally steep everywhere?",
        ),
        Misconception(
            "full_batch_step",
            "wrong-variable",
            "you subtracted lr times the loss itself, where its gradient belongs",
            lambda w, x, y, lr: w - lr * (y - x @ w).square().mean(),
            "Which shape has the loss, and which its gradient?",
        ),
        Misconception(
            "full_batch_step",
            "extra-term",
            "you multiplied the step by w: parameters that are zero can never change",
            lambda w, x, y, lr: w * (1 - lr * _gradient(w, x, y)),
            "Where does a parameter go that starts at 0?",
        ),
        Misconception(
            "full_batch_step",
            "extra-reduction",
            "you averaged the errors and the samples each by itself and multiplied the two averages",
            lambda w, x, y, lr: w + 2 * lr * (y - x @ w).mean() * x.mean(0),
            "Which error does sample p have to meet, in the sum over p?",
        ),
        Misconception(
            "stochastic_step",
            "scaled-by-size",
            "you divided sample p's gradient by the number of all samples",
            lambda w, x, y, p, lr: w - lr / len(y) * _gradient(w, x[p : p + 1], y[p : p + 1]),
            "Over how many samples is the mean, where there is one?",
        ),
        Misconception(
            "stochastic_step",
            "wrong-direction",
            "you added sample p's gradient to w: its loss grows that way",
            lambda w, x, y, p, lr: w + lr * _gradient(w, x[p : p + 1], y[p : p + 1]),
            "The gradient points to where the loss grows. Which way do you want to go?",
        ),
        Misconception(
            "stochastic_step",
            "ignores-argument",
            "you took the gradient over all samples: p has no influence",
            lambda w, x, y, p, lr: w - lr * _gradient(w, x, y),  # noqa: ARG005
            "How much may another sample change in this step?",
        ),
        Misconception(
            "stochastic_step",
            "ignores-argument",
            "you took the first sample whatever p is",
            lambda w, x, y, p, lr: w - lr * _gradient(w, x[:1], y[:1]),  # noqa: ARG005
            "Which sample does p = 2 stand for?",
        ),
        Misconception(
            "stochastic_step",
            "wrong-index",
            "you took all samples up to p: x[:p + 1] is a range, not one row",
            lambda w, x, y, p, lr: w - lr * _gradient(w, x[: p + 1], y[: p + 1]),
            "How many rows does x[:3] have?",
        ),
        Misconception(
            "stochastic_step",
            "wrong-index",
            "you counted the samples from 1 and took the one before p",
            lambda w, x, y, p, lr: w - lr * _gradient(w, x[p - 1][None], y[p - 1][None]),
            "Which p does the first row of x have?",
        ),
        Misconception(
            "stochastic_step",
            "wrong-index",
            "the mean error of all samples met sample p's x",
            lambda w, x, y, p, lr: w + 2 * lr * (y - x @ w).mean() * x[p],
            "Whose error belongs to x_p?",
        ),
        Misconception(
            "minibatch_step",
            "scaled-by-size",
            "you summed the gradients of the minibatch and did not divide by the number of indices",
            lambda w, x, y, indices, lr: w - lr * len(indices) * _gradient(w, x[indices], y[indices]),
            "Should the step be longer only because the minibatch is larger?",
        ),
        Misconception(
            "minibatch_step",
            "scaled-by-size",
            "you divided by the number of all samples, not by that of the minibatch",
            lambda w, x, y, indices, lr: w - lr * len(indices) / len(y) * _gradient(w, x[indices], y[indices]),
            "Over how many samples is this mean?",
        ),
        Misconception(
            "minibatch_step",
            "wrong-direction",
            "you added the gradient to w: the minibatch's loss grows that way",
            lambda w, x, y, indices, lr: w + lr * _gradient(w, x[indices], y[indices]),
            "The gradient points to where the loss grows. Which way do you want to go?",
        ),
        Misconception(
            "minibatch_step",
            "ignores-argument",
            "you took the gradient over all samples: indices has no influence",
            lambda w, x, y, indices, lr: w - lr * _gradient(w, x, y),  # noqa: ARG005
            "Which samples make up this minibatch?",
        ),
        Misconception(
            "minibatch_step",
            "wrong-index",
            "you took as many samples as there are indices, but the first ones, not those that indices names",
            lambda w, x, y, indices, lr: w - lr * _gradient(w, x[: len(indices)], y[: len(indices)]),
            "Which rows should indices = [4, 0] choose?",
        ),
        Misconception(
            "minibatch_step",
            "updated-too-early",
            "you made a step for every index in turn, so that later samples see the changed w",
            _index_after_index,
            "How many updates does a minibatch make?",
        ),
        Misconception(
            "minibatch_step",
            "missing-term",
            "a sample whose index repeats counts once only",
            _repeats_count_once,
            "How often does sample 1 enter for indices = [1, 1, 0]?",
        ),
        Misconception(
            "preconditioned_step",
            "diagonal-only",
            "you used only the diagonal of eta: each entry of the gradient moves its own parameter alone",
            lambda w, x, y, eta: w - eta.diag() * _gradient(w, x, y),
            "What do the other entries of eta do to the gradient?",
        ),
        Misconception(
            "preconditioned_step",
            "extra-reduction",
            "you summed the rows of eta and multiplied entry by entry",
            lambda w, x, y, eta: w - eta.sum(1) * _gradient(w, x, y),
            "Which entry of the gradient does eta_ij stand beside, that with i or that with j?",
        ),
        Misconception(
            "preconditioned_step",
            "scaled-by-size",
            "you summed the samples' gradients and did not divide by their number",
            lambda w, x, y, eta: w - len(y) * (eta @ _gradient(w, x, y)),
            "Is the loss a sum over the samples or their mean?",
        ),
        Misconception(
            "preconditioned_step",
            "wrong-direction",
            "you added the step to w: the loss grows that way",
            lambda w, x, y, eta: w + eta @ _gradient(w, x, y),
            "The gradient points to where the loss grows. Which way do you want to go?",
        ),
        Misconception(
            "preconditioned_step",
            "extra-term",
            "you multiplied the old w by eta as well",
            lambda w, x, y, eta: eta @ (w - _gradient(w, x, y)),
            "Where should w be when the gradient is zero?",
        ),
        Misconception(
            "preconditioned_step",
            "ignores-argument",
            "you subtracted the whole gradient: eta has no influence",
            lambda w, x, y, eta: w - _gradient(w, x, y),  # noqa: ARG005
            "How far should w go when all entries of eta are zero?",
        ),
    ),
)
