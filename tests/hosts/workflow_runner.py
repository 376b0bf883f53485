"""Runs a workflow's one job on this machine, step by step, as GitHub's runner does: what our workflow uses of it.

Emulated are the checkout (a clone), setup-python (a fresh virtual environment in front of the PATH), bash steps with
their files for outputs and summaries, conditions, and the autograding reporter's arithmetic. Anything else is an error.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
"""What `shell: bash` means (docs.github.com, workflow syntax, defaults.run.shell)."""


@dataclass
class Step:
    """What became of one: outcome as GitHub has it."""

    outcome: str
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""


@dataclass
class Report:
    """What the reporter would show: its table, its notice, and the tests of each runner."""

    rows: dict[str, float]
    notice: str
    results: dict[str, dict[str, Any]]
    fails: bool


@dataclass
class Runner:
    """`origin` is cloned into `work`; `left_out` are variables of the job that this machine cannot follow."""

    origin: Path
    work: Path
    actor: str = "learner"
    event: dict[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    steps: dict[str, Step] = field(default_factory=dict)
    report: Report | None = None

    @property
    def checkout(self) -> Path:
        return self.work / "repository"

    def run(self, workflow: str) -> dict[str, Step]:
        """By id, or by name where a step has no id. The text is what the origin holds."""
        job = only(yaml.safe_load(workflow)["jobs"].values())
        if not self._holds(job.get("if", "success()"), failed=False):
            return {}
        assert job["defaults"]["run"]["shell"] == "bash"
        (self.work / "temp").mkdir(parents=True)
        shared = {name: str(value) for name, value in job.get("env", {}).items() if name not in self.left_out}
        failed = False
        for step in job["steps"]:
            done = Step("skipped")
            if self._holds(step.get("if", "success()"), failed=failed):
                done = self._uses(step) if "uses" in step else self._runs(step, shared)
            self.steps[step.get("id") or step["name"]] = done
            failed = failed or done.outcome == "failure"
        return self.steps

    def _holds(self, condition: str, *, failed: bool) -> bool:
        plain = condition.removeprefix("${{").removesuffix("}}").strip()
        names_a_status = re.search(r"\b(always|cancelled|success|failure)\(\)", plain)
        return (not failed or names_a_status is not None) and self._all(plain, failed=failed)

    def _all(self, plain: str, *, failed: bool) -> bool:
        terms = re.split(r"&&(?![^(]*[^()]\))", plain)  # not those within parentheses
        return all(self._term(term.strip(), failed=failed) for term in terms)

    def _term(self, term: str, *, failed: bool) -> bool:
        if term in {"success()", "!cancelled()", "always()"}:
            return term != "success()" or not failed
        if found := re.fullmatch(r"steps\.(\w+)\.outcome == '(\w+)'", term):
            return self.steps[found[1]].outcome == found[2]
        if found := re.fullmatch(r"github\.actor != '([^']+)'", term):
            return self.actor != found[1]
        if found := re.fullmatch(r"!\((.+)\)", term):
            return not self._all(found[1], failed=failed)
        if found := re.fullmatch(r"github\.event((?:\.\w+)+)(?: == '([^']+)')?", term):
            value: Any = self.event
            for key in found[1].split(".")[1:]:
                value = value.get(key) if isinstance(value, dict) else None
            return bool(value) if found[2] is None else value == found[2]
        raise AssertionError(f"this runner does not know {term!r}")

    def _value(self, text: str) -> str:
        return re.sub(
            r"\$\{\{ steps\.(\w+)\.outputs\.(\w+) \}\}",
            lambda found: self.steps[found[1]].outputs.get(found[2], ""),
            text,
        )

    def _uses(self, step: dict[str, Any]) -> Step:
        action, given = step["uses"], step.get("with", {})
        if action == "actions/checkout@v7":
            command("git", "clone", "--quiet", "--depth=1", self.origin.as_uri(), str(self.checkout))
        elif action == "actions/setup-python@v7":
            assert given["python-version"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
            assert (self.checkout / given["cache-dependency-path"]).is_file()
            command(sys.executable, "-m", "venv", str(self.work / "python"))
        elif action == "classroom-resources/autograding-grading-reporter@v1":
            env = {name: self._value(value) for name, value in step["env"].items()}
            self.report = reported(given["runners"], env)
            return Step("failure" if self.report.fails else "success")
        else:
            raise AssertionError(f"this runner does not know {action!r}")
        return Step("success")

    def _runs(self, step: dict[str, Any], shared: dict[str, str]) -> Step:
        assert "${{" not in step["run"], "nothing is put into a script by expression"
        temp = self.work / "temp"
        names = {each: temp / uuid.uuid4().hex for each in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV")}
        for path in names.values():
            path.touch()
        script = temp / f"{uuid.uuid4().hex}.sh"
        script.write_text(step["run"])
        env = {
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
            "PATH": f"{self.work / 'python' / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PIP_NO_COMPILE": "no",  # which pip reads as yes (Configuration, boolean options); it halves the time
            "HOME": str(self.work),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": self.actor,
            "GITHUB_WORKSPACE": str(self.checkout),
            "RUNNER_TEMP": str(temp),
            **{name: str(path) for name, path in names.items()},
            **shared,
            **{name: self._value(value) for name, value in step.get("env", {}).items()},
        }
        done = subprocess.run(
            [*BASH, str(script)],
            cwd=self.checkout,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=600,
        )
        return Step(
            "success" if done.returncode == 0 else "failure",
            outputs_of(names["GITHUB_OUTPUT"].read_text(encoding="utf-8")),
            done.stdout,
            names["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8"),
        )


def outputs_of(text: str) -> dict[str, str]:
    """`name=value`, or `name<<MARK`, lines, `MARK`."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if opened := re.fullmatch(r"([\w-]+)<<(.+)", line):
            found[opened[1]] = "\n".join(iter(lambda mark=opened[2]: one_before(lines, mark), None))
        elif line:
            name, _, value = line.partition("=")
            found[name] = value
    return found


def one_before(lines: Any, mark: str) -> str | None:
    line = next(lines)
    return None if line == mark else line


def reported(runners: str, env: dict[str, str]) -> Report:
    """classroom-resources/autograding-grading-reporter v1: a table row is passed / tests × max_score, the notice is the
    sum of all tests' scores, and any runner that failed fails the job.
    """
    rows, results, earned, most, fails = {}, {}, 0.0, 0.0, False
    for runner in runners.split(","):
        assert re.fullmatch(r"[a-zA-Z0-9]+", runner), runner
        result = json.loads(base64.b64decode(env[f"{runner.upper()}_RESULTS"], validate=True))
        results[runner] = result
        tests = result["tests"]
        assert tests, "the reporter would divide by zero"
        passed = sum(each["status"] == "pass" for each in tests)
        rows[runner] = passed / len(tests) * result["max_score"]
        fails = fails or result["status"] == "fail"
        if result["max_score"] > 0:
            earned += sum(each.get("score", 0) for each in tests)
            most += result["max_score"]
    return Report(rows, f"Points {earned:g}/{most:g}", results, fails)


def command(*words: str, cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def only(values: Any) -> Any:
    (value,) = values
    return value
