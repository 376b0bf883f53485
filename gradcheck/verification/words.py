"""What is said of the facts of a verdict: every sentence, for somebody who writes kernels. Nobody parses them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gradcheck.diagnosis.codes import CODES
from gradcheck.diagnosis.matching import Factor, factor_in_words, readable
from gradcheck.references.expected import K
from gradcheck.showing.text import counted, plural, printable
from gradcheck.verification.facts import (
    AlongAxis,
    AxisRange,
    CotangentKind,
    Entries,
    Failure,
    FailureKind,
    Indices,
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


def counted_entries(entries: Entries) -> str:
    """3 of 12 entries; all 12 entries; the value."""
    if entries.total == 1:
        return "the value"
    if entries.wrong == entries.total:
        return f"all {entries.total:,} entries"
    return f"{entries.wrong:,} of {entries.total:,} entries"


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
    "every": "every {nth} {one}{along}{start}",
    "some": "some {many}{along}",
}


def range_of(found: AlongAxis, axes: int) -> str:
    """All rows but the last; of a tensor of so many axes."""
    one, many = ("entry", "entries")
    if axes == 2:
        one, many = (("row", "rows"), ("column", "columns"))[found.axis]
    along = f" along axis {found.axis}" if axes > 2 else ""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(found.at % 10, "th") if found.at // 10 % 10 != 1 else "th"
    nth = "other" if found.at == 2 else f"{found.at}{ending}"
    start = f" from {found.start} on" if found.start else ""
    return _RANGES[found.range].format(one=one, many=many, along=along, at=found.at, nth=nth, start=start)


def where_of(entries: Entries) -> str:
    """In which places along which axes; empty where that is not known, or all are wrong."""
    axes = len(entries.shape)
    telling = [each for each in entries.along if each.range not in ("all", "some")]
    if telling and axes < 3:  # the last column of some rows
        telling = [each for each in entries.along if each.range != "all"]
    told = [range_of(each, axes) for each in telling]
    return " of ".join(reversed(told)) if axes < 3 else ", ".join(told)


def placed(entries: Entries) -> str:
    """12 of 48 entries, every 4th column."""
    return ", ".join(filter(None, (counted_entries(entries), where_of(entries))))


# Mistakes.

_MISTAKES: tuple[tuple[str, str, str], ...] = (
    ("returns-zero", "", "zeros came back"),
    ("sign-flipped", "absolute", "absolute values came back, without their signs"),
    ("sign-flipped", "", "the term {part} has the other sign"),
    ("sign-flipped", "", "{name} enters with the other sign"),
    ("sign-flipped", "", "the sign is flipped"),
    ("scaled-by-constant", "", "off by the factor {factor}"),
    ("scaled-by-size", "", "off by the factor {factor}"),
    ("hard-coded-size", "", "{factor}"),
    ("transposed", "", "transposed: {axes} are exchanged"),
    ("transposed", "", "transposed"),
    ("wrong-index", "reversed", "the right numbers in reverse order along {axes}"),
    ("wrong-index", "shifted", "the right numbers, shifted along {axes}"),
    ("wrong-index", "exchanged", "two places along {axes} are exchanged"),
    ("wrong-index", "permuted", "the right numbers in another order along {axes}"),
    ("wrong-index", "copied", "some places along {axes} hold the numbers of others"),
    ("wrong-index", "flattened", "column after column where row after row belongs"),
    ("wrong-index", "", "{part} stands where another entry belongs"),
    ("missing-reduction", "first", "of a sum over {axes} of {name} only the first term counts"),
    ("missing-reduction", "", "the sum over {axes} is missing"),
    ("extra-reduction", "mean", "averaged over {axes}, which should be kept"),
    ("extra-reduction", "sum", "summed over {axes}, which should be kept"),
    ("extra-reduction", "", "summed or averaged over {axes}, which should be kept"),
    ("overwritten-not-accumulated", "last", "of a sum over {axes} of {name} only the last term counts"),
    ("overwritten-not-accumulated", "from", "of a sum over {axes} of {name} only the last terms count"),
    ("missing-upstream", "", "grad_output is not used: this is the local derivative"),
    ("assumes-ones-upstream", "", "grad_output is not used: right only where that is all ones"),
    ("changes-upstream", "sum", "only the sum of grad_output over {axes} is used"),
    ("changes-upstream", "sum", "only the sum of grad_output is used"),
    ("changes-upstream", "mean", "only the mean of grad_output over {axes} is used"),
    ("changes-upstream", "mean", "only the mean of grad_output is used"),
    ("changes-upstream", "absolute", "grad_output enters without its signs"),
    ("changes-upstream", "sign", "of grad_output only the signs enter"),
    ("changes-upstream", "positive", "of grad_output only the positive entries enter"),
    ("changes-upstream", "clipped", "the {part} is clipped"),
    ("changes-upstream", "clipped", "grad_output enters clipped"),
    ("changes-upstream", "squared", "grad_output enters squared"),
    ("changes-upstream", "normalised", "grad_output enters divided by its norm"),
    ("changes-upstream", "reversed", "grad_output enters in reverse order"),
    ("changes-upstream", "first", "of grad_output only the first entry enters"),
    ("changes-upstream", "", "not linear in grad_output"),
    ("missing-derivative", "", "grad_output is passed on, without the local derivative"),
    ("missing-term", "factor", "the factor {name} is missing"),
    ("missing-term", "factor", "a factor is missing that is constant along {axes}"),
    ("missing-term", "along", "a term is missing, or has a wrong sign or factor: a multiple of {name} along {axes}"),
    ("missing-term", "along", "a term is missing, or has a wrong sign or factor: constant along {axes}"),
    ("missing-term", "all-but-first", "of a sum over {axes} of {name} the first term is missing"),
    ("missing-term", "all-but-last", "of a sum over {axes} of {name} the last term is missing"),
    ("missing-term", "below", "of a sum over {axes} of {name} the last terms are missing"),
    ("missing-term", "drop-factor", "the factor {part} is missing"),
    ("missing-term", "", "the term {part} is missing"),
    ("missing-term", "", "a term is missing"),
    ("extra-term", "factor", "the factor {name} is too many"),
    ("extra-term", "offset", "{name} is added, times {factor}"),
    ("extra-term", "offset", "{factor} is added"),
    ("extra-term", "", "the term {part} is too many"),
    ("extra-term", "", "a term is too many"),
    ("diagonal-only", "", "only the diagonal of the Jacobian is used"),
    ("wrong-variable", "absolute", "the absolute value of {name} stands where {name} belongs"),
    ("wrong-variable", "factor", "grad_output · {name} stands where the derivative belongs"),
    ("wrong-variable", "", "{part} stands where another variable belongs"),
    ("wrong-variable", "", "{name} stands where something else belongs"),
    ("wrong-function", "", "another function or power stands where {part} belongs"),
    ("swapped-gradients", "", "this is the gradient of {name}"),
    ("wrong-axis", "", "computed over {axes}, where another one belongs"),
    ("missing-mask", "", "the mask {part} is missing"),
    ("ignores-argument", "", "{name} has no influence"),
    (
        "low-precision",
        "factor",
        "right but for a factor near 1 that is constant along {axes}: a small ε in a wrong place",
    ),
    ("low-precision", "cancellation", "digits are lost by cancellation"),
    ("low-precision", "", "no more precise than {dtype}"),
    ("low-precision", "", "right to a few digits only"),
    ("unstable", "cancellation", "digits are lost by cancellation"),
    ("unstable", "", "digits are lost by overflow or cancellation"),
    ("not-finite", "", "NaN or infinite where the true value is finite"),
    ("kink", "together", "no subgradient as a whole: the parts of a tie do not add up to grad_output"),
    ("kink", "", "at kinks this is no subgradient"),
    ("non-contiguous", "expanded", "only where grad_output is expanded"),
    ("non-contiguous", "", "only where grad_output is not contiguous"),
    ("wrong-shape", "", "the right numbers in another shape"),
    ("edge-size", "", "only at a special size of an axis"),
    ("unrecognised", "", ""),
)
"""By code and way: the first whose blanks can all be filled in. Where there is none, the title in `CODES` says it."""


def mistake_of(failure: Failure) -> str:
    """The mistake in a few words, without a full stop; empty where it has no name."""
    mistake = failure.mistake
    if mistake is None:
        return ""
    blanks = {
        "axes": _axes(mistake.axes),
        "factor": _factor(mistake.factor, failure.entries),
        "name": mistake.name,
        "part": mistake.part,
        "dtype": mistake.dtype,
    }
    empty = [f"{{{name}}}" for name, text in blanks.items() if not text]
    for code, way, text in _MISTAKES:
        if code == mistake.code and way in ("", mistake.way) and not any(each in text for each in empty):
            # Beside another mistake a factor is one more.
            more = mistake.factor is not None and mistake.factor.kind != "sign" and "{factor}" not in text
            besides = f", times {blanks['factor']}" if more else ""
            return text.format(**blanks) + besides
    return CODES[mistake.code].title if mistake.code in CODES else mistake.code


def _axes(axes: Sequence[int]) -> str:
    *most, last = map(str, axes) if axes else ("",)
    return f"axes {', '.join(most)} and {last}" if most else f"axis {last}" if last else ""


def _factor(factor: Factor | None, entries: Entries | None) -> str:
    """2; 1/8 = 1 / (the size of axis 1)."""
    if factor is None:
        return ""
    told = [factor_in_words(factor)]
    if factor.kind == "size" and entries is not None and entries.worst:
        off = entries.worst[0]
        ratio = off.got / off.low if off.low == off.high and off.low else math.nan
        told = [readable(ratio), *told] if ratio and math.isfinite(ratio) else told
    return " = ".join(told)


# Failures.

COTANGENTS: Mapping[CotangentKind, str] = {
    "dense": "dense, of both signs",
    "zero": "zeros",
    "minus-two": "−2 times a dense one",
    "one-hot": "1 in one place, else zeros",
    "expanded": "a single 1 that is expanded, as .sum().backward() passes it",
    "ones": "all ones",
    "non-contiguous": "dense, laid out column after column (not contiguous)",
    "undefined": "none for one of the outputs (undefined)",
}
"""What the grad_output was."""


def _raised(failure: Failure) -> str:
    text = shortened(failure.message)
    return f"it raised {failure.error}" + (f": {text}" if text else "")


def _results(failure: Failure) -> str:
    kind = "result" if failure.quantity is None else "output" if failure.quantity.kind == "output" else "gradient"
    return counted(failure.got, kind)


def _sizes(shape: object) -> str:
    return str(tuple(shape)) if isinstance(shape, Sequence) and not isinstance(shape, str) else str(shape)


def _changed(failure: Failure, what: str) -> str:
    """By the forward, the backward or a class; `got` is a name, or of several a position."""
    named = f"{what} {failure.got}".strip() if failure.got else what or "an input"
    return f"{named} is changed in place" + (f" by {failure.message}" if failure.message else "")


def _along(failure: Failure) -> str:
    got, wanted = apart(failure.got, failure.wanted)
    return f"times a random direction its entries add up to {got}, and must to {wanted}"


_FAILURES: Mapping[FailureKind, Callable[[Failure], str]] = {
    "raised": _raised,
    "timed-out": lambda f: f"no result after {f.got:g} seconds" if f.got else "no result when the time was up",
    "type": lambda f: f"{f.got} came where a {f.wanted or 'tensor'} belongs".replace("Tensor", "tensor"),
    "count": lambda f: f"{_results(f)} came back where {f.wanted} {plural(f.wanted, 'belongs', 'belong')}",
    "shape": lambda f: f"the shape is {_sizes(f.got)}, and must be {_sizes(f.wanted)}",
    "dtype": lambda f: f"the dtype is {f.got}, and must be {f.wanted}",
    "device": lambda f: f"it is on {f.got}, and must be on {f.wanted}",
    "values": lambda _: "",
    "along": _along,
    "cut-off": lambda _: "no gradient can flow through it: it has no graph",
    "no-gradient": lambda _: "None came where a gradient belongs",
    "not-linear": lambda _: "not linear in grad_output",
    "changes-input": lambda f: _changed(f, ""),
    "changes-grad-output": lambda f: _changed(f, "grad_output"),
    "changes-saved": lambda f: _changed(f, "saved tensor"),
    "not-deterministic": lambda _: "two equal calls differ by more than an order of summation explains",
    "unwritten": lambda _: "what happened to lie in memory came back: nobody wrote it",
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
    "unwritten": "look for torch.empty, and for what a loop or a mask leaves out.",
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
    keys = [failure.mistake.way, failure.mistake.code] if failure.mistake else []
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
    said, count = said_of(fact), counted_entries(fact.entries) if fact.entries and fact.entries.total > 1 else ""
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
    shown = failure.entries if failure.kind != "unwritten" else None  # whatever lies there is another each time
    return Passage(
        full_stop(named(failure, said_of(failure) or "wrong numbers")),
        tuple(more),
        _rows(shown, *columns, allowed=True),
        failure.mistake.code if failure.mistake else failure.kind,
    )


# Notes.


def _own(note: Note) -> str:
    """3 of 12 entries (row 1)."""
    if note.entries is None:
        return counted(note.count, "entry", "entries")
    where = where_of(note.entries)
    return counted_entries(note.entries) + (f" ({where})" if where else "")


def _are(note: Note) -> str:
    return plural(note.entries.wrong if note.entries else note.count, "is", "are")


_NOTES: Mapping[NoteKind, Callable[[Note], str]] = {
    "own-forward": lambda _: (
        "no reference was given, so the backward is held against the candidate's own forward, and that against nothing"
    ),
    "kinks": lambda n: (
        f"{counted(n.count, 'comparison')} {plural(n.count, 'is a tie', 'are ties')}, or within "
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
    "sampled": lambda n: f"{_own(n)} {_are(n)} not compared one by one, but by sums along random directions",
    "blunt": lambda n: (
        f"errors below {100 * n.ratio:.2g} % of the largest entry may go unseen, since bounds add up over many "
        "operations: verify the parts by themselves, or in a more precise dtype"
    ),
    "nothing-to-compare": lambda _: "it has no entries, so nothing was compared",
    "estimated": lambda n: (
        "the tolerance is estimated, since "
        + (f"{n.message} has no bounded rule" if n.message else "no bound of the error is known that says enough")
    ),
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
