"""What a class did, gathered: the numbers, and that neither the order nor the size of the class matters."""

from __future__ import annotations

import json
import random
import tracemalloc

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.classes.report import SCHEMA, CourseTitle, GraderUsed
from gradcheck.classes.summary import ClassSummary
from tests.reports.class_example import LAYERS, report, reports
from tests.reports.plain_reports import plain, typed

EXERCISES = list(all_exercises().values())
MOST = sum(each.max_score for each in EXERCISES)
TERM = ("softmax", "backward", "missing-term", "a term is missing")
SIGN = ("relu", "backward", "sign-flipped", "the other sign")


class PlainSummary(ClassSummary):
    """Of reports in plain data, and as `class.json` has it."""

    def add(self, found, **how):
        super().add(typed(found), **how)

    def as_dict(self):
        return plain(self.so_far())


def gathered(found, exercises=None, **course) -> PlainSummary:
    title = CourseTitle(**{"title": "T", "deadline": "", **course})
    summary = PlainSummary(title, GraderUsed(version="1", catalog="c"), exercises or EXERCISES)
    for each in found:
        summary.add(each, seconds=0.5, reused=False)
    return summary


def without_timings(summary: PlainSummary) -> str:
    return json.dumps({name: value for name, value in summary.as_dict().items() if name != "timings"})


def test_the_keys_are_those_of_the_schema():
    found = gathered(
        [report("ada", wrong=[TERM], student={"name": "Ada", "email": "a@x", "id": "1", "secret": "s"}, late=1)]
    ).as_dict()
    assert list(found) == [
        "schema",
        "course",
        "grader",
        "sandbox",
        "warnings",
        "undated",
        "ungraded",
        "max_score",
        "exercises",
        "misconceptions",
        "submissions",
        "timings",
        "ignored",
        "gone",
        "roster",
    ]
    assert found["schema"] == SCHEMA == "gradcheck/class/v1"
    assert found["max_score"] == MOST
    assert list(found["timings"]) == ["started", "finished", "wall_s", "graded", "reused", "per_minute", "slowest"]
    row = found["submissions"][0]
    assert list(row) == [
        "name",
        "student",
        "students",
        "score",
        "final_score",
        "max_score",
        "late_days",
        "ungraded",
        "status",
        "exercises",
        "problems",
        "report",
        "feedback",
    ]
    assert row["student"] == {"name": "Ada", "email": "a@x", "id": "1"}
    assert row["score"] == MOST - 3
    assert row["final_score"] == MOST - 3 - 5
    assert row["late_days"] == 1
    assert row["report"] == "reports/ada.json"
    assert row["status"] == {"passed": len(EXERCISES) - 1, "failed": 1, "errored": 0, "not_started": 0, "ungraded": 0}
    assert row["exercises"]["softmax"] == {"status": "failed", "score": 3.0, "codes": ["missing-term"]}
    assert found["misconceptions"] == [
        {
            "exercise": "softmax",
            "function": "backward",
            "code": "missing-term",
            "text": "a term is missing",
            "count": 1,
            "who": ["ada"],
        }
    ]


def test_an_exercise_is_counted_and_averaged():
    found = gathered(
        [
            report("a"),
            report("b", wrong=[TERM]),
            report("c", started=0),
            report("d", wrong=[("softmax", "backward", "raised", "x")]),
        ]
    ).as_dict()
    softmax = next(each for each in found["exercises"] if each["name"] == "softmax")
    assert softmax["counts"] == {"passed": 1, "failed": 1, "errored": 1, "not_started": 1, "ungraded": 0}
    assert softmax["mean_score"] == (6 + 3 + 0 + 3) / 4
    assert softmax["max_score"] == 6
    assert [each["name"] for each in found["exercises"]] == [each.name for each in EXERCISES]


def test_the_same_mistake_is_one_whoever_makes_it_and_is_told_in_the_words_most_used():
    other = (*TERM[:3], "a rarer wording")
    found = gathered([report("a", wrong=[other]), report("b", wrong=[TERM]), report("c", wrong=[TERM, SIGN])]).as_dict()
    first, second = found["misconceptions"]
    assert (first["text"], first["count"], first["who"]) == ("a term is missing", 3, ["a", "b", "c"])
    assert (second["code"], second["who"]) == ("sign-flipped", ["c"])


def test_a_mistake_that_two_checks_show_counts_once():
    twice = report("a", wrong=[TERM])
    checks = next(each for each in twice["exercises"] if each["name"] == "softmax")["checks"]
    checks.append({**checks[0], "id": "softmax.backward.linearity"})
    found = gathered([twice]).as_dict()
    assert found["misconceptions"][0]["count"] == 1
    assert found["submissions"][0]["exercises"]["softmax"]["codes"] == ["missing-term"]


def test_a_submission_has_one_voice_in_how_a_mistake_is_worded():
    loud = report("a", wrong=[(*TERM[:3], "loud")])
    checks = next(each for each in loud["exercises"] if each["name"] == "softmax")["checks"]
    checks += [{**checks[0], "id": f"softmax.backward.property{number}"} for number in range(3)]
    found = gathered([loud, report("b", wrong=[TERM]), report("c", wrong=[TERM])]).as_dict()
    assert found["misconceptions"][0]["text"] == "a term is missing"


def test_equally_frequent_words_are_chosen_by_the_alphabet():
    words = [report(name, wrong=[(*TERM[:3], text)]) for name, text in (("a", "zz"), ("b", "aa"))]
    assert gathered(words).as_dict()["misconceptions"][0]["text"] == "aa"
    assert gathered(words[::-1]).as_dict()["misconceptions"][0]["text"] == "aa"


@pytest.mark.parametrize("seed", range(4))
def test_the_order_does_not_matter(seed):
    draw = random.Random(seed)
    found = list(reports(30))
    # Every submission in words of its own: more than are counted.
    for number, each in enumerate(found * 4):
        each["warnings"] = [f"warning {draw.random()}" for _ in range(3)]
        each["sandbox"] = draw.sample(each["sandbox"], len(each["sandbox"]))
        each["sandbox"][0] = {"name": "seccomp", "held": number % 3 > 0, "detail": f"detail {number}"}
    found += [
        report(f"z{number}", wrong=[("softmax", "forward", "raised", f"error {number % 150}")]) for number in range(300)
    ]
    first = without_timings(gathered(found))
    draw.shuffle(found)
    assert without_timings(gathered(found)) == first


def test_names_are_sorted_and_each_comes_once():
    summary = gathered([report(name) for name in ("c", "a", "b")])
    assert [each["name"] for each in summary.as_dict()["submissions"]] == ["a", "b", "c"]
    with pytest.raises(ValueError, match="'a' was added before"):
        summary.add(report("a"), seconds=1, reused=False)


def test_a_layer_holds_where_it_held_for_all():
    broken = (*LAYERS[:3], ("seccomp", False, "no filter"), *LAYERS[4:])
    found = gathered([report("a"), report("b", layers=broken), report("c")]).as_dict()
    assert [each["name"] for each in found["sandbox"]] == [name for name, _, _ in LAYERS]
    assert [each for each in found["sandbox"] if not each["held"]] == [
        {"name": "seccomp", "held": False, "detail": "no filter"}
    ]


def test_what_a_report_lacks_is_not_started_and_what_does_not_count_is_left_out():
    some = [each for each in EXERCISES if each.unit == "04_modules"]
    part = report("a", wrong=[TERM, ("mse", "backward", "sign-flipped", "x")])
    part["exercises"] = [each for each in part["exercises"] if each["name"] != "relu"]
    found = gathered([part], some).as_dict()
    assert [each["name"] for each in found["exercises"]] == [each.name for each in some]
    assert [each["code"] for each in found["misconceptions"]] == ["missing-term"]
    assert found["submissions"][0]["exercises"]["relu"]["status"] == "not_started"
    assert found["submissions"][0]["status"] == {
        "passed": len(some) - 2, "failed": 1, "errored": 0, "not_started": 1, "ungraded": 0,
    }  # fmt: skip


def test_a_course_may_set_other_points():
    graded = report("a")
    next(each for each in graded["exercises"] if each["name"] == "softmax")["max_score"] = 10.0
    found = gathered([graded]).as_dict()
    assert found["max_score"] == MOST + 4
    assert next(each for each in found["exercises"] if each["name"] == "softmax")["max_score"] == 10


def test_those_whose_time_nobody_knows_are_named_once():
    found = [report(name) for name in ("b", "c", "a")]
    for each, undated in zip(found, (True, False, True), strict=True):
        each["policy"]["undated"] = undated
    assert gathered(found).as_dict()["undated"] == {"count": 2, "names": ["a", "b"]}
    assert gathered([report("old")]).as_dict()["undated"] == {"count": 0, "names": []}


def test_a_class_of_nobody():
    found = gathered([]).as_dict()
    assert found["submissions"] == found["misconceptions"] == found["sandbox"] == found["warnings"] == []
    assert found["max_score"] == MOST
    assert {each["mean_score"] for each in found["exercises"]} == {0.0}


def test_a_report_without_policy_and_student_is_taken_as_it_is():
    bare = report("a")
    for key in ("policy", "final_score", "student", "sandbox", "warnings", "problems"):
        del bare[key]
    row = gathered([bare]).as_dict()["submissions"][0]
    assert (row["final_score"], row["late_days"], row["student"], row["problems"]) == (MOST, 0, None, [])


def test_timings_count_what_was_graded_and_name_the_slowest():
    summary = gathered([])
    for number in range(30):
        summary.add(report(f"s{number:02}"), seconds=number / 10, reused=number % 2 == 0)
    timings = summary.as_dict()["timings"]
    assert (timings["graded"], timings["reused"]) == (15, 15)
    assert timings["slowest"] == [{"name": f"s{number:02}", "seconds": number / 10} for number in range(29, 9, -2)]
    assert timings["started"] <= timings["finished"]
    assert timings["started"].endswith("+00:00")
    assert timings["per_minute"] == pytest.approx(60 * 15 / timings["wall_s"], rel=0.5) or timings["wall_s"] < 0.01


def test_what_is_for_the_instructor_alone_is_on_the_classs_page():
    found = gathered([{**report("a", problems=["a link"]), "unusual": ["relu has words"]}]).as_dict()
    assert found["submissions"][0]["problems"] == ["a link", "relu has words"]


def test_long_texts_and_many_notes_are_cut():
    long = report(
        "a", wrong=[(*TERM[:3], "x" * 4000)], problems=[f"note {number} " + "y" * 4000 for number in range(200)]
    )
    found = gathered([long]).as_dict()
    assert len(found["misconceptions"][0]["text"]) == 400
    problems = found["submissions"][0]["problems"]
    assert len(problems) == 20
    assert problems[-1] == "There are 181 more; the report has them."
    assert max(map(len, problems)) <= 400


def test_warnings_are_told_once_and_not_without_end():
    found = []
    for number in range(200):
        found.append(report(f"s{number}"))
        found[-1]["warnings"] = ["the same", f"w{number:03}"]
    warnings = gathered(found).as_dict()["warnings"]
    assert warnings[:2] == ["the same", "w000"]
    assert len(warnings) == 51
    assert "more warnings" in warnings[-1]


def test_memory_stays_small_though_reports_are_not():
    words = "w" * 390
    summary = gathered([])
    tracemalloc.start()
    try:
        for number in range(400):
            tasks = ("softmax", "linear", "relu", "add", "mse", "nll")
            wrong = [(task, "forward", "raised", f"{number} {words}") for task in tasks]
            graded = report(f"student-{number}", wrong=wrong)
            graded["exercises"][0]["checks"] = [
                {"id": "linear_model.forward.values", "status": "passed", "message": "m" * 20_000}
            ]
            summary.add(graded, seconds=0.1, reused=False)
        del graded
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept / 400 < 2500
