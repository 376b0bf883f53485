"""Pictures of the desk, as learners meet it: `python -m tests.desk.shots DEST` writes SVG files, and PNG files where
Chromium is there.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.desk.seat import HERE, Seat, furnish, walk

SIZES = ((80, 24), (120, 40), (40, 15))


def main() -> None:
    destination = Path(sys.argv[1]).resolve()
    destination.mkdir(parents=True, exist_ok=True)
    made = []
    for columns, rows in SIZES:
        with tempfile.TemporaryDirectory() as home:
            os.chdir(home)
            furnish()
            with Seat(columns, rows, *HERE) as seat:
                for number, name in enumerate(walk(seat), 1):
                    made.append(destination / f"desk-{columns}x{rows}-{number}-{name}.svg")
                    made[-1].write_text(seat.desk.export_screenshot(simplify=True), encoding="utf-8")
            os.chdir("/")
    photograph(made)


def photograph(made: list[Path]) -> None:
    """A PNG beside each SVG."""
    from tests.reports.browser import CHROMIUM, Browser

    if not Path(CHROMIUM).exists():
        return
    with Browser() as browser:
        for path in made:
            page = browser.open(path, width=1240, height=900)
            path.with_suffix(".png").write_bytes(page.screenshot(full=False))
            page.close()


if __name__ == "__main__":
    main()
