"""Which file of a submission is which exercise: what is unambiguous is read, what is not is named, nobody is guessed.

An exercise has one place, `exercises/NN_unit/name.py`, wherever a download put `exercises/`. A file there counts before
all others. Where there is none, or only the stub as it was released, another file counts if it alone could be the
exercise: by its name, and by not being a stub itself. Two that differ are refused, both named. What could hold work and
is not read as it is (other endings, other encodings, notebooks, archives of other kinds, names that only mention an
exercise) is named, so that an exercise reads as not started only where nothing here could be it.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from gradcheck.catalog import Exercise, all_exercises
from gradcheck.grading import desk_record
from gradcheck.grading.located import MAX_BYTES
from gradcheck.submissions.archive import ENDINGS, MOST_OF_ANOTHER, MOST_OTHERS, UNREAD, ArchiveTree
from gradcheck.submissions.files import (
    Likeness,
    Sort,
    bare,
    exercise_named,
    instead_of_text,
    is_a_tool,
    resembles_unit,
    sort_of,
)
from gradcheck.submissions.folder import BY_DESCRIPTOR, PLAIN_FILE, FolderTree, opened
from gradcheck.submissions.layout import WHOLE, Entry, Findings, Refused, Tree, units
from gradcheck.submissions.members import ReadingBounds, Spent


def read_folder(root: Path, findings: Findings, *, by_descriptor: bool = BY_DESCRIPTOR) -> None:
    """Read the exercises and the record of hints below `root` into `findings`. Raises OSError when `root` itself cannot
    be opened, and nothing else.
    """
    with opened(root, by_descriptor) as folder:
        choose(FolderTree(folder), findings)


def read_archive(path: Path, findings: Findings, bounds: ReadingBounds | None = None) -> None:
    """The same for an archive file. No time of it says when it was handed in: a download writes its own, and those
    inside are its author's to choose. Raises OSError when it cannot be opened.
    """
    descriptor = os.open(path, PLAIN_FILE)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        findings.note("it is not a plain file")
        return
    with os.fdopen(descriptor, "rb") as file:
        read_open_archive(file, os.fstat(descriptor).st_size, findings, bounds)


def archive_in(content: bytes, findings: Findings, bounds: ReadingBounds | None = None) -> None:
    """The same for an archive in memory."""
    read_open_archive(io.BytesIO(content), len(content), findings, bounds)


def read_open_archive(file: BinaryIO, size: int, findings: Findings, bounds: ReadingBounds | None = None) -> None:
    """The same for an archive that is open already."""
    spent = Spent(bounds or ReadingBounds())
    try:
        tree = ArchiveTree(file, size, spent)
    except Refused as reason:
        findings.note(f"it {reason}")
        return
    choose(tree, findings, spent)


_MOST_TOLD = 5
_MOST_ARCHIVES = 20
_MOST_AROUND = 2
"""An archive in an archive is opened, and nothing that is packed once more."""


def choose(tree: Tree, findings: Findings, spent: Spent | None = None) -> None:
    """Read the exercises and the record of hints of a submission into `findings`. Trouble becomes problems."""
    with ExitStack() as stack:
        _Choice(tree, findings, spent or Spent(ReadingBounds()), stack).make()


def holds_work(tree: Tree) -> bool:
    """Whether something is somebody's work, rather than a folder of results: by what it is called, nothing is read."""
    return any(
        each.name == WHOLE
        or each.name in units()
        or (each.kind == "file" and each.name.lower().endswith(ENDINGS))
        or (each.kind == "file" and each.name.lower().endswith(".py") and exercise_named(each.name) is not None)
        for each in tree.entries()
    )


@dataclass
class _Candidate:
    """A file that could be an exercise. `path` is for people; inside of an archive it begins with that one's path."""

    exercise: str
    path: str
    likeness: Likeness
    tree: Tree
    within: str

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    @cached_property
    def content(self) -> bytes | Refused:
        if isinstance(self._raw, Refused):
            return self._raw
        told = instead_of_text(self._raw)
        return Refused(f"{self.path} is {told}") if told else self._raw

    @property
    def is_no_text(self) -> bool:
        """Whether it can be read, and is something else than a program's text."""
        return isinstance(self._raw, bytes) and isinstance(self.content, Refused)

    @cached_property
    def _raw(self) -> bytes | Refused:
        try:
            return self.tree.read(self.within, MAX_BYTES)
        except Refused as reason:
            # Inside of an archive a sentence begins with the path there.
            outer = self.path.removesuffix(self.within)
            return Refused(f"{outer}{reason}" if outer and str(reason).startswith(self.within) else str(reason))

    @cached_property
    def sort(self) -> Sort | None:
        """None for what cannot be read."""
        return None if isinstance(self.content, Refused) else sort_of(self.content, self.exercise)


@dataclass
class _Choice:
    tree: Tree
    findings: Findings
    spent: Spent
    stack: ExitStack

    def __post_init__(self) -> None:
        self.base: str | None = None
        self.told: list[str] = []
        self.renamed: list[str] = []
        self.beside: list[str] = []
        self.elsewhere: list[str] = []
        self.chosen: set[str] = set()
        """The folders that exercises were taken from which lie there without their unit."""
        self.archives = _MOST_ARCHIVES

    def make(self) -> None:
        for told in self.tree.trouble:
            self.findings.note(told)
        found = list(self._files(self.tree, "", int(isinstance(self.tree, ArchiveTree))))
        entries = [entry for entry, _, _ in found]
        by_exercise: dict[str, list[_Candidate]] = {}
        for entry, tree, within in found:
            named = exercise_named(entry.name)
            if named is not None:
                candidate = _Candidate(named.exercise, entry.path, named.likeness, tree, within)
                by_exercise.setdefault(named.exercise, []).append(candidate)
        self.base = _base(entries)
        for exercise in all_exercises().values():
            self._choose(exercise, by_exercise.get(exercise.name, []))
        self._tell_blocked(entries)
        self._tell_nothing(entries)
        for told in self.told[:_MOST_TOLD]:
            self.findings.note(told)
        if len(self.told) > _MOST_TOLD:
            self.findings.note(f"{len(self.told) - _MOST_TOLD} more exercises were not read; each says why")
        if self.renamed:
            self.findings.note(f"read although it is not where it belongs: {_listed(self.renamed)}")
        if self.beside:
            self.findings.note(f"not read, since another file counts: {_listed(self.beside)}")
        if self.elsewhere:
            self.findings.note(f"not read, since it lies outside of {self.base or WHOLE}: {_listed(self.elsewhere)}")
        self._tell_others(found)
        self._take_help(found)
        for told in self.tree.trouble:  # more of it may have come while files were read
            self.findings.note(told)

    # What there is.

    def _files(self, tree: Tree, before: str, opened: int) -> Iterator[tuple[Entry, Tree, str]]:
        """Everything in a tree and in the archives that lie in it, each with where to read it. `opened` counts the
        archives around.
        """
        archives = []
        for entry in tree.entries():
            yield Entry(f"{before}{entry.path}", entry.kind, entry.what), tree, entry.path
            if entry.kind == "file" and entry.name.lower().endswith(ENDINGS):
                archives.append(entry.path)
        for path in archives[: self.archives]:
            self.archives -= 1
            if opened == _MOST_AROUND:
                self.findings.note(f"{before}{path} is an archive in too many others and was not opened; hand in one")
            elif (inner := self._inner(tree, path, before)) is not None:
                yield from self._files(inner, f"{before}{path}/", opened + 1)
        if not self.archives:
            self.findings.note(f"many archives lie in it; only {_MOST_ARCHIVES} were opened")

    def _inner(self, tree: Tree, path: str, before: str) -> Tree | None:
        try:
            file, size = tree.opened(path)
            self.stack.enter_context(file)
            inner = ArchiveTree(file, size, self.spent)
        except Refused as reason:
            told = str(reason)
            self.findings.note(f"{before}{told}" if told.startswith(path) else f"{before}{path} {told}")
            return None
        for told in inner.trouble:
            self.findings.note(f"{before}{path}: {told}")
        return inner

    # Which of it counts.

    def _choose(self, exercise: Exercise, candidates: list[_Candidate]) -> None:
        place = None if self.base is None else f"{self.base}{exercise.path}"
        first = next((each for each in candidates if each.path == place), None)
        others = [each for each in candidates if each is not first]
        if first is None:
            self._choose_among(exercise, others, None)
        elif isinstance(first.content, Refused):
            # What can be no file at all is said of the exercise alone: somebody means it to be so.
            self._refuse(exercise, str(first.content), tell=first.is_no_text)
        elif (b"NotImplementedError" in first.content or b"def " not in first.content) and first.sort == "stub":
            self._choose_among(exercise, others, first)
        else:
            self._take(exercise, first, is_work=True)
            self.beside += [each.path for each in others if self._differs(each, first.content)]

    def _choose_among(self, exercise: Exercise, others: list[_Candidate], stub: _Candidate | None) -> None:
        """Of files that do not lie where the exercise belongs; `stub` does, and holds no work."""
        by_name = [each for each in others if each.likeness != "perhaps"]
        near = by_name if stub is None else [each for each in by_name if self._is_near(each)]
        work = _different([each for each in near if each.sort == "work"])
        if len(work) == 1:
            (found,) = work
            assert isinstance(found.content, bytes)
            self._take(exercise, found, is_work=True)
            self.chosen.add(found.folder)
            if stub is not None or found.likeness != "called so" or _in_a_wrong_unit(found.path, exercise):
                instead = f", since {stub.path} is the untouched stub" if stub else ""
                self.renamed.append(f"{found.path} as {exercise.name}{instead}")
            content = found.content
            self.beside += [each.path for each in others if each is not found and self._differs(each, content)]
            return
        if work:
            kept = f"keep one of them, as {WHOLE}/{exercise.path}"
            paths = _listed([each.path for each in work])
            self._refuse(exercise, f"{len(work)} files could be {exercise.name} and differ: {paths}; {kept}")
            return
        self._without_work(exercise, others, near, stub)

    def _without_work(
        self, exercise: Exercise, others: list[_Candidate], near: list[_Candidate], stub: _Candidate | None
    ) -> None:
        if stub is not None and isinstance(stub.content, bytes):
            self._take(exercise, stub, is_work=False)
        unread = [each for each in near if isinstance(each.content, Refused)]
        if unread:
            self._refuse(exercise, str(unread[0].content))
            return
        foreign = _different([each for each in near if each.sort == "foreign"])
        if stub is None and len(foreign) == 1 and isinstance(foreign[0].content, bytes):
            # Called so, with none of its functions: whoever wrote it is told which are missing.
            self._take(exercise, foreign[0], is_work=True)
            self.chosen.add(foreign[0].folder)
            return
        perhaps = [each for each in others if each.likeness == "perhaps" and self._could_be(each, stub)]
        if perhaps:
            paths = _listed([each.path for each in perhaps])
            told = f"{paths} could be {exercise.name}, but is not called so, and was not read"
            self._refuse(exercise, f"{told}; hand it in as {WHOLE}/{exercise.path}")
            return
        self.elsewhere += [each.path for each in others if each not in near and each.sort in {"work", None}]
        if foreign:
            names = ", ".join(graded.spec.name for graded in exercise.functions)
            paths = _listed([each.path for each in foreign])
            self.findings.note(f"{paths} defines none of the functions of {exercise.name} ({names}); it was not read")
        stubs = [each for each in near if each.sort == "stub"]
        if stub is None and stubs and isinstance(stubs[0].content, bytes):
            self._take(exercise, stubs[0], is_work=False)

    def _take(self, exercise: Exercise, candidate: _Candidate, *, is_work: bool) -> None:
        assert isinstance(candidate.content, bytes)
        written = candidate.tree.written(candidate.within)
        self.findings.take(exercise.name, candidate.content, is_work=is_work, written=written)

    def _refuse(self, exercise: Exercise, told: str, *, tell: bool = True) -> None:
        """Refuse an exercise, and say it of the whole submission as well: whoever looks at the class should."""
        self.findings.refuse(exercise.name, told)
        if tell:
            self.told.append(told)

    @staticmethod
    def _could_be(candidate: _Candidate, stub: _Candidate | None) -> bool:
        """Whether a file that is not read may hold the work all the same."""
        if not candidate.path.lower().endswith(".py"):
            content = candidate.content
            return isinstance(content, Refused) or stub is None or bare(content) != bare(_content(stub))
        return candidate.sort in {"work", None}

    def _is_near(self, candidate: _Candidate) -> bool:
        """Whether a file lies where somebody would put an exercise whose stub lies untouched in its place: above it,
        in the folder of another unit, or in an archive that lies there. Elsewhere there may be other people's files.
        """
        home = (self.base or "").rstrip("/")
        above = {"", *(str(each) for each in (PurePosixPath(home), *PurePosixPath(home).parents) if str(each) != ".")}
        folder = candidate.folder
        if candidate.tree is not self.tree:
            folder = candidate.path.removesuffix(f"/{candidate.within}").rpartition("/")[0]
        outer, _, name = folder.rpartition("/")
        return folder in above or (outer in above and resembles_unit(name))

    def _differs(self, candidate: _Candidate, content: bytes) -> bool:
        """Whether an unread file has other work than the one that counts."""
        if candidate.likeness == "perhaps" or candidate.sort != "work" or not self._is_near(candidate):
            return False
        return bare(_content(candidate)) != bare(content)

    # What is said.

    def _tell_blocked(self, entries: Sequence[Entry]) -> None:
        """Links, pipes and files in the place of folders, where nothing else is the exercise."""
        for entry in entries:
            if entry.kind == "folder" or (entry.name != WHOLE and entry.name not in units()):
                continue
            for exercise in all_exercises().values():
                if entry.name in {WHOLE, exercise.unit} and exercise.name in self.findings.lacking:
                    told = f"{entry.path} is {entry.what}, not a folder; hand in the folder"
                    self.findings.refuse(exercise.name, told)

    def _tell_nothing(self, entries: Sequence[Entry]) -> None:
        if self.findings.sources or self.findings.refused or {WHOLE, *units()}.intersection(e.name for e in entries):
            return
        units_such_as = f"there is no folder {WHOLE}/ with units such as {min(units())}/ in it"
        self.findings.note(f"{units_such_as}, nor a file such as relu.py; hand in one of the two, or a zip of it")

    def _tell_others(self, found: Sequence[tuple[Entry, Tree, str]]) -> None:
        """Files that could hold exercises and are called like none."""
        if not self.findings.lacking:
            return
        unnamed = [each for each in found if each[0].kind == "file" and exercise_named(each[0].name) is None]
        for entry, _, _ in unnamed:
            name = entry.name.lower()
            if name.endswith(UNREAD) and not name.endswith(ENDINGS):
                self.findings.note(f"{entry.path} is an archive of a kind that is not read here; hand in a .zip")
            elif name.endswith(".ipynb"):
                self.findings.note(f"{entry.path} is a notebook, which is not read; hand in .py files")
        python = [each for each in unnamed if each[0].name.lower().endswith(".py") and not is_a_tool(each[0].name)]
        python.sort(key=lambda each: (each[0].path.count("/"), each[0].path))
        told = [
            entry.path
            for entry, tree, within in python[:MOST_OTHERS]
            if entry.path.rpartition("/")[0] in self.chosen or _holds_an_exercise(tree, within)
        ]
        if told:
            self.findings.note(f"no exercise is called so, and so it was not read: {_listed(told)}")

    def _take_help(self, found: Sequence[tuple[Entry, Tree, str]]) -> None:
        """The record beside the units; where they have no place, the only one there is."""
        records = [each for each in found if each[0].name == desk_record.FILE]
        if self.base is not None:
            records = [each for each in records if each[0].path == f"{self.base}{desk_record.FILE}"] or records
        contents: dict[bytes, None] = {}
        for _, tree, within in records[:_MOST_TOLD]:
            try:
                contents[tree.read(within, desk_record.MAX_BYTES)] = None
            except Refused as reason:
                self.findings.note(f"{reason}; it counts as no help taken")
        if len(contents) == 1:
            self.findings.take_help(next(iter(contents)))
        elif contents:
            self.findings.note(f"{len(contents)} files {desk_record.FILE} lie in it and differ; none of them counts")


def _base(entries: Sequence[Entry]) -> str | None:
    """Where the units lie: in the shallowest folder `exercises`, or else the shallowest folder with units in it. None:
    nowhere, or in several alike.
    """
    found: dict[str, set[str]] = {}
    for entry in entries:
        folder, _, name = entry.path.rpartition("/")
        above, _, unit = folder.rpartition("/")
        exercise = all_exercises().get(name.removesuffix(".py"))
        if exercise is None or exercise.path != f"{unit}/{name}":
            continue
        *wrapper, last = above.split("/")
        found.setdefault("/".join(wrapper if last == WHOLE else filter(None, (*wrapper, last))), set()).add(above)
    deep = {wrapper: wrapper.count("/") + bool(wrapper) for wrapper in found}
    shallowest = [wrapper for wrapper in found if deep[wrapper] == min(deep.values())]
    if len(shallowest) != 1:
        return None
    place = max(found[shallowest[0]], key=len)  # `exercises` before units that lie beside it
    return f"{place}/" if place else ""


def _different(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """One for each content, line ends and blanks apart: the one that is called most like the exercise."""
    found: dict[bytes, _Candidate] = {}
    for each in sorted(candidates, key=lambda each: (each.likeness != "called so", each.path.count("/"), each.path)):
        found.setdefault(bare(_content(each)), each)
    return list(found.values())


def _content(candidate: _Candidate) -> bytes:
    return candidate.content if isinstance(candidate.content, bytes) else b""


def _in_a_wrong_unit(path: str, exercise: Exercise) -> bool:
    return units().intersection(path.split("/")[:-1]) - {exercise.unit} != frozenset()


def _holds_an_exercise(tree: Tree, within: str) -> bool:
    """Whether a file defines a function that some exercise asks for, or cannot be read so that nobody knows."""
    try:
        content = tree.read(within, MOST_OF_ANOTHER)
    except Refused:
        return True
    unreadable = bool(instead_of_text(content)) or b"\0" in content
    return unreadable or (b"def " in content and sort_of(content) == "work")


def _listed(named: Sequence[str]) -> str:
    return ", ".join(named[:_MOST_TOLD]) + (f" and {len(named) - _MOST_TOLD} more" if len(named) > _MOST_TOLD else "")
