"""No case lies outside what CURRICULUM promises, and a stub names every hard kind of input that its cases hold."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradcheck.authoring.stubs import stub_of
from gradcheck.catalog import all_exercises
from gradcheck.catalog.exercise import function
from gradcheck.checks.outcome import Argument
from gradcheck.checks.task import Reference
from gradcheck.checks.traits import hard_inputs, hard_inputs_in_words
from gradcheck.checks.trials import Benches
from gradcheck.operators.record import MODULES

ROOT = Path(__file__).parent.parent.parent
EXERCISES = list(all_exercises().values())
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)


def calls(exercise, seed):
    """What every case of every function gives, but those that have to be refused."""
    benches = Benches(exercise.task, seed, None)
    for spec in exercise.task.functions:
        bench = benches.of(spec)
        for case in (*bench.cases("generic"), *bench.cases("edge")):
            trial = bench.blind(case)
            if not trial.raises:
                yield spec, f"{spec.name}, {case.name}", trial.arguments


def tensors(tree):
    if isinstance(tree, Argument):
        return [tree.values]
    parts = list(tree.values()) if isinstance(tree, dict) else tree
    return [found for part in parts for found in tensors(part)] if isinstance(parts, (tuple, list)) else []


def classes(arguments):
    if "num_classes" in arguments:
        return arguments["num_classes"]
    if "params" in arguments:
        return len(arguments["params"]["b_y"].values)
    return next(arguments[name].values.shape[1] for name in ("logits", "log_probs") if name in arguments)


def positive_semidefinite(matrix):
    size = max(1.0, np.abs(matrix).max())
    return np.array_equal(matrix, matrix.T) and np.linalg.eigvalsh(matrix / size).min() > -1e-6


RULES = {
    "labels": lambda labels, given: ((labels.values >= 0) & (labels.values < classes(given))).all(),
    "indices": lambda indices, given: ((indices.values >= 0) & (indices.values < len(given["y"].values))).all(),
    "targets": lambda targets, _: ((targets.values >= 0) & (targets.values <= 1)).all(),
    "p": lambda p, given: 0 <= p < (len(given["y"].values) if "y" in given else 1),
    "eta": lambda eta, _: positive_semidefinite(eta.values),
    "std": lambda std, _: (std.values >= 0).all(),
    "eps": lambda eps, _: eps > 0,
    "copies": lambda copies, _: copies >= 1,
    "grad_outputs": lambda grad_outputs, _: len(grad_outputs) >= 1,
    "jacobians": lambda jacobians, _: len(jacobians) >= 1,
    "states": lambda states, given: len(states) == len(given["weights"]) + 1 >= 2,
    "every": lambda every, _: every >= 1,
    "epoch": lambda epoch, given: 0 <= epoch <= given.get("total", epoch),
    "total": lambda total, _: total >= 1,
    "num_samples": lambda samples, _: samples >= 1,
    "batch_size": lambda size, _: size >= 1,
    "fan_in": lambda size, _: size >= 1,
    "fan_out": lambda size, _: size >= 1,
    "num_classes": lambda count, _: count >= 1,
    "epochs": lambda epochs, _: epochs >= 0,
    "lr": lambda lr, _: lr >= 0,
    "alpha": lambda alpha, given: alpha >= 0 and (alpha > 0 or "w1" not in given),
}
"""By parameter: what is promised of it."""


@each_exercise
def test_no_case_lies_outside_the_contract(exercise):
    for seed in range(5):
        for spec, where, arguments in calls(exercise, seed):
            if exercise.unit != MODULES:
                assert all(values.size for values in tensors(arguments)), where
            for name, rule in RULES.items():
                assert name not in arguments or rule(arguments[name], arguments), f"{where}: {name}"
            operator = spec.operator or exercise.operator
            if operator and operator.stable:
                given = [values for name in operator.inputs for values in tensors(arguments.get(name.name, ()))]
                assert max(np.abs(values).max(initial=0) for values in given) <= 1e4, where


@each_exercise
def test_an_empty_batch_belongs_to_the_modules(exercise):
    for spec in exercise.task.functions:
        operator = spec.operator or exercise.operator
        if operator and not spec.reference:
            assert operator.empty_batch == (exercise.unit == MODULES)


@each_exercise
def test_a_stub_names_the_hard_inputs_that_are_graded_whatever_the_seed(exercise):
    stub = ast.parse((ROOT / "exercises" / exercise.path).read_text(encoding="utf-8"))
    last = ast.get_docstring(stub).splitlines()[-1]
    for seed in range(1, 4):
        kinds = hard_inputs(exercise.task, seed)
        assert kinds == tuple(last.removeprefix("Hard inputs are graded too: ")[:-1].split(", ")) if kinds else True
        assert bool(kinds) == last.startswith("Hard inputs")
    assert len(last) <= 120


@pytest.mark.parametrize(
    ("edge", "words"),
    [
        (lambda draw: {"x": draw.tensor()}, "no axes"),
        (lambda draw: {"x": draw.tensor(0, 3)}, "B = 0"),
        (lambda draw: {"x": draw.argument([0.0, 1.0])}, "exact zeros and ties"),
        (lambda draw: {"x": draw.argument([9e3, 1.0])}, "entries up to ±1e4"),
        (lambda draw: {"x": draw.argument([1e6, 1.0])}, "entries beyond ±1e4"),
        (lambda draw: {"x": replace(draw.tensor(3), layout="transposed")}, "strided memory"),
    ],
)
@pytest.mark.parametrize("docstring", ['"""Double."""', '"""Double.\n\nx may have any shape.\n"""'])
def test_a_hard_case_more_is_a_word_more_in_the_stub(edge, words, docstring):
    def edges(draw):
        yield "the planted one", edge(draw)

    planted = Reference(draw=lambda draw: {"x": draw.tensor(3)}, compute=lambda _, x: 2 * x, usual=frozenset())
    source = f'{docstring}\n\n\ndef double(x):\n    """2 x."""\n    return 2 * x\n'
    for reference, named in ((planted, False), (replace(planted, edges=edges), True)):
        exercise = replace(EXERCISES[0], functions=(function("double", "x", reference=reference),), operator=None)
        stub = stub_of(source, exercise)
        assert (f"\n\nHard inputs are graded too: {words}.\n" in ast.get_docstring(ast.parse(stub)) + "\n") == named
        assert hard_inputs_in_words(exercise.task) == (f"Hard inputs are graded too: {words}." if named else "")
