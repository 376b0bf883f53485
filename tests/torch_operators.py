"""torch's own table of operators, and which of them have no bound."""

from __future__ import annotations

import warnings

import pytest
import torch

COMPLEX = "complex results: bounded numbers are real"
DECOMPOSED = "eigenvalues, singular values, orthogonal factors: no rule"
SPARSE = "sparse tensors have no strides"
RANDOM = "random, and drawn otherwise in float64"
NO_RULE = "no rule"
ALIASES = {
    COMPLEX: """
        cdouble cfloat chalf complex fft.fft fft.fft2 fft.fftn fft.hfft fft.hfft2 fft.hfftn fft.ifft fft.ifft2 fft.ifftn
        fft.ihfft fft.ihfft2 fft.ihfftn fft.irfft fft.irfft2 fft.irfftn fft.rfft fft.rfft2 fft.rfftn linalg.eig
        linalg.eigvals polar stft view_as_complex
    """,
    DECOMPOSED: """
        linalg.cond linalg.eigh linalg.eigvalsh linalg.householder_product linalg.lstsq linalg.lstsq.grad_oriented
        linalg.matrix_norm linalg.pinv linalg.pinv.hermitian linalg.pinv.singular linalg.qr linalg.svd linalg.svdvals
        norm.nuc ormqr pca_lowrank pinverse qr svd svd_lowrank
    """,
    SPARSE: "sparse.mm.reduce sparse.sampled_addmm to_sparse",
    RANDOM: """
        bernoulli nn.functional.alpha_dropout nn.functional.dropout nn.functional.dropout2d nn.functional.dropout3d
        nn.functional.feature_alpha_dropout.with_train nn.functional.fractional_max_pool2d
        nn.functional.fractional_max_pool3d nn.functional.multi_head_attention_forward nn.functional.rrelu
        nn.functional.scaled_dot_product_attention normal
    """,
    NO_RULE: """
        _segment_reduce.lengths _segment_reduce.offsets frexp grid_sampler_2d grid_sampler_3d matrix_exp nextafter
        nn.functional.ctc_loss nn.functional.embedding_bag nn.functional.grid_sample
        nn.functional.linear_cross_entropy.chunked nn.functional.linear_cross_entropy.chunked_none
        nn.functional.multi_margin_loss nn.functional.multilabel_margin_loss
    """,
    "a defect of torch: 1/6 is kept in float32": "nn.functional.hardsigmoid",
    "a defect of torch: weights are averaged in float32": "cov",
    "its derivative uses the smallest number of the dtype as minus infinity: infinite radii": "logcumsumexp",
    "the slope at 0 is not known: infinite radii": "linalg.norm.subgradients_at_zero",
}
EXCEPTIONS = {name: reason for reason, names in ALIASES.items() for name in names.split()}


def differentiable():
    pytest.importorskip("expecttest", reason="torch's tables import it: pip install -e '.[dev]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    both = {torch.float32, torch.float64}
    found = [op for op in op_db if op.supports_autograd and both <= set(op.dtypes)]
    return {f"{op.name}.{op.variant_test_name}".rstrip("."): op for op in found}
