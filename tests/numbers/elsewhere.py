"""Tensors that lie on another device, as far as anybody can tell: what mixes devices is refused as torch refuses it."""

from __future__ import annotations

from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
"""Autograd takes its gradients on the same thread, and nothing needs to be compiled for it."""


class Elsewhere(Tensor):
    """A tensor whose entries lie in the CPU's memory, and whose device is another."""

    @staticmethod
    def __new__(cls, held):
        found = Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        found.held = held
        return found

    def __repr__(self):
        return f"Elsewhere({self.held})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return carried_out(func, args, kwargs or {})

    __torch_function__ = torch._C._disabled_torch_function_impl


class ElsewhereMode(TorchDispatchMode):
    """What is asked to be made there is made there."""

    @classmethod
    def _should_skip_dynamo(cls):
        return False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return carried_out(func, args, kwargs or {})


def carried_out(func, args, kwargs):
    leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = [leaf for leaf in leaves if isinstance(leaf, Elsewhere)]
    here = [leaf for leaf in leaves if not isinstance(leaf, Elsewhere) and leaf.dim()]
    asked = kwargs.get("device")
    name = func.overloadpacket.__name__
    if there and here and name not in ("copy_", "index", "index_put", "index_put_", "_index_put_impl_"):
        raise RuntimeError(f"{func}: Expected all tensors to be on the same device")
    if asked is not None and asked.type == DEVICE.type:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    found = func(*tree_map(held_by, args), **tree_map(held_by, kwargs))
    stays = asked.type == DEVICE.type if asked is not None else bool(there)
    if func._schema.is_mutable and isinstance(args[0], Tensor):
        if torch.Tag.inplace_view in func.tags and name != "detach_":
            raise NotImplementedError(func)
        return args[0]
    return tree_map(lambda leaf: Elsewhere(leaf) if stays and isinstance(leaf, Tensor) else leaf, found)


def held_by(leaf):
    return leaf.held if isinstance(leaf, Elsewhere) else leaf


@contextmanager
def no_other_modes():
    """In the place of `_disable_current_modes`: there remains what there is on a machine that has such a device."""
    with _disable_current_modes(), ElsewhereMode():
        yield
