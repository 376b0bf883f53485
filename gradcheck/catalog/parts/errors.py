"""The errors of a linear model, taken wrongly: what the records that train one share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WrongErrors:
    """The gradient of the average loss with errors that are not the samples' own: its code and sentence, a question."""

    told: tuple[str, str]
    gradient: Callable[[Any, Any, Any], Any]
    think: str


def every_error() -> Iterator[WrongErrors]:
    """(P, 1) minus (P,) is a matrix of P × P, of which an axis is averaged away in the end."""
    text = "every y_p met every prediction: the errors became a matrix of P × P, averaged over one axis"
    think = "How many errors do P samples have? Print the shape of yours."
    for gradient in (_from_mean_predictions, _from_mean_targets):
        yield WrongErrors(("wrong-index", text), gradient, think)


def _from_mean_predictions(w: Any, x: Any, y: Any) -> Any:
    return 2 / len(y) * (((x @ w)[:, None] - y) @ x).mean(0)


def _from_mean_targets(w: Any, x: Any, y: Any) -> Any:
    return 2 / len(y) * (x.T @ ((x @ w)[:, None] - y)).mean(1)
