"""A course's limits as the settings of a run, and whether the sandbox of a machine will do for it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from gradcheck.classes.judge import Settings
from gradcheck.classes.policy import Course
from gradcheck.errors import GradcheckError
from gradcheck.isolation.sandbox.layers import Layer, baseline_missing
from gradcheck.isolation.worker.launch import Bounds


def settings_for(course: Course, cache: Path, hidden: Iterable[Path]) -> Settings:
    """`cache` is for expected values; `hidden` are further places that no submission may read."""
    limits = course.limits
    places = tuple(str(place.absolute()) for place in hidden)
    bounds = Bounds(limits.call_s, limits.submission_s, limits.memory_mib << 20, sys.platform == "linux", places)
    return Settings(cache.absolute(), course.exercises, bounds)


def must_hold(layers: Sequence[Layer], *, required: bool) -> None:
    """Raises GradcheckError where a layer of the sandbox's baseline is missing and that is `required`."""
    missing = baseline_missing(layers)
    if missing and required:
        why = {layer.name: layer.detail for layer in layers}
        told = "; ".join(f"{name}: {why.get(name, 'not known here')}" for name in missing)
        raise GradcheckError(f"the sandbox lacks {told}. See: gradcheck doctor; or grade without --require-sandbox")
