"""Text and numbers as any reader takes them: no control codes, no half of a character, nothing that JSON lacks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def printable(text: str) -> str:
    """Text of a submission without terminal control codes: what moves the cursor or the colours is shown, not done."""
    return "".join(
        character if character.isprintable() or character == "\n" else repr(character)[1:-1] for character in text
    )


def name_of(kind: type) -> str:
    """What a class was called, whatever it says of itself now."""
    name: str = type.__dict__["__name__"].__get__(kind)
    return name[:100]


def in_json(value: Any) -> Any:
    """Plain values as JSON has them: NaN and infinities are strings, tuples lists, keys text, and text is `clean`."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, (list, tuple)):
        return [in_json(each) for each in value]
    if isinstance(value, dict):
        return {str(name): in_json(each) for name, each in value.items()}
    return clean(value) if isinstance(value, str) else value


def clean(text: str) -> str:
    """Text that any UTF-8 writer takes: lone surrogates replaced."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def in_a_row(names: Sequence[str]) -> str:
    """w0, b0 and w1."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
