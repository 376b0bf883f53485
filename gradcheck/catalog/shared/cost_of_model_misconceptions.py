"""What goes wrong in the gradient of a cost through a model."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import Misconception


def _row(grad_y_bar: Any, x: Any) -> Any:
    return (grad_y_bar[:, None] * x).reshape(1, -1)


def _first_block_only(x: Any, w: Any) -> Any:
    result = (w * 0).repeat(1, len(w))
    result[:, : len(x)] = x
    return result


def _blocks_of(rows: Any) -> Any:
    """Row i in the columns of w's row i, zeros everywhere else."""
    import torch

    return torch.block_diag(*rows)  # type: ignore[no-untyped-call]


COST_OF_MODEL_MISCONCEPTIONS = (
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
        lambda x, y, w: _row((2 * (w @ x - y).sum()).expand(len(y)), x),
        "Which rows of w does the error of ȳ_0 depend on?",
    ),
    Misconception(
        "gradient",
        "wrong-variable",
        "the errors are still squared: the square is not differentiated yet",
        lambda x, y, w: _row((w @ x - y).square(), x),
        "How steep is e² at e = 3?",
    ),
    Misconception(
        "gradient",
        "wrong-function",
        "only the signs of the errors are left: you differentiated their absolute values",
        lambda x, y, w: _row((w @ x - y).sign(), x),
        "Is a square equally steep everywhere?",
    ),
    Misconception(
        "gradient",
        "extra-term",
        "the weights still stand in the gradient: you multiplied by the whole terms of the sum",
        lambda x, y, w: _row(2 * (w @ x - y), x) * w.reshape(1, -1),
        "How steep is w x as a function of w?",
    ),
    Misconception(
        "gradient",
        "wrong-variable",
        "you multiplied the errors by w where x belongs: that is half of the way to the gradient by x",
        lambda x, y, w: (2 * (w @ x - y)[:, None] * w).reshape(1, -1),
        "By which variable do you differentiate here?",
    ),
)
