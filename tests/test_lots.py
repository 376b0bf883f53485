"""Which rows of a table `make quick`, `make test` and `make test-all` try."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

MARKED = {"plain": None, "table": pytest.mark.table, "some": pytest.mark.table(every=4)}


class Row(SimpleNamespace):
    def get_closest_marker(self, name: str):
        return self.table.mark if self.table and name == "table" else None

    def add_marker(self, name: str) -> None:
        self.markers.add(name)


@pytest.mark.parametrize(
    ("kind", "quick", "test"), [("plain", range(43), range(43)), ("table", (0, 20, 40), range(43)), ("some", (0, 20, 40), range(0, 43, 4))]
)  # fmt: skip
def test_rows_are_spread_over_a_table(kind, quick, test, pytestconfig):
    rows = [Row(path="a.py", originalname=name, table=MARKED[kind], markers=set()) for name in ("one", "two") * 43]
    ours = pytestconfig.pluginmanager.get_plugin(str(Path(__file__).parent / "conftest.py"))
    ours.pytest_collection_modifyitems(rows)
    for name in ("one", "two"):
        own = [row.markers for row in rows if row.originalname == name]
        assert [place for place, markers in enumerate(own) if "thorough" not in markers] == list(quick)
        assert [place for place, markers in enumerate(own) if "rare" not in markers] == list(test)
