"""The entries of a tar file, packed or not, read once from front to back.

Not by `tarfile`: its headers may claim what they like before anything is bounded (sizes below zero, extended headers of
gigabytes), and what it does with them differs from one Python to the next.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from gradcheck.submissions.bounds import CHUNK, Damaged, Spent, TooMuch
from gradcheck.submissions.layout import Kind, Refused, too_large
from gradcheck.submissions.member import Member, relative

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
        yield Member(path, told, _kind(kind, told), entry.read)
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


def _kind(kind: bytes, name: str) -> Kind:
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
