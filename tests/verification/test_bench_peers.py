"""What compares this library with other checkers still runs, and shows what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

from tests.benchmarks.peers.peer_functions import FUNCTIONS, inputs_of, planted, right, right_cases
from tests.benchmarks.peers.peer_judges import OURS, TOOLS, Refused, Tool
from tests.benchmarks.peers.peer_measures import (
    Cost,
    Extent,
    Figures,
    Import,
    Smallest,
    measured,
    refusals,
    seen,
    smallest,
)
from tests.benchmarks.peers.peer_page import goals_of, page
from tests.benchmarks.peers.peer_wrongs import WRONGS

PEERS = Path(__file__).parents[1] / "benchmarks" / "peers"
LITTLE = Extent(
    right=6,
    right_of_others=3,
    planted_in=("softmax",),
    shape=(3, 4),
    costly=("softmax",),
    sizes=(8,),
    widest=6,
)

ASK = """
import json
from tests.benchmarks.peers.peer_functions import FUNCTIONS, inputs_of, planted, right
from tests.benchmarks.peers.peer_judges import TOOLS
import torch
good = right(FUNCTIONS["layer norm"])
inputs = inputs_of(FUNCTIONS["layer norm"], 3, 5, torch.float64)
said = {}
for name, tool in TOOLS.items():
    if tool.installed:
        judged = tool.judge(good, inputs)
        said[name] = judged.outcome, tool.judge(planted(good, 0.5, everywhere=True), inputs).outcome, judged.forwards
print(json.dumps(said))
"""


def passes_all(counted, inputs):
    """A tool that never refuses anything."""


def refuses_all(counted, inputs):
    raise Refused("no")


def breaks(counted, inputs):
    raise TypeError("ours")


def figures_of(ask) -> Figures:
    tool = Tool(OURS, "torch", ask, refuses=Refused)
    function = FUNCTIONS["softmax"]
    return Figures(
        LITTLE,
        refusals=[refusals(tool, right_cases(5))],
        smallest=[each for dtype in (torch.float64, torch.float32) for each in smallest(tool, function, dtype, (3, 4))],
    )


def missed(figures: Figures) -> list[str]:
    return [goal.text for goal in goals_of(figures) if not goal.met]


def a_cost(**changes) -> Cost:
    plain = {
        "tool": OURS,
        "function": "softmax",
        "size": 1_000_000,
        "outcome": "passed",
        "seconds": 30.0,
        "plain": 1.0,
        "own": 1.0,
    }
    return Cost(**{**plain, "memory": 30, "inputs": 1, "forwards": 1, "backwards": 1, **changes})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_style_is_right(name):
    function = FUNCTIONS[name]
    inputs = inputs_of(function, 4, 6, torch.float64)
    g = torch.randn_like(function.forward(*inputs))
    wanted = function.styles["torch's own"](g, *inputs)
    for backward in function.styles.values():
        torch.testing.assert_close(backward(g, *inputs), wanted, rtol=1e-12, atol=1e-12)


def test_candidates_are_the_same_each_time_and_finite():
    cases = list(right_cases(300))
    assert list(map(str, cases)) == list(map(str, right_cases(300)))
    assert len(Counter((case.function, case.style) for case in cases)) > 40
    for case in cases:
        candidate, inputs = case.made()
        assert all(each.isfinite().all() for each in (candidate.forward(*inputs), *inputs)), case


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda wrong: wrong.kind)
def test_this_library_tells_the_wrong_one_from_the_right_one(wrong):
    found = seen(TOOLS[OURS], wrong)
    assert (found.outcome, found.refuses) == ("caught", False)


def test_a_planted_error_is_where_it_should_be():
    function = FUNCTIONS["gelu"]
    (x,) = inputs_of(function, 4, 6, torch.float64)
    good, g = right(function), torch.ones_like(x)
    ratio = planted(good, 1e-3, everywhere=False).backward(g, x)[0] / good.backward(g, x)[0] - 1
    assert ratio.nonzero().tolist() == [[2, 3]]
    assert float(ratio[2, 3]) == pytest.approx(1e-3)


def test_a_tool_that_refuses_everything_shows():
    figures = figures_of(refuses_all)
    assert missed(figures)[0] == "no right candidate of 5 is refused"
    assert len(missed(figures)) == 5
    assert "| **missed** |" in page(figures)
    assert "refuses the right one" in page(figures)


def test_a_tool_that_breaks_refuses_what_is_right_and_catches_nothing():
    tool = Tool(OURS, "torch", breaks, refuses=Refused)
    assert refusals(tool, right_cases(2)).refused.total() == 2
    assert seen(tool, WRONGS[0]).outcome == "broke"


def test_a_tool_that_passes_everything_shows():
    figures = figures_of(passes_all)
    assert len(missed(figures)) == 4
    assert all("is caught" in text for text in missed(figures))


@pytest.mark.parametrize(
    ("error", "met"),
    [(1e-13, True), (1e-12, True), (1e-11, False), (None, False)],
    ids=["less", "goal", "more", "none"],
)
def test_the_smallest_error_is_held_against_its_goal(error, met):
    figures = Figures(LITTLE, smallest=[Smallest(OURS, "float64", "softmax", everywhere=True, error=error)])
    assert [goal.met for goal in goals_of(figures)] == [met]


@pytest.mark.parametrize(
    "changes",
    [{"seconds": 36.0}, {"size": 1_000, "seconds": 71.0}, {"memory": 33}],
    ids=["time at a million", "time at a thousand", "memory"],
)
def test_a_cost_beyond_its_goal_shows(changes):
    assert missed(Figures(LITTLE, costs=[a_cost()])) == []
    assert len(missed(Figures(LITTLE, costs=[a_cost(), a_cost(**changes)]))) == 1


def test_a_cost_that_grows_faster_than_the_function_shows():
    steady = Figures(LITTLE, costs=[a_cost(size=100_000, seconds=20.0), a_cost()])
    growing = Figures(LITTLE, costs=[a_cost(size=100_000, seconds=10.0), a_cost()])
    assert missed(steady) == []
    assert len(missed(growing)) == 1


def test_an_import_of_torch_shows():
    assert missed(Figures(LITTLE, imported=Import(0.1, torch=False))) == []
    assert len(missed(Figures(LITTLE, imported=Import(0.1, torch=True)))) == 1


@pytest.mark.outside  # jax has threads, which what is forked later would miss
def test_every_adapter_tells_right_from_wrong():
    done = subprocess.run([sys.executable, "-c", ASK], cwd=PEERS.parents[2], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert {"torch gradcheck, slow", "torch gradcheck, fast", OURS} <= set(said)
    assert {name: judged[:2] for name, judged in said.items()} == {name: ["passed", "caught"] for name in said}
    assert all(forwards > 0 for *_, forwards in said.values())


@pytest.mark.outside
def test_the_page_is_written():
    tools = [TOOLS[OURS], TOOLS["torch gradcheck, fast"]]
    text = page(measured(LITTLE, tools, say=lambda _: None))
    assert str(Path.home()) not in text
    assert str(PEERS.parents[2]) not in text
    for heading in ("Goals", "Right candidates", "smallest error", "Kinds of wrong", "costs"):
        assert f"{heading}" in text
    rows = [line for line in text.splitlines() if line.startswith("| softmax: all zeros |")]
    assert len(rows) == 1
    widths = {line.count(" | ") for line in text.splitlines() if line.startswith("| softmax:")}
    assert len(widths) == 1
