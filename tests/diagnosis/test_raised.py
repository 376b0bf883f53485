"""What the first line says of a function that raises: the line, what stands there, and what would do instead."""

from __future__ import annotations

import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.engine import Verification
from gradcheck.diagnosis import explain
from gradcheck.diagnosis.explain import explained_for
from gradcheck.grading.execute import execute
from gradcheck.reports.message import failure_text

explain.STRICT = True
HEAD = "import math\nimport numpy as np\nimport torch\n\n\n"  # what is written below begins on line 6


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


def failure(name, function, source, cache):
    """The first failure of a file's function."""
    exercise = find_exercise(name)
    candidate = execute((HEAD + source).encode(), f"raised_{name}", f"{name}.py", f"{name}.py", 10.0)
    verification = Verification(candidate, exercise.task, cache=cache, explain=explained_for(exercise))
    results = (verification.result(function, check) for check in exercise.task.function(function).checks)
    return next(each for each in results if each.status in ("failed", "errored"))


SHAPES = [
    (
        "linear.forward",
        "def forward(x, weight, bias):\n    return x @ weight + bias",
        "line 7: x (B=2, I=3) @ weight (O=4, I=3): 3 meets 4; weight.T (I=3, O=4) would fit",
    ),
    (
        "linear.backward",
        "def backward(g, x, w, b):\n    return g @ w.T, g.T @ x, g.sum(0)",
        "line 7: g (B=2, O=4) @ w.T (I=3, O=4): 4 meets 3; w without .T would fit",
    ),
    (
        "linear.backward",
        "def backward(g, x, w, b):\n    return g @ w, torch.mm(g, x), g.sum(0)",
        "line 7: torch.mm(g (B=2, O=4), x (B=2, I=3)): 4 meets 2; g.T (O=4, B=2) would fit",
    ),
    (
        "linear.backward",
        "def backward(g, x, w, b):\n    return g.matmul(w.t()), g.T @ x, g.sum(0)",
        "line 7: g (B=2, O=4).matmul(w.t() (I=3, O=4)): 4 meets 3; w without .t() would fit",
    ),
    (
        "linear.forward",
        "def forward(x, weight, bias):\n    return torch.einsum('bi,io->bo', x, weight) + bias",
        "i is 3 in x and 4 in weight",
    ),
    (
        "linear.forward",
        "def forward(x, weight, bias):\n    return torch.einsum('bi,oi->bo', x, weight, bias)",
        "2 groups of letters for 3 tensors",
    ),
    (
        "linear.jacobian_x",
        "def jacobian_x(x, weight, bias):\n    return weight * bias",
        "weight (O=4, I=3) * bias (O=4): 3 meets 4; bias[:, None] is (O=4, 1) and fits",
    ),
    (
        "softmax.forward",
        "def forward(x):\n    e = torch.exp(x - x.max(-1).values)\n    return e / e.sum(-1)",
        "line 7: x (B=2, C=3) - x.max(-1).values (B=2): 3 meets 2; with keepdim=True, or [:, None], the second is (B=2, 1)",
    ),
    (
        "softmax.backward",
        (
            "def backward(grad_output, x):\n    y = torch.softmax(x, -1)\n"
            "    return y * (grad_output - (grad_output * y).sum(-1))"
        ),
        "line 8: grad_output (B=2, C=3) - (grad_output * y).sum(-1) (B=2): 3 meets 2",
    ),
    (
        "weighted_sum.backward",
        "def backward(grad_output, z, w):\n    return grad_output @ w, torch.stack([z, grad_output])",
        "torch.stack(z (n=2), grad_output (m=3)): the shapes differ",
    ),
    (
        "average_loss.backward",
        "def backward(g, w, x, y):\n    return 2 * g * (x @ w - y) @ x.T / len(y)",
        "x without .T would fit",
    ),
    (
        "add.backward",
        "def backward(g, x1, x2):\n    return g.clone(), torch.cat([g, g.sum(0)])",
        "torch.cat(g (2, 3), g.sum(0) (3)): the shapes differ",
    ),
    (
        "relu.forward",
        "def forward(x):\n    return x.view(7, -1).clamp(min=0)",
        "x (2, 3).view(7, -1): 6 entries do not make 7 × ?",
    ),
    (
        "softmax.forward",
        "def forward(x):\n    b, c, k = x.shape\n    return torch.softmax(x, -1)",
        "line 7: b, c, k = x.shape: 3 names for 2 values",
    ),
    (
        "cross_entropy.forward",
        "def forward(logits, labels):\n    p = torch.softmax(logits, 1)\n    return -torch.log(p[3, labels]).mean()",
        "p (B=2, K=3)[3, labels (B=2)]: the index 3 is out of range, 2 entries are there",
    ),
    (
        "cross_entropy.backward",
        "def backward(g, logits, labels):\n    p = torch.softmax(logits, 1)\n    p[0, 1, 2] -= 1\n    return p * g",
        "line 8: p (B=2, K=3)[0, 1, 2]: 3 indices for 2 axes",
    ),
    (
        "nll.backward",
        (
            "def backward(g, log_probs, labels):\n    grad = torch.zeros_like(log_probs)\n    for i in range(4):\n"
            "        grad[i, labels[i]] = -g / 4\n    return grad"
        ),
        "out of range",
    ),
    (
        "softmax.forward",
        "def forward(x):\n    e = (x - x.max(-1)).exp()\n    return e / e.sum(-1, keepdim=True)",
        "line 7: `x - x.max(-1)`: x.max(-1) is a pair of values and indices; take its .values",
    ),
    (
        "vanishing_gradient.relu_chain",
        "def relu_chain(x, weights):\n    return tuple(torch.relu(w * x) for w in weights)",
        "torch.relu takes tensors, and w * x is a Python float; use Python's own functions for numbers",
    ),
]

DTYPES = [
    (
        "linear.backward",
        (
            "def backward(grad_output, x, w, b):\n    ones = torch.ones(len(x))\n"
            "    return grad_output @ w, grad_output.T @ x, ones @ grad_output"
        ),
        (
            "line 8: ones = torch.ones(len(x)) (line 7) is float32, but grad_output is float64; "
            "give it dtype=grad_output.dtype"
        ),
    ),
    (
        "linear.forward",
        "def forward(x, weight, bias):\n    return x.float() @ weight.T + bias",
        "x.float() is float32, but weight.T is float64; leave .float() out",
    ),
    (
        "linear.backward",
        "def backward(g, x, w, b):\n    e = torch.eye(len(x))\n    twice = e * 2\n    return g @ w, (twice @ g).T @ x, g.sum(0)",
        "line 9: e = torch.eye(len(x)) (line 7) is float32, but g is float64; give it dtype=g.dtype",
    ),
    (
        "cross_entropy.forward",
        (
            "def forward(logits, labels):\n    hot = torch.nn.functional.one_hot(labels, logits.shape[1])\n"
            "    return -(torch.log_softmax(logits, 1) @ hot.T).trace() / len(labels)"
        ),
        "hot.T is int64, but torch.log_softmax(logits, 1) is float64",
    ),
]

PYTHON = [
    (
        "relu.forward",
        "def forward(x):\n    return max(x, 0)",
        "`max(x, 0)` is Python's max, which cannot compare entry by entry; write x.clamp(min=0)",
    ),
    ("maximum.forward", "def forward(x1, x2):\n    return max(x1, x2)", "write torch.maximum(x1, x2)"),
    (
        "sigmoid.forward",
        "def forward(x):\n    return 1 / (1 + math.exp(-x))",
        "math.exp takes one number, and -x (2, 3) has 6; torch.exp takes all of them",
    ),
    (
        "relu.backward",
        "def backward(grad_output, x):\n    if x > 0:\n        return grad_output\n    return 0 * x",
        "line 7: (x > 0) (2, 3) has 6 entries, and Python's if, while, and, or, not want one answer; torch.where",
    ),
    ("mse.forward", "def forward(y, y_bar):\n    return float((y - y_bar) ** 2)", "takes one number"),
    (
        "tanh.forward",
        "def forward(x):\n    return np.tanh(x.numpy()) @ x",
        "`np.tanh(x.numpy()) @ x`: np.tanh(x.numpy()) is a NumPy array; stay with torch, or write torch.from_numpy",
    ),
    (
        "tanh.forward",
        "def forward(x):\n    a = np.ones(3)\n    return torch.tanh(a)",
        "a is a NumPy array; stay with torch, or write torch.from_numpy(a)",
    ),
    (
        "tanh.backward",
        "def local(x):\n    1 - torch.tanh(x) ** 2\n\n\ndef backward(g, x):\n    slope = local(x)\n    return g * slope",
        "line 12: `g * slope`: slope is None; does the function that made it return something?",
    ),
    ("tanh.backward", "def backward(g, x):\n    return g * x.tanh", "x.tanh is a function; call it: x.tanh(…)"),
    (
        "tanh.backward",
        "def backward(g, x):\n    return g(1 - torch.tanh(x) ** 2)",
        "g is a tensor, not a function; is a * or an @ missing",
    ),
]

MISSING = [
    (
        "softmax.forward",
        "def forward(x):\n    return torch.sofmax(x, -1)",
        "torch has no sofmax; did you mean softmax?",
    ),
    (
        "softmax.forward",
        "def forward(x):\n    return torch.softmax(x, dims=-1)",
        "torch.softmax has no argument dims; did you mean dim?",
    ),
    (
        "softmax.forward",
        "def forward(x):\n    e = x.exp()\n    return e / e.sumn(-1)",
        "a tensor has no sumn; did you mean sum?",
    ),
    (
        "tanh.backward",
        "def backward(grad_output, x):\n    return grad_ouput * x",
        "the name grad_ouput is not defined; did you mean grad_output?",
    ),
    (
        "two_layer_net.forward",
        "def forward(x, params):\n    return x @ params['W_h'] + params['b_h']",
        "there is no key 'W_h'; ",
    ),
    (
        "linear.forward",
        "def product(x, weigth):\n    return x @ weigth.T\n\n\ndef forward(x, weight, bias):\n    return product(x, weight=weight) + bias",
        "line 11: `product(x, weight=weight)`: product has no argument weight; did you mean weigth?",
    ),
    (
        "mse.forward",
        "def forward(y, y_bar):\n    for d in (y - y_bar):\n        total += (d * d).sum()\n    return total",
        "line 8: total is used before this function gives it a value",
    ),
    (
        "mse.forward",
        "def forward(y, y_bar):\n    n = 0\n    return ((y - y_bar) ** 2).sum().item() / n",
        "divides by zero: n is 0",
    ),
    (
        "mse.forward",
        "def forward(y, y_bar):\n    assert len(y.shape) == 7\n    return y",
        "`assert len(y.shape) == 7` does not hold: len(y.shape) is 2",
    ),
    ("mse.forward", "def forward(y, y_bar):\n    assert y is None\n    return y", "`assert y is None` does not hold"),
    (
        "mse.forward",
        "def forward(y, y_bar):\n    raise KeyError('no such thing')",
        "forward raised KeyError: 'no such thing' (line 7)",
    ),
]
TABLE = [*SHAPES, *DTYPES, *PYTHON, *MISSING]


@pytest.mark.parametrize(("name", "source", "words"), TABLE, ids=[f"{row[0]}: {row[2][:40]}" for row in TABLE])
def test_the_line_that_raised_is_explained(name, source, words, cache):
    exercise, function = name.split(".")
    found = failure(exercise, function, source, cache)
    assert words in found.message
    assert found.fault.operation.line == int(found.lines[-2].split(":")[1].split()[0])
    text = failure_text(found, f"{exercise}.py")
    assert max(map(len, text.splitlines())) <= 80, text
    assert f"{exercise}.py:" in text


def test_what_is_shown_of_the_case_are_shapes(cache):
    found = failure("linear", "forward", SHAPES[0][1], cache)
    assert set(found.counterexample.inputs.values()) <= {
        f"a float64 tensor of shape {s}" for s in ((2, 3), (4, 3), (4,))
    }
    found = failure("cross_entropy", "forward", SHAPES[14][1], cache)
    assert all(isinstance(each, int) for each in found.counterexample.inputs["labels"])
    found = failure("mse", "forward", "def forward(y, y_bar):\n    raise ValueError('odd')", cache)
    assert isinstance(found.counterexample.inputs["y"], list)  # a ValueError may come of the numbers


def test_a_number_in_the_place_of_a_size_is_told_as_one(cache):
    source = (
        "def backward(g, y, y_bar):\n    d = 2 * g * (y - y_bar)\n    return torch.stack([d[0], d[1], d[2], d[3]]), -d"
    )
    found = failure("squared_error", "backward", source, cache)
    assert "[2]: the index 2 is out of range, 2 entries are there" in found.message
    assert "hard-coded-size" in {found.diagnosis.code, *found.diagnosis.also}


def test_an_axis_of_unknown_origin_gets_no_name(cache):
    source = "def backward(g, x):\n    y = torch.softmax(x, -1)\n    return y * g - y * (y.T[:3].T * g).sum(-1, keepdim=True)"
    assert "line 8: y.T[:3].T (3, 3) * g (B=3, C=5): 3 meets 5" in failure("softmax", "backward", source, cache).message


def test_another_exception_than_is_due_is_explained_too(cache):
    source = (
        "def forward(x, p, generator):\n    mask = torch.bernoulli(torch.full_like(x, 1 - p), generator=generator)\n"
        "    return x * mask * (1 / (1 - p)), mask.bool()"
    )
    found = failure("dropout", "forward", source, cache)
    assert found.code == "must-raise"
    assert "(line 8: `1 / (1 - p)` divides by zero: 1 - p is 0)" in found.message


FORMS = [
    (
        "tanh.forward",
        "def forward(x):\n    torch.tanh(x)",
        "its last line, 7, computes something and does not return it",
    ),
    ("tanh.forward", "def forward(x):\n    print(torch.tanh(x))", "its last line, 7, prints something; write return"),
    ("tanh.forward", "def forward(x):\n    y = x.tanh()", "it ends with line 7, which sets y; add: return y"),
    (
        "tanh.forward",
        "def forward(x):\n    if x.shape[0] > 7:\n        return x.tanh()",
        "it returned None; expected a torch.Tensor; where the condition of line 7 does not hold, no return is reached",
    ),
    (
        "tanh.forward",
        "def forward(x):\n    if len(x) > 7:\n        return x.tanh()\n    else:\n        y = x.tanh()",
        "it ends with line 10, which sets y",
    ),
    (
        "tanh.forward",
        "def forward(x):\n    for row in x[:0]:\n        return row",
        "after the loop of line 7 nothing is",
    ),
    ("tanh.forward", "def own(x): pass\ndef forward(x):\n    return own(x)", "line 8 returns own(x), which is None"),
    ("tanh.forward", "def forward(x):\n    return", "line 7 returns nothing"),
    ("tanh.forward", "def forward(x):\n    for row in x:\n        row.tanh()", "there is no return statement in it"),
    (
        "maximum.backward",
        "def backward(g, a, b):\n    g * (a > b), g * (b > a)",
        "its last line, 7, computes something",
    ),
    (
        "tanh.forward",
        "def forward(x):\n    return (row.tanh() for row in x)",
        "it returned a generator; expected a torch.",
    ),
    ("maximum.backward", "def backward(g, a, b):\n    return map(len, [a, b])", "list(…) does"),
    ("tanh.forward", "def forward(x):\n    return x.tanh", "call it, with brackets"),
    ("tanh.forward", "def forward(x):\n    return x.tanh(),", "return it alone, without a comma or brackets"),
    (
        "tanh.forward",
        "def forward(x):\n    return np.tanh(x.numpy())",
        "it returned a NumPy array; expected a torch.Tensor; ",
    ),
    (
        "two_layer_net.backward",
        "def backward(grad_logits, x, params):\n    grads = {}",
        "expected a dict with the keys 'w_h', 'b_h', 'w_y', 'b_y'; it ends with line 7, which sets grads",
    ),
]


@pytest.mark.parametrize(("name", "source", "words"), FORMS, ids=[f"{row[0]}: {row[2][:40]}" for row in FORMS])
def test_what_came_back_in_the_place_of_tensors(name, source, words, cache):
    found = failure(*name.split("."), source, cache)
    assert (found.check, found.code) == ("type", "wrong-type")
    assert words in found.message
