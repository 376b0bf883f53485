"""Reads a submission that is a folder or an archive. Clones have `git.py`."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

from gradcheck.submissions.archive import ArchiveTree
from gradcheck.submissions.bounds import ReadingBounds, Spent
from gradcheck.submissions.finder import choose
from gradcheck.submissions.folder import BY_DESCRIPTOR, PLAIN_FILE, FolderTree, opened
from gradcheck.submissions.layout import Findings, Refused


def read_folder(root: Path, findings: Findings, *, by_descriptor: bool = BY_DESCRIPTOR) -> None:
    """Read the exercises and the record of hints below `root` into `findings`. Raises OSError when `root` itself cannot
    be opened, and nothing else.
    """
    with opened(root, by_descriptor) as folder:
        choose(FolderTree(folder), findings)


def read_archive(path: Path, findings: Findings, bounds: ReadingBounds | None = None) -> None:
    """The same for an archive file. No time of it says when it was handed in: a download writes its own, and those
    inside are its author's to choose. Raises OSError when it cannot be opened.
    """
    descriptor = os.open(path, PLAIN_FILE)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        findings.note("it is not a plain file")
        return
    with os.fdopen(descriptor, "rb") as file:
        read_open_archive(file, os.fstat(descriptor).st_size, findings, bounds)


def archive_in(content: bytes, findings: Findings, bounds: ReadingBounds | None = None) -> None:
    """The same for an archive in memory."""
    read_open_archive(io.BytesIO(content), len(content), findings, bounds)


def read_open_archive(file: BinaryIO, size: int, findings: Findings, bounds: ReadingBounds | None = None) -> None:
    """The same for an archive that is open already."""
    spent = Spent(bounds or ReadingBounds())
    try:
        tree = ArchiveTree(file, size, spent)
    except Refused as reason:
        findings.note(f"it {reason}")
        return
    choose(tree, findings, spent)
