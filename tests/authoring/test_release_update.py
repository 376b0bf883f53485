"""Releasing again: what is renewed, what stays as somebody left it, and where nothing is written at all."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from gradcheck.authoring import update as release_update
from gradcheck.authoring.release import release
from gradcheck.authoring.update import MANIFEST, Updated, update
from gradcheck.classes.policy import Course
from gradcheck.errors import GradcheckError

ROOT = Path(__file__).parent.parent.parent
OLD = {
    "README.md": b"old\n",
    "exercises/04/relu.py": b"stub\n",
    "vendor/a.whl": b"1",
    "requirements.txt": b"./vendor/a.whl\n",
}
NEW = {
    "README.md": b"new\n",
    "exercises/04/relu.py": b"better stub\n",
    "vendor/b.whl": b"2",
    "requirements.txt": b"./vendor/b.whl\n",
}


@pytest.fixture
def dest(tmp_path):
    update(tmp_path / "r", OLD)
    return tmp_path / "r"


def contents(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != MANIFEST}


def test_what_nobody_touched_becomes_as_new(dest):
    outcome = update(dest, NEW)
    assert contents(dest) == NEW
    assert outcome == Updated(
        added=("vendor/b.whl",),
        renewed=("README.md", "exercises/04/relu.py", "requirements.txt"),
        removed=("vendor/a.whl",),
    )
    assert update(dest, NEW) == Updated(unchanged=tuple(sorted(NEW)))


def test_the_same_again_writes_nothing(dest, monkeypatch):
    monkeypatch.setattr(release_update, "write_whole", lambda *_: pytest.fail("written"))
    assert update(dest, OLD) == Updated(unchanged=tuple(sorted(OLD)))


def test_what_was_changed_stays_whoever_changed_it(dest):
    (dest / "exercises/04/relu.py").write_bytes(b"my answer\n")
    (dest / "notes.txt").write_bytes(b"mine too\n")
    for files in (NEW, OLD, NEW):
        assert update(dest, files).kept == ("exercises/04/relu.py",)
        assert (dest / "exercises/04/relu.py").read_bytes() == b"my answer\n"
    assert (dest / "notes.txt").read_bytes() == b"mine too\n"


def test_what_is_shipped_no_longer_goes_unless_it_was_changed(dest):
    outcome = update(dest, {"README.md": b"old\n"})
    assert outcome.removed == ("exercises/04/relu.py", "requirements.txt", "vendor/a.whl")
    assert sorted(each.name for each in dest.iterdir()) == [MANIFEST, "README.md"], "empty folders go too"

    update(dest, OLD)
    (dest / "exercises/04/relu.py").write_bytes(b"my answer\n")
    assert update(dest, {"README.md": b"old\n"}).kept == ("exercises/04/relu.py",)
    assert (dest / "exercises/04/relu.py").exists()


def test_a_wheel_that_kept_requirements_name_stays(dest):
    (dest / "requirements.txt").write_bytes(b"./vendor/a.whl\nmatplotlib\n")
    outcome = update(dest, NEW)
    assert outcome.kept == ("requirements.txt", "vendor/a.whl")
    assert (dest / "vendor/a.whl").exists()


def test_a_file_of_somebodys_at_a_new_place_stays_and_is_not_ours(dest):
    (dest / "pytest.ini").write_bytes(b"mine\n")
    assert update(dest, {**OLD, "pytest.ini": b"ours\n"}).kept == ("pytest.ini",)
    assert update(dest, OLD).removed == ()
    assert (dest / "pytest.ini").read_bytes() == b"mine\n"


def test_a_file_that_was_deleted_comes_back(dest):
    (dest / "README.md").unlink()
    assert update(dest, OLD).added == ("README.md",)


def test_line_ends_of_windows_are_no_change(dest):
    (dest / "README.md").write_bytes(b"old\r\n")
    assert update(dest, NEW).renewed[0] == "README.md"


def test_nothing_is_written_through_a_link(dest, tmp_path):
    outside = tmp_path / "outside"
    (outside / "04").mkdir(parents=True)
    (outside / "04/relu.py").write_bytes(b"stub\n")
    (outside / "README.md").write_bytes(b"old\n")
    (dest / "README.md").unlink()
    (dest / "README.md").symlink_to(outside / "README.md")
    (dest / "exercises/04/relu.py").unlink()
    (dest / "exercises/04").rmdir()
    (dest / "exercises/04").symlink_to(outside / "04")
    assert update(dest, NEW).kept == ("README.md", "exercises/04/relu.py")
    assert update(dest, {}).kept == ("README.md", "exercises/04/relu.py")
    assert contents(outside) == {"README.md": b"old\n", "04/relu.py": b"stub\n"}


def test_nothing_is_written_or_removed_through_a_link_that_the_manifest_names(dest, tmp_path):
    """A learner's manifest may hold the very word that stands for what is blocked."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "bashrc").write_bytes(b"theirs\n")
    (outside / "victim.py").write_bytes(b"theirs too\n")
    (dest / "README.md").unlink()
    (dest / "README.md").symlink_to(outside / "bashrc")
    (dest / "exercises/05").symlink_to(outside)
    manifest = json.loads((dest / MANIFEST).read_text())
    manifest["files"]["README.md"].append("blocked")
    manifest["files"]["exercises/05/victim.py"] = ["blocked"]
    (dest / MANIFEST).write_text(json.dumps(manifest))
    assert update(dest, NEW).kept == ("README.md", "exercises/05/victim.py")
    assert contents(outside) == {"bashrc": b"theirs\n", "victim.py": b"theirs too\n"}


def test_a_link_in_the_place_of_the_manifests_next_version_is_not_followed(dest, tmp_path):
    """A learner who guesses our process's number."""
    (tmp_path / "outside").write_bytes(b"theirs\n")
    (dest / f".{MANIFEST}.{os.getpid()}.part").symlink_to(tmp_path / "outside")
    update(dest, NEW)
    assert (tmp_path / "outside").read_bytes() == b"theirs\n"
    assert contents(dest) == NEW


def test_a_folder_in_the_place_of_a_file_stays(dest):
    (dest / "README.md").unlink()
    (dest / "README.md").mkdir()
    assert update(dest, NEW).kept == ("README.md",)


@pytest.mark.parametrize("at", range(1, 7))
def test_an_interrupted_run_is_taken_up_by_the_next(tmp_path, monkeypatch, at):
    """Killed at any file: the next run finds nothing that it does not know."""
    for start in ({}, OLD):
        dest = tmp_path / f"r{len(start)}"
        if start:
            update(dest, start)
        with monkeypatch.context() as patched:
            write, count = release_update.write_whole, iter(range(1, 99))

            def dying(path, content, write=write, count=count):
                if next(count) == at:
                    (path.parent / f".{path.name}.123.part").write_bytes(content[:1])
                    raise KeyboardInterrupt
                write(path, content)

            patched.setattr(release_update, "write_whole", dying)
            try:
                update(dest, NEW)
            except KeyboardInterrupt:
                pass
        outcome = update(dest, NEW)
        assert outcome.kept == ()
        assert {name: text for name, text in contents(dest).items() if not name.endswith(".part")} == NEW
        assert not [name for name in contents(dest) if name.endswith(".part") and MANIFEST not in name]


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(GradcheckError, match=r"holds thesis\.tex and no \.gradcheck-release\.json"):
        update(tmp_path, NEW)
    assert contents(tmp_path) == {"thesis.tex": b"years of work"}


def test_a_fresh_clone_of_an_empty_repository_will_do(tmp_path):
    (tmp_path / ".git").mkdir()
    assert len(update(tmp_path, NEW).added) == len(NEW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": "other", "files": {}}',
        '{"schema": "gradcheck/release/v1", "files": {"../thesis.tex": ["0"]}}',
        '{"schema": "gradcheck/release/v1", "files": {"/etc/passwd": ["0"]}}',
        '{"schema": "gradcheck/release/v1", "files": {".GIT/config": ["0"]}}',
        '{"schema": "gradcheck/release/v1", "files": {"C:/x": ["0"]}}',
        '{"schema": "gradcheck/release/v1", "files": {"README.md": "0"}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_manifest_stops_everything(dest, text):
    (dest / MANIFEST).write_text(text)
    with pytest.raises(GradcheckError, match=r"is damaged.*nothing was written"):
        update(dest, NEW)
    assert contents(dest) == OLD


def test_a_manifest_that_is_a_link_is_not_followed(dest, tmp_path):
    (dest / MANIFEST).rename(tmp_path / "elsewhere.json")
    (dest / MANIFEST).symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(GradcheckError, match="is damaged"):
        update(dest, NEW)


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_destination_that_is_no_folder_of_its_own(tmp_path, kind):
    if kind == "file":
        (tmp_path / "r").write_text("x")
    else:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "r").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GradcheckError, match="no folder" if kind == "file" else "is a link"):
        update(tmp_path / "r", NEW)
    assert not any((tmp_path / "elsewhere").glob("*"))


@pytest.mark.parametrize("where", [".", "exercises", "exercises/new", "solutions/x", "gradcheck/x", ".git/x", ".."])
def test_the_project_itself_is_no_destination(tmp_path, where):
    root = tmp_path / "project"
    for name in ("exercises", "solutions", ".git"):
        (root / name).mkdir(parents=True)
    with pytest.raises(GradcheckError, match="project"):
        release(root / where, Course(), root=root)
    assert sorted(each.name for each in root.rglob("*")) == [".git", "exercises", "solutions"]


def test_a_folder_that_takes_no_file_is_told_without_a_traceback(tmp_path):
    (tmp_path / "plain").write_text("x")
    with pytest.raises(GradcheckError, match="cannot be read: Not a directory; nothing was changed"):
        update(tmp_path / "plain" / "r", NEW)


def test_a_full_disk_is_told_and_the_next_run_goes_on(dest, monkeypatch):
    def full(path, _content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(release_update, "write_whole", full)
        with pytest.raises(GradcheckError, match=r"cannot be written: No space left .* then run this again"):
            update(dest, NEW)
    assert contents(dest) == OLD
    assert update(dest, NEW).kept == ()


def test_the_manifest_names_every_file_once_and_in_order(dest):
    read = json.loads((dest / MANIFEST).read_text())
    assert list(read["files"]) == sorted(OLD)
    assert all(len(hashes) == 1 for hashes in read["files"].values())
