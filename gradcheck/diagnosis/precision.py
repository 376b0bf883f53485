"""Numbers that are nearly right: how many digits of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gradcheck.diagnosis.evidence import Observation
from gradcheck.references.expected import Floats

NEARLY = 5e-3
"""A larger relative error is no matter of precision."""

SMALL = 1e-2
"""Entries below this share of the largest are measured against it."""


def digits_right(pairs: Sequence[tuple[Observation, Floats, Floats]]) -> int:
    """How many digits are right in every call, 0 when some call is plainly wrong. Pairs are what came back and what was
    expected.
    """
    exact = any(each.exact for each, *_ in pairs)
    worst = 0.0
    for observation, got, expected in pairs:
        if not np.isfinite(got).all():
            return 0
        # An entry that should be (nearly) zero and is not is plainly wrong, however large the others are.
        size = np.maximum(np.abs(expected), SMALL * np.abs(expected).max(initial=0.0))
        with np.errstate(all="ignore"):
            error = float(np.nan_to_num(np.abs(got - expected) / size, nan=0.0, posinf=1.0).max(initial=0.0))
        if error > NEARLY:
            return 0
        if observation.exact or not exact:  # float32 has few digits anyway
            worst = max(worst, error)
    return max(1, int(-math.log10(worst))) if worst else 0
