"""The commands export and gradebook: files made, files named that cannot be read, nothing overwritten."""

from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from gradcheck.commands.instructor import export, gradebook
from gradcheck.errors import GradcheckError
from gradcheck.reports.stored import read_report
from tests.reports.class_data import HOSTILE, final_report, hostile_report, row, write_class, write_summary
from tests.reports.plain_reports import feedback_html, feedback_markdown, gradescope_results, junit_xml

BOOK = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Week 2 (102)\n    Points Possible,,,,,21\n"
    '"Lovelace, Ada",7001,0042,al42,1,\n'
)


def run(command, *arguments):
    return CliRunner().invoke(command, [str(each) for each in arguments], catch_exceptions=True)


def said(result) -> str:
    """What main() would print of an error."""
    assert isinstance(result.exception, GradcheckError), result.exception
    return str(result.exception)


@pytest.fixture
def graded(tmp_path):
    reports = {"ada": final_report(), "mallory": hostile_report(), "plain": final_report(student=None)}
    return write_class(tmp_path / "out", reports)


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        (
            "gradescope",
            ["gradescope/ada/results.json", "gradescope/mallory/results.json", "gradescope/plain/results.json"],
        ),
        ("junit", ["junit/ada.xml", "junit/mallory.xml", "junit/plain.xml"]),
        ("feedback-md", ["feedback/ada.md", "feedback/mallory.md", "feedback/plain.md"]),
        ("feedback-html", ["feedback/ada.html", "feedback/mallory.html", "feedback/plain.html"]),
    ],
)
def test_every_report_is_exported(graded, kind, files, tmp_path):
    result = run(export, graded, "--format", kind)
    assert (result.exit_code, result.output) == (0, f"3 files in {graded / files[0].split('/')[0]}\n")
    for name in files:
        text = (graded / name).read_text(encoding="utf-8")
        assert len(text) > 500
        if name.endswith(".json"):
            json.loads(text)
        if name.endswith(".xml"):
            ET.fromstring(text)
    other = run(export, graded, "--format", kind, "--to", tmp_path / "a" / "b")
    assert other.exit_code == 0
    assert sorted(p.relative_to(tmp_path / "a" / "b").as_posix() for p in (tmp_path / "a" / "b").rglob("*.*") if p.is_file()) == [
        name.split("/", 1)[1] for name in files
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not JSON"), ('{"schema": "gradcheck/report/v1"', "is not JSON"), ("[]", "not a JSON object"),
        ("[" * 100_000, "is not JSON"), ('{"schema": "gradcheck/report/v2"}', "its schema is not"),
        (json.dumps({"schema": "gradcheck/report/v1", "submission": "x"}), "it has no score"),
    ],
)  # fmt: skip
def test_a_damaged_report_is_named_and_the_others_go_on(tmp_path, content, message):
    good = {name: final_report() for name in ("ada", "ben", "eve")}
    graded = write_class(tmp_path / "out", {"broken": content, **good})
    result = run(export, graded, "--format", "junit")
    assert result.exit_code == 1
    assert f"{graded / 'reports' / 'broken.json'} is " in result.output
    assert message in result.output
    assert f"3 files in {graded / 'junit'}" in result.output
    assert not (graded / "junit" / "broken.xml").exists()


def test_a_report_of_a_submission_that_is_gone_is_not_exported(graded):
    (graded / "reports" / "gone.json").write_text(json.dumps(final_report()))
    result = run(export, graded, "--format", "junit")
    assert (result.exit_code, result.output) == (0, f"3 files in {graded / 'junit'}\n")
    assert not (graded / "junit" / "gone.xml").exists()


def test_a_report_that_is_missing_is_named_and_the_others_go_on(graded):
    (graded / "reports" / "plain.json").unlink()
    result = run(export, graded, "--format", "junit")
    assert (result.exit_code, "plain.json; grade the submission again" in result.output) == (1, True)
    assert "2 files in" in result.output


def test_where_nothing_was_graded_it_says_what_to_run_first(tmp_path):
    advice = f"run this first: gradcheck grade SUBMISSIONS --out {tmp_path}"
    assert advice in said(run(export, tmp_path, "--format", "junit"))
    assert advice in said(run(gradebook, tmp_path, tmp_path / "b.csv", "--column", "x", "--to", tmp_path / "n.csv"))


def test_a_place_that_takes_no_files_is_an_error_for_people(graded, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in said(run(export, graded, "--format", "junit", "--to", tmp_path / "file"))


def test_a_gradebook_is_filled_into_a_new_file(graded, tmp_path):
    book, new = tmp_path / "book.csv", tmp_path / "new.csv"
    book.write_text(BOOK)
    write_summary(graded, [row("ada", 3.25, ("Ada Lovelace", "", "0042"))])
    result = run(gradebook, graded, book, "--column", "Week 2", "--to", new)
    assert (result.exit_code, new.read_text()) == (0, BOOK.replace("al42,1,", "al42,1,3.25"))
    assert book.read_text() == BOOK
    assert result.output == (
        f"1 grade entered into 'Week 2 (102)'\nwrote {new}, for Canvas; {book} is as it was\n"
    )  # fmt: skip


def test_whoever_is_not_found_is_listed_and_makes_the_exit_code_1(graded, tmp_path):
    book, new = tmp_path / "book.csv", tmp_path / "new.csv"
    book.write_text(BOOK)
    write_summary(graded, [row("ada", 3.25, ("", "", "0042")), row(HOSTILE, 1.0)], max_score=30.0)
    result = run(gradebook, graded, book, "--column", "Week 2", "--to", new)
    assert (result.exit_code, new.exists()) == (1, True)
    assert "nobody in the file fits (1):\n    <script>" in result.output
    assert "out of 21 points, the class is graded out of 30" in result.output
    assert all(character.isprintable() or character == "\n" for character in result.output)
    assert "\n::" not in result.output


def test_no_file_is_ever_overwritten(graded, tmp_path):
    book, new = tmp_path / "book.csv", tmp_path / "new.csv"
    book.write_text(BOOK)
    (tmp_path / "link.csv").symlink_to(book)
    (tmp_path / "loose.csv").symlink_to(tmp_path / "nowhere.csv")
    new.write_text("mine")
    for target in (book, new, tmp_path / "link.csv", tmp_path / "loose.csv", tmp_path):
        assert "exists already" in said(run(gradebook, graded, book, "--column", "Week 2", "--to", target))
    assert (book.read_text(), new.read_text()) == (BOOK, "mine")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.csv", "--column", "Week 2"), "does not exist"),
        ((".", "--column", "Week 2"), "is not a plain file"),
        (("book.csv", "--column", "Week 9"), "has no column 'Week 9'; there are: 'Week 2 (102)'"),
        (("book.csv", "--column", "Week 2", "--moodle"), "says of nobody who it is"),
        (("bad.csv", "--column", "Week 2"), "like neither Canvas"),
    ],
)
def test_bad_gradebooks_write_nothing(graded, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.csv").write_text(BOOK)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    before = sorted(tmp_path.iterdir())
    assert message in said(run(gradebook, graded, *arguments, "--to", "new.csv"))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "rows", [None, [1], [{"name": "x"}], [row("x", float("nan"))], [{**row("x", 1.0), "student": {"id": 3}}]]
)
def test_a_damaged_class_is_refused(graded, tmp_path, rows):
    (tmp_path / "book.csv").write_text(BOOK)
    write_summary(graded, rows)
    assert "gradcheck grade" in said(
        run(gradebook, graded, tmp_path / "book.csv", "--column", "w", "--to", tmp_path / "n")
    )


def test_deep_values_are_cut(tmp_path):
    report = final_report()
    relu = report["exercises"][0]
    example = next(each for each in relu["checks"] if "counterexample" in each)["counterexample"]
    example["got"] = "DEEP"
    (tmp_path / "r.json").write_text(json.dumps(report).replace('"DEEP"', "[" * 900 + "1.0" + "]" * 900))
    read = read_report(tmp_path / "r.json")
    for text in (
        junit_xml(read),
        feedback_markdown(read),
        feedback_html(read),
        gradescope_results(read)["tests"][0]["output"],
    ):
        assert "[[[[[[[[…]]]]]]]]" in text


def damaged(value, rng):
    """A copy with one place of it, anywhere, holding something else."""
    value = copy.deepcopy(value)
    places = []

    def walk(node):
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                walk(node[key])

    walk(value)
    node, key = rng.choice(places)
    node[key] = rng.choice(
        [None, -1, 1e300, True, "", "x" * 5_000, HOSTILE, [], [[]], {}, {"a": []}, [None], "passed", 3]
    )
    return value


def test_a_report_damaged_anywhere_is_refused_or_exported_whole(tmp_path):
    rng = random.Random(5)
    whole, refused = final_report(), 0
    for _ in range(150):
        path = tmp_path / "r.json"
        path.write_text(json.dumps(damaged(whole, rng)))
        try:
            report = read_report(path)
        except GradcheckError:
            refused += 1
            continue
        ET.fromstring(junit_xml(report))
        json.dumps(gradescope_results(report), allow_nan=False)
        feedback_markdown(report).encode()
        feedback_html(report).encode()
    assert 20 < refused < 140


@pytest.mark.outside
def test_the_commands_start_without_heavy_libraries():
    code = "import gradcheck.commands.instructor, sys; print([n for n in ('torch', 'sympy', 'jinja2', 'numpy') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
