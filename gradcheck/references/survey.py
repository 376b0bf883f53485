"""What a formula says before anything is declared: its inputs, their axes, and how long each is.

An index runs as far as the axes that it walks along. One that only slides over an axis (`x[i + k]`) stops where the
window does. Whether the formula means anything is for `gradcheck.references.formula` to say, once the sizes are known.

An operator is made of it (`operator_of`): by which letters it is differentiated, and whether it can be.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from gradcheck.errors import FormulaError, GradcheckError
from gradcheck.operators.record import BATCH_INDEX, BATCH_SIZE, Input, Operator
from gradcheck.references.formula import FUNCTIONS, Text

CUSTOMARY = ("n", "m", "I", "O", "C", "K", "P")
"""Names that are taken for sizes where the formula does not say, and given to those that have none."""
_SLIDING = ("L", "M", "N", "W", "H")
_TAKEN = {"torch", "forward", "backward", "jacobian", "grad_output", "grad_outputs", "True", *FUNCTIONS}

Axis = tuple[str, int]
"""An input and the position of one of its axes."""


@dataclass
class Survey:
    """What was found in a formula: `output` with its `indices`, the dummies of its sums, the axes of every input by the
    index that walks along it, in order of appearance; labels with the input axis that they choose from; what each index
    runs up to, which may be a rule such as L - K + 1.
    """

    text: str
    output: str = ""
    indices: tuple[str, ...] = ()
    dummies: tuple[str, ...] = ()
    axes: dict[str, list[set[str]]] = field(default_factory=dict)
    labels: dict[str, Axis] = field(default_factory=dict)
    sizes: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """Every name in use, so that a fresh one can be chosen."""
        return {self.output, *self.indices, *self.dummies, *self.axes, *self.sizes.values()}

    @property
    def alike(self) -> bool:
        """Whether there is one index, which runs over all of every input: y[i] = f(x[i]), or a sum of such."""
        index = (*self.indices, *self.dummies)
        return len(index) == 1 and not self.labels and all(axes == [{index[0]}] for axes in self.axes.values())

    @property
    def of_samples(self) -> bool:
        """Whether the formula itself names the axis of samples."""
        return BATCH_SIZE in self.sizes.values() or BATCH_INDEX in (*self.indices, *self.dummies)


def survey(text: str, declared: tuple[str, ...] = ()) -> Survey:
    """Reads `y[i] = …`; `declared` names scalar inputs that would else be taken for sizes. Raises FormulaError."""
    return _Surveyor(Text(text), declared).found


class _Surveyor:
    """`sized` is what each sum's index runs up to, `slides` the arithmetic by which indices reach an axis, `bare` the
    names without an index: scalar inputs and sizes.
    """

    def __init__(self, text: Text, declared: tuple[str, ...]) -> None:
        self.fail, self.declared, self.found = text.fail, declared, Survey(text.text)
        self.sized: dict[str, str] = {}
        self.slides: list[tuple[Axis, ast.expr]] = []
        self.bare: dict[str, ast.AST] = {}
        self.places: dict[str, ast.AST] = {}
        target, body = text.sides()
        self.left(target)
        self.sums(body)
        self.uses(body)
        if not self.found.axes and not self.bare:
            raise self.fail(None, "there is no input in it", "An input is a name with indices: x[i].")
        self.scalars()
        self.settle()

    # What stands there.

    def left(self, target: ast.expr) -> None:
        names: list[ast.expr] = []
        whole = target
        if isinstance(target, ast.Subscript):
            names = list(target.slice.elts) if isinstance(target.slice, ast.Tuple) else [target.slice]
            target = target.value
        if not isinstance(target, ast.Name) or not all(isinstance(name, ast.Name) for name in names):
            raise self.fail(whole, "the left side is a name with indices", "It is written y[i], y[i, j], or C.")
        self.found.output = self.free(target, target.id, "output")
        for name in names:
            assert isinstance(name, ast.Name)
            if name.id in self.found.indices:
                raise self.fail(name, f"the index {name.id} stands twice on the left")
            self.places[name.id] = name
            self.found.indices += (self.free(name, name.id, "index"),)

    def free(self, node: ast.AST, name: str, what: str) -> str:
        """A name that a function's parameter can have."""
        if name in _TAKEN or name.startswith("_"):
            article = "an" if what[0] in "aeiou" else "a"
            raise self.fail(node, f"{name} is the grader's own name and cannot be the name of {article} {what}")
        return name

    def sums(self, body: ast.expr) -> None:
        """The index of every sum and what it runs up to."""
        for node in ast.walk(body):
            match node:
                case ast.Call(func=ast.Name(id="Sum"), args=[_, ast.Tuple(elts=[ast.Name() as index, _, last])]):
                    if index.id in (*self.found.indices, *self.found.dummies):
                        raise self.fail(
                            index, f"the index {index.id} is in use already", "Give this sum one of its own."
                        )
                    self.found.dummies += (self.free(index, index.id, "index"),)
                    match last:
                        case ast.BinOp(left=size, op=ast.Sub(), right=ast.Constant(value=1)):
                            self.sized[index.id] = ast.unparse(size)
                        case _:
                            self.sized[index.id] = f"{ast.unparse(last)} + 1"
                case ast.Call(func=ast.Name(id="Abs" | "Max" | "Min" as name), args=[first, *rest]):
                    one = ast.unparse(first)
                    other = ast.unparse(rest[0]) if rest else "…"
                    sign, than, second = (">", "0", f"-({one})") if name == "Abs" else (">", other, other)
                    sign = "<" if name == "Min" else sign
                    remedy = f"Write Piecewise(({one}, {one} {sign} {than}), ({second}, True))."
                    raise self.fail(node, f"{name} has a derivative that jumps, and does not say where", remedy)

    def uses(self, body: ast.expr) -> None:
        """Every input with what stands in the place of its indices, in order of appearance."""
        limits = {id(each) for node in ast.walk(body) for each in _limit(node)}
        called = {id(node.func) for node in ast.walk(body) if isinstance(node, ast.Call)}
        waiting: list[ast.AST] = [body]
        while waiting:
            node = waiting.pop(0)
            match node:
                case ast.Subscript(value=ast.Name(id=name)):
                    self.element(node, name)
                    waiting[:0] = [part for part in _parts(node) if isinstance(part, ast.Subscript)]
                case ast.Name(id=name) if id(node) not in called | limits:
                    if name == self.found.output:
                        raise self.fail(node, f"{name} is the output, which cannot define itself")
                    if name in (*self.found.indices, *self.found.dummies):
                        remedy = "An index only points into an input: x[i]."
                        raise self.fail(node, f"the index {name} stands by itself", remedy)
                    self.bare.setdefault(name, node)
                case _ if id(node) not in limits:
                    waiting[:0] = list(ast.iter_child_nodes(node))

    def element(self, node: ast.Subscript, name: str) -> None:
        if name == self.found.output:
            raise self.fail(node, f"{name} is the output, which cannot define itself")
        self.free(node.value, name, "input")
        parts = _parts(node)
        axes = self.found.axes.setdefault(name, [set() for _ in parts])
        if len(axes) != len(parts):
            here = _indices_in_words(len(parts))
            raise self.fail(node, f"{name} has {_indices_in_words(len(axes))} elsewhere and {here} here")
        for position, part in enumerate(parts):
            match part:
                case ast.Subscript(value=ast.Name(id=label)):
                    self.found.labels[label] = (name, position)
                case ast.Name(id=index) if index in (*self.found.indices, *self.found.dummies):
                    axes[position].add(index)
                case ast.Name(id=index):
                    why = f"the index {index} is neither on the left side nor in a Sum around: nothing gives its size"
                    raise self.fail(part, why)
                case ast.Constant():
                    pass
                case _:
                    self.slides.append(((name, position), part))

    # What follows from it.

    def scalars(self) -> None:
        """Names without an index: those of sizes are customary, or stand in a sum's limit; others are inputs."""
        found = self.found
        limits = {name for text in self.sized.values() for name in _names(text)}
        sizes = limits | ({*CUSTOMARY, BATCH_SIZE} - {*found.indices, *found.dummies})
        self.waiting = [name for name in self.bare if name in sizes and name not in self.declared]
        for name, node in self.bare.items():
            if name not in self.waiting:
                self.free(node, name, "input")
                if found.axes.setdefault(name, []):
                    elsewhere = _indices_in_words(len(found.axes[name]))
                    raise self.fail(node, f"{name} has {elsewhere} elsewhere and no index here")
        for name in (*found.indices, *found.dummies):
            if name in found.axes or name in sizes:
                raise self.fail(None, f"{name} is an index and also the name of an input or a size")

    def settle(self) -> None:
        found = self.found
        of_axes: dict[Axis, str] = {}
        for group in self.groups():
            indices = [each for each in group if isinstance(each, str)]
            axes = [each for each in group if not isinstance(each, str)]
            sizes = list(dict.fromkeys(self.sized[index] for index in indices if index in self.sized))
            if len(sizes) > 1:
                others = " and ".join(f"{index} up to {self.sized[index]}" for index in indices if index in self.sized)
                raise self.fail(None, f"one axis has two sizes: {others}")
            if not axes and not sizes:
                continue  # only slides
            slid = bool(axes) and not indices and any(axis in axes for axis, _ in self.slides)
            size = sizes[0] if sizes else self.fresh(indices, of_axes, slid=slid)
            found.sizes |= dict.fromkeys(indices, size)
            of_axes |= dict.fromkeys(axes, size)
        for name in found.indices:
            if name not in found.sizes:
                found.sizes[name] = self.windows(name, of_axes)
        for name in self.waiting:
            if name not in {each for size in found.sizes.values() for each in _names(size)}:
                raise self.fail(self.bare[name], f"{name} is the name of a size, and nothing here has that size")
        found.shapes = {name: tuple(of_axes[name, k] for k in range(len(axes))) for name, axes in found.axes.items()}
        for name in found.axes:
            if name in found.sizes.values():
                raise self.fail(self.bare.get(name), f"{name} is an input and also a size")

    def fresh(self, indices: list[str], of_axes: dict[Axis, str], *, slid: bool) -> str:
        """The name of a size that nobody names."""
        used: set[str] = {*self.sized.values(), *self.found.sizes.values(), *of_axes.values(), *self.found.axes}
        used |= {self.found.output, *self.found.indices, *self.found.dummies}
        own = tuple(index.upper() for index in indices if index in ("o", "c"))
        chosen = ("K",) if not indices and not slid else ()
        slides = _SLIDING if slid else ()
        preferred = (*own, *chosen, *slides, *self.waiting, *(("O",) if "I" in used else ()), *CUSTOMARY, *_SLIDING)
        return str(next(name for name in preferred if name not in used))

    def groups(self) -> Iterator[list[str | Axis]]:
        """Indices and axes of one size, in order of appearance."""
        left: list[set[str | Axis]] = [{name} for name in (*self.found.indices, *self.found.dummies)]
        left += [{(name, k), *walked} for name, axes in self.found.axes.items() for k, walked in enumerate(axes)]
        while left:
            group = left.pop(0)
            while touching := [each for each in left if each & group]:
                group |= touching[0]
                left.remove(touching[0])
            yield sorted(group, key=str)

    def windows(self, index: str, of_axes: dict[Axis, str]) -> str:
        """How many places a window has that slides along with this index: x[2*i + k - 1] reads 0 on either side."""
        rules = {}
        for axis, node in self.slides:
            steps = _affine(node) or {}
            if index not in steps:
                continue
            known = {"", *self.found.indices, *self.found.dummies}
            slides = steps[index] > 0 and set(steps) <= known
            rules[self.windows_along(of_axes[axis], index, steps) if slides else of_axes[axis]] = node
        if not rules:
            why = f"the index {index} has no size: it occurs on the left only"
            raise self.fail(self.places[index], why, "Let it walk along an input: x[i], or slide over one: x[i + k].")
        if len(rules) > 1:
            raise self.fail(None, f"the index {index} has two sizes: {' and '.join(rules)}")
        return next(iter(rules))

    def windows_along(self, size: str, index: str, steps: dict[str, int]) -> str:
        start = steps.get("", 0)
        # Where it begins before the axis, it ends as far behind it. The last place is counted too.
        number = (-2 * start if start < 0 else -start) - 1
        rule = size
        for name, step in steps.items():
            if name in self.found.dummies and step > 0:
                reach = self.sized[name]
                reach = reach if reach.isidentifier() else f"({reach})"
                rule += f" - {reach}" if step == 1 else f" - {step} * ({reach} - 1)"
                number += step == 1
        stride = steps[index]
        return _plus(rule, number + 1) if stride == 1 else f"({_plus(rule, number)}) // {stride} + 1"


def _plus(text: str, number: int) -> str:
    return text if not number else f"{text} {'+' if number > 0 else '-'} {abs(number)}"


def _limit(node: ast.AST) -> list[ast.AST]:
    """What of a sum says over what it runs."""
    match node:
        case ast.Call(func=ast.Name(id="Sum"), args=[_, ast.Tuple() as limit]):
            return list(ast.walk(limit))
    return []


def _parts(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _names(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def _affine(node: ast.expr) -> dict[str, int] | None:
    """How far each index moves the place, and under "" where it begins; None where that is more than whole numbers."""
    match node:
        case ast.Constant(value=int(number)):
            return {"": number}
        case ast.Name(id=name):
            return {name: 1}
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _times(_affine(operand), -1)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=right):
            one, other = _affine(left), _times(_affine(right), 1 if isinstance(sign, ast.Add) else -1)
            if one is None or other is None:
                return None
            return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            one, other = _affine(left), _affine(right)
            if one is not None and set(one) == {""}:
                return _times(other, one[""])
            if other is not None and set(other) == {""}:
                return _times(one, other[""])
    return None


def _times(steps: dict[str, int] | None, factor: int) -> dict[str, int] | None:
    return None if steps is None else {name: factor * step for name, step in steps.items()}


def _indices_in_words(count: int) -> str:
    return "one index" if count == 1 else f"{count} indices"


Kind = Literal["real", "constant", "label", "probability"]

_LETTERS = ("p", "q", "r", "s", "t", "u", "v", "w", "h", "l", "a", "c", "d", "e", "f")


def operator_of(
    found: Survey,
    name: str,
    function: Callable[..., Any],
    *,
    names: Sequence[str] = (),
    kinds: Mapping[str, str] = MappingProxyType({}),
    batched: Collection[str] = (),
    **more: Any,
) -> Operator:
    """The record of a formula: inputs in the order of `names`, or as they appear; constants and probabilities by
    `kinds`; those in `batched` take an axis of samples. Raises GradcheckError, FormulaError.
    """
    letters = _letters(found)
    operator = Operator(
        name=name,
        formula=found.text,
        inputs=tuple(
            _input(found, each, kinds.get(each, ""), each in batched, letters) for each in names or found.shapes
        ),
        output_shape=tuple(found.sizes[index] for index in found.indices),
        function=function,
        **more,
    )
    if not operator.differentiable_inputs:
        raise GradcheckError("no input can be differentiated: every one is a label, a probability or a constant")
    _derivable(operator)
    return operator


def _letters(found: Survey) -> dict[tuple[str, int], str]:
    """A fresh index for every size, as often as one input has it: none that the formula uses."""
    flat = all(len(shape) < 2 for shape in found.shapes.values())
    one = len({shape for shape in found.shapes.values() if shape}) < 2
    taken = {name.lower() for name in found.names} | found.names
    pool = [letter for letter in (("j",) if flat and one else ()) + _LETTERS if letter not in taken]
    wanted = {
        (size, shape[:position].count(size)): None
        for shape in sorted(found.shapes.values(), key=len, reverse=True)
        for position, size in enumerate(shape)
    }
    if len(wanted) > len(pool):
        raise GradcheckError("the formula has too many axes to differentiate by")
    return dict(zip(wanted, pool, strict=False))


def _input(found: Survey, name: str, kind: str, batched: bool, letters: dict[tuple[str, int], str]) -> Input:
    shape = found.shapes[name]
    if name in found.labels:
        array, axis = found.labels[name]
        return Input(name, shape, batched=batched, kind="label", classes=found.shapes[array][axis])
    if kind in ("constant", "probability"):
        return Input(name, shape, batched=batched, kind="probability" if kind == "probability" else "real")
    counts = [(size, shape[:position].count(size)) for position, size in enumerate(shape)]
    return Input(name, shape, wrt=tuple(letters[each] for each in counts), batched=batched)


def _derivable(operator: Operator) -> None:
    """Raises FormulaError where the formula cannot be differentiated, or its derivative not evaluated."""
    from gradcheck.references.derive import derive
    from gradcheck.references.program import program

    try:
        derivation = derive(operator)
    except GradcheckError:
        raise
    except Exception as error:
        raise FormulaError(f"the formula cannot be differentiated: {error}") from None
    for name, forms in derivation.vjps.items():
        try:
            program(forms[0])
        except FormulaError as error:
            raise FormulaError(f"the derivative by {name} cannot be evaluated; write it otherwise: {error}") from None
