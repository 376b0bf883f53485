"""Words in a submission's code that no exercise needs are for the instructor to look at: no learner reads of them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from gradcheck.commands.instructor import export
from gradcheck.hosts.github.command import classroom
from tests.hosts.classroom_reporter import decoded
from tests.reports.class_data import final_report, write_class
from tests.reports.class_example import report, summary_of
from tests.reports.plain_reports import class_html, classroom50_result, function_outcomes, release_body
from tests.reports.plain_reports import class_lines as summary_lines

SAID = "relu has words that no exercise needs (torch.func.vjp); look at it"
FORMATS = next(each for each in export.params if each.name == "kind").type.choices


def is_silent(text: str) -> bool:
    return bool(text) and "no exercise needs" not in text and "torch.func" not in text


@pytest.mark.parametrize("kind", FORMATS)
def test_no_export_tells_it(kind, tmp_path):
    graded = write_class(tmp_path / "out", {"ada": final_report(unusual=[SAID])})
    before = set(graded.rglob("*"))
    done = CliRunner().invoke(export, [str(graded), "--format", kind])
    assert done.exit_code == 0
    made = [path for path in graded.rglob("*") if path.is_file() and path not in before]
    assert made
    assert all(is_silent(path.read_text(encoding="utf-8")) for path in made)


def test_no_step_of_a_workflow_tells_it(tmp_path, monkeypatch):
    for name in ("GITHUB_ACTIONS", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    (tmp_path / "report.json").write_text(json.dumps(final_report(unusual=[SAID])))
    words = ["--from", str(tmp_path / "report.json"), "--folder", str(tmp_path), "--output", str(tmp_path / "output")]
    printed = CliRunner().invoke(classroom, words).output
    assert "::error" in printed
    assert is_silent(printed)
    assert is_silent((tmp_path / "summary").read_text())
    assert is_silent(json.dumps(decoded((tmp_path / "output").read_text().strip().removeprefix("result="))))


def test_classroom_50_does_not_tell_it():
    found = final_report(unusual=[SAID])
    result = classroom50_result(found, {})
    assert is_silent(json.dumps(result))
    assert is_silent(release_body(found, result))
    assert is_silent(json.dumps(function_outcomes(found)))


def test_the_page_of_the_class_and_the_console_lead_there(tmp_path):
    summary = summary_of([{**report("ada"), "unusual": [SAID]}, report("bob")])
    assert "no exercise needs (torch.func.vjp)" in class_html(summary)
    assert "look at: ada; the page says why" in list(summary_lines(summary, tmp_path))
