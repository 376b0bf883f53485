"""What is right at the inputs of a call: values with the radius of what a right program may lose, and no more work for
that than is asked for.

One run of the reference on bounded numbers, at the candidate's precision, gives outputs and gradients with their radii.
Whatever else costs as much is found out when an entry is suspect: the hull at kinks, other cotangents, balls where
float64 has no bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from gradcheck.errors import GradcheckError, UsageError
from gradcheck.numbers.bounded import Bounded
from gradcheck.numbers.bounded.number import HALF
from gradcheck.numbers.dispatch import NoRule, Numbers, NumberTensor
from gradcheck.numbers.run import vjp
from gradcheck.references.expected import PRECISION, TRUTH_BITS, K, balls, size_of, values_of
from gradcheck.verification.inputs import flows

if TYPE_CHECKING:
    from gradcheck.verification.reference import Ground

DRAWS = 10
"""Runs in which comparisons that rounding or a tie decides come out at random: a cycle, in which each changes twice."""

SHIFTS, CYCLES = 4, 6
"""Choices that change in the same run may cancel; hardly in all of these cycles. The first ones differ in their phase,
so that each of up to `DRAWS * SHIFTS` contenders for a maximum gets its turn; then other choices are drawn.
"""

ENDS: tuple[dict[str, Any], ...] = ({"flip": True}, {"take": "first"}, {"take": "last"}, {"across": True})
"""Runs in which all of them come out the other way, or as other programs decide them."""

MOST_BALLS = 20_000
"""Entries that are computed with balls where float64 has no bound: 15 µs each and operation."""

BLUNT, BLUNT_OF_HALF = 0.1, 0.5
"""A tolerance of that part of the largest entry, for half of the entries, shows little of what may be wrong."""

FEW = 16
"""Entries of which a few runs tell nothing: each may come out right by chance."""

Cotangents = Sequence[Tensor | None]
Tensors = Mapping[str, Tensor]
Made = Callable[[Tensor], Tensor]
"""What an input is made of the given one."""


@dataclass(frozen=True)
class Around:
    """What is right: anything from `low` to `high`, which differ at kinks only, give or take `radius`; in float64."""

    low: Tensor
    high: Tensor
    radius: Tensor
    estimated: bool = False
    """Whether the radius is no bound, but what is lost nearby."""
    _allowed: dict[tuple[torch.dtype, float], Tensor] = field(default_factory=dict, repr=False, compare=False)

    @property
    def middle(self) -> Tensor:
        return self.low if self.low is self.high else (self.low + self.high) / 2

    @cached_property
    def has_bounds(self) -> bool:
        return bool(torch.isfinite(self.radius.sum()))

    def times(self, factor: float) -> Around:
        """What is right for so many times the cotangent."""
        low = self.low * factor
        high = low if self.low is self.high else self.high * factor
        return Around(*((high, low) if factor < 0 else (low, high)), self.radius * abs(factor), self.estimated)

    def bluntness(self, nothing: float, dtype: torch.dtype) -> float:
        """What may go unseen in most entries, relative to the largest one; 0 where that is little or they are few."""
        least = BLUNT_OF_HALF if dtype in HALF else BLUNT
        if self.radius.numel() < FEW:
            return 0.0
        most, size = float(self.radius.max()), largest(self.low)
        if K * most <= least * size or (size <= nothing and most < torch.inf):
            return 0.0
        usual = K * float(self.radius.median()) / max(size, nothing)
        return usual if usual > least else 0.0

    def allowed(self, dtype: torch.dtype, scale: float) -> Tensor:
        """How far from it a right answer may lie."""
        key = dtype, scale
        if key not in self._allowed:
            self._allowed[key] = (self.radius * K).add_(smallest(dtype) * scale)
        return self._allowed[key]

    def distance(self, got: Tensor) -> Tensor:
        """How far away each entry is: NaN where nobody can say; 0 at the same infinity."""
        got = got.detach().to(torch.float64)
        if self.low is self.high:
            far = (got - self.low).abs_()
        else:
            far = torch.maximum(self.low - got, got - self.high).clamp_(min=0.0)
        return far if bool(torch.isfinite(far.sum())) else torch.where(got == self.low, 0.0, far)


def smallest(dtype: torch.dtype) -> float:
    """A size below which nothing is asked of anybody."""
    return 2.0**-24 if dtype == torch.float16 else PRECISION[name_of(dtype)][2]


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


@dataclass(frozen=True)
class Truths:
    """What is right for one cotangent: every output, and the gradient of everything that has one, by name."""

    outputs: tuple[Around | None, ...]
    gradients: Mapping[str, Around]
    decided: int = 0
    """Comparisons that were ties, or decided by rounding."""
    ties: int = 0
    """Ties among them."""


@dataclass(frozen=True)
class Sum:
    """What a gradient times `direction` adds up to, give or take `allowed`."""

    direction: Tensor
    value: float
    allowed: float = 0.0

    def of(self, gradient: Tensor) -> float:
        return float((gradient.detach().cpu().double() * self.direction).sum())

    def fits(self, gradient: Tensor) -> bool:
        rounding = 2.0**-48 * float((gradient.detach().cpu().double() * self.direction).abs().sum())
        return abs(self.of(gradient) - self.value) <= self.allowed + rounding


def wide(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float64, copy=True)


class PlainRun:
    """The reference as torch computes it, in float64 if not `made` otherwise: for what is only looked at."""

    def __init__(
        self,
        ground: Callable[[Mapping[str, Any]], Any],
        tensors: Tensors,
        wrt: Sequence[str],
        made: Callable[[Tensor], Tensor] = wide,
    ) -> None:
        self.leaves = {name: made(tensor.detach()).requires_grad_(name in wrt) for name, tensor in tensors.items()}
        self.wrt = tuple(wrt)
        with torch.set_grad_enabled(bool(wrt)):
            self.outputs = tuple(tree_leaves(ground(self.leaves)))

    def pull(self, cotangents: Cotangents) -> dict[str, Tensor]:
        """The gradient of everything, zeros where nothing flows."""
        upstream = [
            cotangent.detach().to(output.dtype) if cotangent is not None and flows(output) else None
            for output, cotangent in zip(self.outputs, cotangents, strict=True)
        ]
        leaves = [self.leaves[name] for name in self.wrt]
        return dict(zip(self.wrt, gradients_of(self.outputs, upstream, leaves, retain_graph=True), strict=True))

    def column(self, name: str, entry: int) -> list[Tensor | None]:
        """How each output changes with one entry of a tensor, by the derivative of the gradient by the cotangent."""
        places = [place for place, output in enumerate(self.outputs) if flows(output)]
        upstream = [torch.zeros_like(self.outputs[place], requires_grad=True) for place in places]
        found: list[Tensor | None] = [None] * len(self.outputs)
        if places:
            ends = [self.outputs[place] for place in places]
            (gradient,) = torch.autograd.grad(ends, [self.leaves[name]], upstream, create_graph=True, allow_unused=True)
            if flows(gradient):
                columns = torch.autograd.grad(gradient.reshape(-1)[entry], upstream, allow_unused=True)
                for place, column in zip(places, columns, strict=True):
                    found[place] = column
        return found


def gradients_of(outputs: Sequence[Any], cotangents: Sequence[Any], leaves: Sequence[Any], **how: Any) -> list[Tensor]:
    """By each leaf, as torch finds them: zeros where nothing flows."""
    pairs = [(o, g) for o, g in zip(outputs, cotangents, strict=True) if g is not None and flows(o)]
    found: Sequence[Tensor | None] = [None] * len(leaves)
    if pairs:
        found = torch.autograd.grad([o for o, _ in pairs], leaves, [g for _, g in pairs], allow_unused=True, **how)
    return [torch.zeros_like(leaf) if each is None else each for leaf, each in zip(leaves, found, strict=True)]


class Truth:
    """What is right for `ground` at `tensors`, for a candidate that computes in `dtype`.

    `by_rules` says that torch's rules of differentiation are trusted, `estimated` that radii are guessed.
    """

    by_rules = True
    estimated = False
    plain_run: type[PlainRun] = PlainRun

    def __init__(
        self, ground: Ground, tensors: Tensors, wrt: Sequence[str], dtype: torch.dtype, *, fused: bool, seed: int
    ) -> None:
        self.ground, self.tensors, self.wrt = ground, tensors, tuple(wrt)
        self.dtype, self.fused, self.seed = dtype, fused, seed
        self._answers: dict[int, tuple[Cotangents, Truths]] = {}
        self._drawn: dict[tuple[int, int], tuple[Cotangents, list[Truths]]] = {}

    @cached_property
    def plain(self) -> PlainRun:
        """In float64. Raises UsageError where the reference itself cannot be computed, or says nothing."""
        what = self.ground.called
        try:
            found = self.plain_run(self.ground, self.tensors, self.wrt)
        except GradcheckError:
            raise
        except Exception as error:
            raise UsageError(f"{what} raises {type(error).__name__} for these inputs, in float64: {error}") from error
        outputs = [each for each in found.outputs if isinstance(each, Tensor)]
        if not outputs:
            raise UsageError(f"{what} returns no tensor: there is nothing to hold the candidate against.")
        if any(each.is_complex() for each in outputs):
            raise UsageError(
                f"{what} returns complex numbers, and gradients are not checked for that. "
                "Have it return real and imaginary parts as two tensors."
            )
        return found

    def forget(self) -> None:
        """Let go of the run in float64: it is made again if it is asked for."""
        self.__dict__.pop("plain", None)

    def answers(self, cotangents: Cotangents) -> Truths:
        """Outputs and gradients for these cotangents, each computed once."""
        key = id(cotangents)
        if key not in self._answers:
            found = self._run(self._bounded(), cotangents)
            if any(
                each and bool(torch.isinf(each.radius).any()) for each in (*found.outputs, *found.gradients.values())
            ):
                found = self._with_balls(found, cotangents)
            found = self._sharpened(found, cotangents)
            self._answers[key] = cotangents, found
        return self._answers[key][1]

    def hulls(self, cotangents: Cotangents, name: str) -> Iterator[Around]:
        """A gradient with all that is right at kinks and where rounding decides a comparison: nothing if there is no
        such thing, else wider and wider the more choices are drawn.
        """
        near = self.answers(cotangents)
        if not near.decided or (near.gradients[name].estimated and not near.ties):
            return
        low = high = near.gradients[name].low
        for cycle in range(CYCLES):
            runs = self._turned(cotangents, cycle)
            parts = [each.gradients[name] for each in (near, *self._ends(cotangents), *runs)]
            middles = torch.stack([each.low for each in parts])
            turns = middles[-len(runs) :]
            # In the course of a cycle every choice changes once, and once back again. So what an entry goes through
            # is twice the sum of what single choices do to it, if no two of them cancel: no right answer lies further
            # above the smallest one, or below the largest, than that sum.
            reach = (turns.roll(-1, 0) - turns).abs().sum(0) / 2
            low = low.minimum(middles.amin(0)).minimum(turns.amax(0) - reach)
            high = high.maximum(middles.amax(0)).maximum(turns.amin(0) + reach)
            yield Around(low, high, torch.stack([each.radius for each in parts]).amax(0))

    def across(self, cotangents: Cotangents, output: int) -> Iterator[Around]:
        """An output where rounding decides a comparison: either side, but of exact ties the one that is written."""
        near = self.answers(cotangents)
        one, other = near.outputs[output], self._ends(cotangents)[-1].outputs[output] if near.decided else None
        if one is not None and other is not None and (near.ties or not one.estimated):
            yield Around(one.low.minimum(other.low), one.low.maximum(other.low), one.radius.maximum(other.radius))

    def hull(self, cotangents: Cotangents, name: str) -> Around:
        """The first of these; what is right anyway where there is none."""
        return next(self.hulls(cotangents, name), self.answers(cotangents).gradients[name])

    def sums(self, cotangents: Cotangents, name: str) -> tuple[Sum, ...]:  # noqa: ARG002
        """What must hold of a gradient's entries together, where not each of them is known."""
        return ()

    def samples(self, cotangents: Cotangents, draws: int = 0) -> list[Truths]:
        """Right answers at kinks, as different choices make them: those of the first hull, or so many others."""
        if not draws:
            return [self.answers(cotangents), *self._turned(cotangents, 0)]
        seeds = (torch.Generator().manual_seed(DRAWS * self.seed + draw) for draw in range(draws))
        return [self._run(self._bounded(draw=each, turn=0.5), cotangents) for each in seeds]

    def _ends(self, cotangents: Cotangents) -> list[Truths]:
        return self._all(cotangents, -1, lambda: [self._bounded(**way) for way in ENDS])

    def _turned(self, cotangents: Cotangents, cycle: int) -> list[Truths]:
        def turned(turn: int) -> Bounded:
            other, shift = divmod(cycle, SHIFTS)
            generator = torch.Generator().manual_seed(2 * self.seed + other)
            return self._bounded(draw=generator, turn=(turn + shift / SHIFTS) / DRAWS)

        return self._all(cotangents, cycle, lambda: [turned(turn) for turn in range(DRAWS)])

    def _all(self, cotangents: Cotangents, which: int, numbers: Callable[[], list[Bounded]]) -> list[Truths]:
        key = id(cotangents), which
        if key not in self._drawn:
            if which > 0:  # each is the size of all that is verified
                self._drawn.pop((id(cotangents), which - 1), None)
            made = [self._run(each, cotangents) for each in numbers()]
            self._drawn[key] = cotangents, made if which < 0 else [replace(each, outputs=()) for each in made]
        return self._drawn[key][1]

    def _bounded(self, **how: Any) -> Bounded:
        return Bounded(self.dtype, fused=self.fused, **how)

    def _run(self, numbers: Numbers, cotangents: Cotangents, wrap: Callable[[Tensor], Tensor] | None = None) -> Truths:
        """One run of the reference on numbers, backwards too. All that goes in is off by one rounding."""
        wrap = wrap or partial(numbers.wrap, off=1.0)  # type: ignore[call-arg]
        wrapped = {name: wrap(tensor).requires_grad_(name in self.wrt) for name, tensor in self.tensors.items()}
        upstream = [None if each is None else wrap(each) for each in cotangents]
        outputs, gradients = run_on(numbers, self.ground, wrapped, upstream)
        found = dict(zip(self.tensors, gradients, strict=True))
        return Truths(
            tuple(around(numbers, leaf) if isinstance(leaf, NumberTensor) else None for leaf in tree_leaves(outputs)),
            {name: self._gradient(numbers, name, found[name]) for name in self.wrt},
            numbers.ties + numbers.unclear,
            numbers.ties,
        )

    def _gradient(self, numbers: Numbers, name: str, found: NumberTensor | None) -> Around:
        if found is not None:
            return around(numbers, found)
        nothing = torch.zeros_like(self.tensors[name], dtype=torch.float64)
        return Around(nothing, nothing, nothing)

    def _with_balls(self, answers: Truths, cotangents: Cotangents) -> Truths:
        """What has no bound in float64, in balls of the candidate's bits."""
        if sum(tensor.numel() for tensor in self.tensors.values()) > MOST_BALLS:
            return answers
        rounded = balls(name_of(self.dtype))
        try:
            found = self._run(rounded.numbers, cotangents, rounded.wrap)
            native = PlainRun(self.ground, self.tensors, self.wrt, Tensor.clone)
            pulled = native.pull(cotangents)
        except (GradcheckError, RuntimeError):  # no rule; nothing that torch computes in this dtype
            return answers
        return replace(
            answers,
            outputs=tuple(
                None if one is None or other is None else _finite_of(one, other, came)
                for one, other, came in zip(answers.outputs, found.outputs, native.outputs, strict=True)
            ),
            gradients={
                name: _finite_of(each, found.gradients[name], pulled[name]) for name, each in answers.gradients.items()
            },
        )

    def _sharpened(self, answers: Truths, cotangents: Cotangents) -> Truths:
        """Bounds add up over many operations. Where they say little in the end, it is estimated what may be lost."""
        nothing = smallest(self.dtype) * size_of(list(cotangents))
        parts = [*answers.outputs, *answers.gradients.values()]
        blunt = [each is not None and each.bluntness(nothing, self.dtype) > 0 for each in parts]
        if not any(blunt):
            return answers

        def run(made: Callable[[Tensor], Tensor]) -> list[Any]:
            found = self.plain_run(self.ground, self.tensors, self.wrt, made)
            return [*found.outputs, *found.pull(cotangents).values()]

        exact = run(wide)
        lost = lost_nearby(run, exact, self.dtype, self.seed)
        for place, part in enumerate(parts):
            if part is not None and blunt[place]:
                value, radius = exact[place].detach().double(), max(lost[place], nothing) / K
                better = torch.isfinite(value) & (radius < part.radius)
                middle = torch.where(better, value, part.low)
                parts[place] = Around(middle, middle, torch.where(better, radius, part.radius), estimated=True)
        self.estimated = True
        of_inputs = zip(answers.gradients, parts[len(answers.outputs) :], strict=True)
        gradients = {name: part for name, part in of_inputs if part is not None}
        return replace(answers, outputs=tuple(parts[: len(answers.outputs)]), gradients=gradients)


def around(numbers: Numbers, leaf: NumberTensor) -> Around:
    """The parts of a result."""
    if isinstance(numbers, Bounded):
        mid, radius = leaf.parts
    else:
        mid, radius = (torch.from_numpy(part) for part in values_of(numbers, leaf))
    return Around(mid, mid, radius)


def _finite_of(first: Around, second: Around, native: Tensor) -> Around:
    """The first one, but the second where that has a bound and the first has none; not where the reference itself
    leaves the range of the candidate's dtype, as others then may.
    """
    device = first.radius.device
    instead = torch.isinf(first.radius) & torch.isfinite(second.radius.to(device)) & torch.isfinite(native.to(device))
    middle = torch.where(instead, second.low.to(device), first.low)
    return Around(middle, middle, torch.where(instead, second.radius.to(device), first.radius))


def run_on(
    numbers: Numbers, ground: Callable[[Mapping[str, Any]], Any], wrapped: Mapping[str, Any], upstream: Sequence[Any]
) -> tuple[Any, tuple[NumberTensor | None, ...]]:
    """The reference on numbers, backwards too. Raises NoRule for whatever cannot be computed with them."""
    try:
        return vjp(numbers, ground, (wrapped,), list(upstream))
    except GradcheckError:
        raise
    except Exception as error:
        called, kind = getattr(ground, "called", "The reference"), type(numbers).__name__
        raise NoRule(
            f"{called} raises {type(error).__name__} when it is computed with {kind} numbers: {error}. "
            "Write it in other operators of torch, or give a formula as the reference."
        ) from error


def exactly(
    ground: Callable[[Mapping[str, Any]], Any], tensors: Tensors, wrt: Sequence[str], cotangents: Cotangents
) -> dict[str, Tensor]:
    """The gradients in exact numbers, rounded to float64 at the very end."""
    from gradcheck.numbers.exact import Exact

    numbers = Exact(TRUTH_BITS)
    wrapped = {name: numbers.wrap(tensor, requires_grad=name in wrt) for name, tensor in tensors.items()}
    _, gradients = run_on(numbers, ground, wrapped, cotangents)
    found = dict(zip(tensors, gradients, strict=True))
    return {name: numbers.values(each)[0] for name in wrt if (each := found[name]) is not None}


def backward_of(
    ground: Callable[[Mapping[str, Any]], Any], wrt: Sequence[str], upstream: Sequence[str | None]
) -> Callable[[Mapping[str, Any]], Any]:
    """The gradients by `wrt` as a function of the tensors, grad_outputs by their names in `upstream` among them."""

    def backward(tensors: Mapping[str, Any]) -> list[Any]:
        cotangents = [None if name is None else tensors[name] for name in upstream]
        leaves = [tensors[name] for name in wrt]
        return gradients_of(tree_leaves(ground(tensors)), cotangents, leaves, create_graph=True)

    return backward


# What right programs lose, found by running some: an estimate, for where the bounds of a long program say little.

FAR, FAR_IN_HALF = 16.0, 4.0
"""A right program may lose that much more than torch does with inputs that are off by a rounding."""


def lost_nearby(
    run: Callable[[Made], Sequence[Any]], exact: Sequence[Any], dtype: torch.dtype, seed: int
) -> list[float]:
    """The largest error in each tensor: `FAR` times that of torch's own in `dtype`, also at inputs that are off by a
    rounding; or that of exact results at inputs that are off by `FAR` roundings, which steps over kinks too.

    `run` computes all tensors from inputs that are made of the given ones, `exact` are those in float64.
    """
    drawn = torch.Generator().manual_seed(seed)
    unit = torch.finfo(dtype).eps / 2
    far = FAR_IN_HALF if dtype in HALF else FAR

    def moved(by: float, dtype: torch.dtype | None = None) -> Made:
        def move(tensor: Tensor) -> Tensor:
            return (tensor.double() + by * (largest(tensor) or 1.0) * signs(tensor, drawn)).to(dtype or tensor.dtype)

        return move

    ways = [(far, moved(by)) for by in (0.0, unit, unit)]
    ways += [(1.0, moved(far * unit, torch.float64)) for _ in range(2)]
    if dtype == torch.float64:  # in which `exact` is no better than torch's own: float32 tells how roundings add up
        ways.append((far * unit / torch.finfo(torch.float32).eps * 2, moved(0.0, torch.float32)))
    lost = [far * unit * largest(value) if isinstance(value, Tensor) else 0.0 for value in exact]
    for factor, made in ways:
        try:
            found = run(made)
        except Exception:  # noqa: S112 — torch does not compute everything in every dtype
            continue
        for place, (value, came) in enumerate(zip(exact, found, strict=True)):
            if isinstance(value, Tensor) and isinstance(came, Tensor) and came.shape == value.shape:
                off = torch.where(torch.isfinite(value), (came.detach().double() - value.double()).abs(), 0.0)
                lost[place] = max(lost[place], factor * largest(off, but=torch.inf))
    return lost


def signs(like: Tensor, drawn: torch.Generator) -> Tensor:
    """1 or -1 for each entry, in float64: a whole number times a Python float would be float32."""
    return torch.randint(0, 2, like.shape, generator=drawn).to(like.device).double() * 2 - 1


def nudged(tensor: Tensor, drawn: torch.Generator, by: float) -> Tensor:
    """Every entry a little larger or smaller, relative to itself."""
    return tensor.detach().double() * (1 + signs(tensor, drawn) * by)


def largest(tensor: Tensor, but: float = 0.0) -> float:
    """The size of the largest entry; infinite ones count as `but`."""
    sizes = tensor.detach().double().abs()
    return float(torch.where(torch.isfinite(sizes), sizes, but).max()) if tensor.numel() else 0.0


# One tensor that came back, held against what is right.

Grade = Literal["right", "relative-to-largest", "wrong"]


@dataclass(frozen=True)
class Judged:
    """`worst` is the largest error in radii; `off` marks the entries that are not right, `unjudged` counts those that
    nobody has a bound for. `allowed` is how far an entry may be off.
    """

    grade: Grade
    worst: float
    allowed: Tensor
    off: Tensor | None = None
    unjudged: int = 0


def judged(got: Tensor, right: Around, dtype: torch.dtype, scale: float) -> Judged:
    """How the entries of `got` are, whose shape is right. `scale` is the size of what went in, for what underflows."""
    allowed = right.allowed(dtype, scale)
    distance = right.distance(got)
    if not distance.numel():
        return Judged("right", 0.0, allowed)
    most = float((distance / allowed).max())  # NaN, if there is one
    if most <= 1 and right.has_bounds:
        return Judged("right", most * K, allowed)
    unknown = ~torch.isfinite(right.radius) | torch.isnan(right.low)
    size = torch.where(got > 0, right.high + allowed, allowed - right.low)
    overflows = torch.isinf(got.detach()) & (size > torch.finfo(dtype).max)  # infinity is what a right value rounds to
    distance = torch.where(overflows, 0.0, distance)
    off = ~(distance <= allowed) & ~unknown
    worst = torch.where(unknown, 0.0, distance / allowed).nan_to_num(torch.inf).max().item() * K
    if not bool(off.any()):
        return Judged("right", worst, allowed, unjudged=int(unknown.sum()))
    most_off = K * torch.finfo(dtype).eps / 2 * largest(right.middle)
    near = bool((torch.where(off, distance, 0.0) <= most_off + allowed).all())
    return Judged("relative-to-largest" if near else "wrong", worst, allowed, off, int(unknown.sum()))
