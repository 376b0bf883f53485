"""What lies in the folder of a class: which entries are submissions, what they are called, and how each is read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from gradcheck.errors import GradcheckError, SubmissionError
from gradcheck.grading.policy.course import Commit, Course
from gradcheck.grading.submissions.archive import ENDINGS
from gradcheck.grading.submissions.git import git_folder, read_commit, tell_other_branches
from gradcheck.grading.submissions.layout import WHOLE, Findings, printable, units
from gradcheck.grading.submissions.naming import unique_names
from gradcheck.grading.submissions.reading import read_archive, read_folder
from gradcheck.grading.submissions.submission import Submission

_NO_REPOSITORY = (
    "its .git is no repository but leads to one, as in a worktree or a submodule, or is damaged; its commits are "
    "elsewhere and nothing was read: hand in a clone"
)


@dataclass(frozen=True)
class Place:
    """Where one submission lies. `name` is what it is called everywhere; `wanted` is which commit to read, if it is a
    git clone. Small, since it is held for a whole class and travels to the process that reads it.
    """

    name: str
    path: str
    is_archive: bool
    wanted: Commit | None = None

    def read(self) -> Submission:
        """What it holds. Never raises for what is in it: trouble becomes `problems` and `refused`.

        Raises GradcheckError for what is missing on this machine (git), which no submission is to blame for.
        """
        findings = Findings()
        try:
            self._read(findings)
        except GradcheckError:  # about this machine, such as git missing: nobody should get 0 points for it
            raise
        except Exception as error:  # a defect of ours must not cost the class its grades
            findings.note(f"it could not be read: {type(error).__name__}: {error}")
        return findings.under(self.name)

    def _read(self, findings: Findings) -> None:
        path = Path(self.path)
        try:
            if self.is_archive:
                read_archive(path, findings)
                return
            repository = git_folder(path)
            if repository == path:
                read_commit(repository, self.wanted or Commit(), findings)
            elif repository is not None and self.wanted is not None:
                read_commit(repository, self.wanted, findings)
            elif self.wanted is not None and os.path.lexists(path / ".git"):
                findings.note(_NO_REPOSITORY)
            else:
                read_folder(path, findings)
                if repository is not None:
                    tell_other_branches(repository, findings)
        except OSError as error:
            findings.note(f"it cannot be opened: {error.strerror or error}")


class Places(list[Place]):
    """The submissions of a class by name, and what else lies beside them: (entry, why it is ignored)."""

    def __init__(self, places: list[Place], ignored: list[tuple[str, str]]) -> None:
        super().__init__(places)
        self.ignored = ignored


def find(folder: Path, course: Course | None = None, *, exclude: Collection[Path] = ()) -> Places:
    """Every sub-folder and archive of `folder`, sorted by name. Nothing is opened; only names are held.

    `exclude` are paths that are no submissions, such as where the reports go. Raises SubmissionError.
    """
    folder = Path(folder)
    course = course or Course()
    root = folder.absolute()  # whoever reads may have gone elsewhere
    excluded = {_entry_with(path, root) for path in exclude}
    found: list[tuple[str, str, bool]] = []
    ignored: list[tuple[str, str]] = []
    for name, kind in _entries(folder):
        reason = _ignored(name, kind)
        if not reason and name in excluded:
            reason = "the reports of a grading lie there"
        if reason:
            ignored.append((printable(name), reason))
        else:
            found.append((_stem(name, kind), name, kind == "file"))
    _must_be_a_class(folder, [entry for _, entry, _ in found])
    found.sort(key=lambda each: (os.fsencode(each[0]), os.fsencode(each[1])))
    names = unique_names(stem for stem, _, _ in found)
    places = [
        Place(name, f"{root}{os.sep}{entry}", is_archive, course.commit_wanted(name))
        for name, (_, entry, is_archive) in zip(names, found, strict=True)
    ]
    places.sort(key=lambda place: place.name)
    return Places(places, sorted(ignored))


def _entry_with(path: Path, root: Path) -> str:
    """The entry of `root` that a path is, or lies in; empty where it lies elsewhere."""
    try:
        return next(iter(path.resolve().relative_to(root.resolve()).parts), "")
    except (ValueError, OSError):
        return ""


def _entries(folder: Path) -> list[tuple[str, str]]:
    """The names of a folder and what they are: folder, file, link or other. Raises SubmissionError."""
    advice = "give the folder in which each sub-folder or archive is one submission"
    try:
        mode = folder.stat().st_mode
        if not stat.S_ISDIR(mode):
            raise SubmissionError(f"{folder} is not a folder; {advice}")
        with os.scandir(folder) as entries:
            return [(entry.name, _kind(entry)) for entry in entries]
    except FileNotFoundError:
        raise SubmissionError(f"there is no folder {folder}; {advice}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SubmissionError(f"{folder} cannot be read: {reason}; make it readable to you, or {advice}") from None


def _kind(entry: os.DirEntry[str]) -> str:
    checks: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("link", lambda: entry.is_symlink() or bool(getattr(entry, "is_junction", bool)())),
        ("folder", lambda: entry.is_dir(follow_symlinks=False)),
        ("file", lambda: entry.is_file(follow_symlinks=False)),
    )
    try:
        return next((kind for kind, holds in checks if holds()), "other")
    except OSError:
        return "other"


def _ignored(name: str, kind: str) -> str:
    if name.startswith("."):
        return "hidden"
    if name == "__MACOSX":
        return "what macOS adds to archives"
    if kind == "link":
        return "a link; links are not followed, put the submission itself here"
    if kind == "other":
        return "neither a folder nor a file"
    if kind == "file" and not name.lower().endswith(ENDINGS):
        return f"no archive that is read here ({', '.join(ENDINGS)})"
    return ""


def _stem(name: str, kind: str) -> str:
    endings = ENDINGS if kind == "file" else (".git",)  # bare repositories are called so
    ending = max((each for each in endings if name.lower().endswith(each)), key=len, default="")
    return name[: len(name) - len(ending)] or name


def _must_be_a_class(folder: Path, entries: list[str]) -> None:
    """Whoever gives one submission instead of the folder around it should not get seven strange grades."""
    if entries and all(entry == WHOLE or entry in units() for entry in entries):
        raise SubmissionError(
            f"{folder} looks like one submission: it holds {entries[0]}/; give the folder that holds the submissions, "
            f"or grade this one with: gradcheck report {folder}"
        )
