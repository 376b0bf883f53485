"""What Gradescope's download says of its folders `submission_NNN`: who handed in, and when. One YAML file for all.

The file is written by Ruby, with Ruby's names and types in it; of the types nothing is made, everything is text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gradcheck.errors import SubmissionError
from gradcheck.submissions.downloads import HandedIn
from gradcheck.submissions.roster import Student

FILE = "submission_metadata.yml"
MOST_BYTES = 64 << 20
_KEYS = (":name", ":email", ":sid")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)? ?(Z|UTC|[+-]\d\d:?\d\d)")


def handed_in(content: bytes) -> Mapping[str, HandedIn]:
    """What is known of each folder. Raises SubmissionError for a file that is none of Gradescope's, and where PyYAML is
    missing: without it nobody would know who handed in.
    """
    try:
        import yaml
    except ImportError:
        raise SubmissionError(
            f"{FILE} says who handed in and when, and reading it needs PyYAML; run: pip install pyyaml"
        ) from None
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # text, lists and mappings; no tag makes anything else
    try:
        found = yaml.load(content, Loader=loader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SubmissionError(f"{FILE} is damaged ({problem}); download the submissions anew") from None
    if not isinstance(found, dict):
        raise SubmissionError(f"{FILE} is not what Gradescope writes; download the submissions anew")
    return {str(folder): _known(about) for folder, about in found.items() if isinstance(about, dict)}


def _known(about: Mapping[str, Any]) -> HandedIn:
    people = [each for each in about.get(":submitters") or () if isinstance(each, dict)]

    return HandedIn(_moment(about.get(":created_at")), people=tuple(map(_person, people)))


def _person(about: Mapping[str, Any]) -> Student:
    name, email, number = (value if isinstance(value := about.get(key), str) else "" for key in _KEYS)
    return Student(name, email, number)


def _moment(value: Any) -> str:
    """In ISO 8601, empty where it is no time with an offset. Ruby may write a time as an object with several."""
    if isinstance(value, dict):
        value = value.get("utc")
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return ""
    offset = "+00:00" if found[3] in {"Z", "UTC"} else f"{found[3][:3]}:{found[3][-2:]}"
    return f"{found[1]}T{found[2]}{offset}"
