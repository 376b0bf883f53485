"""Archives are read in memory and within bounds, whatever they claim; what could be read counts."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import shutil
import struct
import subprocess
import tarfile
import time
import warnings
import zipfile
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gradcheck.classes.policy import Course
from gradcheck.submissions import places
from gradcheck.submissions.downloads import HandedIn
from gradcheck.submissions.finder import archive_in, read_archive
from gradcheck.submissions.lateness import Deadline
from gradcheck.submissions.layout import Findings
from gradcheck.submissions.members import ReadingBounds
from gradcheck.submissions.roster import Roster, Student

pytestmark = pytest.mark.outside

RELU = "exercises/04_modules/relu.py"
NLL = "exercises/05_losses/nll.py"
SOURCE = b"def forward(x):\n    return x\n"
Files = list[tuple[str, bytes]]
PLAIN: Files = [(RELU, SOURCE), (NLL, SOURCE * 2), ("conftest.py", b"raise SystemExit")]


def zipped(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: Files, packing: str = "", form: int = tarfile.GNU_FORMAT, **headers: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{packing}", format=form) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in headers.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


FORMS = {
    "zip": zipped,
    "stored zip": lambda files: zipped(files, zipfile.ZIP_STORED),
    "tar": tarred,
    "pax": lambda files: tarred(files, form=tarfile.PAX_FORMAT, pax_headers={"comment": "x" * 300}),
    "ustar": lambda files: tarred(files, form=tarfile.USTAR_FORMAT),
    "tar.gz": lambda files: tarred(files, "gz"),
    "tar.bz2": lambda files: tarred(files, "bz2"),
    "tar.xz": lambda files: tarred(files, "xz"),
}


@pytest.fixture(params=FORMS)
def made(request):
    return FORMS[request.param]


def read(content: bytes, **bounds: float) -> Findings:
    findings = Findings()
    archive_in(content, findings, ReadingBounds(**bounds))  # type: ignore[arg-type]
    return findings


@pytest.mark.parametrize("wrapper", ["", "./", "alice-main/", "exercises of Ada/", "größe/"])
@pytest.mark.parametrize("within", [True, False])
def test_the_named_files_are_read_from_every_format(made, wrapper, within):
    files = [(wrapper + (name if within else name.removeprefix("exercises/")), content) for name, content in PLAIN]
    found = read(made(files))
    assert (found.sources, found.refused, found.problems) == ({"relu": SOURCE, "nll": SOURCE * 2}, {}, [])


def test_long_names_of_other_files_are_no_trouble(made):
    name = "deep/" * 30 + "n" * 60 if made is FORMS["ustar"] else "long/" * 40 + "n" * 200
    assert read(made([(name, b"x"), *PLAIN])).sources.keys() == {"relu", "nll"}


def test_help_is_read_and_a_record_that_is_none_is_told(made):
    record = b'{"schema": "gradcheck/desk/v1", "exercises": {"relu": {"hint": 2, "gave_up": true}}}'
    found = read(made([*PLAIN, ("exercises/.desk.json", record)]))
    assert (found.help["relu"].hint, found.help["relu"].gave_up) == (2, True)
    found = read(made([*PLAIN, ("exercises/.desk.json", b"[" * 60_000)]))
    assert not found.help
    assert "not readable as JSON" in found.problems[0]
    found = read(made([*PLAIN, ("exercises/.desk.json", b" " * 70_000)]))
    assert "70,000 bytes" in found.problems[0]


def test_the_tools_of_the_system_make_archives_that_are_read(tmp_path):
    for name, content in PLAIN:
        (tmp_path / "alice" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "alice" / name).write_bytes(content)
    commands = [["tar", flags, f"{flags}.out", "alice"] for flags in ("cf", "czf", "cjf", "cJf")]
    commands += [
        ["tar", "--format=v7", "-cf", "v7.out", "alice"],
        ["tar", "--format=oldgnu", "-cf", "old.out", "alice"],
    ]
    if shutil.which("zip"):
        commands += [["zip", "-qr", "plain.zip", "alice"], ["zip", "-qr", "-fz", "wide.zip", "alice"]]
        piped = subprocess.run(["sh", "-c", "zip -qr - alice | cat > piped.zip"], cwd=tmp_path, check=True)
        assert piped.returncode == 0
    for command in commands:
        subprocess.run(command, cwd=tmp_path, check=True)
    archives = [*tmp_path.glob("*.out"), *tmp_path.glob("*.zip")]
    assert len(archives) >= 6
    for archive in archives:
        found = Findings()
        read_archive(archive, found)
        assert found.sources == {"relu": SOURCE, "nll": SOURCE * 2}, archive
        assert not found.problems


def test_the_moment_of_a_download_is_no_time_of_handing_in(tmp_path):
    path = tmp_path / "alice.zip"
    path.write_bytes(zipped(PLAIN))
    os.utime(path, (1_790_000_000, 1_790_000_000))
    for at in ("worktree", "deadline", "head"):
        (place,) = places.find(tmp_path, Course(at=at, deadline=Deadline(datetime(2026, 1, 1, tzinfo=UTC))))
        assert place.read().submitted == ""


def test_a_course_may_take_the_dates_of_files(tmp_path):
    path = tmp_path / "alice.zip"
    path.write_bytes(zipped(PLAIN))
    roster = Roster((Student("Bob", id="bob"), Student("Alice", id="alice", submitted="2026-01-01T00:00:00+00:00")))
    for seconds, submitted in ((1_790_000_000, "2026-09-21T14:13:20+00:00"), (0, "")):
        os.utime(path, (seconds, seconds))
        (place,) = places.find(tmp_path, Course(at="mtime"))
        assert place.read().submitted == submitted
        assert (
            replace(place, known=HandedIn("2026-01-02T00:00:00+00:00")).read().submitted == "2026-01-02T00:00:00+00:00"
        )
        (place,) = places.find(tmp_path, Course(at="mtime", roster=roster))
        assert place.read().submitted == "", "the roster knows it better"


def test_the_ending_does_not_decide_what_it_is(tmp_path):
    (tmp_path / "a.zip").write_bytes(tarred(PLAIN, "xz"))
    (tmp_path / "b.tar").write_bytes(zipped(PLAIN))
    assert [place.read().sources.keys() for place in places.find(tmp_path)] == [{"relu", "nll"}] * 2


# --- what a member may not be ---


@pytest.mark.parametrize(
    "name", ["../" + RELU, "/" + RELU, "C:/" + RELU, "a/../../" + RELU, "..\\..\\x.py", "\\\\host\\share\\x"]
)
def test_names_that_lead_outside_are_told_and_the_rest_is_read(made, name):
    found = read(made([(name, b"evil"), *PLAIN]))
    assert found.sources == {"relu": SOURCE, "nll": SOURCE * 2}
    assert "lies outside of it" in found.problems[0]


def test_backslashes_of_windows_tools_separate():
    assert read(zipped([(RELU.replace("/", "\\"), SOURCE)])).sources == {"relu": SOURCE}


def test_a_file_that_is_there_twice_is_refused(made):
    for other in (RELU, "./" + RELU, RELU.replace("/", "//")):
        found = read(made([*PLAIN, (other, b"another")]))
        assert found.sources.keys() == {"nll"}
        assert "twice" in found.refused["relu"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, b"S", b"V"]
)
def test_links_and_oddities_in_a_tar_are_refused(kind):
    content = tarred([(RELU, b"")], type=kind, linkname="/etc/passwd", devmajor=1, devminor=9)[:512] + tarred(PLAIN[1:])
    found = read(content)
    assert found.sources.keys() == {"nll"}
    assert RELU in found.refused["relu"]


def test_a_sparse_file_is_refused(tmp_path):
    path = tmp_path / "exercises/04_modules/relu.py"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(900_000)
        file.write(b"x")
        for spot in range(0, 800_000, 20_000):  # the map goes on in blocks of its own
            file.seek(spot)
            file.write(b"y")
    (tmp_path / NLL).parent.mkdir(parents=True)
    (tmp_path / NLL).write_bytes(SOURCE)
    for form in ("gnu", "pax"):
        subprocess.run(["tar", f"--format={form}", "-cSf", "out.tar", RELU, NLL], cwd=tmp_path, check=True)
        found = Findings()
        read_archive(tmp_path / "out.tar", found)
        assert found.sources == {"nll": SOURCE}, form
        assert "sparse file" in found.refused["relu"]
        # In the one format the member lies in a folder of tar's own, so it is told of the submission too.
        assert found.problems == ([found.refused["relu"]] if form == "pax" else [])


def test_links_in_a_zip_are_refused_and_so_is_what_lies_behind_one():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, mode in (
            (RELU, 0o120777),
            ("exercises/05_losses", 0o120777),
            ("exercises/04_modules/add.py", 0o010644),
        ):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, "/etc/passwd")
        archive.writestr(NLL, SOURCE)
        archive.writestr("exercises/04_modules/tanh.py", SOURCE)
    found = read(out.getvalue())
    assert found.sources == {"tanh": SOURCE}
    assert "a link" in found.refused["relu"]
    assert "behind a link" in found.refused["nll"]
    assert "not a plain file" in found.refused["add"]


def test_encrypted_members_are_refused():
    content = bytearray(zipped(PLAIN))
    for mark, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        content[content.index(mark) + offset] |= 1
    found = read(bytes(content))
    assert found.sources.keys() == {"nll"}
    assert "encrypted" in found.refused["relu"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_without_a_bound_are_refused(method):
    assert "usual settings" in read(zipped(PLAIN, method)).refused["relu"]


def test_two_names_of_one_member_are_refused():
    content = bytearray(zipped([(RELU, SOURCE)]))
    at = content.index(b"relu.py")  # in the local header, which comes first
    content[at : at + 7] = b"tanh.py"
    found = read(bytes(content))
    assert not found.sources
    assert "two different names" in found.refused["relu"]


def test_a_wrong_checksum_is_refused():
    content = bytearray(zipped(PLAIN, zipfile.ZIP_STORED))
    content[content.index(SOURCE)] ^= 1
    found = read(bytes(content))
    assert found.sources.keys() == {"nll"}
    assert "checksum" in found.refused["relu"]


# --- bounds ---


def test_a_large_member_is_refused_by_what_it_says_and_the_others_are_read(made):
    found = read(made([(RELU, b"#" * 1_000_001), (NLL, b"#" * 1_000_000)]))
    assert found.sources.keys() == {"nll"}
    assert found.refused["relu"] == f"{RELU} has 1,000,001 bytes; an exercise has at most 1,000,000"


def test_a_zip_that_lies_about_a_size_is_refused_by_what_it_unpacks_to():
    content = bytearray(zipped([(RELU, b"#" * 30_000_000)]))
    for mark, offset in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        struct.pack_into("<L", content, content.index(mark) + offset, 900)
    found = read(bytes(content), unpacked=1_200_000)  # so it stops soon after what an exercise may have
    assert not found.sources
    assert not found.problems
    assert "more bytes than it says" in found.refused["relu"]


@pytest.mark.parametrize("size", [0, 1, 900_000])
def test_a_zip_that_lies_about_a_small_size_is_refused(size):
    content = bytearray(zipped([(RELU, SOURCE)]))
    struct.pack_into("<L", content, content.index(b"PK\1\2") + 24, size)
    assert "not what its checksum says" in read(bytes(content)).refused["relu"]


def overlapping(count: int) -> bytes:
    """Many names for one packed block: the list of contents points to it again and again."""
    one = zipped([(RELU, b"#" * 900_000)])
    start = one.index(b"PK\1\2")
    entry, end = one[start : one.index(b"PK\5\6")], bytearray(one[one.index(b"PK\5\6") :])
    struct.pack_into("<2H2L", end, 8, count, count, len(entry) * count, start)
    return one[:start] + entry * count + bytes(end)


def test_an_overlapping_bomb_is_a_duplicate():
    found = read(overlapping(5000), unpacked=2 << 20)
    assert not found.sources
    assert "twice" in found.refused["relu"]


def test_zips_in_zips_stay_packed():
    inner = zipped([(f"{number}.txt", bytes(1_000_000)) for number in range(10)])
    for _ in range(3):
        inner = zipped([(f"{number}.zip", inner) for number in range(10)], zipfile.ZIP_STORED)
    assert read(inner, unpacked=1000).sources == {}


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_tar_bomb_is_stopped_and_what_came_before_counts(pack):
    bomb = tarred([PLAIN[0], ("zeros", bytes(30_000_000)), PLAIN[1]])
    found = read(pack(bomb), unpacked=2 << 20)
    assert found.sources == {"relu": SOURCE}
    assert found.problems == [
        "the archive is too large: it unpacks to more than 2 MiB; only what was read before was graded"
    ]


def test_what_follows_the_end_of_a_tar_is_bounded_too():
    content = gzip.compress(tarred(PLAIN) + bytes(30_000_000))
    found = read(content, unpacked=2 << 20)
    assert found.sources.keys() == {"relu", "nll"}
    assert "too large" in found.problems[0]


def test_memory_stays_small_while_a_bomb_is_unpacked():
    import tracemalloc

    content = lzma.compress(tarred([("zeros", bytes(60_000_000)), *PLAIN]))
    tracemalloc.start()
    found = read(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.sources.keys() == {"relu", "nll"}
    assert peak < 12_000_000  # of which 8 MiB are xz's own


def test_an_xz_that_asks_for_gigabytes_is_refused():
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}]
    content = bytearray(lzma.compress(tarred(PLAIN), lzma.FORMAT_XZ, filters=filters))
    # The block header, after the stream's 12 bytes: size, flags, filter 0x21, size of properties 1, the dictionary.
    assert content[14:16] == b"\x21\x01"
    content[16] = 40  # 4 GiB - 1
    length = (content[12] + 1) * 4
    struct.pack_into("<L", content, 12 + length - 4, zlib.crc32(content[12 : 12 + length - 4]))
    found = read(bytes(content))
    assert not found.sources
    assert "cannot be unpacked" in found.problems[0]


def test_too_many_members_end_the_reading(made):
    files = [PLAIN[0], *((f"{number}.txt", b"") for number in range(300)), PLAIN[1]]
    found = read(made(files), members=200)
    assert found.sources == {"relu": SOURCE}
    assert "more than 200 files" in found.problems[0]


def test_a_huge_list_of_contents_is_not_read():
    found = read(zipped([(f"{number}.txt", b"") for number in range(300)]), index=10_000)
    assert "list of contents has" in found.problems[0]


def test_a_million_members_end_in_a_moment():
    header = tarred([("x", b"")])[:512]
    content = gzip.compress(header * 200_000)
    started = time.perf_counter()
    found = read(content)
    assert time.perf_counter() - started < 10
    assert "more than 20,000 files" in found.problems[0]


def test_time_is_bounded(made):
    found = read(made([(f"{number}.txt", b"x" * 100) for number in range(600)]), seconds=-1)
    assert not found.sources
    assert any("takes longer than" in problem for problem in found.problems)


def test_packed_streams_of_nothing_end_by_time():
    found = read(gzip.compress(b"") * 200_000, seconds=0.2)
    assert "takes longer than 0.2 seconds of computing" in found.problems[0]


# --- damage ---


@pytest.mark.parametrize("made", [zipped, tarred])
def test_non_utf8_names_are_no_trouble(made):
    marked = made([("caf__.txt", b"x"), *PLAIN]).replace(b"caf__", b"caf\xe9\xff")
    if marked[:2] == b"PK":
        content = bytearray(marked)
        content[content.index(b"PK\1\2") + 9] |= 8  # claims to be UTF-8
        with pytest.raises(UnicodeDecodeError):
            zipfile.ZipFile(io.BytesIO(bytes(content)))
        assert read(bytes(content)).sources.keys() == {"relu", "nll"}
    else:
        content = bytearray(marked)
        content[148:156] = b"%06o\0 " % (sum(content[:148]) + sum(content[156:512]) + 8 * 32)
        assert read(bytes(content)).sources.keys() == {"relu", "nll"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"P",
        b"PK",
        b"PK\5\6",
        b"PK\5\6" + bytes(17),
        b"\x1f\x8b",
        b"\x1f\x8b" + b"\xff" * 99,
        b"BZh",
        b"BZh9" + b"x" * 99,
        b"\xfd7zXZ\0",
        b"\xfd7zXZ\0" + b"x" * 99,
        b"x" * 511,
        b"x" * 512,
        b"hello",
        bytes(512),
        bytes(10_000),
        b"\x80" * 5000,
    ],
)
def test_what_is_no_archive_is_told(content):
    found = read(content)
    assert not found.sources
    assert found.problems


def test_every_cut_and_every_damage_ends_calmly(made):
    """And only true sources come out of a zip, whose members have checksums."""
    whole = made(PLAIN)
    dice = random.Random(0)
    for _ in range(150):
        cut = read(whole[: dice.randrange(len(whole))])
        assert all(content == dict(PLAIN)[{"relu": RELU, "nll": NLL}[name]] for name, content in cut.sources.items())
        damaged = bytearray(whole)
        for _ in range(dice.choice((1, 1, 3, 30))):
            damaged[dice.randrange(len(damaged))] = dice.choice((0, 255, dice.randrange(256)))
        found = read(bytes(damaged))
        if whole[:2] == b"PK" and damaged[:2] == b"PK":
            assert set(found.sources.values()) <= {SOURCE, SOURCE * 2}


def test_sizes_below_zero_and_beyond_everything_end_calmly():
    for size in (
        b"\xff" * 12,
        b"\x80" + b"\xff" * 11,
        b"77777777777\0",
        b"-0000000001\0",
        b"\x80" + bytes(3) + b"\x7f" * 8,
    ):
        block = bytearray(tarred([("x", b"")])[:512])
        block[124:136] = size
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        for kind in (b"0", b"L", b"x", b"g", b"S"):
            block[156:157] = kind
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block)
            found = read(bytes(block) + tarred(PLAIN))
            assert found.problems


def test_damaged_extended_headers_end_calmly():
    for record in (
        b"0 path=x\n",
        b"-5 path=x\n",
        b"99999999999999999999 path=x\n",
        b"5\n",
        b"12 path=abc",
        b"x" * 999,
        b"9" * 30,
    ):
        content = tarred([("x", record)], type=b"x") + tarred(PLAIN)
        assert read(content).problems or read(content).sources


def test_packed_streams_one_behind_the_other_are_one():
    tar = tarred(PLAIN)
    for pack in (gzip.compress, bz2.compress, lzma.compress):
        assert read(pack(tar[:1000]) + pack(tar[1000:])).sources.keys() == {"relu", "nll"}
    assert read(gzip.compress(tar) + bytes(1000)).problems == []


def test_a_wrong_checksum_of_a_packed_tar_is_told():
    content = bytearray(gzip.compress(tarred(PLAIN)))
    content[-6] ^= 1
    assert "damaged" in read(bytes(content)).problems[0]
