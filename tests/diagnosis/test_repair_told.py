"""The wrong place in a learner's own code: found by mending it, told with its line, never with what belongs there."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest
import torch

from gradcheck.catalog import find_exercise
from gradcheck.checks.candidate import Varied
from gradcheck.checks.outcome import Argument
from gradcheck.diagnosis.repair import edits
from gradcheck.grading.execute import execute
from gradcheck.grading.grade import verification_of
from gradcheck.isolation.worker.candidate import Sandboxed, SandboxedCandidate
from gradcheck.isolation.worker.launch import Bounds, Lane
from tests.diagnosis.diagnosed import first_failure, named

IMPORT = "import torch\nimport torch.nn.functional as F\n"
STEP = """
def minibatch_step(w, x, y, indices, lr):
    error = x[indices] @ w - y[indices]
    return w - lr * 2 * x[indices].T @ error / len(indices)
"""
CHAIN = """
def backward(grad_output, derivatives):
    grads = [grad_output]
    for d in reversed(derivatives):
        grads.insert(0, grads[0] * d)
    return tuple(grads)
"""
SOFTMAX = """
def normalised(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)


def backward(grad_output, x):
    y = normalised(x)
    inner = (grad_output * y).sum(-1, keepdim=True)
    return y * (grad_output - inner)
"""

WRONG = [
    # exercise, function, the right text, a place in it, what is written there, the code, what the sentence holds
    ("gradient_descent", "minibatch_step", STEP, "y[indices]", "y", "wrong-index", "all of `y` is taken"),
    ("gradient_descent", "minibatch_step", STEP, "* 2 *", "* 3 *", "scaled-by-constant", ""),
    (
        "gradient_descent",
        "minibatch_step",
        STEP,
        ".T @ error",
        ".T @ error.clamp(-1, 1)",
        "changes-upstream",
        "line 6: clamp",
    ),
    ("pointwise_chain", "backward", CHAIN, "* d)", "* d.sin())", "extra-term", "line 7: sin does not belong there"),
    (
        "pointwise_chain",
        "backward",
        CHAIN,
        "reversed(derivatives)",
        "reversed(derivatives[1:])",
        "wrong-index",
        "line 6",
    ),
    (
        "softmax",
        "backward",
        SOFTMAX,
        "(grad_output - inner)",
        "(grad_output - inner.exp())",
        "extra-term",
        "line 12: exp",
    ),
    ("softmax", "backward", SOFTMAX, "e.sum(-1, keepdim=True)", "e.sum(-1, keepdim=True) * 1.5", "", "line 6"),
    (
        "softmax",
        "backward",
        SOFTMAX,
        "- inner",
        "- inner - x",
        "extra-term",
        "line 12: in `grad_output - inner - x` a term",
    ),
    ("softmax", "backward", SOFTMAX, "y = normalised(x)", "y = normalised(x + grad_output)", "", "line 10"),
]


def file_of(exercise, text):
    return execute((IMPORT + text).encode(), f"repair_{exercise}", f"{exercise}.py", f"{exercise}.py", 10.0)


def diagnosed(exercise, function, candidate):
    found = find_exercise(exercise)
    verification = verification_of(found, candidate, 0, None, shrink=False)
    for check in found.task.function(function).checks:
        result = verification.result(function, check)
        if result.status in ("failed", "errored"):
            return result
    return None


@pytest.mark.table
@pytest.mark.parametrize(
    ("exercise", "function", "text", "place", "written", "code", "words"),
    WRONG,
    ids=[f"{each[0]}: {each[4]}" for each in WRONG],
)
def test_the_place_is_told_with_its_line(exercise, function, text, place, written, code, words):
    assert place in text
    assert diagnosed(exercise, function, file_of(exercise, text)) is None, "the text itself is right"
    result = diagnosed(exercise, function, file_of(exercise, text.replace(place, written, 1)))
    assert result.diagnosis.code != "unrecognised"
    if code:
        assert code in named(result), result.message
    assert words in result.message


def test_two_wrong_places_are_not_called_one():
    text = CHAIN.replace("* d)", "* d.sin())").replace("tuple(grads)", "tuple(g.exp() for g in grads)")
    result = diagnosed("pointwise_chain", "backward", file_of("pointwise_chain", text))
    assert result.diagnosis.code == "unrecognised", result.message


def test_what_belongs_there_is_not_told():
    """A sentence quotes the learner's own code and nothing that is written in its place."""
    candidate = file_of("softmax", SOFTMAX)
    own = {node.id for node in ast.walk(ast.parse(SOFTMAX)) if isinstance(node, ast.Name)}
    for edit in edits(candidate, "backward"):
        quoted = edit.repair.text.split("`")[1::2]
        assert all(piece.rstrip("…") in ast.unparse(ast.parse(dedent(SOFTMAX))) for piece in quoted), edit.repair
        assert "{" not in edit.repair.text
    assert "inner" in own


def test_a_loop_that_may_never_end_is_not_changed():
    text = CHAIN.replace("    grads = [grad_output]\n", "    grads = [grad_output]\n    while False:\n        pass\n")
    assert not list(edits(file_of("pointwise_chain", text), "backward"))


def test_a_lambda_and_a_function_without_a_file_are_read_too(tmp_path_factory):
    cache = tmp_path_factory.mktemp("expected")
    result = first_failure("inference", "accuracy", lambda z, t: (z.argmax(1) == t).double(), cache)
    assert "a mean is missing" in result.message


def test_variants_leave_the_functions_as_they_were():
    candidate = file_of("softmax", SOFTMAX)
    before = dict(candidate.functions)
    x = torch.randn(2, 3, dtype=torch.float64)
    expected = before["backward"](x, x)

    text = "def normalised(x):\n    return x"
    assert candidate.vary([Varied("other", "backward", "normalised", text), Varied("no", "backward", "gone", "x")]) == [
        "other"
    ]
    assert torch.equal(candidate.functions["backward"](x, x), expected)
    passed = Argument(x.numpy(), "float64")
    other = candidate.call("other", {"grad_output": passed, "x": passed}).value.values
    assert not torch.equal(torch.from_numpy(other), expected)
    assert {name: candidate.functions[name] for name in before} == before


@pytest.mark.outside
def test_a_submission_in_a_worker_is_mended_there(tmp_path):
    text = SOFTMAX.replace("(grad_output - inner)", "(grad_output - inner.exp())")
    lane = Lane(Bounds(call_s=10.0))
    try:
        submission = Sandboxed(lane, {"softmax": ("softmax.py", (IMPORT + text).encode())})
        result = diagnosed("softmax", "backward", SandboxedCandidate("softmax", submission))
        submission.end()
    finally:
        lane.stop()
    assert result.message.startswith("line 12: exp does not belong there")


def test_what_a_search_prints_is_not_shown():
    text = CHAIN.replace("* d)", "* d.sin())").replace("    grads = [", "    print('here')\n    grads = [")
    candidate = file_of("pointwise_chain", text)
    found = find_exercise("pointwise_chain")
    alone = verification_of(found, candidate, 0, None, shrink=False)
    alone.explain = None
    alone.result("backward", "values")
    expected = candidate.printed.take()
    assert "here" in expected
    again = file_of("pointwise_chain", text)
    diagnosed("pointwise_chain", "backward", again)
    assert again.printed.take() == expected


def test_a_failure_is_searched_once(monkeypatch):
    text = CHAIN.replace("* d)", "* d.sin())").replace("tuple(grads)", "tuple(g.exp() for g in grads)")
    asked = []
    candidate = file_of("pointwise_chain", text)
    vary = candidate.vary
    monkeypatch.setattr(candidate, "vary", lambda variants: asked.append(len(variants)) or vary(variants))
    assert diagnosed("pointwise_chain", "backward", candidate).diagnosis.code == "unrecognised"
    assert len(asked) == 2, "what is written, and with something added"


def test_variants_are_no_functions_of_the_file():
    candidate = file_of("softmax", SOFTMAX)
    before = dict(candidate.functions)
    diagnosed("softmax", "backward", file_of("softmax", SOFTMAX.replace("- inner", "- inner.exp()")))

    candidate.vary([Varied("backward 1", "backward", "backward", "def backward(grad_output, x):\n    return x")])
    assert candidate.functions == before
    candidate.vary([])
    assert candidate.call("backward 1", {}).state == "missing"


def test_what_raised_in_a_variant_is_not_looked_for():
    candidate = file_of("softmax", SOFTMAX.replace("grad_output * y", "grad_output @ y"))
    x = Argument(torch.ones(2, 3, dtype=torch.float64).numpy(), "float64")
    given = {"grad_output": x, "x": x}
    assert candidate.call("backward", given).fault.operation is not None
    text = "def backward(grad_output, x):\n    return grad_output @ x"
    candidate.vary([Varied("backward 1", "backward", "backward", text)])
    assert candidate.call("backward 1", given).fault.operation is None
