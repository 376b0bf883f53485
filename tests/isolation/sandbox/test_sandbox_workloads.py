"""An honest submission meets no wall: with all layers on, after torch was warmed in the parent."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("the layers are Linux's", allow_module_level=True)

from gradcheck.isolation.sandbox.layers import KINDS
from tests.isolation.sandbox.sandbox_workloads import ENDS, WORKLOADS

pytestmark = pytest.mark.outside

RUNNER = Path(__file__).with_name("sandbox_runner.py")
NAMESPACES = tuple(kind.name for kind in KINDS if "namespace" in kind.name)


@cache
def run(table, without=(), **limits):
    what = {"module": "sandbox_workloads", "table": table, "place": "/nonexistent", "torch": True}
    done = subprocess.run(
        [sys.executable, RUNNER, json.dumps({**what, "without": without, "limits": limits})],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["outcomes"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_it_works_within_every_layer(name):
    assert run("WORKLOADS")[name] == "succeeded"


@pytest.mark.parametrize("name", WORKLOADS)
def test_it_works_where_namespaces_are_forbidden(name):
    if name == "files_of_the_system_are_refused_cleanly":
        pytest.skip("tried with the namespaces")
    assert run("WORKLOADS", (*NAMESPACES, "other user"))[name] == "succeeded"


def test_it_works_where_there_is_no_landlock():
    outcomes = run("FEW", (*NAMESPACES, "other user", "Landlock"))
    # The filter does not see which file is opened, so it refuses to write to the null device as well.
    assert "Operation not permitted" in outcomes.pop("the_null_device")
    assert set(outcomes.values()) == {"succeeded"}


@pytest.mark.parametrize(
    ("name", "death"),
    [("aborts", "killed by SIGABRT"), ("crashes", "killed by SIGSEGV"), ("computes_for_ever", "killed by SIGKILL")],
)
def test_a_process_that_dies_dies_alone(name, death):
    assert set(ENDS) == {"aborts", "crashes", "computes_for_ever"}
    assert run("ENDS", cpu_s=3)[name] == death
