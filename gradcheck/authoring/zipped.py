"""Files as one zip file, the same bytes for the same files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can tell."""


def zipped(files: Mapping[str, bytes], executable: Collection[str] = ()) -> bytes:
    """The bytes of a zip file that holds `files` in their order, by their paths, some of them programs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it was made: only then does the mode count
            entry.external_attr = (0o100755 if name in executable else 0o100644) << 16
            archive.writestr(entry, content, compresslevel=9)
    return buffer.getvalue()
