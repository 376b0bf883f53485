"""The grader as releases and bundles bring it along: a wheel of its own installed files, and its libraries' versions.

The wheel is written here rather than by a build tool, because an instructor may have none, nor a network, and because
the same grader has to give the same bytes: a release that is renewed should change only where something has changed.
(Binary distribution format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/.)
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import sys
import tomllib
import zipfile
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from gradcheck import __version__
from gradcheck.errors import GradcheckError

PACKAGE = Path(__file__).parent.parent
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""What the libraries' versions are for."""
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of builds without CUDA (https://pytorch.org/get-started/locally/)."""

_AGAIN = "install it again (pip install -e .), then do this again"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_WHEEL = "Wheel-Version: 1.0\nGenerator: gradcheck\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can tell."""


def pinned() -> str:
    """Lines `name==version` of everything that gradcheck imports by itself, torch first, then by name: the versions
    that this grader runs with, and so was tested with. What those libraries need in turn is left to pip.

    Raises GradcheckError where a library is not installed here.
    """
    # Extras are left out, and what is for another Python: that is not installed here.
    split = (each.partition(";") for each in _installed().requires or [])
    needed = (_NAME.match(name.strip()) for name, _, marker in split if not re.search("extra|python_version", marker))
    names = {found[0].lower() for found in needed if found} - {"gradcheck"}
    lines = [f"{name}=={_version(name)}" for name in sorted(names, key=lambda name: (name != "torch", name))]
    return "\n".join(lines) + "\n"


def _version(name: str) -> str:
    try:
        # The build's tag is dropped: 2.13.0+cpu is 2.13.0 to whoever installs elsewhere.
        return distribution(name).version.partition("+")[0]
    except PackageNotFoundError:
        raise GradcheckError(f"{name} is not installed here, so no version of it can be pinned; install it") from None


def _installed() -> Distribution:
    """The installed gradcheck. Raises GradcheckError where there is none, or where the files here have moved on since:
    a release would then ask for the wrong libraries.
    """
    try:
        found = distribution("gradcheck")
    except PackageNotFoundError:
        raise GradcheckError(f"gradcheck is not installed here, only its files are; {_AGAIN}") from None
    if found.version != __version__:
        raise GradcheckError(f"the installed gradcheck is {found.version}, its files here are {__version__}; {_AGAIN}")
    # Beside the package lies its pyproject.toml, unless gradcheck was installed from a wheel.
    file = PACKAGE.parent / "pyproject.toml"
    project: dict[str, Any] = tomllib.loads(file.read_text("utf-8")).get("project", {}) if file.is_file() else {}
    wanted = project.get("dependencies", []) if project.get("name") == "gradcheck" else []
    news = set(map(_spelled, wanted)) - set(map(_spelled, found.requires or []))
    if news:
        raise GradcheckError(
            f"pyproject.toml asks for {', '.join(sorted(news))} since gradcheck was installed; {_AGAIN}"
        )
    return found


def _spelled(requirement: str) -> str:
    """The same for all who write the same: what is installed has the bounds of a version in an order of its own."""
    wanted, *marker = "".join(requirement.split()).replace("'", '"').split(";")
    name = re.match(r"[^<>=!~]*", wanted)
    assert name
    return ";".join([name[0] + ",".join(sorted(wanted[name.end() :].split(","))), *marker])


def grader_wheel() -> tuple[str, bytes]:
    """The name of the wheel's file and its bytes, the same on every call. Solutions, stubs and tests are not in it.

    Raises GradcheckError where gradcheck runs without having been installed as it is now.
    """
    info = f"gradcheck-{__version__}.dist-info"
    files = dict(_package_files()) | {f"{info}/{name}": text.encode() for name, text in _metadata().items() if text}
    record = "".join(f"{name},{_digest(content)},{len(content)}\n" for name, content in sorted(files.items()))
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    # The specification asks for the metadata at the end, so that it can be read without unpacking the rest.
    in_order = sorted(files, key=lambda each: (".dist-info/" in each, each))
    return f"gradcheck-{__version__}-py3-none-any.whl", zipped({name: files[name] for name in in_order})


def _package_files() -> Iterator[tuple[str, bytes]]:
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield f"gradcheck/{path.relative_to(PACKAGE).as_posix()}", path.read_bytes()


def _metadata() -> dict[str, str]:
    found, beside = _installed(), PACKAGE.parent / "LICENSE"
    # Beside its sources the installed project is described by PKG-INFO. Of both only the headers are taken: what
    # follows is the README as it was when somebody installed.
    described = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
    licence = found.read_text("licenses/LICENSE") or (beside.read_text("utf-8") if beside.is_file() else "")
    return {
        "WHEEL": _WHEEL,
        "METADATA": described.partition("\n\n")[0] + "\n",
        "entry_points.txt": found.read_text("entry_points.txt") or "",
        "licenses/LICENSE": licence,
    }


def _digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def zipped(files: Mapping[str, bytes], executable: Collection[str] = ()) -> bytes:
    """The bytes of a zip file that holds `files` in their order, by their paths, some of them programs: the same for
    the same files.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it was made: only then does the mode count
            entry.external_attr = (0o100755 if name in executable else 0o100644) << 16
            archive.writestr(entry, content, compresslevel=9)
    return buffer.getvalue()
