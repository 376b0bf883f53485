"""What editors make of a run of `pytest exercises`: their trees, where a click leads, what they run.

VS Code has a plugin of its own in the run; `ADAPTER` goes by the same rules. PyCharm reads ids and locations.
"""

from __future__ import annotations

import json
import re

import pytest

pytestmark = pytest.mark.outside

RELU, TANH = "04_modules/relu.py", "04_modules/tanh.py"
PARTLY = '''"""Half of it, and an odd escape: \\d."""

import functools


def backward(grad_output, x):
    raise NotImplementedError


@functools.cache
def helper():
    return 0


def forward(x):
    return x.clamp(min=0)


@functools.wraps(forward)
def backward(grad_output, x):
    return grad_output
'''
LINES = {"forward": 15, "backward": 20, "jacobian": 1}
ADAPTER = """
import inspect, json, pathlib
import pytest

outcomes = {}


def full_id(node_id, path):
    return "::".join([str(path), *node_id.split("::")[1:]])


def line_of(node):
    try:
        return inspect.getsourcelines(node.obj)[1]
    except (OSError, TypeError):
        return None


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_report_teststatus(report, config):
    if report.when == "call" or (report.when == "setup" and report.skipped):
        outcomes[report.nodeid] = "success" if report.passed else "failure" if report.failed else "skipped"
    return (yield)


def pytest_sessionfinish(session):
    leaves = []
    for item in session.items:
        line, node, above = item.location[1], item.parent, []
        while isinstance(node, pytest.Class):
            above.insert(0, [node.name, line_of(node), full_id(node.nodeid, node.path)])
            node = node.parent
        leaf = [item.name, None if line is None else line + 1, full_id(item.nodeid, item.path)]
        leaves.append({"file": str(node.path), "above": above, "leaf": leaf, "id": item.nodeid, "called": item.location[2]})
    told = {"leaves": leaves, "outcomes": outcomes}
    pathlib.Path("told.json").write_text(json.dumps(told), encoding="utf-8")
"""


@pytest.fixture
def in_editor(project, run_pytest, source_of):
    """Runs pytest as an editor does; what its plugin was told, and the run."""
    root = project({RELU: PARTLY, TANH: source_of(TANH, "exercises")})
    (root / "adapter.py").write_text(ADAPTER, encoding="utf-8")

    def run(*arguments):
        done = run_pytest("-p", "adapter", f"--rootdir={root}", *arguments)
        return json.loads((root / "told.json").read_text(encoding="utf-8")), done

    return root, run


def test_a_tree_of_files_functions_and_checks_in_words(in_editor):
    root, run = in_editor
    told, done = run("--collect-only", "exercises")
    assert done.returncode == 0, done.stdout
    assert "Warning" not in done.stdout
    relu, tanh = (
        [each for each in told["leaves"] if each["file"] == str(root / "exercises" / path)] for path in (RELU, TANH)
    )
    stub = (root / "exercises" / TANH).read_text(encoding="utf-8").splitlines()
    lines = {match[1]: number for number, line in enumerate(stub, start=1) if (match := re.match(r"def (\w+)\(", line))}
    for leaves, path, of_file in ((relu, RELU, LINES), (tanh, TANH, lines)):
        assert len(leaves) > 20
        for each in leaves:
            ((function, line, above),) = each["above"]
            name, leaf_line, own = each["leaf"]
            assert (line, leaf_line) == (of_file[function],) * 2
            assert above == f"{root / 'exercises' / path}::{function}"
            assert name == f"{function}: {own.removeprefix(f'{above}::').replace('_', ' ')}"
            assert each["called"].split(".") == [path[11:-3], *own.split("::")[1:]]
    assert {"forward: edge cases", "backward: values", "jacobian: agrees with backward"} <= {
        each["leaf"][0] for each in relu
    }
    ids = [each["leaf"][2] for each in told["leaves"]]
    assert len(set(ids)) == len(ids)


def test_a_dotted_name_leads_to_the_function_and_back_to_the_check(in_editor):
    root, run = in_editor
    told, _ = run("--collect-only", "-q", f"exercises/{TANH}")
    for each in told["leaves"]:
        # PyCharm takes a bracket for a parameter, and cuts the name at a parenthesis.
        assert re.fullmatch(r"[\w/]+\.py(::\w+){2}", each["id"])
        *folders, file, function, check = each["id"].replace(".py::", "::").replace("/", "::").split("::")
        assert f"\ndef {function}(" in root.joinpath(*folders, f"{file}.py").read_text(encoding="utf-8")
        assert "::".join(["/".join(folders) + f"/{file}.py", function, check]) == each["id"]


def test_one_check_is_run_and_what_is_not_started_shows_as_skipped(in_editor):
    root, run = in_editor
    asked = [f"{root / 'exercises' / RELU}::backward::values", f"{root / 'exercises' / TANH}::backward::edge_cases"]
    told, done = run(*asked)
    assert told["outcomes"] == {
        f"exercises/{RELU}::backward::values": "failure",
        f"exercises/{TANH}::backward::edge_cases": "skipped",
    }
    assert done.returncode == 1
    assert "1 failed, 1 not started" in done.stdout.splitlines()[-1]
    told, done = run("-x", f"{root / 'exercises' / TANH}::forward")
    assert set(told["outcomes"].values()) == {"skipped"}
    assert len(told["outcomes"]) > 5
    assert done.returncode == 1
