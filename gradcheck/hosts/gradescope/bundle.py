"""The autograder that is uploaded to Gradescope: one zip file, the same bytes for the same course and grader.

Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from gradcheck.classes.policy import Course
from gradcheck.errors import GradcheckError, explained
from gradcheck.grading.small_files import write_whole
from gradcheck.hosts.course_text import course_text
from gradcheck.hosts.grader import PYTHON, TORCH_CPU_INDEX, grader_wheel, pinned, zipped
from gradcheck.isolation.worker.launch import Bounds
from gradcheck.showing.text import points

FILE = "autograder.zip"
_TEMPLATES = Path(__file__).parent / "template"
_MARK = b"# gradcheck: autograder for Gradescope\n"
"""Stands in the `run_autograder` of every bundle, and tells it from other people's zip files."""
_EXECUTABLE = ("setup.sh", "run_autograder")
_LEAST_LIMIT_S = 540
"""Of one grading, below the shortest timeout that Gradescope has had by default, ten minutes."""
_REST_S = 180
"""What grading may take besides waiting for the submission, on half a core."""
_KILL_S = 10
"""So much later a grading that did not end by itself is killed."""
_MOST_TIMEOUT_MIN = 40
"""The longest that Gradescope lets an assignment have (its documentation, Troubleshooting)."""


def write_bundle(out: Path, course: Course, *, require_sandbox: bool = False) -> Path:
    """Write the zip file to `out`, or into it where it is not called .zip; where it is now.

    Replaces an earlier bundle and nothing else. Raises GradcheckError.
    """
    path = out if out.suffix.lower() == ".zip" else out / FILE
    content = bundle(course, require_sandbox=require_sandbox)
    with explained(f"{path} cannot be written", "give --out another place"):
        if (path.exists() or path.is_symlink()) and not _is_bundle(path):
            raise GradcheckError(f"{path} is there and no autograder of gradcheck's; give --out another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    return path


def bundle(course: Course, *, require_sandbox: bool = False) -> bytes:
    """The bytes of the zip file. Raises GradcheckError for an extension or a limit that could not be honoured."""
    limit = limit_s(course)
    wheel, grader = grader_wheel()
    libraries = pinned()
    values = {
        "PYTHON": f"python{PYTHON}",
        "TORCH_INDEX": TORCH_CPU_INDEX,
        "TORCH": next(line for line in libraries.splitlines() if line.startswith("torch==")),
        "WHEEL": wheel,
        "LIMIT_S": str(limit),
        "KILL_S": str(_KILL_S),
        "TIMEOUT_MIN": str(timeout_min(limit)),
        "OPTIONS": " --require-sandbox" if require_sandbox else "",
        "POINTS": points(course.max_score),
    }
    files = {path.name: _filled(path.read_text(encoding="utf-8"), values) for path in sorted(_TEMPLATES.iterdir())}
    files["course.toml"] = (_ABOUT + course_text(for_gradescope(course))).encode()
    files["requirements.txt"] = libraries.encode()
    everything = {**files, wheel: grader}
    return zipped({name: everything[name] for name in sorted(everything)}, _EXECUTABLE)


def limit_s(course: Course) -> int:
    """Seconds for which `run_autograder` lets a grading run. Raises GradcheckError where Gradescope would end it first,
    and give 0 points for that.
    """
    of_one = Bounds(submission_s=1).patience_s(0)
    limit = max(_LEAST_LIMIT_S, int(of_one * course.limits.submission_s) + _REST_S)
    if timeout_min(limit) > _MOST_TIMEOUT_MIN:
        most = int((60 * (_MOST_TIMEOUT_MIN - 1) - _KILL_S - _REST_S) / of_one)
        raise GradcheckError(
            f"[limits] submission_s = {course.limits.submission_s:g} does not fit: grading may then take "
            f"{timeout_min(limit)} minutes, and Gradescope ends an autograder after {_MOST_TIMEOUT_MIN} at most, with "
            f"0 points; give {most} or less"
        )
    return limit


def timeout_min(limit: int) -> int:
    """The timeout in minutes that Gradescope has to be given, so that a grading is always ended before it."""
    return (limit + _KILL_S) // 60 + 1


_ABOUT = "# Made by gradcheck bundle gradescope, from the instructor's course.toml without its roster.\n\n"


def for_gradescope(course: Course) -> Course:
    """What Gradescope is told of a course: no roster, and extensions by email, the only name that it has for a student.

    Raises GradcheckError for an extension whose email nobody knows: it would be lost without a word.
    """
    plain = replace(course, roster=None, tag="", at="worktree")
    if course.deadline is None:
        return plain
    extensions: dict[str, datetime | timedelta] = {}
    for key, value in course.deadline.extensions.items():
        email = key if "@" in key else _email(course, key)
        if not email:
            raise GradcheckError(
                f"[deadline.extensions] {key}: Gradescope knows students by their email; "
                f"{'give one in the roster' if course.roster else 'write the email instead'}"
            )
        if email in extensions and extensions[email] != value:
            raise GradcheckError(f"[deadline.extensions] has two for {email}; keep one of them")
        extensions[email] = value
    return replace(plain, deadline=replace(course.deadline, extensions=extensions))


def _email(course: Course, key: str) -> str:
    """Of the student whose id or submission an extension names."""
    students = course.roster.students if course.roster else ()
    return next((each.email.lower() for each in students if key in (each.id.lower(), each.submission.lower())), "")


def _filled(template: str, values: Mapping[str, str]) -> bytes:
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template.encode()


def _is_bundle(path: Path) -> bool:
    """Whether a file is a bundle that was made before. Raises OSError."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open("run_autograder") as script:
            return _MARK in script.read(4096)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError, ValueError):
        return False
