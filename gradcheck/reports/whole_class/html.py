"""The class report as one HTML page: nothing is loaded, everything is escaped, no script but its own can run."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gradcheck.classes.report import ClassReport, ClassRow, ExerciseCounts
from gradcheck.isolation.sandbox.layers import lost
from gradcheck.reports.escaping import visible
from gradcheck.reports.whole_class import charts
from gradcheck.reports.whole_class.text import beside
from gradcheck.reports.words import REPORT_IT, names_of
from gradcheck.showing.templating import TEMPLATES, environment
from gradcheck.showing.text import counted, points

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


PAGE = 100
"""Rows of the students' table on a page; without scripts, the first so many are all that is shown."""

_LONGEST = 400
_NAMES = 6
_HEADLINES = 6
_PROBLEMS = 100


def class_html(summary: ClassReport) -> str:
    """The page of a `gradcheck/class/v1` summary, to be saved beside its folders `feedback` and `reports`.

    It needs no network. Its content policy allows the one script and the one style sheet in it, by their hashes.
    """
    submissions, exercises = summary.submissions, summary.exercises
    places = charts.strip_places(exercises)
    students = [_student(each, exercises) for each in submissions]
    style, script = _asset("class.css"), _asset("class.js")
    return (
        _environment()
        .get_template("class.html")
        .render(
            title=summary.course.title or "Class report",
            summary=summary,
            headline=_headline(summary),
            top=_top(summary),
            ungraded=_ungraded(summary),
            report_it=REPORT_IT,
            no_result=charts.NO_RESULT,
            scores=charts.score_chart(_marks(summary), summary.max_score),
            exercises=charts.difficulty(exercises),
            grid=charts.misconception_map(summary.misconceptions, len(submissions)),
            levels=charts.LEVELS,
            shapes=charts.SHAPES,
            letters=charts.LETTERS,
            rows=[_row(each, places) for each in students[:PAGE]],
            strip_width=(places[-1] + 5) if places else 1,
            noted=[each for each in students if each["problems"]][:_PROBLEMS],
            noted_count=sum(bool(each["problems"]) for each in students),
            beside=list(_beside(summary)),
            missing=lost(summary.sandbox),
            style=_own(style),
            script=_own(script),
            policy=_policy(style, script),
            data=_own(_data(summary, students, places)),
        )
    )


def _beside(summary: ClassReport) -> Iterator[tuple[str, list[tuple[str, str]], int]]:
    """Lists of what is no graded submission of one student: a title, names and why, and how many there are."""
    for kind in beside(summary):
        yield kind.title, [(_shown(name), _shown(why)) for name, why in kind.lines[:_PROBLEMS]], len(kind.lines)


def _policy(style: str, script: str) -> str:
    """Nothing may be loaded, and nothing runs but the one script, wherever markup may come from."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


@cache
def _asset(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    made = environment(_shown)
    made.filters.update(points=points, share=_share, time=_time, words=_words, counted=counted)
    return made


def _own(text: str) -> Markup:
    """What the page may take as it is: the style, the script, JSON that is escaped already, numbers of a path."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def _shown(text: str) -> str:
    return visible(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _share(count: float, total: float) -> str:
    """A percentage that is 0 or 100 only where all or nothing is meant."""
    percent = 100 * count / total if total else 0.0
    if 0 < percent < 1:
        return "<1 %"
    return f"{min(round(percent), 99) if count < total else 100} %"


def _time(stamp: str) -> str:
    """An ISO time as people read it; anything else as it is."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    zone = moment.strftime("%z")
    offset = "" if not zone else " UTC" if zone == "+0000" else f" (UTC{zone[:3]}:{zone[3:5]})"
    return f"{moment.day} {moment:%B %Y, %H:%M}{offset}"


def _marks(summary: ClassReport) -> list[float]:
    return [mark for each in summary.submissions if (mark := each.final_score) is not None]


def _ungraded(summary: ClassReport) -> list[dict[str, Any]]:
    """The exercises that the grader failed on, and for whom."""
    return [
        {
            "exercise": each.exercise,
            "text": each.text,
            "count": each.count,
            "names": [_shown(name) for name in each.who[:_NAMES]],
            "more": max(0, len(each.who) - _NAMES),
        }
        for each in summary.ungraded
    ]


def _headline(summary: ClassReport) -> dict[str, Any]:
    submissions, exercises = summary.submissions, summary.exercises
    marks = _marks(summary)
    return {
        "submissions": len(submissions),
        "marked": len(marks),
        "median": median(marks) if marks else None if submissions else 0.0,
        "passed": sum(each.status["passed"] == len(exercises) > 0 for each in submissions),
        "errors": sum(each.status["errored"] > 0 for each in submissions),
        "untouched": sum(each.status["not_started"] == len(exercises) > 0 for each in submissions),
        "late": sum(each.late_days > 0 for each in submissions),
    }


def _top(summary: ClassReport) -> list[dict[str, Any]]:
    """The misconceptions that most of the class share; what merely broke comes after what was misunderstood."""
    placed = sorted(
        enumerate(summary.misconceptions), key=lambda each: (each[1].code in charts.NO_RESULT, -each[1].count)
    )
    total = len(summary.submissions)
    return [
        {
            "place": place,
            "where": f"{each.exercise}.{each.function}",
            "code": each.code,
            "text": each.text,
            "count": each.count,
            "width": round(200 * each.count / total, 1) if total else 0.0,
            "names": [_shown(name) for name in each.who[:_NAMES]],
            "more": max(0, len(each.who) - _NAMES),
        }
        for place, each in placed[:_HEADLINES]
    ]


def _student(row: ClassRow, exercises: Sequence[ExerciseCounts]) -> dict[str, Any]:
    whose = row.students
    states = (row.exercises[each.name].status if each.name in row.exercises else "not_started" for each in exercises)
    return {
        "name": _shown(row.name),
        "student": _joined(each.name for each in whose),
        "email": _joined(each.email for each in whose),
        "id": _joined(each.id for each in whose),
        "final": row.final_score,
        "ungraded": _shown(names_of(names)) if (names := row.ungraded) else "",
        "score": row.score,
        "late": row.late_days,
        "states": "".join(charts.LETTERS[each] for each in states),
        "problems": [_shown(each) for each in row.problems],
        "link": _own(_link(row.feedback)),  # cut, it would lead nowhere
        "report": _own(_link(row.report)),
    }


def _joined(said: Iterable[str]) -> str:
    """What is said of a team's members, one after the other."""
    return _shown(", ".join(filter(None, said)))


def _link(path: str) -> str:
    """A relative address inside one of our folders, whatever the name: no scheme, no host, no way up."""
    folder, _, name = path.partition("/")
    return f"{folder}/{quote(name, safe='', errors='replace')}"


def _row(student: Mapping[str, Any], places: Sequence[int]) -> dict[str, Any]:
    counts = {name: student["states"].count(letter) for name, letter in charts.LETTERS.items()}
    # Paths are numbers and letters of our own; as text they would be cut.
    strip = {letter: _own(path) for letter, path in charts.strip(student["states"], places).items()}
    return {**student, "counts": counts, "strip": strip}


def _data(summary: ClassReport, students: Sequence[Mapping[str, Any]], places: Sequence[int]) -> str:
    """What the script makes the table of: JSON that no HTML parser takes for the end of the script or a comment.
    U+2028 and lone surrogates are escapes in it, as everything outside ASCII is.
    """
    order = {each.name: number for number, each in enumerate(summary.submissions)}
    columns = [
        "name",
        "student",
        "email",
        "id",
        "final",
        "ungraded",
        "score",
        "late",
        "states",
        "problems",
        "link",
        "report",
    ]
    data = {
        "page": PAGE,
        "exercises": [[_shown(each.name), _shown(each.unit)] for each in summary.exercises],
        "places": list(places),
        "shapes": charts.SHAPES,
        "states": {letter: status for status, letter in charts.LETTERS.items()},
        "signs": {letter: charts.SIGNS[status] for status, letter in charts.LETTERS.items()},
        "columns": columns,
        "students": [[student[column] for column in columns] for student in students],
        "mistakes": [
            {
                "where": _shown(f"{each.exercise}.{each.function}"),
                "code": _shown(each.code),
                "text": _shown(each.text),
                "who": [order[name] for name in each.who if name in order],
            }
            for each in summary.misconceptions
        ],
    }
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
