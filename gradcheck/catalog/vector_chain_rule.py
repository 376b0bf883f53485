"""The chain rule in vector form: a row vector times Jacobians."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import reduce
from operator import matmul
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.task import ORIENTATION, Edge, Property, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

ORDER = 3


def _jacobians(draw: Draw, sizes: list[int]) -> list[Any]:
    """From input to output: the first has sizes[0] columns, the last sizes[-1] rows."""
    return [draw.tensor(rows, columns) for columns, rows in itertools.pairwise(sizes)]


def _sizes(draw: Draw) -> list[int]:
    count = min(5, draw.size("K"))  # exact numbers are slow
    return [draw.size(f"d{k}") for k in range(count + 1)]


def _compose_draw(draw: Draw) -> dict[str, Any]:
    return {"jacobians": _jacobians(draw, _sizes(draw))}


def _backward_draw(draw: Draw) -> dict[str, Any]:
    # Both forms of grad_output must be tried whatever the seed: a vector for an odd number of Jacobians, else a row.
    sizes = _sizes(draw)
    return _cascade(draw, sizes, row=len(sizes) % 2 == 1)


def _cascade(draw: Draw, sizes: list[int], *, row: bool) -> dict[str, Any]:
    grad_output = draw.cotangent(1, sizes[-1]) if row else draw.cotangent(sizes[-1])
    return {"grad_output": grad_output, "jacobians": _jacobians(draw, sizes)}


def _backward(grad_output: Tensor, jacobians: list[Tensor]) -> Tensor:
    return reduce(matmul, reversed(jacobians), grad_output)


def _compose(jacobians: list[Tensor]) -> Tensor:
    return reduce(matmul, reversed(jacobians))


def _network(jacobians: list[Any]) -> Any:
    """The linear cascade that has these Jacobians."""

    def run(z: Any) -> Any:
        for jacobian in jacobians:
            z = (jacobian * z).sum(1)
        return z

    return run


def _backward_by_autograd(grad_output: Any, jacobians: list[Any]) -> Any:
    import torch

    z = jacobians[0].new_zeros(jacobians[0].shape[1], requires_grad=True)
    (grad,) = torch.autograd.grad(_network(jacobians)(z), z, grad_output.reshape(-1))
    return grad.reshape(*grad_output.shape[:-1], -1)


def _compose_by_autograd(jacobians: list[Any]) -> Any:
    import torch

    z = jacobians[0].new_zeros(jacobians[0].shape[1])
    return torch.autograd.functional.jacobian(_network(jacobians), z)  # type: ignore[no-untyped-call]


def _backward_edges(draw: Any) -> Iterator[Edge]:
    yield "one Jacobian, a vector", _cascade(draw, [4, 3], row=False)
    yield "one Jacobian, a row", _cascade(draw, [3, 2], row=True)
    yield "two Jacobians, a vector", _cascade(draw, [2, 4, 3], row=False)
    yield "three Jacobians, a row", _cascade(draw, [2, 3, 4, 2], row=True)
    yield "a row of one", _cascade(draw, [3, 2, 1], row=True)
    yield "a vector of one", _cascade(draw, [3, 2, 1], row=False)
    yield "one input, a row", _cascade(draw, [1, 3, 2], row=True)
    yield "one input, a vector", _cascade(draw, [1, 3, 2], row=False)
    yield "through a single number", _cascade(draw, [3, 1, 4], row=False)
    yield "square Jacobians, a row", _cascade(draw, [3, 3, 3, 3], row=True)
    for words, jacobians in _beside_the_identity(draw):
        yield words, {"grad_output": draw.cotangent(3), "jacobians": jacobians}


def _compose_edges(draw: Any) -> Iterator[Edge]:
    for words, sizes in (
        ("one Jacobian", [4, 3]),
        ("two Jacobians", [2, 4, 3]),
        ("two square Jacobians", [3, 3, 3]),
        ("one output", [3, 2, 1]),
        ("one input", [1, 2, 3]),
        ("through a single number", [3, 1, 4]),
    ):
        yield words, {"jacobians": _jacobians(draw, sizes)}
    for words, jacobians in _beside_the_identity(draw):
        yield words, {"jacobians": jacobians}


def _beside_the_identity(draw: Any) -> Iterator[tuple[str, list[Any]]]:
    """The product is equal to one of its factors."""
    import numpy as np

    one, identity = draw.tensor(3, 3), draw.argument(np.eye(3))
    yield "the identity first", [identity, one]
    yield "the identity last", [one, identity]


_SIDE = 32
_HUGE = 2.0**500
"""More than any format of fixed length holds beside a one; its square is still a float64."""


def _no_matrix_product(ask: Any) -> str | None:
    """By what it costs and, for products that the counter does not see (NumPy, lists), by what is lost in them."""
    return _costs_too_much(ask) or _loses(ask)


def _costs_too_much(ask: Any) -> str | None:
    """A row of d entries through K Jacobians takes 2 K d² operations; any product of two Jacobians alone takes 2 d³."""
    for count in (2, 4):
        jacobians = [ask.tensor(ask.rng.standard_normal((_SIDE, _SIDE))) for _ in range(count)]
        needed = 2 * count * _SIDE**2
        for shape in ((_SIDE,), (1, _SIDE)):
            grad_output = ask.tensor(ask.rng.standard_normal(shape))
            done = ask.outcome(grad_output, jacobians, count=True).operations
            if done > 4 * needed:
                return (
                    f"backward multiplies matrices by matrices: for {count} Jacobians of {_SIDE} × {_SIDE} it does "
                    f"{done:,} operations, where a row vector that goes through them one at a time needs {needed:,}"
                )
    return None


def _loses(ask: Any) -> str | None:
    """The row (0, c, c) stays as it is through every Jacobian here: huge entries meet with opposite signs, exactly. In
    a product of two Jacobians a one is added to a huge number first, and is gone, however many digits are kept.
    """
    import numpy as np

    for count in (2, 4):
        jacobians = []
        for _ in range(count):
            first = ask.rng.integers(1, 5, 3)
            jacobians.append(ask.tensor([first * 1.0, [_HUGE, 1.0, 0.0], [-_HUGE, 0.0, 1.0]]))
        row = np.array([0.0, 1.0, 1.0]) * ask.rng.integers(1, 5)
        for shape in ((3,), (1, 3)):
            came = getattr(ask.value(ask.tensor(row.reshape(shape)), jacobians), "values", None)
            if came is None or not np.array_equal(came, row.reshape(shape)):
                return (
                    "backward multiplies Jacobians with each other: in their product a small entry is lost beside a "
                    f"huge one ({_HUGE:.0e}), where a row vector that goes through them one at a time loses nothing"
                )
    return None


def _transposed(shape: tuple[int, ...]) -> tuple[tuple[int, ...], str, str] | None:
    return shape[::-1], "rows are outputs, columns are inputs, so this is transposed", "transposed"


# What goes wrong.


Step = Callable[[Any, Any], Any]


def _swept(step: Step) -> Callable[[Any, list[Any]], Any]:
    """The row handed back by a wrong step in place of row @ jacobian."""

    def backward(grad_output: Any, jacobians: list[Any]) -> Any:
        row = grad_output
        for jacobian in reversed(jacobians):
            row = step(row, jacobian)
        return row

    return backward


def _composed(step: Step) -> Callable[[list[Any]], Any]:
    """The Jacobians multiplied by a wrong step in place of later @ earlier."""

    def compose(jacobians: list[Any]) -> Any:
        product = jacobians[0].clone()
        for jacobian in jacobians[1:]:
            product = step(jacobian, product)
        return product

    return compose


def _sums_multiplied(row: Any, jacobian: Any) -> Any:
    return row.sum(-1, keepdim=True) * jacobian.sum(0)


def _added(later: Any, earlier: Any) -> Any:
    return (later[:, :, None] + earlier).sum(1)


EXERCISE = Exercise(
    name="vector_chain_rule",
    unit="03_backpropagation",
    title="The chain rule in vector form",
    about=About(
        statement=(
            "Let a vector z_g depend on a vector z_f, and C on z_g. The derivative of z_g by z_f is a matrix, the "
            "Jacobian: a row for each output, a column for each input. The gradient of the number C is a row. So the "
            "chain rule is a product whose shapes have to fit, and a longer cascade has one more factor for each "
            "function."
        ),
        purpose="Why a gradient costs little more than a forward pass, however many parameters there are.",
        torch=("torch.func.vjp", "torch.linalg.multi_dot"),
        idea=(
            "A product of matrices may be bracketed at will, but not at the same price. From the output every result "
            "on the way is a row. compose has no row: matrices are multiplied, the later one on the left."
        ),
        minutes=20,
        difficulty=2,
    ),
    functions=(
        function(
            "backward",
            "grad_output",
            "jacobians",
            reference=Reference(
                draw=_backward_draw,
                compute=_backward,
                opinion=_backward_by_autograd,
                edges=_backward_edges,
                names="dC/dz_0",
                what="the chain rule",
                source="lecture part A: the chain rule for vector functions",
            ),
            points=2,
            properties=(Property("vectors_only", _no_matrix_product),),
        ),
        function(
            "compose",
            "jacobians",
            reference=Reference(
                draw=_compose_draw,
                compute=_compose,
                opinion=_compose_by_autograd,
                edges=_compose_edges,
                names="the Jacobian",
                mistaken=_transposed,
                what="the chain rule",
                source="lecture part A: the Jacobian of a composition",
            ),
            may_share=("jacobians",),
            confusions=(ORIENTATION,),
        ),
    ),
    hints=(
        "dC/dz is a row. Which side of it can a Jacobian with d_out rows and d_in columns stand on? And which Jacobian "
        "of the list stands next to dC/dz_K?",
        "That of the last function does: begin at the end of the list. A row times a matrix is a row again, and far "
        "cheaper than a matrix times a matrix. In compose there is no row, so matrices must be multiplied, the later "
        "one on the left.",
        "dC/dz_(K−1),j = Σ_i dC/dz_K,i ∂z_K,i/∂z_(K−1),j, which is the row dC/dz_K times J_K. For compose: "
        "∂z_2,i/∂z_0,j = Σ_l ∂z_2,i/∂z_1,l ∂z_1,l/∂z_0,j.",
    ),
    formula=(
        "dC/dz_(k−1),j = Σ_i dC/dz_k,i (J_k)_ij, k = K, …, 1, dC/dz_K = g\n"
        "backward: dC/dz_0 = ((g J_K) J_(K−1)) ⋯ J_1\n"
        "compose:  ∂z_K/∂z_0 = J_K J_(K−1) ⋯ J_1"
    ),
    misconceptions=(
        Misconception(
            "backward",
            "scaled-by-size",
            "at every Jacobian you averaged over the ways where they add up",
            _swept(lambda row, jacobian: row @ jacobian / len(jacobian)),
            "Two ways that each add 1 to C: what do they add together?",
        ),
        Misconception(
            "backward",
            "extra-reduction",
            "at every Jacobian you summed the row and the columns each by itself and multiplied the two",
            _swept(_sums_multiplied),
            "Which row of the Jacobian does entry i of dC/dz_k have to meet?",
        ),
        Misconception(
            "backward",
            "missing-reduction",
            "of the ways through every Jacobian you took only the first",
            _swept(lambda row, jacobian: row[..., :1] * jacobian[0]),
            "In how many ways does one entry of z_(k−1) reach C?",
        ),
        Misconception(
            "compose",
            "scaled-by-size",
            "in every product you averaged over the ways where they add up",
            _composed(lambda later, earlier: later @ earlier / len(earlier)),
            "Two ways that each turn z_i by 1: by how much do they turn it together?",
        ),
        Misconception(
            "compose",
            "extra-reduction",
            "in every product you summed rows and columns first and multiplied the sums",
            _composed(lambda later, earlier: later.sum(1, keepdim=True) * earlier.sum(0)),
            "Which entry of the earlier Jacobian does entry l of the later one's row have to meet?",
        ),
        Misconception(
            "compose",
            "missing-reduction",
            "of the ways through every z_k in between you took only the first",
            _composed(lambda later, earlier: later[:, :1] * earlier[:1]),
            "Through how many entries of z_k does z_j reach z_i?",
        ),
        Misconception(
            "compose",
            "wrong-function",
            "along each way you added the derivatives where they belong multiplied",
            _composed(_added),
            "A change that is first doubled and then tripled: by which factor has it grown?",
        ),
    ),
)
