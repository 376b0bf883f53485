"""A table of a TOML file, key by key: whatever is not as expected is told with file, line, and what is allowed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gradcheck.errors import GradcheckError


@dataclass
class Table:
    """A table. Every key that is asked for is known; `done` refuses the others."""

    file: Path
    source: str
    content: dict[str, Any]
    name: str = ""
    known: list[str] = field(default_factory=list)

    def has(self, key: str) -> bool:
        return key in self.content

    def get(self, key: str) -> Any:
        """The value as TOML has it, None where there is none."""
        self.known.append(key)
        return self.content.get(key)

    def table(self, key: str) -> Table:
        """A table inside; an empty one where there is none."""
        value = self.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.wrong(key, f"is a table: write [{self._inside(key)}] on a line of its own and its keys below")
        return Table(self.file, self.source, value or {}, self._inside(key))

    def text(self, key: str) -> str:
        value = self.get(key)
        if value is not None and not isinstance(value, str):
            raise self.wrong(key, f"is text in quotes, not {_shown(value)}")
        return value or ""

    def flag(self, key: str) -> bool:
        value = self.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(key, f"is true or false, without quotes, not {_shown(value)}")
        return bool(value)

    def one_of(self, key: str, allowed: Collection[str]) -> str | None:
        value = self.get(key)
        if value is not None and value not in allowed:
            quoted = ", ".join(f'"{each}"' for each in allowed)
            raise self.wrong(key, f"is one of {quoted}, not {_shown(value)}{_meant(value, allowed)}")
        return value if isinstance(value, str) else None

    def number(self, key: str, least: float, most: float) -> float | None:
        value = self.get(key)
        return None if value is None else self.checked_number(key, value, least, most)

    def whole(self, key: str, least: int, most: int) -> int | None:
        number = self.number(key, least, most)
        if number is not None and number != int(number):
            raise self.wrong(key, f"is a whole number, not {number:g}")
        return None if number is None else int(number)

    def checked_number(self, key: str, value: Any, least: float, most: float) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise self.wrong(key, f"is a number from {least:g} to {most:g}, not {_shown(value)}")
        return float(value)

    def names(self, key: str, allowed: Collection[str], what: str) -> tuple[str, ...] | None:
        """A list of names that exist."""
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(key, f'is a list of names, as in ["{next(iter(allowed))}"], not {_shown(value)}')
        for name in value:
            if name not in allowed:
                raise self.wrong(key, f"names {_shown(name)}, but there is no such {what}{_meant(name, allowed)}")
        if not value:
            raise self.wrong(key, f"names no {what}; leave the key out for all of them")
        return tuple(value)

    def done(self) -> None:
        """Raises GradcheckError for the first key that nothing asked for."""
        for key in self.content:
            if key not in self.known:
                kind = "table" if isinstance(self.content[key], dict) else "key"
                among = f"in [{self.name}]" if self.name else "in this file"
                allowed = ", ".join(dict.fromkeys(self.known))
                raise self.wrong(key, f"is no {kind} {among}{_meant(key, self.known)}. There are: {allowed}")

    def wrong(self, key: str, text: str) -> GradcheckError:
        """What is wrong with a key's value, and where."""
        number = _line_of(self.source, self.name, key)
        where = f"{self.file}, line {number}" if number else f"{self.file}"
        return GradcheckError(f"{where}: {f'[{self.name}] ' if self.name else ''}{key} {text}")

    def _inside(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key


def read_table(file: Path, what: str) -> Table:
    """The file's outermost table. Raises GradcheckError; `what` says what belongs there."""
    try:
        source = file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise GradcheckError(f"{file} cannot be read: {error.strerror or error}; {what}") from None
    except UnicodeDecodeError as error:
        raise GradcheckError(f"{file} is no UTF-8 text (byte {error.start}); save it as UTF-8") from None
    try:
        return Table(file, source, tomllib.loads(source))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise GradcheckError(f"{file} is not readable as TOML: {error}; mend it there") from None


def _line_of(source: str, table: str, key: str) -> int:
    """The line on which a key of a table stands, or the table itself; 0 where it is written in some rarer way."""
    spelt = re.compile(rf"""\s*(["']?){re.escape(key)}\1\s*[=.]""")
    header = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
    current = ""
    for number, line in enumerate(source.splitlines(), start=1):
        if found := header.match(line):
            current = found[1]
            if current == (f"{table}.{key}" if table else key):
                return number
        elif current == table and spelt.match(line):
            return number
    return 0


def _meant(name: Any, allowed: Iterable[str]) -> str:
    close = get_close_matches(str(name), list(allowed), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _shown(value: Any) -> str:
    """A value as TOML would have it, shortened."""
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    if isinstance(value, str):
        text = '"' + value.encode("unicode_escape").decode() + '"'
    return text if len(text) <= 60 else text[:59] + "…"
