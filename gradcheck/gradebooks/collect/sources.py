"""Goes through what an instructor has gathered: folders of clones, folders of result files, collected files, mixed."""

from __future__ import annotations

import errno
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gradcheck.errors import GradcheckError
from gradcheck.gradebooks.collect.changes import Clone, Manifest, clone_at, is_clone
from gradcheck.gradebooks.collect.result import (
    Reader,
    Result,
    ResultsRead,
    Unusable,
    read_json,
    read_payload,
    read_table,
)
from gradcheck.submissions.folder import Opened, opened
from gradcheck.submissions.layout import Refused, printable
from gradcheck.submissions.naming import safe_name
from gradcheck.submissions.places import Place, find

MOST_BYTES = 64 << 20
_MOST_IN_A_FOLDER = 100
_ENDINGS = (".json", ".csv", ".txt", ".b64")
_IN_A_CLONE = ("result.json", "results.json", "report.json")
_NOBODYS = {"result", "results", "report", "scores", "grades", "payload", "output", "autograding"}
"""File names that say what a file is, not whose."""


@dataclass
class Gathered:
    """All that was found. `assignment` is which one is wanted of several, `release` what clones are compared with,
    `exclude` what is no submission, `readers` are the hosts'.

    `ignored`   entries and why.
    `problems`  sentences on what gives no score.
    """

    assignment: str = ""
    release: Manifest | None = None
    exclude: Collection[Path] = ()
    readers: Sequence[Reader] = ()
    results: list[Result] = field(default_factory=list)
    clones: list[Clone] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    with_clones: dict[Path, None] = field(default_factory=dict)
    """The sources that hold clones, and nothing that would read as an empty submission."""
    with_folders_of_results: set[Path] = field(default_factory=set)

    def add(self, source: Path) -> None:
        """What lies in a source: a file, or a folder with one entry per student. Raises GradcheckError where it is not
        there; whatever is wrong with an entry becomes a problem and leaves the others alone.
        """
        is_zip = source.name.lower().endswith(".zip")
        if source.is_file() and not is_zip:
            with opened(source.resolve().parent) as folder:
                self._file(folder, source.resolve().name, source.name)
            return
        places = find(source, exclude=self.exclude)
        for place in places:
            self._place(place, source)
        if source.is_file():
            self.ignored += places.ignored
            return
        skipped = {path.resolve().name for path in self.exclude if path.resolve().parent == source.resolve()}
        with opened(source.resolve()) as folder:
            # Sorted, so that what is told does not depend on the file system.
            files = sorted(name for name in folder.files() if _may_be_result(name) and name not in skipped)
            for name in files:
                self._file(folder, name, name)
        told = {printable(name) for name in (*files, *skipped)}
        self.ignored += [(name, why) for name, why in places.ignored if name not in told]

    def _place(self, place: Place, source: Path) -> None:
        path = Path(place.path)
        if not place.is_folder or is_clone(path):
            self.with_clones[source] = None
            self.clones.append(clone_at(place, self.release))
            if place.is_folder:
                self._in_clone(place, path)
            return
        self.with_folders_of_results.add(source)
        try:
            with opened(path) as folder:
                self._folder(place, folder)
        except OSError as error:
            self.problems.append(f"{printable(place.name)} cannot be opened: {error.strerror or error}")

    def _folder(self, place: Place, folder: Opened) -> None:
        files = sorted(filter(_may_be_result, folder.files()))
        if not files or len(files) > _MOST_IN_A_FOLDER:
            many = f"it has more than {_MOST_IN_A_FOLDER} files"
            why = many if files else "neither a clone nor a result file is in it"
            self.problems.append(f"{printable(place.name)}: {why}")
        for name in files[:_MOST_IN_A_FOLDER]:
            self._file(folder, name, f"{place.name}/{name}", whose=place.name)

    def _in_clone(self, place: Place, path: Path) -> None:
        """A result file in somebody's own repository: anybody who may push there may have written it."""
        try:
            with opened(path) as folder:
                for name in sorted(set(_IN_A_CLONE).intersection(folder.files())):
                    note = "the result file lies in the learner's own repository"
                    self._file(folder, name, f"{place.name}/{name}", place.name, note)
        except OSError:
            return  # a bare repository, or one that nobody may list: grading it says more

    def _file(self, folder: Opened, name: str, shown: str, whose: str = "", *notes: str) -> None:
        shown = printable(shown)
        stem = name.rsplit(".", 1)[0]
        names = (whose,) if whose else () if stem.lower() in _NOBODYS else (safe_name(stem),)
        try:
            content = folder.read(name, MOST_BYTES)
            if content is not None:
                self._take(name, content, names, shown, notes)
        except Refused as reason:
            # The file is named by the sentence, which the folder around it is not.
            self.problems.append(printable(f"{reason}{f' (of {whose})' if whose else ''}"))
        except Unusable as reason:
            self.problems.append(printable(f"{shown}: {reason}"))
        except GradcheckError as error:
            self.problems.append(printable(str(error)))

    def _take(self, name: str, content: bytes, names: tuple[str, ...], shown: str, notes: tuple[str, ...]) -> None:
        read = self._read(name, content, names, shown)
        if read is None:
            self.ignored.append((shown, "no table of grades, nor a payload, that is read here"))
            return
        for each in read.results:
            if not each.names:
                self.problems.append(f"{shown}: it says nobody's name; call it NAME.json, or NAME/{name}")
            else:
                self.results.append(replace(each, notes=(*each.notes, *notes)))
        self.problems += read.problems

    def _read(self, name: str, content: bytes, names: tuple[str, ...], shown: str) -> ResultsRead | None:
        ending = name.lower().rsplit(".", 1)[-1]
        if ending == "csv":
            return read_table(content, shown, self.assignment)
        if ending == "json":
            return read_json(content, names, shown, self.assignment, readers=self.readers)
        try:
            return read_payload(content, names, shown, readers=self.readers)
        except Unusable:
            if ending == "b64" or content.startswith(b"result="):
                raise
            return None


def _may_be_result(name: str) -> bool:
    return name.lower().endswith(_ENDINGS) and not name.startswith(".")


def must_exist(source: Path) -> None:
    """Raises GradcheckError for a source that is not there, before anything is graded or written."""
    try:
        source.stat()
    except OSError as error:
        what = "does not exist" if error.errno == errno.ENOENT else f"cannot be read: {error.strerror or error}"
        raise GradcheckError(f"{source} {what}; give a folder of clones or of result files") from None
