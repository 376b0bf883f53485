"""Putting the layers on: descriptors, sessions, parents that die, kernels that lack something, and what it costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from gradcheck.isolation.sandbox.confine import NAMES
from gradcheck.isolation.sandbox.layers import KINDS

pytestmark = pytest.mark.outside

if sys.platform != "linux":
    pytest.skip("the layers are Linux's", allow_module_level=True)

START = """
import json, os, signal, sys, threading, time
from dataclasses import astuple
from pathlib import Path
from gradcheck.isolation.sandbox import confine, kernel, landlock, limits, seccomp
from gradcheck.isolation.sandbox.confine import Confinement, readable_places
from gradcheck.isolation.sandbox.limits import Limits
reader, writer = os.pipe()
def tell(what):
    os.write(writer, json.dumps(what).encode())
def in_child(step, keep=()):
    child = os.fork()
    if child == 0:
        try:
            layers = confinement.apply([writer, *keep])
            tell(step([astuple(layer) for layer in layers]))
        except BaseException as error:
            tell(repr(error))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    print(os.read(reader, 100_000).decode())
"""


def run(script):
    done = subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(script)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def layers_after(preparation):
    script = f"{textwrap.dedent(preparation)}\nin_child(lambda layers: layers)"
    [layers] = run(script)
    return {name: (held, detail) for name, held, detail in layers}


PREPARE = "confinement = Confinement.prepare(Limits(), readable_places())\n"


def test_each_layer_is_told_in_the_tables_order():
    assert list(layers_after(PREPARE)) == [kind.name for kind in KINDS if kind.name in NAMES]


def test_nothing_is_prepared_from_nothing():
    found = layers_after("confinement = Confinement.prepare()")
    assert found["Landlock"][0] == layers_after(PREPARE)["Landlock"][0]


def test_what_is_left_out_is_said():
    found = layers_after("confinement = Confinement.prepare(Limits(), [], without=confine.NAMES)")
    assert set(found.values()) == {(False, "left out")}


def test_other_files_are_closed():
    script = """
    kept, lost = os.open('/dev/null', os.O_RDONLY), os.open('/dev/null', os.O_RDONLY)
    far = os.dup2(lost, 900)
    CHANGE
    confinement = Confinement.prepare(Limits(), readable_places())
    def open_ones(_):
        found = []
        for fd in range(1000):
            try:
                os.fstat(fd)
            except OSError:
                continue
            found.append(fd)
        return [found, sorted([0, 1, 2, writer, kept])]
    in_child(open_ones, [kept])
    """
    old = (
        "real = kernel.call\n    def call(name, *rest):\n        if name == 'close_range': raise OSError(38, 'none')\n"
    )
    old += "        return real(name, *rest)\n    kernel.call = call"
    for change in ("", old):
        [[found, expected]] = run(script.replace("CHANGE", change))
        assert found == expected


def test_it_leads_a_session_of_its_own():
    [[pid, group, session]] = run(PREPARE + "in_child(lambda _: [os.getpid(), os.getpgid(0), os.getsid(0)])")
    assert pid == group == session


def test_the_folder_of_packages_can_be_listed():
    script = """
    import importlib
    def step(_):
        importlib.invalidate_caches()  # so that the names are read anew
        import mpmath
        return [os.path.isdir(mpmath.__path__[0]), 'hypothesis' in os.listdir(os.path.dirname(mpmath.__path__[0]))]
    in_child(step)
    """
    assert run(PREPARE + textwrap.dedent(script)) == [[True, True]]


def test_the_temporary_folder_has_a_name():
    assert run(PREPARE + "import tempfile\nin_child(lambda _: bool(tempfile.gettempdir()))") == [True]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has them")
def test_no_group_is_left_and_no_capability_can_come_back():
    script = """
    from gradcheck.isolation.sandbox.namespaces import enter
    os.setgroups([4, 24])
    enter()
    confinement = Confinement.prepare(Limits(), readable_places())
    bounds = lambda: [kernel.prctl(kernel.PR_CAPBSET_READ, number) for number in range(30)]
    in_child(lambda layers: [{name: held for name, held, _ in layers}['other user'], os.getgroups(), sum(bounds())])
    """
    [[held, groups, bounds]] = run(script)
    assert bounds == 0
    assert groups == [] or not held


def test_it_dies_with_its_parent():
    script = """
    confinement = Confinement.prepare(Limits(), readable_places())
    ready, go = os.pipe()
    parent = os.fork()
    if parent == 0:
        if os.fork() == 0:
            signal.alarm(20)
            confinement.apply([writer])
            os.write(writer, b'x')
            while True: time.sleep(1)
        time.sleep(60)
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 1) == b'x'
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    start = time.monotonic()
    assert os.read(reader, 1) == b''  # the last end of the pipe is closed
    print(time.monotonic() - start)
    """
    [seconds] = run(script)
    assert seconds < 5


def test_an_old_kernel_without_landlock():
    script = """
    real = kernel.call
    def call(name, *rest):
        if name.startswith('landlock'):
            raise OSError(38, 'Function not implemented', name)
        return real(name, *rest)
    kernel.call = call
    """
    found = layers_after(script + PREPARE)
    assert found["Landlock"] == (False, "this kernel does not have it (landlock_create_ruleset)")
    [message] = run(textwrap.dedent(script) + PREPARE + "in_child(lambda _: open('/dev/null', 'w').close())")
    assert "Operation not permitted" in message


def test_landlock_that_fails_late_is_made_up_for_by_the_filter():
    script = """
    def restrict(ruleset):
        raise OSError(7, 'too many layers', 'landlock_restrict_self')
    landlock.restrict = restrict
    """
    assert layers_after(script + PREPARE)["Landlock"] == (False, "too many layers (landlock_restrict_self)")
    [message] = run(textwrap.dedent(script) + PREPARE + "in_child(lambda _: open('/dev/null', 'w').close())")
    assert "Operation not permitted" in message


@pytest.mark.parametrize("abi", range(1, 8))
def test_every_version_of_landlock(abi):
    script = f"""
    if landlock.version() < {abi}:
        print('"too old"'); sys.exit()
    landlock.version = lambda: {abi}
    confinement = Confinement.prepare(Limits(), readable_places(), without=['seccomp'])
    def step(layers):
        held = {{name: held for name, held, _ in layers}}['Landlock']
        try:
            os.open(confine.__file__, os.O_RDONLY)
            return 'read'
        except PermissionError:
            os.close(os.open(os.__file__, os.O_RDONLY))
            return held
    in_child(step)
    """
    [found] = run(script)
    if found == "too old":
        pytest.skip("this kernel's Landlock is older")
    assert found is True


def test_a_filter_that_is_refused_is_told():
    script = """
    real = kernel.call
    def call(name, *rest):
        if name == 'seccomp':
            raise OSError(22, 'Invalid argument', name)
        return real(name, *rest)
    kernel.call = call
    """
    assert layers_after(script + PREPARE)["seccomp"] == (False, "invalid argument (seccomp)")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_from_what_the_container_maps():
    script = """
    from gradcheck.isolation.sandbox.namespaces import enter
    enter()
    limits.CANDIDATES = ((1 << 33, 1), (65534, 1))
    """
    found = layers_after(textwrap.dedent(script) + PREPARE)
    if not found["other user"][0]:
        pytest.skip(found["other user"][1])
    [[user, group]] = run(textwrap.dedent(script) + PREPARE + "in_child(lambda _: [os.getuid(), os.getgid()])")
    assert (user, group) == (65534, 65534)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_no_other_user_where_python_is_closed_to_others(tmp_path):
    tmp_path.chmod(0o700)
    (tmp_path / "python.py").touch()
    script = (
        f"confinement = Confinement.prepare(Limits(), [*readable_places(), Path({str(tmp_path / 'python.py')!r})])\n"
    )
    held, detail = layers_after(script)["other user"]
    assert not held
    assert detail.endswith("is closed to other users")


def test_threads_of_a_user_are_counted():
    script = """
    before = limits.threads_of(os.getuid())
    done = threading.Event()
    for _ in range(20):
        threading.Thread(target=done.wait, daemon=True).start()
    after = limits.threads_of(os.getuid())
    done.set()
    print(json.dumps([before, after, limits.threads_of(3_000_000_000)]))
    """
    [[before, after, nobody]] = run(script)
    assert before >= 1
    assert after > before  # others of this user come and go, but hardly 20 at once
    assert nobody == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root is not bound by that limit, or becomes another user")
def test_an_old_kernel_that_counts_all_of_a_users_threads():
    script = "limits._release = lambda: (5, 10)\nreal = Path.exists\n"
    script += "Path.exists = lambda path: str(path) != '/proc/self' and real(path)\n"
    assert layers_after(script + PREPARE)["processes"] == (False, "this kernel counts all that the user runs")


@pytest.mark.skipif(os.geteuid() == 0, reason="root is not bound by that limit, or becomes another user")
def test_what_the_user_runs_already_does_not_count():
    script = """
    other = os.fork()
    if other == 0:
        signal.alarm(60)
        for _ in range(100):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        os.write(writer, b'x')
        time.sleep(60)
    assert os.read(reader, 1) == b'x'
    confinement = Confinement.prepare(Limits(processes=50), readable_places())
    def step(_):
        started, done = 0, threading.Event()
        try:
            while started < 200:
                threading.Thread(target=done.wait, daemon=True).start()
                started += 1
        except RuntimeError:
            pass
        done.set()
        return started
    in_child(step)
    os.kill(other, signal.SIGKILL)
    """
    [started] = run(script)
    assert 10 < started < 100  # others of this user come and go


def test_a_write_beyond_the_limit_is_an_error_and_no_death():
    script = """
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    confinement = Confinement.prepare(Limits(), readable_places())
    memory = os.memfd_create('test')
    in_child(lambda _: os.write(memory, b'x'), [memory])
    """
    [message] = run(script)
    assert "File too large" in message


def test_a_hard_limit_is_never_raised():
    script = """
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (50, 60))
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 50))
    confinement = Confinement.prepare(Limits(), readable_places(), without=['seccomp'])
    in_child(lambda _: [resource.getrlimit(resource.RLIMIT_CPU), resource.getrlimit(resource.RLIMIT_NOFILE)])
    """
    [[cpu, files]] = run(script)
    assert cpu == [60, 60]
    assert files == [50, 50]


def test_limits_are_those_that_were_asked_for():
    script = """
    import resource
    confinement = Confinement.prepare(Limits(3 << 30, 9, 5, 70), readable_places(), without=['seccomp'])
    kinds = [resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE]
    in_child(lambda _: [resource.getrlimit(kind) for kind in kinds])
    """
    [found] = run(script)
    assert found == [[3 << 30, 3 << 30], [9, 10], [70, 70], [0, 0], [0, 0]]


def test_it_costs_little():
    script = """
    confinement = Confinement.prepare(Limits(), readable_places())
    def apply():
        child = os.fork()
        if child == 0:
            start = time.perf_counter()
            confinement.apply([writer])
            tell(time.perf_counter() - start)
            os._exit(0)
        os.waitpid(child, 0)
        return float(os.read(reader, 100))
    print(min(apply() for _ in range(20)))
    """
    [seconds] = run(script)
    assert seconds < 0.005  # 0.0016 s on a slow machine
