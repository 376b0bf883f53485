"""The characters that drawings in a terminal are made of: blocks where it has them, else what ASCII has."""

from __future__ import annotations

from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Ink:
    """The characters to draw with. `arrows` point right, left, down and up."""

    shades: str
    wrong: str
    corners: str
    side: str
    edge: str
    fold: str
    minus: str
    times: str
    arrows: str
    more: str


BLOCKS = Ink("·░▒▓█", "✗", "┌┐└┘", "│", "─", "┊", "−", "×", "▶◀▼▲", "…")
LETTERS = Ink(".:oO@", "X", "++++", "|", "-", "|", "-", "x", "><v^", "...")


def showable(encoding: str | None) -> bool:
    """Whether a stream of this encoding can show the blocks; if not, draw with LETTERS."""
    try:
        "".join(astuple(BLOCKS)).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
