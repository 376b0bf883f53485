"""What a submission wrote, made safe for whatever reads it: one home for the escapes of every sink but HTML.

Every function is total: it takes any `str`, lone surrogates included, and returns text that UTF-8 can encode. HTML has
Jinja's own escaping; `visible` is what goes into it. (OWASP, "CSV Injection"; CommonMark 0.31; GitHub, "Workflow
commands for GitHub Actions".)
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable
from io import StringIO

from gradcheck.showing.text import printable

_BREAKS = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""Everything that some reader takes for the end of a line, as `str.splitlines` has it."""

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that reorder what is around them: a name that reads `exe.txt` and is `txt.exe`."""

_FORMULA = re.compile(r"[\s'\"]*[=+\-@\uff0b\uff0d\uff1d\uff20]")
"""How a formula begins, after what spreadsheets trim; Excel takes the full-width signs for the narrow ones."""

_WORKFLOW = re.compile(r"^(\s*):(?=:)|#(?=#\[)", re.MULTILINE)
"""How a line of a job's log begins that GitHub's runner obeys; the older `##[` counts anywhere in the line."""


def visible(text: str) -> str:
    """`text` with what nobody sees spelled out: control codes, bidirectional controls, half of a surrogate pair. Any
    kind of space is a space, any kind of line break a newline.
    """
    spaced = "".join(" " if unicodedata.category(each) == "Zs" else each for each in _BREAKS.sub("\n", text))
    return printable(spaced.replace("\t", "    "))


def terminal_text(text: str) -> str:
    """For a terminal or a job's log. Newlines stay; what would move the cursor, colour the screen or command the job's
    runner is shown instead.
    """
    return _WORKFLOW.sub(lambda found: f"{found[1] or ''}\\x{ord(found[0][-1]):02x}", visible(text))


def csv_cell(text: str) -> str:
    """For a text cell of a CSV file, before `csv.writer` quotes it: no spreadsheet takes it for a formula. One line,
    control characters gone, the rest as it is, since a gradebook finds its students by it.
    """
    shown = "".join(_in_cell(each) for each in _BREAKS.sub(" ", text).replace("\t", " "))
    # Where a semicolon separates columns, which is so in half of Europe, what follows one is a cell of its own.
    parts = shown.split(";")
    return ";".join("'" + part if _FORMULA.match(part) and not part.startswith("'") else part for part in parts)


def csv_file(rows: Iterable[Iterable[str | float | None]]) -> bytes:
    """A CSV file whose text is safe for spreadsheets and whose numbers have a decimal point; None is an empty cell.

    UTF-8 with a byte order mark: without one, Excel on Windows reads names as another encoding and breaks every Müller;
    LibreOffice, Numbers, Google Sheets and pandas take it either way, and Python's csv with `utf-8-sig`. Lines end as
    RFC 4180 says.
    """
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(map(_cell, row) for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8")


def _cell(value: str | float | None) -> str:
    if isinstance(value, str):
        return csv_cell(value)
    return "" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")


def _in_cell(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cc":
        return ""
    if category == "Cs":
        return "\ufffd"
    return repr(character)[1:-1] if character in _BIDI else character


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MARKUP = re.compile(r"[\\`*_\[\]{}~|$&<>]")
_LINK = re.compile(r"(?i)(?<=http)(s?):(?=//)|(?<=ftp):(?=//)|(?<=www)\.")
_NOTICE = re.compile(r"[@#](?=\w)")
_OPENING = re.compile(r"^(?:[#+\-=:]|\d{1,9}(?=[.)]))")


def markdown_text(text: str) -> str:
    """For a running line of Markdown, also in a table's cell or at the beginning of a line: shown as it is, on one
    line, with no markup, HTML, link, formula, mention of a person (@name) or of an issue (#1).
    """
    line = " ".join(visible(text).split())
    opening = _OPENING.match(line)
    start = opening.end() if opening else 0
    head = line[:start]
    if head and not head[0].isdigit():
        head = f"\\{head}"
    elif head:
        head, start = f"{head}\\{line[start]}", start + 1
    return head + _marked_down(line[start:])


def _marked_down(line: str) -> str:
    safe = _MARKUP.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), line)
    safe = _LINK.sub(lambda found: found[0][:-1] + "\\" + found[0][-1], safe)
    # GitHub looks for mentions in the rendered text, where no backslash is left: an invisible joiner parts them.
    return _NOTICE.sub(lambda found: f"{found[0]}\u2060", safe)


def markdown_code_block(text: str) -> str:
    """A fenced block of Markdown that `text` cannot close, with no newline at the end. For lines of their own, not
    indented.
    """
    shown = visible(text)
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{shown}\n{fence}"


def workflow_data(text: str) -> str:
    """For the message of a GitHub workflow command, `::error::message`: it stays one command, whatever is in it."""
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def workflow_property(text: str) -> str:
    """For a property of a GitHub workflow command, `::error title=property::`."""
    return workflow_data(text).replace(":", "%3A").replace(",", "%2C")
