"""Inputs with mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.task import Edge, Reference
from gradcheck.operators.structure import STANDARDISE
from gradcheck.references import apply

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

ORDER = 2


def _samples(draw: Draw) -> dict[str, Any]:
    return {"x": draw.tensor(draw.size("P"), draw.size("n"))}


def _statistics(draw: Draw) -> dict[str, Any]:
    import numpy as np

    n = draw.size("n")
    mean, std = draw.tensor(n), draw.tensor(n)
    # Some standard deviations lie above eps, some below: of small whole numbers too.
    positive = (0.75 * np.abs(std.values)).astype(draw.dtype).astype("float64")
    return {
        "mean": mean,
        "std": type(std)(positive, std.dtype, std.layout),
        "eps": draw.number(0.25, 1.0),
    }


def _forward_arguments(draw: Draw) -> dict[str, Any]:
    return _samples(draw) | _statistics(draw)


def _backward_arguments(draw: Draw) -> dict[str, Any]:
    return {"grad_output": draw.cotangent(draw.size("P"), draw.size("n"))} | _forward_arguments(draw)


def _fit(x: Tensor) -> tuple[Tensor, Tensor]:
    samples = len(x)
    mean = x.sum(0) / samples
    away = x - mean
    return mean, ((away * away).sum(0) / samples).sqrt()


def _factor(std: Tensor, eps: Tensor) -> Tensor:
    return 1 / std.maximum(eps)


def _forward(x: Tensor, mean: Tensor, std: Tensor, eps: Tensor) -> Tensor:
    return apply.forward(STANDARDISE, x=x, mean=mean, factor=_factor(std, eps))


def _backward(grad_output: Tensor, x: Tensor, mean: Tensor, std: Tensor, eps: Tensor) -> Tensor:
    return apply.vjp(STANDARDISE, grad_output, x=x, mean=mean, factor=_factor(std, eps))["x"]


def _columns(draw: Any) -> Iterator[Edge]:
    """Constant columns, columns far from the origin, few samples."""
    import numpy as np

    def given(values: Any) -> dict[str, Any]:
        return {"x": draw.argument(values)}

    some = draw.rng.standard_normal((5, 4))
    yield "a constant column", given(np.where(np.arange(4) == 2, 0.1, some))
    yield "constant columns", given(np.broadcast_to([0.0, 1.0, -0.3, 1e4 / 3, 1e-8], (7, 5)))
    yield "one sample", given(some[:1])
    yield "two samples", given(some[:2])
    yield "one column", given(some[:, :1])
    for spread in (1.0, 0.1) if draw.dtype == "float32" else (1.0, 1e-2, 1e-6):
        yield f"columns near 1e4, {spread:g} apart", given(1e4 * np.asarray([1, -1, 0.7, -0.3]) + spread * some)
    yield "a column of another scale", given(some * [1e-4, 1.0, 1e3, 1e5])
    yield "more samples", given(2 + draw.rng.standard_normal((40, 3)))


def _bounds(draw: Any) -> Iterator[Edge]:
    return _with_bounds(draw, ())


def _bounds_backward(draw: Any) -> Iterator[Edge]:
    return _with_bounds(draw, ("grad_output",))


def _with_bounds(draw: Any, first: tuple[str, ...]) -> Iterator[Edge]:
    def given(std: list[float], eps: float) -> dict[str, Any]:
        above = {name: draw.tensor(3, len(std)) for name in first}
        tensors = {"x": draw.tensor(3, len(std)), "mean": draw.tensor(len(std)), "std": draw.argument(std)}
        return above | tensors | {"eps": eps}

    yield "standard deviations of zero", given([0.0, 2.0, 0.0], 1e-2)
    yield "a constant input", given([0.0], 1e-5)
    yield "standard deviations below eps", given([1e-3, 1e-2, 0.5], 1.0)
    yield "standard deviations above eps", given([1e-3, 1.0, 30.0], 1e-8)
    yield "a standard deviation of exactly eps", given([0.5, 0.25, 1.0], 0.5)
    yield "normalised already", given([1.0, 1.0, 1.0], 0.1) | {"mean": draw.argument([0.0, 0.0, 0.0])}


def _by_autograd(grad_output: Any, x: Any, mean: Any, std: Any, eps: float) -> Any:
    leaf = x.clone().requires_grad_()
    ((leaf - mean) / std.where(std > eps, eps)).backward(grad_output)
    return leaf.grad


# What goes wrong.


def _through_the_statistics(grad_output: Any, x: Any, mean: Any, std: Any, eps: float) -> Any:
    divisor = std.clamp(min=eps)
    y = (x - mean) / divisor
    return (grad_output - grad_output.mean(0) - y * (grad_output * y).mean(0)) / divisor


EXERCISE = Exercise(
    name="normalise",
    unit="06_tricks",
    title="Normalise the inputs",
    about=About(
        statement=(
            "Inputs should have mean 0 and variance 1, column by column: y = (x − m) / max(σ, ε). Columns of very "
            "different size stretch the loss into a long valley, where no learning rate suits all directions. The "
            "statistics are taken once, from the training set, and are constants from then on. Images have one pair "
            "for each colour: under water there is hardly any red."
        ),
        purpose=(
            "The first step of almost every data pipeline; batch and layer normalisation do the same inside the "
            "network."
        ),
        torch=("torch.std_mean",),
        idea=(
            "Take the mean away before you square: the difference of two large means loses its digits. With constant "
            "statistics each entry lies on a straight line, whose slope is one over the divisor."
        ),
        minutes=25,
        difficulty=2,
    ),
    functions=(
        function(
            "fit",
            "x",
            reference=Reference(
                draw=_samples,
                compute=_fit,
                opinion=lambda x: (x.mean(0), x.std(0, correction=0)),
                edges=_columns,
                names=("mean", "std"),
                what="the columns' mean and population standard deviation",
                source="lecture part B: normalise the inputs",
            ),
        ),
        function(
            "forward",
            "x",
            "mean",
            "std",
            "eps",
            reference=Reference(
                draw=_forward_arguments,
                compute=_forward,
                opinion=lambda x, mean, std, eps: (x - mean) / std.where(std > eps, eps),
                edges=_bounds,
                names="y",
                what="the definition",
                source="lecture part B: normalise the inputs",
            ),
        ),
        function(
            "backward",
            "grad_output",
            "x",
            "mean",
            "std",
            "eps",
            points=2,
            reference=Reference(
                draw=_backward_arguments,
                compute=_backward,
                opinion=_by_autograd,
                edges=_bounds_backward,
                names="grad_x",
                what="dC/dx",
                source="lecture part B: normalise the inputs",
            ),
        ),
    ),
    hints=(
        "Each column is one input variable. Over which axis do you take the mean, and what is its shape? And in "
        "backward, mean and std are mere numbers: what is the slope of a straight line?",
        "For columns near 1e4, x² is near 1e8: what is left of the digits when two such means are subtracted? "
        "What could you subtract before you square? A column without spread would be divided by zero; eps is what "
        "the divisor is at least.",
        "dC/dx_qj = Σ_p Σ_i g_pi ∂y_pi/∂x_qj, and ∂y_pi/∂x_qj = ∂/∂x_qj (x_pi − mean_i) / max(std_i, eps), where "
        "mean and std are constants. std_i² is 1/P Σ_p of which squares?",
    ),
    formula=(
        "fit:      mean_i = 1/P Σ_p x_pi\n"
        "          std_i = √(1/P Σ_p (x_pi − mean_i)²)\n"
        "forward:  y_pi = (x_pi − mean_i) / max(std_i, eps)\n"
        "backward: grad_x_pi = g_pi / max(std_i, eps)"
    ),
    misconceptions=(
        Misconception(
            "fit",
            "wrong-function",
            "you returned the variance: the root is missing",
            lambda x: (x.mean(0), (x - x.mean(0)).square().mean(0)),
            "In which unit is x measured, and in which is your std?",
        ),
        Misconception(
            "fit",
            "scaled-by-size",
            "you divided by P − 1, as one does to estimate from a sample",
            lambda x: (x.mean(0), ((x - x.mean(0)).square().sum(0) / (len(x) - 1)).sqrt()),
            "What is the spread of a single sample? The task says which of the two definitions it is.",
        ),
        Misconception(
            "fit",
            "missing-term",
            "you took the root of the mean square of x itself: nothing was subtracted before",
            lambda x: (x.mean(0), x.square().mean(0).sqrt()),
            "What is the standard deviation of a column in which every entry is 7?",
        ),
        Misconception(
            "fit",
            "wrong-function",
            "you averaged the absolute deviations, not their squares",
            lambda x: (x.mean(0), (x - x.mean(0)).abs().mean(0)),
            "What is done to the deviations before they are averaged, and what after?",
        ),
        Misconception(
            "fit",
            "wrong-function",
            "you took the smallest entry and the range: this maps a column to 0 … 1",
            lambda x: (x.amin(0), x.amax(0) - x.amin(0)),
            "Which mean and which spread should a normalised column have?",
        ),
        Misconception(
            "fit",
            "wrong-axis",
            "you took one mean and one std of all entries together: the columns share them",
            lambda x: (x.mean().expand(x.shape[1]), x.std(correction=0).expand(x.shape[1])),
            "One column is a height in metres, one an income in euros. What do they have in common?",
        ),
        Misconception(
            "fit",
            "wrong-axis",
            "you measured the deviations from the mean of all entries, not from each column's own",
            lambda x: (x.mean(0), (x - x.mean()).square().mean(0).sqrt()),
            "Around which number does a column spread?",
        ),
        Misconception(
            "fit",
            "wrong-function",
            "you took the median for the mean",
            lambda x: (x.median(0).values, x.std(0, correction=0)),
            "What becomes of the mean when the largest entry grows?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you added eps to std: every column is divided by too much, not only the constant ones",
            lambda x, mean, std, eps: (x - mean) / (std + eps),
            "A column with std 2 and eps 1: by which number should it be divided?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you divided by the root of std² + eps, as batch normalisation does",
            lambda x, mean, std, eps: (x - mean) / (std.square() + eps).sqrt(),
            "A column with std 2 and eps 1: by which number should it be divided?",
        ),
        Misconception(
            "forward",
            "ignores-argument",
            "eps has no influence: a std below it is divided by as it is",
            lambda x, mean, std, _eps: (x - mean) / std,
            "How large does a constant column become?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took the smaller one of std and eps",
            lambda x, mean, std, eps: (x - mean) / std.clamp(max=eps),
            "Against which danger is eps there: a std that is too large, or one that is too small?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you put the bound eps on the quotient, not on what it is divided by",
            lambda x, mean, std, eps: ((x - mean) / std).clamp(min=eps),
            "Which number must not come too near to zero? And may a normalised input be negative?",
        ),
        Misconception(
            "forward",
            "wrong-mask",
            "columns whose std lies below eps were not scaled at all",
            lambda x, mean, std, eps: (x - mean) / std.where(std >= eps, 1.0),
            "By which number is a column with std 0 divided?",
        ),
        Misconception(
            "forward",
            "wrong-mask",
            "columns whose std lies below eps came back as zeros",
            lambda x, mean, std, eps: (x - mean) * (std >= eps) / std.clamp(min=eps),
            "A column's std is half of eps. Does its input carry nothing?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "brackets are missing: only the mean was divided",
            lambda x, mean, std, eps: x - mean / std.clamp(min=eps),
            "What does Python do first, a subtraction or a division?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you multiplied by what should divide",
            lambda x, mean, std, eps: (x - mean) * std.clamp(min=eps),
            "A wide column is to become narrower. Does it?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took a root of the standard deviation: it is one already",
            lambda x, mean, std, eps: (x - mean) * std.clamp(min=eps).rsqrt(),
            "Is std a variance?",
        ),
        Misconception(
            "forward",
            "ignores-argument",
            "you took mean and std from this x: those that were handed over have no influence",
            lambda x, _mean, _std, eps: (x - x.mean(0)) / x.std(0, correction=0).clamp(min=eps),
            "At test time a single sample comes. Whose statistics should it be measured by?",
        ),
        Misconception(
            "forward",
            "ignores-argument",
            "you subtracted the mean of this x: the one that was handed over has no influence",
            lambda x, _mean, std, eps: (x - x.mean(0)) / std.clamp(min=eps),
            "At test time a single sample comes. From whose mean is it measured?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you divided by the square of the larger one of std and eps",
            lambda x, mean, std, eps: (x - mean) * std.clamp(min=eps).pow(-2),
            "In which unit is x measured, and in which is what you divide by?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you went through mean and std too, as if they were computed from this x",
            _through_the_statistics,
            "Does mean change when an entry of this x does?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you went through the mean too, as if it were computed from this x",
            lambda grad_output, _x, _mean, std, eps: (grad_output - grad_output.mean(0)) / std.clamp(min=eps),
            "Does mean change when an entry of this x does?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you normalised grad_output like an input: the mean was subtracted from it",
            lambda grad_output, _x, mean, std, eps: (grad_output - mean) / std.clamp(min=eps),
            "What remains of a constant that is added, when one differentiates?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you multiplied grad_output by the normalised x: that is the forward value, not its slope",
            lambda grad_output, x, mean, std, eps: grad_output * (x - mean) / std.clamp(min=eps),
            "y is a straight line in x. Does its slope depend on x?",
        ),
        Misconception(
            "backward",
            "wrong-mask",
            "columns whose std lies below eps got no gradient",
            lambda grad_output, _x, _mean, std, eps: grad_output * (std >= eps) / std.clamp(min=eps),
            "Does y change with x where eps has taken the place of std?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you added eps to std: every column is divided by too much",
            lambda grad_output, _x, _mean, std, eps: grad_output / (std + eps),
            "By which number did forward divide?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you divided by the root of std² + eps, as batch normalisation does",
            lambda grad_output, _x, _mean, std, eps: grad_output / (std.square() + eps).sqrt(),
            "By which number did forward divide?",
        ),
        Misconception(
            "backward",
            "ignores-argument",
            "eps has no influence: a std below it is divided by as it is",
            lambda grad_output, _x, _mean, std, _eps: grad_output / std,
            "By which number did forward divide where std is smaller than eps?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you took the smaller one of std and eps",
            lambda grad_output, _x, _mean, std, eps: grad_output / std.clamp(max=eps),
            "By which number did forward divide?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you multiplied by the divisor: the slope of a quotient is not its reciprocal",
            lambda grad_output, _x, _mean, std, eps: grad_output * std.clamp(min=eps),
            "How much does x / 10 change when x changes by 1?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you divided by the square of the divisor, as if it were the variable",
            lambda grad_output, _x, _mean, std, eps: grad_output * std.clamp(min=eps).pow(-2),
            "Which of the numbers in the quotient is differentiated by?",
        ),
    ),
)
