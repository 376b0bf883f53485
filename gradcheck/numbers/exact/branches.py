"""Operators whose result hangs on a comparison: which entry is larger, which sign it has."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

import numpy as np
import torch
from flint import arb
from torch import Tensor

from gradcheck.numbers.dispatch import overloads
from gradcheck.numbers.exact.system import RULES, Exact, ExactTensor

aten = torch.ops.aten
rule = RULES.rule

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


def signs(numbers: Exact, x: Any, y: Any) -> Tensor:
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


def compare_by(name: str) -> Callable[[Exact, Any, Any], Tensor]:
    near, far = COMPARISONS[name], COMPARISONS[ACROSS.get(name, name)]
    return lambda numbers, x, y: (far if numbers.flip else near)(signs(numbers, x, y))


for _name in COMPARISONS:
    rule(f"{_name}.Tensor", f"{_name}.Scalar")(compare_by(_name))


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


@rule("maximum", "max.other", "fmax", "clamp_min")
def maximum(numbers: Exact, x: Any, y: Any) -> ExactTensor:
    return chosen(numbers, x, y, 1)


@rule("minimum", "min.other", "fmin", "clamp_max")
def minimum(numbers: Exact, x: Any, y: Any) -> ExactTensor:
    return chosen(numbers, x, y, -1)


@rule("relu")
def relu(numbers: Exact, x: Any) -> ExactTensor:
    return chosen(numbers, x, 0, 1)


@rule("clamp")
def clamp(numbers: Exact, x: Any, min: Any = None, max: Any = None) -> ExactTensor:  # noqa: A002
    raised = x if min is None else chosen(numbers, x, min, 1)
    return ExactTensor(numbers.handles(raised)) if max is None else chosen(numbers, raised, max, -1)


@rule("threshold_backward")
def threshold_backward(numbers: Exact, g: Any, x: Any, threshold: float) -> ExactTensor:
    passes = COMPARISONS["ge" if numbers.flip else "gt"](signs(numbers, x, threshold))
    return ExactTensor(torch.where(passes, numbers.handles(g), 0))


@rule("softshrink_backward", "hardshrink_backward")
def shrink_backward(numbers: Exact, g: Any, x: Any, lambd: float) -> ExactTensor:
    apart = (signs(numbers, x, lambd) == 1) | (signs(numbers, x, -lambd) == -1)
    return ExactTensor(torch.where(apart, numbers.handles(g), 0))


@rule("sign", "sgn")
def sign(numbers: Exact, x: Any) -> ExactTensor:
    return numbers.constant(signs(numbers, x, 0).double())


@rule("logical_not")
def logical_not(numbers: Exact, x: Any) -> Tensor:
    return signs(numbers, x, 0) == 0


@rule("nonzero")
def nonzero(numbers: Exact, x: Any) -> Tensor:
    return (signs(numbers, x, 0) != 0).nonzero()


def of_truth_values(operator: Any) -> Callable[..., Any]:
    """An operator that only asks which entries are 0."""

    def computed(numbers: Exact, *args: Any, **kwargs: Any) -> Any:
        plain = [signs(numbers, arg, 0) != 0 if isinstance(arg, ExactTensor) else arg for arg in args]
        return operator(*plain, **kwargs)

    return computed


for _operator in overloads("any", "all", "count_nonzero", "logical_and", "logical_or", "logical_xor"):
    RULES[_operator] = of_truth_values(_operator)


# Rounding to whole numbers: steps, with ties at their edges.


def step(function: Callable[[arb], arb]) -> Callable[[Exact, Any], ExactTensor]:
    def computed(numbers: Exact, x: Any) -> ExactTensor:
        before = numbers.balls(x)
        after = np.asarray(np.frompyfunc(function, 1, 1)(before), dtype=object)
        numbers.ties += int(np.sum(np.frompyfunc(lambda ball: not ball.is_exact(), 1, 1)(after)))
        return numbers.keep(after)

    return computed


def truncated(ball: arb) -> arb:
    return ball.ceil() if ball < 0 else ball.floor()


def rounded(ball: arb) -> arb:
    below = (ball + arb(1) / 2).floor()
    return below - 1 if (ball - below) * 2 == -1 and not (below / 2).is_integer() else below


rule("floor")(step(arb.floor))
rule("ceil")(step(arb.ceil))
rule("trunc")(step(truncated))
rule("round.default")(step(rounded))


@rule("div.Tensor_mode", "div.Scalar_mode")
def divide_rounded(numbers: Exact, x: Any, y: Any, rounding_mode: str | None = None) -> ExactTensor:
    quotient = numbers.keep(numbers.balls(x) / numbers.balls(y))
    if rounding_mode is None:
        return quotient
    return step(arb.floor if rounding_mode == "floor" else truncated)(numbers, quotient)


@rule("remainder.Tensor", "remainder.Scalar", "remainder.Scalar_Tensor")
def remainder(numbers: Exact, x: Any, y: Any) -> ExactTensor:
    whole = divide_rounded(numbers, x, y, "floor")
    return numbers.keep(numbers.balls(x) - numbers.balls(whole) * numbers.balls(y))


@rule("fmod.Tensor", "fmod.Scalar")
def fmod(numbers: Exact, x: Any, y: Any) -> ExactTensor:
    whole = divide_rounded(numbers, x, y, "trunc")
    return numbers.keep(numbers.balls(x) - numbers.balls(whole) * numbers.balls(y))


# torch's definition: what lies beyond the threshold is left as it is.


def softplus_of(x: arb, beta: arb, threshold: arb) -> arb:
    return x if x * beta > threshold else (x * beta).exp().log1p() / beta


def softplus_backward_of(g: arb, x: arb, beta: arb, threshold: arb) -> arb:
    return g if x * beta > threshold else g / (1 + (-x * beta).exp())


SOFTPLUS = np.frompyfunc(softplus_of, 3, 1)
SOFTPLUS_BACKWARD = np.frompyfunc(softplus_backward_of, 4, 1)


@rule("softplus")
def softplus(numbers: Exact, x: Any, beta: float = 1, threshold: float = 20) -> ExactTensor:
    return numbers.keep(SOFTPLUS(numbers.balls(x), numbers.balls(beta), numbers.balls(threshold)))


@rule("softplus_backward")
def softplus_backward(numbers: Exact, g: Any, x: Any, beta: float, threshold: float) -> ExactTensor:
    return numbers.keep(
        SOFTPLUS_BACKWARD(numbers.balls(g), numbers.balls(x), numbers.balls(beta), numbers.balls(threshold))
    )


# Order: torch sorts, and picks the largest, by ranks in place of balls.

FLOAT = np.frompyfunc(float, 1, 1)


def by_middle(x: arb, y: arb) -> int:
    return -1 if x.mid() < y.mid() else int(x.mid() > y.mid())


def ranked(numbers: Exact, x: ExactTensor) -> tuple[Tensor, Tensor]:
    """A rank for each entry, equal for what cannot be told apart, and the handles to pick from.

    Where several balls overlap, each of them stands for one around all.
    """
    balls = numbers.balls(x).reshape(-1)
    keys = np.asarray(FLOAT(balls), dtype=np.float64)
    order = np.argsort(keys, kind="stable")
    in_order = sort_equal_keys(balls, keys, order)
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


def sort_equal_keys(balls: Any, keys: Any, order: Any) -> list[int]:
    """Places by the balls' middles, where `order` knows them only as far as float64 does."""
    places: list[int] = order.tolist()
    start = 0
    for end in range(1, len(places) + 1):
        if end == len(places) or keys[places[end]] != keys[places[start]]:
            if end - start > 1:
                places[start:end] = sorted(
                    places[start:end], key=cmp_to_key(lambda a, b: by_middle(balls[a], balls[b]))
                )
            start = end
    return places


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


@rule("max.dim")
def max_along(numbers: Exact, x: ExactTensor, dim: int, keepdim: bool = False) -> tuple[Any, Tensor]:
    return picked(numbers, x, dim, keepdim, torch.max)


@rule("min.dim")
def min_along(numbers: Exact, x: ExactTensor, dim: int, keepdim: bool = False) -> tuple[Any, Tensor]:
    return picked(numbers, x, dim, keepdim, torch.min)


@rule("median.dim")
def median_along(numbers: Exact, x: ExactTensor, dim: int, keepdim: bool = False) -> tuple[Any, Tensor]:
    return picked(numbers, x, dim, keepdim, torch.median)


@rule("mode")
def mode_along(numbers: Exact, x: ExactTensor, dim: int = -1, keepdim: bool = False) -> tuple[Any, Tensor]:
    return picked(numbers, x, dim, keepdim, torch.mode)


@rule("kthvalue")
def kth_value(numbers: Exact, x: ExactTensor, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Any, Tensor]:
    return picked(numbers, x, dim, keepdim, lambda ranks, dim, keepdim: torch.kthvalue(ranks, k, dim, keepdim))


def several(x: Any, dim: Any) -> tuple[int, ...]:
    """The axes that torch means; a single number has none."""
    if dim is None or (isinstance(dim, list | tuple) and not dim) or x.dim() == 0:
        return tuple(range(x.dim()))
    return tuple(d % x.dim() for d in (dim if isinstance(dim, list | tuple) else (dim,)))


def extreme(numbers: Exact, x: ExactTensor, dim: Any, keepdim: bool, pick: Callable[..., Any]) -> ExactTensor:
    """The largest or smallest over several dimensions."""
    dims = several(x, dim)
    kept = [d for d in range(x.dim()) if d not in dims]
    rows = ExactTensor(x.handles.permute([*kept, *dims]).reshape([*(x.shape[d] for d in kept), -1]))
    values, _ = picked(numbers, rows, -1, False, pick)
    if not keepdim:
        return ExactTensor(values.handles)
    return ExactTensor(values.handles.reshape([1 if d in dims else x.shape[d] for d in range(x.dim())]))


@rule("amax", "max.default")
def largest(numbers: Exact, x: ExactTensor, dim: Any = (), keepdim: bool = False) -> ExactTensor:
    return extreme(numbers, x, dim, keepdim, torch.max)


@rule("amin", "min.default")
def smallest(numbers: Exact, x: ExactTensor, dim: Any = (), keepdim: bool = False) -> ExactTensor:
    return extreme(numbers, x, dim, keepdim, torch.min)


@rule("median.default")
def median(numbers: Exact, x: ExactTensor) -> ExactTensor:
    return extreme(numbers, x, (), False, torch.median)


@rule("aminmax")
def smallest_and_largest(numbers: Exact, x: ExactTensor, *, dim: Any = None, keepdim: bool = False) -> tuple[Any, Any]:
    return extreme(numbers, x, dim, keepdim, torch.min), extreme(numbers, x, dim, keepdim, torch.max)


@rule("argmax")
def place_of_largest(numbers: Exact, x: ExactTensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return place(numbers, x, dim, keepdim, torch.max)


@rule("argmin")
def place_of_smallest(numbers: Exact, x: ExactTensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return place(numbers, x, dim, keepdim, torch.min)


def place(numbers: Exact, x: ExactTensor, dim: int | None, keepdim: bool, pick: Callable[..., Any]) -> Tensor:
    if dim is not None:
        return picked(numbers, x, dim, keepdim, pick)[1]
    indices = picked(numbers, ExactTensor(x.handles.reshape(-1)), 0, False, pick)[1]
    return indices.reshape([1] * x.dim()) if keepdim else indices


@rule("sort.default", "sort.stable")
def sort(
    numbers: Exact, x: ExactTensor, dim: int = -1, descending: bool = False, stable: bool | None = None
) -> tuple[ExactTensor, Tensor]:
    return first_sorted(numbers, x, x.shape[dim] if x.dim() else 1, dim, descending)


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


@rule("argsort.default", "argsort.stable")
def argsort(numbers: Exact, x: ExactTensor, dim: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    indices: Tensor = sort(numbers, x, dim, descending)[1]
    return indices


@rule("topk")
def top_k(
    numbers: Exact,
    x: ExactTensor,
    k: int,
    dim: int = -1,
    largest: bool = True,
    sorted: bool = True,  # noqa: A002
) -> tuple[ExactTensor, Tensor]:
    return first_sorted(numbers, x, k, dim, largest)


@rule("cummax")
def running_largest(numbers: Exact, x: ExactTensor, dim: int) -> tuple[ExactTensor, Tensor]:
    return running(numbers, x, dim, torch.cummax)


@rule("cummin")
def running_smallest(numbers: Exact, x: ExactTensor, dim: int) -> tuple[ExactTensor, Tensor]:
    return running(numbers, x, dim, torch.cummin)


def running(numbers: Exact, x: ExactTensor, dim: int, pick: Callable[..., Any]) -> tuple[ExactTensor, Tensor]:
    ranks, handles = ranked(numbers, x)
    best, indices = pick(ranks, dim)
    if x.dim():
        numbers.ties += int(((ranks == best) & (x.handles != torch.gather(x.handles, dim, indices))).sum())
        handles = torch.gather(handles, dim, indices)
    return ExactTensor(handles), indices


# What leaves the numbers: a Python number, truth values, whole numbers.


@rule("_local_scalar_dense")
def python_number(numbers: Exact, x: ExactTensor) -> float:
    return float(numbers.values(x)[0])


def of_nearest(operator: Any) -> Callable[..., Any]:
    return lambda numbers, x, *args, **kwargs: operator(numbers.values(x)[0], *args, **kwargs)


for _operator in overloads("isnan", "isinf", "isfinite", "isneginf", "isposinf"):
    RULES[_operator] = of_nearest(_operator)
