"""Cached expected values: found again, never stale, never trusted when broken."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from gradcheck.operators import all_operators
from gradcheck.references.expected import Expected
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


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"key": 3}', '{"key": [{"y": {"shape": [2]}}]}'])
def test_a_damaged_file_is_computed_anew(tmp_path, damage):
    store = ExpectedStore(RELU, tmp_path)
    store.path.write_text(damage)
    assert ExpectedStore(RELU, tmp_path).lookup("key", lambda: ROW) == ROW


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
    assert {"a", "b"} <= set(json.loads(second.path.read_text()))
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
