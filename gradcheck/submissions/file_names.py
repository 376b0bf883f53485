"""Which exercise a file is by its name, as people, browsers and systems write names."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from gradcheck.catalog import all_exercises

Likeness = Literal["called so", "like it", "perhaps"]
"""`relu.py`; `Relu.py`, `relu (1).py`, `relu copy.py`; and what only mentions it: `relu_ada.py`, `relu.py.txt`."""

_COPY = r"copy|kopie|copia|cópia|copie"
_BEFORE = re.compile(rf"(?:{_COPY}) (?:of|von|de) ", re.IGNORECASE)
_BEHIND = re.compile(rf"(?:[-_–\s]*\(?(?:{_COPY})\)?(?:[-_\s]*\d+)?|\s*\(\d+\)|[-_\s]+\d+)\s*$", re.IGNORECASE)
_TOOLS = {"conftest", "setup", "sitecustomize", "usercustomize", "__init__", "__main__"}
_COMPILED = (".pyc", ".pyo", ".pyd", ".so")


@dataclass(frozen=True)
class Named:
    """The exercise that a file could be, and how much its name says so."""

    exercise: str
    likeness: Likeness


@lru_cache(maxsize=4096)
def exercise_named(name: str) -> Named | None:
    """What a file of this name could be; None where its name says nothing."""
    stem, dot, ending = name.partition(".")
    if name.lower().endswith(_COMPILED) or is_a_tool(name):
        return None
    if ending == "py" and stem in all_exercises():
        return Named(stem, "called so")
    is_python = f"{dot}{ending}".lower().endswith(".py")
    if found := _squeezed_names().get(_squeezed(_without_copies(stem))):
        return Named(found, "like it" if is_python else "perhaps")
    mentioned = _mentioned(name if is_python else stem)
    return Named(mentioned, "perhaps") if mentioned and is_python else None


def is_a_tool(name: str) -> bool:
    """Whether a Python file is one that tools look for, such as tests: nobody's exercise is called so."""
    stem = name.lower().partition(".")[0]
    return stem in _TOOLS or stem.startswith("test_") or stem.endswith("_test")


def resembles_unit(folder: str) -> bool:
    """`modules`, `04-Modules` and the like: the name of a unit with its number or case changed."""
    return _letters(folder) in _unit_letters()


def _without_copies(stem: str) -> str:
    stem = _BEFORE.sub("", unicodedata.normalize("NFC", stem).strip(), count=1)
    while shorter := _BEHIND.sub("", stem):
        if shorter == stem:
            break
        stem = shorter
    return stem


def _mentioned(name: str) -> str:
    """The one exercise whose name stands in a file's name as words of its own; of `log_softmax` not softmax as well."""
    words = f"_{re.sub(r'[^a-z0-9]+', '_', name.casefold())}_"
    found = [each for each in all_exercises() if f"_{each}_" in words]
    longest = max(found, key=len, default="")
    return longest if all(f"_{each}_" in f"_{longest}_" for each in found) else ""


def _squeezed(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalpha())


@cache
def _squeezed_names() -> dict[str, str]:
    return {_squeezed(name): name for name in all_exercises()}


@cache
def _unit_letters() -> frozenset[str]:
    return frozenset(_letters(exercise.unit) for exercise in all_exercises().values())
