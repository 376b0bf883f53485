"""`result.json` and `release-body.md` for Classroom 50, from a report.

One test per exercise, in whole points: a fraction anywhere makes the host refuse all of it. (Its contract:
https://github.com/foundation50/classroom50, schemas/result-v1.schema.json and the wiki's page Advanced Autograding.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gradcheck.classes.written import FinalReport, WrittenExercise
from gradcheck.gradebooks.collect.result import (
    Result,
    ResultsRead,
    Unusable,
    are_whole,
    commit_in,
    one_name,
    score_of,
    tests_in,
    text_in,
    unknown,
)
from gradcheck.hosts.whole_points import whole
from gradcheck.reports.escaping import markdown_text, visible
from gradcheck.reports.feedback import feedback_markdown
from gradcheck.reports.message import failure_text
from gradcheck.reports.stored import failures, must_be_marked
from gradcheck.showing.text import clipped, points

SCHEMA = "classroom50/result/v1"
_MOST = 100_000
"""Characters of a release's text; GitHub takes 125,000."""
_MOST_OF_ONE = 1_900
"""Characters of what is said of a function; the host shows 2,000."""
_MOST_ENTRIES = 50_000
_WARNED = "provenance_warning"
"""Why Classroom 50 thinks that it was not its workflow which published a result."""
_GRACE = 1e-9
_STATES = {
    "passed": "complete",
    "failed": "not right yet",
    "errored": "stopped by an error",
    "not_started": "not started",
}


def identity(environment: Mapping[str, str]) -> dict[str, str]:
    """Whose result it is, from the host's variables. One that is missing becomes `unknown`: what the host then says of
    it is clearer than what it says of an empty one. The date is a stand-in: the host puts the commit's in its place.
    """
    commit = environment.get("COMMIT_URL") or "unknown"
    return {
        "schema": SCHEMA,
        "classroom": environment.get("CLASSROOM") or "unknown",
        "assignment": environment.get("ASSIGNMENT") or "unknown",
        "submission": environment.get("SUBMISSION_TAG") or "submit/unknown",
        "commit": commit,
        "release": environment.get("RELEASE_URL") or "unknown",
        "review": environment.get("REVIEW_URL") or commit,
        "datetime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def classroom50_result(report: FinalReport, known: Mapping[str, str]) -> dict[str, Any]:
    """`result.json` of a report as `stored.read_report` gives it. Its scores are the sums over its tests. Raises
    Ungraded where there is no mark.
    """
    mark = must_be_marked(report)
    pairs = [whole(each.score, each.max_score) for each in report.exercises]
    scores = _after_penalties(pairs, report, mark)
    tests = [
        {
            "test-name": visible(f"{clipped(each.unit, 60)}/{clipped(each.name, 60)}"),
            "passed": each.status == "passed",
            "score": score,
            "max-score": most,
            "message": _message(each),
        }
        for each, score, (_, most) in zip(report.exercises, scores, pairs, strict=True)
    ]
    return {**known, "score": sum(scores), "max-score": sum(most for _, most in pairs), "tests": tests}


def _after_penalties(pairs: Sequence[tuple[int, int]], report: FinalReport, mark: float) -> list[int]:
    """What is left of each score where hints or lateness cost more than rounding down did. What help costs is taken
    from its own exercise, and what lateness costs from all alike, so that they add up to no more than what counts.
    """
    scores = [score for score, _ in pairs]
    if mark >= float(report.score) or not any(scores):
        return scores
    left = [max(0.0, each.score - each.help_cost) for each in report.exercises]
    share = min(1.0, mark / sum(left)) if any(left) else 0.0
    # Points that are not whole are shown as more, 2.5 as 3, and what counts in the same measure.
    exact = [
        min(score, rest * share * most / each.max_score) if most else 0.0
        for rest, each, (score, most) in zip(left, report.exercises, pairs, strict=True)
    ]
    kept = [math.floor(each + _GRACE) for each in exact]
    over = math.floor(sum(exact) + _GRACE) - sum(kept)
    for index in sorted(range(len(exact)), key=lambda index: kept[index] - exact[index])[:over]:
        kept[index] += 1
    return kept


def _message(exercise: WrittenExercise) -> str:
    """The first thing to mend, in a line."""
    found = next(failures(exercise), None)
    if found is None:
        return _state(exercise)
    code = f" [{found.diagnosis.code}]" if found.diagnosis else ""
    return visible(clipped(f"{found.function}: {found.message}", 300) + code).replace("\n", " ")


def _state(exercise: WrittenExercise) -> str:
    """How it stands, and why it has fewer points than that looks like."""
    state = _STATES.get(exercise.status, "not right yet")
    if not exercise.help_cost:
        return state
    return f"{state}, {'after its solution was shown' if exercise.gave_up else 'with hints'}"


def release_body(report: FinalReport, result: Mapping[str, Any]) -> str:
    """The release's text as Markdown: a table of the exercises, then the feedback, everything escaped."""
    rows = [
        f"| {markdown_text(test['test-name'])} | {test['score']} / {test['max-score']} | {_state(each)} |"
        for test, each in zip(result["tests"], report.exercises, strict=True)
    ]
    said = [f"# {result['score']} of {result['max-score']} points", _counted(report, result)]
    said += ["\n".join(["| Exercise | Points | |", "|---|---|---|", *rows])]
    said += ["The instructor grades this commit again, and that grade decides."]
    feedback = feedback_markdown(report).replace("# Feedback for", "## Feedback for", 1)
    body = "\n\n".join([*filter(None, said), feedback])
    if len(body) <= _MOST:
        return body
    return "\n\n".join(
        [*filter(None, said), "There is more to say than fits here; run `pytest exercises` to read it.\n"]
    )


def _counted(report: FinalReport, result: Mapping[str, Any]) -> str:
    """Why these are not the exact points, where they are not."""
    exact = points(must_be_marked(report))
    if exact == str(result["score"]) and points(report.max_score) == str(result["max-score"]):
        return ""
    earned = sum(whole(each.score, each.max_score)[0] for each in report.exercises)
    less = ""
    if result["score"] < earned:
        less = "; what hints cost is taken from their exercise, what lateness costs from all alike"
    return (
        f"Exactly {exact} of {points(report.max_score)}. Classroom 50 takes whole points, so those of each exercise "
        f"are rounded down{less}."
    )


def function_outcomes(report: FinalReport) -> dict[str, dict[str, Any]]:
    """By `relu.backward`: `passed` and `text`, of a report as `stored.read_report` gives it."""
    return {name: outcome for exercise in report.exercises for name, outcome in _of(exercise)}


def _of(exercise: WrittenExercise) -> Iterator[tuple[str, dict[str, Any]]]:
    path = visible(f"exercises/{clipped(exercise.unit, 60)}/{clipped(exercise.name, 60)}.py")
    found = list(failures(exercise))
    for function, checks in exercise.by_function().items():
        passed = set(checks.values()) == {"passed"}
        texts = [
            failure_text(replace(each, lines=tuple(map(visible, each.lines))), path)
            for each in found
            if each.function == function
        ]
        if not texts:
            texts = ["all checks passed" if passed else "not started"]
        text = visible("\n\n".join(texts))
        yield (
            f"{exercise.name}.{function}",
            {"passed": passed, "text": text if len(text) <= _MOST_OF_ONE else f"{text[:_MOST_OF_ONE]} …"},
        )


# Collected.


def collected(found: Any, names: tuple[str, ...], file: str, assignment: str) -> ResultsRead | None:
    """For `gradcheck collect`, whoever wrote it: a `result.json`; a `results.json`, where `gh teacher download` keeps
    all submissions of a copy, the newest first; or a `scores.json`, with everybody's.
    """
    if isinstance(found, list):
        return ResultsRead((_result(_newest(found), names, file),))
    if isinstance(found, dict) and "assignments" in found:
        return _scores(found["assignments"], file, assignment)
    is_ours = isinstance(found, dict) and found.get("schema") == SCHEMA
    return ResultsRead((_result(found, names, file),)) if is_ours else None


def _newest(found: list[Any]) -> dict[str, Any]:
    if not found or not isinstance(found[0], dict) or "submission_tag" not in found[0]:
        raise Unusable("it is not a JSON object, nor a list of submissions")
    if not isinstance(found[0].get("result"), dict):
        raise Unusable("its newest submission has no result")
    return {**found[0]["result"], **{key: value for key, value in found[0].items() if key == _WARNED}}


def _result(found: Mapping[str, Any], names: tuple[str, ...], file: str) -> Result:
    if found.get("schema") != SCHEMA:
        raise unknown(found)
    score, most = found.get("score"), found.get("max-score")
    for test in tests_in(found):
        score_of(test.get("score"), test.get("max-score") or 1)
    if not are_whole(score, most):
        raise Unusable("its scores are not whole numbers, as Classroom 50 has them")
    return Result(
        (*names, *one_name(text_in(found, "owner"))), *score_of(score, most), "classroom50", file,
        when=text_in(found, "datetime"), commit=commit_in(text_in(found, "commit")), grain=1.0,
        notes=tuple(f"Classroom 50 warns of its release: {each}" for each in one_name(text_in(found, _WARNED))),
    )  # fmt: skip


def _scores(assignments: Any, file: str, wanted: str) -> ResultsRead:
    """Of every owner the newest submission, which stands first."""
    if not isinstance(assignments, dict) or not assignments:
        raise Unusable("its assignments are no object with an assignment in it")
    shown = ", ".join(text_in({"slug": slug}, "slug", 60) for slug in sorted(assignments)[:5])
    shown += ", …" if len(assignments) > 5 else ""
    if wanted and wanted not in assignments:
        raise Unusable(f"it has no assignment {wanted}; there are: {shown}")
    if not wanted and len(assignments) > 1:
        raise Unusable(f"it has several assignments ({shown}); choose one with --assignment")
    (chosen,) = (assignments[wanted],) if wanted else assignments.values()
    entries = chosen.get("entries") if isinstance(chosen, dict) else None
    if not isinstance(entries, list) or len(entries) > _MOST_ENTRIES:
        raise Unusable("its entries are damaged")
    results: list[Result] = []
    problems: list[str] = []
    for number, entry in enumerate(entries, 1):
        where = f"{file}, entry {number}"
        try:
            results += _entry(entry, where)
        except Unusable as reason:
            owner = text_in(entry, "owner") if isinstance(entry, dict) else ""
            problems.append(f"{where}{f' of {owner}' if owner else ''}: {reason}")
    return ResultsRead(tuple(results), tuple(problems))


def _entry(entry: Any, file: str) -> list[Result]:
    """One result for each who shares the entry. Raises Unusable."""
    if not isinstance(entry, dict) or not text_in(entry, "owner"):
        raise Unusable("it names no owner")
    submissions, members = entry.get("submissions"), entry.get("member_usernames") or []
    if not isinstance(submissions, list) or not submissions or not isinstance(submissions[0], dict):
        raise Unusable("it holds no submission")
    if not isinstance(members, list) or not all(isinstance(each, str) and each for each in members):
        raise Unusable("its members are damaged")
    newest = {"schema": SCHEMA, **{key: value for key, value in submissions[0].items() if key != "owner"}}
    logins = list(dict.fromkeys(members)) or [text_in(entry, "owner")]
    return [_result(newest, (text_in({"login": login}, "login"),), file) for login in logins]
