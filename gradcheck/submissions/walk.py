"""Goes through folders within folders, the likely ones and the shallow ones first, and not on for ever."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

from gradcheck.submissions.layout import WHOLE, Entry, passed_over, units

MOST_ENTRIES = 20_000
MOST_IN_A_FOLDER = 10_000
MOST_DEEP = 8
"""Names of a path. An exercise needs three, and people wrap folders into folders."""


def walked(listing: Callable[[str], Sequence[Entry]]) -> tuple[Sequence[Entry], Sequence[str]]:
    """What lies below a folder, and what of it was not looked at. `listing` gives what lies directly in "" or "a/b"."""
    found: list[Entry] = []
    waiting: list[tuple[bool, int, str]] = [(False, 0, "")]
    too_deep = too_many = False
    while waiting:
        _, deep, here = heapq.heappop(waiting)
        inside = listing(here)
        too_many |= len(inside) >= MOST_IN_A_FOLDER
        if here and any(each.name == "pyvenv.cfg" for each in inside):
            continue  # an environment of Python's, with other people's files
        for each in sorted(inside, key=lambda each: each.path):
            if passed_over(each.name):
                continue
            found.append(each)
            if each.kind == "folder":
                if deep + 1 < MOST_DEEP:
                    likely = {WHOLE, *units()}.intersection(each.path.split("/"))
                    heapq.heappush(waiting, (not likely, deep + 1, each.path))
                else:
                    too_deep = True
        if len(found) >= MOST_ENTRIES and waiting:
            too_many, waiting = True, []
    trouble = []
    if too_many:
        trouble.append(f"it holds more than {MOST_ENTRIES:,} files; those that lie deepest were not looked at")
    if too_deep:
        trouble.append(f"folders that lie more than {MOST_DEEP} deep were not looked at")
    return found, trouble
