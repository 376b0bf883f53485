"""The training loop, with the learner's own gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.catalog.parts import networks
from gradcheck.checks.outcome import Arguments, Returned, Value
from gradcheck.checks.task import Edge, Leaf, Property, Reference, Usual
from gradcheck.training import two_layers
from gradcheck.training.steps import (
    RIGHT,
    StepAt,
    Stepped,
    Tensors,
    Trained,
    TrainingStep,
    all_pairs,
    at_labels,
    carrying,
    cross_entropy,
    itself,
    logits_of,
    one_hot_like,
    probabilities,
    through_softmax,
    training_of,
    upstream,
)

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.checks.properties import Ask

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
    x, labels, params = _tensors(drawn)
    for _ in range(epochs):
        sums = x @ params["w_h"].T + params["b_h"]
        sizes = x.abs() @ params["w_h"].abs().T + params["b_h"].abs()
        if (sums.abs() <= networks.CLEAR * sizes).any():
            return False
        params = RIGHT(x, labels, params, drawn["lr"])[1]
    return True


def _tensors(arguments: Arguments) -> tuple[Any, Any, Tensors]:
    """x, labels and params in float64."""
    import torch

    params = {name: torch.as_tensor(each.values) for name, each in arguments["params"].items()}
    return torch.as_tensor(arguments["x"].values), torch.as_tensor(arguments["labels"].values), params


def _step(draw: Draw) -> dict[str, Any]:
    return _data(draw, 1)


def _epochs(draw: Draw) -> dict[str, Any]:
    epochs = draw.whole(2, 3)
    return _data(draw, epochs) | {"epochs": epochs}


def _like(draw: Any, scale: float) -> Any:
    """A draw of the same kind whose tensors are larger or smaller."""
    from gradcheck.checks import drawing

    return type(draw)(draw.rng, draw.dtype, kind=drawing.scaled(scale))


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
    loss: Any = torch.nn.functional.cross_entropy(logits_of(x, leaves), labels)
    loss.backward()
    # As torch.optim.SGD has it, which would import torch's compiler first: a second and more.
    return loss.detach(), {name: each.detach() - lr * each.grad for name, each in leaves.items()}


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


# What a training loop does wrong by name: each mistake is made on the given arguments and compared with what came back.

Result = tuple[list[float], dict[str, Any]]

_NEAR = {"float64": 1e-9, "float32": 1e-4}
"""Within this of the right result, relative to the largest number, nothing is called a mistake here."""


def _mistakes(batch: int, epochs: int) -> Iterator[tuple[Trained, str, str]]:
    """The training with the mistake, what to say of it, and its code; the commonest first."""
    from gradcheck.training import suspects

    def known(suspect: suspects.Suspect) -> tuple[Trained, str, str]:
        return training_of(suspect.step), suspect.text, suspect.code

    def with_mistake(step: TrainingStep, text: str, code: str) -> tuple[Trained, str, str]:
        return training_of(step), text, code

    yield known(suspects.NO_UPDATE)
    yield known(suspects.UPHILL)
    text = "the gradients of earlier steps are still in the update; each step takes its own gradient alone"
    yield carrying(1.0), text, "accumulated-over-steps"
    text = "the loss is that after the update; the one before it is asked for"
    yield with_mistake(TrainingStep(loss_after=True), text, "loss-after-update")
    if batch > 1:
        text = "it takes the sum over the samples where the mean is asked for"
        summed = suspects.SUMMED.step
        yield with_mistake(replace(summed, told=_size), text, "scaled-by-size")
        yield with_mistake(summed, f"{text} (in the gradient)", "scaled-by-size")
        yield with_mistake(TrainingStep(told=_size), f"{text} (in the loss)", "scaled-by-size")
        yield known(suspects.MEAN_TWICE)
    text = "the loss is a squared error, as if the labels were numbers; they are classes: take the cross-entropy"
    for loss in (_squared_from_numbers, _squared_from_one_hot):
        yield with_mistake(TrainingStep(loss), text, "wrong-variable")
    for name in ("w_h", "b_h", "w_y", "b_y"):
        text = f"{name} is never updated; the others are"
        yield with_mistake(TrainingStep(skipped=(name,)), text, "missing-term")
    for layer in (("w_h", "b_h"), ("w_y", "b_y"), ("b_h", "b_y")):
        text = f"{layer[0]} and {layer[1]} are never updated; the others are"
        yield with_mistake(TrainingStep(skipped=layer), text, "missing-term")
    text = "the gradient of the logits lacks the term of the labels"
    yield with_mistake(TrainingStep(_without_target), text, suspects.NO_LABELS.code)
    text = "the gradient goes through the ReLU as if it were always on: is the hidden unit's sign asked?"
    yield with_mistake(TrainingStep(gate=upstream), text, "missing-term")
    yield known(suspects.EARLY)
    yield known(suspects.WHOLE_GRADIENT)
    if epochs > 1:
        text = "every epoch starts from the first parameters; the next one must get the new ones"
        yield training_of(RIGHT, restarts=True), text, "no-update"
        yield training_of(RIGHT, updates=epochs - 1), "the last epoch makes no update", "no-update"
        yield training_of(RIGHT, updates=1), "only the first epoch makes an update", "no-update"


def _size(at: StepAt) -> float:
    return at.size


def _squared_from_numbers(logits: Any, labels: Any) -> tuple[Any, Any]:
    return _squared(logits - labels[:, None].to(logits.dtype))


def _squared_from_one_hot(logits: Any, labels: Any) -> tuple[Any, Any]:
    return _squared(logits - one_hot_like(logits, labels))


def _squared(off: Any) -> tuple[Any, Any]:
    return off.square().mean(), 2 * off / off.numel()


def _without_target(logits: Any, labels: Any) -> tuple[Any, Any]:
    return cross_entropy(logits, labels)[0], probabilities(logits) / len(labels)


def _verdict_on_step(arguments: Arguments, value: Value) -> tuple[str, ...] | None:
    """The name of the mistake in a (loss, params), or None."""
    match value:
        case (loss, dict() as params):
            return _named(arguments, 1, (loss,), params)
    return None


def _verdict_on_training(arguments: Arguments, value: Value) -> tuple[str, ...] | None:
    """The name of the mistake in a (losses, params), or None."""
    match value:
        case (tuple() as losses, dict() as params):
            return _named(arguments, arguments["epochs"], losses, params)
    return None


def _named(
    arguments: Arguments, epochs: int, losses: tuple[Any, ...], params: dict[Any, Any]
) -> tuple[str, ...] | None:
    import numpy as np

    x, labels, given = _tensors(arguments)
    got = _numbers(losses, params, given)
    if got is None or len(losses) != epochs:
        return None
    near = _NEAR[arguments["x"].dtype]

    def is_result_of(training: Trained) -> bool:
        with np.errstate(all="ignore"):
            return _close(got, training(x, labels, given, arguments["lr"], epochs), near)

    if is_result_of(training_of(RIGHT)):
        return None
    found = ((text, code) for training, text, code in _mistakes(len(labels), epochs) if is_result_of(training))
    text, code = next(found, ("", ""))
    return ("values", text, code) if text else None


def _numbers(losses: tuple[Any, ...], params: dict[Any, Any], given: Tensors) -> Result | None:
    """What came back as arrays, or None where its form is not that of the arguments."""
    plain = [_entries(each) for each in losses]
    named = {name: _entries(params.get(name)) for name in given}
    if any(each is None or each.shape for each in plain):
        return None
    if any(named[name] is None or named[name].shape != given[name].shape for name in given):
        return None
    return [float(each) for each in plain if each is not None], named


def _entries(part: Any) -> Any:
    import numpy as np

    if isinstance(part, Returned) and part.values is not None:
        return part.values
    return np.asarray(part) if isinstance(part, float) else None


def _close(got: Result, made: tuple[list[Any], Tensors], near: float) -> bool:
    import numpy as np

    losses, params = made
    pairs = [*zip(got[0], losses, strict=True), *((got[1][name], params[name]) for name in params)]
    arrays = [(a, np.asarray(b)) for a, b in pairs]
    return all(bool((np.abs(a - b) <= near * max(1.0, np.abs(b).max(initial=0.0))).all()) for a, b in arrays)


# What goes wrong.


def _softmax_twice(logits: Any, labels: Any) -> tuple[Any, Any]:
    loss, grad = cross_entropy(logits.softmax(1), labels)
    return loss, through_softmax(grad, logits)


def _softmax_over_samples(logits: Any, labels: Any) -> tuple[Any, Any]:
    grad = (logits.softmax(0) - one_hot_like(logits, labels)) / len(labels)
    return -at_labels(logits.log_softmax(0), labels).mean(), grad


def _every_label_in_every_row(logits: Any, labels: Any) -> tuple[Any, Any]:
    loss = -logits.log_softmax(1)[:, labels].mean()
    return loss, (logits.softmax(1) - all_pairs(logits, labels)) / len(labels)


def _without_logarithm(logits: Any, labels: Any) -> tuple[Any, Any]:
    p = logits.softmax(1)
    return -at_labels(p, labels).mean(), through_softmax(-one_hot_like(p, labels), logits) / len(labels)


def _sigmoids(logits: Any, labels: Any) -> tuple[Any, Any]:
    one_hot = one_hot_like(logits, labels)
    loss = (logits.logaddexp(logits * 0) - logits * one_hot).sum(1).mean()
    return loss, (logits.sigmoid() - one_hot) / len(labels)


def _over_classes(logits: Any, labels: Any) -> tuple[Any, Any]:
    loss, grad = cross_entropy(logits, labels)
    factor = len(labels) / logits.shape[1]
    return loss * factor, grad * factor


def _by_probabilities(logits: Any, labels: Any) -> tuple[Any, Any]:
    loss, _ = cross_entropy(logits, labels)
    return loss, -one_hot_like(logits, labels) / logits.softmax(1) / len(labels)


def _relu_on_top(logits: Any, labels: Any) -> tuple[Any, Any]:
    loss, grad = cross_entropy(logits.relu(), labels)
    return loss, grad * (logits > 0)


def _with_losses(
    change: Callable[[Any], Any], x: Any, labels: Any, params: Tensors, lr: float, epochs: int
) -> tuple[list[Any], Tensors]:
    """Trained as it should be, but the losses are changed: a tensor in, a tensor out."""
    import torch

    losses, params = training_of(RIGHT)(x, labels, params, lr, epochs)
    return [each.clone() for each in change(torch.stack(losses))], params


def _sample_after_sample(x: Any, labels: Any, params: Tensors, lr: float, _epoch: int = 0) -> tuple[Any, Tensors]:
    losses = []
    for p in range(len(labels)):
        loss, params = RIGHT(x[p : p + 1], labels[p : p + 1], params, lr)
        losses.append(loss)
    return sum(losses) / len(losses), params


def _first_sample(x: Any, labels: Any, params: Tensors, lr: float, _epoch: int = 0) -> tuple[Any, Tensors]:
    return RIGHT(x[:1], labels[:1], params, lr)


_IN_A_STEP: tuple[tuple[str, str, Stepped, str], ...] = (
    (
        "extra-term",
        "softmax was applied twice: the loss takes logits and makes the probabilities itself",
        TrainingStep(_softmax_twice),
        "What does log-softmax take: scores, or probabilities?",
    ),
    (
        "wrong-axis",
        "your softmax runs over the samples: the probabilities of a class add up to 1, not those of a sample",
        TrainingStep(_softmax_over_samples),
        "Which numbers belong to one sample: those of a row, or those of a column?",
    ),
    (
        "wrong-index",
        "you indexed with [:, labels]: that takes every label of the batch in every row",
        TrainingStep(_every_label_in_every_row),
        "How many labels does one row have?",
    ),
    (
        "missing-term",
        "the logarithm is missing in the loss: you averaged the probabilities of the labels",
        TrainingStep(_without_logarithm),
        "How much may a sample cost whose class was held to be impossible?",
    ),
    (
        "wrong-function",
        "each class stands by itself: you took sigmoids where softmax belongs",
        TrainingStep(_sigmoids),
        "What do the probabilities of one sample add up to?",
    ),
    (
        "scaled-by-size",
        "you divided by the number of classes where the number of samples belongs",
        TrainingStep(_over_classes),
        "Over what is the mean taken?",
    ),
    (
        "missing-derivative",
        "you handed the gradient by the probabilities to the network: that by the logits is asked for",
        TrainingStep(_by_probabilities),
        "How do the probabilities change when a logit does?",
    ),
    (
        "extra-term",
        "there is a relu behind the second layer too: no logit is negative",
        TrainingStep(_relu_on_top),
        "May a logit be negative?",
    ),
    (
        "missing-mask",
        "relu is missing between the layers: the network is linear",
        TrainingStep(activation=itself, gate=upstream, seen=itself),
        "Two linear modules, one after the other: is that more than one?",
    ),
    (
        "wrong-variable",
        "you gave w_y's gradient what stands before relu, not what w_y was multiplied by",
        TrainingStep(seen=itself),
        "Which vector did the second layer get to see in forward?",
    ),
    (
        "updated-too-early",
        "you made an update after every sample: the next one sees new parameters already",
        _sample_after_sample,
        "How many updates does one pass over all samples make here?",
    ),
    (
        "missing-reduction",
        "only the first sample counts: the others have no influence",
        _first_sample,
        "Over which samples is the mean taken?",
    ),
    (
        "changes-upstream",
        "only the gradients' signs are left: every parameter moves equally far",
        TrainingStep(changed=lambda grad: grad.sign()),
        "How far should a step go where the loss is steep, and where it is flat?",
    ),
    (
        "changes-upstream",
        "you divided every gradient by its length: the step is equally long everywhere",
        TrainingStep(changed=lambda grad: grad / grad.square().sum().sqrt()),
        "How far should a step go where the loss is steep, and where it is flat?",
    ),
    (
        "changes-upstream",
        "the gradients are cut off at ±1",
        TrainingStep(changed=lambda grad: grad.clamp(-1, 1)),
        "How far should a step go where the loss is steep, and where it is flat?",
    ),
    (
        "wrong-function",
        "you divided by the learning rate: the smaller it is, the farther the step goes",
        TrainingStep(rate=lambda at: 1 / at.lr),
        "With half the learning rate, how far should the step go?",
    ),
)


EXERCISE = Exercise(
    name="training_loop",
    unit="07_training",
    title="The training loop",
    about=About(
        statement=(
            "Training repeats five steps: forward, loss, clear the old gradients, backward, update. torch adds new "
            "gradients to the old ones, hence the clearing; gradients that are computed anew need none. Here the "
            "network has two layers, the loss is the mean cross-entropy, and an epoch is one step on all samples. On "
            "the spiral it passes 95 %, where a linear model stays near 50 %."
        ),
        purpose=(
            "The loop inside every training run there is: with it, modules that you wrote yourself learn the spiral."
        ),
        torch=("torch.optim.Optimizer.zero_grad", "torch.Tensor.backward", "torch.optim.Optimizer.step"),
        idea=(
            "The loss hands (prediction − truth) / B to the network's backward, and all parameters step at once, by "
            "their gradients at the old values. train repeats that with what the last step returned."
        ),
        minutes=50,
        difficulty=3,
    ),
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
                compute=two_layers.train_step,
                verdict=_verdict_on_step,
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
                compute=two_layers.train,
                verdict=_verdict_on_training,
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
            for function, of in (("train_step", itself), ("train", training_of))
        ),
        Misconception(
            "train_step",
            "missing-term",
            "you returned the gradients where the new parameters belong",
            lambda x, labels, params, lr: RIGHT.gradients(x, labels, params, StepAt(lr, len(x), len(params["b_y"]))),
            "What is done with a gradient, to get from the old parameters to new ones?",
        ),
        Misconception(
            "train_step",
            "wrong-variable",
            "the loss that you returned is the share of right predictions",
            lambda x, labels, params, lr: (
                (logits_of(x, params).argmax(1) == labels).to(x.dtype).mean(),
                RIGHT(x, labels, params, lr)[1],
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
                training_of(RIGHT)(x, labels, params, lr, epochs)[0],
                training_of(RIGHT)(x, labels, params, lr, epochs + 1)[1],
            ),
            "How often does your loop run for epochs = 1?",
        ),
        Misconception(
            "train",
            "extra-term",
            "the learning rate gets smaller from epoch to epoch",
            training_of(TrainingStep(rate=lambda at: at.lr / (at.epoch + 1))),
            "Which lr does every train_step get?",
        ),
        Misconception(
            "train",
            "extra-term",
            "a part of the last step is still in the next one: there is a momentum",
            carrying(0.9),
            "Which gradient does every train_step take?",
        ),
    ),
)
