"""Cross-entropy in chunks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.autograd import Function

from tests.verification.kernels.planted import CASES, Fault, Kernel, tiles, wide

BF16, F32 = torch.bfloat16, torch.float32
IGNORED = -100


class CrossEntropy(Function):
    """Computes the gradient in the forward pass, chunk by chunk, and scales it in the backward."""

    @staticmethod
    def forward(ctx, logits, target, ignored):
        kept = target != ignored
        count = kept.sum()
        loss, grad = wide(logits).new_zeros(()), torch.empty_like(logits)
        for rows in tiles(len(logits)):
            z = wide(logits[rows]) - wide(logits[rows]).amax(-1, keepdim=True)
            label = torch.where(kept[rows], target[rows], 0)[:, None]
            log_p = z - z.exp().sum(-1, keepdim=True).log()
            loss -= torch.where(kept[rows], log_p.gather(1, label)[:, 0], 0.0).sum()
            p = log_p.exp()
            p.scatter_add_(1, label, -torch.ones_like(p[:, :1]))
            grad[rows] = torch.where(kept[rows, None], p, 0.0) / count
        ctx.save_for_backward(grad)
        return (loss / count).to(logits.dtype)

    @staticmethod
    def backward(ctx, grad_output):
        (grad,) = ctx.saved_tensors
        return (wide(grad) * wide(grad_output)).to(grad.dtype), None, None


def _inputs(draw):
    target = draw.whole(1 if draw.case == "masked" else 6, 10)
    target[[1, 6]] = IGNORED
    return draw(10, 6), target, IGNORED


CROSS_ENTROPY = Kernel(
    "cross-entropy in chunks",
    CrossEntropy,
    lambda logits, target, ignored: F.cross_entropy(logits, target, ignore_index=ignored),
    _inputs,
    ("logits",),
    (
        Fault("grad_output ignored", "(wide(grad) * wide(grad_output)).to(grad.dtype)", "grad.clone()", ("logits",), "missing-upstream"),
        Fault("the buffer scaled in place", "(wide(grad) * wide(grad_output)).to(grad.dtype)", "grad.mul_(grad_output)", ("logits",), None, "changes-saved"),
        Fault("last chunk forgotten", "grad[rows] = torch.where(kept[rows, None], p, 0.0) / count", "grad[rows] = torch.where(kept[rows, None], p, 0.0) / count if rows.stop < len(logits) else 0.0", ("logits",), "returns-zero", rows=8),
        Fault("divided by all rows", "torch.where(kept[rows, None], p, 0.0) / count", "torch.where(kept[rows, None], p, 0.0) / len(logits)", ("logits",), "scaled-by-constant"),
        Fault("a sum in the place of the mean", "torch.where(kept[rows, None], p, 0.0) / count", "torch.where(kept[rows, None], p, 0.0)", ("logits",), "scaled-by-constant"),
        Fault("ignored rows have a gradient", "torch.where(kept[rows, None], p, 0.0)", "p", ("logits",), "missing-mask"),
        Fault("another class subtracted", "p.scatter_add_(1, label", "p.scatter_add_(1, (label + 1) % p.shape[1]", ("logits",)),
        Fault("one-hot forgotten", "p.scatter_add_(1, label, -torch.ones_like(p[:, :1]))", "pass", ("logits",)),
        Fault("sign", "p.scatter_add_(1, label, -torch", "p.neg_().scatter_add_(1, label, torch", ("logits",), "sign-flipped"),
        Fault("probabilities in half precision", "p = log_p.exp()", "p = log_p.half().exp().to(z.dtype)", ("logits",), "low-precision", hidden=(BF16,)),
        Fault("without the largest taken off", " - wide(logits[rows]).amax(-1, keepdim=True)", "", ("output", "logits"), "unstable", case="large"),
    ),
    (*CASES, "masked"),
)  # fmt: skip
