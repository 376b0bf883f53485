"""What a sandboxed worker tells of an exception is what the same file tells in this process."""

from __future__ import annotations

import sys

import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.engine import Verification
from gradcheck.diagnosis.explain import explained_for
from gradcheck.isolation.worker.candidate import Sandboxed, SandboxedCandidate
from gradcheck.isolation.worker.launch import Bounds, Lane

pytestmark = pytest.mark.outside

HEAD = "import math\nimport torch\n\n\ndef forward(x, weight, bias):\n"


@pytest.fixture(scope="module")
def lane():
    made = Lane(Bounds(call_s=1.0, submission_s=60.0, memory_bytes=2 << 30, sandbox=sys.platform == "linux"))
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "return x @ weight + bias",
            "line 6: x (B=2, I=3) @ weight (O=4, I=3): 3 meets 4; weight.T (I=3, O=4) would fit",
        ),
        (
            "return x.exp() @ torch.ones(3, 4)",
            "line 6: torch.ones(3, 4) is float32, but x.exp() is float64; give it dtype=x.dtype",
        ),
        ("return max(x, 0)", "write x.clamp(min=0)"),
        ("return torch.sofmax(x, 1)", "torch has no sofmax; did you mean softmax?"),
        ("return {'w1': x}['w_1']", "there is no key 'w_1'"),
        ("raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})", "raised Odd: (its message cannot be"),
        ("class Odd(Exception):\n        def __str__(self):\n            while 1: pass\n    raise Odd", "raised Odd"),
        ("raise RuntimeError('a\\n\\x1b[2Jb' * 10_000_000)", "forward raised RuntimeError: a"),
    ],
)
def test_a_worker_tells_what_raised(lane, body, words):
    exercise = find_exercise("linear")
    sandboxed = Sandboxed(lane, {"linear": ("04_modules/linear.py", f"{HEAD}    {body}\n".encode())})
    try:
        candidate = SandboxedCandidate("linear", sandboxed)
        found = Verification(candidate, exercise.task, explain=explained_for(exercise)).result("forward", "runs")
    finally:
        sandboxed.end()
    assert words in found.message
    assert "\n" not in found.message
    assert len(found.message) < 700
