"""Whose time it is: a call's own computing counts, not what the machine or the grader does meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.limits import BUSY, WAITING, Allowance, OwnTime

LIMIT_S = 0.3
WAITED = f"no result after {WAITING * LIMIT_S:.3g} s, though it computed for "
COMPUTED = f"no result after {LIMIT_S:g} s of computing; the call was ended"

# Each ends by itself: where a limit does not hold, what it is called with returns, and a test fails.


def compute(seconds=20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return 1.0


def rest(seconds=20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
    return 1.0


def compute_in_a_thread():
    thread = threading.Thread(target=compute, args=(20.0,))
    thread.start()
    rest()
    thread.join()


def call(function, limit_s=LIMIT_S):
    return InProcessCandidate({"f": function}, limit_s=limit_s).call("f", {})


def call_in_a_thread(function):
    came = []
    thread = threading.Thread(target=lambda: came.append(call(function)))
    thread.start()
    thread.join()
    return came[0]


@pytest.fixture(params=[call, call_in_a_thread], ids=["by signal", "by thread"])
def called(request):
    return request.param


def test_computing_is_ended_and_so_is_waiting_and_each_is_told(called):
    assert called(compute).fault.text == COMPUTED
    assert called(rest).fault.text.startswith(WAITED)


def test_a_call_that_rests_for_longer_than_it_may_compute_returns(called):
    assert called(lambda: rest(2 * LIMIT_S)).state == "returned"


def test_what_a_thread_of_the_candidate_computes_is_the_candidates(called):
    assert called(compute_in_a_thread).fault.text == COMPUTED


def compute_for(seconds):
    """However long that takes."""
    while time.thread_time() < seconds:
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a thread's time to others")
def test_what_other_threads_compute_is_not_ones_own_unless_one_started_them():
    go = threading.Event()
    graders = threading.Thread(target=lambda: go.wait() and compute_for(0.4))
    graders.start()
    own, all_of_it = OwnTime(), time.process_time()
    before = own()
    go.set()
    graders.join()
    assert own() - before < (time.process_time() - all_of_it) / 2
    ours = threading.Thread(target=compute_for, args=(0.4,))
    ours.start()
    ours.join()
    assert own() - before >= 0.4


class Told:
    """A clock that shows what it was set to."""

    now: float | None = 5.0

    def __call__(self):
        return self.now


def test_an_allowance_is_used_up_by_computing_or_by_waiting():
    clock = Told()
    computing, waiting = Allowance(2.0, 600.0, clock), Allowance(2.0, 0.0, clock)
    assert 0 < computing.left() <= 2
    clock.now = 6.9
    assert 0 < computing.left() <= 0.11
    clock.now = 7.0
    assert computing.left() == 0
    assert computing.in_words() == "2 s of computing"
    assert computing.in_words(1.5) == "1.5 s of computing"
    clock.now = 5.0
    assert waiting.left() == 0
    assert waiting.in_words().startswith("0 s, though it computed for 0.0 s only (it waits for something")


def test_who_computes_a_little_all_along_is_not_waiting():
    clock = Told()
    allowance = Allowance(2.0, 0.0, clock)
    clock.now = 5.5
    assert 0 < allowance.left() <= 0.5 * BUSY
    clock.now = 7.0
    assert allowance.left() == 0


def test_what_computed_is_remembered_when_the_clock_is_gone():
    clock = Told()
    allowance = Allowance(2.0, 600.0, clock)
    clock.now = 6.5
    assert allowance.left() > 0
    clock.now = None
    assert allowance.computed == 1.5


def test_without_a_clock_all_time_is_computing():
    allowance = Allowance(0.0, 600.0, lambda: None)
    assert allowance.left() == 0
    assert allowance.computed > 0
    assert allowance.in_words(1.0) == "1 s"


NOTHING_NEW = """
import sys
from gradcheck.grading.execute import execute
source = b'''import sys
seen = set(sys.modules)
def f(x, more, generator):
    return " ".join(sorted(set(sys.modules) - seen))
'''
candidate = execute(source, "first", "first.py", "first.py", 10.0)
import numpy as np
from gradcheck.checks.outcome import Argument, GeneratorArgument
x = Argument(np.ones(2), "float32", "transposed")
for count in (False, True, False):
    outcome = candidate.call("f", {"x": x, "more": [x], "generator": GeneratorArgument(1, elsewhere=2)}, count=count)
    print(outcome.state, outcome.value)
"""


@pytest.mark.outside
def test_nothing_of_the_graders_is_imported_while_a_clock_runs():
    done = subprocess.run([sys.executable, "-c", NOTHING_NEW], capture_output=True, text=True, timeout=120)
    assert [line.split() for line in done.stdout.splitlines()] == [["returned"]] * 3, done.stdout + done.stderr


AFTERWARDS = """
import sys, threading
from gradcheck.checks.limits import CallTimeout, time_limit

def limited(computes):
    try:
        with time_limit(0.2):
            while computes:
                pass
    except CallTimeout:
        pass

for computes in (False, True):
    thread = threading.Thread(target=limited, args=(computes,))
    thread.start()
    thread.join()
sys.settrace(lambda *_: None)
(lambda: None)()
sys.settrace(None)
print("went on")
"""


@pytest.mark.outside
def test_a_limit_in_a_thread_leaves_nothing_behind_that_a_trace_function_would_wait_for():
    done = subprocess.run([sys.executable, "-c", AFTERWARDS], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("went on\n", "")
