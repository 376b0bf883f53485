"""What the columns mean of a table that says who is who: rosters, participants, gradebooks and worksheets, as people
write them and as Moodle (in five languages), Canvas, Brightspace, Blackboard, Gradescope and GitHub Classroom do.

Moodle's words are those of its language packs (mod_assign, core, core_grades), old ones included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from gradcheck.classes.raw_csv import CsvLine, Sheet
from gradcheck.submissions.roster import comparable, comparable_name, participant_number

Host = Literal["canvas", "moodle", "brightspace", "blackboard"]
Meaning = Literal[
    "name", "first", "last", "email", "id", "integration", "login", "identifier", "canvas", "group", "section", "role",
    "submission", "submitted", "grade", "maximum", "changeable", "other",
]  # fmt: skip
"""`identifier` is what one host calls a person, `Participant 12` or what a roster for GitHub says; `canvas` is Canvas's
own number; `other` a host's column about a person that says nothing here, and takes no points.
"""

_MOODLE: Mapping[Meaning, tuple[str, ...]] = {
    "first": ("First name", "Vorname", "Prénom", "Nombre", "Nome", "Nome próprio"),
    "last": (
        "Last name", "Surname", "Nachname", "Nom de famille", "Nom", "Apellido(s)", "Apellidos", "Apellido", "Apelido",
        "Sobrenome",
    ),
    "name": (
        "Full name", "User full name", "Vollständiger Name", "Nom complet", "Nom complet de l'utilisateur",
        "Nombre completo", "Nombre completo del usuario", "Nome completo", "Nome completo do utilizador",
    ),
    "email": (
        "Email address", "E-Mail-Adresse", "Adresse de courriel", "Adresse courriel", "Dirección de correo",
        "Dirección de correo electrónico", "Dirección Email", "Correo electrónico", "E-mail", "Endereço de e-mail",
        "Endereço de email",
    ),
    "id": (
        "ID number", "ID-Nummer", "Matrikelnummer", "Numéro d'identification", "Número de ID", "Número ID",
        "Número de identificação (ID)", "Número de identificação",
    ),
    "login": (
        "Username", "Anmeldename", "Nom d'utilisateur", "Nombre de usuario", "Nome de utilizador", "Nome de usuário",
        "Identificação de usuário",
    ),
    "identifier": ("Identifier", "Identifiant", "Identificador"),
    "group": ("Group", "Groups", "Gruppe", "Gruppen", "Groupe", "Groupes", "Grupo", "Grupos"),
    "role": ("Role", "Roles", "Rolle", "Rollen", "Rôle", "Rôles", "Rol", "Papel", "Papéis", "Papéis atribuídos"),
    "submitted": (
        "Last modified (submission)", "Zuletzt geändert (Abgabe)", "Dernière modification (travail remis)",
        "Última modificación (entrega)", "Última atualização (submissão)", "Última modificação (envio)",
        "Última modificação (submissão)",
    ),
    "grade": ("Grade", "Bewertung", "Note", "Calificación", "Avaliação", "Nota"),
    "maximum": ("Maximum grade", "Bestwertung", "Note maximale", "Calificación máxima", "Nota máxima"),
    "changeable": (
        "Grade can be changed", "Bewertung kann geändert werden", "La note peut être modifiée",
        "La calificación puede ser cambiada", "A nota pode ser alterada",
    ),
    "other": (
        "Institution", "Department", "Participant", "Last downloaded from this course", "Suspended", "Status",
        "Last modified (grade)", "Feedback comments", "Online text", "Marking workflow state", "Last access",
        "Last access to course", "Scale", "Abteilung", "Teilnehmer/in", "Zuletzt aus diesem Kurs geladen", "gesperrt",
        "Zuletzt geändert (Bewertung)", "Feedback als Kommentar", "Texteingabe online",
        "Status des Bewertungsworkflows", "Letzter Zugriff", "Letzter Zugriff im Kurs", "Bewertungsskala",
        "Département", "Dernier téléchargement depuis ce cours", "Suspendu", "Statut", "Dernière modification (note)",
        "Feedback par commentaires", "Remise de textes en ligne", "Statut du flux d'évaluation", "Dernier accès",
        "Dernier accès au cours", "Barème", "Institución", "Departamento", "Participante",
        "Última descarga de este curso", "Suspendido", "Estado", "Última modificación (calificación)",
        "Comentarios de retroalimentación", "Entregas de texto en línea",
        "Estado del workflow (flujo de trabajo) de calificaciones", "Último acceso", "Último acceso al curso", "Escala",
        "Instituição", "Última exportação desta disciplina", "Suspenso", "Última atualização (avaliação)",
        "Última modificação (nota)", "Comentários de feedback", "Submissões de texto online",
        "Estado do processo de avaliação", "Estado do fluxo de avaliação",
    ),
}  # fmt: skip
"""English, German, French, Spanish, Portuguese, one after the other."""
_OTHERS: Mapping[Meaning, tuple[str, ...]] = {
    "name": ("Name", "Student", "Student name"),
    "first": ("FirstName",),
    "last": ("LastName",),
    "email": ("Email", "Mail"),
    "id": ("ID", "Student ID", "SIS User ID", "SID", "OrgDefinedId"),
    "integration": ("Integration ID",),
    "login": ("GitHub username", "SIS Login ID", "Login"),
    "identifier": ("Roster identifier",),
    "group": ("Team", "Team name", "Group name"),
    "section": ("Section", "Sections"),
    "submission": ("Submission", "Folder"),
    "submitted": ("Submitted",),
    "other": ("Root Account", "GitHub ID", "End-of-Line Indicator", "Availability", "Child Course ID"),
}  # fmt: skip

NOT_CHANGEABLE = ("no", "nein", "non", "não")
NO_POINTS = (
    "percentage", "letter", "feedback", "prozentsatz", "prozent", "note", "pourcentage", "lettre", "porcentaje",
    "letra", "retroalimentación", "percentagem", "porcentagem", "percentual", "nota alfabética", "conceito",
    "comentários",
)  # fmt: skip
"""In brackets at the end of a column of Moodle's gradebook: another way of showing a grade, or words about it."""
_NO_GROUP = ("no groups", "no group", "keine gruppen", "keine gruppe", "aucun groupe", "sin grupo", "sem grupo")
_STUDENTS = (
    "student", "students", "learner", "teilnehmer/in", "étudiant", "étudiante", "estudiante", "aluno", "estudante",
)  # fmt: skip
_STAFF = (
    "staff", "teacher", "non-editing teacher", "ta", "teaching assistant", "head ta", "instructor", "professor",
    "lecturer", "tutor", "grader", "reader", "owner", "admin", "manager", "course creator", "course admin", "designer",
    "trainer/in", "trainer/in ohne bearbeitungsrecht", "manager/in", "enseignant", "enseignant non éditeur",
    "gestionnaire", "profesor", "profesor sin permiso de edición", "gestor", "professor não editor", "docente",
    "observer", "mentor",
)  # fmt: skip
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CANVAS_POSTING = re.compile(r"\s*(Muted|Manual Posting.*)?\s*", re.IGNORECASE)
_CANVAS_POINTS = re.compile(r"\s*Points Possible\s*", re.IGNORECASE)
_CANVAS_COLUMN = re.compile(r"\(\d+\)$")
_BLACKBOARD_COLUMN = re.compile(r"\[Total Pts: .*\]\s*\|\d+$", re.IGNORECASE)


def header_key(cell: str) -> str:
    """A column's name as it is compared: `github_username` is `GitHub username`."""
    return comparable(cell.replace("\u2019", "'").replace("_", " ")).rstrip(" .:")


_MEANINGS: Mapping[str, Meaning] = {
    header_key(name): meaning for words in (_MOODLE, _OTHERS) for meaning, names in words.items() for name in names
}
_TELLING: tuple[Meaning, ...] = ("id", "email", "name", "changeable", "submitted")
MOODLES_OWN = frozenset(header_key(name) for meaning in _TELLING for name in _MOODLE[meaning])
"""Names of columns by which a table is known as Moodle's."""


def meaning_of(name: str) -> Meaning | None:
    """What a column of that name is, whosever file it is in."""
    return _MEANINGS.get(header_key(name))


@dataclass(frozen=True)
class Columns:
    """Whose file it is, if a host's, and where each meaning's columns are, in the file's order."""

    host: Host | None
    where: Mapping[Meaning, tuple[int, ...]]

    def all(self, line: CsvLine, meaning: Meaning) -> tuple[str, ...]:
        """What a line says under every column of that meaning; empty cells left out."""
        found = (line.value(at).strip() for at in self.where.get(meaning, ()))
        if self.host == "brightspace":  # which keeps numbers from being taken for numbers
            found = (cell.removeprefix("#") for cell in found)
        return tuple(filter(None, found))

    def one(self, line: CsvLine, meaning: Meaning) -> str:
        return next(iter(self.all(line, meaning)), "")

    def name(self, line: CsvLine) -> str:
        """The person's, as the file has it: whole, or first and last name together."""
        shown = self.one(line, "name")
        if not shown:
            first, last = self.one(line, "first"), self.one(line, "last")
            shown = ", ".join(filter(None, (last, first))) if self.host == "canvas" else f"{first} {last}".strip()
        guarded = re.fullmatch(r'="(.*)"', shown)  # how Canvas keeps a name from being a formula
        return guarded[1] if guarded else shown

    def people(self, sheet: Sheet) -> Iterator[CsvLine]:
        """The lines that are somebody's: neither empty, nor about the columns, nor the student whom a host made up."""
        others = (self.points_possible, self._about_columns, self._made_up)
        return (line for line in sheet.lines[1:] if not line.blank and not any(each(line) for each in others))

    def points_possible(self, line: CsvLine) -> bool:
        """Whether it is Canvas's line of what every assignment is out of."""
        return self.host == "canvas" and _CANVAS_POINTS.fullmatch(line.value(0)) is not None

    def _about_columns(self, line: CsvLine) -> bool:
        cells = (line.value(at) for at in range(len(line.cells)))
        return self.host == "canvas" and all(map(_CANVAS_POSTING.fullmatch, cells))

    def _made_up(self, line: CsvLine) -> bool:
        if self.host == "blackboard":
            return self.one(line, "login").lower().endswith("_previewuser")
        nameless = self.host == "canvas" and not self.one(line, "id")
        return nameless and comparable_name(self.name(line)) in ("test student", "student test")


def columns_of(sheet: Sheet, host: Host | None = None) -> Columns:
    """The columns of a file, as `host` has them; whose it is, is guessed where that is None."""
    keys = [header_key(cell) for cell in sheet.header]
    host = host or _guess(sheet, keys)
    where: dict[Meaning, tuple[int, ...]] = {}
    for at, key in enumerate(keys):
        meaning = _MEANINGS.get(key)
        if meaning == "id" and key == "id":
            of_participants = _all_are(participant_number, sheet, at)
            meaning = "canvas" if host == "canvas" else "identifier" if of_participants else "id"
        if meaning:
            where[meaning] = (*where.get(meaning, ()), at)
    if "email" not in where and host not in ("canvas", "blackboard"):
        # In any other language addresses are known by what they are.
        others = (at for at, key in enumerate(keys) if key not in _MEANINGS)
        where["email"] = tuple(at for at in others if _all_are(_EMAIL.fullmatch, sheet, at))
    return Columns(host, {meaning: found for meaning, found in where.items() if found})


def _guess(sheet: Sheet, keys: list[str]) -> Host | None:
    if {"orgdefinedid", "end-of-line indicator"} & set(keys):
        return "brightspace"
    if any(_BLACKBOARD_COLUMN.search(cell) for cell in sheet.header) or {"availability", "username"} <= set(keys):
        return "blackboard"
    if "id" in keys and "section" in keys and {"student", "lastname"} & set(keys):
        named = {"sis user id", "sis login id", "root account"} & set(keys)
        named |= set(filter(_CANVAS_COLUMN.search, keys))
        if named or any(_CANVAS_POINTS.fullmatch(line.value(0)) for line in sheet.lines[1:4]):
            return "canvas"
    if MOODLES_OWN & set(keys) or any(_all_are(_EMAIL.fullmatch, sheet, at) for at in range(len(keys))):
        return "moodle"
    return None


def _all_are(test: Callable[[str], object], sheet: Sheet, at: int) -> bool:
    """Whether every cell of a column that is filled passes, and one is."""
    filled = [cell for line in sheet.lines[1:] if (cell := line.value(at).strip())]
    return bool(filled) and all(map(test, filled))


def is_staff(roles: tuple[str, ...]) -> bool:
    """Whether somebody is only staff. Who is a student as well is a student, and so is who has a role unheard of."""
    held = {header_key(role) for cell in roles for role in re.split(r"[,;]", cell)} - {""}
    return bool(held & set(_STAFF)) and not held & set(_STUDENTS)


def groups_in(cells: tuple[str, ...]) -> tuple[str, ...]:
    """The groups that a cell names; Moodle separates them by commas."""
    found = (each.strip() for cell in cells for each in re.split(r"[,;]", cell))
    return tuple(dict.fromkeys(each for each in found if each and comparable(each) not in _NO_GROUP))
