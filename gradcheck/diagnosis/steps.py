"""An update seen as the step that it makes: what is wrong by a factor is the step, not the new parameter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gradcheck.diagnosis.evidence import Observation
from gradcheck.diagnosis.guess import Context, Guess, Predicted
from gradcheck.diagnosis.with_more import RATES
from gradcheck.references.expected import Floats

NEW = "the new "


def as_steps(context: Context, observations: Sequence[Observation], name: str) -> list[Observation] | None:
    """The same calls with the steps in the place of the new values of what is called `name`; None where it is no
    update.
    """
    if not RATES & set(context.spec.parameters):
        return None
    found = [_as_step(each, name) for each in observations]
    return None if any(each is None for each in found) else [each for each in found if each is not None]


def _origins(observation: Observation, name: str) -> list[Floats | None]:
    """What each leaf of that name was before the update."""
    own = name.removeprefix(NEW)
    before = next((array for path, array in observation.tensors.items() if str(path[-1]) == own), None)
    leaves = zip(observation.expected, observation.got, observation.stems, strict=True)
    return [
        before if stem == name and before is not None and leaf.shape == got.shape == before.shape else None
        for leaf, got, stem in leaves
    ]


def _as_step(observation: Observation, name: str) -> Observation | None:
    origins = _origins(observation, name)
    if all(each is None for each in origins):
        return None
    got, expected = (
        tuple(leaf if origin is None else leaf - origin for leaf, origin in zip(leaves, origins, strict=True))
        for leaves in (observation.got, observation.expected)
    )
    return replace(observation, got=got, expected=expected)


def of_steps(guesses: Iterable[Guess], name: str) -> Iterator[Guess]:
    """The guesses at the function's other results, as guesses at its steps."""

    def stepped(guess: Guess) -> Guess:
        def predict(observation: Observation) -> Predicted:
            found = guess.predict(observation)
            origins = _origins(observation, name)
            if found is None or len(found) != len(origins):
                return None
            return [
                None if leaf is None or origin is None or leaf.shape != origin.shape else leaf - origin
                for leaf, origin in zip(found, origins, strict=True)
            ]

        return replace(guess, predict=predict)

    return (stepped(each) for each in guesses if each.code)
