"""A candidate of any form, run and pulled back through again and again: what comes, and all that is wrong besides the
numbers.
"""

from __future__ import annotations

import functools
import inspect
import sys
import sysconfig
import threading
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import torch
from torch import Tensor
from torch._functorch import autograd_function as functorch
from torch.autograd import function as functions
from torch.func import functional_call
from torch.utils._pytree import tree_leaves

from gradcheck.checks.candidate import frames_of, said
from gradcheck.checks.limits import Frames, of_library, settings_kept, time_limit
from gradcheck.errors import UsageError
from gradcheck.numbers.rules import taking_apart
from gradcheck.verification.facts import Failure, FailureKind, Note, Quantity
from gradcheck.verification.inputs import Inputs, flows, has_setup_context, inputs_of

Returned = TypeVar("Returned")

Function = torch.autograd.Function
Place = Callable[[], str]
"""Finds out where the candidate's code is written, for who has something to say about it."""

_TORCH = Path(torch.__file__).parent
_LIBRARIES = tuple(str(_TORCH.parent / name) for name in ("torch", "numpy", "triton", "functorch"))
_STDLIB = sysconfig.get_path("stdlib")
_CUSTOM_OP = "GeneratedBackwardFor_"
"""How torch begins the name of the Function of a torch.library.custom_op."""
_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Broke(Exception):
    """The candidate raised, or its time was up: `failure` says where and how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.error or failure.kind}: {failure.message}")
        self.failure = failure


def subject_of(
    candidate: Any,
    args: Sequence[Any],
    *,
    reference: Any = None,
    wrt: str | int | Iterable[str | int] | None = None,
    limit: float | None = None,
) -> Subject:
    """Take a candidate as it comes: a Function, anything that is called and differentiable, (forward, backward), a
    module. The reference's parameters name the arguments, else the candidate's own.
    """
    candidate = tuple(candidate) if isinstance(candidate, list) else function_of(candidate)
    pair = isinstance(candidate, tuple) and len(candidate) == 2 and all(map(callable, candidate))
    if not pair and (not callable(candidate) or isinstance(candidate, Function)):
        what = "an instance of a Function: pass its class" if isinstance(candidate, Function) else f"{candidate!r:.80}"
        raise UsageError(
            f"The candidate is {what}. It may be a torch.autograd.Function, a callable that autograd differentiates, "
            "a pair (forward, backward) of functions, or a torch.nn.Module."
        )
    parameters: Mapping[str, Tensor] = {}
    if isinstance(candidate, torch.nn.Module):
        parameters = dict(as_written(candidate).named_parameters())
    named_by = (reference, candidate, candidate[0] if pair else None)
    inputs = inputs_of(args, map(as_written, named_by), parameters=parameters, wrt=wrt)
    return Subject(candidate, inputs, limit)


def as_written(candidate: Any) -> Any:
    """What torch.compile made a module of."""
    return getattr(candidate, "_orig_mod", candidate)


def function_of(candidate: Any) -> Any:
    """The Function whose `apply` it is; else what it is."""
    owner = getattr(candidate, "__self__", None)
    return owner if is_function(owner) and getattr(candidate, "__name__", "") == "apply" else candidate


def is_function(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, Function)


@dataclass
class Subject:
    """What is verified, and the arguments that it is verified at. Each call may compute for `limit` seconds.

    Whether a call changes what it was given is looked at once for tensors of the same layout: reading everything again
    takes longer than many a backward.
    """

    candidate: Any
    inputs: Inputs
    limit: float | None = None
    pure: set[Any] = field(default_factory=set, repr=False)
    """Kinds of calls that change nothing."""

    @property
    def name(self) -> str:
        named = self.candidate[0] if self.by_hand else as_written(self.candidate)
        while isinstance(named, functools.partial):
            named = named.func
        own = function_of(inspect.unwrap(named))  # which torch.vmap and torch.compile wrap
        name = str(getattr(own, "__name__", type(own).__name__))
        return "the candidate" if name == "<lambda>" else name

    @property
    def by_hand(self) -> bool:
        """Whether forward and backward are a pair of plain functions, and torch has no graph."""
        return isinstance(self.candidate, tuple)

    def run(self, tensors: Mapping[str, Tensor] | None = None, *, asked: Container[str] | None = None) -> Pass:
        """One forward, of fresh copies with the same strides. `asked`: which tensors require a gradient."""
        given = {**self.inputs.tensors, **self.inputs.others, **(tensors or {})}
        asked = self.inputs.wrt if asked is None else asked
        leaves = {name: given[name].detach().requires_grad_() for name in self.inputs.tensors if name in asked}
        return (_ByHand if self.by_hand else Pass)(self, given, leaves)

    def forward_of_own(self) -> Callable[[Mapping[str, Any]], Any]:
        """Its forward as torch code that runs on any numbers and is differentiated by torch's rules alone: no backward
        of a Function takes part.
        """

        def forward(tensors: Mapping[str, Any]) -> Any:
            with _own_forwards():
                # Copies, since a forward may write into what is a leaf here.
                return self.call({name: tensor.clone() for name, tensor in tensors.items()})

        return forward

    def call(self, tensors: Mapping[str, Any]) -> Any:
        """The candidate's forward, as it is."""
        args = self.inputs.arguments(tensors)
        if isinstance(self.candidate, torch.nn.Module):
            module = as_written(self.candidate)
            state = {name: tensors.get(name, self.inputs.tensors[name]) for name in self.inputs.parameters}
            # A buffer that is written to is a copy; numbers make it one of their own kind.
            state |= {name: torch.zeros_like(kept).copy_(kept) for name, kept in module.named_buffers()}
            prefix = "" if module is self.candidate else "_orig_mod."
            return functional_call(self.candidate, {prefix + name: each for name, each in state.items()}, args)
        if is_function(self.candidate):
            return self.candidate.apply(*args)
        return (self.candidate[0] if self.by_hand else self.candidate)(*args)

    def bounded(self, action: Callable[[], Returned]) -> Returned:
        """Do what calls the candidate's code: within its time, and torch's settings are put back."""
        clock = None
        try:
            with ExitStack() as stack:
                stack.enter_context(settings_kept())
                if self.limit is not None:
                    clock = stack.enter_context(time_limit(self.limit))
                returned = action()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if clock is None or not clock.rang:
                at = _own_place(frames_of(error))
                raise Broke(Failure("raised", error=type(error).__name__, message=said(error), at=at)) from error
        if clock is not None and clock.rang:
            raise Broke(Failure("timed-out", got=self.limit, at=_own_place(clock.frames)))
        return returned

    def place(self, part: str) -> str:
        """Where its "forward" or "backward" is written."""
        if self.by_hand:
            return place_of(self.candidate[part == "backward"])
        written = as_written(self.candidate)
        return place_of(getattr(written, part, written))


@dataclass
class Pulled:
    """What came of one backward: `gradients` as torch hands them on, or as a pair's backward returned them, None where
    none came. `failures` are of what each backward returned itself, before torch repairs it, and `raw` what came in
    another shape than that of its input, by name.
    """

    gradients: dict[str, Any] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    notes: tuple[Note, ...] = ()
    raw: dict[str, Tensor] = field(default_factory=dict)


class Pass:
    """One forward. `leaves` are the tensors that require a gradient, by name; `outputs` are flat, and as they came.
    Of `differentiable` outputs a cotangent may be given.
    """

    def __init__(self, subject: Subject, given: Mapping[str, Tensor], leaves: dict[str, Tensor]) -> None:
        self.subject, self.leaves, self._given = subject, leaves, given
        self._copies: dict[str, Tensor] = {}
        self._origins: dict[Any, str] = {}
        self._stale = False
        self._kind = *leaves, *map(layout, given.values())
        self.returned = self._forward()
        self.outputs: tuple[Any, ...] = tuple(tree_leaves(self.returned))
        self.differentiable = tuple(map(self._is_differentiable, self.outputs))
        self.failures = (*self._wrong_outputs(), *self._impure((), "forward"))

    def pull(self, cotangents: Sequence[Tensor | None], *, create_graph: bool = False) -> Pulled:
        """One backward, with a cotangent for each output: None for those that have none, or are not used."""
        if self._stale:  # an earlier backward wrote into what this one needs
            self._stale, self._current = False, tuple(tree_leaves(self._forward()))
        kind = create_graph, *map(layout, cotangents)
        watch = _Watch(self._origins, self._copies, closely=not self._is_pure(kind, "backward"))
        gradients = self._gradients(cotangents, watch, create_graph)
        if watch.suspects and not self._comes_again(gradients, cotangents, create_graph):
            watch.written += watch.suspects
        written = self._impure(kind, "backward", watch.written, look=watch.ran)
        self._stale = any(each.kind in ("changes-input", "changes-saved") for each in written)
        return Pulled(gradients, unique([*watch.failures, *written]), unique(watch.notes), watch.raw)

    def differentiate(
        self,
        ends: Sequence[Any],
        cotangents: Sequence[Tensor | None],
        leaves: Sequence[Tensor],
        *,
        create_graph: bool = False,
    ) -> tuple[Tensor | None, ...]:
        """The gradients by `leaves` of what is attached to their graph, as torch hands them on; what raises leaves as
        Broke.
        """
        pairs = [(end, g) for end, g in zip(ends, cotangents, strict=True) if g is not None and flows(end)]
        if not pairs or not leaves:
            return (None,) * len(leaves)

        def backward() -> tuple[Tensor | None, ...]:
            with torch.inference_mode(mode=False), torch.autograd.set_multithreading_enabled(False):
                given = [end for end, _ in pairs], list(leaves), [g for _, g in pairs]
                return torch.autograd.grad(*given, retain_graph=True, create_graph=create_graph, allow_unused=True)

        return self.subject.bounded(backward)

    def _gradients(
        self, cotangents: Sequence[Tensor | None], watch: _Watch, create_graph: bool
    ) -> dict[str, Tensor | None]:
        passed = cotangents
        if watch.closely:
            with torch.inference_mode(mode=False), torch.set_grad_enabled(create_graph):
                passed = [None if each is None else fresh(each) for each in cotangents]
        with watch.watching(zip(passed, cotangents, strict=True)):
            leaves = list(self.leaves.values())
            found = self.differentiate(self._current, passed, leaves, create_graph=create_graph)
        return dict(zip(self.leaves, found, strict=True))

    def _comes_again(
        self, gradients: Mapping[str, Tensor | None], cotangents: Sequence[Tensor | None], create_graph: bool
    ) -> bool:
        """Whether a second backward through the same graph comes to the same."""
        try:
            again = self._gradients(cotangents, _Watch(self._origins, self._copies, closely=False), create_graph)
        except Broke:
            return False
        pairs = [(gradients[name], again[name]) for name in self.leaves]
        return all(one is other or (_readable(one) and _readable(other) and same(one, other)) for one, other in pairs)

    def _forward(self) -> Any:
        with torch.inference_mode(mode=False), _dynamo_quiet():  # which also lifts torch.no_grad
            self._copies = {name: fresh(self.leaves.get(name, tensor)) for name, tensor in self._given.items()}
            self._origins = {self._copies[name].grad_fn: name for name in self.leaves}
            returned = self.subject.bounded(lambda: self.subject.call(self._copies))
        self._current = tuple(tree_leaves(returned))
        return returned

    @staticmethod
    def _is_differentiable(output: Any) -> bool:
        return flows(output)

    def _wrong_outputs(self) -> list[Failure]:
        def failure(kind: FailureKind, place: int, **facts: Any) -> Failure:
            quantity = Quantity("output", str(place) if len(self.outputs) > 1 else "")
            return Failure(kind, quantity, at=self.subject.place("forward"), **facts)

        if not any(isinstance(output, Tensor) for output in self.outputs):
            kinds = [kind_of(output) for output in self.outputs] or ["nothing"]
            return [failure("type", place, got=kind, wanted="Tensor") for place, kind in enumerate(kinds)]
        cut_off = not any(self.differentiable)
        return [failure("cut-off", place) for place, output in enumerate(self.outputs) if cut_off and is_real(output)]

    def _declared(self, copy: Tensor) -> bool:
        """Whether an input was written to with torch's knowledge: it is an output, or has another history."""
        is_output = any(output is copy for output in self._current)
        return is_output or (copy.grad_fn is not None and copy.grad_fn not in self._origins)

    def _is_pure(self, kind: tuple[Any, ...], part: str) -> bool:
        return (part, self._kind, kind) in self.subject.pure

    def _impure(
        self, kind: tuple[Any, ...], part: str, known: Sequence[Failure] = (), *, look: bool = True
    ) -> list[Failure]:
        """What a call of this kind changes, as far as `known`, and the inputs that are no longer as they were given,
        without torch having been told.
        """
        if self._is_pure(kind, part):
            return list(known)
        found = [*known]
        for name, copy in self._copies.items() if look else ():
            if not self._declared(copy) and not same(copy, self._given[name]):
                found.append(Failure("changes-input", got=name, message=part, at=self.subject.place(part)))
        if not found:
            self.subject.pure.add((part, self._kind, kind))
        return found


class _ByHand(Pass):
    """One forward of a pair of plain functions."""

    def _forward(self) -> Any:
        with torch.inference_mode(mode=False), torch.no_grad():
            self._copies = {name: fresh(tensor) for name, tensor in self._given.items()}
            returned = self.subject.bounded(lambda: self.subject.call(self._copies))
        self._current = tuple(tree_leaves(returned))
        return returned

    @staticmethod
    def _is_differentiable(output: Any) -> bool:
        return is_real(output)

    def _declared(self, copy: Tensor) -> bool:  # noqa: ARG002
        return False  # there is nobody to be told

    def pull(self, cotangents: Sequence[Tensor | None], *, create_graph: bool = False) -> Pulled:
        subject, inputs = self.subject, self.subject.inputs
        given = [
            torch.zeros_like(output) if cotangent is None and is_real(output) else cotangent
            for output, cotangent in zip(self.outputs, cotangents, strict=True)
        ]
        kind = create_graph, *map(layout, given)
        closely = not self._is_pure(kind, "backward")
        with torch.inference_mode(mode=False), torch.set_grad_enabled(create_graph):
            passed = [None if each is None else fresh(each) for each in given] if closely else given
            sources = self.leaves if create_graph else {}
            self._copies = {name: fresh(sources.get(name, tensor)) for name, tensor in self._given.items()}
            self._origins = {copy.grad_fn: name for name, copy in self._copies.items() if copy.grad_fn is not None}
            grad_output = tuple(passed) if isinstance(self.returned, list | tuple) else passed[0]
            args = inputs.arguments(self._copies)
            result = subject.bounded(lambda: subject.candidate[1](grad_output, *args))
        at = functools.partial(subject.place, "backward")
        found = self._by_name(result)
        failures, notes = [], []
        if found is None:
            got = len(result) if isinstance(result, list | tuple) else 1
            failures.append(Failure("count", Quantity("gradient"), got=got, wanted=len(inputs.names), at=at()))
            found = {}
        for name in self.leaves:
            value, quantity = found.get(name), Quantity("gradient", name)
            failures += problems(value, self._given[name], quantity, "", at)
            notes += _sharing(value, quantity, passed, self._copies) if closely else []
        written = [
            Failure("changes-grad-output", got=position, at=at())
            for position, (each, before) in enumerate(zip(passed, given, strict=True))
            if closely and each is not None and before is not None and not same(each, before)
        ]
        failures += self._impure(kind, "backward", written)
        raw = {name: each for name, each in found.items() if is_real(each) and each.shape != self._given[name].shape}
        return Pulled({name: found.get(name) for name in self.leaves}, unique(failures), unique(notes), raw)

    def _by_name(self, result: Any) -> dict[str, Any] | None:
        """What backward returned, by input: a gradient per argument, or per tensor of floating point, or per input that
        is asked about. None where the count fits none of these.
        """
        inputs = self.subject.inputs
        returned = tuple(result) if isinstance(result, list | tuple) else (result,)
        if len(returned) == len(inputs.names):
            found: dict[str, Any] = {}
            for names, value in zip(inputs.names, returned, strict=True):
                parts = [value] if len(names) == 1 else tree_leaves(value)
                if len(parts) == len(names):
                    found |= zip(names, parts, strict=True)
            return found
        for names in (tuple(inputs.tensors), inputs.wrt):
            if len(returned) == len(names):
                return dict(zip(names, returned, strict=True))
        return None


class _Watch:
    """What the backwards of hand-written Functions do in the course of one pull, wherever in the graph they are.

    torch's engine asks each node for its `apply`, and repairs what that returns: it sums over what was broadcast, and
    converts to the wanted dtype. Here it is seen before.
    """

    _one_at_a_time = threading.RLock()

    def __init__(self, origins: Mapping[Any, str], copies: Mapping[str, Tensor], *, closely: bool) -> None:
        self._origins, self._copies = origins, copies
        self.closely = closely
        """Whether to look at what is written to, and at whose memory is shared."""
        self._cotangents: dict[int, tuple[Tensor, Tensor]] = {}
        self._saved: dict[Any, list[tuple[str, Tensor, Tensor]]] = {}
        self.failures: list[Failure] = []
        self.written: list[Failure] = []
        self.suspects: list[Failure] = []
        """Attributes of ctx are no longer what they were: a mistake, unless a second backward comes to the same."""
        self.notes: list[Note] = []
        self.raw: dict[str, Tensor] = {}
        self.ran = False

    @contextmanager
    def watching(self, cotangents: Iterable[tuple[Tensor | None, Tensor | None]]) -> Iterator[None]:
        """`cotangents` are what the engine gets, and what each was copied from."""
        node_class, thread = functions.BackwardCFunction, threading.get_ident()
        self._cotangents = {
            passed.data_ptr(): (passed, given)
            for passed, given in cotangents
            if passed is not None and given is not None
        }

        def watched(apply: Callable[..., Any]) -> Callable[..., Any]:
            def watched_apply(node: Any, *grads: Any) -> Any:
                if threading.get_ident() != thread or _is_torchs(node._forward_cls):  # noqa: SLF001
                    return apply(node, *grads)
                return self._see(functools.partial(apply, node), node, grads)

            return watched_apply

        def saved_tensors(node: Any) -> tuple[Tensor, ...]:
            found: tuple[Tensor, ...] = read_saved.__get__(node)
            if self._saved.get(node) == [] and threading.get_ident() == thread:
                self._saved[node] = [
                    (str(position), tensor, tensor.detach().clone())
                    for position, tensor in enumerate(found)
                    if _readable(tensor)
                ]
            return found

        with self._one_at_a_time:
            read_saved: Any = node_class.saved_tensors
            entries = [name for name in ("apply", "apply_boxed") if name in vars(node_class)]
            patches: dict[str, Any] = {name: watched(vars(node_class)[name]) for name in entries}
            if self.closely:
                patches["saved_tensors"] = property(saved_tensors)
            with patched(node_class, patches):
                yield

    def _see(self, apply: Callable[..., Any], node: Any, grads: tuple[Any, ...]) -> Any:
        self.ran = True
        function = node._forward_cls  # noqa: SLF001
        own, at = function.__name__.removeprefix(_CUSTOM_OP), functools.partial(place_of, function.backward)
        if not self.closely:
            return self._repaired(apply(*grads), node, (), own, at)
        upstream = grads[0] if len(grads) == 1 and isinstance(grads[0], list) else grads
        before = [(each, self._as_given(each)) for each in upstream if _readable(each)]
        self._saved[node] = []  # until they are read
        attributes = {
            name: [(each, each.detach().clone() if _readable(each) else None) for each in tree_leaves(value)]
            for name, value in vars(node).items()
        }
        result = apply(*grads)
        for position, (grad, as_given) in enumerate(before):
            if not same(grad, as_given):
                self.written.append(Failure("changes-grad-output", got=position, message=own, at=at()))
        of_inputs = {copy.untyped_storage().data_ptr() for copy in self._copies.values()}
        for name, tensor, as_saved in self._saved.pop(node):
            if not same(tensor, as_saved) and tensor.untyped_storage().data_ptr() not in of_inputs:
                self.written.append(Failure("changes-saved", got=name, message=own, at=at()))
        for name, held in attributes.items():
            now = tree_leaves(vars(node).get(name))
            kept = len(now) == len(held) and all(one is other for one, (other, _) in zip(now, held, strict=True))
            if not kept or any(before is not None and not same(each, before) for each, before in held):
                emptied = any(before is not None and is_emptied(each) for each, before in held)
                into = self.written if emptied else self.suspects
                into.append(Failure("changes-saved", got=name, message=own, at=at()))
        return self._repaired(result, node, [grad for grad, _ in before], own, at)

    def _as_given(self, grad: Tensor) -> Tensor:
        """What a grad_output is now: a copy, or the caller's cotangent that it was copied from."""
        passed, given = self._cotangents.get(grad.data_ptr(), (None, None))
        if passed is not None and given is not None and passed.shape == grad.shape and passed.stride() == grad.stride():
            return given
        return grad.detach().clone()

    def _repaired(self, result: Any, node: Any, grads: Sequence[Tensor], own: str, at: Place) -> tuple[Any, ...]:
        """Note what is wrong with the gradients that a backward returned, and make of them what torch takes."""
        if isinstance(result, list):
            self.failures.append(
                Failure("type", Quantity("gradient"), got="list", wanted="tuple", message=own, at=at())
            )
        returned = list(result) if isinstance(result, list | tuple) else [result]
        wanted = len(node.needs_input_grad)
        if len(returned) > wanted and all(each is None for each in returned[wanted:]):
            del returned[wanted:]
        if len(returned) != wanted:
            failure = Failure("count", Quantity("gradient"), got=len(returned), wanted=wanted, message=own, at=at())
            self.failures.append(failure)
            returned = (returned + [None] * wanted)[:wanted]
        edges = iter([edge for edge in node.next_functions if edge[0] is not None])
        for position, needed in enumerate(node.needs_input_grad):
            if not needed:
                continue
            following, number = next(edges)
            value, meta = returned[position], following._input_metadata[number]  # noqa: SLF001
            name = self._origins.get(following)
            quantity = None if name is None else Quantity("gradient", name)
            found = [] if value is None else problems(value, meta, quantity, own if name is None else "", at)
            self.failures += found
            self.notes += _sharing(value, quantity, grads, self._copies) if self.closely else []
            if found:
                returned[position] = _acceptable(value, meta)
                if name is not None and is_real(value) and tuple(value.shape) != tuple(meta.shape):
                    self.raw[name] = value
        return tuple(returned)


def _is_torchs(function: type) -> bool:
    """Whether a Function is torch's own or ours, and not one in which torch wraps what somebody wrote."""
    written = function.__name__.startswith((_CUSTOM_OP, "Vmapped"))
    return function is _Fresh or (function.__module__.partition(".")[0] == "torch" and not written)


def _acceptable(value: Any, meta: Any) -> Tensor | None:
    """A wrong gradient as far as torch takes it. It reduces what was broadcast itself."""
    if not isinstance(value, Tensor) or value.device != meta.device:
        return None
    sizes = zip(reversed(meta.shape), reversed(value.shape), strict=False)
    fits = len(meta.shape) <= value.dim() and all(wanted in (1, size) for wanted, size in sizes)
    return value.to(meta.dtype) if fits else None


def problems(value: Any, wanted: Any, quantity: Quantity | None, message: str, at: Place) -> list[Failure]:
    """What is wrong with a gradient besides its numbers. `wanted` has the shape, dtype and device that belong there."""

    def failure(kind: Any, got: Any, belongs: Any) -> Failure:
        return Failure(kind, quantity, got=got, wanted=belongs, message=message, at=at())

    if not isinstance(value, Tensor):
        return [] if value is None else [failure("type", kind_of(value), "Tensor")]
    found = []
    if tuple(value.shape) != tuple(wanted.shape):
        found.append(failure("shape", list(value.shape), list(wanted.shape)))
    if value.dtype != wanted.dtype:
        found.append(failure("dtype", *(str(each.dtype).removeprefix("torch.") for each in (value, wanted))))
    if value.device != wanted.device:
        found.append(failure("device", str(value.device), str(wanted.device)))
    return found


def _sharing(
    value: Any, quantity: Quantity | None, grads: Iterable[Tensor | None], copies: Mapping[str, Tensor]
) -> list[Note]:
    """In whose memory a gradient lies: what is done to it in place is done to that too."""
    if not _readable(value) or not value.numel():
        return []
    place = value.untyped_storage().data_ptr()
    named = [*(("grad_output", grad) for grad in grads if grad is not None), *copies.items()]
    return [
        Note("shares-memory", quantity, message=name)
        for name, tensor in named
        if tensor.untyped_storage().data_ptr() == place
    ]


class _Fresh(Function):
    """A copy with the same strides, where torch's own clone has others."""

    @staticmethod
    def forward(_ctx: Any, tensor: Tensor) -> Tensor:
        copy = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device)
        # What an expanded tensor repeats is written once.
        once = tuple(slice(0, 1 if stride == 0 else None) for stride in tensor.stride())
        copy[once] = tensor[once]
        return copy

    @staticmethod
    def backward(_ctx: Any, grad_output: Tensor) -> Tensor:
        return grad_output


def fresh(tensor: Tensor) -> Tensor:
    """A copy with the same strides, part of the same graph."""
    copy = tensor.clone()
    return copy if copy.stride() == tensor.stride() else _Fresh.apply(tensor)  # type: ignore[no-untyped-call]


def layout(tensor: Tensor | None) -> tuple[Any, ...]:
    return () if tensor is None else (tensor.shape, tensor.stride(), tensor.dtype)


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal bit by bit: NaN is NaN, and 0 is not -0."""
    if is_emptied(one) or one.shape != other.shape:
        return False
    bits, others = _bits(one.detach()), _bits(other.detach())
    if one.is_cpu:  # where NumPy takes a sixth of the time that torch does
        return bool((bits.numpy() == others.numpy()).all())
    return torch.equal(bits, others)


def is_emptied(tensor: Tensor) -> bool:
    """Whether somebody gave its memory back. To read it would end the process."""
    return bool(tensor.numel()) and not tensor.untyped_storage().nbytes()


def _bits(tensor: Tensor) -> Tensor:
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    return tensor.resolve_neg().view(_BITS[tensor.element_size()]) if tensor.is_floating_point() else tensor


def _readable(value: Any) -> TypeGuard[Tensor]:
    """Whether something is a tensor whose entries lie in memory: an ordinary one, not one of a transformation's, nor
    the zeros that torch has without writing them down.
    """
    if type(value) not in (Tensor, torch.nn.Parameter) or value.layout is not torch.strided or value.is_meta:
        return False
    return not torch._C._functorch.is_functorch_wrapped_tensor(value) and not value._is_zerotensor()  # noqa: SLF001


def unique(facts: Sequence[Returned]) -> tuple[Returned, ...]:
    """Each once, in their order; they may hold lists, which have no hash."""
    return tuple(fact for place, fact in enumerate(facts) if fact not in facts[:place])


def is_real(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def kind_of(value: Any) -> str:
    """What something is that should be a tensor."""
    if value is None:
        return "None"
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def place_of(function: Any) -> str:
    """File and line where something callable is written, as far as anybody knows."""
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(inspect.unwrap(function) if callable(function) else function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code and not of_library(code.co_filename) else ""


def _own_place(frames: Frames) -> str:
    """The innermost place in a file that is the candidate's own."""
    own = [
        (file, line)
        for file, line, _ in frames
        if not of_library(file)
        and not file.startswith((*_LIBRARIES, "<frozen"))
        and not (file.startswith(_STDLIB) and "-packages" not in file)
    ]
    return "{}:{}".format(*own[-1]) if own else ""


@contextmanager
def _dynamo_quiet() -> Iterator[None]:
    """Where torch compiles, it warns of what it does itself: of reading an input's .grad, of making a Function."""
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def patched(owner: Any, attributes: Mapping[str, Any]) -> Iterator[None]:
    """Replace attributes of a class or module as long as the block lasts."""
    before = {name: vars(owner)[name] for name in attributes if name in vars(owner)}
    for name, value in attributes.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name in attributes:
            if name in before:
                setattr(owner, name, before[name])
            else:
                delattr(owner, name)


@contextmanager
def _own_forwards() -> Iterator[None]:
    """Every Function that is applied runs its forward as ordinary torch code, recorded operation by operation."""
    applied = vars(torch._C._FunctionBase)["apply"]  # noqa: SLF001

    def apply(function: type[Function], *args: Any) -> Any:
        return applied.__get__(None, function)(*args) if _is_torchs(function) else _own_forward(function, *args)

    transformed = functorch.custom_function_call

    def call(function: type[Function], *args: Any) -> Any:
        return transformed(function, *args) if _is_torchs(function) else _own_forward(function, *args)

    with ExitStack() as stack:
        stack.enter_context(taking_apart())
        stack.enter_context(patched(functions._SingleLevelFunction, {"apply": classmethod(apply)}))  # noqa: SLF001
        for module in (functions, functorch):
            stack.enter_context(patched(module, {"custom_function_call": call}))
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


def _own_forward(function: type[Function], *args: Any) -> Any:
    ctx = _StandIn(args)
    if has_setup_context(function):
        returned = function.forward(*args)
        function.setup_context(ctx, args, returned)
    else:
        returned = function.forward(ctx, *args)
    without = {id(tensor) for tensor in ctx.without_gradient}
    if not without:
        return returned
    parts = [part.detach() if id(part) in without else part for part in tree_leaves(returned)]
    return type(returned)(parts) if isinstance(returned, list | tuple) else parts[0]


class _StandIn:
    """What a forward takes for the ctx of its graph."""

    def __init__(self, args: Sequence[Any]) -> None:
        self.needs_input_grad = tuple(map(is_real, args))
        self.saved_tensors: tuple[Any, ...] = ()
        self.without_gradient: tuple[Tensor, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        self.saved_tensors = tensors

    save_for_forward = save_for_backward

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        self.without_gradient = tensors

    def mark_dirty(self, *_tensors: Tensor) -> None:
        """Nobody needs to be told: there is no graph."""

    def set_materialize_grads(self, value: bool) -> None:
        """Nobody needs to be told."""
