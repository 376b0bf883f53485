"""What lies in the folder of a class: which entries are submissions, what they are called, and how each is read."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from gradcheck.errors import GradcheckError, SubmissionError
from gradcheck.submissions.archive import ADVICE, ENDINGS, UNREAD, ClassZip, TreePart, class_zip
from gradcheck.submissions.downloads import (
    GRADESCOPES_FILE,
    MOST_OF_GRADESCOPES,
    UNKNOWN,
    Download,
    HandedIn,
    grouped,
    handed_in,
    is_of_a_download,
    newest,
    of_file,
    of_folder,
)
from gradcheck.submissions.files import exercise_named
from gradcheck.submissions.finder import choose, read_archive, read_folder, read_open_archive
from gradcheck.submissions.folder import FolderTree, opened
from gradcheck.submissions.git import Commit, git_folder, read_commit, tell_other_branches
from gradcheck.submissions.lateness import moment_text
from gradcheck.submissions.layout import WHOLE, Entry, Findings, Kind, Refused, Submission, printable, units
from gradcheck.submissions.naming import unique_names
from gradcheck.submissions.roster import Student

_NO_REPOSITORY = (
    "its .git is no repository but leads to one, as in a worktree or a submodule, or is damaged; its commits are "
    "elsewhere and nothing was read: hand in a clone"
)
_LEAST_OF_A_CLASS = 3
"""So many folders with exercises in one entry are submissions; two may be one student's two copies."""
_MOST_PEEKED = 200
_FILES, _TEXTS = "_assignsubmission_file", "_assignsubmission_onlinetext"
_RESULTS = (".json", ".csv", ".b64")
"""Files of scores that lie beside each other are nobody's exercises, however they are called."""


class Asking(Protocol):
    """What a course says of what is read, as `classes/policy.py` has it. Without one files count as they lie."""

    @property
    def timezone(self) -> str: ...
    def among(self, submissions: Iterable[str]) -> Asking: ...
    def commit_wanted(self, submission: str, told: Sequence[Student] = ()) -> Commit | None: ...
    def dated_by_files(self, submission: str, told: Sequence[Student] = ()) -> bool: ...


@dataclass(frozen=True)
class Place:
    """Where one submission lies. `name` is what it is called everywhere; `wanted` is which commit to read, if it is a
    git clone. Small, since it is held for a whole class and travels to the process that reads it.

    `path`     a folder or an archive; for what lies in the zip of a class, and for loose files, what they lie in.
    `inside`   its folder or archive in the zip of a class.
    `files`    loose files, and how each is called in the submission.
    `known`    what the course system says of it.
    `by_files` whether the dates of what is read say when it was handed in, where nothing better does.
    `problems` what was noticed about it before it was opened, sentences.
    """

    name: str
    path: str
    is_archive: bool
    wanted: Commit | None = None
    inside: str = ""
    files: tuple[tuple[str, str], ...] = ()
    known: HandedIn = UNKNOWN
    by_files: bool = False
    problems: tuple[str, ...] = ()

    def read(self) -> Submission:
        """What it holds. Never raises for what is in it: trouble becomes `problems` and `refused`.

        Raises GradcheckError for what is missing on this machine (git), which no submission is to blame for.
        """
        findings = Findings(problems=list(self.problems))
        try:
            self._read(findings)
        except GradcheckError:  # about this machine, such as git missing: nobody should get 0 points for it
            raise
        except Exception as error:  # a defect of ours must not cost the class its grades
            findings.note(f"it could not be read: {type(error).__name__}: {error}")
        if self.by_files and findings.written is not None and not findings.submitted:
            findings.submitted = moment_text(findings.written)
        findings.submitted = self.known.submitted or findings.submitted
        return findings.under(self.name, self.known.people)

    def _read(self, findings: Findings) -> None:
        path = Path(self.path)
        try:
            if self.inside or (self.files and self.is_archive):
                self._read_from_a_class(class_zip(path), findings)
            elif self.files:
                with opened(path) as folder:
                    choose(
                        TreePart(FolderTree(folder), {name: entry for entry, name in self.files}, self._listed),
                        findings,
                    )
            elif self.is_archive:
                read_archive(path, findings)
            else:
                self._read_folder(path, findings)
        except OSError as error:
            findings.note(f"it cannot be opened: {error.strerror or error}")

    def _read_from_a_class(self, whole: ClassZip, findings: Findings) -> None:
        whole.renew()
        if self.files:
            choose(
                TreePart(whole.tree, {name: entry for entry, name in self.files}, self._listed), findings, whole.spent
            )
        elif self.is_archive and whole.is_folder(self.inside):
            choose(whole.folder(self.inside), findings, whole.spent)
        else:
            try:
                file, size = whole.tree.opened(self.inside)
            except Refused as reason:
                findings.note(str(reason))
                return
            read_open_archive(file, size, findings)

    def _read_folder(self, path: Path, findings: Findings) -> None:
        repository = git_folder(path)
        if repository is None and self.wanted is not None and not os.path.lexists(path / ".git"):
            clones = _clones_in(path)  # as downloads wrap things
            if len(clones) > 1:
                names = ", ".join(each.name for each in clones[:5])
                findings.note(
                    f"{len(clones)} clones lie in it ({names}); which one counts is unclear, so none was read"
                )
                return
            if clones:
                path, repository = clones[0], git_folder(clones[0])
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

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of its own, which may be a clone."""
        return not (self.is_archive or self.files)

    @property
    def _listed(self) -> list[Entry]:
        return [Entry(name, "file", "a plain file") for _, name in self.files]


class Places(list[Place]):
    """The submissions of a class by name, and what else lies beside them: (entry, why it is ignored)."""

    def __init__(self, places: list[Place], ignored: list[tuple[str, str]]) -> None:
        super().__init__(places)
        self.ignored = ignored


def find(folder: Path, course: Asking | None = None, *, exclude: Collection[Path] = ()) -> Places:
    """Every submission of a class, sorted by name: each sub-folder and archive of `folder`, or of a zip of the class,
    and the loose files of one student together, as course systems name them. No file of a submission is opened.

    `exclude` are paths that are no submissions, such as where the reports go. Raises SubmissionError.
    """
    folder = Path(folder)
    root = folder.absolute()  # whoever reads may have gone elsewhere
    if folder.is_file():
        return _Class(folder, root, course, class_zip(root)).found(())
    entries = [Entry(name, kind, "") for name, kind in _entries(folder)]
    with suppress(OSError), opened(folder.resolve()) as top:
        return _Class(folder, root, course, top, entries).found({_entry_with(path, root) for path in exclude})
    raise SubmissionError(f"{folder} cannot be read; make it readable to you, or {ADVICE}")


class _Shelf(Protocol):
    """What submissions lie in."""

    def entries(self, path: str) -> list[Entry]: ...


@dataclass
class _Found:
    """A submission before it has its unique name."""

    stem: str
    entry: str
    is_archive: bool
    files: tuple[tuple[str, str], ...] = ()
    known: HandedIn = UNKNOWN
    problems: tuple[str, ...] = ()


class _Class:
    def __init__(
        self, shown: Path, root: Path, course: Asking | None, shelf: _Shelf, entries: list[Entry] | None = None
    ) -> None:
        self.shown, self.root, self.course, self.shelf = shown, root, course, shelf
        self.zip = shelf if isinstance(shelf, ClassZip) else None
        self.top = ""
        self.entries = shelf.entries("") if entries is None else entries
        while self.zip is not None and len(self.entries) == 1 and self.entries[0].kind == "folder":
            inside = shelf.entries(self.entries[0].path)
            if _is_work(inside) or is_of_a_download(self.entries[0].name):
                break  # a class of one
            self.top, self.entries = self.entries[0].path, inside  # the folder that was packed
        self.ignored: list[tuple[str, str]] = []

    def found(self, excluded: Collection[str]) -> Places:
        if _is_a_run(self.entries):
            raise SubmissionError(f"{self.shown} is what gradcheck grade made; {ADVICE}")
        found: list[_Found] = []
        files: list[Download] = []
        attempts: list[Download] = []
        loose: list[str] = []
        facts = self._facts()
        for entry in self.entries:
            name, kind = entry.name, entry.kind
            reason = "the reports of a grading lie there" if name in excluded else _ignored(name, kind)
            part = None if reason or name.lower().endswith(_RESULTS) else _download(name, kind)
            if part is not None:
                (files if kind == "file" else attempts).append(part)
            elif reason or (kind == "file" and not name.lower().endswith((*ENDINGS, *UNREAD))):
                if not reason and _exercise_of(name):
                    loose.append(name)
                self.ignored.append((printable(name), reason or _no_submission(name)))
            else:
                stem = _stem(name, kind)
                found.append(_Found(stem, name, kind == "file", known=facts.get(name, UNKNOWN)))
        self._must_be_a_class([each.entry for each in found] + loose)
        found = self._without_folders_of_others(found) + self._of_downloads(files, attempts)
        found, texts = _without_online_texts(found)
        self.ignored += [(printable(name), "a text typed at Moodle; the student's files count") for name in texts]
        return self._named(found)

    def _of_downloads(self, files: Sequence[Download], attempts: Sequence[Download]) -> list[_Found]:
        made = []
        for parts in (*grouped(files), *grouped(attempts)):
            kept, told = newest(parts)
            gone = {each.entry for each in parts} - {each.entry for each in kept}
            self.ignored += [(printable(name), "a later attempt of the same student counts") for name in sorted(gone)]
            held = [each for each in kept if each.file]
            known = kept[-1].known
            if not held and parts[0] in attempts:
                made.append(_Found(kept[-1].title, kept[-1].entry, False, known=known, problems=tuple(told)))
            elif len(held) == 1 and held[0].file.lower().endswith((*ENDINGS, *UNREAD)):
                stem = held[0].title if held[0].whose[0] == "Blackboard" else _stem(held[0].entry, "file")
                made.append(_Found(stem, held[0].entry, True, known=known, problems=tuple(told)))
            elif held:
                names = tuple((each.entry, each.file) for each in held)
                made.append(_Found(kept[-1].title, "", False, names, known, tuple(told)))
            else:
                receipts = [each.entry for each in kept]
                self.ignored += [(printable(name), "a receipt, without a file that was handed in") for name in receipts]
        return made

    def _without_folders_of_others(self, found: list[_Found]) -> list[_Found]:
        """Those that are one submission each: neither the reports of a grading nor a class of their own."""
        kept = []
        for each in found:
            inside = [] if each.is_archive else self._inside(each.entry)
            if _is_a_run(inside):
                self.ignored.append(
                    (
                        printable(each.entry),
                        "gradcheck grade made it: reports, no submission; gradcheck collect takes it as --regrade",
                    )
                )
                continue
            number = 0 if is_of_a_download(each.entry) else self._submissions_in(each.entry, inside)
            if number >= (2 if len(found) == 1 else _LEAST_OF_A_CLASS):
                told = f"it holds {number} submissions and is none itself; grade {self.shown / self.top / each.entry}"
                if len(found) == 1:
                    raise SubmissionError(f"{self.shown} is one level too high: of {each.entry}, {told}")
                self.ignored.append((printable(each.entry), told))
                continue
            kept.append(each)
        return kept

    def _submissions_in(self, entry: str, inside: list[Entry]) -> int:
        """How many submissions an entry holds that is none itself: folders with the same work in them. One person may
        well have a folder for each part of it.
        """
        if _is_work(inside):
            return 0
        folders = [each.name for each in inside if each.kind == "folder"][:_MOST_PEEKED]
        if any(map(is_of_a_download, folders)):
            return max(len(folders), _LEAST_OF_A_CLASS)
        counts = Counter(work for name in folders for work in set(_work_in(self._inside(f"{entry}/{name}"))))
        return max(counts.values(), default=0)

    def _inside(self, entry: str) -> list[Entry]:
        return self.shelf.entries(self._at(entry))

    def _at(self, entry: str) -> str:
        return f"{self.top}/{entry}" if self.top else entry

    def _facts(self) -> Mapping[str, HandedIn]:
        """What Gradescope's file says of each folder, where it lies beside them."""
        if not any(each.name == GRADESCOPES_FILE and each.kind == "file" for each in self.entries):
            return {}
        try:
            if self.zip is not None:
                content: bytes | None = self.zip.tree.read(self._at(GRADESCOPES_FILE), MOST_OF_GRADESCOPES)
            else:
                with opened(self.root) as folder:
                    content = folder.read(GRADESCOPES_FILE, MOST_OF_GRADESCOPES)
        except Refused as reason:
            raise SubmissionError(f"{self.shown}: {reason}; download the submissions anew") from None
        return handed_in(content or b"")

    def _named(self, found: list[_Found]) -> Places:
        found.sort(key=lambda each: (os.fsencode(each.stem), os.fsencode(each.entry)))
        names = unique_names(each.stem for each in found)
        self.course = self.course and self.course.among(names)
        places = [self._place(name, each) for name, each in zip(names, found, strict=True)]
        places.sort(key=lambda place: place.name)
        return Places(places, sorted(self.ignored))

    def _place(self, name: str, each: _Found) -> Place:
        known = self._dated(each.known)
        wanted = self.course.commit_wanted(name, known.people) if self.course else None
        files = tuple((self._at(entry), called) for entry, called in each.files)
        if self.zip is not None:  # whose date is that of the download
            inside = "" if files else self._at(each.entry)
            return Place(name, str(self.root), True, wanted, inside, files, known, False, each.problems)
        path = str(self.root) if files else f"{self.root}{os.sep}{each.entry}"
        by_files = self.course is not None and self.course.dated_by_files(name, known.people)
        return Place(name, path, each.is_archive, wanted, "", files, known, by_files, each.problems)

    def _dated(self, known: HandedIn) -> HandedIn:
        """With the time that a course system's name has, where it is known by whose clocks."""
        if known.submitted or not known.local or not self.course or not self.course.timezone:
            return known
        when = datetime.fromisoformat(known.local).replace(tzinfo=ZoneInfo(self.course.timezone))
        return replace(known, submitted=when.isoformat())

    def _must_be_a_class(self, entries: list[str]) -> None:
        """Whoever gives one submission instead of the folder around it should not get seven strange grades."""
        one = [each for each in entries if each == WHOLE or each in units() or _exercise_of(each)]
        if one and len(one) == len(entries):
            raise SubmissionError(
                f"{self.shown} looks like one submission: it holds {one[0]}; give the folder that holds the "
                f"submissions, or grade this one with: gradcheck report {self.shown}"
            )


def _clones_in(path: Path) -> list[Path]:
    """The clones that lie directly in a folder."""
    with opened(path) as folder:
        folders = [each.name for each in folder.entries("") if each.kind == "folder"]
    return [path / name for name in sorted(folders)[:_MOST_PEEKED] if git_folder(path / name) is not None]


def _without_online_texts(found: Sequence[_Found]) -> tuple[list[_Found], list[str]]:
    """Moodle makes two folders for who typed a text and uploaded files too: those without files, and their names."""
    heads = {each.stem.partition(_FILES)[0] for each in found if _FILES in each.stem}
    texts = [each for each in found if each.stem.partition(_TEXTS)[0] in heads and _TEXTS in each.stem]
    return [each for each in found if each not in texts], [each.entry for each in texts]


def _is_work(inside: Sequence[Entry]) -> bool:
    """Whether a folder itself is where somebody works."""
    return any(True for _ in _work_in(inside))


def _work_in(inside: Sequence[Entry]) -> Iterator[str]:
    """What makes a folder one where somebody works: exercises, their units, a repository, or files of exercises."""
    for each in inside:
        if each.name in {WHOLE, ".git", *units()}:
            yield each.name
        elif each.kind == "file" and (exercise := _exercise_of(each.name)):
            yield exercise


def _download(name: str, kind: Kind) -> Download | None:
    return of_file(name) if kind == "file" else of_folder(name)


def _exercise_of(name: str) -> str:
    """The exercise that a file is, if it is one of a submission's rather than one that a course system has named for a
    student; else nothing.
    """
    named = exercise_named(name) if name.lower().endswith(".py") and of_file(name) is None else None
    return named.exercise if named else ""


def _is_a_run(inside: Sequence[Entry]) -> bool:
    """Whether a folder is what `gradcheck grade` made."""
    names = {each.name for each in inside}
    return {"class.json", "reports"} <= names


def _entry_with(path: Path, root: Path) -> str:
    """The entry of `root` that a path is, or lies in; empty where it lies elsewhere."""
    try:
        return next(iter(path.resolve().relative_to(root.resolve()).parts), "")
    except (ValueError, OSError):
        return ""


def _entries(folder: Path) -> list[tuple[str, Kind]]:
    """The names of a folder and what they are: folder, file, link or other. Raises SubmissionError."""
    try:
        mode = folder.stat().st_mode
        if not stat.S_ISDIR(mode):
            raise SubmissionError(f"{folder} is not a folder; {ADVICE}")
        with os.scandir(folder) as entries:
            return [(entry.name, _kind(entry)) for entry in entries]
    except FileNotFoundError:
        raise SubmissionError(f"there is no folder {folder}; {ADVICE}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SubmissionError(f"{folder} cannot be read: {reason}; make it readable to you, or {ADVICE}") from None


def _kind(entry: os.DirEntry[str]) -> Kind:
    checks: tuple[tuple[Kind, Callable[[], bool]], ...] = (
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
    if name in {GRADESCOPES_FILE, "index.html"}:
        return "what a course system adds to a download"
    return ""


def _no_submission(name: str) -> str:
    if _exercise_of(name):
        return "a file that names nobody; put it into a folder that is called like whose it is"
    return f"no archive that is read here ({', '.join(ENDINGS)})"


def _stem(name: str, kind: str) -> str:
    endings = (*ENDINGS, *UNREAD) if kind == "file" else (".git",)  # bare repositories are called so
    ending = max((each for each in endings if name.lower().endswith(each)), key=len, default="")
    return name[: len(name) - len(ending)] or name
