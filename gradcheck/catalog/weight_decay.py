"""Penalties on the weights, and the step that makes them decay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function
from gradcheck.catalog.shared.weight_decay_misconceptions import WEIGHT_DECAY_MISCONCEPTIONS
from gradcheck.checks.reference import Edge, Reference
from gradcheck.checks.task import Property
from gradcheck.operators.tricks import L1_NORM, SQUARED_NORM

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.references.sweep import Sweep, Twin

ORDER = 3


def _weights(draw: Draw) -> dict[str, Any]:
    return {"w": draw.tensor(draw.size("rows"), draw.size("columns")), "alpha": draw.number(0.1, 2.0)}


def _nonzero(draw: Draw) -> dict[str, Any]:
    """At zero there are many right answers; `_subgradient` asks for those."""
    import numpy as np

    weights = _weights(draw)
    w = weights["w"]
    return weights | {"w": type(w)(np.where(w.values == 0, 1.0, w.values), w.dtype, w.layout)}


def _step(draw: Draw) -> dict[str, Any]:
    shape = draw.size("rows"), draw.size("columns")
    w, grad = draw.tensor(*shape), draw.tensor(*shape)
    return {"w": w, "grad": grad, "lr": draw.number(0.01, 0.5), "alpha": draw.number(0.1, 2.0)}


def _l2(sweep: Sweep, w: Twin, alpha: Twin) -> Twin:
    return sweep.vjp(SQUARED_NORM, alpha, w=w)["w"]


def _l1(sweep: Sweep, w: Twin, alpha: Twin) -> Twin:
    return sweep.vjp(L1_NORM, alpha, w=w)["w"]


def _decayed(sweep: Sweep, w: Twin, grad: Twin, lr: Twin, alpha: Twin) -> Twin:
    return w - lr * (grad + _l2(sweep, w, alpha))


def _shapes(draw: Any) -> Iterator[Edge]:
    for words, shape in _SHAPES:
        yield words, {"w": draw.tensor(*shape), "alpha": 0.3}
    yield "no decay", {"w": draw.tensor(3), "alpha": 0.0}
    yield "alpha = ½", {"w": draw.tensor(3), "alpha": 0.5}
    yield "alpha = 1, weights of ±1", {"w": draw.argument([[1, -1, 1], [-1, -1, 1]]), "alpha": 1.0}
    yield "a strong decay", {"w": draw.tensor(2, 3), "alpha": 40.0}


def _step_shapes(draw: Any) -> Iterator[Edge]:
    for words, shape in _SHAPES:
        yield words, {"w": draw.tensor(*shape), "grad": draw.tensor(*shape), "lr": 0.1, "alpha": 0.3}
    w, grad = draw.tensor(3), draw.tensor(3)
    for lr, alpha in ((0.1, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 2.0), (1.0, 0.0), (1.0, 0.5)):
        yield f"lr = {lr:g} and alpha = {alpha:g}", {"w": w, "grad": grad, "lr": lr, "alpha": alpha}


_SHAPES = (("no axis", ()), ("one axis", (5,)), ("three axes", (2, 3, 2)))


def _by_autograd(penalty: Any) -> Any:
    def gradient(w: Any, alpha: float) -> Any:
        leaf = w.clone().requires_grad_()
        (alpha * penalty(leaf)).backward()
        return leaf.grad

    return gradient


_l2_opinion = _by_autograd(lambda w: w.square().sum())


def _subgradient(ask: Any) -> str | None:
    """Where w is zero, any value from −alpha to alpha; beside it, ±alpha as ever."""
    import numpy as np

    for dtype, roundoff in (("float64", 2.0**-53), ("float32", 2.0**-24)):
        w = np.asarray([[0.0, -0.0, 2.0], [-3.0, 0.0, 1e-30]])
        for alpha, values in ((0.3, w), (1.5, w), (0.7, np.zeros(3)), (0.7, np.zeros(())), (0.0, w)):
            came = ask.value(ask.tensor(values, dtype), alpha)
            got = getattr(came, "values", None)
            if got is None or got.shape != values.shape or came.dtype != dtype:
                return "where w has zeros the gradient must still be a tensor like w"
            # alpha may have been rounded, and so may a product with it.
            slack = 4 * roundoff * alpha
            zero = values == 0
            if not (np.abs(got[zero]) <= alpha + slack).all():
                return "where w is 0, |w| has slopes between −1 and 1: the entry must lie between −alpha and alpha"
            if not (np.abs(got - alpha * np.sign(values))[~zero] <= slack).all():
                return "where another entry of w is 0, an entry that is not 0 gets the wrong gradient"
    return None


EXERCISE = Exercise(
    name="weight_decay",
    unit="06_tricks",
    title="Weight decay",
    functions=(
        function(
            "l2_gradient",
            "w",
            "alpha",
            reference=Reference(
                draw=_weights,
                compute=_l2,
                opinion=_l2_opinion,
                edges=_shapes,
                names="the gradient",
                what="the gradient of the penalty",
                source="lecture part B: weight decay, L2",
            ),
        ),
        function(
            "l1_gradient",
            "w",
            "alpha",
            reference=Reference(
                draw=_nonzero,
                compute=_l1,
                opinion=_by_autograd(lambda w: w.abs().sum()),
                edges=_shapes,
                names="the gradient",
                what="the gradient of the penalty",
                source="lecture part B: weight decay, L1",
            ),
            properties=(Property("subgradient", _subgradient),),
        ),
        function(
            "decayed_step",
            "w",
            "grad",
            "lr",
            "alpha",
            reference=Reference(
                draw=_step,
                compute=_decayed,
                opinion=lambda w, grad, lr, alpha: w - lr * (grad + _l2_opinion(w, alpha)),
                edges=_step_shapes,
                names="the new w",
                what="what one step against both gradients gives",
                source="lecture part B: weight decay",
            ),
        ),
    ),
    hints=(
        "How much does alpha · w_i² grow when w_i grows a little? And alpha · |w_i|, to the right of zero and to "
        "the left? Does the size of w_i matter there?",
        "Each penalty is a sum in which w_i stands in one term only. The step goes against the gradient of the "
        "whole cost: of the loss and of the penalty, both at the old w. Collect what has w.",
        "∂/∂w_i alpha Σ_k w_k² = alpha ∂(w_i²)/∂w_i, and with |w_k| in the place of w_k² the same. decayed_step: "
        "w_i ← w_i − lr (grad_i + ∂/∂w_i alpha Σ_k w_k²).",
    ),
    formula=(
        "l2_gradient:  ∂/∂w_i alpha Σ_k w_k² = 2 alpha w_i\n"
        "l1_gradient:  ∂/∂w_i alpha Σ_k |w_k| = alpha sign(w_i)\n"
        "              at w_i = 0: any value from −alpha to alpha\n"
        "decayed_step: w_i ← (1 − 2 lr alpha) w_i − lr grad_i"
    ),
    misconceptions=WEIGHT_DECAY_MISCONCEPTIONS,
)
