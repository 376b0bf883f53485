"""Holds a candidate against what is right: a method per check, each of which leaves failures and notes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from gradcheck.checks.results import show_traceback
from gradcheck.errors import GradcheckError, UsageError
from gradcheck.numbers.bounded.number import HALF
from gradcheck.numbers.run import ComputedIn
from gradcheck.references.expected import K, size_of
from gradcheck.verification.candidate import Broke, Pass, Pulled, Subject, same
from gradcheck.verification.diagnose import diagnose
from gradcheck.verification.facts import CotangentKind, Entries, Failure, FailureKind, Mistake, Note, NoteKind, Quantity
from gradcheck.verification.inputs import flows
from gradcheck.verification.reference import Ground
from gradcheck.verification.sight import Observed, entries_of
from gradcheck.verification.truth import (
    Around,
    Judged,
    PlainRun,
    Truth,
    Truths,
    backward_of,
    exactly,
    judged,
    name_of,
    nudged,
    smallest,
    wide,
)

CHECKS = ("outputs", "gradients", "cotangents", "purity", "determinism", "flags", "reuse")

MOST_FLAGS = 8
"""Inputs that are asked for a gradient one by one."""

TIMES_TORCH = 3.0
"""In half precisions an error that many times torch's own is worth a note."""

BLUNT = 0.25
"""A radius that large, relative to the value, says hardly more than the sign."""

NEARLY_NOTHING = 1e-30

FEW_FREE = 8
"""Entries that depend on choices, if their common relations are to show in the runs that are drawn."""

MANY_DRAWS = 40
"""So many, that two choices that have nothing to do with each other were hardly ever the same, or ever other ones."""

MANY = 100_000
"""Entries whose memory and time count."""

MOST_EXACT = 2_048
"""Entries for which it is asked whether a better formula exists."""


class Examination:
    """All that is found out about one candidate. `run` does it, check by check."""

    def __init__(
        self,
        subject: Subject,
        ground: Ground,
        *,
        seed: int = 0,
        order: int = 1,
        rounding: str = "stepwise",
        cotangents: Sequence[Tensor | None] | None = None,
        checks: Sequence[str] = CHECKS,
        strict: bool = False,
        truth: type[Truth] = Truth,
    ) -> None:
        self.subject = subject
        self.seed, self.order, self.strict, self.checks = seed, order, strict, tuple(checks)
        self.tensors, self.wrt = subject.inputs.tensors, subject.inputs.wrt
        self.dtype = max((each.dtype for each in self.tensors.values()), key=lambda dtype: torch.finfo(dtype).eps)
        self.ground = ground = replace(ground, function=computed_in(self.dtype, ground.function))
        self.truth = truth(ground, self.tensors, self.wrt, self.dtype, fused=rounding == "fused", seed=seed)
        self.given = cotangents
        self.failures: list[Failure] = []
        self.notes: list[Note] = []
        self.worst: dict[Quantity, float] = {}
        self.many = sum(each.numel() for each in self.tensors.values()) > MANY
        self.kinks = False
        """Whether something is right at kinks only because more than one answer is."""
        self.right_for: dict[str, set[CotangentKind]] = {name: set() for name in self.wrt}
        self._generator = torch.Generator().manual_seed(seed)

    def run(self) -> None:
        """Every check that was asked for; those after the gradients only where the gradients are right so far."""
        if self.ground.own:
            self.note("own-forward")
        try:
            if not self.fits():
                return
            if "outputs" in self.checks:
                self.outputs()
            if "gradients" in self.checks:
                self.gradients()
            if "cotangents" in self.checks:
                self.cotangents()
            self.repeats()
            if "flags" in self.checks:
                self.flags()
            if self.kinks:
                self.note("kinks", count=self.answers.decided)
                self.together()
            if self.order > 1 and not self.failures:
                self.second_order()
        except Broke as broke:
            self.fail(broke.failure)
        if self.truth.estimated:
            self.note("estimated")
        unwritten = {each.quantity for each in self.failures if each.kind == "unwritten"}
        # Whatever else is wrong with memory that nobody wrote follows from that.
        self.failures = [each for each in self.failures if each.kind == "unwritten" or each.quantity not in unwritten]
        if not self.failures and self.truth.by_rules:
            self.better_formula()
            self.against_torch()

    # What everything stands on.

    @cached_property
    def passed(self) -> Pass:
        """The candidate's forward, as most checks use it."""
        return self.subject.run()

    @cached_property
    def native(self) -> PlainRun | None:
        """The reference as torch computes it in the candidate's dtypes; None where torch cannot."""
        if all(each.dtype == torch.float64 for each in self.tensors.values()):
            return self.truth.plain
        try:
            return PlainRun(self.ground, self.tensors, self.wrt if self.dtype in HALF else (), torch.Tensor.clone)
        except GradcheckError:
            raise
        except Exception:
            return None

    @cached_property
    def dense(self) -> list[Tensor | None]:
        """A grad_output for each output that a gradient comes back from: entries of both signs."""
        outputs = self.passed.outputs
        if self.given is None:
            made = [
                self.like(output, self.drawn(output.shape))
                if flows(reference) or (not self.truth.by_rules and differentiable)
                else None
                for output, reference, differentiable in zip(
                    outputs, self.truth.plain.outputs, self.passed.differentiable, strict=True
                )
            ]
        else:
            made = list(self.given)
            shapes = [each.shape for each in outputs if isinstance(each, Tensor)]
            wrong = len(made) != len(outputs) or any(
                each is not None and each.shape != getattr(output, "shape", None)
                for each, output in zip(made, outputs, strict=True)
            )
            if wrong:
                raise UsageError(
                    f"cotangents: one of the shape of each output is due, {', '.join(map(str, map(tuple, shapes)))}; "
                    f"{', '.join('None' if each is None else str(tuple(each.shape)) for each in made)} came"
                )
        if self.many:
            self.truth.forget()  # a graph in float64, while the numbers have theirs
        return made

    def drawn(self, shape: Sequence[int]) -> Tensor:
        """Numbers of both signs and of all digits, from 1 to 4 in size: none is so small that its place hardly counts,
        and what is lost with them is an upper bound for what is lost with ones.
        """
        made = torch.empty(shape, dtype=torch.float64).uniform_(-3, 3, generator=self._generator)
        return made.add_(made.sign())

    @staticmethod
    def like(output: Tensor, values: Tensor) -> Tensor:
        return values.to(device=output.device, dtype=output.dtype)

    @cached_property
    def answers(self) -> Truths:
        return self.truth.answers(self.dense)

    @cached_property
    def pulled(self) -> Pulled:
        """What the backward makes of the dense grad_output."""
        return self.passed.pull(self.dense)

    @cached_property
    def scale(self) -> float:
        """The size of what goes in."""
        return size_of(self.dense)

    def fail(self, failure: Failure) -> None:
        self.failures.append(replace(failure, seed=self.seed))

    def note(self, kind: NoteKind, quantity: Quantity | None = None, **facts: Any) -> None:
        found = Note(kind, quantity, **facts)
        if found not in self.notes:
            self.notes.append(found)

    # The checks.

    def fits(self) -> bool:
        """Whether the candidate's outputs are of the reference's number, type and shape, so that numbers can be held
        against each other.
        """
        came = self.passed.outputs  # first: without a reference, what raises or hangs is the candidate
        wanted = self.truth.plain.outputs
        for failure in self.passed.failures:
            # The first two are told below, in view of the reference.
            if failure.kind not in ("cut-off", "type") and not self.as_reference(failure):
                self.fail(failure)
        if len(wanted) != len(came):
            self.fail(Failure("count", got=len(came), wanted=len(wanted)))
            return False
        fits = True
        for number, (right, output) in enumerate(zip(wanted, came, strict=True)):
            quantity = self.output(number)
            if isinstance(right, Tensor) != isinstance(output, Tensor):
                self.fail(Failure("type", quantity, got=type(output).__name__, wanted=type(right).__name__))
            elif not isinstance(right, Tensor):
                continue
            elif right.shape != output.shape:
                self.fail(Failure("shape", quantity, got=list(output.shape), wanted=list(right.shape)))
            elif flows(right) and not self.passed.differentiable[number]:
                self.fail(Failure("cut-off", quantity))
            else:
                dtype = self.native.outputs[number].dtype if self.native else output.dtype
                if output.dtype != dtype:
                    self.fail(Failure("dtype", quantity, got=name_of(output.dtype), wanted=name_of(dtype)))
                continue
            fits = False
        return fits

    def output(self, number: int) -> Quantity:
        return Quantity("output", str(number) if len(self.passed.outputs) > 1 else "")

    def outputs(self) -> None:
        for number, (right, output) in enumerate(zip(self.answers.outputs, self.passed.outputs, strict=True)):
            quantity = self.output(number)
            if right is not None and isinstance(output, Tensor):
                across = self.truth.across(self.dense, number)
                self.compare(quantity, output, right, "dense", across, output.dtype, self.dense)
            elif isinstance(output, Tensor):
                self.choices(quantity, number, output)

    def choices(self, quantity: Quantity, number: int, output: Tensor) -> None:
        """Whole numbers and truth values are right if they are the reference's, in float64 or as torch rounds in the
        candidate's dtype. Others may come of another side of a tie.
        """
        runs = (self.truth.plain, self.native or self.truth.plain)
        off = [int((output != run.outputs[number]).sum()) for run in runs]
        if all(off) and self.answers.decided:
            self.note("no-bound", quantity, count=min(off))
        elif all(off):
            self.fail(Failure("values", quantity))

    def gradients(self) -> None:
        self.take(self.pulled)
        for name, gradient in self.comparable(self.pulled, self.dense):
            self.gradient(name, gradient, "dense", self.dense)

    def take(self, pulled: Pulled, cotangent: CotangentKind | None = None) -> None:
        """What was noticed during a backward, once; changes in place are a matter of purity."""
        known = [replace(each, cotangent=None, mistake=None, seed=0) for each in self.failures]
        for failure in pulled.failures:
            impure = failure.kind.startswith("changes-") and "purity" not in self.checks
            if failure not in known and not impure and not self.as_reference(failure):
                quantity, mistake = failure.quantity, None
                if failure.kind == "shape" and quantity is not None and quantity.name in pulled.raw and not cotangent:
                    got, right = pulled.raw[quantity.name], self.answers.gradients[quantity.name]
                    mistake = self.mistake(quantity, got, right, "dense", self.dense)
                self.fail(replace(failure, cotangent=cotangent, mistake=mistake))
        for note in pulled.notes:
            if note not in self.notes:
                self.notes.append(note)

    def as_reference(self, failure: Failure) -> bool:
        """Whether the reference changes this input too, as a batch norm does its running mean."""
        if failure.kind != "changes-input" or failure.got not in self.tensors:
            return False
        return not same(self.truth.plain.leaves[failure.got], wide(self.tensors[failure.got]))

    def comparable(self, pulled: Pulled, cotangents: Sequence[Tensor | None]) -> Iterator[tuple[str, Tensor]]:
        """The gradients that have the shape of their input. None is right where zeros would be."""
        for name in self.wrt:
            gradient = pulled.gradients.get(name)
            if gradient is None:
                right = self.answers.gradients[name]
                value = right.low if cotangents is self.dense else self.plain_for(cotangents)[name]
                allowed = right.allowed(self.tensors[name].dtype, self.scale)
                if bool((value.abs() > allowed).any()) and not self.told(name):
                    self.fail(Failure("no-gradient", Quantity("gradient", name)))
            elif isinstance(gradient, Tensor) and gradient.shape == self.tensors[name].shape:
                yield name, gradient

    def told(self, name: str) -> bool:
        """Whether something has been said of a gradient already, or of how many there are."""
        quantities = [each.quantity for each in self.failures if each.quantity and each.quantity.kind == "gradient"]
        return any(each.name in (name, "") for each in quantities)

    def gradient(self, name: str, gradient: Tensor, kind: CotangentKind, cotangents: Sequence[Tensor | None]) -> None:
        quantity, right = Quantity("gradient", name), self.truth.answers(cotangents).gradients[name]
        hulls = self.truth.hulls(cotangents, name)
        if self.compare(quantity, gradient, right, kind, hulls, self.tensors[name].dtype, cotangents):
            for each in self.truth.sums(cotangents, name):
                if not each.fits(gradient):
                    self.fail(Failure("along", quantity, kind, got=each.of(gradient), wanted=each.value))
                    return
            self.right_for[name].add(kind)

    def settled(
        self, got: Tensor, right: Around, wider: Iterable[Around], dtype: torch.dtype, scale: float
    ) -> tuple[Judged, Around]:
        """How a tensor is, if need be in view of more and more that is right at kinks; and what it was held against."""
        found = judged(got, right, dtype, scale)
        if found.grade != "right":
            for each in wider:
                right, found = each, judged(got, each, dtype, scale)
                if found.grade == "right":
                    self.kinks = True
                    break
                if found.off is not None and bool((found.off & (each.low == each.high)).any()):
                    break  # wrong where no choice has a say
        return found, right

    def compare(
        self,
        quantity: Quantity,
        got: Tensor,
        right: Around,
        kind: CotangentKind,
        wider: Iterable[Around],
        dtype: torch.dtype,
        cotangents: Sequence[Tensor | None],
    ) -> bool:
        """Judge one tensor, and tell what is wrong with it. Whether it is right."""
        found, right = self.settled(got, right, wider, dtype, self.scale)
        if found.unjudged:
            summed = quantity.kind == "gradient" and self.truth.sums(cotangents, quantity.name)
            self.note("sampled" if summed else "no-bound", quantity, count=found.unjudged)
        if not got.numel():
            self.note("nothing-to-compare", quantity)
        self.worst[quantity] = max(self.worst.get(quantity, 0.0), found.worst)
        if found.grade == "right":
            return True
        entries = self.entries(got, right, found)
        mistake = self.mistake(quantity, got, right, kind, cotangents)
        rounding = mistake is None or mistake.code == "low-precision"
        if found.grade == "relative-to-largest" and rounding and not self.strict:
            if not any(each.kind == "relative-to-largest" and each.quantity == quantity for each in self.notes):
                self.note("relative-to-largest", quantity, entries=entries)
            return True
        self.fail(Failure("values", quantity, kind, entries, mistake))
        return False

    def entries(self, got: Tensor, right: Around, found: Judged) -> Entries:
        return entries_of(got.detach(), right.low, right.high, right.radius, found.allowed)

    def mistake(
        self, quantity: Quantity, got: Tensor, right: Around, kind: CotangentKind, cotangents: Sequence[Tensor | None]
    ) -> Mistake | None:
        """What explains a wrong tensor. A guess that cannot be made is none: that the tensor is wrong is certain."""
        plain = self.truth.plain
        try:
            return diagnose(
                Observed(
                    quantity=quantity,
                    cotangent=kind,
                    dtype=got.dtype,
                    got=got.detach(),
                    low=right.low,
                    high=right.high,
                    radius=right.radius,
                    cotangents=tuple(None if each is None else each.detach().double() for each in cotangents),
                    inputs={name: tensor.detach().double() for name, tensor in self.tensors.items()},
                    outputs=floats_of(plain.outputs),
                    gradients=plain.pull(cotangents),
                    pull=self.pull_at,
                    forward=lambda tensors: floats_of(PlainRun(self.ground, tensors, ()).outputs),
                    right_for=frozenset(self.right_for.get(quantity.name, ())),
                    operator=self.ground.operator,
                )
            )
        except Exception as error:
            show_traceback(error)
            return None

    def pull_at(
        self, cotangents: Sequence[Tensor | None], tensors: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        plain = self.truth.plain if tensors is None else PlainRun(self.ground, tensors, self.wrt)
        return plain.pull(cotangents)

    def cotangents(self) -> None:
        """The same backward for other grad_outputs: what is linear, at any layout of memory."""
        for kind, made in self.others():
            try:
                pulled = self.passed.pull(made)
            except Broke as broke:
                self.fail(replace(broke.failure, cotangent=kind))
                continue
            self.take(pulled, kind)
            for name, gradient in self.comparable(pulled, made):
                if not self.told(name):
                    self.other(name, gradient, kind, made)

    def others(self) -> Iterator[tuple[CotangentKind, list[Tensor | None]]]:
        dense = self.dense
        yield "minus-two", [None if each is None else -2 * each for each in dense]
        yield "zero", [None if each is None else torch.zeros_like(each) for each in dense]
        if any(each is not None and each.dim() and each.numel() > 1 for each in dense):
            yield "non-contiguous", [None if each is None else scattered(each) for each in dense]
            yield "expanded", [None if each is None else each.new_ones(()).expand(each.shape) for each in dense]
            yield "one-hot", [None if each is None else self.one_hot(each) for each in dense]
        asked = [number for number, each in enumerate(dense) if each is not None]
        if len(asked) > 1:
            for only in asked:
                yield "undefined", [each if number == only else None for number, each in enumerate(dense)]

    def one_hot(self, like: Tensor) -> Tensor:
        hot = torch.zeros_like(like, memory_format=torch.contiguous_format)
        if like.numel():
            hot.view(-1)[int(torch.randint(like.numel(), (), generator=self._generator))] = 1
        return hot

    def other(self, name: str, gradient: Tensor, kind: CotangentKind, cotangents: Sequence[Tensor | None]) -> None:
        """One gradient for another cotangent. What follows from the dense one costs nothing; else torch's own result in
        float64 is looked at first.
        """
        dense = self.answers.gradients[name]
        quantity, dtype = Quantity("gradient", name), self.tensors[name].dtype
        factor = {"minus-two": -2.0, "zero": 0.0, "non-contiguous": 1.0}.get(kind)
        if factor is not None:
            if "dense" in self.right_for[name] and torch.equal(gradient, self.pulled.gradients[name] * factor):
                self.right_for[name].add(kind)
                return
            wider = (each.times(factor) for each in self.truth.hulls(self.dense, name))
            found, right = self.settled(gradient, dense.times(factor), wider, dtype, 2 * self.scale)
            if found.grade == "wrong" or (found.grade != "right" and self.strict):
                mistake = self.mistake(quantity, gradient, right, kind, cotangents)
                failure: FailureKind = "values" if kind == "non-contiguous" else "not-linear"
                self.fail(Failure(failure, quantity, kind, self.entries(gradient, right, found), mistake))
            else:
                self.right_for[name].add(kind)
            return
        near = gradient.detach().to(torch.float64, copy=True).sub_(self.plain_for(cotangents)[name]).abs_()
        if not near.numel() or float(near.div_(dense.allowed(dtype, self.scale)).max()) <= 1 / K:
            self.right_for[name].add(kind)
            return
        if kind == "expanded":
            # Is it the layout, or the numbers? The same ones, each in a place of its own.
            contiguous = self.passed.pull([None if each is None else each.contiguous() for each in cotangents])
            ones = contiguous.gradients.get(name)
            if isinstance(ones, Tensor) and ones.shape == gradient.shape and torch.equal(ones, gradient):
                kind = "ones"
        self.gradient(name, gradient, kind, cotangents)

    def plain_for(self, cotangents: Sequence[Tensor | None]) -> dict[str, Tensor]:
        if self._plain[0] is not cotangents:
            self._plain = cotangents, self.truth.plain.pull(cotangents)
        return self._plain[1]

    _plain: tuple[Sequence[Tensor | None], dict[str, Tensor]] = ((), {})

    def repeats(self) -> None:
        """Determinism and reuse: once more, with another use in between. Only where something differs, each by itself.

        In the equal call, memory that nobody has written holds NaN, where in the first it may have held the right
        numbers of an earlier call.
        """
        asked = [check for check in ("determinism", "reuse") if check in self.checks]
        if asked and not self.repeated(determinism="determinism" in asked, reuse="reuse" in asked, kind="keeps-state"):
            kinds: list[tuple[str, FailureKind]] = [("determinism", "not-deterministic"), ("reuse", "keeps-state")]
            before = len(self.failures)
            for check, kind in kinds:
                if check in asked and len(self.failures) == before:
                    self.repeated(determinism=check == "determinism", reuse=check == "reuse", kind=kind, tell=True)

    def repeated(self, *, determinism: bool, reuse: bool, kind: FailureKind, tell: bool = False) -> bool:
        """Whether a call comes out as the first one did: an order of summation may differ, noise may not."""
        with unwritten_is_nan() if determinism else nullcontext():
            again = self.subject.run()
            if reuse:
                with suppress(Broke):  # it need not take the same entries in another order
                    self.subject.run({name: torch.roll(tensor, 1) for name, tensor in self.tensors.items()})
            pulled = again.pull(self.dense)
        pairs = [
            (self.output(number), first, second, right)
            for number, (first, second, right) in enumerate(
                zip(self.passed.outputs, again.outputs, self.answers.outputs, strict=False)
            )
        ]
        pairs += [
            (Quantity("gradient", name), self.pulled.gradients.get(name), second, self.answers.gradients[name])
            for name, second in self.comparable(pulled, self.dense)
        ]
        alike = [self.alike(*each, kind if tell else None) for each in pairs]
        return all(alike)

    def flags(self) -> None:
        """An input's gradient is the same where no other asks for one; what asks for none need not have one."""
        if not 1 < len(self.wrt) <= MOST_FLAGS:
            return
        groups = [self.wrt[:1], self.wrt[1:]] if self.many else [(name,) for name in self.wrt]
        for group in groups:
            found = self.subject.run(asked=group).pull(self.dense).gradients
            for name in group:
                right, before, gradient = self.answers.gradients[name], self.pulled.gradients.get(name), found.get(name)
                if gradient is None and before is not None and bool((right.low != 0).any()):
                    self.fail(Failure("needs-input-grad", Quantity("gradient", name)))
                elif isinstance(gradient, Tensor) and gradient.shape == self.tensors[name].shape:
                    self.alike(Quantity("gradient", name), before, gradient, right, "needs-input-grad")

    def alike(
        self, quantity: Quantity, first: Any, second: Any, right: Around | None, kind: FailureKind | None
    ) -> bool:
        """Whether two tensors are equal but for rounding. If not, it is told as a failure of this `kind`."""
        if not (isinstance(first, Tensor) and isinstance(second, Tensor) and right is not None):
            return True
        first, second = first.detach(), second.detach()
        if first.shape != second.shape or torch.equal(first, second):
            return True
        before = first.to(torch.float64)
        allowed = Around(before, before, right.radius)
        found = judged(second, allowed, second.dtype, self.scale)
        if found.grade == "right":
            if kind == "not-deterministic" and bool(((first != second) & ~first.isnan()).any()):
                self.note("order-of-summation", quantity)
            return kind is not None or bool(((first == second) | first.isnan()).all())
        if kind == "not-deterministic" and bool((second.isnan() & ~first.isnan()).any()):
            kind = "unwritten"
        if kind is not None:
            self.fail(Failure(kind, quantity, entries=self.entries(second, allowed, found)))
        return False

    def together(self) -> None:
        """At kinks every entry of a gradient may lie between two values, but not each for itself: where three numbers
        are the largest ones, their parts of grad_output add up to all of it. What all right answers have in common, any
        linear relation between a few entries, must hold of the candidate's too.
        """
        for cotangents in filter(None, (self.dense, self.through_a_kink())):
            gradients = dict(self.comparable(self.passed.pull(cotangents), cotangents))
            samples = self.truth.samples(cotangents)
            if gradients.keys() < set(self.wrt) or self.related(gradients, samples):
                continue
            if self.related(gradients, samples + self.truth.samples(cotangents, MANY_DRAWS)):
                continue  # what was drawn at first looked related by chance
            for name, gradient in gradients.items():
                values = torch.stack([each.gradients[name].low for each in samples])
                free = values.amax(0) > values.amin(0)
                if bool(free.any()):
                    right = self.truth.hull(cotangents, name)
                    allowed = torch.where(free, -1.0, torch.inf)
                    entries = entries_of(gradient.detach(), right.low, right.high, right.radius, allowed)
                    kind: CotangentKind = "dense" if cotangents is self.dense else "one-hot"
                    together = Mistake("kink", way="together")
                    self.fail(Failure("values", Quantity("gradient", name), kind, entries, together))
            return

    def related(self, gradients: Mapping[str, Tensor], samples: Sequence[Truths]) -> bool:
        """Whether linear relations between entries that hold of all samples hold of the gradients too."""
        flat = {name: torch.stack([each.gradients[name].low.reshape(-1) for each in samples]) for name in gradients}
        free = {name: values.amax(0) > values.amin(0) for name, values in flat.items()}
        if not 1 < sum(int(mask.sum()) for mask in free.values()) <= FEW_FREE:
            return True

        def chosen(tensors: Mapping[str, Tensor]) -> Tensor:
            return torch.cat([tensors[name].detach().double().reshape(-1)[mask] for name, mask in free.items()])

        values = torch.cat([flat[name][:, mask] for name, mask in free.items()], 1)
        middle = values.mean(0)
        radius = chosen({name: samples[0].gradients[name].radius for name in free})
        _, sizes, ways = torch.linalg.svd(values - middle)
        sizes = torch.cat([sizes, sizes.new_zeros(len(ways) - len(sizes))])
        common = ways[sizes <= 1e-6 * sizes.amax()]
        off = (common @ (chosen(gradients) - middle)).abs() > K * (common.abs() @ radius) + 1e-6 * sizes.amax()
        return not bool(off.any())

    def through_a_kink(self) -> list[Tensor | None] | None:
        """A grad_output that is 1 in one place, at an output that depends on a choice."""
        hulls = {name: self.truth.hull(self.dense, name) for name in self.wrt if self.tensors[name].numel()}
        wide = {name: each.high - each.low for name, each in hulls.items()}
        name = max(wide, key=lambda each: float(wide[each].max()))
        entry = int(wide[name].argmax())
        for _ in range(FEW_FREE):
            near = {
                each: tensor.detach().double() + 1e-6 * self.drawn(tensor.shape).to(tensor.device)
                for each, tensor in self.tensors.items()
            }
            columns = PlainRun(self.ground, near, (name,)).column(name, entry)
            sizes = [0.0 if each is None or not each.numel() else float(each.abs().max()) for each in columns]
            if max(sizes) > 0:
                place = sizes.index(max(sizes))
                hot = [None if each is None else torch.zeros_like(each).contiguous() for each in self.dense]
                chosen, column = hot[place], columns[place]
                if chosen is None or column is None:
                    return None
                chosen.view(-1)[int(column.abs().argmax())] = 1
                return hot
        return None

    def second_order(self) -> None:
        """The backward's own derivative, by the inputs and by grad_output."""
        upstream = [None if each is None else each.detach().clone().requires_grad_() for each in self.dense]
        named = {
            f"grad_output{f' {place}' if len(upstream) > 1 else ''}": each
            for place, each in enumerate(upstream)
            if each is not None
        }
        tensors = {**self.tensors, **{name: each.detach() for name, each in named.items()}}
        names = [next((name for name, each in named.items() if each is one), None) for one in upstream]
        backward = Ground(f"the gradient of {self.ground.name}", backward_of(self.ground, self.wrt, names))
        truth = Truth(backward, tensors, (*self.wrt, *named), self.dtype, fused=self.truth.fused, seed=self.seed)
        ways = [
            self.like(self.tensors[name], self.drawn(first.shape)) if flows(first) else None
            for name, first in zip(self.wrt, truth.plain.outputs, strict=True)
        ]
        passed = self.subject.run()
        pulled = passed.pull(upstream, create_graph=True)
        firsts = [pulled.gradients.get(name) for name in self.wrt]
        leaves = {**{name: passed.leaves[name] for name in self.wrt}, **named}
        if any(type(getattr(first, "grad_fn", None)).__name__ == "Error" for first in firsts):
            # torch's own way to say so is an error that torch.autograd.grad with allow_unused passes over.
            message = "the backward is marked once_differentiable: it cannot be differentiated a second time"
            self.fail(Failure("raised", Quantity("second-gradient"), error="RuntimeError", message=message))
            return
        found = passed.differentiate(firsts, ways, list(leaves.values()))
        for (name, leaf), got in zip(leaves.items(), found, strict=True):
            self.second(name, torch.zeros_like(leaf) if got is None else got, truth, ways)

    def second(self, name: str, got: Tensor, truth: Truth, ways: Sequence[Tensor | None]) -> None:
        quantity, right = Quantity("second-gradient", name), truth.answers(ways).gradients[name]
        found, right = self.settled(got, right, truth.hulls(ways, name), got.dtype, self.scale)
        self.worst[quantity] = found.worst
        if found.grade == "wrong" or (found.grade != "right" and self.strict):
            self.fail(Failure("values", quantity, "dense", self.entries(got, right, found)))
        elif found.grade != "right":
            self.note("relative-to-largest", quantity, entries=self.entries(got, right, found))

    # What is worth knowing.

    def better_formula(self) -> None:
        """Entries at which the reference may lose nearly everything, though the inputs determine the value well."""
        if self.dtype in HALF or "gradients" not in self.checks:
            return
        if sum(tensor.numel() for tensor in self.tensors.values()) > MOST_EXACT:
            return
        unit = torch.finfo(self.dtype).eps / 2
        blunt = {
            name: (right.radius > BLUNT * right.low.abs()) & (right.radius > NEARLY_NOTHING) & right.radius.isfinite()
            for name, right in self.answers.gradients.items()
        }
        if not any(bool(mask.any()) for mask in blunt.values()):
            return
        try:
            exact = exactly(self.ground, self.tensors, self.wrt, self.dense)
            nearby = [self.nearby(unit) for _ in range(2)]
        except GradcheckError:
            return
        for name, mask in blunt.items():
            right, value = self.answers.gradients[name], exact[name]
            moved = torch.stack([(each[name] - value).abs() for each in nearby]).amax(0)
            better = mask & (right.radius > 100 * (moved + unit * value.abs())) & (value != 0)
            if bool(better.any()):
                allowed = torch.where(better, -1.0, torch.inf)
                entries = entries_of(right.low, value, value, right.radius, allowed)
                self.note("better-formula", Quantity("gradient", name), entries=entries)

    def nearby(self, unit: float) -> dict[str, Tensor]:
        """Exact gradients at inputs and cotangents that are off by a rounding."""
        moved = partial(nudged, drawn=self._generator, by=max(unit, 2.0**-50))
        tensors = {name: moved(tensor) for name, tensor in self.tensors.items()}
        return exactly(self.ground, tensors, self.wrt, [None if g is None else moved(g) for g in self.dense])

    def against_torch(self) -> None:
        """What may go unseen; in half precisions, how much larger the error is than torch's own."""
        if "gradients" not in self.checks:
            return
        nothing = smallest(self.dtype) * self.scale
        for name, right in self.answers.gradients.items():
            if 0 < (ratio := right.bluntness(nothing, self.dtype)) < torch.inf:
                self.note("blunt", Quantity("gradient", name), ratio=ratio)
        if self.dtype not in HALF or self.native is None:
            return
        try:
            own = self.native.pull(self.dense)
        except Exception:
            return  # what torch cannot compute in this dtype
        for name, gradient in self.comparable(self.pulled, self.dense):
            if not gradient.numel():
                continue
            right = self.truth.hull(self.dense, name) if self.kinks else self.answers.gradients[name]
            error, torchs = (float(torch.nan_to_num(right.distance(each)).max()) for each in (gradient, own[name]))
            least = torch.finfo(gradient.dtype).eps / 2 * float(torch.nan_to_num(right.low).abs().max())
            torchs = max(torchs, least, smallest(gradient.dtype) * self.scale)
            if error > TIMES_TORCH * torchs:
                self.note("worse-than-torch", Quantity("gradient", name), ratio=error / torchs)


def floats_of(outputs: Sequence[Any]) -> tuple[Tensor, ...]:
    """Each output, whatever it holds, in float64: an empty tensor in the place of what is none."""
    return tuple(each.detach().double() if isinstance(each, Tensor) else torch.empty(0) for each in outputs)


def computed_in(dtype: torch.dtype, function: Callable[..., Any]) -> Callable[..., Any]:
    """What torch reads off a tensor's dtype is the candidate's, also where its numbers are float64 or exact."""

    def computed(*args: Any) -> Any:
        with ComputedIn(dtype):
            return function(*args)

    return computed


def scattered(tensor: Tensor) -> Tensor:
    """The same entries, laid out column after column; of a row, with gaps."""
    if tensor.dim() > 1:
        return tensor.mT.contiguous().mT
    return torch.stack([tensor, tensor], -1)[..., 0]


@contextmanager
def unwritten_is_nan() -> Iterator[None]:
    """What torch.empty and its like make holds NaN."""
    before, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    settings: Any = torch.utils.deterministic
    filled = settings.fill_uninitialized_memory
    set_mode = torch._C._set_deterministic_algorithms  # noqa: SLF001 — torch's own function imports its compiler
    set_mode(True, warn_only=True)
    settings.fill_uninitialized_memory = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        set_mode(before, warn_only=warns)
        settings.fill_uninitialized_memory = filled
