"""What numbers that know their error cost, beside torch's own floats in the same run. `make bench`.

The fastest of several runs is told: others may be at work on the machine. Goals: the tolerance of softmax is linear in the number of entries up to a million, and costs at most 100 × one forward
and backward of torch; conv2d derives and evaluates in seconds.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gradcheck.numbers.bounded import Bounded
from gradcheck.numbers.exact import Exact
from gradcheck.numbers.run import evaluate, vjp
from gradcheck.operators.convolution import CONV2D
from gradcheck.references.apply import jacobian
from gradcheck.references.derive import derive
from gradcheck.references.expected import Point

LENGTHS = (10**3, 10**4, 10**5, 10**6)

pytestmark = pytest.mark.outside

ONE_POINT = """
import resource, sys, time
import numpy as np
from gradcheck.operators.normalising import SOFTMAX
from gradcheck.references.expected import Point
rng = np.random.default_rng(0)
row = rng.standard_normal((1, int(sys.argv[1])))
Point(SOFTMAX, {"x": row[:, :4]}).vjp(row[None, :, :4])
started = time.perf_counter()
Point(SOFTMAX, {"x": row}).vjp(rng.standard_normal((1, *row.shape)))
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
"""In a process of its own, so that its memory is its own."""


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def softmax(x):
    return torch.softmax(x, -1)


@pytest.mark.parametrize("length", LENGTHS)
def test_bounded_softmax_against_torch(benchmark, length):
    x, upstream = torch.randn(1, length, dtype=torch.float64), torch.randn(1, length, dtype=torch.float64)
    repeats = max(1, 10**5 // length)
    bounded, plain = [], []

    def by_torch() -> None:
        for _ in range(repeats):
            leaf = x.detach().requires_grad_()
            torch.autograd.grad(softmax(leaf), leaf, upstream)

    def pair() -> None:
        bounded.append(seconds(lambda: vjp(Bounded(torch.float64), softmax, (x,), upstream)))
        plain.append(seconds(by_torch) / repeats)

    pair()
    bounded.clear()
    plain.clear()
    benchmark.pedantic(pair, rounds=7)
    ratio, per_entry = min(bounded) / min(plain), min(bounded) / length * 1e6
    benchmark.extra_info.update({"ratio": round(ratio, 1), "us_per_entry": round(per_entry, 3)})
    print(f"\nsoftmax 1 × {length:,}: {ratio:.0f} × torch's forward and backward, {per_entry:.3f} µs an entry")


def layer_norm(x, weight, bias):
    return F.layer_norm(x, weight.shape, weight, bias)


def inputs_of(name, entries):
    """An operator and what it is given, at about so many entries."""
    rows, columns = {10**4: (64, 160), 10**6: (1000, 1000)}[entries]
    side, image = {10**4: (100, (4, 8, 16, 20)), 10**6: (1000, (8, 32, 64, 64))}[entries]
    heads = {10**4: (1, 2, 80, 64), 10**6: (1, 8, 1000, 128)}[entries]
    matrix, row = (rows, columns), (columns,)
    labels = torch.arange(rows) % columns
    return {
        "softmax": (softmax, (matrix,)),
        "layer_norm": (layer_norm, (matrix, row, row)),
        "rms_norm": (lambda x, w: F.rms_norm(x, w.shape, w), (matrix, row)),
        "gelu": (F.gelu, (matrix,)),
        "silu": (F.silu, (matrix,)),
        "relu": (torch.relu, (matrix,)),
        "cross_entropy": (lambda x: F.cross_entropy(x, labels), (matrix,)),
        "matmul": (torch.matmul, ((side, side),) * 2),
        "conv2d": (lambda x, w: F.conv2d(x, w, padding=1), (image, (image[1], image[1], 3, 3))),
        "attention": (F.scaled_dot_product_attention, (heads,) * 3),
    }[name]


@pytest.mark.parametrize("entries", [10**4, 10**6])
@pytest.mark.parametrize(
    "name",
    ["softmax", "layer_norm", "rms_norm", "gelu", "silu", "relu", "cross_entropy", "matmul", "conv2d", "attention"],
)
def test_an_operator_in_float32_against_torch(benchmark, name, entries):
    """Time of the process, not of the clock: both run on one thread, beside whatever else the machine has to do."""
    function, shapes = inputs_of(name, entries)
    inputs = [torch.randn(shape) for shape in shapes]
    upstream = torch.randn(function(*inputs).shape)
    bounded, plain = [], []

    def by_torch() -> None:
        leaves = [x.detach().requires_grad_() for x in inputs]
        torch.autograd.grad(function(*leaves), leaves, upstream)

    def by_numbers() -> None:
        numbers = Bounded(torch.float32)
        vjp(numbers, function, [numbers.wrap(x, off=1.0, requires_grad=True) for x in inputs], upstream)

    def pair() -> None:
        for work, times in ((by_torch, plain), (by_torch, plain), (by_numbers, bounded)):
            started = time.process_time()
            work()
            times.append(time.process_time() - started)

    pair()
    benchmark.pedantic(pair, rounds=5)
    ratio = min(bounded) / min(plain)
    benchmark.extra_info.update({"ratio": round(ratio, 1)})
    print(f"\n{name}, {entries:,} entries: {ratio:.0f} × torch's forward and backward")


@pytest.mark.parametrize("length", [10**2, 10**4])
def test_exact_numbers(benchmark, length):
    x, upstream = torch.randn(1, length, dtype=torch.float64), torch.randn(1, length, dtype=torch.float64)
    times = []

    def run() -> None:
        times.append(seconds(lambda: vjp(Exact(200), softmax, (x,), upstream)))

    benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    per_entry = min(times) / length * 1e6
    products = min(seconds(lambda: evaluate(Exact(200), torch.mul, (x, upstream))) for _ in range(5)) / length * 1e6
    benchmark.extra_info.update({"us_per_entry": round(per_entry, 1), "us_per_product": round(products, 1)})
    print(
        f"\n200 bits, {length:,} entries: softmax there and back {per_entry:.1f} µs an entry, a product {products:.1f} µs"
    )


@pytest.mark.parametrize("length", [512, 4096])
def test_a_tolerance_of_softmax(benchmark, length):
    told = []

    def run() -> None:
        command = [sys.executable, "-c", ONE_POINT, str(length)]
        told.append([float(each) for each in subprocess.check_output(command, text=True).split()])

    benchmark.pedantic(run, rounds=3)
    computed, memory = (min(column) for column in zip(*told, strict=True))
    benchmark.extra_info.update({"seconds": round(computed, 3), "mib": round(memory, 1)})
    print(
        f"\nsoftmax 1 × {length:,}, expected gradient and its tolerance: {computed:.2f} s, {memory:.0f} MiB at most, torch included"
    )


def test_conv2d(benchmark):
    rng = np.random.default_rng(0)
    inputs = {"x": rng.standard_normal((2, 3, 8, 8)), "weight": rng.standard_normal((4, 3, 3, 3))}
    inputs["bias"] = rng.standard_normal(4)
    derived = benchmark.pedantic(lambda: seconds(lambda: derive.__wrapped__(CONV2D)), rounds=1)
    point = Point(CONV2D, inputs)
    forward = seconds(point.forward)
    y = point.forward().value
    backward = seconds(lambda: point.vjp(rng.standard_normal((1, *y.shape))))
    sample = {name: torch.from_numpy(each[0] if name == "x" else each) for name, each in inputs.items()}
    jacobians = seconds(lambda: [jacobian(CONV2D, name, **sample) for name in inputs])
    benchmark.extra_info.update({"derivation_s": derived, "forward_s": forward, "backward_s": backward})
    print(
        f"\nconv2d: derived in {derived:.2f} s; 2 × 3 × 8 × 8 by 4 × 3 × 3 × 3: forward {forward:.2f} s, "
        f"gradients {backward:.2f} s, with their tolerances; Jacobians in floats {jacobians:.2f} s"
    )
