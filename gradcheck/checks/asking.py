"""How a property asks a candidate for results."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from gradcheck.checks.candidate import Candidate
from gradcheck.checks.outcome import Argument, Arguments, GeneratorArgument, Outcome, Value
from gradcheck.checks.task import FunctionSpec


class Unfinished(Exception):
    """A call that did not return."""

    def __init__(self, outcome: Outcome, arguments: Arguments) -> None:
        super().__init__(outcome.state)
        self.outcome, self.arguments = outcome, arguments


class Ask:
    """Calls of one function (or, by name, another of the same file). `rng` is seeded by the run's seed. `unclean` are
    the calls that changed an argument or used what is forbidden, with their arguments: no property asks for that.
    """

    def __init__(self, candidate: Candidate, spec: FunctionSpec, task: str, seed: int) -> None:
        self.candidate, self.spec, self.seed = candidate, spec, seed
        self.unclean: list[tuple[Outcome, Arguments]] = []
        self.rng = np.random.default_rng([seed, zlib.crc32(f"{task} {spec.name} property".encode())])
        self._state = int(self.rng.integers(0, 2**31))

    def outcome(self, *arguments: Any, function: str = "", count: bool = False) -> Outcome:
        """The outcome of a call with arguments in the order of the signature. Raises Unfinished."""
        named = dict(zip(self.spec.parameters, arguments, strict=False)) if not function else _numbered(arguments)
        came = self.candidate.call(function or self.spec.name, named, count=count)
        if came.state != "returned":
            raise Unfinished(came, named)
        if came.mutated or came.refused:
            self.unclean.append((came, named))
        return came

    def value(self, *arguments: Any, function: str = "") -> Value:
        """What came back. Raises Unfinished."""
        return self.outcome(*arguments, function=function).value

    def generator(self) -> GeneratorArgument:
        """A generator in a state that no earlier one had."""
        self._state += 1  # counted, not drawn: a state that comes twice would be chance that no property expects
        return GeneratorArgument(self._state)

    def neighbour(self, exercise: str) -> Candidate | None:
        """The same learner's file for another exercise, if there is one."""
        find = getattr(self.candidate, "neighbour", None)
        found: Candidate | None = find(exercise) if find else None
        return found

    def tensor(self, values: Any, dtype: str = "float64") -> Argument:
        return Argument(np.asarray(values), dtype)


def _numbered(arguments: tuple[Any, ...]) -> Arguments:
    return {f"argument {number}": each for number, each in enumerate(arguments)}
