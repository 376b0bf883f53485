"""Reads a submission from a commit of a git repository: a tag's, the last one before the deadline, or the newest.

What lies in the work tree does not count then. Dates inside commits are written by their author and can be forged; when
something was pushed only the service knows that it was pushed to.
"""

from __future__ import annotations

import io
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from gradcheck.errors import GradcheckError, SubmissionError
from gradcheck.submissions import git_objects
from gradcheck.submissions.archive import MOST_WITHIN
from gradcheck.submissions.finder import choose
from gradcheck.submissions.folder import opened
from gradcheck.submissions.git_objects import MOST_COMMITS, GitFailed, Objects, opened_objects
from gradcheck.submissions.lateness import InTime, Later, moment_text
from gradcheck.submissions.layout import Entry, Findings, Kind, Refused, too_large, walked


@dataclass(frozen=True)
class Commit:
    """The commit to read from a git clone: a tag's; or the last one at or before `until`; or else the newest.

    `steps` are the moments after which it costs more, the earliest first. Where the exercises were at one of them what
    they are in that commit, the commit of then counts: a later push of something else is no later work.
    """

    tag: str = ""
    until: datetime | None = None
    steps: tuple[datetime, ...] = ()


def git_folder(path: Path) -> Path | None:
    """The repository of a clone, or `path` itself where it is a bare one; None where there is none."""
    for place in (path / ".git", path):
        if _is(place, stat.S_ISDIR) and _is(place / "HEAD", stat.S_ISREG) and _is(place / "objects", stat.S_ISDIR):
            return place
    return None


def read_commit(repository: Path, wanted: Commit, findings: Findings) -> None:
    """Read the exercises and the record of hints of one commit into `findings`. Trouble becomes problems.

    Raises OSError when the folder cannot be opened, SubmissionError without git.
    """
    try:
        with opened(repository) as folder:
            tip = git_objects.tag(folder, wanted.tag) if wanted.tag else git_objects.head(folder)
            shallow = git_objects.shallow(folder)
            others = git_objects.branches(folder)
        if tip is None:
            lacks = (
                f"tag {wanted.tag}" if wanted.tag else "commit, or keeps its branches in a way that is not read here"
            )
            findings.note(f"the repository has no {lacks}; nothing of it was read")
            return
        with opened_objects(repository, len(tip), shallow) as objects:
            commit = _chosen(objects, tip, wanted, bool(shallow), findings)
            if commit:
                findings.commit = commit
                choose(CommitTree(objects, commit), findings)
                _tell_other_branches(objects, {name: each for name, each in others.items() if each != tip}, findings)
    except (Refused, GitFailed) as reason:
        findings.note(f"the repository cannot be read: {reason}")


def checked_out(folder: Path) -> str:
    """When the commit was made that a checkout stands at, in ISO 8601 with an offset; empty where that is unknown."""
    try:
        if (repository := git_folder(folder)) is None:
            return ""
        with opened(repository) as opened_folder:
            tip, shallow = git_objects.head(opened_folder), git_objects.shallow(opened_folder)
        if tip is None:
            return ""
        with opened_objects(repository, len(tip), shallow) as objects:
            return moment_text(objects.commits(tip)[0][1])
    except (OSError, SubmissionError, Refused, GitFailed):
        return ""


def _chosen(objects: Objects, tip: str, wanted: Commit, shallow: bool, findings: Findings) -> str | None:
    """The commit that counts, and what is to say of its time and of those after it."""
    commits = objects.commits(tip)
    dated = [(place, seconds) for place, (_, seconds) in enumerate(commits) if moment_text(seconds)]
    newest = 0 if wanted.until is None else _newest_at(wanted.until, dated)
    over = commits[:newest]
    if undated := [commit for commit, seconds in over if not moment_text(seconds)]:
        told = f"{_commits(len(undated))} {_were(len(undated))} not read"
        findings.note(f"{told}, with a date that cannot be: {undated[0][:12]}")
    late = len(over) - len(undated)
    limit = "the last day that counts" if wanted.steps else "the deadline"
    if newest is None:
        before = "; earlier ones may be missing from this shallow clone"
        missing = before if shallow or len(commits) >= MOST_COMMITS else ""
        findings.note(f"no commit is from before {limit} ({late} {_were(late)} later), so nothing was read{missing}")
        return None
    if late:
        findings.note(f"{_commits(late)} after {limit} {_were(late)} not read")
    chosen = _first_alike(objects, commits, dated, newest, wanted.steps)
    commit, seconds = commits[chosen]
    findings.submitted = moment_text(seconds)
    if not findings.submitted:
        findings.note(f"the commit {commit[:12]} has a date that cannot be")
    timely = _newest_at(wanted.steps[0], dated, chosen) if wanted.steps else None
    if timely is not None and timely > chosen:
        findings.in_time = InTime(commits[timely][0], moment_text(commits[timely][1]))
    if chosen:
        findings.later = Later(chosen, moment_text(commits[0][1]), chosen - newest)
    return commit


def _newest_at(moment: datetime, dated: Sequence[tuple[int, float]], start: int = 0) -> int | None:
    """Where the newest commit stands that is of a moment or before; None where there is none."""
    return next((place for place, seconds in dated if place >= start and seconds <= moment.timestamp()), None)


def _first_alike(
    objects: Objects,
    commits: Sequence[tuple[str, float]],
    dated: Sequence[tuple[int, float]],
    newest: int,
    steps: Sequence[datetime],
) -> int:
    """Where the commit stands that was the newest at the first of the steps at which the exercises were what they are
    in the one of `newest`; that itself where they were so at none.
    """
    found: Findings | None = None
    places = [place for step in steps if (place := _newest_at(step, dated, newest)) is not None]
    for place in dict.fromkeys(places):
        if place == newest:
            break
        found = found or _tried(objects, commits[newest][0])
        earlier = _tried(objects, commits[place][0])
        if found and earlier and (found.sources, found.refused) == (earlier.sources, earlier.refused):
            return place
    return newest


def _tried(objects: Objects, commit: str) -> Findings | None:
    """What a commit holds; None where it cannot be read, as parts of a shallow clone."""
    findings = Findings()
    try:
        choose(CommitTree(objects, commit), findings)
    except (Refused, GitFailed):
        return None
    return findings


def _commits(count: int) -> str:
    return f"{count} commit{'s' if count > 1 else ''}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def tell_other_branches(repository: Path, findings: Findings) -> None:
    """Beside the files of a work tree, which `findings` hold: what lies on branches that are not checked out. Nothing
    where git is not installed or the repository cannot be read: the files themselves could.
    """
    try:
        with opened(repository) as folder:
            tip, others, shallow = git_objects.head(folder), git_objects.branches(folder), git_objects.shallow(folder)
        others = {name: each for name, each in others.items() if each != tip}
        if others and tip and findings.lacking:
            with opened_objects(repository, len(tip), shallow) as objects:
                _tell_other_branches(objects, others, findings)
    except (Refused, GitFailed, GradcheckError, OSError):
        return


def _tell_other_branches(objects: Objects, others: dict[str, str], findings: Findings) -> None:
    """Refuse exercises that are work on a branch that is not read, and none on the one that is."""
    trees: dict[str, None] = {}
    for name, tip in others.items():
        lacking = findings.lacking
        if not lacking:
            return
        try:
            tree = objects.tree_of(tip)
            if tree in trees:
                continue
            trees[tree] = None
            there = Findings()
            choose(CommitTree(objects, tip), there)
        except GitFailed:
            continue
        found = sorted(lacking - there.lacking)
        if found:
            listed = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
            findings.note(f"the branch {name} holds work on {listed}, and the branch that is read does not")
        for exercise in found:
            told = f"the branch {name} holds work on {exercise}, and the branch that is read does not"
            findings.refuse(exercise, f"{told}; merge it into the one that is handed in")


class CommitTree:
    """A commit as a submission. Raises GitFailed where a tree of it cannot be read."""

    def __init__(self, objects: Objects, commit: str) -> None:
        self.objects, self.root = objects, objects.tree_of(commit)
        self._ids: dict[str, str] = {}
        self._twice: set[str] = set()

    def entries(self) -> Sequence[Entry]:
        return self._walked[0]

    def written(self, path: str) -> None:
        """A commit has one time, which its author says."""

    @property
    def trouble(self) -> Sequence[str]:
        return self._walked[1]

    def read(self, path: str, most: int) -> bytes:
        if path in self._twice:
            raise Refused(f"{path} is in the commit twice")
        found = self._by_path.get(path)
        if found is None or found.kind != "file":
            what = "a link" if found and found.kind == "link" else "no plain file"
            raise Refused(f"{path} is {what}; hand in the file")
        try:
            size = self.objects.size(self._ids[path])
            if size is None:
                raise Refused(f"{path} is missing from the repository; clone it anew, without --filter")
            if size > most:
                raise Refused(too_large(path, size, most))
            return self.objects.blob(self._ids[path])
        except GitFailed as reason:
            raise Refused(f"{path} cannot be read: {reason}") from None

    def opened(self, path: str) -> tuple[BinaryIO, int]:
        content = self.read(path, MOST_WITHIN)
        return io.BytesIO(content), len(content)

    @cached_property
    def _walked(self) -> tuple[Sequence[Entry], Sequence[str]]:
        return walked(self._listed)

    @cached_property
    def _by_path(self) -> dict[str, Entry]:
        return {each.path: each for each in self.entries()}

    def _listed(self, path: str) -> Sequence[Entry]:
        found = []
        for each in self.objects.tree(self._ids[path] if path else self.root):
            inside = f"{path}/{each.name}" if path else each.name
            if "/" in each.name or each.name in {".", ".."}:
                continue  # no tool of git writes such a name
            if inside in self._ids:
                self._twice.add(inside)
                continue
            self._ids[inside] = each.id
            found.append(Entry(inside, *_kind(each.mode)))
        return found


def _kind(mode: int) -> tuple[Kind, str]:
    if stat.S_ISDIR(mode):
        return "folder", "a folder"
    if stat.S_ISREG(mode):
        return "file", "a plain file"
    return ("link", "a link or a submodule")


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(path.lstat().st_mode)
    except (OSError, ValueError):
        return False
