"""A candidate: functions by name, seen only through what came of calls, many at once."""

from __future__ import annotations

import inspect
import linecache
import traceback
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from gradcheck.checks.file_code import raised_by_itself, unwritten
from gradcheck.checks.limits import (
    CALL_LIMIT_S,
    Clock,
    Frames,
    of_library,
    one_thread,
    quiet,
    settings_kept,
    time_limit,
)
from gradcheck.checks.outcome import (
    NOTHING,
    Argument,
    Arguments,
    Call,
    Fault,
    Foreign,
    GeneratorArgument,
    Operation,
    Outcome,
    Printed,
)
from gradcheck.showing.text import name_of, nearest

if TYPE_CHECKING:
    from gradcheck.checks.tensors import Prepared, Read

Bounded = Callable[[Clock, Callable[[], None]], None]
"""What is done within limits: it gets the clock, and what puts torch's settings back."""

_OURS = str(Path(__file__).parent)
_MODULES = (
    "Where files are graded there are Python's own modules, torch and numpy, and no other files; do without it, or "
    'import it under if __name__ == "__main__":'
)
_LONGEST = 600
"""Characters of a message that are shown."""
_CONTAINERS = (list, dict, set, defaultdict, OrderedDict)
_REMEMBERED = 16
"""So many results of a function are looked at again after later calls: as many buffers may take turns."""


class Varied(NamedTuple):
    """A candidate's `function` under another `name`, with the function `changed`, itself or one that it calls, defined
    by `text` instead.
    """

    name: str
    function: str
    changed: str
    text: str


@runtime_checkable
class Candidate(Protocol):
    """Whatever can be asked for a function's result. The checks know nothing else about a submission."""

    printed: Printed

    def call_many(self, calls: Sequence[Call]) -> list[Outcome]:
        """What came of the first of `calls`, made in their order: at least of one, at most up to the first that did not
        return. The others can be asked for again; a batch ends early where it takes long. Never raises what a function
        raises.
        """

    def vary(self, variants: Sequence[Varied]) -> list[str]:  # noqa: ARG002 — who has no text has no variants
        """Have further functions that can be called like the others, in the place of earlier variants: the names of
        those `variants` that can be made.
        """
        return []

    def call(self, function: str, arguments: Arguments, *, count: bool = False) -> Outcome:
        """One call."""
        return self.call_many([Call(function, arguments, count)])[0]


class InProcessCandidate(Candidate):
    """Functions of this very process: a learner's own run, a notebook, a test.

    `filename` is the file whose lines are shown; `broken` is the outcome of every call when that file could not be
    loaded at all. `neighbour` finds the same learner's file for another exercise. `watched`: calls are watched for
    automatic differentiation; where there is none, that would only cost time. Where there is a file, `source` is its
    text and `again` runs it once more.
    """

    def __init__(
        self,
        functions: Mapping[str, Any],
        filename: str = "",
        broken: Outcome | None = None,
        limit_s: float = CALL_LIMIT_S,
    ) -> None:
        self.functions, self.filename, self.broken, self.limit_s = functions, filename, broken, limit_s
        self.printed = Printed()
        self.watched = True
        self.neighbour: Callable[[str], Candidate | None] = lambda _exercise: None
        self.source = b""
        self.again: Callable[[], InProcessCandidate] | None = None
        self._variants: dict[str, FunctionType] = {}
        self._returned: dict[str, deque[Read]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
        self._fitting: set[tuple[str, int, int]] = set()

    def call_many(self, calls: Sequence[Call]) -> list[Outcome]:
        from gradcheck.checks.tensors import Prepared

        fitting = list(takewhile(lambda call: self._unfit(call) is None, calls))
        return self.play(Prepared(fitting)) if fitting else [self._unfit(calls[0]) or Outcome("missing")]

    def play(self, prepared: Prepared) -> list[Outcome]:
        """`call_many` with calls whose arguments are made already."""
        from gradcheck.checks.playing import AutodiffGuard, Playing

        unfit = self._unfit(prepared.calls[0])
        if unfit:
            return [unfit]
        guard = AutodiffGuard(self.filename) if self.watched else None
        # Variants are called, and nothing else: they are no functions of the file.
        functions = {**self.functions, **self._variants} if self._variants else self.functions
        playing = Playing(functions, prepared, self._returned, guard)
        ended = self.bounded(playing.run, playing.asked)
        found = playing.outcomes(ended, self.bounded(playing.close))
        for call, outcome in zip(prepared.calls, found, strict=False):
            if type(outcome.value) is Foreign and outcome.value.description == NOTHING:
                outcome.value = self._nothing(outcome.value, functions[call.function])
        return found

    @staticmethod
    def _nothing(value: Foreign, function: object) -> Foreign:
        """What is said of None: why it came back, if that can be told."""
        try:
            from gradcheck.checks.operation import ends_with_nothing

            return replace(value, remedy=ends_with_nothing(function) or value.remedy)
        except Exception:
            return value

    def vary(self, variants: Sequence[Varied]) -> list[str]:
        made: dict[str, FunctionType] = {}

        def make(*_: Any) -> None:
            for each in variants:
                with suppress(Exception):
                    made[each.name] = _varied(self.functions[each.function], each, self.filename)

        self.bounded(make)
        self._variants = made
        return list(made)

    def source_of(self, function: str) -> tuple[bytes, int]:
        """The text that the function stands in, and its line there, 0 where its name tells; nothing where that is not
        known.
        """
        if self.source:
            return self.source, 0
        try:
            lines, _ = inspect.findsource(self.functions[function])
            return "".join(lines).encode(), self.functions[function].__code__.co_firstlineno
        except (KeyError, AttributeError, TypeError, OSError, IndexError, UnicodeError):
            return b"", 0

    @contextmanager
    def fresh(self, kept: Collection[str]) -> Iterator[Candidate | None]:
        """The same functions as if none had been called yet, in the block; None where they cannot be had. Without a
        file that can be run once more, what they keep under the names `kept` is emptied for as long.
        """
        again = self.again() if self.again else None
        if again is not None and not again.broken and self.functions.keys() <= again.functions.keys():
            yield again
            return
        self.again = None
        held = list({id(each): each for each in self._held(kept)}.values())
        before = [each.copy() for each in held]
        for each in held:
            each.clear()
        try:
            yield self if held else None
        finally:
            for each, was in zip(held, before, strict=True):
                each.clear()
                each.extend(was) if isinstance(each, list) else each.update(was)

    def _held(self, names: Collection[str]) -> Iterator[Any]:
        """The lists, dicts and sets of these names that the functions see, or have as defaults."""
        for function in filter(inspect.isfunction, list(self.functions.values())):
            code = function.__code__
            cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
            defaults = zip(
                code.co_varnames[: code.co_argcount][::-1], (function.__defaults__ or ())[::-1], strict=False
            )
            seen = [(name, function.__globals__.get(name)) for name in names]
            seen += [*defaults, *((name, _content(cell)) for name, cell in cells)]
            yield from (each for name, each in seen if name in names and type(each) in _CONTAINERS)

    def _function(self, name: str) -> Any:
        """A variant, or what the file has under that name."""
        return self._variants.get(name) or self.functions.get(name)

    def _unfit(self, call: Call) -> Outcome | None:
        """What stands for a call that cannot be made."""
        if self.broken:
            return self.broken
        asked = call.function, len(call.arguments), id(self._function(call.function))
        if asked not in self._fitting:
            problem = self._problem(call.function, call.arguments)
            if problem:
                return Outcome("missing", fault=problem)
            self._fitting.add(asked)
        return None

    def bounded(self, action: Bounded, asked: Callable[[], str] = str) -> Outcome | None:
        """The outcome that stands for the failure of `action`, or None. `asked` tells which function it called last."""
        clock: Clock | None = None
        _rehearse()
        try:
            with ExitStack() as stack:
                between = stack.enter_context(settings_kept())
                stack.enter_context(one_thread())
                stack.enter_context(quiet(self.printed))
                clock = stack.enter_context(time_limit(self.limit_s))
                action(clock, between)
            return self._timed_out(clock) if clock.rang else None
        except SystemExit as error:
            text = f"it called sys.exit({error.code if error.code is not None else ''}); return a value instead"
            return Outcome("exited", fault=Fault("SystemExit", text, self.lines(frames_of(error))))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if clock and clock.rang:
                return self._timed_out(clock)
            return self._raised(error, asked())

    def _raised(self, error: BaseException, asked: str) -> Outcome:
        """What stands for an exception. Telling of it may run the candidate's code again, if it is one of its own."""
        try:
            with quiet(self.printed), time_limit(self.limit_s):
                return self._unwritten(error, asked) or Outcome("raised", fault=self.fault(error, asked))
        except KeyboardInterrupt:
            raise
        except BaseException:
            bases = tuple(map(name_of, type.mro(type(error))))
            return Outcome("raised", fault=Fault(bases[0], _UNTELLABLE, self.lines(frames_of(error)), bases))

    def _timed_out(self, clock: Clock) -> Outcome:
        text = f"no result after {clock.allowance.in_words()}; the call was ended"
        return Outcome("timed_out", fault=Fault("timeout", text, self.lines(clock.frames)))

    def fault(self, error: BaseException, asked: str = "") -> Fault:
        """An exception in words, with the lines of the candidate's own file that led to it. What raised in a call of a
        variant is not looked for: its text is no file's.
        """
        bases = tuple(map(name_of, type.mro(type(error))))
        if issubclass(type(error), SyntaxError):
            assert isinstance(error, SyntaxError)
            return Fault(bases[0], said(error.msg), _where_unreadable(error, self.filename))
        text = said(error)
        if type(error) is ModuleNotFoundError and error.name:
            text += f". {_MODULES}"
        operation = None if asked in self._variants else self._operation(error)
        return Fault(bases[0], text[:_LONGEST], self.lines(frames_of(error)), bases, operation)

    def _operation(self, error: BaseException) -> Operation | None:
        """What of the file's own raised; None where that cannot be told. The exception stands in any case."""
        entry, own = error.__traceback__, None
        while entry is not None:
            filename = entry.tb_frame.f_code.co_filename
            if filename == self.filename or not (self.filename or of_library(filename)):
                own = entry
            entry = entry.tb_next
        try:
            from gradcheck.checks.operation import operation_of

            return operation_of(error, own)
        except Exception:
            return None

    def lines(self, stack: Frames) -> tuple[str, ...]:
        """The places of `stack` in the candidate's own file: file, line, function, source; innermost last."""
        frames = [frame for frame in stack if frame[0] == self.filename]
        if len(frames) > 6:
            frames = [*frames[:2], ("", len(frames) - 4, ""), *frames[-2:]]
        shown = []
        for filename, line, name in frames:
            if not filename:
                shown.append(f"    … {line:,} more calls …")
                continue
            shown.append(f"{filename}:{line} in {name}")
            shown.append(f"    {linecache.getline(filename, line).strip()}")
        return tuple(shown)

    def _unwritten(self, error: BaseException, asked: str) -> Outcome | None:
        """What stands for a `raise NotImplementedError` of the file's own; None for every other exception."""
        # A candidate without a file of its own is in the file of its first frame.
        files = [frame[0] for frame in frames_of(error) if not frame[0].startswith(_OURS)]
        filename = self.filename or (files[0] if files else "")
        if not isinstance(error, NotImplementedError) or not raised_by_itself(error, filename):
            return None
        found = unwritten(error, filename, asked)
        if found.not_started:
            return Outcome("not_started")
        return Outcome("unfinished", fault=self.fault(error), unwritten=found)

    def _problem(self, function: str, arguments: Arguments) -> Fault | None:
        wanted = f"{function}({', '.join(arguments)})"
        found = self._function(function)
        if found is None:
            defined = [name for name, value in self.functions.items() if inspect.isfunction(value)]
            close = nearest(function, defined, cutoff=0.75)  # forward is no misspelt backward
            hint = f"; rename {close} to {function}" if close else f"; define it: def {wanted}:"
            return Fault("missing function", f"there is no function {wanted}{hint}")
        if not callable(found):
            return Fault("missing function", f"{function} is a {type(found).__name__}, not a function; define {wanted}")
        try:
            signature = inspect.signature(found)
        except (TypeError, ValueError):
            return None
        try:
            signature.bind(*arguments.values())
        except TypeError as error:
            own = f"{function}{signature}"
            return Fault("wrong signature", f"it is called as {wanted}, but the file defines {own}: {error}")
        return None


_rehearsed = False


def _rehearse() -> None:
    """Make one call of each kind before any clock runs: what a call does besides the candidate's own code, imports and
    all, is done for the first time here and is nobody's time.
    """
    global _rehearsed  # noqa: PLW0603 — once in a process, and in all that are forked from it
    if _rehearsed:
        return
    _rehearsed = True
    import numpy as np

    one = Argument(np.ones((2, 2)), "float64")
    arguments = {"x": one, "more": {"list": [one], "tuple": (one,)}, "generator": GeneratorArgument(0, elsewhere=0)}
    functions = {"f": lambda x, _more, _generator: (x, {"total": (x @ x).sum().item()}), "g": lambda x: x @ x}
    candidate = InProcessCandidate(functions)
    for dtype in ("float64", "float32"):
        candidate.call("f", {**arguments, "x": Argument(one.values, dtype)}, count=True)
    candidate.call("g", {"x": Argument(np.ones((3, 2)), "float64")})  # which raises


def _varied(function: FunctionType, variant: Varied, filename: str) -> FunctionType:
    """The function that a variant stands for: what it calls of its own module is taken along."""
    module = function.__globals__
    changed = function if variant.changed == variant.function else module[variant.changed]
    space = dict(module)
    space.update(zip(changed.__code__.co_freevars, map(_content, changed.__closure__ or ()), strict=True))
    exec(compile(variant.text, filename or "<variant>", "exec", dont_inherit=True), space)  # noqa: S102 — its own code
    for name, each in list(space.items()):
        if isinstance(each, FunctionType) and each.__globals__ is module and name != variant.changed:
            space[name] = FunctionType(each.__code__, space, name, each.__defaults__, each.__closure__)
            space[name].__kwdefaults__ = each.__kwdefaults__
    if changed is function:
        made: FunctionType = space[variant.changed]
        return made
    made = FunctionType(function.__code__, space, variant.function, function.__defaults__, function.__closure__)
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing is in it yet
        return None


_UNTELLABLE = "(its message cannot be printed)"


def said(error: object) -> str:
    """The message of an exception, on one line."""
    try:
        text = str.__getitem__(str(error), slice(0, 20 * _LONGEST))  # of a str of whatever class
    except Exception:
        text = _UNTELLABLE
    text = text.split("\n\n")[0].split("\nTraceback")[0]  # TorchScript has a traceback of its own
    return " ".join(text.split())[:_LONGEST]


def _where_unreadable(error: SyntaxError, filename: str) -> tuple[str, ...]:
    """The line that Python could not read, its indentation kept, and a caret below the place."""
    if not error.lineno:
        return ()
    place = f"{error.filename or filename}:{error.lineno}"
    line = (error.text or "").rstrip()
    before = line[: max(0, (error.offset or 1) - 1)]
    # A tab is as wide as eight columns at most; told by spaces, the caret stands below its place.
    shown, at = line.expandtabs(4), len(before.expandtabs(4))
    return (place, f"    {shown}", f"    {' ' * at}^") if line.strip() else (place,)


def frames_of(error: BaseException) -> Frames:
    """File, line and function of every frame, outermost first."""
    return [
        (frame.f_code.co_filename, line, frame.f_code.co_name) for frame, line in traceback.walk_tb(error.__traceback__)
    ]
