"""Entering namespaces: what the two processes that come of it owe each other, and what is left of the disks."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.outside

if sys.platform != "linux":
    pytest.skip("namespaces are Linux's", allow_module_level=True)

ENTER = """
import os, signal, socket, sys, time
from gradcheck.isolation.sandbox import namespaces
from gradcheck.isolation.sandbox.namespaces import keep_only
from gradcheck.isolation.sandbox.namespaces import enter
from gradcheck.isolation.sandbox.places import readable_places
def enter_all():
    return [*enter(), keep_only(readable_places())]
"""


def begin(script):
    """A process with a pipe of which it has the writing end, as fd OUT; and the reading end."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", ENTER + f"OUT = {writer}\n" + textwrap.dedent(script)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=[writer],
        start_new_session=True,
    )  # fmt: skip
    os.close(writer)
    return process, os.fdopen(reader, "rb", buffering=0)


@pytest.fixture
def start():
    """`begin`, with all of it ended after the test."""
    begun = []

    def start(script):
        begun.append(begin(script))
        return begun[-1]

    yield start
    for process, pipe in begun:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        pipe.close()


def heard(pipe, within=10.0):
    """What was written since, b"" when the last writer is gone; fails where neither happens in time."""
    ready, _, _ = select.select([pipe], [], [], within)
    assert ready, "still open and silent"
    return pipe.read(1000)


def run(script):
    process, pipe = begin(script)
    with pipe:
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output


@pytest.fixture(scope="session")
def held():
    """The layers that hold on this machine."""
    output = run("print(*[layer.name for layer in enter_all() if layer.held], sep=';')")
    return set(output.strip().split(";"))


@pytest.fixture
def pids(held):
    if "pid namespace" not in held:
        pytest.skip("no pid namespace here")


@pytest.fixture
def disks(held):
    if "mount namespace" not in held:
        pytest.skip("no mount namespace here")


@pytest.mark.parametrize(
    ("ending", "code"),
    [("sys.exit(7)", 7), ("os._exit(0)", 0), ("os.abort()", -6), ("os.kill(os.getpid(), 9)", -9), ("1 / 0", 1)],
)
def test_it_ends_as_the_child_ends(start, held, ending, code):
    if ending.startswith("os.kill") and "pid namespace" in held:
        ending, code = "os._exit(3)", 3  # number 1 cannot kill itself
    if ending == "os.abort()" and "pid namespace" in held:
        code = -11  # nor abort: the C library then runs into an instruction that is forbidden
    process, _ = start(f"enter()\n{ending}")
    process.communicate(timeout=60)
    assert process.returncode == code


@pytest.mark.usefixtures("pids")
def test_output_is_not_written_twice():
    assert run("sys.stdout.write('once '); enter(); sys.stdout.write('done')") == "once done"


@pytest.mark.usefixtures("pids")
def test_the_outer_process_holds_no_file_open(start):
    process, pipe = start("enter(); os.write(OUT, b'in'); os.close(OUT); time.sleep(60)")
    assert heard(pipe, 30) == b"in"
    assert heard(pipe) == b""
    assert process.poll() is None


LIVE = "os.write(OUT, b'in')\nwhile True: time.sleep(1)"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_child_ends_with_the_outer_process(start, how):
    process, pipe = start(f"enter()\n{LIVE}")
    assert heard(pipe, 30) == b"in"
    process.send_signal(how)
    assert heard(pipe) == b""
    process.communicate(timeout=10)


@pytest.mark.usefixtures("pids")
def test_a_request_to_end_is_passed_on(start):
    handler = "signal.signal(signal.SIGTERM, lambda *_: (os.write(OUT, b'asked'), os._exit(5)))"
    process, pipe = start(f"enter()\n{handler}\n{LIVE}")
    assert heard(pipe, 30) == b"in"
    process.terminate()
    assert heard(pipe) == b"asked"
    process.communicate(timeout=10)
    assert process.returncode == 5


@pytest.mark.usefixtures("pids")
def test_number_one_is_not_deaf(start):
    process, pipe = start(f"enter()\n{LIVE}")
    assert heard(pipe, 30) == b"in"
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.usefixtures("pids")
def test_who_does_not_listen_is_ended(start):
    process, pipe = start(f"enter()\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{LIVE}")
    assert heard(pipe, 30) == b"in"
    process.terminate()
    assert heard(pipe) == b""
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.usefixtures("pids")
def test_an_interrupt_is_the_childs_to_handle(start):
    script = """
    enter()
    try:
        os.write(OUT, b'in')
        time.sleep(60)
    except KeyboardInterrupt:
        os._exit(4)
    """
    process, pipe = start(script)
    assert heard(pipe, 30) == b"in"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    process.communicate(timeout=10)
    assert process.returncode == 4


def test_it_ends_with_the_process_that_started_it(start):
    script = """
    if os.fork() == 0:
        enter()
        os.write(OUT, b'in')
        while True: time.sleep(1)
    os.close(OUT)
    time.sleep(60)
    """
    process, pipe = start(script)
    assert heard(pipe, 30) == b"in"
    process.kill()
    assert heard(pipe) == b""


def test_it_may_outlive_who_started_it(start):
    script = """
    if os.fork() == 0:
        enter(die_with_parent=False)
        os.write(OUT, b'in')
        time.sleep(2)
        os.write(OUT, b'still')
        os._exit(0)
    time.sleep(60)
    """
    process, pipe = start(script)
    assert heard(pipe, 30) == b"in"
    process.kill()
    assert heard(pipe) == b"still"


def test_what_is_left_out_is_said():
    names = "('user namespace', 'network namespace', 'pid namespace')"
    layers = f"*enter(without={names}), keep_only([], ['mount namespace'])"
    output = run(f"print(os.getpid()); print({layers}, sep='\\n'); print(os.getpid())")
    first, *layers, last = output.splitlines()
    assert first == last
    assert len(layers) == 4
    assert all("held=False, detail='left out'" in layer for layer in layers)


@pytest.mark.parametrize("refused", ["_NEW_USER", "_NEW_NETWORK", "_NEW_PID"])
def test_one_refusal_does_not_cost_the_others(held, refused):
    script = f"""
    real = namespaces._unshare
    def unshare(flag):
        if flag == namespaces.{refused}:
            raise PermissionError(1, 'Operation not permitted', 'unshare')
        real(flag)
    namespaces._unshare = unshare
    for layer in enter():
        print(layer.name, layer.held, layer.detail, sep=';')
    """
    layers = {
        name: (state == "True", detail)
        for name, state, detail in (line.split(";") for line in run(script).splitlines())
    }
    name = {"_NEW_USER": "user", "_NEW_NETWORK": "network", "_NEW_PID": "pid"}[refused] + " namespace"
    assert layers[name] == (False, "the system does not permit it (unshare)")
    if os.geteuid() == 0:  # others have rights only in a user namespace
        assert {other for other, (holds, _) in layers.items() if holds} == held - {name, "mount namespace"}


@pytest.mark.usefixtures("disks")
def test_there_is_nothing_but_python_and_the_names_that_lead_to_it(tmp_path):
    library = tmp_path / "real" / "lib"
    for folder in (library, tmp_path / "real" / "class", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    (library / "my_module.py").write_text("answer = 42")
    (tmp_path / "real" / "class" / "ada.py").touch()
    (tmp_path / "elsewhere" / "by_link").symlink_to("../link/lib")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "to_the_class").symlink_to(tmp_path / "real" / "class")
    (tmp_path / "to_itself").symlink_to("to_itself")
    script = f"""
    here, by_link = {str(tmp_path)!r}, {str(tmp_path / "elsewhere" / "by_link")!r}
    sys.path.insert(0, by_link)
    enter()
    print(keep_only([*readable_places(), namespaces.Path(here, "real", "lib")]).held)
    import my_module
    assert my_module.answer == 42 and my_module.__file__.startswith(by_link)
    print(sorted(os.path.relpath(os.path.join(*each), here) for each in
        [(folder, name) for folder, *names in os.walk(here) for name in sum(names, [])]))
    print(os.listdir('/proc'), os.getcwd())
    """
    found = ["elsewhere", "elsewhere/by_link", "link", "real", "real/lib", "real/lib/my_module.py"]
    assert run(script) == f"True\n{found}\n['cpuinfo'] /\n"


CHANGES = {
    "a root that cannot be moved": ("pivot_root", ""),
    "no mount of another folder": ("mount", "if arguments[3] == namespaces._BIND | namespaces._RECURSIVE:"),
    "no namespace": ("unshare", "if arguments[0] == namespaces._NEW_MOUNTS:"),
}


@pytest.mark.usefixtures("disks")
@pytest.mark.parametrize("site", ["/tmp", "where Python is installed"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_refusal_leaves_all_as_it_was_or_costs_nothing(change, site):
    name, condition = CHANGES[change]
    site = "/tmp" if site == "/tmp" else str(Path(sys.prefix).parent)
    script = f"""
    namespaces._SITES = [{site!r}]
    real = namespaces.kernel.call
    def call(name, *arguments):
        if name == {name!r}:
            {condition or "if True:"}
                raise OSError(22, 'Invalid argument', name)
        return real(name, *arguments)
    enter()
    namespaces.kernel.call = call
    before = sorted(os.listdir('/tmp')), sorted(os.listdir('/'))
    layer = keep_only(readable_places())
    after = sorted(os.listdir('/tmp')), sorted(os.listdir('/'))
    print(layer.held, after == before, os.path.exists(namespaces.__file__), os.path.exists(os.__file__))
    """
    moved = change == "a root that cannot be moved"
    assert run(script) == ("True False False True\n" if moved else "False True True True\n")


@pytest.mark.usefixtures("disks")
@pytest.mark.parametrize("old", [False, True], ids=["new kernel", "old kernel"])
def test_every_disk_is_read_only(old):
    script = f"""
    if {old}:
        real = namespaces.kernel.call
        def call(name, *arguments):
            if name == 'mount_setattr':
                raise OSError(38, 'Function not implemented', name)
            return real(name, *arguments)
        namespaces.kernel.call = call
    mounted = [line.split()[1] for line in open('/proc/mounts')]
    assert enter_all()[-1].held
    for place in ['/', '/tmp', '/dev/shm', '/proc', '/root', '/home', *mounted]:
        try:
            os.mkdir(os.path.join(place, '.gradcheck-test'))
        except OSError:
            continue
        os.rmdir(os.path.join(place, '.gradcheck-test'))
        print(place, 'can be written to')
    with open(os.devnull, 'w') as null:
        null.write('x')
    """
    assert run(script) == ""


@pytest.mark.usefixtures("disks")
def test_nothing_outside_changes():
    before = Path("/proc/self/mountinfo").read_text()
    run("enter_all()")
    assert Path("/proc/self/mountinfo").read_text() == before
    assert Path("/proc/self").exists()


@pytest.mark.usefixtures("disks")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees its mounts propagate")
def test_nothing_outside_changes_where_mounts_are_shared():
    # As systemd shares them. Tried in a mount namespace of this test's own.
    script = """
    from gradcheck.isolation.sandbox import kernel
    kernel.call('unshare', namespaces._NEW_MOUNTS)
    kernel.call('mount', b'none', b'/', None, 1 << 14 | 1 << 20, None)
    before = open('/proc/self/mountinfo').read()
    child = os.fork()
    if child == 0:
        os._exit(not keep_only(readable_places()).held)
    assert os.waitpid(child, 0)[1] == 0
    print(open('/proc/self/mountinfo').read() == before)
    """
    assert run(script) == "True\n"


def test_the_network_has_no_way_out(held):
    if "network namespace" not in held:
        pytest.skip("no network namespace here")
    script = """
    enter()
    print(socket.if_nameindex())
    there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for address in ('127.0.0.1', '192.0.2.1'):
        try:
            there.connect((address, 9))
            print('a way to', address)
        except OSError:
            pass
    """
    assert run(script) == "[(1, 'lo')]\n"


@pytest.mark.usefixtures("pids")
def test_nothing_is_left_behind(start):
    # A process that left its group and its session ends all the same with number 1.
    script = """
    enter()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(OUT, b'in')
            time.sleep(60)
        os._exit(0)
    os.wait()
    time.sleep(0.3)
    os._exit(0)
    """
    process, pipe = start(script)
    assert heard(pipe, 30) == b"in"
    assert heard(pipe) == b""
    process.communicate(timeout=10)


def test_it_is_quick():
    script = "start = time.perf_counter(); enter(); print(time.perf_counter() - start)"
    assert min(float(run(script)) for _ in range(3)) < 1.0
