"""A right answer has no diagnosis: not when it passes, and not when somebody asks for one all the same."""

from __future__ import annotations

import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.results import CheckResult
from gradcheck.diagnosis.diagnose import diagnosis_of
from tests.checks.tables import RIGHT
from tests.diagnosis.diagnosed import verification_of

STYLES = [(name, style) for name, styles in RIGHT.items() for style in list(styles)[:1]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


@pytest.mark.table(every=4)
@pytest.mark.parametrize(("name", "style"), STYLES)
def test_a_right_answer_is_never_diagnosed(name, style, cache):
    exercise = find_exercise(name)
    verification = verification_of(exercise, RIGHT[name][style], cache)
    for spec in exercise.task.functions:
        for check in ("shape", "values", "edge_cases"):
            forged = CheckResult(name, spec.name, check, "failed", message="as if it had failed")
            found = diagnosis_of(verification, spec, forged, exercise)
            assert (found.code, found.confidence) == ("unrecognised", 0.0), found.text
    assert all(result.diagnosis is None for result in verification.results() if result.ok)
    verification.save()
