"""A submission in a process of its own: it answers, dies, or is ended, and the judge goes on."""

from __future__ import annotations

import os
import sys
import time

import numpy as np
import pytest

from gradcheck.checks.outcome import Argument
from gradcheck.isolation.worker.candidate import Sandboxed, SandboxedCandidate
from gradcheck.isolation.worker.launch import Bounds, Lane, SpawningLane, ending, lane_for

pytestmark = pytest.mark.outside

BOUNDS = Bounds(call_s=1.0, submission_s=60.0, memory_bytes=2 << 30, sandbox=sys.platform == "linux")
X = {"x": Argument(np.asarray([1.0, -2.0]), "float64")}


@pytest.fixture(scope="module")
def lane():
    made = Lane(BOUNDS)
    yield made
    made.stop()


@pytest.fixture
def call(lane):
    """Calls f(x) of a file, in a worker of its own."""
    open_ = []

    def once(source, function="f", **arguments):
        sandboxed = Sandboxed(lane, {"relu": ("04_modules/relu.py", source.encode())})
        open_.append(sandboxed)
        return SandboxedCandidate("relu", sandboxed).call(function, X | arguments)

    yield once
    for each in open_:
        each.end()


def test_a_result_comes_back(call):
    outcome = call("def f(x):\n    print('seen')\n    return x * 2")
    assert outcome.state == "returned"
    assert outcome.value.values.tolist() == [2.0, -4.0]


def test_an_exception_tells_the_line(call):
    outcome = call("def f(x):\n    return 1 / 0")
    assert (outcome.state, outcome.fault.kind) == ("raised", "ZeroDivisionError")
    assert outcome.fault.lines[0] == "04_modules/relu.py:2 in f"


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("x.mul_(2)\n    x.div_(2)\n    return x * 2", ("x",)),
        ("kept = x[0].item()\n    x[0] = 7\n    x[0] = kept\n    return x * 2", ("x",)),
        ("return x * 2", ()),
    ],
)
def test_an_argument_that_was_put_back_was_changed_in_a_worker_too(call, body, names):
    assert call(f"def f(x):\n    {body}").mutated == names


@pytest.mark.parametrize(
    ("source", "state", "word"),
    [
        ("def f(x):\n    raise NotImplementedError", "not_started", ""),
        ("def f(x):\n    raise NotImplementedError('later')\n    return x", "unfinished", "later"),
        ("def g(x):\n    return x", "missing", "no function"),
        ("def f(x:\n", "raised", "cannot read"),
        ("def f(x):\n    while True: pass", "timed_out", "no result after 1 s of computing; the call was ended"),
        ("import os\ndef f(x):\n    os._exit(0)", "exited", "exit status 0"),
        ("import os, signal\ndef f(x):\n    os.kill(os.getpid(), signal.SIGKILL)", "exited", "SIGKILL"),
        ("import ctypes\ndef f(x):\n    ctypes.string_at(1)", "exited", "SIGSEGV"),
        ("import sys\ndef f(x):\n    sys.exit(3)", "exited", "sys.exit(3)"),
    ],
)
def test_a_call_that_returns_nothing_says_why(call, source, state, word):
    outcome = call(source)
    assert outcome.state == state
    assert word in (outcome.fault.text if outcome.fault else "")


def test_a_loop_that_nothing_inside_can_end_is_ended_from_outside(lane, call):
    source = (
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\ndef f(x):\n    while True: pass"
    )
    began = time.monotonic()
    outcome = call(source)
    assert outcome.state == "timed_out"
    assert "was ended" in outcome.fault.text
    assert time.monotonic() - began < 30
    assert call("def f(x):\n    return x").state == "returned"


def test_after_a_death_a_new_worker_answers_and_not_for_ever(lane):
    sandboxed = Sandboxed(lane, {"relu": ("relu.py", b"import os\ndef f(x): os._exit(1)\ndef g(x): return x")})
    candidate = SandboxedCandidate("relu", sandboxed)
    assert candidate.call("f", X).state == "exited"
    assert candidate.call("g", X).state == "returned"
    states = [candidate.call("f", X).fault.text for _ in range(3)]
    assert "already" in states[-1]
    assert candidate.call("g", X).state == "exited"  # it had its chances
    sandboxed.end()


@pytest.mark.parametrize(
    ("used", "told"),
    [
        ({"computed": BOUNDS.submission_s}, "the 60 s of computing for the whole submission are used up"),
        ({"waited": BOUNDS.patience_s(0)}, "the whole submission has kept the grader waiting for 180 s"),
    ],
)
def test_a_submission_has_only_so_much_time(lane, used, told):
    sandboxed = Sandboxed(lane, {"relu": ("relu.py", b"def f(x): return x")}, **used)
    outcome = SandboxedCandidate("relu", sandboxed).call("f", X)
    assert (outcome.state, outcome.fault.text) == ("timed_out", f"not called: {told}")
    sandboxed.end()


def test_only_its_own_time_is_counted(lane):
    """Not what the judge does between two calls, however slow its machine is; and sleep is no computing."""
    source = (
        b"import time\ndef rest(x): time.sleep(0.5); return x\n"
        b"def work(x):\n    end = time.process_time() + 0.5\n    while time.process_time() < end: pass\n    return x\n"
    )
    sandboxed = Sandboxed(lane, {"relu": ("relu.py", source)})
    candidate = SandboxedCandidate("relu", sandboxed)
    assert candidate.call("rest", X).state == "returned"
    computed, waited = sandboxed.computed, sandboxed.waited
    assert computed < 0.4 <= waited
    time.sleep(0.5)
    assert (sandboxed.computed, sandboxed.waited) == (computed, waited)
    assert candidate.call("work", X).state == "returned"
    assert sandboxed.computed >= computed + 0.5
    sandboxed.end()


def test_neighbours_are_files_of_the_same_submission(lane):
    files = {"relu": ("relu.py", b"def f(x): return x"), "add": ("add.py", b"def f(x): return x + 1")}
    sandboxed = Sandboxed(lane, files)
    candidate = SandboxedCandidate("relu", sandboxed)
    assert candidate.neighbour("add").call("f", X).value.values.tolist() == [2.0, -1.0]
    assert candidate.neighbour("softmax") is None
    sandboxed.end()


def test_a_worker_knows_no_mathematics_and_no_environment(call):
    source = (
        "import os, sys\n"
        "def f(x):\n"
        "    rooms = ('catalog', 'references', 'operators', 'diagnosis', 'training')\n"
        "    known = [n for n in sys.modules if n.startswith('gradcheck.') and n.split('.')[1] in rooms]\n"
        "    return ' '.join(known + [n for n in os.environ if 'SECRET' in n] + [os.environ['HOME']])\n"
    )
    os.environ["A_SECRET"] = "1"
    try:
        assert call(source).value == "/nonexistent"
    finally:
        del os.environ["A_SECRET"]


def test_a_zygote_that_is_gone_is_replaced():
    lane = Lane(BOUNDS)
    lane.start()
    lane.process.kill()
    lane.process.wait()
    sandboxed = Sandboxed(lane, {"relu": ("relu.py", b"def f(x): return x")})
    assert SandboxedCandidate("relu", sandboxed).call("f", X).state == "returned"
    sandboxed.end()
    lane.stop()


def test_a_lane_without_fork_does_the_same():
    lane = SpawningLane(BOUNDS)
    source = b"import os\ndef f(x): return x * 2\ndef loop(x):\n    while True: pass\ndef end(x): os._exit(3)"
    sandboxed = Sandboxed(lane, {"relu": ("relu.py", source)})
    candidate = SandboxedCandidate("relu", sandboxed)
    assert candidate.call("f", X).value.values.tolist() == [2.0, -4.0]
    assert candidate.call("loop", X).state == "timed_out"
    assert "exit status 3" in candidate.call("end", X).fault.text
    assert candidate.call("f", X).state == "returned"
    assert {layer.held for layer in lane.layers} == {False}
    sandboxed.end()
    lane.stop()


def test_every_system_has_a_lane(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")  # fork is there, and not safe
    assert type(lane_for(BOUNDS)) is SpawningLane
    monkeypatch.setattr(sys, "platform", "linux")
    assert type(lane_for(BOUNDS)) is Lane
    monkeypatch.delattr(os, "fork")
    assert type(lane_for(BOUNDS)) is SpawningLane


def test_every_ending_has_words():
    assert "exit status 3" in ending(3)
    assert all(ending(-number) for number in range(1, 70))
