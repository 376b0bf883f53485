"""A release on disk: what is written, renewed, kept or removed. A manifest says what we wrote.

A file is ours while its content is one that we wrote. Whatever else lies at its place stays, and nothing is written
through a link. The manifest names the new contents before the first of them is written, so that an interrupted run is
taken up by the next.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gradcheck import __version__
from gradcheck.errors import GradcheckError
from gradcheck.grading.small_files import read_small, write_whole

MANIFEST = ".gradcheck-release.json"
HOSTS = ("actions", "classroom50", "plain")
"""By where pushes are graded."""
SCHEMA = "gradcheck/release/v1"
_MOST_BYTES = 4 * 1024 * 1024
_BLOCKED = "blocked"
"""A link, a folder, or a device is there, or on the way."""

_Known = Mapping[str, list[str]]
"""The contents, as hashes, that we gave each file."""


@dataclass(frozen=True)
class Updated:
    """Paths inside the release, each in one of these. `kept`: changed by somebody since, and left as it is."""

    added: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def host_of(dest: Path) -> str:
    """The host that an earlier release is for; empty where it does not say, or where there is none.

    Raises GradcheckError unless `dest` is absent, empty but for .git, or an earlier release.
    """
    return _earlier(dest).host


def update(dest: Path, files: Mapping[str, bytes], *, host: str = "") -> Updated:
    """Bring `dest` up to `files`, by their paths. Raises GradcheckError."""
    known = _earlier(dest).files
    outcome = _plan(dest, files, known)
    changed = {path: digest(path, files[path]) for path in (*outcome.added, *outcome.renewed)}
    during = {path: [*known.get(path, []), *_one(changed.get(path))] for path in {*known, *changed}}
    after = {path: hashes for path, hashes in known.items() if path not in outcome.removed}
    after |= {path: [digest(path, files[path])] for path in (*outcome.unchanged, *changed)}
    try:
        dest.mkdir(parents=True, exist_ok=True)
        if changed or outcome.removed:
            _write_manifest(dest, during, host)
        for path in changed:
            _write(dest, path, files[path])
        for path in outcome.removed:
            _remove(dest, path)
        _write_manifest(dest, after, host)
    except OSError as error:
        where = error.filename or dest
        raise GradcheckError(
            f"{where} cannot be written: {error.strerror}. The release is incomplete; mend that, then run this again"
        ) from None
    return outcome


def digest(path: str, content: bytes) -> str:
    """What tells two contents apart. A text is the same with the line ends that git gives it on Windows."""
    text = content if path.endswith(".whl") else content.replace(b"\r\n", b"\n")
    return hashlib.sha256(text).hexdigest()


def _one(value: str | None) -> list[str]:
    return [] if value is None else [value]


def _plan(dest: Path, files: Mapping[str, bytes], known: _Known) -> Updated:
    groups: dict[str, list[str]] = {"added": [], "renewed": [], "unchanged": [], "kept": [], "removed": []}
    for path in sorted(files):
        there = _state(dest, path)
        if there == "":
            groups["added"].append(path)
        elif there == digest(path, files[path]):
            groups["unchanged"].append(path)
        elif _ours(there, path, known):
            groups["renewed"].append(path)
        else:
            groups["kept"].append(path)
    texts = b"\n".join(_text(dest, path) for path in groups["kept"])
    for path in sorted(set(known) - set(files)):
        if there := _state(dest, path):
            named = PurePosixPath(path).name.encode() in texts  # such as the wheel of a requirements.txt that is kept
            groups["removed" if _ours(there, path, known) and not named else "kept"].append(path)
    return Updated(**{group: tuple(paths) for group, paths in groups.items()})


def _ours(there: str, path: str, known: _Known) -> bool:
    """Whether we wrote what is there. What is blocked never is, though a learner's manifest may say so."""
    return there not in {"", _BLOCKED} and there in known.get(path, [])


def _state(dest: Path, path: str) -> str:
    """The hash of the file, empty where there is none."""
    here = dest
    for part in PurePosixPath(path).parts[:-1]:
        here /= part
        if here.is_symlink() or (here.exists() and not here.is_dir()):
            return _BLOCKED
    file = dest / path
    if file.is_symlink() or (file.exists() and not file.is_file()):
        return _BLOCKED
    try:
        return digest(path, file.read_bytes())
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise GradcheckError(f"{file} cannot be read: {error.strerror}; nothing was changed") from None


def _text(dest: Path, path: str) -> bytes:
    if path.startswith("exercises/") or _state(dest, path) == _BLOCKED:
        return b""
    return (dest / path).read_bytes()


@dataclass(frozen=True)
class _Earlier:
    """The release that is there, as its manifest has it."""

    files: dict[str, list[str]] = field(default_factory=dict)
    host: str = ""


def _earlier(dest: Path) -> _Earlier:
    if dest.is_symlink():
        raise GradcheckError(f"{dest} is a link; give the folder itself, so that nothing is written elsewhere")
    if not dest.exists():
        return _Earlier()
    if not dest.is_dir():
        raise GradcheckError(f"{dest} is there and no folder; give the release a folder of its own")
    manifest = dest / MANIFEST
    if not os.path.lexists(manifest):
        others = sorted(each.name for each in dest.iterdir() if each.name != ".git" and not _leftover(each.name))
        if others:
            raise GradcheckError(
                f"{dest} holds {others[0]} and no {MANIFEST}, so it is no release of gradcheck's; give an empty or new "
                "folder"
            )
        return _Earlier()
    return _manifest(manifest)


def _leftover(name: str) -> bool:
    return name.startswith(f".{MANIFEST}.") and name.endswith(".part")


def _manifest(path: Path) -> _Earlier:
    broken = GradcheckError(
        f"{path} is damaged, so nobody knows which files were changed since; nothing was written. "
        "Take it from an earlier commit, or release into a new folder"
    )
    if path.is_symlink():
        raise broken
    try:
        content = read_small(path, _MOST_BYTES)
        read = json.loads(content or b"")
        files, host = read["files"], read.get("host", "")
        if read["schema"] != SCHEMA or host not in ("", *HOSTS):
            raise broken
        if not all(_safe(each) and isinstance(files[each], list) for each in files):
            raise broken
    except OSError as error:
        raise GradcheckError(f"{path} cannot be read: {error.strerror}; nothing was written") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise broken from None
    return _Earlier({path: [str(each) for each in hashes] for path, hashes in files.items()}, host)


def _safe(path: str) -> bool:
    """Whether it stays inside. A learner may have edited the manifest."""
    parts = path.split("/")
    odd = "\\" in path or ":" in path or "\0" in path
    return not odd and parts[0].lower() != ".git" and all(part not in {"", ".", ".."} for part in parts)


def _write_manifest(dest: Path, known: _Known, host: str) -> None:
    files = {path: sorted(set(known[path])) for path in sorted(known)}
    about = {"schema": SCHEMA, "gradcheck": __version__, **({"host": host} if host else {})}
    text = json.dumps({**about, "files": files}, indent=1) + "\n"
    if _state(dest, MANIFEST) != digest(MANIFEST, text.encode()):
        _write(dest, MANIFEST, text.encode())


def _write(dest: Path, path: str, content: bytes) -> None:
    file = dest / path
    file.parent.mkdir(parents=True, exist_ok=True)
    for part in file.parent.glob(f".{file.name}.*.part"):  # of a run that was killed, or a link that waits for us
        part.unlink(missing_ok=True)
    write_whole(file, content)


def _remove(dest: Path, path: str) -> None:
    (dest / path).unlink(missing_ok=True)
    with suppress(OSError):  # something else is in there
        for folder in PurePosixPath(path).parents[:-1]:
            (dest / folder).rmdir()
