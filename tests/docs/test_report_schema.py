"""The schema beside docs/report-v1.md is that of the records, and the page says what each key means."""

from __future__ import annotations

import re

import msgspec
import pytest
from report_schema import FILE, schema_text

from gradcheck.grading.written import FinalReport


def test_the_schema_is_that_of_the_records():
    assert FILE.read_text(encoding="utf-8") == schema_text(), "python tests/docs/report_schema.py writes it anew"


@pytest.mark.parametrize("record", msgspec.json.schema(FinalReport)["$defs"].values(), ids=lambda each: each["title"])
def test_the_page_has_every_key(record):
    page = FILE.with_name("report-v1.md").read_text(encoding="utf-8")
    assert set(record["properties"]) <= set(re.findall(r"`(\w+)`", page))
