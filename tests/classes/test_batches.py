"""Many calls at once come to what they come to one by one, whether here or by way of a worker's frames."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import torch

from gradcheck.catalog import find_exercise
from gradcheck.checks.candidate import Candidate, InProcessCandidate
from gradcheck.checks.engine import Verification
from gradcheck.checks.outcome import EARLIER, Argument, Call, GeneratorArgument, Printed
from gradcheck.checks.rounds import AtOnce, everything
from gradcheck.checks.tensors import OneBuffer, Prepared
from gradcheck.grading.execute import execute
from gradcheck.grading.load import Warm
from gradcheck.isolation.worker import values
from tests.checks.solutions import FOLDER, solution
from tests.checks.tables import RIGHT, WRONG
from tests.checks.wrong_answers import calls, kept

NAMES = [
    "linear_model", "squared_error", "average_loss", "weighted_sum", "linear", "relu", "duplicate", "add", "maximum",
    "sigmoid", "tanh", "softplus", "softmax", "log_softmax", "mse", "nll", "cross_entropy", "bce_with_logits",
]  # fmt: skip


class ThroughFrames(Candidate):
    """A candidate as a worker plays it, without the process."""

    def __init__(self, functions):
        self.inner = InProcessCandidate(functions)
        self.inner.watched = False
        self.printed = Printed()

    def call_many(self, calls):
        packed = values.Packed()
        rows = json.loads(json.dumps(values.pack_calls(calls, packed)))
        came = self.inner.play(Prepared(values.unpack_calls(rows, packed.bytes())))
        header, body = values.pack(came, "")
        return values.unpack(json.loads(json.dumps(header)), body, len(calls))[0]


class OneByOne(Candidate):
    """A candidate that never makes more than one call at a time."""

    def __init__(self, functions):
        self.inner = InProcessCandidate(functions)
        self.printed = Printed()

    def call_many(self, calls):
        return self.inner.call_many(calls[:1])


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    return Warm(tmp_path_factory.mktemp("expected"), most=100)


@pytest.fixture(scope="module")
def asked_of(warm):
    """All that the checks of an exercise ask for, made once."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = everything(warm.benches(find_exercise(name)))
        return made[name]

    return of


def found(warm, name, candidate, ahead=()):
    kept.clear()
    calls.clear()
    exercise = find_exercise(name)
    verification = Verification(candidate, exercise.task, shrink=False)
    verification.benches = warm.benches(exercise)
    if ahead:
        verification.ask_ahead(ahead, [each.call for each in ahead])
    return {each.id: (each.status, each.code, each.message) for each in verification.results()}


@pytest.mark.table
@pytest.mark.parametrize("name", NAMES)
def test_one_batch_confirms_the_solution(name, warm, asked_of):
    source = (FOLDER / find_exercise(name).path).read_bytes()
    functions = execute(source, f"batch_{name}", name, name, 10.0).functions
    candidate = ThroughFrames(functions)
    results = found(warm, name, candidate, asked_of(name))
    assert {status for status, _, _ in results.values()} == {"passed"}


@pytest.mark.table(every=4)
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_finds_what_single_calls_find(name, warm, asked_of):
    asked = asked_of(name)
    for style in RIGHT[name].values():
        functions = solution(name) | style
        results = found(warm, name, ThroughFrames(functions), asked)
        assert {status for status, _, _ in results.values()} == {"passed"}
    # Frames are for where there is no automatic differentiation; what that means is tested among hostile files.
    for wrong in (each for each in WRONG if each.exercise == name and each.code != "uses-autograd"):
        functions = solution(name) | {wrong.check.split(".", maxsplit=1)[0]: wrong.function}
        alone = found(warm, name, OneByOne(functions))
        assert {status for status, _, _ in alone.values()} != {"passed"}
        assert found(warm, name, InProcessCandidate(functions)) == alone, wrong.id
        # Of a function that remembers, other calls may be wrong; it is refused all the same.
        ahead = found(warm, name, ThroughFrames(functions), asked)
        assert {status for status, _, _ in ahead.values()} != {"passed"}, wrong.id


def at_once(benches, asked, functions):
    """Whether all checks pass by the numbers that come out of a worker's frames."""
    kept.clear()
    calls.clear()
    inner = InProcessCandidate(functions)
    inner.watched = False
    batch = [each.call for each in asked]
    header, body = values.pack(inner.play(Prepared(batch)), "")
    came = values.Sent(json.loads(json.dumps(header)), body, len(batch)).side_by_side()
    return came is not None and AtOnce(benches, asked).holds(came)


@pytest.mark.table
@pytest.mark.parametrize("name", NAMES)
def test_numbers_alone_confirm_what_is_right_and_nothing_else(name, warm, asked_of):
    benches, asked = warm.benches(find_exercise(name)), asked_of(name)
    assert at_once(benches, asked, solution(name))
    for wrong in (each for each in WRONG if each.exercise == name and each.code != "uses-autograd"):
        functions = solution(name) | {wrong.check.split(".", maxsplit=1)[0]: wrong.function}
        assert not at_once(benches, asked, functions), wrong.id


def test_a_result_in_the_memory_of_an_argument_is_not_confirmed(warm, asked_of):
    benches, asked = warm.benches(find_exercise("relu")), asked_of("relu")
    right = solution("relu")

    def backward(grad_output, x):
        x.copy_(right["backward"](grad_output, x))
        return x

    assert not at_once(benches, asked, right | {"backward": backward})
    shared = right | {"jacobian": lambda x: torch.frombuffer(x.numpy(), dtype=x.dtype) if x.ndim == 1 else x}
    assert not at_once(benches, asked, shared)


def x(*values):
    return Argument(np.asarray(values, dtype=np.float64), "float64")


def many(function, inputs, **more):
    candidate = InProcessCandidate({"f": function}, **more)
    return candidate.call_many([Call("f", {"x": each}) for each in inputs])


INPUTS = [x(float(number), -1.0) for number in range(6)]


def test_each_call_is_made_once_and_in_order():
    seen = []
    came = many(lambda x: (seen.append(x[0].item()), x * 2)[1], INPUTS)
    assert seen == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert [each.value.values.tolist() for each in came] == [[2.0 * number, -2.0] for number in range(6)]


def test_a_batch_ends_with_the_first_call_that_does_not_return():
    seen = []

    def f(x):
        seen.append(x)
        if x[0] == 3:
            raise ValueError("three")
        return x * 2

    came = many(f, INPUTS)
    assert [each.state for each in came] == ["returned"] * 3 + ["raised"]
    assert came[-1].fault.text == "three"
    assert len(seen) == 4


def test_an_endless_loop_costs_one_limit_and_its_own():
    def f(x):
        while x[0] == 3:
            pass
        return x * 2

    began = time.process_time()
    came = many(f, INPUTS, limit_s=0.3)
    assert [each.state for each in came] == ["returned"] * 3 + ["timed_out"]
    assert "0.3 s of computing" in came[-1].fault.text
    assert time.process_time() - began < 60


def test_slow_code_is_not_asked_for_all(monkeypatch):
    monkeypatch.setattr("gradcheck.checks.playing.BATCH_S", 0.05)
    came = many(lambda x: (time.sleep(0.1), x)[1], INPUTS)
    assert [each.state for each in came] == ["returned"]


def test_who_changed_an_argument_is_told_by_call():
    def f(x):
        if x[0] == 2:
            x[0] = 7
            x[0] = 2
        return x * 2

    assert [each.mutated for each in many(f, INPUTS)] == [(), (), ("x",), (), (), ()]


def test_who_used_autograd_is_told_by_call():
    def f(x):
        if x[0] == 2:
            x.requires_grad_()
        return x * 2

    came = many(f, INPUTS)
    assert ["requires_grad" in each.refused for each in came] == [False, False, True, False, False, False]
    assert [each.recorded for each in came] == [False, False, True, False, False, False]


@pytest.mark.parametrize("buffers", [1, 2, 5])
def test_buffers_that_take_turns_are_noticed_within_a_batch_too(buffers):
    kept = [torch.zeros(2, dtype=torch.float64) for _ in range(buffers)]
    turn = iter(range(100))
    came = many(lambda x: kept[next(turn) % buffers].copy_(x), INPUTS)
    assert [each.value.values.tolist() for each in came] == [each.values.tolist() for each in INPUTS]
    assert [each.mutated for each in came] == [()] * buffers + [(EARLIER,)] * (6 - buffers)


def test_who_overwrites_a_result_without_returning_it_again_is_noticed():
    results = []

    def f(x):
        if len(results) == 3:
            results[0].numpy()[0] = 100.0
        results.append(x * 2)
        return results[-1]

    came = many(f, INPUTS)
    assert came[0].value.values.tolist() == [0.0, -2.0]
    assert any(each.mutated == (EARLIER,) for each in came)


def test_a_setting_does_not_outlive_its_call():
    def f(x):
        made = torch.zeros(2)
        if x[0] == 1:
            torch.set_default_dtype(torch.float64)
        return made

    assert [each.value.dtype for each in many(f, INPUTS)] == ["float32"] * 6


def test_every_call_has_a_generator_of_its_own():
    candidate = InProcessCandidate({"f": lambda generator: torch.rand(2, generator=generator)})
    came = candidate.call_many([Call("f", {"generator": GeneratorArgument(seed, elsewhere=1)}) for seed in (1, 1, 2)])
    assert came[0].value.values.tolist() == came[1].value.values.tolist() != came[2].value.values.tolist()
    assert [(each.advanced, each.drew_elsewhere) for each in came] == [(("generator",), False)] * 3
    candidate = InProcessCandidate({"f": lambda generator: torch.rand(2)})
    came = candidate.call_many([Call("f", {"generator": GeneratorArgument(1, elsewhere=1)})] * 2)
    assert [(each.advanced, each.drew_elsewhere) for each in came] == [((), True)] * 2


def test_operations_are_counted_by_call():
    candidate = InProcessCandidate({"f": lambda x: x * 2})
    arguments = {"x": x(1.0, 2.0, 3.0)}
    came = candidate.call_many([Call("f", arguments, count=True), Call("f", arguments), Call("f", arguments, True)])
    assert [each.operations for each in came] == [3, 0, 3]


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "expanded", "offset"])
@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (0, 3), (3, 0), (1, 1), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "int64", "bool"])
def test_tensors_lie_in_memory_as_asked(layout, shape, dtype):
    rng = np.random.default_rng(0)
    values = (rng.standard_normal(shape) * 4).astype({"int64": "int64", "bool": "bool"}.get(dtype, "float64"))
    values = np.repeat(values[:1], shape[0], 0) if layout == "expanded" and shape and shape[0] else values
    argument = Argument(values, dtype, layout)
    memory = OneBuffer([{"x": argument, "y": (argument, [argument])}])
    made = [memory.tensor(argument) for _ in range(3)]
    for got in made:
        assert torch.equal(got, torch.tensor(values).to(getattr(torch, dtype)))
        assert got.dtype is getattr(torch, dtype)
        assert got._base is None
        if got.numel() > 1 and min(shape) > 1:
            assert got.is_contiguous() == (layout in ("contiguous", "offset"))
            assert (got.storage_offset() > 0) == (layout == "offset")
            assert (got.stride()[0] == 0) == (layout == "expanded")
    if made[0].numel():
        assert len({each.untyped_storage().data_ptr() for each in made}) == 3
    memory.keep()
    assert memory.touched() == frozenset()


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.mul_(2),
        lambda x: x.t_(),
        lambda x: x.data.add_(1),
        lambda x: x.numpy().__setitem__(0, 7),
        lambda x: setattr(x, "data", x.clone()),
        lambda x: setattr(x, "data", x.data.t()),
        lambda x: x.copy_(x),
        lambda x: x.requires_grad_(),
    ],
)
def test_every_change_of_an_argument_is_noticed(change):
    arguments = {"x": Argument(np.arange(4.0).reshape(2, 2), "float64")}
    memory = OneBuffer([arguments] * 3)
    made = [memory.tensor(arguments["x"]) for _ in range(3)]
    memory.keep()
    assert memory.touched() == frozenset()
    change(made[1])
    assert memory.touched() == {1}


@pytest.mark.parametrize(
    ("exercise", "backward", "right"),
    [
        ("relu", lambda g, x: g if (x > 0).all() else g * (x > 0), True),
        ("relu", lambda g, x: x if (x == g).all() and (g == 1).all() else g * (x > 0), False),
        ("linear_model", lambda g, x, w: (w, x) if g == 1 else (g * w, g * x), False),
    ],
)
def test_an_answer_may_lie_in_grad_outputs_memory_but_not_in_an_inputs(exercise, backward, right, warm, asked_of):
    results = found(warm, exercise, ThroughFrames(solution(exercise) | {"backward": backward}), asked_of(exercise))
    assert ({status for status, _, _ in results.values()} == {"passed"}) is right


def test_every_number_counts(warm, asked_of):
    asked, rng = asked_of("relu"), np.random.default_rng(1)
    came = ThroughFrames(solution("relu")).call_many([each.call for each in asked])

    class Played(Candidate):
        printed = Printed()

        def call_many(self, calls):
            return came

    places = rng.integers(0, len(asked), 30)
    for number in places:
        value = came[number].value
        if not value.values.size:
            continue
        right, wrong = value.values, value.values.copy()
        wrong.reshape(-1)[rng.integers(0, right.size)] += 1.0
        value.values = wrong
        results = found(warm, "relu", Played(), asked)
        value.values = right
        assert {status for status, _, _ in results.values()} != {"passed"}, asked[number].key
