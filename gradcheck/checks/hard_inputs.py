"""Which hard inputs an exercise is graded on, read off its cases: a stub names them in one line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcheck.checks.cases import walk
from gradcheck.checks.outcome import Argument, Arguments
from gradcheck.checks.task import FunctionSpec, Task
from gradcheck.checks.trials import Benches, Trial

_ORDINARY = 50.0
"""Up to this an entry calls for no care."""


def told(task: Task) -> str:
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
