"""How much of the labelled submissions' failing cases can be redone by hand.

`python -m tests.diagnosis.by_hand [every]` prints what every such submission is told, and last the shares.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from gradcheck.checks.cases import walk
from gradcheck.checks.outcome import Argument
from gradcheck.checks.results import CheckResult
from gradcheck.reports.message import failure_text
from tests.diagnosis.diagnosed import first_failure
from tests.diagnosis.labelled import SUBMISSIONS

ENTRIES = 4


def tensors_shown(result: CheckResult) -> Iterator[np.ndarray]:
    """Of a call that raised shapes are shown, and no numbers."""
    example = result.counterexample
    if example is not None and result.status != "errored":
        yield from (np.asarray(leaf.values) for _, leaf in walk(example.arguments) if isinstance(leaf, Argument))


def _digit(values: np.ndarray) -> np.ndarray:
    """The nearest whole numbers of one digit, zeros behind it not counted: -3, 200."""
    size = 10.0 ** np.floor(np.log10(np.maximum(np.abs(values), 1)))
    return np.round(values / size) * size


def by_hand(result: CheckResult) -> bool:
    """Whether every tensor shown has few entries, all of them whole numbers of one digit (at edges with zeros)"""
    shown = list(tensors_shown(result))
    whole = all(np.all(_digit(each) == each) for each in shown)
    return whole and max((each.size for each in shown), default=0) <= ENTRIES


def main() -> int:
    every = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    share, longest = [], []
    with tempfile.TemporaryDirectory() as cache:
        for each in SUBMISSIONS[::every]:
            torch.manual_seed(0)
            began = time.process_time()
            result = first_failure(each.exercise, each.function, each.wrong, Path(cache), shrink=True)
            took = time.process_time() - began
            if result is None:
                continue
            share.append(by_hand(result))
            longest.append(took)
            sys.stdout.write(
                f"{'' if share[-1] else 'LONG '}{each.exercise}.{each.function}: {each.name} ({took:.1f} s, {result.check})\n"
                f"{failure_text(result, each.exercise + '.py')}\n\n"
            )
            sys.stdout.flush()
    sys.stdout.write(f"redone by hand: {sum(share)} of {len(share)}; {sorted(longest)[len(longest) // 2]:.2f} s each\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
