"""What is kept between gradings changes no verdict."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from gradcheck.catalog import find_exercise
from gradcheck.desk.watch.worker import Traces
from gradcheck.grading.grade import verification_of
from gradcheck.grading.load import Warm, load_candidate
from tests.desk.desk_commands import ROOT

pytestmark = pytest.mark.outside


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("relu", "return grad_output * (x > 0)", "return (x > 0).to(x.dtype)"),
        ("duplicate", "return total", "return 2 * total"),
        ("weighted_sum", "return ", "return 2 * "),
    ],
)
def test_kept_benches_find_what_new_ones_find(tmp_path, name, right, wrong):
    exercise = find_exercise(name)
    source = (ROOT / "solutions" / exercise.path).read_text(encoding="utf-8")
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(source)
    bad.write_text(source.replace(right, wrong))
    warm = Warm(tmp_path / "cache")
    for _ in warm.prepare(exercise):
        pass
    assert list((tmp_path / "cache").iterdir())
    for path in (good, bad, good, bad):
        verifications = [
            verification_of(exercise, load_candidate(exercise, path, path.name), 0, tmp_path / "cache", shrink=False)
            for _ in range(2)
        ]
        verifications[0].benches = warm.benches(exercise)
        kept, fresh = ([(each.id, each.status, each.message) for each in v.results()] for v in verifications)
        assert kept == fresh
        assert all(status == "passed" for _, status, _ in fresh) == (path == good)


def test_only_the_latest_exercises_are_kept():
    warm = Warm(None)
    first = warm.benches(find_exercise("relu"))
    assert warm.benches(find_exercise("relu")) is first
    for name in ("add", "sigmoid", "tanh", "softplus", "softmax", "linear"):
        warm.benches(find_exercise(name))
    assert warm.benches(find_exercise("relu")) is not first


@pytest.fixture
def traces(tmp_path: Path) -> Traces:
    return Traces(tmp_path)


def test_a_clean_process_stays(traces):
    import torch

    torch.relu(torch.ones(2))
    assert traces.clear()


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("torch", "relu"),
        ("torch.Tensor", "relu"),
        ("torch.nn.functional", "relu"),
        ("math", "exp"),
        ("builtins", "max"),
    ],
)
def test_a_replaced_function_is_noticed(traces, where, name, monkeypatch):
    with monkeypatch.context() as changed:
        changed.setattr(f"{where}.{name}", min)
        assert not traces.clear()
    if where != "torch.Tensor":  # undone, the inherited method stands in the class itself
        assert traces.clear()


def test_a_name_more_in_a_library_is_nobodys_loss(traces, monkeypatch):
    monkeypatch.setattr("math.something_new", 1, raising=False)
    assert traces.clear()


def test_a_thread_that_still_runs_is_noticed(traces):
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert not traces.clear()
    finally:
        done.set()
        thread.join()
    assert traces.clear()


def test_modules_of_the_learners_own_are_forgotten_and_libraries_kept(traces, tmp_path, monkeypatch):
    (tmp_path / "own_helper_of_a_test.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import own_helper_of_a_test  # noqa: F401

    sys.modules.pop("this_is_no_module", None)
    import colorsys  # noqa: F401

    assert traces.clear()
    assert "own_helper_of_a_test" not in sys.modules
    assert "colorsys" in sys.modules
    assert str(tmp_path) not in sys.path
