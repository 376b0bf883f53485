"""The JSON schemas in docs/, from the records themselves. `make docs` writes them anew."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gradcheck.classes.written import FinalReport
from gradcheck.verification.verdict import WrittenVerdict

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class Format:
    """A record, its schema's file, and the page that says what each key means."""

    record: type
    file: Path
    page: Path


FORMATS = (
    Format(FinalReport, DOCS / "report-v1.schema.json", DOCS / "report-v1.md"),
    Format(WrittenVerdict, DOCS / "verdict-v1.schema.json", DOCS / "library" / "verdict.md"),
)


def schema_text(record: type) -> str:
    """A line for every property, so that a change is easy to see."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(record)}
    records = []
    for name, part in schema.pop("$defs").items():
        lines = [f"    {_line(key)}: {_line(value)}" for key, value in part.pop("properties").items()]
        rest = "".join(f"   {_line(key)}: {_line(value)},\n" for key, value in part.items())
        records.append(f'  {_line(name)}: {{\n{rest}   "properties": {{\n' + ",\n".join(lines) + "\n   }\n  }")
    opening = "".join(f" {_line(key)}: {_line(value)},\n" for key, value in schema.items())
    return f'{{\n{opening} "$defs": {{\n' + ",\n".join(records) + "\n }\n}\n"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    for each in FORMATS:
        each.file.write_text(schema_text(each.record), encoding="utf-8")
