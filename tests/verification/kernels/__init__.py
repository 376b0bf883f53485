"""Kernels of our own, as authors of kernels write them, each with faults that such authors make."""

from tests.verification.kernels.attention_in_tiles import ATTENTION, ROTARY
from tests.verification.kernels.losses_in_chunks import CROSS_ENTROPY
from tests.verification.kernels.planted import Fault, Kernel
from tests.verification.kernels.pointwise_kernels import GELU_ERF, GELU_TANH, SWIGLU
from tests.verification.kernels.rows import LAYER_NORM, RMS_NORM, SOFTMAX
from tests.verification.kernels.sequences import CONVOLUTION, SCAN

KERNELS = (
    SOFTMAX,
    LAYER_NORM,
    RMS_NORM,
    GELU_ERF,
    GELU_TANH,
    SWIGLU,
    CROSS_ENTROPY,
    ROTARY,
    ATTENTION,
    CONVOLUTION,
    SCAN,
)

__all__ = ["KERNELS", "Fault", "Kernel"]
