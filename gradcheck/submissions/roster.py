"""Who is in the class, and whose a submission is by its name. Nobody is guessed, and why nobody was found is told."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from msgspec import Struct

from gradcheck.submissions.naming import folded, safe_name

Why = Literal["", "nobody", "several", "contradiction", "unsure", "staff"]

_GROUP_WORDS = frozenset(
    (
        "group", "groups", "team", "section", "lab", "class", "tutorial", "seminar", "course", "cohort",
        "gruppe", "labor", "klasse", "kurs", "tutorium", "ubung", "ubungsgruppe",
        "groupe", "equipe", "classe", "cours", "grupo", "equipo", "clase", "curso", "turma",
    )
)  # fmt: skip
"""Without accents: what makes the beginning of a name read as a group's rather than as half of a double name."""
_MOST_PIECES = 60
"""Of a repository's name, between hyphens."""
_LEAST_OF_A_CLASS = 2
_HIDDEN = frozenset(("anonymous", "anon"))
_PARTICIPANTS = ("participant", "teilnehmer/in", "participante", "teilnehmerin", "teilnehmer")
"""What Moodle calls a person whose name it hides, in a worksheet and, without the stroke, in a file's name."""


class StudentName(Struct, frozen=True):
    """What is written of a student."""

    name: str = ""
    email: str = ""
    id: str = ""


class TeamMember(StudentName, frozen=True):
    """The same, and by what else gradebooks may know them."""

    logins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Student:
    """One person. `submission` is the name of the folder or archive, or a pattern with `*` and `?`; empty: by the rules
    of `Roster.match`.

    `submitted`    when the work was handed in, in ISO 8601 with an offset, as far as the roster knows.
    `logins`       what the person is called where repositories are handed in.
    `participant`  the number that Moodle gives the person in one assignment; `canvas` is Canvas's number of them.
    `groups`       the groups or teams; `sections` are only for people.
    """

    name: str = ""
    email: str = ""
    id: str = ""
    submission: str = ""
    submitted: str = ""
    logins: tuple[str, ...] = ()
    participant: str = ""
    canvas: str = ""
    groups: tuple[str, ...] = field(default=(), compare=False)
    sections: tuple[str, ...] = field(default=(), compare=False)

    @property
    def keys(self) -> tuple[str, ...]:
        """What the person may be called where a course names people, as for an extension."""
        return tuple(filter(None, (self.email, self.id, self.submission, *self.logins)))

    def named(self) -> StudentName:
        """What a report says of a student."""
        return StudentName(self.name, self.email, self.id)

    def as_member(self) -> TeamMember:
        """The same, and by what else a gradebook may know them."""
        logins = (*self.logins, *host_numbers(self.canvas, self.participant))
        return TeamMember(self.name, self.email, self.id, logins)

    def __str__(self) -> str:
        return self.name or self.email or self.id or self.submission or next(iter(self.logins), "")


@dataclass(frozen=True)
class Match:
    """Whose a submission is: `students`, several for a team's; or nobody's, `why`, and `who` came near.

    nobody         nobody has that name.
    several        it fits each of `who`.
    contradiction  one part of the name is one person's, another somebody else's.
    unsure         it may be a person's, and something in the name is not explained.
    staff          it is a teacher's.
    """

    students: tuple[Student, ...] = ()
    why: Why = ""
    who: tuple[Student, ...] = ()

    @property
    def student(self) -> Student | None:
        """The first, where there are several."""
        return self.students[0] if self.students else None

    @property
    def reason(self) -> str:
        """Why it is nobody's, for people; nothing where it is somebody's."""
        names = ", ".join(map(str, self.who[:5])) + (f" and {len(self.who) - 5} more" if len(self.who) > 5 else "")
        return {
            "": "",
            "nobody": "nobody in the roster goes by this name",
            "several": f"it fits several of the roster: {names}",
            "contradiction": f"its parts name different people: {names}" if len(self.who) > 1
            else f"it has the name of {names}, and the number of somebody else",
            "unsure": f"it may be of {names}, but not all of its name is explained",
            "staff": f"it is of the staff: {names}",
        }[self.why]  # fmt: skip


_NOBODY = Match(why="nobody")
_Index = Mapping[str, list[Student]]


@dataclass(frozen=True)
class Roster:
    """The students in the order of the file. `staff` are in it too, and no students. `unread_times` are those of when
    something was handed in that say no offset, or nothing that can be read.
    """

    students: tuple[Student, ...]
    staff: tuple[Student, ...] = ()
    unread_times: tuple[str, ...] = ()
    assignment: str | None = None
    """What all repositories of the class begin with, before `-LOGIN`: empty for nothing, None where it is not known."""

    def among(self, submissions: Iterable[str]) -> Roster:
        """The roster for a class with these submissions. Most of them tell what repositories begin with: so it is seen
        that `week2-anne-marie` is no repository of `marie`.
        """
        names = [folded(name).split("-") for name in submissions if "-" in name]
        if len(names) < _LEAST_OF_A_CLASS:
            return self
        counts = Counter("-".join(name[:end]) for name in names for end in range(1, min(len(name), _MOST_PIECES)))
        shared = [start for start, count in counts.items() if 2 * count > len(names)]
        return replace(self, assignment=max(shared, key=len, default=""))

    def match(self, submission: str, told: Sequence[Student] = ()) -> Match:
        """Whose a submission is, by what its host has `told` of who handed it in, or else by its name.

        In this order: the student's `submission`, or what it goes by in full: id, email, what stands before its @,
        login; a pattern; a name as Moodle and Canvas give them to downloads, `Ada Lovelace_12_assignsubmission_file_`
        and `lovelaceada_late_1234_5678_work`, a group's name before it or in its place; a team; `week2-LOGIN`.
        """
        found = self._by_host(told) if told else self._by_name(folded(submission))
        if found.why == "nobody" and self.staff and (theirs := self._of_staff.match(submission, told)).students:
            return Match(why="staff", who=theirs.students)
        return found

    def _by_name(self, name: str) -> Match:
        for index in (self._by_submission, self._by_key):
            if found := index.get(name):
                return _only(found)
        if patterned := [student for pattern, student in self._patterns if pattern.match(name)]:
            return _only(patterned)
        download = self._from_download(name)
        if download.why == "nobody" and (team := self._by_group.get(_squeezed(name))):
            return Match(tuple(team))
        return self._from_repository(name) if download.why == "nobody" else download

    def _by_host(self, told: Sequence[Student]) -> Match:
        """By the people whom the host says: all have to be in the roster, each once."""
        found: list[Student] = []
        for person in told:
            keys = (person.id, person.email, *person.logins)
            known = _once(student for key in keys for student in self._by_key.get(_key(key), ()))
            if len(known) > 1:
                return Match(why="contradiction", who=known)
            if not known:
                return _NOBODY
            found += known
        return Match(_once(found))

    def _from_download(self, name: str) -> Match:
        """By a name that Moodle or Canvas made of the person's, or of the group's, and of numbers of theirs."""
        first, *others = name.split("_")
        if not others:
            return _only(self._by_participant.get(participant_number(name), ()))
        moodle = "assignsubmission" in others
        numbers = others[1:] if others[0] == "late" else others
        number = numbers[0] if numbers and numbers[0].isdigit() else ""
        by_number = () if not number else (
            self._by_participant.get(number, ()) if moodle else
            _once((*self._by_canvas.get(number, ()), *self._by_participant.get(number, ())))
        )  # fmt: skip
        named, sure = self._named(first, by_number)
        if len(named) > 1 and not self._by_group.get(_squeezed(first)):
            # Namesakes are told apart by a number of the host's, or else by an id that the name ends with.
            known = by_number or self._by_ids(others)
            among = tuple(each for each in known if each in named)
            return Match(among) if len(among) == 1 else Match(why="several", who=named)
        if named:
            other = tuple(each for each in by_number if each not in named)
            if other:
                return Match(why="contradiction", who=(*named, *other))
            if not moodle and number and len(named) == 1 and named[0].canvas not in ("", number):
                return Match(why="contradiction", who=named)
            return Match(named) if sure else Match(why="unsure", who=named)
        if by_number:
            # A number that is somebody's, beside a name that has nothing of theirs, is not that sure.
            words = _words(first)
            hidden = _is_hidden(first) or any(map(_is_hidden, first.split("-")))
            theirs = all(not each.name or words & _words(each.name) for each in by_number)
            return _only(by_number) if hidden or theirs else Match(why="unsure", who=tuple(by_number))
        # An id in the place of the host's number counts only where that number is not known to be another.
        hosts = bool(number) and (moodle or first.isalpha())
        if hosts and (not _is_hidden(first) or self._by_participant):
            return _NOBODY
        return _only(self._by_ids(others))

    def _by_ids(self, pieces: Sequence[str]) -> tuple[Student, ...]:
        return _once(each for piece in pieces if len(piece) > 2 for each in self._by_id.get(piece, ()))

    def _named(self, first: str, by_number: Sequence[Student]) -> tuple[tuple[Student, ...], bool]:
        """Whom the name names, a group's prefix away; a team's members where it is a team. And whether that is sure."""
        whole = _squeezed(first)
        if known := self._by_spelling.get(whole) or self._by_group.get(whole):
            return tuple(known), True
        for cut in (at for at, char in enumerate(first) if char == "-"):
            prefix, rest = first[:cut], first[cut + 1 :]
            found = self._by_spelling.get(_squeezed(rest), [])
            members = [each for each in found if _squeezed(prefix) in map(_squeezed, each.groups)]
            if members:
                return tuple(members), True
            if found:
                sure = _reads_as_group(prefix) and _squeezed(prefix) not in self._by_group
                agreed = len(found) == 1 and list(by_number) == found
                return tuple(found), sure or agreed
        return (), True

    def _from_repository(self, name: str) -> Match:
        """By a login, an id or a team at the end of `ASSIGNMENT-LOGIN`: the longest. Where another's is in what stands
        before it, as in `week2-ada-l` of `ada` and `l`, it may as well be theirs.
        """
        pieces = name.split("-")[:_MOST_PIECES]
        last = len(pieces)
        found: dict[tuple[int, int], tuple[Student, ...]] = {}
        for start in range(last):
            for end in range(start + 1, last + 1):
                run = "-".join(pieces[start:end])
                team = self._by_group.get(_squeezed(run), ()) if self._by_group else ()
                owners = tuple(self._by_login.get(run, team))
                if owners:
                    found[start, end] = owners
        ends = [start for start, end in found if end == last and start > 0]
        if not ends:
            return _NOBODY
        first = min(ends)
        owners = found[first, last]
        run = "-".join(pieces[first:])
        if len(owners) > 1 and run in self._by_login:
            return Match(why="several", who=owners)
        if self.assignment is not None and "-".join(pieces[:first]) not in ("", self.assignment):
            return Match(why="unsure", who=owners)
        others = [each for (start, _), who in found.items() if start < first for each in who if each not in owners]
        return Match(why="several", who=_once((*owners, *others))) if others else Match(owners)

    @cached_property
    def _of_staff(self) -> Roster:
        return Roster(self.staff)

    def _index(self, keys: Callable[[Student], Iterable[str]]) -> _Index:
        index: dict[str, list[Student]] = {}
        for student in self.students:
            for key in filter(None, keys(student)):
                index.setdefault(key, []).append(student)
        return index

    @cached_property
    def _by_submission(self) -> _Index:
        return self._index(lambda each: () if _is_pattern(each.submission) else (_key(each.submission),))

    @cached_property
    def _patterns(self) -> tuple[tuple[re.Pattern[str], Student], ...]:
        patterned = (each for each in self.students if _is_pattern(each.submission))
        return tuple((re.compile(fnmatch.translate(folded(each.submission))), each) for each in patterned)

    @cached_property
    def _by_key(self) -> _Index:
        """By all that is one person's in full."""
        return self._index(lambda each: map(_key, (each.id, each.email, *_logins_of(each))))

    @cached_property
    def _by_id(self) -> _Index:
        return self._index(lambda each: (_key(each.id),))

    @cached_property
    def _by_login(self) -> _Index:
        """By what may stand at the end of a repository's name. A short number there counts copies."""

        def keys(each: Student) -> Iterator[str]:
            for key in (*_logins_of(each), each.id):
                if key in each.logins or not key.isdigit() or len(key) > 3:
                    yield _key(key)

        return self._index(keys)

    @cached_property
    def _by_participant(self) -> _Index:
        return self._index(lambda each: (each.participant,))

    @cached_property
    def _by_canvas(self) -> _Index:
        return self._index(lambda each: (each.canvas,))

    @cached_property
    def _by_group(self) -> _Index:
        return self._index(lambda each: map(_squeezed, each.groups))

    @cached_property
    def _by_spelling(self) -> _Index:
        """By name with its words in every rotation: `Ada Lovelace` is also `lovelaceada`."""

        def spellings(each: Student) -> set[str]:
            words = [squeezed for word in re.split(r"[\s,]+", each.name) if (squeezed := _squeezed(word))]
            return {"".join(words[turn:] + words[:turn]) for turn in range(len(words))}

        return self._index(spellings)


def comparable(text: str) -> str:
    """An id, an e-mail address or a login as it is compared: capitals and the width of letters do not count."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def comparable_name(text: str) -> str:
    """The same of a name: `Lovelace, Ada` is `ada lovelace`."""
    last, comma, first = text.partition(",")
    return comparable(f"{first} {last}" if comma and "," not in first else text)


def participant_number(identifier: str) -> str:
    """The number in Moodle's `Participant 12`; empty where it is something else."""
    word, _, number = comparable(identifier).rpartition(" ")
    return number if word in _PARTICIPANTS and number.isascii() and number.isdigit() else ""


def host_numbers(canvas: str, participant: str) -> tuple[str, ...]:
    """The numbers that a host gives people, in words, so that none is taken for the university's or another host's."""
    return tuple(f"{host} {number}" for host, number in (("canvas", canvas), ("participant", participant)) if number)


def same_name(one: str, other: str) -> bool:
    """Whether two names are spelt alike, whichever comes first."""
    return not (one and other) or _squeezed(comparable_name(one)) == _squeezed(comparable_name(other))


def _logins_of(student: Student) -> tuple[str, ...]:
    """The logins that the roster has, or else what stands before the @ of the address."""
    return student.logins or (student.email.partition("@")[0],)


def _only(found: Sequence[Student]) -> Match:
    people = _once(found)
    return _NOBODY if not people else Match(people) if len(people) == 1 else Match(why="several", who=people)


def _once(people: Iterable[Student]) -> tuple[Student, ...]:
    return tuple(dict.fromkeys(people))


def _is_hidden(first: str) -> bool:
    squeezed = _squeezed(first)
    return squeezed in _HIDDEN or squeezed in {_squeezed(word) for word in _PARTICIPANTS}


def _reads_as_group(prefix: str) -> bool:
    return any(char.isdigit() for char in prefix) or bool(_words(prefix) & _GROUP_WORDS)


def _words(text: str) -> set[str]:
    return {_squeezed(word) for word in re.split(r"[\W\d_]+", text)} - {""}


def _is_pattern(submission: str) -> bool:
    return "*" in submission or "?" in submission


def _key(value: str) -> str:
    return folded(safe_name(value)) if value else ""


def _squeezed(text: str) -> str:
    """Letters and digits only, accents and case away: what a download's name leaves of a person's."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char for char in plain.casefold() if char.isalnum())
