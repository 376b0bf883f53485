"""Reads a submission from a commit of a git repository: a tag's, the last one before the deadline, or the newest.

What lies in the work tree does not count then. Dates inside commits are written by their author and can be forged; when
something was pushed only the service knows that it was pushed to.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from gradcheck.catalog import all_exercises
from gradcheck.grading import desk_record
from gradcheck.grading.load import MAX_BYTES
from gradcheck.grading.policy.course import Commit
from gradcheck.grading.submissions import git_refs
from gradcheck.grading.submissions.folder import Refused, opened
from gradcheck.grading.submissions.git_objects import MOST_COMMITS, GitFailed, Objects, opened_objects
from gradcheck.grading.submissions.layout import Findings, find_base, too_large


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


def _chosen(objects: Objects, tip: str, wanted: Commit, shallow: bool, findings: Findings) -> str | None:
    commits = objects.commits(tip)
    late = 0
    for commit, seconds in commits:
        if wanted.until is None or seconds <= wanted.until.timestamp():
            if late:
                findings.note(f"{late} commit{'s' if late > 1 else ''} after the deadline {_were(late)} not read")
            try:
                findings.submitted = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
            except (ValueError, OverflowError, OSError):
                findings.note(f"the commit {commit[:12]} has a date that cannot be")
            return commit
        late += 1
    before = "; earlier ones may be missing from this shallow clone" if shallow or late >= MOST_COMMITS else ""
    findings.note(f"no commit is from before the deadline ({late} {_were(late)} later), so nothing was read{before}")
    return None


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
