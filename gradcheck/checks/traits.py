"""What is special about the arguments of a call, as a closed set of facts: who decides by them reads no name. And which
hard inputs an exercise is graded on, read off its cases: a stub names them in one line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from enum import Enum
from typing import Any

import numpy as np

from gradcheck.checks.cases import walk
from gradcheck.checks.outcome import Argument, Arguments
from gradcheck.checks.task import FunctionSpec, Task
from gradcheck.checks.trials import Benches, Trial
from gradcheck.operators.record import Operator
from gradcheck.references.binding import Array
from gradcheck.references.expected import PRECISION

LARGE = 9.0
"""Inputs from here on are large: e^−9 beside 1 is nearly nothing."""
VERY_LARGE = 700.0
"""From about here on an exponential leaves the range of float64."""


Trait = Enum(
    "Trait",
    "EMPTY STRIDED FLOAT32 UNBATCHED SIZE_ONE ONE_ENTRY SQUARE SLICED MANY_AXES NO_AXES EQUAL_SIZES MORE_ENTRIES "
    "LARGE VERY_LARGE SMALL TIED EQUAL_ENTRIES ZERO ALL_ZERO ALL_POSITIVE ALL_NEGATIVE WHOLE_NUMBERS "
    "CONSTANT_COLUMN LARGE_MEAN SPREAD_OUT NEARLY_EQUAL EQUAL_INPUTS LABEL_OUTSIDE LAST_CLASS_ABSENT "
    "LABEL_REPEATED SINGLE_CLASS ALL_PREDICTED NONE_PREDICTED LAST_BATCH_SMALLER BATCH_BEYOND_DATA NOTHING_LISTED "
    "ONE_LISTED UPSTREAM_LARGE UPSTREAM_VERY_LARGE UPSTREAM_SMALL UPSTREAM_VERY_SMALL UPSTREAM_SPARSE",
)
"""The facts about a call's arguments: their sizes, their memory, their numbers, grad_output."""


def is_cotangent(name: str) -> bool:
    """Whether an argument of that name is a gradient that comes from further on."""
    return name.startswith("grad_")


def traits_of(arguments: Arguments, operator: Operator | None = None) -> frozenset[Trait]:
    """All traits of a call. That a batch axis is missing, or that an input is a target, is known of an `operator`."""
    tensors = [(str(path[0]), leaf) for path, leaf in walk(arguments) if isinstance(leaf, Argument)]
    upstream = [each for name, each in tensors if is_cotangent(name)]
    inputs = [each for name, each in tensors if not is_cotangent(name)] or upstream
    targets = {each.name for each in operator.inputs if each.kind == "probability"} if operator is not None else set()
    free = [each for name, each in tensors if not is_cotangent(name) and name not in targets] or upstream
    found = {
        Trait.EMPTY: any(each.values.size == 0 for each in inputs + upstream),
        Trait.STRIDED: any(each.layout in ("transposed", "expanded") for each in inputs + upstream),
        Trait.SLICED: any(each.layout == "offset" for each in inputs + upstream),
        Trait.FLOAT32: any(each.dtype == "float32" for each in inputs + upstream),
        Trait.UNBATCHED: operator is not None and _unbatched(arguments, operator),
    }
    found |= _of_sizes(inputs) | _of_numbers(free) | _of_places(free) | _of_upstream(upstream)
    held = [trait for trait, holds in found.items() if holds]
    return frozenset((*held, *_of_labels(arguments), *_of_counts(arguments)))


Found = dict[Trait, Any]
"""Whether each of some traits holds."""


def _unbatched(arguments: Arguments, operator: Operator) -> bool:
    batched = [each for each in operator.inputs if each.batched and each.name in arguments]
    return any(np.ndim(arguments[each.name].values) == len(each.shape) for each in batched)


def _of_sizes(inputs: list[Argument]) -> Found:
    shapes = [np.shape(each.values) for each in inputs]
    sizes = {size for shape in shapes for size in shape}
    return {
        Trait.SIZE_ONE: 1 in sizes,
        Trait.ONE_ENTRY: inputs and all(each.values.size == 1 for each in inputs),
        Trait.SQUARE: any(len(shape) > 1 and shape[-1] == shape[-2] > 1 for shape in shapes),
        Trait.MANY_AXES: any(len(shape) > 2 for shape in shapes),
        Trait.NO_AXES: set(shapes) == {()},
        Trait.EQUAL_SIZES: len(sizes) == 1 and sizes != {1} and any(len(shape) > 1 for shape in shapes),
        Trait.MORE_ENTRIES: any(size > 5 for size in sizes),
    }


def _of_numbers(inputs: list[Argument]) -> Found:
    """Of the entries of all floating inputs together."""
    arrays = [np.ravel(each.values) for each in inputs if each.dtype.startswith("float")]
    numbers = np.concatenate(arrays) if arrays else np.zeros(0)
    if not numbers.size:
        return {}
    largest, zero = np.abs(numbers).max(), numbers == 0
    equal = len(np.unique(numbers)) < numbers.size
    return {
        Trait.LARGE: largest >= LARGE,
        Trait.VERY_LARGE: largest >= VERY_LARGE,
        Trait.SMALL: 0 < largest < 0.05,
        Trait.ZERO: zero.any(),
        Trait.EQUAL_ENTRIES: equal,
        Trait.TIED: zero.any() or equal,
        Trait.ALL_ZERO: zero.all(),
        Trait.ALL_POSITIVE: (numbers > 0).all(),
        Trait.ALL_NEGATIVE: (numbers < 0).all(),
        Trait.WHOLE_NUMBERS: (numbers == np.rint(numbers)).all() and not zero.all(),
    }


_FAR = 1e3
"""So many times its spread a mean must be to be large beside it; so many times another column's scale one may be."""
_VANISHING = 1e-20
"""Differences up to here vanish beside 1 in every precision, as they do in a softmax."""


def _of_places(inputs: list[Argument]) -> Found:
    """Of the columns of each floating input, of the entries of its rows, of the same entries of two inputs."""
    real = [each for each in inputs if each.dtype.startswith("float") and each.values.size]
    matrices = [each.values for each in real if each.values.ndim == 2]
    pairs = [
        (one, other)
        for position, one in enumerate(real)
        for other in real[:position]
        if one.values.shape == other.values.shape
    ]
    scales = [np.abs(each).max(0) for each in matrices]
    return {
        Trait.CONSTANT_COLUMN: any((np.ptp(each, axis=0) == 0).any() for each in matrices),
        Trait.LARGE_MEAN: any(map(_far_off, matrices)),
        Trait.SPREAD_OUT: any(each.max() > _FAR * each.min() > 0 for each in scales),
        Trait.NEARLY_EQUAL: any(_close(np.diff(np.sort(each, axis=1)), _VANISHING) for each in matrices)
        or any(
            _close(one.values - other.values, 2 * PRECISION[one.dtype][1] * np.maximum(1.0, np.abs(one.values)))
            for one, other in pairs
        ),
        Trait.EQUAL_INPUTS: any((one.values == other.values).all() for one, other in pairs),
    }


def _far_off(values: Array) -> bool:
    spread = np.ptp(values, axis=0)
    return bool((np.abs(values.mean(0)) > _FAR * spread)[spread > 0].any())


def _close(apart: Array, least: Array | float) -> bool:
    """Whether entries differ by next to nothing, but differ."""
    return bool(((apart != 0) & (np.abs(apart) <= least)).any())


def _of_labels(arguments: Arguments) -> Iterator[Trait]:
    """Of whole numbers that name classes: one for each row of a matrix, or below `num_classes`."""
    given = {name: each for name, each in arguments.items() if isinstance(each, Argument)}
    labels = next((each.values for name, each in given.items() if name == "labels" and each.values.size), None)
    if labels is None:
        return
    rows = [each.values for each in given.values() if each.dtype.startswith("float") and each.values.ndim >= 1]
    told = next((each for each in rows if each.ndim == 2 and each.shape[0] == labels.size), rows[0] if rows else None)
    classes = arguments.get("num_classes", 0 if told is None else told.shape[-1])
    if classes:
        if labels.min() < 0 or labels.max() >= classes:
            yield Trait.LABEL_OUTSIDE
            return
        if labels.max() + 1 < classes:
            yield Trait.LAST_CLASS_ABSENT
        if classes == 1:
            yield Trait.SINGLE_CLASS
    if len(np.unique(labels)) < labels.size:
        yield Trait.LABEL_REPEATED
    if told is not None and told.ndim == 2 and told.shape[0] == labels.size:
        hits = told.argmax(1) == np.ravel(labels)
        if hits.all():
            yield Trait.ALL_PREDICTED
        if not hits.any():
            yield Trait.NONE_PREDICTED


def _of_counts(arguments: Arguments) -> Iterator[Trait]:
    """Of a batch size beside the number of samples, and of the lengths of lists."""
    size, count = arguments.get("batch_size"), arguments.get("num_samples")
    rows = next(
        (each.values.shape[0] for each in arguments.values() if isinstance(each, Argument) and each.values.ndim), 0
    )
    count = count or rows
    if size and count:
        if size > count:
            yield Trait.BATCH_BEYOND_DATA
        elif count % size:
            yield Trait.LAST_BATCH_SMALLER
    lengths = [len(each) for each in arguments.values() if isinstance(each, (list, tuple, dict))]
    if 0 in lengths:
        yield Trait.NOTHING_LISTED
    if 1 in lengths:
        yield Trait.ONE_LISTED


def _of_upstream(upstream: list[Argument]) -> Found:
    largest = max((float(np.abs(each.values).max(initial=0.0)) for each in upstream), default=0.0)
    return {
        Trait.UPSTREAM_LARGE: largest >= 500,
        Trait.UPSTREAM_VERY_LARGE: largest >= 5e5,
        Trait.UPSTREAM_SMALL: 0 < largest <= 2e-3,
        Trait.UPSTREAM_VERY_SMALL: 0 < largest <= 2e-6,
        Trait.UPSTREAM_SPARSE: any(each.values.size > 1 and np.count_nonzero(each.values) == 1 for each in upstream),
    }


_ORDINARY = 50.0
"""Up to this an entry calls for no care."""


def hard_inputs_in_words(task: Task) -> str:
    """The sentence for a stub; empty where nothing is hard."""
    kinds = hard_inputs(task)
    return f"Hard inputs are graded too: {', '.join(kinds)}." if kinds else ""


def hard_inputs(task: Task, seed: int = 0) -> tuple[str, ...]:
    """What is hard about the inputs of a task's functions, in words, the smallest tensors first."""
    benches = Benches(task, seed, None)
    trials = [(spec, each) for spec in task.functions for each in _trials(benches, spec)]
    values = [_inputs(trial) for _, trial in trials]
    zeros = ["exact zeros and ties"] if any((each == 0).any() for each in values) else []
    return (*_shapes(trials), *_memory(trials), *_scales(values), *zeros)


def _trials(benches: Benches, spec: FunctionSpec) -> Iterator[Trial]:
    bench = benches.of(spec)
    for group in ("generic", "edge"):
        trials = (bench.blind(case) for case in bench.cases(group))
        yield from (trial for trial in trials if not trial.raises)


def _leaves(arguments: Arguments) -> Iterator[tuple[str, Argument]]:
    """Every tensor among arguments, by the name of its argument or its place in a dict."""
    for path, leaf in walk(arguments):
        if isinstance(leaf, Argument):
            yield [str(step) for step in path if not isinstance(step, int)][-1], leaf


def _inputs(trial: Trial) -> Any:
    """The entries of all floating inputs but grad_output, which is of every size anyway."""
    given = {name: each for name, each in trial.arguments.items() if not name.startswith("grad_")}
    found = [leaf.values.reshape(-1) for _, leaf in _leaves(given) if leaf.dtype.startswith("float")]
    return np.concatenate([np.zeros(0), *found])


def _shapes(trials: list[tuple[FunctionSpec, Trial]]) -> list[str]:
    shapes: dict[tuple[str, str], set[tuple[int, ...]]] = defaultdict(set)
    lengths: dict[str, set[int]] = defaultdict(set)
    for spec, trial in trials:
        for name, leaf in _leaves(trial.arguments):
            shapes[spec.name, name].add(leaf.values.shape)
        for each in trial.arguments.values():
            if isinstance(each, (list, dict)):
                lengths[type(each).__name__].add(len(each))
    kinds = {
        "B = 0": any(0 in shape for each in shapes.values() for shape in each),
        "no axes": any(() in each and len(each) > 1 for each in shapes.values()),
        "an empty list": 0 in lengths["list"],
        "an empty dict": 0 in lengths["dict"],
    }
    return [words for words, holds in kinds.items() if holds]


def _memory(trials: list[tuple[FunctionSpec, Trial]]) -> list[str]:
    layouts = {leaf.layout for _, trial in trials for _, leaf in _leaves(trial.arguments)}
    # What lies in the middle of a buffer looks like any other tensor.
    words = [word for layout, word in (("transposed", "strided"), ("expanded", "expanded")) if layout in layouts]
    return [f"{' and '.join(words)} memory"] if words else []


def _scales(values: list[Any]) -> list[str]:
    largest = max((float(np.abs(each).max(initial=0.0)) for each in values), default=0.0)
    if largest <= _ORDINARY:
        return []
    # Beside 1e4 a column may lie one or two away.
    return ["entries up to ±1e4" if largest < 1.01e4 else "entries beyond ±1e4"]
