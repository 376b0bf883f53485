"""Archives that unpack to somewhere else, to too much, or to two things at once."""

from __future__ import annotations

import io
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.hostile.hostile_record import FULL, PATHS, RELU, RIGHT, Expect, Hostile, Place

FAMILY = "archives"
WRONG_RELU = "def forward(x):\n    return x\n"
MEBIBYTE = 1 << 20


def zipped(
    *extra: tuple[str | zipfile.ZipInfo, str | bytes], leave_out: str = "", tail: int = 0
) -> Callable[[Path, Place], None]:
    """A zip file of right answers and `extra` members, without its last `tail` bytes."""

    def make(path: Path, place: Place) -> None:
        held = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            warnings.simplefilter("ignore")  # a name twice is the point
            for exercise, source in RIGHT.items():
                if exercise != leave_out:
                    archive.writestr(PATHS[exercise], source)
            for name, content in extra:
                text = place.fill(name) if isinstance(name, str) else name
                archive.writestr(text, content)
        path.write_bytes(held.getvalue()[: len(held.getvalue()) - tail])

    return make


def taped(*extra: tuple[tarfile.TarInfo, bytes], leave_out: str = "") -> Callable[[Path, Place], None]:
    """A tar file of right answers and `extra` members."""

    def make(path: Path, place: Place) -> None:
        with tarfile.open(path, "w:gz") as archive:
            for exercise, source in RIGHT.items():
                if exercise != leave_out:
                    member = tarfile.TarInfo(PATHS[exercise])
                    member.size = len(source.encode())
                    archive.addfile(member, io.BytesIO(source.encode()))
            for member, content in extra:
                member.name, member.linkname = place.fill(member.name), place.fill(member.linkname)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    return make


def zip_link(target: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(PATHS["relu"])
    member.create_system, member.external_attr = 3, 0o120777 << 16
    member.comment = target.encode()
    return member


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def garbage(path: Path, _place: Place) -> None:
    path.write_bytes(b"PK\x03\x04" + bytes(4096))


def archive(name: str, suffix: str, make: Callable[[Path, Place], None], relu: Expect | None = None) -> Hostile:
    return Hostile(name, FAMILY, {"": make}, {"relu": relu} if relu else {}, folder=f"{name}{suffix}".encode())


REFUSED = Expect("errored", 0)
SOLUTION = "@SOLUTIONS@/04_modules/relu.py"
CASES: list[Hostile] = [
    archive("zip-right", ".zip", zipped()),
    archive(
        "zip-slip",
        ".zip",
        zipped(("../../markers/slip", "x"), ("@MARKERS@/absolute", "x"), ("..\\..\\markers\\back", "x")),
    ),
    archive(
        "zip-slip-of-an-exercise", ".zip", zipped((f"x/../../{PATHS['relu']}", "x = ("), (f"/{PATHS['relu']}", "x = ("))
    ),
    archive("zip-bomb", ".zip", zipped((PATHS["relu"], bytes(50 * MEBIBYTE)), leave_out="relu"), REFUSED),
    archive("zip-bomb-beside", ".zip", zipped(("notes.bin", bytes(50 * MEBIBYTE)))),
    archive("zip-link", ".zip", zipped((zip_link(SOLUTION), SOLUTION), leave_out="relu"), REFUSED),
    archive("zip-many-members", ".zip", zipped(*((f"notes/{n}", "") for n in range(3_000)))),
    archive("tar-right", ".tar.gz", taped()),
    archive(
        "tar-slip",
        ".tar.gz",
        taped((tar_member("../../markers/tar"), b"x"), (tar_member("@MARKERS@/tar-absolute"), b"x")),
    ),
    archive(
        "tar-link",
        ".tar.gz",
        taped((tar_member(PATHS["relu"], tarfile.SYMTYPE, SOLUTION), b""), leave_out="relu"),
        REFUSED,
    ),
    archive(
        "tar-hard-link",
        ".tar.gz",
        taped((tar_member(PATHS["relu"], tarfile.LNKTYPE, SOLUTION), b""), leave_out="relu"),
        REFUSED,
    ),
    archive(
        "tar-fifo", ".tar.gz", taped((tar_member(PATHS["relu"], tarfile.FIFOTYPE), b""), leave_out="relu"), REFUSED
    ),
    archive(
        "tar-device", ".tar.gz", taped((tar_member(PATHS["relu"], tarfile.CHRTYPE), b""), leave_out="relu"), REFUSED
    ),
    archive("tar-bomb", ".tar.gz", taped((tar_member(PATHS["relu"]), bytes(50 * MEBIBYTE)), leave_out="relu"), REFUSED),
    # Nothing can be read of these, and nothing is promised but a report.
    Hostile(
        "zip-cut-off", FAMILY, {"": zipped(tail=60)}, dict.fromkeys(FULL, Expect("any", 0)), folder=b"zip-cut-off.zip"
    ),
    Hostile("zip-garbage", FAMILY, {"": garbage}, dict.fromkeys(FULL, Expect("any", 0)), folder=b"zip-garbage.zip"),
    Hostile("tar-garbage", FAMILY, {"": garbage}, dict.fromkeys(FULL, Expect("any", 0)), folder=b"tar-garbage.tar"),
    # One name, two contents: whoever reads the first and whoever reads the last would see another submission.
    archive("zip-twice", ".zip", zipped((PATHS["relu"], WRONG_RELU)), Expect("errored", 0)),
    archive("tar-twice", ".tar.gz", taped((tar_member(PATHS["relu"]), RELU.encode())), Expect("errored", 0)),
]
