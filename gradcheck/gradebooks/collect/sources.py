"""Goes through what an instructor has gathered: folders of clones, folders of result files, collected files, mixed."""

from __future__ import annotations

import errno
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gradcheck.errors import GradcheckError
from gradcheck.gradebooks.collect.clones import Clone, clone_at, is_clone
from gradcheck.gradebooks.collect.formats import read_json, read_payload
from gradcheck.gradebooks.collect.manifest import Manifest
from gradcheck.gradebooks.collect.result import Reader, Result, ResultsRead, Unusable
from gradcheck.gradebooks.collect.tables import read_table
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
    """All that was found. `ignored` are entries and why; `problems` are sentences on what gives no score."""

    results: list[Result] = field(default_factory=list)
    clones: list[Clone] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    with_clones: list[Path] = field(default_factory=list)
    """The sources that hold clones, and nothing that would read as an empty submission."""
    with_folders_of_results: list[Path] = field(default_factory=list)


def gather(
    sources: Sequence[Path],
    *,
    assignment: str = "",
    release: Manifest | None = None,
    exclude: Collection[Path] = (),
    readers: Sequence[Reader],
) -> Gathered:
    """What lies in the sources: files, or folders with one entry per student. `readers` are the hosts'. Raises
    GradcheckError for a source that is not there; whatever is wrong with an entry becomes a problem and leaves the
    others alone.
    """
    gathered = Gathered()
    for source in sources:
        _Source(source, gathered, assignment, release, exclude, readers).read()
    return gathered


@dataclass
class _Source:
    source: Path
    gathered: Gathered
    assignment: str
    release: Manifest | None
    exclude: Collection[Path]
    readers: Sequence[Reader]

    def read(self) -> None:
        is_zip = self.source.name.lower().endswith(".zip")
        if self.source.is_file() and not is_zip:
            with opened(self.source.resolve().parent) as folder:
                self._file(folder, self.source.resolve().name, self.source.name)
            return
        places = find(self.source, exclude=self.exclude)
        for place in places:
            self._place(place)
        if self.source.is_file():
            self.gathered.ignored += places.ignored
            return
        skipped = {name for path in self.exclude if (name := self._entry(path))}
        with opened(self.source.resolve()) as folder:
            # Sorted, so that what is told does not depend on the file system.
            files = sorted(name for name in folder.files() if self._may_be_result(name) and name not in skipped)
            for name in files:
                self._file(folder, name, name)
        told = {printable(name) for name in (*files, *skipped)}
        self.gathered.ignored += [(name, why) for name, why in places.ignored if name not in told]

    def _entry(self, path: Path) -> str:
        """The entry of the source that a path is."""
        return path.resolve().name if path.resolve().parent == self.source.resolve() else ""

    def _place(self, place: Place) -> None:
        path = Path(place.path)
        if not place.is_folder or is_clone(path):
            if self.source not in self.gathered.with_clones:
                self.gathered.with_clones.append(self.source)
            self.gathered.clones.append(clone_at(place, self.release))
            if place.is_folder:
                self._in_clone(place, path)
            return
        if self.source not in self.gathered.with_folders_of_results:
            self.gathered.with_folders_of_results.append(self.source)
        try:
            with opened(path) as folder:
                self._folder(place, folder)
        except OSError as error:
            self.gathered.problems.append(f"{printable(place.name)} cannot be opened: {error.strerror or error}")

    def _folder(self, place: Place, folder: Opened) -> None:
        names = folder.files()
        files = sorted(name for name in names if self._may_be_result(name))
        if not files or len(files) > _MOST_IN_A_FOLDER:
            why = (
                f"it has more than {_MOST_IN_A_FOLDER} files" if files else "neither a clone nor a result file is in it"
            )
            self.gathered.problems.append(f"{printable(place.name)}: {why}")
        for name in files[:_MOST_IN_A_FOLDER]:
            self._file(folder, name, f"{place.name}/{name}", whose=place.name)

    def _in_clone(self, place: Place, path: Path) -> None:
        """A result file in somebody's own repository: anybody who may push there may have written it."""
        try:
            with opened(path) as folder:
                for name in sorted(set(_IN_A_CLONE).intersection(folder.files())):
                    before = len(self.gathered.results)
                    self._file(folder, name, f"{place.name}/{name}", whose=place.name)
                    for at in range(before, len(self.gathered.results)):
                        note = "the result file lies in the learner's own repository"
                        found = self.gathered.results[at]
                        self.gathered.results[at] = replace(found, notes=(*found.notes, note))
        except OSError:
            return  # a bare repository, or one that nobody may list: grading it says more

    def _file(self, folder: Opened, name: str, shown: str, whose: str = "") -> None:
        shown = printable(shown)
        stem = name.rsplit(".", 1)[0]
        names = (whose,) if whose else () if stem.lower() in _NOBODYS else (safe_name(stem),)
        try:
            content = folder.read(name, MOST_BYTES)
            if content is not None:
                self._take(name, content, names, shown)
        except Refused as reason:
            # The file is named by the sentence, which the folder around it is not.
            self.gathered.problems.append(printable(f"{reason}{f' (of {whose})' if whose else ''}"))
        except Unusable as reason:
            self.gathered.problems.append(printable(f"{shown}: {reason}"))

    def _take(self, name: str, content: bytes, names: tuple[str, ...], shown: str) -> None:
        read = self._read(name, content, names, shown)
        if read is None:
            self.gathered.ignored.append((shown, "no table of grades, nor a payload, that is read here"))
            return
        for each in read.results:
            if not each.names:
                self.gathered.problems.append(f"{shown}: it says nobody's name; call it NAME.json, or NAME/{name}")
            else:
                self.gathered.results.append(each)
        self.gathered.problems += read.problems

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

    @staticmethod
    def _may_be_result(name: str) -> bool:
        return name.lower().endswith(_ENDINGS) and not name.startswith(".")


def must_exist(source: Path) -> None:
    """Raises GradcheckError for a source that is not there, before anything is graded or written."""
    try:
        source.stat()
    except OSError as error:
        what = "does not exist" if error.errno == errno.ENOENT else f"cannot be read: {error.strerror or error}"
        raise GradcheckError(f"{source} {what}; give a folder of clones or of result files") from None
