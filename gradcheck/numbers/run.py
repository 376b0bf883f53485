"""Run torch code on numbers, and autograd through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from gradcheck.numbers.dispatch import Numbers, NumberTensor, aten, is_real, mapped, words
from gradcheck.numbers.rules import taking_apart

CASTS = {"bfloat16": torch.bfloat16, "half": torch.float16, "float": torch.float32, "double": torch.float64}
CASTS_BY_ARGUMENT = words("to type type_as")

AUTOCAST = words(
    """
    __matmul__ __rmatmul__ addbmm addmm baddbmm bmm chain_matmul conv1d conv2d conv3d conv_transpose1d conv_transpose2d
    conv_transpose3d einsum linear matmul mm multi_dot scaled_dot_product_attention
    """
)
"""What torch.autocast computes in its dtype."""


class Cast(torch.autograd.Function):
    """A cast whose gradient is cast back: torch, to which both sides are float64, hands it on as it is."""

    @staticmethod
    def forward(ctx: Any, x: NumberTensor, dtype: torch.dtype) -> Any:
        ctx.held = x.held
        return aten._to_copy.default(x, dtype=dtype)  # noqa: SLF001

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        return aten._to_copy.default(upstream, dtype=ctx.held or torch.float64), None  # noqa: SLF001


class ComputedIn(TorchFunctionMode):
    """What torch takes from a tensor's dtype, which is float64 for numbers, it takes from the candidate's: the eps of
    rms_norm and the largest number for nan_to_num, where none is given. And a cast to a coarser dtype, torch.autocast's
    too, casts the gradient that comes back.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.information = torch.finfo(dtype)
        self.eps = torch.finfo(torch.promote_types(dtype, torch.float32)).eps

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "rms_norm":
            given = dict(zip(("input", "normalized_shape", "weight", "eps"), args, strict=False)) | kwargs
            if given.get("eps") is None:
                return func(**given | {"eps": self.eps})
        elif name in ("nan_to_num", "nan_to_num_"):
            most = {"posinf": self.information.max, "neginf": self.information.min}
            given = {"nan": 0.0} | dict(zip(("nan", "posinf", "neginf"), args[1:], strict=False)) | kwargs
            given |= {key: value for key, value in most.items() if given.get(key) is None}
            return func(*args[:1], **given)
        elif name in CASTS or name in CASTS_BY_ARGUMENT:
            dtype = CASTS.get(name) or target_of(args[1:], kwargs)
            if dtype is not None and args and not kwargs.get("device"):
                return self.cast(args[0], dtype, lambda: func(*args, **kwargs))
        elif name in AUTOCAST:
            args, kwargs = mapped(self.by_autocast, (args, kwargs))
        return func(*args, **kwargs)

    def cast(self, x: Any, dtype: torch.dtype, otherwise: Callable[[], Any]) -> Any:
        held = dtype if dtype.is_floating_point and torch.finfo(dtype).eps > self.information.eps else None
        if isinstance(x, NumberTensor) and held != x.held and dtype.is_floating_point:
            return Cast.apply(x, dtype)  # type: ignore[no-untyped-call]
        return otherwise()

    def by_autocast(self, leaf: Any) -> Any:
        if not isinstance(leaf, NumberTensor):
            return leaf
        device = leaf.device.type
        if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
            return leaf
        return self.cast(leaf, torch.get_autocast_dtype(device), lambda: leaf)


def target_of(args: Sequence[Any], kwargs: dict[str, Any]) -> torch.dtype | None:
    """The dtype to which .to(), .type() or .type_as() casts; None where none is named, or a device too."""
    leaves = [*args, *kwargs.values()]
    if any(isinstance(leaf, str | torch.device) for leaf in leaves):
        return None
    for leaf in leaves:
        if isinstance(leaf, torch.dtype):
            return leaf
        if isinstance(leaf, torch.Tensor):
            return getattr(leaf, "held", None) or leaf.dtype
    return None


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
            # in the dtype to which the output was cast
            (output, cotangent if output.held is None else aten._to_copy.default(cotangent, dtype=output.held))  # noqa: SLF001
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
            cut_off: Any = leaf.detach()
            with _disable_current_modes():
                return numbers.returned(cut_off)
        return numbers.wrap(leaf) if is_real(leaf) else leaf

    return tree_map(finish, values)
