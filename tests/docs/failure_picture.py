"""The README's picture of a failure, drawn from what pytest prints of a wrong softmax:
`python -m tests.docs.failure_picture` writes docs/assets/failure.svg anew. The test beside it says when that is due.
"""

from __future__ import annotations

import html
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "assets" / "failure.svg"
EXERCISE = "exercises/04_modules/softmax.py"
BACKWARD = """\
def backward(grad_output, x):
    y = torch.softmax(x, -1)
    return grad_output * y
"""
_REST = """

def forward(x):
    return torch.softmax(x, -1)


def jacobian(x):
    raise NotImplementedError
"""
_WIDTH = 80
_COLUMN = 12.2
"""How wide rich draws a character."""
_THEME = TerminalTheme(
    background=(27, 31, 36),
    foreground=(230, 237, 243),
    normal=[
        *[(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34)],
        *[(88, 166, 255), (188, 140, 255), (86, 212, 221), (230, 237, 243)],
    ],
)
_FAINT = "\x1b[38;2;155;162;172m"
"""Light on dark, and nothing fainter than can be read: a terminal looks so on a light page and on a dark one."""


def printed() -> str:
    """What pytest says of the failure, with its colours."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("conftest.py", "pyproject.toml"):
            shutil.copy(ROOT / name, place / name)
        (place / EXERCISE).parent.mkdir(parents=True)
        (place / EXERCISE).write_text(f"import torch\n\n\n{BACKWARD}{_REST}", encoding="utf-8")
        command = ["-m", "pytest", EXERCISE, "-k", "backward", "--color=yes", "-p", "no:cacheprovider"]
        ran = subprocess.run(
            [sys.executable, *command],
            cwd=place,
            env={**os.environ, "COLUMNS": str(_WIDTH)},
            capture_output=True,
            encoding="utf-8",
        )
    _, told, rest = re.split(
        r"^[^\n]*_ softmax\.backward\.values _.*\n|^=+ progress =.*\n", ran.stdout, flags=re.MULTILINE
    )
    assert rest, ran.stdout + ran.stderr
    return told.rstrip()


def picture_of(told: str) -> str:
    """The function, the command and what it says, as SVG that loads nothing: in whatever font for terminals the reader
    has.
    """
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Syntax(BACKWARD.rstrip(), "python", theme="github-dark", background_color="default"))
    console.print(f"\n[bold]$ pytest {EXERCISE} -k backward", highlight=False)
    console.print(Text.from_ansi(told.replace("\x1b[2m", _FAINT) + "\n"))
    svg = console.export_svg(title=EXERCISE, theme=_THEME, unique_id="failure")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace")


def text_in(svg: str) -> list[str]:
    """The lines of a picture, without their ends."""
    lines: dict[float, str] = {}
    for x, y, said in re.findall(r'<text class="failure-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', svg):
        before = lines.get(float(y), "").ljust(round(float(x) / _COLUMN))  # blanks alone are not drawn
        lines[float(y)] = before + html.unescape(said).replace("\xa0", " ")
    return "\n".join(lines[y].rstrip() for y in sorted(lines)).rstrip().split("\n")


if __name__ == "__main__":
    FILE.write_text(picture_of(printed()), encoding="utf-8")
