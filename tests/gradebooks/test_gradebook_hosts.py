"""Gradebooks of every host and language: what is filled, what takes no points, what is locked, what it is out of."""

from __future__ import annotations

import pytest

from gradcheck.errors import GradcheckError
from gradcheck.gradebooks.fill import fill
from tests.reports.class_data import row
from tests.reports.plain_reports import grades_of

ADA = row("ada", 17.25, ("Ada Winter", "ada@x.org", "s1"))
BEN = row("ben", 8.0, ("Ben Okafor", "ben@x.org", "s2"))


def filled(text, column, *rows, **options):
    content = text if isinstance(text, bytes) else text.encode("utf-8")
    return fill(content, column, [each for one in rows for each in grades_of(one)], file="book.csv", **options)


WORKSHEETS = {
    "English": "Identifier,Full name,Email address,Status,Grade,Maximum grade,Grade can be changed|Participant|Yes|No",
    "German": "ID,Vollständiger Name,E-Mail-Adresse,Status,Bewertung,Bestwertung,Bewertung kann geändert werden"
    "|Teilnehmer/in|Ja|Nein",
    "French": "Identifiant,Nom complet,Adresse de courriel,Statut,Note,Note maximale,La note peut être modifiée"
    "|Participant|Oui|Non",
    "Spanish": "Identificador,Nombre completo,Dirección de correo,Estado,Calificación,Calificación máxima,"
    "La calificación puede ser cambiada|Participante|Sí|No",
    "Portuguese": "Identificador,Nome completo,E-mail,Estado,Avaliação,Nota máxima,A nota pode ser alterada."
    "|Participante|Sim|Não",
    "Brazilian": "Identificador,Nome completo,Endereço de email,Status,Nota,Nota máxima,A nota pode ser alterada"
    "|Participante|Sim|Não",
}  # fmt: skip


@pytest.mark.parametrize("language", WORKSHEETS)
def test_moodles_worksheet_in_its_languages(language):
    header, participant, yes, no = WORKSHEETS[language].split("|")
    text = (
        f"{header}\n{participant} 1,Ada Winter,ada@x.org,x,,20.00,{yes}\n"
        f"{participant} 2,Ben Okafor,ben@x.org,x,,20.00,{no}\n"
    )
    result = filled(text, header.split(",")[4], ADA, BEN, max_score=28.0)
    assert result.content.decode() == text.replace(f"x,,20.00,{yes}", f"x,17.25,20.00,{yes}")
    assert result.kept == ["Ben Okafor, line 3 (ben) may not be changed, says Moodle: 8 is not entered"]
    assert result.notes == ["note: this column is out of 20 points, the class is graded out of 28; nothing is rescaled"]
    with pytest.raises(GradcheckError, match="takes no points"):
        filled(text, header.split(",")[5], ADA)


EXPORTS = {
    "English": "First name,Last name,ID number,Email address|Real|Percentage|Letter|Last downloaded from this course",
    "German": "Vorname,Nachname,ID-Nummer,E-Mail-Adresse|Punkte|Prozentsatz|Note|Zuletzt aus diesem Kurs geladen",
    "French": "Prénom,Nom de famille,Numéro d\u2019identification,Adresse de courriel|Brut|Pourcentage|Lettre"
    "|Dernier téléchargement depuis ce cours",
    "Spanish": "Nombre,Apellido(s),Número de ID,Dirección de correo|Real|Porcentaje|Letra|Última descarga de este curso",
    "Portuguese": "Nome,Apelido,Número de identificação (ID),E-mail|Real|Percentagem|Nota alfabética"
    "|Última exportação desta disciplina",
}  # fmt: skip


@pytest.mark.parametrize("language", EXPORTS)
def test_moodles_gradebook_in_its_languages(language):
    who, real, percentage, letter, last = EXPORTS[language].split("|")
    text = (
        f"{who},X: Week 2 ({real}),X: Week 2 ({percentage}),X: Week 2 ({letter}),{last}\n"
        "Ada,Winter,s1,ada@x.org,-,-,-,1\n"
    )
    result = filled(text, "Week 2", row("a", 17.25, ("", "", "s1")))
    assert (result.column, result.kind) == (f"X: Week 2 ({real})", "moodle")
    assert result.content.decode() == text.replace("ada@x.org,-", "ada@x.org,17.25")
    by_address = filled(text, "Week 2", row("a", 1.0, ("", "ADA@x.org", "")))
    by_name = filled(text, "Week 2", row("a", 1.0, ("Ada Winter", "", "")))
    assert [len(each.entered) for each in (by_address, by_name)] == [1, 1]
    for column in (f"X: Week 2 ({percentage})", f"X: Week 2 ({letter})", last):
        with pytest.raises(GradcheckError, match="takes no points"):
            filled(text, column, ADA)


BRIGHTSPACE = (
    "OrgDefinedId,Username,Last Name,First Name,Week 2 Points Grade <Numeric MaxPoints:28 Weight:10 Category:HW>,"
    "Week 2 Scheme Symbol,Calculated Final Grade Numerator,End-of-Line Indicator\r\n"
    "#s1,#ada,Winter,Ada,,,12,#\r\n#s2,#ben,Okafor,Ben,,,12,#\r\n"
)
BLACKBOARD = (
    '"Last Name"\t"First Name"\t"Username"\t"Student ID"\t"Last Access"\t"Availability"'
    '\t"Week 2 [Total Pts: 28 Score] |12345"\t"Week 2 [Total Pts: 28 Percentage] |12346"'
    '\t"Total [Total Pts: up to 60 Score] |99"\r\n'
    '"Winter"\t"Ada"\t"ada"\t"s1"\t"x"\t"Yes"\t""\t""\t"1"\r\n'
    '"P"\t"P"\t"ada_previewuser"\t""\t"x"\t"Yes"\t""\t""\t""\r\n'
)


def test_brightspace():
    result = filled(BRIGHTSPACE, "week  2", ADA, BEN, max_score=28.0)
    assert (result.kind, result.notes) == ("brightspace", [])
    assert result.content.decode() == BRIGHTSPACE.replace("Ada,,", "Ada,17.25,").replace("Ben,,", "Ben,8,")
    assert "out of 28 points" in filled(BRIGHTSPACE, "Week 2", ADA, max_score=30.0).notes[0]
    by_login = filled(BRIGHTSPACE, "Week 2", row("ada", 3.0))
    assert by_login.entered == ["Ada Winter, line 2 (ada)"]
    for column in ("Week 2 Scheme Symbol", "Calculated Final Grade Numerator", "End-of-Line Indicator"):
        with pytest.raises(GradcheckError, match=r"takes no points; there are: 'Week 2 Points Grade <.*>'$"):
            filled(BRIGHTSPACE, column, ADA)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8"])
def test_blackboard(encoding):
    content = ("\ufeff" + BLACKBOARD).encode(encoding)
    result = filled(content, "Week 2", ADA, max_score=28.0)
    assert (result.kind, result.notes, result.matching.without) == ("blackboard", [], ())
    assert result.content == ("\ufeff" + BLACKBOARD.replace('"Yes"\t""', '"Yes"\t"17.25"', 1)).encode(encoding)
    for column in ("Total [Total Pts: up to 60 Score] |99", "Week 2 [Total Pts: 28 Percentage] |12346", "Availability"):
        with pytest.raises(GradcheckError, match="takes no points"):
            filled(content, column, ADA)


def test_headers_differ_in_case_and_spaces_only():
    text = "  IDENTIFIER , email  ADDRESS,GRADE\nParticipant 1,ada@x.org,\n"
    assert filled(text, "grade", ADA).content.decode() == text.replace("org,", "org,17.25")
    canvas = 'STUDENT,id,sis user ID,section,WEEK 2 (9)\n"Winter, Ada",1,s1,A,\n'
    result = filled(canvas, "Week 2", ADA)
    assert (result.kind, len(result.entered)) == ("canvas", 1)


def test_every_member_of_a_team_gets_the_grade():
    team = {**row("team-3", 20.0, ("Ada Winter", "", "s1")), "students": [
        {"name": "Ada Winter", "email": "", "id": "s1"}, {"name": "Ben Okafor", "email": "ben@x.org", "id": ""},
    ]}  # fmt: skip
    text = "ID number,Email address,Grade\ns1,,\ns2,ben@x.org,\n"
    result = filled(text, "Grade", team)
    assert result.content.decode() == text.replace("s1,,", "s1,,20").replace("x.org,", "x.org,20")
    assert result.complete


def test_a_hosts_own_number_is_enough_and_is_nobody_elses_id():
    blind = {**row("p", 5.0, ("", "", "")), "students": [
        {"name": "", "email": "", "id": "", "logins": ["participant 40001"]},
    ]}  # fmt: skip
    text = "Identifier,Status,Grade,Grade can be changed\nParticipant 40001,x,,Yes\nParticipant 40002,x,,Yes\n"
    assert filled(text, "Grade", blind).entered == ["Participant 40001, line 2 (p)"]
    with pytest.raises(GradcheckError, match="nothing was written"):
        filled(text, "Grade", row("p", 5.0, ("", "", "40001")))


def test_where_everything_fits_twice_that_is_said():
    twice = "ID number,Email address,Grade\ns1,a@x.org,\ns1,b@x.org,\n"
    with pytest.raises(GradcheckError, match=r"nothing was written; each fits twice: ada: lines 2 and 3 have the same"):
        filled(twice, "Grade", ADA)
    with pytest.raises(GradcheckError, match=r"none of the 2 submissions .* 1 fit twice: ada: lines 2 and 3"):
        filled(twice, "Grade", ADA, BEN)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ID number,ID number,Grade\ns1,s2,\n", "two columns 'ID number'"),
        ("Email address,Full name,Grade\nada@x.org,Winter, Ada,3\n", "line 2: 4 cells, and the header has 3"),
        ("Email address,Grade,Feedback comments\nada@x.org\n", "line 2: 1 cell, and the header has 3"),
        ("Email address,Grade,Grade\nada@x.org,,\n", "several columns"),
    ],
)
def test_what_could_shift_a_grade_is_refused(text, message):
    with pytest.raises(GradcheckError, match=message):
        filled(text, "Grade", ADA)


def test_a_name_that_looks_like_a_formula_stays_as_it_is():
    text = "Full name,Email address,Grade\n=cmd|' /C calc'!A0,ada@x.org,\n"
    assert filled(text, "Grade", ADA).content.decode() == text.replace("org,", "org,17.25")
