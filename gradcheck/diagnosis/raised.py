"""Exceptions explained: what the failing line was given, why that does not go, and what would."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gradcheck.checks.cases import Case, walk
from gradcheck.checks.drawing import RandomDraw
from gradcheck.checks.judge import judge
from gradcheck.checks.outcome import Argument, Arguments, Fault, Operand, Operation
from gradcheck.checks.results import CheckResult, Diagnosis
from gradcheck.checks.task import FunctionSpec, Reference
from gradcheck.diagnosis.circumstances import by_size
from gradcheck.diagnosis.evidence import Evidence, Failing, Sighting
from gradcheck.diagnosis.matching import path_name
from gradcheck.diagnosis.repair import Repair

if TYPE_CHECKING:
    from gradcheck.checks.engine import Verification

Shape = tuple[int, ...]


def explain_raised(
    failing: Failing,
    in_numbers: Callable[[Failing, Evidence], Diagnosis | None],
    mended: Callable[[Failing], Repair | None],
) -> Diagnosis | None:
    """What an exception of the submission's own comes from; None where there is none, or nothing is known of it. Where
    nothing plain tells the mistake, `mended` is asked for the place of the code, and, if shapes do not fit,
    `in_numbers` about calls with all sizes equal.
    """
    verification, spec, failure = failing.verification, failing.spec, failing.failure
    fault = failure.fault
    if fault is None or failure.code not in ("raised", "must-raise"):
        return None
    example = failure.counterexample
    axes = Axes(verification.bench(spec).reference, example.arguments if example else {})
    reason = explained(fault, axes)
    if reason is None:
        return None
    code, text = reason.code, reason.sentence
    if failure.code == "raised" and (reason.said or "RecursionError" in fault.bases):
        text = f"{failure.message} ({reason.place})"
    if failure.code == "must-raise":
        return failing.told(failure.code, f"{failure.message} ({text})", also=(code,))
    place = mended(failing) if code == "raised" and not reason.said else None
    if place is not None:
        both = text if reason.remedy else f"{text}; {place.text}"
        return failing.told(place.code, both, also=("raised", *reason.also))
    if failure.check != "runs":
        found = by_size(replace(failing, failure=replace(failure, message=text)), failing.evidence())
        if found is not None:
            return replace(found, also=tuple(dict.fromkeys((*found.also, code))))
    if not reason.remedy and code == "raised" and _MISFITS & set(fault.bases):
        evidence = _where_sizes_are_equal(verification, spec)
        found = in_numbers(failing, evidence) if evidence else None
        if found is not None:
            both = f"{text}. Where all sizes are equal it runs, and there {found.text}"
            return replace(found, text=both, also=(*found.also, "raised"))
    return failing.told(code, text, also=tuple(each for each in ("raised", *reason.also) if each != code))


_MISFITS = {"RuntimeError", "IndexError", "ValueError"}
"""What shapes that do not fit end in."""
_EQUAL = (3, 2, 4)


def _where_sizes_are_equal(verification: Verification, spec: FunctionSpec) -> Evidence | None:
    """Calls in which every shape fits every other; None where one of them raises all the same."""
    bench, sample = verification.bench(spec), spec.role == "jacobian"
    evidence = Evidence(spec, None if spec.reference else spec.operator or verification.task.operator)
    blank = CheckResult(verification.task.name, spec.name, "values", "passed")
    for size in _EQUAL:
        verification.budget.must_go_on()
        case = bench.drawn(Case(f"all sizes {size}", sizes=(size,), full=(size, size), sample=sample))
        for trial in bench.made(case, bench.reference.guessed(case.dtype, case.probes))[:_TRIALS]:
            outcome = verification.candidate.call(spec.name, trial.arguments)
            if outcome.state != "returned":
                return None
            evidence.sightings.append(Sighting(trial, outcome, judge(spec, blank, trial, outcome), evidence.operator))
    return evidence


_TRIALS = 3
"""Of each size so many cotangents."""


@dataclass(frozen=True)
class Reason:
    """Why a line raised, and what would do instead, where that is plain. `also` are codes of the mistake behind it."""

    text: str
    remedy: str = ""
    code: str = "raised"
    also: tuple[str, ...] = ()
    place: str = ""
    said: bool = False
    """Whether the exception is one of the file's own `raise`, which says itself why."""

    @property
    def sentence(self) -> str:
        return f"{self.place}: {self.text}; {self.remedy}" if self.remedy else f"{self.place}: {self.text}"


def explained(fault: Fault, axes: Axes) -> Reason | None:
    """Why it was raised, with the line; None where the operation that raised is not known."""
    if fault.operation is None:
        return None
    r = Raised(fault.operation, fault, axes)
    told = (explain(r) for explain, kinds in _EXPLANATIONS if not kinds or fault.kind in kinds)
    text = f"{fault.kind}: {_short(fault.text)}" if fault.text else fault.kind
    found = next((each for each in told if each), f"{r.written} raised {text}")
    reason = Reason(found) if isinstance(found, str) else found
    return replace(reason, place=f"line {r.operation.line}", said=r.operation.kind == "raise")


_LONGEST = 160


def _short(text: str) -> str:
    text = " ".join(text.split()).rstrip(".")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 2] + " …"


# Shapes with the names of their axes.

_SIZES = (5, 7, 11, 13, 17, 19, 23, 29)
"""No two alike, so that a size tells its name."""


class Axes:
    """What the axes of arguments are called, and which sizes they have in one call."""

    def __init__(self, reference: Reference, arguments: Arguments) -> None:
        names = _names_of_axes(reference)
        self.shapes: dict[str, tuple[Shape, tuple[str, ...]]] = {}
        sizes: dict[str, int] = {}
        for name, shape in _shapes(arguments):
            called = names.get(name, ())
            if len(called) == len(shape):
                self.shapes[name] = shape, called
                sizes |= {one: size for one, size in zip(called, shape, strict=True) if one}
        values = list(sizes.values())
        self.letters = {size: one for one, size in sizes.items() if values.count(size) == 1 and size != 1}

    def of(self, operand: Operand) -> str:
        """(B=2, I=3), as far as it is known what the sizes are."""
        shape = operand.shape or ()
        called = self._called(operand)
        parts = [f"{one}={size}" if one else str(size) for one, size in zip(called, shape, strict=True)]
        return f"({', '.join(parts)})"

    def operand(self, operand: Operand) -> str:
        """Its text, and the shape of a tensor."""
        return f"{_bracketed(operand.source)} {self.of(operand)}" if operand.is_tensor else operand.source

    def _called(self, operand: Operand) -> tuple[str, ...]:
        shape = operand.shape or ()
        name, turned = operand.source, False
        for ending in (".T", ".t()", ".mT"):
            if name.endswith(ending) and len(shape) == 2:
                name, turned = name.removesuffix(ending), True
        known, called = self.shapes.get(name, ((), ()))
        if turned:
            known, called = known[::-1], called[::-1]
        if known == shape and called:
            return called
        return tuple(self.letters.get(size, "") if shape.count(size) == 1 else "" for size in shape)


def _names_of_axes(reference: Reference) -> dict[str, tuple[str, ...]]:
    """By argument the names of its axes, empty where a record names none: drawn once in sizes that tell."""
    draw = RandomDraw(np.random.default_rng(0), sizes=_SIZES)
    try:
        drawn = reference.draw(draw)
    except (ValueError, IndexError, KeyError):  # a record that needs sizes of its own
        return {}
    named = {size: name for name, size in draw.named.items() if name.isidentifier() and len(name) <= 7}
    return {name: tuple(named.get(size, "") for size in shape) for name, shape in _shapes(drawn)}


def _shapes(arguments: Arguments) -> Iterator[tuple[str, Shape]]:
    for path, leaf in walk(arguments):
        if isinstance(leaf, Argument):
            yield path_name(path), np.shape(leaf.values)


# What an operation is, in words.


def _bracketed(source: str) -> str:
    """What stands for one thing beside an operator: in brackets where an operator of its own is outside of any."""
    depth = 0
    for sign in source:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == " " and not depth:
            return f"({source})"
    return source


@dataclass(frozen=True)
class Raised:
    """An operation that raised, and the exception."""

    operation: Operation
    fault: Fault
    axes: Axes

    @property
    def operands(self) -> Sequence[Operand]:
        return self.operation.operands

    @property
    def tensors(self) -> list[Operand]:
        return [each for each in self.operands if each.is_tensor]

    @property
    def name(self) -> str:
        """torch.mm and x.mm are mm."""
        return self.operation.name.rpartition(".")[2] or self.operation.name

    @property
    def quoted(self) -> str:
        return f"`{self.operation.source}`"

    @property
    def written(self) -> str:
        """The operation with its operands' shapes."""
        parts, kind, name = list(map(self.axes.operand, self.operands)), self.operation.kind, self.operation.name
        if kind in ("binary", "compare") and len(parts) == 2:
            return f" {name} ".join(parts)
        if kind == "call" and self.tensors:
            return f"{name}({', '.join(parts)})"
        if kind == "method" and self.tensors:
            return f"{parts[0]}.{name}({', '.join(parts[1:])})"
        if kind in ("index", "store") and self.operands and self.operands[0].is_tensor:
            return f"{parts[0]}[{', '.join(parts[1:] if kind == 'index' else parts[1:-1])}]"
        return self.quoted


# Shapes that do not fit.

_MATMULS = ("@", "@=", "matmul", "mm", "mv", "bmm", "dot", "inner")
_BROADCASTING = (
    "+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "<", "<=", ">", ">=", "==", "!=", "+=", "-=", "*=", "/=",
    "add", "sub", "mul", "div", "maximum", "minimum", "where", "eq", "ne", "lt", "le", "gt", "ge", "pow",
    "add_", "sub_", "mul_", "div_",
)  # fmt: skip


def _products(r: Raised) -> Reason | str:
    if r.name not in _MATMULS or len(r.tensors) != 2:
        return ""
    left, right = r.tensors
    one, other = left.shape or (), right.shape or ()
    told = r.written
    if not one or not other:
        return f"{told}: {left.source if not one else right.source} has no axes; for a single number write *"
    inner = other[-2] if len(other) > 1 else other[0]
    if one[-1] != inner:
        remedy = _turned(left, right, r.axes)
        return Reason(f"{told}: {one[-1]} meets {inner}", remedy, also=("transposed",) if remedy else ())
    needed = {"mm": (2, 2), "mv": (2, 1), "dot": (1, 1), "bmm": (3, 3)}.get(r.name)
    if needed and (len(one), len(other)) != needed:
        return f"{told}: {r.name} takes {needed[0]} and {needed[1]} axes; @ takes any"
    return ""


def _turned(left: Operand, right: Operand, axes: Axes) -> str:
    """The one operand that would fit if it were transposed, or were not."""
    one, other = left.shape or (), right.shape or ()
    fits = []
    if len(one) == 2 and one[0] == (other[-2] if len(other) > 1 else other[0]):
        fits.append(left)
    if len(other) == 2 and one[-1] == other[1]:
        fits.append(right)
    if len(fits) != 1:
        return ""
    (operand,) = fits
    for ending in (".T", ".t()", ".mT"):
        if operand.source.endswith(ending):
            return f"{operand.source.removesuffix(ending)} without {ending} would fit"
    turned = replace(operand, source=f"{_bracketed(operand.source)}.T", shape=(operand.shape or ())[::-1])
    return f"{axes.operand(turned)} would fit"


def _broadcast(r: Raised) -> Reason | str:
    if r.name not in _BROADCASTING or len(r.tensors) < 2:
        return ""
    for number, left in enumerate(r.tensors):
        for right in r.tensors[number + 1 :]:
            clash = _clash(left.shape or (), right.shape or ())
            if clash:
                return Reason(f"{r.written}: {clash[0]} meets {clash[1]}", _axis_kept(left, right, r.axes))
    if r.operation.name.endswith("=") and r.operation.name not in ("==", "<=", ">=", "!="):
        left, right = r.tensors[:2]
        return f"{r.written}: the result does not fit into {left.source}, which keeps its shape"
    return ""


def _clash(one: Shape, other: Shape) -> tuple[int, int] | None:
    """The last two sizes that do not broadcast."""
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right and 1 not in (left, right):
            return left, right
    return None


def _axis_kept(left: Operand, right: Operand, axes: Axes) -> str:
    """What would fit if one of the operands had kept an axis of size one, or were transposed."""
    for small, large in ((left, right), (right, left)):
        shape, wanted = small.shape or (), large.shape or ()
        if len(shape) + 1 == len(wanted):
            places = [at for at in range(len(wanted)) if shape == wanted[:at] + wanted[at + 1 :]]
            if places and places[0] == len(wanted) - 1:
                more = axes.of(replace(small, shape=(*shape, 1)))
                if small.source.isidentifier():
                    return f"{small.source}[:, None] is {more} and fits"
                which = "first" if small is left else "second"
                return f"with keepdim=True, or [:, None], the {which} is {more} and fits"
        if len(shape) == len(wanted) == 2 and shape[::-1] == wanted and small is left:
            return "one of them is transposed"
    return ""


def _einsum(r: Raised) -> str:
    pattern = r.operands[0].value.replace(" ", "") if r.operands else ""
    inputs = pattern.partition("->")[0].split(",")
    if r.name != "einsum" or not pattern:
        return ""
    told = r.written
    if len(inputs) != len(r.tensors):
        return f"{told}: {len(inputs)} groups of letters for {len(r.tensors)} tensors" if r.tensors else ""
    sizes: dict[str, tuple[int, str]] = {}
    for letters, tensor in zip(inputs, r.tensors, strict=True):
        shape = tensor.shape or ()
        if "." in letters:
            return ""
        if len(letters) != len(shape):
            return f"{told}: {letters!r} names {_axes(len(letters))}, {tensor.source} has {len(shape)}"
        for letter, size in zip(letters, shape, strict=True):
            known, source = sizes.setdefault(letter, (size, tensor.source))
            if known != size:
                return f"{told}: {letter} is {known} in {source} and {size} in {tensor.source}"
    strange = [letter for letter in pattern.partition("->")[2] if letter not in sizes]
    return f"{told}: {strange[0]} is in no tensor" if strange else ""


def _axes(count: int) -> str:
    return f"{count} {'axis' if count == 1 else 'axes'}"


def _joined(r: Raised) -> str:
    if r.name not in ("cat", "concat", "stack", "hstack", "vstack") or len(r.tensors) < 2:
        return ""
    shapes = [each.shape or () for each in r.tensors]
    if len({len(each) for each in shapes}) > 1 or (r.name == "stack" and len(set(shapes)) > 1):
        return f"{r.written}: the shapes differ"
    given = next((int(each.value) for each in r.operands if each.kind == "int"), 0)
    rest = {tuple(size for at, size in enumerate(each) if at != given % max(1, len(each))) for each in shapes}
    return f"{r.written}: the other axes differ" if len(rest) > 1 else ""


def _reshaped(r: Raised) -> Reason | str:
    first = next((each for each in r.operands if each.is_tensor), None)
    wanted = [int(each.value) for each in r.operands if each.kind == "int"]
    if r.name not in ("view", "reshape") or first is None or not wanted:
        return ""
    count, asked = math.prod(first.shape or ()), math.prod(each for each in wanted if each != -1)
    if count == asked or (-1 in wanted and asked and count % asked == 0):
        return f"{r.written}: view needs memory in order; use reshape" if "view" in r.operation.name else ""
    sizes = " × ".join("?" if each == -1 else str(each) for each in wanted)
    written = all(each.source == each.value for each in r.operands if each.kind == "int")
    told = f"{r.written}: {count} entries do not make {sizes}"
    return Reason(told, also=("hard-coded-size",) if written else ())


def _indexed(r: Raised) -> Reason | str:
    if r.operation.kind not in ("index", "store") or not r.operands:
        return ""
    holder, *index = r.operands
    index = index[:-1] if r.operation.kind == "store" and len(index) > 1 else index
    told = r.written
    if holder.kind in ("list", "tuple", "Size") and holder.shape and index and index[0].kind == "int":
        count = f"{holder.source} holds {holder.shape[0]}"
        return f"{r.quoted}: {count}, and the index is {index[0].value}" if "Index" in r.fault.kind else ""
    if not holder.is_tensor:
        return ""
    if any(each.kind == "str" for each in index):
        return f"{told}: {holder.source} is a tensor, and {index[0].source} would be a key of a dict"
    shape = holder.shape or ()
    taken = [each for each in index if each.source not in ("None", "...")]
    if len(taken) > len(shape) and not any(each.dtype == "bool" for each in taken):
        return f"{told}: {len(taken)} indices for {_axes(len(shape))}"
    if "..." in [each.source for each in index]:
        return ""
    for size, each in zip(shape, taken, strict=False):
        if each.dtype == "bool":
            if each.shape and each.shape != shape[: len(each.shape)]:
                return f"{told}: the mask must have the shape of what it is taken of"
            return ""
        low, _, high = each.value.partition("…")
        if each.kind in ("int", "Tensor") and low and not -size <= int(low) <= int(high or low) < size:
            wrong = high if high and int(high) >= size else low
            there = "entry is there" if size == 1 else "entries are there"
            also = ("hard-coded-size",) if each.source == wrong else ()
            return Reason(f"{told}: the index {wrong} is out of range, {size} {there}", also=also)
    parts = [each for each in taken if each.is_tensor and each.shape]
    if len({each.shape for each in parts}) > 1 and _clash(parts[0].shape or (), parts[1].shape or ()):
        return f"{told}: the indices have different lengths"
    if any(each.dtype.startswith(("float", "bfloat")) for each in taken):
        return f"{told}: an index is a whole number; make it .long()"
    return ""


def _unpacked(r: Raised) -> str:
    if r.operation.kind != "unpack" or not r.operands:
        return ""
    (source,) = r.operands[:1]
    count = source.shape[0] if source.shape else 0
    if source.shape is None or str(count) == r.operation.name:
        return ""
    names = r.operation.source.strip("()")
    told = f"{names} = {r.axes.operand(source)}: {r.operation.name} names for {count} values"
    return f"{told}, the rows of the tensor" if source.is_tensor else told


# Other dtypes.


def _dtypes(r: Raised) -> Reason | str:
    dtypes = {each.dtype for each in r.tensors}
    if len(dtypes) < 2:
        return ""
    floats = [each for each in r.tensors if each.dtype.startswith(("float", "bfloat"))]
    if r.operation.strays:
        stray = r.operation.strays[0]
        like = next((each for each in floats if each.dtype != stray.dtype), None)
        if like is not None:
            where = "" if stray.line == r.operation.line else f" (line {stray.line})"
            named = f"{stray.name} = " if stray.name else ""
            model = like.source if like.source.isidentifier() else "x"
            give = f"give it dtype={model}.dtype"
            if stray.source.endswith((".float()", ".half()", ".double()")):
                give = f"leave .{stray.source.rpartition('.')[2]} out"
            told = f"{named}{stray.source}{where} is {stray.dtype}, but {like.source} is {like.dtype}"
            return Reason(told, give, "wrong-dtype")
    whole = next((each for each in r.tensors if each.dtype in ("int64", "bool", "int32")), None)
    if whole is not None and floats and r.name in (*_MATMULS, "einsum"):
        like = floats[0]
        told = f"{whole.source} is {whole.dtype}, but {like.source} is {like.dtype}"
        return Reason(told, f"write {whole.source}.to({like.source}.dtype)", "wrong-dtype")
    if len(floats) > 1 and floats[0].dtype != floats[1].dtype and r.name in (*_MATMULS, "einsum"):
        one, other = floats[:2]
        told = f"{r.written}: {one.source} is {one.dtype}, {other.source} is {other.dtype}"
        return Reason(told, code="wrong-dtype")
    return ""


# Python where torch belongs.

_ENTRYWISE = {"max": "clamp(min={})", "min": "clamp(max={})"}
_IN_TORCH = {
    "exp",
    "log",
    "sqrt",
    "tanh",
    "sin",
    "cos",
    "log1p",
    "expm1",
    "erf",
    "pow",
    "floor",
    "ceil",
    "cosh",
    "sinh",
}


def _python(r: Raised) -> str:
    if not r.tensors:
        return ""
    first, name = r.tensors[0], r.operation.name
    count = math.prod(first.shape or ())
    if r.operation.kind == "truth":
        return (
            f"{r.axes.operand(first)} has {count} entries, and Python's if, while, and, or, not want one answer; "
            "torch.where(condition, a, b) decides entry by entry"
        )
    if r.operation.kind == "call" and name in _ENTRYWISE and len(r.operands) == 2:
        if len(r.tensors) == 2:
            told = f"torch.{name}imum({r.tensors[0].source}, {r.tensors[1].source})"
        else:
            other = next(each for each in r.operands if not each.is_tensor)
            told = f"{first.source}.{_ENTRYWISE[name].format(other.source)}"
        return f"{r.quoted} is Python's {name}, which cannot compare entry by entry; write {told}"
    if r.operation.kind == "call" and name.startswith("math.") and r.name in _IN_TORCH:
        more = f"torch.{r.name} takes all of them"
        return f"{name} takes one number, and {r.axes.operand(first)} has {count}; {more}"
    if (r.operation.kind, name) in (("call", "float"), ("call", "int"), ("method", "item")) and count != 1:
        return f"{r.quoted} takes one number, and {r.axes.operand(first)} has {count}"
    return ""


def _arrays(r: Raised) -> Reason | str:
    array = next((each for each in r.operands if each.kind == "ndarray"), None)
    if array is None:
        return ""
    told = f"{r.quoted}: {array.source} is a NumPy array"
    return Reason(told, f"stay with torch, or write torch.from_numpy({array.source})")


# What is not there.


def _is_none(r: Raised) -> str:
    found = next((each for each in r.operands if each.kind == "NoneType" and each.source != "None"), None)
    if found is None:
        return ""
    why = "does the function that made it return something?" if found.source.isidentifier() else "it was never set"
    if found.source.endswith(".grad"):
        why = "nothing was differentiated automatically; write the gradient yourself"
    return f"{r.quoted}: {found.source} is None; {why}"


def _uncalled(r: Raised) -> str:
    kinds = ("builtin_function_or_method", "method", "function", "method_descriptor")
    found = next((each for each in r.operands if each.kind in kinds), None)
    if found is None or r.operation.kind not in ("binary", "compare", "unary", "index", "attribute", "iterate"):
        return ""
    return f"{r.quoted}: {found.source} is a function; call it: {found.source}(…)"


def _pairs(r: Raised) -> Reason | str:
    """What torch returns for max, min and sort over an axis is two tensors."""
    if "torch.return_types." not in r.fault.text:
        return ""
    pair = next((each for each in r.operands if not each.is_tensor), None)
    if pair is None:
        return ""
    return Reason(f"{r.quoted}: {pair.source} is a pair of values and indices", "take its .values")


def _of_number(r: Raised) -> Reason | str:
    if "must be Tensor, not" not in r.fault.text:
        return ""
    number = next((each for each in r.operands if each.kind in ("float", "int", "bool")), None)
    if number is None:
        return ""
    told = f"{r.quoted}: {r.operation.name} takes tensors, and {number.source} is a Python {number.kind}"
    return Reason(told, "use Python's own functions for numbers, as max or math.exp")


def _not_callable(r: Raised) -> str:
    if r.operation.kind not in ("call", "method") or "not callable" not in r.fault.text:
        return ""
    kind = r.fault.text.partition("'")[2].partition("'")[0].lower()
    what = r.operation.name if r.operation.kind == "call" else r.operation.source.partition("(")[0]
    return f"{r.quoted}: {what} is a {kind[:40]}, not a function; is a * or an @ missing before the bracket?"


def _absent(r: Raised) -> str:
    if not r.operation.missing:
        return ""
    missing = r.operation.missing
    meant = f"; did you mean {' or '.join(r.operation.similar)}?" if r.operation.similar else ""
    if "UnboundLocalError" in r.fault.bases:
        return f"{missing} is used before this function gives it a value"
    if "NameError" in r.fault.bases:
        return f"the name {missing} is not defined{meant}"
    if "AttributeError" in r.fault.bases:
        kind = r.operands[0].kind if r.operands else ""
        holder = "a tensor" if kind == "Tensor" else r.operands[0].source if r.operands else "it"
        return f"{r.quoted}: {holder} has no {missing}{meant}"
    if "KeyError" in r.fault.bases:
        close = r.operation.similar
        meant = f"; did you mean {close[0]}?" if len(close) == 1 else f"; it has {', '.join(close)}" if close else ""
        return f"{r.quoted}: there is no key {missing}{meant}"
    return f"{r.quoted}: {r.operation.name} has no argument {missing}{meant}"


def _failed_assertion(r: Raised) -> str:
    if r.operation.kind != "assert":
        return ""
    values = [f"{each.source} is {each.value}" for each in r.operands if each.value and each.source != each.value]
    told = f": {' and '.join(values)}" if values else f": {_short(r.fault.text)}" if r.fault.text else ""
    return f"`assert {r.operation.source}` does not hold{told}"


def _by_zero(r: Raised) -> str:
    zero = r.operands[-1].source if r.operands else ""
    return f"{r.quoted} divides by zero{f': {zero} is 0' if not zero.isdigit() else ''}"


_EXPLANATIONS: tuple[tuple[Callable[[Raised], Reason | str], tuple[str, ...]], ...] = (
    (_failed_assertion, ()),
    (_absent, ()),
    (_by_zero, ("ZeroDivisionError",)),
    (_is_none, ("TypeError", "AttributeError")),
    (_python, ()),
    (_arrays, ("TypeError", "RuntimeError", "AttributeError")),
    (_pairs, ("TypeError", "AttributeError")),
    (_of_number, ("TypeError",)),
    (_uncalled, ("TypeError", "AttributeError")),
    (_not_callable, ("TypeError",)),
    *((explain, ()) for explain in (_unpacked, _einsum, _products, _joined, _reshaped, _indexed, _broadcast)),
    (_dtypes, ("RuntimeError", "TypeError")),
)
"""In their order: the first that has something to say of exceptions of these kinds, or of any."""
