"""A network on its way, as one GIF: its regions epoch by epoch, the loss curve beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats
from gradcheck.training import plots
from gradcheck.training.plane import COLOURS, EDGE, Logits, bare, draw_borders, draw_points, shade, shares_of

FRAME_MS, LAST_MS = 90, 3000
_SIDE = 120
"""Points of the grid along a side."""


def learning(
    title: str, steps: Sequence[tuple[int, Logits]], losses: Sequence[float], x: Floats, labels: Array, folder: Path
) -> Path:
    """Draw the regions after each of `steps`, the epochs done with the network that they came to, in learning.gif."""
    from PIL import Image

    drawn = [Image.fromarray(frame) for frame in _frames(title, steps, losses, x, labels)]
    # One palette for all frames: colours that change from frame to frame would flicker.
    width, height = drawn[0].size
    some = [drawn[0], drawn[len(drawn) // 8], drawn[len(drawn) // 3], drawn[-1]]
    sheet = Image.new("RGB", (width, height * len(some)))
    for number, frame in enumerate(some):
        sheet.paste(frame, (0, height * number))
    palette = sheet.quantize(256, Image.Quantize.MAXCOVERAGE)
    first, *others = (frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in drawn)
    lengths = [FRAME_MS] * len(others) + [LAST_MS]
    with plots.writing(folder / "learning.gif") as path:
        first.save(path, save_all=True, append_images=others, duration=lengths, loop=0, optimize=True)
    return path


def _frames(
    title: str, steps: Sequence[tuple[int, Logits]], losses: Sequence[float], x: Floats, labels: Array
) -> Iterator[Array]:
    """What does not change is drawn once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure, (plane, curve) = plots.figure_of(7.6, 3.9, 2, dpi=96)
    canvas: Any = FigureCanvasAgg(figure)
    figure.suptitle(fill(title, 80), fontsize=11, x=0.02, ha="left", fontweight="bold")
    image = plane.imshow(np.ones((_SIDE, _SIDE, 3)), extent=(-EDGE, EDGE) * 2, origin="lower")
    few = slice(None, None, max(1, len(x) // 750))
    points = draw_points(plane, x[few], labels[few], 3.0)
    bare(plane)
    told = plane.set_title(" ", fontsize=10)
    shown, _ = plots.positive(losses)
    curve.plot(shown, color="#c9ced6", linewidth=1.6)
    (way,) = curve.plot([], [], color=COLOURS[0], linewidth=2.4)
    (here,) = curve.plot([], [], "o", color=COLOURS[1], markersize=7)
    curve.set(xlabel="epoch", yscale="log")
    curve.set_title("mean cross-entropy", fontsize=10)
    plots.scale_by_powers(curve)
    moving: list[Any] = [image, points, told, way, here]
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    figure.set_layout_engine("none")
    still = canvas.copy_from_bbox(figure.bbox)
    for epoch, logits in steps:
        shares = shares_of(logits, _SIDE)
        image.set_data(shade(shares))
        right = float((logits(x).argmax(1) == labels).mean())
        now = min(epoch, len(losses) - 1)
        told.set_text(f"epoch {epoch}: {right:.0%} right")
        way.set_data(range(now + 1), shown[: now + 1])
        here.set_data([now], [shown[now]])
        canvas.restore_region(still)
        plane.draw_artist(image)
        for lines in draw_borders(plane, shares, colors="#1f2328", linewidths=1.0):
            plane.draw_artist(lines)
            lines.remove()
        for artist in moving[1:]:
            artist.axes.draw_artist(artist)
        frame = np.asarray(canvas.buffer_rgba())[..., :3].copy()
        frame[(frame > 247).all(axis=-1)] = 255  # Pillow finds the nearest colour by eights: paper would turn grey
        yield frame
