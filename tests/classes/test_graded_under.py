"""A graded submission under a course's policy: what was missing of the sandbox stands in its report."""

from __future__ import annotations

import pytest

from gradcheck.classes.journal import Seed
from gradcheck.classes.judge import raw_report
from gradcheck.classes.policy import Course
from gradcheck.classes.pool import Facts
from gradcheck.classes.run import GradedSubmission, must_hold
from gradcheck.errors import GradcheckError
from gradcheck.isolation.sandbox.layers import KINDS, Layer

FACTS = Facts("ada", "0" * 64, "2026-10-01T12:00:00+02:00", "", ("one file was refused",), ())


def graded(missing=()):
    layers = [Layer(kind.name, kind.name not in missing, "not in this kernel") for kind in KINDS]
    return GradedSubmission(FACTS, raw_report("ada", FACTS.digest, 7, layers, []), Seed.of(7), 0.1, reused=False)


def test_a_missing_layer_of_the_baseline_is_a_warning_with_its_reason():
    report = graded(missing=("Landlock", "mount namespace")).under(Course())
    assert report.warnings == ("graded without a part of the sandbox, Landlock: not in this kernel",)


def test_a_whole_baseline_gives_none_and_problems_and_time_are_told():
    report = graded().under(Course())
    assert report.warnings == ()
    assert report.problems == ("one file was refused",)
    assert report.submitted == FACTS.submitted


def test_what_is_required_and_missing_is_refused():
    layers = [Layer(kind.name, held=kind.name != "Landlock", detail="not in this kernel") for kind in KINDS]
    must_hold(layers, required=False)
    with pytest.raises(GradcheckError, match="the sandbox lacks Landlock: not in this kernel"):
        must_hold(layers, required=True)
    must_hold([Layer(kind.name, held=kind.baseline, detail="") for kind in KINDS], required=True)
