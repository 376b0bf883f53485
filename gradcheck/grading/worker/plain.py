"""Whether a file names nothing but ordinary arithmetic, so that its calls into torch need not be watched one by one.

Watching costs more than most calls do. A file whose every name is a known forward function, a method of tensors, lists
or numbers, or a function of its own cannot reach automatic differentiation or a backward kernel: to do that without
naming it takes getattr, eval, an import or an underscore, and none of these is on the list. Whatever else it may be, a
file that is not plain is only watched.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterator, Mapping
from functools import cache
from types import CodeType, FunctionType
from typing import Any

import torch

_RISKY = (
    "grad",
    "backward",
    "vjp",
    "jvp",
    "jac",
    "hess",
    "dual",
    "func",
    "compil",
    "hook",
    "dispatch",
    "overrid",
    "script",
    "trace",
    "autocast",
    "vmap",
    "inference_mode",
    "default",
    "storage",
    "set_",
    "resize",
    "apply_",
    "map_",
)
_MODULES = (
    "ops",
    "jit",
    "fx",
    "utils",
    "library",
    "classes",
    "export",
    "cuda",
    "sys",
    "os",
    "random",
    "backends",
    "testing",
)
_NOT_PLAIN = {
    "eval",
    "exec",
    "compile",
    "getattr",
    "setattr",
    "delattr",
    "vars",
    "globals",
    "locals",
    "open",
    "input",
    "breakpoint",
    "type",
    "object",
    "super",
    "memoryview",
    "help",
    "dir",
    "exit",
    "quit",
}
_ALLOWED_IMPORTS = {
    "torch",
    "torch.nn",
    "torch.nn.functional",
    "math",
    "__future__",
    "annotations",
    "nn",
    "functional",
    "F",
    "typing",
    "collections.abc",
}
_OWN_MAY_BE = ("forward", "backward", "jacobian", "jacobian_x", "jacobian_weight")


def is_plain(code: CodeType | None, namespace: Mapping[str, Any]) -> bool:
    """Whether a module's code, all of it, names only what is on the list. `namespace` is what running it defined."""
    if code is None:
        return False
    own = {
        name
        for name, value in namespace.items()
        if type(value) in (float, int) or (type(value) is FunctionType and value.__globals__ is namespace)
    }
    own = {name for name in own if name in _OWN_MAY_BE or not _risky(name)}
    allowed = _vocabulary() | own
    for each in _all_code(code):
        if not allowed.issuperset(each.co_names):
            return False
        for constant in each.co_consts:
            if constant == "requires_grad" or (type(constant) is tuple and "requires_grad" in constant):
                return False
    return True


def _all_code(code: CodeType) -> Iterator[CodeType]:
    waiting = [code]
    while waiting:
        each = waiting.pop()
        yield each
        waiting += [constant for constant in each.co_consts if type(constant) is CodeType]


@cache
def _vocabulary() -> frozenset[str]:
    holders = (
        torch,
        torch.Tensor,
        torch.nn.functional,
        torch.linalg,
        torch.special,
        math,
        list,
        dict,
        tuple,
        float,
        int,
        str,
    )
    names = {name for holder in holders for name in dir(holder)} - set(_MODULES)
    names = {name for name in names if not name.startswith("_") and not _risky(name)}
    usual = {name for name in dir(builtins) if not name.startswith("_")} - _NOT_PLAIN
    return frozenset(names | usual | _ALLOWED_IMPORTS | {"Tensor", "special", "linalg", "__name__", "__doc__"})


def _risky(name: str) -> bool:
    return any(part in name.lower() for part in _RISKY)
