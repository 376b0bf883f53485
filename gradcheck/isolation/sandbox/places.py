"""What a submission may read: the interpreter, the system's libraries, torch and numpy. Not gradcheck, nor any home.

And good manners behind the walls: what a library finds missing is missing, and not forbidden. Landlock lets a package
be seen and not be read, so importing it ends in a PermissionError; but libraries try what may be there and expect that
it is not (SymPy looks for python-flint, torch for a dozen others). And torch asks for a temporary folder and the user's
name as soon as an optimiser is made. None of this is a wall.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

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


def answer_ahead() -> None:
    """What torch asks of the disk and of the system's users, settled before it asks: in a process whose disks are
    already read-only it would fail at the question, in the middle of loading a part of itself, and never recover.
    """
    # Else the first to ask tries to write a file, and fails at the question instead of at its own file.
    tempfile.tempdir = tempfile.tempdir or "/tmp"  # noqa: S108 - never written to
    if not any(name in os.environ for name in ("LOGNAME", "USER", "LNAME", "USERNAME")):
        os.environ["LOGNAME"] = "submission"  # the list of users cannot be read
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = "/"  # torch makes this folder with its first optimiser, if it is not there


def settle(finder: ReadableOnly | None) -> None:
    """In a worker, as it is confined. `finder`: None where Landlock does not hold."""
    answer_ahead()
    if finder is not None:
        finder.take_over()


class ReadableOnly(MetaPathFinder):
    """In place of the finders that look on disk: finds what they find, if it may be read."""

    def __init__(self, readable: Iterable[Path]) -> None:
        self._finders: list[Any] = []
        self._readable = frozenset(str(place) for place in readable)
        self._answers: dict[str, bool] = {}

    def take_over(self) -> None:
        """From now on what is on disk is looked for here. Built-in and frozen modules are where they were."""
        place = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else 0
        self._finders = sys.meta_path[place:]
        sys.meta_path[place:] = [self]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        for finder in self._finders:
            spec: ModuleSpec | None = finder.find_spec(fullname, path, target)
            if spec is not None:
                places = [spec.origin] if spec.has_location and spec.origin else spec.submodule_search_locations or ()
                if not places or any(self._may_read(place) for place in places):
                    return spec
        return None

    def find_distributions(self, *arguments: Any) -> Iterator[Any]:
        """What importlib.metadata asks every finder."""
        for finder in self._finders:
            if hasattr(finder, "find_distributions"):
                yield from finder.find_distributions(*arguments)

    def invalidate_caches(self) -> None:
        for finder in self._finders:
            if hasattr(finder, "invalidate_caches"):
                finder.invalidate_caches()

    def _may_read(self, place: str) -> bool:
        folder = place.rpartition("/")[0]
        if folder not in self._answers:
            self._answers[folder] = not self._readable.isdisjoint(_ancestors(folder))
        return self._answers[folder] or place in self._readable or str(Path(place).resolve()) in self._readable


def _ancestors(folder: str) -> set[str]:
    """The folder and all above it, as it is named and as it really lies."""
    named, real = Path(folder), Path(folder).resolve()
    return {str(place) for place in (named, *named.parents, real, *real.parents)}
