"""Dropout, scaled so that nothing has to change when it is switched off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.catalog.parts import chance
from gradcheck.checks.task import Edge, Property, Reference
from gradcheck.operators.structure import MASKED
from gradcheck.references import apply

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw
    from gradcheck.checks.outcome import Arguments, Value

ORDER = 5

_SIDE = 200
"""Rows and columns of what is dropped from, where chances are counted."""


def _forward_arguments(draw: Draw) -> dict[str, Any]:
    x = draw.tensor(draw.size("rows"), draw.size("columns"))
    return {"x": x, "p": draw.number(0.2, 0.8), "generator": draw.generator()}


def _backward_arguments(draw: Draw) -> dict[str, Any]:
    shape = draw.size("rows"), draw.size("columns")
    return {"grad_output": draw.cotangent(*shape), "mask": _mask(draw, *shape), "p": draw.number(0.2, 0.8)}


def _mask(draw: Draw, *shape: int) -> Any:
    drawn = draw.labels(2, *shape)
    return type(drawn)(drawn.values.astype(bool), "bool", drawn.layout)


def _backward(grad_output: Tensor, mask: Tensor, p: Tensor) -> Tensor:
    kept = mask.to(grad_output.dtype)
    return apply.vjp(MASKED, grad_output / (1 - p), x=grad_output.new_zeros(mask.shape), mask=kept)["x"]


def _verdict(arguments: Arguments, value: Value) -> tuple[str, ...] | None:
    """The form, and a y that follows from the mask, whatever that is."""
    import numpy as np

    from gradcheck.checks.outcome import Returned
    from gradcheck.references.expected import PRECISION

    x, p = arguments["x"], arguments["p"]
    if not isinstance(value, tuple) or len(value) != 2:
        return "type", "expected a tuple of 2 tensors (y, mask)"
    y, mask = value
    for name, each, dtype in (("y", y, x.dtype), ("mask", mask, "bool")):
        if not isinstance(each, Returned) or each.problem:
            return "type", f"{name} is not a plain torch.Tensor; expected a tuple of 2 tensors (y, mask)"
        if each.shape != x.values.shape:
            return "shape", f"{name} has shape {each.shape}; expected {x.values.shape}, the shape of x"
        if each.dtype != dtype or each.values is None:
            return "dtype", f"{name} is {each.dtype}; expected {dtype}"
    kept = mask.values.astype(bool)
    if p == 0 and not kept.all():
        return "values", "nothing is dropped at p = 0: the mask must be True everywhere", "wrong-mask"
    if not np.isfinite(y.values).all():
        return "values", "y holds NaN or infinity where the true value is finite", "not-finite"
    right = np.where(kept, x.values / (1 - p), 0.0)
    # x and p carry one rounding each, 1 − p and the quotient or product two or three; 8 as everywhere.
    _, roundoff, tiny = PRECISION[x.dtype]
    slack = 8 * roundoff * (3 + p / (1 - p)) * np.abs(right) + tiny
    if (np.abs(y.values) > tiny)[~kept].any():
        return "values", "y is not 0 where the mask says that the entry was dropped"
    if (np.abs(y.values - right) > slack).any():
        plain = (np.abs(y.values - np.where(kept, x.values, 0.0)) <= slack).all()
        if plain:
            return (
                "values",
                "the entries of y that are kept are those of x as they came: they are not scaled",
                "missing-term",
            )
        return "values", "y does not fit the mask that was returned: an entry that is kept has another value"
    return None


def _edges(draw: Any) -> Iterator[Edge]:
    def given(x: Any, p: float) -> dict[str, Any]:
        return {"x": x, "p": p, "generator": draw.generator()}

    for words, shape in _SHAPES:
        yield words, given(draw.tensor(*shape), 0.4)
    x = draw.tensor(4, 5)
    yield "p = 0", given(x, 0.0)
    yield "p = 0.99", given(x, 0.99)
    yield "p = 0.001", given(x, 0.001)
    few = draw.tensor(draw.size("rows"), draw.size("columns"))
    for p in (1.0, 1.5, -0.1, -1e-9):
        yield f"p = {p:g}", given(few, p), "ValueError"


_SHAPES = (("no axis", ()), ("one axis", (6,)), ("three axes", (2, 3, 4)))


def _backward_edges(draw: Any) -> Iterator[Edge]:
    def given(mask: Any, p: float) -> dict[str, Any]:
        return {"grad_output": draw.cotangent(*mask.values.shape), "mask": mask, "p": p}

    for words, shape in _SHAPES:
        yield words, given(_mask(draw, *shape), 0.4)
    mask = _mask(draw, 4, 5)
    whole = mask.values | True
    yield "p = 0", given(type(mask)(whole, "bool"), 0.0)
    yield "nothing dropped", given(type(mask)(whole, "bool"), 0.5)
    yield "all dropped", given(type(mask)(~whole, "bool"), 0.5)
    yield "p = 0.99", given(mask, 0.99)


def _masks(ask: Any) -> Iterator[tuple[float, Any, Any]]:
    """p, x and a large mask, for few and many dropped, in both precisions. A third of x is zero."""
    import numpy as np

    for p, dtype in ((0.1, "float64"), (0.3, "float32"), (0.75, "float64")):
        x = ask.rng.standard_normal((_SIDE, _SIDE)).astype(dtype)
        x[ask.rng.random(x.shape) < 1 / 3] = 0.0
        came = ask.value(ask.tensor(x, dtype), p, ask.generator())
        yield p, x, np.asarray(came[1].values, dtype=bool)


def _fraction(ask: Any) -> str | None:
    """The fraction kept, of all and of a kind: 3 · 4 comparisons, each with false alarms of at most 1e-13."""
    for p, x, mask in _masks(ask):
        kinds = (("", x == x), ("zero ", x == 0), ("negative ", x < 0), ("positive ", x > 0))  # noqa: PLR0124
        for kind, where in kinds:
            kept, count = float(mask[where].mean()), int(where.sum())
            if abs(kept - (1 - p)) > chance.mean_bound(count):
                swapped = ": p is the chance to be dropped" if abs(kept - p) <= chance.mean_bound(count) else ""
                return f"at p = {p} it keeps {kept:.1%} of {count} {kind}entries; 1 − p is {1 - p:.0%}{swapped}"
    return None


def _independence(ask: Any) -> str | None:
    """No row, column or neighbour hangs on another, and the number kept varies. What fraction is kept is another
    check's business: deviations are taken from the mask's own. Comparisons: 3 · (400 + 2 + 5) with false alarms of at
    most 1e-13 each; then 40 masks of four entries at p = ½, where two are kept with probability 3/8. That all 40 keep
    as many has probability Σ_k P(k)^40 < 1e-16, that an entry always has the same fate 8 · 2^-40 < 1e-11.
    """
    import numpy as np

    for p, _, mask in _masks(ask):
        kept, off = mask.mean(), chance.mean_bound(mask.size)
        for axis, words in ((1, "rows"), (0, "columns")):
            if (np.abs(mask.mean(axis) - kept) > chance.mean_bound(_SIDE) + off).any():
                return (
                    f"at p = {p} there are {words} with too many or too few kept: every entry needs a draw of its own"
                )
        # A product of two deviations from the true fraction lies in an interval of width 1, its mean is 0; disjoint
        # pairs are independent of each other. The mask's own fraction is `off` away at most, each half's √2 · off.
        away = mask - kept
        for words, pairs in (("beside", away[:, ::2] * away[:, 1::2]), ("above", away[::2] * away[1::2])):
            if abs(pairs.mean()) > chance.mean_bound(pairs.size) + 4 * off**2:
                return f"at p = {p} the fate of an entry hangs on that of the one {words} it"
    made = [ask.value(ask.tensor(np.ones(4)), 0.5, ask.generator())[1].values for _ in range(40)]
    small = np.asarray(made, dtype=bool)
    if small.all() or not small.any():
        return None
    if (small == small[0]).all():
        return "generators in different states lead to the same mask"
    if (small == small[0]).all(0).any():
        return "in 40 calls with four entries, one of them always had the same fate"
    if len(set(small.sum(1).tolist())) == 1:
        return "of four entries it always keeps the same number: the fate of one hangs on the others'"
    return None


def _generator(ask: Any) -> str | None:
    import numpy as np

    return chance.misused(ask, (ask.tensor(np.ones((4, 5))), 0.5))


def _by_autograd(grad_output: Any, mask: Any, p: float) -> Any:
    x = grad_output.new_ones(mask.shape).requires_grad_()
    (x * mask).div(1 - p).backward(grad_output)
    return x.grad


# What goes wrong.


MaskDraw = Callable[[Any, float, Any], Any]
Mistake = Callable[[Any, Any, Any, float], tuple[Any, Any]]
"""y and the mask from x, the right mask, another one, and p."""


def _in_the_dtype_of_x(x: Any, p: float, generator: Any) -> Any:
    return x.new_empty(x.shape).uniform_(generator=generator) >= p


def _in_the_default_dtype(x: Any, p: float, generator: Any) -> Any:
    import torch

    return torch.rand(x.shape, generator=generator) >= p


def _forward(draw: MaskDraw, mistake: Mistake) -> Callable[[Any, float, Any], tuple[Any, Any]]:
    def forward(x: Any, p: float, generator: Any) -> tuple[Any, Any]:
        return mistake(x, draw(x, p, generator), draw(x, p, generator), p)

    return forward


_IN_FORWARD: tuple[tuple[str, str, Mistake, str], ...] = (
    (
        "wrong-variable",
        "you divided by p: that is the chance to be dropped",
        lambda x, mask, _other, p: (x * mask / p, mask),
        "With which probability is an entry kept?",
    ),
    (
        "wrong-function",
        "you multiplied by the chance to be kept: what was kept shrinks, and what was dropped is missing besides",
        lambda x, mask, _other, p: (x * mask * (1 - p), mask),
        "Half of the entries are dropped. What must the others do for the mean to stay?",
    ),
    (
        "wrong-variable",
        "you divided by the share that this mask keeps, not by the chance to be kept",
        lambda x, mask, _other, _p: (x * mask / mask.to(x.dtype).mean(), mask),
        "What if a mask happens to drop everything?",
    ),
    (
        "wrong-mask",
        "your mask is True where an entry was dropped",
        lambda x, mask, _other, p: (x / (1 - p) * mask, ~mask),
        "What is the mask multiplied by in backward?",
    ),
    (
        "wrong-mask",
        "you drew two masks: y was made by one of them, and the other was returned",
        lambda x, mask, other, p: (x / (1 - p) * other, mask),
        "How is backward to know what was dropped in y?",
    ),
    (
        "missing-mask",
        "you scaled x, but nothing is dropped: the mask has no influence on y",
        lambda x, mask, _other, p: (x / (1 - p), mask),
        "Which entries of y must be zero?",
    ),
    (
        "missing-mask",
        "you returned x as it is beside a mask: nothing is dropped, and nothing is scaled",
        lambda x, mask, _other, _p: (x.clone(), mask),
        "Which entries of y must be zero?",
    ),
)


EXERCISE = Exercise(
    name="dropout",
    unit="06_tricks",
    title="Inverted dropout",
    about=About(
        statement=(
            "In training, dropout sets each unit to zero with probability p, at random and anew every time. No unit "
            "can rely on another one being there, so what is learnt spreads over all of them. The inverted form lets "
            "the units that stay grow, so that the next layer sees the same mean as without dropout. In use nothing is "
            "dropped, and nothing needs rescaling."
        ),
        purpose="Regularises large layers, in transformers too: one network trains as many thinned versions of itself.",
        torch=("torch.nn.functional.dropout", "torch.nn.Dropout"),
        idea=(
            "What is kept is divided by the probability of being kept, so that the expected value stays x. For "
            "backward the mask is a constant: what was dropped gets nothing, the rest the same factor again."
        ),
        minutes=25,
        difficulty=2,
    ),
    functions=(
        function(
            "forward",
            "x",
            "p",
            "generator",
            points=2,
            reference=Reference(
                draw=_forward_arguments,
                verdict=_verdict,
                edges=_edges,
                names=("y", "mask"),
                source="lecture part B: dropout",
            ),
            properties=(
                Property("generator", _generator),
                Property("independence", _independence, false_alarms=1e-9),
                Property("fraction", _fraction, false_alarms=2e-11),
            ),
        ),
        function(
            "backward",
            "grad_output",
            "mask",
            "p",
            points=2,
            reference=Reference(
                draw=_backward_arguments,
                compute=_backward,
                opinion=_by_autograd,
                edges=_backward_edges,
                names="grad_x",
                what="dC/dx",
                source="lecture part B: dropout",
            ),
        ),
    ),
    hints=(
        "If an entry is kept with probability 1 − p, what is the expected value of x · mask? By what must it be "
        "divided, so that it is x again?",
        "torch.rand gives numbers between 0 and 1, and takes a shape and a generator. With which probability is "
        "one of them at least p? Once the mask is drawn it is a constant. Then y is x times a number, entry by "
        "entry: what is its slope?",
        "E[x_i m_i] = (1 − p) x_i, and y_i is x_i m_i divided by what makes it x_i again. backward: dC/dx_j = Σ_i "
        "g_i ∂y_i/∂x_j, where m_i and p are constants, so that ∂y_i/∂x_j = δ_ij times …",
    ),
    formula=(
        "mask_i = [u_i ≥ p], u_i uniform in [0, 1), drawn from generator\n"
        "forward:  y_i = x_i mask_i / (1 − p)\n"
        "backward: grad_x_i = g_i mask_i / (1 − p)\n"
        "p outside [0, 1): ValueError"
    ),
    misconceptions=(
        # By numbers these can be told only from a learner who draws as here.
        *(
            Misconception("forward", code, text, _forward(draw, mistake), think)
            for code, text, mistake, think in _IN_FORWARD
            for draw in (_in_the_dtype_of_x, _in_the_default_dtype)
        ),
        Misconception(
            "backward",
            "missing-term",
            "you let the gradient through the mask as it came: what was kept has grown in forward",
            lambda grad_output, mask, _p: grad_output * mask,
            "y is x times which number, where the entry is kept?",
        ),
        Misconception(
            "backward",
            "missing-mask",
            "everything gets a gradient: the mask has no influence",
            lambda grad_output, _mask, p: grad_output / (1 - p),
            "Does y change when an input does that was dropped?",
        ),
        Misconception(
            "backward",
            "wrong-mask",
            "the mask is inverted: what was dropped gets a gradient, and what was kept gets none",
            lambda grad_output, mask, p: grad_output * ~mask / (1 - p),
            "What does True mean in the mask that forward returns?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you divided by p: that is the chance to be dropped",
            lambda grad_output, mask, p: grad_output * mask / p,
            "With which probability is an entry kept?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you multiplied by p: that is the chance to be dropped",
            lambda grad_output, mask, p: grad_output * mask * p,
            "y is x times which number, where the entry is kept?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you multiplied by the chance to be kept: what was kept shrinks",
            lambda grad_output, mask, p: grad_output * mask * (1 - p),
            "Is a kept entry of y larger than x, or smaller?",
        ),
        Misconception(
            "backward",
            "wrong-mask",
            "you took dropped for kept throughout: in the mask, and in the factor",
            lambda grad_output, mask, p: grad_output * ~mask / p,
            "What does True mean in the mask, and what is p the probability of?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you divided by the share that this mask keeps, not by the chance to be kept",
            lambda grad_output, mask, _p: grad_output * mask / mask.to(grad_output.dtype).mean(),
            "By which number did forward divide: by one that hangs on the draw?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you scaled twice",
            lambda grad_output, mask, p: grad_output * mask / (1 - p) ** 2,
            "How often is the scale used on the way from x to y?",
        ),
        Misconception(
            "backward",
            "mask-from-upstream",
            "you let through where grad_output is positive: the mask that was drawn has no influence",
            lambda grad_output, _mask, p: grad_output * (grad_output > 0) / (1 - p),
            "What decided in forward whether an entry got through?",
        ),
    ),
)
