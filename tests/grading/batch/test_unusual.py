"""What an instructor is told to look at, and what not."""

from __future__ import annotations

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.grading.batch.unusual import unusual
from solutions import FOLDER


def test_no_solution_and_no_stub_is_unusual():
    for root in (FOLDER, FOLDER.parent / "exercises"):
        assert unusual({name: (root / each.path).read_bytes() for name, each in all_exercises().items()}) == ()


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("import gradcheck.checks.autodiff_guard as g", "gradcheck"),
        ("torch._C.DisableTorchFunction()", "torch._C"),
        ("import gc", "gc"),
        ("eval ('1')", "eval"),
        ("import ctypes", "ctypes"),
        ("sys._getframe(1)", "_getframe"),
        ("os._exit(0)", "os._exit"),
    ],
)
def test_a_word_that_no_exercise_needs_is_told(line, word):
    (told,) = unusual({"relu": line.encode(), "add": b"def forward(x1, x2):\n    return x1 + x2  # evaluate\n"})
    assert told.startswith("relu has")
    assert word in told


def test_any_bytes_are_looked_through():
    assert unusual({"relu": bytes(range(256)) * 100}) == ()
    assert "…" in unusual({"relu": b"gc ctypes inspect pickle socket signal"})[0]
