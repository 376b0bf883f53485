"""A size is called by what it counts: what the words say is looked up in the arguments."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gradcheck.catalog import all_exercises
from gradcheck.checks.cases import walk
from gradcheck.checks.outcome import Argument
from gradcheck.checks.trials import Benches
from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.matching import path_name, sizes_of

CALLED = {
    "the batch size": lambda arrays: first_of(arrays, "x", "labels").shape[:1],
    "the number of classes": lambda arrays: first_of(arrays, "logits", "log_probs", "x").shape[-1:],
    "the number of inputs": lambda arrays: arrays["x"].shape[-1:],
    "the number of outputs": lambda arrays: arrays["weight"].shape[:1],
    "the number of prototypes": lambda arrays: arrays["w"].shape[:1],
    "the number of samples": lambda arrays: arrays["x"].shape[:1],
}


def first_of(arrays, *names):
    return next(arrays[name] for name in names if name in arrays)


def counted(words, arguments):
    """What the words count, read off the arguments; the shape is the one that they speak of."""
    arrays = {path_name(p): leaf.values for p, leaf in walk(arguments) if isinstance(leaf, Argument)}
    if words in CALLED:
        return CALLED[words](arrays)[0]
    if words == "the number of copies":
        return arguments["copies"]
    told = re.fullmatch("the (length|number of rows|number of columns|number of entries) of (.+)", words)
    if told is None:
        return arguments[words]
    what, name = told.groups()
    if name not in arrays:
        return len(arguments[name])
    shape = arrays[name].shape
    assert (len(shape) == 1) == (what == "length") or what == "number of entries", words
    return {"length": shape[:1], "number of rows": shape[:1], "number of columns": shape[-1:]}.get(
        what, (np.prod(shape),)
    )[0]


@pytest.mark.parametrize("exercise", all_exercises().values(), ids=lambda each: each.name)
def test_what_a_size_is_called_is_what_it_counts(exercise):
    benches = Benches(exercise.task, 0, None)
    seen = 0
    for graded in exercise.functions:
        spec = graded.spec
        operator = None if spec.reference else spec.operator or exercise.operator
        bench = benches.of(spec)
        for case in bench.cases("generic")[:3]:
            trial = bench.of(case)[0]
            for words, size in sizes_of(Observation(trial, (), (), (), operator)).items():
                seen += 1
                assert counted(words, trial.arguments) == size, (exercise.name, spec.name, words)
    assert seen or exercise.name in ("learning_rate", "initialisation", "graph")
