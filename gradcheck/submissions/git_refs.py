"""Where a repository's branches and tags point, read from its files: git itself would read its settings too."""

from __future__ import annotations

import re

from gradcheck.submissions.folder import Opened

_ID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"refs/(?!.*(?:\.\.|//))[^\x00-\x20\x7f~^:?*\[\\]+")
_SMALL, _PACKED = 4096, 16 << 20
_MOST_REFS = 1_000


def head(repository: Opened) -> str | None:
    """The commit that HEAD leads to: the checked out branch, which in a fresh clone is the default branch. None: no
    commit yet, or refs of a kind that is not read here. Raises Refused.
    """
    return _resolved(repository, repository.read("HEAD", _SMALL))


def tag(repository: Opened, name: str) -> str | None:
    """The object that a tag names. Raises Refused."""
    return _named(repository, f"refs/tags/{name}")


def branches(repository: Opened, most: int = 20) -> dict[str, str]:
    """Where the branches point that the repository keeps, those of its remotes included, the first by name. Raises
    Refused.
    """
    names = {line.partition(b" ")[2].strip() for line in (repository.read("packed-refs", _PACKED) or b"").splitlines()}
    found = {name.decode("utf-8", "replace") for name in names if name.startswith((b"refs/heads/", b"refs/remotes/"))}
    waiting = ["refs/heads", "refs/remotes"]
    while waiting and len(found) < _MOST_REFS:
        for each in repository.entries(waiting.pop()):
            if each.kind == "folder":
                waiting.append(each.path)
            elif each.kind == "file":
                found.add(each.path)
    tips: dict[str, str] = {}
    for name in sorted(name for name in found if _REF.fullmatch(name)):
        if len(tips) >= most:
            break
        if tip := _named(repository, name):
            tips[name.removeprefix("refs/heads/").removeprefix("refs/remotes/")] = tip
    return tips


def shallow(repository: Opened) -> list[str]:
    """The commits before which a shallow clone has no history. Raises Refused."""
    lines = (repository.read("shallow", _PACKED) or b"").split()
    return [line.decode() for line in lines if _ID.fullmatch(line)]


def _resolved(repository: Opened, content: bytes | None, depth: int = 5) -> str | None:
    text = (content or b"").strip()
    if text.startswith(b"ref:") and depth:
        name = text[4:].strip().decode("utf-8", "replace")
        return _named(repository, name, depth - 1) if _REF.fullmatch(name) else None
    return text.decode() if _ID.fullmatch(text) else None


def _named(repository: Opened, name: str, depth: int = 5) -> str | None:
    loose = repository.read(name, _SMALL)
    if loose is not None:
        return _resolved(repository, loose, depth)
    for line in (repository.read("packed-refs", _PACKED) or b"").splitlines():
        value, _, packed = line.partition(b" ")
        if packed.strip() == name.encode("utf-8", "replace") and _ID.fullmatch(value):
            return value.decode()
    return None
