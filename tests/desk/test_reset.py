"""`gradcheck reset`: the stub anew, and never a line lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.desk.desk_commands import ROOT, place, refused, run

MINE = "# my work, with a byte order mark \ufeff\n"
FILE = Path("exercises/04_modules/softmax.py")
STUB = (ROOT / FILE).read_bytes()


@pytest.fixture(autouse=True)
def _a_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place("softmax", folder="solutions")
    place("softmax", "exercises").write_text(MINE, encoding="utf-8")


def kept() -> list[Path]:
    return sorted(Path(".gradcheck").glob("backups/04_modules/*"))


def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck.commands.learner._can_ask", lambda: True)


@pytest.mark.outside
def test_the_stub_is_written_and_the_file_kept():
    done = run("reset", "softmax", "--yes")
    assert (done.code, done.err) == (0, "")
    assert FILE.read_bytes() == STUB
    (backup,) = kept()
    assert re.fullmatch(r"softmax\.py\.\d{8}T\d{6}Z", backup.name)
    assert backup.read_text(encoding="utf-8") == MINE
    assert done.out.splitlines() == [
        f"wrote {FILE.as_posix()}",
        f"your file is kept: {backup.as_posix()}",
        "to bring it back:",
        f"    cp {backup.as_posix()} {FILE.as_posix()}",
    ]
    if os.name != "nt":
        subprocess.run(done.out.splitlines()[-1].strip(), shell=True, check=True)
        assert FILE.read_text(encoding="utf-8") == MINE


def test_every_reset_keeps_a_file_of_its_own():
    for number in range(3):
        FILE.write_text(f"attempt {number}")
        run("reset", "softmax", "--yes")
    assert sorted(path.read_text() for path in kept()) == [f"attempt {number}" for number in range(3)]


def test_it_asks_first(monkeypatch):
    answers(monkeypatch)
    done = run("reset", "softmax", keys="n\n")
    assert done.code == 1
    assert (
        "Replace exercises/04_modules/softmax.py by its stub? Your file is kept in .gradcheck/backups [y/N]:"
        in done.out
    )
    assert done.out.endswith("nothing was changed\n")
    assert FILE.read_text(encoding="utf-8") == MINE
    assert not kept()
    assert run("reset", "softmax", keys="y\n").code == 0
    assert FILE.read_bytes() == STUB
    assert len(kept()) == 1


def test_without_a_terminal_it_refuses():
    told = refused("reset", "softmax")
    assert told == f"{FILE.as_posix()} would be replaced, and there is no terminal to ask; add --yes"
    assert FILE.read_text(encoding="utf-8") == MINE


def test_where_nothing_would_be_lost_it_does_not_ask():
    FILE.unlink()
    assert run("reset", "softmax").out == f"wrote {FILE.as_posix()}\n"
    assert FILE.read_bytes() == STUB
    assert run("reset", "softmax").out == f"{FILE.as_posix()} is the stub already; nothing to do\n"
    FILE.unlink()
    FILE.parent.rmdir()
    assert run("reset", "softmax").code == 0
    assert FILE.read_bytes() == STUB
    assert not kept()


@pytest.mark.parametrize("folder", ["exercises", ".", "exercises/04_modules"])
def test_a_missing_file_comes_back_where_it_belongs(folder):
    FILE.unlink()
    assert run("reset", "softmax", "--folder", folder).out == f"wrote {FILE.as_posix()}\n"
    assert FILE.read_bytes() == STUB


def test_what_is_missing_is_said():
    assert refused("reset", "sofmax", "--yes").endswith("did you mean softmax?")
    assert refused("reset", "softmax", "--yes", "--folder", "nosuch").startswith("nosuch is not a folder;")
    told = refused("reset", "add", "--yes")
    assert (
        "the stub of add is made from solutions/04_modules/add.py, and solutions/04_modules/add.py is missing" in told
    )
    shutil.rmtree("solutions")
    told = refused("reset", "softmax", "--yes")
    assert "the folder solutions is missing here. Your file is as it was." in told
    assert "--solutions FOLDER" in told
    assert FILE.read_text(encoding="utf-8") == MINE
    assert run("reset", "softmax", "--yes", "--solutions", str(ROOT / "solutions")).code == 0


def test_a_solution_that_is_no_python():
    Path("solutions/04_modules/softmax.py").write_text("def (")
    assert "is no readable Python file" in refused("reset", "softmax", "--yes")
    Path("solutions/04_modules/softmax.py").write_bytes(b"\xff\xfe")
    assert "is no readable Python file" in refused("reset", "softmax", "--yes")
    assert FILE.read_text(encoding="utf-8") == MINE


def test_a_folder_in_the_files_place():
    FILE.unlink()
    FILE.mkdir()
    assert refused("reset", "softmax", "--yes").startswith(f"{FILE.as_posix()} is not a file;")


def test_a_read_only_file_is_left_alone(monkeypatch):
    FILE.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)  # root may write to everything
    told = refused("reset", "softmax", "--yes")
    assert told == f"{FILE.as_posix()} is read-only; nothing was changed. Make it writable, then reset again"
    assert FILE.read_text(encoding="utf-8") == MINE


def test_without_a_backup_nothing_is_written(monkeypatch):
    Path(".gradcheck").write_text("no folder")
    told = refused("reset", "softmax", "--yes")
    assert told.startswith("your file cannot be kept in .gradcheck/backups/04_modules: ")
    assert told.endswith("; so nothing was changed")
    assert FILE.read_text(encoding="utf-8") == MINE


@pytest.mark.parametrize("function", ["replace", "write_bytes"])
def test_a_folder_that_takes_no_file(monkeypatch, function):
    def full(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, function, full)
    told = refused("reset", "softmax", "--yes")
    assert told == f"{FILE.as_posix()} cannot be written: Permission denied; nothing was changed"
    assert FILE.read_text(encoding="utf-8") == MINE
    assert [path.name for path in FILE.parent.iterdir()] == ["softmax.py"]


def test_a_link_stays_a_link(tmp_path):
    elsewhere = tmp_path / "elsewhere.py"
    FILE.rename(elsewhere)
    try:
        FILE.symlink_to(elsewhere)
    except OSError:
        pytest.skip("this system allows no links")
    assert run("reset", "softmax", "--yes").code == 0
    assert FILE.is_symlink()
    assert elsewhere.read_bytes() == STUB
    assert kept()[0].read_text(encoding="utf-8") == MINE
