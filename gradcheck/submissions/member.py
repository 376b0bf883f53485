"""One entry of an archive, of whichever format."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from gradcheck.submissions.layout import Kind


@dataclass(frozen=True)
class Member:
    """`read(most)` unpacks a file of at most so many bytes; it raises `Refused` for what is not read.

    `path` is None for a name that leads outside of the archive; `told` is the name for messages.
    """

    path: str | None
    told: str
    kind: Kind
    read: Callable[[int], bytes]


def relative(raw: bytes, encoding: str) -> tuple[str | None, str]:
    """A member's path with single slashes, and its name for messages. The path is None where the name is absolute,
    climbs with `..`, names a drive or holds a null byte; it is empty for the archive's own root. Backslashes separate:
    some Windows tools write them.
    """
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        name = raw.decode(encoding, "replace")
    name = name.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    outside = name.startswith("/") or ".." in parts or "\0" in name or re.match("[A-Za-z]:", name)
    return (None if outside else "/".join(parts)), name
