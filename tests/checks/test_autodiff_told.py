"""Automatic differentiation is refused by the word that stands in the file, on the line where it stands."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.outcome import Argument
from gradcheck.grading.execute import execute

HEAD = "import torch\n\ndef forward(x):\n    return torch.relu(x)\n\ndef backward(g, x):\n"
X = Argument(np.asarray([[1.5, -2.0]]), "float64")

TOLD = {
    "    return torch.autograd.functional.vjp(forward, x, g)[1]": "torch.autograd.functional.vjp (line 7)",
    "    return torch.func.vjp(forward, x)[1](g)[0]": "torch.func.vjp (line 7)",
    "    return torch.func.jvp(forward, (x,), (g,))[1]": "torch.func.jvp (line 7)",
    "    return torch.func.jacrev(forward)(x).sum((0, 1))": "torch.func.jacrev (line 7)",
    "    from torch.func import vjp\n    return vjp(forward, x)[1](g)[0]": "torch.func.vjp (line 8)",
    "    x = x.clone().requires_grad_(True)\n    forward(x).backward(g)\n    return x.grad": ".requires_grad_() (line 7)",
    "    x.requires_grad = True\n    forward(x).backward(g)\n    return x.grad": "requires_grad (line 7)",
    "    v = torch.autograd.Variable(x, True)\n    return torch.autograd.grad(forward(v), v, g)[0]": (
        "torch.autograd.grad (line 8)"
    ),
    "    import torch.autograd.forward_ad as fw\n    with fw.dual_level():\n        return fw.make_dual(x, g)": (
        "torch.autograd.forward_ad.make_dual (line 9)"
    ),
    "    return torch.ops.aten.threshold_backward(\n        g, x, 0\n    )": "torch.ops.aten.threshold_backward (line 7)",
    "    return torch.nn.Linear(2, 2).weight": "the parameters of torch.nn.Linear (line 7)",
    "    x = getattr(x.clone(), 'requires' + '_grad_')()\n    return x": "automatic differentiation (line 7)",
}


@pytest.mark.parametrize("body", TOLD)
def test_the_word_and_the_line_are_those_of_the_file(body):
    candidate = execute((HEAD + body).encode(), "autodiff_told", "x.py", "x.py", 5.0)
    assert candidate.call("backward", {"g": X, "x": X}).refused == TOLD[body]


def test_a_function_without_a_file_of_its_own_is_told_by_its_word_alone():
    candidate = InProcessCandidate({"backward": lambda g, x: torch.func.vjp(torch.relu, x)[1](g)[0]})
    assert candidate.call("backward", {"g": X, "x": X}).refused == "torch.func.vjp"
