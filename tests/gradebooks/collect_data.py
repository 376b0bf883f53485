"""A small class on disk: a roster, result files of every kind, what a regrade leaves behind."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from pathlib import Path

from click.testing import CliRunner

from gradcheck.classes.written import report_in
from gradcheck.commands.cli import cli
from gradcheck.gradebooks.collect.compare import Regrade

ROSTER = "name,email,id,submission\nAda Lovelace,ada@uni.edu,1815,*-ada-gh\nAlan Turing,alan@uni.edu,1912,\nEve,eve@uni.edu,1,\n"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def report(name, score, most=4.0, *, final=None, policy=None, parts=None, **more):
    """A gradcheck/report/v1 with one exercise, or with one for each of `parts`."""
    exercises = [
        {"name": f"e{at}", "unit": "04_modules", "status": "failed", "score": got, "max_score": of, "checks": []}
        for at, (got, of) in enumerate(parts or [(score, most)])
    ]
    return {
        "schema": "gradcheck/report/v1", "submission": name, "seed": 1, "score": score, "max_score": most,
        "final_score": score if final is None else final, "policy": policy or {}, "exercises": exercises, **more,
    }  # fmt: skip


def regrade_of(name, score, most=4.0, **more):
    return Regrade.of(report_in(report(name, score, most, **more)))


def classroom50(score=3, most=4, **more):
    return {
        "schema": "classroom50/result/v1", "classroom": "c", "assignment": "a", "submission": "submit/1",
        "commit": f"https://github.com/o/r/commit/{COMMIT}", "release": "", "review": "",
        "datetime": "2026-10-01T10:00:00Z", "score": score, "max-score": most,
        "tests": [{"test-name": "relu", "passed": score == most, "score": score, "max-score": most}], **more,
    }  # fmt: skip


def gradescope(score=3.0, most=4.0):
    return {"score": score, "visibility": "visible", "tests": [{"name": "relu", "score": score, "max_score": most}]}


def payload(score=3, most=4):
    test = {"name": "relu", "status": "fail", "message": "", "test_code": "", "filename": "", "line_no": 0}
    return {"version": 1, "status": "fail", "max_score": most, "tests": [{**test, "score": score, "duration": 0}]}


def coded(found):
    return base64.b64encode(json.dumps(found).encode()).decode()


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def roster(root):
    return put(root / "roster.csv", ROSTER)


def graded(root, *reports):
    """What `gradcheck grade` leaves behind, as far as collecting reads it."""
    rows = [{"name": each["submission"], "final_score": each["final_score"], "student": None} for each in reports]
    put(root / "class.json", {"schema": "gradcheck/class/v1", "submissions": rows})
    for each in reports:
        put(root / "reports" / f"{each['submission']}.json", each)
    return root


def released(root, files):
    """A copy of a release: the files, and the manifest with their hashes."""
    for path, content in files.items():
        put(root / path, content)
    hashes = {path: [hashlib.sha256(content.encode()).hexdigest()] for path, content in files.items()}
    put(root / ".gradcheck-release.json", {"schema": "gradcheck/release/v1", "gradcheck": "0.1.0", "files": hashes})
    return root


def collect(*arguments):
    """The exit code and what was printed. GradcheckError comes through."""
    done = CliRunner().invoke(cli, ["collect", *map(str, arguments)], catch_exceptions=False)
    return done.exit_code, done.output


def table(path):
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
