"""Wrong answers that two people wrote and labelled as teachers would, from the curriculum and the solutions alone.

`SUBMISSIONS` were looked at while the diagnosis was built, `HELD_OUT` only counted, when it stood; both are looked at
now. `READ` are those of the folder read: their first lines are read by a person who has no hand in the diagnosis.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.diagnosis.labelled.submission import Submission

SUBMISSIONS: list[Submission] = []
HELD_OUT: list[Submission] = []
_FOLDER = Path(__file__).parent
for _path in sorted((*_FOLDER.glob("unit_*.py"), *_FOLDER.glob("held_out/unit_*.py"))):
    _unit = import_module(".".join((__name__, *_path.relative_to(_FOLDER).with_suffix("").parts)))
    (HELD_OUT if _path.parent.name == "held_out" else SUBMISSIONS).extend(_unit.SUBMISSIONS)
    HELD_OUT.extend(getattr(_unit, "MORE", []))
READ: list[Submission] = import_module(f"{__name__}.read").SUBMISSIONS
