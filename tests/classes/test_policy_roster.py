"""Whose a submission is: by what the roster says, never by a guess between two people."""

from __future__ import annotations

import time

import pytest

from gradcheck.classes.report import RosterGaps
from gradcheck.classes.roster_file import load_roster
from gradcheck.errors import GradcheckError
from gradcheck.submissions.roster import Roster, Student

ADA = Student("Ada Lovelace", "ada@uni.edu", "1815")
ALAN = Student("Turing, Alan Mathison", "a.turing@uni.edu", "1912", "enigma-*")
JOSE = Student("José García López", "jg@uni.edu", "0042", "group seven")
CLASS = Roster((ADA, ALAN, JOSE))


@pytest.mark.parametrize(
    ("submission", "student"),
    [
        ("1815", ADA),
        ("ada@uni.edu", ADA),
        ("ADA", ADA),
        ("ada-2", None),
        ("a.turing", ALAN),
        ("enigma-2", ALAN),
        ("Enigma-", ALAN),
        ("the enigma-2", None),
        ("group seven", JOSE),
        ("Group Seven", JOSE),
        ("Ada Lovelace_4711_assignsubmission_file_", ADA),
        ("lovelaceada_4711_880001_relu", ADA),
        ("lovelaceada_LATE_4711_880001_relu", ADA),
        ("Alan Mathison Turing_4711_assignsubmission_file_", ALAN),
        ("turingalanmathison_4711_1_x", ALAN),
        ("Jose Garcia Lopez_1_assignsubmission_onlinetext_", JOSE),
        ("garcialopezjose_1_2_x", JOSE),
        ("Participant_1815_assignsubmission_file_", ADA),
        ("Participant_4711_assignsubmission_file_", None),
        ("Ada Lovelace", None),
        ("Ada Lovelace_1912_assignsubmission_file_", ADA),  # Moodle's number is not the university's
        ("", None),
        ("_", None),
    ],
)
def test_submissions_are_matched_as_people_and_services_name_them(submission, student):
    match = CLASS.match(submission)
    assert match.student == student
    assert bool(match.why) == bool(match.reason) == (student is None)


def test_between_two_people_nobody_guesses():
    twins = Roster((Student("Kim Lee", "kim@a.edu", "1001"), Student("Lee Kim", "kim@b.edu", "1002")))
    assert twins.match("kim").student is None
    assert twins.match("Kim Lee_1_assignsubmission_file_").student is None
    assert twins.match("kimlee_1002_7_x").student == twins.students[1]
    assert twins.match("kim@b.edu").student == twins.students[1]
    with_ada = Roster((*twins.students, ADA))
    assert with_ada.match("kimlee_1815_7_x").student is None  # the number is Ada's, the name is not
    patterns = Roster((Student("A", "a@x", submission="team*"), Student("B", "b@x", submission="te*")))
    assert patterns.match("team").student is None
    assert patterns.match("tea").student == patterns.students[1]


def test_who_is_missing_and_what_is_nobodys_is_listed():
    found = RosterGaps.of(CLASS, dict.fromkeys(("stranger", "1815", "ada", "enigma-1", "anybody"), ()))
    assert found.unmatched == ("anybody", "stranger")
    assert [(each.submission, each.why, each.who) for each in found.reasons] == [
        ("anybody", "nobody", ()), ("stranger", "nobody", ()),
    ]  # fmt: skip
    assert found.without_submission == (JOSE.named(),)
    assert [(each.student, each.submissions) for each in found.several] == [(ADA.named(), ("1815", "ada"))]


def test_a_large_class_is_matched_in_a_moment():
    many = Roster(tuple(Student(f"First{n} Last{n}", f"s{n}@uni.edu", f"{n:06}") for n in range(5000)))
    started = time.perf_counter()
    found = RosterGaps.of(many, {f"last{n}first{n}_1_2_x": () for n in range(5000)})
    assert not found.unmatched
    assert not found.without_submission
    assert time.perf_counter() - started < 10


@pytest.fixture
def load(tmp_path):
    def from_text(text: str | bytes) -> Roster:
        path = tmp_path / "roster.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_roster(path)

    return from_text


READ = (Student("Ada Lovelace", "ada@uni.edu", "1815"), Student("Turing, Alan", "alan@uni.edu", "1912"))
CSV = 'name,email,id\nAda Lovelace,ada@uni.edu,1815\n"Turing, Alan",alan@uni.edu,1912\n'


@pytest.mark.parametrize(
    "text",
    [
        CSV,
        "\ufeff" + CSV,
        CSV.replace("\n", "\r\n"),
        CSV.replace("\n", "\n\n"),
        CSV.encode("utf-16"),
        'Name;E-Mail;ID number;Semester\nAda Lovelace;ada@uni.edu;1815;3\n"Turing, Alan";alan@uni.edu;1912;3\n',
        "ID\temail address\tfull name\n1815\tada@uni.edu\tAda Lovelace\n1912\talan@uni.edu\tTuring, Alan\n\t\t\n",
        CSV.rstrip() + ",,,",
    ],
)
def test_the_dialects_of_csv_are_read(load, text):
    assert load(text).students == READ


def test_a_column_of_submissions_is_read(load):
    assert load("id,submission\n1,team-*\n2,\n").students == (Student(id="1", submission="team-*"), Student(id="2"))


def test_a_column_says_when_it_was_handed_in(load):
    ada, alan = load("id,Submitted\n1, 2026-10-01T23:59:00+02:00\n2,\n").students
    assert (ada.submitted, alan.submitted) == ("2026-10-01T23:59:00+02:00", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("is empty",)),
        ("Ada,ada@uni.edu,1815\n", ("first row names the columns", "Ada")),
        ("name\nAda\n", ("at least email or id",)),
        ("email,id,email\n", ("row 1", "column email twice", "'email' and 'email'")),
        ("email,e-mail\n", ("column email twice",)),
        ("name,email\n", ("names no student",)),
        ("name,email\nAda,\n", ("row 2", "Ada has neither email nor id")),
        ("name,email\nA,a@x\n\nB,A@X\n", ("rows 2 and 4", "same email, A@X")),
        ("id,email\n1,a@x\n1,b@x\n", ("rows 2 and 3", "same id, 1")),
        ("id,submission\n1,team\n2,TEAM\n", ("rows 2 and 3", "same submission")),
        (b"id,name\n1,Jos\xe9\n", ("not UTF-8 text", "CSV UTF-8")),
        ('id,name\n1,"Ada\n', ("a quote is opened and never closed",)),
    ],
)
def test_what_is_wrong_with_a_roster_is_told_by_row(load, text, words):
    with pytest.raises(GradcheckError) as told:
        load(text)
    for each in ("roster.csv", *words):
        assert each in str(told.value)
