"""A class that is graded by a rule, at once: what the tests of the journal and of the seeds share."""

from __future__ import annotations

import json

from msgspec.structs import replace

from gradcheck.classes.journal import opened
from gradcheck.classes.judge import Settings
from gradcheck.classes.policy import Course
from gradcheck.classes.pool import Answer, Grade, Prepare, facts_of
from gradcheck.classes.report import GraderUsed
from gradcheck.classes.run import grade_class
from gradcheck.reports.whole_class.folder import ClassFolder
from gradcheck.submissions.places import find

RELU = ("relu",)
COURSE = Course(exercises=RELU)


class Interrupted(Exception):
    """Somebody pulled the plug."""


class InstantPool:
    """Grades by a rule, at once, and may be interrupted."""

    def __init__(self, last=None):
        self.graded, self.last = [], last

    def run(self, tasks):
        for task in tasks:
            if isinstance(task, Prepare):
                yield task, Answer()
                continue
            submission = task.place.read()
            if not isinstance(task, Grade):
                yield task, Answer(facts_of(submission))
                continue
            if self.last is not None and len(self.graded) >= self.last:
                raise Interrupted
            self.graded.append(submission.name)
            yield task, Answer(facts_of(submission), report_of(submission, task.seed), 0.125)


def report_of(submission, seed):
    from gradcheck.classes.judge import raw_report, unjudged

    score = float(len(submission.sources["relu"]) % 5)
    exercise = unjudged("relu", "told")
    checks = tuple(replace(each, status="failed") for each in exercise.checks)
    exercise = replace(exercise, status="failed", score=score, max_score=4.0, checks=checks)
    return raw_report(submission.name, submission.digest, seed, [], [exercise])


def hand_in(folder):
    """A class of nine, some of whom have handed in the same."""
    for number in range(9):
        unit = folder / f"student{number}" / "exercises" / "04_modules"
        unit.mkdir(parents=True)
        unit.joinpath("relu.py").write_text("#" * (number // 2))
    return folder


def run(submissions, out, pool, *, repeat=None, course=COURSE):
    places = find(submissions, course)
    with opened(out / ".gradcheck") as journal:
        folder = ClassFolder(out, course, GraderUsed(version="1", catalog="c"))
        settings = Settings(out / "expected", RELU)
        for graded in grade_class(places, settings, journal, pool, lambda *_: None, repeat=repeat):
            folder.take(graded)
    folder.finish([])


def reports(out):
    return {path.stem: json.loads(path.read_bytes()) for path in sorted((out / "reports").iterdir())}


def results(out):
    """Whatever depends on the class alone; every folder has a seed and a salt of its own."""
    found = {name: {**each, "seed_hash": "", "seed": None} for name, each in reports(out).items()}
    summary = json.loads((out / "class.json").read_bytes())
    del summary["timings"], summary["grader"]
    return found, summary, (out / "grades.csv").read_bytes()
