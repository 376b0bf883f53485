"""One trial is one call: a function, a case, perhaps a cotangent, and what must come back. Benches make them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.checks import compare, drawing
from gradcheck.checks.cases import Case, stream, walk
from gradcheck.checks.compare import Template, Wanted, leaves
from gradcheck.checks.derived import Opinions, of_operator, shape_of_output
from gradcheck.checks.drawing import RandomDraw
from gradcheck.checks.outcome import Argument, Arguments, Value
from gradcheck.checks.task import FunctionSpec, Reference, Row, Task, named
from gradcheck.errors import ReferenceDisagreement
from gradcheck.operators.record import Operator
from gradcheck.references.expected import Expected, Floats
from gradcheck.references.store import AGREED, ExpectedStore, key_of

_NOTHING = Expected(np.zeros(0), np.zeros(0))


@dataclass(frozen=True)
class Trial:
    """What one call gets and what it must give back. `expected` matches the leaves of `template`, part by part.

    `verdict` judges what came back where more than one result is right; `raises` names the exception with which the
    call must end; `what` is what results differ from, in words.
    """

    case: Case
    arguments: Arguments
    template: Template
    expected: tuple[Expected, ...]
    cotangent: Floats | None = None
    probe: str = ""
    verdict: Callable[[Value], tuple[str, ...] | None] | None = None
    raises: str = ""
    what: str = ""

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        return leaves(self.template)


class Bench:
    """Where one function is tried: its cases and trials, each made once. Expected values come from `store`, computed
    there on first use.

    `beside` are cases of other functions' that this one is tried on as well. `opinions`: what must agree before the
    first number of an operator is judged. With `trusted` nothing is compared: an author is told separately what is
    wrong with a record.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        reference: Reference,
        store: ExpectedStore,
        seed: int,
        opinions: Opinions | None = None,
        beside: Callable[[], list[Case]] = list,
    ) -> None:
        self.spec, self.reference, self.store, self.seed = spec, reference, store, seed
        self.opinions, self._beside, self.trusted = opinions, beside, False
        self._cases: dict[str, list[Case]] = {}
        self._made: dict[int, list[Trial]] = {}

    # Cases.

    def cases(self, group: str) -> list[Case]:
        """The `generic` cases or the `edge` cases."""
        if group not in self._cases:
            found = [self.drawn(case) for case in self.reference.cases(group)]
            if group == "edge":
                found += [*self._own_edges(), *self.batches()]
            self._cases[group] = found
        return self._cases[group]

    def batches(self) -> list[Case]:
        """What one sample of a Jacobian is as a batch of one: there the two are compared, and an error of this function
        is to be found in it and not in the Jacobian.
        """
        if "batches" not in self._cases:
            self._cases["batches"] = [self._as_batch(case) for case in self._beside()]
        return self._cases["batches"]

    def _as_batch(self, case: Case) -> Case:
        operator = self.operator
        batched = {an_input.name for an_input in operator.inputs if an_input.batched}
        drawn = {
            name: replace(each, values=each.values[None]) if name in batched else each
            for name, each in case.drawn.items()
        }
        name = f"{case.name}, as a batch of one"
        made = case.draw_with(self._rng(f"{name} cotangent"))
        drawn["grad_output"] = made.cotangent(*shape_of_output(operator, drawn))
        batch = replace(case, name=name, sample=False, generic=False)
        return batch.with_drawn(drawn, made)

    def _own_edges(self) -> Iterator[Case]:
        if self.reference.edges is None:
            return
        for dtype in ("float64", "float32") if "float32" in self.reference.usual else ("float64",):
            made = self.reference.edges(RandomDraw(self._rng(f"edges {dtype}"), dtype))
            for name, arguments, *raises in made:
                yield Case(f"{name}, {dtype}", dtype, (arguments,), raises=raises[0] if raises else "")

    @property
    def operator(self) -> Operator:
        """What the function belongs to."""
        assert self.opinions is not None, f"{self.spec.name} belongs to no operator"
        return self.opinions.operator

    def drawn(self, case: Case) -> Case:
        """A case with its arguments, from the seed and its name."""
        if self.opinions is None:
            made = case.draw_with(self._rng(case.name))
        else:  # its functions share their inputs
            made = case.draw_with(self._rng(f"{case.name} {case.sample}"), self._rng(f"{case.name} cotangent"))
        return case.with_drawn(self.reference.draw(made), made)

    def _rng(self, name: str) -> np.random.Generator:
        return stream(self.seed, f"{self.reference.stream or f'{self.store.name} {self.spec.name}'} {name}")

    # Trials.

    def of(self, case: Case) -> list[Trial]:
        """All trials of a case: one, or one per cotangent."""
        # By identity: the bench keeps its cases, so that none is ever another's successor in memory.
        if id(case) not in self._made:
            self._made[id(case)] = self.made(case)
        return self._made[id(case)]

    def made(self, case: Case, rows: list[Row] | None = None) -> list[Trial]:
        """The trials of any case, with other expected values than the reference's, if there are any."""
        if rows is None:
            rows = self._rows(case) if self.reference.judges_numbers and not case.raises else [{}] * len(case.probes)
        names = drawing.COTANGENTS + drawing.PLAIN if len(case.probes) > 1 or case.stack is not None else ("",)
        return [self._trial(case, k, row, names[k % len(names)]) for k, row in enumerate(rows)]

    def _rows(self, case: Case) -> list[Row]:
        return self.store.lookup(self._key(case), lambda: self._computed(case))

    def _computed(self, case: Case) -> list[Row]:
        from gradcheck.checks.limits import one_thread

        with one_thread():
            return self.reference.computed(case.dtype, case.probes)

    def blind(self, case: Case) -> Trial:
        """The first call of a case; enough to see whether the function runs. Of its result it knows what is known
        without the numbers.
        """
        shapes = self.reference.shapes(case) if self.reference.shapes and not case.raises else {}
        probe = drawing.COTANGENTS[0] if case.stack is not None else ""
        return self._trial(case, 0, dict.fromkeys(shapes, _NOTHING), probe, shapes)

    def formed(self, case: Case) -> Trial:
        """The first trial of a case with the form of its result; its numbers may be missing."""
        return self.blind(case) if self.reference.shapes is not None else self.of(case)[0]

    def linear(self, case: Case) -> list[Trial]:
        """A backward for the cotangents g, h, g + h and −2 g."""
        rng = stream(self.seed, "linearity")
        first, second = (rng.integers(-3, 4, case.drawn["grad_output"].values.shape).astype(np.float64) for _ in "gh")
        made = self.made(case.with_cotangents(np.stack([first, second, first + second, -2 * first])))
        return [replace(each, probe=f"linear {number}") for number, each in enumerate(made)]

    def _trial(
        self, case: Case, position: int, row: Row, probe: str, shapes: dict[str, tuple[int, ...]] | None = None
    ) -> Trial:
        """`shapes` are those of `row`'s values, where it has none."""
        shapes = {path: each.value.shape for path, each in row.items()} if shapes is None else shapes
        drawn, verdict = case.probes[position], self.reference.verdict
        derived = self.opinions is not None
        arguments = {name: _argument(drawn, name) for name in self.spec.parameters} if derived else drawn
        upstream = drawn.get("grad_output")
        return Trial(
            case,
            arguments,
            self._template(shapes, case.dtype) if shapes else (),
            tuple(row.values()),
            upstream.values if isinstance(upstream, Argument) else None,
            probe,
            _once(partial(verdict, drawn)) if verdict else None,
            case.raises,
            self.reference.what,
        )

    def _template(self, shapes: dict[str, tuple[int, ...]], dtype: str) -> Template:
        reference = self.reference
        wanted = []
        for text, shape in shapes.items():
            path = tuple(json.loads(text))
            leaf = named(reference.names, path)
            mistaken = reference.mistaken(shape) if reference.mistaken and not path else None
            own = leaf.dtype or dtype
            made = Wanted(leaf.name, shape, own, leaf.like, leaf.kind, leaf.optional, bool(leaf.dtype), mistaken)
            wanted.append((path, made))
        return _tree(wanted)

    def _key(self, case: Case) -> str:
        drawn = case.drawn
        plain = json.dumps(
            [_skeleton(drawn)] + [[path, value] for path, value in walk(drawn) if not isinstance(value, Argument)]
        )
        arrays = {json.dumps(path): value.values for path, value in walk(drawn) if isinstance(value, Argument)}
        probes = [leaf.values for each in case.probes[1:] for _, leaf in walk(each) if isinstance(leaf, Argument)]
        others = np.concatenate([np.zeros(0), *(np.ravel(each).astype(np.float64) for each in probes)])
        return key_of(f"{self.spec.name} {self.spec.role} {case.sample} {plain}", case.dtype, arrays, {}, others)

    def agree(self) -> None:
        """Before the first number is judged: do the references agree? Raises ReferenceDisagreement."""
        if self.trusted:
            return
        if self.opinions is not None:
            self.opinions.agree()
            return
        if self.reference.opinion is None or self.reference.compute is None:
            return
        case = self.cases("generic")[0]
        key = self._key(case)
        if self.store.known(key) != AGREED:
            _compare_with_opinion(self.spec, self.of(case)[0])
            self.store.note(key, AGREED)


def _compare_with_opinion(spec: FunctionSpec, trial: Trial) -> None:
    """Raises ReferenceDisagreement, naming the part, where a reference and its second opinion differ by more than the
    tolerance.
    """
    import torch

    from gradcheck.checks.tensors import Passed

    assert spec.reference is not None
    assert spec.reference.opinion is not None
    passed = Passed(trial.arguments)
    with torch.enable_grad():
        value: Any = passed.observe(spec.reference.opinion(*passed.values))
    problem = next(
        (text for check in compare.FORM_CODES if (text := compare.form_problem(check, trial.template, value))), ""
    )
    if not problem:
        different = compare.difference(trial.wanted, compare.parts(trial.template, value), trial.expected)
        problem = f"{different.part} at {list(different.index)}" if different else ""
    if problem:
        inputs = {name: np.shape(array) for name, array in trial.case.inputs.items()}
        raise ReferenceDisagreement(
            f"{spec.name}: the reference and its second opinion disagree ({problem}; shapes {inputs})"
        )


def _once(verdict: Callable[[Value], Any]) -> Callable[[Value], Any]:
    """The verdict, found once of a value that is asked about in its type, its shape, its dtype and its numbers."""
    last: list[tuple[Value, Any]] = []

    def told(value: Value) -> Any:
        if not last or last[0][0] is not value:
            last[:] = [(value, verdict(value))]
        return last[0][1]

    return told


def _argument(drawn: Arguments, name: str) -> Any:
    """What the parameter of an operator's function gets."""
    if name in drawn:
        return drawn[name]
    upstream: Argument = drawn["grad_output"]  # as grad_outputs: one per copy
    return tuple(replace(upstream, values=each) for each in upstream.values)


def _skeleton(tree: Any) -> Any:
    """How a tree branches: an empty list has no leaf, but makes another graph."""
    if isinstance(tree, dict):
        return [[str(key), _skeleton(part)] for key, part in tree.items()]
    return [_skeleton(part) for part in tree] if isinstance(tree, (tuple, list)) else 0


def _tree(found: list[tuple[tuple[Any, ...], Wanted]]) -> Template:
    """Paths and leaves put together again."""
    if found and not found[0][0]:
        return found[0][1]
    groups: dict[Any, list[tuple[tuple[Any, ...], Wanted]]] = {}
    for (first, *rest), leaf in found:
        groups.setdefault(first, []).append((tuple(rest), leaf))
    made = {key: _tree(group) for key, group in groups.items()}
    return made if any(isinstance(key, str) for key in made) else tuple(made.values())


class Benches:
    """The benches of a task; functions of one operator share its store of expected values and its opinions."""

    def __init__(self, task: Task, seed: int, cache: Path | None) -> None:
        self.task, self.seed, self.cache = task, seed, cache
        self._opinions: dict[str, Opinions] = {}
        self._benches: dict[str, Bench] = {}
        self._drawn: dict[int, Benches] = {}
        self.kept: dict[tuple[str, str], Any] = {}
        """What others make of the trials, for as long as they are kept."""

    def drawn(self, seed: int) -> Benches:
        """The same with everything drawn from another seed; made once, so that whoever asks shares it."""
        if seed == self.seed:
            return self
        if seed not in self._drawn:
            self._drawn[seed] = type(self)(self.task, seed, self.cache)
            self._drawn[seed]._drawn = self._drawn  # noqa: SLF001 — one of our own kind
        return self._drawn[seed]

    def of(self, spec: FunctionSpec) -> Bench:
        if spec.name not in self._benches:
            self._benches[spec.name] = self._composed(spec) if spec.reference else self._of_operator(spec)
        return self._benches[spec.name]

    def _composed(self, spec: FunctionSpec) -> Bench:
        assert spec.reference is not None
        store = ExpectedStore(f"{self.task.name}.{spec.name}", self.cache, spec.reference.fingerprint)
        return Bench(spec, spec.reference, store, self.seed)

    def _of_operator(self, spec: FunctionSpec) -> Bench:
        operator = spec.operator or self.task.operator
        assert operator is not None, f"{self.task.name}.{spec.name} belongs to no operator and has no reference"
        if operator.name not in self._opinions:
            self._opinions[operator.name] = Opinions(operator, ExpectedStore(operator, self.cache), self.seed)
        opinions = self._opinions[operator.name]
        return Bench(
            spec, of_operator(operator, spec), opinions.store, self.seed, opinions, lambda: self._samples(spec)
        )

    def _samples(self, spec: FunctionSpec) -> list[Case]:
        """The generic cases of the Jacobian that a backward must agree with."""
        beside = (each for each in self.task.functions if self.task.backward_beside(each) == spec)
        return next((self.of(each).cases("generic") for each in beside), [])

    def save(self) -> None:
        """Write what was computed anew."""
        for benches in (self, *self._drawn.values()):
            for store in {id(bench.store): bench.store for bench in benches._benches.values()}.values():  # noqa: SLF001
                store.save()


def listed(values: Any) -> Any:
    """Nested lists of plain numbers, as people and JSON want them."""
    return np.asarray(values).tolist()
