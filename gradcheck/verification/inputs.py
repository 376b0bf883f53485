"""The arguments of a candidate's call, by name: what gradients are asked of, and what is passed along."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, keystr, tree_flatten_with_path, tree_unflatten

from gradcheck.errors import UsageError
from gradcheck.operators.record import Operator


@dataclass(frozen=True)
class Inputs:
    """The arguments of a call, and what gradients are taken of.

    `tensors` are those of floating point, detached, as they were given, a module's parameters after the arguments;
    `others` are tensors of whole numbers or truth values. Arguments that are trees of tensors have a name per tensor:
    "xs[0]", "d['w']".
    """

    tensors: dict[str, Tensor]
    others: dict[str, Tensor]
    parameters: tuple[str, ...]
    wrt: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    """Of each argument, the names of its leaves."""
    _leaves: tuple[Any, ...]
    _tree: TreeSpec

    def arguments(self, tensors: Mapping[str, Any]) -> tuple[Any, ...]:
        """The arguments of a call with these tensors in their places; whatever is not among them is as it was given."""
        names = (name for each in self.names for name in each)
        leaves = [tensors.get(name, leaf) for name, leaf in zip(names, self._leaves, strict=True)]
        return tuple(tree_unflatten(leaves, self._tree))

    @property
    def dtype(self) -> torch.dtype:
        """In which the candidate is judged."""
        return next(iter(self.tensors.values())).dtype

    @property
    def device(self) -> torch.device:
        return next(iter(self.tensors.values())).device


def inputs_of(
    args: Sequence[Any],
    named_by: Iterable[Any] = (),
    *,
    parameters: Mapping[str, Tensor] | None = None,
    wrt: str | int | Iterable[str | int] | None = None,
) -> Inputs:
    """Read the arguments of a call. The first of `named_by` that has a parameter for each argument names them; else
    they are called "input 0" and so on. Gradients are asked of every tensor of floating point, but for parameters that
    are frozen, or of those that `wrt` chooses: names, or the places of arguments.
    """
    parameters = parameters or {}
    offered = (parameter_names(each, len(args)) for each in named_by)
    heads = next((each for each in offered if len(each) == len(args)), None)
    if heads is None or set(heads) & set(parameters):
        heads = [f"input {position}" for position in range(len(args))]
    pairs, tree = tree_flatten_with_path(tuple(args))
    leaves = [leaf for _, leaf in pairs]
    names: list[list[str]] = [[] for _ in args]
    for path, _ in pairs:
        place = path[0].idx  # type: ignore[attr-defined]
        names[place].append(heads[place] + keystr(path[1:]))
    by_name = dict(zip((name for each in names for name in each), leaves, strict=True)) | dict(parameters)
    given = {name: leaf for name, leaf in by_name.items() if isinstance(leaf, Tensor)}
    for name, tensor in given.items():
        _refuse(name, tensor)
    found = {name: tensor.clone() if tensor.is_inference() else tensor.detach() for name, tensor in given.items()}
    tensors = {name: tensor for name, tensor in found.items() if tensor.is_floating_point()}
    others = {name: tensor for name, tensor in found.items() if name not in tensors}
    if not tensors:
        what = ", ".join(_described(leaf) for leaf in leaves) or "nothing"
        raise UsageError(
            f"There is no input that a gradient can be taken of: the candidate gets {what}. "
            "Pass at least one tensor of floating point, e.g. torch.randn(3, 4)."
        )
    _same_device(found)
    frozen = [name for name, parameter in parameters.items() if not parameter.requires_grad]
    chosen = _chosen(wrt, tensors, names) if wrt is not None else [name for name in tensors if name not in frozen]
    if not chosen:
        raise UsageError("No gradient is asked for: `wrt` is empty, and it should name at least one input.")
    own = tuple(name for name in parameters if name in tensors)
    return Inputs(tensors, others, own, tuple(chosen), tuple(map(tuple, names)), tuple(leaves), tree)


def parameter_names(named: Any, count: int) -> list[str]:
    """The names of the first `count` arguments of something that is called, or has a forward that is: [] where it does
    not tell.
    """
    skipped = 0
    if isinstance(named, Operator):
        return [each.name for each in named.inputs][:count]
    if isinstance(named, type) and issubclass(named, torch.autograd.Function):
        skipped = not has_setup_context(named)  # ctx
        named = named.forward
    elif isinstance(named, tuple):
        skipped, named = 1, named[-1]  # grad_output of a pair's backward
    elif isinstance(named, torch.nn.Module):
        named = named.forward
    if not callable(named):
        return []
    try:
        found = list(inspect.signature(named).parameters.values())[skipped:]
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each.name for each in found if each.kind in positional][:count]


def has_setup_context(function: type[torch.autograd.Function]) -> bool:
    """Whether its forward has no ctx, since another function sets it up."""
    return function.setup_context is not torch.autograd.Function.setup_context


def flows(output: Any) -> bool:
    """Whether a gradient can come back from it."""
    return isinstance(output, Tensor) and output.requires_grad


def _refuse(name: str, tensor: Tensor) -> None:
    problem: tuple[str, str] | None = None
    if tensor.is_complex():
        problem = "complex", "Pass real and imaginary parts as two tensors (torch.view_as_real)."
    elif tensor.layout is not torch.strided or tensor.is_nested:
        problem = "not an ordinary dense tensor", "Call .to_dense() on it, or pass its values."
    elif tensor.is_quantized:
        problem = "quantized", "Call .dequantize() on it."
    elif tensor.is_meta:
        problem = "on the meta device, where tensors have no entries", "Pass one that has some."
    if problem:
        raise UsageError(f"{name} is {problem[0]}, and gradients are not checked for that. {problem[1]}")


def _same_device(tensors: Mapping[str, Tensor]) -> None:
    """Single numbers may lie elsewhere: torch takes them from the CPU to wherever the others are."""
    devices: dict[torch.device, str] = {}
    for name, tensor in tensors.items():
        if tensor.dim():
            devices.setdefault(tensor.device, name)
    if len(devices) > 1:
        where = ", ".join(f"{name} on {device}" for device, name in devices.items())
        raise UsageError(f"The inputs lie on several devices: {where}. Move them all to one with .to(device).")


def _chosen(
    wrt: str | int | Iterable[str | int], tensors: Mapping[str, Tensor], names: Sequence[Sequence[str]]
) -> list[str]:
    """The names that are meant; a tree of tensors is meant by the place of its argument."""
    chosen: list[str] = []
    for each in [wrt] if isinstance(wrt, str | int) else wrt:
        of_place = isinstance(each, int) and -len(names) <= each < len(names)
        meant = [name for name in (names[int(each)] if of_place else [str(each)]) if name in tensors]
        if not meant:
            known = ", ".join(map(repr, tensors))
            raise UsageError(f"wrt names {each!r}, which is no input of floating point. Choose among {known}.")
        chosen += [name for name in meant if name not in chosen]
    return chosen


def _described(leaf: Any) -> str:
    if isinstance(leaf, Tensor):
        return f"a tensor of {str(leaf.dtype).removeprefix('torch.')}"
    return "None" if leaf is None else type(leaf).__name__
