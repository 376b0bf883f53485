"""Builds the site: docs/, a page per exercise, and the ways from one to the other. `make docs` runs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import groupby
from pathlib import Path

from gradcheck.authoring.pages import write_pages
from gradcheck.catalog import all_exercises
from tests.docs.doc_pages import ROOT

_UNITS = '    { "@unit" = "exercises/@name.md" },\n'
"""The line of zensical.toml that becomes the units, each with its exercises."""


def build(site: Path, work: Path) -> None:
    """What the site is made of goes into `work`, which is emptied first."""
    shutil.rmtree(work, ignore_errors=True)
    docs = work / "docs"
    shutil.copytree(ROOT / "docs", docs)
    write_pages(docs)
    lectures = docs / "lecture-map.md"
    lectures.write_text(linked(lectures.read_text(encoding="utf-8")), encoding="utf-8")
    (work / "zensical.toml").write_text(configuration(), encoding="utf-8")
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=work, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    if built.returncode:
        raise SystemExit((built.stdout + built.stderr).partition("Traceback")[0])
    for rooted in ("404.html", "sitemap.xml"):  # their links hold for one address, and the site has none
        (work / "site" / rooted).unlink()
    shutil.rmtree(site, ignore_errors=True)
    shutil.move(work / "site", site)


def configuration() -> str:
    """Zensical's, with the catalog in its navigation."""
    units = ""
    for unit, members in groupby(all_exercises().values(), lambda each: each.unit):
        number, _, name = unit.partition("_")
        pages = ", ".join(f'{{ "{each.name}" = "exercises/{each.name}.md" }}' for each in members)
        units += f'    {{ "{number} {name.replace("_", " ").capitalize()}" = [{pages}] }},\n'
    before, after = (ROOT / "zensical.toml").read_text(encoding="utf-8").split(_UNITS)
    return before + units + after


def linked(text: str) -> str:
    """Exercises in inline code, by name or by path, lead to their pages."""

    def link(found: re.Match[str]) -> str:
        name = found[1].rpartition("/")[2]
        return f"[`{name}`](exercises/{name}.md)" if name in all_exercises() else found[0]

    return re.sub(r"(?<!`)`([\w/]+)`(?!`)", link, text)


if __name__ == "__main__":
    build(ROOT / "site", ROOT / "build" / "site")
    print("The documentation: site/index.html")
