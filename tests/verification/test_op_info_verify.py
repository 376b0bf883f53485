"""`gradcheck.verify` on torch's own table of operators: each against itself is right, with a damaged gradient wrong.

Tried are the operators that have an autograd formula, at the first few of torch's samples, in each dtype that they
take. What is refused or fails is listed here or in `torch_operators`, with why, and must still be so.
"""

from __future__ import annotations

import pytest
import torch
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

import gradcheck
from gradcheck.errors import UsageError
from gradcheck.numbers.dispatch import NoRule
from gradcheck.references.expected import K
from gradcheck.verification.candidate import subject_of
from gradcheck.verification.inputs import flows
from gradcheck.verification.reference import ground_of
from gradcheck.verification.truth import Truth
from tests.torch_operators import EXCEPTIONS, differentiable

LOTS = 40
"""The table is tried in so many parts."""

TRIED = 3
"""Samples of each operator in each dtype."""

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)

WRONG = {
    name: (reason, dtypes)
    for reason, dtypes, names in [
        ("drawn otherwise in each dtype", DTYPES, """
            bernoulli nn.functional.alpha_dropout nn.functional.dropout nn.functional.dropout2d
            nn.functional.dropout3d nn.functional.feature_alpha_dropout.with_train
            nn.functional.multi_head_attention_forward nn.functional.scaled_dot_product_attention normal
        """),
        ("a defect of torch: 1/6 is kept in float32", (torch.float64,), "nn.functional.hardsigmoid"),
        ("a defect of torch: exp(12) overflows on the way", (torch.float16,), "logaddexp masked.logaddexp"),
        ("a defect of torch: exp(x) overflows on the way", (torch.float16,), "nn.functional.soft_margin_loss"),
    ]
    for name in names.split()
}  # fmt: skip
"""Operators that fail, in some of their dtypes."""


NO_PAIR = {
    "native_group_norm": "torch's own gradient forgets mean and rstd where grad_output is undefined, not where it is 0"
}


def call_of(op, sample):
    """An operator at a sample as a function of its tensors; the tensors, and the places of those with a gradient."""
    leaves, tree = tree_flatten(((sample.input, *sample.args), dict(sample.kwargs)))
    places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]

    def call(*tensors):
        given = dict(zip(places, tensors, strict=True))
        args, kwargs = tree_unflatten([given.get(place, leaf) for place, leaf in enumerate(leaves)], tree)
        return op.op(*args, **kwargs)

    tensors = [leaves[place].detach() for place in places]
    return call, tensors, [number for number, place in enumerate(places) if leaves[place].requires_grad]


def gradients(call, tensors, wrt, cotangents):
    """What torch.autograd makes of the cotangents; of ones, where there are none. Raises what torch does."""
    with torch.enable_grad():
        leaves = [tensor.clone().requires_grad_(place in wrt) for place, tensor in enumerate(tensors)]
        outputs = tree_leaves(call(*[leaf.clone() for leaf in leaves]))
        cotangents = cotangents or [torch.ones_like(each) if flows(each) else None for each in outputs]
        pairs = [(y, g) for y, g in zip(outputs, cotangents, strict=True) if flows(y) and g is not None]
        asked = [leaves[place] for place in wrt]
        found = torch.autograd.grad([y for y, _ in pairs], asked, [g for _, g in pairs], allow_unused=True)
    return [torch.zeros_like(x) if each is None else each for x, each in zip(asked, found, strict=True)]


def cases(op, dtype, tried):
    """Samples that torch itself can differentiate."""
    torch.manual_seed(0)
    for _, sample in zip(range(tried), op.sample_inputs("cpu", dtype, requires_grad=True), strict=False):
        call, tensors, wrt = call_of(op, sample)
        torch.manual_seed(1)
        try:
            gradients(call, tensors, wrt, ())
        except (RuntimeError, ValueError, IndexError):
            continue
        yield call, tensors, wrt


def outcome(op, dtype, tried=TRIED):
    """ "" where all samples pass; "refused" where no rule covers it; else what was found."""
    for call, tensors, wrt in cases(op, dtype, tried):
        try:
            found = gradcheck.verify(call, call, *tensors, wrt=wrt)
        except (NoRule, UsageError):
            return "refused"
        if not found:
            return str(found)
    return ""


def lot(number):
    return list(differentiable().items())[number::LOTS]


@pytest.mark.outside  # importing torch's tables starts a process that asks for the hardware
@pytest.mark.table(every=4)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(LOTS))
def test_each_operator_is_right_beside_itself_and_the_others_are_listed(number):
    operators = lot(number)
    found = {(name, dtype): outcome(op, dtype) for name, op in operators for dtype in DTYPES if dtype in op.dtypes}
    refused = {name for (name, _), what in found.items() if what == "refused"}
    wrong = {key: what for key, what in found.items() if what not in ("", "refused")}
    assert sorted(refused - EXCEPTIONS.keys()) == []
    assert {key: what for key, what in wrong.items() if key[0] not in WRONG or key[1] not in WRONG[key[0]][1]} == {}
    expected = {name for name, _ in operators if name in WRONG}
    assert {name for name, _ in wrong} == expected, "they are right now: take them off the list"


def harms(call, tensors, wrt, dtype):
    """Ways to damage the first gradient that show in this dtype, by name. None where there is no telling."""
    subject = subject_of(call, tensors, reference=call, wrt=wrt)
    truth = Truth(ground_of(call, subject), subject.inputs.tensors, subject.inputs.wrt, dtype, fused=False, seed=0)
    drawn = torch.Generator().manual_seed(5)
    cotangents = [
        torch.empty(each.shape, dtype=dtype).uniform_(1, 2, generator=drawn) if flows(each) else None
        for each in truth.plain.outputs
    ]
    answers = truth.answers(cotangents)
    right = answers.gradients[subject.inputs.wrt[0]]
    value = right.low
    if answers.decided or not value.numel() or not right.has_bounds or not bool(value.isfinite().all()):
        return {}
    far = 20 * (K * right.radius + K * torch.finfo(dtype).eps / 2 * value.abs().max() + 1e-3)
    entry = int((value.abs() / far).argmax())

    def one_entry(v):
        changed = v.clone(memory_format=torch.contiguous_format)
        changed.view(-1)[entry] *= 1 + 1e-3
        return changed

    ways = {"sign": torch.neg, "zero": torch.zeros_like, "double": lambda v: 2 * v, "entry": one_entry}
    if value.dim() > 1 and value.shape[-1] == value.shape[-2]:
        ways["transposed"] = lambda v: v.mT
    found = {name: way for name, way in ways.items() if bool(((way(value) - value).abs() > far).any())}
    found["dtype"] = lambda v: v.to(torch.float32 if v.dtype == torch.float64 else torch.float64)
    if value.dim():
        found["shape"] = lambda v: v[None]
    if "zero" in found:
        found["none"] = lambda v: None
    return found


def damaged(call, wrt, harm):
    def forward(*tensors):
        with torch.no_grad():
            return call(*tensors)

    def backward(grads, *tensors):
        grads = grads if isinstance(grads, tuple) else (grads,)
        first, *others = gradients(call, tensors, wrt, grads)
        if harm is None:
            [each.mul_(2) for each in grads if each is not None]
            return (first, *others)
        return (harm(first), *others)

    return forward, backward


def missed(op, dtype):
    """Which damages pass unseen: the right backward is none."""
    found = []
    for call, tensors, wrt in cases(op, dtype, 1):
        ways = harms(call, tensors, wrt, dtype)
        if "zero" in ways:
            ways["in place"] = None
        for name, harm in ways.items():
            verdict = gradcheck.verify(damaged(call, wrt, harm), call, *tensors, wrt=wrt)
            assert str(verdict)
            found += [name] if verdict else []
        right = gradcheck.verify(damaged(call, wrt, lambda v: v), call, *tensors, wrt=wrt)
        found += [] if right else [str(right)]
    return found


@pytest.mark.outside
@pytest.mark.table(every=10)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(LOTS))
def test_what_is_damaged_in_the_gradient_of_an_operator_is_seen(number):
    operators = {name: op for name, op in lot(number) if name not in EXCEPTIONS | WRONG | NO_PAIR}
    dtypes = (torch.float64, torch.bfloat16)
    found = {
        (name, dtype): missed(op, dtype) for name, op in operators.items() for dtype in dtypes if dtype in op.dtypes
    }
    assert {key: ways for key, ways in found.items() if ways} == {}
