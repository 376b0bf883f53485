"""The training loop, with the learner's own gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, Misconception, function
from gradcheck.catalog.parts import networks, training_mistakes
from gradcheck.catalog.parts.mistaken_steps import (
    Arrays,
    Step,
    by_probabilities,
    every_label_in_every_row,
    gradients,
    logits_of,
    over_classes,
    relu_on_top,
    sigmoids,
    softmax_over_samples,
    softmax_twice,
    step_of,
    training_of,
    without_logarithm,
)
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


def _full_backprop(ask: Ask) -> tuple[str, str] | None:
    from gradcheck.training.backprop import full_backprop

    return full_backprop(ask)


def _learns_the_spiral(ask: Ask) -> tuple[str, str] | None:
    from gradcheck.training.learning import learns_the_spiral

    return learns_the_spiral(ask)


# What goes wrong.


def _with_losses(
    change: Callable[[Any], Any], x: Any, labels: Any, params: Arrays, lr: float, epochs: int
) -> tuple[list[Any], Arrays]:
    """Trained as it should be, but the losses are changed: a tensor in, a tensor out."""
    import torch

    losses, params = training_of(Step())(x, labels, params, lr, epochs)
    return [each.clone() for each in change(torch.stack(losses))], params


def _with_momentum(x: Any, labels: Any, params: Arrays, lr: float, epochs: int) -> tuple[list[Any], Arrays]:
    losses, moving = [], {name: 0 * value for name, value in params.items()}
    for _ in range(epochs):
        loss, grads = gradients(x, labels, params)
        losses.append(loss)
        moving = {name: 0.9 * moving[name] + grads[name] for name in params}
        params = {name: value - lr * moving[name] for name, value in params.items()}
    return losses, params


_IN_A_STEP: tuple[tuple[str, str, Step, str], ...] = (
    (
        "extra-term",
        "softmax was applied twice: the loss takes logits and makes the probabilities itself",
        Step(softmax_twice),
        "What does log-softmax take: scores, or probabilities?",
    ),
    (
        "wrong-axis",
        "your softmax runs over the samples: the probabilities of a class add up to 1, not those of a sample",
        Step(softmax_over_samples),
        "Which numbers belong to one sample: those of a row, or those of a column?",
    ),
    (
        "wrong-index",
        "you indexed with [:, labels]: that takes every label of the batch in every row",
        Step(every_label_in_every_row),
        "How many labels does one row have?",
    ),
    (
        "missing-term",
        "the logarithm is missing in the loss: you averaged the probabilities of the labels",
        Step(without_logarithm),
        "How much may a sample cost whose class was held to be impossible?",
    ),
    (
        "wrong-function",
        "each class stands by itself: you took sigmoids where softmax belongs",
        Step(sigmoids),
        "What do the probabilities of one sample add up to?",
    ),
    (
        "scaled-by-size",
        "you divided by the number of classes where the number of samples belongs",
        Step(over_classes),
        "Over what is the mean taken?",
    ),
    (
        "missing-derivative",
        "you handed the gradient by the probabilities to the network: that by the logits is asked for",
        Step(by_probabilities),
        "How do the probabilities change when a logit does?",
    ),
    (
        "extra-term",
        "there is a relu behind the second layer too: no logit is negative",
        Step(relu_on_top),
        "May a logit be negative?",
    ),
    (
        "missing-mask",
        "relu is missing between the layers: the network is linear",
        Step(linear=True),
        "Two linear modules, one after the other: is that more than one?",
    ),
    (
        "wrong-variable",
        "you gave w_y's gradient what stands before relu, not what w_y was multiplied by",
        Step(seen=False),
        "Which vector did the second layer get to see in forward?",
    ),
    (
        "updated-too-early",
        "you made an update after every sample: the next one sees new parameters already",
        Step(singly=True),
        "How many updates does one pass over all samples make here?",
    ),
    (
        "missing-reduction",
        "only the first sample counts: the others have no influence",
        Step(first=True),
        "Over which samples is the mean taken?",
    ),
    (
        "changes-upstream",
        "only the gradients' signs are left: every parameter moves equally far",
        Step(changed=lambda grad: grad.sign()),
        "How far should a step go where the loss is steep, and where it is flat?",
    ),
    (
        "changes-upstream",
        "you divided every gradient by its length: the step is equally long everywhere",
        Step(changed=lambda grad: grad / grad.square().sum().sqrt()),
        "How far should a step go where the loss is steep, and where it is flat?",
    ),
    (
        "changes-upstream",
        "the gradients are cut off at ±1",
        Step(changed=lambda grad: grad.clamp(-1, 1)),
        "How far should a step go where the loss is steep, and where it is flat?",
    ),
    (
        "wrong-function",
        "you divided by the learning rate: the smaller it is, the farther the step goes",
        Step(rate=lambda lr, _epoch: 1 / lr),
        "With half the learning rate, how far should the step go?",
    ),
)


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
            properties=(Property("full_backprop", _full_backprop, long=True),),
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
            properties=(
                Property("no_epochs", _no_epochs),
                Property("learns_the_spiral", _learns_the_spiral, long=True),
            ),
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
    misconceptions=(
        *(
            Misconception(function, code, text, of(mistake), think)
            for code, text, mistake, think in _IN_A_STEP
            for function, of in (("train_step", step_of), ("train", training_of))
        ),
        Misconception(
            "train_step",
            "missing-term",
            "you returned the gradients where the new parameters belong",
            lambda x, labels, params, _lr: gradients(x, labels, params),
            "What is done with a gradient, to get from the old parameters to new ones?",
        ),
        Misconception(
            "train_step",
            "wrong-variable",
            "the loss that you returned is the share of right predictions",
            lambda x, labels, params, lr: (
                (logits_of(x, params).argmax(1) == labels).to(x.dtype).mean(),
                step_of(Step())(x, labels, params, lr)[1],
            ),
            "Which of the two should fall in training, and which should rise?",
        ),
        Misconception(
            "train",
            "wrong-function",
            "you added the losses up: each of yours holds all that came before",
            lambda x, labels, params, lr, epochs: _with_losses(
                lambda losses: losses.cumsum(0), x, labels, params, lr, epochs
            ),
            "What does one entry of the list belong to: one epoch, or all until then?",
        ),
        Misconception(
            "train",
            "wrong-function",
            "you returned the mean of all losses until then",
            lambda x, labels, params, lr, epochs: _with_losses(
                lambda losses: losses.cumsum(0) / (losses * 0 + 1).cumsum(0), x, labels, params, lr, epochs
            ),
            "What does one entry of the list belong to: one epoch, or all until then?",
        ),
        Misconception(
            "train",
            "overwritten-not-accumulated",
            "the list holds the last loss as often as there are epochs",
            lambda x, labels, params, lr, epochs: _with_losses(
                lambda losses: losses[-1:].expand(len(losses)), x, labels, params, lr, epochs
            ),
            "When is a loss put into the list: in its own epoch, or at the end?",
        ),
        Misconception(
            "train",
            "wrong-index",
            "the list holds the first loss as often as there are epochs",
            lambda x, labels, params, lr, epochs: _with_losses(
                lambda losses: losses[:1].expand(len(losses)), x, labels, params, lr, epochs
            ),
            "Whose parameters is the second loss computed with?",
        ),
        Misconception(
            "train",
            "extra-term",
            "you made one update more than there are epochs",
            lambda x, labels, params, lr, epochs: (
                training_of(Step())(x, labels, params, lr, epochs)[0],
                training_of(Step())(x, labels, params, lr, epochs + 1)[1],
            ),
            "How often does your loop run for epochs = 1?",
        ),
        Misconception(
            "train",
            "extra-term",
            "the learning rate gets smaller from epoch to epoch",
            training_of(Step(rate=lambda lr, epoch: lr / (epoch + 1))),
            "Which lr does every train_step get?",
        ),
        Misconception(
            "train",
            "extra-term",
            "a part of the last step is still in the next one: there is a momentum",
            _with_momentum,
            "Which gradient does every train_step take?",
        ),
    ),
)
