"""The page that is written of what was measured: goals and tables."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.peers.peer_functions import FUNCTIONS
from tests.benchmarks.peers.peer_judges import OURS, TOOLS
from tests.benchmarks.peers.peer_measures import Cost, Figures, Smallest

BUDGETS = ((0, 10_000, 70), (1_000_000, 10**9, 35))
"""From and up to which size, and how many times one forward and backward verifying may cost."""

MEMORY = 32
"""How many times the inputs it may hold, where that can be seen: inputs of at least SEEN entries."""

SEEN = 100_000

SMALLEST = {("float64", True): 1e-12, ("float64", False): 1e-11, ("float32", True): 1e-4, ("float32", False): 1e-3}
"""The planted relative errors that are to be caught, in all entries or in one."""

GROWTH = 2
"""What the multiple of one forward and backward may grow by from SEEN entries to ten times as many."""

HEAD = """\
# Beside other checkers

How `gradcheck.verify` and other tools judge the same hand-written backwards: right ones that they refuse, wrong ones that
they pass, and what it costs. This page is written by

<!-- not run: it takes half an hour, and writes this page -->

```console
$ make bench-verify
```

and every figure on it is from one run, on one core: {versions}.

All tools have their own defaults. All but this library take the candidate's own forward for right and compare its backward
with finite differences of it; this library compares both with torch's own function, here run on numbers that know their
error. jax, autograd and numdifftools call the same torch code, wrapped as a function of their own arrays. numdifftools has
no checker: refused is what differs from its gradient by more than ten times the error that it estimates. The functions,
styles, inputs and errors are in `tests/benchmarks/peers`."""


@dataclass(frozen=True)
class Goal:
    text: str
    found: str
    met: bool


def goals_of(figures: Figures) -> list[Goal]:
    """The goals of this library that something was measured for."""
    goals = []
    for each in figures.refusals:
        if each.tool == OURS:
            asked, refused = each.asked.total(), each.refused.total()
            goals.append(Goal(f"no right candidate of {asked:,} is refused", f"{refused:,} refused", refused == 0))
    for (dtype, everywhere), wanted in SMALLEST.items():
        found = [each for each in figures.smallest if each.tool == OURS and each.dtype == dtype]
        worst = [each for each in found if each.everywhere == everywhere]
        if worst:
            # As powers of ten: 1e-12 is caught, or not.
            met = all(each.error is not None and each.error <= wanted * 1.001 for each in worst)
            where = "all entries" if everywhere else "one entry"
            told = ", ".join(f"{each.function} {smallest_text(each)}" for each in worst)
            goals.append(Goal(f"{dtype}: a relative error of {power(wanted)} in {where} is caught", told, met))
    mine = [each for each in figures.costs if each.tool == OURS]
    for low, high, budget in BUDGETS:
        found = [each for each in mine if low <= each.size <= high]
        if found:
            worst = max(found, key=lambda each: each.ratio)
            where = f"up to {high:,}" if not low else f"{low:,} or more"
            told = f"{worst.ratio:.0f} × at most ({worst.function}, {worst.size:,})"
            goals.append(Goal(f"{where} entries: ≤ {budget} × one forward and backward", told, worst.ratio <= budget))
    held = [each for each in mine if each.size >= SEEN and each.memory_ratio is not None]
    if held:
        worst = max(held, key=lambda each: each.memory_ratio)
        told = f"{worst.memory_ratio:.0f} × at most ({worst.function}, {worst.size:,})"
        goals.append(Goal(f"memory ≤ {MEMORY} × the inputs", told, worst.memory_ratio <= MEMORY))
    growth = [
        (each.ratio / small.ratio, each)
        for each in mine
        for small in mine
        if each.function == small.function and each.size == 10 * small.size and small.size >= SEEN
    ]
    if growth:
        worst, at = max(growth, key=lambda pair: pair[0])
        told = f"{worst:.1f} × at most ({at.function}, from {at.size // 10:,} to {at.size:,})"
        goals.append(
            Goal(
                f"linear: ten times the entries cost ≤ {GROWTH} × as many forwards and backwards", told, worst <= GROWTH
            )
        )
    if figures.imported:
        told = (
            "torch comes with it"
            if figures.imported.torch
            else f"without torch, {figures.imported.seconds * 1000:.0f} ms"
        )
        goals.append(Goal("`import gradcheck` alone does not import torch", told, not figures.imported.torch))
    return goals


def page(figures: Figures) -> str:
    """The whole page."""
    tools = [each.tool for each in figures.refusals]
    goals = goals_of(figures)
    extent = figures.extent
    rows, columns = extent.shape
    parts = [
        HEAD.format(versions=versions(tools)),
        "## Goals\n\n"
        + table(
            ["goal", "found", ""],
            [[goal.text, goal.found, "met" if goal.met else "**missed**"] for goal in goals],
        ),
        "## Right candidates that are refused\n\n"
        f"{len(FUNCTIONS)} functions, each backward in several styles, at scales from 1e-8 to 1e10, 1 to 33 entries an input. "
        "“3 / 120” means that 3 of 120 were refused; – that the tool does not have such numbers.\n\n"
        + refusal_table(figures),
        refused_list(figures),
        f"## The smallest error that is caught\n\nA relative error planted in the first input's gradient at {rows} × {columns}, "
        "in all entries or in the middle one alone. Each figure is the smallest power of ten that is caught; “none”: not "
        "even an error of 100 %.\n\n" + smallest_table(figures, tools),
        "## Kinds of wrong backwards\n\nAll but those at ties and zeros have ordinary inputs in float64. *: the tool refuses "
        "the right backward at the same inputs as well, so that it says nothing.\n\n" + seen_table(figures, tools),
        "## What it costs\n\nThe time that is computed to judge a right candidate, as a multiple of one forward and backward of torch's own "
        "function, by the number of entries of all inputs, in float64. *: the tool refuses the candidate. Where there is –, "
        f"the tool had no result within {extent.limit:.0f} s for all sizes up to this one, or within 8 GiB.\n\n"
        + "\n\n".join(f"{name}:\n\n{cost_table(figures, tools, name, ratio_text)}" for name in extent.costly),
        f"How often the candidate's forward and backward are called, for {extent.costly[0]}:\n\n"
        + cost_table(figures, tools, extent.costly[0], lambda each: f"{each.forwards:,} + {each.backwards:,}"),
    ]
    if any(each.tool == OURS for each in figures.costs):
        parts.append(
            "This library's as a multiple of one forward and backward of the candidate itself, which is written in plain torch "
            "code and slower than torch's own:\n\n" + own_table(figures.costs, extent.sizes)
        )
    large = [each for each in figures.costs if each.size >= SEEN]
    if large:
        parts.append(
            "The most memory that is held, as a multiple of the inputs' own: what the process held at most (`ru_maxrss`) less "
            "what it held before the call. With smaller inputs it cannot be told from what Python and torch hold anyway; – also "
            "where the call held no more than an earlier one.\n\n" + memory_table(large, tools)
        )
    if figures.imported:
        parts.append(
            f"`import gradcheck` takes {figures.imported.seconds * 1000:.0f} ms beyond the start of Python, "
            + ("and imports torch." if figures.imported.torch else "and does not import torch.")
        )
    return "\n\n".join(part for part in parts if part) + "\n"


def versions(tools: Sequence[str]) -> str:
    """What it ran on, without any path."""
    packages = sorted({TOOLS[tool].package for tool in tools} | {"torch", "numpy"})
    told = [f"{each} {importlib.metadata.version(each)}" for each in packages]
    return f"Python {platform.python_version()}, {', '.join(told)}, on {processor()}"


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, {platform.system()}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def refusal_table(figures: Figures) -> str:
    groups = sorted({group for each in figures.refusals for group in each.asked}, key=group_order)
    rows = [
        [
            group,
            *(
                f"{each.refused[group]:,} / {each.asked[group]:,}" if each.asked[group] else "–"
                for each in figures.refusals
            ),
        ]
        for group in groups
    ]
    rows.append(["all", *(f"{each.refused.total():,} / {each.asked.total():,}" for each in figures.refusals)])
    per = [each.seconds / max(1, each.asked.total()) * 1000 for each in figures.refusals]
    rows.append(["milliseconds each", *(f"{each:.1f}" for each in per)])
    return table(["", *(each.tool for each in figures.refusals)], rows)


def group_order(group: str) -> tuple[int, str]:
    return (["float64", "float32", "bfloat16", "float16"].index(group.partition(",")[0]), group)


def refused_list(figures: Figures) -> str:
    mine = [line for each in figures.refusals if each.tool == OURS for line in each.which]
    if not mine:
        return ""
    shown = "\n".join(f"- {case}: {reason}" for case, reason in mine[:20])
    more = f"\n- and {len(mine) - 20:,} more" if len(mine) > 20 else ""
    return f"This library refused these, which are right:\n\n{shown}{more}"


def smallest_text(each: Smallest) -> str:
    if not each.applicable:
        return "–"
    if each.refuses:
        return "refuses the right one"
    return "none" if each.error is None else power(each.error)


def power(error: float) -> str:
    return f"1e{round(math.log10(error))}" if error < 1 else "1"


def smallest_table(figures: Figures, tools: Sequence[str]) -> str:
    found = {(each.dtype, each.everywhere, each.function, each.tool): each for each in figures.smallest}
    asked = {(each.dtype, each.everywhere, each.function) for each in figures.smallest}
    rows = [
        [f"{dtype}, {'all entries' if everywhere else 'one entry'}", function]
        + [smallest_text(found[dtype, everywhere, function, tool]) for tool in tools]
        for dtype, everywhere, function in sorted(asked, key=lambda row: (*group_order(row[0]), not row[1], row[2]))
    ]
    return table(["", "function", *tools], rows)


def seen_table(figures: Figures, tools: Sequence[str]) -> str:
    said = {(each.kind, each.tool): each for each in figures.seen}
    words = {"caught": "caught", "passed": "**passes**", "broke": "**breaks**", "not applicable": "–"}
    rows = [
        [f"{each.function}: {each.kind}"]
        + [words[said[each.kind, tool].outcome] + ("*" if said[each.kind, tool].refuses else "") for tool in tools]
        for each in figures.seen
        if each.tool == tools[0]
    ]
    passes = [sum(each.tool == tool and each.outcome in ("passed", "broke") for each in figures.seen) for tool in tools]
    rows.append(["passed, of all", *(f"{count} / {len(rows)}" for count in passes)])
    return table(["", *tools], rows)


def ratio_text(each: Cost) -> str:
    return f"{each.ratio:,.0f}" + ("" if each.outcome == "passed" else "*")


def cost_table(figures: Figures, tools: Sequence[str], function: str, text) -> str:
    found = {
        (each.tool, each.size): each
        for each in figures.costs
        if each.function == function and each.outcome != "not applicable"
    }
    rows = [
        [tool, *(text(found[tool, size]) if (tool, size) in found else "–" for size in figures.extent.sizes)]
        for tool in tools
    ]
    return table(["", *(f"{size:,}" for size in figures.extent.sizes)], rows)


def own_table(costs: Sequence[Cost], sizes: Sequence[int]) -> str:
    found = {(each.function, each.size): each.seconds / each.own for each in costs if each.tool == OURS}
    functions = dict.fromkeys(function for function, _ in found)
    rows = [
        [name, *(f"{found[name, size]:,.0f}" if (name, size) in found else "–" for size in sizes)] for name in functions
    ]
    return table(["", *(f"{size:,}" for size in sizes)], rows)


def memory_table(large: Sequence[Cost], tools: Sequence[str]) -> str:
    columns = sorted({(each.size, each.function) for each in large})
    found = {
        (each.tool, each.size, each.function): each.memory_ratio for each in large if each.outcome != "not applicable"
    }
    rows = []
    for tool in tools:
        ratios = [found.get((tool, *column)) for column in columns]
        rows.append([tool, *("–" if ratio is None else f"{ratio:,.0f}" for ratio in ratios)])
    return table(["", *(f"{function}, {size:,}" for size, function in columns)], rows)
