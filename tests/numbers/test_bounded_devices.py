"""Bounded numbers lie where the tensors are that they were made of, and no rule mixes devices; exact ones lie here."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

import gradcheck.numbers.dispatch
import gradcheck.numbers.run
from gradcheck.numbers.bounded import Bounded
from gradcheck.numbers.exact import Exact
from gradcheck.numbers.run import evaluate, vjp
from tests.numbers import random_programs, rule_cases, test_bounded_draws
from tests.numbers.elsewhere import DEVICE, Elsewhere, ElsewhereMode, held_by, no_other_modes
from tests.numbers.random_programs import STEPS
from tests.numbers.rule_cases import CASES
from tests.numbers.test_bounded_draws import ALONG_ROWS, KINKS, ON_EACH, ROW

X = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def rule_case(case):
    inputs = []
    for place, shape in enumerate(case.shapes):
        low, high = case.domain_of(place)
        inputs.append(torch.linspace(low, high, max(1, torch.Size(shape).numel()), dtype=torch.float64).reshape(shape))
    return case.program, inputs


KINDS = {
    "step": {name: (step, (X, Y)) for name, step in STEPS.items()},
    "rule": {f"{case.name} (rule)": rule_case(case) for case in CASES if case.name != "where"},
    "kink": {f"{name} (kink)": (f, (KINKS,)) for name, f in ON_EACH.items()}
    | {f"{name} (kink)": (f, (ROW,)) for name, f in ALONG_ROWS.items()},
}
PROGRAMS = {name: each for kind in KINDS.values() for name, each in kind.items()}


CONSTANTS = (
    (random_programs, "MASK"),
    (random_programs, "PLACES"),
    (rule_cases, "INDEX"),
    (rule_cases, "PLACE"),
    (test_bounded_draws, "LIKE"),
)
"""Tensors that the programs know of."""


ONCE = ("layer_norm_back (rule)", "layer_norm_back_alone (rule)", "nll_back (rule)", "silu_back (rule)")
"""Backwards, whose own derivative is not tried."""


@contextmanager
def there_is_elsewhere(monkeypatch):
    for room in (gradcheck.numbers.dispatch, gradcheck.numbers.run):
        monkeypatch.setattr(room, "_disable_current_modes", no_other_modes)
    with ElsewhereMode():
        yield


@pytest.fixture
def elsewhere(monkeypatch):
    with there_is_elsewhere(monkeypatch):
        yield


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_rule_mixes_devices(monkeypatch, name):
    program, inputs = PROGRAMS[name]
    drawn, fused = name in KINDS["kink"], name in STEPS

    def run(put):
        draw = torch.Generator().manual_seed(0) if drawn else None
        numbers = Bounded(torch.bfloat16 if fused else torch.float32, fused=fused, draw=draw)
        given = [put(x) for x in inputs]
        y = evaluate(numbers, program, given)
        if name in ONCE:
            return y, ()
        return vjp(numbers, program, given, put(torch.cos(held_by(y.mid)).detach()))

    here = run(lambda x: x)
    for room, constant in CONSTANTS:
        monkeypatch.setattr(room, constant, Elsewhere(getattr(room, constant)))
    with there_is_elsewhere(monkeypatch):
        there = run(Elsewhere)
    for own, other in zip((here[0], *here[1]), (there[0], *there[1]), strict=True):
        if own is None:
            continue
        assert {part.device for part in other.parts} | {other.device} == {DEVICE}
        for part, moved in zip(own.parts, other.parts, strict=True):
            assert drawn or torch.equal(part.nan_to_num(), held_by(moved).nan_to_num())


def test_a_program_moves_numbers_where_it_wants_them(elsewhere):
    def program(x):
        return (x.to(DEVICE) * torch.full((3, 4), 2.0, device=DEVICE)).to("cpu")

    y = evaluate(Bounded(torch.float32), program, [X])
    assert {part.device.type for part in y.parts} == {"cpu"}
    assert torch.equal(y.mid, 2 * X)


def test_exact_numbers_are_here_whatever_they_were_made_of(elsewhere):
    there = Elsewhere(X)
    numbers = Exact(100)

    def program(x):
        mask = torch.ones((3, 4), device=x.device, dtype=torch.bool)
        moved = x.to(DEVICE) * there + torch.full((3, 4), 0.5, device=DEVICE)
        return torch.where(mask, moved, 0.0).gather(0, Elsewhere(random_programs.PLACES))

    y, (gradient,) = vjp(numbers, program, (there,), torch.ones(3, 4))
    assert {y.device.type, gradient.device.type} == {"cpu"}
    expected = (X * X + 0.5).gather(0, random_programs.PLACES)
    assert torch.allclose(numbers.values(y)[0], expected, rtol=1e-15, atol=0)
