"""What a submission may read: the interpreter, the system's libraries, torch and numpy. Not gradcheck, nor any home."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gradcheck.grading.execute import ROOTS, required, top_level

_SYSTEM = (
    "/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/usr/local/lib", "/nix/store", "/gnu/store",
    "/etc/ld.so.cache", "/etc/localtime", "/etc/timezone", "/etc/gai.conf", "/usr/share/zoneinfo", "/usr/share/locale",
    "/usr/share/i18n", "/sys/devices/system/cpu",
)  # fmt: skip
PACKAGE = Path(__file__).resolve().parents[2]
"""gradcheck itself: the catalog and the checks."""


def readable_places(hidden: Iterable[Path] = ()) -> list[Path]:
    """Files and folders to read and to map, each as it really lies. Folders hold nothing of gradcheck.

    `hidden`: further places that must not lie in any of them, such as the class's folder.
    """
    secret = [PACKAGE, PACKAGE.parent / "solutions", *(place.resolve() for place in hidden)]
    kept_out = [*_package_folders(), *secret]
    for folder in {"/usr/lib", "/usr/local/lib", f"{sys.base_prefix}/lib"}:
        kept_out += Path(folder).resolve().glob("python3*/*-packages")  # of another Python
    library = Path(sysconfig.get_path("stdlib"))
    platform_library = Path(sysconfig.get_path("platstdlib"))
    base = Path(sys.base_prefix)
    wanted = [Path(place) for place in _SYSTEM]
    wanted += [library, platform_library, base / "lib", base / "lib64"]
    wanted += [Path(entry) for entry in sys.path if entry.endswith(".zip") and "site-packages" not in entry]
    found: list[Path] = []
    for place in wanted:
        found += _without(place, kept_out)
    for place in _distributions():
        found += _without(place, secret)
    return _outermost(found)


def listed_places(readable: Iterable[Path]) -> list[Path]:
    """Folders on `sys.path` whose names must be known for an import to find what is readable in them."""
    parents = {place.parent for place in readable}
    return sorted({folder for entry in sys.path if (folder := Path(entry).resolve()) in parents})


def needed_places() -> list[Path]:
    """Those that Python and torch cannot do without, for the question whether another user could read them."""
    places = [Path(os.__file__), Path(sysconfig.get_path("stdlib")) / "encodings"]
    for name in ROOTS:
        for folder in _package_folders():
            if (folder / name / "__init__.py").exists():
                places.append(folder / name / "__init__.py")
                break
    return places


def _package_folders() -> list[Path]:
    """Where distributions are installed: what lies there is let in one by one."""
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), site.getusersitepackages()}
    folders |= set(site.getsitepackages())
    folders |= {entry for entry in sys.path if Path(entry).name in {"site-packages", "dist-packages"}}
    return sorted({Path(folder).resolve() for folder in folders})


def _without(place: Path, kept_out: Iterable[Path]) -> list[Path]:
    """`place`, or, where something to be kept out lies below it, all else that is in it: Landlock only ever adds."""
    with suppress(OSError):
        real = place.resolve(strict=True)
        inside = [secret for secret in kept_out if secret == real or real in secret.parents]
        if not inside:
            return [] if any(secret in real.parents for secret in kept_out) else [real]
        if real in inside:
            return []
        parts: list[Path] = []
        for child in sorted(real.iterdir()):
            if not child.is_symlink():  # what it points to is let in for itself, or not
                parts += _without(child, inside)
        return parts
    return []


def _outermost(places: Iterable[Path]) -> list[Path]:
    everything = set(places)
    return sorted(place for place in everything if not any(parent in everything for parent in place.parents))


def _distributions() -> list[Path]:
    """The top-level entries of torch and numpy and of all that they require."""
    places = []
    for distribution in required():
        for entry in top_level(distribution):
            place = Path(str(distribution.locate_file(entry)))
            if place.exists():
                places.append(place.resolve())
    return places
