"""Tries every guess on the evidence and keeps those that explain all of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from gradcheck.catalog import Exercise
from gradcheck.checks.limits import Budget
from gradcheck.checks.trials import Trial
from gradcheck.diagnosis import places, ratios, with_more
from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.families import arguments, composed, expected, formula
from gradcheck.diagnosis.guess import Context, Family, Guess, Predicted, say
from gradcheck.diagnosis.matching import Factor, each_factor, explain_factor, factor_in_words, leaves_of, ratio

PAIRS_OF = 40
"""So many guesses are tried in pairs. No clock decides what is found: the same submission gets the same diagnosis."""

FAMILIES: tuple[Family, ...] = (
    expected.swapped,
    expected.turned,
    arguments.upstream_of_ones,
    formula.diagonal,
    formula.stand_ins,
    expected.masked_by_upstream,
    arguments.other_axis,
    arguments.changed_upstream,
    expected.cut,
    arguments.in_another_order,
    arguments.exchanged,
    arguments.only_some,
    arguments.other_values,
    arguments.parts_of_arguments,
    arguments.first_for_all,
    arguments.one_term_short,
    arguments.one_part_astray,
    arguments.rows_moved,
    places.right_elsewhere,
    places.let_through,
    expected.reduced,
    with_more.steps_alone,
    ratios.of_the_result,
)

COMPOUND = 1.9
"""From this cost on an explanation is made of two: of two guesses, or of one and a factor."""

_FACTORS = {
    "sign": ("sign-flipped", "{what} {has} the other sign", 0.45),
    "constant": ("scaled-by-constant", "{what} {is} {factor} times what it should be", 0.55),
    "size": ("scaled-by-size", "{what} {is} {factor} times what it should be", 0.6),
    "hard-coded": ("hard-coded-size", "{what} {holds} a number where a size belongs: {factor}", 0.7),
    "scalar": ("ignores-argument", "{what} {is} wrong by a factor: {factor}", 0.7),
}


@dataclass(frozen=True)
class Explanation:
    """A guess that explains every call, with the factor that it needs. `full` makes the sentence that shows a part of
    the right formula, where there is one.
    """

    code: str
    text: str
    cost: float
    think: str = ""
    factor: str = "none"
    far: bool = False
    full: Callable[[], str] | None = None


class GuessSearch:
    """All guesses at one function's mistake. What a guess predicts is remembered: a network has many parts, and each
    may be wrong. Raises OutOfBudget where that of all searches is spent.
    """

    def __init__(self, context: Context, exercise: Exercise | None, budget: Budget) -> None:
        self.context, self.budget = context, budget
        self.guesses = [_remembering(each, budget) for each in _guesses(context, exercise)]

    @cached_property
    def slips(self) -> list[Guess]:
        """Slips within an argument or a formula. They are many."""
        made = (*arguments.odd_values(self.context), *formula.slipped(self.context))
        return [_remembering(each, self.budget) for each in made]

    @cached_property
    def pairs(self) -> list[Guess]:
        """Two mistakes at once, for when one does not explain it."""
        return [_remembering(each, self.budget) for each in _composed(self.context, self.guesses)]

    def explanations(self, name: str) -> list[Explanation]:
        """Everything that explains the leaves called `name`, the plainest first."""
        # Most guesses are refuted by the first call whose leaf is wrong: those come first.
        observations = sorted(self.context.observations, key=lambda each: _holds(each, name))
        found = list(_matching(self.guesses, observations, name))
        astray = with_more.update_astray(self.context, observations, name)
        if astray:
            found.append(Explanation(*astray))
        if _compound(found):
            added = with_more.something_added(self.context, observations, name)
            if added:
                code, text, cost = added
                found.append(Explanation(code, say(text, name), cost))
        if _compound(found) and self.context.calculator.able:
            found += [replace(each, far=True) for each in self._far(observations, name)]
        if not found:
            found = [
                Explanation(*each) for each in with_more.steps_astray(self.context, self.guesses, observations, name)
            ]
        if not found:
            found = list(_matching(self.pairs, observations, name, alone=True))
        if not found:
            shared = ratios.shared(observations, name)
            if shared:
                found.append(Explanation("missing-term", say(shared, name), COMPOUND))
        return sorted(found, key=lambda each: each.cost)

    def _far(self, observations: Sequence[Observation], name: str) -> Iterator[Explanation]:
        """What is tried where nothing plainer explains it."""
        yield from _matching(self.slips, observations, name)
        yield from _matching(ratios.ratios(self.context, observations, name), observations, name, alone=True)
        told = formula.of_terms(self.context, observations, name)
        if told:
            yield Explanation(*told)
        moved = with_more.as_steps(self.context, observations, name)
        if moved:
            guesses = with_more.of_steps((*self.guesses, *self.slips), name)
            yield from _matching(guesses, moved, name, whole="the step")


def _compound(found: Sequence[Explanation]) -> bool:
    """Whether no single mistake explains it."""
    return all(each.cost >= COMPOUND for each in found)


def _holds(observation: Observation, name: str) -> bool:
    """Whether the leaves of that stem are right in this call."""
    factor = factor_of(RIGHT, observation, name)
    return factor is not None and not abs(factor - 1) > 1e-4


RIGHT = Guess("", "", lambda observation: observation.expected, cost=0.0)
"""The expected value itself: only a factor can be wrong with it."""


def _remembering(guess: Guess, budget: Budget) -> Guess:
    memory: dict[int, tuple[Trial, Predicted]] = {}

    def predict(observation: Observation) -> Predicted:
        key = id(observation.trial)
        budget.must_go_on()
        if key not in memory:  # the trial is kept, or another one could get its id
            memory[key] = observation.trial, guess.predict(observation)
        return memory[key][1]

    return replace(guess, predict=predict)


def _guesses(context: Context, exercise: Exercise | None) -> Iterator[Guess]:
    if exercise is not None:
        yield from formula.misunderstood(context, exercise)
    if context.calculator.able:
        yield RIGHT
        for family in FAMILIES:
            yield from family(context)
        yield from formula.mutated(context)
        yield from composed.miscoded(context)


def _composed(context: Context, guesses: Sequence[Guess]) -> Iterator[Guess]:
    """Two mistakes: one of them in grad_output, or both in the formula."""
    formulas = [each for each in guesses if each.words is not None]
    own = [each for each in guesses if each.whole]
    for guess in (*own, *formulas):
        yield from arguments.upstream_too(context, guess)
    yield from with_more.two_at_once([*own, *formulas][:PAIRS_OF])


def _matching(
    guesses: Iterable[Guess], observations: Sequence[Observation], name: str, *, alone: bool = False, whole: str = "it"
) -> Iterator[Explanation]:
    """What explains the leaves. With `alone` nothing may come on top: two mistakes and a factor would be three. `whole`
    is what the factor belongs to.
    """
    for guess in guesses:
        factor = match(guess, observations, name)
        if factor is None or (alone and factor.kind != "none"):
            continue
        if factor.kind == "none" and guess.code:
            cost = guess.cost + (0.6 if guess.whole and not _explains_all(guess, observations, name) else 0.0)
            yield Explanation(guess.code, guess.sentence(name), cost, guess.think, full=_full(guess, name))
        elif factor.kind != "none":
            code, text, cost = _FACTORS[factor.kind]
            text = say(text, name, factor=factor_in_words(factor))
            if not guess.code:
                yield Explanation(_scalar_code(code, factor), text, cost, factor=factor.kind)
            else:
                more = f"; besides, {whole} is {_besides(factor)}"
                full = _full(guess, name, more)
                both = guess.sentence(name) + more
                yield Explanation(guess.code, both, guess.cost + 1.0, guess.think, factor.kind, full=full)


def _full(guess: Guess, name: str, more: str = "") -> Callable[[], str] | None:
    return (lambda: guess.sentence(name, full=True) + more) if guess.words or guess.answer else None


def _explains_all(guess: Guess, observations: Sequence[Observation], name: str) -> bool:
    """Whether the guess explains the other parts of the result as well."""
    others = dict.fromkeys(each for each in observations[0].stems if each != name)
    factors = [match(guess, observations, each) for each in others]
    return all(factor is not None and factor.kind == "none" for factor in factors)


def _scalar_code(code: str, factor: Factor) -> str:
    if factor.kind != "scalar":
        return code
    if not factor.ignored:
        return "scaled-by-constant"
    return "ignores-learning-rate" if factor.ignored == "lr" else code


def _besides(factor: Factor) -> str:
    if factor.kind == "sign":
        return "of the other sign"
    if factor.kind == "scalar":
        return f"off by a factor ({factor_in_words(factor)})"
    return f"{factor_in_words(factor)} times what it should be"


def factor_of(guess: Guess, observation: Observation, name: str) -> float | None:
    """The factor by which the guess explains the leaves called so in one call; None when it does not."""
    predicted = guess.predict(observation)
    own = None if predicted is None else leaves_of(observation, predicted, name)
    got = None if own is None else leaves_of(observation, observation.got, name)
    return None if own is None or got is None else ratio(observation, got, own)


def match(guess: Guess, observations: Sequence[Observation], name: str) -> Factor | None:
    """The factor by which the guess explains all calls; None when it does not."""
    pairs = each_factor(observations, lambda each: factor_of(guess, each, name))
    if pairs is None:
        return None
    told = [factor for _, factor in pairs if not math.isnan(factor)]
    if not told:
        return Factor("none") if guess.code else None  # all that is left is noise, as the guess says
    return explain_factor(pairs) if any(told) else None
