"""A folder is read by the names of the catalog, and never through anything that is not a plain file or folder."""

from __future__ import annotations

import os
import socket
import stat
import sys
import threading
from pathlib import Path

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.classes.policy import Course
from gradcheck.submissions import folder as folders
from gradcheck.submissions import places
from gradcheck.submissions.finder import read_folder
from gradcheck.submissions.layout import Findings, Refused, Submission

RELU = "exercises/04_modules/relu.py"
NLL = "exercises/05_losses/nll.py"
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX system")


@pytest.fixture(params=[True, False], ids=["descriptors", "paths"])
def by_descriptor(request):
    if request.param and not folders.BY_DESCRIPTOR:
        pytest.skip("not on this system")
    return request.param


def test_the_newest_of_the_exercises_dates_a_folder_if_the_course_says_so(submission, by_descriptor):
    write = {RELU: 1_790_000_000, NLL: 1_790_000_060, "notes.txt": 1_790_000_999, "exercises/.desk.json": 1_790_000_999}
    for name, seconds in write.items():
        (submission / name).touch()
        os.utime(submission / name, (seconds, seconds))
    findings = Findings()
    read_folder(submission, findings, by_descriptor=by_descriptor)
    assert (findings.written, findings.submitted) == (1_790_000_060, "")
    dated = places.find(submission.parent, Course(at="mtime"))[0].read().submitted
    assert dated == "2026-09-21T14:14:20+00:00"
    assert places.find(submission.parent, Course())[0].read().submitted == ""


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    root = tmp_path / "alice"
    for name in (RELU, NLL):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(name.encode())
    return root


def read(root: Path, by_descriptor: bool) -> Findings:
    findings = Findings()
    read_folder(root, findings, by_descriptor=by_descriptor)
    return findings


def moved(root: Path, to: str) -> None:
    """Puts what the submission holds somewhere inside of it."""
    aside = root.with_name("aside")
    root.rename(aside)
    (root / to).parent.mkdir(parents=True, exist_ok=True)
    aside.rename(root / to)


@pytest.mark.parametrize("where", ["", "wrapper", "exercises", "wrapper/exercises"])
def test_exercises_are_found_where_people_put_them(submission, by_descriptor, where):
    if where.endswith("exercises"):
        for unit in (submission / "exercises").iterdir():
            unit.rename(submission / unit.name)
        (submission / "exercises").rmdir()
    if where:
        moved(submission, where)
    found = read(submission, by_descriptor)
    assert (found.sources.keys(), found.refused, found.problems) == ({"relu", "nll"}, {}, [])


def test_units_alone_are_found(submission, by_descriptor):
    (submission / "exercises").rename(submission.parent / "inner")
    submission.rmdir()
    (submission.parent / "inner").rename(submission)
    assert read(submission, by_descriptor).sources.keys() == {"relu", "nll"}


def test_layers_of_wrapping_do_not_matter(submission, by_descriptor):
    moved(submission, "one/two/three")
    found = read(submission, by_descriptor)
    assert (found.sources.keys(), found.problems) == ({"relu", "nll"}, [])


def test_of_several_folders_none_is_guessed(submission, by_descriptor):
    (submission / "a/exercises/04_modules").mkdir(parents=True)
    (submission / "exercises").rename(submission / "b")
    other = submission / "a/exercises/04_modules/relu.py"
    other.write_text("def forward(x):\n    return x\n")
    found = read(submission, by_descriptor)
    assert found.sources.keys() == {"nll"}
    assert (
        "2 files could be relu and differ: b/04_modules/relu.py, a/exercises/04_modules/relu.py"
        in found.refused["relu"]
    )
    other.write_bytes((submission / "b/04_modules/relu.py").read_bytes() + b"\r\n")
    assert read(submission, by_descriptor).sources.keys() == {"relu", "nll"}, "the same twice is one"
    other.write_text("def forward(x):\n    return x\n")
    (submission / "a").rename(submission / "__MACOSX")
    assert read(submission, by_descriptor).sources.keys() == {"relu", "nll"}


def test_units_beside_exercises_are_told(submission, by_descriptor):
    (submission / "04_modules").mkdir()
    (submission / "04_modules/relu.py").write_text("def forward(x):\n    return x\n")
    found = read(submission, by_descriptor)
    assert found.sources["relu"] == RELU.encode()
    assert found.problems == ["not read, since another file counts: 04_modules/relu.py"]


def test_nothing_else_is_opened(submission, by_descriptor, monkeypatch):
    others = ("conftest.py", "pytest.ini", "sitecustomize.py", "exercises/conftest.py", "exercises/04_modules/x.pth",
              "exercises/04_modules/__init__.py", ".git/config", ".github/workflows/ci.yml", "exercises/relu.py")  # fmt: skip
    for name in others:
        (submission / name).parent.mkdir(parents=True, exist_ok=True)
        (submission / name).write_text("raise SystemExit")
    seen = []
    genuine = os.open
    monkeypatch.setattr(os, "open", lambda path, *a, **k: seen.append(Path(path).name) or genuine(path, *a, **k))
    monkeypatch.setattr(folders, "BY_DESCRIPTOR", True)
    assert read(submission, by_descriptor).sources.keys() == {"relu", "nll"}
    assert not {Path(name).name for name in others}.difference({"relu.py"}).intersection(seen)
    assert {"relu.py", "nll.py"} <= set(seen)


def test_an_empty_folder_and_one_without_exercises(tmp_path, by_descriptor):
    found = read(tmp_path, by_descriptor)
    assert (found.sources, found.refused) == ({}, {})
    assert "there is no folder exercises/" in found.problems[0]


def test_the_root_itself_may_not_be_a_link_or_a_file(submission, by_descriptor, tmp_path):
    (tmp_path / "link").symlink_to(submission)
    (tmp_path / "file").write_text("")
    for name in ("link", "file", "nothing"):
        with pytest.raises(OSError):
            read(tmp_path / name, by_descriptor)


SECRET = "the solution"


@pytest.mark.parametrize("part", [RELU, "exercises/04_modules", "exercises"])
@pytest.mark.parametrize("relative", [True, False])
def test_links_are_refused_at_every_step(submission, by_descriptor, tmp_path, part, relative):
    outside = tmp_path / "outside" / part
    outside.parent.mkdir(parents=True)
    (submission / part).rename(outside)
    for file in [outside, *outside.rglob("*.py")]:
        if file.is_file():
            file.write_text(SECRET)
    target = Path(os.path.relpath(outside, (submission / part).parent)) if relative else outside
    (submission / part).symlink_to(target)
    found = read(submission, by_descriptor)
    assert SECRET.encode() not in found.sources.values()
    assert "is a link" in found.refused["relu"]
    assert part in found.refused["relu"]
    if part != "exercises":
        assert found.sources.keys() == {"nll"}


def test_a_dangling_link_and_one_to_itself(submission, by_descriptor):
    for target in ("nowhere", "relu.py"):
        (submission / RELU).unlink()
        (submission / RELU).symlink_to(target)
        assert "is a link" in read(submission, by_descriptor).refused["relu"]


@posix
def test_pipes_sockets_folders_and_devices_are_refused_at_once(submission, by_descriptor, monkeypatch):
    monkeypatch.chdir(submission / "exercises/04_modules")
    Path("relu.py").unlink()
    os.mkfifo("relu.py")
    Path("add.py").mkdir()
    os.mkfifo("../.desk.json")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("tanh.py")
    told = {"relu": "a pipe", "add": "a folder", "tanh": "a socket"}
    if os.geteuid() == 0:
        os.mknod("linear.py", stat.S_IFCHR | 0o644, os.makedev(1, 5))  # /dev/zero never ends
        told["linear"] = "a device"
    found = read(submission, by_descriptor)
    listener.close()
    assert found.sources.keys() == {"nll"}
    assert {name: kind for name, kind in told.items() if kind in found.refused[name]} == told
    assert "a pipe" in found.problems[0]


@posix
def test_what_is_exchanged_between_looking_and_opening_is_refused_at_once(submission, by_descriptor, monkeypatch):
    """It was a plain file when it was looked at, and is a pipe or a link when it is opened."""
    plain = (submission / RELU).lstat()
    genuine, genuine_lstat = os.stat, Path.lstat
    monkeypatch.setattr(os, "stat", lambda path, **how: plain if path == "relu.py" else genuine(path, **how))
    monkeypatch.setattr(Path, "lstat", lambda path: plain if path.name == "relu.py" else genuine_lstat(path))
    (submission / RELU).unlink()
    os.mkfifo(submission / RELU)
    found = read(submission, by_descriptor)
    assert found.refused["relu"] in {f"{RELU} is a pipe, not a plain file", f"{RELU} was exchanged while it was read"}
    (submission / RELU).unlink()
    (submission / RELU).symlink_to(submission / NLL)
    assert "cannot be read" in read(submission, by_descriptor).refused["relu"]


def test_no_path_climbs(submission, by_descriptor):
    with folders.opened(submission / "exercises", by_descriptor) as opened:
        for path in ("../exercises/04_modules/relu.py", "04_modules/../04_modules/relu.py", "/etc/passwd", "", "a\0b"):
            with pytest.raises(Refused, match="no path inside"):
                opened.read(path, 1000)
        assert opened.subfolders("..") == []
        assert opened.read("04_modules/relu.py", 1000) == RELU.encode()


@posix
def test_a_pipe_in_the_place_of_a_unit(submission, by_descriptor):
    (submission / RELU).unlink()
    (submission / "exercises/04_modules").rmdir()
    os.mkfifo(submission / "exercises/04_modules")
    assert "is a pipe, not a folder" in read(submission, by_descriptor).refused["relu"]


def test_sizes_are_bounded(submission, by_descriptor):
    (submission / RELU).write_bytes(b"#" * 1_000_000)
    assert len(read(submission, by_descriptor).sources["relu"]) == 1_000_000
    (submission / RELU).write_bytes(b"#" * 1_000_001)
    assert "has 1,000,001 bytes; an exercise has at most" in read(submission, by_descriptor).refused["relu"]
    os.truncate(submission / RELU, 50 << 30)
    assert "has 53,687,091,200 bytes" in read(submission, by_descriptor).refused["relu"]


def test_a_file_that_grows_while_it_is_read_is_bounded(submission, by_descriptor, monkeypatch):
    genuine = os.fstat

    def small(descriptor):
        seen = genuine(descriptor)
        return os.stat_result((*seen[:6], 10, *seen[7:10])) if stat.S_ISREG(seen.st_mode) else seen

    (submission / RELU).write_bytes(b"#" * 3_000_000)
    monkeypatch.setattr(os, "fstat", small)
    assert "more bytes than it says" in read(submission, by_descriptor).refused["relu"]


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_refused(submission, by_descriptor):
    (submission / RELU).chmod(0)
    (submission / "exercises/05_losses").chmod(0)
    found = read(submission, by_descriptor)
    (submission / "exercises/05_losses").chmod(0o755)
    assert "cannot be read: Permission denied" in found.refused["relu"]
    assert "cannot be read: Permission denied" in found.refused["nll"]


def test_an_error_of_the_disk_is_refused(submission, by_descriptor, monkeypatch):
    genuine = os.read

    def broken(descriptor, count):
        if os.fstat(descriptor).st_size == len(RELU):
            raise OSError(5, "Input/output error")
        return genuine(descriptor, count)

    monkeypatch.setattr(os, "read", broken)
    found = read(submission, by_descriptor)
    assert found.sources.keys() == {"nll"}
    assert found.refused["relu"] == f"{RELU} cannot be read: Input/output error"


@posix
def test_exchanging_a_file_for_a_link_again_and_again_leaks_nothing(submission, tmp_path):
    """A race against the reader, for what lies outside: it is lost every time."""
    secret = tmp_path / "secret"
    (secret / "04_modules").mkdir(parents=True)
    (secret / "04_modules/relu.py").write_text(SECRET)
    unit, away = submission / "exercises/04_modules", submission / "away"
    link = submission / "link"
    link.symlink_to(secret / "04_modules")
    stop = threading.Event()

    def exchange():
        while not stop.is_set():
            unit.rename(away)
            link.rename(unit)
            unit.rename(link)
            away.rename(unit)

    racer = threading.Thread(target=exchange)
    racer.start()
    try:
        found = [read(submission, by_descriptor=True) for _ in range(300)]
    finally:
        stop.set()
        racer.join()
    assert all(each.sources.get("relu") != SECRET.encode() for each in found)
    assert any(each.sources.get("relu") for each in found)


def test_no_descriptor_is_left_open(submission, by_descriptor):
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    (submission / "exercises/04_modules/add.py").mkdir()
    (submission / "exercises/06_tricks").symlink_to("/etc")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        read(submission, by_descriptor)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_record_of_hints_is_read(submission, by_descriptor):
    record = submission / "exercises/.desk.json"
    record.write_text('{"schema": "gradcheck/desk/v1", "exercises": {"relu": {"hint": 2}, "\\u001b": {"hint": 1}}}')
    assert {name: taken.hint for name, taken in read(submission, by_descriptor).help.items()} == {"relu": 2}
    record.write_bytes(b"\xff")
    assert "not readable as JSON; it counts as no help taken" in read(submission, by_descriptor).problems[0]


# --- what a submission is ---


def test_the_digest_depends_on_everything_that_a_grade_depends_on():
    from gradcheck.grading.desk_record import Help

    base = {"name": "a", "sources": {"relu": b"x"}, "refused": {}}
    same = [
        Submission(**base),
        Submission(**{**base, "name": "b"}, problems=("odd",), submitted="2026", commit="12"),
    ]
    other = [
        Submission("a", {"relu": b"y"}, {}),
        Submission("a", {"add": b"x"}, {}),
        Submission("a", {}, {"relu": "x"}),
        Submission("a", {"relu": b"x"}, {"add": ""}),
        Submission("a", {"relu": b"x", "add": b""}, {}),
        Submission("a", {"relu": b"x"}, {}, help={"relu": Help(1)}),
        Submission("a", {"relu": b"x"}, {}, help={"relu": Help(1, gave_up=True)}),
        Submission("a", {"relu": b"x"}, {}, help={"add": Help(1)}),
        Submission("a", {}, {}),
    ]
    assert len({each.digest for each in same}) == 1
    assert len({each.digest for each in [same[0], *other]}) == len(other) + 1
    assert (
        Submission("a", {"relu": b"x", "add": b"y"}, {}).digest
        == Submission("a", {"add": b"y", "relu": b"x"}, {}).digest
    )


def test_every_exercise_of_the_catalog_is_read(by_descriptor):
    found = read(Path(__file__).parents[2] / "solutions", by_descriptor)
    assert found.sources.keys() == all_exercises().keys()
