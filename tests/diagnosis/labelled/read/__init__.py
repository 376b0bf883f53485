"""Two hundred wrong answers, written from the curriculum alone, without sight of the diagnosis; to count, not to tune by.

A row says besides its codes what a first line must tell the student (`right`); rules.md says how a line is judged.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.diagnosis.labelled.submission import Submission

SUBMISSIONS: list[Submission] = []


def wrong(exercise, function, name, *codes, right):
    def keep(f):
        SUBMISSIONS.append(Submission(exercise, function, name, codes, f, right))
        return f

    return keep


for _path in sorted(Path(__file__).parent.glob("unit_*.py")):
    import_module(f"{__name__}.{_path.stem}")
