"""Plain data to tensors and back: arguments are made fresh for every call, results are read once and let go."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from gradcheck.checks.outcome import Argument, Arguments, Foreign, GeneratorArgument, Returned, Value

_DTYPES = {name: getattr(torch, name) for name in ("float64", "float32", "float16", "bfloat16", "int64", "bool")}

_DEPTH = 3
_PARTS = 4096
_ALL_PARTS = 20_000
"""How deep, and how many parts of, tuples and dicts are read; and of all of them together."""


class Passed:
    """The arguments of one call, and what is needed to tell afterwards whether they were changed or returned."""

    def __init__(self, arguments: Arguments) -> None:
        self._parts = 0
        self.named: list[tuple[str, torch.Tensor]] = []
        self.generators: list[tuple[str, torch.Generator, torch.Tensor]] = []
        self.containers: list[tuple[str, Any, Any]] = []
        self.values = [self._make(name, argument) for name, argument in arguments.items()]
        self.shared = _shared_states() if self.generators else None
        self.put_back: Callable[[], None] = lambda: None
        seeds = [each.elsewhere for each in arguments.values() if isinstance(each, GeneratorArgument)]
        if self.shared and seeds and seeds[0] is not None:
            self.put_back = partial(_put_back, self.shared)
            _seed(seeds[0])
            self.shared = _shared_states()
        self.before = [(each.clone(), each.shape, each.stride(), _writes(each)) for _, each in self.named]
        self.places = [(name, *_place(tensor)) for name, tensor in self.named]

    def _make(self, name: str, argument: Any) -> Any:
        if isinstance(argument, Argument):
            tensor = make_tensor(argument)
            self.named.append((name, tensor))
            return tensor
        if isinstance(argument, GeneratorArgument):
            generator = torch.Generator().manual_seed(argument.seed)
            if argument.state:
                generator.set_state(torch.frombuffer(bytearray(argument.state), dtype=torch.uint8))
            self.generators.append((name, generator, generator.get_state()))
            return generator
        if isinstance(argument, (tuple, list)):
            made = [self._make(f"{name}[{position}]", each) for position, each in enumerate(argument)]
            return tuple(made) if isinstance(argument, tuple) else self._watched(name, made)
        if isinstance(argument, dict):
            return self._watched(name, {key: self._make(f"{name}[{key!r}]", each) for key, each in argument.items()})
        return argument

    def _watched(self, name: str, container: Any) -> Any:
        self.containers.append((name, container, container.copy()))
        return container

    def mutated(self) -> tuple[str, ...]:
        """The names of what no longer is as it was passed: tensors by values, geometry and whether they were written
        to, if only to put back what was there; lists and dicts by parts.
        """
        changed = []
        for (name, tensor), (values, shape, stride, writes) in zip(self.named, self.before, strict=True):
            same = tensor.shape == shape and tensor.stride() == stride and _equal(tensor, values)
            if not same or tensor.requires_grad or _writes(tensor) != writes:
                changed.append(name)
        for name, container, before in self.containers:
            keys = range(len(before)) if isinstance(before, list) else before
            same = len(container) == len(before) and all(
                key in container if isinstance(before, dict) else True for key in keys
            )
            if not same or any(container[key] is not before[key] for key in keys):
                changed.append(name)
        return tuple(changed)

    def advanced(self) -> tuple[str, ...]:
        """The names of the generators that numbers were drawn from."""
        return tuple(
            name for name, generator, before in self.generators if not torch.equal(generator.get_state(), before)
        )

    def states(self) -> dict[str, bytes]:
        """In which state each generator is now."""
        return {name: generator.get_state().numpy().tobytes() for name, generator, _ in self.generators}

    def drew_elsewhere(self) -> bool:
        """Whether a generator that everybody shares has changed."""
        return self.shared is not None and not _same_states(_shared_states(), self.shared)

    def returned_tensors(self, value: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The plain tensors in `value` with a copy of each: whether a later call changes them shows in `changed`."""
        return [(part, part.detach().clone()) for part in _plain_tensors(value, _DEPTH)[:64]]

    def observe(self, value: Any, depth: int = 0) -> Value:
        """What came back, as plain data. Its type is asked of Python: an object may lie about its class."""
        kind = type(value)
        self._parts = self._parts + 1 if depth else 0
        if self._parts > _ALL_PARTS:
            return Foreign("more parts than anybody reads")
        if issubclass(kind, (tuple, list)) and depth < _DEPTH:
            return tuple(self.observe(each, depth + 1) for each in tuple(value)[:_PARTS])
        if issubclass(kind, dict) and depth < _DEPTH:
            pairs = list(dict.items(value))[:_PARTS]
            return {key if type(key) in (str, int) else repr(key)[:80]: self.observe(v, depth + 1) for key, v in pairs}
        if issubclass(kind, torch.Tensor):
            return self._read(value)
        if kind in (float, int, np.float64):
            return float(value)
        if kind is str:
            return str(value[:_PARTS])
        remedy = ""
        if kind.__module__ == "numpy":
            remedy = "return a torch.Tensor (torch.from_numpy makes one)"
        elif value is None:
            remedy = "is there a return statement?"
        return Foreign("None" if value is None else _with_article(kind.__name__), remedy)

    def _read(self, tensor: torch.Tensor) -> Returned:
        dtype, device, shape = str(tensor.dtype).removeprefix("torch."), str(tensor.device), tuple(tensor.shape)
        if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
            return Returned(shape, dtype, device, None, problem=f"a subclass of torch.Tensor, {type(tensor).__name__}")
        if tensor.layout is not torch.strided or tensor.is_quantized:
            return Returned(
                shape, dtype, device, None, problem="a tensor that is not an ordinary dense one (call .to_dense())"
            )
        if device == "meta" or dtype not in _DTYPES:
            return Returned(shape, dtype, device, None)
        plain = tensor.detach().cpu()
        values = plain.to(torch.float64 if plain.is_floating_point() else torch.int64).numpy().copy()
        return Returned(shape, dtype, device, values, self._shared(tensor))

    def _shared(self, tensor: torch.Tensor) -> tuple[str, ...]:
        if not tensor.numel():
            return ()
        start, end = _place(tensor)
        return tuple(name for name, first, last in self.places if start < last and first < end)


def _place(tensor: torch.Tensor) -> tuple[int, int]:
    """The addresses that it lies within. Two storages can be one memory: of a tensor, and of what NumPy made of it."""
    storage = tensor.untyped_storage()
    return storage.data_ptr(), storage.data_ptr() + storage.nbytes()


def _writes(tensor: torch.Tensor) -> int:
    """How often torch wrote to it or to a view of it. Nobody counts for a tensor that inference mode made."""
    return 0 if tensor.is_inference() else tensor._version  # noqa: SLF001 — there is no public name for it


def _with_article(name: str) -> str:
    return f"an {name}" if name[:1] in "aeiouAEIOU" else f"a {name}"


def _shared_states() -> tuple[Any, ...]:
    """The states of the generators that every call without one draws from."""
    return torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002 — these are asked about


def _seed(seed: int) -> None:
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002


def _put_back(states: tuple[Any, ...]) -> None:
    torch.set_rng_state(states[0])
    random.setstate(states[1])
    np.random.set_state(states[2])  # noqa: NPY002


def _same_states(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return (
        torch.equal(one[0], other[0])
        and one[1] == other[1]
        and np.array_equal(one[2][1], other[2][1])
        and one[2][2:] == other[2][2:]
    )


def changed(kept: list[tuple[torch.Tensor, torch.Tensor]]) -> bool:
    """Whether a tensor is no longer what its copy says."""
    return any(
        tensor.shape != copy.shape or not _equal(tensor, copy)
        for tensor, copy in kept
        if tensor.layout is torch.strided and tensor.device.type == "cpu"
    )


def _plain_tensors(value: Any, depth: int) -> list[torch.Tensor]:
    kind = type(value)
    if kind is torch.Tensor:
        return [value]
    parts = tuple(dict.values(value)) if issubclass(kind, dict) else value
    if not depth or not issubclass(kind, (tuple, list, dict)):
        return []
    return [tensor for part in tuple(parts)[:64] for tensor in _plain_tensors(part, depth - 1)]


def _equal(tensor: torch.Tensor, copy: torch.Tensor) -> bool:
    """The same numbers; NaN equals NaN."""
    return torch.equal(tensor.detach(), copy) or torch.equal(torch.nan_to_num(tensor.detach()), torch.nan_to_num(copy))


def make_tensor(argument: Argument) -> torch.Tensor:
    """A tensor with these values, laid out in memory as asked."""
    values = np.ascontiguousarray(argument.values).reshape(np.shape(argument.values))
    dense = torch.from_numpy(values.copy()).to(dtype=_DTYPES[argument.dtype])
    if argument.layout == "transposed" and dense.dim() >= 2:
        return dense.transpose(-1, -2).contiguous().transpose(-1, -2)
    if argument.layout == "transposed" and dense.dim() == 1:
        return torch.stack((dense, dense), dim=1).reshape(-1)[::2]
    if argument.layout == "expanded" and dense.dim() >= 1 and torch.equal(dense, dense[:1].expand(dense.shape)):
        return dense[:1].clone().expand(dense.shape)
    if argument.layout == "offset" and dense.dim() >= 1:
        return torch.cat((dense[:1], dense))[1:]
    return dense
