"""Numbers under torch's operators: what every number system shares.

A `NumberTensor` is a tensor as far as torch and autograd see it: shape, strides, a dtype. What it holds lies in its
parts, plain tensors of its shape. A `Numbers` mode is asked for every operator that torch is about to run, autograd's
backward included, and finds what to do with the parts, in this order:

0. a rule of somebody's own, `gradcheck.rule`: what the operator is made of;
1. a move: what only lays entries elsewhere (a view, a gather, a write in place) is done by torch on each part;
2. a rule of the number system, by the operator's overload;
3. an operator in place, or with out=, is its functional twin and a write;
4. torch's own decomposition into simpler operators;
5. `NoRule`, which names the operator.

The dtype that torch sees is float64 throughout: at which precision is computed is the mode's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, partial, reduce
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor
from torch._decomp import decomposition_table
from torch._ops import OpOverload
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from gradcheck.errors import GradcheckError
from gradcheck.numbers.rules import own_rule, ways_on

aten = torch.ops.aten


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MOVES = words(
    """
    alias as_strided as_strided_scatter cat clone constant_pad_nd contiguous detach diag_embed diagonal
    diagonal_backward diagonal_scatter embedding expand fill flip gather index index_copy index_fill index_put
    index_select lift_fresh lift_fresh_copy masked_fill masked_scatter masked_select narrow permute put repeat reshape
    _reshape_alias roll scatter select select_backward select_scatter slice slice_backward slice_scatter split
    split_with_sizes squeeze stack t take transpose tril triu unbind unfold unsafe_chunk unsafe_split
    unsafe_split_with_sizes _unsafe_index _unsafe_index_put _unsafe_view unsqueeze view where zero
    alias_copy as_strided_copy detach_copy diagonal_copy expand_copy permute_copy select_copy slice_copy split_copy
    split_with_sizes_copy squeeze_copy t_copy transpose_copy unbind_copy unfold_copy unsqueeze_copy view_copy
    """
)
"""Operators that lay entries elsewhere, or write constants between them, and compute nothing."""

FACTORIES = words(
    """
    arange empty empty_like empty_permuted empty_strided eye full full_like lift_fresh linspace logspace new_empty
    new_empty_strided new_full new_ones new_zeros ones ones_like rand rand_like randn randn_like scalar_tensor zeros
    zeros_like hann_window hamming_window bartlett_window blackman_window kaiser_window
    """
)
"""Operators that make a tensor without reading a number: their entries are constants."""

WRITTEN = ("value", "fill_value")
"""Names of the arguments, in torch's schemas, by which a move writes a constant."""

LAID = ("self", "other", "tensors", "values", "source", "src")
"""Names of the arguments whose entries a move lays out: numbers, even where they are given as whole ones."""

ADDING = ("accumulate", "reduce")
"""Names of the arguments by which what else moves adds or multiplies."""

DEEPEST = 4
"""How often an operator may be met within its own decomposition, before it is plain that it is made of itself."""

PLACES = ("index", "indices")
"""Names of the arguments that say where entries lie: tensors, but never of numbers."""

Rule = Callable[..., Any]

Registered = TypeVar("Registered", bound=Rule)


class NoRule(GradcheckError):
    """An operator that a number system can neither compute nor take apart."""


class NumberTensor(Tensor):
    """A tensor of numbers: torch sees its shape, strides and dtype; `parts` hold what the numbers are."""

    parts: tuple[Tensor, ...]
    count: ClassVar[int] = 1
    """How many parts there are."""
    held: torch.dtype | None = None
    """A coarser dtype than the mode's, to which a program has cast the tensor: of it torch sees nothing."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # noqa: SLF001

    @staticmethod
    def __new__(cls: type[Self], *parts: Tensor, requires_grad: bool = False) -> Self:
        if len(parts) > 1:
            parts = laid_out_alike(parts)
        first = parts[0]
        tensor: Self = Tensor._make_wrapper_subclass(  # noqa: SLF001
            cls,
            first.shape,
            strides=first.stride(),
            storage_offset=first.storage_offset(),
            dtype=torch.complex128 if first.is_complex() else torch.float64,
            device=first.device,
            requires_grad=requires_grad,
        )
        tensor.parts = parts
        return tensor

    def __init__(self, *parts: Tensor, requires_grad: bool = False) -> None:
        pass

    def __repr__(self) -> str:  # type: ignore[override]
        return f"{type(self).__name__}({', '.join(map(repr, self.parts))})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        raise NoRule(f"{func} met numbers outside of their mode: compute inside `with {cls.__name__[:-6]}(...):`.")

    def numpy(self, *, force: bool = False) -> Any:  # noqa: ARG002
        raise NoRule("numpy() has no numbers of this kind: compute with torch's functions instead.")

    def tolist(self) -> Any:
        raise NoRule("tolist() has no numbers of this kind: compute with torch's functions instead.")


def laid_out_alike(parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A view of one part must be possible on every other: they share shape, strides and offset."""
    first, *others = parts
    wanted = layout(first)
    if all(layout(part) == wanted for part in others):
        return parts
    if first.storage_offset() or not torch.ops.aten.is_non_overlapping_and_dense(first):
        first = first.clone(memory_format=torch.contiguous_format)
        wanted = layout(first)
    alike = [
        part
        if layout(part) == wanted
        else torch.empty_strided(first.shape, first.stride(), dtype=part.dtype, device=part.device).copy_(part)
        for part in others
    ]
    return first, *alike


def outside_of_modes() -> AbstractContextManager[Any]:
    """Where plain tensors are computed with. Cheap where there is no mode, which is mostly so."""
    in_one = torch._C._len_torch_dispatch_stack()  # noqa: SLF001
    return _disable_current_modes() if in_one else nullcontext()


def layout(part: Tensor) -> tuple[Any, ...]:
    return part.shape, part.stride(), part.storage_offset()


class Rules(dict[OpOverload, Rule]):
    """The rules of a number system by the operator's overload; first of all those that are made of others."""

    def __init__(self) -> None:
        super().__init__()
        self.table(COMPOSED)

    def rule(self, *names: str) -> Callable[[Registered], Registered]:
        """Register under every overload of an operator ("add") or under one ("max.dim").

        Overloads that write in place or into out= are no rule's: they follow from the functional one.
        """

        def register(function: Registered) -> Registered:
            for overload in overloads(*names):
                self[overload] = function
            return function

        return register

    def of_each(self, make: Callable[[OpOverload], Rule], *names: str) -> None:
        """Register what `make` makes of each of these overloads under it."""
        for overload in overloads(*names):
            self[overload] = make(overload)

    def table(self, rows: Mapping[str, Rule], made: Callable[[Rule], Rule] = lambda rule: rule) -> None:
        """Register what `made` makes of each row's function under the operators that its key names."""
        for names, function in rows.items():
            self.rule(*names.split())(made(function))


def overloads(*names: str) -> Iterator[OpOverload]:
    """Those of aten, as "operator" or "operator.overload"; what this version of torch lacks is left out."""
    for name in names:
        operator, _, only = name.partition(".")
        packet = getattr(aten, operator, None)
        for overload in packet.overloads() if packet else ():
            found = getattr(packet, overload)
            if only in ("", overload) and not found._schema.is_mutable:  # noqa: SLF001
                yield found


class Numbers(TorchDispatchMode):
    """A mode in which torch's operators compute with numbers.

    `ties`     entries at which a branch compared two equal numbers
    `unclear`  entries at which a branch compared numbers that this system cannot tell apart
    """

    rules: ClassVar[Rules]
    tensor: ClassVar[type[NumberTensor]]
    dtype: torch.dtype | None = None
    """The candidate's, if the system knows one."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Else torch wraps __torch_dispatch__ in what imports its compiler at the first operator: 4 seconds.
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ties = 0
        self.unclear = 0
        self.apart: list[OpOverload] = []
        """What is being taken apart: some of torch's operators are made of themselves, without an end."""

    def wrap(self, tensor: Tensor, *, requires_grad: bool = False) -> NumberTensor:
        """The numbers that a plain tensor's entries are: an input."""
        with outside_of_modes():
            numbers = self.constant(tensor.detach().clone())
            numbers.requires_grad_(requires_grad)
            return numbers

    def constant(self, tensor: Tensor) -> NumberTensor:
        """The numbers that a plain tensor's entries are. May share its memory."""
        raise NotImplementedError

    def constant_parts(self, value: float) -> tuple[Any, ...]:
        """What is written into each part where a move writes a Python number."""
        raise NotImplementedError

    def returned(self, numbers: NumberTensor) -> NumberTensor:
        """What a program hands back: here a system may round."""
        return numbers

    def __torch_dispatch__(self, func: OpOverload, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if any(issubclass(kind, NumberTensor) for kind in types):
            return self.apply(func, args, kwargs)
        result = func(*args, **kwargs)
        if func.overloadpacket.__name__ in FACTORIES and is_real(result):
            return self.constant(result)
        return result

    def apply(self, func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operator with numbers among its arguments."""
        own = own_rule(func)
        if own is not None:
            return self.again(own, args, kwargs)
        name = func.overloadpacket.__name__
        plain_name = name.removesuffix("_")
        kind = kind_of_move(func) if plain_name in MOVES else None
        moves = kind is not None and not adds(kind, args, kwargs)
        rule = None if moves else self.rules.get(func)
        if rule is not None:
            return rule(self, *args, **kwargs)
        if name in FACTORIES:
            result = func(*mapped(self.shape_of, args), **mapped(self.shape_of, kwargs))
            return self.constant(result) if is_real(result) else result
        if kind is not None and moves:
            if kind.of_one and isinstance(args[0], NumberTensor):
                return self.laid([func(part, *args[1:], **kwargs) for part in args[0].parts])
            return self.move(func, kind, args, kwargs)
        if name == "copy_":
            return self.write(args[0], args[1], func)
        if name.endswith("_") and not name.endswith("__") and hasattr(aten, plain_name):
            return self.write(args[0], self.again(getattr(aten, plain_name), args, kwargs), func)
        if "out" in kwargs:
            out = kwargs["out"]
            return self.write(out, self.again(func.overloadpacket, args, without(kwargs, "out")), func)
        made_of = decomposition_table.get(func) or (func.decompose if func._can_decompose() else None)  # noqa: SLF001
        made_of = made_of or getattr(func, "impl_aten", None)  # of torch's prims, which decompositions are made of
        if made_of and self.apart.count(func) < DEEPEST:
            self.apart.append(func)
            try:
                found = self.again(made_of, args, kwargs)
            finally:
                self.apart.pop()
            if found is not NotImplemented:
                return found
        raise NoRule(ways_on(type(self).__name__, func))

    def again(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run what is made of other operators under this mode."""
        with self:
            return function(*args, **kwargs)

    def move(self, func: OpOverload, kind: KindOfMove, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Let torch move the entries of each part; in place if the operator is."""
        if kind.in_place and not isinstance(args[0], NumberTensor):
            raise into_plain(func)
        args, kwargs = values_among(kind, args, kwargs)
        moved = mapped(self.number, (args, kwargs))
        results = []
        for part in range(self.tensor.count):
            part_args, part_kwargs = mapped(partial(part_of, part=part), moved)
            results.append(func(*part_args, **part_kwargs))
        if kind.in_place:
            if torch.Tag.inplace_view in func.tags:
                with no_dispatch():  # what torch believes of the shape follows
                    func(*args, **kwargs)
            return args[0]
        return self.laid(results)

    def laid(self, results: list[Any]) -> Any:
        """Numbers, or a list of them, of what a move made of each part."""
        if isinstance(results[0], list | tuple):
            return [self.tensor(*parts) for parts in zip(*results, strict=True)]
        return self.tensor(*results)

    def number(self, leaf: Any) -> Any:
        """What stands among a move's arguments: real tensors become numbers, indices and sizes stay."""
        if isinstance(leaf, Written):
            return Written(leaf.value, self.constant_parts(leaf.value))
        return self.constant(leaf) if is_real(leaf) else leaf

    def write(self, target: Any, values: Any, func: OpOverload) -> Any:
        """Put numbers into a tensor that exists."""
        if not isinstance(target, NumberTensor):
            if not isinstance(values, NumberTensor):
                return target.copy_(values)
            raise into_plain(func)
        source = values if isinstance(values, NumberTensor) else self.constant(torch.as_tensor(values))
        for own, part in zip(target.parts, source.parts, strict=True):
            own.copy_(part)
        return target

    @staticmethod
    def shape_of(leaf: Any) -> Any:
        """For a factory, which reads a tensor's shape only: a plain tensor of that shape."""
        if not isinstance(leaf, NumberTensor):
            return leaf
        with outside_of_modes():  # numbers of whatever the memory holds would be made otherwise
            return torch.empty_strided(leaf.shape, leaf.stride(), dtype=leaf.dtype, device=leaf.device)


def in_torch(program: Callable[..., Any]) -> Rule:
    """A rule that is torch code: it runs on numbers, as any program does. Plain tensors are constants to it."""
    return lambda numbers, *args, **kwargs: numbers.again(program, *mapped(numbers.number, (args, kwargs)))


def trilinear(
    a: Tensor, b: Tensor, c: Tensor, add_a: Any, add_b: Any, add_c: Any, summed: Any, unroll_dim: int = 1
) -> Tensor:
    """The sum of products of three, each stretched along some axes; how it is unrolled changes nothing."""
    pairs = ((a, add_a), (b, add_b), (c, add_c))
    a, b, c = (reduce(torch.unsqueeze, axes, factor) for factor, axes in pairs)
    return (a * b * c).sum(list(summed))


def add_product(n: Numbers, x: Any, a: Any, b: Any, value: Any, by: OpOverload) -> Any:
    """x + value (a b), or of a / b."""
    product = n.rules[by](n, a, b)
    return n.rules[aten.add.Tensor](n, x, product if value == 1 else n.rules[aten.mul.Tensor](n, product, value))


def argsort(n: Numbers, x: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    return n.rules[aten.sort.default](n, x, dim, descending, stable=stable)[1]


COMPOSED: dict[str, Rule] = {
    "rsub": lambda n, x, y, alpha=1: n.rules[aten.sub.Tensor](n, y, x, alpha),
    "square": lambda n, x: n.rules[aten.mul.Tensor](n, x, x),
    "reciprocal": lambda n, x: n.rules[aten.div.Tensor](n, 1.0, x),
    "addcmul": lambda n, x, a, b, value=1: add_product(n, x, a, b, value, aten.mul.Tensor),
    "addcdiv": lambda n, x, a, b, value=1: add_product(n, x, a, b, value, aten.div.Tensor),
    "aminmax": lambda n, x, dim=None, keepdim=False: (
        n.rules[aten.amin.default](n, x, dim, keepdim),
        n.rules[aten.amax.default](n, x, dim, keepdim),
    ),
    "argsort": argsort,
    "_trilinear": in_torch(trilinear),
}
"""What is made of other rules, in every number system."""


def axes_of(x: Tensor, dim: Any) -> tuple[int, ...]:
    """The axes that an operator works along: all where none is named, none of a single number."""
    if dim is None or (isinstance(dim, list | tuple) and not dim) or not x.dim():
        return tuple(range(x.dim()))
    return tuple(axis % x.dim() for axis in (dim if isinstance(dim, list | tuple) else (dim,)))


def windows(x: Tensor, window: Any, stride: Any, dilation: Any) -> Tensor:
    """(..., *places, *window) from (..., *sizes): what a convolution or a pool sees at each place."""
    first = x.dim() - len(window)
    for axis, (wide, step, apart) in enumerate(zip(window, stride, dilation, strict=True)):
        x = x.unfold(first + axis, (wide - 1) * apart + 1, step)[..., ::apart]
    return x


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same tree with each leaf replaced. torch's own walk costs more than most operators do."""
    if isinstance(tree, list | tuple):
        return type(tree)([mapped(function, part) for part in tree])
    if isinstance(tree, dict):
        return {key: mapped(function, part) for key, part in tree.items()}
    return function(tree)


class Written:
    """A Python number that a move writes: what goes into each part."""

    def __init__(self, value: float, parts: tuple[Any, ...] = ()) -> None:
        self.value, self.parts = value, parts


def part_of(leaf: Any, part: int) -> Any:
    return leaf.parts[part] if isinstance(leaf, NumberTensor | Written) else leaf


def is_real(leaf: Any) -> bool:
    """A plain tensor whose entries are real (or complex) values, not indices or truth values."""
    if not isinstance(leaf, Tensor) or isinstance(leaf, NumberTensor):
        return False
    return leaf.is_floating_point() or leaf.is_complex()


@dataclass(frozen=True)
class KindOfMove:
    """What torch's schema says of an operator that moves.

    `of_one` moves the entries of one tensor by sizes and whole numbers alone, and makes something new of them.
    """

    names: tuple[str, ...]
    chooses: bool
    in_place: bool
    of_one: bool


@cache
def kind_of_move(func: OpOverload) -> KindOfMove:
    schema = func._schema  # noqa: SLF001
    first, *others = schema.arguments
    by_places = all("Tensor" not in str(each.type) or each.name in PLACES for each in others)
    writes = any(each.name in (*WRITTEN, *ADDING) for each in others)
    return KindOfMove(
        tuple(each.name for each in schema.arguments),
        func.overloadpacket.__name__ == "where",
        schema.is_mutable,
        str(first.type) == "Tensor" and by_places and not writes and not schema.is_mutable,
    )


def values_among(
    kind: KindOfMove, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Mark what a move lays among the entries: Python numbers, and tensors of whole numbers too."""

    def marked(name: str, value: Any) -> Any:
        if isinstance(value, int | float):
            return Written(value) if name in WRITTEN or (kind.chooses and name in LAID) else value
        return mapped(as_real, value) if name in LAID or name in WRITTEN else value

    return (
        tuple(marked(name, value) for name, value in zip(kind.names, args, strict=False)),
        {name: marked(name, value) for name, value in kwargs.items()},
    )


def as_real(leaf: Any) -> Any:
    return leaf.to(torch.float64) if isinstance(leaf, Tensor) and not leaf.is_floating_point() else leaf


def adds(kind: KindOfMove, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether an operator that else moves adds or multiplies here: index_put(accumulate=True), scatter(reduce=...)."""
    given = {**dict(zip(kind.names, args, strict=False)), **kwargs}
    return any(given.get(name) for name in ADDING)


def without(kwargs: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in kwargs.items() if key != name}


def into_plain(func: OpOverload) -> NoRule:
    return NoRule(
        f"{func} writes numbers into a plain tensor: make the tensor by torch.zeros, torch.empty or zeros_like "
        "inside of the computation."
    )
