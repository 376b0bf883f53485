"""Reads the objects of a repository that nobody trusts, by git's plumbing.

A repository's own settings can run programs: core.fsmonitor, filters, textconv, pagers, aliases, gpg.program, ssh
commands, hooks, and a partial clone fetches what is missing by whatever its remote says. So they are never read: git
gets a repository of our own, made for the moment, with nothing in it but our settings, and of the submission only the
folder of objects; where branches and tags point is read from their files here. That leaves

- alternates and links in it, which would lead to other people's objects: refused;
- replacement refs, grafts, a commit graph or index of packs that lies: not looked at, or switched off;
- the environment and settings of whoever grades: not passed on;
- objects that unpack to gigabytes: git may allocate 32 MiB at a time, and is ended when time is up;
- objects that are not what their ids say, which git does not look for when it reads: every one is hashed here, from
  the commit through its trees to the files, so that what is graded is what the commit's id stands for.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO

from gradcheck.errors import SubmissionError
from gradcheck.submissions.folder import Opened
from gradcheck.submissions.layout import Refused

SECONDS = 10.0
MOST_COMMITS = 100_000
MOST_BYTES = {b"commit": 1 << 20, b"tag": 1 << 20, b"tree": 8 << 20}
MOST_BLOB = 16 << 20
UNDATED = float("inf")
"""Where a commit has a date that cannot be: it is from before no deadline."""
_FIRST_COMMIT_EVER = 1_112_911_993
"""April 2005, when git was first used for itself."""
_LAST_YEAR = 253_402_300_800
_COMMITTER = re.compile(rb"(?:.*> )?(-?[0-9]{1,20})(?: [+-][0-9]{1,6})?")
_MOST_FILES = 500_000
_SETTINGS = """[core]
\trepositoryformatversion = {version}
\tbare = true
\tcommitGraph = false
\tmultiPackIndex = false
\tpackedGitWindowSize = 16m
\tpackedGitLimit = 256m
\tdeltaBaseCacheLimit = 16m
\thooksPath = {nowhere}
\tfsmonitor = false
\tpager = cat
[protocol]
\tallow = never
[gc]
\tauto = 0
"""


class GitFailed(Exception):
    """Why something of a repository cannot be read: a clause."""


@dataclass(frozen=True)
class TreeEntry:
    """One name in a tree."""

    mode: int
    name: str
    id: str


@dataclass
class Objects:
    """The objects of one repository, each of them hashed as it is read. Every method raises GitFailed."""

    git: str
    here: Path
    environment: dict[str, str]
    seconds: float
    until: float
    shallow: frozenset[str] = frozenset()
    _talks: dict[str, _Talk] = field(default_factory=dict)

    def commits(self, tip: str) -> list[tuple[str, float]]:
        """The first parents from `tip` back, which are what the branch pointed to, with their committer dates, or
        UNDATED. Cut off where objects are missing.
        """
        found: list[tuple[str, float]] = []
        here = self._peeled(tip)
        while here and len(found) < MOST_COMMITS:
            if found and self._about(here) is None:
                break
            fields = _header(self._content(here, b"commit"))
            found.append((here, _date(fields.get(b"committer", b""))))
            parent = fields.get(b"parent", b"").decode("ascii", "replace")
            here = "" if here in self.shallow else parent
        return found

    def tree_of(self, commit: str) -> str:
        """The tree of a commit, or of what a tag names."""
        return _header(self._content(self._peeled(commit), b"commit")).get(b"tree", b"").decode("ascii", "replace")

    def tree(self, tree: str) -> list[TreeEntry]:
        content, width, found, position = self._content(tree, b"tree"), len(tree) // 2, [], 0
        while position < len(content):
            end = content.find(b"\0", position)
            mode, blank, name = content[position:end].partition(b" ")
            if end < 0 or not blank or not name or not re.fullmatch(rb"[0-7]{1,7}", mode):
                raise GitFailed(f"the tree {tree[:12]} is damaged; clone it anew")
            position = end + 1 + width
            found.append(TreeEntry(int(mode, 8), os.fsdecode(name), content[end + 1 : position].hex()))
        return found

    def size(self, blob: str) -> int | None:
        """What git says that a blob's size is; None where the blob is missing."""
        about = self._about(blob)
        if about is not None and about[0] != b"blob":
            raise GitFailed(f"the object {blob[:12]} is no file")
        return about[1] if about else None

    def blob(self, blob: str) -> bytes:
        """The content of a blob whose size is known to be small."""
        return self._content(blob, b"blob")

    def close(self) -> None:
        for talk in self._talks.values():
            talk.close()
        self._talks = {}

    def _peeled(self, named: str) -> str:
        """The commit that an object is, or that it names if it is a tag."""
        for _ in range(5):
            about = self._about(named)
            if about is None or about[0] != b"tag":
                return named
            named = _header(self._content(named, b"tag")).get(b"object", b"").decode("ascii", "replace")
        return named

    def _content(self, wanted: str, kind: bytes) -> bytes:
        about = self._about(wanted)
        what = kind.decode()
        if about is None:
            raise GitFailed(f"the {what} {wanted[:12]} cannot be read: it is missing or damaged; clone it anew")
        if about[0] != kind:
            raise GitFailed(f"the object {wanted[:12]} is no {what}")
        if about[1] > MOST_BYTES.get(kind, MOST_BLOB):
            raise GitFailed(f"the {what} {wanted[:12]} has {about[1]:,} bytes, which is no size for one")
        answer = self._asked("--batch", wanted)
        if answer is None:
            raise GitFailed(f"the {what} {wanted[:12]} cannot be read: it is damaged; clone it anew")
        content, said = answer
        spelt = b"%b %d\0" % (said, len(content))
        make = hashlib.sha1 if len(wanted) == 40 else hashlib.sha256
        if said != kind or make(spelt + content, usedforsecurity=False).hexdigest() != wanted:
            raise GitFailed(f"the {what} {wanted[:12]} is not what its id says: its content was exchanged or damaged")
        return content

    def _about(self, wanted: str) -> tuple[bytes, int] | None:
        """What kind an object is of and its size, as git says; None where there is none."""
        if not re.fullmatch("[0-9a-f]{40}(?:[0-9a-f]{24})?", wanted):
            return None
        answer = self._asked("--batch-check", wanted)
        return (answer[1], int(answer[0])) if answer else None

    def _asked(self, how: str, wanted: str) -> tuple[bytes, bytes] | None:
        left = self.until - time.monotonic()
        try:
            if how not in self._talks:
                self._talks[how] = _Talk([self.git, "cat-file", how], self.here, self.environment, left)
            return self._talks[how].answer(wanted, whole=how == "--batch")
        except _GitEnded:
            self._talks.pop(how).close()
            if time.monotonic() >= self.until:
                raise GitFailed(f"reading it takes longer than {self.seconds:g} seconds") from None
            return None  # git gave up on this object; of others it is asked anew
        except OSError as error:
            raise GitFailed(f"git cannot be started ({error.strerror or error})") from None


class _GitEnded(Exception):
    """Git has ended, by itself or since its time was up."""


class _Talk:
    """One `git cat-file` that is asked for one object after the other."""

    def __init__(self, command: list[str], here: Path, environment: dict[str, str], seconds: float) -> None:
        self.process = subprocess.Popen(  # noqa: S603 (our own arguments, no shell)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=here,
        )
        self.timer = threading.Timer(max(seconds, 0.01), self.process.kill)
        self.timer.daemon = True
        self.timer.start()

    def answer(self, wanted: str, *, whole: bool) -> tuple[bytes, bytes] | None:
        """An object's content, or its size where not the `whole` is asked for, and its kind. Raises _GitEnded."""
        asked, said = self._pipes()
        try:
            asked.write(f"{wanted}\n".encode())
            asked.flush()
            fields = said.readline(200).split()
            if not fields:
                raise _GitEnded
            if len(fields) != 3 or fields[0] != wanted.encode() or not fields[2].isdigit():
                return None
            if not whole:
                return fields[2], fields[1]
            size = int(fields[2])
            if size > MOST_BLOB + max(MOST_BYTES.values()):
                raise _GitEnded
            content = said.read(size + 1)
        except (OSError, ValueError):
            raise _GitEnded from None
        if len(content) != size + 1:
            raise _GitEnded
        return content[:-1], fields[1]

    def close(self) -> None:
        self.timer.cancel()
        self.process.kill()
        for pipe in self._pipes():
            with suppress(OSError):
                pipe.close()
        self.process.wait()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        return self.process.stdin, self.process.stdout


def _header(content: bytes) -> dict[bytes, bytes]:
    """The fields of a commit or a tag, of those that stand there several times the first."""
    found: dict[bytes, bytes] = {}
    for line in content.partition(b"\n\n")[0].split(b"\n"):
        key, _, value = line.partition(b" ")
        found.setdefault(key, value)
    return found


def _date(committer: bytes) -> float:
    stamp = _COMMITTER.fullmatch(committer)
    seconds = int(stamp[1]) if stamp else 0
    return float(seconds) if _FIRST_COMMIT_EVER <= seconds < _LAST_YEAR else UNDATED


@contextmanager
def opened_objects(
    repository: Path, id_length: int, shallow: Sequence[str], seconds: float = SECONDS
) -> Iterator[Objects]:
    """The objects of `repository`, whose ids have so many digits. Raises Refused, and SubmissionError without git."""
    git = _git()
    objects = repository / "objects"
    _only_plain_files(objects)
    with tempfile.TemporaryDirectory(prefix="gradcheck-git-") as folder:
        own = Path(folder)
        (own / "refs").mkdir()
        (own / "objects").mkdir()
        (own / "HEAD").write_text("ref: refs/heads/nothing\n", encoding="ascii")
        settings = _SETTINGS.format(version=0 if id_length == 40 else 1, nowhere=os.devnull)
        settings += "" if id_length == 40 else "[extensions]\n\tobjectFormat = sha256\n"
        (own / "config").write_text(settings, encoding="ascii")
        read = Objects(git, own, _environment(own, objects), seconds, time.monotonic() + seconds, frozenset(shallow))
        try:
            yield read
        finally:
            read.close()


def _environment(own: Path, objects: Path) -> dict[str, str]:
    """From nothing: what whoever grades has set reaches no repository of a stranger."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
    return {
        **kept,
        "HOME": str(own),
        "XDG_CONFIG_HOME": str(own),
        "LC_ALL": "C",
        "GIT_DIR": str(own),
        "GIT_OBJECT_DIRECTORY": str(objects.absolute()),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOC_LIMIT": "32m",
    }


def _only_plain_files(objects: Path) -> None:
    """Nothing among the objects leads out of them, or never ends. Raises Refused."""
    count = 0
    folders = [objects]
    try:
        if not stat.S_ISDIR(objects.lstat().st_mode):
            raise Refused("its folder of objects is a link; copy the repository itself")
        while folders:
            folder = folders.pop()
            with os.scandir(folder) as entries:
                for entry in entries:
                    count += 1
                    if count > _MOST_FILES:
                        raise Refused(f"it has more than {_MOST_FILES:,} files; run: git gc")
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    elif not entry.is_file(follow_symlinks=False):
                        raise Refused("its objects hold a link or a pipe; clone the repository anew")
                    elif entry.name.endswith("alternates") and folder.name == "info":
                        raise Refused("it borrows objects from another one; clone it anew, without --shared")
    except OSError as error:
        raise Refused(f"its objects cannot be read: {error.strerror or error}") from None


@cache
def _git() -> str:
    found = shutil.which("git")
    if found is None:
        raise SubmissionError(
            "there are git clones among the submissions, and git is not installed; install it, or write "
            'at = "worktree" into [submissions] of course.toml to read the files as they lie there'
        )
    return found


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
