"""What an instructor is told to look at, and what not."""

from __future__ import annotations

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.classes.unusual import unusual
from tests.checks.solutions import FOLDER


def test_no_solution_and_no_stub_is_unusual():
    for root in (FOLDER, FOLDER.parent / "exercises"):
        assert unusual({name: (root / each.path).read_bytes() for name, each in all_exercises().items()}) == ()


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("import gradcheck.checks.playing as g", "gradcheck.checks.playing"),
        ("from gradcheck.catalog import find_exercise", "gradcheck.catalog"),
        ("import torch\ntorch._C.DisableTorchFunction()", "DisableTorchFunction"),
        ("from torch import _C", "torch._C"),
        ("import torch\nown = torch.library.Library('aten', 'IMPL')", "torch.library"),
        ("import gc", "gc"),
        ("def f(x):\n    import _thread", "_thread"),
        ("eval ('1')", "eval"),
        ("__import__('ctypes')", "ctypes"),
        ("import sys\nsys._getframe(1)", "_getframe"),
        ("import sys\nsys.modules['x']", "sys.modules"),
        ("import os\nos._exit(0)", "os._exit"),
        ("getattr(f, '__globals__')", "__globals__"),
        ("match 1:\n    case int(__globals__=held):\n        pass", "__globals__"),
        ("import torch\ndef f(x):\n    return torch.func.grad(f)(x)", "torch.func.grad"),
        ("def f(x):\n    x.requires_grad_()", "requires_grad"),
        ("from torch.autograd import forward_ad\ndef f(x):\n    return forward_ad.make_dual(x, x)", "make_dual"),
    ],
)
def test_a_word_that_no_exercise_needs_is_told(line, word):
    (told,) = unusual({"relu": line.encode(), "add": b"def forward(x1, x2):\n    return x1 + x2  # evaluate\n"})
    assert told.startswith("relu has")
    assert word in told


HONEST = """# the error signal goes back; no gc, no torch._C, no eval() here
import torch
def backward(grad_output, x):
    'The error signal, as torch.autograd.grad would give it: inspect it, pickle it.'
    signal = grad_output * (x > 0)
    if signal.dim() > 4:
        raise ValueError("a signal of more than 4 axes; see torch.func.vjp")
    return signal
class Own(torch.autograd.Function):
    @staticmethod
    def backward(ctx, signal):
        return signal
def evaluate(parts):
    gc = sum(parts)
    return gc
if __name__ == "__main__":
    import gc, threading
    x = torch.ones(2, requires_grad=True)
    torch.relu(x).sum().backward()
"""


def test_an_honest_file_is_not_accused():
    assert unusual({"relu": HONEST.encode()}) == ()
    assert unusual({"relu": HONEST.replace("__main__", "own").encode()}) != ()


def test_any_bytes_are_looked_through():
    assert unusual({"relu": bytes(range(256)) * 100}) == ()
    assert unusual({"relu": b"def f(:\n  import gc"}) == ()
    assert "…" in unusual({"relu": b"import gc, ctypes, inspect, pickle, socket, signal"})[0]
