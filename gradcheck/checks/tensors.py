"""Plain data to tensors and back: arguments are made fresh for every call, results are read once and let go."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from gradcheck.checks.outcome import (
    NOTHING,
    Argument,
    Arguments,
    Call,
    Foreign,
    GeneratorArgument,
    Layout,
    Returned,
    Value,
)
from gradcheck.showing.text import name_of

_DTYPES = {name: getattr(torch, name) for name in ("float64", "float32", "float16", "bfloat16", "int64", "bool")}
_READ: dict[torch.dtype, tuple[str, Any]] = {
    _DTYPES[name]: (name, np.float64 if "float" in name else np.int64) for name in _DTYPES if name != "bfloat16"
}
"""What numpy can read, and into what."""
_IN_NUMPY: dict[str, Any] = {"float64": np.float64, "float32": np.float32, "int64": np.int64, "bool": np.bool_}
"""What numpy fills and rounds as torch does, in a third of the time."""
_ALIGNED = 64

_DEPTH = 3
_PARTS = 4096
_ALL_PARTS = 20_000
"""How deep, and how many parts of, tuples and dicts are read; and of all of them together."""
_LOOKED_AT = 64
"""Of so many tensors that a call returned it is noticed when a later call changes them."""


class OneBuffer:
    """Room for the arguments of many calls. All tensors lie in one buffer, side by side, each with a storage of its own
    as far as torch knows: one look at it tells whether any of them was written to.
    """

    def __init__(self, calls: Iterable[Arguments]) -> None:
        self._areas = [0]
        self._places = []
        for argument in (each for arguments in calls for each in _tensors_in(arguments)):
            place = _laid_out(np.asarray(argument.values), argument.layout)
            self._places.append(place)
            room = place.room * _DTYPES[argument.dtype].itemsize
            self._areas.append(self._areas[-1] - (-room // _ALIGNED) * _ALIGNED)
        self._buffer = torch.zeros(self._areas[-1], dtype=torch.uint8).numpy()
        self.first = self._buffer.ctypes.data
        self.last = self.first + self._areas[-1]
        self.tensors: list[torch.Tensor] = []
        self._kept = self._buffer
        self._states: list[list[Any]] = []

    def tensor(self, argument: Argument) -> torch.Tensor:
        """The next tensor, in the order in which the calls name them."""
        values, dtype, number = np.asarray(argument.values), _DTYPES[argument.dtype], len(self.tensors)
        place, at = self._places[number], self._areas[number]
        if not place.room:
            made = torch.empty(values.shape, dtype=dtype)
        else:
            base = torch.frombuffer(self._buffer, dtype=dtype, count=place.room, offset=at)
            made = base.as_strided(values.shape, place.strides, place.start).detach()  # which is nobody's view
            values = values[:1] if place.one_row else values
            if argument.dtype in _IN_NUMPY:
                kind, item = _IN_NUMPY[argument.dtype], dtype.itemsize
                steps = tuple(stride * item for stride in place.strides)
                np.ndarray(values.shape, kind, self._buffer, at + place.start * item, steps)[...] = values
            else:
                written = base.as_strided(values.shape, place.strides, place.start)
                written.copy_(torch.from_numpy(np.array(values)))
        self.tensors.append(made)
        return made

    def keep(self) -> None:
        """All are made now; how they are is how they should be afterwards."""
        self._kept, self._states = self._buffer.copy(), _states(self.tensors)

    def touched(self) -> frozenset[int]:
        """The numbers of the tensors that are no longer as they were: their numbers, their geometry, and whether they
        were written to, if only to put back what was there.
        """
        states = _states(self.tensors)
        if states == self._states and np.array_equal(self._buffer, self._kept):
            return frozenset()
        different = np.flatnonzero(self._buffer != self._kept)
        found = set(np.searchsorted(np.asarray(self._areas), different, side="right") - 1)
        for now, before in zip(states, self._states, strict=True):
            found |= {number for number, pair in enumerate(zip(now, before, strict=True)) if pair[0] != pair[1]}
        return frozenset(map(int, found))


def _states(tensors: Sequence[torch.Tensor]) -> list[list[Any]]:
    return [
        [tensor._version for tensor in tensors],  # noqa: SLF001 — how often torch wrote; there is no public name for it
        [tensor.data_ptr() for tensor in tensors],
        [tensor.shape for tensor in tensors],
        [tensor.stride() for tensor in tensors],
        [tensor.requires_grad for tensor in tensors],
    ]


def _tensors_in(tree: Any) -> Iterator[Argument]:
    if isinstance(tree, Argument):
        yield tree
    elif isinstance(tree, (dict, tuple, list)):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from _tensors_in(part)


class _Place(NamedTuple):
    """How a tensor lies in memory: its strides, its first element and the room it takes, in elements. Of an expanded
    one there is `one_row`.
    """

    strides: tuple[int, ...]
    start: int
    room: int
    one_row: bool = False


def _laid_out(values: Any, layout: Layout) -> _Place:
    shape = values.shape
    plain, entries = _steps(shape), values.size
    if layout == "contiguous" or not shape or not entries:
        return _Place(plain, 0, entries)
    if layout == "transposed" and len(shape) == 1:
        return _Place((2,), 0, 2 * entries)
    if layout == "transposed":
        swapped = _steps((*shape[:-2], shape[-1], shape[-2]))
        return _Place((*swapped[:-2], swapped[-1], swapped[-2]), 0, entries)
    if layout == "expanded" and np.array_equal(values, np.broadcast_to(values[:1], shape)):
        return _Place((0, *plain[1:]), 0, entries // shape[0], one_row=True)
    if layout == "offset":
        return _Place(plain, plain[0], entries + plain[0])
    return _Place(plain, 0, entries)


def _steps(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a contiguous tensor."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


class Prepared:
    """Calls, their arguments made: for one use, since functions may change these."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        with torch.inference_mode(mode=False):  # in which writes are not counted, if somebody left it on
            self.memory = OneBuffer(call.arguments for call in calls)
            self.passed = [Passed(call.arguments, self.memory) for call in calls]
        self.memory.keep()


class Passed:
    """The arguments of one call, and what is needed to tell afterwards what became of them, and to read the result."""

    __slots__ = (
        "_first",
        "_names",
        "_parts",
        "_put_back",
        "containers",
        "generators",
        "memory",
        "returned",
        "shared",
        "values",
    )
    # There are hundreds, and a fork copies what it touches.

    def __init__(self, arguments: Arguments, memory: OneBuffer | None = None) -> None:
        self.memory = memory or OneBuffer([arguments])
        self._first, self._parts = len(self.memory.tensors), 0
        self._names: tuple[str, ...] = ()
        self.generators: tuple[tuple[str, GeneratorArgument, torch.Generator, torch.Tensor], ...] = ()
        self.containers: tuple[tuple[str, Any, Any], ...] = ()
        self.values = [self._make(name, argument) for name, argument in arguments.items()]
        self.returned: Read = []
        self.shared: tuple[Any, ...] | None = None
        self._put_back: tuple[Any, ...] | None = None

    def begin(self) -> None:
        """The call is made now. Between this and `put_back` the generators that everybody shares may be others."""
        if not self.generators:
            return
        self.shared = _shared_states()
        elsewhere = self.generators[0][1].elsewhere
        if elsewhere is not None:
            self._put_back = self.shared
            _seed(elsewhere)
            self.shared = _shared_states()

    def put_back(self) -> None:
        if self._put_back is not None:
            _put_back(self._put_back)

    def _make(self, name: str, argument: Any) -> Any:
        if isinstance(argument, Argument):
            self._names += (name,)
            return self.memory.tensor(argument)
        if isinstance(argument, GeneratorArgument):
            generator = torch.Generator().manual_seed(argument.seed)
            if argument.state:
                generator.set_state(torch.frombuffer(bytearray(argument.state), dtype=torch.uint8))
            self.generators += ((name, argument, generator, generator.get_state()),)
            return generator
        if isinstance(argument, (tuple, list)):
            made = [self._make(f"{name}[{position}]", each) for position, each in enumerate(argument)]
            return tuple(made) if isinstance(argument, tuple) else self._watched(name, made)
        if isinstance(argument, dict):
            return self._watched(name, {key: self._make(f"{name}[{key!r}]", each) for key, each in argument.items()})
        return argument

    def _watched(self, name: str, container: Any) -> Any:
        self.containers += ((name, container, container.copy()),)
        return container

    def mutated(self, touched: frozenset[int]) -> tuple[str, ...]:
        """The names of what no longer is as it was passed: tensors as the memory says, lists and dicts by parts."""
        changed = [name for number, name in enumerate(self._names, self._first) if number in touched] if touched else []
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
            name for name, _, generator, before in self.generators if not torch.equal(generator.get_state(), before)
        )

    def states(self) -> dict[str, bytes]:
        """In which state each generator is now."""
        return {name: generator.get_state().numpy().tobytes() for name, _, generator, _ in self.generators}

    def drew_elsewhere(self) -> bool:
        """Whether a generator that everybody shares has changed."""
        return self.shared is not None and not _same_states(_shared_states(), self.shared)

    def observe(self, value: Any, depth: int = 0) -> Value:
        """What came back, as plain data. Its type is asked of Python: an object may lie about its class."""
        kind = type(value)
        if kind is torch.Tensor and not depth:  # as nearly always
            return self._read(value)
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
        if value is None:
            return Foreign(NOTHING, "is there a return statement?")
        name = name_of(kind)
        if issubclass(kind, (np.ndarray, np.generic)):
            what = "array" if issubclass(kind, np.ndarray) else name
            return Foreign(f"a NumPy {what}", "return a torch.Tensor (torch.from_numpy makes one)")
        return Foreign(_with_article(name), _REMEDIES.get(name, ""))

    def _read(self, tensor: torch.Tensor) -> Returned:
        shape, kind, known = tuple(tensor.shape), type(tensor), _READ.get(tensor.dtype)
        if kind is torch.Tensor and known and tensor.is_cpu and tensor.layout is torch.strided:
            name, of_values = known
            there = (tensor.detach() if tensor.requires_grad else tensor).numpy()
            values = there.astype(of_values)
            if len(self.returned) < _LOOKED_AT:
                self.returned.append((there, values))
            at = tensor.data_ptr()
            shares = self._shared(tensor) if self.memory.first <= at < self.memory.last else ()
            return Returned(shape, name, "cpu", values, shares)
        return self._read_slowly(tensor, shape, kind)

    def _read_slowly(self, tensor: torch.Tensor, shape: tuple[int, ...], kind: type) -> Returned:
        dtype, device = str(tensor.dtype).removeprefix("torch."), str(tensor.device)
        if kind not in (torch.Tensor, torch.nn.Parameter):
            return Returned(shape, dtype, device, None, problem=f"a subclass of torch.Tensor, {kind.__name__}")
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
        """The arguments in whose memory it lies."""
        if not tensor.numel():
            return ()
        start, end = _place(tensor)
        places = ((name, *_place(self.memory.tensors[n])) for n, name in enumerate(self._names, self._first))
        return tuple(name for name, first, last in places if start < last and first < end)


_LAZY = "it computes nothing before somebody goes through it: list(…) does, and torch.stack makes a tensor of a list"
_UNCALLED = "call it, with brackets"
_REMEDIES = {
    **dict.fromkeys(("generator", "map", "filter", "zip", "range", "enumerate", "reversed"), _LAZY),
    **dict.fromkeys(("function", "method", "builtin_function_or_method"), _UNCALLED),
    **dict.fromkeys(("set", "frozenset"), "a set has no order; return a tuple"),
}
"""What to do about an object of that type."""

Read = list[tuple[Any, Any]]
"""Tensors that a call returned, as arrays: where they lie, and what stood there then."""


def overwritten(results: Sequence[Read], known: int) -> int | None:
    """Which of some calls of a function, in their order, was the first that changed what one before it had returned:
    wrote to where it lies, or at least had it changed when all were made. The first `known` are from earlier.
    """
    if not _changed([pair for result in results for pair in result]):
        return None
    guilty = []
    for number, result in enumerate(results):
        if _changed(result):
            later = range(max(number + 1, known), len(results))
            guilty.append(next((each for each in later if _overlap(results[each], result)), min(later, default=number)))
    return min(guilty)


def _changed(read: Read) -> bool:
    there, values = (np.concatenate([np.zeros(0), *[pair[side].ravel() for pair in read]]) for side in (0, 1))
    return not np.array_equal(there.view(np.int64), values.view(np.int64))  # of NaN too each bit counts


def _overlap(one: Read, other: Read) -> bool:
    return any(np.may_share_memory(here, there) for here, _ in one for there, _ in other)


def _place(tensor: torch.Tensor) -> tuple[int, int]:
    """The addresses that it lies within. Two storages can be one memory: of a tensor, and of what NumPy made of it."""
    storage = tensor.untyped_storage()
    return storage.data_ptr(), storage.data_ptr() + storage.nbytes()


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
