"""What stands on the desk's screens, letter by letter: `screens/NAME-COLUMNSxROWS.txt`.

Text from the compositor's rows; pytest-textual-snapshot keeps SVG files, in which nobody reads a difference.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from tests.desk.seat import HERE, Seat, furnish, walk
from tests.desk.shots import SIZES

KEPT = Path(__file__).parent / "screens"
ANEW = "GRADCHECK_SCREENS"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "{}x{}".format(*size))
def test_the_screens_are_those_that_are_kept(tmp_path, monkeypatch, size):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "strftime", lambda _: "checked at 10:24:36")
    furnish()
    shown = {}
    with Seat(*size, *HERE) as seat:
        for name in walk(seat):
            seat.steady()
            assert max(map(len, seat.lines)) <= size[0]
            shown[f"{name}-{size[0]}x{size[1]}.txt"] = seat.text + "\n"
    if os.environ.get(ANEW):
        KEPT.mkdir(exist_ok=True)
        for file, text in shown.items():
            (KEPT / file).write_text(text, encoding="utf-8")
    kept = {file: (KEPT / file).read_text(encoding="utf-8") if (KEPT / file).exists() else "" for file in shown}
    changed = [file for file in shown if shown[file] != kept[file]]
    for file in changed:
        print(f"--- {file} as it is now:\n{shown[file]}")
    told = f"look at them; if they are meant: {ANEW}=1 pytest {Path(__file__).relative_to(Path(__file__).parents[2])}"
    assert not changed, f"these screens are not as tests/desk/screens/ has them: {', '.join(changed)}; {told}"


def test_nothing_is_kept_that_no_screen_is():
    names = {file.name.partition("-")[0] for file in KEPT.iterdir()}
    assert {file.name for file in KEPT.iterdir()} == {f"{name}-{w}x{h}.txt" for name in names for w, h in SIZES}
    assert len(names) == 7


def test_the_documentation_shows_a_screen_as_it_is():
    page = (KEPT.parents[2] / "docs/learner/exercise.md").read_text(encoding="utf-8")
    shown = re.findall(r"<!-- screen: (\S+) -->\n\n```text\n(.*?)```", page, re.DOTALL)
    assert shown
    for file, text in shown:
        assert text == (KEPT / file).read_text(encoding="utf-8")
