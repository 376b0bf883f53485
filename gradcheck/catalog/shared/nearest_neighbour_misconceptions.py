"""What goes wrong in the nearest prototype."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import Misconception


def _through_the_argmin(grad_output: Any, x: Any, w: Any) -> Any:
    nearest = (x - w).square().sum(1).argmin()
    grad_w = w * 0
    grad_w[nearest] = -2 * grad_output[nearest] * (x - w[nearest])
    return -grad_w.sum(0), grad_w


def _of_the_distances(grad_output: Any, x: Any, w: Any) -> Any:
    grad_w = -grad_output[:, None] * (x - w) / (x - w).norm(dim=1, keepdim=True)
    return -grad_w.sum(0), grad_w


def _of_absolute_values(grad_output: Any, x: Any, w: Any) -> Any:
    grad_w = -grad_output[:, None] * (x - w).sign()
    return -grad_w.sum(0), grad_w


def _squares_left(grad_output: Any, x: Any, w: Any) -> Any:
    grad_w = -grad_output[:, None] * (x - w).square()
    return -grad_w.sum(0), grad_w


NEAREST_NEIGHBOUR_MISCONCEPTIONS = (
    Misconception(
        "distances",
        "wrong-function",
        "you took the root: these are the distances, not their squares",
        lambda x, w: (x - w).square().sum(1).sqrt(),
        "What does the 2 above ‖x − w_k‖ stand for?",
    ),
    Misconception(
        "distances",
        "wrong-function",
        "you took the absolute values of the differences where their squares belong",
        lambda x, w: (x - w).abs().sum(1),
        "How far apart are (0, 0) and (3, 4), and by your formula?",
    ),
    Misconception(
        "distances",
        "extra-reduction",
        "you summed the differences first and squared the sum",
        lambda x, w: (x - w).sum(1).square(),
        "Can differences of 3 and −3 cancel?",
    ),
    Misconception(
        "distances",
        "wrong-function",
        "you kept the largest squared difference alone",
        lambda x, w: (x - w).square().amax(1),
        "Do the other entries count too?",
    ),
    Misconception(
        "distances",
        "wrong-function",
        "you took the products of x with the prototypes: that is how similar they are, not how far away",
        lambda x, w: w @ x,
        "What is the distance of a prototype that is x itself?",
    ),
    Misconception(
        "distances",
        "missing-term",
        "you left out ‖x‖², as one may to find the nearest, but then these are no distances",
        lambda x, w: w.square().sum(1) - 2 * (w @ x),
        "Can a squared distance be negative?",
    ),
    Misconception(
        "distances",
        "missing-term",
        "in the square multiplied out, the mixed product stands once only",
        lambda x, w: x @ x - w @ x + w.square().sum(1),
        "What does your formula give for a prototype that is x itself?",
    ),
    Misconception(
        "forward",
        "wrong-function",
        "you chose the prototype that is farthest away",
        lambda x, w: (x - w).square().sum(1).argmax(),
        "Is a small distance good or bad?",
    ),
    Misconception(
        "forward",
        "wrong-function",
        "you chose the prototype with the largest product with x",
        lambda x, w: (w @ x).argmax(),
        "Does a prototype come nearer to x when it is made twice as long?",
    ),
    Misconception(
        "forward",
        "wrong-function",
        "you chose by the sum of the differences with their signs",
        lambda x, w: (x - w).sum(1).argmin(),
        "Can differences of 3 and −3 cancel?",
    ),
    Misconception(
        "forward",
        "wrong-index",
        "you numbered the prototypes from 1",
        lambda x, w: (x - w).square().sum(1).argmin() + 1,
        "Which number does the first row of w have?",
    ),
    Misconception(
        "backward",
        "missing-term",
        "only the nearest prototype has a gradient: you went back through the argmin",
        _through_the_argmin,
        "Of which function is this the backward: of the K distances, or of the smallest one?",
    ),
    Misconception(
        "backward",
        "wrong-function",
        "you divided by the distances: you differentiated the distance, not its square",
        _of_the_distances,
        "Is there a root in d_k?",
    ),
    Misconception(
        "backward",
        "wrong-function",
        "only the signs of the differences are left: you differentiated their absolute values",
        _of_absolute_values,
        "Is a square equally steep everywhere?",
    ),
    Misconception(
        "backward",
        "wrong-variable",
        "you multiplied by the squared differences: the square is not differentiated yet",
        _squares_left,
        "How steep is e² at e = 3?",
    ),
)
