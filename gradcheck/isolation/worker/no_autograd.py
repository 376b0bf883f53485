"""Takes automatic differentiation out of this process, before any submission is in it.

torch differentiates by kernels that its dispatcher calls before the numeric ones. Where these are passed by, nothing
records a graph: not in Python, not in a thread of C++, not under `torch.func`; and no tangent is carried forward.
What torch has ready as backward formulas raises. It cannot be undone in a process, so a learner's own is left alone; a
fork inherits it. A `torch.autograd.Function` whose backward somebody wrote still works: it is not a kernel.

What is left is the transpose of a view: torch makes that node itself, when a tensor is written to whose view was taken.
It moves entries and adds up those that share memory, which any forward function may do; it derives nothing. Who writes
to the process's own memory (through ctypes, say) can undo everything here.
"""

from __future__ import annotations

import ctypes
import gc
import warnings
import weakref
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NoReturn

from gradcheck.checks.outcome import OwnBackward

_JIT_DOORS = ("_jit_set_profiling_executor", "_jit_differentiate", "_jit_pass_create_autodiff_subgraphs")
"""TorchScript has formulas of its own; the executor before the present one uses them without any kernel's help."""

_WRITTEN_IN_PYTHON = ("_decomp", "_refs", "_higher_order_ops")
_PARTS_OF_FORMULAS = ("backward", "_jvp")


def without_autograd() -> None:
    """Take it out. Raises RuntimeError where something can still be differentiated."""
    import torch

    aten: Any = torch._C._dispatch_library("IMPL", "aten", "", __file__, 1)  # noqa: SLF001
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that kernels are overridden
        for key, names in _kernels():
            for name in names:
                if _is_formula(name):
                    aten.impl(name, key, partial(_refuse, name), False)
                elif key.startswith("Autograd"):
                    aten.impl(name, key, torch.library.fallthrough_kernel, False)
    # The registrations live as long as this object. It is held by no name and no container, so nothing in Python finds
    # it, and its counter never comes to zero.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(aten))
    _close_torchscript()
    _empty_python_formulas()
    _must_find_nothing()


def _kernels() -> Iterator[tuple[str, list[str]]]:
    """The operators of each dispatch key that has kernels. The key `Autograd` stands for those of every device."""
    import torch

    for key in torch._C.DispatchKey.__members__:  # noqa: SLF001
        with suppress(RuntimeError):  # a key that has no kernels cannot be asked for by name
            names = torch._C._dispatch_get_registrations_for_dispatch_key(key)  # noqa: SLF001 — no public way to ask
            if key not in ("Undefined", "Meta"):  # there are no numbers at either
                yield key, [name for name in names if name.startswith("aten::")]


def _is_formula(name: str) -> bool:
    return any(part in name for part in _PARTS_OF_FORMULAS)


def _refuse(name: str, *_args: Any, **_kwargs: Any) -> NoReturn:
    raise OwnBackward(name.removeprefix("aten::").partition(".")[0])


def _close_torchscript() -> None:
    import torch

    doors = [weakref.ref(getattr(torch._C, name)) for name in _JIT_DOORS if hasattr(torch._C, name)]  # noqa: SLF001
    for door in doors:
        _let_go(door)
    if any(door() is not None for door in doors):
        raise RuntimeError("a way to TorchScript's automatic differentiation is held by something else")


def _let_go(door: weakref.ref[Any]) -> None:
    """Take it out of every dict: torch's own module is one, a table of what torch's compiler knows another."""
    for holder in gc.get_referrers(door()):
        if type(holder) is dict:
            for key in [key for key, value in holder.items() if key is door() or value is door()]:
                del holder[key]


def _empty_python_formulas() -> None:
    """Give the functions themselves another body: whoever holds one holds the empty one."""
    import torch
    import torch._decomp

    folders = tuple(str(Path(torch.__file__).parent / part) for part in _WRITTEN_IN_PYTHON)
    for function in gc.get_objects():
        if type(function) is FunctionType:
            code = function.__code__
            if code.co_filename.startswith(folders) and _is_formula(code.co_name):
                function.__code__ = _raising(code)


def _raising(code: CodeType) -> CodeType:
    """A body that raises, for a function that closes over the same names."""
    free = code.co_freevars
    lines = [
        f"def around({', '.join(free)}):",
        "  def formula(*args, **kwargs):",
        f"    from {OwnBackward.__module__} import {OwnBackward.__name__}",
        f"    if 0: {'; '.join(free) or 'pass'}",
        f"    raise {OwnBackward.__name__}({code.co_name!r})",
        "  return formula",
    ]
    namespace: dict[str, Any] = {}
    exec("\n".join(lines), namespace)  # noqa: S102 — only a body that is made for it fits a function
    made: CodeType = namespace["around"](*free).__code__
    return made


def _must_find_nothing() -> None:
    import torch

    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    if (x * x).exp().requires_grad:
        raise RuntimeError("automatic differentiation cannot be taken out of this process")
