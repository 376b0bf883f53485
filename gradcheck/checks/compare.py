"""What came back against what is expected: form first, then numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gradcheck.checks.outcome import Foreign, Outcome, Returned, Value
from gradcheck.references.binding import Array
from gradcheck.references.expected import PRECISION, Expected, Floats


@dataclass(frozen=True)
class Wanted:
    """The form of one tensor that a function must return. `name` is what people call it: y, grad_x, jacobian.

    A `scalar` may be a Python float too, a `number` must be one. `optional` may be absent from a dict: then it is zero.
    `own_dtype`: the dtype is the function's own, whatever that of the arguments.
    `mistaken` is a shape that shows a known mistake, what to say of it, and its code.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    like: str = ""
    kind: Literal["tensor", "scalar", "number"] = "tensor"
    optional: bool = False
    own_dtype: bool = False
    mistaken: tuple[tuple[int, ...], str, str] | None = None

    @property
    def described(self) -> str:
        return f"{self.shape}, the shape of {self.like}" if self.like else f"{self.shape}"


def stem(name: str) -> str:
    """What the parts of a list have in common: z of z[3]."""
    return name.split("[", maxsplit=1)[0]


def is_plural(name: str) -> bool:
    """Whether people say "are" of a part of that name: the logits, the new parameters; but the loss."""
    return name.startswith("the ") and name.endswith("s") and not name.endswith(("ss", "bias"))


VERBS = {"is": "are", "has": "have"} | {verb: verb[:-1] for verb in ("takes", "uses", "holds", "keeps", "differs")}


def verb(name: str, singular: str) -> str:
    """The verb in the number of the name before it."""
    return VERBS[singular] if is_plural(name) else singular


Template = Wanted | tuple[Any, ...] | dict[Any, Any]
"""The form of a result: one tensor, or a tuple or dict of templates."""


def leaves(template: Template) -> tuple[Wanted, ...]:
    """Every tensor of a template, in order."""
    if isinstance(template, Wanted):
        return (template,)
    parts_of = template.values() if isinstance(template, dict) else template
    return tuple(leaf for part in parts_of for leaf in leaves(part))


def parts(template: Template, value: Value) -> tuple[Value, ...]:
    """The values of a template's leaves; the kind of `value` must be right."""
    if isinstance(template, Wanted):
        return (value,)
    if isinstance(template, dict):
        assert isinstance(value, dict)
        found = [parts(part, value[key]) if key in value else _absent(part) for key, part in template.items()]
    else:
        assert isinstance(value, tuple)
        found = [parts(*pair) for pair in zip(template, value, strict=True)]
    return tuple(leaf for part in found for leaf in part)


def _absent(template: Template) -> tuple[Value, ...]:
    return tuple(Returned(leaf.shape, leaf.dtype, "cpu", np.zeros(leaf.shape)) for leaf in leaves(template))


_WHOLE = "it returned"


def type_problem(template: Template, value: Value, opening: str = _WHOLE) -> str:
    """Why `value` is not of the right kind, in words; empty when it is."""
    if isinstance(template, dict):
        return _dict_problem(template, value, opening)
    if isinstance(template, tuple):
        names = "(" + ", ".join(_name(each) for each in template) + ")" if len(template) < 6 else ""
        wanted = f"expected a tuple of {_what(template)} {names}".rstrip()
        if opening != _WHOLE:  # a list within the result has been named already
            wanted = f"expected a tuple of {_what(template)}"
        if not isinstance(value, tuple) or len(value) != len(template):
            return f"{opening} {_kind(value)}; {wanted}{_remedy(value)}"
        pairs = enumerate(zip(template, value, strict=True))
        return next(filter(None, (type_problem(each, part, _opening(each, k)) for k, (each, part) in pairs)), "")
    if template.kind == "number":
        wanted = f"expected a Python float, {template.name}"
        return "" if isinstance(value, float) else f"{opening} {_kind(value)}; {wanted}{_remedy(value)}"
    if template.kind == "scalar" and isinstance(value, float):
        return ""
    if isinstance(value, (tuple, dict)):
        alone = "; return it alone, without a comma or brackets" if isinstance(value, tuple) and len(value) == 1 else ""
        return f"{opening} {_kind(value)}; expected one tensor, {template.name}{alone}"
    return _tensor_problem(opening, value)


def _dict_problem(template: dict[Any, Any], value: Value, opening: str) -> str:
    keys = ", ".join(map(repr, template))
    if not isinstance(value, dict):
        return f"{opening} {_kind(value)}; expected a dict with the keys {keys}{_remedy(value)}"
    missing = [key for key, part in template.items() if key not in value and not all(w.optional for w in leaves(part))]
    surplus = [key for key in value if key not in template]
    if missing or surplus:
        wrong = f"without the key {missing[0]!r}" if missing else f"with the key {surplus[0]!r}"
        return f"{opening} a dict {wrong}; expected the keys {keys}"
    problems = (type_problem(template[key], part, f"the entry {key!r} is") for key, part in value.items())
    return next(filter(None, problems), "")


def _name(template: Template) -> str:
    if isinstance(template, Wanted):
        return template.name
    if isinstance(template, dict):
        return "{" + ", ".join(map(repr, template)) + "}"
    stems = {stem(each.name) for each in leaves(template)}
    return stems.pop() if len(stems) == 1 else "(" + ", ".join(map(_name, template)) + ")"


def _opening(template: Template, position: int) -> str:
    """What is said of a part of a tuple before its kind."""
    if isinstance(template, Wanted):
        return f"{template.name} {verb(template.name, 'is')}"
    places = ("first", "second", "third", "fourth")
    if isinstance(template, dict) and position < len(places):
        return f"the {places[position]} part is"
    return f"for {_name(template)} it returned"


def _what(template: tuple[Any, ...]) -> str:
    """How many parts of which kind: 3 tensors."""
    kinds = {each.kind if isinstance(each, Wanted) else "" for each in template}
    one = {"tensor": "tensor", "number": "float", "scalar": "number"}.get("".join(kinds), "part")
    return f"{len(template)} {one}{'' if len(template) == 1 else 's'}"


def _tensor_problem(opening: str, value: Value) -> str:
    if isinstance(value, Returned):
        return f"{opening} {value.problem}; return a plain torch.Tensor" if value.problem else ""
    return f"{opening} {_kind(value)}; expected a torch.Tensor{_remedy(value)}"


def _remedy(value: Value) -> str:
    return f"; {value.remedy}" if isinstance(value, Foreign) and value.remedy else ""


def _kind(value: Value) -> str:
    if isinstance(value, Returned):
        return "a tensor"
    if isinstance(value, Foreign):
        return value.description
    if isinstance(value, str):
        return "a str"
    if isinstance(value, dict):
        return f"a dict of {len(value)}"
    if isinstance(value, tuple):
        return f"a tuple or list of {len(value)}"
    return f"the number {value:g}"


def misshapen(wanted: Sequence[Wanted], values: Sequence[Value]) -> tuple[Wanted, Returned] | None:
    """The first part of another shape than is wanted, or None."""
    pairs = zip(wanted, values, strict=True)
    return next(((each, v) for each, v in pairs if isinstance(v, Returned) and v.shape != each.shape), None)


def shape_problem(wanted: Sequence[Wanted], values: Sequence[Value]) -> str:
    found = misshapen(wanted, values)
    if found is None:
        return ""
    each, value = found
    told = f"{each.name} {verb(each.name, 'has')} shape {value.shape}; expected {each.described}"
    return f"{told}: {each.mistaken[1]}" if each.mistaken and value.shape == each.mistaken[0] else told


def dtype_problem(wanted: Sequence[Wanted], values: Sequence[Value]) -> str:
    for each, value in zip(wanted, values, strict=True):
        if not isinstance(value, Returned):
            continue
        if value.dtype != each.dtype:
            floating = not each.own_dtype and each.dtype.startswith(("float", "bfloat"))
            of_what = ", the dtype of the input" if floating and value.dtype.startswith(("float", "bfloat")) else ""
            return f"{each.name} {verb(each.name, 'is')} {value.dtype}; expected {each.dtype}{of_what}"
        if value.values is None or value.device != "cpu":
            on = f"on the device {value.device!r}; expected 'cpu', where the input is"
            return f"{each.name} {verb(each.name, 'is')} {on}"
    return ""


FORM_CODES = {"type": "wrong-type", "shape": "wrong-shape", "dtype": "wrong-dtype"}
"""The checks of form in their order, each with its diagnosis code."""


def form_problem(check: str, template: Template, value: Value) -> str:
    """What a check of `FORM_CODES` has against `value`; empty when nothing. Those before it must have had nothing."""
    if check == "type":
        return type_problem(template, value)
    problem_of = shape_problem if check == "shape" else dtype_problem
    return problem_of(leaves(template), parts(template, value))


def form_code(check: str, template: Template, value: Value) -> str:
    """The diagnosis code of a problem of form."""
    if check == "shape":
        found = misshapen(leaves(template), parts(template, value))
        if found and found[0].mistaken and found[0].mistaken[0] == found[1].shape:
            return found[0].mistaken[2]
    return FORM_CODES[check]


@dataclass(frozen=True)
class Difference:
    """Where numbers differ: the parts (several, where only together they are wrong), which entries, how many of how
    many, whether all of them are finite.
    """

    parts: tuple[Wanted, ...]
    wrong: int
    entries: int
    finite: bool
    mask: Array

    @property
    def part(self) -> str:
        """The name, or the names."""
        return " and ".join(each.name for each in self.parts)

    @property
    def index(self) -> tuple[int, ...]:
        """The first wrong entry."""
        return tuple(np.argwhere(self.mask)[0].tolist())


def numbers(value: Value) -> Floats:
    """The entries of a part whose form is right."""
    if isinstance(value, Returned) and value.values is not None:
        return np.asarray(value.values, dtype=np.float64)
    assert isinstance(value, float)
    return np.asarray(value)


def difference(wanted: Sequence[Wanted], values: Sequence[Value], expected: Sequence[Expected]) -> Difference | None:
    """The first part with a wrong entry, or None.

    At a kink the truth is a segment, the same point of it for all parts of one entry: a tie in max split t : 1 − t.
    """
    observed = [numbers(value) for value in values]
    for each, value, got, want in zip(wanted, values, observed, expected, strict=True):
        tolerance = want.tolerance
        if isinstance(value, float):  # at float32 it was computed there
            tolerance = tolerance + np.abs(want.value) * PRECISION.get(each.dtype, PRECISION["float64"])[1]
        wrong = ~_inside(got, want.value, want.other, tolerance)
        if wrong.any():
            return _difference((each,), wrong, got)
    if len(observed) > 1 and any(want.other is not None for want in expected):
        wrong = ~_same_subgradient(observed, expected)
        if wrong.any():
            return _difference(tuple(wanted), wrong, observed[0])
    return None


def _difference(wanted: tuple[Wanted, ...], wrong: Array, got: Floats) -> Difference:
    return Difference(wanted, int(wrong.sum()), wrong.size, bool(np.isfinite(got[wrong]).all()), wrong)


def _inside(got: Floats, value: Floats, other: Floats | None, tolerance: Floats) -> Array:
    with np.errstate(all="ignore"):
        if other is None:
            return np.asarray(np.abs(got - value) <= tolerance)
        low, high = np.minimum(value, other), np.maximum(value, other)
        return np.asarray((got >= low - tolerance) & (got <= high + tolerance))


def _same_subgradient(observed: Sequence[Floats], expected: Sequence[Expected]) -> Array:
    """Whether one t in [0, 1] puts every part of an entry at (1 − t)·value + t·other, within tolerance."""
    shapes = {got.shape for got in observed}
    if len(shapes) != 1:
        return np.asarray(True)
    least, most = np.zeros(observed[0].shape), np.ones(observed[0].shape)
    with np.errstate(all="ignore"):
        for got, want in zip(observed, expected, strict=True):
            if want.other is None:
                continue
            step = want.other - want.value
            moves = np.abs(step) > 2 * want.tolerance
            t, slack = (got - want.value) / step, np.abs(want.tolerance / step)
            least = np.where(moves, np.maximum(least, t - slack), least)
            most = np.where(moves, np.minimum(most, t + slack), most)
    return np.asarray(least <= most)


class Stack:
    """What many calls must give back, side by side, so that their numbers are compared in one go. None stands for a
    call that is looked at by itself in any case.
    """

    def __init__(self, wanted: Sequence[tuple[Template, Sequence[Expected]] | None]) -> None:
        self._forms = [None if each is None else simple_form(*each) for each in wanted]
        expected = [each for one, form in zip(wanted, self._forms, strict=True) if one and form for each in one[1]]
        self._ends = [0]
        for one, form in zip(wanted, self._forms, strict=True):
            self._ends.append(self._ends[-1] + (sum(each.value.size for each in one[1]) if one and form else 0))
        self._starts = np.asarray(self._ends)
        # Several parts must be at one point of a kink. If all are at one end of it, they are.
        self._together = [
            number
            for number, one in enumerate(wanted)
            if one and len(one[1]) > 1 and any(each.other is not None for each in one[1])
        ]
        self._value = _flat([each.value for each in expected])
        self._tolerance = _flat([np.broadcast_to(each.tolerance, each.value.shape) for each in expected])
        self._other = _flat([each.value if each.other is None else each.other for each in expected])
        self._kinks = np.flatnonzero(_flat([np.full(each.value.shape, each.other is not None) for each in expected]))

    def suspects(self, outcomes: Sequence[Outcome], at: int) -> list[int]:
        """The numbers of those that may be wrong, of the calls from `at` on that have outcomes. All others returned
        what they must, and did nothing else that anybody may object to.
        """
        found, arrays = [], []
        for number, (outcome, form) in enumerate(zip(outcomes, self._forms[at:], strict=False), at):
            values = form and _values_of(outcome, *form)
            if values is None:
                found.append(number)
                values = [self._value[self._ends[number] : self._ends[number + 1]]]  # which are right
            arrays += values
        return sorted({*found, *self.outside(_flat(arrays), at, len(outcomes))})

    def outside(self, got: Floats, at: int = 0, count: int | None = None) -> list[int]:
        """The numbers of those that may be wrong by `got`, which is what came of `count` calls from `at` on."""
        end = len(self._forms) if count is None else at + count
        first, last = self._ends[at], self._ends[end]
        value, tolerance = self._value[first:last], self._tolerance[first:last]
        inside = _inside(got, value, None, tolerance)
        if inside.all():
            return []
        bent = self._kinks[(self._kinks >= first) & (self._kinks < last)] - first
        other = self._other[first:last]
        at_other = _inside(got, other, None, tolerance)
        found = []
        for number in self._together:
            start, stop = self._ends[number] - first, self._ends[number + 1] - first
            if at <= number < end and not (inside[start:stop].all() or at_other[start:stop].all()):
                found.append(number)  # which may be at some other point of the kink
        inside[bent] = _inside(got[bent], value[bent], other[bent], tolerance[bent])
        wrong = np.searchsorted(self._starts, first + np.flatnonzero(~inside), side="right") - 1
        return sorted({*found, *wrong.tolist()})


def simple_form(template: Template, expected: Sequence[Expected]) -> tuple[bool, list[Wanted]] | None:
    """Whether it is a tuple, and its tensors; None where it is made of something else."""
    tensors = leaves(template)
    several = isinstance(template, tuple)
    if not expected or not (isinstance(template, Wanted) or (several and tensors == template)):
        return None
    if any(each.kind == "number" for each in tensors):
        return None
    return several, list(tensors)


def _values_of(outcome: Outcome, several: bool, wanted: Sequence[Wanted]) -> list[Array] | None:
    """The numbers of an outcome that is just as wanted; None where something about it is not."""
    if outcome.state != "returned" or outcome.mutated or outcome.refused or outcome.recorded:
        return None
    parts_of = outcome.value if several else (outcome.value,)
    if type(parts_of) is not tuple or len(parts_of) != len(wanted):
        return None
    found = []
    for part, each in zip(parts_of, wanted, strict=True):
        if type(part) is not Returned or part.shape != each.shape or part.dtype != each.dtype or part.values is None:
            return None
        if part.device != "cpu" or part.shares_with or part.problem:
            return None
        found.append(part.values)
    return found


def _flat(arrays: Sequence[Any]) -> Floats:
    return np.concatenate([np.zeros(0), *(np.asarray(each).reshape(-1) for each in arrays)])
