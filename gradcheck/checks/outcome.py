"""A call of a candidate, and what came of it, in plain data: no tensor of the candidate's reaches the checks."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

Layout = Literal["contiguous", "transposed", "expanded", "offset"]


@dataclass(frozen=True)
class Argument:
    """A tensor to be made for the candidate: its values, dtype and how it lies in memory.

    `transposed` has its last two axes swapped in memory (one axis: every second element of a longer row);
    `expanded` repeats its first row without copying it; `offset` starts in the middle of a longer buffer.
    """

    values: npt.NDArray[Any]
    dtype: str
    layout: Layout = "contiguous"


@dataclass(frozen=True)
class GeneratorArgument:
    """A `torch.Generator`, new for every call: in the state that `seed` gives it, or in `state`, in which an earlier
    call left one (`Outcome.generators`). With `elsewhere` the generators that everybody shares are seeded with that for
    the time of the call: whoever draws from them is found out by drawing otherwise.
    """

    seed: int
    state: bytes = field(default=b"", repr=False)
    elsewhere: int | None = None


Arguments = dict[str, Any]
"""By parameter name: an `Argument`, a `GeneratorArgument`, a plain value, or a tuple, list or dict of these."""


def mapped(tree: Any, change: Callable[[Any], Any]) -> Any:
    """A tree of arguments with each of its leaves changed."""
    if isinstance(tree, dict):
        return {key: mapped(part, change) for key, part in tree.items()}
    return type(tree)(mapped(part, change) for part in tree) if isinstance(tree, (tuple, list)) else change(tree)


@dataclass(frozen=True, slots=True)
class Call:
    """A function's name and its arguments, in their order. With `count` its outcome says how many floating-point
    operations torch did.
    """

    function: str
    arguments: Arguments
    count: bool = False


# There are hundreds of these two for every exercise: what is not frozen is made four times as fast.


@dataclass(slots=True)
class Returned:
    """A tensor that came back, as numbers. `values` is float64 (int64 for integers), None where there is no data."""

    shape: tuple[int, ...]
    dtype: str
    device: str
    values: npt.NDArray[Any] | None
    shares_with: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Foreign:
    """Something that is neither a tensor, nor a number, nor text, nor a tuple, list or dict."""

    description: str
    remedy: str = ""


NOTHING = "None"
"""The description of None."""

Value = Returned | Foreign | float | str | tuple[Any, ...] | dict[Any, Any]
"""What came back. A list is a tuple here; the parts of tuples and dicts are values again."""


@dataclass(frozen=True)
class Operand:
    """What an operation was given: how it is written in the file, and the name of its type.

    `shape` is a tensor's or array's, or the length of a list, tuple or dict; None where it has none, or where what
    stands there is not known. `dtype` is that of its entries. `value` is a number or text, of whole numbers the least
    and the greatest: 0…3.
    """

    source: str
    kind: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    value: str = ""

    @property
    def is_tensor(self) -> bool:
        return self.kind == "Tensor" and self.shape is not None


OperationKind = Literal[
    "binary", "compare", "unary", "call", "method", "attribute", "index", "store", "unpack", "truth", "iterate", "name",
    "assert", "raise", "other",
]  # fmt: skip


@dataclass(frozen=True)
class Stray:
    """A floating tensor of the candidate's own that has another dtype than the arguments: where it was made, by which
    expression, and what it is called, if it has a name.
    """

    line: int
    source: str
    dtype: str
    name: str = ""


@dataclass(frozen=True)
class Operation:
    """The operation of the candidate's own file that raised: its line and text, its operator, function or method, what
    it was given (of a method, first what it is called on). `missing` is a name, attribute, key or keyword that is not
    there, `similar` what is there and is called alike.
    """

    line: int
    source: str
    kind: OperationKind = "other"
    name: str = ""
    operands: tuple[Operand, ...] = ()
    missing: str = ""
    similar: tuple[str, ...] = ()
    strays: tuple[Stray, ...] = ()


@dataclass(frozen=True)
class Fault:
    """An exception of the candidate: its kind and text, where in the candidate's own file it arose, the names of the
    classes it derives from, and the operation that raised it, where that can be told.
    """

    kind: str
    text: str
    lines: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    operation: Operation | None = None


MODULE = "<module>"
"""What Python calls the code of a file that stands outside of its functions."""

RaisePlace = Literal["alone", "above", "below", "within"]


@dataclass(frozen=True)
class Unwritten:
    """A `raise NotImplementedError` of the file's own that a call came to: in `function`, at `line`.

    `place` says where it stands in its function: `alone`, `above` code that is never reached, `below` code, `within` a
    branch, a loop or a block. `caller` is what of the file called `function`, and `call` the line; empty and 0 where it
    is the function that was asked for. `written` is the line of an earlier definition of the same name that holds code,
    0 where there is none.
    """

    function: str
    line: int
    place: RaisePlace
    caller: str = ""
    call: int = 0
    written: int = 0

    @property
    def not_started(self) -> bool:
        """Whether the function that was asked for is a stub, and nothing else was written for it."""
        return self.place == "alone" and self.function != MODULE and not self.caller and not self.written


class OwnBackward(RuntimeError):
    """A backward formula of torch's own was called in a process that has none."""

    def __init__(self, name: str) -> None:
        super().__init__(f"torch's own backward kernel {name}")


NOT_READ = "NotRead"
"""The kind of fault that a file has which was not read at all, whatever is in it."""

EARLIER = "the result of an earlier call"
"""What is mutated when a function writes into what it returned before: a buffer that it keeps."""


@dataclass(slots=True)
class Outcome:
    """The end of one call.

    `state` is `returned`, `not_started` (the function is a stub, or there is no file), `unfinished` (it is none, and
    came to a `raise NotImplementedError` of the file's own; `unwritten` says which), `raised`, `exited` (SystemExit),
    `timed_out`, or `missing` (no such function, or one that cannot take these arguments; `fault` says).
    `mutated` names the arguments that were changed; `refused` says what forbidden tool was used, and on which line.
    `recorded`: torch recorded operations for automatic differentiation, whether or not anything used them.
    `advanced` names the generators that numbers were drawn from, `generators` has the state of each afterwards, and
    `drew_elsewhere` says that one was changed which everybody shares (torch's, Python's or NumPy's own); it is looked
    for where a generator is passed. `operations` counts floating-point operations of torch, where that was asked for.
    """

    state: Literal["returned", "not_started", "unfinished", "raised", "exited", "timed_out", "missing"]
    value: Value = 0.0
    fault: Fault | None = None
    mutated: tuple[str, ...] = ()
    refused: str = ""
    recorded: bool = False
    advanced: tuple[str, ...] = ()
    operations: int = 0
    generators: dict[str, bytes] = field(default_factory=dict, repr=False)
    drew_elsewhere: bool = False
    unwritten: Unwritten | None = None


Signature = tuple[bool, tuple[tuple[tuple[int, ...], str, str], ...]]
"""Whether something is a tuple, and of each of its tensors the shape, the dtype, and whether numbers are `f` or `i`."""


class SideBySide(NamedTuple):
    """What came of calls that returned tensors and did nothing else to speak of: the number of each one's form, and the
    numbers of all, eight bytes each. A form is a signature, None where there is more to say, and in the memory of which
    arguments its tensors lie.
    """

    rows: list[int]
    forms: list[tuple[Signature | None, tuple[str, ...]]]
    numbers: npt.NDArray[Any]


@dataclass
class Printed:
    """What the candidate wrote to its standard streams: the beginning, and how much there was."""

    limit: int = 4_000
    parts: list[str] = field(default_factory=list)
    kept: int = 0
    total: int = 0

    def write(self, text: str) -> int:
        self.total += len(text)
        room = self.limit - self.kept
        if room > 0:
            self.parts.append(text[:room])
            self.kept += min(room, len(text))
        return len(text)

    def flush(self) -> None:
        """A stream has one; there is nothing to flush."""

    def isatty(self) -> bool:
        return False

    @contextmanager
    def muted(self) -> Iterator[None]:
        """What is written in the block is not kept."""
        before = list(self.parts), self.kept, self.total
        try:
            yield
        finally:
            self.parts, self.kept, self.total = before

    def take(self) -> str:
        """What was kept, and start anew."""
        text = "".join(self.parts)
        if self.total > self.kept:
            text += f"\n[… {self.total - self.kept:,} more characters not shown]\n"
        self.parts, self.kept, self.total = [], 0, 0
        return text
