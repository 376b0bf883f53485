"""The hyperbolic tangent."""

from __future__ import annotations

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward, jacobian
from gradcheck.operators.elementwise import TANH

ORDER = 7

EXERCISE = Exercise(
    name="tanh",
    unit="04_modules",
    title="The hyperbolic tangent",
    about=About(
        statement=(
            "The hyperbolic tangent turns any number into one between −1 and 1. It is a sigmoid, stretched and moved "
            "so that 0 stays 0. In the chain of stages of unit 03 it followed every weighted sum. Like the sigmoid it "
            "has a scale, and far from 0 it is flat."
        ),
        purpose=(
            "Keeps the state of a recurrent network between −1 and 1, and centred; one half of the practicum's "
            "ensemble uses it."
        ),
        torch=("torch.tanh", "torch.nn.Tanh"),
        idea=(
            "tanh is sinh / cosh, and cosh² − sinh² is 1. What the quotient rule leaves can be written with the "
            "output, which the forward pass has already."
        ),
        minutes=15,
        difficulty=1,
    ),
    operator=TANH,
    functions=(
        forward("x"),
        backward("grad_output", "x"),
        jacobian("x", wrt="x"),
    ),
    hints=(
        "tanh is sinh / cosh. What does the quotient rule give, and what is cosh² − sinh²?",
        "The derivative can be written with y alone, which is already computed. Each y_i depends on its own x_i "
        "alone: where in the Jacobian do the derivatives stand, and what stands elsewhere?",
        "dC/dx_j = Σ_i g_i ∂y_i/∂x_j = g_j dy_j/dx_j, and dy/dx = (sinh' · cosh − sinh · cosh') / cosh², where "
        "sinh' = cosh and cosh' = sinh.",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "wrong-function",
            "you took the logistic function, which runs from 0 to 1",
            lambda x: x.sigmoid(),
            "Between which two numbers does tanh lie?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you stretched the logistic function to (−1, 1), but it rises half as fast as tanh",
            lambda x: 2 * x.sigmoid() - 1,
            "Write sinh / cosh with e^(2x) alone. Where does the 2 go?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "you took sinh alone: the denominator is missing",
            lambda x: x.sinh(),
            "How large can tanh become?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took the tangent of a triangle, not the hyperbolic one",
            lambda x: x.tan(),
            "What does tanh do for large x?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you cut x off at −1 and 1: that has tanh's limits, but not its curve",
            lambda x: x.clamp(-1, 1),
            "What is tanh at x = 0.9?",
        ),
        Misconception(
            "forward",
            "wrong-variable",
            "you returned the derivative, not the function",
            lambda x: 1 - x.tanh() ** 2,
            "What is tanh at x = 0?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "numerator and denominator have changed places: you took cosh / sinh",
            lambda x: 1 / x.tanh(),
            "What is tanh at x = 0?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you put x where the output y belongs in the derivative",
            lambda grad_output, x: grad_output * (1 - x**2),
            "In the derivative written with y, what is y?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you used the derivative of the logistic function",
            lambda grad_output, x: grad_output * x.tanh() * (1 - x.tanh()),
            "What does the quotient rule give for sinh / cosh?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you squared the whole difference, not y alone",
            lambda grad_output, x: grad_output * (1 - x.tanh()) ** 2,
            "tanh is odd. What does that say about its slopes at x and at −x?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you divided by cosh once only",
            lambda grad_output, x: grad_output / x.cosh(),
            "Which power of the denominator does the quotient rule have?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you differentiated a second time: this is built from the slope of the derivative",
            lambda grad_output, x: -2 * grad_output * x.tanh() * (1 - x.tanh() ** 2),
            "How steep is tanh at x = 0?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "you multiplied by −2 y: 1 − y² is already the derivative",
            lambda grad_output, x: -2 * grad_output * x.tanh(),
            "How steep is tanh at x = 0?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "your derivative is 1 / (1 + x²), that of the arc tangent",
            lambda grad_output, x: grad_output / (1 + x**2),
            "What does the quotient rule give for sinh / cosh?",
        ),
        Misconception(
            "jacobian",
            "wrong-index",
            "you subtracted y times y in all pairs, an outer product, from the identity",
            lambda x: (x * 0 + 1).diag() - x.tanh().outer(x.tanh()),
            "Does y_1 move when x_2 does?",
        ),
        Misconception(
            "jacobian",
            "wrong-variable",
            "the outputs stand on the diagonal, not their derivatives",
            lambda x: x.tanh().diag(),
            "How steep is tanh at x = 0?",
        ),
        Misconception(
            "jacobian",
            "wrong-variable",
            "you put x where the output y belongs in the derivative",
            lambda x: (1 - x**2).diag(),
            "In the derivative written with y, what is y?",
        ),
        Misconception(
            "jacobian",
            "wrong-function",
            "you used the derivative of the logistic function",
            lambda x: (x.tanh() * (1 - x.tanh())).diag(),
            "What does the quotient rule give for sinh / cosh?",
        ),
        Misconception(
            "jacobian",
            "wrong-index",
            "you subtracted the squares from 1 everywhere: beside the diagonal there are ones",
            lambda x: 1 - (x.tanh() ** 2).diag(),
            "Does y_1 move when x_2 does?",
        ),
    ),
)
