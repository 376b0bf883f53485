"""Text and numbers as any reader takes them: no control codes, no half of a character, nothing that JSON lacks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

LONGEST = 600
"""Characters of any one text that are shown; what a submission wrote may go on for pages."""


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


def clipped(text: str, most: int = LONGEST) -> str:
    """A text of somebody else's making, cut where it goes on and on."""
    return text if len(text) <= most else f"{text[:most]} … {len(text):,} characters"


def points(value: float) -> str:
    """1, 2.5, 0.33: no more digits than needed."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def in_a_row(names: Sequence[str]) -> str:
    """w0, b0 and w1."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def plural(count: float, one: str, many: str = "") -> str:
    """The word for so many: `one`, or `many`, which is `one` with an s where none is given."""
    return one if count == 1 else many or f"{one}s"


def counted(count: int, one: str, many: str = "") -> str:
    """1 hint, 2 hints, 1,204 hints."""
    return f"{count:,} {plural(count, one, many)}"


def nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """The one of `known` that is most like `name`, where it is alike enough; else nothing. Everything that guesses what
    was meant asks here; how daring it may be, between 0 and 1, it says in `cutoff`.
    """
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=cutoff)), "")


def did_you_mean(name: str, known: Iterable[str], otherwise: str | None = None, cutoff: float = 0.5) -> str:
    """What to say to whoever wrote `name`, which there is not: did you mean X? If nothing is alike, `otherwise`, or all
    that there is.
    """
    known = list(known)
    if close := nearest(name, known, cutoff):
        return f"did you mean {close}?"
    return f"there are: {', '.join(known)}" if otherwise is None else otherwise
