"""Cached expected values: found again, never stale, never trusted when broken."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradcheck.operators import all_operators
from gradcheck.references.expected import Expected
from gradcheck.references.kept import LIBRARIES, KeptFile, digest_of_mathematics, sealed
from gradcheck.references.store import ExpectedStore, key_of

RELU = all_operators()["relu"]
ROW = [{"y": Expected(np.array([1.0, np.pi]), np.array([1e-16, 0.0]), np.array([0.0, 1.0]))}]


def never():
    pytest.fail("this should have come from the cache")


def test_what_was_saved_is_found_bit_for_bit(tmp_path):
    store = ExpectedStore(RELU, tmp_path)
    store.lookup("key", lambda: ROW)
    store.save()
    found = ExpectedStore(RELU, tmp_path).lookup("key", never)[0]["y"]
    np.testing.assert_array_equal(found.value, ROW[0]["y"].value)
    np.testing.assert_array_equal(found.tolerance, ROW[0]["y"].tolerance)
    np.testing.assert_array_equal(found.other, ROW[0]["y"].other)


def test_another_formula_is_another_file(tmp_path):
    changed = replace(RELU, formula="y[i] = Piecewise((2*x[i], x[i] > 0), (0, True))")
    assert ExpectedStore(RELU, tmp_path).path != ExpectedStore(changed, tmp_path).path


DAMAGE = ["", "{", "[]", '{"key": 3}', '{"key": [{"y": {"shape": [2]}}]}', "[" * 100_000, '{"noted formulas": 3}']


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
@pytest.mark.parametrize("ours", [False, True])
def test_a_damaged_file_is_computed_anew(tmp_path, damage, ours):
    path = KeptFile(RELU, tmp_path).path
    path.write_text(sealed(path.name, damage) if ours else damage)
    store = ExpectedStore(RELU, tmp_path)
    assert store.lookup("key", lambda: ROW) == ROW
    assert store.text("formulas", lambda: "y = x") == "y = x"
    again = ExpectedStore(RELU, tmp_path)
    assert again.lookup("key", never)[0]["y"].value.tolist() == [1.0, np.pi]
    assert again.known("formulas") == "y = x"


def test_a_file_that_was_changed_or_is_anothers_is_not_believed(tmp_path):
    tanh = KeptFile("tanh", tmp_path)
    tanh.text("formulas", lambda: "right")
    text = tanh.path.read_text()
    tanh.path.write_text(text.replace("right", "wrong"))
    assert KeptFile("tanh", tmp_path).text("formulas", lambda: "right") == "right"
    assert tanh.path.read_text() == text
    other = KeptFile("relu", tmp_path)
    other.path.write_text(text)
    assert KeptFile("relu", tmp_path).known("formulas") == ""


@pytest.mark.parametrize("kind", ["a folder", "a pipe"])
def test_what_is_no_file_is_not_waited_for(tmp_path, kind):
    if kind == "a pipe" and not hasattr(os, "mkfifo"):
        pytest.skip("pipes in the file system are POSIX's")
    path = KeptFile(RELU, tmp_path).path
    path.mkdir() if kind == "a folder" else os.mkfifo(path)
    assert KeptFile(RELU, tmp_path).text("formulas", lambda: "y = x") == "y = x"


@pytest.mark.parametrize("source", ["operators/elementwise.py", "references/typeset.py", "numbers/rules.py"])
def test_a_change_of_the_mathematics_is_another_file(monkeypatch, source):
    before, read = digest_of_mathematics.__wrapped__(), Path.read_bytes
    assert before == digest_of_mathematics()
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * path.as_posix().endswith(source))
    assert digest_of_mathematics.__wrapped__() != before


@pytest.mark.parametrize("library", LIBRARIES)
def test_another_version_of_a_library_is_another_file(monkeypatch, library):
    before = digest_of_mathematics.__wrapped__()
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99" if name == library else "1")
    assert digest_of_mathematics.__wrapped__() != before


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    store = ExpectedStore(RELU, blocked / "cache")
    assert store.lookup("key", lambda: ROW) == ROW
    store.save()
    assert blocked.read_text() == "in the way"


def test_two_writers_keep_each_others_records(tmp_path):
    first, second = ExpectedStore(RELU, tmp_path), ExpectedStore(RELU, tmp_path)
    first.lookup("a", lambda: ROW)
    second.lookup("b", lambda: ROW)
    first.save()
    second.save()
    both = ExpectedStore(RELU, tmp_path)
    assert [both.lookup(key, never)[0]["y"].value.tolist() for key in "ab"] == [[1.0, np.pi]] * 2
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


def test_keys_tell_inputs_shapes_and_dtypes_apart():
    x = np.arange(6.0)
    keys = {
        key_of("forward", "float64", {"x": x}, {}, None),
        key_of("forward", "float32", {"x": x}, {}, None),
        key_of("forward", "float64", {"x": x.reshape(2, 3)}, {}, None),
        key_of("forward", "float64", {"x": x + 1}, {}, None),
        key_of("forward", "float64", {"x": x}, {"copies": 2}, None),
        key_of("backward", "float64", {"x": x}, {}, x),
    }
    assert len(keys) == 6
