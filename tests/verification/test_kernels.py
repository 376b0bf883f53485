"""Kernels as their authors write them: none that is right is refused, and every fault is found that its dtype shows."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import gradcheck
from gradcheck.numbers.bounded import Bounded
from gradcheck.numbers.run import vjp
from gradcheck.references.expected import K
from gradcheck.verification.examine import unwritten_is_nan
from tests.verification.kernels import KERNELS

DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}
FAULTS = {f"{kernel.name}: {fault.name}": (kernel, fault) for kernel in KERNELS for fault in kernel.faults}
CASES = {f"{kernel.name}: {case}": (kernel, case) for kernel in KERNELS for case in kernel.cases}
CAUGHT = {"capture_output": True, "text": True, "check": True, "timeout": 120}

of_every_dtype = pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
of_every_fault = pytest.mark.parametrize(("kernel", "fault"), FAULTS.values(), ids=FAULTS)


def verdict_on(kernel, function, case, dtype, seed=0, device="cpu"):
    arguments = kernel.arguments(case, dtype, seed, device)
    return gradcheck.verify(function, kernel.reference, *arguments, wrt=kernel.wrt, rounding="fused", seed=seed)


def test_each_kernel_has_eight_faults():
    assert all(len({fault.name for fault in kernel.faults}) >= 8 for kernel in KERNELS)


@pytest.mark.table
@of_every_dtype
@pytest.mark.parametrize(("kernel", "case"), CASES.values(), ids=CASES)
def test_a_right_kernel_passes(kernel, case, dtype):
    for seed in range(3):
        verdict = verdict_on(kernel, kernel.function, case, dtype, seed)
        verdict.check()
        assert case in ("large", "huge") or not any(note.kind == "no-bound" for note in verdict.notes)


# How large a fault is, is found without `verify`: by the kernel and the faulty one in float64.


def results_of(function, kernel, arguments, cotangent):
    """The output and the gradients."""
    leaves = [each.clone().requires_grad_() if _is_real(each) else each for each in arguments]
    output = function.apply(*(each.clone() if _is_real(each) else each for each in leaves))
    output.backward(cotangent.clone(memory_format=torch.preserve_format))
    reals = filter(_is_real, leaves)
    return output.detach(), *(leaf.grad for leaf, _ in zip(reals, kernel.wrt, strict=False))


def _is_real(value):
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def shown(kernel, fault, dtype):
    """What is wrong for certain: by more than what is tolerated, and what a right kernel loses, in some entry."""
    numbers, arguments = Bounded(dtype, fused=True), kernel.arguments(fault.case, dtype)
    output = kernel.function.apply(*arguments)
    dense = torch.randn(output.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)
    wrapped = [numbers.wrap(each, requires_grad=True, off=1.0) if _is_real(each) else each for each in arguments]
    bounded, gradients = vjp(numbers, kernel.reference, wrapped, [dense])
    radii = [each.rad for each in (bounded, *gradients) if each is not None]
    wide = [each.double() if _is_real(each) else each for each in arguments]
    wrong = set()
    for cotangent in (dense.double(), dense.double().mT.contiguous().mT if dense.dim() > 1 else dense.double()):
        right = results_of(kernel.function, kernel, wide, cotangent)
        with unwritten_is_nan():
            faulty = results_of(kernel.planted(fault), kernel, wide, cotangent)
        for name, one, other, rad in zip(("output", *kernel.wrt), right, faulty, radii, strict=False):
            if not ((one - other).abs() <= (K + 1) * rad + torch.finfo(dtype).tiny * one.numel()).all():
                wrong.add(name)
    return wrong


@pytest.mark.table
@of_every_dtype
@of_every_fault
def test_a_fault_is_found_and_named(kernel, fault, dtype):
    verdict = verdict_on(kernel, kernel.planted(fault), fault.case, dtype)
    failures = [failure for failure in verdict.failures if failure.kind == fault.kind]
    if fault.rows:
        assert all(from_row(fault.rows, failure.entries) for failure in failures), verdict
    if fault.kind != "values":
        assert bool(failures) == (dtype not in fault.hidden), verdict
        return
    certain = shown(kernel, fault, dtype)
    assert bool(certain) == (dtype not in fault.hidden), "the table is not what float64 says"
    found = {name_of(failure.quantity) for failure in failures}
    assert certain <= found <= set(fault.of), verdict
    for name in certain & {"output"} or certain:
        own = [failure for failure in failures if name_of(failure.quantity) == name]
        if fault.code and dtype not in fault.unnamed:
            assert fault.code in {failure.mistake.code for failure in own if failure.mistake}, verdict


@pytest.mark.table
@pytest.mark.parametrize(
    ("kernel", "fault"),
    [each for each in FAULTS.values() if each[0].formula and each[1].kind == "values" and each[1].case == "ordinary"],
    ids=lambda each: each.name,
)
def test_a_formula_names_more(kernel, fault):
    arguments = kernel.arguments("ordinary", torch.float64)
    assert gradcheck.verify(kernel.function, kernel.formula, *arguments)
    verdict = gradcheck.verify(kernel.planted(fault), kernel.formula, *arguments)
    codes = {failure.mistake.code for failure in verdict.failures if failure.kind == "values" and failure.mistake}
    assert not verdict
    assert fault.by_formula is None or fault.by_formula in codes, verdict


def from_row(start, entries):
    """Whether the wrong entries are in this row and all that follow, and in no other."""
    rows = next(axis for axis in entries.along if axis.axis == 0)
    return (rows.range, rows.at) == ("from", start) or (rows.range == "last" and start == rows.size - 1)


def name_of(quantity):
    return "output" if quantity.kind == "output" else quantity.name


# Elsewhere than on a CPU, and torch's own.


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
@of_every_dtype
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_kernels_are_judged_on_a_gpu(kernel, dtype):
    verdict = verdict_on(kernel, kernel.function, "ordinary", dtype, device="cuda")
    verdict.check()
    assert verdict.device.startswith("cuda")
    for fault in kernel.faults:
        if dtype not in fault.hidden:
            assert not verdict_on(kernel, kernel.planted(fault), fault.case, dtype, device="cuda"), fault.name


@pytest.fixture(scope="module")
def triton_verdicts():
    """By dtype: whether the kernel in Triton passes, and the diagnoses. Triton reads once, when it is imported, whether
    to interpret, so it has a process of its own.
    """
    if importlib.util.find_spec("triton") is None:
        pytest.skip("Triton is not installed: it comes with the extra `triton`")
    place = Path(__file__).parents[2]
    interpreted = {} if torch.cuda.is_available() else {"TRITON_INTERPRET": "1"}
    paths = os.pathsep.join(filter(None, (str(place), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "tests.verification.kernels.triton_softmax", *DTYPES]
    done = subprocess.run(command, env=os.environ | interpreted | {"PYTHONPATH": paths}, cwd=place, **CAUGHT)
    return {verdict["dtype"]: verdict for verdict in json.loads(done.stdout)}


@pytest.mark.outside
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_kernel_in_triton_passes(triton_verdicts, dtype):
    assert not triton_verdicts[dtype]["failures"]


@pytest.mark.outside
def test_a_kernel_in_triton_that_computes_in_float32_is_not_right_in_float64(triton_verdicts):
    failures = triton_verdicts["float64"]["failures"]
    assert {failure["mistake"]["code"] for failure in failures if failure["kind"] == "values"} == {"low-precision"}


@pytest.mark.parametrize(
    "reference",
    [lambda x: (x + 3).clamp(0, 6) / 6, "y[i] = Piecewise((0, x[i] < -3), ((x[i] + 3)/6, x[i] < 3), (1, True))"],
    ids=["by clamp", "by a formula"],
)
def test_hardsigmoid_of_torch_has_a_gradient_in_float32(reference):
    """Its backward multiplies by 1/6 in float32, whatever the dtype: 3e-8 off in float64."""
    x = torch.linspace(-4, 4, 12, dtype=torch.float64)
    (failure,) = {each.quantity: each for each in gradcheck.verify(F.hardsigmoid, reference, x).failures}.values()
    assert (failure.kind, failure.quantity.kind, failure.mistake.code) == ("values", "gradient", "low-precision")
    assert 1e-8 < abs(failure.entries.worst[0].got * 6 / failure.entries.worst[0].low - 6) < 1e-6
    gradcheck.verify(F.hardsigmoid, reference, x.float()).check()
