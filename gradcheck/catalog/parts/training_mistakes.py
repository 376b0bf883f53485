"""What goes wrong in a training loop, by name: each mistake is made on the given arguments and compared with what came
back. In float64 by numpy; whether a result is right is for the exact reference to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gradcheck.checks.outcome import Arguments, Returned, Value

Arrays = dict[str, Any]
Result = tuple[list[float], Arrays]

_NEAR = {"float64": 1e-9, "float32": 1e-4}
"""Within this of the right result, relative to the largest number, nothing is called a mistake here."""

_NAMES = ("w_h", "b_h", "w_y", "b_y")


@dataclass(frozen=True)
class Loop:
    """The right loop, or one with a mistake.

    `direction` multiplies every update. `skipped` parameters are never updated. `summed` drops the mean from the
    gradient, `summed_loss` from the loss; `twice` takes it twice. Without `gate` ReLU counts as always on, without
    `target` nothing is taken from the probabilities. `restarts` begins every epoch with the first parameters.
    `hidden_after` takes the hidden layer's gradient with the new w_y. `squared` is a squared error against the label
    itself ("number") or its one-hot vector ("one-hot"). After `updates` epochs there are no more updates.
    """

    direction: float = 1.0
    skipped: tuple[str, ...] = ()
    summed: bool = False
    summed_loss: bool = False
    twice: bool = False
    gate: bool = True
    target: bool = True
    hidden_after: bool = False
    accumulates: bool = False
    loss_after: bool = False
    ignores_lr: bool = False
    squared: str = ""
    restarts: bool = False
    updates: int | None = None

    def run(self, x: Any, labels: Any, params: Arrays, lr: float, epochs: int) -> Result:
        import numpy as np

        losses, total, first = [], dict.fromkeys(params, 0.0), params
        for epoch in range(epochs):
            params = first if self.restarts else params
            loss, grads = self._gradients(x, labels, params, lr)
            losses.append(loss)
            total = {name: total[name] + grads[name] if self.accumulates else grads[name] for name in params}
            rate = self.direction * (1.0 if self.ignores_lr else lr)
            still = self.updates is not None and epoch >= self.updates
            params = {
                name: value if still or name in self.skipped else np.asarray(value - rate * total[name])
                for name, value in params.items()
            }
            if self.loss_after:
                losses[-1] = self._gradients(x, labels, params, lr)[0]
        return losses, params

    def _gradients(self, x: Any, labels: Any, params: Arrays, lr: float) -> tuple[float, Arrays]:
        import numpy as np

        before = x @ params["w_h"].T + params["b_h"]
        active = np.maximum(before, 0)
        logits = active @ params["w_y"].T + params["b_y"]
        loss, grad = self._loss(logits, labels)
        w_y = params["w_y"] - self.direction * lr * grad.T @ active if self.hidden_after else params["w_y"]
        below = grad @ w_y * (before > 0 if self.gate else 1.0)
        return loss, {"w_h": below.T @ x, "b_h": below.sum(0), "w_y": grad.T @ active, "b_y": grad.sum(0)}

    def _loss(self, logits: Any, labels: Any) -> tuple[float, Any]:
        import numpy as np

        batch = len(labels)
        one_hot = np.eye(logits.shape[1])[labels]
        if self.squared:
            off = logits - (labels[:, None] if self.squared == "number" else one_hot)
            return float((off**2).mean()), 2 * off / off.size
        shifted = logits - logits.max(axis=1, keepdims=True)
        sums = np.exp(shifted).sum(axis=1, keepdims=True)
        each = np.log(sums[:, 0]) - (shifted * one_hot).sum(axis=1)
        grad = np.exp(shifted) / sums - (one_hot if self.target else 0.0)
        parts = (1 if self.summed else batch) * (batch if self.twice else 1)
        return float(each.sum() if self.summed_loss else each.mean()), grad / parts


def _mistakes(batch: int, epochs: int) -> Iterator[tuple[Loop, str, str]]:
    """The loop with the mistake, what to say of it, and its code; the commonest first."""
    yield Loop(direction=0), "the parameters come back as they were: no update is made", "no-update"
    text = "the parameters go up the gradient; the loss falls against it"
    yield Loop(direction=-1), text, "wrong-direction"
    text = "the gradients of earlier steps are still in the update; each step takes its own gradient alone"
    yield Loop(accumulates=True), text, "accumulated-over-steps"
    yield (
        Loop(loss_after=True),
        "the loss is that after the update; the one before it is asked for",
        "loss-after-update",
    )
    if batch > 1:
        text = "it takes the sum over the samples where the mean is asked for"
        for loss, grad in ((True, True), (False, True), (True, False)):
            where = "" if loss and grad else " (in the gradient)" if grad else " (in the loss)"
            yield Loop(summed=grad, summed_loss=loss), text + where, "scaled-by-size"
        yield Loop(twice=True), "the gradient is divided by the number of samples twice", "scaled-by-size"
    for squared in ("number", "one-hot"):
        text = "the loss is a squared error, as if the labels were numbers; they are classes: take the cross-entropy"
        yield Loop(squared=squared), text, "wrong-variable"
    for name in _NAMES:
        yield Loop(skipped=(name,)), f"{name} is never updated; the others are", "missing-term"
    for layer in (("w_h", "b_h"), ("w_y", "b_y"), ("b_h", "b_y")):
        yield Loop(skipped=layer), f"{layer[0]} and {layer[1]} are never updated; the others are", "missing-term"
    text = "the gradient of the logits lacks the term of the labels"
    yield Loop(target=False), text, "missing-term"
    text = "the gradient goes through the ReLU as if it were always on: is the hidden unit's sign asked?"
    yield Loop(gate=False), text, "missing-term"
    text = "the hidden layer's gradient is taken with the new w_y; take all gradients before any update"
    yield Loop(hidden_after=True), text, "updated-too-early"
    yield Loop(ignores_lr=True), "the step is the whole gradient: lr is not used", "ignores-learning-rate"
    if epochs > 1:
        text = "every epoch starts from the first parameters; the next one must get the new ones"
        yield Loop(restarts=True), text, "no-update"
        yield Loop(updates=epochs - 1), "the last epoch makes no update", "no-update"
        yield Loop(updates=1), "only the first epoch makes an update", "no-update"


def verdict_on_step(arguments: Arguments, value: Value) -> tuple[str, ...] | None:
    """The name of the mistake in a (loss, params), or None."""
    match value:
        case (loss, dict() as params):
            return _named(arguments, 1, (loss,), params)
    return None


def verdict_on_training(arguments: Arguments, value: Value) -> tuple[str, ...] | None:
    """The name of the mistake in a (losses, params), or None."""
    match value:
        case (tuple() as losses, dict() as params):
            return _named(arguments, arguments["epochs"], losses, params)
    return None


def _named(
    arguments: Arguments, epochs: int, losses: tuple[Any, ...], params: dict[Any, Any]
) -> tuple[str, ...] | None:
    import numpy as np

    x, labels, lr = arguments["x"].values, arguments["labels"].values, arguments["lr"]
    given = {name: each.values for name, each in arguments["params"].items()}
    got = _numbers(losses, params, given)
    if got is None or len(losses) != epochs:
        return None
    near = _NEAR[arguments["x"].dtype]

    def is_result_of(loop: Loop) -> bool:
        with np.errstate(all="ignore"):
            return _close(got, loop.run(x, labels, given, lr, epochs), near)

    if is_result_of(Loop()):
        return None
    found = ((text, code) for loop, text, code in _mistakes(len(labels), epochs) if is_result_of(loop))
    text, code = next(found, ("", ""))
    return ("values", text, code) if text else None


def _numbers(losses: tuple[Any, ...], params: dict[Any, Any], given: Arrays) -> Result | None:
    """What came back as arrays, or None where its form is not that of the arguments."""
    plain = [_entries(each) for each in losses]
    named = {name: _entries(params.get(name)) for name in given}
    if any(each is None or each.shape for each in plain):
        return None
    if any(named[name] is None or named[name].shape != given[name].shape for name in given):
        return None
    return [float(each) for each in plain if each is not None], named


def _entries(part: Any) -> Any:
    import numpy as np

    if isinstance(part, Returned) and part.values is not None:
        return part.values
    return np.asarray(part) if isinstance(part, float) else None


def _close(got: Result, made: Result, near: float) -> bool:
    import numpy as np

    pairs = [*zip(got[0], made[0], strict=True), *((got[1][name], made[1][name]) for name in made[1])]
    return all(bool((np.abs(a - b) <= near * max(1.0, np.abs(b).max(initial=0.0))).all()) for a, b in pairs)
