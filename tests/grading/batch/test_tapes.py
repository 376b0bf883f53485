"""A tape confirms right answers and no wrong one: it saves time and decides nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tables import RIGHT, WRONG
from wrong_answers import calls, kept

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.outcome import Argument
from gradcheck.checks.tensors import make_tensor
from gradcheck.grading.batch.taped import TapedExercise
from gradcheck.grading.batch.taped_parts import Unsuitable
from gradcheck.grading.execute import execute
from gradcheck.grading.warm import Warm
from gradcheck.grading.worker.tapes import Tape, play
from solutions import FOLDER, solution

TAPED = [
    "linear_model", "squared_error", "average_loss", "weighted_sum", "linear", "relu", "duplicate", "add", "maximum",
    "sigmoid", "tanh", "softplus", "softmax", "log_softmax", "mse", "nll", "cross_entropy", "bce_with_logits",
]  # fmt: skip


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    return Warm(tmp_path_factory.mktemp("expected"), most=100)


@pytest.fixture(scope="module")
def tapes(warm):
    """Both sides of a tape by exercise, made once."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = tape_of(warm, name)
        return made[name]

    return of


def tape_of(warm, name):
    """Both sides of a tape that nothing was played on: a wrong answer may have turned an argument of the shared one."""
    exercise = find_exercise(name)
    judge = TapedExercise(exercise.task, warm.benches(exercise))
    header = json.loads(json.dumps(judge.header))
    return judge, Tape(header["functions"], header["size"], judge.body)


def confirmed(both, candidate):
    judge, tape = both
    answer, body = play(tape, candidate)
    return judge.confirms(json.loads(json.dumps(answer)), body)


@pytest.mark.thorough
def test_which_exercises_have_tapes(warm):
    suitable = []
    for name, exercise in all_exercises().items():
        if exercise.unit in ("01_models_and_losses", "03_backpropagation", "04_modules", "05_losses"):
            try:
                TapedExercise(exercise.task, warm.benches(exercise))
            except Unsuitable:
                continue
            suitable.append(name)
    assert set(TAPED) <= set(suitable)


@pytest.mark.table
@pytest.mark.parametrize("name", TAPED)
def test_a_tape_confirms_the_solution(name, tapes):
    source = (FOLDER / find_exercise(name).path).read_bytes()
    assert confirmed(tapes(name), execute(source, f"taped_{name}", name, name, 10.0))


@pytest.mark.table
@pytest.mark.parametrize("name", TAPED)
def test_a_tape_confirms_other_styles_and_no_wrong_answer(name, tapes):
    judge, tape = tapes(name)
    right = [confirmed((judge, tape), InProcessCandidate(solution(name) | style)) for style in RIGHT[name].values()]
    assert any(right)
    # A tape is played where there is no automatic differentiation; what that means is tested among hostile files.
    for wrong in (each for each in WRONG if each.exercise == name and each.code != "uses-autograd"):
        kept.clear()
        calls.clear()
        function = wrong.check.split(".", maxsplit=1)[0]
        candidate = InProcessCandidate(solution(name) | {function: wrong.function})
        assert not confirmed((judge, tape), candidate), wrong.id
        # Whatever it did to its arguments: here they are put back, where a worker would be thrown away.
        tape.buffer.copy_(tape.kept)
        tape.version = tape.buffer._version


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "expanded", "offset"])
@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (0, 3), (3, 0), (1, 1), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
def test_tensors_of_a_tape_lie_in_memory_as_those_of_a_call(layout, shape, dtype):
    from gradcheck.grading.batch.layouts import laid_out

    rng = np.random.default_rng(0)
    values = (rng.standard_normal(shape) * 4).astype({"int64": "int64", "bool": "bool"}.get(dtype, "float64"))
    values = np.repeat(values[:1], shape[0], 0) if layout == "expanded" and shape and shape[0] else values
    wanted = make_tensor(Argument(values, dtype, layout))
    strides, start, room, written = laid_out(values, layout)
    body = values[:1].tobytes() if written != list(shape) else values.tobytes()
    item = wanted.element_size()
    node = ["a", dtype, list(shape), strides, 64, 64 + start * item, values.dtype.str, written, 0]
    tape = Tape({"f": [[node]]}, 64 + room * item + 64, body + bytes(8))
    ((got,),) = tape.calls["f"]
    assert torch.equal(got, wanted)
    assert got.dtype is wanted.dtype
    assert got.stride() == wanted.stride() or got.numel() < 2
    assert tape.untouched()


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.mul_(2),
        lambda x: x.t_(),
        lambda x: x.data.add_(1),
        lambda x: x.numpy().__setitem__(0, 7),
        lambda x: x.resize_(1),
        lambda x: setattr(x, "data", x.clone()),
        lambda x: x.copy_(x),
    ],
)
def test_a_tape_notices_every_change_of_an_argument(change):
    values = np.arange(6.0).reshape(2, 3)
    node = ["a", "float64", [2, 3], [3, 1], 0, 0, "<f8", [2, 3], 0]
    tape = Tape({"f": [[node]]}, 128, values.tobytes())
    assert tape.untouched()
    change(tape.calls["f"][0][0])
    assert not tape.untouched()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"usual": True},
        {"usual": 1, "functions": []},
        {"usual": True, "functions": [1, 2, 3]},
        {"usual": True, "functions": [{}, {}, {}]},
        {"usual": True, "functions": [{"forms": None, "shapes": {}, "dtypes": 3, "shares": 0}] * 3},
        {"usual": True, "functions": {"forward": {}}},
    ],
)
def test_an_answer_that_is_none_confirms_nothing(answer, tapes):
    judge, _ = tapes("relu")
    for body in (b"", bytes(judge.most_bytes), b"\xff" * judge.most_bytes):
        assert judge.confirms(answer, body) is False


@pytest.mark.parametrize(
    ("exercise", "backward", "right"),
    [
        ("relu", lambda g, x: g if (x > 0).all() else g * (x > 0), True),
        ("relu", lambda g, x: x if (x == g).all() and (g == 1).all() else g * (x > 0), False),
        ("linear_model", lambda g, x, w: (w, x) if g == 1 else (g * w, g * x), False),
    ],
)
def test_an_answer_may_lie_in_grad_outputs_memory_but_not_in_an_inputs(exercise, backward, right, warm):
    candidate = InProcessCandidate(solution(exercise) | {"backward": backward})
    assert confirmed(tape_of(warm, exercise), candidate) is right


def test_an_answer_confirms_only_with_every_number(tapes):
    judge, _ = tapes("relu")
    tape = Tape(judge.header["functions"], judge.header["size"], judge.body)
    answer, body = play(tape, InProcessCandidate(solution("relu")))
    assert judge.confirms(answer, body)
    rng = np.random.default_rng(1)
    for place in rng.integers(0, len(body) - 16, 50):
        forged = bytearray(body)
        forged[place : place + 16] = b"\xff" * 16  # NaN, in float64 and in float32, wherever one begins
        assert not judge.confirms(answer, bytes(forged))
    for key in ("forms", "shapes", "dtypes"):
        forged = json.loads(json.dumps(answer))
        forged["functions"][1][key][3] = "other"
        assert not judge.confirms(forged, body)
