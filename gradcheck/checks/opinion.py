"""The second opinions on an operator: its formula is compared with torch.autograd and with differences of the forward,
before anything is graded by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gradcheck.checks import draws
from gradcheck.checks.cases import SIZES, Case, agreement_draws, edge_cases, generic_cases, stream
from gradcheck.checks.derived import shape_of_output
from gradcheck.operators.operator import Operator
from gradcheck.references.expected import Floats
from gradcheck.references.store import AGREED, ExpectedStore, key_of


@dataclass(frozen=True)
class AgreementPoint:
    """Where the references are compared. `key` names the point in the store."""

    case: Case
    cotangent: Floats
    key: str


class Opinions:
    """All references of an operator, compared at points that a seed draws. What was found is kept in `store`."""

    def __init__(self, operator: Operator, store: ExpectedStore, seed: int) -> None:
        self.operator, self.store, self.seed = operator, store, seed

    def agree(self) -> None:
        """Raises ReferenceDisagreement where they do not, at one point."""
        self.agree_at(self.agreement_point())

    def agree_at(self, point: AgreementPoint) -> None:
        """Compare the references at a point, unless they are known to agree there. Raises ReferenceDisagreement."""
        if self.store.known(point.key) == AGREED:
            return
        from gradcheck.references.agreement import check_agreement

        check_agreement(self.operator, point.case.inputs, point.cotangent, point.case.extra)
        self.store.note(point.key, AGREED)

    def agreement_points(self, group: str) -> Iterator[AgreementPoint]:
        """Every point of the `generic` or of the `edge` group where the references can be compared."""
        if group == "generic":
            yield from (self.agreement_point(turn) for turn in range(len(SIZES)))
        for case in (generic_cases if group == "generic" else edge_cases)(self.operator, self.seed):
            yield self.point(case)

    def agreement_point(self, turn: int = 0) -> AgreementPoint:
        """A point of ordinary numbers."""
        return self.point(next(agreement_draws(self.operator, self.seed, turn)))

    def point(self, case: Case) -> AgreementPoint:
        """The point of a case, with a dense cotangent of its own."""
        rng = stream(self.seed, f"{self.operator.name} {case.name} cotangent")
        shape = shape_of_output(self.operator, case.drawn)
        cotangent = draws.cotangents(rng, shape, case.dtype, repeat=case.repeat)[0]
        return AgreementPoint(case, cotangent, key_of("agreement", case.dtype, case.inputs, case.extra, cotangent))
