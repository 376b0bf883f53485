"""What a function is graded by: how its arguments are drawn, and what any right implementation returns.

A record says `compute`, torch code over the derived operators (gradients, networks, update steps), or `verdict` where
many results are right (a permutation, an order of nodes). For a function of an operator all of it follows from the
operator's own record: see `derived.of_operator`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gradcheck.checks.outcome import Argument, Arguments, Value

if TYPE_CHECKING:
    from gradcheck.checks.cases import Case
    from gradcheck.references.expected import Expected

Edge = tuple[str, Arguments] | tuple[str, Arguments, str]
"""A name, arguments, and, where the function must refuse them, the exception's name."""

Usual = Literal["scales", "sizes", "memory", "integers", "constants", "float32"]
USUAL: frozenset[Usual] = frozenset(("scales", "sizes", "memory", "integers", "constants", "float32"))


@dataclass(frozen=True)
class Leaf:
    """One tensor of a result: its name; whether it may be (`scalar`) or must be (`number`) a Python float; its dtype
    where that is not the arguments'; whether it may be left out of a dict, which then means zero; the argument whose
    shape it has; how the parts of a list are counted.
    """

    name: str
    kind: Literal["tensor", "scalar", "number"] = "tensor"
    dtype: str = ""
    optional: bool = False
    like: str = ""
    counted: str = "[{}]"


Names = str | Leaf | tuple[Any, ...]
"""Names of the parts of a result. A name for a list or dict serves for each of its parts."""

Row = dict[str, "Expected"]
"""What one call must give, by the way to each part of the result, as JSON."""


@dataclass(frozen=True)
class Reference:
    """What a function of its own is graded by.

    `draw`      draws the arguments, by parameter name, in the order of the signature.
    `compute`   the result in plain torch code, for tensors of any numbers: from the arguments (Python floats as tensors
                without axes, lists and dicts as they are), by `references.apply` where a derived formula matters.
    `verdict`   from the plain arguments and the value that came back: the check that fails (type, shape, dtype or
                values), why, and perhaps a diagnosis code; or None. With `compute` as well, both must be content; the
                verdict is asked first, so that it can name a mistake that numbers alone do not show.
    `names`     what people call the parts of the result.
    `edges`     further arguments, drawn one set after another.
    `usual`     which of the edges that every function gets make sense here.
    `opinion`   the same by torch.autograd, from torch tensors: the second opinion, asked before anything is graded.
    `mistaken`  for the result's single tensor: from its right shape a shape that shows a known mistake, what to say of
                it, and its code.
    `what`      what results differ from, in words.

    What follows from these, unless a record of another kind says it:

    `values`    from a dtype and what was drawn for each cotangent, what must come back.
    `quick`     about the same in float64, with a coarse tolerance: fast, for searching.
    `generic`, `edge`  the cases. `stream` names where their numbers come from.
    `shapes`    from what was drawn the shapes that must come back, where they are known without the numbers.
    """

    draw: Callable[[Any], Arguments]
    compute: Callable[..., Any] | None = None
    verdict: Callable[[Arguments, Value], tuple[str, ...] | None] | None = None
    names: Names = "the result"
    edges: Callable[[Any], Iterator[Edge]] | None = None
    usual: frozenset[Usual] = USUAL
    opinion: Callable[..., Any] | None = None
    mistaken: Callable[[tuple[int, ...]], tuple[tuple[int, ...], str, str] | None] | None = None
    what: str = "what the definition gives"
    source: str = ""

    values: Callable[[str, Sequence[Arguments]], list[Row]] | None = None
    quick: Callable[[str, Sequence[Arguments]], list[Row]] | None = None
    generic: Callable[[], list[Case]] | None = None
    edge: Callable[[], list[Case]] | None = None
    shapes: Callable[[Case], dict[str, tuple[int, ...]]] | None = None
    stream: str = ""

    @property
    def judges_numbers(self) -> bool:
        """Whether there is a right result; else the verdict alone judges."""
        return self.values is not None or self.compute is not None

    def cases(self, group: str) -> list[Case]:
        """The cases of a group that follow from the record, not drawn yet."""
        from gradcheck.checks.cases import usual_edges, usual_generic

        if group == "generic":
            return self.generic() if self.generic else list(usual_generic(self.usual))
        return self.edge() if self.edge else list(usual_edges(self.usual))

    def computed(self, dtype: str, drawn: Sequence[Arguments]) -> list[Row]:
        """What must come back of each call."""
        if self.values is not None:
            return self.values(dtype, drawn)
        return [self._composed(dtype, each) for each in drawn]

    def guessed(self, dtype: str, drawn: Sequence[Arguments]) -> list[Row]:
        """About what must come back, as exactly as a search needs it."""
        if not self.judges_numbers:
            return [{} for _ in drawn]
        return (self.quick or self.computed)(dtype, drawn)

    def _composed(self, dtype: str, arguments: Arguments) -> Row:
        from gradcheck.checks.cases import walk
        from gradcheck.references.expected import expect

        assert self.compute is not None
        found = expect(self.compute, tensors_of(arguments), dtype, what="a function with a reference of its own")
        return {json.dumps(path): leaf for path, leaf in walk(found)}

    @property
    def fingerprint(self) -> str:
        """All that the expected values depend on besides the arguments and the engine: the record's own file."""
        return "" if self.compute is None else Path(self.compute.__code__.co_filename).read_text(encoding="utf-8")


def named(names: Names, path: tuple[Any, ...]) -> Leaf:
    """The leaf that stands at `path` of a result."""
    if isinstance(names, tuple):
        return named(names[path[0]], path[1:])
    leaf = names if isinstance(names, Leaf) else Leaf(names)
    if not path:
        return leaf
    *_, last = path
    text = str(last) if isinstance(last, str) else leaf.name + "".join(leaf.counted.format(step) for step in path)
    return replace(leaf, name=text)


def tensors_of(value: Any) -> Any:
    """Arguments as references compute with them: tensors of float64 or of whole numbers, at any depth."""
    import numpy as np
    import torch

    if isinstance(value, Argument):
        values = np.asarray(value.values)
        dtype = np.float64 if values.dtype.kind == "f" else values.dtype
        return torch.from_numpy(np.array(values, dtype=dtype))
    if isinstance(value, float):
        return torch.tensor(value, dtype=torch.float64)
    if isinstance(value, dict):
        return {key: tensors_of(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(tensors_of(part) for part in value)
    return value
