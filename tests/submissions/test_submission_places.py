"""Which entries of a class's folder are submissions, and what they are called."""

from __future__ import annotations

import os
import pickle
import sys
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.classes.policy import Course
from gradcheck.errors import SubmissionError
from gradcheck.submissions import places
from gradcheck.submissions.naming import MOST_BYTES, folded, safe_name, unique_names

pytestmark = pytest.mark.outside


def test_folders_and_archives_are_submissions_and_the_rest_is_told(tmp_path):
    for name in ("alice", "Zoe", ".hidden", "__MACOSX", "bob.git"):
        (tmp_path / name).mkdir()
    for name in (
        "carl.zip",
        "dora.tar",
        "emil.TAR.GZ",
        "f.tgz",
        "g.tar.bz2",
        "h.tar.xz",
        "grades.csv",
        "i.rar",
        ".zip",
    ):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "alice")
    (tmp_path / "broken.zip").symlink_to("nowhere")
    found = places.find(tmp_path)
    assert [place.name for place in found] == ["Zoe", "alice", "bob", "carl", "dora", "emil", "f", "g", "h", "i"]
    assert [name for name, _ in found.ignored] == [
        ".hidden", ".zip", "__MACOSX", "broken.zip", "grades.csv", "link",
    ]  # fmt: skip
    assert all(reason for _, reason in found.ignored)
    assert isinstance(found, list)


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes")
def test_pipes_are_ignored(tmp_path):
    os.mkfifo(tmp_path / "pipe.zip")
    assert places.find(tmp_path).ignored == [("pipe.zip", "neither a folder nor a file")]


def test_what_is_no_folder_is_told_with_a_remedy(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for name, words in (("nothing", "there is no folder"), ("file", "is not a folder"), ("a\0b", "cannot be read")):
        with pytest.raises(SubmissionError, match=words) as told:
            places.find(tmp_path / name)
        assert "in which each sub-folder or archive is one submission" in str(told.value)

    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(SubmissionError, match="Permission denied; make it readable"):
        places.find(tmp_path)


def test_one_submission_in_the_place_of_a_class_is_told(tmp_path):
    (tmp_path / "exercises/04_modules").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "exercises"):
        with pytest.raises(SubmissionError, match="looks like one submission"):
            places.find(folder)
    (tmp_path / "alice").mkdir()
    assert [place.name for place in places.find(tmp_path)] == ["alice", "exercises"]


def test_an_empty_class_has_no_submissions(tmp_path):
    assert places.find(tmp_path) == []


def test_where_the_reports_go_is_no_submission(tmp_path):
    for name in ("alice", "out"):
        (tmp_path / name).mkdir()
    found = places.find(tmp_path, exclude=[tmp_path / "alice/../out"])
    assert [place.name for place in found] == ["alice"]
    assert found.ignored == [("out", "the reports of a grading lie there")]


def test_a_folder_around_the_reports_is_no_submission_and_others_are(tmp_path):
    for name in ("alice", "out"):
        (tmp_path / name).mkdir()
    assert [place.name for place in places.find(tmp_path, exclude=[tmp_path / "out/week/2"])] == ["alice"]
    assert len(places.find(tmp_path, exclude=[tmp_path, tmp_path.parent, tmp_path / "new"])) == 2


def test_places_are_read_from_wherever_one_is(tmp_path, monkeypatch):
    (tmp_path / "class/alice/exercises/04_modules").mkdir(parents=True)
    (tmp_path / "class/alice/exercises/04_modules/relu.py").write_text("x")
    monkeypatch.chdir(tmp_path)
    (place,) = places.find(Path("class"))
    monkeypatch.chdir("/")
    assert place.read().sources == {"relu": b"x"}
    assert pickle.loads(pickle.dumps(place)) == place
    assert len(pickle.dumps(place)) < 1000


def zipped(path, relu="x"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("exercises/04_modules/relu.py", relu)


def test_a_folder_around_one_archive_is_that_archive(tmp_path):
    """As Moodle packs what was uploaded."""
    folder = tmp_path / "Ada Lovelace_4711_assignsubmission_file_"
    folder.mkdir()
    (folder / "notes.txt").write_text("")
    zipped(folder / "work.zip")
    (place,) = places.find(tmp_path)
    read = place.read()
    assert (read.sources, read.problems, read.submitted) == ({"relu": b"x"}, (), "")
    os.utime(folder / "work.zip", (1_790_000_000, 1_790_000_000))
    assert places.find(tmp_path, Course(at="mtime"))[0].read().submitted == "2026-09-21T14:13:20+00:00"
    zipped(folder / "again.zip", "def forward(x): return x")
    zipped(folder / "work.zip", "def forward(x): return -x")
    read = place.read()
    assert not read.sources
    assert "again.zip/exercises/04_modules/relu.py, work.zip/exercises" in read.refused["relu"]
    (folder / "again.zip").unlink()
    (folder / "work.zip").rename(tmp_path / "elsewhere")
    (folder / "work.zip").symlink_to(tmp_path / "elsewhere")
    assert not place.read().sources


def test_reading_never_raises_for_what_goes_away_or_goes_wrong(tmp_path, monkeypatch):
    (tmp_path / "alice").mkdir()
    (tmp_path / "bob.zip").write_bytes(b"")
    alice, bob = places.find(tmp_path)
    (tmp_path / "alice").rmdir()
    (tmp_path / "bob.zip").unlink()
    for place in (alice, bob):
        assert place.read().problems == ("it cannot be opened: No such file or directory",)
    (tmp_path / "alice").symlink_to(tmp_path)
    (tmp_path / "bob.zip").symlink_to("/etc/passwd")
    for place in (alice, bob):
        read = place.read()
        assert read.problems
        assert not read.sources

    def broken(*_):
        raise RuntimeError("a defect\x1b[2J")

    monkeypatch.setattr(places, "read_folder", broken)
    assert alice.read().problems == ("it could not be read: RuntimeError: a defect�[2J",)


def test_the_order_of_the_disk_does_not_matter(tmp_path, monkeypatch):
    for name in ("b", "a", "A", "a.zip", "CON", "_CON"):
        (tmp_path / name).mkdir() if "." not in name else (tmp_path / name).write_text("")
    genuine = os.scandir
    first = [(place.name, place.path) for place in places.find(tmp_path)]

    class Backwards(list):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(
        os, "scandir", lambda path: Backwards(sorted(genuine(path), key=lambda e: e.name, reverse=True))
    )
    assert [(place.name, place.path) for place in places.find(tmp_path)] == first
    assert len({folded(name) for name, _ in first}) == len(first) == 6


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf8_become_readable(tmp_path):
    for raw in (b"Jos\xe9", b"\xff\xfe", b"new\nline", b"a\x1b[2Jb", b"\xe2\x80\xaetxt"):
        (tmp_path / os.fsdecode(raw)).mkdir()
    found = places.find(tmp_path)
    assert [place.name for place in found] == ["José", "_txt", "a_[2Jb", "new_line", "ÿþ"]
    for place in found:
        assert "there is no folder exercises/" in place.read().problems[0]


def test_ten_thousand_submissions_cost_only_their_names(tmp_path, monkeypatch):
    class Entry:
        def __init__(self, number):
            self.name = f"student-{number:05}"
            self.is_symlink = self.is_file = lambda follow_symlinks=True: False
            self.is_dir = lambda follow_symlinks=True: True

    class Entries(list):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    entries = Entries(map(Entry, range(10_000)))
    monkeypatch.setattr(os, "scandir", lambda path: entries)
    tracemalloc.start()
    found = places.find(tmp_path)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 10_000
    assert held < 8_000_000


# --- names ---

WINDOWS = {"con", "prn", "aux", "nul", *(f"{kind}{digit}" for kind in ("com", "lpt") for digit in "123456789")}
NAMES = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=60).map(os.fsdecode),
    st.text(alphabet=st.characters(), max_size=20),
    st.sampled_from(
        [*WINDOWS, "CON.txt", "nul ", "COM1.tar.gz", "..", ".", "", " ", "-rf", "~", "a/b", "a\\b", "aux .x"]
    ),
    st.text(alphabet=' .-~/\\<>:"|?*%#\x00\x7fA\u0301\u202e', max_size=12),
)


def assert_safe(name: str) -> None:
    assert name.isprintable()
    assert name == name.strip(" ")
    assert not set(name) & set('<>:"/\\|?*%#\0')
    assert not name.endswith(".")
    assert name[0] not in ".-~"
    assert name.partition(".")[0].rstrip().lower() not in WINDOWS
    assert 0 < len(name.encode("utf-8")) <= MOST_BYTES + 10


@given(NAMES)
def test_every_name_becomes_safe_and_a_safe_one_stays(raw):
    name = safe_name(raw)
    assert_safe(name)
    assert safe_name(name) == name


@given(st.lists(NAMES, max_size=12))
def test_names_are_safe_and_unique_even_where_case_does_not_count(raws):
    names = unique_names(raws)
    assert len(names) == len(raws)
    assert len({folded(name) for name in names}) == len(names)
    for name in names:
        assert_safe(name)


def test_names_of_people_stay():
    for name in (
        "Ada Lovelace",
        "O'Brien, Séan",
        "李明",
        "ada@uni.edu",
        "smith_12345_late",
        "أحمد",
        "a.b.c",
        "con-2",
        "Console",
    ):
        assert safe_name(name) == name
    assert safe_name("CON") == "_CON"
    assert safe_name("nul.tar") == "_nul.tar"
    assert safe_name("=cmd()|x!A1") == "=cmd()_x!A1"


def test_collisions_are_numbered_and_safe_names_come_first():
    assert unique_names(["alice", "Alice", "alice"]) == ["alice", "Alice-2", "alice-3"]
    assert unique_names(["a?", "a_"]) == ["a_-2", "a_"]
    assert unique_names(["x", "x", "x-2"]) == ["x", "x-3", "x-2"]
    assert len(set(unique_names(["x"] * 2000))) == 2000
