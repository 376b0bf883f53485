"""Every attack against every layer that must be enough against it, and against none, where it must succeed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("the layers are Linux's", allow_module_level=True)

from gradcheck.isolation.sandbox.layers import KINDS
from tests.isolation.sandbox.sandbox_attacks import ATTACKS, UNUSED_CALLS

pytestmark = pytest.mark.outside

RUNNER = Path(__file__).with_name("sandbox_runner.py")
EVERY = tuple(kind.name for kind in KINDS)
NEEDS = {
    "Landlock": {"no_new_privs"},
    "seccomp": {"no_new_privs"},
    # Another user can read the interpreter only where a mount namespace has opened the way; and root is not bound.
    "other user": {"mount namespace"},
    "processes": {"other user", "mount namespace"},
    "network namespace": {"user namespace"},
    "mount namespace": {"user namespace"},
}
SYSTEM_MAY_REFUSE = {*UNUSED_CALLS, "mount_a_disk", "leave_the_namespace", "trace_me", "call_of_the_i386_kind"}
"""What a container or a distribution may forbid everybody."""


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    (folder / "private").write_text("answers")
    (folder / "private").chmod(0o600)
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    (folder / "open" / "file").touch()
    return folder


@cache
def run(place, only=None):
    """All attacks, with every layer, or with only one and what it needs: layers and outcomes by name."""
    kept = set(EVERY) if only == "all" else {only, *NEEDS.get(only, ())}
    return request(
        place, module="sandbox_attacks", table="ATTACKS", without=[name for name in EVERY if name not in kept]
    )


def request(place, **what):
    done = subprocess.run(
        [sys.executable, RUNNER, json.dumps({"place": str(place), **what})],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return {name: (held, detail) for name, held, detail in answer["layers"]}, answer["outcomes"]


def succeeded(outcome):
    return outcome in {"succeeded", "replaced"}


def needs_root(name):
    if ATTACKS[name][2] and os.geteuid() != 0:
        pytest.skip("only root could do this at all")


PAIRS = [(name, guard) for name, (_, guards, _) in ATTACKS.items() for guard in guards]


@pytest.mark.parametrize(("name", "guard"), PAIRS)
def test_one_layer_alone_refuses(place, name, guard):
    needs_root(name)
    layers, outcomes = run(place, guard)
    held, why = layers[guard]
    if not held:
        pytest.skip(f"{guard}: {why}")
    assert not succeeded(outcomes[name])


@pytest.mark.parametrize("name", ATTACKS)
def test_without_any_layer_it_succeeds(place, name):
    needs_root(name)
    _, outcomes = run(place)
    if name in SYSTEM_MAY_REFUSE and not succeeded(outcomes[name]):
        pytest.skip(f"this system refuses it by itself: {outcomes[name]}")
    assert succeeded(outcomes[name]), outcomes[name]


@pytest.mark.parametrize("name", ATTACKS)
def test_all_layers_together_refuse(place, name):
    layers, outcomes = run(place, "all")
    guards = ATTACKS[name][1]
    if not any(layers[guard][0] for guard in guards):
        pytest.skip(f"none of {', '.join(guards)} holds here")
    assert not succeeded(outcomes[name])
