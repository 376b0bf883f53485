"""The result of a GitHub Classroom step: the protocol's facts, two sums that agree, texts that stay texts."""

from __future__ import annotations

import re

import pytest

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.errors import GradcheckError
from gradcheck.grading.sources import Sources
from gradcheck.hosts.github import result as classroom
from gradcheck.hosts.github import summary as classroom_summary
from gradcheck.hosts.github.findings import MOST, MOST_OF_JOB, left_out, of_step
from gradcheck.hosts.github.result import MOST_BYTES, encoded
from gradcheck.hosts.github.summary import MOST_BYTES as MOST_SUMMARY
from tests.checks.totals import COUNT, POINTS
from tests.hosts.classroom_data import all_wrong, exercise_of, report_of
from tests.hosts.classroom_reporter import COMMAND, assert_protocol, decoded, reported
from tests.reports.class_data import HOSTILE, LONG, final_report, hostile_report, real_report
from tests.reports.plain_reports import (
    annotated,
    findings,
    result_of_all,
    results_by_exercise,
    summary_lines,
    summary_markdown,
    told_of,
)

COMMANDS = (
    "::set-output name=result::x\n ##[error]owned\r::stop-commands::t\u2028::add-mask::a\x85::error::b\v::warning::c"
)
BAD = [HOSTILE, COMMANDS, LONG, "", "\udcff", "::", "a%0A::error::x", '"\\' * 3_000, "Σ∂" * 3_000]
IDS = ["markup", "commands", "long", "empty", "surrogate", "colons", "percent", "quotes", "unicode"]


def error_commands(report, sources, *names) -> list[str]:
    return of_step(annotated(report, sources), names)


@pytest.fixture
def nowhere(tmp_path):
    return Sources(tmp_path)


def steps(report, sources) -> dict[str, str]:
    """What the steps of a job put into the reporter's environment."""
    results = {name: encoded(each) for name, each in results_by_exercise(report, sources).items()}
    for value in results.values():
        assert_protocol(value)
    return results


def test_a_half_right_submission_reads_like_this(nowhere):
    softmax = exercise_of("softmax", {"backward.values": "failed", "jacobian": "not_started"})
    printed = reported(steps(report_of(exercise_of("add"), softmax), nowhere))
    assert printed.log == (
        "Processing: add\n✅ add.forward\n✅ add.backward, point 1 of 2\n✅ add.backward, point 2 of 2\n"
        "Processing: softmax\n✅ softmax.forward\n❌ softmax.backward, point 1 of 3\nTest code:\n"
        "softmax.backward   [missing-term]\n"
        "  it is wrong\n"
        "  Again: pytest exercises/04_modules/softmax.py -k backward\n"
        "  More:  gradcheck hint softmax\n"
        "  Not checked until this holds: edge cases, linearity\n\n"
        "❌ softmax.backward, point 2 of 3\n❌ softmax.backward, point 3 of 3\n"
        "❌ softmax.jacobian, point 1 of 2\nTest code:\n"
        "softmax.jacobian is not started yet.\n"
        "  Write it in exercises/04_modules/softmax.py, in the place of its NotImplementedError.\n"
        "  Check it: pytest exercises/04_modules/softmax.py -k jacobian\n"
        "  A hint:   gradcheck hint softmax\n\n"
        "❌ softmax.jacobian, point 2 of 2"
    )
    assert printed.table == {"add": (3, 3), "softmax": (1, 6)}
    assert printed.notice == printed.total == (4, 9)
    assert printed.failed


def test_a_real_grading_is_told_with_its_cases_and_no_answer(tmp_path):
    unit = tmp_path / "exercises" / "04_modules"
    unit.mkdir(parents=True)
    (unit / "softmax.py").write_text(
        "import torch\n\n\ndef forward(x):\n    pass\n\n\ndef backward(grad_output, x):\n    pass\n"
    )
    (unit / "tanh.py").write_text("def forward(x)\n    return x\n")
    results = results_by_exercise(real_report(), Sources(tmp_path))
    told = {test.name: test for each in results.values() for test in each.tests}
    backward = told["softmax.backward, point 1 of 3"]
    assert (backward.line_no, backward.filename) == (8, "exercises/04_modules/softmax.py")
    assert "[missing-term]" in backward.test_code
    assert "you returned" in backward.test_code
    assert not told["softmax.backward, point 2 of 3"].test_code
    assert (told["tanh.forward"].line_no, told["relu.backward, point 1 of 2"].line_no) == (1, 0)
    assert "Python cannot read the file" in " ".join(told["tanh.forward"].test_code.split())
    assert "the file was not read: see tanh.forward.runs" in told["tanh.jacobian"].test_code
    printed = reported(steps(real_report(), Sources(tmp_path)))
    assert printed.total == printed.notice
    assert printed.notice[1] == real_report()["max_score"]


def test_everything_right_passes_the_job(nowhere):
    report = report_of(*(exercise_of(name) for name in all_exercises()))
    printed = reported(steps(report, nowhere))
    assert printed.total == printed.notice == (POINTS, POINTS)
    assert not printed.failed
    assert printed.table.keys() == all_exercises().keys()
    whole = reported({"all": encoded(result_of_all(report, nowhere))})
    assert whole.total == whole.notice == (POINTS, POINTS)


@pytest.mark.parametrize("points", [0, 0.5, 2.5, 10, 29, 33.3333, 97, 100])
def test_the_sums_agree_whatever_an_exercise_is_worth(points, nowhere):
    exercises = [
        exercise_of(name, {"backward.edge_cases": "failed", "jacobian": "not_started"}, points=points)
        for name in ("relu", "softmax", "linear", "mse", "minibatches")
    ]
    printed = reported(steps(report_of(*exercises), nowhere))
    assert printed.total == printed.notice
    assert all(score == int(score) for score, _ in printed.table.values())
    assert all(0 <= each["score"] - printed.table[each["name"]][0] or each["status"] == "passed" for each in exercises)
    whole = reported({"all": encoded(result_of_all(report_of(*exercises), nowhere))})
    assert whole.total == pytest.approx(whole.notice)
    assert all(type(each) is int for each in whole.notice)


def test_what_the_grader_failed_on_has_no_result_that_could_count_as_0(nowhere):
    relu = exercise_of("relu", {"backward.values": "ungraded", "forward.values": "failed"})
    report = report_of(relu, exercise_of("mse"))
    results = results_by_exercise(report, nowhere)
    assert results.keys() == {"mse"}
    assert told_of(report, [], nowhere).result is None
    assert told_of(report, ["relu"], nowhere).result is None
    assert told_of(report, ["mse"], nowhere).result == results["mse"]
    commands = error_commands(report, nowhere)
    assert commands == [
        "::error file=exercises/04_modules/relu.py,title=relu.backward::the references disagree",
    ]
    told = summary_markdown(report, nowhere)
    assert told.startswith("## Not graded: the grader itself failed\n\nrelu was not graded")
    assert "| 04\\_modules/relu | – | 4 | not graded: the grader itself failed |" in told
    assert "| relu.backward | not graded |" in told
    lines = summary_lines(report, nowhere)
    assert lines[0].startswith("relu was not graded: the grader itself failed, not your code.")
    assert "mse has 3 of 3 points. It is complete." in lines
    assert lines[-1] == "There are no points in all yet, since not all was graded."
    assert "0 of" not in told + "".join(lines)


def test_what_raised_is_a_failure_of_the_submission(nowhere):
    raised = exercise_of("relu", {"backward.runs": "errored"})
    result = results_by_exercise(report_of(raised), nowhere)["relu"]
    assert result.status == "fail"
    assert "| relu.backward | missing-term |" in summary_markdown(report_of(raised), nowhere)


def test_an_empty_repository_has_a_table_and_a_reason(nowhere):
    report = report_of(exercise_of("relu", "not_started"), problems=["there is no folder exercises/ in it"])
    printed = reported(steps(report, nowhere))
    assert printed.notice == (0, 4)
    assert printed.log.count("Noticed:  there is no folder exercises/ in it") == 1
    assert error_commands(report, nowhere) == []
    none = report_of()
    assert assert_protocol(encoded(result_of_all(none, nowhere)))["max_score"] == 0
    assert summary_markdown(none, {}, nowhere).startswith("## 0 of 0 points")


def test_a_function_that_only_waits_is_not_held_against_the_learner(nowhere):
    """Its points are there: only the comparison with `backward` has to wait."""
    relu = exercise_of("relu", {"backward.values": "failed"})
    relu["checks"][-1]["status"] = "skipped"
    assert [test.status for test in results_by_exercise(report_of(relu), nowhere)["relu"].tests] == [
        "pass", "fail", "fail", "pass",
    ]  # fmt: skip


# Texts of other people's making.


@pytest.mark.parametrize("text", BAD, ids=IDS)
def test_hostile_texts_are_text_everywhere(text, nowhere):
    report = hostile_report(text)
    report["exercises"] = [
        {**each, "name": f"{each['name']}{number}"} for number, each in enumerate(report["exercises"])
    ]
    told = told_of(report, [], nowhere)
    printed = reported(steps(report, nowhere))
    assert printed.total == printed.notice
    assert_protocol(encoded(told.result))
    commands = error_commands(report, nowhere)
    assert commands
    assert all(command.startswith("::error file=") and len(command.splitlines()) == 1 for command in commands)
    assert not any("::" in command.split("title=")[1].split("::", 1)[0] for command in commands)
    for line in "\n".join(summary_lines(report, nowhere)).splitlines():
        assert not COMMAND.match(line)
        assert line.isprintable()
    page = summary_markdown(report, nowhere)
    page.encode("utf-8")
    assert "<script" not in page
    assert not re.search(r"(?<!\\)\]\(", page)  # no link
    assert not any(COMMAND.search(line) for line in page.splitlines())
    tables = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables} == {5}


def test_hostile_names_of_checks_and_places_are_text(tmp_path):
    relu = exercise_of("relu", {"backward.values": "failed"})
    for check in relu["checks"]:
        check["id"] = check["id"].replace("backward", f"back\n::error::{COMMANDS}")
        check["location"] = [f"relu.py:99999 in {COMMANDS}", "    ::error::source:7"]
    report = report_of(relu)
    (tmp_path / "exercises" / "04_modules").mkdir(parents=True)
    (tmp_path / "exercises" / "04_modules" / "relu.py").write_text("def forward(x):\n    return x\n")
    sources = Sources(tmp_path)
    steps(report, sources)
    (command,) = error_commands(report, sources)
    assert len(command.splitlines()) == 1
    assert "line=" not in command  # 99999 is beyond the file's end, and no such function is there


# What fits.


def talkative(length: int, names=None) -> dict:
    exercises = [
        exercise_of(name, {"backward": "failed", "forward.values": "failed"}) for name in names or all_exercises()
    ]
    for exercise in exercises:
        exercise["status"] = "failed"
        for check in exercise["checks"]:
            if check["status"] == "failed":
                check["message"] = f'{check["id"]} ∂"\\ ' * (length // 20)
                check["counterexample"] = {"inputs": {f"x{n}": [1e-300 * n] * 30 for n in range(length // 100)}}
    return report_of(*exercises)


@pytest.mark.parametrize("length", [20, 400, 4_000])
def test_all_results_of_a_course_fit_into_the_reporters_environment(length, nowhere):
    report = talkative(length)
    results = steps(report, nowhere)
    assert len(results) == COUNT
    assert sum(map(len, results.values())) <= MOST_BYTES < 90_000
    assert len(encoded(result_of_all(report, nowhere))) <= MOST_BYTES
    texts = [test["test_code"] for each in results.values() for test in decoded(each)["tests"]]
    cut = [text for text in texts if text.endswith("run it yourself for the rest")]
    assert bool(cut) == (length > 20)
    if cut:
        assert sum(map(len, results.values())) > 0.8 * MOST_BYTES  # the room is used
        assert min(map(len, cut)) > 250
    printed = reported(results)
    assert printed.total == printed.notice


def test_short_texts_stay_whole_where_long_ones_are_cut(nowhere):
    report = talkative(4_000)
    mse = next(each for each in report["exercises"] if each["name"] == "mse")
    mse.update(exercise_of("mse", {"backward": "failed"}))
    kept = results_by_exercise(report, nowhere)["mse"].tests[1].test_code
    assert kept == results_by_exercise(report_of(mse), nowhere)["mse"].tests[1].test_code
    assert "More:  gradcheck hint mse" in kept


def test_a_course_of_many_points_has_few_tests(nowhere):
    exercises = [exercise_of(name, {"backward": "failed"}, points=100) for name in all_exercises()]
    results = steps(report_of(*exercises), nowhere)
    assert sum(map(len, results.values())) <= MOST_BYTES
    printed = reported(results)
    assert printed.total == printed.notice
    assert printed.notice[1] == 100 * COUNT


def test_an_exercise_graded_by_itself_leaves_room_for_the_others(nowhere):
    report = talkative(4_000, ["linear"])
    job = [each.max_score for each in all_exercises().values()]
    alone = encoded(results_by_exercise(report, nowhere, job)["linear"])
    assert_protocol(alone)
    assert len(alone) <= MOST_BYTES / COUNT
    assert len(encoded(results_by_exercise(report, nowhere)["linear"])) > len(alone)


def test_what_cannot_fit_is_an_error_that_says_what_to_do(nowhere, monkeypatch):
    monkeypatch.setattr(classroom, "MOST_BYTES", 2_000)
    with pytest.raises(GradcheckError, match=r"grade fewer exercises in one workflow: \[exercises\] of course.toml"):
        results_by_exercise(talkative(400), nowhere)


# Parts, lines, annotations, summary.


def test_a_part_of_a_report_has_the_result_it_has_in_the_whole(nowhere):
    report = talkative(4_000)
    whole = results_by_exercise(report, nowhere)
    report |= {"final_score": 1.0, "policy": {"late_penalty": 2.0, "late_days": 1}}
    told = told_of(report, ["softmax"], nowhere)
    assert told.result == whole["softmax"]
    assert (told.report.score, told.report.max_score) == (2.0, 6)
    assert "late" not in " ".join(classroom_summary.summary_lines(told))
    assert report["policy"]
    two = told_of(report, ["relu", "softmax"], nowhere)
    assert two.result.max_score == 10
    assert len(encoded(two.result)) <= MOST_BYTES * 2 / COUNT


@pytest.mark.parametrize(
    ("source", "location", "line"),
    [
        ("def forward(x):\n  pass\n\nasync def backward(g, x):\n  return g\n", [], 4),
        ("def backward(g):\n  1\n\ndef backward(g, x):\n  return g\n", [], 4),  # the last one counts
        ("class A:\n    def backward(g): 1\n'''\ndef backward(g): 1\n'''\n", [], 0),
        ("def backward(g, x):\n    return f(\n        g)\n", ["04_modules/relu.py:1 in backward", "    f()", "04_modules/relu.py:3 in h", "    x:2"], 3),
        ("def backward(g, x)\n    pass", ["04_modules/relu.py:1", "    def backward(g, x)"], 1),
        ("def backward(g, x)\n    pass", [], 0),
        ("x = 1\ndef backward(g, x): 1", ["relu.py:900 in backward"], 2),
        ("x = 1\ndef backward(g, x): 1", ["relu.py:0", "relu.py:-1", "relu.py:1e3", "", ":", "relu.py:99999999"], 2),
        ("\0", [], 0), ("(" * 50_000, [], 0), ("-" * 50_000 + "1", [], 0), ("\udcff", [], 0), (None, ["relu.py:3"], 0),
    ],
)  # fmt: skip
def test_the_learners_line_is_found_without_running_anything(source, location, line, tmp_path):
    relu = exercise_of("relu", {"backward": "errored"})
    failed = next(each for each in relu["checks"] if each["status"] == "errored")
    failed["location"] = location
    path = tmp_path / "exercises" / "04_modules" / "relu.py"
    path.parent.mkdir(parents=True)
    if source is not None:
        path.write_bytes(source.encode("utf-8", "surrogateescape"))
    (found,) = findings(relu, Sources(tmp_path))
    assert found.line == line
    (test,) = [test for test in results_by_exercise(report_of(relu), Sources(tmp_path))["relu"].tests if test.test_code]
    assert (test.line_no, test.filename) == (line, "exercises/04_modules/relu.py")
    (command,) = error_commands(report_of(relu), Sources(tmp_path, "week2/"))
    assert command.startswith(
        f"::error file=week2/exercises/04_modules/relu.py,{f'line={line},' if line else ''}title="
    )


def test_links_and_pipes_are_not_followed(tmp_path):
    unit = tmp_path / "exercises" / "04_modules"
    unit.mkdir(parents=True)
    (tmp_path / "other.py").write_text("\ndef backward(): 1\n")
    (unit / "relu.py").symlink_to(tmp_path / "other.py")
    (unit / "tanh.py").mkdir()
    sources = Sources(tmp_path)
    assert sources.line("exercises/04_modules/relu.py", "backward") == 0
    assert sources.line("exercises/04_modules/tanh.py", "backward") == 0
    assert sources.line("exercises/\0.py", "backward") == 0


def test_annotations_are_ten_at_most_one_for_a_place(nowhere):
    assert len(error_commands(talkative(400), nowhere)) == MOST == 10
    tanh = exercise_of("tanh", "errored")
    for check in tanh["checks"]:
        check |= {"message": "Python cannot read the file", "diagnosis": {"code": "raised", "text": ""}}
    assert error_commands(report_of(tanh), nowhere) == [
        "::error file=exercises/04_modules/tanh.py,title=tanh.forward [raised]::Python cannot read the file"
    ]


def test_a_job_of_forty_steps_stays_below_what_github_shows(nowhere):
    """Every exercise has its first mistake beside its lines; what room is left goes to second ones, in order."""
    names = list(all_exercises())[:40]
    report = report_of(*all_wrong(*names))
    found = annotated(report, nowhere)
    steps = {name: of_step(found, [name]) for name in names}
    shown = [command for each in steps.values() for command in each]
    assert len(found) > 50
    assert len(shown) == MOST_OF_JOB
    assert MOST_OF_JOB + 4 <= 50  # the reporter: two notices, its failure, the runner's warning
    assert all(steps.values())
    second = [name for name, each in steps.items() if len(each) == 2]
    assert second == [name for name in names if len(find_exercise(name).functions) > 1][: MOST_OF_JOB - len(names)]
    assert left_out(found, apart=True) == len(found) - len(shown)
    assert steps == {name: of_step(annotated(report, nowhere), [name]) for name in names}
    page = summary_markdown(report, nowhere, left_out(found, apart=True))
    assert f"{len(found) - len(shown)} more of these are not shown beside the lines of your files" in page
    rows = page.split("### What to mend", 1)[1]
    assert sum(line.startswith("| ") for line in rows.splitlines()) == 1 + len(found)


def test_one_step_for_all_shows_a_mistake_of_ten_exercises(nowhere):
    report = report_of(*all_wrong())
    found = annotated(report, nowhere)
    shown = of_step(found, ())
    assert [re.search(r"title=(\w+)\.", each)[1] for each in shown] == list(all_exercises())[:10]
    assert left_out(found, apart=False) == len(found) - 10
    one = annotated(report_of(exercise_of("relu", {"backward": "failed"})), nowhere)
    assert left_out(one, apart=True) == left_out(one, apart=False) == 0
    assert "not shown beside" not in summary_markdown(report, nowhere)


def test_a_step_speaks_in_sentences_and_shows_one_number(nowhere):
    softmax = exercise_of("softmax", {"backward.values": "failed", "jacobian": "not_started"}, points=10)
    text = "the rows of the Jacobian were taken for its columns, and then once more for the other one"
    for check in softmax["checks"]:
        check["message"] = text if check["status"] == "failed" else check["message"]
    report = report_of(softmax)
    told = told_of(report, [], nowhere)
    assert softmax["score"] == 1.6667
    assert summary_lines(report, nowhere) == [
        "softmax has 1 of 10 points. This is to be mended:",
        "  backward: the rows of the Jacobian were taken for its columns, and then once",
        "    more for the other one [missing-term]",
        "  jacobian is not written yet.",
        "  See a case of it: pytest exercises/04_modules/softmax.py",
        "  A hint: gradcheck hint softmax",
        "Points are counted in whole ones here, rounded down.",
    ]
    page = summary_markdown(report, nowhere)
    assert page.startswith("## 1 of 10 points\n\nPoints are counted in whole ones here, rounded down.\n")
    assert "1.6" not in page + repr(told.result)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ("passed", ["relu has 4 of 4 points. It is complete."]),
        ("not_started", ["relu has 0 of 4 points. It is not started.", "  Write it in exercises/04_modules/relu.py."]),
        ({"backward": "not_started"},
         ["relu has 2 of 4 points. What is written is right.", "  backward is not written yet."]),
    ],
)  # fmt: skip
def test_what_is_right_so_far_is_not_said_to_be_wrong(states, said, nowhere):
    report = report_of(exercise_of("relu", states))
    assert summary_lines(report, nowhere) == said


def test_every_line_of_a_step_fits_on_80_columns(nowhere):
    report = talkative(400)
    lines = summary_lines(report, nowhere)
    assert any(line.startswith("All together: ") for line in lines)
    assert max(map(len, lines)) <= 80


def test_the_summary_has_points_states_diagnoses_and_what_the_policy_takes(nowhere):
    report = final_report()
    told = told_of(report, [], nowhere)
    page = summary_markdown(report, nowhere)
    assert page.startswith(f"## {report['score']:g} of {report['max_score']:g} points\n")
    assert f"Were this commit handed in, {report['final_score']:g} points would count. Handed in 2 days late: 1" in page
    assert "- mse.py is a link, which is not read" in page
    assert "| 04\\_modules/add | 3 | 3 | complete |" in page
    assert "| 05\\_losses/mse | 0 | 3 | not started |" in page
    assert "| softmax.backward | missing-term | a term is missing from the gradient of x" in page
    assert page.count("nothing in it was graded") == 1  # told once of tanh, not for each of its functions
    lines = summary_lines(report, nowhere)
    assert "add has 3 of 3 points. It is complete." in lines
    earned = sum(test.score for each in told.results.values() for test in each.tests)
    assert f"All together: {earned} of {report['max_score']:g} points." in lines


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (
            {"due": "2026-10-01T23:59:00+02:00", "late_days": 2, "late_penalty": 1.0},
            "Late by the date of its commit, 2026-10-03T10:00:00+00:00; it was due 2026-10-01T23:59:00+02:00. Your instr",
        ),
        (
            {"due": "2026-10-03T23:59:00+02:00", "late_days": 0},
            "In time by the date of its commit, 2026-10-03T10:00:00+00:00; it was due 2026-10-03T23:59:00+02:00.",
        ),
        ({"due": "", "late_days": 0}, ""),
    ],
    ids=["late", "in time", "no deadline"],
)
def test_the_summary_says_whether_the_commit_is_in_time(nowhere, policy, told):
    report = final_report() | {"submitted": "2026-10-03T10:00:00+00:00", "policy": policy}
    text = " ".join(summary_lines(report, nowhere))
    assert text.count("by the date of its commit") == bool(told)
    assert told in text
    assert ("by the date of its commit" in summary_markdown(report, nowhere)) == bool(told)
    unknown = report | {"submitted": ""}
    assert "by the date of" not in summary_markdown(unknown, nowhere)


def test_a_summary_of_everything_stays_below_githubs_limit(nowhere, monkeypatch):
    report = talkative(400)
    assert len(summary_markdown(report, nowhere).encode()) < MOST_SUMMARY
    monkeypatch.setattr(classroom_summary, "MOST_BYTES", 12_000)
    page = summary_markdown(report, nowhere)
    assert 11_000 < len(page.encode()) < 12_100
    assert page.endswith("the steps' logs have the rest.\n")
    assert page.split("\n")[-4].endswith(" |")  # whole lines only
