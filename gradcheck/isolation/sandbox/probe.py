"""What holds on this machine: each layer put on in a child of its own, which then tries what the layer must refuse.

A layer that says it holds and refuses nothing is worse than none, so nothing here is taken from a version number.
Every trial is harmless where the layer fails: bounded, and gone with its process.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from gradcheck.isolation.sandbox import confine, kernel, namespaces
from gradcheck.isolation.sandbox.cgroups import Group, make_group
from gradcheck.isolation.sandbox.confine import Confinement, readable_places
from gradcheck.isolation.sandbox.layers import KINDS, Layer, in_order, none_held
from gradcheck.isolation.sandbox.limits import Limits, capabilities

_ALL = tuple(kind.name for kind in KINDS)
_PATIENCE_S = 30
_LIMITS = Limits(cpu_s=1, processes=4)
_NEEDS = {"Landlock": ("no_new_privs",), "seccomp": ("no_new_privs",), "processes": ("other user",)}
"""Without which a layer cannot be put on, or does not bind."""

_BINDS = "ends at its limit"
_NO_EFFECT = "it was set, and then had no effect: "


def probe_layers(only: Collection[str] = _ALL) -> list[Layer]:
    """Every layer, or those of `only`, as it was found to hold here, in the table's order.

    Takes about two seconds, for the limit of computing time is waited for. Forks, so call it while no other thread
    runs. Raises nothing.
    """
    why = kernel.unsupported()
    if why or sys.platform != "linux":
        return none_held(why, only)
    group = make_group(_LIMITS) if "cgroup" in only else "left out"
    try:
        entrance = group.entrance if isinstance(group, Group) else group
        found = [*_reports(_in_user_namespace), *_reports(partial(_in_namespaces, only, entrance))]
    except OSError as error:
        return none_held(f"nothing could be tried: {kernel.reason(error)}", only)
    finally:
        if isinstance(group, Group):
            group.remove()
    return in_order([*none_held("its trial ended early", only), *(layer for layer in found if layer.name in only)])


def _reports(trial: Callable[[int], None]) -> list[Layer]:
    """What `trial`, in a child, wrote to the pipe that it is given."""
    reader, writer = os.pipe()
    child = _fork(lambda: trial(writer))
    os.close(writer)
    with os.fdopen(reader, "rb") as lines:
        layers = [Layer(*json.loads(line)) for line in lines]
    os.waitpid(child, 0)
    return layers


def _fork(step: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(_PATIENCE_S)
            step()
        finally:
            os._exit(0)
    return child


def _tell(writer: int, layer: Layer, failed: str = "") -> None:
    """One line, short enough to be written whole. `failed`: what the layer should have refused and did not."""
    if layer.held and failed:
        layer = Layer(layer.name, held=False, detail=_NO_EFFECT + failed)
    os.write(writer, json.dumps([layer.name, layer.held, layer.detail[:500]]).encode() + b"\n")


def _in_user_namespace(writer: int) -> None:
    namespace = Path("/proc/self/ns/user")
    before = namespace.stat().st_ino
    layer = namespaces.enter_user()
    _tell(writer, layer, "the namespace is the old one" if namespace.stat().st_ino == before else "")


def _in_namespaces(only: Collection[str], group: int | str, writer: int) -> None:
    """As a grader would start: namespaces first, then one child for each layer that confines.

    Most are tried where there still are files that a layer must refuse, the others where another user finds Python.
    """
    places = readable_places()
    for layer in namespaces.enter():
        if layer.name in _SEEN_INSIDE:
            _tell(writer, layer, _SEEN_INSIDE[layer.name]())

    def tried(names: Collection[str]) -> dict[int, str]:
        return {_fork(partial(_confined, name, places, group, writer)): name for name in names if name in only}

    later = [name for name in confine.NAMES if "other user" in (name, *_NEEDS.get(name, ()))]
    children = tried([name for name in confine.NAMES if name not in later])
    disks = namespaces.keep_only(places)
    _tell(writer, disks, _disks())
    children |= tried(later)
    for child, name in children.items():
        _, status = os.waitpid(child, 0)
        if name == "cpu time" and os.waitstatus_to_exitcode(status) in {-signal.SIGXCPU, -signal.SIGKILL}:
            _tell(writer, Layer(name, held=True, detail=_BINDS))


def _confined(name: str, places: list[Path], group: int | str, writer: int) -> None:
    without = set(confine.NAMES) - {name, *_NEEDS.get(name, ())}
    confinement = Confinement.prepare(_LIMITS, places, group=group, without=without)
    spare = os.memfd_create("probe")
    layers = {layer.name: layer for layer in confinement.apply([writer, spare])}
    failed = ""
    if layers[name].held:
        failed = next(_EFFECTS[name](spare), "")
        if name in {"processes", "cgroup"}:  # not with the few of the trial
            layers[name] = Layer(name, held=True, detail=_BINDS)
    _tell(writer, layers[name], failed)


# Each of these yields what was possible and should not have been; nothing where the layer has its effect.


def _more_memory(_spare: int) -> Iterator[str]:
    with suppress(OSError, MemoryError, ValueError):
        no_reserve = 0x4000  # only the addresses: no page is touched
        mmap.mmap(-1, 6 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | no_reserve).close()
        yield "6 GiB were given"


def _more_time(_spare: int) -> Iterator[str]:
    until = time.process_time() + 3 * _LIMITS.cpu_s
    while time.process_time() < until:
        pass
    yield f"it ran for {3 * _LIMITS.cpu_s} s"


def _growing_file(spare: int) -> Iterator[str]:
    with suppress(OSError):
        os.write(spare, b"x")
        yield "a file grew"


def _more_threads(_spare: int) -> Iterator[str]:
    done = threading.Event()
    try:
        for _ in range(10 * _LIMITS.processes):
            threading.Thread(target=done.wait, daemon=True).start()
    except RuntimeError:
        return
    finally:
        done.set()
    yield f"{10 * _LIMITS.processes} threads were started"


def _old_privileges(_spare: int) -> Iterator[str]:
    if kernel.prctl(kernel.PR_GET_NO_NEW_PRIVS) != 1:
        yield "it is not set"


def _roots_rights(_spare: int) -> Iterator[str]:
    if any(capabilities()):
        yield "some are left"
    with suppress(OSError):
        os.chroot("/")
        yield "the root folder could be changed"


def _forbidden_file(_spare: int) -> Iterator[str]:
    with suppress(OSError):
        Path(__file__).open("rb").close()
        yield "a file of gradcheck could be read"
    try:
        Path(os.__file__).open("rb").close()
    except OSError:
        yield "Python's own files cannot be read"


def _forbidden_calls(_spare: int) -> Iterator[str]:
    with suppress(OSError):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        yield "a process could be started"
    with suppress(OSError):
        socket.socket().close()
        yield "a socket could be opened"
    try:
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
    except RuntimeError:
        yield "no thread can be started"


def _same_user(_spare: int) -> Iterator[str]:
    with suppress(OSError):
        os.setuid(0)
        yield "root could be regained"
    if os.getuid() == 0 or os.getgroups():
        yield "the user is still root, or has root's groups"


_EFFECTS: dict[str, Callable[[int], Iterator[str]]] = {
    "address space": _more_memory,
    "cpu time": _more_time,
    "file size": _growing_file,
    "processes": _more_threads,
    "cgroup": _more_threads,
    "no_new_privs": _old_privileges,
    "capabilities": _roots_rights,
    "Landlock": _forbidden_file,
    "seccomp": _forbidden_calls,
    "other user": _same_user,
}


def _network() -> str:
    names = {name for _, name in socket.if_nameindex()} - {"lo"}
    if names:
        return f"{', '.join(sorted(names))} can be seen"
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("127.0.0.1", 9))  # sends nothing: only asks for a way there
        return "this machine's own network can be reached"
    return ""


def _processes() -> str:
    return "" if os.getpid() == 1 and os.getppid() == 0 else "the processes are still numbered with the others"


def _disks() -> str:
    for folder in ("/", "/tmp", "/dev/shm"):  # noqa: S108 - must refuse
        with suppress(OSError):
            os.rmdir(tempfile.mkdtemp(prefix=".gradcheck-probe-", dir=folder))  # noqa: PTH106 - a name, and soon none
            return f"{folder} can be written to"
    if any(Path("/proc").glob("[0-9]*")):
        return "processes can be seen in /proc"
    return "gradcheck's files can be seen" if Path(__file__).exists() else ""


_SEEN_INSIDE = {"network namespace": _network, "pid namespace": _processes}
