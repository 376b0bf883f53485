"""How many times too large every entry is, and whether that is something at hand: y, 1 − y, a row of x.

Such a ratio is looked up among the products of two powers at one call, and must then hold in every other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from gradcheck.checks.traits import is_cotangent
from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.guess import Context, Guess, Predicted, each_leaf, say, softmax, tensor_of
from gradcheck.references.expected import Floats

EVIDENCE = 6
"""So many entries that are not zero must tell of a ratio, in all calls together."""

POWERS = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5)


@dataclass(frozen=True)
class AtHand:
    """Something that a factor may be: how it is written, what it is made of, and its entries at a call, laid along
    those of the result.
    """

    text: str
    of: str
    cost: float
    entries: Callable[[Observation, tuple[int, ...]], Floats | None]


@dataclass(frozen=True)
class _Power:
    quantity: AtHand
    exponent: float

    def entries(self, observation: Observation, shape: tuple[int, ...]) -> Floats | None:
        found = self.quantity.entries(observation, shape)
        if found is None or self.exponent == 1:
            return found
        with np.errstate(all="ignore"):
            return found**self.exponent if self.exponent == round(self.exponent) else np.abs(found) ** self.exponent

    @property
    def text(self) -> str:
        size, text = abs(self.exponent), self.quantity.text
        bracketed = f"({text})" if " " in text else text
        return {1.0: bracketed, 2.0: f"{bracketed}²", 0.5: f"√{bracketed}"}[size]

    @property
    def cost(self) -> float:
        return self.quantity.cost + 0.05 * (abs(self.exponent) != 1)


Ratio = tuple[_Power, ...]


def ratios(context: Context, observations: Sequence[Observation], name: str) -> Iterator[Guess]:
    """Guesses that the part called `name` is so many times what it should be, entry by entry."""
    seen = [_leaf(each, name) for each in observations]
    pairs = [(each, *leaf) for each, leaf in zip(observations, seen, strict=True) if leaf is not None]
    if len(pairs) < len(observations) or len(pairs) < 2:
        return
    if sum(int((expected != 0).sum()) for _, _, expected in pairs if expected.size) < EVIDENCE:
        return
    quantities = [_Power(each, power) for each in _at_hand(context) for power in POWERS]
    found = sorted(_fitting(quantities, pairs), key=lambda ratio: sum(each.cost for each in ratio))
    for ratio in found[:_TRIED]:
        code, text, whole = _in_words(ratio)
        cost = 1.25 + 0.15 * (len(ratio) - 1) + sum(each.cost for each in ratio)
        words = partial(_sentence, say(text, name), say(whole, name))
        yield Guess(code, text, _times(ratio, name), cost, words=words)


def _sentence(text: str, whole: str, full: bool) -> str:
    return whole if full else text


_TRIED = 12


def _leaf(observation: Observation, name: str) -> tuple[Floats, Floats] | None:
    """What came back and what was expected, where there is one such leaf."""
    leaves = observation.leaves(name)
    return leaves[0] if len(leaves) == 1 and leaves[0][0].shape == leaves[0][1].shape else None


def _at_hand(context: Context) -> Iterator[AtHand]:
    """The arguments, the output, and what is easily made of them."""
    names = [name for name in context.spec.parameters if (name,) in context.observations[0].tensors]
    sources: list[tuple[str, Callable[[Observation], Floats | None]]] = [(name, tensor_of(name)) for name in names]
    if context.output:
        sources.append((f"the output {context.output}", context.forward))
    numbers = [name for name in context.spec.parameters if isinstance(context.given.get(name), float)]
    sources += [(name, lambda o, n=name: np.asarray(o.trial.arguments[n])) for name in numbers]  # type: ignore[misc]
    for name, value in sources:
        made = [each for each in _FUNCTIONS if each[2] < 0.1 or not is_cotangent(name)]
        made += [(text, reduce, 0.12) for text, reduce in _REDUCED if name in names]
        for (text, function, cost), laid in product(made, (_as_it_is, _down, _across)):
            yield AtHand(text.format(name.removeprefix("the output ")), name, cost, _made(value, function, laid))


_FUNCTIONS: tuple[tuple[str, Callable[[Floats], Floats], float], ...] = (
    ("{}", lambda a: a, 0.0),
    ("|{}|", np.abs, 0.02),
    ("1 − {}", lambda a: 1 - a, 0.04),
    ("1 + {}", lambda a: 1 + a, 0.04),
    ("e^{}", np.exp, 0.1),
    ("1 + {}²", lambda a: 1 + a * a, 0.1),
    ("1 + e^{}", lambda a: 1 + np.exp(a), 0.12),
)

_REDUCED: tuple[tuple[str, Callable[[Floats], Floats]], ...] = (
    ("the sum of every row of {}", lambda a: a.sum(-1) if a.ndim == 2 else np.full(a.shape[:1], np.nan)),
    ("the sum of every column of {}", lambda a: a.sum(0) if a.ndim == 2 else np.full(a.shape[1:], np.nan)),
    ("the sum of {}", lambda a: np.asarray(a.sum())),
    ("the length of {}", lambda a: np.asarray(np.sqrt((a * a).sum()))),
    ("the length of every row of {}", lambda a: np.sqrt((a * a).sum(-1)) if a.ndim == 2 else np.full(1, np.nan)),
    ("the largest entry of {}", lambda a: np.asarray(a.max(initial=-np.inf))),
)


def _made(
    value: Callable[[Observation], Floats | None],
    function: Callable[[Floats], Floats],
    laid: Callable[[Floats, tuple[int, ...]], Floats | None],
) -> Callable[[Observation, tuple[int, ...]], Floats | None]:
    def entries(observation: Observation, shape: tuple[int, ...]) -> Floats | None:
        found = value(observation)
        if found is None:
            return None
        with np.errstate(all="ignore"):
            return laid(np.asarray(function(found)), shape)

    return entries


def _as_it_is(array: Floats, shape: tuple[int, ...]) -> Floats | None:
    return array if array.shape == shape else np.broadcast_to(array, shape) if array.ndim == 0 else None


def _down(array: Floats, shape: tuple[int, ...]) -> Floats | None:
    """A vector beside the rows: each row has a number of its own."""
    fits = array.ndim == 1 and len(shape) == 2 and len(array) == shape[0]
    return np.broadcast_to(array[:, None], shape) if fits else None


def _across(array: Floats, shape: tuple[int, ...]) -> Floats | None:
    """A vector over the columns."""
    fits = array.ndim == 1 and len(shape) == 2 and len(array) == shape[1]
    return np.broadcast_to(array, shape) if fits else None


Pair = tuple[Observation, Floats, Floats]


def _fitting(powers: Sequence[_Power], pairs: Sequence[Pair]) -> Iterator[Ratio]:
    """The products of one or two powers that the ratio is proportional to, judged by one call, or, where it is one
    number in every call, by these numbers.
    """
    told = [(observation, *logarithm) for observation, logarithm in _told(pairs)]
    if len(told) < len(pairs):
        return
    exact = [each for each in told if each[0].exact and len(each[2])] or told
    observation, places, logs = max(exact, key=lambda each: (min(len(each[2]), 60), -len(each[2])))
    if not len(logs):
        return
    constant = all(np.ptp(each[2]) < 1e-7 for each in exact if len(each[2]))
    if constant and len(exact) > 2:
        target = np.array([each[2].mean() for each in exact])
        rows = [[_mean_of(power, each[0], each[1]) for each in exact] for power in powers]
    elif not constant and len(logs) > 2:
        target = logs
        rows = [list(_logarithms(power, observation, places)) for power in powers]
    else:
        return
    yield from _products(powers, target, rows)


def _products(powers: Sequence[_Power], target: Floats, rows: Sequence[Sequence[float]]) -> Iterator[Ratio]:
    kept = [(power, np.array(row)) for power, row in zip(powers, rows, strict=True) if len(row) == len(target)]
    kept = [(power, row - row.mean()) for power, row in kept if np.isfinite(row).all() and np.ptp(row) > 1e-9]
    if not kept or np.ptp(target) < 1e-7:
        return
    target = target - target.mean()
    table = np.stack([row for _, row in kept])
    for power, row in kept:
        if np.abs(row - target).max() < 1e-7:
            yield (power,)
    for number, (power, row) in enumerate(kept):
        near = np.abs(table[number + 1 :] - (target - row)).max(axis=1) < 1e-7
        for other in np.flatnonzero(near):
            second = kept[number + 1 + int(other)][0]
            if second.quantity.text != power.quantity.text:
                yield (power, second)


def _told(pairs: Sequence[Pair]) -> Iterator[tuple[Observation, tuple[Floats, Floats]]]:
    for observation, got, expected in pairs:
        noise = np.abs(expected).max(initial=0.0) <= 1e-9 * observation.upstream
        found = (np.zeros(expected.shape, bool), np.zeros(0)) if noise else _logarithm(got, expected)
        if found is None:
            return
        yield observation, found


def _logarithm(got: Floats, expected: Floats) -> tuple[Floats, Floats] | None:
    """Where the ratio is told, and its logarithms there; None where no ratio would do."""
    size = np.abs(expected).max(initial=0.0)
    places = np.abs(expected) > 1e-6 * size
    none = ~np.isfinite(got).all() or not np.isfinite(expected).all()
    if none or (np.abs(got[~places]) > 1e-4 * max(size, 1e-300)).any() or (got[places] == 0).any():
        return None
    return places, np.log(np.abs(got[places] / expected[places]))


def _logarithms(power: _Power, observation: Observation, places: Floats) -> Floats:
    entries = power.entries(observation, places.shape)
    with np.errstate(all="ignore"):
        return np.zeros(0) if entries is None else np.log(np.abs(entries[places]))


def _mean_of(power: _Power, observation: Observation, places: Floats) -> float:
    logs = _logarithms(power, observation, places)
    return float(logs.mean()) if len(logs) and np.ptp(logs) < 1e-7 else np.nan


_SHARED = "something that {} share is missing or too many"

SHARED: tuple[tuple[str, int | None], ...] = (
    (f"every row of {{what}} {{is}} off by a factor of its own: {_SHARED.format('the entries of a row')}", -1),
    (f"every column of {{what}} {{is}} off by a factor of its own: {_SHARED.format('the entries of a column')}", 0),
    (f"{{what}} {{is}} off by one factor in each call, another in every one: {_SHARED.format('all entries')}", None),
)
"""What is left to say of a ratio that nothing explains: along which axis it is the same."""


def shared(observations: Sequence[Observation], name: str) -> str | None:
    """Along what the ratio is the same; None where it is not, or where too little tells it."""
    seen = [_leaf(each, name) for each in observations]
    pairs = [(each, *leaf) for each, leaf in zip(observations, seen, strict=True) if leaf is not None and each.exact]
    told = [logarithm for _, logarithm in _told(pairs)]
    if len(told) < len(pairs):
        return None
    for text, axis in reversed(SHARED):
        several = [_spread(places, logs, axis) for places, logs in told]
        lines = [each for each in several if each is not None]
        if len(lines) >= LEAST_CALLS and sum(each[1] for each in lines) >= EVIDENCE and all(each[0] for each in lines):
            return text
    return None


LEAST_CALLS = 3


def _spread(places: Floats, logs: Floats, axis: int | None) -> tuple[bool, int] | None:
    """Whether the ratio is the same along an axis, and how many entries say so; None where the shape cannot tell."""
    table = np.full(places.shape, np.nan)
    table[places.astype(bool)] = logs
    if axis is None:
        return (bool(np.ptp(logs) < _SAME), logs.size) if logs.size > 1 else None
    if table.ndim != 2 or min(table.shape) < 2 or np.isnan(table).any():
        return None
    return bool(np.ptp(table, axis=axis).max() < _SAME), table.size


_SAME = 1e-8


def _times(ratio: Ratio, name: str) -> Callable[[Observation], Predicted]:
    def predict(observation: Observation) -> Predicted:
        found: list[Floats | None] = []
        for leaf, stem in zip(observation.expected, observation.stems, strict=True):
            value: Floats | None = leaf if stem == name else None
            for power in ratio:
                entries = None if value is None else power.entries(observation, leaf.shape)
                with np.errstate(all="ignore"):
                    value = None if value is None or entries is None else np.where(leaf == 0, 0.0, value * entries)
            found.append(value)
        return found

    return predict


def _in_words(ratio: Ratio) -> tuple[str, str, str]:
    """The code, the sentence, and the one that names what is missing."""
    above = [each for each in ratio if each.exponent > 0]
    below = [each for each in ratio if each.exponent < 0]
    top = " ".join(each.text for each in above) or "1"
    bottom = " ".join(each.text for each in below)
    bottom = f"({bottom})" if len(below) > 1 else bottom
    whole = f"{{what}} {{is}}, entry by entry, {top}{f' / {bottom}' if below else ''} times what it should be"
    made_of = " and ".join(dict.fromkeys(each.quantity.of for each in below))
    if not below:
        text = f"{whole}: {'a factor too many' if len(above) == 1 else 'two factors too many'}"
        return "extra-term", text, text
    if not above:
        text = f"in {{what}} a factor is missing, or you divide once too often; it depends on {made_of}"
        return "missing-term", text, whole
    text = f"in {{what}} there is a factor {top} where another belongs, which depends on {made_of}"
    return "wrong-variable", text, whole


def of_the_result(context: Context) -> Iterator[Guess]:
    """A function of what should come back: its root, its square, its logarithm."""
    for words, function in _OF_ALL if context.spec.role in ("forward", "function") else _OF_GRADIENTS:
        text = f"{{what}} {{is}} {words} what should come back"
        yield Guess("wrong-function", text, each_leaf(function), 1.3)


def _guarded(function: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    def quiet(array: Floats) -> Floats:
        with np.errstate(all="ignore"):
            return np.asarray(function(array))

    return quiet


def _softmax(array: Floats) -> Floats:
    return softmax(array) if array.ndim and array.size else np.full(array.shape, np.nan)


_OF_GRADIENTS: tuple[tuple[str, Callable[[Floats], Floats]], ...] = tuple(
    (words, _guarded(function))
    for words, function in (
        ("the square of", lambda a: a * a),
        ("1 divided by", lambda a: 1 / a),
        ("cut off at −1 and 1, unlike", lambda a: np.clip(a, -1, 1)),
        ("only the signs of", np.sign),
        ("divided by its length, unlike", lambda a: a / np.sqrt((a * a).sum())),
        ("divided by its largest entry, unlike", lambda a: a / np.abs(a).max(initial=0.0)),
        ("rounded, unlike", np.round),
    )
)

_OF_ALL = _OF_GRADIENTS + tuple(
    (words, _guarded(function))
    for words, function in (
        ("the root of", np.sqrt),
        ("e to the power of", np.exp),
        ("the logarithm of", np.log),
        ("minus the logarithm of", lambda a: -np.log(a)),
        ("the logarithm to base 2 of", np.log2),
        ("the logarithm to base 10 of", np.log10),
        ("1 minus", lambda a: 1 - a),
        ("1 more than", lambda a: 1 + a),
        ("rounded down, unlike", np.floor),
        ("cut off below 0, unlike", lambda a: np.clip(a, 0, None)),
        ("the sigmoid of", lambda a: 1 / (1 + np.exp(-a))),
        ("tanh of", np.tanh),
        ("the softmax of", _softmax),
        ("the logarithm of the softmax of", lambda a: np.log(_softmax(a))),
        ("added up along the last axis, unlike", lambda a: a.cumsum(-1) if a.ndim else np.full_like(a, np.nan)),
        ("sorted, unlike", lambda a: np.sort(a, axis=-1) if a.ndim else np.full_like(a, np.nan)),
        ("without its mean, unlike", lambda a: a - a.mean() if a.size else a),
    )
)
