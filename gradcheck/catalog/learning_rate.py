"""Schedules for the learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.task import Edge, Leaf, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

ORDER = 3

_NUMBER = Leaf("the learning rate", "number")


def _steps(draw: Draw) -> dict[str, Any]:
    every = draw.whole(2, 6)
    # Between two steps, after at least one.
    epoch = every * draw.whole(1, 4) + draw.whole(1, every - 1)
    return {"lr": draw.number(0.01, 1.0), "epoch": epoch, "drop": draw.number(0.1, 0.9), "every": every}


def _step_decay(lr: Tensor, epoch: int, drop: Tensor, every: int) -> Tensor:
    # Multiplied out, so that the radius of the result holds the rounding of every factor; a power rounds less.
    factor = lr.new_ones(())
    for _ in range(epoch // every):
        factor = factor * drop
    return lr * factor


def _step_edges(draw: Any) -> Iterator[Edge]:
    def given(epoch: int, every: int, drop: float = 0.5, lr: float = 0.1) -> dict[str, Any]:
        return {"lr": lr, "epoch": epoch, "drop": drop, "every": every}

    yield "the first epoch", given(0, 4)
    yield "the last epoch before the first step", given(3, 4)
    yield "the epoch of the first step", given(4, 4)
    yield "the epoch after the first step", given(5, 4)
    yield "the last epoch before the second step", given(7, 4)
    yield "the epoch of the third step", given(12, 4)
    yield "a step every epoch, at the first", given(0, 1)
    yield "a step every epoch", given(7, 1)
    yield "a long training", given(200, 30)
    yield "a hundred small steps", given(100, 1, 0.97)
    yield "sixty halvings", given(60, 1, 0.5, 1.0)
    yield "a factor of one", given(17, 3, 1.0)
    yield "a factor above one", given(9, 2, 1.25)
    yield "a factor near zero", given(5, 2, 1e-4)
    yield "a small rate", given(6, 3, draw.number(0.1, 0.9), 1e-7)
    yield "a large rate", given(6, 3, draw.number(0.1, 0.9), 50.0)
    yield "no rate at all", given(6, 3, 0.5, 0.0)


def _periods(draw: Draw) -> dict[str, Any]:
    total = draw.whole(3, 40)
    return {"lr": draw.number(0.01, 1.0), "epoch": draw.whole(1, total - 1), "total": total}


def _cosine(lr: Tensor, epoch: int, total: int) -> Tensor:
    # Not math.pi, which is a rational number, and off by 1.2e-16.
    pi = 4 * lr.new_ones(()).atan()
    # 1 + cos loses its digits where cos is near −1: the radius is that of cos, and so is what is accepted there.
    return lr * (1 + (pi * epoch / total).cos()) * 0.5


def _cosine_edges(draw: Any) -> Iterator[Edge]:
    def given(epoch: int, total: int, lr: float = 0.1) -> dict[str, Any]:
        return {"lr": lr, "epoch": epoch, "total": total}

    yield "the first epoch", given(0, 10)
    yield "the last", given(10, 10)
    yield "halfway", given(5, 10)
    yield "a third of the way", given(4, 12)
    yield "one epoch, at its beginning", given(0, 1)
    yield "one epoch, at its end", given(1, 1)
    yield "two epochs", given(1, 2)
    yield "the second epoch of a long training", given(1, 1000)
    yield "the last but one of a long training", given(999, 1000)
    yield "the end of a long training", given(1000, 1000)
    for lr in (1e-7, 50.0):
        yield f"from {lr:g}", given(7, 9, lr)
        yield f"from {lr:g}, at the end", given(9, 9, lr)
    yield "no rate at all", given(3, 7, 0.0)
    total = draw.whole(50, 90)
    yield "a longer training", given(draw.whole(1, total - 1), total)


EXERCISE = Exercise(
    name="learning_rate",
    unit="02_gradient_descent",
    title="Learning rates that fall from epoch to epoch",
    about=About(
        statement=(
            "With samples drawn at random the gradient never comes to rest, and steps of one size wander about the "
            "minimum. So the learning rate falls during training: large steps to get near, small ones to settle. Step "
            "decay multiplies it by a factor after every so many epochs. The cosine schedule follows half a period of "
            "a cosine, from lr at epoch 0 to 0 at the end."
        ),
        purpose=(
            "Nearly every large network is trained with a rate that falls; the cosine is a usual choice for image and "
            "language models."
        ),
        torch=("torch.optim.lr_scheduler.StepLR", "torch.optim.lr_scheduler.CosineAnnealingLR"),
        idea=(
            "Integer division counts the periods that are over, and each multiplies the rate once. A cosine runs from "
            "1 to −1 while its angle goes from 0 to π; plus 1 and halved, it runs from 1 to 0."
        ),
        minutes=10,
        difficulty=1,
    ),
    functions=(
        function(
            "step_decay",
            "lr",
            "epoch",
            "drop",
            "every",
            reference=Reference(
                draw=_steps,
                compute=_step_decay,
                opinion=lambda lr, epoch, drop, every: lr * pow(drop, epoch // every),
                edges=_step_edges,
                names=_NUMBER,
                usual=frozenset(),
                what="the rate of that epoch",
                source="lecture part B, practical tricks: decrease the learning rate during training",
            ),
        ),
        function(
            "cosine",
            "lr",
            "epoch",
            "total",
            reference=Reference(
                draw=_periods,
                compute=_cosine,
                opinion=lambda lr, epoch, total: lr * math.cos(math.pi * epoch / (2 * total)) ** 2,
                edges=_cosine_edges,
                names=_NUMBER,
                usual=frozenset(),
                what="half a period of a cosine, from lr to 0",
                source="lecture part B, practical tricks: decrease the learning rate during training",
            ),
        ),
    ),
    hints=(
        "How many steps lie behind epoch 0, behind epoch every − 1, behind epoch every? And at which epoch is the "
        "angle of the cosine to be 0, at which π?",
        "Whole periods are counted, each of which multiplies the rate by drop once. A cosine falls from 1 to −1 while "
        "its angle goes from 0 to π: something has to be added and the sum divided to make that 1 to 0.",
        "step_decay: steps = ⌊epoch / every⌋, and lr · drop · … · drop, once a step. cosine: angle = π · epoch / "
        "total, and −1 ≤ cos(angle) ≤ 1, hence 0 ≤ cos(angle) + 1 ≤ 2.",
    ),
    formula=("step_decay: lr · drop^⌊epoch / every⌋\ncosine:     lr · (1 + cos(π · epoch / total)) / 2"),
    misconceptions=(
        Misconception(
            "step_decay",
            "wrong-function",
            "you divided without rounding down: the rate falls a little every epoch, not in steps",
            lambda lr, epoch, drop, every: lr * drop ** (epoch / every),
            "Should the rate of two epochs of one period differ?",
        ),
        Misconception(
            "step_decay",
            "wrong-index",
            "you made one step too many: the period that has only begun counts already",
            lambda lr, epoch, drop, every: lr * drop ** (epoch // every + 1),
            "What is the rate at epoch 0?",
        ),
        Misconception(
            "step_decay",
            "wrong-index",
            "you made one step too few",
            lambda lr, epoch, drop, every: lr * drop ** (epoch // every - 1),
            "What is the rate at epoch 0?",
        ),
        Misconception(
            "step_decay",
            "wrong-index",
            "you counted the epochs from 1: each step comes an epoch too soon",
            # Shows in the last epoch of a period alone; among the ordinary arguments there are some.
            lambda lr, epoch, drop, every: lr * drop ** ((epoch + 1) // every),
            "With every = 4, at which epoch does the rate change for the first time?",
        ),
        Misconception(
            "step_decay",
            "ignores-argument",
            "you multiplied by drop every epoch: `every` has no influence",
            lambda lr, epoch, drop, every: lr * drop**epoch,  # noqa: ARG005
            "How often should the rate change in `every` epochs?",
        ),
        Misconception(
            "step_decay",
            "wrong-function",
            "the remainder of the division is your exponent, where its whole part belongs",
            lambda lr, epoch, drop, every: lr * drop ** (epoch % every),
            "What is epoch // every, and what is epoch % every?",
        ),
        Misconception(
            "step_decay",
            "wrong-function",
            "you multiplied drop by the number of steps, where a power belongs",
            lambda lr, epoch, drop, every: lr * drop * (epoch // every),
            "After two steps, how often has the rate been multiplied by drop?",
        ),
        Misconception(
            "step_decay",
            "wrong-function",
            "you subtracted drop from the rate at every step",
            lambda lr, epoch, drop, every: lr - drop * (epoch // every),
            "Can the rate become negative?",
        ),
        Misconception(
            "step_decay",
            "wrong-function",
            "you took an exponential function of the steps: drop is a factor, not a speed of decay",
            lambda lr, epoch, drop, every: lr * math.exp(-drop * (epoch // every)),
            "By which factor does the rate change at one step?",
        ),
        Misconception(
            "cosine",
            "missing-term",
            "you took lr times the cosine itself, which falls below zero",
            lambda lr, epoch, total: lr * math.cos(math.pi * epoch / total),
            "What is the cosine of π, and what should the rate be there?",
        ),
        Misconception(
            "cosine",
            "wrong-function",
            "you took a quarter of a period: the cosine itself from 1 to 0",
            lambda lr, epoch, total: lr * math.cos(math.pi * epoch / (2 * total)),
            "How steep should the curve be at its end?",
        ),
        Misconception(
            "cosine",
            "wrong-function",
            "your angle is half as large: at the end the rate is still half of lr",
            lambda lr, epoch, total: lr * (1 + math.cos(math.pi * epoch / (2 * total))) / 2,
            "At which epoch does the angle have to be π?",
        ),
        Misconception(
            "cosine",
            "wrong-function",
            "your angle is twice as large: the rate falls to 0 and comes back",
            lambda lr, epoch, total: lr * (1 + math.cos(2 * math.pi * epoch / total)) / 2,
            "How much of a period is there from the cosine's top to its bottom?",
        ),
        Misconception(
            "cosine",
            "sign-flipped",
            "your cosine has the other sign: the rate rises from 0 to lr",
            lambda lr, epoch, total: lr * (1 - math.cos(math.pi * epoch / total)) / 2,
            "What is the rate at epoch 0?",
        ),
        Misconception(
            "cosine",
            "missing-term",
            "π is missing from the angle",
            lambda lr, epoch, total: lr * (1 + math.cos(epoch / total)) / 2,
            "At which angle, in radians, is the cosine −1?",
        ),
        Misconception(
            "cosine",
            "wrong-function",
            "you gave the angle in degrees; math.cos takes radians",
            lambda lr, epoch, total: lr * (1 + math.cos(180 * epoch / total)) / 2,
            "What does math.cos(180) give?",
        ),
        Misconception(
            "cosine",
            "wrong-function",
            "you took a straight line from lr to 0",
            lambda lr, epoch, total: lr * (1 - epoch / total),
            "How fast should the rate fall at the beginning, in the middle, at the end?",
        ),
        Misconception(
            "cosine",
            "wrong-function",
            "you took a sine, which starts in the middle",
            lambda lr, epoch, total: lr * (1 + math.sin(math.pi * epoch / total)) / 2,
            "Which of sine and cosine is 1 at the angle 0?",
        ),
        Misconception(
            "cosine",
            "wrong-function",
            "you divided epoch by total without a remainder: the angle stays 0 until the end",
            lambda lr, epoch, total: lr * (1 + math.cos(math.pi * (epoch // total))) / 2,
            "What is 3 // 10?",
        ),
        Misconception(
            "cosine",
            "wrong-index",
            "your rate is 0 one epoch too soon: you divided by total − 1",
            lambda lr, epoch, total: lr * (1 + math.cos(math.pi * epoch / max(total - 1, 1))) / 2,
            "At which epoch does the rate have to be 0?",
        ),
        Misconception(
            "cosine",
            "wrong-index",
            "you counted the epochs from 1: the rate at epoch 0 is no longer lr",
            lambda lr, epoch, total: lr * (1 + math.cos(math.pi * (epoch + 1) / total)) / 2,
            "What is the rate at epoch 0?",
        ),
    ),
)
