"""The folder of an assignment on Classroom 50: the grader, what it needs, the course, and what the host runs.

The host packs the folder and publishes it, so it holds nothing about anybody: no roster, no extensions. Lateness is
told by the host itself and decided by the instructor's own grading, so there is no deadline in it either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gradcheck.catalog import all_exercises
from gradcheck.classes.policy import Course
from gradcheck.errors import GradcheckError, explained
from gradcheck.grading.small_files import read_small, write_whole
from gradcheck.hosts.course_text import course_text, for_units
from gradcheck.hosts.grader import grader_wheel, pinned
from gradcheck.hosts.whole_points import whole

SCHEMA = "gradcheck/bundle/v1"
MANIFEST = "bundle.json"
MOST_BYTES = 10 * 1024 * 1024
"""Of a bundle, packed; what lies in it is nearly incompressible."""
_ABOUT = "# Made by gradcheck bundle classroom50; the keys are described in docs/course.md of gradcheck.\n\n"
_TEMPLATE = Path(__file__).parent / "template" / "autograder.py"
_MOST_TESTS = 99
"""Functions that declarative tests can have: the host takes 100 tests, and one of them grades."""
_MOST_POINTS = 1000
"""Of one declarative test."""
_PROGRAM = '"${CLASSROOM50_BUNDLE_DIR:-$RUNNER_TEMP/classroom50-runtime/$ASSIGNMENT}/grade.py"'
"""Until late August 2026 the host unpacked the folder there without saying so."""
_OUTCOMES = (0, 10)
"""What grade.py ends with where it knows of a function whether it passed. Anything else says nothing about it."""


def write_bundle(
    out: Path, course: Course, units: Sequence[str] = (), *, declarative: bool = False
) -> tuple[list[str], int]:
    """Make the folder `out`, or renew one that was made here. The names of its files and their size in bytes.

    Raises GradcheckError where `out` holds anything else, cannot be written to, or no exercise is left to grade.
    """
    course = for_units(course, units)
    name, wheel = grader_wheel()
    files = {
        "course.toml": (_ABOUT + course_text(_published(course))).encode("utf-8"),
        "requirements.txt": pinned().encode("utf-8"),
        name: wheel,
    }
    program = _TEMPLATE.read_bytes()
    if declarative:
        # Under its own name the host would run it and never look at tests.json.
        files |= {"grade.py": program, "tests.json": _dumped(declared(course))}
    else:
        files["autograder.py"] = program
    most = sum(whole(0, course.points_of(each))[1] for each in course.exercises)
    digests = {each: hashlib.sha256(content).hexdigest() for each, content in sorted(files.items())}
    files[MANIFEST] = _dumped({"schema": SCHEMA, "host": "classroom50", "max-score": most, "files": digests})
    size = sum(map(len, files.values()))
    if size > MOST_BYTES:
        raise GradcheckError(f"the bundle comes to {size:,} bytes, and Classroom 50 takes {MOST_BYTES:,}")
    stale = _must_be_ours(out) - set(files)
    with explained(f"{out} cannot be written to", "give --out another place"):
        out.mkdir(parents=True, exist_ok=True)
        for each in sorted(stale):
            (out / each).unlink()
        for each, content in files.items():
            write_whole(out / each, content)
    return sorted(files), size


def _published(course: Course) -> Course:
    """What grading a checkout needs of a course, and no word about people or dates."""
    return replace(course, deadline=None, roster=None, tag="", at="worktree")


def declared(course: Course) -> dict[str, Any]:
    """`tests.json`: a test that grades, then one for each function, which looks up what became of it.

    Raises GradcheckError where that is more than the host takes.
    """
    # The host ends the job after 15 minutes and a test after 10.
    grades = _command("--limit 580 --functions")
    tests: list[dict[str, Any]] = [
        {"name": "the grader ran", "type": "run", "run": grades, "timeout": 600, "points": 0}
    ]
    for name in course.exercises:
        for function, points in _shares(name, whole(0, course.points_of(name))[1]).items():
            run = _command(f"--function {name}.{function}")
            tests.append({"name": f"{name}.{function}", "type": "run", "run": run, "timeout": 20, "points": points})
            if points > _MOST_POINTS:
                raise GradcheckError(
                    f"{name}.{function} is worth {points} points, and Classroom 50 takes {_MOST_POINTS}; give fewer"
                )
    if len(tests) - 1 > _MOST_TESTS:
        raise GradcheckError(
            f"these exercises have {len(tests) - 1} functions, and Classroom 50 takes {_MOST_TESTS} declarative tests "
            "of them; choose fewer --units, or leave --declarative out"
        )
    return {"schema": "classroom50/tests/v1", "tests": tests}


def _command(arguments: str) -> str:
    """A test's command. To the host every status but 0 is a function that earned nothing, and it publishes that. So a
    folder stands where it writes its result, which it cannot, until an outcome is known: where there is no python3, no
    grader, no time or no memory the run fails, and nothing is published. A test removes only what it has put there.
    """
    blocks = "b=; [ -d result.json ] || { rm -f result.json; mkdir result.json; b=1; }"
    known = "|".join(f"1-{status}" for status in _OUTCOMES)
    return f"{blocks}; python3 {_PROGRAM} {arguments}; s=$?; case $b-$s in {known}) rmdir result.json;; esac; exit $s"


def _shares(exercise: str, most: int) -> dict[str, int]:
    """An exercise's whole points divided among its functions as the catalog has it, to whole ones again."""
    record = all_exercises()[exercise]
    exact = {each.spec.name: most * each.points / record.max_score for each in record.functions}
    shares = {name: int(share + 1e-9) for name, share in exact.items()}
    for name in sorted(exact, key=lambda name: shares[name] - exact[name])[: most - sum(shares.values())]:
        shares[name] += 1
    return shares


def _must_be_ours(out: Path) -> set[str]:
    """The names in `out`, all of them made here and as they were made. Raises GradcheckError otherwise."""
    if out.exists() and not out.is_dir():
        raise GradcheckError(f"{out} is a file; give --out the name of a folder")
    with explained(f"{out} cannot be read", "give --out another folder"):
        names = {each.name for each in out.iterdir()} if out.is_dir() else set()
        if not names:
            return names
        digests = _digests(out)
        for name in sorted(names - {MANIFEST}):
            if name not in digests:
                raise GradcheckError(
                    f"{out} holds {name}, which was not made here; nothing was written. Give --out another folder"
                )
            content = None if (out / name).is_symlink() else read_small(out / name, MOST_BYTES)
            if content is None or hashlib.sha256(content).hexdigest() != digests[name]:
                raise GradcheckError(
                    f"{out / name} was changed since it was made; nothing was written. Move it away, or delete it"
                )
    return names


def _digests(out: Path) -> dict[str, str]:
    content = read_small(out / MANIFEST, MOST_BYTES)
    try:
        manifest = json.loads(content or b"")
        if manifest["schema"] == SCHEMA and manifest["host"] == "classroom50":
            return dict(manifest["files"])
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return {}


def _dumped(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode("utf-8")
