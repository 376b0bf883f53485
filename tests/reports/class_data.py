"""A graded class as `gradcheck grade` leaves it: reports of a real, small, wrong submission, and hostile ones."""

from __future__ import annotations

import copy
import json
import tempfile
from functools import cache
from pathlib import Path

from gradcheck.grading.grade import grade_folder
from gradcheck.reports.stored import as_json

SOURCES = {
    "relu": (
        "def forward(x):\n    return x.clamp(min=0)\n"
        "def backward(grad_output, x):\n    return (x > 0).to(x.dtype)\n"
        "def jacobian(x):\n    raise NotImplementedError\n"
    ),
    "tanh": "def forward(x)\n    return x\n",
    "softmax": (
        "import torch\n"
        "def forward(x):\n    return torch.softmax(x, dim=-1)\n"
        "def backward(grad_output, x):\n    return grad_output * forward(x)\n"
        "def jacobian(x):\n    return torch.diag(forward(x))\n"
    ),
    "add": (
        "def forward(x1, x2):\n    return x1 + x2\ndef backward(grad_output, x1, x2):\n    return grad_output, grad_output\n"
    ),
    "mse": "",
}

HOSTILE = (
    '<script>alert(\'x\')</script>" onload="y" & <img src=x onerror=alert(1)> {{ 7 * 7 }} {% raw %}\n'
    "::error::owned\n=cmd()|'/c calc'!A1\n```\n</pre></td>]]> [click](http://evil.example) @everyone #1\n"
    "\x1b[31m\x07\x00\x85\u2028\u202e\ufffe\U0001f600\ufffd"
)
LONG = "y" * 4_000


@cache
def _graded() -> str:
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder, "ada", "04_modules")
        unit.mkdir(parents=True)
        for name, source in SOURCES.items():
            if source:
                (unit / f"{name}.py").write_text(source)
        return as_json(grade_folder(unit.parent, only=SOURCES, seed=3))


def real_report() -> dict:
    """What grading says of SOURCES: one exercise right, three wrong in different ways, one not there."""
    return json.loads(_graded())


def final_report(**changes) -> dict:
    """The same as the batch writes it, with a student and penalties."""
    report = real_report()
    report |= {
        "digest": "0" * 64, "problems": ["mse.py is a link, which is not read: hand in the file itself"],
        "warnings": ["Landlock is missing"], "sandbox": [{"name": "landlock", "held": False, "detail": "no kernel"}],
        "student": {"name": "Ada Lovelace", "email": "ada@example.org", "id": "0042"},
        "submitted": "2026-10-02T09:00:00+02:00", "commit": "",
        "policy": {"earned": report["score"], "late_days": 2, "late_penalty": 1.5, "hint_penalty": 0.25, "note": ""},
        "final_score": report["score"] - 1.75,
    }  # fmt: skip
    return copy.deepcopy(report | changes)


def hostile_report(text: str = HOSTILE) -> dict:
    """Every text in it is `text`, also where none of ours ever is; statuses, ids and numbers are as they were."""

    def poisoned(value, key=""):
        if isinstance(value, dict):
            return {(text if key == "inputs" else name): poisoned(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [poisoned(each, key) for each in value]
        return text if isinstance(value, str) and key not in ("schema", "status", "id", "code") else value

    report = poisoned(final_report(policy={"late_days": 1, "late_penalty": 1.0, "note": text}, commit="c"))
    for exercise in report["exercises"]:
        for check in exercise["checks"]:
            check["id"] = f"relu.{text}.{text}" if check["id"].endswith(("runs", "values")) else check["id"]
            if "diagnosis" in check:
                check["diagnosis"]["code"] = text
            if "counterexample" in check:
                check["counterexample"]["got"] = [[text, "NaN"], [1.0, -2.0]]
    return report


def write_class(out: Path, reports: dict[str, dict | str]) -> Path:
    """OUT_DIR with reports by name (a str is written as it is) and the rows of `class.json` that they give."""
    (out / "reports").mkdir(parents=True)
    rows = []
    for name, report in reports.items():
        text = report if isinstance(report, str) else json.dumps(report)
        (out / "reports" / f"{name}.json").write_text(text, encoding="utf-8")
        known = {"student": None, "final_score": 0.0} if isinstance(report, str) else report
        rows.append({"name": name, "student": known["student"], "final_score": known["final_score"]})
    write_summary(out, rows)
    return out


def write_summary(out: Path, rows: list[dict], max_score: float = 21.0) -> None:
    out.mkdir(exist_ok=True)
    summary = {"schema": "gradcheck/class/v1", "max_score": max_score, "submissions": rows}
    (out / "class.json").write_text(json.dumps(summary), encoding="utf-8")


def row(name: str, score: float, student: tuple[str, str, str] | None = None) -> dict:
    """A row of `class.json`: `student` is name, e-mail address, id."""
    who = dict(zip(("name", "email", "id"), student, strict=True)) if student else None
    return {"name": name, "student": who, "final_score": score}
