"""The exact numbers: a store of balls, tensors of handles into it, and the mode that owns both."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any, ClassVar, Self

import flint
import numpy as np
import torch
from torch import Tensor
from torch._ops import OpOverload

from gradcheck.errors import GradcheckError
from gradcheck.numbers.dispatch import NoRule, Numbers, NumberTensor, Rules, mapped

Array = Any
"""A numpy array of `flint.arb`, which numpy's types have no word for."""

NUDGE = -300
"""An input is moved along a direction by two to this power: far below any roundoff, so that only ties see it."""

RULES = Rules()


class TooFewBits(GradcheckError):
    """Numbers of so few bits cannot show what is asked for."""


class ExactTensor(NumberTensor):
    """A tensor whose entries are balls in the store of an `Exact`."""

    @property
    def handles(self) -> Tensor:
        return self.parts[0]


class BallStore:
    """Balls by handle. Handle 0 is the number 0: what torch fills with zeros is filled with that."""

    def __init__(self) -> None:
        self._balls: Array = np.empty(1 << 10, dtype=object)
        self._balls[0] = flint.arb(0)
        self._used = 1

    def put(self, balls: Array) -> Tensor:
        """Keep these; the handles of the array's shape."""
        start, end = self._used, self._used + balls.size
        if end > len(self._balls):
            more = np.empty(max(end, 2 * len(self._balls)), dtype=object)
            more[:start] = self._balls[:start]
            self._balls = more
        self._balls[start:end] = balls.reshape(-1)
        self._used = end
        return torch.from_numpy(np.arange(start, end).reshape(balls.shape))

    def get(self, handles: Tensor) -> Array:
        return np.asarray(self._balls[handles.numpy()], dtype=object)


class Exact(Numbers):
    """A mode in which torch computes with balls of `bits` bits: what comes out surrounds the true value.

    Balls that cannot be told apart where a branch compares them count as `ties`, and are taken for equal there. A tie
    is resolved by moving the inputs a little: `wrap(x, direction=d)`; or, with `flip`, each goes the other way.
    """

    rules: ClassVar[Rules] = RULES
    tensor: ClassVar[type[NumberTensor]] = ExactTensor

    def __init__(self, bits: int = 200, *, flip: bool = False) -> None:
        super().__init__()
        self.bits, self.flip = bits, flip
        self._store = BallStore()
        self._outside: list[int] = []

    def __enter__(self) -> Self:
        # flint keeps the precision in one variable of the process.
        self._outside.append(flint.ctx.prec)
        flint.ctx.prec = self.bits
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        flint.ctx.prec = self._outside.pop()

    def apply(self, func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return super().apply(func, mapped(here, args), mapped(here, kwargs))

    def wrap(
        self, tensor: Tensor, *, requires_grad: bool = False, direction: Tensor | Array | None = None
    ) -> ExactTensor:
        """The numbers that a plain tensor's entries are, each of them new: an input.

        With a direction, they lie 2**-300 times that away from where they were.
        """
        with flint.ctx.workprec(self.bits):
            balls = self.balls(tensor.detach())
            if direction is not None:
                if self.bits <= 2 * -NUDGE:
                    raise TooFewBits(
                        f"A move by 2**{NUDGE} is lost in numbers of {self.bits} bits: ask for Exact({4 * -NUDGE})."
                    )
                step = self.balls(direction.detach()) if isinstance(direction, Tensor) else direction
                balls = balls + step * flint.arb(2) ** NUDGE
            return ExactTensor(self._store.put(balls), requires_grad=requires_grad)

    def constant(self, tensor: Tensor) -> ExactTensor:
        return ExactTensor(self.handles(tensor))

    def constant_parts(self, value: float) -> tuple[int, ...]:
        return (int(self.handles(value)),)

    def keep(self, balls: Any) -> ExactTensor:
        """A tensor of these balls."""
        return ExactTensor(self._store.put(np.asarray(balls, dtype=object)))

    def handles(self, values: Any) -> Tensor:
        """The handles of a tensor of numbers, of a plain tensor, or of a Python number."""
        if isinstance(values, ExactTensor):
            return values.handles
        if not isinstance(values, Tensor):
            return self._store.put(self.balls(values)) if values != 0 else torch.zeros((), dtype=torch.int64)
        values = here(values)
        # What is 0 is the constant 0: no tie, since no input's move changes it.
        handles = torch.zeros(values.shape, dtype=torch.int64)
        other = values != 0
        handles[other] = self._store.put(arbs(values[other]))
        return handles

    def balls(self, values: Any) -> Array:
        """The balls of a tensor of numbers, of a plain tensor, or of a Python number."""
        if isinstance(values, ExactTensor):
            return self._store.get(values.handles)
        if isinstance(values, Tensor):
            return arbs(values)
        ball = values if isinstance(values, flint.arb) else number(values)
        return np.asarray(ball, dtype=object)

    def values(self, numbers: NumberTensor) -> tuple[Tensor, Tensor]:
        """The nearest float64 of each number, and how far the true value may lie from that at most.

        Where nothing is known, at a pole for one, the distance is infinite.
        """
        each, places = np.unique(self.handles(numbers).numpy(), return_inverse=True)  # a Jacobian is mostly the same 0
        with flint.ctx.workprec(self.bits):
            found: Any = NEAREST(self._store.get(torch.from_numpy(each)))
        return floats(found[0][places], numbers.shape), floats(found[1][places], numbers.shape)


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """A rule whose `function` comes to an array of balls, or to several."""

    def computed(numbers: Exact, *args: Any, **kwargs: Any) -> Any:
        found = function(numbers, *args, **kwargs)
        if isinstance(found, tuple):
            return tuple(None if each is None else numbers.keep(each) for each in found)
        return numbers.keep(found)

    return computed


def here(leaf: Any) -> Any:
    """Balls have no other place than the CPU's memory: what a program takes from elsewhere comes here."""
    if isinstance(leaf, torch.device):
        return torch.device("cpu")
    return leaf.cpu() if isinstance(leaf, Tensor) and not leaf.is_cpu else leaf


def arbs(tensor: Tensor) -> Array:
    """The exact value of each entry of a plain tensor."""
    if tensor.is_complex():
        raise NoRule("Exact numbers are real: compute with the real and the imaginary part.")
    plain = here(tensor.double() if tensor.is_floating_point() else tensor.long())
    with np.errstate(invalid="ignore"):  # not a number is what an empty tensor may hold
        return np.asarray(ARB(plain.numpy().astype(object)), dtype=object)


ARB = np.frompyfunc(flint.arb, 1, 1)


def number(scalar: float) -> flint.arb:
    """The ball of a Python number."""
    if isinstance(scalar, complex):
        raise NoRule("Exact numbers are real: compute with the real and the imaginary part.")
    if isinstance(scalar, bool | int):
        return flint.arb(int(scalar))
    return meant(float(scalar))()


@lru_cache(maxsize=4096)
def meant(scalar: float) -> Callable[[], flint.arb]:
    """What a float in a program stands for: the simplest number that rounds to it, at whatever precision is asked.

    Who writes 0.1 means a tenth, and torch's derivatives hand on floats: 2 / (n - 1) in that of var, log(2) in that of
    2**x, 2 / sqrt(pi) in that of erf. What looks like no simple number is the float itself. Either way what is meant
    rounds to the float.
    """
    if not math.isfinite(scalar):
        return lambda: flint.arb(scalar)
    if scalar in NAMED:
        return NAMED[scalar]
    if -scalar in NAMED:
        return lambda: -NAMED[-scalar]()
    plain = Fraction(scalar)
    if plain.denominator > LARGEST_DENOMINATOR:
        simple = plain.limit_denominator(LARGEST_DENOMINATOR)
        if simple and float(simple) == scalar:
            plain = simple
        elif 0 < abs(scalar) < LARGEST_LOGARITHM:
            square = Fraction(scalar * scalar).limit_denominator(LARGEST_INSIDE)
            if square and math.sqrt(square) == abs(scalar):
                return lambda: flint.arb(int(math.copysign(1, scalar))) * (quotient(square)).sqrt()
            power = Fraction(math.exp(scalar)).limit_denominator(LARGEST_INSIDE)
            if power and math.log(power) == scalar:
                return lambda: quotient(power).log()
    return lambda: quotient(plain)


def quotient(fraction: Fraction) -> flint.arb:
    return flint.arb(fraction.numerator) / fraction.denominator


LARGEST_DENOMINATOR = 10**6
LARGEST_INSIDE = 10**3
"""Of the denominator below a root or inside of a logarithm."""
LARGEST_LOGARITHM = 10

NAMED: dict[float, Callable[[], flint.arb]] = {
    math.pi: flint.arb.pi,
    2 * math.pi: lambda: 2 * flint.arb.pi(),
    math.pi / 2: lambda: flint.arb.pi() / 2,
    2 / math.sqrt(math.pi): lambda: 2 / flint.arb.pi().sqrt(),
    math.sqrt(math.pi) / 2: lambda: flint.arb.pi().sqrt() / 2,
    math.sqrt(2 / math.pi) / 2: lambda: 1 / (2 * flint.arb.pi()).sqrt(),
    math.sqrt(2 / math.pi): lambda: 1 / (flint.arb.pi() / 2).sqrt(),
    math.e: lambda: flint.arb(1).exp(),
    2.3025850929940456: lambda: flint.arb(10).log(),  # as torch's derivative of log10 has it, one float64 below
}
"""Numbers of mathematics by their nearest float64."""


def nearest_float(ball: flint.arb) -> tuple[float, float]:
    """The float64 next to a ball's middle, and an upper bound for how far the ball reaches from it."""
    middle = float(ball.mid())
    if math.isinf(middle) and ball.is_exact():
        return middle, 0.0 if not ball.mid().is_finite() else math.inf
    if not ball.is_finite():
        return middle, math.inf
    reach = (ball - flint.arb(middle)).abs_upper()
    if reach == 0:
        return middle, 0.0
    return middle, math.nextafter(float(reach), math.inf)


NEAREST = np.frompyfunc(nearest_float, 1, 2)


def floats(array: Any, shape: torch.Size) -> Tensor:
    return torch.from_numpy(np.asarray(array, dtype=np.float64).reshape(tuple(shape)).copy())
