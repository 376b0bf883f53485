"""What is done where the grader itself fails: other points are drawn, and if that does not help, one sentence says so.

References that disagree or have no bound at a point, and any exception of ours, say nothing about a submission. A
developer sees the traceback with GRADCHECK_TRACEBACK=1.
"""

from __future__ import annotations

import hashlib
import os
import sys
import traceback

from gradcheck.errors import FormulaError, GradcheckError, ReferenceDisagreement

MOST_DRAWS = 5
VARIABLE = "GRADCHECK_TRACEBACK"
_LONGEST = 200


class OwnFailure(Exception):
    """A check could not be made at the points that were drawn; the cause is chained."""


def draws_from(seed: int) -> tuple[int, ...]:
    """The seeds of all draws, the first as it was given."""
    digests = (hashlib.sha256(f"{seed} drawn again {number}".encode()).digest() for number in range(1, MOST_DRAWS))
    # As large as a class's own seeds: every JSON reader keeps 48 bits exactly.
    return (seed, *(int.from_bytes(digest[:6], "big") for digest in digests))


def is_ours(error: Exception) -> bool:
    """Whether an exception is the grader's own failure. Others that are raised on purpose tell of the machine."""
    return not isinstance(error, GradcheckError) or isinstance(error, (ReferenceDisagreement, FormulaError))


def told(error: Exception, seed: int | None) -> str:
    """The failure in one sentence for whoever reads the report. Without a seed, it is a secret of whoever grades."""
    with_seed = "tell whoever grades this course" if seed is None else f"report it, and name the seed {seed}"
    return (
        f"the grader itself failed at this, not your code ({_what(error)}). Please {with_seed}; no points depend on it"
    )


def _what(error: Exception) -> str:
    if isinstance(error, ReferenceDisagreement):
        return error.cause
    text = " ".join(str(error).split())
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def show_traceback(error: Exception) -> None:
    """On standard error, for whoever asked for it."""
    if os.environ.get(VARIABLE):
        traceback.print_exception(error, file=sys.__stderr__)
