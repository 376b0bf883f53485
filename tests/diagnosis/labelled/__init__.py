"""Wrong answers that two people wrote and labelled as teachers would, from the curriculum and the solutions alone.

`SUBMISSIONS` were looked at while the diagnosis was built, `HELD_OUT` only counted, when it stood; both are looked at
now. `READ` are those of the folder held_out: their first lines are read by a person who has no hand in the diagnosis.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from labelled.submission import Submission

SUBMISSIONS: list[Submission] = []
HELD_OUT: list[Submission] = []
for _path in sorted(Path(__file__).parent.glob("unit_*.py")):
    _unit = import_module(f"labelled.{_path.stem}")
    (HELD_OUT if _path.stem.endswith("_c") else SUBMISSIONS).extend(_unit.SUBMISSIONS)
    HELD_OUT.extend(getattr(_unit, "MORE", []))
READ: list[Submission] = import_module("labelled.held_out").SUBMISSIONS
