"""Operators whose result hangs on a comparison: which entry is larger, which sign it has."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key, partial
from itertools import chain, groupby
from typing import Any

import numpy as np
import torch
from flint import arb
from torch import Tensor

from gradcheck.numbers.dispatch import axes_of
from gradcheck.numbers.exact.system import RULES, Array, Exact, ExactTensor, kept

UNORDERED = 2
"""The sign of a difference of which one side is not a number."""


def compared(x: arb, y: arb) -> int:
    if x > y:
        return 1
    if x < y:
        return -1
    return UNORDERED if x.is_nan() or y.is_nan() else 0


COMPARED = np.frompyfunc(compared, 2, 1)
LARGER = np.frompyfunc(arb.max, 2, 1)
SMALLER = np.frompyfunc(arb.min, 2, 1)


def side_by_side(numbers: Exact, x: Any, y: Any) -> list[Tensor]:
    return list(torch.broadcast_tensors(numbers.handles(x), numbers.handles(y)))  # type: ignore[no-untyped-call]


def signs(numbers: Exact, x: Any, y: Any = 0) -> Tensor:
    """The sign of x - y for each entry, 0 where the two cannot be told apart: a tie, unless they are the same ball."""
    first, second = side_by_side(numbers, x, y)
    same = first == second
    balls = numbers.balls(ExactTensor(first)), numbers.balls(ExactTensor(second))
    found = torch.from_numpy(np.asarray(COMPARED(*balls), dtype=np.int8).reshape(first.shape))
    numbers.ties += int(((found == 0) & ~same).sum())
    return found


COMPARISONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gt": lambda sign: sign == 1,
    "ge": lambda sign: (sign == 1) | (sign == 0),
    "lt": lambda sign: sign == -1,
    "le": lambda sign: (sign == -1) | (sign == 0),
    "eq": lambda sign: sign == 0,
    "ne": lambda sign: sign != 0,
}


ACROSS = {"gt": "ge", "ge": "gt", "lt": "le", "le": "lt"}
"""What a comparison becomes where ties go the other way."""


def holds(name: str, numbers: Exact, x: Any, y: Any) -> Tensor:
    return COMPARISONS[ACROSS.get(name, name) if numbers.flip else name](signs(numbers, x, y))


def chosen(numbers: Exact, x: Any, y: Any, wanted: int) -> ExactTensor:
    """The larger (wanted 1) or smaller (-1) of two; where they cannot be told apart, a ball around both choices."""
    first, second = side_by_side(numbers, x, y)
    sign = signs(numbers, ExactTensor(first), ExactTensor(second))
    result = torch.where(sign == wanted, first, second)
    unclear = ((sign == 0) | (sign == UNORDERED)) & (first != second)
    if unclear.any():
        choose = LARGER if wanted == 1 else SMALLER
        balls = numbers.balls(ExactTensor(first[unclear])), numbers.balls(ExactTensor(second[unclear]))
        result[unclear] = numbers.keep(choose(*balls)).handles
    return ExactTensor(result)


def clamp(numbers: Exact, x: Any, min: Any = None, max: Any = None) -> ExactTensor:  # noqa: A002
    raised = x if min is None else chosen(numbers, x, min, 1)
    return ExactTensor(numbers.handles(raised)) if max is None else chosen(numbers, raised, max, -1)


def let_through(numbers: Exact, passes: Tensor, g: Any) -> ExactTensor:
    return ExactTensor(torch.where(passes, numbers.handles(g), 0))


RULES.table(
    {
        **{f"{name}.Tensor {name}.Scalar": partial(holds, name) for name in COMPARISONS},
        "maximum max.other fmax clamp_min": lambda n, x, y: chosen(n, x, y, 1),
        "minimum min.other fmin clamp_max": lambda n, x, y: chosen(n, x, y, -1),
        "relu": lambda n, x: chosen(n, x, 0, 1),
        "clamp": clamp,
        "threshold_backward": lambda n, g, x, threshold: let_through(n, holds("gt", n, x, threshold), g),
        "softshrink_backward hardshrink_backward": lambda n, g, x, lambd: let_through(
            n, (signs(n, x, lambd) == 1) | (signs(n, x, -lambd) == -1), g
        ),
        "sign sgn": lambda n, x: n.constant(signs(n, x).double()),
        "logical_not": lambda n, x: signs(n, x) == 0,
        "nonzero": lambda n, x: (signs(n, x) != 0).nonzero(),
    }
)


def of_truth_values(operator: Any) -> Callable[..., Any]:
    """An operator that only asks which entries are 0."""

    def computed(numbers: Exact, *args: Any, **kwargs: Any) -> Any:
        plain = [signs(numbers, arg) != 0 if isinstance(arg, ExactTensor) else arg for arg in args]
        return operator(*plain, **kwargs)

    return computed


RULES.of_each(of_truth_values, "any", "all", "count_nonzero", "logical_and", "logical_or", "logical_xor")


# Rounding to whole numbers: steps, with ties at their edges.


def step(function: Callable[[arb], arb], numbers: Exact, x: Any) -> Array:
    after = np.asarray(np.frompyfunc(function, 1, 1)(numbers.balls(x)), dtype=object)
    numbers.ties += int(np.sum(np.frompyfunc(lambda ball: not ball.is_exact(), 1, 1)(after)))
    return after


def truncated(ball: arb) -> arb:
    return ball.ceil() if ball < 0 else ball.floor()


def rounded(ball: arb) -> arb:
    below = (ball + arb(1) / 2).floor()
    return below - 1 if (ball - below) * 2 == -1 and not (below / 2).is_integer() else below


def divide_rounded(numbers: Exact, x: Any, y: Any, rounding_mode: str | None = None) -> Array:
    quotient: Array = numbers.balls(x) / numbers.balls(y)
    if rounding_mode is None:
        return quotient
    return step(arb.floor if rounding_mode == "floor" else truncated, numbers, numbers.keep(quotient))


def remainder(numbers: Exact, x: Any, y: Any, rounding_mode: str) -> Array:
    return numbers.balls(x) - divide_rounded(numbers, x, y, rounding_mode) * numbers.balls(y)


RULES.table(
    {
        "floor": partial(step, arb.floor),
        "ceil": partial(step, arb.ceil),
        "trunc": partial(step, truncated),
        "round.default": partial(step, rounded),
        "div.Tensor_mode div.Scalar_mode": divide_rounded,
        "remainder.Tensor remainder.Scalar remainder.Scalar_Tensor": partial(remainder, rounding_mode="floor"),
        "fmod.Tensor fmod.Scalar": partial(remainder, rounding_mode="trunc"),
    },
    kept,
)


# Order: torch sorts, and picks the largest, by ranks in place of balls.

FLOAT = np.frompyfunc(float, 1, 1)


def middles_of(balls: Array) -> Callable[[int, int], int]:
    """Compares two places by the middles of their balls."""
    return lambda one, other: int(balls[one].mid() > balls[other].mid()) - int(balls[one].mid() < balls[other].mid())


def ranked(numbers: Exact, x: ExactTensor) -> tuple[Tensor, Tensor]:
    """A rank for each entry, equal for what cannot be told apart, and the handles to pick from.

    Where several balls overlap, each of them stands for one around all.
    """
    balls = numbers.balls(x).reshape(-1)
    keys = np.asarray(FLOAT(balls), dtype=np.float64)
    by_key = groupby(np.argsort(keys, kind="stable").tolist(), keys.__getitem__)  # which float64 knows only so far
    in_order = chain.from_iterable(sorted(group, key=cmp_to_key(middles_of(balls))) for _, group in by_key)
    ranks = np.zeros(len(balls), dtype=np.int64)
    groups: list[list[int]] = []
    top: arb | None = None
    for place in in_order:
        ball = balls[place]
        if ball.is_nan():
            groups.append([place])  # after all others, as torch sorts
        elif top is None or ball > top:
            groups.append([place])
            top = ball
        else:
            groups[-1].append(place)
            top = top.max(ball)
    handles = x.handles.reshape(-1).clone()
    for rank, group in enumerate(groups):
        ranks[group] = rank
        if len(group) > 1 and not all(balls[place].is_exact() for place in group):
            hull = balls[group[0]]
            for place in group[1:]:
                hull = hull.union(balls[place])
            same = handles[group[0]]
            if not bool((handles[group] == same).all()):
                handles[group] = numbers.keep(hull).handles
    return torch.from_numpy(ranks).reshape(x.shape), handles.reshape(x.shape)


def count_rivals(numbers: Exact, x: ExactTensor, ranks: Tensor, best: Tensor, indices: Tensor, dim: int) -> None:
    """Ties: entries that cannot be told from the picked one, and are not the same number."""
    own = torch.gather(x.handles, dim, indices)
    numbers.ties += int(((ranks == best) & (x.handles != own)).sum())


def picked(numbers: Exact, x: ExactTensor, dim: int, keepdim: bool, pick: Callable[..., Any]) -> tuple[Any, Tensor]:
    """One entry of each row along a dimension, by what `pick` finds among the ranks."""
    ranks, handles = ranked(numbers, x)
    if x.dim() == 0:
        return ExactTensor(handles), torch.zeros((), dtype=torch.int64)
    best, indices = pick(ranks, dim, keepdim=True)
    count_rivals(numbers, x, ranks, best, indices, dim)
    result = torch.gather(handles, dim, indices)
    if not keepdim:
        result, indices = result.squeeze(dim), indices.squeeze(dim)
    return ExactTensor(result), indices


def extreme(numbers: Exact, x: ExactTensor, dim: Any, keepdim: bool, pick: Callable[..., Any]) -> ExactTensor:
    """The largest or smallest over several dimensions."""
    dims = axes_of(x, dim)
    kept_dims = [d for d in range(x.dim()) if d not in dims]
    rows = ExactTensor(x.handles.permute([*kept_dims, *dims]).reshape([*(x.shape[d] for d in kept_dims), -1]))
    values, _ = picked(numbers, rows, -1, False, pick)
    if not keepdim:
        return ExactTensor(values.handles)
    return ExactTensor(values.handles.reshape([1 if d in dims else x.shape[d] for d in range(x.dim())]))


def place(numbers: Exact, x: ExactTensor, dim: int | None, keepdim: bool, pick: Callable[..., Any]) -> Tensor:
    if dim is not None:
        return picked(numbers, x, dim, keepdim, pick)[1]
    indices = picked(numbers, ExactTensor(x.handles.reshape(-1)), 0, False, pick)[1]
    return indices.reshape([1] * x.dim()) if keepdim else indices


def first_sorted(numbers: Exact, x: ExactTensor, wanted: int, dim: int, descending: bool) -> tuple[ExactTensor, Tensor]:
    """The first of each row's entries in order; neighbours that cannot be told apart there are ties."""
    ranks, handles = ranked(numbers, x)
    in_order, indices = torch.sort(ranks, stable=True, dim=dim, descending=descending)
    if x.dim() == 0:
        return ExactTensor(handles), indices
    own, size = torch.gather(x.handles, dim, indices), max(0, min(wanted, x.shape[dim] - 1))
    start = min(1, x.shape[dim])
    equal = in_order.narrow(dim, 0, size) == in_order.narrow(dim, start, size)
    numbers.ties += int((equal & (own.narrow(dim, 0, size) != own.narrow(dim, start, size))).sum())
    first = indices.narrow(dim, 0, wanted)
    return ExactTensor(torch.gather(handles, dim, first)), first


def sort(
    numbers: Exact, x: ExactTensor, dim: int = -1, descending: bool = False, stable: bool | None = None
) -> tuple[ExactTensor, Tensor]:
    return first_sorted(numbers, x, x.shape[dim] if x.dim() else 1, dim, descending)


def running(numbers: Exact, x: ExactTensor, dim: int, pick: Callable[..., Any]) -> tuple[ExactTensor, Tensor]:
    ranks, handles = ranked(numbers, x)
    best, indices = pick(ranks, dim)
    if x.dim():
        count_rivals(numbers, x, ranks, best, indices, dim)
        handles = torch.gather(handles, dim, indices)
    return ExactTensor(handles), indices


def pick_by(pick: Callable[..., Any]) -> Callable[..., Any]:
    return lambda n, x, dim=-1, keepdim=False: picked(n, x, dim, keepdim, pick)


def extreme_by(pick: Callable[..., Any]) -> Callable[..., Any]:
    return lambda n, x, dim=(), keepdim=False: extreme(n, x, dim, keepdim, pick)


def place_by(pick: Callable[..., Any]) -> Callable[..., Any]:
    return lambda n, x, dim=None, keepdim=False: place(n, x, dim, keepdim, pick)


# What leaves the numbers, at the end: a Python number, truth values, whole numbers.


def of_nearest(operator: Any) -> Callable[..., Any]:
    return lambda numbers, x, *args, **kwargs: operator(numbers.values(x)[0], *args, **kwargs)


RULES.table(
    {
        "max.dim": pick_by(torch.max),
        "min.dim": pick_by(torch.min),
        "median.dim": pick_by(torch.median),
        "mode": pick_by(torch.mode),
        "kthvalue": lambda n, x, k, dim=-1, keepdim=False: picked(
            n, x, dim, keepdim, lambda ranks, dim, keepdim: torch.kthvalue(ranks, k, dim, keepdim)
        ),
        "amax max.default": extreme_by(torch.max),
        "amin min.default": extreme_by(torch.min),
        "median.default": extreme_by(torch.median),
        "argmax": place_by(torch.max),
        "argmin": place_by(torch.min),
        "sort.default sort.stable": sort,
        "topk": lambda n, x, k, dim=-1, largest=True, sorted=True: first_sorted(n, x, k, dim, largest),  # noqa: A006
        "cummax": partial(running, pick=torch.cummax),
        "cummin": partial(running, pick=torch.cummin),
        "_local_scalar_dense": lambda n, x: float(n.values(x)[0]),
    }
)
RULES.of_each(of_nearest, "isnan", "isinf", "isfinite", "isneginf", "isposinf")
