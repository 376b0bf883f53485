"""Right and wrong answers of all units: those of units 04 and 05, and one file for each other unit."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.checks import right_answers, wrong_answers

_UNITS = [import_module(f"tests.checks.{path.stem}") for path in sorted(Path(__file__).parent.glob("unit_*.py"))]
RIGHT = right_answers.RIGHT | {name: styles for unit in _UNITS for name, styles in unit.RIGHT.items()}
WRONG = wrong_answers.WRONG + [wrong for unit in _UNITS for wrong in unit.WRONG]
