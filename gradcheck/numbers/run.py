"""Run torch code on numbers, and autograd through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from gradcheck.numbers.dispatch import Numbers, NumberTensor, is_real
from gradcheck.numbers.rules import taking_apart


class ComputedIn(TorchFunctionMode):
    """What torch takes from a tensor's dtype, which is float64 for numbers, it takes from the candidate's: the eps of
    rms_norm, where none is given.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.eps = torch.finfo(torch.promote_types(dtype, torch.float32)).eps

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (functional.rms_norm, torch.rms_norm):
            given = dict(zip(("input", "normalized_shape", "weight", "eps"), args, strict=False)) | (kwargs or {})
            if given.get("eps") is None:
                return func(**given | {"eps": self.eps})
        return func(*args, **(kwargs or {}))


def evaluate(numbers: Numbers, function: Callable[..., Any], args: Sequence[Any]) -> Any:
    """What `function` returns for these arguments, in numbers. Real tensors are wrapped; numbers stay what they are."""
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), numbers, taking_apart():
        return finished(numbers, called(numbers, function, wrapped(numbers, args, requires_grad=False)))


def called(numbers: Numbers, function: Callable[..., Any], inputs: Sequence[Any]) -> Any:
    with nullcontext() if numbers.dtype is None else ComputedIn(numbers.dtype):
        return function(*inputs)


def vjp(
    numbers: Numbers, function: Callable[..., Any], args: Sequence[Any], cotangents: Any
) -> tuple[Any, tuple[NumberTensor | None, ...]]:
    """What `function` returns, and what torch.autograd makes of the cotangents: a gradient for each argument.

    `cotangents` is a tensor for each output that has one, as they come. Numbers that were wrapped before keep their own
    `requires_grad` if any of them asks; else all are asked, as other real tensors are. What is none, or what nothing
    depends on, has the gradient None; an argument that is a list of tensors has several, one after the other.
    """
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), numbers, taking_apart():
        inputs = wrapped(numbers, args, requires_grad=True)
        outputs = called(numbers, function, inputs)
        upstream = wrapped(numbers, tree_leaves(cotangents), requires_grad=False)
        pairs = [
            (output, cotangent)
            for output, cotangent in zip(tree_leaves(outputs), upstream, strict=True)
            if cotangent is not None and isinstance(output, NumberTensor) and output.requires_grad
        ]
        leaves = tree_leaves(inputs)
        asked = [leaf for leaf in leaves if asks(leaf)]
        found: Sequence[Any] = ()
        if pairs and asked:
            found = torch.autograd.grad([o for o, _ in pairs], asked, [c for _, c in pairs], allow_unused=True)
        gradients = iter(found or [None] * len(asked))
        per_leaf = [next(gradients) if asks(leaf) else None for leaf in leaves]
        return finished(numbers, outputs), finished(numbers, tuple(per_leaf))


def asks(leaf: Any) -> bool:
    return isinstance(leaf, NumberTensor) and leaf.requires_grad


def wrapped(numbers: Numbers, values: Any, *, requires_grad: bool) -> Any:
    """Real tensors as numbers, at any depth of lists, tuples and dicts."""
    chosen = any(asks(leaf) for leaf in tree_leaves(values))

    def wrap(leaf: Any) -> Any:
        if isinstance(leaf, NumberTensor):
            return leaf.detach().requires_grad_(leaf.requires_grad if chosen else requires_grad)
        return numbers.wrap(leaf, requires_grad=requires_grad) if is_real(leaf) else leaf

    return tree_map(wrap, values)


def finished(numbers: Numbers, values: Any) -> Any:
    """What a program hands back, cut off from autograd's graph."""

    def finish(leaf: Any) -> Any:
        if isinstance(leaf, NumberTensor):
            with _disable_current_modes():
                return numbers.returned(leaf)
        return numbers.wrap(leaf) if is_real(leaf) else leaf

    return tree_map(finish, tree_map(detached, values))


def detached(leaf: Any) -> Any:
    return leaf.detach() if isinstance(leaf, NumberTensor) else leaf
