"""Gradebooks filled in: only the one column changes, nobody gets another's grade, and nothing is lost silently."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.classes.raw_csv import read_sheet
from gradcheck.errors import GradcheckError
from gradcheck.gradebooks.fill import fill
from tests.reports.class_data import row
from tests.reports.plain_reports import grades_of

CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Week 1 (101),Week 2 (102),Current Score,Final Score\r\n"
    ",,,,,Manual Posting,,,\r\n"
    "    Points Possible,,,,,10.00,20.00,(read only),(read only)\r\n"
    '"Lovelace, Ada",7001,0042,al42,"Sec 1, and 2",9.50,,95.0,95.0\r\n'
    '"Zhang, Wei",7002,0043,wz43,Sec 1,"8.00",,80.0,80.0\r\n'
    '"Zhang, Wei",7003,0044,wz44,Sec 1,,12.00,,\r\n'
    '"O""Neil, ""Tip""",7004,,tip,Sec 1,,"",,\r\n'
    '"Excused, Eve",7005,0045,eve,Sec 1,,EX,,\r\n'
    '="=Grace",7006,0046,gh,Sec 1,,,,\r\n'
    '"Student, Test",7999,,1f3a9c,Sec 1,,,,\r\n'
)
MOODLE = (
    '"First name",Surname,"ID number","Email address","Assignment: Week 2 (Real)","Assignment: Week 2 (Percentage)",'
    '"Assignment: Week 2 (Feedback)","Last downloaded from this course"\n'
    'Ada,Lovelace,0042,ada@example.org,-,-,,1790000000\n'
    'Wei,Zhang,,wei@example.org,"7,50","37,50 %",ok,1790000000\n'
    'Grace,Hopper,0046,grace@example.org,-,-,,1790000000\n'
)  # fmt: skip
WORKSHEET = (
    "Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (grade),Feedback comments\n"
    "Participant 12,Ada Lovelace,0042,ada@example.org,Submitted,,20.00,Yes,-,\n"
    "Participant 13,Grace Hopper,0046,grace@example.org,Submitted,,20.00,No,-,\n"
)

ADA = row("ada", 17.25, ("Ada Lovelace", "al42", "0042"))
WEI = row("wei", 8.0, ("Wei Zhang", "wz43", "0043"))


def filled(text, column, *rows, **options):
    content = text if isinstance(text, bytes) else text.encode("utf-8")
    return fill(content, column, [grade for each in rows for grade in grades_of(each)], file="book.csv", **options)


def grid(content: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def test_only_the_cells_that_get_a_grade_change_byte_for_byte():
    result = filled(CANVAS, "Week 2 (102)", ADA, WEI)
    expected = CANVAS.replace('"Sec 1, and 2",9.50,,95.0', '"Sec 1, and 2",9.50,17.25,95.0').replace(
        'Sec 1,"8.00",,80.0', 'Sec 1,"8.00",8,80.0'
    )
    assert result.content.decode() == expected != CANVAS
    assert (result.kind, result.column, len(result.entered), result.complete) == ("canvas", "Week 2 (102)", 2, True)


def test_a_short_name_is_enough_where_it_is_the_only_one():
    assert filled(CANVAS, "week 2", ADA).column == "Week 2 (102)"
    assert filled(MOODLE, "Week 2", row("a", 1, ("", "ada@example.org", ""))).column == "Assignment: Week 2 (Real)"
    with pytest.raises(GradcheckError, match=r"several columns .*'Week 2 \(101\)', 'Week 2 \(102\)'; give one whole"):
        filled(CANVAS.replace("Week 1 (101)", "Week 2 (101)"), "Week 2", ADA)
    with pytest.raises(GradcheckError, match="several columns"):
        filled(CANVAS.replace("Week 1 (101)", "Week 2 (102)"), "Week 2 (102)", ADA)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        (CANVAS, "Week 3", r"no column 'Week 3'; there are: 'Week 1 \(101\)', 'Week 2 \(102\)'$"),
        (CANVAS, "Student", "takes no points"),
        (CANVAS, "sis user id", "no column"),
        (CANVAS, "Final Score", "takes no points"),
        (CANVAS.replace("10.00,20.00", "10.00,(read only)"), "Week 2 (102)", "is .read only."),
        (MOODLE, "Assignment: Week 2 (Percentage)", "takes no points"),
        (MOODLE, "Surname", "takes no points"),
    ],
)
def test_columns_that_cannot_be_filled_are_refused(text, column, message):
    with pytest.raises(GradcheckError, match=message):
        filled(text, column, ADA)


def test_excused_and_not_assigned_are_never_replaced():
    eve = row("eve", 3.0, ("Eve Excused", "", "0045"))
    result = filled(CANVAS, "Week 2", ADA, eve, overwrite=True)
    assert ",EX,," in result.content.decode()
    assert result.kept == ["Excused, Eve, line 8 (eve) is excused: 3 is not entered"]
    other = filled(CANVAS.replace("EX", "N/A"), "Week 2", eve, overwrite=True)
    assert "was not assigned this" in other.kept[0]


def test_a_grade_that_is_there_stays_unless_asked_and_is_listed():
    second = row("wei2", 13.5, ("Wei Zhang", "", "0044"))
    kept = filled(CANVAS, "Week 2", ADA, second)
    assert kept.kept == ["Zhang, Wei, line 6 (wei2): 12.00, and it would be 13.5 (--overwrite replaces it)"]
    assert ",12.00,,\r\n" in kept.content.decode()
    replaced = filled(CANVAS, "Week 2", ADA, second, overwrite=True)
    assert replaced.replaced == ["Zhang, Wei, line 6 (wei2): 12.00 is now 13.5"]
    assert ",,13.5,,\r\n" in replaced.content.decode()
    assert any("replaced (1):" in line for line in replaced.lines())


@pytest.mark.parametrize(("score", "same"), [(12.0, True), (12.0049, True), (12.01, False), (12.4, False)])
def test_what_a_gradebook_rounded_is_no_change(score, same):
    result = filled(CANVAS, "Week 2", ADA, row("wei2", score, ("", "", "0044")))
    assert (result.unchanged == 1, result.kept == []) == (same, same)


def test_a_whole_number_is_no_rounded_one():
    text = CANVAS.replace("12.00", "12")
    assert len(filled(text, "Week 2", ADA, row("wei2", 12.33, ("", "", "0044"))).kept) == 1


def test_ids_come_before_logins_and_logins_before_names():
    by_login = row("a", 5.0, ("Somebody Else", "AL42 ", "nobody"))
    assert filled(CANVAS, "Week 2", by_login).entered == ["Lovelace, Ada, line 4 (a)"]
    netid = row("a", 5.0, ("", "ada@example.org", "al42"))
    assert filled(CANVAS, "Week 2", netid).entered == ["Lovelace, Ada, line 4 (a)"]
    by_name = filled(CANVAS, "Week 2", row("a", 5.0, ("ADA  Lovelace", "", "")))
    assert by_name.by_name == by_name.entered == ["Lovelace, Ada, line 4 (a)"]
    folder = filled(CANVAS, "Week 2", row("al42", 5.0))
    assert folder.entered == ["Lovelace, Ada, line 4 (al42)"]
    quoted = filled(CANVAS, "Week 2", row("tip", 5.0))
    assert '"O""Neil, ""Tip""",7004,,tip,Sec 1,,"5",,\r\n' in quoted.content.decode()


def test_two_people_of_one_name_are_told_apart_or_refused():
    result = filled(CANVAS, "Week 2", ADA, row("wei", 8.0, ("Wei Zhang", "", "")))
    assert [why for _, why in result.matching.unclear] == ["lines 5 and 6 have the same name"]
    assert not result.complete
    twins = [row("one", 1.0, ("Ada Lovelace", "", "")), row("two", 2.0, ("Lovelace, Ada", "", ""))]
    result = filled(CANVAS, "Week 2", WEI, *twins)
    assert [why for _, why in result.matching.unclear] == ["several submissions have the name of line 4"] * 2
    assert "Lovelace, Ada" in [person.shown for person in result.matching.without]


def test_contradictions_are_refused():
    mixed = row("mixed", 1.0, ("Ada Lovelace", "wz43", "0042"))
    result = filled(CANVAS, "Week 2", row("gh", 4.0), mixed)
    assert [why for _, why in result.matching.unclear] == ["the id is in line 4, the e-mail address or login in line 5"]
    twice = filled(CANVAS, "Week 2", WEI, ADA, row("al42", 2.0))
    assert {grade.submission: why for grade, why in twice.matching.unclear} == {
        "ada": "line 4 belongs to al42 as well", "al42": "line 4 belongs to ada as well",
    }  # fmt: skip
    assert b"17.25" not in twice.content
    doubled = CANVAS.replace(",0043,", ",0042,")
    result = filled(doubled, "Week 2", row("gh", 4.0), row("x", 1.0, ("", "", "0042")))
    assert [why for _, why in result.matching.unclear] == ["lines 4 and 5 have the same id"]
    other = row("ada", 5.0, ("Ada Lovelace", "ada@elsewhere.example", ""))
    result = filled(MOODLE, "Week 2", row("g", 4.0, ("", "", "0046")), other)
    assert [why for _, why in result.matching.unclear] == ["line 2 has the same name and another e-mail address"]


def test_an_id_outweighs_a_name():
    strong, weak = row("strong", 9.0, ("A. L.", "", "0042")), row("weak", 1.0, ("Ada Lovelace", "", ""))
    result = filled(CANVAS, "Week 2", weak, strong)
    assert result.entered == ["Lovelace, Ada, line 4 (strong)"]
    assert [(grade.submission, why) for grade, why in result.matching.unclear] == [
        ("weak", "line 4 belongs to strong as well")
    ]


def test_canvas_numbers_are_no_student_numbers():
    dropped = row("dropped", 1.0, ("Charles Babbage", "", "7001"))  # Canvas's number of Ada
    result = filled(CANVAS, "Week 2", WEI, dropped)
    assert [grade.submission for grade in result.matching.absent] == ["dropped"]
    own = filled(CANVAS, "Week 2", row("a", 5.0, ("Ada King Lovelace", "", "7001")))
    assert own.entered == ["Lovelace, Ada, line 4 (a)"]


def test_both_sides_that_do_not_fit_are_listed_and_the_test_student_is_nobody():
    result = filled(CANVAS, "Week 2", ADA, row("ghost\x1b[2J", 1.0))
    told = "\n".join(result.lines())
    assert "nobody in the file fits (1):\n    ghost\\x1b[2J" in told
    assert [person.shown for person in result.matching.without] == [
        "Zhang, Wei", "Zhang, Wei", 'O"Neil, "Tip"', "Excused, Eve", "=Grace",
    ]  # fmt: skip
    assert "\x1b" not in told
    assert not result.complete
    with pytest.raises(GradcheckError, match="none of the 1 submission belongs"):
        filled(CANVAS, "Week 2", row("ghost", 1.0))


def test_moodle_with_a_decimal_comma():
    result = filled(MOODLE, "Week 2", row("a", 17.25, ("", "", "0042")), row("g", 3.0, ("", "GRACE@example.org", "")))
    expected = MOODLE.replace("ada@example.org,-", 'ada@example.org,"17,25"').replace(
        "grace@example.org,-", "grace@example.org,3"
    )
    assert result.content.decode() == expected
    assert result.kind == "moodle"
    same = filled(MOODLE, "Week 2", row("w", 7.5, ("Wei Zhang", "", "")), row("a", 1.0, ("", "", "0042")))
    assert same.unchanged == 1


def test_moodle_worksheet_and_points_of_another_scale():
    result = filled(
        WORKSHEET, "Grade", row("a", 17.25, ("", "", "0042")), row("g", 3.0, ("", "", "0046")), max_score=100.0
    )
    assert "Submitted,17.25,20.00" in result.content.decode()
    assert "may not be changed" in result.kept[0]
    assert result.notes == [
        "note: this column is out of 20 points, the class is graded out of 100; nothing is rescaled"
    ]
    assert filled(CANVAS, "Week 2", ADA, max_score=20.0).notes == []


def test_moodle_in_another_language_is_known_by_its_addresses():
    german = (
        MOODLE.replace('"First name",Surname,"ID number","Email address"', 'Vorname,Nachname,ID-Nummer,"E-Mail-Adresse"')
        .replace(",", ";").replace('"7;50"', '"7,50"').replace('"37;50 %"', '"37,50 %"')
    )  # fmt: skip
    result = filled(german, "Week 2", row("a", 17.25, ("Ada", "ada@example.org", "")))
    assert result.content.decode() == german.replace("ada@example.org;-", "ada@example.org;17,25")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("bom", "encoding"), [(b"", "utf-8"), (b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le")])
@pytest.mark.parametrize("last", [True, False])
def test_encoding_and_line_ends_stay(newline, bom, encoding, last):
    text = CANVAS.replace("\r\n", newline).replace("Lovelace, Ada", "Lövelace, Ada 🌻")
    text = text if last else text.rstrip("\r\n")
    result = filled(bom + text.encode(encoding), "Week 2", ADA)
    assert result.content == bom + text.replace("9.50,,95", "9.50,17.25,95").encode(encoding)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (b"PK\x03\x04rest", "is a spreadsheet"),
        (b"Student,\xe9\n", "not UTF-8"),
        (b"a,b\0\n", "not a text file"),
        (b"\xff\xfea", "not UTF-8"),
        (CANVAS.encode() + b'"open,1,2\n', r"line 11: a quote is opened"),
        (CANVAS.encode() + b'"say ""oh,1,2\n', r"line 11: a quote is opened"),
        (CANVAS.encode() + b'"two\r\nlines",1,2,3,4,5,6,7,8\nShort\n', r"line 13: 1 cell"),
        (CANVAS.encode() + b"Short,1,2\n", r"line 11: 3 cells, and the header has 9"),
        (CANVAS.encode() + b"L,1,2,3,4,5,6,7,8,9\n", "line 11: 10 cells"),
        (b"one,two\n1,2\n", "like neither Canvas"),
    ],
)
def test_bad_files_are_refused(content, message):
    with pytest.raises(GradcheckError, match=message) as error:
        filled(content, "Week 2", ADA)
    assert str(error.value).startswith("book.csv")


def test_a_kind_that_was_asked_for_must_fit():
    with pytest.raises(GradcheckError, match="no column 'Student'"):
        filled(MOODLE, "Week 2", ADA, kind="canvas")
    with pytest.raises(GradcheckError, match="says of nobody who it is"):
        filled("a,b\n1,2\n", "b", ADA, kind="moodle")


CELLS = st.text(st.sampled_from("ab ,;\t\"\n\r'é=🌻"), max_size=6)


@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=4), st.sampled_from(",;\t"), st.booleans()
)
def test_a_file_that_csv_wrote_is_read_as_csv_reads_it_and_comes_back_whole(table, delimiter, everything):
    quoting = csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerows([["x", "y", "z"], *table])
    content = text.getvalue().encode("utf-8")
    sheet = read_sheet(content, "book.csv")
    assert sheet.content() == content
    assert [[line.value(at) for at in range(3)] for line in sheet.lines] == grid(content, delimiter)
    for line in sheet.lines[1:]:
        sheet.put(line, 1, 'new,;\t"')
    again = grid(sheet.content(), delimiter)
    assert [(old[0], 'new,;\t"', old[2]) for old in table] == [tuple(line) for line in again[1:]]
