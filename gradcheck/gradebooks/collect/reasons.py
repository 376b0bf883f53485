"""Whether CI's score and the regrade agree, and what may explain it where they do not."""

from __future__ import annotations

import math
from typing import Literal

from gradcheck.gradebooks.collect.clones import Clone
from gradcheck.gradebooks.collect.regrade import Regrade
from gradcheck.gradebooks.collect.result import Result

_CLOSE = 1e-3
"""Of the full score: what printing with a few digits takes away."""
_MOST_CHANGES = 8


def agrees(ci: Result, regrade: Regrade) -> Literal["", "same", "rounded"]:
    """Whether CI says what the regrade decides, which has a final score. Where the greatest scores differ, the shares
    are compared.
    """
    assert regrade.final is not None
    if not regrade.max_score:
        return "" if ci.score else "same"
    if _equal(ci, regrade, regrade.final):
        return "same"
    return "rounded" if _rounded(ci, regrade, regrade.final) else ""


def reasons(ci: Result, regrade: Regrade, clone: Clone | None) -> tuple[str, ...]:
    """Why they may differ, what weighs most first. Never empty."""
    found = []
    other = _other_work(ci, regrade, clone)
    if other:
        found.append(other)
    if clone and clone.changed:
        more = f" and {len(clone.changed) - _MOST_CHANGES} more" if len(clone.changed) > _MOST_CHANGES else ""
        found.append(f"differs from the release: {', '.join(clone.changed[:_MOST_CHANGES])}{more}")
    if regrade.late_penalty:
        late = f"{_counted(regrade.late_days, 'day')} late" if regrade.late_days else "late"
        found.append(f"{late}: {_counted(regrade.late_penalty, 'point')} less")
    if regrade.hint_penalty:
        found.append(f"hints cost {_counted(regrade.hint_penalty, 'point')}")
    penalised = regrade.late_penalty or regrade.hint_penalty
    if penalised and not _before_penalties(ci, regrade):
        found.append(f"and before that the regrade gave {regrade.score:g}")
    if ci.digest and ci.digest == regrade.digest and not penalised:
        found.append("the same files were graded, as far as CI says; by another grader, or the result was edited")
    return tuple(found) or ("nothing seen here explains it; look at the workflow's run",)


def _counted(number: float, what: str) -> str:
    return f"{number:g} {what}{'' if number == 1 else 's'}"


def _equal(ci: Result, regrade: Regrade, score: float) -> bool:
    return math.isclose(ci.score / ci.max_score, score / regrade.max_score, abs_tol=_CLOSE)


def _rounded(ci: Result, regrade: Regrade, score: float) -> bool:
    """Where points come in grains: an exercise that is full stays full, another loses less than a grain of its points,
    and so does what penalties leave; greatest scores are rounded up.
    """
    more = ci.max_score - regrade.max_score
    if not ci.grain or not 0 <= more < max(1, regrade.exercises) * ci.grain:
        return False
    lost = score - ci.score
    partly = max(regrade.partly, 1 if score < regrade.score else 0)
    return -more <= lost and (lost < partly * ci.grain or lost <= 0)


def _before_penalties(ci: Result, regrade: Regrade) -> bool:
    return _equal(ci, regrade, regrade.score) or _rounded(ci, regrade, regrade.score)


def _other_work(ci: Result, regrade: Regrade, clone: Clone | None) -> str:
    """That the two graded different work, where that can be told."""
    theirs, ours = ci.commit, regrade.commit
    if theirs and ours:
        return f"another commit: CI graded {theirs[:10]}, the regrade {ours[:10]}" if theirs != ours else ""
    if theirs and clone and clone.commit and theirs != clone.commit:
        return f"another commit: CI graded {theirs[:10]}, the clone is at {clone.commit[:10]}"
    if ci.digest and regrade.digest and ci.digest != regrade.digest:
        return "the files that were graded are not the same"
    return ""
