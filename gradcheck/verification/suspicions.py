"""Guesses at a mistake, made of the true tensor, of what went in, and of what is right for something else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gradcheck.diagnosis.matching import Factor
from gradcheck.errors import FormulaError
from gradcheck.references.expected import K
from gradcheck.verification.facts import Mistake, Way
from gradcheck.verification.sight import FAILS, LIKELY, Sight, Told, broadcasts, fit

if TYPE_CHECKING:
    from gradcheck.diagnosis.mistakes import Mutant
    from gradcheck.operators.record import Operator


@dataclass(frozen=True)
class Suspicion:
    """A mistake and what would come back with it, for a lazy search: the plainer come first. With `scales` a factor may
    be wrong besides; with `partly` the wrong entries alone may show it. So many numbers were `fitted` to the wrong
    entries, or to those `everywhere`. `vanishes`: numbers that are nothing but rounding show it too.
    """

    mistake: Mistake
    make: Callable[[], Told | None]
    scales: bool = False
    partly: bool = False
    fitted: int = 0
    everywhere: int = 0
    vanishes: bool = False


Suspicions = Iterator[Suspicion]


def from_truth(sight: Sight) -> Suspicions:
    """The right numbers, turned, in the wrong place, or summed."""
    truth, radius = sight.truth, sight.radius
    for one, other in combinations(range(truth.dim()), 2):
        if truth.shape[one] == truth.shape[other]:
            turned = truth.transpose(one, other), partial(radius.transpose, one, other)
            yield Suspicion(Mistake("transposed", axes=(one, other)), lambda t=turned: t, scales=True)  # type: ignore[misc]
    for name, gradient in sight.observed.gradients.items():
        if gradient is not None and name != sight.observed.quantity.name and gradient.shape == truth.shape:
            yield Suspicion(Mistake("swapped-gradients", name=name), partial(sight.told, gradient), scales=True)
    if sight.observed.quantity.kind == "output":
        position = int(sight.observed.quantity.name or 0)
        for place, output in enumerate(sight.observed.outputs):
            if place != position and output.shape == truth.shape:
                mistake = Mistake("wrong-variable", name=f"output {place}")
                yield Suspicion(mistake, partial(sight.told, output), scales=True)


def in_other_places(sight: Sight) -> Suspicions:
    truth, radius = sight.truth, sight.radius

    def moved(way: Way, change: Callable[[Tensor], Tensor], *axes: int) -> Suspicion:
        return Suspicion(
            Mistake("wrong-index", axes=axes, way=way), lambda: (change(truth), lambda: change(radius)), scales=True
        )

    for axis in reversed(range(truth.dim())):
        if truth.shape[axis] > 1:
            yield moved("reversed", lambda t, a=axis: t.flip(a), axis)  # type: ignore[misc]
            for shift in (1, -1):
                yield moved("shifted", lambda t, a=axis, s=shift: t.roll(s, a), axis)  # type: ignore[misc]
    if truth.dim() > 1:
        yield moved("flattened", lambda t: t.permute(*reversed(range(t.dim()))).reshape(t.shape))
    yield Suspicion(Mistake("changes-upstream", way="clipped", part="result"), lambda: _clipped(sight), fitted=2)
    for axis in reversed(range(truth.dim())):
        yield from _rearranged(sight, axis)


def _clipped(sight: Sight) -> Told | None:
    """Cut off at the largest size that came."""
    most = float(sight.got[sight.judged].abs().max())
    cut = bool(((sight.got.abs() > 0.99 * most) & sight.wrong).sum() > 1)
    return (sight.truth.clamp(-most, most), lambda: sight.radius) if cut and most else None


MARKS, MOST_LINES = 8, 2048


def _rearranged(sight: Sight, axis: int) -> Suspicions:
    """Places along an axis that hold what belongs to others: every one is looked up by a random mark."""
    size = sight.truth.shape[axis]
    if not 2 < size <= MOST_LINES or sight.truth.numel() <= size or not torch.isfinite(sight.got).all():
        return

    lines = [each.movedim(axis, 0).reshape(size, -1) for each in (sight.truth, sight.got)]
    generator = torch.Generator().manual_seed(0)
    marks = torch.randn(lines[0].shape[1], MARKS, generator=generator, dtype=torch.float64).to(sight.truth.device)
    right, came = (torch.nan_to_num(each, 0.0, 0.0, 0.0) @ marks for each in lines)
    home = torch.arange(size, device=right.device)
    wrong = sight.wrong.movedim(axis, 0).reshape(size, -1).any(1)
    found = torch.where(wrong, torch.cdist(came, right).argmin(1), home)
    astray = int((found != home).sum())
    if astray:
        told = sight.truth.index_select(axis, found), partial(sight.radius.index_select, axis, found)
        held = len(set(found.tolist()))
        whole = held == size
        way: Way = ("exchanged" if astray == 2 else "permuted") if whole else "copied"
        if held > 1:
            yield Suspicion(Mistake("wrong-index", axes=(axis,), way=way), lambda: told, fitted=astray)


def reduced(sight: Sight) -> Suspicions:
    """A sum or mean over an axis that should stay, spread out again."""
    axes = [axis for axis in range(sight.truth.dim()) if sight.truth.shape[axis] > 1]
    ways: tuple[tuple[Way, Callable[..., Tensor]], ...] = (("sum", torch.sum), ("mean", torch.mean))
    for over in [*((axis,) for axis in axes), *([tuple(axes)] if len(axes) > 1 else [])]:
        for way, reduce in ways:
            yield Suspicion(
                Mistake("extra-reduction", axes=over, way=way), partial(_spread, sight, over, reduce), scales=True
            )


def _spread(sight: Sight, axes: tuple[int, ...], reduce: Callable[..., Tensor]) -> Told:
    return reduce(sight.truth, axes, keepdim=True), lambda: reduce(sight.radius, axes, keepdim=True)


def stand_ins(sight: Sight) -> Suspicions:
    """grad_output in the place of a gradient, or a mask that is another."""
    cotangent, truth = sight.cotangent, sight.truth
    if cotangent is not None and broadcasts(cotangent, truth):
        passed = cotangent.expand(truth.shape)
        masked = bool(((truth == 0) | ((truth - passed).abs() <= sight.radius + sight.tiny)).all())
        code = "missing-mask" if masked and bool((truth == 0).any()) else "missing-derivative"
        yield Suspicion(Mistake(code), lambda: sight.told(passed), scales=True, partly=True)
        if masked:
            yield Suspicion(Mistake("wrong-mask"), lambda: sight.entrywise(lambda at: at(passed) - at(truth)))
        if cotangent.shape == truth.shape:
            for whole in (truth, cotangent) if masked else (truth,):
                yield Suspicion(
                    Mistake("mask-from-upstream"),
                    lambda w=whole: sight.entrywise(lambda at: at(w) * (at(cotangent) > 0)),  # type: ignore[misc]
                )


def itself(sight: Sight) -> Suspicions:
    """An input or the output in the place of a gradient."""
    for name, tensor in _beside(sight):
        if tensor.shape == sight.truth.shape and sight.observed.quantity.kind != "output":
            yield Suspicion(Mistake("wrong-variable", name=name), partial(sight.told, tensor))


def products(sight: Sight) -> Suspicions:
    """grad_output times an input or the output, which is not the derivative."""
    cotangent, truth = sight.cotangent, sight.truth
    for name, tensor in _beside(sight):
        if cotangent is not None and broadcasts(cotangent, truth) and broadcasts(tensor, truth):
            yield Suspicion(
                Mistake("wrong-variable", name=name, way="factor"),
                lambda t=tensor: sight.entrywise(lambda at: at(t) * at(cotangent)),  # type: ignore[misc]
            )


def with_factors(sight: Sight) -> Suspicions:
    """A factor that is an input or an output, missing or too many."""
    truth = sight.truth
    for name, tensor in _beside(sight):
        if tensor.dim() and broadcasts(tensor, truth):
            yield Suspicion(
                Mistake("missing-term", name=name, way="factor"),
                lambda t=tensor: sight.entrywise(lambda at: torch.where(at(t) == 0, 0.0, at(truth) / at(t))),  # type: ignore[misc]
            )
            yield Suspicion(
                Mistake("extra-term", name=name, way="factor"),
                lambda t=tensor: sight.entrywise(lambda at: at(truth) * at(t)),  # type: ignore[misc]
            )


def with_offsets(sight: Sight) -> Suspicions:
    """A multiple of something simple is added: a number, an input, the output. Nothing of it knows grad_output, so it
    is too much, never missing.
    """
    for name, tensor in _named(sight):
        factor = _multiple(sight, tensor)
        if factor:
            yield Suspicion(
                Mistake("extra-term", name=name, way="offset", factor=Factor("constant", factor)),
                lambda t=tensor, f=factor: (sight.truth + f * t, lambda: sight.radius),  # type: ignore[misc]
                fitted=1,
            )


def _named(sight: Sight) -> list[tuple[str, Tensor]]:
    """Ones, without a name, and what has the shape of the truth."""
    ones = torch.ones((), dtype=torch.float64, device=sight.truth.device).expand(sight.truth.shape)
    return [("", ones), *((name, tensor) for name, tensor in _beside(sight) if tensor.shape == sight.truth.shape)]


def _multiple(sight: Sight, of: Tensor) -> float:
    """How often it is in the error, looked up in a few entries first."""
    factor = 0.0
    chosen: Any
    for chosen in (*sight.few, sight.judged):
        truth = sight.truth[chosen]
        lost = sight.radius[chosen] + sight.unit * truth.abs() + sight.tiny
        one, other = of[chosen] / lost, (sight.got[chosen] - truth) / lost
        square = float(one @ one)
        factor = float(one @ other) / square if 0 < square < math.inf else 0.0
        if chosen is not sight.judged and not sight.likely(truth + factor * of[chosen]):
            return 0.0
    return factor


Pick = Callable[[Tensor], Tensor]


def with_terms(sight: Sight) -> Suspicions:
    """A term is missing that is constant along an axis, or along it a multiple of an input or the output: the mean that
    a normalisation takes off, softmax's y Σ g y.
    """
    (_, ones), *beside = _named(sight)
    for axis in reversed(range(sight.truth.dim())):
        size = sight.truth.shape[axis]
        if size < 4 or not bool(torch.isfinite(sight.got).all()):
            continue
        bases: list[tuple[str, Callable[[Pick], list[Tensor]]]] = [("", lambda at: [at(ones)])]
        bases += [(name, lambda at, t=tensor: [at(t)]) for name, tensor in beside]  # type: ignore[misc]
        bases += [(name, lambda at, t=tensor: [at(t).clamp(max=80.0).exp()]) for name, tensor in beside]  # type: ignore[misc]
        if size > 5:
            bases += [(name, lambda at, t=tensor: [at(ones), at(t)]) for name, tensor in beside]  # type: ignore[misc]
        lines, wrong = sight.truth.numel() // size, int(sight.wrong.any(axis).sum())
        for name, base in bases:
            fitted = 2 if size > 5 and len(base(_lines(sight, axis))) > 1 else 1
            yield Suspicion(
                Mistake("missing-term", axes=(axis,), name=name, way="along"),
                lambda b=base, a=axis: _by_lines(sight, a, partial(_projected, sight, b)),  # type: ignore[misc]
                fitted=wrong * fitted,
                everywhere=lines * fitted,
            )


LINES = 16


def _lines(sight: Sight, axis: int) -> Pick:
    """A few lines along an axis that hold wrong entries, the axis last."""
    (found,) = sight.few
    places = [place[:: max(1, len(place) // LINES)] for other, place in enumerate(found) if other != axis]
    return lambda tensor: tensor.movedim(axis, -1)[tuple(places)] if places else tensor.reshape(1, -1)


def _by_lines(sight: Sight, axis: int, made: Callable[[Pick], Tensor]) -> Told | None:
    """A guess that is made line by line, of a few lines first. It may be as far off as the most uncertain entry."""
    at = _lines(sight, axis)
    rest, misfit, wrong = (at(sight.got) - made(at)).abs(), at(sight.misfit), at(sight.wrong)
    if float((rest <= misfit / 2)[wrong].double().mean()) < LIKELY:
        return None
    guess = made(lambda tensor: tensor.movedim(axis, -1)).movedim(-1, axis)

    def lost() -> Tensor:
        most = sight.radius.amax(axis, keepdim=True) + sight.unit * (guess - sight.truth).abs().amax(axis, keepdim=True)
        return torch.maximum(sight.radius, most)

    return guess, lost


def _projected(sight: Sight, base: Callable[[Pick], list[Tensor]], at: Pick) -> Tensor:
    """The truth and what is nearest to the error in the span of the base, line by line."""
    truth = at(sight.truth)
    rest, made = at(sight.got) - truth, truth
    directions: list[Tensor] = []
    for each in base(at):
        own = each
        for other in directions:
            own = own - other * (own * other).sum(-1, keepdim=True)
        size = own.square().sum(-1, keepdim=True).sqrt()
        own = torch.where(size > 0, own / size, 0.0)
        directions.append(own)
        part = own * (rest * own).sum(-1, keepdim=True)
        rest, made = rest - part, made + part
    return made


def by_line(sight: Sight) -> Suspicions:
    """A factor is missing that is constant along an axis."""
    for axis in reversed(range(sight.truth.dim())):
        size = sight.truth.shape[axis]
        if 2 < size < sight.truth.numel() and bool(torch.isfinite(sight.got).all()):
            told = _by_lines(sight, axis, lambda at: at(sight.truth) * _factors(sight, at))
            if told is not None:
                factors = _factors(sight, lambda tensor: tensor.movedim(axis, -1))  # noqa: B023
                nearly = bool(((factors - 1).abs() < NEARLY_ONE).all())
                yield Suspicion(
                    Mistake("low-precision" if nearly else "missing-term", axes=(axis,), way="factor"),
                    lambda t=told: t,  # type: ignore[misc]
                    fitted=int(sight.wrong.any(axis).sum()),
                )


def _factors(sight: Sight, at: Pick) -> Tensor:
    truth = at(sight.truth)
    lost = at(sight.radius) + sight.unit * truth.abs() + sight.tiny
    one, other = truth / lost, at(sight.got) / lost
    square = one.square().sum(-1, keepdim=True)
    return torch.where(square > 0, (one * other).sum(-1, keepdim=True) / square, 0.0)


NEARLY_ONE = 1e-3
"""A factor so near to one is a small ε in a wrong place, not one that is missing."""


def without_upstream(sight: Sight) -> Suspicions:
    """grad_output is not used."""
    if sight.observed.quantity.kind == "output" or not sight.upstream:
        return
    told = sight.asked(torch.ones_like)
    if told is None:
        return
    g, truth = sight.cotangent, sight.truth
    alone = g is not None and (not g.dim() or g.shape == truth.shape)
    if alone and g is not None:
        alone = bool(((told[0] * g - truth).abs() <= K * (sight.radius + sight.unit * truth.abs()) + sight.tiny).all())
    code = "missing-upstream" if alone else "assumes-ones-upstream"
    yield Suspicion(Mistake(code), lambda: told, scales=True, vanishes=True)


def changed_upstream(sight: Sight) -> Suspicions:
    """grad_output enters, but not as it is, or not all of it."""
    if sight.observed.quantity.kind == "output" or not sight.upstream:
        return

    def changed(way: Way, change: Callable[[Tensor], Tensor], *axes: int, fitted: int = 0) -> Suspicion:
        mistake = Mistake("changes-upstream", axes=axes, way=way)
        return Suspicion(mistake, lambda: sight.asked(change) if sight.foreseen(change) else None, fitted=fitted)

    for axis in range(max(each.dim() for each in sight.upstream)):
        if len(sight.upstream) == 1 and sight.upstream[0].shape[axis] > 1:
            yield changed("sum", lambda g, a=axis: g.sum(a, keepdim=True).expand(g.shape), axis)  # type: ignore[misc]
            yield changed("mean", lambda g, a=axis: g.mean(a, keepdim=True).expand(g.shape), axis)  # type: ignore[misc]
    yield changed("mean", lambda g: g.mean().expand(g.shape))
    yield changed("sum", lambda g: g.sum().expand(g.shape))
    yield changed("absolute", torch.abs)
    yield Suspicion(Mistake("sign-flipped", way="absolute"), lambda: sight.entrywise(lambda at: at(sight.truth).abs()))
    yield changed("positive", lambda g: g.clamp(min=0.0))
    yield changed("sign", torch.sign)
    yield changed("squared", torch.square)
    for most in (1.0, 0.5, 0.1):
        if any(bool((each.abs() > most).any()) for each in sight.upstream):
            yield changed("clipped", lambda g, m=most: g.clamp(-m, m))  # type: ignore[misc]
    yield changed("normalised", lambda g: g / g.norm().clamp(min=1e-300))
    yield changed("reversed", lambda g: g.flip(*range(g.dim())) if g.dim() else g)
    yield changed("first", lambda g: g.reshape(-1)[0].expand(g.shape))


def part_of_upstream(sight: Sight) -> Suspicions:
    """Only some places of grad_output count in a sum over them: the last ones, which fill no block, are left out."""
    if sight.observed.quantity.kind == "output" or len(sight.upstream) != 1:
        return
    (upstream,) = sight.upstream
    for axis, size in enumerate(upstream.shape):
        if size < 2:
            continue
        first = sight.asked(lambda g, a=axis: _kept(g, a, 0, 1))  # type: ignore[misc]
        if first is None or float((first[0] != 0).double().mean()) < 0.5:
            continue  # what is wrong along this axis shows itself: nothing is summed over it
        for start, end in _ranges(size):
            change = partial(_kept, axis=axis, start=start, end=end)
            yield Suspicion(
                replace(_partial(start, end, size), axes=(axis,), name="grad_output"),
                lambda c=change: sight.asked(c) if sight.foreseen(c) else None,  # type: ignore[misc]
            )


SHORT = 64


def _ranges(size: int) -> Iterator[tuple[int, int]]:
    """From where to where grad_output may be summed along an axis: what is on one side of a place; on a long axis of
    the end of a block.
    """
    blocks = [2**power for power in range(size.bit_length())]
    places = {1, size - 1, *blocks, *(size - size % block for block in blocks), *(size - block for block in blocks)}
    for place in range(1, size) if size <= SHORT else sorted(places & set(range(1, size))):
        yield 0, place
        yield place, size


def _partial(start: int, end: int, size: int) -> Mistake:
    if (start, end) == (0, 1):
        return Mistake("missing-reduction", way="first")
    if start == size - 1:
        return Mistake("overwritten-not-accumulated", way="last")
    if start == 1:
        return Mistake("missing-term", way="all-but-first")
    if end == size - 1:
        return Mistake("missing-term", way="all-but-last")
    if start:
        return Mistake("overwritten-not-accumulated", way="from", at=start)
    return Mistake("missing-term", way="below", at=end)


def _kept(g: Tensor, axis: int, start: int, end: int) -> Tensor:
    kept = torch.zeros_like(g, memory_format=torch.contiguous_format)
    kept.narrow(axis, start, end - start).copy_(g.narrow(axis, start, end - start))
    return kept


def changed_inputs(sight: Sight) -> Suspicions:
    """An input that does not enter, or not as it is."""
    inputs = sight.observed.inputs
    for name, tensor in inputs.items():
        for mistake, other in (
            (Mistake("ignores-argument", name=name), torch.ones_like(tensor)),
            (Mistake("ignores-argument", name=name), torch.zeros_like(tensor)),
            (Mistake("sign-flipped", name=name), -tensor),
            (Mistake("wrong-variable", name=name, way="absolute"), tensor.abs()),
        ):
            yield Suspicion(mistake, partial(sight.asked, inputs={**inputs, name: other}))
    for first, second in combinations(inputs, 2):
        if inputs[first].shape == inputs[second].shape:
            both = {**inputs, first: inputs[second], second: inputs[first]}
            yield Suspicion(Mistake("wrong-variable", name=first), partial(sight.asked, inputs=both))


def other_axis(sight: Sight) -> Suspicions:
    """Everything computed over the other axis of a matrix: turned, there and back."""
    observed = sight.observed
    tensors = [*observed.inputs.values(), *sight.upstream]
    if len(observed.inputs) != 1 or any(each.dim() != 2 for each in tensors):
        return

    def turned() -> Told | None:
        other = {name: tensor.T.contiguous() for name, tensor in observed.inputs.items()}
        try:
            if observed.quantity.kind == "output":
                found: Tensor | None = observed.forward(other)[int(observed.quantity.name or 0)]
            else:
                upstream = [None if g is None else g.T.contiguous() for g in observed.cotangents]
                found = observed.pull(upstream, other)[observed.quantity.name]
        except FAILS:
            return None
        return None if found is None or found.T.shape != sight.truth.shape else sight.told(found.T)

    yield Suspicion(Mistake("wrong-axis", axes=(0,)), turned)


COLUMNS = 32
"""So many columns of the Jacobian are asked for, to see whether its diagonal alone came back."""


def diagonal(sight: Sight) -> Suspicions:
    """Only the Jacobian's diagonal along the last axis, with grad_output or without."""
    g = sight.cotangent
    if g is None or g.shape != sight.truth.shape or not g.dim() or g.shape[-1] < 2:
        return
    wrong = sight.wrong.reshape(-1, g.shape[-1]).any(0).nonzero().reshape(-1)
    columns = wrong[:: max(1, len(wrong) // COLUMNS)]

    def made(upstream: Tensor) -> Told | None:
        guess = sight.got.clone()
        for column in columns.tolist():
            told = sight.asked(partial(_one, column=column))
            if told is None:
                return None
            guess[..., column] = told[0][..., column] * upstream[..., column]
            near = (guess - sight.got)[..., column].abs() <= sight.misfit[..., column] / 2
            if float(near[sight.wrong[..., column]].double().mean()) < LIKELY:
                return None
        asked = torch.zeros_like(sight.wrong).index_fill(-1, columns, True) & sight.wrong
        scale = (sight.radius + sight.unit * torch.maximum(sight.got.abs(), sight.truth.abs()) + sight.tiny)[asked]
        return sight.told(guess) if fit((guess - sight.got)[asked], sight.misfit[asked], scale, sight.unit) else None

    yield Suspicion(Mistake("diagonal-only"), partial(made, g))
    yield Suspicion(Mistake("missing-upstream"), partial(made, torch.ones_like(g)))


def _one(g: Tensor, column: int) -> Tensor:
    ones = torch.zeros_like(g, memory_format=torch.contiguous_format)
    ones[..., column] = 1.0
    return ones


def _beside(sight: Sight) -> list[tuple[str, Tensor]]:
    """Inputs and outputs by name."""
    outputs = sight.observed.outputs
    names = ["output"] if len(outputs) == 1 else [f"output {place}" for place in range(len(outputs))]
    own = sight.observed.quantity
    chosen = [
        (n, o)
        for p, (n, o) in enumerate(zip(names, outputs, strict=True))
        if own.kind != "output" or own.name not in ("", str(p))
    ]
    return [*sight.observed.inputs.items(), *chosen]


# In mathematics: mutants of the formula that a candidate is held against.


def mutated(sight: Sight) -> Suspicions:
    """Every mutant of the definition or of the derivative that is wrong, the likelier first."""
    from gradcheck.diagnosis.mistakes import KINDS, code_of, part_in_words
    from gradcheck.diagnosis.mutants import mutants, mutants_in_output

    observed, operator = sight.observed, sight.observed.operator
    if operator is None or observed.quantity.kind == "second-gradient" or len(sight.upstream) != 1:
        return
    named = _own_names(operator, observed.inputs)
    wrt = next((own for own, name in named.items() if name == observed.quantity.name), "")
    role = "forward" if observed.quantity.kind == "output" else "backward"
    if not named or (role == "backward" and not wrt):
        return
    found = [each for each in mutants(operator) if (each.role, each.wrt) == (role, wrt if role == "backward" else "")]
    if role == "backward":
        found += mutants_in_output(operator, "backward", wrt)
    tensors = {own: observed.inputs[name] for own, name in named.items()}
    for mutant in sorted(found, key=lambda each: KINDS[each.kind].cost):
        part = part_in_words(mutant) if KINDS[mutant.kind].full else ""
        yield Suspicion(
            Mistake(code_of(mutant), part=part, way=mutant.kind),
            lambda m=mutant: _computed(sight, m, tensors),  # type: ignore[misc]
        )


def _own_names(operator: Operator, inputs: Mapping[str, Tensor]) -> dict[str, str]:
    """The operator's own names, and those that its inputs have here: by name, else by place."""
    own = [each.name for each in operator.inputs]
    if set(own) <= set(inputs):
        return {name: name for name in own}
    return dict(zip(own, inputs, strict=True)) if len(own) == len(inputs) else {}


def _computed(sight: Sight, mutant: Mutant, tensors: dict[str, Tensor]) -> Told | None:
    from gradcheck.diagnosis.mutants import standing_in
    from gradcheck.references.apply import forward, replaced, vjp

    try:
        with torch.no_grad(), ExitStack() as stack:
            for (role, name), formula in standing_in(mutant).items():
                stack.enter_context(replaced(mutant.operator, role, name, formula))
            if mutant.role == "forward":
                found = forward(mutant.operator, sizes={}, **tensors)
            else:
                found = vjp(mutant.operator, sight.upstream[0], sizes={}, **tensors)[mutant.wrt]
    except (*FAILS, FormulaError):
        return None
    return sight.told(found) if found.shape == sight.truth.shape else None
