"""What goes wrong in dropout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcheck.catalog.exercise import Misconception

Draw = Callable[[Any, float, Any], Any]
Mistake = Callable[[Any, Any, Any, float], tuple[Any, Any]]
"""y and the mask from x, the right mask, another one, and p."""


def _in_the_dtype_of_x(x: Any, p: float, generator: Any) -> Any:
    return x.new_empty(x.shape).uniform_(generator=generator) >= p


def _in_the_default_dtype(x: Any, p: float, generator: Any) -> Any:
    import torch

    return torch.rand(x.shape, generator=generator) >= p


def _forward(draw: Draw, mistake: Mistake) -> Callable[[Any, float, Any], tuple[Any, Any]]:
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

DROPOUT_MISCONCEPTIONS = (
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
)
