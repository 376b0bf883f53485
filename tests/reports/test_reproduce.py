"""What `--reproduce` prints: pasted into Python it makes the failing call, bit for bit, and gives no answer away."""

from __future__ import annotations

import copy
import runpy
import subprocess
import sys

import numpy as np
import pytest
import torch

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.checks.cases import Case
from gradcheck.checks.outcome import Argument, Call, GeneratorArgument
from gradcheck.checks.results import CheckResult, Counterexample
from gradcheck.checks.tensors import Passed
from gradcheck.checks.trials import Benches, Trial, listed
from gradcheck.checks.wording import not_the_jacobian
from gradcheck.grading.grade import verification_of
from gradcheck.grading.load import load_candidate
from gradcheck.reports.reproduce import calls_of, snippet
from tests.checks.solutions import FOLDER

WRONG = {
    "a factor is missing": ("relu", "backward", "return (x > 0).to(x.dtype)"),
    "wrong in float32 alone": ("relu", "forward", "return x.clamp(min=0) * (1 + (x.dtype == torch.float32))"),
    "another dtype": ("tanh", "forward", "return torch.tanh(x).float()"),
    "an exception": ("relu", "backward", "return grad_output * x.nothing"),
    "an exception for strided tensors": (
        "relu",
        "backward",
        "return (grad_output.view(-1) * (x.reshape(-1) > 0)).view(x.shape)",
    ),
    "wrong for an expanded grad_output": (
        "relu",
        "backward",
        "return grad_output * (x > 0) * (2 if x.ndim > 1 and len(x) > 1 and grad_output.stride(0) == 0 else 1)",
    ),
    "wrong for a slice": ("relu", "backward", "return grad_output * (x > 0) * (2 if x.storage_offset() else 1)"),
    "wrong for nothing at all": (
        "relu",
        "backward",
        "return grad_output[:, :0] if not x.numel() else grad_output * (x > 0)",
    ),
    "infinity": ("softmax", "forward", "return torch.exp(x) / torch.exp(x).sum(-1, keepdim=True)"),
    "NaN": ("softmax", "backward", "return grad_output * float('nan')"),
    "infinite inputs": (
        "one_hot",
        "one_hot",
        "return torch.nn.functional.one_hot(labels.clamp(0, num_classes - 1), num_classes)",
    ),
    "labels": ("nll", "backward", "return torch.zeros_like(log_probs).scatter(1, labels[:, None], -grad_output)"),
    "several results": ("linear", "backward", "return grad_output @ weight, grad_output.T @ x, grad_output.mean(0)"),
    "a list of tensors": ("duplicate", "backward", "return grad_outputs[0]"),
    "numbers": ("learning_rate", "step_decay", "return lr * drop * (epoch // every)"),
    "a dict of tensors": ("two_layer_net", "backward", "return {name: 0 * each for name, each in params.items()}"),
    "a list of dicts or tensors": ("multi_stage", "forward", "return [z0 for _ in weights]"),
    "a graph": ("graph", "topological_order", "return list(parents)[::-1]"),
    "a generator": (
        "dropout",
        "forward",
        "mask = torch.rand(x.shape, generator=generator, dtype=x.dtype) < p\n    return x * mask, mask",
    ),
    "right to eight digits": (
        "tanh",
        "backward",
        "return grad_output * (torch.tanh(x + 1e-4) - torch.tanh(x - 1e-4)) / 2e-4",
    ),
    "no exception": ("dropout", "backward", "return grad_output * mask / (1 - p) if p < 0.9 else grad_output * 0"),
}
"""Exercise, function, and the body of a wrong one."""


class Pasted:
    """What pasted lines print, as it was then, and what they leave behind."""

    def __init__(self, text: str) -> None:
        self.printed: list[object] = []
        self.raised: Exception | None = None
        self.names: dict[str, object] = {"print": lambda *what: self.printed.append(copy.deepcopy(what))}
        kept = torch.get_rng_state(), torch._C._get_default_device()
        try:
            exec(text, self.names)
        except Exception as error:
            self.raised = error
        finally:
            torch.set_rng_state(kept[0])
            torch.set_printoptions(profile="default")


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """The first failure of a function whose last definition has this body."""
    monkeypatch.chdir(tmp_path)

    def grade(name: str, function: str, body: str, check: str = "") -> CheckResult:
        exercise = find_exercise(name)
        spec = exercise.task.function(function)
        text = (FOLDER / exercise.path).read_text(encoding="utf-8")
        text += f"\n\nimport torch\n\n\ndef {function}({', '.join(spec.parameters)}):\n    {body}\n"
        path = tmp_path / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        verification = verification_of(exercise, load_candidate(exercise, path), 0, tmp_path / "cache")
        results = (verification.result(function, each) for each in ((check,) if check else spec.checks))
        return next(each for each in results if not each.ok)

    return grade


def same_bits(one, other) -> bool:
    if isinstance(one, dict):
        return list(one) == list(other) and all(same_bits(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same_bits, one, other))
    if isinstance(one, torch.Generator):
        return torch.equal(one.get_state(), other.get_state())
    if isinstance(one, torch.Tensor):
        strides = [
            [step for step, size in zip(each.stride(), each.shape, strict=True) if size > 1] for each in (one, other)
        ]
        alike = (one.dtype, one.shape, one.is_contiguous()) == (other.dtype, other.shape, other.is_contiguous())
        bits = [
            each.contiguous().view(torch.uint8) if each.dim() else each[None].view(torch.uint8) for each in (one, other)
        ]
        return alike and (not one.numel() or strides[0] == strides[1]) and torch.equal(*bits)
    return type(one) is type(other) and repr(one) == repr(other)


def arguments_of(call: Call, pasted: Pasted) -> bool:
    """Whether the names that were bound last hold just what gradcheck itself passes."""
    return all(
        same_bits(pasted.names[f"{name}_" if name == call.function else name], value)
        for name, value in zip(call.arguments, Passed(call.arguments).values, strict=True)
    )


@pytest.mark.parametrize("what", WRONG)
def test_the_failing_call_is_made_again_bit_for_bit(failing, what):
    name, function, body = WRONG[what]
    found = failing(name, function, body)
    text = snippet(found, f"{name}.py")
    assert all(len(line) <= 80 for line in text.split("\n")), text
    assert "correct" not in text.split("import torch", 1)[1]
    pasted = Pasted(text)
    (*_, call) = calls_of(found)
    if "torch.Generator" not in text:  # they have been drawn from
        assert arguments_of(call, pasted), text
    if found.status == "errored":
        assert type(pasted.raised).__name__ == found.fault.kind
        assert not pasted.printed
        return
    assert pasted.raised is None, text
    ((returned,),) = pasted.printed
    direct = runpy.run_path(f"{name}.py")[function](*Passed(call.arguments).values)
    assert same_bits(returned, direct)
    if isinstance(found.counterexample.got, list) and isinstance(returned, torch.Tensor):
        np.testing.assert_array_equal(np.array(listed(returned)), np.array(found.counterexample.got))


def test_the_answer_is_there_on_request(failing):
    found = failing("relu", "backward", "return (x > 0).to(x.dtype)")
    plain, told = snippet(found, "relu.py"), snippet(found, "relu.py", show_answer=True)
    assert told.startswith(plain)
    assert Pasted(told).names["correct"] == found.counterexample.expected != found.counterexample.got


def test_what_is_changed_in_place_is_seen_before_and_after(failing):
    body = "hidden = (x @ params['w_h'].T + params['b_h']).clamp(min=0)\n    params['w_h'].zero_()\n    "
    found = failing("two_layer_net", "forward", f"{body}return hidden @ params['w_y'].T + params['b_y']")
    assert found.code == "mutates-input"
    assert found.counterexample.changed == ("params['w_h']",)
    ((before,), (after,)) = Pasted(snippet(found, "two_layer_net.py")).printed
    assert before.any()
    assert not after.any()


def test_shared_memory_is_seen_by_changing_the_argument(failing):
    found = failing("tanh", "jacobian", "return x.expand(len(x), len(x))")
    assert found.code == "aliases-input"
    ((before,), (after,)) = Pasted(snippet(found, "tanh.py")).printed
    assert not torch.equal(before, after)


KEEPING = {
    "count": "kept = (kept or 0) + 1\n    return x.clamp(min=0) + kept",
    "last": "last = x if kept is None else kept\n    kept = x\n    return x.clamp(min=0) + (last.shape != x.shape)",
}


@pytest.mark.parametrize("body", KEEPING.values(), ids=KEEPING)
def test_what_depends_on_other_calls_makes_these_first(failing, body):
    found = failing("relu", "forward", f"global kept\n    {body}\n\n\nkept = None")
    assert found.code == "nondeterministic"
    (first,), _, (last,) = Pasted(snippet(found, "relu.py")).printed
    assert first.shape == last.shape
    assert not torch.equal(first, last)


def test_what_the_last_forward_stored_is_stored_anew_before_each_backward(failing):
    body = "return grad_output * _KEPT['x'].gt(0)\n\n\n_KEPT = {}\n\n\ndef forward(x):\n    _KEPT['x'] = x\n    return x.clamp(min=0)"
    found = failing("relu", "backward", body)
    assert found.diagnosis.code == "keeps-state"
    calls = calls_of(found)
    assert [each.function for each in calls] == ["forward", "backward", "forward", "backward"]
    _, (first,), _, (last,) = Pasted(snippet(found, "relu.py")).printed
    assert calls[1] is calls[3]
    assert not torch.equal(first, last)


def test_a_buffer_that_is_used_again_is_seen_to_change(failing):
    body = (
        "kept = _KEPT.setdefault((x.shape, x.dtype), x.clone())\n    return kept.copy_(x.clamp(min=0))\n\n\n_KEPT = {}"
    )
    found = failing("relu", "forward", body)
    assert found.code == "mutates-input"
    *_, (before,), (after,) = Pasted(snippet(found, "relu.py")).printed
    assert not torch.equal(before, after)


def test_what_must_add_up_and_does_not_is_all_printed(failing):
    found = failing("relu", "backward", "return grad_output * (x > 0) * (1 + (grad_output.abs() == 4))", "linearity")
    assert found.status == "failed"
    *parts, (whole,) = Pasted(snippet(found, "relu.py")).printed
    summed = parts[0][0] + parts[1][0] if len(parts) == 2 else -2 * parts[0][0]
    assert not torch.allclose(summed, whole)


def test_a_jacobian_and_the_backward_that_it_contradicts_are_both_printed(failing):
    found = failing("relu", "jacobian", "return torch.diag((x > 0).to(x.dtype)) * 2", "agrees_with_backward")
    blank = CheckResult("relu", "jacobian", "agrees_with_backward", "passed")
    assert found.blocked_by
    spec = find_exercise("relu").task.function("backward")
    sample = Trial(Case("one"), {"x": Argument(np.array([1.0, -2.0]), "float64")}, (), ())
    batch = {name: Argument(np.array([[3.0, 4.0]]), "float64") for name in ("grad_output", "x")}
    told = not_the_jacobian(blank, spec, sample, Trial(Case("batch"), batch, (), ()), np.zeros(2), np.zeros(2))
    (jacobian,), (gradient,) = (each for each in Pasted(snippet(told, "relu.py")).printed)
    assert jacobian.tolist() == [[2.0, 0.0], [0.0, 0.0]]
    assert gradient.tolist() == [[3.0, 4.0]]


def test_where_no_call_shows_it_a_comment_says_so(failing):
    found = failing("relu", "backward", "x.requires_grad_(True)\n    return grad_output")
    assert found.code == "uses-autograd"
    assert snippet(found, "relu.py").endswith("\n# There is no call that shows this.")
    large = Argument(np.arange(5_000.0), "float64")
    blank = CheckResult(
        "relu",
        "forward",
        "values",
        "failed",
        "wrong\x1b[31m\nimport os",
        counterexample=Counterexample({}, None, arguments={"x": large}),
    )
    told = snippet(blank, "relu.py")
    assert "too many to paste" in told
    assert all(line.startswith("# ") for line in told.split("\n"))
    assert "\x1b" not in told


@pytest.mark.parametrize(
    "generator",
    [
        GeneratorArgument(5),
        GeneratorArgument(5, torch.Generator().manual_seed(9).get_state().numpy().tobytes()),
        GeneratorArgument(5, elsewhere=3),
    ],
)
def test_chance_comes_from_the_same_place(generator):
    call = Call("f", {"generator": generator})
    blank = CheckResult("x", "f", "values", "failed", counterexample=Counterexample({}, None, calls=(call,)))
    text = snippet(blank, "f.py").replace(
        'f = run_path("f.py")["f"]', "f = lambda g: (torch.rand(3, generator=g), torch.rand(1))"
    )
    ((drawn, shared),) = (each for (each,) in Pasted(text).printed)
    (made,) = Passed(call.arguments).values
    assert torch.equal(drawn, torch.rand(3, generator=made))
    if generator.elsewhere is not None:
        assert torch.equal(shared, torch.rand(1, generator=torch.Generator().manual_seed(generator.elsewhere)))


@pytest.mark.outside
def test_it_can_be_typed_into_python(failing):
    found = failing("softmax", "forward", "return torch.exp(x) / torch.exp(x).sum(-1, keepdim=True)")
    done = subprocess.run(
        [sys.executable, "-i"], input=snippet(found, "softmax.py") + "\n", capture_output=True, text=True, check=True
    )
    assert "Error" not in done.stderr
    assert "nan" in done.stdout


@pytest.mark.table
@pytest.mark.parametrize("name", all_exercises())
def test_every_input_of_every_exercise_can_be_written_down(name, tmp_path):
    exercise = find_exercise(name)
    benches = Benches(exercise.task, 0, tmp_path)
    for spec in exercise.task.functions:
        bench = benches.of(spec)
        for case in (*bench.cases("generic"), *bench.cases("edge")):
            call = Call(spec.name, bench.blind(case).arguments)
            blank = CheckResult(
                name, spec.name, "values", "failed", counterexample=Counterexample({}, None, calls=(call,))
            )
            text = snippet(blank, "x.py")
            if "too many to paste" in text:
                continue
            text = text.replace('run_path("x.py")', f'{{"{spec.name}": lambda *_: 0}}')
            assert arguments_of(call, Pasted(text)), (case.name, text)
