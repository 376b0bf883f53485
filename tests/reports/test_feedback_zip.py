"""Feedback as Moodle and Canvas take it back: whom each file is for, as their own importers read it from its name."""

from __future__ import annotations

import io
import zipfile

import pytest
from click.testing import CliRunner

from gradcheck.commands.instructor import export
from gradcheck.errors import GradcheckError
from gradcheck.reports.feedback import files_handed_in, path_in_zip, zip_of
from tests.reports.class_data import final_report, write_class

MOODLE = "Kim Loose_40009_assignsubmission_file"
CANVAS = "winterada_LATE_123"


def run(*arguments):
    return CliRunner().invoke(export, [str(each) for each in arguments])


@pytest.fixture
def graded(tmp_path):
    names = (MOODLE, "Group A-Ada Winter_40001_assignsubmission_file_", CANVAS, "okaforben_7_99_week2", "stranger")
    return write_class(tmp_path / "out", {name: final_report(submission=name) for name in names})


@pytest.mark.parametrize(
    ("submission", "place"),
    [
        (MOODLE, f"{MOODLE}/feedback.md"),
        (f"{MOODLE}_", f"{MOODLE}/feedback.md"),
        (f"{MOODLE}_relu", f"{MOODLE}/feedback.md"),
        ("A_1-Kim_40009_assignsubmission_onlinetext", "A 1-Kim_40009_assignsubmission_onlinetext/feedback.md"),
        ("Kim Loose_assignsubmission_file", None),
        ("stranger", None),
    ],
)
def test_moodle_reads_the_number_and_the_plugin_of_the_folder(submission, place):
    assert path_in_zip("moodle", submission, ".md", {}) == place
    if place:
        _who, number, plugin, _kind, *rest = place.split("/")[0].split("_", 4)
        assert (number, plugin, rest) == ("40009", "assignsubmission", [])


@pytest.mark.parametrize(
    ("submission", "numbers"),
    [("okaforben_7_99_week2", ["7", "99"]), (CANVAS, ["123", "456"]), ("winterada_5", None), ("stranger", None)],
)
def test_canvas_reads_the_first_two_numbers_of_the_file(submission, numbers):
    place = path_in_zip("canvas", submission, ".html", {CANVAS: f"{CANVAS}_456_relu.py"})
    assert (place and [each for each in place.split("_") if each.isdigit()][:2]) == numbers


@pytest.mark.parametrize("packed", [False, True])
def test_the_files_numbers_come_from_the_download(graded, tmp_path, packed):
    names = [f"{CANVAS}_456_relu.py", f"{CANVAS}_457_tanh.py", "notes.txt"]
    source = tmp_path / "download"
    if packed:
        source.write_bytes(zip_of((f"submissions/{name}", b"") for name in names))
    else:
        source.mkdir()
        for name in names:
            (source / name).write_text("")
    assert files_handed_in(source) == {CANVAS: names[0]}
    result = run(graded, "--format", "feedback-html", "--zip", "canvas", "--submissions", source)
    with zipfile.ZipFile(graded / "feedback-canvas.zip") as found:
        assert found.namelist() == ["okaforben_7_99_feedback.html", "winterada_LATE_123_456_feedback.html"]
        assert all(b"<html" in found.read(name) for name in found.namelist())
    assert result.exit_code == 1
    assert "stranger is not in the zip" in result.output
    assert f"2 files in {graded / 'feedback-canvas.zip'}" in result.output


def test_what_has_no_number_is_named_and_the_download_asked_for(graded, tmp_path):
    result = run(graded, "--format", "feedback-md", "--zip", "canvas", "--to", tmp_path / "a" / "f.zip")
    assert (
        f"{CANVAS} is not in the zip: its name has not the numbers that Canvas gave it; --submissions" in result.output
    )
    with zipfile.ZipFile(tmp_path / "a" / "f.zip") as found:
        assert found.namelist() == ["okaforben_7_99_feedback.md"]
    moodle = run(graded, "--format", "feedback-md", "--zip", "moodle")
    with zipfile.ZipFile(graded / "feedback-moodle.zip") as found:
        assert found.namelist() == [
            "Group A-Ada Winter_40001_assignsubmission_file/feedback.md", f"{MOODLE}/feedback.md",
        ]  # fmt: skip
    assert moodle.exit_code == 1


def test_only_feedback_is_zipped_and_a_damaged_download_is_told(graded, tmp_path):
    assert "--zip is for feedback" in str(run(graded, "--format", "junit", "--zip", "moodle").exception)
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04nothing")
    for source in (tmp_path / "bad.zip", tmp_path / "absent"):
        with pytest.raises(GradcheckError, match="cannot be read"):
            files_handed_in(source)


def test_the_same_files_make_the_same_zip():
    once, again = (zip_of([("a/b.md", b"x" * 1000)]) for _ in range(2))
    assert once == again
    assert zipfile.ZipFile(io.BytesIO(once)).read("a/b.md") == b"x" * 1000
