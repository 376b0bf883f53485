"""A wrong gradient is named by its mistake, whatever the function and the dtype; what only looks like one is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gradcheck.operators.normalising import SOFTMAX
from gradcheck.verification.diagnose import diagnose
from gradcheck.verification.facts import Mistake, Quantity
from gradcheck.verification.reference import Ground
from gradcheck.verification.sight import Observed, entries_of, fit
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
    plain = truth.plain
    cotangents = g, *(None for _ in plain.outputs[1:])
    if wrt.isdigit():
        outputs = truth.answers(cotangents).outputs
        right, quantity = outputs[int(wrt)], Quantity("output", "" if len(outputs) == 1 else wrt)
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
        cotangents=(g.double(), *cotangents[1:]),
        inputs={name: tensor.double() for name, tensor in given.items()},
        outputs=tuple(each.detach() for each in plain.outputs),
        gradients=plain.pull(cotangents),
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


def cube(x: Tensor) -> Tensor:
    return x**3


def image_bias(x: Tensor, b: Tensor) -> Tensor:
    return x + b[:, None, None]


def of_softmax_with_a_sum_in_bfloat16(g: Tensor, x: Tensor) -> Tensor:
    y = x.softmax(-1)
    return y * (g - (g * y).bfloat16().sum(-1, keepdim=True).to(g.dtype))


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
    "mean over images": (
        *(image_bias, {"x": normal(3, 5, 4, 4), "b": normal(5)}, "b", lambda g, x, b: g.mean((0, 2, 3))),
        m("scaled-by-size", ("the number of entries of x at each place of axis 1", -1)),
    ),
    "one of the sizes": (
        *(softmax, {"x": X[:4, :8]}, "x", lambda g, x: of_softmax(g, x) / 8),
        m("scaled-by-size", ("the number of columns of x", -1)),
    ),
    "half of the rows": (
        *(linear, LINEAR, "w", lambda g, x, w, b: g[16:].T @ x[16:]),
        m("overwritten-not-accumulated", way="from", axes=(0,), at=16),
    ),
    "absolute g of a cube": (
        *(cube, SOFT, "x", lambda g, x: 3 * g.abs() * x**2),
        m("changes-upstream", way="absolute"),
    ),
    "another precision of a sum": (
        *(softmax, SOFT, "x", of_softmax_with_a_sum_in_bfloat16),
        m("low-precision", dtype="bfloat16"),
    ),
    "a mask in part": (
        *(relu, SOFT, "x", lambda g, x: torch.where(torch.arange(20) < 9, g, g * (x > 0))),
        m("missing-mask"),
    ),
    "a constant with too few digits": (
        *(torch.sin, {"input": X}, "input", lambda g, **named: g * named["input"].cos() * (1 + 3e-8)),
        m("low-precision", dtype="float32"),
    ),
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
        *(softmax, SOFT, "x", lambda g, x: x.softmax(-1) * (1 - x.softmax(-1)) * g),
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


HIDDEN = {"another precision of a sum": (B16,), "a constant with too few digits": (F32, B16)}


def told(mistake: Mistake | None) -> dict[str, Any]:
    assert mistake is not None
    found: dict[str, Any] = {
        key: getattr(mistake, key) for key in ("code", "way", "axes", "name", "part", "dtype", "at")
    }
    if mistake.factor is not None:
        found["factor"] = mistake.factor.value
        if mistake.factor.sizes:
            found["size"] = mistake.factor.sizes[0].size, mistake.factor.sizes[0].exponent
    return found


@pytest.mark.parametrize("dtype", [F64, F32, B16], ids=str)
@pytest.mark.parametrize("name", TABLE)
def test_a_mistake_is_named(name: str, dtype: torch.dtype) -> None:
    function, tensors, wrt, backward, wanted = TABLE[name]
    if dtype in HIDDEN.get(name, ()):
        pytest.skip("smaller than what this dtype rounds")
    found = told(diagnose(observe(function, tensors, wrt, backward, dtype)))
    assert {key: found.get(key) for key in wanted} == wanted


# What must not be named, or by another name.


def scattered(g: Tensor, *like: Tensor) -> Tensor:
    return normal(*like[0].shape, seed=11).to(g.dtype)


def one_off(right: Tensor) -> Tensor:
    right = right.clone()
    right[2, 3] += 0.75
    return right


FLAT = {"x": normal(9, 1)}
ONE = {"a": normal(1, 1), "b": normal(1, 1, seed=4)}
EVEN = {"x": X[:2]}


def symmetric(x: Tensor) -> Tensor:
    return (x @ x.T).square().sum()


NAMELESS: dict[str, Row] = {
    "nonsense": (softmax, SOFT, "x", lambda g, x: scattered(g, x), m("")),
    "nonsense for a parameter": (linear, LINEAR, "w", lambda g, x, w, b: scattered(g, w), m("")),
    "nonsense for a bias": (layer_norm, NORM, "b", lambda g, x, w, b: scattered(g, b), m("")),
    "nonsense where nothing flows": (softmax, FLAT, "x", lambda g, x: scattered(g, x).abs() + 1, m("")),
    "one number": (matmul, ONE, "a", lambda g, a, b: 1.377 * g @ b.T, m("")),
    "one number that is near another": (mul, ONE, "a", lambda g, a, b: 1.01 * b, m("")),
    "a few per cent": (mul, SQUARE, "a", lambda g, a, b: g * b * (1 + 0.04 * scattered(g, a).tanh()), m("")),
    "one entry": (softmax, SOFT, "x", lambda g, x: one_off(of_softmax(g, x)), m("")),
    "one entry of a product": (mul, SQUARE, "a", lambda g, a, b: one_off(g * b), m("")),
    "half as nonsense": (mul, SQUARE, "a", lambda g, a, b: first_rows(g * b, 9) + scattered(g, a), m("")),
    "right": (softmax, SOFT, "x", of_softmax, m("")),
    "no flip": (conv, CONV, "x", lambda g, x, w: of_conv_x(g, x, w, flip=False), m("")),
    "twice, of two rows": (softmax, EVEN, "x", lambda g, x: 2 * of_softmax(g, x), m("scaled-by-constant", factor=2)),
    "sign of a difference": (torch.sub, {"input": X, "other": X + 1}, "other", lambda g, **_: g, m("sign-flipped")),
    "a symmetric one, twice": (
        *(symmetric, {"x": (X[:20] + X[:20].T) / 4}, "x", lambda g, x: 8 * (g * x @ x.T @ x).T),
        m("scaled-by-constant", factor=2),
    ),
    "a single sample": (softmax, {"x": X[:1]}, "x", lambda g, x: -of_softmax(g, x), m("sign-flipped", axes=())),
}


@pytest.mark.parametrize("dtype", [F64, F32, B16], ids=str)
@pytest.mark.parametrize("name", NAMELESS)
def test_what_only_looks_like_a_mistake_has_no_name(name: str, dtype: torch.dtype) -> None:
    function, tensors, wrt, backward, wanted = NAMELESS[name]
    found = diagnose(observe(function, tensors, wrt, backward, dtype))
    if wanted["code"]:
        assert {key: told(found).get(key) for key in wanted} == wanted
    else:
        assert found is None, found


def test_errors_that_vanish_when_squared_tell_nothing() -> None:
    tiny = torch.full((3,), 1e-170, dtype=F64)
    assert fit(0 * tiny, tiny, torch.ones_like(tiny), 2.0**-53) is None


# What is said without the numbers.


@pytest.mark.parametrize(("low", "dtype"), [(F32, F64), (B16, F64), (B16, F32)])
def test_a_narrower_dtype_on_the_way_is_named(low: torch.dtype, dtype: torch.dtype) -> None:
    def at_the_end(g: Tensor, x: Tensor) -> Tensor:
        return of_softmax(g, x).to(low).to(g.dtype)

    def on_the_way(g: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return (g.to(low) @ w.to(low)).to(g.dtype) * (1 + torch.finfo(dtype).eps)

    wanted = {"code": "low-precision", "dtype": str(low).removeprefix("torch.")}
    for function, tensors, backward in ((softmax, SOFT, at_the_end), (linear, LINEAR, on_the_way)):
        found = told(diagnose(observe(function, tensors, "x", backward, dtype)))
        assert {key: found[key] for key in wanted} == wanted


def test_a_few_wrong_entries_are_no_matter_of_precision() -> None:
    def rounded(g: Tensor, x: Tensor) -> Tensor:
        right = of_softmax(g, x)
        return torch.where(torch.arange(20) < 2, right.float().double(), right)

    assert diagnose(observe(softmax, SOFT, "x", rounded)) is None


@pytest.mark.parametrize("dtype", [F64, F32, B16], ids=str)
def test_what_is_wrong_at_kinks_only(dtype: torch.dtype) -> None:
    x = X.clone()
    x[3:5] = 0.0

    def doubled(g: Tensor, x: Tensor) -> Tensor:
        return torch.where(x == 0, 2 * g, g * (x > 0))

    assert told(diagnose(observe(relu, {"x": x}, "x", doubled, dtype)))["code"] == "kink"


def test_not_a_number_at_zeros_only_is_a_kink() -> None:
    x = X.clone()
    x[0, :3] = 0.0
    observed = observe(lambda x: x.square(), {"x": x}, "x", lambda g, x: 2 * g * x * x / x)
    assert told(diagnose(observed))["code"] == "kink"


@pytest.mark.parametrize(("factor", "code"), [(1.0, "not-finite"), (500.0, "unstable")])
def test_what_is_not_finite(factor: float, code: str) -> None:
    observed = observe(softmax, {"x": X * factor}, "x", lambda g, x: g * x * torch.inf * 0)
    assert told(diagnose(observed))["code"] == code


def test_a_gradient_that_is_right_for_the_same_numbers_in_order_depends_on_memory() -> None:
    def flat(g: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return g.T.reshape(g.shape) @ w

    for kind, way in (("non-contiguous", ""), ("expanded", "expanded")):
        observed = observe(linear, LINEAR, "x", flat, kind=kind, right_for=frozenset({"dense"}))
        assert diagnose(observed) == Mistake("non-contiguous", way=way)
    observed = observe(linear, LINEAR, "x", flat, kind="non-contiguous")
    assert told(diagnose(observed) or Mistake("none"))["code"] != "non-contiguous"


def test_an_output_is_named_too() -> None:
    def both(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.sin(), x.cos()

    observed = observe(both, SOFT, "1", lambda g, x: x.sin())
    assert told(diagnose(observed))["name"] == "output 0"
    assert told(diagnose(observe(softmax, SOFT, "0", lambda g, x: -x.softmax(-1))))["code"] == "sign-flipped"
    observed = observe(layer_norm, NORM, "0", lambda g, x, w, b: F.layer_norm(x, (20,), None, b))
    assert told(diagnose(observed))["name"] == "w"


@pytest.mark.parametrize(
    ("backward", "wanted"),
    [
        (lambda g, x: of_softmax(g, x, mean=0.0), m("missing-term", way="drop-term")),
        (lambda g, x: of_softmax(g, x, mean=-1.0), m("sign-flipped", way="flip-sign")),
        (lambda g, x: g - (g * x.softmax(-1)).sum(-1, keepdim=True), m("missing-term", way="drop-factor")),
    ],
)
def test_with_a_formula_its_part_is_named(backward: Backward, wanted: dict[str, Any]) -> None:
    for dtype in (F64, F32):
        found = told(diagnose(observe(softmax, SOFT, "x", backward, dtype, operator=SOFTMAX)))
        assert {key: found.get(key) for key in wanted} == wanted
        assert found["part"]


def test_a_large_tensor_is_named_by_a_few_of_its_entries_first() -> None:
    """Other grad_outputs are tried along a few directions there."""
    large = {"a": normal(160, 160), "b": normal(160, 160, seed=2)}
    observed = observe(matmul, large, "a", lambda g, a, b: g.clamp(-1, 1) @ b.T)
    pulls = []

    def pull(*arguments: Any) -> Any:
        pulls.append(arguments)
        return observed.pull(*arguments)

    assert told(diagnose(replace(observed, pull=pull)))["way"] == "clipped"
    assert len(pulls) == 2  # all ones, and the right one


# Where.


def places(wrong: Tensor) -> list[tuple[str, int]]:
    zero = torch.zeros_like(wrong, dtype=F64)
    entries = entries_of(wrong.double(), zero - 3, zero - 0.5, zero, zero + 1)
    assert entries.wrong == int(wrong.sum())
    return [(each.range, each.start if each.range == "every" and each.start else each.at) for each in entries.along]


def test_where_along_each_axis() -> None:
    none = torch.zeros(6, 8, dtype=torch.bool)

    def at(rows: Any, columns: Any) -> list[tuple[str, int]]:
        wrong = none.clone()
        wrong[rows, columns] = True
        return places(wrong)

    every = slice(None)
    assert at(every, every) == [("all", 0), ("all", 0)]
    assert at(5, every) == [("last", 0), ("all", 0)]
    assert at(slice(0, 5), every) == [("all-but-last", 0), ("all", 0)]
    assert at(slice(1, 6), 0) == [("all-but-first", 0), ("first", 0)]
    assert at(2, 3) == [("only", 2), ("only", 3)]
    assert at(slice(4, 6), slice(0, 3)) == [("from", 4), ("below", 3)]
    assert at(every, slice(0, 8, 2)) == [("all", 0), ("every", 2)]
    assert at(every, slice(1, 8, 2)) == [("all", 0), ("every", 1)]
    assert at(every, [1, 2, 5]) == [("all", 0), ("some", 0)]
    assert at([0, 1, 2, 5], [1, 1, 2, 4]) == []  # nothing to be said
    assert at([3, 3, 3, 2], [1, 2, 5, 7]) == []
    assert at([5, 5, 4], [1, 2, 5]) == [("from", 4), ("some", 0)]
    assert places(torch.tensor([[True]])) == [("all", 0), ("all", 0)]
    assert places(torch.tensor([True, False])) == [("first", 0)]


def test_entries_that_tell_nothing_do_not_blur_where() -> None:
    truth = normal(6, 8)
    truth[5, 2] = 0.0
    got = truth.clone()
    got[5] *= -1
    entries = entries_of(got, truth, truth, torch.zeros_like(truth), 1e-9)
    assert (entries.wrong, [each.range for each in entries.along]) == (7, ["last", "all"])


def test_the_worst_entries_come_first() -> None:
    truth = normal(4, 5)
    got = truth.clone()
    got[1, 1] += 1e-3
    got[2, 3] = torch.nan
    got[0, 4] -= 2.0
    got[3, 0] += 7.0
    allowed = torch.full_like(truth, 1e-6)
    allowed[3, 0] = torch.inf  # not judged
    entries = entries_of(got, truth, truth + 0.5, allowed / 4, allowed)
    assert [each.index for each in entries.worst] == [(2, 3), (0, 4)]
    assert entries.worst[1].got == float(got[0, 4])
    assert (entries.worst[1].low, entries.worst[1].high) == (float(truth[0, 4]), float(truth[0, 4]) + 0.5)
    assert entries.total == 20
