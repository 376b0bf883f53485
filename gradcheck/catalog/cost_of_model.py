"""The lecture's example: the gradient of a cost through a model, by two Jacobians."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.task import Confusion, Edge, Reference
from gradcheck.operators.backpropagation import WEIGHTED_SUM
from gradcheck.operators.models import SQUARED_ERROR
from gradcheck.references import apply

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

ORDER = 4


def _outputs(draw: Draw) -> dict[str, Any]:
    size = draw.size("M")
    return {"y": draw.tensor(size), "y_bar": draw.tensor(size)}


def _model(draw: Draw) -> dict[str, Any]:
    # M first: in the first two generic cases n > M, which `_column_major_gradient` counts on.
    outputs, inputs = draw.size("M"), draw.size("n")
    return {"x": draw.tensor(inputs), "w": draw.tensor(outputs, inputs)}


def _sample(draw: Draw) -> dict[str, Any]:
    model = _model(draw)
    return {"x": model["x"], "y": draw.tensor(draw.size("M")), "w": model["w"]}


def _grad_cost(y: Tensor, y_bar: Tensor) -> Tensor:
    return apply.vjp(SQUARED_ERROR, y.new_ones(()), y=y, y_bar=y_bar)["y_bar"].reshape(1, -1)


def _jacobian_model(x: Tensor, w: Tensor) -> Tensor:
    return apply.jacobian(WEIGHTED_SUM, "w", z=x, w=w).reshape(len(w), -1)


def _gradient(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
    y_bar = apply.forward(WEIGHTED_SUM, z=x, w=w)
    return apply.vjp(WEIGHTED_SUM, _grad_cost(y, y_bar).reshape(-1), z=x, w=w)["w"].reshape(1, -1)


def _cost_by_autograd(y: Any, y_bar: Any) -> Any:
    import torch

    return torch.autograd.functional.jacobian(lambda y_bar: (y - y_bar).square().sum(), y_bar)[None]  # type: ignore[no-untyped-call]


def _model_by_autograd(x: Any, w: Any) -> Any:
    import torch

    return torch.autograd.functional.jacobian(lambda w: w @ x, w).flatten(1)  # type: ignore[no-untyped-call]


def _gradient_by_autograd(x: Any, y: Any, w: Any) -> Any:
    import torch

    return torch.autograd.functional.jacobian(lambda w: (y - w @ x).square().sum(), w).reshape(1, -1)  # type: ignore[no-untyped-call]


def _column_major(right: Any) -> Any:
    """(M, M·n) with the columns in the order w_11, w_21, and so on."""
    outputs = right.shape[0]
    return right.reshape(outputs, outputs, -1).transpose(0, 2, 1).reshape(right.shape)


def _column_major_gradient(right: Any) -> Any:
    """The same of the row (1, M·n), which does not say what M is. In the first two generic cases it is the largest
    divisor below the root. A wrong guess names no mistake; it takes none for right.
    """
    entries = right.shape[1]
    outputs = max(number for number in range(1, entries + 1) if entries % number == 0 and number**2 <= entries)
    return right.reshape(outputs, -1).T.reshape(right.shape)


_FLATTENED = "w is flattened column after column; row-major is row after row: w_11, w_12, …, w_21, …"


def _edges_of(shapes: Any) -> Any:
    """The model at the corners of its sizes."""

    def edges(draw: Any) -> Iterator[Edge]:
        for words, outputs, inputs in (("one output", 1, 3), ("one input", 3, 1), ("more outputs than inputs", 4, 2)):
            yield words, shapes(draw, outputs, inputs)

    return edges


def _model_of(draw: Draw, outputs: int, inputs: int) -> dict[str, Any]:
    return {"x": draw.tensor(inputs), "w": draw.tensor(outputs, inputs)}


def _half_of_what_is_right(draw: Any) -> Iterator[Edge]:
    """x = 1 and y = w / 2: the gradient 2 (w x − y) x is w."""
    yield from _edges_of(_sample_of)(draw)
    w = draw.tensor(1, 1)
    yield "half of what is right", {"x": draw.argument([1.0]), "y": draw.argument(w.values[0] / 2), "w": w}


def _sample_of(draw: Draw, outputs: int, inputs: int) -> dict[str, Any]:
    return {"x": draw.tensor(inputs), "y": draw.tensor(outputs), "w": draw.tensor(outputs, inputs)}


def _no_cost(draw: Any) -> Iterator[Edge]:
    y = draw.tensor(3)
    yield "the model is right", {"y": y, "y_bar": y}
    yield "twice what is right", {"y": y, "y_bar": draw.argument(2 * y.values)}


def _row(shape: tuple[int, ...]) -> tuple[tuple[int, ...], str, str]:
    return shape[::-1], "the gradient of a number is a row, so this is transposed", "transposed"


def _matrix(shape: tuple[int, ...]) -> tuple[tuple[int, ...], str, str]:
    return shape[::-1], "rows are outputs, columns are inputs, so this is transposed", "transposed"


# What goes wrong.


def _flat_product(grad_y_bar: Any, x: Any) -> Any:
    return (grad_y_bar[:, None] * x).reshape(1, -1)


def _first_block_only(x: Any, w: Any) -> Any:
    result = (w * 0).repeat(1, len(w))
    result[:, : len(x)] = x
    return result


def _blocks_of(rows: Any) -> Any:
    """Row i in the columns of w's row i, zeros everywhere else."""
    import torch

    return torch.block_diag(*rows)  # type: ignore[no-untyped-call]


EXERCISE = Exercise(
    name="cost_of_model",
    unit="03_backpropagation",
    title="The cost of a model by two Jacobians",
    about=About(
        statement=(
            "The lecture works one example with its shapes: a model ȳ = G(x, w) with M outputs and N parameters, and a "
            "cost C(y, ȳ). The gradient of C by the outputs is 1 × M, the Jacobian of the model by its parameters M × "
            "N, and their product 1 × N. Here C = ‖y − ȳ‖² and ȳ = w x; the entries of the matrix w count as one "
            "vector, row after row."
        ),
        purpose=(
            "Cost and model are differentiated apart and joined by one product: so any loss can be put on top of any "
            "network."
        ),
        torch=("torch.func.jacrev",),
        idea=(
            "Each factor is simple: the cost's row is twice the error ȳ − y, and row i of the Jacobian has x in the "
            "columns of row i of w and zeros elsewhere. Their product is 1 × N as it stands: nothing has to be "
            "transposed."
        ),
        minutes=30,
        difficulty=2,
    ),
    functions=(
        function(
            "grad_cost",
            "y",
            "y_bar",
            reference=Reference(
                draw=_outputs,
                compute=_grad_cost,
                opinion=_cost_by_autograd,
                edges=_no_cost,
                names="dC/dȳ",
                mistaken=_row,
                what="dC/dȳ",
                source="lecture part A: the gradient of the cost with respect to the model's output",
            ),
        ),
        function(
            "jacobian_model",
            "x",
            "w",
            reference=Reference(
                draw=_model,
                compute=_jacobian_model,
                opinion=_model_by_autograd,
                edges=_edges_of(_model_of),
                names="the Jacobian",
                mistaken=_matrix,
                what="∂ȳ/∂w",
                source="lecture part A: the Jacobian of the model with respect to the parameters",
            ),
            confusions=(Confusion("flattening", "wrong-flattening", _FLATTENED, _column_major),),
        ),
        function(
            "gradient",
            "x",
            "y",
            "w",
            reference=Reference(
                draw=_sample,
                compute=_gradient,
                opinion=_gradient_by_autograd,
                edges=_half_of_what_is_right,
                names="dC/dw",
                mistaken=_row,
                what="dC/dw",
                source="lecture part A: the gradient of the cost with respect to the parameters",
            ),
            points=2,
            confusions=(Confusion("flattening", "wrong-flattening", _FLATTENED, _column_major_gradient),),
        ),
    ),
    hints=(
        "C is a sum of squares of which ȳ_i stands in one. Which sign does dC/dȳ_i have when ȳ_i is too large? And ȳ_i "
        "uses only row i of w: which of the M · n columns in row i of the Jacobian can differ from zero?",
        "The chain rule puts the two together: dC/dw = dC/dȳ · ∂ȳ/∂w has the shapes (1, M) (M, N) = (1, N). Do you "
        "need all those zeros to compute it?",
        "dC/dȳ_i = ∂/∂ȳ_i Σ_k (y_k − ȳ_k)² and ∂ȳ_i/∂w_pq = ∂/∂w_pq Σ_j w_ij x_j, in column p · n + q; then "
        "dC/dw_pq = Σ_i dC/dȳ_i ∂ȳ_i/∂w_pq.",
    ),
    formula=(
        "grad_cost:      dC/dȳ_i = −2 (y_i − ȳ_i)\n"
        "jacobian_model: ∂ȳ_i/∂w_pq = δ_ip x_q, in column p n + q\n"
        "gradient:       dC/dw_pq = Σ_i dC/dȳ_i δ_ip x_q = −2 (y_p − ȳ_p) x_q"
    ),
    misconceptions=(
        Misconception(
            "grad_cost",
            "wrong-variable",
            "you returned the squared errors themselves: the square is not differentiated yet",
            lambda y, y_bar: (y - y_bar).square()[None],
            "How steep is e² at e = 3?",
        ),
        Misconception(
            "grad_cost",
            "wrong-function",
            "only the signs of the errors are left: you differentiated their absolute values",
            lambda y, y_bar: (y_bar - y).sign()[None],
            "Is a square equally steep everywhere?",
        ),
        Misconception(
            "grad_cost",
            "wrong-function",
            "you divided by the length of y − ȳ: you differentiated the distance, not its square",
            lambda y, y_bar: ((y_bar - y) / (y_bar - y).norm())[None],
            "Is there a root in C?",
        ),
        Misconception(
            "grad_cost",
            "missing-term",
            "the factor 2 stands before one of ȳ and y only: a pair of brackets is missing",
            lambda y, y_bar: (2 * y_bar - y)[None],
            "What should the gradient be where ȳ = y?",
        ),
        Misconception(
            "jacobian_model",
            "extra-term",
            "you put x into every block of every row, as if each output used all rows of w",
            lambda x, w: x.repeat(len(w), len(w)),
            "Does ȳ_0 change when an entry of w's second row does?",
        ),
        Misconception(
            "jacobian_model",
            "wrong-index",
            "you put x into the first block of every row",
            _first_block_only,
            "Which entries of the flattened w belong to row i?",
        ),
        Misconception(
            "jacobian_model",
            "wrong-variable",
            "you put the rows of w into the blocks: those are the derivatives by x",
            lambda x, w: _blocks_of(w),  # noqa: ARG005
            "By how much does w_pq x_q grow when w_pq does?",
        ),
        Misconception(
            "jacobian_model",
            "extra-term",
            "the weights still stand in the blocks: you put in the whole terms of the sum",
            lambda x, w: _blocks_of(w * x),
            "How steep is w x as a function of w?",
        ),
        Misconception(
            "gradient",
            "extra-reduction",
            "every output's errors reach every row of w: you summed them first",
            lambda x, y, w: _flat_product((2 * (w @ x - y).sum()).expand(len(y)), x),
            "Which rows of w does the error of ȳ_0 depend on?",
        ),
        Misconception(
            "gradient",
            "wrong-variable",
            "the errors are still squared: the square is not differentiated yet",
            lambda x, y, w: _flat_product((w @ x - y).square(), x),
            "How steep is e² at e = 3?",
        ),
        Misconception(
            "gradient",
            "wrong-function",
            "only the signs of the errors are left: you differentiated their absolute values",
            lambda x, y, w: _flat_product((w @ x - y).sign(), x),
            "Is a square equally steep everywhere?",
        ),
        Misconception(
            "gradient",
            "extra-term",
            "the weights still stand in the gradient: you multiplied by the whole terms of the sum",
            lambda x, y, w: _flat_product(2 * (w @ x - y), x) * w.reshape(1, -1),
            "How steep is w x as a function of w?",
        ),
        Misconception(
            "gradient",
            "wrong-variable",
            "you multiplied the errors by w where x belongs: that is half of the way to the gradient by x",
            lambda x, y, w: (2 * (w @ x - y)[:, None] * w).reshape(1, -1),
            "By which variable do you differentiate here?",
        ),
    ),
)
