"""`gradcheck.verify`: one call for a hand-written backward of any form, against anything that says what is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor

from gradcheck.checks.task import Task
from gradcheck.errors import UsageError
from gradcheck.operators.record import Operator
from gradcheck.verification.candidate import subject_of
from gradcheck.verification.examine import CHECKS, Examination
from gradcheck.verification.facts import Failure
from gradcheck.verification.reference import ground_of
from gradcheck.verification.truth import Truth, name_of
from gradcheck.verification.verdict import Verdict


def verify(
    candidate: Any,
    reference: Any = None,
    *inputs: Any,
    seed: int = 0,
    order: Literal[1, 2] = 1,
    wrt: str | int | Sequence[str | int] | None = None,
    rounding: Literal["stepwise", "fused"] = "stepwise",
    cotangents: Tensor | Sequence[Tensor | None] | None = None,
    checks: Sequence[str] | None = None,
    truth: Literal["autograd", "differences"] = "autograd",
    strict: bool = False,
    limit: float | None = None,
) -> Verdict:
    """Hold a hand-written backward against what is right, in the inputs' own dtype, at their size, on their device.

    `candidate`  a `torch.autograd.Function`, a callable that autograd passes through, an `nn.Module`, or a pair
                 `(forward, backward)` of functions with `backward(grad_output, *inputs)`.
    `reference`  a callable or a module written in torch, a formula as text ("y[b,i] = …"), or an `Operator`. Left out
                 (or None), the candidate's own forward, which says nothing about the forward itself.
    `inputs`     what both are called with: tensors, of any floating-point dtype, trees of them, and anything else.
    `seed`       draws grad_output and all else that is drawn.
    `order`      2: the backward's own derivative too.
    `wrt`        names or positions of the inputs and parameters whose gradients count; by default all.
    `rounding`   how the candidate may round in float16 and bfloat16: "stepwise" after every operation, as torch's
                 eager code; "fused" as a kernel that computes in float32 and rounds its results.
    `cotangents` a grad_output of your own, or one for each output.
    `checks`     which of `CHECKS` to make: outputs, gradients, cotangents, purity, determinism, flags, reuse.
    `truth`      "differences": the gradients are those of central differences of the forward in exact numbers, which
                 trust no derivative rule at all.
    `strict`     an entry that is right only relative to the largest one of its tensor is wrong.
    `limit`      seconds that a call of the candidate may compute.

    Returns a `Verdict`, which is true where nothing is wrong. With an `Operator` or a `Task` and no inputs, `candidate`
    holds functions named `forward`, `backward`, `jacobian`, and the course's checks draw their own inputs.

    Raises UsageError for a call that means nothing, FormulaError for a formula that cannot be read, NoRule for an
    operator in the reference that no rule covers, and nothing that the candidate raises.
    """
    if isinstance(reference, Operator | Task) and not inputs:
        return _by_course(candidate, reference, seed)
    if not inputs or isinstance(reference, Tensor):
        inputs, reference = (inputs if reference is None else (reference, *inputs)), None
    unknown = set(checks or ()) - set(CHECKS)
    if unknown:
        raise UsageError(f"There is no check named {', '.join(sorted(unknown))}: there are {', '.join(CHECKS)}.")
    if truth not in ("autograd", "differences"):
        raise UsageError(f'truth is "autograd" or "differences", not {truth!r}.')
    kind: type[Truth] = Truth
    if truth == "differences":
        if order > 1:
            raise UsageError('order=2 takes a derivative of the reference, and truth="differences" none: ask for one.')
        from gradcheck.verification.differences import ByDifferences

        kind = ByDifferences
    subject = subject_of(candidate, inputs, reference=reference, wrt=wrt, limit=limit)
    ground = ground_of(reference, subject)
    found = Examination(
        subject,
        ground,
        seed=seed,
        order=order,
        rounding=rounding,
        cotangents=[cotangents] if isinstance(cotangents, Tensor) else cotangents,
        checks=CHECKS if checks is None else checks,
        strict=strict,
        truth=kind,
    )
    found.run()
    first = next(iter(subject.inputs.tensors.values()))
    return Verdict(
        subject.name,
        ground.name,
        tuple(found.failures),
        tuple(found.notes),
        seed,
        name_of(found.dtype),
        str(first.device),
        rounding,
        found.checks,
        found.worst,
    )


def _by_course(candidate: Any, reference: Operator | Task, seed: int) -> Verdict:
    """The checks of an exercise, which draw inputs of their own."""
    from gradcheck.checks import engine

    results = tuple(engine.verify(candidate, reference, seed=seed))
    failures = tuple(
        Failure("check", message=each.message, at=each.id, seed=seed)
        for each in results
        if each.status in ("failed", "errored", "ungraded")
    )
    name = getattr(candidate, "__name__", type(candidate).__name__)
    return Verdict(name, reference.name, failures, seed=seed, results=results)
