"""Collected scores for their readers: a gradebook and the differences as CSV, `gradcheck/collected/v1`, Markdown, a few
lines for the terminal; and the folder that they go to.

Running again renews its own files; what anybody else put there is never lost. Which files are its own is known by their
hashes, kept in collected.json: a gradebook that somebody has edited since is no longer its own.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap

import msgspec

from gradcheck.errors import GradcheckError, explained
from gradcheck.gradebooks.collect.changes import Clone
from gradcheck.gradebooks.collect.compare import Regrade, ScoreComparison, Source, StudentScore
from gradcheck.gradebooks.collect.result import Result
from gradcheck.grading.small_files import read_small, write_whole
from gradcheck.reports.escaping import csv_file, markdown_text, terminal_text, visible
from gradcheck.showing.text import counted, points

SCHEMA = "gradcheck/collected/v1"
GRADEBOOK = (
    "name", "email", "id", "submission", "ci_score", "ci_max", "regrade_score", "regrade_max", "final", "source",
    "note",
)  # fmt: skip
DIFFERENCES = ("name", "email", "id", "submission", "ci_score", "ci_max", "regrade", "regrade_max", "why")
ADVISORY = "advisory"
"""What the final score reads where CI alone gave one: a word, so that no spreadsheet adds it up."""
NAMES = ("gradebook.csv", "differences.csv", "collected.md")
INDEX = "collected.json"
_ADVICE = "nothing was written. Move it away, or give --out another place"
_WRITTEN: Mapping[type, tuple[str, ...]] = {
    StudentScore: (
        "submission", "source", "final", "ci", "regrade", "clone", "differs", "why", "matters", "notes", "all_ci",
        "all_regrades",
    ),
    Result: ("score", "max_score", "format", "file", "when", "commit"),
    Regrade: (
        "submission", "score", "final", "max_score", "commit", "submitted", "late_days", "late_penalty", "hint_penalty",
        "ungraded",
    ),
    Clone: ("name", "commit", "changed"),
}  # fmt: skip
_MOST = 256 << 20
_WIDTH = 80
_TOP = 10


def _gradebook_row(row: StudentScore) -> list[str | float | None]:
    regrade = row.regrade if row.source == "regrade" else None
    scores = [*_of(row.ci, "score"), *_of(regrade, "score"), ADVISORY if row.source == "advisory" else row.final]
    return [*_who(row), *scores, row.source, "; ".join((*row.matters, *row.why, *row.notes))]


def _difference_row(row: StudentScore) -> list[str | float | None]:
    return [*_who(row), *_of(row.ci, "score"), *_of(row.regrade, "final"), "; ".join(row.why)]


def _of(found: Result | Regrade | None, score: str) -> tuple[float | None, float | None]:
    return (getattr(found, score), found.max_score) if found else (None, None)


def _who(row: StudentScore) -> tuple[str, ...]:
    return row.student.name, row.student.email, row.student.id, row.submission


def summary_lines(comparison: ScoreComparison, problems: Sequence[str], out: Path) -> Iterator[str]:
    """Counts, then who has to be looked at and why, then where everything is."""
    rows = comparison.rows
    differing = [
        f"{row.student}: CI {_score_of(row.ci)}, regrade {_score_of(row.regrade)} ({'; '.join(row.why)})"
        for row in rows
        if row.differs
    ]
    yield f"{counted(len(rows), 'student')}: {', '.join(_counts(comparison))}"
    yield from _listed("to look at", [f"{row.student}: {'; '.join(row.matters)}" for row in rows if row.matters])
    yield from _listed("different from the regrade", differing)
    yield from _listed("nobody's", [f"{what}: {why}" for what, why in comparison.nobodys])
    yield from _listed("no score from", list(problems))
    if any(row.source == "advisory" for row in rows):
        told = (
            "Scores of CI are advisory: whoever may push may have changed its grader. Grade the commits yourself, and "
            "give what `gradcheck grade` wrote as --regrade."
        )
        yield from wrap(told, _WIDTH)
    yield f"gradebook: {out / 'gradebook.csv'}"
    yield f"all of it: {out / 'collected.md'}"


def _counts(comparison: ScoreComparison) -> Iterator[str]:
    words: tuple[tuple[Source, str], ...] = (
        ("regrade", "regraded"), ("ungraded", "not graded, since the grader itself failed"),
        ("advisory", "with a score of CI alone"), ("ambiguous", "ambiguous"), ("missing", "without a score"),
    )  # fmt: skip
    counts = Counter(row.source for row in comparison.rows)
    return (f"{counts[source]:,} {told}" for source, told in words if counts[source])


def _listed(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield f"{heading}:"
    for line in lines[:_TOP]:
        shown = " ".join(visible(line).split())
        parts = wrap(shown, _WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
        yield from map(terminal_text, parts)  # line by line: where one is broken, a job's runner could see a command
    if len(lines) > _TOP:
        yield f"  and {len(lines) - _TOP:,} more"


def _score_of(found: Result | Regrade | None) -> str:
    score = found.score if isinstance(found, Result) else found.final if found else None
    return "none" if found is None or score is None else f"{points(score)}/{points(found.max_score)}"


def _markdown(
    comparison: ScoreComparison, ignored: Sequence[tuple[str, str]], problems: Sequence[str]
) -> Iterator[str]:
    yield "# Collected scores"
    yield ""
    yield (
        "The final score is the regrade's. A score of CI is advisory: whoever may push may have changed its grader."
        if comparison.regraded
        else "Nothing was regraded. Every score here is CI's, and advisory."
    )
    yield ""
    yield f"{len(comparison.rows):,} in the roster: {', '.join(_counts(comparison))}."
    matters = [f"{row.student}: {'; '.join(row.matters)}" for row in comparison.rows if row.matters]
    yield from _section("To look at", matters)
    yield from _differences([row for row in comparison.rows if row.differs])
    yield from _section("Of nobody in the roster", [f"{what}: {why}" for what, why in comparison.nobodys])
    yield from _section("No score could be read", problems)
    yield from _section("Ignored", [f"{name}: {why}" for name, why in ignored])


def _section(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", f"## {heading}", "")
        yield from (f"- {markdown_text(line)}" for line in lines)


def _differences(rows: Sequence[StudentScore]) -> Iterator[str]:
    if rows:
        yield from ("", "## CI and the regrade differ", "", "| who | CI | regrade | why |", "|---|---|---|---|")
        for row in rows:
            who, why = markdown_text(str(row.student)), markdown_text("; ".join(row.why))
            yield f"| {who} | {_score_of(row.ci)} | {_score_of(row.regrade)} | {why} |"


def must_be_free(out: Path) -> Mapping[str, list[str]]:
    """The hashes of the files that an earlier run wrote to `out`, by name. Raises GradcheckError, and writes nothing,
    where something there is not ours, or the folder cannot be made.
    """
    if os.path.lexists(out) and not out.is_dir():
        raise GradcheckError(f"{out} is not a folder; give --out another place")
    known = _known(out / INDEX)
    for name in NAMES:
        content = _content(out / name)
        if content is not None and _hash(content) not in known.get(name, []):
            what = "has been changed since collect wrote it" if known else "was not written by collect"
            raise GradcheckError(f"{out / name} {what}; {_ADVICE}")
    with explained(f"{out} cannot be made", "give --out another place"):
        out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK | os.X_OK):
        raise GradcheckError(f"{out} cannot be written to; give --out another place")
    return known


def write(
    out: Path,
    known: Mapping[str, list[str]],
    comparison: ScoreComparison,
    ignored: Sequence[tuple[str, str]],
    problems: Sequence[str],
) -> None:
    """Write the files, and the index first, `gradcheck/collected/v1` (docs/collect.md): ended at any moment, the next
    run knows old and new as its own.

    `known` is what `must_be_free` said. A file that this run does not make is removed. Raises GradcheckError.
    """
    files = {
        "gradebook.csv": csv_file([GRADEBOOK, *map(_gradebook_row, comparison.rows)]),
        "collected.md": "\n".join([*_markdown(comparison, ignored, problems), ""]).encode("utf-8"),
    }
    if comparison.regraded:
        differing = [_difference_row(row) for row in comparison.rows if row.differs]
        files["differences.csv"] = csv_file([DIFFERENCES, *differing])
    collected = {
        "schema": SCHEMA,
        "regraded": comparison.regraded,
        "settled": comparison.settled and not problems,
        "students": comparison.rows,
        "nobodys": [{"what": what, "why": why} for what, why in comparison.nobodys],
        "problems": problems,
        "ignored": [{"name": name, "why": why} for name, why in ignored],
        "files": {name: list(dict.fromkeys([_hash(files[name]), *known.get(name, [])[:1]])) for name in files},
    }
    _put(out / INDEX, (json.dumps(collected, indent=1, allow_nan=False, default=_in_json) + "\n").encode())
    for name in NAMES:
        if name in files:
            _put(out / name, files[name])
        elif name in known and os.path.lexists(out / name):
            (out / name).unlink()  # its hash was compared before: it is ours


def _in_json(found: object) -> dict[str, object]:
    """What is written of a row, and of what is in it."""
    own = msgspec.to_builtins(found.student.named()) if isinstance(found, StudentScore) else {}
    return {**own, **{key: getattr(found, key) for key in _WRITTEN[type(found)]}}


def _known(index: Path) -> Mapping[str, list[str]]:
    content = _content(index)
    if content is None:
        return {}
    try:
        found = json.loads(content.decode())
    except (ValueError, RecursionError):
        found = None
    files = found.get("files") if isinstance(found, dict) and found.get("schema") == SCHEMA else None
    if not isinstance(files, dict):
        raise GradcheckError(f"{index} was not written by collect, or is damaged; {_ADVICE}")
    return {name: [str(each) for each in hashes] for name, hashes in files.items() if isinstance(hashes, list)}


def _content(path: Path) -> bytes | None:
    """Of a file that may be ours; None where nothing is there."""
    if not os.path.lexists(path):
        return None
    if path.is_symlink() or not path.is_file():
        raise GradcheckError(f"{path} is there and is no plain file; {_ADVICE}")
    with explained(f"{path} cannot be read", _ADVICE):
        content = read_small(path, _MOST)
    if content is None:
        raise GradcheckError(f"{path} has more than {_MOST >> 20} MiB; {_ADVICE}")
    return content


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _put(path: Path, content: bytes) -> None:
    with explained(f"{path} cannot be written", "give --out another place"):
        write_whole(path, content)
