"""`gradcheck train` and `gradcheck ensemble` as they are typed: what is said, what is drawn, the exit codes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gradcheck.training.network import spiral, train, two_layer
from tests import warm_start

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[2]
NO_MASK = "return grad_output * (x > 0)"


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(ROOT / "solutions", tmp_path / "work", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "work"


def gradcheck(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "80"}
    command = [*warm_start.python(), "-m", "gradcheck", *arguments]
    done = subprocess.run(
        command, cwd=folder.parent, env=environment, capture_output=True, encoding="utf-8", timeout=500, check=False
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    assert max(map(len, done.stdout.splitlines()), default=0) <= 80
    return done


def pictures(folder: Path) -> set[str]:
    made = list((folder.parent / ".gradcheck" / "plots").glob("*.png"))
    assert all(path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 5_000 for path in made)
    return {path.stem for path in made}


@pytest.mark.parametrize(("kind", "low", "high"), [("relu", 0.95, 1.0), ("linear", 0.45, 0.6)])
@pytest.mark.parametrize(("optimiser", "lr"), [("sgd", 1.5), ("adam", 0.01)])
def test_the_reference_networks_reach_what_the_practicum_says(kind, low, high, optimiser, lr):
    x, labels = spiral()
    history = train(two_layer(kind), x, labels, optimiser=optimiser, lr=lr, epochs=300)
    assert low <= history.accuracy <= high


@pytest.mark.rare
def test_the_solutions_hold_and_are_drawn(folder):
    done = gradcheck(folder, "train", "work")
    assert done.returncode == 0, done.stdout
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0] == "what is used of your files, by the checks of pytest"
    assert " ".join(lines[1:3]) == (
        "✓ linear, relu, cross_entropy, two_layer_net, training_loop, vanishing_gradient hold"
    )
    assert "nan" not in done.stdout.lower()
    assert lines.count("✓ gradients at step 0 and parameters after 5 steps agree with the exact run") == 3
    for name in ("your modules (04, 05)", "your two_layer_net (07)", "your training_loop (07)"):
        assert name in lines
    assert sum("accuracy 9" in line for line in lines) == 5  # two references, three networks
    assert sum("accuracy 50" in line for line in lines) == 1
    assert pictures(folder) == {"loss", "regions", "gradient_by_depth"}
    for name in pictures(folder):
        assert f".gradcheck/plots/{name}.png" in done.stdout
    moving = folder.parent / ".gradcheck/plots/learning.gif"
    assert moving.read_bytes()[:6] == b"GIF89a"
    assert 100_000 < moving.stat().st_size < 2_000_000
    assert ".gradcheck/plots/learning.gif" in done.stdout
    assert "    All of it is yours: on your spiral of 600 points" in done.stdout
    assert "to read" not in done.stdout  # nothing was checked before, so not everything has passed


def test_a_wrong_module_and_a_file_that_is_not_written_are_told(folder):
    relu = folder / "04_modules/relu.py"
    assert NO_MASK in relu.read_text()
    relu.write_text(relu.read_text().replace(NO_MASK, "return grad_output.clone()"))
    shutil.copy(ROOT / "exercises/07_training/training_loop.py", folder / "07_training/training_loop.py")
    (folder / "07_training/two_layer_net.py").unlink()
    done = gradcheck(folder, "train", "work", "--no-plots")
    assert done.returncode == 1
    flat = " ".join(done.stdout.split())
    assert "at step 0 of 5 b_h departs from the reference network first; the ReLU lets every gradient through" in flat
    assert "Your relu.backward departs on this data; with the reference's relu all steps hold." in flat
    assert "✗ relu.backward: the gradient is grad_output as it came" in flat.split("reference, ReLU")[0]
    assert "your two_layer_net (07) not trained: two_layer_net.py is missing" in flat
    told = "not trained: training_loop.train_step, training_loop.train are not written yet"
    assert f"your training_loop (07) {told}" in flat
    assert pictures(folder) == set()


@pytest.mark.rare
def test_the_ensemble_is_sure_where_there_is_data(folder):
    done = gradcheck(folder, "ensemble", "work")
    assert done.returncode == 0, done.stderr
    assert pictures(folder) == {"ensemble"}
    for line in (line for line in done.stdout.splitlines() if "σ is" in line):
        inside, beside = (float(word.strip(",")) for word in line.split() if word[0].isdigit())
        assert inside < beside / 3
    (folder / "07_training/ensemble.py").write_text("def mean_and_variance(predictions):\n    return predictions\n")
    done = gradcheck(folder, "ensemble", "work")
    assert done.returncode == 1
    assert "expected a tuple of 2" in done.stdout
    assert pictures(folder) == set()  # the right one of before would be taken for this one's


def test_a_folder_that_is_none_is_one_line(folder):
    for command in ("train", "ensemble"):
        done = gradcheck(folder, command, "nosuch")
        assert done.returncode == 2
        assert done.stderr.startswith("gradcheck: nosuch is not a folder; give one laid out like exercises/")
