"""The nearest of some prototypes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Graded, Misconception, backward, function
from gradcheck.checks.outcome import Returned
from gradcheck.checks.task import Edge, FunctionSpec, Property, Reference
from gradcheck.operators.models import SQUARED_DISTANCES

if TYPE_CHECKING:
    from fractions import Fraction

    from gradcheck.checks.drawing import Draw
    from gradcheck.checks.outcome import Arguments, Value
    from gradcheck.checks.properties import Ask

ORDER = 2


def _draw(draw: Draw) -> dict[str, Any]:
    import numpy as np

    x = draw.tensor(draw.size("n"))
    w = draw.tensor(draw.size("K") + draw.whole(0, 4), draw.size("n"))
    x_values, w_values = _on_a_grid(x.values, w.values)
    if ((x_values - w_values) ** 2).sum(1).argmin() == 0:  # an answer of 0, whatever is asked, must not look right
        w_values = np.roll(w_values, -1, axis=0)
    return {"x": replace(x, values=x_values), "w": replace(w, values=w_values)}


def _on_a_grid(*arrays: Any) -> list[Any]:
    """The entries rounded to multiples of 2^e / 64, where 2^e bounds them all: 6 bits and a sign each.

    A sum of a few hundred products of two such numbers fits the 24 bits of float32. So a distance is exact however it
    is computed, and no rounding decides which prototype is nearest or whether two are equally near.
    """
    import numpy as np

    _, e = np.frexp(max(np.abs(array).max(initial=0.0) for array in arrays))
    return [np.ldexp(np.round(np.ldexp(array, 6 - e)), e - 6) for array in arrays]


def _exact_distances(arguments: Arguments) -> list[Fraction]:
    from fractions import Fraction

    x = [Fraction(entry) for entry in arguments["x"].values.tolist()]
    rows = [[Fraction(entry) for entry in row] for row in arguments["w"].values.tolist()]
    return [sum(((a - b) ** 2 for a, b in zip(x, row, strict=True)), Fraction(0)) for row in rows]


def _verdict(arguments: Arguments, value: Value) -> tuple[str, ...] | None:
    if isinstance(value, Returned):
        if value.problem:
            return "type", f"it returned {value.problem}; return a plain torch.Tensor"
        if value.shape != ():
            return "shape", f"k has shape {value.shape}; expected (), one number: the place of the nearest prototype"
        if value.dtype != "int64" or value.values is None:
            on = "" if value.device == "cpu" else f" on the device {value.device!r}"
            return "dtype", f"k is {value.dtype}{on}; expected int64{' on the CPU' if on else ''}"
        number = float(value.values)
    elif isinstance(value, float):
        number = value
    else:
        return "type", "k, the place of the nearest prototype, is one whole number: a torch.Tensor without axes"
    return _misplaced(_exact_distances(arguments), number)


def _misplaced(distances: list[Fraction], number: float) -> tuple[str, ...] | None:
    nearest = distances.index(min(distances))
    if number == nearest:
        return None
    if number not in range(len(distances)):
        return "values", f"k is {number:g}, but the prototypes have the numbers 0 … {len(distances) - 1}"
    chosen = int(number)
    if distances[chosen] == distances[nearest]:
        return "values", f"prototypes {nearest} and {chosen} are equally near; the first is asked for", "kink"
    near, far = (f"{float(distances[k]):g}" for k in (nearest, chosen))
    if near == far:  # all digits, then
        near, far = (repr(float(distances[k])) for k in (nearest, chosen))
    return "values", f"prototype {nearest} is nearer (d = {near}) than prototype {chosen} (d = {far})"


def _edges(draw: Any) -> Iterator[Edge]:
    import numpy as np

    def given(x: Any, w: Any) -> dict[str, Any]:
        return {"x": draw.argument(np.asarray(x)), "w": draw.argument(np.asarray(w))}

    def whole(*shape: int, far: int = 9) -> Any:
        return draw.rng.integers(-far, far + 1, shape).astype(np.float64)

    for first, second in ((0, 3), (1, 2), (2, 4), (0, 1)):
        x, near = whole(3), whole(3, far=1)
        w = x + np.where(draw.rng.random((5, 3)) < 0.5, -4.0, 4.0)
        w[first], w[second] = x + near, x - near
        yield f"prototypes {first} and {second} are equally near, on opposite sides", given(x, w)
        w[second] = w[first]
        yield f"prototypes {first} and {second} are the same", given(x, w)
    for k in (0, 2, 3):
        w = whole(4, 3)
        yield f"x is prototype {k}", given(w[k], w)
    x = whole(3)
    yield "all prototypes are the same", given(x, np.repeat(whole(1, 3), 4, axis=0))
    yield "all prototypes are x", given(x, np.repeat(x[None], 4, axis=0))
    yield "one prototype", given(x, whole(1, 3))
    yield "one entry", given([2.0], [[-2.0], [5.0], [1.0], [3.0]])
    yield "one entry, below all prototypes", given([-7.0], [[-2.0], [5.0], [-3.0]])
    yield "the nearest by its largest difference is not the nearest", given([0.0] * 4, [[3.0] * 4, [4.0, 0, 0, 0]])
    yield "the nearest by its sum of differences is not the nearest", given([0.0] * 4, [[5.0, 0, 0, 0], [2.0] * 4])
    yield "the most similar by the product with x is not the nearest", given([1.0, 1.0], [[9.0, 9.0], [1.0, 0.0]])
    # 2048² = 4,194,304 and 2047² + 63² + 11² + 2² = 4,194,303: exact in float32, and so are they after a square root.
    yield "nearly equally near", given([0.0] * 4, [[2048.0, 0.0, 0.0, 0.0], [2047.0, -63.0, 11.0, -2.0]])
    yield "as many prototypes as entries", given(whole(4), whole(4, 4))
    yield "many prototypes", given(whole(3), whole(60, 3))
    far = _far(draw.dtype)
    for k in (2, 0):
        w = far + np.asarray([[3.0, 0.0], [0.0, 2.0], [5.0, 4.0]])
        w[[k, 2]] = w[[2, k]]
        w[k] = [far + 1.0, far + 0.0]
        yield f"far from the origin, {k} is nearest", given([far, far], w)
    yield "far from the origin, a tie", given([far, -far], [[far + 2.0, -far], [far, 1.0 - far], [far + 1.0, -far]])


def _far(dtype: str) -> float:
    """Whole numbers near it are numbers of `dtype`, but their squares have no bit left for a difference of 1."""
    return 2.0**30 if dtype == "float64" else 2.0**16


def _far_from_the_origin(ask: Ask) -> str | None:
    """Differences of whole numbers are exact however far out, so that only the last roundings are left."""
    import numpy as np

    from gradcheck.references.expected import PRECISION, K

    for dtype in ("float64", "float32"):
        steps = ask.rng.integers(-3, 4, (5, 3))
        x = np.full(3, _far(dtype)) * ask.rng.choice([-1.0, 1.0], 3)
        right = (steps.astype(np.float64) ** 2).sum(1)
        came = ask.value(ask.tensor(x, dtype), ask.tensor(x + steps, dtype))
        got = came.values if isinstance(came, Returned) else None
        if got is None or got.shape != right.shape:
            return f"far from the origin, {dtype}, it does not return a tensor of shape {right.shape}"
        if not (np.abs(got - right) <= K * PRECISION[dtype][1] * right).all():
            return (
                f"far from the origin the digits cancel: for x = {x.tolist()} and w = x + {steps.tolist()} ({dtype}) d"
                f" is {got.tolist()} instead of {right.tolist()}; take the differences before you square"
            )
    return None


# What goes wrong.


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


EXERCISE = Exercise(
    name="nearest_neighbour",
    unit="01_models_and_losses",
    title="The nearest prototype",
    about=About(
        statement=(
            "A model need not be a weighted sum. This one keeps K prototypes, the rows of w, and answers with the "
            "number of the one that is nearest to x: ȳ = argmin_k ‖x − w_k‖². The distances d_k = ‖x − w_k‖² change "
            "smoothly with x and w, so a gradient can pass through them. The argmin stays or jumps; nothing can be "
            "learnt through it."
        ),
        purpose=(
            "k-means and vector quantisation assign points to prototypes like this; few-shot classifiers use the "
            "distances themselves as scores."
        ),
        torch=("torch.cdist", "torch.argmin"),
        idea=(
            "Row k of w occurs in d_k alone, so its gradient is made of that distance only. x occurs in all of them "
            "and adds them up: moving x is the same as moving every prototype the other way."
        ),
        minutes=25,
        difficulty=2,
    ),
    operator=SQUARED_DISTANCES,
    functions=(
        Graded(
            FunctionSpec(
                "distances",
                "forward",
                ("x", "w"),
                properties=(Property("far_from_the_origin", _far_from_the_origin),),
            ),
            1,
        ),
        function(
            "forward",
            "x",
            "w",
            reference=Reference(
                draw=_draw,
                verdict=_verdict,
                edges=_edges,
                names="k",
                source="lecture part A, parametrised models: nearest neighbour",
            ),
        ),
        backward("grad_output", "x", "w", returns="tuple"),
    ),
    hints=(
        "One distance first: by how much does (x_i − w_ki)² grow when x_i does, and when w_ki does? Each row of w is a "
        "prototype: over which axis of the differences is the sum, and which axis is left?",
        "Row k of w occurs in d_k alone, x occurs in every d_k: one gradient has a row for each distance, the other "
        "adds up what all of them say. The argmin jumps or stays, so its derivative is of no use: backward is that of "
        "`distances`.",
        "dC/dx_j = Σ_k g_k ∂d_k/∂x_j and dC/dw_lj = Σ_k g_k ∂d_k/∂w_lj, where d_k = Σ_i (x_i − w_ki)² and "
        "∂d_k/∂w_lj = 0 for l ≠ k.",
    ),
    misconceptions=(
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
            "missing-reduction",
            "you looked for the smallest of all squared differences, entry by entry: a distance is the sum of a row",
            lambda x, w: (x - w).square().argmin(),
            "How many distances are there, and how many entries has x − w?",
        ),
        Misconception(
            "forward",
            "wrong-index",
            "you left the first prototype out, so that all numbers are one too low",
            lambda x, w: (x - w[1:]).square().sum(1).argmin(),
            "Which number does the first row of w have, and can it win?",
        ),
        Misconception(
            "forward",
            "wrong-index",
            "you left the last prototype out: it is never chosen",
            lambda x, w: (x - w[:-1]).square().sum(1).argmin(),
            "Which number does the last row of w have, and can it win?",
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
    ),
)
