"""A class as course systems let it be downloaded, as a folder and as one zip: everybody once, by name, with the files."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from gradcheck.errors import SubmissionError
from gradcheck.submissions import places
from gradcheck.submissions.places import Places
from gradcheck.submissions.roster import Student
from tests.submissions.submission_files import Files, zipped

pytestmark = pytest.mark.outside

WORK = b"def forward(x):\n    return x.clamp(min=0)\n"
OLD = b"def forward(x):\n    return -x\n"
PLACE = "exercises/04_modules/relu.py"


@pytest.fixture(params=["folder", "zip", "zip of a folder"])
def found(request, tmp_path):
    def find(files: Files) -> Places:
        shutil.rmtree(tmp_path / "class", ignore_errors=True)
        if request.param == "folder":
            for name, content in files.items():
                (tmp_path / "class" / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / "class" / name).write_bytes(content)
            return places.find(tmp_path / "class")
        before = "week 2/" if request.param == "zip of a folder" else ""
        (tmp_path / "class.zip").write_bytes(zipped({before + name: content for name, content in files.items()}))
        return places.find(tmp_path / "class.zip")

    return find


def relu(found: Places) -> dict[str, bytes | None]:
    read = {place.name: pickle.loads(pickle.dumps(place)).read() for place in found}
    assert all(not each.refused for each in read.values())
    return {name: each.sources.get("relu") for name, each in read.items()}


def test_folders_and_archives_are_submissions(found):
    places_found = found({f"ada/{PLACE}": WORK, "ben.zip": zipped({PLACE: OLD}), "cleo/notes.txt": b""})
    assert relu(places_found) == {"ada": WORK, "ben": OLD, "cleo": None}


def test_canvas(found):
    files = {
        "winterada_123_456_relu.py": WORK,
        "winterada_123_457_tanh.py": WORK,
        "kimlee_LATE_77_458_relu-1.py": WORK,
        "kimlee_LATE_77_459_notes.txt": b"",
        "oldben_5_460_relu.py": OLD,
        "oldben_5_461_relu-1.py": WORK,
        "zoe_8_462_work.zip": zipped({PLACE: WORK}),
        "ida_9_463_relu.ipynb": b"{}",
    }
    places_found = found(files)
    read = {place.name: place.read() for place in places_found}
    assert read.keys() == {"winterada_123", "kimlee_LATE_77", "oldben_5", "zoe_8_462_work", "ida_9"}
    assert read["winterada_123"].sources == {"relu": WORK, "tanh": WORK}
    assert read["kimlee_LATE_77"].problems == ()
    assert (read["oldben_5"].sources, read["oldben_5"].problems) == (
        {"relu": WORK},
        ("relu.py was handed in 2 times; the last counts, relu-1.py",),
    )
    assert read["zoe_8_462_work"].sources == {"relu": WORK}
    assert "relu.ipynb" in read["ida_9"].refused["relu"]
    assert {place.name for place in places_found if place.known.late} == {"kimlee_LATE_77"}
    assert places_found.ignored == [("oldben_5_460_relu.py", "a later attempt of the same student counts")]


def test_moodle(found):
    files = {
        "Kim Loose_40009_assignsubmission_file_relu.py": WORK,
        "Kim Loose_40009_assignsubmission_file_tanh.py": WORK,
        "Ada Lovelace_40001_assignsubmission_file_/relu.py": WORK,
        "Ben Old_40002_assignsubmission_file/work.zip": zipped({PLACE: WORK}),
    }
    assert relu(found(files)) == {
        "Kim Loose_40009_assignsubmission_file": WORK,
        "Ada Lovelace_40001_assignsubmission_file_": WORK,
        "Ben Old_40002_assignsubmission_file": WORK,
    }


def test_a_text_typed_at_moodle_is_no_second_submission(found):
    files = {
        "Ada Lovelace_40001_assignsubmission_file/relu.py": WORK,
        "Ada Lovelace_40001_assignsubmission_onlinetext/onlinetext.html": b"<p>hello</p>",
        "Ben Old_40002_assignsubmission_onlinetext/onlinetext.html": b"<p>def forward(x)</p>",
    }
    places_found = found(files)
    assert [place.name for place in places_found] == [
        "Ada Lovelace_40001_assignsubmission_file",
        "Ben Old_40002_assignsubmission_onlinetext",
    ]
    assert places_found.ignored == [
        ("Ada Lovelace_40001_assignsubmission_onlinetext", "a text typed at Moodle; the student's files count")
    ]
    assert places_found[1].read().problems, "somebody should look at it"


GRADESCOPE = b"""---
submission_11:
  :submitters:
  - :name: Ada Lovelace
    :sid: '101'
    :email: ada@x.org
  - :name: Ben Old
    :email: ben@x.org
  :created_at: 2026-10-01 21:58:03.123456000 Z
  :score: 1.0
submission_12:
  :submitters:
  - :name: Kim
    :sid: 102
    :email: kim@x.org
  :created_at: !ruby/object:ActiveSupport::TimeWithZone
    utc: 2026-10-02 08:00:00.5 Z
    zone: !ruby/object:ActiveSupport::TimeZone
      name: Pacific
submission_13:
  :created_at: yesterday
"""


def test_gradescope(found):
    pytest.importorskip("yaml")
    made = {f"submission_{number}/relu.py": WORK for number in (11, 12, 13)}
    places_found = found({"submission_metadata.yml": GRADESCOPE, **made})
    assert relu(places_found) == {"submission_11": WORK, "submission_12": WORK, "submission_13": WORK}
    eleven, twelve, thirteen = (place.known for place in places_found)
    assert eleven.people == (Student("Ada Lovelace", "ada@x.org", "101"), Student("Ben Old", "ben@x.org"))
    assert (eleven.submitted, twelve.submitted, thirteen.submitted) == (
        "2026-10-01T21:58:03+00:00",
        "2026-10-02T08:00:00+00:00",
        "",
    )
    assert [each.id for each in twelve.people] == ["102"]
    assert places_found[0].read().submitted == "2026-10-01T21:58:03+00:00"
    for damaged in (b"- a\n- b\n", b"a: [", b"!!python/object/apply:os.system ['touch /tmp/x']"):
        with pytest.raises(SubmissionError, match="download the submissions anew"):
            found({"submission_metadata.yml": damaged, **made})


def test_gradescope_without_pyyaml_is_told(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "submission_1").mkdir()
    (tmp_path / "submission_metadata.yml").write_bytes(GRADESCOPE)
    with pytest.raises(SubmissionError, match="pip install pyyaml"):
        places.find(tmp_path)


def test_brightspace(found):
    files = {
        "12345-67890 - Ada Lovelace - Oct 1, 2026 1159 PM/relu.py": OLD,
        "12345-67890 - Ada Lovelace - Oct 2, 2026 105 AM/relu.py": WORK,
        "12346-67890 - Ben Old - Sep 30, 2026 1200 PM/relu.py": WORK,
        "index.html": b"<html></html>",
    }
    places_found = found(files)
    assert relu(places_found) == {"Ada Lovelace_12345-67890": WORK, "Ben Old_12346-67890": WORK}
    assert [place.known.local for place in places_found] == ["2026-10-02T01:05:00", "2026-09-30T12:00:00"]
    assert places_found[0].read().problems == ("handed in 2 times; the last counts, of 2026-10-02T01:05:00",)
    assert ("index.html", "what a course system adds to a download") in places_found.ignored
    assert len(places_found.ignored) == 2


def test_blackboard(found):
    files = {
        "Week 2_ada1_attempt_2026-10-01-23-59-00_relu.py": OLD,
        "Week 2_ada1_attempt_2026-10-02-08-00-00_relu.py": WORK,
        "Week 2_ada1_attempt_2026-10-02-08-00-00_tanh.py": WORK,
        "Week 2_ada1_attempt_2026-10-02-08-00-00.txt": b"Name: Ada",
        "Week 2_ben_attempt_2026-10-01-10-00-00_hw.zip": zipped({PLACE: WORK}),
        "Week 2_ben_attempt_2026-10-01-10-00-00.txt": b"Name: Ben",
        "Week 2_kim_attempt_2026-10-01-10-00-00.txt": b"Name: Kim",
    }
    places_found = found(files)
    assert relu(places_found) == {"ada1": WORK, "ben": WORK}
    assert places_found[0].read().sources.keys() == {"relu", "tanh"}
    assert "handed in 2 times" in places_found[0].read().problems[0]
    assert places_found[0].known.local == "2026-10-02T08:00:00"
    kim = ("Week 2_kim_attempt_2026-10-01-10-00-00.txt", "a receipt, without a file that was handed in")
    assert kim in places_found.ignored


def test_the_reports_of_another_run_are_no_submission(found):
    places_found = found({f"ada/{PLACE}": WORK, "graded/class.json": b"{}", "graded/reports/ada.json": b"{}"})
    assert [place.name for place in places_found] == ["ada"]
    assert places_found.ignored == [
        ("graded", "gradcheck grade made it: reports, no submission; gradcheck collect takes it as --regrade")
    ]


def test_a_class_in_the_place_of_a_submission_is_told(found):
    inner = {f"Course-40000/{name}/{PLACE}": WORK for name in ("ada", "ben", "kim")}
    places_found = found({**inner, f"zoe/{PLACE}": WORK})
    assert [place.name for place in places_found] == ["zoe"]
    ((entry, why),) = places_found.ignored
    assert entry == "Course-40000"
    assert "it holds 3 submissions and is none itself; grade" in why
    assert why.endswith("Course-40000")


def test_a_folder_one_level_too_high_names_the_one_to_give(tmp_path):
    for name in ("ada", "ben"):
        (tmp_path / "subs/Course-40000" / name / PLACE).parent.mkdir(parents=True)
    with pytest.raises(SubmissionError, match=r"one level too high.*grade .*subs/Course-40000$"):
        places.find(tmp_path / "subs")
    shutil.rmtree(tmp_path / "subs/Course-40000/ben")
    assert [place.name for place in places.find(tmp_path / "subs")] == ["Course-40000"], "one student, wrapped"


def test_reports_or_one_submission_in_the_place_of_a_class_are_told(tmp_path):
    (tmp_path / "out/reports").mkdir(parents=True)
    (tmp_path / "out/class.json").write_text("{}")
    with pytest.raises(SubmissionError, match="is what gradcheck grade made"):
        places.find(tmp_path / "out")
    for files in ({PLACE: WORK}, {"relu.py": WORK, "tanh.py": WORK}):
        (tmp_path / "one.zip").write_bytes(zipped(files))
        with pytest.raises(SubmissionError, match="looks like one submission"):
            places.find(tmp_path / "one.zip")


def test_a_file_of_nobody_is_told(tmp_path):
    (tmp_path / "class.zip").write_bytes(zipped({f"ada/{PLACE}": WORK, "relu.py": WORK, "notes.txt": b""}))
    places_found = places.find(tmp_path / "class.zip")
    assert [place.name for place in places_found] == ["ada"]
    assert [entry for entry, _ in places_found.ignored] == ["notes.txt", "relu.py"]
    assert "names nobody" in places_found.ignored[1][1]


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\3\4 cut off", b"\x1f\x8b"])
def test_what_is_no_zip_of_a_class_is_told(tmp_path, content):
    (tmp_path / "class.zip").write_bytes(content)
    with pytest.raises(SubmissionError, match=r"class\.zip"):
        places.find(tmp_path / "class.zip")


def test_what_one_submission_unpacks_to_costs_no_other_anything(tmp_path):
    zeros = {f"ada/{number}.zip": zipped({"x": b""}) + bytes(15 << 20) for number in range(6)}
    (tmp_path / "class.zip").write_bytes(zipped({**zeros, f"zoe/{PLACE}": WORK}))
    ada, zoe = places.find(tmp_path / "class.zip")
    assert any("too large" in told for told in ada.read().problems)
    assert (zoe.read().sources, zoe.read().problems) == ({"relu": WORK}, ())


def test_loose_links_are_not_followed(tmp_path):
    (tmp_path / "secret.py").write_bytes(WORK)
    folder = tmp_path / "class"
    folder.mkdir()
    (folder / "winterada_123_457_tanh.py").write_bytes(WORK)
    (folder / "winterada_123_456_relu.py").symlink_to(Path("../secret.py"))
    (place,) = places.find(folder)
    assert place.read().sources.keys() == {"tanh"}


def test_a_folder_for_each_part_of_the_work_is_one_submission(found):
    parts = {"ada/one/relu.py": WORK, "ada/two/tanh.py": WORK, "ada/three/sigmoid.py": WORK, f"ben/{PLACE}": WORK}
    places_found = found(parts)
    assert [place.name for place in places_found] == ["ada", "ben"]
    assert places_found.ignored == []
    assert set(places_found[0].read().sources) == {"relu", "tanh", "sigmoid"}
