"""This library beside other tools that check gradients: writes docs/benchmarks.md. `make bench-verify`.

Exits with 1 if a goal is missed: the page says which.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.benchmarks.peers.peer_judges import TOOLS
from tests.benchmarks.peers.peer_measures import QUICK, Extent, measured, print_costs
from tests.benchmarks.peers.peer_page import goals_of, page

PAGE = Path(__file__).parents[3] / "docs" / "benchmarks.md"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="little of everything: to try the script, not for the page"
    )
    parser.add_argument("--out", type=Path, help="the page to write (default: docs/benchmarks.md; none for --quick)")
    parser.add_argument("--tool", action="append", choices=TOOLS, help="only this one (again for others)")
    parser.add_argument("--cost", nargs="+", metavar=("TOOL", "FUNCTION SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.cost:
        tool, function, *sizes = options.cost
        print_costs(tool, function, map(int, sizes))
        return 0
    tools = [TOOLS[name] for name in options.tool or TOOLS]
    missing = [tool.name for tool in tools if not tool.installed]
    if missing:
        print(
            f'Left out, since not installed (python -m pip install -c constraints.txt -e ".[peers]"): {", ".join(missing)}',
            file=sys.stderr,
        )
    figures = measured(
        QUICK if options.quick else Extent(),
        [tool for tool in tools if tool.installed],
        lambda text: print(text, file=sys.stderr, flush=True),
    )
    out = options.out or (None if options.quick else PAGE)
    text = page(figures)
    if out is None:
        print(text)
    else:
        out.write_text(text, encoding="utf-8")
    missed = [goal for goal in goals_of(figures) if not goal.met]
    for goal in missed:
        print(f"Missed: {goal.text}: {goal.found}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
