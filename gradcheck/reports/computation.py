"""The case of a failure as the computation that it is: its numbers on the way from the inputs through the function to
the cost, the gradients on the same way back, what came back wrong marked.

Facts first (`Computation`, plain data that JSON takes), then lines for a terminal; a page has `computation_svg`. The
correct numbers are among them on request only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from textwrap import wrap
from typing import Any, Literal

from gradcheck.catalog import all_exercises
from gradcheck.checks.results import CheckResult, Counterexample
from gradcheck.checks.task import FunctionSpec
from gradcheck.operators.record import Operator
from gradcheck.reports.grids import Grid, grid_of, shape_of, shape_text
from gradcheck.reports.ink import BLOCKS, LETTERS, Ink
from gradcheck.reports.message import Line, hanging, tensor_text
from gradcheck.reports.terminal import paragraph
from gradcheck.showing.text import in_a_row, plural, printable

Way = Literal["forward", "backward"]

FORMLESS = ("runs", "type", "dtype", "purity", "linearity", "agrees_with_backward")
"""Checks whose failures no picture of numbers explains."""

MOST = 12
"""Numbers of a tensor that are drawn; of more the beginning is."""
_BEGINNING = (3, 4)
_WIRES = 8
"""Variables on one side of the function; more are no picture."""


@dataclass(frozen=True)
class Figures:
    """The numbers of a tensor: `grid` the first of its rows and columns, `shape` that of the whole."""

    grid: Grid
    shape: tuple[int, ...]

    @property
    def whole(self) -> bool:
        return sum(map(len, self.grid)) == prod(self.shape)

    @property
    def wrong(self) -> bool:
        return any(wrong for line in self.grid for _, wrong in line)


@dataclass(frozen=True)
class Wire:
    """A variable on its way to the function or from it: its own numbers `forward`, the gradient by it `backward`.

    `right` is what should have come in the place of the numbers that are marked, where that may be shown. With
    `unjudged` nobody compared what came: a part of the result before it is wrong.
    """

    name: str
    forward: Figures | None = None
    backward: Figures | None = None
    right: Figures | None = None
    unjudged: bool = False


@dataclass(frozen=True)
class Computation:
    """What a call computed: `inputs`, by way of the function called `name`, to `outputs`, and on to `cost`; then back.

    The learner's function `returned` what goes forward from it, or what goes backward to the inputs; in a backward
    `upstream` is what the gradient that came to it is called there. `cost` is empty where nothing is said of one.
    """

    name: str
    inputs: tuple[Wire, ...]
    outputs: tuple[Wire, ...]
    returned: Way
    upstream: str = ""
    cost: str = ""

    @property
    def told(self) -> tuple[Wire, ...]:
        """What the learner's function returned."""
        return self.inputs if self.returned == "backward" else self.outputs


def function_of(result: CheckResult) -> tuple[FunctionSpec | None, Operator | None]:
    """What is known of the function that a check is about, and the operator that it belongs to."""
    exercise = all_exercises().get(result.task)
    if exercise is None:
        return None, None
    spec = next((each.spec for each in exercise.functions if each.spec.name == result.function), None)
    return spec, (spec.operator or exercise.operator) if spec and not spec.reference else None


def computation_of(result: CheckResult, *, show_answer: bool = False) -> Computation | None:
    """The computation of a failed check's case; None where it shows nothing that is wrong, or is too large to draw."""
    example, (spec, operator) = result.counterexample, function_of(result)
    if example is None or example.got is None or spec is None or spec.role == "jacobian":
        return None
    if result.status != "failed" or result.check in FORMLESS:
        return None
    inputs = {key: value for name, given in example.inputs.items() for key, value in _variables(name, given)}
    if not all(isinstance(each, str) or _drawable(each) for each in inputs.values()):
        return None
    read = _ReadCase(result, example, spec, operator, show_answer)
    drawn = read.backward(inputs) if spec.is_backward else read.forward(inputs)
    if drawn is None or max(len(drawn.inputs), len(drawn.outputs)) > _WIRES:
        return None
    seen = any(each.wrong for wire in drawn.told for each in (wire.forward, wire.backward) if each)
    return drawn if seen else None


def _variables(name: str, given: Any) -> Iterator[tuple[str, Any]]:
    yield from given.items() if isinstance(given, dict) else [(name, given)]


def _drawable(value: Any) -> bool:
    shape = shape_of(value)
    return shape is not None and len(shape) <= 2 and prod(shape) > 0 and _all_numbers(value)


def _all_numbers(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_all_numbers, value))
    return isinstance(value, (bool, int, float)) or value in _NOT_FINITE


_NOT_FINITE = ("NaN", "Infinity", "-Infinity", "nan", "inf", "-inf")
"""What stands for a number in JSON, which has none of these."""


@dataclass(frozen=True)
class _ReadCase:
    """How the numbers of a case are read."""

    result: CheckResult
    example: Counterexample
    spec: FunctionSpec
    operator: Operator | None
    show_answer: bool

    def forward(self, given: Mapping[str, Any]) -> Computation:
        names = self.spec.reference.names if self.spec.reference else ""
        single = self.operator.output_name if self.operator else getattr(names, "name", names)
        inputs = tuple(Wire(name, self._figures(value)) for name, value in given.items())
        told = self._told(single if isinstance(single, str) else "y", {})
        outputs = tuple(
            replace(each, name=each.name.removeprefix("the "), forward=each.backward, backward=None) for each in told
        )
        return Computation(self._name, inputs, outputs, "forward")

    def backward(self, given: dict[str, Any]) -> Computation | None:
        upstream = next((each for each in self.spec.parameters if each.startswith("grad_")), "grad_output")
        cotangent = given.pop(upstream, self.example.grad_output)
        known = self._differentiable
        if not _drawable(cotangent):
            return None
        told = {wire.name: wire for wire in self._told(known[0] if known else "", given)}
        # An input that the backward is not given has no number here; what nobody knows as one is none.
        if not told.keys() <= {*known, *given}:
            return None
        inputs = tuple(
            told.get(name) or Wire(name, self._figures(given[name]))
            for name in {**dict.fromkeys(known), **given}
            if name in told or name in given
        )
        output = self.operator.output_name if self.operator else upstream.removeprefix("grad_").replace("output", "y")
        outputs = (Wire(output, self._figures(self.example.output), self._figures(cotangent)),)
        return Computation(self._name, inputs, outputs, "backward", upstream, "" if output in _COSTS else "C")

    @property
    def _name(self) -> str:
        if self.operator is not None:
            return self.operator.name
        return self.result.task if self.spec.is_forward or self.spec.is_backward else self.spec.name

    @property
    def _differentiable(self) -> tuple[str, ...]:
        """The inputs by which a backward is known to return gradients, those that it is not given among them."""
        if self.operator is not None:
            return tuple(each.name for each in self.operator.differentiable_inputs)
        names = self.spec.reference.names if self.spec.reference else ""
        return (names[len(_GRADIENT) :],) if isinstance(names, str) and names.startswith(_GRADIENT) else ()

    def _told(self, single: str, given: Mapping[str, Any]) -> Iterator[Wire]:
        """What the learner's function returned, as gradients by what is `given`."""
        example, got, marks = self.example, self.example.got, self.example.marks
        several = self._differentiable if self.spec.role == "backward" else ()
        if isinstance(got, list) and len(got) == len(several) > 1:  # in a form in which they could not be named
            got = {_GRADIENT + name: part for name, part in zip(several, got, strict=True)}
        parts = got if isinstance(got, dict) else {single: got}
        right = example.expected if isinstance(example.expected, dict) else {single: example.expected}
        compared = marks is not None
        for part, value in parts.items():
            name = part.removeprefix(_GRADIENT)
            own, came = given.get(name), self._figures(value)
            marked = marks is not None and (not marks.parts or part in marks.parts)
            if marks is not None and marked:
                came = self._figures(value, marks.entries)
            elif (
                came
                and self.result.check == "shape"
                and (len(parts) == 1 if own is None else shape_of(own) != came.shape)
            ):
                came, marked = (
                    replace(came, grid=tuple(tuple((text, True) for text, _ in line) for line in came.grid)),
                    True,
                )
            correct = self._figures(right.get(part)) if marked and self.show_answer else None
            yield Wire(name, self._figures(own), came, correct, unjudged=not (marked or compared))
            compared = compared and not marked  # they are, up to the first that is wrong

    def _figures(self, value: Any, wrong: Collection[tuple[int, ...]] = ()) -> Figures | None:
        if not _drawable(value):
            return None
        start, shape = value, shape_of(value) or ()
        if prod(shape) > MOST:
            rows, columns = _BEGINNING
            start = [line[:columns] for line in value[:rows]] if len(shape) == 2 else value[: rows * columns // 2]
        return Figures(grid_of(start, self.example.digits, MOST, wrong), shape)


_GRADIENT = "grad_"
_COSTS = ("C", "L")
"""What the outputs of losses are called: there is no cost behind them to name."""


# In words, and in characters.


def label_of(computation: Computation, wire: Wire, way: Way) -> str:
    """What stands before the numbers of a wire."""
    ours = "your " if way == computation.returned and wire in computation.told else ""
    if way == "forward":
        return ours + wire.name
    return f"{ours}dC/d{wire.name}" if wire in computation.inputs else computation.upstream


def notes_of(computation: Computation) -> list[str]:
    """What no number says: a gradient of another shape than what it is the gradient by, and what nobody compared."""
    said = []
    for wire in computation.inputs if computation.returned == "backward" else ():
        if wire.forward and wire.backward and wire.forward.shape != wire.backward.shape:
            shapes = (shape_text(each.shape) for each in (wire.backward, wire.forward))
            said.append("the gradient by {0} is {1}, {0} itself {2}".format(wire.name, *shapes))
    if unjudged := [wire.name for wire in computation.told if wire.unjudged]:
        by = "dC/d" if computation.returned == "backward" else ""
        said.append(f"not compared yet: {in_a_row([by + name for name in unjudged])}")
    return said


def in_words(computation: Computation) -> str:
    """The drawing for whoever does not see it."""
    given, gives = (
        [_said(computation, wire, "forward") for wire in wires] for wires in (computation.inputs, computation.outputs)
    )
    goes = plural(len(given), "goes", "go")
    said = [f"{in_a_row(given)} {goes} into {computation.name}, which gives {in_a_row(gives)}"]
    back = [each for each in (*computation.outputs, *computation.inputs) if each.backward]
    if back:
        said.append(f"on the way back {in_a_row([_said(computation, wire, 'backward') for wire in back])}")
    said += [f"correct for {wire.name} is {_spoken(wire.right)}" for wire in computation.told if wire.right]
    return "; ".join((*said, *notes_of(computation)))


def _said(computation: Computation, wire: Wire, way: Way) -> str:
    figures = wire.forward if way == "forward" else wire.backward
    label = label_of(computation, wire, way)
    return f"{label} = {_spoken(figures)}" if figures else label


def _spoken(figures: Figures) -> str:
    return " ".join(_plain(figures, replace(BLOCKS, wrong=" (wrong)")).split())


def _plain(figures: Figures, ink: Ink) -> str:
    """The numbers as a tensor is printed, wrong ones marked."""
    lines: list[Any] = [[f"{text}{ink.wrong if wrong else ''}" for text, wrong in line] for line in figures.grid]
    if not figures.shape:
        return str(lines[0][0])
    if not figures.whole:
        if len(figures.shape) == 1 or len(lines[0]) < figures.shape[1]:
            lines = [[*line, ink.more] for line in lines]
        if len(figures.shape) == 2 and len(lines) < figures.shape[0]:
            lines.append([ink.more])
    return tensor_text(lines if len(figures.shape) == 2 else lines[0])


def computation_lines(computation: Computation, width: int, *, blocks: bool) -> list[Line]:
    """The drawing in characters, with ASCII's alone unless `blocks`: from left to right where `width` allows it, else
    from above to below. Lines with a number that is wrong are of the kind `wrong`.
    """
    ink = BLOCKS if blocks else LETTERS
    drawn = _across(computation, ink)
    if max(len(text) for text, _ in drawn) > width:
        drawn = _down(computation, width, ink)
    for note in (f"{ink.wrong} wrong", *notes_of(computation)):
        drawn += [(line, "quiet") for line in paragraph(note.replace("×", ink.times), width, _INDENT, "  ")]
    return [(printable(text.rstrip()), kind) for text, kind in drawn]


_INDENT = "  "


def _texts(computation: Computation, wire: Wire, way: Way, ink: Ink) -> list[Line]:
    """What stands at an arrow."""
    figures = wire.forward if way == "forward" else wire.backward
    label = label_of(computation, wire, way)
    lines = _labelled(label, figures, ink)
    if wire.right and way == computation.returned:
        lines += _labelled(label.replace("your", "correct", 1), wire.right, ink)
    return lines


def _labelled(label: str, figures: Figures | None, ink: Ink) -> list[Line]:
    text = hanging(f"{label} = ", _plain(figures, ink)) if figures else label
    return [(line, "wrong" if figures and figures.wrong else "") for line in text.split("\n")]


def _across(computation: Computation, ink: Ink) -> list[Line]:
    """From left to right, each number on its arrow; the arrows of a variable stand below each other."""
    before, after = _column(computation, "in", ink), _column(computation, "out", ink)
    height = max(len(before), len(after))
    rows = zip(_centred(before, height), _centred(after, height), strict=True)
    (top, name, bottom), blank = _box(computation.name, ink), _INDENT + " " * len(before[0][0])
    inner = ink.side + " " * (len(name) - 2) + ink.side
    boxed = [
        (f"{_INDENT}{left[0]}{name if row == height // 2 else inner}{right[0]}", left[1] or right[1])
        for row, (left, right) in enumerate(rows)
    ]
    return [(blank + top, ""), *boxed, (blank + bottom, "")]


def _box(name: str, ink: Ink) -> tuple[str, str, str]:
    edge = ink.edge * (len(name) + 2)
    return (
        ink.corners[0] + edge + ink.corners[1],
        f"{ink.side} {name} {ink.side}",
        ink.corners[2] + edge + ink.corners[3],
    )


def _column(computation: Computation, side: Literal["in", "out"], ink: Ink) -> list[Line]:
    """The variables on one side of the function; what has a gradient stands apart."""
    right, left = ink.arrows[0], ink.arrows[1]
    end = f" {computation.cost or ink.more}" if computation.returned == "backward" else ""
    rows: list[tuple[str, str, str]] = []
    apart = False
    for wire in computation.inputs if side == "in" else computation.outputs:
        rows += [("", "", "")] if rows and (apart or wire.backward) else []
        apart = wire.backward is not None
        for way in _ways(wire):
            lines = _texts(computation, wire, way, ink)
            rows += [(text, kind, "" if number else way) for number, (text, kind) in enumerate(lines)]
    width = max(len(text) for text, _, _ in rows)

    def drawn(text: str, way: str) -> str:
        rest = ink.edge * (width - len(text))
        if side == "in":
            line = {"forward": f"{text} {rest}{right}", "backward": f"{text} {left}{rest}"}.get(way, text)
        else:
            ways = {"forward": f"{ink.edge} {text} {rest}{right}{end}", "backward": f"{left} {text} {rest}{ink.edge}"}
            line = ways.get(way, f"  {text}")
        return line.ljust(width + 2)

    return [(drawn(text, way), kind) for text, kind, way in rows]


def _ways(wire: Wire) -> tuple[Way, ...]:
    return ("forward", "backward") if wire.backward else ("forward",)


def _centred(rows: list[Line], height: int) -> list[Line]:
    blank = (" " * len(rows[0][0]), "")
    above = (height - len(rows)) // 2
    return [blank] * above + rows + [blank] * (height - len(rows) - above)


def _down(computation: Computation, width: int, ink: Ink) -> list[Line]:
    """From above to below, each number at its arrow."""
    lines = [
        *_stack(computation, computation.inputs, width, ink),
        *((_INDENT + line, "") for line in _box(computation.name, ink)),
    ]
    lines += _stack(computation, computation.outputs, width, ink)
    end = computation.cost or ink.more
    return [*lines, (_INDENT + end, "")] if computation.returned == "backward" else lines


def _stack(computation: Computation, wires: tuple[Wire, ...], width: int, ink: Ink) -> list[Line]:
    lines: list[Line] = []
    for wire in wires:
        for way, arrow in zip(_ways(wire), ink.arrows[2:], strict=False):
            for number, (text, kind) in enumerate(_texts(computation, wire, way, ink)):
                opening = f"{_INDENT}{' ' if number else arrow} "
                whole = wrap(text, width, initial_indent=opening, subsequent_indent=f"{_INDENT}    ") or [opening]
                lines += [(each, kind) for each in ([opening + text] if len(opening + text) <= width else whole)]
    return lines
