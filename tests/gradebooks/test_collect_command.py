"""`gradcheck collect` as an instructor runs it, on folders made by hand; grading itself is in test_collect_regrade."""

from __future__ import annotations

import json
import os
import sys

import pytest

from gradcheck.errors import GradcheckError
from tests.gradebooks.collect_data import (
    classroom50,
    coded,
    collect,
    graded,
    gradescope,
    payload,
    put,
    released,
    report,
    roster,
    table,
)

pytestmark = pytest.mark.outside


@pytest.fixture
def ci(tmp_path):
    """One result of every kind, where people put them."""
    put(tmp_path / "ci/week2-ada-gh/result.json", classroom50(3))
    put(tmp_path / "ci/alan.txt", coded(payload(4)))
    put(tmp_path / "ci/eve.json", gradescope(4.0))
    put(tmp_path / "ci/README.md", "notes")
    return tmp_path / "ci"


@pytest.fixture
def regrade(tmp_path):
    eve = report("eve", 2, final=1.5, policy={"hint_penalty": 0.5})
    return graded(tmp_path / "graded", report("week2-ada-gh", 3), report("alan", 4), eve)


def told(where):
    return json.loads((where / "out" / "collected.json").read_text())


def test_scores_of_ci_alone_stay_advisory(tmp_path, ci):
    code, printed = collect(ci, "--roster", roster(tmp_path), "--out", tmp_path / "out")
    assert code == 0
    assert "3 students: 3 with a score of CI alone" in printed
    rows = table(tmp_path / "out/gradebook.csv")
    assert [(row["name"], row["ci_score"], row["ci_max"], row["final"], row["source"]) for row in rows] == [
        ("Ada Lovelace", "3", "4", "advisory", "advisory"),
        ("Alan Turing", "4", "4", "advisory", "advisory"),
        ("Eve", "4", "4", "advisory", "advisory"),
    ]
    assert not (tmp_path / "out/differences.csv").exists()
    assert [each["name"] for each in told(tmp_path)["ignored"]] == ["README.md"]


def test_what_the_grader_failed_on_leaves_its_cells_empty_and_is_listed(tmp_path, ci):
    eve = report("eve", 0, ungraded=["relu"]) | {"final_score": None}
    regrade = graded(tmp_path / "graded", report("week2-ada-gh", 3), report("alan", 4), eve)
    index = json.loads((regrade / "class.json").read_text())
    index["submissions"][2]["ungraded"] = ["relu"]
    put(regrade / "class.json", index)
    code, printed = collect(ci, "--roster", roster(tmp_path), "--out", tmp_path / "out", "--regrade", regrade)
    assert code == 3
    assert "3 students: 2 regraded, 1 not graded, since the grader itself failed" in printed
    assert "Eve: no score: the grader itself failed on relu; grade again" in printed
    row = table(tmp_path / "out/gradebook.csv")[2]
    assert [row[key] for key in ("ci_score", "regrade_score", "regrade_max", "final", "source")] == [
        "4", "", "", "", "ungraded",
    ]  # fmt: skip
    assert "relu" in row["note"]
    assert table(tmp_path / "out/differences.csv") == []
    student = told(tmp_path)["students"][2]
    assert (student["final"], student["regrade"]["final"], student["regrade"]["ungraded"]) == (None, None, ["relu"])


def test_the_regrade_decides_and_differences_are_listed_with_their_reasons(tmp_path, ci, regrade):
    code, printed = collect(ci, "--roster", roster(tmp_path), "--out", tmp_path / "out", "--regrade", regrade)
    assert code == 1
    eve = table(tmp_path / "out/gradebook.csv")[2]
    assert {key: eve[key] for key in ("ci_score", "regrade_score", "regrade_max", "final", "source")} == {
        "ci_score": "4", "regrade_score": "2", "regrade_max": "4", "final": "1.5", "source": "regrade",
    }  # fmt: skip
    (difference,) = table(tmp_path / "out/differences.csv")
    assert (difference["name"], difference["ci_score"], difference["regrade"]) == ("Eve", "4", "1.5")
    assert difference["why"] == "hints cost 0.5 points; and before that the regrade gave 2"
    assert "Eve: CI 4/4, regrade 1.5/4 (hints cost 0.5 points" in " ".join(printed.split())
    assert "| Eve | 4/4 | 1.5/4 | hints cost 0.5 points" in (tmp_path / "out/collected.md").read_text()
    assert max(map(len, printed.replace(str(tmp_path), "").splitlines())) <= 80


def test_all_agreed_is_success(tmp_path, ci, regrade):
    put(ci / "eve.json", gradescope(1.5))
    code, _ = collect(ci, "--roster", roster(tmp_path), "--out", tmp_path / "out", "--regrade", regrade)
    assert (code, told(tmp_path)["settled"]) == (0, True)


def test_one_file_for_everybody(tmp_path):
    entries = [{"owner": name, "submissions": [classroom50(3)]} for name in ("ada-gh", "alan", "eve")]
    scores = put(tmp_path / "scores.json", {"assignments": {"week2": {"entries": entries}}})
    assert collect(scores, "--roster", roster(tmp_path), "--out", tmp_path / "out")[0] == 0
    grades = put(
        tmp_path / "grades.csv", "github_username,points_awarded,points_available\nada-gh,3,4\nalan,1,4\neve,,4\n"
    )
    code, printed = collect(grades, "--roster", roster(tmp_path), "--out", tmp_path / "out")
    assert code == 1
    assert "Eve: nothing found" in printed


@pytest.mark.parametrize(
    "students",
    [
        "username,first_name,last_name,email,section,github_id\nada-gh,Ada,Lovelace,ada@uni.edu,1,7\n",
        "username,first_name,last_name,email,section,github_id,role\nada-gh,Ada,Lovelace,,1,7,student\nbo,B,O,,,8,teacher\n",
        "identifier,github_username,github_id,name\nada@uni.edu,ada-gh,7,Ada Lovelace\n",
    ],
)
def test_a_roster_of_a_classroom_names_logins(tmp_path, ci, students):
    put(ci / "ada-gh.json", classroom50(3))
    for name in ("alan.txt", "eve.json", "week2-ada-gh/result.json"):
        (ci / name).unlink()
    (ci / "week2-ada-gh").rmdir()
    assert collect(ci, "--roster", put(tmp_path / "students.csv", students), "--out", tmp_path / "out")[0] == 0
    assert [row["name"] for row in table(tmp_path / "out/gradebook.csv")] == ["Ada Lovelace"]
    (ci / "ada-gh.json").rename(ci / "week2-ada-gh.json")
    assert collect(ci, "--roster", tmp_path / "students.csv", "--out", tmp_path / "out")[0] == 0


def test_clones_that_nobody_has_graded_say_what_grades_them(tmp_path):
    released(tmp_path / "class/alan", {"conftest.py": "x"})
    put(tmp_path / "class/alan/exercises/04_modules/relu.py", "")
    put(tmp_path / "class/alan/result.json", classroom50(4))
    code, printed = collect(tmp_path / "class", "--roster", roster(tmp_path), "--out", tmp_path / "out")
    assert code == 1
    assert f"gradcheck grade {tmp_path}/class --out {tmp_path}/out/graded" in printed
    alan = table(tmp_path / "out/gradebook.csv")[1]
    assert (alan["ci_score"], alan["source"], alan["note"]) == (
        "4", "advisory", "the result file lies in the learner's own repository",
    )  # fmt: skip


def test_who_is_missing_and_what_is_nobodys_is_listed(tmp_path, ci):
    (ci / "alan.txt").unlink()
    put(ci / "stranger.json", classroom50(1))
    put(ci / "empty/notes.md", "x")
    put(ci / "broken.json", "{")
    put(ci / "nan.json", '{"tests": [], "score": NaN}')
    put(ci / "result.json", payload(1))
    put(ci / "long.b64", "not base64!")
    code, printed = collect(ci, "--roster", roster(tmp_path), "--out", tmp_path / "out")
    assert code == 1
    assert "Alan Turing: nothing found" in printed
    assert "result stranger.json: nobody in the roster" in printed
    for name in ("empty", "broken.json", "nan.json", "result.json", "long.b64"):
        assert any(each.startswith(f"{name}:") for each in told(tmp_path)["problems"]), name


def test_running_again_renews_its_own_files(tmp_path, ci, regrade):
    arguments = (ci, "--roster", roster(tmp_path), "--out", tmp_path / "out")
    collect(*arguments, "--regrade", regrade)
    put(ci / "alan.txt", coded(payload(1)))
    collect(*arguments)
    assert table(tmp_path / "out/gradebook.csv")[1]["ci_score"] == "1"
    assert not (tmp_path / "out/differences.csv").exists()  # of a regrade that was not given this time
    collect(*arguments, "--regrade", regrade)
    assert {row["name"] for row in table(tmp_path / "out/differences.csv")} == {"Alan Turing", "Eve"}


def test_a_run_that_was_ended_half_way_is_run_again(tmp_path, ci, monkeypatch):
    from gradcheck.gradebooks.collect import written as collected_folder

    arguments = (ci, "--roster", roster(tmp_path), "--out", tmp_path / "out")
    collect(*arguments)
    put(ci / "alan.txt", coded(payload(1)))
    real = collected_folder.write_whole

    def only_the_index(path, content):
        if path.name != "collected.json":
            raise KeyboardInterrupt
        real(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(collected_folder, "write_whole", only_the_index)
        assert "Aborted" in collect(*arguments)[1]
    assert collect(*arguments)[0] == 0
    assert table(tmp_path / "out/gradebook.csv")[1]["ci_score"] == "1"


@pytest.mark.parametrize("name", ["gradebook.csv", "differences.csv", "collected.md", "collected.json"])
def test_nothing_of_anybody_else_is_overwritten(tmp_path, ci, name):
    mine = put(tmp_path / "out" / name, "name,grade\nAda,1.0\n")
    with pytest.raises(GradcheckError, match="nothing was written"):
        collect(ci, "--roster", roster(tmp_path), "--out", tmp_path / "out")
    assert mine.read_text() == "name,grade\nAda,1.0\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_a_gradebook_that_was_edited_since_is_not_overwritten(tmp_path, ci):
    arguments = (ci, "--roster", roster(tmp_path), "--out", tmp_path / "out")
    collect(*arguments)
    book = tmp_path / "out/gradebook.csv"
    book.write_text(book.read_text() + "Grace,,,,,,,,4,,by hand\n")
    with pytest.raises(GradcheckError, match="has been changed since collect wrote it; nothing was written"):
        collect(*arguments)
    assert "by hand" in book.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_links_are_not_followed(tmp_path, ci):
    put(tmp_path / "elsewhere/result.json", classroom50(4))
    (ci / "eve.json").unlink()
    (ci / "eve.json").symlink_to(tmp_path / "elsewhere/result.json")
    (ci / "1").symlink_to(tmp_path / "elsewhere")
    put(ci / "eve@uni.edu/notes.md", "")
    (ci / "eve@uni.edu/result.json").symlink_to(tmp_path / "elsewhere/result.json")
    code, printed = collect(ci, "--roster", roster(tmp_path), "--out", tmp_path / "out")
    assert code == 1
    assert "Eve: nothing found" in printed
    assert {each["name"] for each in told(tmp_path)["ignored"]} >= {"1", "eve.json"}
    (tmp_path / "book").mkdir()
    (tmp_path / "book/gradebook.csv").symlink_to(put(tmp_path / "mine.csv", "mine"))
    with pytest.raises(GradcheckError, match="no plain file"):
        collect(ci, "--roster", roster(tmp_path), "--out", tmp_path / "book")


def test_what_others_wrote_is_harmless_in_every_file(tmp_path, ci):
    evil = '=cmd|"/c calc"!A1'
    students = f'name,email,id\n"{evil.replace(chr(34), chr(34) * 2)}",a@b,1815\n'
    put(ci / "x::error::<b>\u202e.json", classroom50(1))
    put(ci / "1815.json", classroom50(1, commit="::set-output name=x::\u001b[31m"))
    code, printed = collect(ci, "--roster", put(tmp_path / "r.csv", students), "--out", tmp_path / "out")
    assert code == 1
    row = table(tmp_path / "out/gradebook.csv")[0]
    assert row["name"].startswith("'=")
    assert "<b>" not in (tmp_path / "out/collected.md").read_text()
    assert "\u202e" not in printed + (tmp_path / "out/collected.md").read_text()
    assert not any(line.startswith("::") for line in printed.splitlines())
    assert "\u001b" not in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "--roster", "roster.csv", "--out", "out"], "nowhere does not exist"),
        (["ci", "--out", "out"], "give --roster"),
        (["ci", "--course", "bare.toml", "--out", "out"], r"bare.toml has no \[roster\]"),
        (["ci", "--roster", "nowhere.csv", "--out", "out"], "nowhere.csv cannot be read"),
        (["ci", "--roster", "twice.csv", "--out", "out"], "rows 2 and 3 have the same email, A@b"),
        (["ci", "--roster", "roster.csv", "--out", "roster.csv"], "not a folder; give --out another place"),
        (["ci", "--roster", "roster.csv", "--out", "roster.csv/x"], "give --out another place"),
        (["ci", "--roster", "roster.csv", "--out", "ci"], "give a folder beside it"),
        (["ci", "--roster", "roster.csv", "--out", "out", "--regrade", "nowhere"], "run this first: gradcheck grade"),
        (
            ["ci", "--roster", "roster.csv", "--out", "out", "--regrade", "torn"],
            "there is no torn/reports/ada.json; grade the submission again",
        ),
        (["ci", "--roster", "roster.csv", "--out", "out", "--release", "ci"], "no .gradcheck-release.json"),
        (["ci", "--roster", "roster.csv", "--out", "out", "--grade"], "no SOURCE has clones"),
        (["mixed", "--roster", "roster.csv", "--out", "out", "--grade"], "would give them 0 points"),
        (["one", "--roster", "roster.csv", "--out", "out"], "looks like one submission"),
    ],
)
def test_a_mistake_in_the_command_is_told_and_nothing_is_written(tmp_path, ci, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    roster(tmp_path)
    put(tmp_path / "twice.csv", "name,email\nA,a@b\nB,A@b\n")
    put(tmp_path / "bare.toml", "")
    put(tmp_path / "one/exercises/04_modules/relu.py", "")
    put(tmp_path / "mixed/alan/exercises/04_modules/relu.py", "")
    put(tmp_path / "mixed/eve/result.json", classroom50(1))
    graded(tmp_path / "torn", report("ada", 1))
    (tmp_path / "torn/reports/ada.json").unlink()
    with pytest.raises(GradcheckError, match=said):
        collect(*arguments)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    assert not (tmp_path / "ci/collected.json").exists()


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_takes_no_file_is_told(tmp_path, ci):
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(GradcheckError, match="cannot be written to"):
        collect(ci, "--roster", roster(tmp_path), "--out", tmp_path / "out")


def test_no_line_that_is_printed_is_a_command_to_a_jobs_runner(tmp_path, ci):
    students = f"name,email,id\n::error::x,a@b,1\n{'long ' * 12} ::warning::y ::warning::z,b@b,2\n"
    _, printed = collect(ci, "--roster", put(tmp_path / "r.csv", students), "--out", tmp_path / "out")
    assert "error::x" in printed
    assert not any(line.strip().startswith("::") for line in printed.splitlines())


def test_what_collecting_and_grading_wrote_beside_the_results_is_no_result(tmp_path, ci, regrade):
    regrade.rename(ci / "graded")
    where = ("--roster", roster(ci), "--out", ci / "out")
    assert collect(ci, *where)[0] == 0
    found = json.loads((ci / "out/collected.json").read_text())
    assert {
        "name": "graded",
        "why": "gradcheck grade made it: reports, no submission; gradcheck collect takes it as --regrade",
    } in found["ignored"]
    put(ci / "eve.json", gradescope(1.5))
    assert collect(ci, *where, "--regrade", ci / "graded")[0] == 0
    found = json.loads((ci / "out/collected.json").read_text())
    assert (found["problems"], [each["name"] for each in found["ignored"]]) == ([], ["README.md"])


def test_a_name_is_no_markup_in_the_table_of_differences(tmp_path, ci, regrade):
    students = put(tmp_path / "r.csv", "name,email,id\nEve | <b>9</b>,eve@uni.edu,1\n")
    collect(ci, "--roster", students, "--out", tmp_path / "out", "--regrade", regrade)
    assert "| Eve \\| &lt;b&gt;9&lt;/b&gt; | 4/4 | 1.5/4 |" in (tmp_path / "out/collected.md").read_text()


def test_a_disk_that_is_full_is_told(tmp_path, ci, monkeypatch):
    from gradcheck.gradebooks.collect import written as collected_folder

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(collected_folder, "write_whole", full)
    with pytest.raises(GradcheckError, match="cannot be written: No space left on device; give --out another place"):
        collect(ci, "--roster", roster(tmp_path), "--out", tmp_path / "out")


def test_a_damaged_table_is_a_problem_and_costs_nobody_a_score(tmp_path, ci):
    put(ci / "grades.csv", 'github_username,score,max_score\n"ada')
    code, _ = collect(ci, "--roster", roster(tmp_path), "--out", tmp_path / "out")
    assert code == 1
    assert told(tmp_path)["problems"] == ["grades.csv, line 2: a quote is opened and never closed; export it again"]
    assert [row["ci_score"] for row in table(tmp_path / "out/gradebook.csv")] == ["3", "4", "4"]


def test_a_huge_file_is_refused(tmp_path, ci):
    with (ci / "eve.json").open("wb") as file:
        file.truncate(65 << 20)  # sparse
    code, _ = collect(ci, "--roster", roster(tmp_path), "--out", tmp_path / "out")
    assert code == 1
    assert any(each.startswith("eve.json has 68,157,440 bytes") for each in told(tmp_path)["problems"])


def test_help_needs_no_heavy_library():
    import subprocess

    code = (
        "import sys; from click.testing import CliRunner; from gradcheck.commands.cli import cli;"
        "CliRunner().invoke(cli, ['collect', 'nowhere', '--roster', 'r', '--out', 'o']);"
        "print([name for name in ('torch', 'sympy', 'flint', 'rich', 'numpy') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
