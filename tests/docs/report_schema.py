"""docs/report-v1.schema.json from the records themselves. `make docs` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from gradcheck.grading.written import FinalReport

FILE = Path(__file__).parents[2] / "docs" / "report-v1.schema.json"


def schema_text() -> str:
    """A line for every property, so that a change is easy to see."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(FinalReport)}
    records = []
    for name, record in schema.pop("$defs").items():
        lines = [f"    {_line(key)}: {_line(value)}" for key, value in record.pop("properties").items()]
        rest = "".join(f"   {_line(key)}: {_line(value)},\n" for key, value in record.items())
        records.append(f'  {_line(name)}: {{\n{rest}   "properties": {{\n' + ",\n".join(lines) + "\n   }\n  }")
    opening = "".join(f" {_line(key)}: {_line(value)},\n" for key, value in schema.items())
    return f'{{\n{opening} "$defs": {{\n' + ",\n".join(records) + "\n }\n}\n"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    FILE.write_text(schema_text(), encoding="utf-8")
