"""Feedback as the one zip that Moodle and Canvas take back, its files named so that each finds whom it is for.

Moodle (mod/assign/feedback/file/importziplib.php) reads a person's number and the plugin from the folder's name, as in
the download. Canvas (Assignment#infer_comment_context_from_filename) takes the first two numbers of a file's name for
the person's and for a file that they handed in.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from gradcheck.errors import GradcheckError

ZipHost = Literal["moodle", "canvas"]

_MOODLE = re.compile(r"(?P<who>.+)_(?P<number>\d+)_(?P<plugin>assign(?:submission|feedback)_[a-z]+)(?:_.*)?")
_CANVAS = re.compile(r"(?P<who>[^_]+(?:_late)?)_(?P<number>\d+)_(?P<file>\d+)(?:_.*|\..*)?", re.IGNORECASE)
_CANVAS_GROUPED = re.compile(r"[^_]+(?:_late)?_\d+", re.IGNORECASE)
_MOST_FILES = 200_000


def path_in_zip(host: ZipHost, submission: str, ending: str, handed_in: Mapping[str, str]) -> str | None:
    """Where a submission's feedback belongs; None where its name says no number of the host's. `handed_in` has, of
    submissions that came as several files, one of those.
    """
    if host == "moodle":
        found = _MOODLE.fullmatch(submission)
        if not found:
            return None
        # The number is the second of the parts between underscores: nothing before it may have one.
        return f"{found['who'].replace('_', ' ')}_{found['number']}_{found['plugin']}/feedback{ending}"
    found = _CANVAS.fullmatch(handed_in.get(submission, submission))
    return f"{found['who']}_{found['number']}_{found['file']}_feedback{ending}" if found else None


def files_handed_in(source: Path | None) -> dict[str, str]:
    """Of every submission in what Canvas had downloaded, a folder or the zip as it came, one file's name."""
    names = sorted(_names_in(source)) if source else []
    found: dict[str, str] = {}
    for name in names:
        if _CANVAS.fullmatch(name):
            parts = name.split("_")
            late = parts[1].lower() == "late"
            found.setdefault("_".join(parts[: 3 if late else 2]), name)
    return found


def needs_files(submission: str) -> bool:
    """Whether only the download can tell which file of a person's Canvas wants to hear of."""
    return _CANVAS_GROUPED.fullmatch(submission) is not None


def zip_of(files: Iterable[tuple[str, bytes]]) -> bytes:
    """The zip: the same bytes for the same files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files:
            packed.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _names_in(source: Path) -> Sequence[str]:
    try:
        if source.is_dir():
            return [path.name for path in source.iterdir() if path.is_file()]
        with zipfile.ZipFile(source) as packed:
            return [name.rsplit("/", 1)[-1] for name in packed.namelist()[:_MOST_FILES]]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise GradcheckError(
            f"{source} cannot be read: {error}; give the folder or the zip of submissions that Canvas made"
        ) from None
