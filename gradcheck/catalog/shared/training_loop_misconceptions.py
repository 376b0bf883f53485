"""What goes wrong in a training loop, beyond what its verdict knows by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcheck.catalog.exercise import Misconception
from gradcheck.catalog.shared.mistaken_steps import (
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

TRAINING_LOOP_MISCONCEPTIONS = (
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
)
