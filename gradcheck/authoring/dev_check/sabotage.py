"""Answers broken on purpose, to see that a check can fail at all.

For a check that no known wrong answer fails, the solution is spoilt in the few ways below: always, and from the moment
at which the check begins. One failure shows that the check looks at what it gets. A check that none of these makes
fail either looks at nothing, or asks for something that no result can miss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gradcheck.catalog import Exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification
from gradcheck.checks.task import LAST, Confusion, FunctionSpec

Function = Callable[..., Any]

_SIDE = 128
"""Of two matrices whose product is an effort that shows."""


def checks_to_show(spec: FunctionSpec) -> list[str]:
    """The checks that earn something, and the record's own. Those of form only open the way; they are the engine's, and
    the same for all.
    """
    own = {each.check for each in spec.confusions} | {each.check for each in spec.properties}
    return [check for check in spec.checks if spec.parts_of(check) or check in own or check in LAST]


def can_fail(
    exercise: Exercise, spec: FunctionSpec, check: str, functions: Mapping[str, Any], cache: Path | None
) -> bool:
    """Whether some broken answer fails the check."""
    confusion = next((each for each in spec.confusions if each.check == check), None)
    if confusion is not None:
        return _tells_apart(exercise, spec, confusion, functions, cache)
    return any(
        _fails(exercise, spec, check, functions, cache, spoil, late=late)
        for late in (True, False)
        for spoil in (_scaled, _zero, _transposed, _backwards, _frozen, _careless)
    )


def _fails(
    exercise: Exercise,
    spec: FunctionSpec,
    check: str,
    functions: Mapping[str, Any],
    cache: Path | None,
    spoil: Callable[[Any], Any],
    *,
    late: bool,
) -> bool:
    armed = not late
    right: Function = functions[spec.name]
    first: list[Any] = []

    def broken(*arguments: Any) -> Any:
        result = right(*arguments)
        if not armed:
            return result
        first.append(result)
        return spoil(first[0] if spoil is _frozen else result)

    candidate = InProcessCandidate({**functions, spec.name: broken})
    verification = Verification(candidate, exercise.task, cache=cache, shrink=False)
    before = spec.prerequisite(check)
    if late and before:
        verification.result(spec.name, before)
        armed = True
    found = verification.result(spec.name, check).status
    verification.save()
    return found in ("failed", "errored")


def _tells_apart(
    exercise: Exercise, spec: FunctionSpec, confusion: Confusion, functions: Mapping[str, Any], cache: Path | None
) -> bool:
    """Whether the right answer in the wrong order is refused, by this check or by one before it (a shape says it too);
    or is right itself, as a symmetric Jacobian is.
    """
    right: Function = functions[spec.name]
    differs: list[bool] = []

    def confuse(leaf: Any) -> Any:
        import torch

        if not isinstance(leaf, torch.Tensor):
            return leaf
        confused = confusion.confused(leaf.numpy())
        made = leaf if confused is None else torch.tensor(confused, dtype=leaf.dtype)
        differs.append(not torch.equal(leaf, made))
        return made

    candidate = InProcessCandidate({**functions, spec.name: lambda *arguments: _each(right(*arguments), confuse)})
    verification = Verification(candidate, exercise.task, cache=cache, shrink=False)
    refused = not verification.result(spec.name, confusion.check).ok
    return refused or not any(differs)


# Ways to spoil a result, leaf by leaf; what has no numbers stays as it is.


def _scaled(result: Any) -> Any:
    return _each(result, lambda leaf: leaf + leaf + 1)


def _zero(result: Any) -> Any:
    return _each(result, lambda leaf: leaf * 0)


def _transposed(result: Any) -> Any:
    return _each(result, lambda leaf: leaf.mT.clone() if getattr(leaf, "ndim", 0) >= 2 else leaf)


def _backwards(result: Any) -> Any:
    return _each(result, lambda leaf: leaf.flip(-1) if getattr(leaf, "ndim", 0) else -leaf)


def _frozen(result: Any) -> Any:
    """What came back the first time."""
    return result


def _careless(result: Any) -> Any:
    """With noise from the generator that everybody shares, by way of a product of two matrices."""
    import torch

    noise = float((torch.rand(_SIDE, _SIDE) @ torch.ones(_SIDE, _SIDE)).mean())
    return _each(result, lambda leaf: leaf + leaf * noise if _is_floating(leaf) else leaf)


def _is_floating(leaf: Any) -> bool:
    return bool(leaf.is_floating_point()) if hasattr(leaf, "is_floating_point") else isinstance(leaf, float)


def _each(tree: Any, spoil: Callable[[Any], Any]) -> Any:
    import torch

    if isinstance(tree, dict):
        return {key: _each(part, spoil) for key, part in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree)(_each(part, spoil) for part in tree)
    if isinstance(tree, torch.Tensor):
        return ~tree if tree.dtype == torch.bool else spoil(tree)
    return spoil(tree) if isinstance(tree, (int, float)) else tree


def unshown(
    exercise: Exercise, functions: Mapping[str, Any], cache: Path | None, known: set[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Function and check of every check that neither a wrong answer (`known`) nor a broken one makes fail."""
    for graded in exercise.functions:
        for check in checks_to_show(graded.spec):
            if (graded.spec.name, check) not in known and not can_fail(exercise, graded.spec, check, functions, cache):
                yield graded.spec.name, check
