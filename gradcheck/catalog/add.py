"""The sum of two tensors."""

from __future__ import annotations

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward
from gradcheck.operators.structure import ADD

ORDER = 4

EXERCISE = Exercise(
    name="add",
    unit="04_modules",
    title="The sum of two tensors",
    about=About(
        statement=(
            "The sum of two tensors of one shape, y = x1 + x2, entry by entry. It is the counterpart of duplicate: "
            "there one wire becomes several, here two become one. C depends on both inputs, but through the same y."
        ),
        purpose=(
            "Joins the two branches of a residual connection, x + f(x), without which very deep networks hardly train."
        ),
        torch=("torch.add",),
        idea=(
            "A little more of either input is as much more of y: both slopes are 1, so each input gets grad_output as "
            "it is."
        ),
        minutes=5,
        difficulty=1,
    ),
    operator=ADD,
    functions=(
        forward("x1", "x2"),
        backward("grad_output", "x1", "x2", returns="tuple", may_share=("grad_output",)),
    ),
    hints=(
        "When x1 grows by a little, by how much does the sum grow? And when x2 does?",
        "Both answers are the same number. What is left of the chain rule when the local derivative is that number?",
        "dC/dx1_j = Σ_i g_i ∂(x1_i + x2_i)/∂x1_j, and dC/dx2_j = Σ_i g_i ∂(x1_i + x2_i)/∂x2_j.",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "wrong-function",
            "you multiplied the two tensors",
            lambda x1, x2: x1 * x2,
            "What is y where x2 is zero?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took the larger of the two in each entry",
            lambda x1, x2: x1.maximum(x2),
            "What is y for x1 = 2 and x2 = 3?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took the distance of the two, |x1 − x2|",
            lambda x1, x2: (x1 - x2).abs(),
            "What is y for x1 = 2 and x2 = 2?",
        ),
        Misconception(
            "forward",
            "extra-reduction",
            "you added the sum of all of x2 to every entry of x1",
            lambda x1, x2: x1 + x2.sum(),
            "Which entry of x2 does y_i depend on?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you multiplied each gradient by the other input: that is the rule for a product",
            lambda grad_output, x1, x2: (grad_output * x2, grad_output * x1),
            "How steep is x1 + 5 as a function of x1?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you multiplied each gradient by its own input: the variable stays in its own derivative",
            lambda grad_output, x1, x2: (grad_output * x1, grad_output * x2),
            "How steep is x1 + 5 as a function of x1?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you sent grad_output to the larger input only: that is what maximum does",
            lambda grad_output, x1, x2: (grad_output * (x1 > x2), grad_output * (x1 <= x2)),
            "Does the sum move when the smaller input does?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you shared grad_output out in proportion to what each input adds to the sum",
            lambda grad_output, x1, x2: (grad_output * x1 / (x1 + x2), grad_output * x2 / (x1 + x2)),
            "A little more of x1, or of x2: does the sum know which of the two it was?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you multiplied by the signs of the inputs: that is the derivative of |x1| + |x2|",
            lambda grad_output, x1, x2: (grad_output * x1.sign(), grad_output * x2.sign()),
            "x1 goes from −3 to −2. Does the sum grow or shrink?",
        ),
    ),
)
