"""What of automatic differentiation a function's code names; comments, strings and one's own classes name nothing."""

from __future__ import annotations

import pytest

from gradcheck.checks.file_code import AutodiffWords

HEAD = "import torch\nimport torch.nn.functional as F\n"


def words(body: str, function: str = "backward") -> str:
    return AutodiffWords((HEAD + body).encode()).reached_by(function)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("def backward(g, x):\n    return torch.autograd.grad(x, x, g)[0]", "torch.autograd.grad (line 4)"),
        ("from torch import func as t\ndef backward(g, x):\n    return t.vjp(F.relu, x)[1](g)", "torch.func.vjp (line 5)"),
        ("from torch.func import vjp as v\ndef backward(g, x):\n    return v(F.relu, x)[1](g)", "torch.func.vjp (line 5)"),
        ("from torch.autograd.functional import vjp\ndef backward(g, x):\n    return vjp(F.relu, x, g)[1]",
         "torch.autograd.functional.vjp (line 5)"),
        ("def backward(g, x):\n    x.requires_grad = True", "requires_grad (line 4)"),
        ("def backward(g, x):\n    return torch.ones(2, requires_grad=True)", "requires_grad (line 4)"),
        ("def backward(g, x):\n    return helper(g)\ndef helper(g):\n    g.backward()", ".backward() (line 6)"),
        ("tool = torch.func.vjp\ndef backward(g, x):\n    return tool(F.relu, x)", "torch.func.vjp (line 3)"),
        ("def backward(g, x):\n    return getattr(torch.func, 'vjp')", "torch.func.vjp (line 4)"),
        ("def backward(g, x):\n    return torch.ops.aten.threshold_backward(g, x, 0)",
         "torch.ops.aten.threshold_backward (line 4)"),
        ("def backward(g, x):\n    def inner():\n        return torch.func.vjp\n    return inner", "torch.func.vjp (line 5)"),
    ],
)  # fmt: skip
def test_what_a_call_may_come_to_is_named_with_its_line(body, told):
    assert words(body) == told


@pytest.mark.parametrize(
    "body",
    [
        "def backward(g, x):\n    # torch.autograd.grad\n    'requires_grad'\n    return g",
        "def backward(g, x):\n    return g\ndef other(x):\n    return torch.autograd.grad(x, x)",
        "class Own(torch.autograd.Function):\n    pass\ndef backward(g, x):\n    return Own.backward(None, g)",
        "def backward(g, x):\n    return torch.zeros(2, requires_grad=False)",
        "import layers\ndef backward(g, x):\n    return layers.relu.backward(g, x)",
        "class Net:\n    def backward(self, g):\n        return self.last.backward(g)\ndef backward(g, x):\n    return g",
        "def grad(x):\n    return x\ndef backward(g, x):\n    return grad(g)",
        "def backward(g: 'torch.autograd.Variable', x) -> 'torch.func.vjp':\n    return g",
        "def backward(g, x:\n",
    ],
)
def test_what_is_the_learners_own_or_is_not_called_names_nothing(body):
    assert words(body) == ""


def test_what_runs_only_as_a_script_names_nothing_anywhere():
    source = f"{HEAD}def backward(g, x):\n    return g\nif __name__ == '__main__':\n    torch.func.vjp(F.relu, 1)\n"
    assert AutodiffWords(source.encode()).anywhere == ""
    assert AutodiffWords(source.replace("__main__", "own").encode()).anywhere == "torch.func.vjp (line 6)"
