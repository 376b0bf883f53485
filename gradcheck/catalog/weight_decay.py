"""Penalties on the weights, and the step that makes them decay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.task import Edge, Property, Reference
from gradcheck.operators.structure import L1_NORM, SQUARED_NORM
from gradcheck.references import apply

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

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


def _l2(w: Tensor, alpha: Tensor) -> Tensor:
    return apply.vjp(SQUARED_NORM, alpha, w=w)["w"]


def _l1(w: Tensor, alpha: Tensor) -> Tensor:
    return apply.vjp(L1_NORM, alpha, w=w)["w"]


def _decayed(w: Tensor, grad: Tensor, lr: Tensor, alpha: Tensor) -> Tensor:
    return w - lr * (grad + _l2(w, alpha))


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
    about=About(
        statement=(
            "A penalty keeps weights from growing without need: L2 adds α Σ w² to the loss, L1 adds α Σ |w|. With L2 "
            "every weight decays a little at each update, as long as the loss does not hold it; L1 drives small "
            "weights all the way to zero. At 0 the L1 penalty has a kink, where any slope between those of its two "
            "sides is right."
        ),
        purpose=(
            "A setting of nearly every training run: of weights that fit the data equally well, it prefers the small "
            "ones."
        ),
        torch=("torch.optim.SGD", "torch.optim.AdamW"),
        idea=(
            "w² pulls the harder the larger w is, |w| equally hard everywhere. The step adds the penalty's gradient to "
            "the loss's, both at the old w, and w collects into one factor. SGD's weight_decay is 2 alpha."
        ),
        minutes=15,
        difficulty=1,
    ),
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
    misconceptions=(
        Misconception(
            "l2_gradient",
            "wrong-variable",
            "you returned the penalty's terms themselves: the square is not differentiated yet",
            lambda w, alpha: alpha * w.square(),
            "How steep is w² at w = 3?",
        ),
        Misconception(
            "l2_gradient",
            "wrong-function",
            "you took the gradient of the sum of absolute values: only signs are left",
            lambda w, alpha: alpha * w.sign(),
            "Is a square equally steep everywhere?",
        ),
        Misconception(
            "l2_gradient",
            "wrong-function",
            "you differentiated the length of w, with its root, not the sum of squares",
            lambda w, alpha: alpha * w / w.square().sum().sqrt(),
            "Is there a root in the penalty?",
        ),
        Misconception(
            "l2_gradient",
            "wrong-function",
            "you added 2 alpha to w where it multiplies",
            lambda w, alpha: 2 * alpha + w,
            "Which gradient has a weight of zero?",
        ),
        Misconception(
            "l1_gradient",
            "wrong-variable",
            "you returned the penalty's terms themselves: the absolute value is not differentiated yet",
            lambda w, alpha: alpha * w.abs(),
            "How much does |w| grow from 3 to 3.1, and from 100 to 100.1?",
        ),
        Misconception(
            "l1_gradient",
            "wrong-function",
            "you took the gradient of the sum of squares: large weights are pulled harder",
            lambda w, alpha: alpha * (w + w),
            "How much does |w| grow from 3 to 3.1, and from 100 to 100.1?",
        ),
        Misconception(
            "l1_gradient",
            "missing-derivative",
            "the gradient grows with w: you treated |w| like w times a number",
            lambda w, alpha: alpha * w,
            "How much does |w| grow from 3 to 3.1, and from 100 to 100.1?",
        ),
        Misconception(
            "l1_gradient",
            "sign-flipped",
            "the gradient is positive everywhere: the side on which w lies has no influence",
            lambda w, alpha: alpha + 0 * w,
            "w_i = −3 grows to −2.9. Does the penalty grow or shrink?",
        ),
        Misconception(
            "l1_gradient",
            "wrong-mask",
            "negative weights got no gradient: you took relu's slope for that of the absolute value",
            lambda w, alpha: alpha * (w > 0).to(w.dtype),
            "Is |w| flat to the left of zero?",
        ),
        Misconception(
            "l1_gradient",
            "wrong-function",
            "you divided w by the length of the whole vector: every weight depends on all others",
            lambda w, alpha: alpha * w / w.square().sum().sqrt(),
            "In how many terms of the sum does w_i stand?",
        ),
        Misconception(
            "l1_gradient",
            "wrong-function",
            "you cut w off at ±alpha: small weights are pulled less",
            lambda w, alpha: w.clamp(-alpha, alpha),
            "How much does |w| grow from 0.1 to 0.2?",
        ),
        Misconception(
            "decayed_step",
            "scaled-by-constant",
            "the decay is half as strong as it should be: the 2 of the square's slope is lost",
            lambda w, grad, lr, alpha: (1 - lr * alpha) * w - lr * grad,
            "What is the gradient of alpha · w²?",
        ),
        Misconception(
            "decayed_step",
            "ignores-learning-rate",
            "the decay does not depend on lr: it is subtracted beside the step",
            lambda w, grad, lr, alpha: (1 - 2 * alpha) * w - lr * grad,
            "The penalty is a part of the cost. With lr = 0, should w move?",
        ),
        Misconception(
            "decayed_step",
            "ignores-learning-rate",
            "each weight lost the fraction alpha, whatever lr is",
            lambda w, grad, lr, alpha: (1 - alpha) * w - lr * grad,
            "The penalty is a part of the cost. With lr = 0, should w move?",
        ),
        Misconception(
            "decayed_step",
            "ignores-learning-rate",
            "the loss's gradient is subtracted as it is: lr shrinks the decay alone",
            lambda w, grad, lr, alpha: (1 - 2 * lr * alpha) * w - grad,
            "With lr = 0, should w move?",
        ),
        Misconception(
            "decayed_step",
            "updated-too-early",
            "you let the weights decay after the step: the penalty's gradient is that of the new w",
            lambda w, grad, lr, alpha: (1 - 2 * lr * alpha) * (w - lr * grad),
            "At which w are both gradients taken?",
        ),
        Misconception(
            "decayed_step",
            "wrong-function",
            "you took the gradient of the sum of absolute values",
            lambda w, grad, lr, alpha: w - lr * (grad + alpha * w.sign()),
            "Which of the two penalties belongs to this step?",
        ),
        Misconception(
            "decayed_step",
            "ignores-argument",
            "you made the step on the loss alone: alpha has no influence",
            lambda w, grad, lr, _alpha: w - lr * grad,
            "grad is the gradient of the loss. Which term of the cost is not in it?",
        ),
        Misconception(
            "decayed_step",
            "ignores-argument",
            "the weights decay, and nothing else: grad has no influence",
            lambda w, _grad, lr, alpha: (1 - 2 * lr * alpha) * w,
            "Where does the step follow the loss?",
        ),
        Misconception(
            "decayed_step",
            "extra-term",
            "alpha multiplies the loss's gradient too",
            lambda w, grad, lr, alpha: w - lr * alpha * (grad + 2 * w),
            "With alpha = 0, is there no step at all?",
        ),
        Misconception(
            "decayed_step",
            "wrong-variable",
            "you subtracted the penalty's terms, not their slopes",
            lambda w, grad, lr, alpha: w - lr * (grad + alpha * w.square()),
            "In which direction should a negative weight be pulled?",
        ),
        Misconception(
            "decayed_step",
            "wrong-variable",
            "you added the penalty itself, one number, to the gradient",
            lambda w, grad, lr, alpha: w - lr * (grad + alpha * w.square().sum()),
            "A step goes against a gradient. What is the gradient of the penalty?",
        ),
    ),
)
