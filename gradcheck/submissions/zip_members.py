"""The entries of a zip file, as its list of contents has them.

Not by `zipfile`: that reads the whole list before anything can be bounded, unpacks bzip2 and LZMA without a bound, and
gives up on all entries when one name is not UTF-8. Everything that a zip of an assignment needs is stored or deflated.
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from gradcheck.submissions.bounds import CHUNK, Damaged, Spent, TooMuch
from gradcheck.submissions.layout import Kind, Refused, too_large
from gradcheck.submissions.member import Member, relative

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


@dataclass(frozen=True)
class _ZipReader:
    file: BinaryIO
    entry: _ZipEntry
    told: str
    spent: Spent

    def __call__(self, most: int) -> bytes:
        return _read(self.file, self.entry, self.told, most, self.spent)


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
        yield Member(path, told, _kind(raw, fields[15]), _ZipReader(file, entry, told, spent))


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


def _kind(raw: bytes, attributes: int) -> Kind:
    mode = attributes >> 16  # of Unix; 0 from systems that have none
    if stat.S_ISLNK(mode):
        return "link"
    if raw.endswith((b"/", b"\\")) or stat.S_ISDIR(mode) or (not stat.S_IFMT(mode) and attributes & 0x10):
        return "folder"
    return "file" if not stat.S_IFMT(mode) or stat.S_ISREG(mode) else "other"


def _read(file: BinaryIO, entry: _ZipEntry, told: str, most: int, spent: Spent) -> bytes:
    if entry.flags & _ENCRYPTED:
        raise Refused(f"{told} is encrypted; hand in an archive without a password")
    if entry.method not in (_STORED, _DEFLATED):
        raise Refused(f"{told} is compressed in a way that is not read here; make the archive with the usual settings")
    if entry.size > most:
        raise Refused(too_large(told, entry.size, most))
    try:
        content = _unpacked(file, entry, most, spent)
    except (Damaged, zlib.error) as error:
        raise Refused(f"{told} is damaged in the archive: {error}; make the archive anew") from None
    if len(content) > most:
        raise Refused(too_large(told, None, most))
    if len(content) != entry.size or zlib.crc32(content) != entry.crc:
        raise Refused(f"{told} is damaged in the archive: it is not what its checksum says; make the archive anew")
    return content


def _unpacked(file: BinaryIO, entry: _ZipEntry, most: int, spent: Spent) -> bytes:
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
