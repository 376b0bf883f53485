"""The same pictures as PNG files, with `gradcheck report --pictures`, and below pytest's failures."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gradcheck.errors import GradcheckError
from gradcheck.reports import heatmap_png
from gradcheck.reports.matrices import Comparison
from gradcheck.training import plots
from tests import warm_start

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[2]
RIGHT = np.array([[0.7531, -0.2419], [0.1367, 0.5283]])

SOFTMAX = """
import torch

def forward(x):
    return x.softmax(-1)

def jacobian(x):
    y = x.softmax(-1)
    return torch.diag(y) + torch.outer(y, y)
"""


def save_png(path: Path, got: np.ndarray, expected: np.ndarray, wrong: np.ndarray | None, title: str) -> Path:
    return heatmap_png.save_png(path, Comparison("", got, expected, wrong), title)


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV_"))}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **settings}
    return subprocess.run(
        [*warm_start.python(), *arguments], cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=100,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def expected_values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept for all projects: deriving them anew for each would only cost time."""
    return tmp_path_factory.mktemp("gradcheck")


@pytest.fixture
def project(tmp_path: Path, expected_values: Path) -> Path:
    folder = tmp_path / "exercises" / "04_modules"
    folder.mkdir(parents=True)
    (folder / "softmax.py").write_text(SOFTMAX, encoding="utf-8")
    (tmp_path / ".gradcheck").symlink_to(expected_values)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["gradcheck.pytest_plugin"]\n', encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", encoding="utf-8")
    return tmp_path


def pixels(path: Path) -> np.ndarray:
    from matplotlib.image import imread

    return (imread(path)[..., :3] * 255).round().astype(int)


def area(image: np.ndarray, colour: str) -> int:
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return int((image == wanted).all(-1).sum())


@pytest.mark.skipif(bool(plots.missing()), reason=plots.missing())
class TestDrawn:
    def test_a_wrong_entry_is_outlined_and_a_right_one_is_not(self, tmp_path):
        got = RIGHT * [[1, -1], [1, 1]]
        wrong = save_png(tmp_path / "new folder" / "wrong.png", got, RIGHT, got != RIGHT, "softmax.jacobian")
        assert wrong.read_bytes().startswith(b"\x89PNG")
        right = save_png(tmp_path / "right.png", RIGHT, RIGHT, RIGHT > 9, "softmax.jacobian")
        assert area(pixels(wrong), "#b3123f") > 300  # the outline, not the cross of the third panel alone
        assert not area(pixels(right), "#b3123f")
        # Blue for the negative entry, orange for the largest.
        assert area(pixels(right), "#8dbde3")
        assert area(pixels(right), "#8f3a00")

    def test_the_expected_panel_shows_levels_only(self, tmp_path):
        # Entries of the same level look the same: no number can be read from a colour.
        one, other = RIGHT.copy(), RIGHT.copy()
        other[1, 0] = 0.1671
        first = save_png(tmp_path / "one.png", RIGHT, one, RIGHT > 9, "t")
        second = save_png(tmp_path / "two.png", RIGHT, other, RIGHT > 9, "t")
        assert first.read_bytes() == second.read_bytes()

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("shape", [(1, 2), (3, 5), (16, 16), (64, 64), (2, 2, 3), (1, 40), (40, 1)])
    def test_any_size(self, tmp_path, shape):
        values = np.linspace(-1, 1, int(np.prod(shape))).reshape(shape)
        values.reshape(-1)[0] = np.nan
        image = pixels(save_png(tmp_path / "a.png", values, values, values < 0, "<hostile> $title$ _{x}^ \x1b"))
        assert 600 <= image.shape[1] <= 1800

    def test_shapes_that_differ(self, tmp_path):
        assert save_png(tmp_path / "a.png", RIGHT, np.ones((2, 3)), None, "shapes").exists()

    def test_a_place_that_takes_no_file_is_told(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(GradcheckError, match="cannot be written"):
            save_png(tmp_path / "file" / "a.png", RIGHT, RIGHT, RIGHT > 9, "t")

    def test_report_draws_what_failed(self, project):
        asked = ("-m", "gradcheck", "report", ".", "--only", "softmax", "--only", "relu", "--pictures", "pics")
        done = run(project, *asked)
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout.splitlines()[-1] == f"picture: {Path('pics', 'softmax.jacobian.values.png')}"
        assert [path.name for path in (project / "pics").iterdir()] == ["softmax.jacobian.values.png"]
        quiet = run(project, *asked, "--json", "-")
        assert quiet.stdout.startswith("{")
        assert "picture: " in quiet.stderr


def test_without_matplotlib_the_remedy_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(GradcheckError, match="matplotlib is not installed: python -m pip install"):
        save_png(tmp_path / "a.png", RIGHT, RIGHT, RIGHT > 9, "t")


def test_report_asks_for_matplotlib_before_it_grades(project):
    script = (
        "import importlib.util as util, sys; util.find_spec = lambda name: None; "
        "sys.argv = ['gradcheck', 'report', '.', '--pictures', 'pics']; import gradcheck.commands.cli as cli; cli.main()"
    )
    done = run(project, "-c", script)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gradcheck: matplotlib is not installed")


PYTEST = ("-m", "pytest", "-p", "no:benchmark", "exercises", "-k", "jacobian")


def test_pytest_draws_below_a_failure_when_asked(project):
    done = run(project, *PYTEST, "--picture", COLUMNS="40")
    lines = done.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("    jacobian: every entry is wrong"))
    assert any(line.startswith("  More:  gradcheck hint softmax") for line in lines[:start])
    assert "    │ +▒✗+░✗│      │ +░ −░ │" in lines
    assert "\x1b" not in done.stdout
    assert max(len(line) for line in lines[start : start + 9]) <= 40
    narrow = run(project, *PYTEST, "--picture", PYTHONUTF8="0", PYTHONIOENCODING="ascii", LC_ALL="C", COLUMNS="80")
    assert re.search(r"\| \+\SX\+\SX\| +\| \+\S -\S \|", narrow.stdout)
    assert "│" not in run(project, *PYTEST).stdout


def test_pytest_draws_in_colour_where_there_is_colour(project):
    done = run(project, *PYTEST, "--picture", "--color=yes")
    assert "✗\x1b[0m" in done.stdout
    assert "✗\x1b[0m" not in run(project, *PYTEST, "--picture", "--color=yes", "--junitxml=a.xml").stdout
