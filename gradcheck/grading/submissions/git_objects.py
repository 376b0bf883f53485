"""Reads the objects of a repository that nobody trusts, by git's plumbing.

A repository's own settings can run programs: core.fsmonitor, filters, textconv, pagers, aliases, gpg.program, ssh
commands, hooks, and a partial clone fetches what is missing by whatever its remote says. So they are never read: git
gets a repository of our own, made for the moment, with nothing in it but our settings, and of the submission only the
folder of objects. That leaves

- alternates and links in it, which would lead to other people's objects: refused;
- replacement refs, grafts, a commit graph or index of packs that lies: not looked at, or switched off;
- the environment and settings of whoever grades: not passed on;
- objects that unpack to gigabytes: git may allocate 32 MiB at a time, and is ended when time is up.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gradcheck.errors import SubmissionError
from gradcheck.grading.submissions.folder import Refused

SECONDS = 30.0
MOST_COMMITS = 100_000
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
    """What git said: a clause."""


@dataclass(frozen=True)
class Entry:
    """A file of a commit. `size` is -1 where git does not know it."""

    mode: int
    kind: str
    id: str
    size: int


@dataclass
class Objects:
    """The objects of one repository. Every method raises GitFailed."""

    git: str
    here: Path
    environment: dict[str, str]
    seconds: float
    until: float

    def commits(self, tip: str) -> list[tuple[str, int]]:
        """The first parents from `tip` back, which are what the branch pointed to, with their committer dates. Cut off
        where objects are missing.
        """
        count = f"--max-count={MOST_COMMITS}"
        lines = self._run("rev-list", "--first-parent", "--timestamp", count, f"{tip}^{{commit}}").splitlines()
        pairs = [line.decode("ascii", "replace").split() for line in lines]
        found = [(pair[1], int(pair[0])) for pair in pairs if len(pair) == 2 and pair[0].lstrip("-").isdigit()]
        if not found:
            raise GitFailed(f"the commit {tip[:12]} cannot be read")
        return found

    def folders(self, commit: str, path: str) -> list[str]:
        """What is no plain file below a folder of a commit."""
        listed = self.entries(commit, [path] if path else [])
        return [name.rsplit("/", 1)[-1] for name, entry in listed if not stat.S_ISREG(entry.mode)]

    def entries(self, commit: str, paths: Sequence[str]) -> list[tuple[str, Entry]]:
        """The entries of these names, of what lies in those that end with a slash, or at the top without names."""
        listed = self._run("ls-tree", "-z", "-l", "--full-tree", commit, "--", *paths)
        found = []
        for record in listed.split(b"\0"):
            about, tab, name = record.partition(b"\t")
            fields = about.decode("ascii", "replace").split()
            if tab and len(fields) == 4:
                size = int(fields[3]) if fields[3].isdigit() else -1
                found.append((os.fsdecode(name), Entry(int(fields[0], 8), fields[1], fields[2], size)))
        return found

    def blobs(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The contents of blobs whose sizes are known to be small. Those that cannot be read are missing."""
        wanted = "".join(f"{each}\n" for each in dict.fromkeys(ids)).encode()
        answer = self._run("cat-file", "--batch", given=wanted)
        found, position = {}, 0
        while (end := answer.find(b"\n", position)) >= 0:
            fields = answer[position:end].split()
            position = end + 1
            if len(fields) == 3 and fields[1] == b"blob" and fields[2].isdigit():
                size = int(fields[2])
                if position + size < len(answer):
                    found[fields[0].decode()] = answer[position : position + size]
                position += size + 1
        return found

    def _run(self, *arguments: str, given: bytes = b"") -> bytes:
        """What a command of git prints, as far as it came."""
        left = self.until - time.monotonic()
        try:
            done = subprocess.run(  # noqa: S603 (our own arguments, no shell)
                [self.git, *arguments],
                input=given,
                capture_output=True,
                timeout=max(left, 0.01),
                env=self.environment,
                cwd=self.here,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise GitFailed(f"reading it takes longer than {self.seconds:g} seconds") from None
        except OSError as error:
            raise GitFailed(f"git cannot be started ({error.strerror or error})") from None
        if done.returncode and not done.stdout:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise GitFailed(said[-1] if said else f"git ended with {done.returncode}")
        return done.stdout


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
        if shallow:
            (own / "shallow").write_text("".join(f"{each}\n" for each in shallow), encoding="ascii")
        yield Objects(git, own, _environment(own, objects), seconds, time.monotonic() + seconds)


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
