"""The sandbox's layers: their names, their order, what each does, and what to do where one is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One layer as it stands in one process: whether it holds, and how, or why not."""

    name: str
    held: bool
    detail: str


@dataclass(frozen=True)
class Kind:
    """What there is to know about a layer before anything is tried. `does` completes "a submission ..."."""

    name: str
    does: str
    remedy: str
    baseline: bool = False
    """Whether the baseline needs it, which takes no privileges."""
    spare: bool = False
    """Whether what it does is done by others too: then nobody is warned where it is missing."""


_LINUX = "Grade on Linux: a container or a virtual machine will do."
_NEWER = "Use a kernel of 5.13 or later with Landlock on (the boot option lsm=landlock,...)."
_DELEGATED = "Start where cgroups are delegated, as in: systemd-run --user --scope -p Delegate=yes gradcheck doctor"
_NAMESPACES = "Start as root, or allow unprivileged user namespaces (kernel.apparmor_restrict_unprivileged_userns=0)."
_MOUNTS = (
    "A submission can ask which other files there are, and how large. "
    "Start as root, or in a container that is allowed to mount (--security-opt, CAP_SYS_ADMIN)."
)

KINDS = (
    Kind("address space", "cannot take more memory than its limit", _LINUX, baseline=True),
    Kind("cpu time", "cannot compute for longer than its limit", _LINUX, baseline=True),
    Kind("file size", "cannot make a file grow", _LINUX, baseline=True),
    Kind("processes", "cannot start more threads than its limit", "Start as an ordinary user, not as root."),
    Kind(
        "cgroup",
        "has one limit of memory, threads and processors with all that it starts",
        _DELEGATED,
        spare=True,
    ),
    Kind("no_new_privs", "gains no rights by running another program", _LINUX, baseline=True),
    Kind("capabilities", "has none of root's rights", "Start as an ordinary user, not as root."),
    Kind("Landlock", "reads only Python, torch and numpy, and writes nothing", _NEWER, baseline=True),
    Kind("seccomp", "cannot start programs, open sockets or signal others", _LINUX, baseline=True),
    Kind("user namespace", "has no rights outside its own namespace", _NAMESPACES),
    Kind("network namespace", "sees no network, not even this machine's", _NAMESPACES),
    Kind("pid namespace", "sees no other process and leaves none behind", _NAMESPACES),
    Kind("mount namespace", "finds no file but those, nor that there are others", _MOUNTS),
    Kind("other user", "runs as a user who owns nothing", "Start as root, with Python where every user can read it."),
)
"""From the top of every table to its end."""

BASELINE = frozenset(kind.name for kind in KINDS if kind.baseline)
"""What `--require-sandbox` needs. The namespaces cannot be part of it: hosted runners forbid them."""

_ORDER = {kind.name: place for place, kind in enumerate(KINDS)}


def in_order(layers: Iterable[Layer]) -> list[Layer]:
    """Sort into the table's order, whatever order they were tried in. A later layer of the same name wins."""
    latest = {layer.name: layer for layer in layers}
    return sorted(latest.values(), key=lambda layer: _ORDER[layer.name])


def none_held(why: str, names: Iterable[str] = tuple(_ORDER)) -> list[Layer]:
    """Every layer as missing, for the one reason."""
    return in_order(Layer(name, held=False, detail=why) for name in names)


def baseline_missing(layers: Iterable[Layer]) -> list[str]:
    """The baseline's layers that do not hold, in order. Empty where `--require-sandbox` is content."""
    held = {layer.name for layer in layers if layer.held}
    return [kind.name for kind in KINDS if kind.baseline and kind.name not in held]


def lost(layers: Iterable[Layer]) -> list[Layer]:
    """Those that do not hold, and whose protection nothing else gives."""
    spare = {kind.name for kind in KINDS if kind.spare}
    return [layer for layer in layers if not layer.held and layer.name not in spare]


def warnings_of(layers: Collection[Layer]) -> list[str]:
    """What of the sandbox's baseline did not hold while a submission was graded."""
    why = {layer.name: layer.detail for layer in layers}
    return [
        f"graded without a part of the sandbox, {name}: {why.get(name, 'not known here')}"
        for name in baseline_missing(layers)
    ]
