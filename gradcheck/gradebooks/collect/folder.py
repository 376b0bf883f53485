"""The folder that collecting writes to. Running again renews its own files; what anybody else put there is never lost.

Which files are its own is known by their hashes, kept in collected.json: a gradebook that somebody has edited since is
no longer its own.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradcheck.errors import GradcheckError
from gradcheck.gradebooks.collect.csv import SCHEMA
from gradcheck.grading.small_files import read_small, write_whole

NAMES = ("gradebook.csv", "differences.csv", "collected.md")
INDEX = "collected.json"
_MOST = 256 << 20


def must_be_free(out: Path) -> Mapping[str, list[str]]:
    """The hashes of the files that an earlier run wrote to `out`, by name. Raises GradcheckError, and writes nothing,
    where something there is not ours, or the folder cannot be made.
    """
    if os.path.lexists(out) and not out.is_dir():
        raise GradcheckError(f"{out} is not a folder; give --out another place")
    known = _known(out)
    for name in NAMES:
        path = out / name
        if not os.path.lexists(path):
            continue
        if path.is_symlink() or not path.is_file():
            raise GradcheckError(f"{path} is there and is no plain file; {_advice()}")
        if _hash(_content(path)) not in known.get(name, []):
            what = "has been changed since collect wrote it" if known else "was not written by collect"
            raise GradcheckError(f"{path} {what}; {_advice()}")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GradcheckError(f"{out} cannot be made: {error.strerror}; give --out another place") from None
    if not os.access(out, os.W_OK | os.X_OK):
        raise GradcheckError(f"{out} cannot be written to; give --out another place")
    return known


def write(out: Path, known: Mapping[str, list[str]], collected: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Write the files by name, and the index first: ended at any moment, the next run knows old and new as its own.

    `known` is what `must_be_free` said. A file that this run does not make is removed. Raises GradcheckError.
    """
    hashes = {name: list(dict.fromkeys([_hash(files[name]), *known.get(name, [])[:1]])) for name in files}
    index = json.dumps({**collected, "files": hashes}, indent=1, allow_nan=False) + "\n"
    _put(out / INDEX, index.encode())
    for name in NAMES:
        if name in files:
            _put(out / name, files[name])
        elif name in known and os.path.lexists(out / name):
            (out / name).unlink()  # its hash was compared before: it is ours


def _known(out: Path) -> Mapping[str, list[str]]:
    path = out / INDEX
    if not os.path.lexists(path):
        return {}
    if path.is_symlink() or not path.is_file():
        raise GradcheckError(f"{path} is there and is no plain file; {_advice()}")
    try:
        found = json.loads(_content(path).decode())
    except (ValueError, RecursionError):
        found = None
    files = found.get("files") if isinstance(found, dict) and found.get("schema") == SCHEMA else None
    if not isinstance(files, dict):
        raise GradcheckError(f"{path} was not written by collect, or is damaged; {_advice()}")
    return {name: [str(each) for each in hashes] for name, hashes in files.items() if isinstance(hashes, list)}


def _advice() -> str:
    return "nothing was written. Move it away, or give --out another place"


def _content(path: Path) -> bytes:
    try:
        content = read_small(path, _MOST)
    except OSError as error:
        raise GradcheckError(f"{path} cannot be read: {error.strerror}; {_advice()}") from None
    if content is None:
        raise GradcheckError(f"{path} has more than {_MOST >> 20} MiB; {_advice()}")
    return content


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _put(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except OSError as error:
        raise GradcheckError(f"{path} cannot be written: {error.strerror}; give --out another place") from None
