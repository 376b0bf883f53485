"""Trials of a function with a reference of its own: generic arguments, the edges that every function gets, its own."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.checks import draws
from gradcheck.checks.cases import Case
from gradcheck.checks.compare import Template, Wanted
from gradcheck.checks.drawing import LARGER, SIZES, RandomDraw
from gradcheck.checks.outcome import Argument, Arguments, GeneratorArgument
from gradcheck.checks.reference import named
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Trial
from gradcheck.references.binding import Array
from gradcheck.references.expected import Expected
from gradcheck.references.store import AGREED, ExpectedStore, key_of

_TURNS = ("float64", "float32", "float64")
Maker = Callable[[int], RandomDraw]


class ReferenceTrials:
    """Makes the trials of one function. Expected values come from `store`, computed there on first use."""

    def __init__(self, spec: FunctionSpec, store: ExpectedStore, seed: int) -> None:
        assert spec.reference is not None
        self.spec, self.reference, self.store, self.seed = spec, spec.reference, store, seed
        self._cases: dict[str, list[Case]] = {}
        self._made: dict[str, tuple[Callable[[int], Arguments], bool, str]] = {}

    # Cases.

    def cases(self, group: str) -> list[Case]:
        if group not in self._cases:
            self._cases[group] = list(self._generic() if group == "generic" else self._edges())
        return self._cases[group]

    def _generic(self) -> Iterator[Case]:
        for turn, dtype in enumerate(_TURNS):
            kind = dtype if "float32" in self.reference.usual else "float64"
            made = self._case(f"random numbers {turn + 1}, {kind}", kind, sizes=SIZES[turn])
            yield replace(made, generic=True, plain=turn == 0)

    def _edges(self) -> Iterator[Case]:
        usual = self.reference.usual
        if "integers" in usual:
            yield self._case("zeros and ties", "float64", kind=draws.small_integers)
            yield self._case("whole numbers", "float64", kind=draws.whole_numbers, sizes=SIZES[1])
        if "constants" in usual:
            yield self._case("all zero", "float64", kind=draws.all_zero)
            yield replace(self._case("all one", "float64", kind=draws.all_one), plain=True)
            made = self._case("identity matrices", "float64", kind=draws.identity, sizes=(3,))
            yield replace(made, plain=True)
            yield self._case("a single one", "float64", kind=draws.all_one, sizes=(1,))
        if "sizes" in usual:
            yield self._case("one of everything", "float64", sizes=(1,))
            yield self._case("all sizes equal", "float64", sizes=(3,))
            yield self._case("more entries", "float64", sizes=LARGER)
        if "scales" in usual:
            for scale in (1e-6, 1e-3, 1e2, 1e4):
                yield self._case(f"inputs of scale {scale:g}", "float64", kind=draws.scaled(scale))
            for scale in (1e-6, 1e4) if "float32" in usual else ():
                yield self._case(f"inputs of scale {scale:g}, float32", "float32", kind=draws.scaled(scale))
        if "memory" in usual:
            for layout, words in (("transposed", "non-contiguous"), ("offset", "in the middle of a buffer")):
                for dtype in ("float64", "float32") if "float32" in usual else ("float64",):
                    yield self._case(f"{words} memory, {dtype}", dtype, layout=layout)
        yield from self._own_edges()

    def _own_edges(self) -> Iterator[Case]:
        if self.reference.edges is None:
            return
        for dtype in ("float64", "float32") if "float32" in self.reference.usual else ("float64",):
            made = self.reference.edges(RandomDraw(self._rng(f"edges {dtype}"), dtype))
            for name, arguments, *raises in made:
                words = f"{name}, {dtype}"
                self._made[words] = _always(arguments), False, raises[0] if raises else ""
                yield Case(words, dtype, _arrays(arguments))

    def _rng(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(f"{self.store.name} {self.spec.name} {name}".encode())])

    def _case(self, name: str, dtype: str, **options: Any) -> Case:
        def make(probe: int) -> tuple[RandomDraw, Arguments]:
            drawn = RandomDraw(self._rng(name), dtype, probe=probe, **options)
            return drawn, self.reference.draw(drawn)

        drawn, arguments = make(0)
        self._made[name] = (lambda probe: make(probe)[1]), drawn.probed, ""
        return Case(name, dtype, _arrays(arguments), layout=options.get("layout", "contiguous"))

    # Trials.

    def of(self, case: Case) -> list[Trial]:
        """One trial, or one per cotangent where the function takes one."""
        make, probed, raises = self._made[case.name]
        every = draws.COTANGENTS + (draws.PLAIN if case.plain else ())
        probes = every if probed else ("",)
        trials = (self.trial(case, make(number), probe) for number, probe in enumerate(probes))
        return [replace(each, raises=raises) for each in trials] if raises else list(trials)

    def blind(self, case: Case) -> Trial:
        """The first trial's call. Its form follows from the values, so there is none yet."""
        make, probed, raises = self._made[case.name]
        return replace(self._call(case, make(0), draws.COTANGENTS[0] if probed else ""), raises=raises)

    def formed(self, case: Case) -> Trial:
        blind = self.blind(case)
        return self.trial(case, blind.arguments, blind.probe)

    def trial(self, case: Case, arguments: Arguments, probe: str = "") -> Trial:
        """A call with what it must give back."""
        call = self._call(case, arguments, probe)
        if self.reference.compute is None or self._made.get(case.name, ("", "", ""))[2]:
            return call
        row = self.store.lookup(self._key(case, arguments), lambda: [self._computed(case.dtype, arguments)])[0]
        template, expected = self._template(row, case.dtype)
        return replace(call, template=template, expected=expected)

    def _call(self, case: Case, arguments: Arguments, probe: str) -> Trial:
        upstream = arguments.get("grad_output")
        cotangent = upstream.values if isinstance(upstream, Argument) else None
        verdict = self.reference.verdict
        judge = (lambda value: verdict(arguments, value)) if verdict else None
        return Trial(case, arguments, (), (), cotangent, probe, judge, what=self.reference.what)

    def _key(self, case: Case, arguments: Arguments) -> str:
        plain = json.dumps(
            [_skeleton(arguments)]
            + [[path, value] for path, value in walk(arguments) if not isinstance(value, Argument)]
        )
        arrays = {json.dumps(path): value.values for path, value in walk(arguments) if isinstance(value, Argument)}
        return key_of(f"{self.spec.name} {plain}", case.dtype, arrays, {}, None)

    def _computed(self, dtype: str, arguments: Arguments) -> dict[str, Expected]:
        from gradcheck.references.sweep import Sweep

        assert self.reference.compute is not None
        sweep = Sweep(dtype)
        result = self.reference.compute(sweep, **{name: into(sweep, value) for name, value in arguments.items()})
        sizes = [np.abs(a.values).max(initial=0.0) for _, a in walk(arguments) if isinstance(a, Argument)]
        scale = float(max([1.0, *sizes]))
        return {json.dumps(path): _expected(sweep, leaf, scale) for path, leaf in walk(result)}

    def _template(self, row: dict[str, Expected], dtype: str) -> tuple[Template, tuple[Expected, ...]]:
        pairs = [(tuple(json.loads(path)), expected) for path, expected in row.items()]
        wanted = []
        for path, expected in pairs:
            leaf = named(self.reference.names, path)
            shape = expected.value.shape
            mistaken = self.reference.mistaken(shape) if self.reference.mistaken and not path else None
            own = leaf.dtype or dtype
            wanted.append(
                (path, Wanted(leaf.name, shape, own, "", leaf.kind, leaf.optional, bool(leaf.dtype), mistaken))
            )
        return _tree(wanted), tuple(expected for _, expected in pairs)

    def agree(self) -> None:
        """Compare the reference with its second opinion. Raises ReferenceDisagreement."""
        if self.reference.opinion is None or self.reference.compute is None:
            return
        case = self.cases("generic")[0]
        arguments = self._made[case.name][0](0)
        key = self._key(case, arguments)
        if self.store.known(key) == AGREED:
            return
        from gradcheck.checks.opinion import compare_with_opinion

        compare_with_opinion(self.spec, self.trial(case, arguments))
        self.store.note(key, AGREED)


def _skeleton(tree: Any) -> Any:
    """How a tree branches: an empty list has no leaf, but makes another graph."""
    if isinstance(tree, dict):
        return [[str(key), _skeleton(part)] for key, part in tree.items()]
    return [_skeleton(part) for part in tree] if isinstance(tree, (tuple, list)) else 0


def _always(arguments: Arguments) -> Callable[[int], Arguments]:
    return lambda _probe: arguments


def walk(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every leaf of nested tuples, lists and dicts, with the way to it."""
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield from walk(part, (*path, key))
    elif isinstance(tree, (tuple, list)):
        for position, part in enumerate(tree):
            yield from walk(part, (*path, position))
    elif isinstance(tree, GeneratorArgument):
        yield path, tree.seed
    else:
        yield path, tree


def _tree(leaves: list[tuple[tuple[Any, ...], Wanted]]) -> Template:
    """Paths and leaves put together again."""
    if leaves and not leaves[0][0]:
        return leaves[0][1]
    groups: dict[Any, list[tuple[tuple[Any, ...], Wanted]]] = {}
    for (first, *rest), leaf in leaves:
        groups.setdefault(first, []).append((tuple(rest), leaf))
    made = {key: _tree(group) for key, group in groups.items()}
    return made if any(isinstance(key, str) for key in made) else tuple(made.values())


def _arrays(arguments: Arguments) -> dict[str, Array]:
    return {str(path[0]): leaf.values for path, leaf in walk(arguments) if isinstance(leaf, Argument)}


def into(sweep: Any, value: Any) -> Any:
    """An argument as a reference computes with it."""
    if isinstance(value, Argument):
        return value.values if value.values.dtype.kind in "iub" else sweep.input(value.values)
    if isinstance(value, float):
        return sweep.input(value)
    if isinstance(value, (tuple, list)):
        return type(value)(into(sweep, each) for each in value)
    if isinstance(value, dict):
        return {key: into(sweep, each) for key, each in value.items()}
    return value


def _expected(sweep: Any, leaf: Any, scale: float) -> Expected:
    if hasattr(leaf, "exact"):
        expected: Expected = sweep.expected(leaf, scale)
        return expected
    value = np.asarray(leaf, dtype=np.float64)
    return Expected(value, np.zeros(value.shape))
