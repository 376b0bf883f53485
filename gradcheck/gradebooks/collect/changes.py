"""A learner's repository from outside: its newest commit, and what of the release it has changed that CI goes by.

It explains a score, it is no proof: the copy's own manifest is the learner's file too, so an instructor names the
release itself where that matters. Exercises are meant to be edited and are not looked at.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from gradcheck.errors import GradcheckError
from gradcheck.submissions import git_objects
from gradcheck.submissions.finder import holds_work
from gradcheck.submissions.folder import FolderTree, Opened, opened
from gradcheck.submissions.git import git_folder
from gradcheck.submissions.layout import WHOLE, Refused, printable, units
from gradcheck.submissions.places import Place

FILE = ".gradcheck-release.json"
SCHEMA = "gradcheck/release/v1"
_MOST = 4 << 20
_MOST_OF_ONE = 32 << 20
_MOST_OF_ALL = 128 << 20
_Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Files = Annotated[dict[str, _Hash | Annotated[list[_Hash], Meta(max_length=99)]], Meta(max_length=2_000)]
"""By path a hash, or a few that the file has had in releases until now."""
_MOST_TOLD = 50
_PACKAGES = ("gradcheck", "torch", "numpy", "sympy", "flint", "pytest", "_pytest", "pluggy", "click", "hypothesis")
"""A file or folder of these names in the place where Python starts hides the real library."""
_STARTED = ("sitecustomize.py", "usercustomize.py", *(f"{name}.py" for name in _PACKAGES))
_CLASSROOM50 = ".github/workflows/autograde.yaml"
"""Classroom 50 adds it to each copy of the release. It calls a workflow of the course's own repository."""
_CALLS = re.compile(rb"^\s*uses:\s*[\"']?[\w.-]+/classroom50/\.github/workflows/", re.MULTILINE)
_RUNS = re.compile(rb"\b(run|steps)\s*[\"']?\s*:")
_SETTINGS = ("conftest.py", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "setup.py", "pyproject.toml")


@dataclass(frozen=True)
class Manifest:
    """The hashes that a file of the release may have, by path; the grader's version; `content` is the file itself."""

    files: Mapping[str, Collection[str]]
    version: str
    content: bytes


@dataclass(frozen=True)
class Clone:
    """A submission that `gradcheck grade` can read: a clone, a checkout or an archive. `commit` is HEAD's, empty where
    there is none; `changed` is what differs from the release, apart from exercises.
    """

    name: str
    commit: str = ""
    changed: tuple[str, ...] = ()


def is_clone(path: Path) -> bool:
    """Whether a folder is somebody's work rather than a place for result files."""
    if git_folder(path) is not None or (path / ".git").exists():
        return True
    try:
        with opened(path) as folder:
            return holds_work(FolderTree(folder))
    except OSError:
        return False


def clone_at(place: Place, release: Manifest | None) -> Clone:
    """What a place shows. Nothing in it can make this fail."""
    path = Path(place.path)
    if not place.is_folder:
        return Clone(place.name)
    commit = ""
    repository = git_folder(path)
    with suppress(OSError, Refused):
        if repository is not None:
            with opened(repository) as folder:
                commit = git_objects.head(folder) or ""
    if repository == path:  # a bare one has no files to compare
        return Clone(place.name, commit)
    with suppress(OSError), opened(path) as folder:
        return Clone(place.name, commit, tuple(changes(path, folder, release)))
    return Clone(place.name, commit)


def load_release(root: Path) -> Manifest:
    """The manifest of a release's folder. Raises GradcheckError."""
    try:
        with opened(root.resolve()) as folder:
            found = manifest_in(folder)
    except OSError as error:
        raise GradcheckError(f"{root} cannot be read: {error.strerror or error}; give the release's folder") from None
    except Refused as reason:
        raise GradcheckError(f"{root}: {reason}; make the release anew with gradcheck release") from None
    if found is None:
        raise GradcheckError(f"there is no {FILE} in {root}; give the folder that gradcheck release made")
    return found


def manifest_in(folder: Opened) -> Manifest | None:
    """The manifest of a release or of a copy of it; None where there is none. Raises Refused."""
    content = folder.read(FILE, _MOST)
    if content is None:
        return None
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refused(f"{FILE} is damaged: it is not JSON") from None
    files = found.get("files") if isinstance(found, dict) else None
    if not isinstance(files, dict) or found.get("schema") != SCHEMA:
        raise Refused(f"{FILE} is not of the schema {SCHEMA}")
    try:
        known = msgspec.convert(files, _Files)
    except msgspec.ValidationError:
        raise Refused(f"{FILE} has a list of files that is damaged") from None
    hashes = {path: [one] if isinstance(one, str) else one for path, one in known.items()}
    version = found.get("gradcheck", found.get("version"))
    return Manifest(hashes, printable(version[:40]) if isinstance(version, str) else "", content)


def changes(root: Path, folder: Opened, release: Manifest | None) -> list[str]:
    """What differs from the release below `root`, which `folder` is: `edited conftest.py`, `removed …`, `added …`.

    `release` is the instructor's; without one the copy's own counts. Never raises for what is in the copy.
    """
    own: Manifest | None = None
    found: list[str] = []
    try:
        own = manifest_in(folder)
    except Refused as reason:
        found.append(str(reason))
    found += [*_changed(folder, release or own), *_shadowing(folder)]
    if release and own and own.content != release.content:
        found.append(f"edited {FILE}, or it is another release's ({own.version or 'no version'})")
    if known := release or own:
        found += _added(root, folder, known.files)
    told = list(dict.fromkeys(map(printable, found)))
    return told if len(told) <= _MOST_TOLD else [*told[:_MOST_TOLD], f"and {len(told) - _MOST_TOLD} more"]


def _changed(folder: Opened, manifest: Manifest | None) -> Iterator[str]:
    spent = 0
    for path, expected in sorted(manifest.files.items()) if manifest else ():
        if not _counts(path):
            continue
        try:
            content = folder.read(path, _MOST_OF_ONE)
        except Refused as reason:
            yield str(reason)
            continue
        if content is None:
            yield f"removed {path}"
            continue
        spent += len(content)
        if spent > _MOST_OF_ALL:
            yield "its files are too large to compare all of them"
            return
        # A clone on Windows has other line ends in its files than the commit.
        if not {_sha256(content), _sha256(content.replace(b"\r\n", b"\n"))}.intersection(expected):
            yield f"edited {path}"


def _counts(path: str) -> bool:
    """Whether a file of the release has a say in what CI computes."""
    name = path.rsplit("/", 1)[-1]
    if path.split("/", 1)[0] == WHOLE:
        return name in _SETTINGS
    return not (name.lower().endswith((".md", ".txt")) and not name.startswith("requirements")) and name != ".gitignore"


def _shadowing(folder: Opened) -> Iterator[str]:
    """What Python or pytest would take in the place of a library, or run before anything else."""
    try:
        names = folder.files()
    except OSError:
        names = []
    for name in sorted(names):
        if name in _STARTED or name.endswith(".pth"):
            yield f"added {name}"
    for name in sorted(folder.subfolders("")):
        if name in _PACKAGES:
            yield f"added {name}/"


def _added(root: Path, folder: Opened, known: Collection[str]) -> Iterator[str]:
    for place in ("", WHOLE, *(f"{WHOLE}/{unit}" for unit in sorted(units())), "tests"):
        for name in _SETTINGS:
            path = f"{place}/{name}" if place else name
            if path not in known and _is_there(folder, path):
                yield f"added {path}"
    for parts in ((".github", "workflows"), ("vendor",)):
        for name in sorted(_listed(root, parts)):
            path = "/".join((*parts, name))
            if path not in known and not _is_the_hosts(folder, path):
                yield f"added {path}"


def _is_the_hosts(folder: Opened, path: str) -> bool:
    """Whether a file is Classroom 50's, and does nothing but call the course's workflow."""
    if path != _CLASSROOM50:
        return False
    try:
        content = folder.read(path, _MOST) or b""
    except Refused:
        return False
    return _CALLS.search(content) is not None and _RUNS.search(content) is None


def _is_there(folder: Opened, path: str) -> bool:
    try:
        descriptor = folder.open(path)
    except Refused:
        return True
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def _listed(root: Path, parts: tuple[str, ...]) -> list[str]:
    """The plain files of a folder below `root`, none where a link is on the way."""
    here = root
    try:
        for part in parts:
            here /= part
            if here.is_symlink():
                return []
        with opened(here) as folder:
            return folder.files()
    except (OSError, ValueError):
        return []


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
