"""What `gradcheck.verify` returns."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.errors import GradcheckError
from gradcheck.verification.facts import Verified
from gradcheck.verification.printed import as_html, as_json, as_text


class GradientError(GradcheckError, AssertionError):
    """A candidate is wrong: the text says how. `verdict` has the facts."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(str(verdict))
        self.verdict = verdict


@dataclass(frozen=True)
class Verdict(Verified):
    """What was found, as text, HTML and JSON. True where nothing is wrong."""

    def __bool__(self) -> bool:
        return self.passed

    def check(self) -> None:
        """Raise GradientError, with the printed text, if anything is wrong."""
        if self.failures:
            raise GradientError(self)

    def to_json(self) -> str:
        """The facts as JSON, `gradcheck/verdict/v1`."""
        return as_json(self)

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)
