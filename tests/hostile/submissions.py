"""Every hostile submission: one table, made of the families' tables, and what writes a class of them to disk."""

from __future__ import annotations

import os
from pathlib import Path

from tests.hostile import (
    hostile_archives,
    hostile_autograd,
    hostile_exits,
    hostile_files,
    hostile_forgeries,
    hostile_lies,
    hostile_loops,
    hostile_patches,
    hostile_processes,
    hostile_resources,
    hostile_searches,
    hostile_settings,
    hostile_sources,
)
from tests.hostile.hostile_record import FULL, PATHS, RIGHT, Hostile, Place

HONEST = ("aa-honest", "mm-honest", "zz-honest")
"""Right in everything, and first, among and last of the class."""

FAMILIES = (
    hostile_loops,
    hostile_exits,
    hostile_processes,
    hostile_resources,
    hostile_patches,
    hostile_autograd,
    hostile_lies,
    hostile_searches,
    hostile_forgeries,
    hostile_files,
    hostile_archives,
    hostile_sources,
    hostile_settings,
)
SUBMISSIONS: dict[str, Hostile] = {
    each.name: each
    for each in (
        *(Hostile(name, "honest", {}) for name in HONEST),
        *(each for family in FAMILIES for each in family.CASES),
    )
}


def write(each: Hostile, place: Place) -> None:
    """Put a submission on disk: what its table names, and right answers for the other exercises."""
    root = os.fsencode(place.class_folder) + b"/" + (each.folder or each.name.encode())
    folder = Path(os.fsdecode(root))
    for name, content in each.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(place.fill(content), encoding="utf-8", errors="surrogateescape", newline="")
        else:
            content(path, place)
    for exercise in FULL:
        path = folder / PATHS[exercise]
        if not {PATHS[exercise], ""} & set(each.files) and each.expected(exercise).least:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(RIGHT[exercise], encoding="utf-8")
