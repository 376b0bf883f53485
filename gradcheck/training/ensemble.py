"""The practicum's regression: five ReLU and five tanh networks agree where there is data, and part where there is none.

A worked example that uses the exercise `ensemble`: its variance says how far a prediction can be trusted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from gradcheck.checks.candidate import Candidate
from gradcheck.checks.outcome import Argument, Returned
from gradcheck.references.expected import Floats

Activation = Literal["relu", "tanh"]
MEMBERS = 5


def data(points: int = 80, seed: int = 0) -> tuple[Floats, Floats]:
    """y = x³ + noise on [−1, 1], x in order."""
    rng = np.random.default_rng([seed, 4])
    x = np.sort(rng.uniform(-1.0, 1.0, points))
    return x, x**3 + 0.1 * rng.standard_normal(points)


def predictions(
    x: Floats,
    y: Floats,
    grid: Floats,
    activation: Activation,
    *,
    epochs: int = 400,
    progress: Callable[[int, int, float], None] | None = None,
) -> Floats:
    """What each of five networks, trained alike from different parameters, says on the grid: (5, len(grid))."""
    import torch
    from torch import nn

    inputs, targets = (torch.as_tensor(each, dtype=torch.float32)[:, None] for each in (x, y))
    outputs = []
    kinds = {"relu": nn.ReLU, "tanh": nn.Tanh}
    with torch.enable_grad(), torch.random.fork_rng():
        for member in range(MEMBERS):
            torch.manual_seed(member)
            network = nn.Sequential(nn.Linear(1, 50), kinds[activation](), nn.Linear(50, 1))
            steps = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=1e-5)
            for epoch in range(epochs):
                steps.zero_grad()
                loss = nn.functional.mse_loss(network(inputs), targets)
                loss.backward()  # type: ignore[no-untyped-call]
                steps.step()
                if progress:
                    progress(member * epochs + epoch + 1, MEMBERS * epochs, float(loss.detach()))
            with torch.no_grad():
                outputs.append(network(torch.as_tensor(grid, dtype=torch.float32)[:, None])[:, 0].double().numpy())
    return np.stack(outputs)


def summary(members: Floats, exercise: Candidate | None) -> tuple[Floats, Floats] | str:
    """Mean and standard deviation over the ensemble by the exercise's own function; in words why there is none."""
    if exercise is None:
        return "ensemble.py is missing; write it anew with: gradcheck stubs ensemble"
    outcome = exercise.call("mean_and_variance", {"predictions": Argument(members, "float64")})
    value = outcome.value
    if outcome.state != "returned":
        return "not started" if outcome.fault is None else f"{outcome.fault.kind}: {outcome.fault.text}"
    if not isinstance(value, tuple) or len(value) != 2:
        return "mean_and_variance must return (mean, variance)"
    shapes = [part.values for part in value if isinstance(part, Returned) and part.values is not None]
    if [each.shape for each in shapes] != [members.shape[1:]] * 2:
        return f"mean and variance must have the shape {members.shape[1:]}"
    return shapes[0], np.sqrt(np.maximum(shapes[1], 0.0))
