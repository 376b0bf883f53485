"""The schemas beside the pages on our formats are those of the records, and a page says what each key means."""

from __future__ import annotations

import re

import msgspec
import pytest

from tests.docs.schemas import FORMATS, schema_text

RECORDS = [
    pytest.param(each.page, record, id=f"{each.page.stem}-{record['title']}")
    for each in FORMATS
    for record in msgspec.json.schema(each.record)["$defs"].values()
]


@pytest.mark.parametrize("form", FORMATS, ids=lambda each: each.file.name)
def test_the_schema_is_that_of_the_records(form):
    assert form.file.read_text(encoding="utf-8") == schema_text(form.record), "python -m tests.docs.schemas"


def words_in(schema):
    """Every word that a value may be."""
    if isinstance(schema, dict):
        yield from (each for each in schema.get("enum", ()) if each is not None)
        for each in schema.values():
            yield from words_in(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from words_in(each)


@pytest.mark.parametrize(("page", "record"), RECORDS)
def test_the_page_has_every_key_and_every_word_that_may_be_a_value(page, record):
    told = set(re.findall(r"`([\w/-]+)`", page.read_text(encoding="utf-8")))
    assert {*record["properties"], *words_in(record["properties"])} <= told
