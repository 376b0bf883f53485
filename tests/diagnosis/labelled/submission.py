from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Submission(NamedTuple):
    exercise: str
    function: str
    name: str
    codes: tuple[str, ...]
    wrong: Callable
    right: str = ""
