"""The training loop, with the learner's own gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function
from gradcheck.catalog.shared import networks, training_mistakes
from gradcheck.catalog.shared.training_loop_misconceptions import TRAINING_LOOP_MISCONCEPTIONS
from gradcheck.checks.reference import Edge, Leaf, Reference, Usual
from gradcheck.checks.task import Property

if TYPE_CHECKING:
    from gradcheck.checks.asking import Ask
    from gradcheck.checks.drawing import Draw

ORDER = 5

CALM = 4.0
"""The most that lr · reach² may be over several epochs. A step multiplies what the parameters have lost by about one
more than that, so that three of them leave a float32 its fourth digit."""

_USUAL: frozenset[Usual] = frozenset(("sizes", "memory", "integers", "constants", "float32"))
"""No scales: a step on logits of 1e12 leaves nothing of a float32. `_step_edges` has those that make sense."""


def _data(draw: Draw, epochs: int) -> dict[str, Any]:
    """x, labels, params, lr. The lr is halved until no epoch comes upon a kink and rounding stays what it was."""
    data = networks.two_layer_data(draw)
    labels = draw.labels(draw.size("K"), draw.size("B"))
    drawn = {"x": data["x"], "labels": labels, "params": data["params"], "lr": draw.number(0.05, 0.5)}
    while epochs > 1 and drawn["lr"] * _reach(drawn) ** 2 > CALM:
        drawn["lr"] /= 2
    for _ in range(60):
        if _stays_clear(drawn, epochs):
            break
        drawn["lr"] /= 2
    return drawn


def _reach(drawn: dict[str, Any]) -> float:
    """By how much, at most, a logit moves when every parameter does by one."""
    import numpy as np

    x = drawn["x"].values
    w_h, b_h, w_y = (drawn["params"][name].values for name in ("w_h", "b_h", "w_y"))
    active = np.maximum(x @ w_h.T + b_h, 0).sum(axis=1).max()
    below = np.abs(w_y).sum(axis=1).max() * (np.abs(x).sum(axis=1).max() + 1)
    return float(active + 1 + below)


def _stays_clear(drawn: dict[str, Any], epochs: int) -> bool:
    """Whether no hidden unit comes near the kink of ReLU on the way."""
    import numpy as np

    x, labels = drawn["x"].values, drawn["labels"].values
    params = {name: each.values for name, each in drawn["params"].items()}
    for _ in range(epochs):
        sums, sizes = x @ params["w_h"].T + params["b_h"], np.abs(x) @ np.abs(params["w_h"]).T + np.abs(params["b_h"])
        if (np.abs(sums) <= networks.CLEAR * sizes).any():
            return False
        params = training_mistakes.Loop().run(x, labels, params, drawn["lr"], 1)[1]
    return True


def _step(draw: Draw) -> dict[str, Any]:
    return _data(draw, 1)


def _epochs(draw: Draw) -> dict[str, Any]:
    epochs = draw.whole(2, 3)
    return _data(draw, epochs) | {"epochs": epochs}


def _like(draw: Any, scale: float) -> Any:
    """A draw of the same kind whose tensors are larger or smaller."""
    from gradcheck.checks import draws

    return type(draw)(draw.rng, draw.dtype, kind=draws.scaled(scale))


def _step_edges(draw: Any) -> Iterator[Edge]:
    import numpy as np

    for scale in (0.01, 2.0):
        yield f"inputs of scale {scale:g}", _step(_like(draw, scale))
    data = _step(draw)
    labels = data["labels"]
    yield "a learning rate of 0", data | {"lr": 0.0}
    yield "a learning rate above 1", data | {"lr": 2.5}
    yield "all labels equal", data | {"labels": type(labels)(np.ones_like(labels.values), "int64")}
    narrow = _step(type(draw)(draw.rng, draw.dtype, sizes=(1, 3, 2, 4)))
    yield "one sample", narrow


def _train_edges(draw: Any) -> Iterator[Edge]:
    for epochs in (1, 4):
        yield f"{epochs} epochs", _data(draw, epochs) | {"epochs": epochs}
    yield "a learning rate of 0", _data(draw, 3) | {"lr": 0.0, "epochs": 3}
    for scale in (0.01, 2.0):
        yield f"inputs of scale {scale:g}", _data(_like(draw, scale), 2) | {"epochs": 2}


def _step_by_torch(x: Any, labels: Any, params: Any, lr: float) -> Any:
    import torch

    leaves = {name: each.detach().clone().requires_grad_() for name, each in params.items()}
    active = (x @ leaves["w_h"].T + leaves["b_h"]).relu()
    loss: Any = torch.nn.functional.cross_entropy(active @ leaves["w_y"].T + leaves["b_y"], labels)
    loss.backward()
    optimiser = torch.optim.SGD(leaves.values(), lr=lr)
    optimiser.step()
    return loss.detach(), {name: each.detach() for name, each in leaves.items()}


def _train_by_torch(x: Any, labels: Any, params: Any, lr: float, epochs: int) -> Any:
    losses = []
    for _ in range(epochs):
        loss, params = _step_by_torch(x, labels, params, lr)
        losses.append(loss)
    return losses, params


def _no_epochs(ask: Ask) -> str | None:
    """No loss, and the parameters as they were. Not a case: an empty list has no parts to be compared."""
    import numpy as np

    from gradcheck.checks.drawing import RandomDraw
    from gradcheck.checks.outcome import Returned

    data = _data(RandomDraw(ask.rng), 0)
    value = ask.value(*data.values(), 0)
    match value:
        case (tuple() as losses, dict() as params):
            pass
        case _:
            return "with 0 epochs it must return an empty list and params"
    if losses:
        return f"with 0 epochs there is no loss, but it returned {len(losses)}"
    for name, each in data["params"].items():
        part = params.get(name)
        same = isinstance(part, Returned) and part.values is not None and np.array_equal(part.values, each.values)
        if not same:
            return f"with 0 epochs {name} must come back as it was"
    return None


EXERCISE = Exercise(
    name="training_loop",
    unit="07_training",
    title="The training loop",
    functions=(
        function(
            "train_step",
            "x",
            "labels",
            "params",
            "lr",
            points=3,
            reference=Reference(
                draw=_step,
                compute=networks.train_step,
                verdict=training_mistakes.verdict_on_step,
                opinion=_step_by_torch,
                edges=_step_edges,
                names=(Leaf("the loss", "scalar"), "the new parameters"),
                usual=_USUAL,
                what="the loss before the update and one step against the gradients",
                source="lecture part A: the five steps of training; practicum: training",
            ),
            properties=(Property("full_backprop", None),),
        ),
        function(
            "train",
            "x",
            "labels",
            "params",
            "lr",
            "epochs",
            points=3,
            may_share=("params",),  # without an epoch there is nothing new
            reference=Reference(
                draw=_epochs,
                compute=networks.train,
                verdict=training_mistakes.verdict_on_training,
                opinion=_train_by_torch,
                edges=_train_edges,
                names=(Leaf("the loss", "scalar"), "the new parameters"),
                usual=_USUAL,
                what="one train_step after the other",
                source="practicum: training",
            ),
            properties=(Property("no_epochs", _no_epochs), Property("learns_the_spiral", None)),
        ),
    ),
    hints=(
        "Which five steps make one update? Write them down in order; which of them sees the old parameters? The "
        "caller keeps those: how is a dict made whose entries are new, without touching the old one?",
        "Of the fused loss (cross_entropy) you know the gradient by the logits, and two_layer_net's backward "
        "takes it from there. All gradients are those of the old parameters. train is the same step, once an "
        "epoch, each time with what the last one returned.",
        "C = 1/B Σ_b (log Σ_k e^(logits_bk) − logits[b, labels_b]), and every parameter moves by p ← p − lr ∂C/∂p "
        "= p − lr Σ_b Σ_k ∂C/∂logits_bk ∂logits_bk/∂p. Begin with ∂C/∂logits_bk.",
    ),
    formula=(
        "C = 1/B Σ_b (log Σ_k e^(logits_bk) − logits[b, labels_b])\n"
        "g_bk = ∂C/∂logits_bk = (softmax(logits)_bk − [k = labels_b]) / B\n"
        "∂C/∂p: two_layer_net's backward of g\n"
        "train_step: C of the old parameters, and p ← p − lr ∂C/∂p for all p\n"
        "train:      one train_step an epoch, C_0, C_1, … and the last p"
    ),
    misconceptions=TRAINING_LOOP_MISCONCEPTIONS,
)
