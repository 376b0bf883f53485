"""The entries of zip and tar files, by hand: with zipfile and tarfile 11 of the 241 tests of archives fail.

What these two cannot: say no before something is allocated (a list of contents or an extended header of gigabytes,
sizes below zero, an xz that asks for 4 GiB), unpack bzip2 and LZMA within a zip by pieces, read on when one name is not
UTF-8, and do the same on every Python. A process around them, with its wire and their errors told one from the other,
has more lines than these parsers, and every archive of a class would pass through it.

Everything that a zip of an assignment needs is stored or deflated; a tar, packed or not, is read once from front to
back. Every byte unpacked and every name is counted, whatever headers claim.
"""

from __future__ import annotations

import bz2
import lzma
import re
import stat
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO

from gradcheck.submissions.layout import Kind, Refused, too_large

CHUNK = 1 << 16


class Damaged(Exception):
    """An archive that is not what it should be: a clause that says where."""


class TooMuch(Exception):
    """A bound was reached: a clause that says which."""


@dataclass(frozen=True)
class ReadingBounds:
    """Far above what an honest submission needs, far below what hurts."""

    members: int = 20_000
    unpacked: int = 64 << 20
    seconds: float = 6.0
    """Of computing: a busy machine takes nothing from anybody."""
    index: int = 8 << 20
    """The bytes of a zip's list of contents, and of one extended header of a tar."""


@dataclass
class Spent:
    """What reading one archive has cost so far. Raises TooMuch."""

    bounds: ReadingBounds
    unpacked: int = 0
    members: int = 0
    started: float = field(default_factory=time.thread_time)

    def bytes(self, count: int) -> None:
        self.unpacked += count
        if self.unpacked > self.bounds.unpacked:
            raise TooMuch(f"it unpacks to more than {self.bounds.unpacked >> 20} MiB")
        self.time()

    def member(self) -> None:
        self.members += 1
        if self.members > self.bounds.members:
            raise TooMuch(f"it holds more than {self.bounds.members:,} files")
        if self.members % 256 == 0:
            self.time()

    def time(self) -> None:
        if time.thread_time() - self.started > self.bounds.seconds:
            raise TooMuch(f"reading it takes longer than {self.bounds.seconds:g} seconds of computing")


@dataclass(frozen=True)
class Member:
    """`read(most)` unpacks a file of at most so many bytes; it raises `Refused` for what is not read.

    `path` is None for a name that leads outside of the archive; `told` is the name for messages.
    """

    path: str | None
    told: str
    kind: Kind
    read: Callable[[int], bytes]


def relative(raw: bytes, encoding: str) -> tuple[str | None, str]:
    """A member's path with single slashes, and its name for messages. The path is None where the name is absolute,
    climbs with `..`, names a drive or holds a null byte; it is empty for the archive's own root. Backslashes separate:
    some Windows tools write them.
    """
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        name = raw.decode(encoding, "replace")
    name = name.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    outside = name.startswith("/") or ".." in parts or "\0" in name or re.match("[A-Za-z]:", name)
    return (None if outside else "/".join(parts)), name


_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_STORED, _DEFLATED = 0, 8


@dataclass(frozen=True)
class _ZipEntry:
    raw: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def zip_members(file: BinaryIO, size: int, spent: Spent) -> Iterator[Member]:
    """Every entry. Raises Damaged and TooMuch; an entry's own trouble is told when it is read."""
    index, shift = _index(file, size, spent)
    position = 0
    while position + _ENTRY.size <= len(index):
        fields = _ENTRY.unpack_from(index, position)
        if fields[0] != b"PK\1\2":
            raise Damaged("its list of contents is damaged")
        name_length, extra_length, comment_length = fields[10:13]
        start = position + _ENTRY.size
        raw = index[start : start + name_length]
        extra = index[start + name_length : start + name_length + extra_length]
        position = start + name_length + extra_length + comment_length
        if position > len(index):
            raise Damaged("its list of contents is cut off")
        spent.member()
        packed, unpacked, offset = _wide(fields[8], fields[9], fields[16], extra)
        entry = _ZipEntry(raw, fields[3], fields[4], fields[7], packed, unpacked, offset + shift)
        path, told = relative(raw, "cp437")
        yield Member(path, told, _zip_kind(raw, fields[15]), partial(_read_entry, file, entry, told, spent))


def _index(file: BinaryIO, size: int, spent: Spent) -> tuple[bytes, int]:
    """The list of contents, and by how much every offset is off: a zip may stand behind something else."""
    tail_at = max(0, size - _END.size - _FULL16)
    tail = _read_at(file, tail_at, size - tail_at)
    end = tail.rfind(b"PK\5\6", 0, max(0, len(tail) - _END.size + 4))
    if end < 0:
        raise Damaged("it is no zip file, or the end of it is missing")
    _, disk, first_disk, _, count, length, offset, _ = _END.unpack_from(tail, end)
    end_at = tail_at + end
    if _FULL16 in (count, disk) or _FULL32 in (length, offset):
        locator_at = end_at - _LOCATOR64.size
        mark, _, end64_at, _ = _LOCATOR64.unpack(_read_at(file, locator_at, _LOCATOR64.size))
        if mark == b"PK\6\7":
            fields = _END64.unpack(_read_at(file, end64_at, _END64.size))
            if fields[0] != b"PK\6\6":
                raise Damaged("the end of it is damaged")
            disk, first_disk, length, offset = fields[4], fields[5], fields[8], fields[9]
            end_at = end64_at
    if disk or first_disk:
        raise Damaged("it is one part of several; hand in a single file")
    if length > spent.bounds.index:
        raise TooMuch(f"its list of contents has {length:,} bytes")
    shift = end_at - length - offset
    if shift < 0:
        raise Damaged("its list of contents is not where it should be")
    return _read_at(file, offset + shift, length), shift


def _wide(packed: int, size: int, offset: int, extra: bytes) -> tuple[int, int, int]:
    """Sizes and offset; those that do not fit into 32 bits stand in an extra field."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        if kind == 1:
            values = [
                each for (each,) in struct.iter_unpack("<Q", extra[position + 4 : position + 4 + length // 8 * 8])
            ]
            size = values.pop(0) if size == _FULL32 and values else size
            packed = values.pop(0) if packed == _FULL32 and values else packed
            offset = values.pop(0) if offset == _FULL32 and values else offset
            break
        position += 4 + length
    return packed, size, offset


def _zip_kind(raw: bytes, attributes: int) -> Kind:
    mode = attributes >> 16  # of Unix; 0 from systems that have none
    if stat.S_ISLNK(mode):
        return "link"
    if raw.endswith((b"/", b"\\")) or stat.S_ISDIR(mode) or (not stat.S_IFMT(mode) and attributes & 0x10):
        return "folder"
    return "file" if not stat.S_IFMT(mode) or stat.S_ISREG(mode) else "other"


def _read_entry(file: BinaryIO, entry: _ZipEntry, told: str, spent: Spent, most: int) -> bytes:
    if entry.flags & _ENCRYPTED:
        raise Refused(f"{told} is encrypted; hand in an archive without a password")
    if entry.method not in (_STORED, _DEFLATED):
        raise Refused(f"{told} is compressed in a way that is not read here; make the archive with the usual settings")
    if entry.size > most:
        raise Refused(too_large(told, entry.size, most))
    try:
        content = _inflated(file, entry, most, spent)
    except (Damaged, zlib.error) as error:
        raise Refused(f"{told} is damaged in the archive: {error}; make the archive anew") from None
    if len(content) > most:
        raise Refused(too_large(told, None, most))
    if len(content) != entry.size or zlib.crc32(content) != entry.crc:
        raise Refused(f"{told} is damaged in the archive: it is not what its checksum says; make the archive anew")
    return content


def _inflated(file: BinaryIO, entry: _ZipEntry, most: int, spent: Spent) -> bytes:
    """At most `most` + 1 bytes of an entry."""
    fields = _LOCAL.unpack(_read_at(file, entry.offset, _LOCAL.size))
    if fields[0] != b"PK\3\4":
        raise Damaged("nothing begins where it should")
    if _read_at(file, entry.offset + _LOCAL.size, fields[9]) != entry.raw:
        raise Damaged("it has two different names")  # and tools would differ in which they read
    position, left = entry.offset + _LOCAL.size + fields[9] + fields[10], entry.packed
    engine = zlib.decompressobj(-15) if entry.method == _DEFLATED else None
    content = bytearray()
    while left and len(content) <= most and not (engine and engine.eof):
        packed = _read_at(file, position, min(CHUNK, left))
        position, left = position + len(packed), left - len(packed)
        while packed and len(content) <= most:
            piece = engine.decompress(packed, CHUNK) if engine else packed
            packed = engine.unconsumed_tail if engine else b""
            content += piece
            spent.bytes(len(piece))
    while engine and not engine.eof and len(content) <= most and (piece := engine.decompress(b"", CHUNK)):
        content += piece
        spent.bytes(len(piece))
    if engine and not engine.eof and len(content) <= most:
        raise Damaged("it is cut off")
    return bytes(content)


def _read_at(file: BinaryIO, position: int, count: int) -> bytes:
    try:
        file.seek(position)
        content = file.read(count)
    except (OSError, ValueError, OverflowError) as error:
        raise Damaged(f"it cannot be read ({error})") from None
    if len(content) != count:
        raise Damaged("it is cut off")
    return content


BLOCK = 512
_XZ_MEMORY = 128 << 20
"""`xz -9` needs 65 MiB to unpack; a header may ask for 4 GiB."""
_PACKED: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)),
)
_KINDS: dict[bytes, Kind] = {b"0": "file", b"\0": "file", b"7": "file", b"5": "folder", b"1": "link", b"2": "link"}
_WITHOUT_DATA = b"123456"


@dataclass
class _Next:
    """What extended headers say of the entry after them."""

    name: bytes | None = None
    size: int | None = None
    sparse: bool = False


def tar_members(file: BinaryIO, spent: Spent) -> Iterator[Member]:
    """Every entry; each must be read, if at all, before the next is asked for. Raises Damaged and TooMuch."""
    stream = _Stream(file, spent)
    coming = _Next()
    first = True
    while header := stream.block():
        if not header.strip(b"\0"):  # the end; what follows is unpacked all the same, for its checksums
            stream.skip_all()
            return
        if not _is_header(header):
            raise Damaged("it is no tar file" if first else "one of its headers is damaged")
        first = False
        kind, size = header[156:157], _number(header[124:136])
        if kind in b"LKxXg":
            spent.member()
            if size > spent.bounds.index:
                raise TooMuch(f"one of its names has {size:,} bytes")
            _extend(coming, kind, stream.exactly(size))
            stream.skip(-size % BLOCK)
            continue
        while kind == b"S" and header[482]:  # the map of a sparse file goes on
            header = header[:482] + stream.exactly(BLOCK)[504:505] + header[483:]
        spent.member()
        size = size if coming.size is None else coming.size
        size = 0 if kind in _WITHOUT_DATA else size
        path, told = relative(coming.name if coming.name is not None else _name(header), "latin-1")
        entry = _TarEntry(stream, size, told, sparse=coming.sparse or kind == b"S")
        yield Member(path, told, _tar_kind(kind, told), entry.read)
        stream.skip(entry.left)
        stream.skip(-size % BLOCK)
        coming = _Next()
    if first:
        raise Damaged("it is empty")


@dataclass
class _TarEntry:
    stream: _Stream
    left: int
    told: str
    sparse: bool

    def read(self, most: int) -> bytes:
        if self.sparse:
            raise Refused(f"{self.told} is a sparse file, which is not read here; make the archive without --sparse")
        if self.left > most:
            raise Refused(too_large(self.told, self.left, most))
        size, self.left = self.left, 0
        return self.stream.exactly(size)


class _Stream:
    """What a file unpacks to, piece by piece. Raises Damaged and TooMuch."""

    def __init__(self, file: BinaryIO, spent: Spent) -> None:
        self.pieces = self._counted(file, spent)
        self.ready = b""

    def block(self) -> bytes:
        """A block; nothing at the end."""
        found = self._up_to(BLOCK)
        if found and len(found) < BLOCK:
            raise Damaged("it is cut off")
        return found

    def exactly(self, count: int) -> bytes:
        found = self._up_to(count)
        if len(found) < count:
            raise Damaged("it is cut off")
        return found

    def skip(self, count: int) -> None:
        while count:
            count -= len(self.exactly(min(count, CHUNK)))

    def skip_all(self) -> None:
        self.ready = b""
        for _ in self.pieces:
            pass

    def _up_to(self, count: int) -> bytes:
        parts, size = [self.ready], len(self.ready)
        while size < count and (piece := next(self.pieces, b"")):
            parts.append(piece)
            size += len(piece)
        whole = b"".join(parts)
        self.ready = whole[count:]
        return whole[:count]

    @staticmethod
    def _counted(file: BinaryIO, spent: Spent) -> Iterator[bytes]:
        try:
            for piece in _unpacked(file, spent):
                spent.bytes(len(piece))
                yield piece
        except (zlib.error, lzma.LZMAError, OSError) as error:
            raise Damaged(f"it cannot be unpacked ({error})") from None


def _unpacked(file: BinaryIO, spent: Spent) -> Iterator[bytes]:
    """Pieces of at most CHUNK bytes. Several packed streams may stand one behind the other, with zeros between."""
    data = file.read(CHUNK)
    make = next((make for magic, make in _PACKED if data.startswith(magic)), None)
    if make is None:
        while data:
            yield data
            data = file.read(CHUNK)
        return
    magic = next(magic for magic, _ in _PACKED if data.startswith(magic))
    while data.startswith(magic):
        engine = make()
        while not engine.eof:
            piece = engine.decompress(data, CHUNK)
            data = getattr(engine, "unconsumed_tail", b"")
            if piece:
                yield piece
            elif not engine.eof and not data:
                data = file.read(CHUNK)
                if not data:
                    raise Damaged("it is cut off")
            spent.time()
        data = engine.unused_data.lstrip(b"\0")
        while len(data) < len(magic) and (more := file.read(CHUNK)):
            data = (data + more).lstrip(b"\0")
            spent.time()


def _is_header(header: bytes) -> bool:
    """Whether the checksum holds, of the bytes with or without their sign, as old tools had it."""
    try:
        told = _number(header[148:156])
    except Damaged:
        return False
    rest = header[:148] + b" " * 8 + header[156:]
    total = sum(rest)
    return told in (total, total - 256 * sum(byte > 127 for byte in rest))


def _number(field: bytes) -> int:
    """Octal digits, or, where the first bit is set, the number itself."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        if field[0] & 0x40 or value >> 62:
            raise Damaged("one of its headers claims a size that cannot be")
        return value
    digits = field.split(b"\0")[0].strip()
    if not all(48 <= digit < 56 for digit in digits):
        raise Damaged("one of its headers is damaged")
    return int(digits or b"0", 8)


def _name(header: bytes) -> bytes:
    name = header[:100].split(b"\0")[0]
    prefix = header[345:500].split(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _tar_kind(kind: bytes, name: str) -> Kind:
    found = "file" if kind == b"S" else _KINDS.get(kind, "other")
    return "folder" if found == "file" and name.endswith("/") else found


def _extend(coming: _Next, kind: bytes, content: bytes) -> None:
    """Take in an extended header. Those for the whole archive (`g`) say nothing that counts here."""
    if kind == b"L":
        coming.name = content.split(b"\0")[0]
    elif kind in b"xX":
        for key, value in _records(content):
            if key == b"path":
                coming.name = value
            elif key == b"size" and value.isdigit() and len(value) < 19:
                coming.size = int(value)
            elif key.startswith(b"GNU.sparse."):
                coming.sparse = True


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The records `length key=value` of an extended header."""
    position = 0
    while position < len(content) and content[position] != 0:
        length, blank, _ = content[position : position + 20].partition(b" ")
        if not blank or not length.isdigit() or int(length) <= len(length) + 1:
            raise Damaged("one of its extended headers is damaged")
        end = position + int(length)
        key, _, value = content[position + len(length) + 1 : end - 1].partition(b"=")
        if end > len(content) or content[end - 1 : end] != b"\n":
            raise Damaged("one of its extended headers is damaged")
        yield key, value
        position = end
