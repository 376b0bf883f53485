"""`gradcheck course`: a folder of one's own, with one's own title and deadline, and nothing of it in a repository."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradcheck.classes.policy import load_course
from gradcheck.commands.cli import cli
from gradcheck.errors import GradcheckError

ROSTER = "name,email,id\nAda Lovelace,ada@example.org,1815\n"


def begun(*arguments: object) -> str:
    result = CliRunner().invoke(cli, ["course", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_what_is_written_says_what_was_asked_for(tmp_path):
    (tmp_path / "class.csv").write_text(ROSTER)
    told = begun(
        tmp_path / "week2", "--title", 'Week "2" # é', "--deadline", "2026-10-25 23:59", "--timezone", "Europe/Berlin",
        "--units", "04", "--roster", tmp_path / "class.csv",
    )  # fmt: skip
    course = load_course(tmp_path / "week2" / "course.toml")
    assert (course.title, course.timezone) == ('Week "2" # é', "Europe/Berlin")
    assert course.deadline is not None
    assert course.deadline.at.isoformat() == "2026-10-25T23:59:00+01:00"
    assert "relu" in course.exercises
    assert "mse" not in course.exercises
    assert course.roster is not None
    assert [each.id for each in course.roster.students] == ["1815"]
    assert all(str(tmp_path / "week2" / name) in told for name in ("course.toml", "roster.csv", ".gitignore"))
    assert (tmp_path / "week2" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-12-10T23:59+02:00", datetime(2026, 12, 10, 21, 59, tzinfo=UTC)),
        ("2026-12-10T23:59", datetime(2026, 12, 10, 23, 59).astimezone()),
    ],
)
def test_without_a_zone_the_offset_counts_or_this_machines_clock(tmp_path, given, meant):
    begun(tmp_path / "w", "--title", "x", "--deadline", given)
    course = load_course(tmp_path / "w" / "course.toml")
    assert course.deadline is not None
    assert course.deadline.at == meant
    assert len(course.exercises) > 30


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--deadline", "tomorrow"], "is no date and time"),
        (["--deadline", "2026-12-10T23:59", "--timezone", "Europe/Berln"], "did you mean Europe/Berlin"),
        (["--deadline", "2026-12-10T23:59", "--units", "4_modles"], "there is no unit"),
        (["--deadline", "2026-12-10T23:59", "--roster", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["--deadline", "0001-01-01T00:00+00:00"], "deadline"),
    ],
)
def test_a_mistake_is_told_and_leaves_nothing_behind(tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GradcheckError, match=told):
        begun("w", "--title", "x", *arguments)
    assert not Path("w").exists() or list(Path("w").iterdir()) == []


@pytest.mark.parametrize("name", ["course.toml", "roster.csv", ".gitignore"])
def test_what_is_there_stays(tmp_path, name):
    (tmp_path / "class.csv").write_text(ROSTER)
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / name).write_text("mine")
    with pytest.raises(GradcheckError, match="is there already, and nothing was written"):
        begun(tmp_path / "w", "--title", "x", "--deadline", "2026-12-10T23:59", "--roster", tmp_path / "class.csv")
    assert [(each.name, each.read_text()) for each in (tmp_path / "w").iterdir()] == [(name, "mine")]


def test_releasing_what_is_over_already_is_noticed(tmp_path):
    def noted(deadline: str) -> str:
        (tmp_path / "course.toml").write_text(f'[exercises]\nonly = ["relu"]\n[deadline]\nat = {deadline}\n')
        arguments = [
            "release",
            str(tmp_path / "learners"),
            "--course",
            str(tmp_path / "course.toml"),
            "--host",
            "plain",
        ]
        result = CliRunner().invoke(cli, [*arguments, "--grader", "gradcheck==0.1.0"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert "the deadline, 2026-01-02T03:04+00:00, is over" in noted("2026-01-02T03:04:00Z")
    assert "is over" not in noted("2999-01-02T03:04:00Z")
