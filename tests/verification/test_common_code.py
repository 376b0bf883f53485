"""`gradcheck.verify` on modules and compositions as people write them: each is right beside a copy of itself, in every
dtype that it takes; gross errors are seen in the longest of them too.
"""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._pytree import tree_map

import gradcheck
from gradcheck.errors import UsageError
from gradcheck.numbers.dispatch import NoRule

ALL = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
LONG = ALL[:2]
INF = float("inf")


def some(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def whole(*shape):
    """Small whole numbers, many of which tie."""
    return torch.randint(-2, 3, shape, generator=torch.Generator().manual_seed(1)).float()


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1, bias=False)
        self.norm, self.groups = nn.BatchNorm2d(2), nn.GroupNorm(1, 2)

    def forward(self, x):
        return F.relu(x + self.groups(self.other(F.relu(self.norm(self.one(x))))))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(6, 18), nn.Linear(6, 6)

    def forward(self, x):
        q, k, v = (part.unflatten(-1, (2, 3)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        scores = q @ k.mT / 3**0.5
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        return self.out((scores.masked_fill(hidden, -INF).softmax(-1) @ v).transpose(1, 2).flatten(2))


class Sampling(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode, self.decode = nn.Linear(5, 6), nn.Linear(3, 5)
        self.register_buffer("noise", some(4, 3, seed=5))

    def forward(self, x):
        mean, log = self.encode(x).chunk(2, -1)
        y = self.decode(mean + (log / 2).exp() * self.noise).sigmoid()
        return F.mse_loss(y, x) - 0.5 * (1 + log - mean**2 - log.exp()).sum(-1).mean()


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.out = nn.Embedding(7, 4, padding_idx=0), nn.Linear(4, 7, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, words, x):
        return self.out(self.embedding(words) + x)


def encoder(layers=1, width=6, **how):
    made = [nn.TransformerEncoderLayer(width, 2, 8, dropout=0.0, batch_first=True, **how) for _ in range(layers)]
    return nn.Sequential(*made)


def mlp(depth=2, act=nn.ReLU):
    return nn.Sequential(*[part for _ in range(depth) for part in (nn.Linear(4, 4), act())])


X, WORDS, LABELS = some(4, 6), torch.tensor([0, 1, 1]), torch.tensor([0, 1, 3, 2, 2])
PICTURE = some(2, 2, 4, 4)

MODULES = {
    "linear": (lambda: nn.Linear(6, 3), X),
    "bilinear": (lambda: nn.Bilinear(6, 2, 4), X, some(4, 2, seed=1)),
    "layer norm": (lambda: nn.LayerNorm(6), X),
    "layer norm of equal entries": (lambda: nn.LayerNorm(6), torch.ones(4, 6)),
    "rms norm": (lambda: nn.RMSNorm(6), X),
    "batch norm": (lambda: nn.BatchNorm1d(6), X),
    "batch norm, eval": (lambda: nn.BatchNorm1d(6).eval(), X),
    "batch norm, cumulative": (lambda: nn.BatchNorm1d(6, affine=False, momentum=None), X),
    "batch norm, untracked": (lambda: nn.BatchNorm1d(6, track_running_stats=False), X),
    "batch norm of pictures": (lambda: nn.BatchNorm2d(2), PICTURE),
    "batch norm of pictures, eval": (lambda: nn.BatchNorm2d(2).eval(), PICTURE),
    "group norm": (lambda: nn.GroupNorm(2, 6), some(2, 6, 3)),
    "instance norm": (lambda: nn.InstanceNorm1d(6, affine=True, track_running_stats=True), some(2, 6, 3)),
    "multi-head attention": (lambda: nn.MultiheadAttention(6, 2, batch_first=True), *[some(2, 4, 6, seed=n) for n in range(3)]),
    "LSTM cell": (lambda: nn.LSTMCell(6, 3), X),
    "GRU cell": (lambda: nn.GRUCell(6, 3), X, some(4, 3, seed=1)),
    "LSTM": (lambda: nn.LSTM(6, 3, batch_first=True), some(2, 3, 6)),
    "tied embedding": (Tied, WORDS, some(3, 4)),
    "convolution of sequences": (lambda: nn.Conv1d(6, 4, 3, padding=1, stride=2), some(2, 6, 7)),
    "convolution": (lambda: nn.Conv2d(2, 4, 3, padding=1, groups=2, dilation=2), PICTURE),
    "convolution, reflected": (lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), PICTURE),
    "transposed convolution": (lambda: nn.ConvTranspose2d(2, 3, 3, stride=2), PICTURE),
    "encoder layer": (encoder, some(2, 4, 6)),
    "encoder layer, eval": (lambda: encoder(activation="gelu", norm_first=True).eval(), some(2, 4, 6)),
    "two encoder layers": (lambda: encoder(2, 16), some(2, 6, 16)),
    "MLP": (mlp, some(5, 4)),
    "MLP of zeros": (mlp, torch.zeros(5, 4)),
    "deep MLP": (lambda: mlp(6, nn.GELU), some(5, 4)),
    "residual block": (Residual, PICTURE),
    "attention": (Attention, some(2, 4, 6)),
    "sampling with fixed noise": (Sampling, some(4, 5)),
    "max pool of ties": (lambda: nn.MaxPool2d(2), whole(1, 2, 4, 4)),
    "PReLU": (lambda: nn.PReLU(6), X),
    "cross-entropy": (nn.CrossEntropyLoss, some(5, 4), LABELS),
    "cross-entropy, smoothed and ignoring": (lambda: nn.CrossEntropyLoss(label_smoothing=0.1, ignore_index=2), some(5, 4), LABELS),
    "cross-entropy, weighted": (lambda: nn.CrossEntropyLoss(weight=torch.tensor([0.5, 1, 2, 1])), some(5, 4), LABELS),
    "cross-entropy of nothing": (lambda: nn.CrossEntropyLoss(ignore_index=2), some(2, 4), LABELS[3:]),
    "L1": (nn.L1Loss, whole(4, 3), whole(4, 3).flip(0)),
    "Huber": (nn.HuberLoss, whole(4, 3), whole(4, 3).flip(0)),
    "BCE": (nn.BCEWithLogitsLoss, some(4, 3), some(4, 3, seed=1).sigmoid()),
    "KL": (lambda: nn.KLDivLoss(reduction="batchmean"), some(4, 3).log_softmax(-1), some(4, 3, seed=1).softmax(-1)),
    "Gaussian NLL": (nn.GaussianNLLLoss, some(4, 3), some(4, 3, seed=1), some(4, 3, seed=2).abs()),
    "triplet": (nn.TripletMarginLoss, *[some(4, 3, seed=n) for n in range(3)]),
    "cosine": (nn.CosineSimilarity, some(3, 4), some(3, 4, seed=1)),
}  # fmt: skip

PLACES = torch.tensor([[0, 2, 1], [1, 1, 0], [2, 0, 0]])
SQUARE = some(3, 3) + 3 * torch.eye(3)


def written(x):
    y = x * 1
    y[0] = y[1] * 2
    y[:, 1] += y[:, 0]
    return y


FUNCTIONS = {
    "gather": (lambda x: x.gather(1, PLACES), ALL, SQUARE),
    "scatter_add": (lambda x: torch.zeros_like(x).scatter_add_(1, PLACES, x), ALL, SQUARE),
    "index_add": (lambda x, y: x.index_add(0, torch.tensor([0, 0, 2]), y), ALL, SQUARE, some(3, 3, seed=1)),
    "index_put": (lambda x, y: x.index_put((torch.tensor([0, 0, 2]),), y, accumulate=True), ALL, SQUARE, some(3, 3)),
    "written in place": (written, ALL, SQUARE),
    "picked": (lambda x: x[[0, 1, 0]][:, x[0] > 0], ALL, SQUARE),
    "cumsum": (lambda x: x.cumsum(1), ALL, some(3, 5)),
    "cumprod with zeros": (lambda x: x.cumprod(1), ALL, whole(3, 5)),
    "prod with zeros": (lambda x: x.prod(1), ALL, whole(3, 5)),
    "where": (lambda x, y: torch.where(x > y, x, y), ALL, whole(4, 5), whole(5)),
    "clamp": (lambda x: x.clamp(-1, 1), ALL, whole(4, 5)),
    "sort": (lambda x: x.sort(-1, descending=True), ALL, whole(4, 5)),
    "topk": (lambda x: x.topk(2)[0], ALL, whole(4, 5)),
    "max": (lambda x: x.max(1), ALL, whole(4, 5)),
    "amax": (lambda x: x.amax((0, 1)), ALL, whole(4, 5)),
    "median": (lambda x: x.median(1)[0], ALL, whole(4, 5)),
    "maximum": (torch.maximum, ALL, whole(4, 5), whole(4, 5).flip(0)),
    "abs": (torch.abs, ALL, whole(4, 5)),
    "max pool": (lambda x: F.max_pool2d(x, 3, 1, 1), ALL, whole(1, 2, 4, 4)),
    "masked softmax": (lambda x: x.masked_fill(torch.eye(4, 5) > 0, -INF).softmax(-1), ALL, some(4, 5)),
    "masked logsumexp": (lambda x: (x + torch.full((4, 5), -INF).to(x).triu(1)).logsumexp(-1), ALL, some(4, 5)),
    "padded with -inf": (lambda x: F.pad(x, (1, 1), value=-INF).amax(-1), ALL, some(4, 5)),
    "masked by the smallest number": (lambda x: x.masked_fill(torch.eye(4, 5) > 0, torch.finfo(x.dtype).min).softmax(-1), ALL, some(4, 5)),
    "causal": (lambda q: F.scaled_dot_product_attention(q, q, q, is_causal=True), ALL, some(2, 4, 3)),
    "einsum": (lambda a, b: torch.einsum("bij,bjk->bi", a, b), ALL, some(2, 3, 4), some(2, 4, 5)),
    "solve": (torch.linalg.solve, LONG, SQUARE, some(3, 2)),
    "inv": (torch.linalg.inv, LONG, SQUARE),
    "det": (torch.linalg.det, LONG, SQUARE),
    "det of a singular one": (torch.linalg.det, LONG, torch.ones(3, 3)),
    "slogdet": (torch.linalg.slogdet, LONG, SQUARE),
    "cholesky": (torch.linalg.cholesky, LONG, torch.tensor([[4.0, 1.0], [1.0, 3.0]])),
    "norm of zeros": (lambda x: x.norm(dim=1), ALL, torch.zeros(3, 4)),
    "std of equal ones": (lambda x: x.std(0), ALL, torch.ones(5, 3)),
    "sqrt and log at 0": (lambda x: (x.sqrt(), x.log()), ALL, torch.tensor([0.0, 1.0, 4.0])),
    "divided by 0": (lambda x, y: x / y, ALL, torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])),
    "NaN": (torch.sin, ALL, torch.tensor([0.0, float("nan"), 1.0])),
    "exp of much": (torch.exp, ALL, torch.tensor([0.0, 800.0, -800.0, INF, -INF])),
    "squares of much": (torch.square, ALL, torch.tensor([1e30, 300.0, 1e-30])),
    "several outputs": (lambda x: {"a": x * 2, "b": [x.sum(), None, 3], "c": x.argmax(-1), "d": x > 0}, ALL, X),
    "whole numbers of what is rounded": (lambda x: (x.softmax(-1), x.softmax(-1).argsort(-1)), ALL, some(6, 30)),
    "an input that nothing asks": (lambda x, y: y * 2, ALL, X, X),
    "a running mean": (lambda x, mean: F.batch_norm(x, mean, torch.ones_like(mean), training=True), ALL, X, torch.zeros(6)),
    "a gradient inside": (lambda x: torch.func.grad(lambda z: z.sin().sum())(x), ALL, X),
    "vmap": (torch.vmap(lambda a: (a * a).sum()), ALL, X),
    "control flow": (lambda x: x * x.sum().item() if x.mean() > 5 else -x, ALL, X),
    "nothing": (lambda x: x.sum(), ALL, torch.empty(0, 3)),
}  # fmt: skip


def cast(args, dtype):
    return tree_map(lambda each: each.to(dtype) if torch.is_tensor(each) and each.is_floating_point() else each, args)


def rows(table, dtypes_of):
    return [pytest.param(name, dtype, id=f"{name}, {dtype}") for name in table for dtype in dtypes_of(name)]


@pytest.mark.table
@pytest.mark.parametrize(("name", "dtype"), rows(MODULES, lambda name: ALL))
def test_a_module_is_right_beside_a_copy_of_itself(name, dtype):
    torch.manual_seed(0)
    make, *args = MODULES[name]
    module = make().to(dtype)
    found = gradcheck.verify(module, copy.deepcopy(module), *cast(args, dtype))
    assert found.passed, str(found)


@pytest.mark.table
@pytest.mark.parametrize(("name", "dtype"), rows(FUNCTIONS, lambda name: FUNCTIONS[name][1]))
def test_a_function_is_right_beside_itself(name, dtype):
    function, _, *args = FUNCTIONS[name]
    found = gradcheck.verify(function, function, *cast(args, dtype), wrt=0 if name == "a running mean" else None)
    assert found.passed, str(found)


class Harmed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, harm):
        ctx.harm = harm
        return x.clone()

    @staticmethod
    def backward(ctx, grad_output):
        return ctx.harm(grad_output), None


class Around(nn.Module):
    def __init__(self, inner, harm=None):
        super().__init__()
        self.inner, self.harm = inner, harm

    def forward(self, x):
        return self.inner(Harmed.apply(x, self.harm) if self.harm else x)


def largest_flipped(g):
    g = g.clone()
    g.view(-1)[g.abs().argmax()] *= -1
    return g


@pytest.mark.table
@pytest.mark.parametrize("harm", [torch.neg, torch.zeros_like, lambda g: 2 * g, largest_flipped])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", ["two encoder layers", "residual block", "deep MLP", "attention", "LSTM"])
def test_gross_errors_show_in_long_programs_too(name, dtype, harm):
    torch.manual_seed(0)
    make, *args = MODULES[name]
    module = make().to(dtype)
    found = gradcheck.verify(Around(module, harm), Around(copy.deepcopy(module)), *cast(args, dtype), wrt=0)
    assert not found.passed


def test_where_bounds_say_little_the_tolerance_is_estimated_and_that_is_said():
    torch.manual_seed(0)
    module = encoder(2, 16)
    found = gradcheck.verify(module, copy.deepcopy(module), some(2, 6, 16), wrt=0)
    assert "estimated" in {note.kind for note in found.notes}
    assert "estimated" not in {note.kind for note in gradcheck.verify(mlp(), mlp(), some(5, 4), wrt=0).notes}


def test_an_input_that_the_reference_leaves_as_it_is_must_not_change():
    def reference(x, mean):
        return F.batch_norm(x, mean.clone(), torch.ones_like(mean), training=True)

    def candidate(x, mean):
        return F.batch_norm(x, mean, torch.ones_like(mean), training=True)

    found = gradcheck.verify(candidate, reference, X, torch.zeros(6), wrt=0)
    assert [(each.kind, each.got) for each in found.failures] == [("changes-input", "mean")]


def test_infinity_is_wrong_where_the_right_value_can_be_written():
    def norm(x):
        return (x * x).sum().sqrt()

    assert gradcheck.verify(norm, norm, torch.tensor([30.0, 20.0]).half())
    assert not gradcheck.verify(norm, norm, torch.tensor([300.0, 200.0]).half())


def test_whole_numbers_that_are_others_are_wrong():
    found = gradcheck.verify(lambda x: (x, x.argmin(-1)), lambda x: (x, x.argmax(-1)), X)
    assert [(each.kind, each.quantity.name) for each in found.failures] == [("values", "1")]


@pytest.mark.parametrize("wrong", [torch.zeros_like, lambda g: g.abs() + 1])
def test_a_wrong_gradient_beside_whole_numbers_is_told(wrong):
    found = gradcheck.verify((lambda x: x.cummax(1), lambda g, x: wrong(g[0])), lambda x: x.cummax(1), some(3, 4))
    assert {each.kind for each in found.failures} == {"values", "not-linear"} or "values" in str(found.failures)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        (lambda x: None, "returns no tensor"),
        (lambda x: x * 1j, "complex"),
        (lambda x: x @ x, "The reference raises RuntimeError"),
    ],
)
def test_a_reference_that_says_nothing_is_refused(reference, words):
    with pytest.raises(UsageError, match=words):
        gradcheck.verify(lambda x: x * 2, reference, X)


@pytest.mark.parametrize("function", [torch.frexp, lambda x: torch.nextafter(x, x + 1)])
def test_an_operator_that_is_made_of_itself_is_named_and_leaves_no_trace(function):
    with pytest.raises(NoRule, match=r"frexp|nextafter"):
        gradcheck.verify(function, function, X)
    assert type(torch.ones(3) + 1) is torch.Tensor


def test_zeros_that_torch_does_not_write_down_are_zeros():
    class Sign(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sgn()

        @staticmethod
        def backward(ctx, grad_output):
            return torch._efficientzerotensor(grad_output.shape)

    assert gradcheck.verify(Sign, torch.sgn, X)
