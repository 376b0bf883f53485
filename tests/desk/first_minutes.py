"""The first minutes at the desk, with a clock: `python -m tests.desk.first_minutes` prints what docs/first-ten-minutes.md
says. A terminal of its own, a first exercise, a mistake, a hint, a pass.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.desk.watch_terminal import ROOT, Terminal, project, solution

NAME = "linear_model"


def main() -> None:
    right, stub = solution(NAME), (ROOT / "exercises/01_models_and_losses" / f"{NAME}.py").read_text(encoding="utf-8")
    half = right[: right.index("def backward")] + stub[stub.index("def backward") :]
    wrong = right.replace("return grad_output * w, grad_output * x", "return grad_output * x, grad_output * w")
    assert wrong != right
    with tempfile.TemporaryDirectory() as home:
        begun = time.perf_counter()
        terminal = Terminal(project(Path(home), NAME, "nearest_neighbour"), columns=80, rows=24)
        try:
            tell("first screen", terminal.wait_for("The linear model", "q quit") - begun)
            ready = lambda: terminal.screen.display[0].rstrip().endswith("ready")
            tell("ready to grade", terminal.wait_until(ready, "ready") - begun)
            for what, content, shown in (
                ("forward written", half, f"{NAME}: unfinished"),
                ("a mistake, the first one", wrong, f"{NAME}: failed"),
                ("passed", right, f"{NAME}: passed"),
                ("the mistake again", wrong, f"{NAME}: failed"),
                ("passed again", right, f"{NAME}: passed"),
            ):
                time.sleep(1)
                tell(what, -terminal.save(NAME, content) + terminal.wait_for(shown))
            begun = time.perf_counter()
            terminal.press("h")
            tell("a hint", terminal.wait_for("Hint 1 of") - begun)
        finally:
            terminal.close()


def tell(what: str, seconds: float) -> None:
    print(f"{what:<26} {seconds:5.2f} s")


if __name__ == "__main__":
    main()
