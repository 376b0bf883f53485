"""The pictures of a training that the site shows, drawn from the solutions: `python -m tests.docs.training_pictures` writes
them into docs/assets. A minute or two.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from gradcheck.reports.training import keepsake

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "docs" / "assets"
SIZES = {"regions": 1200, "keepsake": 720}
"""Columns of pixels."""


def main() -> None:
    with tempfile.TemporaryDirectory() as drawn:
        command = [sys.executable, "-m", "gradcheck", "train", str(ROOT / "solutions"), "--plots", drawn]
        subprocess.run([*command, "--no-animation"], check=True, cwd=drawn)
        keepsake(ROOT / "solutions", Path(drawn))
        for name, width in SIZES.items():
            picture = Image.open(Path(drawn) / f"{name}.png").convert("RGB")
            small = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
            small.quantize(128).save(ASSETS / f"spiral-{name}.png", optimize=True)


if __name__ == "__main__":
    main()
