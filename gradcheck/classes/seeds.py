"""The seeds of a folder of reports: drawn after the work that they are to judge was read, and published as a promise.

Who knows a run's seed can compute every input that it drew, and hand in a table of answers. So reports carry a salted
hash of the seed in its place, until the course is closed; and a seed judges only what had been read before it was
drawn, so that nothing which a report shows or a message gives away is worth anything in a later run.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from msgspec import UNSET
from msgspec.structs import replace

from gradcheck.classes.written import FinalReport


@dataclass(frozen=True)
class Seed:
    """A seed, and the salt without which its hash could be undone by trying: 128 random bits in hexadecimal."""

    number: int
    salt: str

    @classmethod
    def drawn(cls) -> Seed:
        """One that no submission can know: 48 random bits, which every JSON reader keeps exactly."""
        return cls.of(secrets.randbits(48))

    @classmethod
    def of(cls, number: int) -> Seed:
        """A seed that somebody chose."""
        return cls(number, secrets.token_hex(16))

    @property
    def hash(self) -> str:
        """What is published at once: it fixes the seed, and does not tell it (docs/report-v1.md)."""
        return hashlib.sha256(f"gradcheck/seed/v1 {self.salt} {self.number}".encode()).hexdigest()

    def published(self, report: FinalReport, *, closed: bool) -> FinalReport:
        """A report that was made with this seed, as others may read it: with the seed where the course is `closed`."""
        if closed:
            return replace(report, seed_hash=self.hash, seed_salt=self.salt)
        exercises = (each if each.seed is UNSET else replace(each, seed=None) for each in report.exercises)
        return replace(report, seed=None, seed_hash=self.hash, exercises=tuple(exercises))
