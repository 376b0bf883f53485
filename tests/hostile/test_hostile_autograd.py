"""In a worker nothing can be differentiated. Elsewhere these ways find the gradient, or the test of them would be empty."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.file_code import AutodiffWords
from gradcheck.checks.outcome import Argument, Returned
from gradcheck.checks.results import CheckResult
from gradcheck.grading.grade import verification_of
from gradcheck.isolation.worker.candidate import Sandboxed, SandboxedCandidate
from gradcheck.isolation.worker.launch import Bounds, Lane, SpawningLane
from tests.hostile.hostile_autograd import WAYS
from tests.hostile.hostile_record import cheating

pytestmark = pytest.mark.outside

X = np.asarray([[1.5, -2.0, 3.0], [-1.0, 0.5, -0.25]])
G = np.asarray([[1.0, 2.0, -3.0], [4.0, 5.0, 6.0]])
GRADIENT = G * (X > 0)
ARGUMENTS = {"grad_output": Argument(G, "float64"), "x": Argument(X, "float64")}

ELSEWHERE = """
import json, os, sys, torch
sources, x, g, gradient = json.load(sys.stdin)
torch.set_num_threads(1)
torch.func.grad(torch.sum)(torch.ones(2))
found = []
for name, source in sources.items():
    child = os.fork()
    if not child:
        got, nowhere = None, os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 1), os.dup2(nowhere, 2)
        try:
            scope = {"__name__": "own"}
            exec(compile(source, "own", "exec"), scope)
            got = scope["backward"](torch.tensor(g, dtype=torch.float64), torch.tensor(x, dtype=torch.float64))
        finally:
            os._exit(int(got is None or not torch.equal(got.detach(), torch.tensor(gradient, dtype=torch.float64))))
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        found.append(name)
print(json.dumps(found))
"""
ONLY_AGAINST_WALLS = {"torch-loaded-again", "a-graph-differentiated"}
"""What leads nowhere even where there is autograd."""


@pytest.fixture(scope="module")
def lane() -> Iterator[Lane]:
    made = Lane(Bounds(call_s=6.0, submission_s=60.0, sandbox=sys.platform == "linux"))
    yield made
    made.stop()


def candidate(lane: Lane, source: str, exercise: str = "relu") -> SandboxedCandidate:
    return SandboxedCandidate(exercise, Sandboxed(lane, {exercise: ("relu.py", source.encode())}))


def backward_of(lane: Lane, source: str) -> Returned | None:
    """The first call's result, as far as it is a tensor."""
    own = candidate(lane, source)
    try:
        value = own.call("backward", ARGUMENTS).value
    finally:
        own.submission.end()
    return value if isinstance(value, Returned) and value.values is not None else None


def graded(lane: Lane, source: str, function: str = "backward", exercise: str = "relu") -> CheckResult:
    """The first check of a function that does not pass, as a class is graded; else the last."""
    own = candidate(lane, source, exercise)
    try:
        verification = verification_of(find_exercise(exercise), own, 0, None)
        verification.words = AutodiffWords(source.encode())
        results = [verification.result(function, each) for each in verification.task.function(function).checks]
    finally:
        own.submission.end()
    return next((each for each in results if not each.ok), results[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="it forks a process that has threads")
def test_each_way_finds_the_gradient_where_there_is_autograd() -> None:
    sources = {name: cheating(source, "found(grad_output, x)") for name, (source, _) in WAYS.items()}
    told = json.dumps([sources, X.tolist(), G.tolist(), GRADIENT.tolist()])
    done = subprocess.run([sys.executable, "-c", ELSEWHERE], input=told, capture_output=True, text=True, timeout=300)
    assert set(json.loads(done.stdout)) | ONLY_AGAINST_WALLS == set(WAYS), done.stderr


@pytest.mark.parametrize("name", WAYS)
def test_nothing_is_found_in_a_worker(lane: Lane, name: str) -> None:
    source, _ = WAYS[name]
    found = backward_of(lane, cheating(source, "found(grad_output, x)"))
    assert found is None or found.values is None or not np.array_equal(found.values, GRADIENT)


@pytest.mark.parametrize("name", [name for name, (_, word) in WAYS.items() if word])
def test_whoever_tries_is_told(lane: Lane, name: str) -> None:
    source, word = WAYS[name]
    result = graded(lane, cheating(source, "found(grad_output, x)"))
    assert (result.status, result.code) == ("failed", "uses-autograd"), result
    assert word in result.message


OWN_FUNCTION = """import torch
class Rectifier(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)
    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (x > 0)
def forward(x):
    return Rectifier.apply(x)
"""
OWN_WAYS = {
    "by-its-method": """class Kept:
    pass
def backward(grad_output, x):
    kept = Kept()
    kept.saved_tensors = (x,)
    return Rectifier.backward(kept, grad_output)
""",
    "by-the-engine": """def backward(grad_output, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(Rectifier.apply(x), x, grad_output)[0]
""",
}


@pytest.mark.parametrize("name", OWN_WAYS)
@pytest.mark.parametrize("function", ["forward", "backward"])
def test_a_backward_that_the_learner_wrote_is_right(lane: Lane, name: str, function: str) -> None:
    result = graded(lane, OWN_FUNCTION + OWN_WAYS[name], function)
    assert result.ok, result


TRIED_OUT = """import torch
def forward(x):
    return torch.relu(x)
def backward(grad_output, x):
    # not torch.autograd.grad, and no requires_grad either
    "Returns what torch.func.vjp would."
    return {answer}
def compared(x):
    x = x.clone().requires_grad_()
    torch.relu(x).sum().backward()
    return x.grad
if __name__ == "__main__":
    print(torch.func.vjp(torch.relu, torch.ones(2)))
"""


@pytest.mark.parametrize(("answer", "code"), [("grad_output * (x > 0)", ""), ("grad_output * (x < 0)", "other")])
def test_a_comparison_beside_a_backward_accuses_nobody(lane: Lane, answer: str, code: str) -> None:
    result = graded(lane, TRIED_OUT.format(answer=answer))
    assert result.ok is (code == ""), result
    assert result.code != "uses-autograd", result


def test_a_process_that_is_started_for_each_submission_has_none_either() -> None:
    made = SpawningLane(Bounds(call_s=6.0, submission_s=60.0, sandbox=False))
    try:
        result = graded(made, cheating(WAYS["func-vjp"][0], "found(grad_output, x)"))
        assert (result.status, result.code) == ("failed", "uses-autograd"), result
        assert graded(made, OWN_FUNCTION + OWN_WAYS["by-its-method"]).ok
    finally:
        made.stop()
