"""Names for submissions: readable, and files of that name can be made on every system."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable

MOST_BYTES = 120
"""Of UTF-8, so that `NAME.json` and its like stay far below the 255 bytes that file systems take."""
_FORBIDDEN = frozenset('<>:"/\\|?*%#')
"""The first nine Windows forbids; % and # would change what a link to the report means."""
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
"""What Windows takes for a device, whatever follows the first dot."""


def readable(raw: str | bytes) -> str:
    """A name as text without surrogates: UTF-8, or else Latin-1, in which every byte is a character."""
    try:
        content = raw if isinstance(raw, bytes) else os.fsencode(raw)
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte, which Windows allows
        return str(raw).encode("utf-8", "replace").decode("utf-8")


def safe_name(raw: str | bytes) -> str:
    """`raw` with what some system refuses in a file name, or nobody can see, replaced by `_`. Never empty."""
    text = unicodedata.normalize("NFC", readable(raw))
    text = "".join("_" if char in _FORBIDDEN or not char.isprintable() else char for char in text)
    text = _shortened(text).strip(" ").rstrip(" .")
    if text[:1] in {".", "-", "~"}:  # hidden, an option of some command, somebody's home
        text = "_" + text[1:]
    if _RESERVED.match(text):
        text = "_" + text
    return text or "unnamed"


def folded(name: str) -> str:
    """The same for names that some file system takes for one: macOS and Windows ignore case, macOS composes."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def unique_names(raws: Iterable[str]) -> list[str]:
    """A safe name for each, in order; where two collide the later ones get -2, -3 and so on.

    Names that are safe as they are keep themselves, whatever comes before: what was graded as `alice` is not called
    `alice-2` because a stranger's name turns into it.
    """
    originals = list(raws)
    wanted = [safe_name(raw) for raw in originals]
    taken: set[str] = set()
    names = [""] * len(wanted)
    unchanged = [index for index, name in enumerate(wanted) if name == originals[index]]
    changed = [index for index, name in enumerate(wanted) if name != originals[index]]
    again: list[int] = []
    for index in unchanged + changed:
        if folded(wanted[index]) in taken:
            again.append(index)
        else:
            names[index] = wanted[index]
            taken.add(folded(wanted[index]))
    counts: dict[str, int] = {}
    for index in again:
        stem = folded(wanted[index])
        number = counts.get(stem, 1) + 1
        while folded(f"{wanted[index]}-{number}") in taken:
            number += 1
        counts[stem] = number
        names[index] = f"{wanted[index]}-{number}"
        taken.add(folded(names[index]))
    return names


def _shortened(text: str) -> str:
    return text.encode("utf-8")[:MOST_BYTES].decode("utf-8", "ignore")
