"""A CSV file as it is: cells can be changed one by one, and all the rest is written back byte for byte.

Python's `csv` forgets which cells were quoted and how lines ended; a gradebook that somebody exported should come back
with nothing changed but what was asked for. Quoting is RFC 4180's, the delimiter whatever splits the header best.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gradcheck.errors import GradcheckError
from gradcheck.showing.text import plural

_DELIMITERS = (",", ";", "\t")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_ABOVE = re.compile(r"(?:[,;\t ]*(?:\r\n|\r|\n))*(?:sep=.(?:\r\n|\r|\n))?", re.IGNORECASE)
"""Empty lines, and the one by which Excel is told the delimiter."""
_QUOTED = r'"[^"]*(?:""[^"]*)*"(?!")'


@dataclass
class CsvLine:
    """A line of the file, which quoted cells may spread over several: raw cells, and what ended it. `number` counts
    the file's lines, `row` is what a spreadsheet calls it.
    """

    number: int
    row: int
    cells: list[str]
    end: str

    @property
    def blank(self) -> bool:
        return not any(map(str.strip, self.cells))

    def value(self, column: int) -> str:
        """What a cell says, without its quotes; empty where the line has no such cell."""
        return _value(self.cells[column]) if column < len(self.cells) else ""


@dataclass
class Sheet:
    """A file: how it is encoded and delimited, and its lines, the header first."""

    bom: bytes
    encoding: str
    delimiter: str
    lines: list[CsvLine]

    @property
    def header(self) -> list[str]:
        """The columns' names, without the spaces around them."""
        first = self.lines[0]
        return [first.value(column).strip() for column in range(len(first.cells))]

    def put(self, line: CsvLine, column: int, value: str) -> None:
        """Change one cell; it is quoted where it was, or has to be."""
        quoted = line.cells[column].startswith('"') or any(each in value for each in (self.delimiter, '"', "\n", "\r"))
        line.cells[column] = '"' + value.replace('"', '""') + '"' if quoted else value

    def content(self) -> bytes:
        """The file."""
        text = "".join(self.delimiter.join(line.cells) + line.end for line in self.lines)
        return self.bom + text.encode(self.encoding)


def read_sheet(content: bytes, name: str, *, by_hand: bool = False, even: bool = True) -> Sheet:
    """The file of that content. `name` is what errors call it. Where it may be written `by_hand` it may begin with
    empty lines, a line may lack its last cells, and errors count rows; such a file is not to be written back. Lines
    need not be `even` where each is judged by itself.

    Raises GradcheckError where it is no CSV file: not text, a quote that is never closed, lines of different lengths.
    """
    bom, encoding = next(((bom, known) for bom, known in _BOMS if content.startswith(bom)), (b"", "utf-8"))
    if content.startswith(b"PK\x03\x04"):
        raise GradcheckError(f"{name} is a spreadsheet, not a CSV file; export it as CSV")
    try:
        text = content[len(bom) :].decode(encoding)
    except UnicodeDecodeError:
        raise GradcheckError(f"{name} is not UTF-8 text; export it again, or save it as 'CSV UTF-8'") from None
    if "\0" in text:
        raise GradcheckError(f"{name} is not a text file; export it as CSV")
    above = _ABOVE.match(text) if by_hand else None
    start = above.end() if above else 0
    if not text.strip() or start == len(text):
        raise GradcheckError(f"{name} is empty; export it again")
    headers = {delimiter: next(_parsed(text, delimiter, name, start)) for delimiter in _DELIMITERS}
    delimiter = max(_DELIMITERS, key=lambda each: len(headers[each].cells))
    lines = list(_parsed(text, delimiter, name, start))
    if even:
        _same_length(lines, name, by_hand=by_hand)
    return Sheet(bom, encoding, delimiter, lines)


def _parsed(text: str, delimiter: str, name: str, place: int) -> Iterator[CsvLine]:
    cell, bare = re.compile(rf"((?:{_QUOTED})?)[^{delimiter}\r\n]*"), re.compile(r'[^"\r\n]*')
    end = re.compile(r"\r\n|\r|\n")
    number = row = 1 + len(end.findall(text[:place]))
    while place < len(text):
        cells: list[str] = []
        opened, plain = number, bare.match(text, place)
        if plain and not text.startswith('"', plain.end()):  # as most lines are
            cells, place = plain[0].split(delimiter), plain.end()
        while not cells or text.startswith(delimiter, place):
            found = cell.match(text, place + bool(cells))
            assert found is not None  # every part of it may be empty
            cells.append(found[0])
            if found[1]:
                number += len(end.findall(found[1]))
            elif found[0].startswith('"'):
                raise GradcheckError(f"{name}, line {number}: a quote is opened and never closed; export it again")
            place = found.end()
        ended = end.match(text, place)
        yield CsvLine(opened, row, cells, ended[0] if ended else "")
        place, number, row = ended.end() if ended else place, number + 1, row + 1


def _same_length(lines: list[CsvLine], name: str, *, by_hand: bool) -> None:
    """A shifted line would put a grade into another column, or a name: better none at all."""
    width = len(lines[0].cells)
    for line in lines[1:]:
        short, long = len(line.cells) < width, any(map(str.strip, line.cells[width:]))
        if not line.blank and (long or (short and not by_hand)):
            own = f"{len(line.cells)} {plural(len(line.cells), 'cell')}"
            where = f"row {line.row}" if by_hand else f"line {line.number}"
            mend = "put quotes around what has a comma in it" if by_hand else "export it again"
            raise GradcheckError(f"{name}, {where}: {own}, and the header has {width}; {mend}")


def _value(raw: str) -> str:
    quoted = re.match(_QUOTED, raw)
    return quoted[0][1:-1].replace('""', '"') + raw[quoted.end() :] if quoted else raw
