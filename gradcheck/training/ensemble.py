"""The practicum's regression: five ReLU and five tanh networks agree where there is data, and part where there is none.

A worked example that uses the exercise `ensemble`: its variance says how far a prediction can be trusted.
"""

from __future__ import annotations

from typing import Literal, cast

import numpy as np

from gradcheck.checks.candidate import Candidate
from gradcheck.checks.compare import Wanted, form_problem
from gradcheck.checks.outcome import Argument, Returned
from gradcheck.references.expected import Floats
from gradcheck.training.network import Progress
from gradcheck.training.session import ending

Activation = Literal["relu", "tanh"]
MEMBERS, EPOCHS = 5, 400


def data() -> tuple[Floats, Floats]:
    """y = x³ + noise on [−1, 1], x in order."""
    rng = np.random.default_rng([0, 4])
    x = np.sort(rng.uniform(-1.0, 1.0, 80))
    return x, x**3 + 0.1 * rng.standard_normal(80)


def predictions(x: Floats, y: Floats, grid: Floats, activation: Activation, *, progress: Progress) -> Floats:
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
            for epoch in range(EPOCHS):
                steps.zero_grad()
                loss = nn.functional.mse_loss(network(inputs), targets)
                loss.backward()  # type: ignore[no-untyped-call]
                steps.step()
                progress(member * EPOCHS + epoch + 1, MEMBERS * EPOCHS, float(loss.detach()))
            with torch.no_grad():
                outputs.append(network(torch.as_tensor(grid, dtype=torch.float32)[:, None])[:, 0].double().numpy())
    return np.stack(outputs)


def summary(members: Floats, exercise: Candidate) -> tuple[Floats, Floats] | str:
    """Mean and variance over the ensemble by the exercise's own function; in words why there is none."""
    outcome = exercise.call("mean_and_variance", {"predictions": Argument(members, "float64")})
    if outcome.state != "returned":
        return ending(outcome)
    template = tuple(Wanted(name, members.shape[1:], "float64") for name in ("mean", "variance"))
    for check in ("type", "shape"):
        problem = form_problem(check, template, outcome.value)
        if problem:
            return problem
    mean, variance = (part.values for part in cast("tuple[Returned, Returned]", outcome.value))
    return (mean, variance) if mean is not None and variance is not None else "mean and variance hold no numbers"
