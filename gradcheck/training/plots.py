"""Pictures of a training: decision regions, loss curves, the network on its way, gradients by depth, the ensemble."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill, wrap
from typing import Any

import numpy as np

from gradcheck.errors import GradcheckError, explained
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats
from gradcheck.training.plane import COLOURS, EDGE, Logits, bare, draw_borders, draw_points, shade, shares_of

FOLDER = Path(".gradcheck") / "plots"
_STYLES = (("#1d4e89", "-"), ("#7a7f87", "-"), ("#d1495b", "--"), ("#b07a0c", ":"), ("#2a9d8f", "-."))
_QUIET, _NIGHT = "#59636e", "#0f1624"


@dataclass(frozen=True)
class DrawnNetwork:
    """A network whose regions are drawn: what it is called, what it came to, its logits, what does not hold of it."""

    title: str
    told: str
    logits: Logits
    note: str = ""


def missing() -> str:
    """What plots lack, and the remedy; empty when nothing."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is not None:
        return ""
    return 'matplotlib is not installed: python -m pip install -c constraints.txt -e ".[plots]"'


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """The block writes the file. Raises GradcheckError where it cannot."""
    with explained(f"{path} cannot be written", "give --plots another folder"):
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path


def prepare(folder: Path) -> None:
    """Have a folder that can be written to. Raises GradcheckError, before anybody waits for what would be drawn."""
    with writing(folder / "a picture"):
        tempfile.TemporaryFile(dir=folder).close()


def figure_of(
    width: float, height: float, panels: int = 1, *, dpi: int = 110, sharey: bool = False
) -> tuple[Any, list[Any]]:
    """A figure and its axes, side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained", facecolor="white")
    every = list(figure.subplots(1, panels, sharey=sharey, squeeze=False)[0])
    for axes in every:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, every


def _saved(figure: Any, folder: Path, name: str) -> Path:
    with writing(folder / f"{name}.png") as path:
        figure.savefig(path)
    return path


def forget(file: str, folder: Path = FOLDER) -> None:
    """Remove a picture that an earlier run drew."""
    try:
        (folder / file).unlink(missing_ok=True)
    except OSError as error:
        raise GradcheckError(f"{folder / file} is an old picture and cannot be removed: {error.strerror}") from None


def loss_curves(curves: Mapping[str, Sequence[float]], folder: Path = FOLDER) -> Path:
    """The loss before every update, one line per network, on a logarithmic axis. What that cannot show is counted; the
    last loss stands in the legend.
    """
    figure, (axes,) = figure_of(8.4, 4.8)
    # The learner's and the reference's curves ought to lie on each other: dashes keep all in sight.
    for (colour, style), (name, losses) in zip(_STYLES, curves.items(), strict=False):
        shown, left_out = positive(losses)
        label = _labelled(name, losses, left_out, "losses", f"{losses[-1]:.3g} at last")
        axes.plot(shown, color=colour, label=label, linewidth=2.2, linestyle=style)
    axes.set(xlabel="epoch", ylabel="mean cross-entropy", yscale="log")
    axes.margins(x=0.01)
    axes.set_title("Loss on the spiral, before each update", loc="left", fontweight="bold")
    scale_by_powers(axes)
    figure.legend(loc="outside right upper", fontsize="small", frameon=False, labelspacing=0.9)
    return _saved(figure, folder, "loss")


def _labelled(name: str, values: Sequence[float], left_out: int, what: str, told: str) -> str:
    """For a legend: a curve's name, and what is told of it, or how many of its values are not shown."""
    counted = f"({left_out} of {len(values)} {what} NaN, infinite or not above 0)"
    return "\n".join(fill(line, 36) for line in (*name.split("\n"), counted if left_out else told))


def scale_by_powers(axes: Any) -> None:
    """Numbers on a logarithmic axis: at 1, 2 and 5 of each power of ten where few of these are in sight."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axes.get_ylim()
    decades = math.log10(high / low) if 0 < low < high < math.inf else 1.0
    if decades <= 4:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades <= 2.5 else (1, 3), numticks=99))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(LogLocator(subs="all", numticks=99))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, which="major", alpha=0.35)
    axes.grid(visible=True, which="minor", alpha=0.12)


def positive(values: Sequence[float]) -> tuple[Floats, int]:
    """What a logarithmic axis can show, NaN elsewhere; and how many it cannot."""
    numbers = np.asarray(values, dtype=np.float64)
    usable = np.isfinite(numbers) & (np.nan_to_num(numbers) > 0)
    return np.where(usable, numbers, np.nan), int((~usable).sum())


def regions(panels: Sequence[DrawnNetwork], x: Floats, labels: Array, note: str = "", folder: Path = FOLDER) -> Path:
    """Into which class each network puts every point of the plane, and how surely, under the data; side by side."""
    from matplotlib.figure import Figure

    heads = [[panel.told, *wrap(f"({panel.note})" if panel.note else "", 48)] for panel in panels]
    side, gap, foot, head = 4.1, 0.15, 0.35, 0.42 + 0.19 * max(map(len, heads))
    size = gap + len(panels) * (side + gap), foot + side + head
    figure = Figure(figsize=size, dpi=110, facecolor="white")
    for number, (panel, lines) in enumerate(zip(panels, heads, strict=True)):
        left, top = gap + number * (side + gap), foot + side
        axes = figure.add_axes((left / size[0], foot / size[1], side / size[0], side / size[1]))
        shares = shares_of(panel.logits, 300)
        axes.imshow(shade(shares), extent=(-EDGE, EDGE) * 2, origin="lower", interpolation="bilinear")
        draw_borders(axes, shares, colors="#1f2328", linewidths=1.0)
        draw_points(axes, x, labels, 3.0)
        bare(axes)
        middle, above = (left + side / 2) / size[0], (top + head - 0.1) / size[1]
        figure.text(middle, above, panel.title, fontsize=11, fontweight="bold", ha="center", va="top")
        figure.text(middle, above - 0.24 / size[1], "\n".join(lines), fontsize=9.5, ha="center", va="top")
    figure.text(gap / size[0], 0.1 / size[1], note, fontsize=9, color=_QUIET)
    return _saved(figure, folder, "regions")


def keepsake(logits: Logits, folds: Floats, x: Floats, folder: Path = FOLDER) -> Path:
    """One network's plane, 1600 × 1600, to be hung up: its classes, the darker the less sure, lines of equal lead, and
    as thin lines the `folds`, rows (a, b, c) of a hidden unit's a x + b y + c = 0.
    """
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure

    edge, side = 1.25, 800
    shares = shares_of(logits, side, edge)
    figure = Figure(figsize=(16, 16), dpi=100, facecolor=_NIGHT)
    axes = figure.add_axes((0.07, 0.085, 0.86, 0.86))
    # By how much the likeliest class leads, in logits: the probabilities are 0 and 1 nearly everywhere.
    first, second = np.sort(shares, axis=-1)[..., :-3:-1].transpose(2, 0, 1)
    lead = np.log(first / np.maximum(second, 1e-30))
    glow = 1 - np.exp(-lead / 4)[..., None]
    image = np.array(to_rgb(_NIGHT)) * (1 - glow) + shade(shares, 1.0) * glow
    axes.imshow(image, extent=(-edge, edge) * 2, origin="lower", interpolation="bicubic")
    line = np.linspace(-edge, edge, side)
    axes.contour(line, line, lead, levels=[1, 2, *range(4, 60, 3)], colors="white", linewidths=0.9, alpha=0.3)
    draw_borders(axes, shares, edge, colors="white", linewidths=2.4, alpha=0.9)
    for a, b, c in folds:
        if a or b:
            nearest, along = -c * np.array([a, b]) / (a * a + b * b), 2 * edge * np.array([-b, a]) / np.hypot(a, b)
            ends = np.stack((nearest - along, nearest + along))
            axes.plot(ends[:, 0], ends[:, 1], color="white", linewidth=1, alpha=0.07)
    axes.scatter(x[:, 0], x[:, 1], s=9, c="white", alpha=0.55, linewidths=0)
    bare(axes, edge)
    caption = figure.text(0.5, 0.042, "trained by backpropagation written by hand", ha="center", color="#c9ced6")
    caption.set(fontsize=17, family="serif", style="italic")
    return _saved(figure, folder, "keepsake")


def gradient_by_depth(chains: Mapping[str, Sequence[float]], folder: Path = FOLDER) -> Path:
    """|dz_K/dz_k| of scalar chains: how much of the gradient is left k stages from the input."""
    figure, (axes,) = figure_of(8.4, 4.8)
    for colour, (name, norms) in zip(COLOURS, chains.items(), strict=False):
        shown, left_out = positive(norms)
        label = _labelled(name, norms, left_out, "values", f"{norms[0]:.3g} at the input")
        axes.plot(shown, "o-", color=colour, label=label, markersize=4.5, linewidth=2.2)
    axes.set(xlabel="stage k", ylabel="|dz_K / dz_k|", yscale="log")
    axes.set_title("What is left of the gradient, from the output (right) back", loc="left", fontweight="bold")
    axes.xaxis.get_major_locator().set_params(integer=True)
    scale_by_powers(axes)
    figure.legend(loc="outside right upper", fontsize="small", frameon=False, labelspacing=0.9)
    return _saved(figure, folder, "gradient_by_depth")


def regression(
    panels: Mapping[str, tuple[Floats, Floats, Floats]], x: Floats, y: Floats, grid: Floats, folder: Path = FOLDER
) -> Path:
    """Ensembles: for each, the members' predictions on the grid, their mean and their standard deviation."""
    figure, every = figure_of(9.6, 4.2, len(panels), sharey=True)
    for axes, colour, (name, (members, mean, deviation)) in zip(every, COLOURS, panels.items(), strict=False):
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
