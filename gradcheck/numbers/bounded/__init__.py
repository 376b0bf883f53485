"""Bounded numbers: a value, and how far from it the truth and any right program may lie. A file per family of rules."""

from gradcheck.numbers.bounded import branches, linalg, moves, pointwise, rows, sums
from gradcheck.numbers.bounded.number import RULES, Bounded, BoundedTensor

__all__ = ["RULES", "Bounded", "BoundedTensor", "branches", "linalg", "moves", "pointwise", "rows", "sums"]
