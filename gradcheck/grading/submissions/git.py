"""Reads a submission from a commit of a git repository: a tag's, the last one before the deadline, or the newest.

What lies in the work tree does not count then. Dates inside commits are written by their author and can be forged; when
something was pushed only the service knows that it was pushed to.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from gradcheck.catalog import all_exercises
from gradcheck.errors import SubmissionError
from gradcheck.grading import desk_record
from gradcheck.grading.load import MAX_BYTES
from gradcheck.grading.policy.course import Commit
from gradcheck.grading.policy.lateness import moment_text
from gradcheck.grading.submissions import git_refs
from gradcheck.grading.submissions.folder import Refused, opened
from gradcheck.grading.submissions.git_objects import MOST_COMMITS, GitFailed, Objects, opened_objects
from gradcheck.grading.submissions.layout import Findings, find_base, too_large
from gradcheck.grading.submissions.submission import Later


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
            tip = git_refs.tag(folder, wanted.tag) if wanted.tag else git_refs.head(folder)
            shallow = git_refs.shallow(folder)
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
                _read(objects, commit, findings)
    except (Refused, GitFailed) as reason:
        findings.note(f"the repository cannot be read: {reason}")


def checked_out(folder: Path) -> str:
    """When the commit was made that a checkout stands at, in ISO 8601 with an offset; empty where that is unknown."""
    findings = Findings()
    try:
        if (repository := git_folder(folder)) is not None:
            read_commit(repository, Commit(), findings)
    except (OSError, SubmissionError):
        return ""
    return findings.submitted


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
    if chosen:
        findings.later = Later(chosen, moment_text(commits[0][1]), chosen - newest)
    return commit


def _newest_at(moment: datetime, dated: Sequence[tuple[int, int]], start: int = 0) -> int | None:
    """Where the newest commit stands that is of a moment or before; None where there is none."""
    return next((place for place, seconds in dated if place >= start and seconds <= moment.timestamp()), None)


def _first_alike(
    objects: Objects,
    commits: Sequence[tuple[str, int]],
    dated: Sequence[tuple[int, int]],
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
        _read(objects, commit, findings)
    except (Refused, GitFailed):
        return None
    return findings


def _commits(count: int) -> str:
    return f"{count} commit{'s' if count > 1 else ''}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _read(objects: Objects, commit: str, findings: Findings) -> None:
    def subfolders(path: str) -> Sequence[str]:
        return objects.folders(commit, path)

    base = find_base(subfolders, findings)
    if base is None:
        return
    names = {f"{base}{exercise.path}": exercise.name for exercise in all_exercises().values()}
    record = f"{base}{desk_record.FILE}"
    entries = objects.entries(commit, [*names, record])
    links = _links_on_the_way(objects, commit, base)
    ids: dict[str, str] = {}
    seen: dict[str, str] = {}
    for path, entry in entries:
        if path != record and path not in names:
            continue
        most = desk_record.MAX_BYTES if path == record else MAX_BYTES
        if path in seen:
            seen[path] = f"{path} is in the commit twice"
        elif not stat.S_ISREG(entry.mode) or entry.kind != "blob":
            seen[path] = f"{path} is {'a link' if stat.S_ISLNK(entry.mode) else 'no plain file'}; hand in the file"
        elif entry.size > most:
            seen[path] = too_large(path, entry.size, most)
        elif entry.size < 0:
            seen[path] = f"{path} is missing from the repository; clone it anew, without --filter"
        else:
            seen[path], ids[path] = "", entry.id
    contents = objects.blobs([ids[path] for path in ids if not seen[path]])
    for path, reason in {**links, **seen}.items():
        content = contents.get(ids.get(path, ""))
        told = reason or ("" if content is not None else f"{path} cannot be read from the repository")
        if path == record:
            if told or content is None:
                findings.note(f"{told}; it counts as no help taken")
            else:
                findings.take_help(content)
        elif told or content is None:
            findings.refuse(names[path], told)
        else:
            findings.sources[names[path]] = content


def _links_on_the_way(objects: Objects, commit: str, base: str) -> dict[str, str]:
    """Exercises whose unit, or `exercises` itself, is a link or a submodule in the commit."""
    units = {f"{base}{exercise.unit}" for exercise in all_exercises().values()}
    ways = [*units, *([base.rstrip("/")] if base else [])]
    blocked = {path for path, entry in objects.entries(commit, ways) if entry.kind != "tree"}
    return {
        f"{base}{exercise.path}": f"{way} is a link or a submodule, not a folder; hand in the folder"
        for exercise in all_exercises().values()
        for way in (f"{base}{exercise.unit}", base.rstrip("/"))
        if way in blocked
    }


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(path.lstat().st_mode)
    except (OSError, ValueError):
        return False
