"""The grader as a wheel, made from its own installed files: what a release and a bundle carry along.

It is written here rather than by a build tool, because an instructor may have none, nor a network, and because the same
grader has to give the same bytes: a release that is renewed should change only where something has changed. (Binary
distribution format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/.)
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from gradcheck import __version__
from gradcheck.authoring.installed import PACKAGE, installed
from gradcheck.authoring.zipped import zipped

_LEFT_OUT = {"__pycache__"}
_WHEEL = "Wheel-Version: 1.0\nGenerator: gradcheck\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def grader_wheel() -> tuple[str, bytes]:
    """The name of the wheel's file and its bytes, the same on every call. Solutions, stubs and tests are not in it.

    Raises GradcheckError where gradcheck runs without having been installed as it is now.
    """
    info = f"gradcheck-{__version__}.dist-info"
    files = dict(_package_files()) | {f"{info}/{name}": content for name, content in _metadata().items()}
    record = "".join(f"{name},{_digest(content)},{len(content)}\n" for name, content in sorted(files.items()))
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    # The specification asks for the metadata at the end, so that it can be read without unpacking the rest.
    in_order = sorted(files, key=lambda each: (".dist-info/" in each, each))
    return f"gradcheck-{__version__}-py3-none-any.whl", zipped({name: files[name] for name in in_order})


def _package_files() -> Iterator[tuple[str, bytes]]:
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and not path.is_symlink() and not _LEFT_OUT & set(path.parts) and path.suffix != ".pyc":
            yield f"gradcheck/{path.relative_to(PACKAGE).as_posix()}", path.read_bytes()


def _metadata() -> dict[str, bytes]:
    found = installed()
    # Beside its sources the installed project is described by PKG-INFO. Of both only the headers are taken: what
    # follows is the README as it was when somebody installed.
    described = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
    texts = {
        "WHEEL": _WHEEL,
        "METADATA": described.partition("\n\n")[0] + "\n",
        "entry_points.txt": found.read_text("entry_points.txt") or "",
        "licenses/LICENSE": found.read_text("licenses/LICENSE") or _license_beside(),
    }
    return {name: text.encode() for name, text in texts.items() if text}


def _license_beside() -> str:
    path = PACKAGE.parent / "LICENSE"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
