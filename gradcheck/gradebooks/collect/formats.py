"""Result files in JSON, told apart by what is in them: our own, or a host's, which its own reader knows."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from gradcheck.classes.written import SCHEMA, NotOfSchema, report_in
from gradcheck.gradebooks.collect.result import (
    Reader,
    Result,
    ResultsRead,
    Unusable,
    commit_in,
    one_name,
    score_of,
    shown,
    unknown,
)
from gradcheck.submissions.layout import printable


def read_json(
    content: bytes, names: tuple[str, ...], file: str, assignment: str = "", *, readers: Sequence[Reader]
) -> ResultsRead:
    """The results of a JSON file. `names` is whose it is by its place; `assignment` picks one of several that a
    collected file holds; `readers` are the hosts'. Raises Unusable.
    """
    return _results_in(_parsed(content), names, file, assignment, readers)


def read_payload(content: bytes, names: tuple[str, ...], file: str, *, readers: Sequence[Reader]) -> ResultsRead:
    """The result of a file with GitHub Classroom's base64 text, `result=` before it or not. Raises Unusable."""
    text = b"".join(content.removeprefix(b"\xef\xbb\xbf").split()).removeprefix(b"result=")
    try:
        decoded = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise Unusable("it is not base64") from None
    found = _parsed(decoded)
    if not isinstance(found, dict):
        raise Unusable("it is not a JSON object")
    return _results_in(found, names, file, "", readers)


def _results_in(
    found: Any, names: tuple[str, ...], file: str, assignment: str, readers: Sequence[Reader]
) -> ResultsRead:
    if isinstance(found, dict) and found.get("schema") == SCHEMA:
        return ResultsRead((_report(found, names, file),))
    read = (reader(found, names, file, assignment) for reader in readers)
    results = next((each for each in read if each is not None), None)
    if results is None:
        raise unknown(found)
    return results


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise Unusable("it is damaged: it is not JSON") from None


def _report(found: Mapping[str, Any], names: tuple[str, ...], file: str) -> Result:
    try:
        report = report_in(found)
    except NotOfSchema as why:
        score_of(found.get("final_score", found.get("score")), found.get("max_score"))  # what is wrong with a number
        raise Unusable(str(why)) from None
    if report.ungraded:
        raise Unusable(printable(f"the grader itself failed on {', '.join(report.ungraded)[:200]}, so it has no score"))
    score, most = score_of(report.final_score, report.max_score)
    return Result(
        names or one_name(shown(report.submission)), score, most, "report", file,
        when=shown(report.submitted), commit=commit_in(shown(report.commit)), digest=shown(report.digest),
    )  # fmt: skip
