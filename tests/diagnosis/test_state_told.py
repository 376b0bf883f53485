"""What a function keeps between calls, or leaves to chance, is named before any guess at its numbers."""

from __future__ import annotations

import pytest
import torch

from gradcheck.catalog import find_exercise
from gradcheck.diagnosis.from_source import written
from gradcheck.grading.execute import execute
from gradcheck.grading.grade import verification_of
from gradcheck.isolation.worker.candidate import Sandboxed, SandboxedCandidate
from gradcheck.isolation.worker.launch import Bounds, Lane
from tests.diagnosis.diagnosed import verification_of as of_functions

KEPT = {
    "what forward stored, in a dict": (
        "softmax",
        "backward",
        """
_cache = {}

def forward(x):
    _cache['y'] = torch.softmax(x, -1)
    return _cache['y'].clone()

def backward(g, x):
    y = _cache['y']
    return y * (g - (y * g).sum(-1, keepdim=True))
""",
        "backward uses what the last call of forward stored in _cache (line 6), not its own x",
    ),
    "what forward stored, in a global": (
        "softmax",
        "backward",
        """
y = None

def forward(x):
    global y
    y = torch.softmax(x, -1)
    return y.clone()

def backward(g, x):
    return y * (g - (y * g).sum(-1, keepdim=True))
""",
        "backward uses what the last call of forward stored in y (line 7), not its own x",
    ),
    "what forward stored, as an attribute of a function": (
        "sigmoid",
        "backward",
        """
def forward(x):
    forward.y = torch.sigmoid(x)
    return forward.y.clone()

def backward(g, x):
    return g * forward.y * (1 - forward.y)
""",
        "backward uses what the last call of forward stored in forward.y (line 4), not its own x",
    ),
    "what forward stored, in a layer": (
        "relu",
        "backward",
        """
class Layer:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, g):
        return g * self.mask

_layer = Layer()

def forward(x):
    return _layer.forward(x)

def backward(g, x):
    return _layer.backward(g)
""",
        "backward uses what the last call of forward stored in self.mask (line 5), not its own x",
    ),
    "what forward stored, where it has other arguments": (
        "dropout",
        "backward",
        """
_kept = []

def forward(x, p, generator):
    if not 0 <= p < 1:
        raise ValueError('p')
    mask = torch.rand(x.shape, generator=generator, dtype=x.dtype) >= p
    _kept.append(mask)
    return x * mask / (1 - p), mask

def backward(g, mask, p):
    return g * _kept[-1] / (1 - p)
""",
        "backward uses what the last call of forward stored in _kept (line 9), not its own p",
    ),
    "remembered by shape": (
        "softmax",
        "backward",
        """
def softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)

def forward(x):
    return softmax(x)

_memo = {}

def backward(g, x):
    if x.shape not in _memo:
        _memo[x.shape] = softmax(x)
    y = _memo[x.shape].to(x.dtype)
    return y * (g - (y * g).sum(-1, keepdim=True))
""",
        "right when it is called first, wrong after another call: it keeps _memo between calls (line 14)",
    ),
    "remembered by shape, in a default": (
        "sigmoid",
        "forward",
        """
def forward(x, seen={}):
    return seen.setdefault(tuple(x.shape), torch.sigmoid(x)).to(x.dtype).clone()
""",
        "right when it is called first, wrong after another call: it keeps seen, whose default is made only once, between calls (line 4)",
    ),
    "remembered once and for all": (
        "average_loss",
        "backward",
        """
_n = []

def backward(g, w, x, y):
    if not _n:
        _n.append(len(y))
    return -2 * g * (y - x @ w) @ x / _n[0]
""",
        "right when it is called first, wrong after another call: it keeps _n between calls (line 7)",
    ),
    "accumulated in a global": (
        "sigmoid",
        "backward",
        """
total = 0.0

def backward(g, x):
    global total
    y = torch.sigmoid(x)
    total = total + (g * y * (1 - y)).sum()
    return g * y * (1 - y) + total.to(x.dtype)
""",
        "the same arguments give another result after another call: it keeps total between calls (line 8)",
    ),
    "accumulated in a default": (
        "linear_model",
        "backward",
        """
def backward(g, x, w, sums={}):
    key = x.shape, x.dtype
    sums[key] = sums.get(key, 0) + g * w
    return sums[key].clone(), g * x
""",
        "it keeps sums, whose default is made only once, between calls (line 5)",
    ),
    "a buffer that gradients are added to": (
        "tanh",
        "backward",
        """
_grads = {}

def backward(g, x):
    grad = _grads.setdefault((x.shape, x.dtype), torch.zeros_like(x))
    grad += g * (1 - x.tanh() ** 2)
    return grad
""",
        "it keeps _grads between calls (line 6)",
    ),
    "momentum": (
        "gradient_descent",
        "full_batch_step",
        """
velocity = {}

def full_batch_step(w, x, y, lr):
    v = velocity.get(w.shape, torch.zeros_like(w)).to(w.dtype)
    velocity[w.shape] = v = 0.9 * v - 2 / len(y) * (y - x @ w) @ x
    return w - lr * v
""",
        "it keeps velocity between calls (line 7)",
    ),
    "a counter": (
        "relu",
        "forward",
        """
calls = 0

def forward(x):
    global calls
    calls += 1
    return x.clamp(min=0) * calls
""",
        "it keeps calls between calls (line 7)",
    ),
    "a counter by a closure": (
        "relu",
        "forward",
        """
def make():
    n = 0
    def forward(x):
        nonlocal n
        n += 1
        return x.clamp(min=0) if n % 2 else x.clone()
    return forward

forward = make()
""",
        "it keeps n between calls (line 7)",
    ),
    "remembered by a decorator of its own": (
        "sigmoid",
        "forward",
        """
def remembering(f):
    seen = {}
    def called(x):
        if x.shape not in seen:
            seen[x.shape] = f(x)
        return seen[x.shape].to(x.dtype).clone()
    return called

@remembering
def forward(x):
    return torch.sigmoid(x)
""",
        "right when it is called first, wrong after another call: it keeps seen between calls (line 7)",
    ),
    "right only once": (
        "relu",
        "forward",
        """
def forward(x):
    if hasattr(torch, 'called_before'):
        return 0.5 * x.clamp(min=0)
    torch.called_before = True
    return x.clamp(min=0)
""",
        "the same arguments give another result after another call: it keeps torch.called_before between calls (line 6)",
    ),
    "the first epoch's order": (
        "minibatches",
        "epoch_batches",
        """
_order = {}

def epoch_batches(num_samples, batch_size, generator):
    if num_samples not in _order:
        _order[num_samples] = torch.randperm(num_samples, generator=generator)
    return list(_order[num_samples].split(batch_size))
""",
        "it keeps _order between calls (line 7)",
    ),
}

CHANCE = {
    "rand_like": (
        "dropout",
        "forward",
        """
def forward(x, p, generator):
    if not 0 <= p < 1:
        raise ValueError('p')
    mask = torch.rand_like(x) >= p
    return x * mask / (1 - p), mask
""",
        "another source of chance than generator is used: torch.rand_like(x) on line 6 takes the global generator; pass generator=generator",
    ),
    "bernoulli_": (
        "dropout",
        "forward",
        """
def forward(x, p, generator):
    if not 0 <= p < 1:
        raise ValueError('p')
    mask = torch.empty_like(x).bernoulli_(1 - p).bool()
    return x * mask / (1 - p), mask
""",
        "torch.empty_like(x).bernoulli_(1 - p) on line 6 takes the global generator; pass generator=generator",
    ),
    "torch's own dropout": (
        "dropout",
        "forward",
        """
import torch.nn.functional as F

def forward(x, p, generator):
    if not 0 <= p < 1:
        raise ValueError('p')
    y = F.dropout(x, p)
    return y, (y != 0) | (x == 0)
""",
        "F.dropout(x, p) on line 8 takes the global generator; draw with torch and generator=generator",
    ),
    "numpy": (
        "minibatches",
        "epoch_batches",
        """
import numpy as np

def epoch_batches(num_samples, batch_size, generator):
    return list(torch.from_numpy(np.random.permutation(num_samples)).split(batch_size))
""",
        "np.random.permutation(num_samples) on line 6 takes NumPy's own; draw with torch and generator=generator",
    ),
    "random": (
        "minibatches",
        "epoch_batches",
        """
from random import shuffle

def epoch_batches(n, b, gen):
    order = list(range(n))
    shuffle(order)
    return list(torch.tensor(order).split(b))
""",
        "shuffle(order) on line 7 takes Python's own; draw with torch and generator=gen",
    ),
    "a constant seed": (
        "minibatches",
        "epoch_batches",
        """
def epoch_batches(n, b, generator):
    generator.manual_seed(0)
    return list(torch.randperm(n, generator=generator).split(b))
""",
        "generator.manual_seed(0) on line 4 puts generator into another state, so that every call draws the same numbers",
    ),
    "everybody's seed": (
        "minibatches",
        "epoch_batches",
        """
def epoch_batches(n, b, generator):
    torch.manual_seed(0)
    return list(torch.randperm(n).split(b))
""",
        "torch.randperm(n) on line 5 takes the global generator, which torch.manual_seed(0) on line 4 seeds alike in every call; pass generator=generator",
    ),
    "its own generator": (
        "initialisation",
        "kaiming_normal",
        """
def kaiming_normal(fan_out, fan_in, generator):
    own = torch.Generator().manual_seed(1)
    return torch.randn(fan_out, fan_in, generator=own) * (2 / fan_in) ** 0.5
""",
        "it makes a generator of its own (torch.Generator() on line 4); draw from the generator that is passed",
    ),
    "a seed that is drawn": (
        "minibatches",
        "epoch_batches",
        """
def epoch_batches(n, b, generator):
    torch.manual_seed(int(torch.randint(1000, (), generator=generator)))
    return list(torch.randperm(n).split(b))
""",
        "torch.randperm(n) on line 5 takes the global generator, which torch.manual_seed(…) on line 4 seeds; pass",
    ),
    "torch's batches": (
        "minibatches",
        "epoch_batches",
        """
from torch.utils.data import DataLoader

def epoch_batches(n, b, generator):
    return list(DataLoader(torch.arange(n), b, shuffle=True))
""",
        "on line 6 takes the global generator; draw with torch and generator=generator",
    ),
    "chance where none belongs": (
        "gradient_descent",
        "stochastic_step",
        """
def stochastic_step(w, x, y, p, lr):
    p = int(torch.randint(len(y), ()))
    return w + 2 * lr * (y[p] - x[p] @ w) * x[p]
""",
        "it leaves something to chance: torch.randint(len(y), ()) on line 4 draws anew in every call",
    ),
}


def first_of(verification, spec):
    results = (verification.result(spec.name, check) for check in spec.checks)
    return next((each for each in results if each.status in ("failed", "errored")), None)


def text_of(source):
    return f"import torch\n\n{source.lstrip()}".encode()


def told(exercise, function, source, cache):
    """The first failure of a function in a file with this text; other functions of the exercise may be missing."""
    candidate = execute(text_of(source), "told_submission", "x.py", "x.py", 10.0)
    return told_of(exercise, function, candidate, cache)


def told_of(exercise, function, candidate, cache):
    record = find_exercise(exercise)
    verification = verification_of(record, candidate, 0, cache, shrink=False)
    found = first_of(verification, record.task.function(function))
    verification.save()
    return found


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


@pytest.mark.parametrize("name", KEPT)
def test_what_a_function_keeps_is_named_with_its_line(name, cache):
    exercise, function, source, words = KEPT[name]
    found = told(exercise, function, source, cache)
    vars(torch).pop("called_before", None)  # nothing of the file's own keeps it
    assert (found.diagnosis.code, words in found.message) == ("keeps-state", True), found.message


@pytest.mark.parametrize("name", CHANCE)
def test_another_source_of_chance_is_named_with_its_line(name, cache):
    exercise, function, source, words = CHANCE[name]
    found = told(exercise, function, source, cache)
    assert words in found.message, found.message
    assert found.diagnosis.code in ("nondeterministic", "ignores-generator")


HARMLESS = {
    "a counter that nobody reads": "calls = []\n\ndef {0}:\n    calls.append(1)\n    return {1}\n",
    "results remembered by all they depend on": (
        "_memo = {{}}\n\ndef {0}:\n    key = tuple(x.flatten().tolist()), x.shape, x.dtype, g.dtype\n"
        "    _memo[key] = x > 0\n    return {1}\n"
    ),
}


@pytest.mark.parametrize("name", HARMLESS)
@pytest.mark.parametrize(("result", "code"), [("g * (x > 0)", None), ("g * (x < 0)", "wrong-mask")])
def test_what_is_kept_and_does_no_harm_is_never_blamed(name, result, code, cache):
    found = told("relu", "backward", HARMLESS[name].format("backward(g, x)", result), cache)
    assert (found.diagnosis.code if found else None) == code


_seen = {}


def _by_shape(g, x):
    y = _seen.setdefault((x.shape, x.dtype), torch.sigmoid(x))
    return g * y * (1 - y)


def _with_default(g, x, seen={}):
    y = seen.setdefault((x.shape, x.dtype), torch.sigmoid(x))
    return g * y * (1 - y)


_registered = []


def _registering(f):
    _registered.append(f)
    return f


@_registering
def _decorated(g, x):
    y = _seen.setdefault((x.shape, x.dtype), torch.sigmoid(x))
    return g * y * (1 - y)


def _counting():
    count = 0

    def backward(g, x):
        nonlocal count
        count += 1
        return g * torch.sigmoid(x) * torch.sigmoid(-x) * count

    return backward


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (_by_shape, "right when it is called first, wrong after another call: it keeps _seen between calls (line "),
        (_decorated, "right when it is called first, wrong after another call: it keeps _seen between calls (line "),
        (_with_default, "it keeps seen, whose default is made only once, between calls (line "),
        (_counting(), "the same arguments give another result after another call: it keeps count between calls (line "),
    ],
)
def test_functions_without_a_file_are_tried_as_if_they_had_kept_nothing(wrong, words, cache):
    record = find_exercise("sigmoid")
    kept = dict(_seen)
    found = first_of(of_functions(record, {"backward": wrong}, cache), record.task.function("backward"))
    assert words in found.message
    assert kept.keys() <= _seen.keys()  # what was emptied for the trial is put back


@pytest.mark.parametrize(
    "again",
    ["raise ValueError('twice')", "while True: pass", "import sys; sys.exit()", "del backward"],
)
def test_a_file_that_cannot_be_run_once_more_costs_only_its_name(again, cache):
    exercise, function, source, _ = KEPT["remembered by shape"]
    once = f"{source}\nimport sys\nif 'told_submission_again' in sys.modules and __name__.endswith('again'):\n    {again}\n"
    found = told(exercise, function, once, cache)
    assert found.diagnosis.code in ("keeps-state", "edge-size")
    assert "twice" not in found.message


def test_a_file_that_takes_its_time_is_not_run_once_more(monkeypatch):
    monkeypatch.setattr("gradcheck.grading.execute._QUICK_S", 0.0)
    candidate = execute(b"def forward(x):\n    return x\n", "told_slow", "x.py", "x.py", 1.0)
    with candidate.fresh(()) as new:
        assert new is None


def test_a_fresh_candidate_leaves_the_one_it_is_made_of_alone():
    candidate = execute(
        b"n = []\ndef forward(x):\n    n.append(x)\n    return float(len(n))\n", "told_twice", "x.py", "x.py", 1.0
    )
    assert [candidate.call("forward", {"x": 1.0}).value for _ in range(2)] == [1.0, 2.0]
    with candidate.fresh(()) as new:
        assert new.call("forward", {"x": 1.0}).value == 1.0
    assert candidate.call("forward", {"x": 1.0}).value == 3.0


@pytest.fixture(scope="module")
def lane():
    made = Lane(Bounds(call_s=6.0, submission_s=60.0))
    yield made
    made.stop()


@pytest.mark.outside
@pytest.mark.parametrize(
    ("table", "name"),
    [
        (KEPT, "what forward stored, in a dict"),
        (KEPT, "remembered by shape"),
        (KEPT, "a counter"),
        (CHANCE, "numpy"),
    ],
)
def test_a_class_is_told_the_same(table, name, lane, cache):
    exercise, function, source, words = table[name]
    sandboxed = Sandboxed(lane, {exercise: ("x.py", text_of(source))})
    try:
        found = told_of(exercise, function, SandboxedCandidate(exercise, sandboxed), cache)
    finally:
        sandboxed.end()
    assert words in found.message, found.message


def test_chance_is_read_by_what_names_stand_for():
    source = b"""
from numpy import random as dice
import torch as t

def f(x, gen):
    random = x.random_(generator=gen)
    helper(random)
    return t.empty(3), dice.rand(), random.choice(), t.rand(2, generator=gen), t.randn(2, generator=None)

def helper(x):
    x.normal_()
"""
    drawn = written(source, "f").drawn(("gen",))
    assert [(each.text, each.whose) for each in drawn] == [
        ("t.empty(3)", "memory"),
        ("dice.rand()", "numpy"),
        ("t.randn(2, generator=None)", "torch"),
        ("x.normal_()", "torch"),
    ]
