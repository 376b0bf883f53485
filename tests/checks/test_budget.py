"""A budget of computing that searches share."""

from __future__ import annotations

import pytest

from gradcheck.checks.limits import Budget, OutOfBudget


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_blocks_spend_together_and_what_lies_between_is_free():
    clock = Clock()
    budget = Budget(10, clock)
    for _ in range(2):
        with budget.spending():
            assert budget.in_use
            clock.now += 4
            assert budget.may_go_on()
        clock.now += 100
    assert budget.may_go_on()
    with budget.spending():
        clock.now += 2
        assert not budget.may_go_on()
    assert not budget.in_use
    assert not budget.may_go_on()


def test_it_counts_what_was_given_up():
    budget = Budget(0, Clock())
    assert budget.cut == 0
    assert not budget.may_go_on()
    with pytest.raises(OutOfBudget):
        budget.must_go_on()
    assert budget.cut == 2


def test_without_a_bound_nothing_is_ever_cut():
    clock = Clock()
    budget = Budget(clock=clock)
    with budget.spending():
        clock.now += 1e9
        budget.must_go_on()
    budget.must_go_on()
    assert budget.cut == 0


def test_an_exception_in_a_block_spends_what_it_computed():
    clock = Clock()
    budget = Budget(1, clock)

    def fail() -> None:
        with budget.spending():
            clock.now += 2
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not budget.may_go_on()
