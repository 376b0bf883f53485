"""Whose a submission is, as every host names it and with the tables that every host exports; and who is told why not."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from gradcheck.classes.report import RosterGaps
from gradcheck.classes.roster_file import load_roster
from gradcheck.errors import GradcheckError
from gradcheck.submissions.lateness import read_time, with_offset
from gradcheck.submissions.roster import Match, Roster, Student, participant_number

ADA = Student("Ada Lovelace", "ada@uni.edu", "18150", participant="40001", canvas="123", groups=("Team 3",))
KIM = Student("Kim Loose", "kim@uni.edu", "19120", participant="40009", canvas="777", groups=("Team 3",))
LEE = Student("Lee Winter", "lw@uni.edu", "20150", participant="40010", canvas="888")
MARIE = Student("Marie Duval", "md@uni.edu", "17000")
CLASS = Roster((ADA, KIM, LEE, MARIE))


@pytest.fixture
def load(tmp_path):
    def from_text(text: str | bytes, zone=None) -> Roster:
        path = tmp_path / "roster.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_roster(path, zone)

    return from_text


@pytest.mark.parametrize(
    ("submission", "whose"),
    [
        # Moodle: with the number in the worksheet, hidden, in a group, as a team
        ("Ada Lovelace_40001_assignsubmission_file", [ADA]),
        ("Group A-Ada Lovelace_40001_assignsubmission_file_", [ADA]),
        ("Gruppe 7-Lee Winter_55_assignsubmission_file", [LEE]),
        ("Standard-Gruppe-Lee Winter_55_assignsubmission_file", [LEE]),
        ("Blue-Lee Winter_40010_assignsubmission_file", [LEE]),
        ("Team 3-Kim Loose_40009_assignsubmission_file", [KIM]),
        ("Participant_40001_assignsubmission_file", [ADA]),
        ("Teilnehmerin_40009_assignsubmission_file_", [KIM]),
        ("Participante_40010_assignsubmission_onlinetext", [LEE]),
        ("Group A-Participant_40010_assignsubmission_file", [LEE]),
        ("Participant 40001", [ADA]),
        ("Team 3_40001_assignsubmission_file", [ADA, KIM]),
        ("Team 3", [ADA, KIM]),
        # Canvas: alone, late, grouped by the reader, a group's
        ("winterlee_888_456_relu", [LEE]),
        ("winterlee_LATE_888_456_relu", [LEE]),
        ("winterlee_late_888", [LEE]),
        ("winterlee_888", [LEE]),
        ("team3_123_9_relu", [ADA, KIM]),
        # repositories and addresses
        ("ada", [ADA]),
        ("week2-ada", [ADA]),
        ("week2-lw", [LEE]),
        ("week2-team-3", [ADA, KIM]),
        ("week2-18150", [ADA]),
    ],
)
def test_hosts_names_are_matched_without_patterns(submission, whose):
    assert CLASS.match(submission) == Match(tuple(whose))


@pytest.mark.parametrize(
    ("submission", "why", "who"),
    [
        ("Grace Hopper_40077_assignsubmission_file", "nobody", []),
        ("Participant_40077_assignsubmission_file", "nobody", []),
        ("Participant_18150_assignsubmission_file", "nobody", []),  # an id is not Moodle's number
        ("hoppergrace_18150_7_relu", "nobody", []),
        ("Ada Lovelace_40009_assignsubmission_file", "contradiction", [ADA, KIM]),
        ("winterlee_123_456_relu", "contradiction", [LEE, ADA]),
        ("winterlee_9_456_relu", "contradiction", [LEE]),
        ("Anne-Marie Duval_5_assignsubmission_file", "unsure", [MARIE]),
        ("Grace Hopper_40001_assignsubmission_file", "unsure", [ADA]),
        ("Team 3_40010_assignsubmission_file", "contradiction", [ADA, KIM, LEE]),
        ("ada-lw", "several", [LEE, ADA]),
        ("week2-ada-1", "nobody", []),
        ("week2-", "nobody", []),
    ],
)
def test_who_is_not_sure_is_nobody_and_the_reason_is_a_fact(submission, why, who):
    found = CLASS.match(submission)
    assert (found.students, found.why, found.who) == ((), why, tuple(who))
    assert all(str(each) in found.reason for each in who)


def test_the_longest_login_counts_and_one_inside_of_the_rest_forbids_it():
    def logins(*names):
        return Roster(tuple(Student(name.upper(), logins=(name,)) for name in names))

    long = logins("ada", "l", "ada-l")
    assert str(long.match("week2-ada-l").student) == "ADA-L"
    assert str(long.match("week2-l").student) == "L"
    assert logins("ada", "l").match("week2-ada-l").why == "several"
    assert logins("ada", "2").match("ada-2").why == "several"  # how a second archive of that name is called
    assert Roster((Student("Ada", "ada@x.y"), Student("Bo", id="2"))).match("week2-2").why == "nobody"
    assert str(logins("ada").match("ada").student) == "ADA"


def test_a_login_is_what_stands_before_the_at_only_where_no_login_is_known():
    two = Roster((Student("Ada", "ada@x.y", logins=("al-gh",)), Student("Bo", "bo@x.y", logins=("ada",))))
    assert str(two.match("week2-ada").student) == "Bo"
    assert str(two.match("ada").student) == "Bo"
    assert two.match("week2-bo").why == "nobody"


def test_namesakes_are_told_apart_by_the_hosts_numbers_or_not_at_all():
    one = Student("Kim Lee", "a@x.y", participant="1", canvas="10")
    other = Student("Lee Kim", "b@x.y", participant="2", canvas="20")
    twins = Roster((one, other))
    assert twins.match("Kim Lee_2_assignsubmission_file").students == (other,)
    assert twins.match("Group B-Kim Lee_1_assignsubmission_file").students == (one,)
    assert twins.match("kimlee_20_7_x").students == (other,)
    assert twins.match("Kim Lee_3_assignsubmission_file") == Match(why="several", who=(one, other))


def test_what_the_host_says_of_who_handed_in_outweighs_the_name():
    assert CLASS.match("submission_1", [Student(email="ADA@uni.edu")]).students == (ADA,)
    assert CLASS.match("submission_1", [Student(id="19120"), Student(email="ada@uni.edu")]).students == (KIM, ADA)
    assert CLASS.match("ada", [Student(email="stranger@uni.edu")]).why == "nobody"
    mixed = CLASS.match("submission_1", [Student(email="ada@uni.edu", id="19120")])
    assert (mixed.why, mixed.who) == ("contradiction", (KIM, ADA))
    found = RosterGaps.of(CLASS, {"submission_1": [Student(id="18150")], "Team 3": []})
    assert [each.submissions for each in found.several] == [("Team 3", "submission_1")]


def test_every_member_of_a_team_has_handed_in():
    found = RosterGaps.of(CLASS, {"Team 3": [], "zed": []})
    assert found.without_submission == (LEE.named(), MARIE.named())
    assert [(each.submission, each.why) for each in found.reasons] == [("zed", "nobody")]


ROSTERS = {
    "Canvas's gradebook": (
        ("Student,ID,SIS User ID,SIS Login ID,Section,Week 1 (99)\n,,,,,Manual Posting\n"
        '    Points Possible,,,,,10.00\n"Winter, Ada",123,s1,ada,A,\n"Student, Test",9,,x9,A,\n'),
        Student("Winter, Ada", id="s1", logins=("ada",), canvas="123"),
        {"winterada_123_456_relu": True, "winterada_124_456_relu": False, "week2-ada": True, "x9": False},
    ),
    "Canvas's without the university's numbers": (
        'Student,ID,Section,Week 1 (99)\n    Points Possible,,,10.00\n"Winter, Ada",123,A,\n',
        Student("Winter, Ada", canvas="123"),
        {"winterada_123": True, "winterada_LATE_123_4_relu": True, "winterada_5_4_relu": False},
    ),
    "Moodle's worksheet": (
        ("Identifier,Full name,Email address,Status,Grade,Maximum grade,Grade can be changed,Last modified (submission)\n"
        "Participant 40001,Ada Winter,ada@uni.edu,Submitted,,28,Yes,-\n"),
        Student("Ada Winter", "ada@uni.edu", participant="40001"),
        {"Participant_40001_assignsubmission_file": True, "Participant_40002_assignsubmission_file": False},
    ),
    "Moodle's worksheet in German": (
        ("ID,Vollständiger Name,E-Mail-Adresse,Status,Bewertung,Bestwertung,Bewertung kann geändert werden\n"
        "Teilnehmer/in 40001,Ada Winter,ada@uni.edu,Abgegeben,,28,Nein\n"),
        Student("Ada Winter", "ada@uni.edu", participant="40001"),
        {"Teilnehmerin_40001_assignsubmission_file": True, "40001": False},
    ),
    "Moodle's blind worksheet in Spanish": (
        "Identificador,Estado,Calificación,La calificación puede ser cambiada\nParticipante 40001,Enviado,,Sí\n",
        Student(participant="40001"),
        {"Participante_40001_assignsubmission_file": True},
    ),
    "Moodle's participants": (
        'First name,Last name,Email address,Groups\nAda,Winter,ada@uni.edu,"Team 3, Lab A"\n',
        Student("Ada Winter", "ada@uni.edu"),
        {"Team 3_7_assignsubmission_file": True, "Lab A-Ada Winter_7_assignsubmission_file": True},
    ),
    "Moodle's participants in German": (
        "Vorname;Nachname;E-Mail-Adresse;Gruppen\nAda;Winter;ada@uni.edu;Keine Gruppen\n",
        Student("Ada Winter", "ada@uni.edu"),
        {"Gruppe 1-Ada Winter_7_assignsubmission_file": True, "Keine Gruppen": False},
    ),
    "Moodle's participants in French": (
        "Prénom,Nom de famille,Numéro d\u2019identification,Adresse de courriel,Groupes\nAda,Winter,s1,ada@uni.edu,\n",
        Student("Ada Winter", "ada@uni.edu", "s1"),
        {"s1": True},
    ),
    "Moodle's participants in Spanish": (
        "Nombre,Apellido(s),Número de ID,Dirección de correo,Grupos\nAda,Winter,s1,ada@uni.edu,\n",
        Student("Ada Winter", "ada@uni.edu", "s1"),
        {"Ada Winter_7_assignsubmission_file": True},
    ),
    "Moodle's participants in Portuguese": (
        "Nome,Apelido,Número de identificação (ID),E-mail,Grupos\nAda,Winter,s1,ada@uni.edu,\n",
        Student("Ada Winter", "ada@uni.edu", "s1"),
        {"ada": True},
    ),
    "GitHub Classroom's": (
        "identifier,github_username,github_id,name\ns1,ada-gh,77,Ada Winter\n",
        Student("Ada Winter", id="s1", logins=("ada-gh",)),
        {"week2-ada-gh": True, "ada-gh": True, "s1": True, "77": False, "week2-gh": False},
    ),
    "GitHub Classroom's by address": (
        '"identifier","github_username","github_id","name"\n"ada@uni.edu","ada-gh","77",""\n',
        Student(email="ada@uni.edu", logins=("ada-gh",)),
        {"week2-ada-gh": True, "week2-ada": False},
    ),
    "Classroom 50's": (
        ("username,first_name,last_name,email,section,github_id,role\nada-gh,Ada,Winter,ada@uni.edu,1,7,student\n"
        "boss,Bo,Boss,bo@uni.edu,,8,teacher\nhelp,He,Lp,,,9,TA\nroot,Ro,Ot,,,10,Staff\n"),
        Student("Ada Winter", "ada@uni.edu", logins=("ada-gh",)),
        {"week2-ada-gh": True, "week2-boss": False},
    ),
    "Gradescope's": (
        "First Name,Last Name,SID,Email,Role,Section\nAda,Winter,s1,ada@uni.edu,Student,A\nBo,Ss,,b@uni.edu,Instructor,\n",
        Student("Ada Winter", "ada@uni.edu", "s1"),
        {"s1": True, "b": False},
    ),
    "Brightspace's": (
        ("OrgDefinedId,Username,Last Name,First Name,Week 2 Points Grade <Numeric MaxPoints:28>,End-of-Line Indicator\n"
        "#s1,#ada,Winter,Ada,,#\n"),
        Student("Ada Winter", id="s1", logins=("ada",)),
        {"s1": True, "#s1": False},
    ),
    "Blackboard's": (
        '\ufeff"Last Name"\t"First Name"\t"Username"\t"Student ID"\t"Week 2 [Total Pts: 28 Score] |12345"\n'
        '"Winter"\t"Ada"\t"ada"\t"s1"\t""\n"P"\t"P"\t"ada_previewuser"\t""\t""\n'.encode("utf-16-le"),
        Student("Ada Winter", id="s1", logins=("ada",)),
        {"ada": True, "ada_previewuser": False},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROSTERS)
def test_what_hosts_export_is_a_roster(load, name):
    text, student, submissions = ROSTERS[name]
    roster = load(text)
    assert roster.students == (student,)
    assert {each: roster.match(each).students == (student,) for each in submissions} == submissions


def test_staff_are_no_students_and_what_is_theirs_is_said(load):
    roster = load(ROSTERS["Classroom 50's"][0])
    assert [str(each) for each in roster.staff] == ["Bo Boss", "He Lp", "Ro Ot"]
    found = roster.match("week2-boss")
    assert (found.students, found.why, found.reason) == ((), "staff", "it is of the staff: Bo Boss")
    assert not load('email,role\na@x.y,\nb@x.y,Auditor\nc@x.y,"Teacher, Student"\n').staff


def test_a_student_in_two_sections_is_one(load):
    roster = load(
        'name,email,id,section,group\nAda Winter,ada@x.y,s1,A,Team 1\n"Winter, Ada",ADA@x.y,,B,Team 2\nAda W.,ada@x.y,s1,A,\n'
        "Bo,bo@x.y,s2,A,Team 1\n"
    )
    assert [(str(each), each.id, each.sections, each.groups) for each in roster.students] == [
        ("Ada Winter", "s1", ("A", "B"), ("Team 1", "Team 2")),
        ("Bo", "s2", ("A",), ("Team 1",)),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,email,id\nWinter, Ada,ada@x.y,s1\n", ("row 2", "4 cells, and the header has 3", "quotes around")),
        ('name,email\n"a\nb",x@y.z\nWinter, Ada,ada@x.y\n', ("row 3",)),
        ("name,email,id\nWinter, Ada,ada@x.y,\n", ("row 2", "Ada stands where the address should", "quotes around")),
        ("name,email,id\nAda,a@x.y,1\nAda,a@x.y,2\n", ("rows 2 and 3", "same email, a@x.y")),
        ("name,email,id\nAda,a@x.y,1\nBo,b@x.y,2\nAda,a@x.y,2\n", ("rows 3 and 4", "same id, 2")),
        ("name,email,id\nAda,a@x.y,\nAda,,2\nAda,a@x.y,2\n", ("rows 2 and 4", "same email, a@x.y")),
        ("name,username\nAda,gh\nBo,GH\n", ("rows 2 and 3", "same login, GH")),
        ("id,submission\n1,team\n2,TEAM\n", ("same submission", "a column 'team'")),
        ("email,role\na@x.y,staff\n", ("names no student",)),
        ("First name,Email address,Email\nA,a@x.y,b@x.y\n", ("row 1", "'Email address' and 'Email'")),
        (b"PK\x03\x04", ("is a spreadsheet",)),
        (" \n", ("is empty",)),
        ("\nsep=;\r\n", ("is empty",)),
    ],
)
def test_contradictions_and_shifted_rows_are_refused_with_their_rows(load, text, words):
    with pytest.raises(GradcheckError) as told:
        load(text)
    for each in ("roster.csv", *words):
        assert each in str(told.value)


@pytest.mark.parametrize(
    "text",
    [
        "\n\nname,email\nAda,a@x.y\n",
        "sep=;\r\nname;email\r\nAda;a@x.y\r\n",
        "\ufeffNAME , EMAIL ,\r\nAda,a@x.y,\r\n",
        "email,name,note\na@x.y,Ada\n",
        "\ufeffname\temail\nAda\ta@x.y\n".encode("utf-16-le"),
    ],
)
def test_tables_as_people_write_them_are_read(load, text):
    assert load(text).students == (Student("Ada", "a@x.y"),)


def test_a_name_that_looks_like_a_formula_is_a_name(load):
    assert str(load("name,email\n=cmd|'/c calc'!A1,a@x.y\n").students[0]) == "=cmd|'/c calc'!A1"


def test_twenty_thousand_rows_of_one_name_are_read_and_matched(load):
    roster = load("name,email\n" + "".join(f"Kim Lee,s{n}@x.y\n" for n in range(20_000)))
    assert roster.match("s19999").student == roster.students[-1]
    assert len(roster.match("Kim Lee_1_assignsubmission_file").who) == 20_000
    assert len(roster.match("Kim Lee_1_assignsubmission_file").reason) < 200


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("Sunday, 4 October 2026, 11:59 PM", "2026-10-04T23:59:00+02:00"),
        ("Sunday, 4 October 2026, 12:05\u202fAM", "2026-10-04T00:05:00+02:00"),
        ("Sunday, October 4, 2026, 9:05 a.m.", "2026-10-04T09:05:00+02:00"),
        ("Sonntag, 4. Oktober 2026, 23:59", "2026-10-04T23:59:00+02:00"),
        ("Mittwoch, 3. März 2027, 08:00", "2027-03-03T08:00:00+01:00"),
        ("dimanche 4 octobre 2026, 23:59", "2026-10-04T23:59:00+02:00"),
        ("mardi 2 février 2027, 07:30", "2027-02-02T07:30:00+01:00"),
        ("domingo, 4 de octubre de 2026, 23:59", "2026-10-04T23:59:00+02:00"),
        ("Domingo, 4 de outubro de 2026 às 23:59", "2026-10-04T23:59:00+02:00"),
        ("2026-10-04 23:59:30", "2026-10-04T23:59:30+02:00"),
        ("2026-10-04T23:59:30Z", "2026-10-04T23:59:30+00:00"),
        ("Sunday, 25 October 2026, 2:30 AM", "2026-10-25T02:30:00+02:00"),  # the first of the two
        ("-", ""),
        ("yesterday", ""),
        ("Sunday, 41 October 2026, 11:59 PM", ""),
        ("4 October 2026, 13:59 PM", ""),
        ("4 October May 2026, 11:59", ""),
    ],
)
def test_times_in_words_are_placed_by_the_courses_zone(text, iso):
    assert with_offset(text, BERLIN) == iso
    found = read_time(text)
    assert with_offset(text, None) == (iso if found and found.tzinfo else "")


@pytest.mark.parametrize(
    "column",
    [
        "submitted", "Last modified (submission)", "Zuletzt geändert (Abgabe)", "Dernière modification (travail remis)",
        "ÚLTIMA MODIFICACIÓN (ENTREGA)", "Última atualização (submissão)",
    ],
)  # fmt: skip
def test_when_work_was_handed_in_comes_from_the_table(load, column):
    text = f'email,{column}\na@x.y,"Sunday, 4 October 2026, 11:59 PM"\nb@x.y,-\nc@x.y,2026-10-04T23:59:00+05:00\n'
    placed = load(text, UTC)
    assert [each.submitted for each in placed.students] == [
        "2026-10-04T23:59:00+00:00", "", "2026-10-04T23:59:00+05:00",
    ]  # fmt: skip
    assert placed.unread_times == ()
    unplaced = load(text)
    assert [bool(each.submitted) for each in unplaced.students] == [False, False, True]
    assert unplaced.unread_times == ("Sunday, 4 October 2026, 11:59 PM",)


def test_a_participants_number_is_only_that():
    assert participant_number(" Teilnehmer/in  12 ") == "12"
    assert [participant_number(each) for each in ("12", "Ada 12", "Participant", "")] == [""] * 4


def test_in_a_class_what_repositories_begin_with_shows_that_a_name_is_longer():
    marie, ada = (Student(name, logins=(name.lower(),)) for name in ("Marie", "Ada"))
    alone = Roster((marie, ada))
    some = alone.among(["week2-anne-marie", "week2-ada", "week2-zoe", "notes"])
    assert some.match("week2-ada").students == (ada,)
    assert some.match("-ada").students == (ada,)
    assert (some.match("week2-anne-marie").why, some.match("week2-anne-marie").who) == ("unsure", (marie,))
    longer = Roster((marie, Student("Anne-Marie", logins=("anne-marie",)))).among(["week2-anne-marie", "week2-marie"])
    assert [str(longer.match(f"week2-{name}").student) for name in ("anne-marie", "marie")] == ["Anne-Marie", "Marie"]
    none = alone.among(["duval-marie", "lovelace-ada", "king-zoe"])
    assert [none.match(name).why for name in ("duval-marie", "lovelace-ada")] == ["unsure", "unsure"]
    assert alone.among(["week2-ada"]).match("week2-ada").students == (ada,)
