"""A function that is no single operator: how its arguments are drawn, and what any right implementation returns.

The record says `compute` over a `Sweep` of the derived operators (gradients, networks, update steps), or `verdict`
where many results are right (a permutation, an order of nodes). Everything else, edges included, follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gradcheck.checks.outcome import Arguments, Value

Edge = tuple[str, Arguments] | tuple[str, Arguments, str]
"""A name, arguments, and, where the function must refuse them, the exception's name."""

Usual = Literal["scales", "sizes", "memory", "integers", "constants", "float32"]
USUAL: frozenset[Usual] = frozenset(("scales", "sizes", "memory", "integers", "constants", "float32"))


@dataclass(frozen=True)
class Leaf:
    """One tensor of a result: its name; whether it may be (`scalar`) or must be (`number`) a Python float; its dtype
    where that is not the arguments'; whether it may be left out of a dict, which then means zero.
    """

    name: str
    kind: Literal["tensor", "scalar", "number"] = "tensor"
    dtype: str = ""
    optional: bool = False


Names = str | Leaf | tuple[Any, ...]
"""Names of the parts of a result. A name for a list or dict serves for each of its parts."""


@dataclass(frozen=True)
class Reference:
    """What a function of its own is graded by.

    `draw`      draws the arguments, by parameter name, in the order of the signature.
    `compute`   from a `Sweep` and the arguments (tensors as `Twin`, labels as arrays, lists and dicts of these as they
                are; Python floats as `Twin` without axes) the result: twins, whole-number arrays, tuples and dicts.
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
    text = str(last) if isinstance(last, str) else leaf.name + "".join(f"[{step}]" for step in path)
    return Leaf(text, leaf.kind, leaf.dtype, leaf.optional)
