"""What the columns mean of a table that says who is who: rosters, participants, gradebooks and worksheets, as people
write them and as Moodle (in five languages), Canvas, Brightspace, Blackboard, Gradescope and GitHub Classroom do.

Moodle's words are those of its language packs (mod_assign, core, core_grades), old ones included.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from gradcheck.submissions.raw_csv import CsvLine, Sheet

Host = Literal["canvas", "moodle", "brightspace", "blackboard"]
Meaning = Literal[
    "name", "first", "last", "email", "id", "integration", "login", "identifier", "canvas", "group", "section", "role",
    "submission", "submitted", "grade", "maximum", "changeable", "other",
]  # fmt: skip
"""`identifier` is what one host calls a person, `Participant 12` or what a roster for GitHub says; `canvas` is Canvas's
own number; `other` a host's column about a person that says nothing here, and takes no points.
"""

_MOODLE: Mapping[str, Mapping[Meaning, tuple[str, ...]]] = {
    "English": {
        "first": ("First name",),
        "last": ("Last name", "Surname"),
        "name": ("Full name", "User full name"),
        "email": ("Email address",),
        "id": ("ID number",),
        "login": ("Username",),
        "identifier": ("Identifier",),
        "group": ("Group", "Groups"),
        "role": ("Role", "Roles"),
        "submitted": ("Last modified (submission)",),
        "grade": ("Grade",),
        "maximum": ("Maximum grade",),
        "changeable": ("Grade can be changed",),
        "other": (
            "Institution", "Department", "Participant", "Last downloaded from this course", "Suspended", "Status",
            "Last modified (grade)", "Feedback comments", "Online text", "Marking workflow state", "Last access",
            "Last access to course", "Scale",
        ),
    },
    "German": {
        "first": ("Vorname",),
        "last": ("Nachname",),
        "name": ("Vollständiger Name",),
        "email": ("E-Mail-Adresse",),
        "id": ("ID-Nummer", "Matrikelnummer"),
        "login": ("Anmeldename",),
        "group": ("Gruppe", "Gruppen"),
        "role": ("Rolle", "Rollen"),
        "submitted": ("Zuletzt geändert (Abgabe)",),
        "grade": ("Bewertung",),
        "maximum": ("Bestwertung",),
        "changeable": ("Bewertung kann geändert werden",),
        "other": (
            "Abteilung", "Teilnehmer/in", "Zuletzt aus diesem Kurs geladen", "gesperrt", "Zuletzt geändert (Bewertung)",
            "Feedback als Kommentar", "Texteingabe online", "Status des Bewertungsworkflows", "Letzter Zugriff",
            "Letzter Zugriff im Kurs", "Bewertungsskala",
        ),
    },
    "French": {
        "first": ("Prénom",),
        "last": ("Nom de famille", "Nom"),
        "name": ("Nom complet", "Nom complet de l'utilisateur"),
        "email": ("Adresse de courriel", "Adresse courriel"),
        "id": ("Numéro d'identification",),
        "login": ("Nom d'utilisateur",),
        "identifier": ("Identifiant",),
        "group": ("Groupe", "Groupes"),
        "role": ("Rôle", "Rôles"),
        "submitted": ("Dernière modification (travail remis)",),
        "grade": ("Note",),
        "maximum": ("Note maximale",),
        "changeable": ("La note peut être modifiée",),
        "other": (
            "Département", "Dernier téléchargement depuis ce cours", "Suspendu", "Statut",
            "Dernière modification (note)", "Feedback par commentaires", "Remise de textes en ligne",
            "Statut du flux d'évaluation", "Dernier accès", "Dernier accès au cours", "Barème",
        ),
    },
    "Spanish": {
        "first": ("Nombre",),
        "last": ("Apellido(s)", "Apellidos", "Apellido"),
        "name": ("Nombre completo", "Nombre completo del usuario"),
        "email": ("Dirección de correo", "Dirección de correo electrónico", "Dirección Email", "Correo electrónico"),
        "id": ("Número de ID", "Número ID"),
        "login": ("Nombre de usuario",),
        "identifier": ("Identificador",),
        "group": ("Grupo", "Grupos"),
        "role": ("Rol", "Roles"),
        "submitted": ("Última modificación (entrega)",),
        "grade": ("Calificación",),
        "maximum": ("Calificación máxima",),
        "changeable": ("La calificación puede ser cambiada",),
        "other": (
            "Institución", "Departamento", "Participante", "Última descarga de este curso", "Suspendido", "Estado",
            "Última modificación (calificación)", "Comentarios de retroalimentación", "Entregas de texto en línea",
            "Estado del workflow (flujo de trabajo) de calificaciones", "Último acceso", "Último acceso al curso",
            "Escala",
        ),
    },
    "Portuguese": {
        "first": ("Nome", "Nome próprio"),
        "last": ("Apelido", "Sobrenome"),
        "name": ("Nome completo", "Nome completo do utilizador"),
        "email": ("E-mail", "Endereço de e-mail", "Endereço de email"),
        "id": ("Número de identificação (ID)", "Número de identificação"),
        "login": ("Nome de utilizador", "Nome de usuário", "Identificação de usuário"),
        "role": ("Papel", "Papéis", "Papéis atribuídos"),
        "submitted": ("Última atualização (submissão)", "Última modificação (envio)", "Última modificação (submissão)"),
        "grade": ("Avaliação", "Nota"),
        "maximum": ("Nota máxima",),
        "changeable": ("A nota pode ser alterada",),
        "other": (
            "Instituição", "Última exportação desta disciplina", "Suspenso", "Última atualização (avaliação)",
            "Última modificação (nota)", "Comentários de feedback", "Submissões de texto online",
            "Estado do processo de avaliação", "Estado do fluxo de avaliação",
        ),
    },
}  # fmt: skip
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
    "other": (
        "Root Account", "GitHub ID", "End-of-Line Indicator", "Availability", "Child Course ID",
    ),
}  # fmt: skip

NOT_CHANGEABLE = ("no", "nein", "non", "não")
PARTICIPANTS = ("participant", "teilnehmer/in", "participante", "teilnehmerin", "teilnehmer")
"""What Moodle calls a person whose name it hides, in a worksheet and, without the stroke, in a file's name."""
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


def comparable(text: str) -> str:
    """An id, an e-mail address or a login as it is compared: capitals and the width of letters do not count."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def comparable_name(text: str) -> str:
    """The same of a name: `Lovelace, Ada` is `ada lovelace`."""
    last, comma, first = text.partition(",")
    return comparable(f"{first} {last}" if comma and "," not in first else text)


def header_key(cell: str) -> str:
    """A column's name as it is compared: `github_username` is `GitHub username`."""
    return comparable(cell.replace("\u2019", "'").replace("_", " ")).rstrip(" .:")


def _table() -> dict[str, Meaning]:
    found: dict[str, Meaning] = {}
    for words in (_OTHERS, *_MOODLE.values()):
        for meaning, names in words.items():
            for name in names:
                found.setdefault(header_key(name), meaning)
    return found


_MEANINGS = _table()
MOODLES_OWN = frozenset(
    header_key(name)
    for words in _MOODLE.values()
    for meaning, names in words.items()
    for name in names
    if meaning in {"id", "email", "name", "changeable", "submitted"}
)
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
        for line in sheet.lines[1:]:
            if not (line.blank or self.points_possible(line) or self._about_columns(line) or self._made_up(line)):
                yield line

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
            meaning = "canvas" if host == "canvas" else "identifier" if _of_participants(sheet, at) else "id"
        if meaning:
            where[meaning] = (*where.get(meaning, ()), at)
    if "email" not in where and host not in ("canvas", "blackboard"):
        # In any other language addresses are known by what they are.
        where["email"] = tuple(at for at, key in enumerate(keys) if key not in _MEANINGS and _of_addresses(sheet, at))
    return Columns(host, {meaning: found for meaning, found in where.items() if found})


def _guess(sheet: Sheet, keys: list[str]) -> Host | None:
    if "orgdefinedid" in keys or "end-of-line indicator" in keys:
        return "brightspace"
    if any(_BLACKBOARD_COLUMN.search(cell) for cell in sheet.header) or {"availability", "username"} <= set(keys):
        return "blackboard"
    if "id" in keys and "section" in keys and {"student", "lastname"} & set(keys):
        named = {"sis user id", "sis login id", "root account"} & set(keys)
        named |= set(filter(_CANVAS_COLUMN.search, keys))
        if named or any(_CANVAS_POINTS.fullmatch(line.value(0)) for line in sheet.lines[1:4]):
            return "canvas"
    if MOODLES_OWN & set(keys) or any(_of_addresses(sheet, at) for at in range(len(keys))):
        return "moodle"
    return None


def _of_participants(sheet: Sheet, at: int) -> bool:
    return _all_are(sheet, at, participant_number)


def _of_addresses(sheet: Sheet, at: int) -> bool:
    return _all_are(sheet, at, _EMAIL.fullmatch)


def _all_are(sheet: Sheet, at: int, test: Callable[[str], object]) -> bool:
    """Whether every cell of a column that is filled passes, and one is."""
    filled = False
    for line in sheet.lines[1:]:
        if cell := line.value(at).strip():
            if not test(cell):
                return False
            filled = True
    return filled


def participant_number(identifier: str) -> str:
    """The number in Moodle's `Participant 12`; empty where it is something else."""
    word, _, number = comparable(identifier).rpartition(" ")
    return number if word in PARTICIPANTS and number.isascii() and number.isdigit() else ""


def host_numbers(canvas: str, participant: str) -> tuple[str, ...]:
    """The numbers that a host gives people, in words, so that none is taken for the university's or another host's."""
    return tuple(f"{host} {number}" for host, number in (("canvas", canvas), ("participant", participant)) if number)


def is_staff(roles: tuple[str, ...]) -> bool:
    """Whether somebody is only staff. Who is a student as well is a student, and so is who has a role unheard of."""
    held = {header_key(role) for cell in roles for role in re.split(r"[,;]", cell)} - {""}
    return bool(held & set(_STAFF)) and not held & set(_STUDENTS)


def groups_in(cells: tuple[str, ...]) -> tuple[str, ...]:
    """The groups that a cell names; Moodle separates them by commas."""
    found = (each.strip() for cell in cells for each in re.split(r"[,;]", cell))
    return tuple(dict.fromkeys(each for each in found if each and comparable(each) not in _NO_GROUP))
