"""The file of --junitxml: what waits to be written is skipped in it, while the run says that not all is done."""

from __future__ import annotations

import pytest

from tests.hosts.junit_rules import validated
from tests.pytest_plugin.test_ungraded_checks import FAILING

pytestmark = pytest.mark.outside

RELU, ADD, TANH = "04_modules/relu.py", "04_modules/add.py", "04_modules/tanh.py"
PATHS = tuple(f"exercises/{each}" for each in (RELU, ADD, TANH))
PARTLY = '''"""Half of it."""


def forward(x1, x2):
    return x1 - x2


def backward(grad_output, x1, x2):
    raise NotImplementedError
'''


def states(root):
    """What became of each function's checks, by exercise and function."""
    found = {}
    for case in root.iter("testcase"):
        key = tuple(case.get("classname").split(".")[-2:])
        found.setdefault(key, set()).update({child.tag for child in case} or {"passed"})
    return found


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_untouched_functions_are_skipped_and_the_run_is_not_done(project, run_pytest, source_of, workers):
    root = project({RELU: source_of(RELU), ADD: PARTLY, TANH: source_of(TANH, "exercises")})
    done = run_pytest(*PATHS, "--junitxml=results.xml", *workers)
    assert done.returncode == 1
    found = validated((root / "results.xml").read_text(encoding="utf-8"))
    by_function = states(found)
    assert by_function["relu", "backward"] == {"passed"}
    assert by_function["add", "backward"] == {"skipped"}
    assert "failure" in by_function["add", "forward"]
    assert {state for (name, _), state in by_function.items() if name == "tanh" for state in state} == {"skipped"}
    (suite,) = found.iter("testsuite")
    assert int(suite.get("failures")) == sum("failure" in state for state in by_function.values()) == 1
    (told, *_) = {
        each.get("message") for each in found.iterfind(".//testcase[@classname='exercises.04_modules.tanh.forward']/*")
    }
    assert told == "tanh.forward is not started"
    last = done.stdout.splitlines()[-1]
    assert "not started" in last
    assert "1 failed" in last


def test_only_what_is_untouched_ends_with_1_as_it_does_without_the_file(project, run_pytest, source_of):
    project({TANH: source_of(TANH, "exercises")})
    plain, filed = run_pytest(PATHS[2]), run_pytest(PATHS[2], "--junitxml=results.xml")
    assert (plain.returncode, filed.returncode) == (1, 1)
    summaries = [done.stdout.splitlines()[-1].rsplit(" in ", 1)[0] for done in (plain, filed)]
    assert summaries[0] == summaries[1]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_what_the_grader_failed_on_is_an_error(project, run_pytest, source_of, workers):
    root = project({RELU: source_of(RELU)})
    (root / "conftest.py").write_text(FAILING)
    done = run_pytest(PATHS[0], "--junitxml=results.xml", *workers)
    assert done.returncode == 3
    found = validated((root / "results.xml").read_text(encoding="utf-8"))
    (error,) = found.iter("error")
    assert "the references disagree" in error.get("message")
    assert not list(found.iter("failure"))
