"""Inputs with mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function
from gradcheck.catalog.shared.normalise_misconceptions import NORMALISE_MISCONCEPTIONS
from gradcheck.checks.reference import Edge, Reference
from gradcheck.operators.tricks import STANDARDISE

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.references.sweep import Sweep, Twin

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


def _fit(sweep: Sweep, x: Twin) -> tuple[Twin, Twin]:
    samples = len(x)
    mean = x.sum(0) / samples
    away = x - mean
    return mean, sweep.root((away * away).sum(0) / samples)


def _factor(sweep: Sweep, std: Twin, eps: Twin) -> Twin:
    return sweep.constant(1.0) / sweep.apply("Max", std, eps)


def _forward(sweep: Sweep, x: Twin, mean: Twin, std: Twin, eps: Twin) -> Twin:
    return sweep.forward(STANDARDISE, x=x, mean=mean, factor=_factor(sweep, std, eps))


def _backward(sweep: Sweep, grad_output: Twin, x: Twin, mean: Twin, std: Twin, eps: Twin) -> Twin:
    return sweep.vjp(STANDARDISE, grad_output, x=x, mean=mean, factor=_factor(sweep, std, eps))["x"]


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


EXERCISE = Exercise(
    name="normalise",
    unit="06_tricks",
    title="Normalise the inputs",
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
    misconceptions=NORMALISE_MISCONCEPTIONS,
)
