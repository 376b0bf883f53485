"""Pictures of the site, to be looked at: `python -m tests.docs.shots DEST` writes PNG files, wide and narrow, light and dark."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.docs.site import build
from tests.reports.browser import Browser

PAGES = ("index", "exercises/index", "exercises/softmax", "gallery", "lecture-map", "learner/failures", "library/start")
WIDTHS = (1280, 390)


def shoot(into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        site = Path(folder) / "site"
        build(site, Path(folder) / "work")
        for name in PAGES:
            for width in WIDTHS:
                for scheme in ("light", "dark"):
                    page = browser.open(site / f"{name}.html", width=width, dark=scheme == "dark")
                    page.size(width, page.js("document.documentElement.scrollHeight"))
                    time.sleep(0.5)  # the theme lays out and fades by itself
                    (into / f"{name.replace('/', '-')}-{width}-{scheme}.png").write_bytes(page.screenshot())
                    page.close()


if __name__ == "__main__":
    shoot(Path(sys.argv[1]))
