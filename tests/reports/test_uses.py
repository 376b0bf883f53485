"""The line that says what a unit's pieces now do: true of the solutions, silent about what is wrong or missing."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

import pytest
import torch

from gradcheck.catalog import all_exercises
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.reports import uses
from gradcheck.reports.training import finder
from gradcheck.reports.uses import use_of

ROOT = Path(__file__).parents[2]
UNITS = list(dict.fromkeys(each.unit for each in all_exercises().values()))
SOLVED = cache(finder(ROOT / "solutions"))

SAID = {
    "01_models_and_losses": "average_loss is 15.4 at w = (0, 0) and 0.02 at w = (2, 1)",
    "02_gradient_descent": "from a loss of 15.4 at w = (0, 0) to 0.018 at (1.98, 1.01) in 20 steps",
    "03_backpropagation": "∂C/∂a = 35.71, ∂C/∂b = 27.64",
    "04_modules": "learns XOR",
    "05_losses": "asks 1.099 = ln 3 of one who guesses among three, 0.013",
    "06_tricks": "your sigmoid_chain leaves 1e-13 of the gradient",
    "07_training": "your spiral of 600 points",
}


@pytest.mark.parametrize("unit", UNITS)
def test_a_solved_unit_is_used(unit):
    told = use_of(unit, SOLVED)
    assert SAID[unit] in told
    assert "\n" not in told
    assert "your" in told.lower()
    assert len(told) <= 240  # three lines of a terminal


TAKES = {
    "01_models_and_losses": ("average_loss", "linear_model"),
    "02_gradient_descent": ("gradient_descent", "learning_rate", "minibatches"),
    "03_backpropagation": ("graph", "multi_stage"),
    "04_modules": ("linear", "relu", "softmax"),
    "05_losses": ("cross_entropy",),
    "06_tricks": ("vanishing_gradient", "initialisation"),
    "07_training": ("spiral", "training_loop", "two_layer_net", "inference"),
}
PIECES = [(unit, name) for unit, names in TAKES.items() for name in names]


@pytest.mark.parametrize("unit", UNITS)
def test_a_use_takes_pieces_of_its_own_unit(unit):
    asked = []
    use_of(unit, lambda name: asked.append(name) or SOLVED(name))
    assert tuple(dict.fromkeys(asked)) == TAKES[unit]
    assert {all_exercises()[name].unit for name in asked} == {unit}


def raises(*_):
    raise ValueError("no")


def spins(*_):
    began = time.process_time()
    while time.process_time() < began + 30:
        pass


BAD = {
    "missing": None,
    "nothing": lambda *_: None,
    "text": lambda *_: "right",
    "NaN": lambda *_: torch.tensor(float("nan")),
    "many": lambda *_: (torch.zeros(7, 3),) * 3,
    "raises": raises,
    "ends": lambda *_: __import__("sys").exit(),
    "spins": spins,
}


def but(name, functions):
    """The solutions, one of them with other functions; without it where these are None."""
    candidate = InProcessCandidate(functions, limit_s=0.1) if functions is not None else None
    return lambda asked: candidate if asked == name else SOLVED(asked)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(("unit", "name"), PIECES)
def test_what_cannot_be_used_is_not_told_of(unit, name, bad):
    functions = dict.fromkeys(SOLVED(name).functions, BAD[bad]) if BAD[bad] else None
    assert use_of(unit, but(name, functions)) == ""


def changed(name, function, change):
    right = SOLVED(name).functions
    return but(name, {**right, function: lambda *given: change(right[function](*given))})


WRONG = {
    "01_models_and_losses": [
        ("linear_model", "forward", lambda y: 2 * y),
        ("average_loss", "forward", lambda c: 6 * c),
    ],
    "02_gradient_descent": [
        ("gradient_descent", "full_batch_step", lambda w: -w),
        ("gradient_descent", "minibatch_step", lambda w: w + 1),
        ("minibatches", "epoch_batches", lambda batches: [0 * each for each in batches]),
    ],
    "03_backpropagation": [
        ("graph", "backward", lambda grads: {name: 2 * each for name, each in grads.items()}),
        ("multi_stage", "backward", lambda found: (found[0], found[1][::-1])),
    ],
    "04_modules": [
        ("linear", "backward", lambda found: tuple(-each for each in found)),
        ("relu", "forward", lambda y: 0 * y),
        ("softmax", "forward", lambda y: 3 * y),
    ],
    "05_losses": [("cross_entropy", "forward", lambda c: 2 * c), ("cross_entropy", "backward", lambda g: -g)],
    "06_tricks": [
        ("initialisation", "kaiming_normal", lambda w: w / 2**0.5),
        ("vanishing_gradient", "sigmoid_chain", lambda chain: [1.0 for _ in chain]),
    ],
    "07_training": [
        ("spiral", "make_spiral", lambda made: (0 * made[0], made[1])),
        ("inference", "accuracy", lambda share: 100 * share),
        ("two_layer_net", "forward", lambda logits: -logits),
    ],
}


@pytest.mark.parametrize(
    ("unit", "slip"), [(unit, slip) for unit, slips in WRONG.items() for slip in slips], ids=lambda each: str(each[:2])
)
def test_a_wrong_piece_is_praised_for_nothing(unit, slip):
    assert use_of(unit, changed(*slip)) == ""


@pytest.mark.parametrize("unit", UNITS)
def test_stubs_are_of_no_use(unit):
    assert use_of(unit, finder(ROOT / "exercises")) == ""


def test_an_unknown_unit_is_of_no_use():
    assert use_of("08_more", SOLVED) == ""


def test_all_calls_together_have_a_limit(monkeypatch):
    calls = []

    def slow(x):
        calls.append(x)
        began = time.process_time()
        while time.process_time() < began + 0.02:
            pass
        return torch.clamp(x, min=0)

    monkeypatch.setattr(uses, "COMPUTING_S", 0.1)
    functions = {**SOLVED("relu").functions, "forward": slow}
    assert use_of("04_modules", but("relu", functions)) == ""
    assert len(calls) < 50
