"""A smooth rectifier."""

from __future__ import annotations

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward, jacobian
from gradcheck.operators.elementwise import SOFTPLUS

ORDER = 8

EXERCISE = Exercise(
    name="softplus",
    unit="04_modules",
    title="A smooth rectifier, log(1 + eˣ)",
    about=About(
        statement=(
            "A rectifier without the kink: y = log(1 + eˣ), near 0 far below zero and near x far above it, positive "
            "and smooth everywhere. As it is written it overflows for large x, and for very negative x it loses every "
            "digit: softplus(−40) is 4.2e-18, not 0."
        ),
        purpose=(
            "Makes any number positive, as a variance or a rate has to be: networks that predict a spread end in it."
        ),
        torch=("torch.nn.functional.softplus", "torch.nn.Softplus"),
        idea=(
            "Its slope is the sigmoid. For the digits, max(x, 0) is taken out of the logarithm: then no exponential "
            "exceeds 1, and log1p keeps it where it is small."
        ),
        minutes=25,
        difficulty=2,
    ),
    operator=SOFTPLUS,
    functions=(
        forward("x"),
        backward("grad_output", "x"),
        jacobian("x", wrt="x"),
    ),
    hints=(
        "Which of the functions that you have met is the derivative of log(1 + e^x)? And for which x does e^x "
        "leave the range of floats?",
        "e^1000 is infinite in floating point: how does log(1 + e^x) look when e^x is taken out of the logarithm? "
        "log1p(t) keeps the small t that 1 + t loses. Which t is at most 1 whatever the sign of x?",
        "dC/dx_j = Σ_i g_i ∂y_i/∂x_j = g_j dy_j/dx_j, and dy/dx = 1 / (1 + e^x) · d/dx (1 + e^x). For the forward "
        "pass, log(1 + e^x) = log(e^x (e^(−x) + 1)) = x + log(e^(−x) + 1).",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "missing-term",
            "you took max(x, 0): what smooths it is missing",
            lambda x: x.relu(),
            "What is log(1 + e^x) at x = 0?",
        ),
        Misconception(
            "forward",
            "wrong-variable",
            "you returned the derivative, the logistic function",
            lambda x: x.sigmoid(),
            "What becomes of log(1 + e^x) for large x?",
        ),
        Misconception(
            "forward",
            "wrong-variable",
            "your stable form gives the same for x and for −x: a sign is lost where x is negative",
            lambda x: x.relu() + (-x).exp().log1p(),
            "What is log(1 + e^x) near for x = −10?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "your stable form holds for positive x only: the first term should be gone where x is negative",
            lambda x: x + (-x.abs()).exp().log1p(),
            "What is log(1 + e^x) near for x = −10?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "your stable form holds for negative x only: what was taken out of the logarithm is missing",
            lambda x: (-x.abs()).exp().log1p(),
            "What is log(1 + e^x) near for x = 10?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took log(1 + x), for positive x only: the exponential is missing",
            lambda x: x.relu().log1p(),
            "What is log(1 + e^x) at x = 0?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you used the derivative of relu, a step",
            lambda grad_output, x: grad_output * (x > 0),
            "How steep is log(1 + e^x) at x = 0?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you differentiated a second time: this is the logistic function's derivative",
            lambda grad_output, x: grad_output * x.sigmoid() * (1 - x.sigmoid()),
            "How steep is log(1 + e^x) for large x?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you multiplied by tanh",
            lambda grad_output, x: grad_output * x.tanh(),
            "Does log(1 + e^x) ever fall?",
        ),
        Misconception(
            "backward",
            "missing-derivative",
            "you multiplied by 1 + e^x: the logarithm is not differentiated",
            lambda grad_output, x: grad_output * (1 + x.exp()),
            "How steep is log u as a function of u?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you divided by the output: log(1 + e^x) stands in the denominator where 1 + e^x belongs",
            lambda grad_output, x: grad_output * x.exp() / x.exp().log1p(),
            "How steep is log u as a function of u?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you divided by x: log x has this derivative",
            lambda grad_output, x: grad_output / x,
            "Of what do you take the logarithm here?",
        ),
        Misconception(
            "jacobian",
            "wrong-function",
            "you put relu's steps on the diagonal",
            lambda x: (x > 0).to(x.dtype).diag(),
            "How steep is log(1 + e^x) at x = 0?",
        ),
        Misconception(
            "jacobian",
            "wrong-variable",
            "you differentiated a second time: this is the logistic function's derivative",
            lambda x: (x.sigmoid() * (1 - x.sigmoid())).diag(),
            "How steep is log(1 + e^x) for large x?",
        ),
        Misconception(
            "jacobian",
            "wrong-variable",
            "the outputs stand on the diagonal, not their derivatives",
            lambda x: x.logaddexp(x * 0).diag(),
            "How steep is log(1 + e^x) for large x?",
        ),
        Misconception(
            "jacobian",
            "wrong-function",
            "you put softmax on the diagonal: its sum knows of the other entries",
            lambda x: x.softmax(0).diag(),
            "Does y_1 move when x_2 does?",
        ),
    ),
)
