"""What came back against what is expected: form first, then numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gradcheck.checks.outcome import Foreign, Returned, Value
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


VERBS = {
    "is": "are",
    "has": "have",
    "takes": "take",
    "uses": "use",
    "holds": "hold",
    "keeps": "keep",
    "differs": "differ",
}


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
            return f"{opening} {_kind(value)}; {wanted}"
        pairs = enumerate(zip(template, value, strict=True))
        return next(filter(None, (type_problem(each, part, _opening(each, k)) for k, (each, part) in pairs)), "")
    if template.kind == "number":
        return "" if isinstance(value, float) else f"{opening} {_kind(value)}; expected a Python float, {template.name}"
    if template.kind == "scalar" and isinstance(value, float):
        return ""
    if isinstance(value, (tuple, dict)):
        return f"{opening} {_kind(value)}; expected one tensor, {template.name}"
    return _tensor_problem(opening, value)


def _dict_problem(template: dict[Any, Any], value: Value, opening: str) -> str:
    keys = ", ".join(map(repr, template))
    if not isinstance(value, dict):
        return f"{opening} {_kind(value)}; expected a dict with the keys {keys}"
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
    remedy = f"; {value.remedy}" if isinstance(value, Foreign) and value.remedy else ""
    return f"{opening} {_kind(value)}; expected a torch.Tensor{remedy}"


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
        wrong = ~_inside(got, want, tolerance)
        if wrong.any():
            return _difference((each,), wrong, got)
    if len(observed) > 1 and any(want.other is not None for want in expected):
        wrong = ~_same_subgradient(observed, expected)
        if wrong.any():
            return _difference(tuple(wanted), wrong, observed[0])
    return None


def _difference(wanted: tuple[Wanted, ...], wrong: Array, got: Floats) -> Difference:
    return Difference(wanted, int(wrong.sum()), wrong.size, bool(np.isfinite(got[wrong]).all()), wrong)


def _inside(got: Floats, want: Expected, tolerance: Floats) -> Array:
    with np.errstate(all="ignore"):
        if want.other is None:
            return np.asarray(np.abs(got - want.value) <= tolerance)
        low, high = np.minimum(want.value, want.other), np.maximum(want.value, want.other)
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
