"""The logistic function."""

from __future__ import annotations

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward, jacobian
from gradcheck.operators.elementwise import SIGMOID

ORDER = 6

EXERCISE = Exercise(
    name="sigmoid",
    unit="04_modules",
    title="The logistic function, 1 / (1 + e⁻ˣ)",
    about=About(
        statement=(
            "The logistic function turns any number into one between 0 and 1: σ(x) = 1 / (1 + e⁻ˣ). It was the usual "
            "point-wise function before ReLU, and still answers yes-or-no questions. Unlike ReLU it has a scale: near "
            "0 it is almost straight, far from 0 it is flat. Numbers up to ±1e4 must neither overflow nor lose their "
            "digits."
        ),
        purpose="Turns a score into the probability of a yes, and opens and closes the gates of an LSTM.",
        torch=("torch.sigmoid", "torch.nn.Sigmoid"),
        idea=(
            "The quotient rule gives e⁻ˣ / (1 + e⁻ˣ)². One factor of it is y, and what is left is 1 − y: the slope "
            "follows from the output, without another exponential."
        ),
        minutes=20,
        difficulty=1,
    ),
    operator=SIGMOID,
    functions=(
        forward("x"),
        backward("grad_output", "x"),
        jacobian("x", wrt="x"),
    ),
    hints=(
        "Differentiate 1 / (1 + e^(−x)) with the quotient rule. Can the result be written with y alone?",
        "1 − y is e^(−x) / (1 + e^(−x)). Where does it stand in your derivative? Each y_i depends on its own x_i "
        "alone: where in the Jacobian do the derivatives stand, and what stands elsewhere?",
        "dC/dx_j = Σ_i g_i ∂y_i/∂x_j = g_j dy_j/dx_j, and dy/dx = d/dx (1 + e^(−x))^(−1) = −(1 + e^(−x))^(−2) · "
        "d/dx (1 + e^(−x)).",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "wrong-function",
            "brackets are missing: you divided 1 by 1 and added e^(−x) after that",
            lambda x: 1 / 1 + (-x).exp(),
            "What does Python make of 1 / 1 + a?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took softmax: the entries share one denominator",
            lambda x: x.softmax(-1),
            "Which entries of x does y_i depend on?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took tanh, which runs from −1 to 1",
            lambda x: x.tanh(),
            "Between which two numbers does 1 / (1 + e^(−x)) lie?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you returned the step that the logistic function smooths: zeros and ones only",
            lambda x: (x > 0).to(x.dtype),
            "What is 1 / (1 + e^(−x)) at x = 0.1?",
        ),
        Misconception(
            "forward",
            "wrong-variable",
            "you returned the derivative, not the function",
            lambda x: x.sigmoid() * (1 - x.sigmoid()),
            "What is 1 / (1 + e^(−x)) at x = 0?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took e^x in the numerator and e^(−x) in the denominator",
            lambda x: x.exp() / (1 + (-x).exp()),
            "Multiply numerator and denominator by e^x: what becomes of e^(−x)?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you put x where the output y belongs in the derivative",
            lambda grad_output, x: grad_output * x * (1 - x),
            "In the derivative written with y, what is y?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you used the derivative of tanh",
            lambda grad_output, x: grad_output * (1 - x.sigmoid() ** 2),
            "What does the quotient rule give for 1 / (1 + e^(−x))?",
        ),
        Misconception(
            "backward",
            "missing-upstream",
            "brackets are missing: grad_output multiplies the first of two terms only",
            lambda grad_output, x: grad_output * x.sigmoid() - x.sigmoid() ** 2,
            "In a · b − c, what does a multiply?",
        ),
        Misconception(
            "backward",
            "sign-flipped",
            "you have 1 + y where a difference belongs",
            lambda grad_output, x: grad_output * x.sigmoid() * (1 + x.sigmoid()),
            "For a very large x the function is flat. What does your derivative give there?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "the inner derivative is missing: you differentiated 1 / u, but u depends on x",
            lambda grad_output, x: -grad_output * x.sigmoid() ** 2,
            "By how much does u = 1 + e^(−x) change when x does?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you differentiated as for softmax: the entries of x share in one sum",
            lambda grad_output, x: x.sigmoid() * (grad_output - (grad_output * x.sigmoid()).sum(-1, keepdim=True)),
            "Which entries of y does x_j reach?",
        ),
        Misconception(
            "jacobian",
            "wrong-function",
            "you took softmax's Jacobian: beside the diagonal there should be nothing",
            lambda x: x.sigmoid().diag() - x.sigmoid().outer(x.sigmoid()),
            "Does y_1 move when x_2 does?",
        ),
        Misconception(
            "jacobian",
            "wrong-index",
            "you multiplied in all pairs, an outer product: every y_i seems to depend on every x_j",
            lambda x: x.sigmoid().outer(1 - x.sigmoid()),
            "Does y_1 move when x_2 does?",
        ),
        Misconception(
            "jacobian",
            "wrong-variable",
            "the outputs stand on the diagonal, not their derivatives",
            lambda x: x.sigmoid().diag(),
            "For a very large x the function is flat. What does your Jacobian say there?",
        ),
        Misconception(
            "jacobian",
            "wrong-variable",
            "you put x where the output y belongs in the derivative",
            lambda x: (x * (1 - x)).diag(),
            "In the derivative written with y, what is y?",
        ),
        Misconception(
            "jacobian",
            "wrong-function",
            "you used the derivative of tanh",
            lambda x: (1 - x.sigmoid() ** 2).diag(),
            "What does the quotient rule give for 1 / (1 + e^(−x))?",
        ),
    ),
)
