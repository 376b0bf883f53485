"""Rules for linear algebra: the textbook's algorithm, run on bounded numbers, with pivots chosen on the mids.

Factorisations by elimination are followed step by step, so that the radii hold for elimination with partial pivoting
in any order of summation. They grow with the size of the matrix as interval elimination does: good for small systems.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.number import RULES, Bounded, BoundedTensor, rule
from gradcheck.numbers.dispatch import in_torch


def bounded(numbers: Bounded, x: Any) -> BoundedTensor:
    return x if isinstance(x, BoundedTensor) else numbers.constant(x)


def eliminated(a: Tensor, order: Tensor) -> Tensor:
    """LU in one matrix, rows in the given order."""
    size, columns = a.shape[-2:]
    lu = torch.gather(a, -2, order.unsqueeze(-1).expand(*order.shape, columns))
    for step in range(min(size, columns)):
        if step + 1 < size:
            factors = lu[..., step + 1 :, step : step + 1] * divided_by(lu[..., step : step + 1, step : step + 1])
            rest = lu[..., step + 1 :, step + 1 :] - factors * lu[..., step : step + 1, step + 1 :]
            below = torch.cat([factors, rest], -1)
            left = lu[..., step + 1 :, :step]
            lu = torch.cat([lu[..., : step + 1, :], torch.cat([left, below], -1)], -2)
    return lu


def divided_by(pivot: Tensor) -> Tensor:
    """Libraries multiply by the reciprocal: one rounding more than a division, so it holds that too."""
    return torch.reciprocal(pivot)


def factored(numbers: Bounded, a: BoundedTensor, *, pivot: bool = True) -> tuple[BoundedTensor, Tensor, Tensor]:
    """(LU, pivots as torch has them, the order of rows)."""
    _, pivots, _ = torch.linalg.lu_factor_ex(a.mid, pivot=pivot)
    order = order_of(pivots, a.shape[-2])
    return numbers.again(eliminated, (a, order), {}), pivots, order


def factored_for_determinant(numbers: Bounded, a: BoundedTensor) -> tuple[BoundedTensor, Tensor, Tensor]:
    """For a determinant torch factors the transpose of what lies row by row, and the backward counts on it."""
    if a.is_contiguous():
        a = BoundedTensor(a.mid.mT.contiguous(), a.rad.mT.contiguous())
    return factored(numbers, a)


def order_of(pivots: Tensor, size: int) -> Tensor:
    order = torch.arange(size).expand(*pivots.shape[:-1], size).clone()
    if not order.numel():
        return order.to(pivots.device)
    flat, swaps = order.reshape(-1, size), pivots.cpu().reshape(-1, pivots.shape[-1])
    for row, swap in zip(flat, swaps, strict=True):
        for place, other in enumerate(swap.tolist()):
            row[[place, other - 1]] = row[[other - 1, place]]
    return flat.reshape(order.shape).to(pivots.device)


def substituted(a: Tensor, b: Tensor, upper: bool, unit: bool) -> Tensor:
    """A⁻¹ B for a triangular A, row by row."""
    size = a.shape[-1]
    rows: dict[int, Tensor] = {}
    for row in reversed(range(size)) if upper else range(size):
        value = b[..., row : row + 1, :]
        known = range(row + 1, size) if upper else range(row)
        if known:
            weights = a[..., row : row + 1, known.start : known.stop]
            value = value - weights @ torch.cat([rows[k] for k in known], -2)
        rows[row] = value if unit else value * divided_by(a[..., row : row + 1, row : row + 1])
    if not rows:
        return b.clone()
    return torch.cat([rows[row] for row in range(size)], -2)


def triangular(a: Tensor, b: Tensor, *, upper: bool, left: bool = True, unit: bool = False) -> Tensor:
    if not left:
        return triangular(a.mT, b.mT, upper=not upper, unit=unit).mT
    shape = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])  # type: ignore[no-untyped-call]
    a, b = a.expand(*shape, *a.shape[-2:]), b.expand(*shape, *b.shape[-2:])
    return substituted(a, b, upper, unit)


def with_factors(lu: Tensor, order: Tensor, b: Tensor, left: bool, adjoint: bool) -> Tensor:
    """Solve by LU."""
    if not left:
        return with_factors(lu, order, b.mT, True, not adjoint).mT
    shape = torch.broadcast_shapes(lu.shape[:-2], b.shape[:-2])  # type: ignore[no-untyped-call]
    b = b.expand(*shape, *b.shape[-2:])
    order = order.expand(*shape, order.shape[-1])
    if adjoint:
        y = triangular(lu.mT, b, upper=False)
        z = triangular(lu.mT, y, upper=True, unit=True)
        back = torch.argsort(order, -1)
        return torch.gather(z, -2, back.unsqueeze(-1).expand(z.shape))
    b = torch.gather(b, -2, order.unsqueeze(-1).expand(b.shape))
    y = triangular(lu, b, upper=False, unit=True)
    return triangular(lu, y, upper=True)


def no_errors(a: Tensor) -> Tensor:
    return torch.zeros(a.shape[:-2], dtype=torch.int32, device=a.device)


@rule("linalg_lu_factor_ex")
def lu_factor_ex(numbers: Bounded, a: Any, *, pivot: bool = True, check_errors: bool = False) -> Any:
    lu, pivots, _ = factored(numbers, bounded(numbers, a), pivot=pivot)
    return lu, pivots, no_errors(a)


def lu_unpack(lu: Tensor, pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    size, columns = lu.shape[-2:]
    inner = min(size, columns)
    lower = torch.tril(lu[..., :inner], -1) + torch.eye(size, inner, dtype=torch.float64, device=lu.device)
    permutation = torch.nn.functional.one_hot(order_of(pivots, size), size).to(torch.float64).mT
    return permutation, lower, torch.triu(lu[..., :inner, :])


@rule("linalg_lu")
def lu_parts(numbers: Bounded, a: Any, *, pivot: bool = True) -> Any:
    lu, pivots, _ = factored(numbers, bounded(numbers, a), pivot=pivot)
    return numbers.again(lu_unpack, (lu, pivots), {})


def lu_solve(lu: Tensor, pivots: Tensor, b: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    return with_factors(lu, order_of(pivots, lu.shape[-1]), b, left, adjoint)


@rule("_linalg_solve_ex")
def solve_ex(numbers: Bounded, a: Any, b: Any, *, left: bool = True, check_errors: bool = False) -> Any:
    a, b = bounded(numbers, a), bounded(numbers, b)
    lu, pivots, order = factored(numbers, a)
    vector = b.dim() == 1 or (b.dim() == a.dim() - 1 and b.shape == a.shape[:-1])

    def compute(lu: Tensor, b: Tensor) -> Tensor:
        columns = b.unsqueeze(-1) if vector else b
        solution = with_factors(lu, order, columns, left, False)
        return solution.squeeze(-1) if vector else solution

    return numbers.again(compute, (lu, b), {}), lu, pivots, no_errors(a)


@rule("linalg_inv_ex")
def inv_ex(numbers: Bounded, a: Any, *, check_errors: bool = False) -> Any:
    a = bounded(numbers, a)
    unit = torch.eye(a.shape[-1], dtype=torch.float64, device=a.device).expand(a.shape)
    return solve_ex(numbers, a, numbers.constant(unit.contiguous()))[0], no_errors(a)


@rule("_linalg_det")
def det(numbers: Bounded, a: Any) -> Any:
    lu, pivots, order = factored_for_determinant(numbers, bounded(numbers, a))
    sign = sign_of(order)

    def compute(lu: Tensor) -> Tensor:
        return torch.prod(torch.diagonal(lu, dim1=-2, dim2=-1), -1) * sign

    return numbers.again(compute, (lu,), {}), lu, pivots


@rule("_linalg_slogdet")
def slogdet(numbers: Bounded, a: Any) -> Any:
    lu, pivots, order = factored_for_determinant(numbers, bounded(numbers, a))
    sign = sign_of(order)

    def compute(lu: Tensor) -> Any:
        diagonal = torch.diagonal(lu, dim1=-2, dim2=-1)
        return torch.prod(torch.sign(diagonal), -1) * sign, torch.log(torch.abs(diagonal)).sum(-1)

    return *numbers.again(compute, (lu,), {}), lu, pivots


def sign_of(order: Tensor) -> Tensor:
    """+1 for an even number of swaps."""
    size = order.shape[-1]
    later = torch.triu(torch.ones(size, size, dtype=torch.bool, device=order.device), 1)
    inversions = ((order.unsqueeze(-1) > order.unsqueeze(-2)) & later).sum((-2, -1))
    return (1 - 2 * (inversions % 2)).to(torch.float64)


def lower_root(a: Tensor) -> Tensor:
    """Cholesky, column by column."""
    size = a.shape[-1]
    columns: list[Tensor] = []
    for step in range(size):
        column = a[..., step:, step : step + 1]
        if columns:
            left = torch.cat([c[..., step:, :] for c in columns], -1)
            column = column - left @ left[..., :1, :].mT
        root = torch.sqrt(column[..., :1, :])
        below = torch.cat([root, column[..., 1:, :] / root], -2)
        zeros = a.new_zeros((*a.shape[:-2], step, 1))
        columns.append(torch.cat([zeros, below], -2))
    return torch.cat(columns, -1) if columns else a.clone()


def upper_root(a: Tensor) -> Tensor:
    return lower_root(a.mT).mT


def cholesky_solve(b: Tensor, factor: Tensor, upper: bool = False) -> Tensor:
    first, second = (factor.mT, factor) if upper else (factor, factor.mT)
    return triangular(second, triangular(first, b, upper=False), upper=True)


def cholesky_inverse(factor: Tensor, upper: bool = False) -> Tensor:
    unit = torch.eye(factor.shape[-1], dtype=torch.float64, device=factor.device).expand(factor.shape).contiguous()
    return cholesky_solve(unit, factor, upper)


def triangular_solve(
    b: Tensor, a: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> tuple[Tensor, Tensor]:
    turned, is_upper = (a.mT, not upper) if transpose else (a, upper)
    return triangular(turned, b, upper=is_upper, unit=unitriangular), a.clone()


RULES.table(
    {
        "lu_unpack": lu_unpack,
        "linalg_lu_solve": lu_solve,
        "linalg_cholesky_ex": lambda a, upper=False, check_errors=False: (
            (upper_root if upper else lower_root)(a),
            no_errors(a),
        ),
        "cholesky": lambda a, upper=False: (upper_root if upper else lower_root)(a),
        "cholesky_solve": cholesky_solve,
        "cholesky_inverse": cholesky_inverse,
        "linalg_solve_triangular": lambda a, b, upper, left=True, unitriangular=False: triangular(
            a, b, upper=upper, left=left, unit=unitriangular
        ),
        "triangular_solve": triangular_solve,
    },
    in_torch,
)
