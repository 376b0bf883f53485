"""How course systems name what they let an instructor download: who handed in, when, and what the file was called.

Only names are looked at, and the one file in which Gradescope says what its names do not. What is not clearly of one of
these forms is nobody's download, and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gradcheck.errors import SubmissionError
from gradcheck.submissions.files import exercise_named
from gradcheck.submissions.roster import Student


@dataclass(frozen=True)
class HandedIn:
    """What a course system says of a submission; empty where it says nothing.

    `submitted`  when, in ISO 8601 with an offset.
    `local`      when, in ISO 8601 without one: by the clock of whoever ran the system.
    `late`       whether it calls it late.
    `people`     who handed it in, by what a roster may know them by: not by numbers of its own.
    """

    submitted: str = ""
    local: str = ""
    late: bool = False
    people: tuple[Student, ...] = ()


UNKNOWN = HandedIn()


@dataclass(frozen=True)
class Download:
    """One entry of a download. `whose` is the same for all that one student handed in, `title` what the submission is
    called, `file` what the student called the file (empty: a folder, or a receipt), `turn` which of several it is.
    """

    entry: str
    whose: tuple[str, ...]
    title: str
    file: str
    turn: str = ""
    known: HandedIn = UNKNOWN


_CANVAS = re.compile(r"(?P<who>[^_]+)_(?:(?P<late>late)_)?(?P<user>\d+)_(?P<upload>\d+)_(?P<file>.+)", re.IGNORECASE)
_MOODLE = re.compile(r"(?P<head>(?P<who>.+)_(?P<user>\d+)_assignsubmission_file)_(?P<file>[^/]+)", re.IGNORECASE)
_BLACKBOARD = re.compile(
    r".+_(?P<user>[^_]+)_attempt_(?P<day>\d{4}-\d\d-\d\d)-(?P<h>\d\d)-(?P<m>\d\d)-(?P<s>\d\d)(?:_(?P<file>.+)|\.txt)"
)
_BRIGHTSPACE = re.compile(
    r"(?P<ids>\d+-\d+) - (?P<who>.+) - (?P<month>[A-Z][a-z]{2})[a-z]* (?P<day>\d{1,2}), (?P<year>\d{4}) "
    r"(?P<h>\d{1,2}?)[:_]?(?P<m>\d\d) (?P<half>[AP]M)"
)
_GRADESCOPE = re.compile(r"submission_\d+")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_AGAIN = re.compile(r"-(\d{1,3})(?=\.[^.]+$)")


def of_file(name: str) -> Download | None:
    """A file that a course system has put its own name before."""
    if found := _BLACKBOARD.fullmatch(name):
        when = f"{found['day']}T{found['h']}:{found['m']}:{found['s']}"
        user = found["user"]
        return Download(name, ("Blackboard", user), user, found["file"] or "", when, HandedIn(local=when))
    if found := _MOODLE.fullmatch(name):
        return Download(name, ("Moodle", found["head"]), found["head"], found["file"], "", UNKNOWN)
    if found := _CANVAS.fullmatch(name):
        flag = f"{found['late']}_" if found["late"] else ""
        title = f"{found['who']}_{flag}{found['user']}"
        known = HandedIn(late=bool(flag))
        return Download(name, ("Canvas", found["who"], found["user"]), title, found["file"], "", known)
    return None


def of_folder(name: str) -> Download | None:
    """A folder that stands for one attempt of a student."""
    found = _BRIGHTSPACE.fullmatch(name)
    if found is None or found["month"] not in _MONTHS:
        return None
    hour = int(found["h"]) % 12 + 12 * (found["half"] == "PM")
    month = _MONTHS.index(found["month"]) + 1
    when = f"{found['year']}-{month:02}-{int(found['day']):02}T{hour:02}:{found['m']}:00"
    title = f"{found['who']}_{found['ids']}"
    return Download(name, ("Brightspace", title), title, "", when, HandedIn(local=when))


def is_of_a_download(name: str) -> bool:
    """Whether a folder of this name is one student's in some system's download."""
    return bool(_GRADESCOPE.fullmatch(name)) or "_assignsubmission_" in name or of_folder(name) is not None


def newest(parts: Sequence[Download]) -> tuple[list[Download], list[str]]:
    """Of what one student handed in the part that counts, and sentences on what does not: attempts before the last,
    and files that Canvas numbers since one of that name was handed in before.
    """
    turns = sorted({each.turn for each in parts})
    told = [f"handed in {len(turns)} times; the last counts, of {turns[-1]}"] if len(turns) > 1 else []
    last = [each for each in parts if each.turn == turns[-1]]
    if last[0].whose[0] != "Canvas":
        return last, told
    by_name: dict[str, list[tuple[int, Download]]] = {}
    for each in last:
        again = _AGAIN.search(each.file)
        plain = _AGAIN.sub("", each.file)
        named = exercise_named(plain)
        if again is None or named is None or named.likeness != "called so":
            by_name.setdefault(each.file, []).append((0, each))
        else:
            by_name.setdefault(plain, []).append((int(again[1]), each))
    kept = []
    for name, versions in by_name.items():
        versions.sort(key=lambda each: each[0])
        kept.append(replace(versions[-1][1], file=name))
        if len(versions) > 1:
            told.append(f"{name} was handed in {len(versions)} times; the last counts, {versions[-1][1].file}")
    return kept, told


def grouped(parts: Iterable[Download]) -> list[list[Download]]:
    groups: dict[tuple[str, ...], list[Download]] = {}
    for each in parts:
        groups.setdefault(each.whose, []).append(each)
    return list(groups.values())


GRADESCOPES_FILE = "submission_metadata.yml"
MOST_OF_GRADESCOPES = 64 << 20
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
            f"{GRADESCOPES_FILE} says who handed in and when, and reading it needs PyYAML; run: pip install pyyaml"
        ) from None
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # text, lists and mappings; no tag makes anything else
    try:
        found = yaml.load(content, Loader=loader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SubmissionError(f"{GRADESCOPES_FILE} is damaged ({problem}); download the submissions anew") from None
    if not isinstance(found, dict):
        raise SubmissionError(f"{GRADESCOPES_FILE} is not what Gradescope writes; download the submissions anew")
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
