"""Rules of one's own: what an operator computes that torch cannot look into, said in torch code.

    @torch.library.custom_op("mylib::cube", mutates_args=())
    def cube(x: Tensor) -> Tensor: ...

    @gradcheck.rule("mylib::cube")
    def cube_in_torch(x):
        return x * x * x

Wherever gradients are verified the operator is then taken apart, by every number system, and differentiated by the
derivatives of what it is made of: the backward that is registered with it says nothing about what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from torch._library.custom_ops import CustomOpDef
from torch._ops import OpOverload, OpOverloadPacket
from torch.overrides import TorchFunctionMode

from gradcheck.errors import UsageError

Rule = Callable[..., Any]

Registered = TypeVar("Registered", bound=Rule)

_OWN: dict[str, Rule] = {}
"""By the operator's name in torch, "mylib::cube" for all of its overloads or "mylib::cube.out" for one."""

_RUNNING: ContextVar[frozenset[str]] = ContextVar("operators that are being taken apart", default=frozenset())


def rule(operator: str | OpOverload | OpOverloadPacket | CustomOpDef) -> Callable[[Registered], Registered]:
    """Decorates a function of the operator's arguments that computes the same by torch's operators.

    The operator is told by its name, "mylib::cube", or is one of `torch.ops`, or what `torch.library.custom_op` made.
    Raises UsageError where torch has none of that name.
    """
    name = _known(operator)

    def register(function: Registered) -> Registered:
        _OWN[name] = function
        return function

    return register


def _known(operator: Any) -> str:
    if isinstance(operator, CustomOpDef):
        operator = operator._opoverload  # noqa: SLF001
    if isinstance(operator, OpOverload | OpOverloadPacket):
        return _name_of(operator)
    if not isinstance(operator, str) or operator.count("::") != 1:
        raise UsageError(f"a rule is for an operator by its name in torch, such as 'mylib::cube', not {operator!r}")
    namespace, _, name = operator.removesuffix(".default").partition("::")
    packet, _, overload = name.partition(".")
    found = getattr(getattr(torch.ops, namespace), packet, None)
    if found is None or overload not in ("", *found.overloads()):
        raise UsageError(f"torch has no operator {operator}: register it first, then its rule")
    return f"{namespace}::{name}"


def _name_of(operator: OpOverload | OpOverloadPacket) -> str:
    return operator._name if isinstance(operator, OpOverload) else operator._qualified_op_name  # noqa: SLF001


def own_rule(operator: OpOverload | OpOverloadPacket) -> Rule | None:
    """What somebody wrote for this operator; None mostly."""
    if not _OWN:
        return None
    name = _name_of(operator)
    name = name if name in _OWN else name.partition(".")[0]
    function = _OWN.get(name)
    if function is None:
        return None

    def taken_apart(*args: Any, **kwargs: Any) -> Any:
        with _running(name):
            return function(*args, **kwargs)

    return taken_apart


@contextmanager
def _running(name: str) -> Iterator[None]:
    if name in _RUNNING.get():
        raise UsageError(f"the rule of {name} calls {name} itself: write what it computes with torch's operators")
    token = _RUNNING.set(_RUNNING.get() | {name})
    try:
        yield
    finally:
        _RUNNING.reset(token)


def taking_apart() -> AbstractContextManager[Any]:
    """Within, operators with a rule of one's own are taken apart before autograd sees them. Costs nothing where there
    are none.
    """
    return _Apart() if _OWN else nullcontext()


class _Apart(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if isinstance(func, OpOverload | OpOverloadPacket) and (own := own_rule(func)):
            with self:
                return own(*args, **kwargs)
        return func(*args, **kwargs)


def ways_on(system: str, operator: OpOverload) -> str:
    """What somebody can do whose operator has no rule."""
    name = _name_of(operator)
    return (
        f"{system} numbers have no rule for {name}, and torch does not take it apart. Three ways on: give a formula as "
        'the reference; or truth="differences", which needs no derivative of it; or say what it computes in torch code '
        f'by a rule of your own, @gradcheck.rule("{name}").'
    )
