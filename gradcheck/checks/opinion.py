"""The second opinions on an operator: its formula is compared with torch.autograd and with finite differences, at
points clear of every branch, before anything is graded by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from gradcheck.checks import draws
from gradcheck.checks.cases import SIZES, Case, agreement_draws, edge_cases, generic_cases, stream
from gradcheck.checks.derived import shape_of_output
from gradcheck.errors import ReferenceDisagreement
from gradcheck.operators.operator import Operator
from gradcheck.references.expected import Floats
from gradcheck.references.store import AGREED, ExpectedStore, key_of

_NEAR, _FAR = "near a branch", "far from branches"
_STEPS = (0.1, 0.03, 0.01)
_DRAWS = 60
"""Points for each step. Of relu's and maximum's, two in five lie clear of the branches at the first."""


@dataclass(frozen=True)
class AgreementPoint:
    """Where the references are compared. Finite differences begin at `step`, and meet no branch; without a step they
    are left out. `key` names the point in the store.
    """

    case: Case
    cotangent: Floats
    step: float | None
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

        check_agreement(self.operator, point.case.inputs, point.cotangent, point.case.extra, step=point.step)
        self.store.note(point.key, AGREED)

    def agreement_points(self, group: str) -> Iterator[AgreementPoint]:
        """Every point of the `generic` group where the references can be compared, those first that are far from all
        branches; or of the `edge` group. Raises ReferenceDisagreement where there is none far enough.
        """
        if group == "generic":
            yield from (self.agreement_point(turn) for turn in range(len(SIZES)))
        for case in (generic_cases if group == "generic" else edge_cases)(self.operator, self.seed):
            yield self.point(case, None)

    def agreement_point(self, turn: int = 0) -> AgreementPoint:
        """The first point that is drawn further from every branch than finite differences reach, which reach less far
        where none is found. Raises ReferenceDisagreement where there is none.
        """
        drawn = agreement_draws(self.operator, self.seed, turn)
        for step in _STEPS:
            for case in islice(drawn, _DRAWS):
                point = self.point(case, step)
                if self._is_far(point, step):
                    return point
        raise ReferenceDisagreement(
            f"{self.operator.name}: of {len(_STEPS) * _DRAWS} random points none was found to lie clear of the "
            "formula's branches. Nothing is graded until the record is mended."
        )

    def point(self, case: Case, step: float | None) -> AgreementPoint:
        """The point of a case, with a dense cotangent of its own."""
        rng = stream(self.seed, f"{self.operator.name} {case.name} cotangent")
        shape = shape_of_output(self.operator, case.drawn)
        cotangent = draws.cotangents(rng, shape, case.dtype, repeat=case.repeat)[0]
        key = key_of(f"agreement {step}", case.dtype, case.inputs, case.extra, cotangent)
        return AgreementPoint(case, cotangent, step, key)

    def _is_far(self, point: AgreementPoint, step: float) -> bool:
        known = self.store.known(point.key)
        if known:
            return known != _NEAR
        from gradcheck.references.smooth import is_smooth_around

        case = point.case
        far = is_smooth_around(self.operator, case.inputs, point.cotangent, case.extra, step)
        self.store.note(point.key, _FAR if far else _NEAR)
        return far
