"""The second opinion on a function with a reference of its own: torch.autograd on the same arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.checks import compare
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.tensors import Passed
from gradcheck.checks.trials import Trial
from gradcheck.errors import ReferenceDisagreement


def compare_with_opinion(spec: FunctionSpec, trial: Trial) -> None:
    """Raises ReferenceDisagreement, naming the part, where the two differ by more than the tolerance."""
    import torch

    assert spec.reference is not None
    assert spec.reference.opinion is not None
    passed = Passed(trial.arguments)
    with torch.enable_grad():
        value: Any = passed.observe(spec.reference.opinion(*passed.values))
    problem = next(
        (text for check in compare.FORM_CODES if (text := compare.form_problem(check, trial.template, value))), ""
    )
    if not problem:
        different = compare.difference(trial.wanted, compare.parts(trial.template, value), trial.expected)
        problem = f"{different.part} at {list(different.index)}" if different else ""
    if problem:
        inputs = {name: np.shape(array) for name, array in trial.case.inputs.items()}
        raise ReferenceDisagreement(
            f"{spec.name}: the reference and its second opinion disagree ({problem}; shapes {inputs}). "
            "Nothing is graded until the record is mended."
        )
