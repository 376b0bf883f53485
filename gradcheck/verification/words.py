"""What is said of the facts of a verdict: every sentence, for somebody who writes kernels. Nobody parses them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gradcheck.diagnosis.codes import CODES
from gradcheck.diagnosis.matching import Factor, factor_in_words, readable
from gradcheck.references.expected import K
from gradcheck.showing.text import printable
from gradcheck.verification.facts import (
    AlongAxis,
    AxisRange,
    CotangentKind,
    Entries,
    Failure,
    FailureKind,
    Indices,
    Mistake,
    Note,
    NoteKind,
    Off,
    Quantity,
)


@dataclass(frozen=True)
class Passage:
    """A failure or a note in words: what it is, what else is to be said of it, and its entries, rows below a header."""

    said: str
    more: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    code: str = ""


# Names and numbers.


def name_of(quantity: Quantity) -> str:
    """grad x, output, output 1; gradients, where all of them are meant."""
    kind = {"output": "output", "gradient": "grad", "second-gradient": "second grad"}[quantity.kind]
    return f"{kind} {quantity.name}" if quantity.name else kind.replace("grad", "gradients")


def counted(entries: Entries) -> str:
    """3 of 12 entries; all 12 entries; the value."""
    if entries.total == 1:
        return "the value"
    if entries.wrong == entries.total:
        return f"all {entries.total:,} entries"
    return f"{entries.wrong:,} of {entries.total:,} entries"


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def apart(got: float, *others: float) -> tuple[str, ...]:
    """Numbers with as many digits as it takes to tell the first from the others, and one more."""
    numbers = (got, *others)
    for digits in range(4, 18):
        first, *texts = (f"{each:.{digits}g}" for each in numbers)
        if first not in texts:
            return tuple(f"{each:.{min(digits + 1, 17)}g}" for each in numbers)
    return tuple(f"{each:.6g}" for each in numbers)


def _distance(off: Off) -> float:
    """From the segment."""
    return max(off.low - off.got, off.got - off.high, 0.0) if math.isfinite(off.got) else math.nan


def _in_radii(off: Off) -> str:
    error = _distance(off)
    if not math.isfinite(error) or not math.isfinite(off.radius):
        return "–"
    return f"{error / off.radius:.2g}" if off.radius else "∞" if error else "0"


def _short(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "–"


def _index(index: Indices) -> str:
    return f"[{', '.join(map(str, index))}]"


def _rows(entries: Entries | None, got: str, wanted: str, *, allowed: bool) -> tuple[tuple[str, ...], ...]:
    """The worst entries below a header, with errors in radii where so many are `allowed`, else with the radii."""
    if entries is None or not entries.worst:
        return ()
    rows = [("index", got, wanted, "error", f"radii (allowed {K:g})" if allowed else "radius")]
    for off in entries.worst:
        value, low, high = apart(off.got, off.low, off.high)
        right = low if off.low == off.high or low == high else f"{low} to {high}"
        last = _in_radii(off) if allowed else _short(off.radius)
        rows.append((_index(off.index), value, right, _short(_distance(off)), last))
    return tuple(row if entries.shape else row[1:] for row in rows)


# Places.

_RANGES: Mapping[AxisRange, str] = {
    "all": "all {many}{along}",
    "only": "{one} {at}{along}",
    "first": "the first {one}{along}",
    "last": "the last {one}{along}",
    "all-but-first": "all {many}{along} but the first",
    "all-but-last": "all {many}{along} but the last",
    "from": "all {many}{along} from {at} on",
    "below": "the first {at} {many}{along}",
    "every": "every {nth} {one}{along}",
    "some": "some {many}{along}",
}


def range_of(found: AlongAxis, axes: int) -> str:
    """All rows but the last; of a tensor of so many axes."""
    one, many = ("entry", "entries")
    if axes == 2:
        one, many = (("row", "rows"), ("column", "columns"))[found.axis]
    along = f" along axis {found.axis}" if axes > 2 else ""
    nth = "other" if found.at == 2 else f"{found.at}{'rd' if found.at % 10 == 3 and found.at % 100 != 13 else 'th'}"
    return _RANGES[found.range].format(one=one, many=many, along=along, at=found.at, nth=nth)


def where_of(entries: Entries) -> str:
    """In which places along which axes; empty where that is not known, or all are wrong."""
    told = [range_of(each, len(entries.shape)) for each in entries.along if each.range != "all"]
    return " of ".join(reversed(told)) if len(entries.shape) < 3 else ", ".join(told)


def placed(entries: Entries) -> str:
    """12 of 48 entries, every 4th column."""
    return ", ".join(filter(None, (counted(entries), where_of(entries))))


# Mistakes.


def _axes(mistake: Mistake) -> str:
    numbers = [str(each) for each in mistake.axes]
    if not numbers:
        return "an axis"
    return f"axis {numbers[0]}" if len(numbers) == 1 else f"axes {', '.join(numbers[:-1])} and {numbers[-1]}"


_MISTAKES: Mapping[str, Callable[[Mistake], str]] = {
    "returns-zero": lambda _: "all of it is zero",
    "sign-flipped": lambda _: "the sign is flipped",
    "hard-coded-size": lambda m: factor_in_words(m.factor) if m.factor else "",
    "transposed": lambda m: f"transposed: {_axes(m)} are exchanged" if len(m.axes) > 1 else "transposed",
    "missing-reduction": lambda m: f"the sum over {_axes(m)} is missing",
    "extra-reduction": lambda m: f"summed or averaged over {_axes(m)}, which should be kept",
    "missing-upstream": lambda _: "grad_output is not used: this is the local derivative",
    "assumes-ones-upstream": lambda _: "grad_output is not used: right only where that is all ones",
    "changes-upstream": lambda _: "not linear in grad_output",
    "missing-derivative": lambda _: "grad_output is passed on, without the local derivative",
    "missing-term": lambda m: f"the term {m.part} is missing" if m.part else "a term of the formula is missing",
    "extra-term": lambda m: f"the term {m.part} is too many" if m.part else "a term is too many",
    "diagonal-only": lambda _: "only the diagonal of the Jacobian is used",
    "wrong-variable": lambda m: f"{m.name} stands where something else belongs" if m.name else "",
    "swapped-gradients": lambda m: f"this is the gradient of {m.name}" if m.name else "",
    "wrong-axis": lambda m: f"computed over {_axes(m)}, which is another one" if len(m.axes) == 1 else "",
    "ignores-argument": lambda m: f"{m.name} has no influence" if m.name else "",
    "low-precision": lambda m: f"no more precise than {m.dtype}" if m.dtype else "right to a few digits only",
    "not-finite": lambda _: "NaN or infinite where the true value is finite",
    "unstable": lambda _: "digits are lost by overflow or cancellation",
    "kink": lambda _: "at kinks, where no subgradient is like this",
    "non-contiguous": lambda _: "only where grad_output is not contiguous",
    "edge-size": lambda _: "only at a special size of an axis",
    "unrecognised": lambda _: "",
}
"""By code, where the title of `CODES` does not say it to somebody who writes kernels; empty: see there."""


def mistake_of(failure: Failure) -> str:
    """The mistake in a few words, without a full stop; empty where it has no name."""
    mistake = failure.mistake
    if mistake is None or mistake.code == "unrecognised":
        return ""
    if mistake.code in ("scaled-by-constant", "scaled-by-size"):
        return f"off by {_factor(mistake.factor, failure.entries)}"
    told = _MISTAKES[mistake.code](mistake) if mistake.code in _MISTAKES else ""
    return told or (CODES[mistake.code].title if mistake.code in CODES else mistake.code)


def _factor(factor: Factor | None, entries: Entries | None) -> str:
    """The factor 2; the factor 1/8 = 1 / (the size of axis 1)."""
    if factor is None:
        return "a factor"
    told = [factor_in_words(factor)]
    if factor.sizes and entries is not None and entries.worst:
        off = entries.worst[0]
        ratio = off.got / off.low if off.low == off.high and off.low else math.nan
        told = [readable(ratio), *told] if ratio and math.isfinite(ratio) else told
    return f"the factor {' = '.join(told)}"


# Failures.

COTANGENTS: Mapping[CotangentKind, str] = {
    "dense": "dense, of both signs",
    "zero": "zeros",
    "minus-two": "−2 times a dense one",
    "one-hot": "1 in one place, else zeros",
    "expanded": "a single 1 that is expanded, as .sum().backward() passes it",
    "ones": "ones everywhere",
    "non-contiguous": "dense, laid out column after column (not contiguous)",
    "undefined": "none for one of the outputs (undefined)",
}
"""What the grad_output was."""


def _raised(failure: Failure) -> str:
    text = shortened(failure.message)
    return f"it raised {failure.error}" + (f": {text}" if text else "")


def _results(failure: Failure) -> str:
    kind = "result" if failure.quantity is None else "output" if failure.quantity.kind == "output" else "gradient"
    return _number(failure.got, kind)


def _sizes(shape: object) -> str:
    return str(tuple(shape)) if isinstance(shape, Sequence) and not isinstance(shape, str) else str(shape)


def _changed(failure: Failure, what: str) -> str:
    """By the forward, the backward or a class; `got` is a name, or of several a position."""
    named = f"{what} {failure.got}".strip() if failure.got else what or "an input"
    return f"{named} is changed in place" + (f" by {failure.message}" if failure.message else "")


_FAILURES: Mapping[FailureKind, Callable[[Failure], str]] = {
    "raised": _raised,
    "timed-out": lambda f: f"no result after {f.got:g} seconds" if f.got else "no result when the time was up",
    "type": lambda f: f"{f.got} came where a {f.wanted or 'tensor'} belongs".replace("Tensor", "tensor"),
    "count": lambda f: f"{_results(f)} came back where {f.wanted} belong{'s' if f.wanted == 1 else ''}",
    "shape": lambda f: f"the shape is {_sizes(f.got)}, and must be {_sizes(f.wanted)}",
    "dtype": lambda f: f"the dtype is {f.got}, and must be {f.wanted}",
    "device": lambda f: f"it is on {f.got}, and must be on {f.wanted}",
    "values": lambda _: "",
    "cut-off": lambda _: "no gradient can flow through it: it has no graph",
    "no-gradient": lambda _: "None came where a gradient belongs",
    "not-linear": lambda _: "not linear in grad_output",
    "changes-input": lambda f: _changed(f, ""),
    "changes-grad-output": lambda f: _changed(f, "grad_output"),
    "changes-saved": lambda f: _changed(f, "saved tensor"),
    "not-deterministic": lambda _: "two equal calls differ by more than an order of summation explains",
    "needs-input-grad": lambda _: "another gradient comes where only this input requires one",
    "keeps-state": lambda _: "another gradient comes where the function is used again before the backward",
    "check": lambda f: shortened(f.message),
}
"""What is wrong, said behind the name of what it is wrong with; no full stop."""

_NEXT: Mapping[str, str] = {
    "changes-input": "work on a copy, or say so by ctx.mark_dirty.",
    "changes-grad-output": "work on a copy: whoever else holds it would get a wrong gradient.",
    "changes-saved": "work on a copy: a second backward would find it changed.",
    "dtype": "compute in any dtype, and cast what is returned.",
    "no-gradient": "return a tensor for every input with ctx.needs_input_grad.",
    "needs-input-grad": "look at the branches on ctx.needs_input_grad.",
    "keeps-state": "keep what the backward needs on ctx, by ctx.save_for_backward.",
    "not-deterministic": "look for uninitialised memory, a race, or random numbers.",
    "cut-off": "look for .detach(), .item(), .data or torch.no_grad() on the way to it.",
    "timed-out": "if it only needs longer, give a larger limit.",
    "expanded": "all entries of such a grad_output share one place in memory: read it by its strides, or call "
    ".contiguous() first.",
    "non-contiguous": "read grad_output by its strides, or call .contiguous() first.",
    "low-precision": "look for a cast, a rounded constant, or a sum that is kept in a narrow dtype.",
    "missing-reduction": "sum over the axes along which the input was broadcast.",
    "missing-upstream": "multiply by grad_output before summing over the outputs.",
    "assumes-ones-upstream": "multiply by grad_output before summing over the outputs.",
    "missing-derivative": "multiply grad_output by the local derivative.",
    "not-finite": "look for a division, a logarithm or an exponential that leaves the range of its dtype.",
    "unstable": "look for an exponential that overflows, or a difference of two nearly equal numbers.",
}
"""What to do about it, by code of the mistake, kind of grad_output or kind of failure."""


def next_of(failure: Failure) -> str:
    """The one next step; empty where there is none."""
    keys = [failure.mistake.code] if failure.mistake else []
    if failure.cotangent in ("expanded", "non-contiguous") and not keys:
        keys.append(failure.cotangent)
    return next((_NEXT[key] for key in (*keys, failure.kind) if key in _NEXT), "")


def said_of(failure: Failure) -> str:
    """The sign is flipped; empty where all that is known is that numbers are wrong."""
    told = _FAILURES[failure.kind](failure), mistake_of(failure)
    return ": ".join(dict.fromkeys(filter(None, told)))


def named(fact: Failure | Note, said: str) -> str:
    """grad weight: the sign is flipped. What is not of one input is said of the class whose backward it is."""
    if isinstance(fact, Failure) and fact.kind == "count":
        return said
    own = fact.message if fact.kind in ("shape", "dtype", "device", "type") else ""
    name = name_of(fact.quantity) if fact.quantity else own
    return f"{name}: {said}" if name else said


def in_a_line(fact: Failure | Note) -> str:
    """grad weight: 3 of 12 entries wrong: the sign is flipped."""
    if isinstance(fact, Note):
        return named(fact, _NOTES[fact.kind](fact))
    said, count = said_of(fact), counted(fact.entries) if fact.entries and fact.entries.total > 1 else ""
    if fact.kind == "values":
        said = ": ".join(filter(None, (f"{count} wrong".strip(), said)))
    elif count:
        said = f"{said}, {count}"
    return named(fact, said)


def full_stop(said: str) -> str:
    """What is said as a sentence."""
    return said if said.endswith((".", "!", "?", "…")) else f"{said}."


def failure_told(failure: Failure) -> Passage:
    more = []
    if failure.entries is not None and failure.entries.total > 1:
        more.append(f"Where: {placed(failure.entries)}.")
    if failure.at:
        more.append(f"{'Check' if failure.kind == 'check' else 'At'}: {failure.at}")
    if failure.cotangent:
        more.append(f"grad_output: {COTANGENTS[failure.cotangent]}.")
    more.append(f"Again: seed={failure.seed}.")
    if step := next_of(failure):
        more.append(f"Next: {step}")
    columns = ("one call", "another") if failure.kind == "not-deterministic" else ("got", "expected")
    return Passage(
        full_stop(named(failure, said_of(failure) or "wrong numbers")),
        tuple(more),
        _rows(failure.entries, *columns, allowed=True),
        failure.mistake.code if failure.mistake else failure.kind,
    )


# Notes.


def _own(note: Note) -> str:
    """3 of 12 entries (row 1)."""
    if note.entries is None:
        return _number(note.count, "entry", "entries")
    where = where_of(note.entries)
    return counted(note.entries) + (f" ({where})" if where else "")


def _are(note: Note) -> str:
    return "is" if (note.entries.wrong if note.entries else note.count) == 1 else "are"


_NOTES: Mapping[NoteKind, Callable[[Note], str]] = {
    "own-forward": lambda _: (
        "no reference was given, so the backward is held against the candidate's own forward, and that against nothing"
    ),
    "kinks": lambda n: (
        f"{_number(n.count, 'comparison')} {'is a tie' if n.count == 1 else 'are ties'}, or within "
        "rounding of one (kinks): any subgradient is right there"
    ),
    "relative-to-largest": lambda n: (
        f"{_own(n)} {_are(n)} right only relative to the largest one: small ones lose "
        "their digits by cancellation (a failure with strict=True)"
    ),
    "worse-than-torch": lambda n: f"the largest error is {n.ratio:.2g} times torch's own",
    "better-formula": lambda n: (
        f"a better formula exists for {_own(n)}: the way that the reference is written may lose most of the digits"
    ),
    "shares-memory": lambda n: (
        f"it shares its memory with {n.message or 'grad_output or an input'}: whoever changes "
        "one in place changes the other"
    ),
    "order-of-summation": lambda _: "two equal calls differ, by no more than another order of summation explains",
    "no-bound": lambda n: f"{_own(n)} {_are(n)} not judged: no bound of the error is known there",
    "nothing-to-compare": lambda _: "it has no entries, so nothing was compared",
    "estimated": lambda n: f"the tolerance is estimated, since {n.message or 'an operator'} has no bounded rule",
    "not-checked": lambda n: f"not checked: {n.check}" + (f", since {n.message}" if n.message else ""),
}
"""What is worth knowing; no full stop."""


def note_told(note: Note) -> Passage:
    rows = _rows(note.entries, "got", "exact" if note.kind == "better-formula" else "expected", allowed=False)
    return Passage(full_stop(in_a_line(note)), (), rows, note.kind)


_LONGEST = 400


def shortened(text: str) -> str:
    """What somebody else's code says, on one line and not for ever."""
    line = " ".join(printable(text).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"
