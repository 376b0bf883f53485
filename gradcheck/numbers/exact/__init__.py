"""Exact numbers: balls of `flint.arb` with as many bits as one asks for, under torch's operators.

A tensor holds int64 handles into a store of balls, so that torch itself lays entries elsewhere; only arithmetic is
written here, a file for each family of operators.
"""

from gradcheck.numbers.exact import branches, pointwise, sums
from gradcheck.numbers.exact.system import Exact, ExactTensor

__all__ = ["Exact", "ExactTensor", "branches", "pointwise", "sums"]
