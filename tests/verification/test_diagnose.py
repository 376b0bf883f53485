"""A wrong gradient is named by its mistake, whatever the function and the dtype; what only looks like one is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gradcheck.verification.diagnose import Observed, diagnose
from gradcheck.verification.facts import Mistake, Quantity
from gradcheck.verification.reference import Ground
from gradcheck.verification.truth import Around, PlainRun, Truth

F64, F32, B16 = torch.float64, torch.float32, torch.bfloat16

Tensors = dict[str, Tensor]
Backward = Callable[..., Tensor]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=F64)


def observe(
    function: Callable[..., Any],
    tensors: Tensors,
    wrt: str,
    backward: Backward,
    dtype: torch.dtype = F64,
    *,
    cotangent: Tensor | None = None,
    kind: Any = "dense",
    **more: Any,
) -> Observed:
    """What `backward(g, **tensors)` gives in its dtype, beside what bounded numbers make of the function: the gradient
    by `wrt`, or the output of that number.
    """
    given = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    ground = Ground("it", lambda named: function(**named))
    shape = PlainRun(ground, given, tuple(given)).outputs[0].shape
    g = (normal(*shape, seed=7) if cotangent is None else cotangent).to(dtype)
    truth = Truth(ground, given, tuple(given), dtype, fused=False, seed=0)
    cotangents = (g,)
    answers, plain = truth.answers(cotangents), truth.plain
    if wrt.isdigit():
        right, quantity = answers.outputs[int(wrt)], Quantity("output", "" if len(answers.outputs) == 1 else wrt)
    else:
        right, quantity = truth.hull(cotangents, wrt), Quantity("gradient", wrt)
    assert isinstance(right, Around)
    return Observed(
        quantity=quantity,
        cotangent=kind,
        dtype=dtype,
        got=backward(g, **given),
        low=right.low,
        high=right.high,
        radius=right.radius,
        cotangents=(g.double(),),
        inputs={name: tensor.double() for name, tensor in given.items()},
        outputs=tuple(each.detach() for each in plain.outputs),
        gradients=plain.pull((g,)),
        pull=lambda cotangents, other: (PlainRun(ground, other, tuple(other)) if other else plain).pull(cotangents),
        forward=lambda other: PlainRun(ground, other, ()).outputs,
        **more,
    )


# Functions, with inputs, and right gradients as people write them.


def softmax(x: Tensor) -> Tensor:
    return x.softmax(-1)


def of_softmax(g: Tensor, x: Tensor, *, mean: float = 1.0) -> Tensor:
    y = x.softmax(-1)
    return y * (g - mean * (g * y).sum(-1, keepdim=True))


def linear(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return x @ w.T + b


def layer_norm(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], w, b)


def of_layer_norm(g: Tensor, x: Tensor, w: Tensor, b: Tensor, *, first: float = 1.0, second: float = 1.0) -> Tensor:
    middle = x.mean(-1, keepdim=True)
    scale = ((x - middle).square().mean(-1, keepdim=True) + 1e-5).rsqrt()
    h, gw = (x - middle) * scale, g * w
    return scale * (gw - first * gw.mean(-1, keepdim=True) - second * h * (gw * h).mean(-1, keepdim=True))


def conv(x: Tensor, w: Tensor) -> Tensor:
    return F.conv1d(x, w)


def of_conv_w(g: Tensor, x: Tensor, w: Tensor) -> Tensor:
    return torch.einsum("nop,nipk->oik", g, x.unfold(2, w.shape[-1], 1))


def of_conv_x(g: Tensor, x: Tensor, w: Tensor, *, flip: bool = True) -> Tensor:
    padded = F.pad(g, (w.shape[-1] - 1, w.shape[-1] - 1)).unfold(2, w.shape[-1], 1)
    return torch.einsum("nopk,oik->nip", padded, w.flip(-1) if flip else w)


def mse(x: Tensor, t: Tensor) -> Tensor:
    return (x - t).square().mean()


def matmul(a: Tensor, b: Tensor) -> Tensor:
    return a @ b


def mul(a: Tensor, b: Tensor) -> Tensor:
    return a * b


def relu(x: Tensor) -> Tensor:
    return x.relu()


X = normal(25, 20)
SOFT = {"x": X}
LINEAR = {"x": X, "w": normal(12, 20), "b": normal(12)}
NORM = {"x": X * 1.3 + 0.4, "w": normal(20), "b": normal(20, seed=3)}
CONV = {"x": normal(5, 3, 17), "w": normal(4, 3, 5)}
SQUARE = {"a": normal(18, 18), "b": normal(18, 18, seed=1)}
LOSS = {"x": X, "t": normal(25, 20, seed=2)}


def first_rows(g: Tensor, rows: int) -> Tensor:
    return torch.cat([g[:rows], torch.zeros_like(g[rows:])])


def m(code: str, size: tuple[str, float] | None = None, **more: Any) -> dict[str, Any]:
    return {"code": code, **more, **({"size": size} if size else {})}


Row = tuple[Any, Tensors, str, Backward, dict[str, Any]]

TABLE: dict[str, Row] = {
    # What is done wrong: a function, its inputs, by which of them, the wrong backward, the mistake.
    "sign": (softmax, SOFT, "x", lambda g, x: -of_softmax(g, x), m("sign-flipped", factor=-1)),
    "zero": (softmax, SOFT, "x", lambda g, x: torch.zeros_like(x), m("returns-zero")),
    "twice": (softmax, SOFT, "x", lambda g, x: 2 * of_softmax(g, x), m("scaled-by-constant", factor=2)),
    "mean for sum": (
        *(linear, LINEAR, "b", lambda g, x, w, b: g.mean(0)),
        m("scaled-by-size", ("the number of rows of x", -1)),
    ),
    "sum for mean": (
        *(mse, LOSS, "x", lambda g, x, t: 2 * g * (x - t)),
        m("scaled-by-size", ("the number of entries of x", 1)),
    ),
    "mean over rows": (
        *(mse, LOSS, "x", lambda g, x, t: 2 * g * (x - t) / 25),
        m("scaled-by-size", ("the number of columns of x", 1)),
    ),
    "no two": (mse, LOSS, "t", lambda g, x, t: g * (t - x) / x.numel(), m("scaled-by-constant", factor=0.5)),
    "ones upstream": (
        *(matmul, SQUARE, "a", lambda g, a, b: torch.ones_like(g) @ b.T),
        m("assumes-ones-upstream"),
    ),
    "local derivative": (mul, SQUARE, "a", lambda g, a, b: b.clone(), m("missing-upstream")),
    "loss without upstream": (mse, LOSS, "x", lambda g, x, t: 2 * (x - t) / 500, m("missing-upstream")),
    "mean of g": (
        *(mul, SQUARE, "a", lambda g, a, b: g.mean(0) * b),
        m("changes-upstream", way="mean", axes=(0,)),
    ),
    "sum of g": (
        *(mul, SQUARE, "b", lambda g, a, b: a * g.sum(1, keepdim=True)),
        m("changes-upstream", way="sum", axes=(1,)),
    ),
    "absolute g": (matmul, SQUARE, "b", lambda g, a, b: a.T @ g.abs(), m("changes-upstream", way="absolute")),
    "clipped g": (matmul, SQUARE, "a", lambda g, a, b: g.clamp(-1, 1) @ b.T, m("changes-upstream", way="clipped")),
    "clipped result": (
        *(matmul, SQUARE, "a", lambda g, a, b: (g @ b.T).clamp(-2.5, 2.5)),
        m("changes-upstream", way="clipped", part="result"),
    ),
    "no signs": (matmul, SQUARE, "a", lambda g, a, b: (g @ b.T).abs(), m("sign-flipped", way="absolute")),
    "g itself": (softmax, SOFT, "x", lambda g, x: g.clone(), m("missing-derivative")),
    "no mask": (relu, SOFT, "x", lambda g, x: g.clone(), m("missing-mask")),
    "turned mask": (relu, SOFT, "x", lambda g, x: g * (x < 0), m("wrong-mask")),
    "mask of g": (relu, SOFT, "x", lambda g, x: g * (g > 0), m("mask-from-upstream")),
    "other gradient": (mul, SQUARE, "a", lambda g, a, b: g * a, m("swapped-gradients", name="b")),
    "minus the other": (mul, SQUARE, "a", lambda g, a, b: -g * a, m("swapped-gradients", name="b", factor=-1)),
    "transposed": (matmul, SQUARE, "b", lambda g, a, b: (a.T @ g).T, m("transposed", axes=(0, 1))),
    "transposed shape": (linear, LINEAR, "w", lambda g, x, w, b: x.T @ g, m("transposed", axes=(0, 1))),
    "no reduction": (linear, LINEAR, "b", lambda g, x, w, b: g.clone(), m("missing-reduction", axes=(0,))),
    "first row only": (
        *(linear, LINEAR, "w", lambda g, x, w, b: g[:1].T @ x[:1]),
        m("missing-reduction", way="first", axes=(0,)),
    ),
    "last row only": (
        *(linear, LINEAR, "w", lambda g, x, w, b: g[-1:].T @ x[-1:]),
        m("overwritten-not-accumulated", way="last", axes=(0,)),
    ),
    "without a remainder": (
        *(linear, LINEAR, "w", lambda g, x, w, b: first_rows(g, 24).T @ x),
        m("missing-term", way="all-but-last", axes=(0,)),
    ),
    "a block only": (
        *(linear, LINEAR, "b", lambda g, x, w, b: g[:16].sum(0)),
        m("missing-term", way="below", axes=(0,)),
    ),
    "summed": (
        *(linear, LINEAR, "x", lambda g, x, w, b: (g @ w).sum(0).expand(x.shape)),
        m("extra-reduction", way="sum", axes=(0,)),
    ),
    "summed away": (
        *(linear, LINEAR, "x", lambda g, x, w, b: (g @ w).sum(0)),
        m("extra-reduction", way="sum", axes=(0,)),
    ),
    "averaged": (
        *(linear, LINEAR, "w", lambda g, x, w, b: (g.T @ x).mean(1, keepdim=True).expand(w.shape)),
        m("extra-reduction", way="mean", axes=(1,)),
    ),
    "reversed": (
        *(conv, CONV, "w", lambda g, x, w: of_conv_w(g, x, w).flip(-1)),
        m("wrong-index", way="reversed", axes=(2,)),
    ),
    "shifted": (
        *(conv, CONV, "x", lambda g, x, w: of_conv_x(g, x, w).roll(1, 2)),
        m("wrong-index", way="shifted", axes=(2,)),
    ),
    "exchanged": (
        *(linear, LINEAR, "x", lambda g, x, w, b: (g @ w)[[0, 4, 2, 3, 1, *range(5, 25)]]),
        m("wrong-index", way="exchanged", axes=(0,)),
    ),
    "permuted": (
        *(layer_norm, NORM, "x", lambda g, x, w, b: of_layer_norm(g, x, w, b)[torch.arange(25) * 7 % 25]),
        m("wrong-index", way="permuted", axes=(0,)),
    ),
    "copied": (
        *(softmax, SOFT, "x", lambda g, x: of_softmax(g, x)[[*range(24), 0]]),
        m("wrong-index", way="copied", axes=(0,)),
    ),
    "softmax's mean": (
        *(softmax, SOFT, "x", lambda g, x: of_softmax(g, x, mean=0.0)),
        m("missing-term", way="along", axes=(1,), name="output"),
    ),
    "norm's mean": (
        *(layer_norm, NORM, "x", lambda g, x, w, b: of_layer_norm(g, x, w, b, first=0.0)),
        m("missing-term", way="along", axes=(1,), name=""),
    ),
    "norm's projection": (
        *(layer_norm, NORM, "x", lambda g, x, w, b: of_layer_norm(g, x, w, b, second=0.0)),
        m("missing-term", way="along", axes=(1,), name="x"),
    ),
    "norm's weight": (
        *(layer_norm, NORM, "x", lambda g, x, w, b: of_layer_norm(g, x, torch.ones_like(w), b)),
        m("ignores-argument", name="w"),
    ),
    "norm's scale": (
        *(layer_norm, NORM, "x", lambda g, x, w, b: of_layer_norm(g, x, w, b) * x.std(-1, keepdim=True)),
        m("missing-term", way="factor", axes=(1,)),
    ),
    "weight decay": (
        *(linear, LINEAR, "w", lambda g, x, w, b: g.T @ x + 0.5 * w),
        m("extra-term", way="offset", name="w"),
    ),
    "constant": (linear, LINEAR, "x", lambda g, x, w, b: g @ w + 3, m("extra-term", way="offset", name="")),
    "factor too many": (mul, SQUARE, "a", lambda g, a, b: g * a * b, m("extra-term", way="factor", name="a")),
    "diagonal": (
        *(softmax, {"x": 2 * X}, "x", lambda g, x: x.softmax(-1) * (1 - x.softmax(-1)) * g),
        m("diagonal-only"),
    ),
    "other axis": (softmax, SOFT, "x", lambda g, x: of_softmax(g.T, x.T).T, m("wrong-axis", axes=(0,))),
    "last row zero": (linear, LINEAR, "x", lambda g, x, w, b: first_rows(g @ w, 24), m("returns-zero")),
    "half the signs": (
        *(mul, SQUARE, "a", lambda g, a, b: g * b * (1 - 2 * (torch.arange(18) % 2)).to(g.dtype)),
        m("sign-flipped", factor=-1),
    ),
    "two at once": (
        *(matmul, SQUARE, "a", lambda g, a, b: -2 * torch.ones_like(g) @ b.T),
        m("assumes-ones-upstream", factor=-2),
    ),
}


def told(mistake: Mistake | None) -> dict[str, Any]:
    assert mistake is not None
    found: dict[str, Any] = {key: getattr(mistake, key) for key in ("code", "way", "axes", "name", "part", "dtype")}
    if mistake.factor is not None:
        found["factor"] = mistake.factor.value
        if mistake.factor.sizes:
            found["size"] = mistake.factor.sizes[0].size, mistake.factor.sizes[0].exponent
    return found


@pytest.mark.parametrize("dtype", [F64, F32, B16], ids=str)
@pytest.mark.parametrize("name", TABLE)
def test_a_mistake_is_named(name: str, dtype: torch.dtype) -> None:
    function, tensors, wrt, backward, wanted = TABLE[name]
    found = told(diagnose(observe(function, tensors, wrt, backward, dtype)))
    assert {key: found.get(key) for key in wanted} == wanted
