"""Several copies of one tensor."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward
from gradcheck.operators.structure import DUPLICATE

ORDER = 3


def _stacked(grad_outputs: Any) -> Any:
    import torch

    return torch.stack(tuple(grad_outputs))


def _product(grad_outputs: Any) -> Any:
    return _stacked(grad_outputs).prod(0)


def _running_average(grad_outputs: Any) -> Any:
    total = grad_outputs[0].clone()
    for grad_output in grad_outputs[1:]:
        total = (total + grad_output) / 2
    return total


EXERCISE = Exercise(
    name="duplicate",
    unit="04_modules",
    title="Several copies of one tensor",
    about=About(
        statement=(
            "A wire that splits is a module too: it hands on what comes in, several times, y_1 = y_2 = … = x. It is "
            "there wherever one result is used twice. On the way back every copy brings a gradient of its own, and one "
            "gradient for x has to be made of them."
        ),
        purpose=(
            "Residual connections and shared weights use one tensor in several places; here their gradients come "
            "together."
        ),
        torch=("torch.Tensor.expand",),
        idea=(
            "x reaches C through every copy, and a change of x changes each of them as much. Changes along several "
            "ways add up, and so do the gradients."
        ),
        minutes=10,
        difficulty=1,
    ),
    operator=DUPLICATE,
    functions=(
        forward("x", "copies", returns="tuple"),
        backward("grad_outputs", may_share=("grad_outputs",)),
    ),
    hints=(
        "A wire that splits: C depends on x through every copy. How many gradients come in, and how many go out?",
        "A change of x changes every copy by as much, and C through each of them. What does the chain rule say of "
        "several ways? Changes along all the ways add up.",
        "dC/dx_j = Σ_c Σ_i g_ci ∂y_ci/∂x_j, over all copies c, where g_c is the gradient of copy c and y_ci = x_i.",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "missing-term",
            "only the first copy holds x, the others are zero",
            lambda x, copies: (x, *(x * 0 for _ in range(copies - 1))),
            "What does the second wire carry, after the split?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you multiplied the copies by their numbers 1, 2, 3 …: they differ",
            lambda x, copies: tuple(x * number for number in range(1, copies + 1)),
            "In what does the second copy differ from the first?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "every copy grew out of the one before: x, then x + x, and so on, doubled each time",
            lambda x, copies: tuple(x * 2**number for number in range(copies)),
            "In what does the second copy differ from the first?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you multiplied the copies' gradients with one another",
            _product,
            "Do the copies lie one behind the other on one way, or are they ways side by side?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "the first copy's gradient counts twice: your sum starts with it and then meets it again",
            lambda grad_outputs: grad_outputs[0] + sum(grad_outputs),
            "With which copy does your loop begin, and what is in the total before?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "your sum starts with ones, not with nothing",
            lambda grad_outputs: sum(grad_outputs, grad_outputs[0] * 0 + 1),
            "What is the total before the first gradient is added?",
        ),
        Misconception(
            "backward",
            "hard-coded-size",
            "only the first two copies count in your sum, however many there are",
            lambda grad_outputs: sum(grad_outputs[1:2], grad_outputs[0].clone()),
            "What changes when there is a third copy?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you kept the largest gradient of each entry: one copy only is heard",
            lambda grad_outputs: _stacked(grad_outputs).amax(0),
            "If both copies raise C a little, by how much does it rise?",
        ),
        Misconception(
            "backward",
            "scaled-by-size",
            "you averaged as you went: each copy counts as much as all before it together",
            _running_average,
            "Why should the order of the copies make a difference?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you took the length of each entry's gradients: squares added up, then the root",
            lambda grad_outputs: _stacked(grad_outputs).norm(dim=0),
            "If one copy raises C by 3 and the other lowers it by 3, what is left?",
        ),
        Misconception(
            "backward",
            "sign-flipped",
            "you subtracted the other copies' gradients from the first one's",
            lambda grad_outputs: 2 * grad_outputs[0] - sum(grad_outputs),
            "Both copies grow when x does. With which sign does each change reach C?",
        ),
    ),
)
