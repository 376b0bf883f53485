"""The linear model of one sample."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward
from gradcheck.operators.models import LINEAR_MODEL

ORDER = 1


def _grad_output_as_target(grad_output: Any, x: Any, w: Any) -> Any:
    error = grad_output - w @ x
    return -2 * error * w, -2 * error * x


EXERCISE = Exercise(
    name="linear_model",
    unit="01_models_and_losses",
    title="The linear model",
    about=About(
        statement=(
            "A parametrised model is a function of an input x and of parameters w, ȳ = G(x, w). The input changes from "
            "sample to sample; the parameters are the same for all samples and are what training changes. The simplest "
            "such model is a weighted sum, ȳ = Σ_i w_i x_i: each entry of x counts as much as its parameter says."
        ),
        purpose="Every neuron begins as this, a weighted sum of what comes in. By itself it is linear regression.",
        torch=("torch.dot",),
        idea=(
            "ȳ is a sum of products in which each w_j meets just one x_j. Each of the two is the other's factor, and "
            "so its slope; grad_output multiplies both."
        ),
        minutes=10,
        difficulty=1,
    ),
    operator=LINEAR_MODEL,
    functions=(
        forward("x", "w", returns="scalar"),
        backward("grad_output", "x", "w", returns="tuple"),
    ),
    hints=(
        "Let one entry of w grow a little and hold everything else. By how much does ȳ grow? And for an entry of x?",
        "x comes with the sample and w is learnt, but the formula for ȳ treats the two alike: find one gradient, "
        "exchange the names, and you have the other. grad_output is one number, dC/dȳ; it multiplies every derivative.",
        "dC/dw_j = g ∂ȳ/∂w_j, and ∂ȳ/∂w_j = ∂/∂w_j Σ_i w_i x_i, a sum of which only the term i = j depends on w_j.",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "wrong-function",
            "you added the entries of x and w to each other",
            lambda x, w: (x + w).sum(),
            "What should an entry of x count for whose parameter is 0?",
        ),
        Misconception(
            "forward",
            "extra-reduction",
            "you summed x and w each by itself and multiplied the two sums",
            lambda x, w: x.sum() * w.sum(),
            "With which entries of w does x_0 meet in your product, and with which in the definition?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "you divided by the lengths of x and w, so that you have the cosine of the angle between them",
            lambda x, w: (x * w).sum() / (x.norm() * w.norm()),
            "What becomes of ȳ when every parameter is twice as large?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "you took the first parameter for a bias: no entry of x stands beside it",
            lambda x, w: w[0] + (w[1:] * x[1:]).sum(),
            "Does every parameter have an entry of x of its own in this model?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "your sum begins at the second entry: w[0] and x[0] take no part",
            lambda x, w: (w[1:] * x[1:]).sum(),
            "Which index does the first entry have?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "your sum ends before the last entry",
            lambda x, w: (w[:-1] * x[:-1]).sum(),
            "Which index does the last of n entries have, and does your loop get there?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "each gradient still holds the variable itself: you multiplied by the whole term of the sum",
            lambda grad_output, x, w: (grad_output * w * x, grad_output * w * x),
            "How steep is a x as a function of x: does the answer depend on x?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you multiplied by the output ȳ as well",
            lambda grad_output, x, w: (grad_output * w * (w @ x), grad_output * x * (w @ x)),
            "By how much does ȳ change when x_j does: does it matter how large ȳ is at the moment?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you took grad_output for the target and differentiated the squared error",
            _grad_output_as_target,
            "What is grad_output: what ȳ should have been, or how fast C changes with ȳ?",
        ),
    ),
)
