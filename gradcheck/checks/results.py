"""What a check found, in plain data that every report can be made from, and what is done where the grader itself fails.

References that disagree or have no bound at a point, and any exception of ours, say nothing about a submission: other
points are drawn, and if that does not help, one sentence says so. A developer sees the traceback with
GRADCHECK_TRACEBACK=1.
"""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from gradcheck.checks.outcome import Arguments, Call, Fault
from gradcheck.errors import FormulaError, GradcheckError, ReferenceDisagreement

Status = Literal["passed", "failed", "not_started", "errored", "skipped", "ungraded"]
"""`errored`: the submission raised, timed out or died. `skipped`: a check it depends on did not pass. `ungraded`: the
grader itself failed, so nothing is known of the submission, and nothing may be said or counted of it.
"""
STATUSES: tuple[Status, ...] = get_args(Status)
FAULTS: tuple[Status, ...] = ("failed", "errored")
"""What the submission did wrong; a check that waits or was not graded says nothing against it."""

DIGITS = 4
"""So many digits of a number are shown where more tell nothing."""

UNRECOGNISED = "unrecognised"
"""The diagnosis code where the evidence fits no known mistake."""


@dataclass(frozen=True)
class Tally:
    """How much of a part of the result is wrong over all cases of a check: `wrong` of `entries`, in `cases` of `of`."""

    wrong: int
    entries: int
    cases: int
    of: int


@dataclass(frozen=True)
class Marks:
    """Which entries of what came back are wrong: `count` of `of`, at the indices `entries`, the first ones where there
    are very many. `parts` are the names of those parts of a result of several that these are entries of, more than one
    where only together they are wrong. `unlike` says what they differ from: dC/dx, the definition. `spread` is how it
    is over all cases, where these were counted.
    """

    entries: tuple[tuple[int, ...], ...]
    count: int
    of: int
    parts: tuple[str, ...] = ()
    unlike: str = ""
    spread: Tally | None = None

    @property
    def all_known(self) -> bool:
        return len(self.entries) == self.count


@dataclass(frozen=True)
class Counterexample:
    """A case that shows the fault. Tensors are nested lists.

    `inputs` by parameter name, `grad_output` where there is one, `got` what came back, `marks` the wrong entries.
    `output` is what the forward of a wrong backward gives at these inputs, where that forward holds.
    `digits` are as many as it takes to tell wrong entries from right ones.
    `about` says what is special about the case (dtype, memory, kinks). `expected` is shown on request only and never
    leaves the process in a report; nor do `arguments`, the facts that may be told of the case, `calls`, those that show
    the fault in a new process, where it takes more than the one with `arguments`, and `changed`, the arguments that
    were changed or share memory. `where` is what a report that was read back says of the marks; else `where_of` does.
    """

    inputs: dict[str, Any]
    got: Any
    grad_output: Any = None
    where: str = ""
    about: str = ""
    expected: Any = field(default=None, repr=False)
    arguments: Arguments = field(default_factory=dict, repr=False, compare=False)
    calls: tuple[Call, ...] = field(default=(), repr=False, compare=False)
    changed: tuple[str, ...] = field(default=(), repr=False, compare=False)
    marks: Marks | None = None
    digits: int = DIGITS
    output: Any = None


def where_of(example: Counterexample) -> str:
    """Which entries are wrong, in words: differs from dC/dx at [0, 0]; empty where that is not what is wrong."""
    marks = example.marks
    if marks is None or not marks.unlike:
        return example.where
    what = f"{' and '.join(marks.parts)} differs" if marks.parts else "differs"
    places = ", ".join(str(list(place)) for place in marks.entries[:3])
    more = f" and {marks.count - 3} more" if marks.count > 3 else ""
    here = f"{what} from {marks.unlike}" + (f" at {places}{more}" if marks.entries[0] else "")
    counted = marks.spread
    if counted is None or counted.of == 1:
        return here
    return f"{here}; wrong in {counted.wrong} of {counted.entries} entries over {counted.of} cases"


@dataclass(frozen=True)
class Diagnosis:
    """Which mistake was made. `code` names it for machines (docs/diagnoses.md), `text` in one sentence for the learner.

    `answer` is the sentence that shows the part of the right formula which is missing or out of place: shown on request
    only, it never leaves the process in a report. `confidence` is the share of the evidence that the mistake explains,
    1 where a check itself knows it. `think` is the one thing to think about, `cases` the names of cases that show it.
    `also` holds the codes of other mistakes that would have led to the very same numbers, `calls` those that show it in
    a new process, where it takes more than the failing one.
    """

    code: str
    text: str
    confidence: float = 1.0
    think: str = ""
    cases: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    answer: str = field(default="", repr=False)
    calls: tuple[Call, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True)
class CheckResult:
    """One check of one function.

    `message` is one sentence for the learner, `lines` are places in the learner's file, `code` a diagnosis code where
    the check itself knows the mistake; `diagnosis` says more, once somebody has looked at the evidence. `blocked_by` is
    the check that must pass first, `waiting` those that wait for this one. `cut_short`: the time for searches ran out,
    so that there may be a smaller case, or a name for the mistake. `fault` is the exception that the call ended in.
    """

    task: str
    function: str
    check: str
    status: Status
    message: str = ""
    code: str = ""
    counterexample: Counterexample | None = None
    lines: tuple[str, ...] = ()
    blocked_by: str = ""
    waiting: tuple[str, ...] = ()
    diagnosis: Diagnosis | None = None
    cut_short: bool = False
    fault: Fault | None = field(default=None, repr=False, compare=False)

    @property
    def id(self) -> str:
        return f"{self.task}.{self.function}.{self.check}"

    @property
    def ok(self) -> bool:
        return self.status == "passed"


MOST_DRAWS = 5
VARIABLE = "GRADCHECK_TRACEBACK"
_LONGEST = 200


class OwnFailure(Exception):
    """A check could not be made at the points that were drawn; the cause is chained."""


def draws_from(seed: int) -> tuple[int, ...]:
    """The seeds of all draws, the first as it was given."""
    digests = (hashlib.sha256(f"{seed} drawn again {number}".encode()).digest() for number in range(1, MOST_DRAWS))
    # As large as a class's own seeds: every JSON reader keeps 48 bits exactly.
    return (seed, *(int.from_bytes(digest[:6], "big") for digest in digests))


def is_ours(error: Exception) -> bool:
    """Whether an exception is the grader's own failure. Others that are raised on purpose tell of the machine."""
    return not isinstance(error, GradcheckError) or isinstance(error, (ReferenceDisagreement, FormulaError))


def failure_in_words(error: Exception, seed: int | None) -> str:
    """The failure in one sentence for whoever reads the report. Without a seed, it is a secret of whoever grades."""
    with_seed = "tell whoever grades this course" if seed is None else f"report it, and name the seed {seed}"
    return (
        f"the grader itself failed at this, not your code ({_what(error)}). Please {with_seed}; no points depend on it"
    )


def _what(error: Exception) -> str:
    if isinstance(error, ReferenceDisagreement):
        return error.cause
    text = " ".join(str(error).split())
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def show_traceback(error: Exception) -> None:
    """On standard error, for whoever asked for it."""
    if os.environ.get(VARIABLE):
        traceback.print_exception(error, file=sys.__stderr__)
