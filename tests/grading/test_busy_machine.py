"""On a machine that is busy with other things a submission gets the points that it gets on a quiet one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.outcome import Argument
from gradcheck.classes.judge import Judge, Settings
from gradcheck.isolation.worker.candidate import Sandboxed, SandboxedCandidate
from gradcheck.isolation.worker.launch import Bounds, Lane
from gradcheck.submissions.layout import Submission
from tests.checks.solutions import FOLDER

pytestmark = pytest.mark.whole_machine

LOOP = "import time\nend = time.monotonic() + 240\nprint(flush=True)\nwhile time.monotonic() < end: pass"
SHARE = 3
"""Busy loops for each core."""


@contextmanager
def busy():
    """Three loops for every core, which end with the block, and by themselves after four minutes."""
    with ExitStack() as stack:
        for _ in range(SHARE * (os.cpu_count() or 1)):
            loop = subprocess.Popen([sys.executable, "-c", LOOP], stdout=subprocess.PIPE)
            stack.callback(loop.wait)
            stack.callback(loop.kill)
            assert loop.stdout is not None
            loop.stdout.readline()
            stack.callback(loop.stdout.close)
        yield


def compute(seconds):
    before = time.process_time()
    while time.process_time() < before + seconds:
        pass


def test_a_call_within_its_limit_returns():
    """It computes for half as long as it may, and takes longer than that."""

    def work():
        began = time.monotonic()
        compute(0.6)
        return time.monotonic() - began

    candidate = InProcessCandidate({"work": work, "rest": int}, limit_s=1.2)
    candidate.call("rest", {})
    with busy():
        outcome = candidate.call("work", {})
    assert outcome.state == "returned", outcome.fault
    assert outcome.value > 1.2, "the machine was not busy: this shows nothing"


VERIFIED = """
import sys
from pathlib import Path
from gradcheck.catalog import find_exercise
from gradcheck.grading.grade import grade_candidate
from gradcheck.grading.load import load_candidate
exercise, path = find_exercise("vector_chain_rule"), Path(sys.argv[1])
report = grade_candidate(exercise, load_candidate(exercise, path, limit_s=1.0), 0, None)
print(report.status, *(f"{each.id}: {each.message}" for each in report.results if not each.ok))
"""


def test_what_the_grader_does_for_the_first_time_is_not_the_calls():
    path = FOLDER / find_exercise("vector_chain_rule").path
    with busy():
        done = subprocess.run([sys.executable, "-c", VERIFIED, str(path)], capture_output=True, text=True, timeout=300)
    assert done.stdout == "passed\n", done.stdout + done.stderr


BURNS = """
import time
burnt = []
def burn():
    if not burnt:
        burnt.append(True)
        before = time.process_time()
        while time.process_time() < before + 0.6:
            pass
"""


def test_two_equal_files_get_equal_points(tmp_path):
    right = (FOLDER / find_exercise("relu").path).read_text()
    head, body = right.split("def backward(grad_output: Tensor, x: Tensor) -> Tensor:\n")
    source = f"{head}{BURNS}\ndef backward(grad_output, x):\n    burn()\n{body}"
    submission = Submission("ada", {"relu": source.encode()}, {})
    bounds = Bounds(call_s=1.2, submission_s=30.0, sandbox=sys.platform == "linux")
    judge = Judge(Settings(tmp_path, ("relu",), bounds), 3)
    try:
        quiet = judge.grade(submission)
        with busy():
            loaded = judge.grade(submission)
    finally:
        judge.close()
    assert (quiet.score, loaded.score) == (4.0, 4.0), [
        each.message for each in loaded.exercises[0].checks if each.status != "passed"
    ]


COMPUTES, WAITS = "no result after 0.5 s of computing", "no result after 3 s, though it computed for "
BLOCKED = "    import signal\n    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\n"
ENDLESS = {
    "loop": ("    while time.monotonic() < end: pass", COMPUTES, "the call was ended"),
    "sleep": ("    time.sleep(20)", WAITS, "the call was ended"),
    "deadlock": ("    import threading; threading.Event().wait(20)", WAITS, "the call was ended"),
    "a loop that no signal ends": (
        f"{BLOCKED}    while time.monotonic() < end: pass",
        COMPUTES,
        "the process was ended",
    ),
    "a sleep that no signal ends": (f"{BLOCKED}    time.sleep(20)", "though it computed for ", "the process was ended"),
    "others that compute": (
        """
    import os
    for _ in range(4):
        if os.fork() == 0:
            while time.monotonic() < end: pass
            os._exit(0)
    os.wait()""",
        WAITS,
        "the call was ended",
    ),
    "many that compute in turn": (
        """
    import os
    while time.monotonic() < end:
        if os.fork() == 0:
            sum(range(10**8))
            os._exit(0)
        os.wait()""",
        WAITS,
        "the call was ended",
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_does_not_end_is_ended_and_told_why(name):
    """Without the sandbox, in which nobody could start others; each would end by itself after twenty seconds."""
    body, why, how = ENDLESS[name]
    source = f"import time\ndef f(x):\n    end = time.monotonic() + 20\n{body}\n    return x\n"
    lane = Lane(Bounds(call_s=0.5, submission_s=30.0, sandbox=False))
    sandboxed = Sandboxed(lane, {"relu": ("relu.py", source.encode())})
    try:
        outcome = SandboxedCandidate("relu", sandboxed).call("f", {"x": Argument(np.ones(2), "float64")})
    finally:
        sandboxed.end()
        lane.stop()
    assert outcome.state == "timed_out"
    assert why in outcome.fault.text
    assert how in outcome.fault.text
