"""At which line of a learner's file something is, for whoever leads people there; nothing of the file is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path

from gradcheck.checks.file_code import tree_of
from gradcheck.grading.small_files import read_small

_MOST_SOURCE = 1_000_000
_PLACE = re.compile(r"[^\s].*:(\d{1,6})(?: in \S+)?$")


class Sources:
    """The files of a checkout, read for line numbers only. `folder` holds `exercises/`; `prefix` is how paths in it
    begin where they are seen from the repository's root.
    """

    def __init__(self, folder: Path, prefix: str = "") -> None:
        self.folder, self.prefix = folder, prefix
        self._read: dict[str, tuple[int, dict[str, int]]] = {}

    def line(self, path: str, function: str, location: Sequence[str] = ()) -> int:
        """The innermost place of `location` in the file, else where the function is defined, else 0."""
        lines, defined = self._of(path)
        places = [found for each in location if (found := _PLACE.fullmatch(each))]
        told = int(places[-1][1]) if places else 0
        return told if 0 < told <= lines else defined.get(function, 0)

    def _of(self, path: str) -> tuple[int, dict[str, int]]:
        """How many lines it has, and the functions with the lines that they begin in."""
        if path not in self._read:
            self._read[path] = _outline(self.folder / path)
        return self._read[path]


def _outline(path: Path) -> tuple[int, dict[str, int]]:
    try:
        content = b"" if path.is_symlink() else read_small(path, _MOST_SOURCE) or b""
    except (OSError, ValueError):
        return 0, {}
    lines = content.count(b"\n") + 1
    tree = tree_of(content)
    body = tree.body if tree else []
    return lines, {each.name: each.lineno for each in body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))}
