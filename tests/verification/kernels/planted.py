"""A kernel of our own, right, and the faults that are planted in it."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

HALVES = (torch.bfloat16, torch.float16)
TILE = 4
CASES = ("ordinary", "zeros", "ties", "equal", "large", "huge", "small", "tiny")


@dataclass(frozen=True)
class Fault:
    """What an author of kernels gets wrong: the class's source with `new` where `old` stands once.

    `of`      the gradients that may be wrong, by input; "output" for the output
    `code`    the diagnosis of the output, if it is wrong, or else of each wrong gradient, where one is due
    `unnamed` dtypes that show the fault, but in whose rounding its name is lost
    `by_formula`  the diagnosis where a formula says what is right, if it is another
    `kind`    of the failure
    `rows`    where it shows on the first axis: those from here on, and only those
    `case`    the inputs that show it
    `hidden`  dtypes whose rounding is larger than the fault, or whose arithmetic does not have it
    """

    name: str
    old: str
    new: str
    of: tuple[str, ...]
    code: str | None = None
    kind: str = "values"
    rows: int | None = None
    case: str = "ordinary"
    hidden: tuple[torch.dtype, ...] = ()
    unnamed: tuple[torch.dtype, ...] = ()
    by_formula: str | None = None


@dataclass(frozen=True)
class Kernel:
    """`inputs` draws the arguments of a case from a generator, in float64; `cases` are those that are hard. `wrt` are
    the arguments with a gradient, in the order of the signature. `formula` says the same as the reference.
    """

    name: str
    function: type[torch.autograd.Function]
    reference: Callable[..., Any]
    inputs: Callable[[Draw], tuple[Any, ...]]
    wrt: tuple[str, ...]
    faults: tuple[Fault, ...]
    cases: tuple[str, ...] = CASES
    formula: str = ""

    def arguments(self, case: str, dtype: torch.dtype, seed: int = 0, device: str = "cpu") -> tuple[Any, ...]:
        drawn = self.inputs(Draw(case, torch.Generator().manual_seed(seed)))
        return tuple(_cast(each, dtype).to(device) if isinstance(each, Tensor) else each for each in drawn)

    def planted(self, fault: Fault) -> type[torch.autograd.Function]:
        """The kernel with the fault. Its source is where tracebacks look for it."""
        source = inspect.getsource(self.function)
        if source.count(fault.old) != 1:
            raise ValueError(f"{self.name}, {fault.name}: {fault.old!r} stands {source.count(fault.old)} times")
        source, file = source.replace(fault.old, fault.new), f"<{self.name}: {fault.name}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        module = {**vars(inspect.getmodule(self.function)), "memory": memory}
        exec(compile(source, file, "exec"), module)
        return module[self.function.__name__]


SCALES = MappingProxyType({"large": 1e3, "huge": 1e10, "small": 1e-8, "tiny": 1e-41})


@dataclass(frozen=True)
class Draw:
    """Draws the inputs of a case: ordinary ones, zeros here and there, few values that come again and again, rows of
    one value, -inf where a mask is, large or small ones.
    """

    case: str
    generator: torch.Generator

    def __call__(self, *shape: int) -> Tensor:
        """The tensor that the case is about."""
        drawn = self.ordinary(*shape)
        if self.case == "ties":
            return (drawn * 1.5).round()
        if self.case == "equal":
            return drawn[..., :1].repeat(*(1 for _ in shape[1:]), shape[-1])
        if self.case == "masked":
            return torch.where(self.whole(3, *shape).mul(torch.arange(shape[-1])) > shape[-1], -torch.inf, drawn)
        if self.case == "zeros":
            return torch.where(self.whole(3, *shape) == 0, 0.0, drawn)
        return drawn * SCALES.get(self.case, 1.0)

    def ordinary(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def whole(self, below: int, *shape: int) -> Tensor:
        return torch.randint(below, shape, generator=self.generator)


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


# What the kernels are made of.


def wide(tensor: Tensor) -> Tensor:
    """In the dtype that a kernel computes in: float32 for the halves."""
    return tensor.float() if tensor.dtype in HALVES else tensor


def tiles(length: int) -> list[slice]:
    return [slice(start, min(start + TILE, length)) for start in range(0, length, TILE)]


def memory(tensor: Tensor) -> Tensor:
    """What a kernel reads that takes a pointer and believes the tensor contiguous; zeros lie behind its end."""
    start, length = tensor.storage_offset(), tensor.numel()
    flat = tensor.new_empty(0).set_(tensor.untyped_storage())[start:][:length]
    return torch.cat([flat, flat.new_zeros(length - len(flat))]).view(tensor.shape)
