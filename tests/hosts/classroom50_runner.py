"""What Classroom 50's runner does with a pushed commit, as far as a bundle depends on it: which commits it grades, how
it runs declarative tests, and when it publishes. After its published runner; `RULES` says what differs between those of
July to August 2026, which courses that were set up then still have, and later ones.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.classroom50_rules import IDENTITY

MARKER = ".classroom50.yaml"
SHIM = ".github/workflows/autograde.yaml"
KEYS = frozenset(
    (
        *("name", "type", "setup", "run", "input", "input-file", "expected", "expected-file", "comparison"),
        *("timeout", "exit-code", "points"),
    )
)


@dataclass(frozen=True)
class Rules:
    """The keys that a test may have, and whether commands are told where the bundle lies."""

    keys: frozenset[str]
    tells_where: bool


RULES = {
    "july to august": Rules(KEYS, tells_where=False),
    "later": Rules(KEYS | {"failure-details", "show-output", "show-command"}, tells_where=True),
}


@dataclass(frozen=True)
class Published:
    """The release's score, and each test: whether it passed, its points and what it printed."""

    score: int
    most: int
    tests: dict[str, tuple[bool, int, str]]


class NothingPublished(Exception):
    """The run failed: no release, and nothing for the gradebook. `printed` is what each test did before."""

    def __init__(self, why, printed=()):
        super().__init__(why)
        self.printed = dict(printed)


def declarative(bundle, checkout, environment, rules):
    """What is published of a checkout. Raises NothingPublished."""
    for name in ("result.json", "release-body.md"):
        (checkout / name).unlink(missing_ok=True)
    place = _unpacked(bundle, environment)
    tests = json.loads((place / "tests.json").read_text())["tests"]
    if extra := sorted({key for test in tests for key in test} - rules.keys):
        raise NothingPublished(f"unsupported keys: {extra}")
    known = {"CLASSROOM50_BUNDLE_DIR": str(place)} if rules.tells_where else {}
    found = {}
    for test in tests:
        passed, printed = _run(test, checkout, environment | known)
        found[test["name"]] = passed, test["points"] if passed else 0, printed
    score = sum(points for _, points, _ in found.values())
    try:
        (checkout / "result.json").write_text(json.dumps({"score": score}))
    except OSError as error:  # nothing there expects it: the runner ends, and with it the job's step
        raise NothingPublished(str(error), ((name, said) for name, (_, _, said) in found.items())) from None
    return Published(score, sum(test["points"] for test in tests), found)


def _unpacked(bundle, environment):
    place = Path(environment["RUNNER_TEMP"]) / "classroom50-runtime" / IDENTITY["ASSIGNMENT"]
    shutil.rmtree(place, ignore_errors=True)
    return shutil.copytree(bundle, place)


def _run(test, checkout, environment):
    try:
        done = subprocess.run(
            test["run"], shell=True, cwd=checkout, env=environment, input="", timeout=test["timeout"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False, f"timed out after {test['timeout']}s"
    return done.returncode == test.get("exit-code", 0), done.stdout


def is_graded(repository):
    """Whether a push of the newest commit is graded: not where it is the one that accepts the assignment, which adds
    the marker, and touches nothing but that and the workflow.
    """
    newest = _git(repository, "rev-parse", "HEAD").strip()
    accepted = _git(repository, "log", "--reverse", "--first-parent", "--diff-filter=A", "--format=%H", "--", MARKER)
    touched = _git(repository, "show", "--no-renames", "--name-only", "--format=", newest).split()
    return accepted.split()[:1] != [newest] or not touched or not set(touched) <= {MARKER, SHIM}


def accept(repository):
    """What accepting an assignment adds to a copy of its template: one commit."""
    (repository / SHIM).parent.mkdir(parents=True, exist_ok=True)
    (repository / SHIM).write_text('name: Autograde\non:\n  push:\n    branches: ["main"]\n')
    (repository / MARKER).write_text("classroom: backprop\nassignment: week-2\n")
    commit(repository, "Accept")


def commit(repository, message):
    """Everything that is there, as a commit; the repository is made where there is none."""
    if not (repository / ".git").exists():
        _git(repository, "init", "--quiet", "--initial-branch=main")
    _git(repository, "add", "--all")
    _git(repository, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "--quiet", "--message", message)


def _git(repository, *words):
    return subprocess.run(["git", "-C", repository, *words], check=True, capture_output=True, text=True).stdout
