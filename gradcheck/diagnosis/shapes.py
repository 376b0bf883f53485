"""A result of the wrong shape, or with too few parts, often says which mistake was made: an axis too many is a sum that
is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, combinations, permutations
from typing import Literal

import numpy as np

from gradcheck.checks.compare import Template, Wanted, leaves, stem
from gradcheck.checks.outcome import Argument, Arguments, Returned, Value
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.evidence import Observation, Sighting
from gradcheck.diagnosis.families import arguments
from gradcheck.diagnosis.guess import Context, Guess, fits, say
from gradcheck.diagnosis.matching import close, path_name, ratio, scale_of
from gradcheck.references.expected import Floats


@dataclass(frozen=True)
class Misshapen:
    """One part of what came back in a call, beside what should have come."""

    observation: Observation
    position: int

    @property
    def got(self) -> Floats:
        return self.observation.got[self.position]

    @property
    def expected(self) -> Floats:
        return self.observation.expected[self.position]

    @property
    def arguments(self) -> Arguments:
        return self.observation.trial.arguments

    @property
    def alike(self) -> list[Misshapen]:
        """The parts of the same list, this one among them."""
        stems = self.observation.stems
        return [Misshapen(self.observation, k) for k, each in enumerate(stems) if each == stems[self.position]]

    def same(self, one: Floats, other: Floats) -> bool:
        return close(one, other, self.observation.trial.case.dtype, scale_of(self.observation, one, other))

    def proportional(self, one: Floats, other: Floats) -> bool:
        """Equal, or up to a factor where there are enough entries to tell."""
        if self.same(one, other):
            return True
        factor = ratio(self.observation, [one], [other]) if other.size > 1 else None
        return factor is not None and factor == factor and factor != 0  # noqa: PLR0124 — NaN


Holds = Callable[[Misshapen], bool]


@dataclass(frozen=True)
class ShapeMistake:
    """What a wrong shape may come from: its code, its sentence (see `say`), and whether it `holds` for one leaf.
    `of`: it is about the misshapen leaf itself, and what its shape is may follow; about what is in it; or about the
    list that the leaf is a part of.
    """

    code: str
    text: str
    holds: Holds
    of: Literal["leaf", "content", "list"] = "leaf"


FAMILIES = (
    arguments.parts_of_arguments,
    arguments.one_term_short,
    arguments.only_some,
    arguments.exchanged,
)
"""Guesses at other arguments, with which a right function gives another shape."""


def explain_shape(context: Context) -> tuple[ShapeMistake, str] | None:
    """What the shapes and numbers of the first misshapen leaf have in common over all calls, and the name of what it is
    about; None when nothing.
    """
    misshapen = [each for each in context.observations if _first(each) is not None]
    if not misshapen:
        return None
    position = _first(misshapen[0])
    assert position is not None
    name = misshapen[0].names[position]
    told = _exchanged(misshapen)
    if told:
        return told
    told_by = [(each, place) for each in misshapen if (place := _place(each, position)) is not None]
    for each in _mistakes(context) if any(np.any(one.got[place]) for one, place in told_by) else ():
        if all(each.holds(Misshapen(one, place)) for one, place in told_by):
            return each, misshapen[0].stems[position] if each.of == "list" else name
    return None


def _first(observation: Observation) -> int | None:
    pairs = enumerate(zip(observation.got, observation.expected, strict=True))
    return next((position for position, (got, expected) in pairs if got.shape != expected.shape), None)


def _place(observation: Observation, position: int) -> int | None:
    """Where to look in this call: at the same leaf, or where that has its shape at the first misshapen one."""
    got, expected = observation.got, observation.expected
    if position < len(got) and got[position].shape != expected[position].shape:
        return position
    return _first(observation)


# Lists of the wrong length, and other branches.


@dataclass(frozen=True)
class _List:
    """A list that came back: what its parts are called, and which parts belong there."""

    name: str
    got: tuple[Value, ...]
    expected: tuple[Floats, ...]


def explain_count(sightings: Sequence[Sighting]) -> tuple[str, str] | None:
    """The code and the sentence, empty perhaps, of a list that is too short or too long, or of a result that is one
    part alone of what belongs there; None where that is not what is wrong.
    """
    returned = [each for each in sightings if each.outcome.state == "returned" and each.trial.expected]
    values = [[each.value for each in one.trial.expected] for one in returned]
    found = [
        list(_lists(each.trial.template, each.outcome.value, iter(own)))
        for each, own in zip(returned, values, strict=True)
    ]
    for name in dict.fromkeys(each.name for one in found for each in one):
        lists = [each for one in found for each in one if each.name == name]
        wrong = [each for each in lists if len(each.got) != len(each.expected)]
        if wrong:
            return _of_length(name, lists, wrong)
    return _of_kind(returned)


def _of_length(name: str, lists: Sequence[_List], wrong: Sequence[_List]) -> tuple[str, str] | None:
    shorter = {len(each.got) < len(each.expected) for each in wrong}
    for place, which in ((-1, "last"), (0, "first")):
        if all(len(each.got) == 1 and _equal(each.got[0], each.expected[place]) for each in lists):
            return "missing-term", f"only the {which} part of {name} comes back"
    if len({len(each.got) for each in lists}) == 1 and len({len(each.expected) for each in lists}) > 1:
        count = len(lists[0].got)
        text = f"{{what}} always {{has}} {count} part{'' if count == 1 else 's'}, whatever the arguments are"
        return "hard-coded-size", say(text, name)
    for code, text, cut in _CUTS if len(lists) == len(wrong) else ():
        if all(cut(each) for each in wrong):
            return code, say(text, name)
    if len(shorter) > 1 or len(lists) != len(wrong):
        return None
    return "missing-term" if shorter.pop() else "extra-term", ""


def _alike(got: Sequence[Value], expected: Sequence[Floats]) -> bool:
    """Whether these are the parts, one by one."""
    return len(got) == len(expected) and all(map(_equal, got, expected))


def _equal(got: Value, expected: Floats) -> bool:
    values = got.values if isinstance(got, Returned) else np.asarray(got) if isinstance(got, float) else None
    if values is None or values.shape != expected.shape:
        return False
    dtype = "float32" if isinstance(got, Returned) and got.dtype != "float64" else "float64"
    scale = float(np.abs(expected).max(initial=1.0)) if np.isfinite(expected).all() else 1.0
    return close(np.asarray(values, dtype=np.float64), expected, dtype, scale)


def _among(got: Sequence[Value], expected: Sequence[Floats]) -> bool:
    """Whether these are some of the parts, in their order."""
    left = iter(expected)
    return bool(got) and all(any(_equal(each, one) for one in left) for each in got)


_CUTS: tuple[tuple[str, str, Callable[[_List], bool]], ...] = (
    ("missing-term", "the last part of {what} is missing", lambda e: _alike(e.got, e.expected[:-1])),
    ("missing-term", "the first part of {what} is missing", lambda e: _alike(e.got, e.expected[1:])),
    (
        "missing-term",
        "the parts of {what} are in reverse order, and the first, which comes last, is missing",
        lambda e: _alike(e.got[::-1], e.expected[1:]),
    ),
    (
        "missing-term",
        "the parts of {what} are in reverse order, and the last, which comes first, is missing",
        lambda e: _alike(e.got[::-1], e.expected[:-1]),
    ),
    (
        "missing-term",
        "parts of {what} are missing; those that came back are right",
        lambda e: _among(e.got, e.expected),
    ),
    ("extra-term", "{what} {has} a part too many at the end", lambda e: _alike(e.got[:-1], e.expected)),
    ("extra-term", "{what} {has} a part too many at the beginning", lambda e: _alike(e.got[1:], e.expected)),
)


def _lists(template: Template, value: Value, expected: Iterator[Floats]) -> Iterator[_List]:
    """Every list of the result that has parts of one kind; reads on in `expected`, leaf by leaf."""
    if isinstance(template, Wanted):
        next(expected, None)
    elif isinstance(template, dict):
        for key, part in template.items():
            yield from _lists(part, value.get(key, 0.0) if isinstance(value, dict) else 0.0, expected)
    elif len({each.like or stem(each.name) for each in leaves(template)}) == 1 and len(template) > 1:
        own = tuple(each for each, _ in zip(expected, leaves(template), strict=False))
        if isinstance(value, tuple) and all(isinstance(each, Wanted) for each in template):
            names = {stem(each.name) for each in leaves(template)}
            yield _List(names.pop() if len(names) == 1 else "the result", value, own)
    else:
        fits = isinstance(value, tuple) and len(value) == len(template)
        for k, part in enumerate(template):
            yield from _lists(part, value[k] if fits else 0.0, expected)  # type: ignore[index]


def _of_kind(returned: Sequence[Sighting]) -> tuple[str, str] | None:
    """One part where a tuple belongs, or a tuple of one around it."""
    if not returned or isinstance(returned[0].trial.template, dict):
        return None
    template = returned[0].trial.template
    if isinstance(template, Wanted):
        for count, text in _WRAPPED:
            if all(_wraps(each.outcome.value, count, each.trial.expected[0].value) for each in returned):
                return "wrong-type", text
        return None
    if all(_stacked(each) for each in returned):
        return "wrong-type", "the parts are right, but stacked in one tensor"
    names = [each.name for each in leaves(template)]
    for k, name in enumerate(names):
        if all(
            k < len(each.trial.expected) and _equal(each.outcome.value, each.trial.expected[k].value)
            for each in returned
        ):
            others = " and ".join(other for other in names if other != name)
            return "wrong-type", f"only {name} comes back, without {others}"
    return None


_WRAPPED = (
    (1, "the numbers are right, but inside a tuple of one, as a comma at the end makes it"),
    (0, "the first part of the tuple is right, and it alone is asked for"),
)


def _wraps(value: Value, count: int, expected: Floats) -> bool:
    """Whether it is a tuple, of so many parts or of any number, that begins with what is expected."""
    return isinstance(value, tuple) and len(value) in {count or len(value)} - {0} and _equal(value[0], expected)


def _stacked(sighting: Sighting) -> bool:
    value, expected = sighting.outcome.value, [each.value for each in sighting.trial.expected]
    if not isinstance(value, Returned) or value.values is None or len({each.shape for each in expected}) != 1:
        return False
    return _equal(value, np.stack(expected))


# One leaf of the wrong shape.


def _exchanged(observations: Sequence[Observation]) -> tuple[ShapeMistake, str] | None:
    """Whether all parts are right, but in another order."""
    names = observations[0].names
    if not 1 < len(names) < 5 or any(each.names != names for each in observations):
        return None
    for order in permutations(range(len(names))):
        moved = [(k, source) for k, source in enumerate(order) if k != source]
        changed = [names[k] for k, _ in moved]
        if changed and all(
            Misshapen(each, k).same(each.got[k], each.expected[source]) for each in observations for k, source in moved
        ):
            if len({stem(name) for name in changed}) == 1 and order == tuple(range(len(names)))[::-1]:
                return None  # a list in reverse order, which has its own name
            return _EXCHANGED, ", ".join(changed[:-1]) + f" and {changed[-1]}"
    return None


_EXCHANGED = ShapeMistake("swapped-gradients", "{what} have changed places", lambda _: True, "content")


def _mistakes(context: Context) -> Iterator[ShapeMistake]:
    calculator = context.calculator
    yield ShapeMistake("transposed", "every part of {what} is transposed", _all_transposed, "list")
    yield ShapeMistake("transposed", "{what} {is} transposed", _transposed)
    text = "the axes of {what} are in the wrong order"
    yield ShapeMistake("transposed", text, _axes_permuted, "content")
    for text, change in _RESHAPED:
        yield ShapeMistake("wrong-shape", text, partial(_reshaped, change), "content")
    text = "{what} {is} the Jacobian; the chain rule still needs grad_output"
    yield ShapeMistake("missing-upstream", text, partial(_jacobian, calculator))
    for text, order in _ORDERS:
        yield ShapeMistake("wrong-index", text, partial(_reordered, order), "list")
    yield from _of_another_input(calculator)
    text = "{what} {is} computed over the wrong axis"
    yield ShapeMistake("wrong-axis", text, partial(_over_another_axis, calculator))
    if calculator.spec.role == "jacobian":
        yield ShapeMistake("diagonal-only", "{what} {holds} its diagonal alone", _diagonal_alone)
    text = "{what} {has} an axis too many: the same numbers are repeated along it"
    yield ShapeMistake("wrong-shape", text, _repeated)
    for reduce, done in ((np.sum, "sum"), (np.mean, "mean")):
        text = f"{{what}} {{has}} an axis too many: a {done} over it is missing"
        yield ShapeMistake("missing-reduction", text, partial(_unreduced, reduce))
        text = f"{{what}} {{has}} an axis too few: you took the {done} over it"
        yield ShapeMistake("extra-reduction", text, partial(_reduced, reduce, Misshapen.same))
    text = "{what} {has} an axis too few: you summed over it"
    yield ShapeMistake("extra-reduction", text, partial(_reduced, np.sum, Misshapen.proportional))
    for path in context.observations[0].tensors:
        yield ShapeMistake("wrong-variable", f"{{what}} {{is}} {path_name(path)} itself", partial(_is_argument, path))
    text = "the step has an axis too many: a sum over it is missing"
    yield ShapeMistake("missing-reduction", text, _step_unreduced, "content")
    yield from _cuts(context)
    text = "{what} {is} summed over the wrong axis: all entries together add up to what they should"
    if any((leaf != np.round(leaf)).any() for each in context.observations for leaf in each.expected):
        yield ShapeMistake("wrong-axis", text, _summed_elsewhere)  # as many ones add up to the same wherever they stand
    for family in FAMILIES if calculator.able else ():
        for guess in family(context):
            yield ShapeMistake(guess.code, guess.text, partial(_predicted, guess), "content")


def _transposed(leaf: Misshapen) -> bool:
    return leaf.got.ndim == leaf.expected.ndim == 2 and leaf.proportional(leaf.got.T, leaf.expected)


def _all_transposed(leaf: Misshapen) -> bool:
    return len(leaf.alike) > 1 and all(map(_transposed, leaf.alike))


def _axes_permuted(leaf: Misshapen) -> bool:
    axes = tuple(range(leaf.got.ndim))
    return len(axes) == leaf.expected.ndim > 2 and any(
        leaf.proportional(leaf.got.transpose(order), leaf.expected) for order in permutations(axes) if order != axes
    )


_RESHAPED: tuple[tuple[str, Callable[[Floats, Floats], bool]], ...] = (
    (
        "the numbers of {what} are right, but an axis of length 1 is gone, as squeeze() or an index takes one",
        lambda got, e: got.ndim < e.ndim and got.shape == _long(e.shape),
    ),
    (
        "the numbers of {what} are right, but an axis of length 1 is too many, as keepdim and unsqueeze leave one",
        lambda got, e: got.ndim > e.ndim and _long(got.shape) == _long(e.shape),
    ),
    ("the numbers of {what} are right, but flattened: its axes are gone", lambda got, e: got.ndim == 1 < e.ndim),
    ("the numbers of {what} are right, but their shape is not", lambda _got, _e: True),
)


def _long(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _reshaped(change: Callable[[Floats, Floats], bool], leaf: Misshapen) -> bool:
    got, expected = leaf.got, leaf.expected
    fitting = got.size == expected.size and change(got, expected)
    return fitting and leaf.same(got.reshape(expected.shape), expected)


_ORDERS: tuple[tuple[str, arguments.Order], ...] = (
    ("the parts of {what} are in reverse order", lambda n: [*range(n)][::-1]),
    ("the parts of {what} are shifted by one", lambda n: [*range(1, n), 0]),
    ("the parts of {what} are shifted by one", lambda n: [n - 1, *range(n - 1)]),
)


def _reordered(order: arguments.Order, leaf: Misshapen) -> bool:
    own = leaf.alike
    pairs = zip(own, order(len(own)), strict=True)
    return len(own) > 1 and all(leaf.same(each.got, own[source].expected) for each, source in pairs)


def _diagonal_alone(leaf: Misshapen) -> bool:
    got, expected = leaf.got, leaf.expected
    if expected.ndim < 2 or expected.shape[0] != expected.shape[1] or got.ndim != expected.ndim - 1:
        return False
    return leaf.same(got, np.moveaxis(np.diagonal(expected), -1, 0))


def _of_another_input(calculator: Calculator) -> Iterator[ShapeMistake]:
    """The derivative with respect to another input than is asked for."""
    operator, spec = calculator.operator, calculator.spec
    for each in operator.differentiable_inputs if operator and spec.role == "jacobian" else ():

        def holds(leaf: Misshapen, name: str = each.name) -> bool:
            found = calculator.jacobian(leaf.arguments, name)
            return found is not None and leaf.same(leaf.got, found)

        if each.name != spec.wrt:
            text = f"{{what}} {{is}} that with respect to {each.name}, not to {spec.wrt}"
            yield ShapeMistake("wrong-variable", text, holds)


def _over_another_axis(calculator: Calculator, leaf: Misshapen) -> bool:
    given = {name: value for name, value in leaf.arguments.items() if isinstance(value, Argument)}
    matrices = [name for name, value in given.items() if value.values.ndim == 2]
    for names in [[name] for name in matrices] + ([matrices] if len(matrices) > 1 else []):
        turned = {name: replace(given[name], values=given[name].values.T) for name in names}
        found = calculator.result({**leaf.arguments, **turned}) or ()
        if any(leaf.same(leaf.got, each) for each in found[leaf.position : leaf.position + 1]):
            return True
    return False


def _summed_elsewhere(leaf: Misshapen) -> bool:
    got, expected = leaf.got, leaf.expected
    if got.ndim != expected.ndim or not got.ndim or min(got.size, expected.size) < 2:
        return False
    return any(leaf.same(np.asarray(add(got)), np.asarray(add(expected))) for add in (np.sum, np.mean))


def _repeated(leaf: Misshapen) -> bool:
    got, expected = leaf.got, leaf.expected
    if got.ndim <= expected.ndim or got.size <= expected.size:
        return False
    spread = [np.expand_dims(expected, axes) for axes in combinations(range(got.ndim), got.ndim - expected.ndim)]
    return any(leaf.same(got, np.broadcast_to(each, got.shape)) for each in spread if fits(each.shape, got.shape))


def _unreduced(reduce: Callable[..., Floats], leaf: Misshapen) -> bool:
    count = leaf.got.ndim - leaf.expected.ndim
    return count > 0 and any(
        leaf.proportional(np.asarray(reduce(leaf.got, axis=axes)), leaf.expected)
        for axes in combinations(range(leaf.got.ndim), count)
    )


def _step_unreduced(leaf: Misshapen) -> bool:
    """An update w − step, where the step was not summed before it met w."""
    got, expected = leaf.got, leaf.expected
    if got.ndim != expected.ndim + 1:
        return False
    origins = [each for each in leaf.observation.tensors.values() if each.shape == expected.shape != ()]
    return any(
        leaf.same(np.sum(got - np.expand_dims(origin, at), axis=axis), expected - origin)
        for origin in origins
        for at in range(got.ndim)
        if fits(np.expand_dims(origin, at).shape, got.shape)
        for axis in range(got.ndim)
    )


def _reduced(
    reduce: Callable[..., Floats], alike: Callable[[Misshapen, Floats, Floats], bool], leaf: Misshapen
) -> bool:
    axes = range(leaf.expected.ndim)
    for some in chain.from_iterable(combinations(axes, count) for count in range(1, leaf.expected.ndim + 1)):
        small = np.asarray(reduce(leaf.expected, axis=some))
        if small.size == leaf.got.size and alike(leaf, leaf.got.reshape(small.shape), small):
            return True
    return False


def _cuts(context: Context) -> Iterator[ShapeMistake]:
    """Right as far as it goes, but too short along an axis, or too long."""
    for name, value in context.given.items():
        if isinstance(value, Argument) and value.dtype.startswith("int"):
            text = f"only as wide as the largest of {name} asks for: a class that none of them has is lost"
            yield ShapeMistake("ignores-argument", f"{{what}} {{is}} {text}", partial(_as_wide_as, name))
    for axis, words in ((0, "row"), (-1, "column")):
        count = _always(context.observations, axis)
        if count:
            text = f"{{what}} always {{has}} {count} {words}s, whatever the arguments are"
            yield ShapeMistake("hard-coded-size", text, partial(_elsewhere_right, axis))
        for begins, which in ((True, "last"), (False, "first")):
            holds = partial(_cut, axis, 1, begins)
            yield ShapeMistake("missing-term", f"the {which} {words} of {{what}} is missing", holds, "content")
        for begins, end in ((True, "end"), (False, "beginning")):
            holds = partial(_cut, axis, 0, begins)
            yield ShapeMistake("missing-term", f"{words}s at the {end} of {{what}} are missing", holds, "content")
        for begins, end in ((True, "end"), (False, "beginning")):
            text = f"{{what}} {{has}} {words}s too many at the {end}"
            yield ShapeMistake("extra-term", text, partial(_lengthened, axis, begins))


def _always(observations: Sequence[Observation], axis: int) -> int:
    """How long an axis is in every call, though its right length varies; 0 where that is not so."""
    pairs = [
        (got.shape[axis], expected.shape[axis])
        for each in observations
        for got, expected in zip(each.got, each.expected, strict=True)
        if got.ndim == expected.ndim > (axis != 0)
    ]
    own, right = {got for got, _ in pairs}, {expected for _, expected in pairs}
    return own.pop() if len(own) == 1 and len(right) > 1 else 0


def _elsewhere_right(axis: int, leaf: Misshapen) -> bool:
    """Whether all other axes are as long as they should be."""
    shapes = [list(each.shape) for each in (leaf.got, leaf.expected)]
    if not len(shapes[0]) == len(shapes[1]) > (axis != 0):
        return False
    for shape in shapes:
        del shape[axis]
    return shapes[0] == shapes[1]


def _as_wide_as(name: str, leaf: Misshapen) -> bool:
    got, expected, labels = leaf.got, leaf.expected, leaf.arguments[name].values
    if got.ndim != expected.ndim or not got.ndim or not labels.size or got.shape[-1] != labels.max() + 1:
        return False
    return got.shape[-1] < expected.shape[-1] and leaf.same(got, expected[..., : got.shape[-1]])


def _cut(axis: int, short: int, begins: bool, leaf: Misshapen) -> bool:
    return _is_part(leaf, leaf.got, leaf.expected, axis, short, begins)


def _lengthened(axis: int, begins: bool, leaf: Misshapen) -> bool:
    return _is_part(leaf, leaf.expected, leaf.got, axis, 0, begins)


def _is_part(leaf: Misshapen, part: Floats, whole: Floats, axis: int, short: int, begins: bool) -> bool:
    """Whether a whole begins, or ends, with the part, which lacks so many slices, 0 for any number."""
    if part.ndim != whole.ndim or part.ndim <= (axis != 0) or not part.size:
        return False
    length, all_of_it = part.shape[axis], whole.shape[axis]
    if length >= all_of_it or (short and all_of_it - length != short):
        return False
    places = np.arange(length) if begins else np.arange(all_of_it - length, all_of_it)
    cut = np.take(whole, places, axis)
    return cut.shape == part.shape and leaf.same(part, cut)


def _is_argument(path: tuple[object, ...], leaf: Misshapen) -> bool:
    value = leaf.observation.tensors.get(path)
    return value is not None and leaf.same(leaf.got, value)


def _predicted(guess: Guess, leaf: Misshapen) -> bool:
    """Whether a right function gives just this for other arguments."""
    found = guess.predict(leaf.observation)
    value = found[leaf.position] if found is not None and len(found) > leaf.position else None
    return value is not None and leaf.same(leaf.got, value)


def _jacobian(calculator: Calculator, leaf: Misshapen) -> bool:
    operator = calculator.operator
    if operator is None or calculator.spec.role != "backward":
        return False
    own = operator.differentiable_inputs[leaf.position]
    batched = own.batched and leaf.expected.ndim > len(own.shape)
    rows = range(len(leaf.expected)) if batched else [None]
    found = [calculator.jacobian(leaf.arguments, own.name, row) for row in rows]
    whole = [each for each in found if each is not None]
    if len(whole) != len(found) or not whole:
        return False
    stacked = np.stack(whole) if len(whole) > 1 else whole[0]
    return leaf.got.size == stacked.size and leaf.same(leaf.got.reshape(stacked.shape), stacked)
