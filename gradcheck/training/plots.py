"""Pictures of a training, as PNG files: loss curves, decision regions, gradients by depth, the ensemble."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np

from gradcheck.errors import GradcheckError, explained
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats

FOLDER = Path(".gradcheck") / "plots"
_COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44")  # told apart in grey, too
_STYLES = (("#1b6ca8", "-"), ("#d1495b", "--"), ("#3a7d44", ":"), ("#c98a1b", "-."))


def missing() -> str:
    """What plots lack, and the remedy; empty when nothing."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is not None:
        return ""
    return 'matplotlib is not installed: python -m pip install -c constraints.txt -e ".[plots]"'


def _figure(width: float = 6.4, height: float = 4.4) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    return figure, figure.subplots()


def _saved(figure: Any, folder: Path, name: str) -> Path:
    path = folder / f"{name}.png"
    with explained(f"{path} cannot be written", "give --plots another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    return path


def forget(name: str, folder: Path = FOLDER) -> None:
    """Remove a picture that an earlier run drew."""
    try:
        (folder / f"{name}.png").unlink(missing_ok=True)
    except OSError as error:
        raise GradcheckError(f"{folder / name}.png is an old picture and cannot be removed: {error.strerror}") from None


def loss_curves(curves: Mapping[str, Sequence[float]], folder: Path = FOLDER) -> Path:
    """The loss before every update, one line per network, on a logarithmic axis. What that cannot show is counted."""
    figure, axes = _figure()
    # The learner's and the reference's curves ought to lie on each other: dashes keep all in sight.
    for (colour, style), (name, losses) in zip(_STYLES, curves.items(), strict=False):
        shown, left_out = _positive(losses)
        label = f"{name}\n({left_out} of {len(losses)} losses NaN, infinite or not above 0)" if left_out else name
        axes.plot(shown, color=colour, label=label, linewidth=2.2, linestyle=style)
    axes.set(xlabel="epoch", ylabel="mean cross-entropy", title="Loss on the spiral, before each update", yscale="log")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(fontsize="small")
    return _saved(figure, folder, "loss")


def _positive(values: Sequence[float]) -> tuple[Floats, int]:
    """What a logarithmic axis can show, NaN elsewhere; and how many it cannot."""
    numbers = np.asarray(values, dtype=np.float64)
    usable = np.isfinite(numbers) & (np.nan_to_num(numbers) > 0)
    return np.where(usable, numbers, np.nan), int((~usable).sum())


def decision_regions(
    predict: Callable[[Floats], Array], x: Floats, labels: Array, title: str, name: str, folder: Path = FOLDER
) -> Path:
    """Which class every point of the plane is put into, under the data."""
    from matplotlib.colors import ListedColormap

    figure, axes = _figure(5.4, 5.2)
    line = np.linspace(-1.15, 1.15, 300)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    regions = predict(grid).reshape(300, 300)
    axes.imshow(regions, extent=(-1.15, 1.15, -1.15, 1.15), origin="lower", cmap=ListedColormap(_COLOURS), alpha=0.25)
    for label, colour in enumerate(_COLOURS):
        arm = x[labels == label]
        axes.scatter(arm[:, 0], arm[:, 1], s=3, color=colour, label=f"class {label}")
    axes.set(xlabel="x₁", ylabel="x₂", aspect="equal")
    lines = [part for line in title.split("\n") for part in wrap(line, 60)]
    axes.set_title("\n".join(lines), fontsize="medium")
    axes.legend(loc="upper right", markerscale=4)
    return _saved(figure, folder, name)


def gradient_by_depth(chains: Mapping[str, Sequence[float]], folder: Path = FOLDER) -> Path:
    """|dz_K/dz_k| of scalar chains: how much of the gradient is left k stages from the input."""
    figure, axes = _figure()
    for number, (name, norms) in enumerate(chains.items()):
        shown, left_out = _positive(norms)
        label = f"{name}\n({left_out} of {len(norms)} values NaN, infinite or not above 0)" if left_out else name
        axes.semilogy(range(len(norms)), shown, "o-", color=_COLOURS[number % 3], label=label, markersize=4)
    axes.set(
        xlabel="stage k", ylabel="|dz_K / dz_k|", title="What is left of the gradient, from the output (right) back"
    )
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    return _saved(figure, folder, "gradient_by_depth")


def regression(
    panels: Mapping[str, tuple[Floats, Floats, Floats]], x: Floats, y: Floats, grid: Floats, folder: Path = FOLDER
) -> Path:
    """Ensembles: for each, the members' predictions on the grid, their mean and their standard deviation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.2), dpi=110, layout="constrained")
    every = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, colour, (name, (members, mean, deviation)) in zip(every, _COLOURS, panels.items(), strict=False):
        axes.scatter(x, y, s=8, color="#777777", label="data")
        for number, member in enumerate(members):
            axes.plot(grid, member, color=colour, alpha=0.3, linewidth=1, label="" if number else "one network")
        axes.fill_between(grid, mean - 2 * deviation, mean + 2 * deviation, color=colour, alpha=0.18, label="± 2 σ")
        axes.plot(grid, mean, color=colour, linewidth=2.2, label="mean")
        axes.axvspan(float(x.min()), float(x.max()), color="#777777", alpha=0.06)
        axes.set(title=name, xlabel="x")
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="upper left")
    every[0].set_ylabel("y")
    return _saved(figure, folder, "ensemble")
