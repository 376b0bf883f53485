"""Numbers that are nearly right: how many digits of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gradcheck.diagnosis.evidence import Observation
from gradcheck.references.expected import Floats

NEARLY = 2e-3
"""A larger relative error is no matter of precision."""


def digits_right(pairs: Sequence[tuple[Observation, Floats, Floats]]) -> int:
    """How many digits are right in every call, 0 when some call is plainly wrong. Pairs are what came back and what was
    expected.
    """
    worst = 0.0
    for _, got, expected in pairs:
        if not np.isfinite(got).all():
            return 0
        scale = float(np.abs(expected).max(initial=0.0))
        error = float(np.abs(got - expected).max(initial=0.0))
        if error > NEARLY * scale:
            return 0
        worst = max(worst, error / scale if scale else 0.0)
    return max(1, int(-math.log10(worst))) if worst else 0
