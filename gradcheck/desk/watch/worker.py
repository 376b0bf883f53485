"""The process that grades for `gradcheck watch`: warm, and expendable.

It reads a JSON object per line from standard input and answers so on standard output: `{"ready": true}` when the
libraries are loaded, `{"at": "backward"}` when the learner's function is called, at the end of a grading the verdict
in plain data, and `{"used": …}`, what a unit that has passed now does. When its parent is gone it ends itself.
"""

from __future__ import annotations

import builtins
import gc
import json
import math
import os
import queue
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from gradcheck.checks.candidate import Candidate
from gradcheck.checks.outcome import Call, Outcome
from gradcheck.grading.processes import end

_OWN = Path(__file__).parents[2]
_OFTEN = frozenset(("_", "__warningregistry__", "manual_seed"))
"""What the libraries replace themselves: torch wraps `manual_seed` when it imports its compiler."""


class Traces:
    """Taken when nothing of the learner's has run yet. What lies below `places` is the learner's.

    Modules of the learner's own are forgotten again, so that the next grading reads their files anew. What cannot be
    undone with certainty makes the process `soiled`: library functions replaced, threads that still run.
    """

    def __init__(self, *places: Path) -> None:
        import torch

        self._watched: list[ModuleType | type] = [
            torch,
            torch.Tensor,
            torch.nn.functional,
            torch.linalg,
            math,
            builtins,
        ]
        self._before = [dict(vars(each)) for each in self._watched]
        self._path, self._modules = list(sys.path), set(sys.modules)
        self._threads = set(threading.enumerate())
        self._places = [place.resolve() for place in places]
        paths = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
        self._libraries = [_OWN, *(Path(path).resolve() for path in paths)]

    def clear(self) -> bool:
        """Undo what can be undone; whether the process is as good as new."""
        sys.path[:] = self._path
        for name in set(sys.modules) - self._modules:
            if self._is_learners(sys.modules[name]):
                del sys.modules[name]
            else:
                self._modules.add(name)
        return not (self._replaced() or set(threading.enumerate()) - self._threads)

    def _replaced(self) -> bool:
        """Whether a name of a library means something else now. More names may come: libraries load parts late."""
        return any(
            now.get(name) is not value and name not in _OFTEN
            for each, before in zip(self._watched, self._before, strict=True)
            for now in (vars(each),)
            for name, value in before.items()
        ) or any(name not in self._before[1] for name in vars(self._watched[1]))

    def _is_learners(self, module: ModuleType | None) -> bool:
        file = getattr(module, "__file__", None)
        if not isinstance(file, str):
            return False
        path = Path(file).resolve()
        libraries = any(path.is_relative_to(library) for library in self._libraries)  # .venv lies beside exercises/
        return not libraries and any(path.is_relative_to(place) for place in self._places)


PRINTED = 12
"""Lines of what the learner's code printed that are handed on."""

WIDTHS = (36, 46, 56, 66, 76, 80, 96)
"""A failure is told for screens of these widths: who shows it may be made wider and narrower."""

_SIGN_OF_LIFE_S = 0.5

Request = dict[str, Any]
Send = Callable[[dict[str, Any]], None]


def main() -> None:
    """Serve until the parent closes the pipe."""
    requests, send = _channel()
    _serve(requests, send)


def _channel() -> tuple[queue.SimpleQueue[Request], Send]:
    """The pipes under numbers that the learner's code does not know: whatever it writes to 0, 1 and 2 goes nowhere."""
    incoming, outgoing = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(incoming, requests), daemon=True, name="requests").start()

    def send(answer: dict[str, Any]) -> None:
        with suppress(BrokenPipeError):
            outgoing.write(json.dumps(answer) + "\n")
            outgoing.flush()

    return requests, send


def _read(incoming: TextIO, requests: queue.SimpleQueue[Request]) -> None:
    with suppress(OSError, ValueError):
        for line in incoming:
            requests.put(json.loads(line))
    end()  # the parent is gone; whatever runs is of no use any more


def _serve(requests: queue.SimpleQueue[Request], send: Send) -> None:
    import torch

    from gradcheck.grading.load import Warm

    gc.set_threshold(50_000, 20, 20)  # a grading makes little garbage; looking for it took a tenth of the time
    torch.set_num_threads(1)  # the tensors are small, and a thread pool does not outlive a fork
    if hasattr(os, "register_at_fork"):
        # A fork of the learner's code would go on grading beside us, and fork again in every call.
        os.register_at_fork(after_in_child=lambda: os._exit(0))
    sys.dont_write_bytecode = True  # a helper module saved twice in a second would be read from its bytecode
    first = requests.get()  # where and how: the same for all that follow
    send({"ready": True})
    os.dup2(1, 2)  # up to here an error of ours was worth reading
    limit_s, state = float(first["limit_s"]), Path(first["state"])
    warm = Warm(state / "cache")
    traces = Traces(Path.cwd(), Path(first["folder"]))
    steps: Iterator[None] | None = _libraries()
    while True:
        try:
            request = requests.get(block=steps is None)
        except queue.Empty:
            assert steps is not None
            steps = steps if _another(steps) else None
            continue
        if "warm" in request:
            steps = _prepared(warm, request["warm"])
            continue
        if "use" in request:
            answer = _used(request["use"], Path(first["folder"]), limit_s)
        else:
            answer = _grade(request, warm, limit_s, send)
        answer["fresh"] = traces.clear() and answer["fresh"]
        send(answer)
        if "exercise" in answer:
            _remember(answer, state)
        if not answer["fresh"]:
            return


def _another(steps: Iterator[None]) -> bool:
    """Do one more step of what may be useful soon. A step that fails will fail again where it is reported."""
    try:
        next(steps)
    except StopIteration:
        gc.collect()
        gc.freeze()  # the libraries' own objects are not looked through again
        return False
    except Exception:
        return False
    return True


def _libraries() -> Iterator[None]:
    """What the first failure needs."""
    import gradcheck.grading.grade

    yield
    import gradcheck.checks.shrink
    import gradcheck.diagnosis.diagnose
    import gradcheck.reports.message  # noqa: F401

    yield


def _prepared(warm: Any, name: str) -> Iterator[None]:
    from gradcheck.catalog import find_exercise

    yield from _libraries()
    yield from warm.prepare(find_exercise(name))


class _Telling(Candidate):
    """A candidate that says which function is called, so that the parent knows it if the process dies in it, and that
    there is still life in it.
    """

    def __init__(self, candidate: Candidate, send: Send) -> None:
        self._candidate, self._send, self._last, self._told = candidate, send, "", 0.0
        self.printed = candidate.printed

    def call_many(self, calls: Sequence[Call]) -> list[Outcome]:
        now, function = time.monotonic(), calls[0].function
        if function != self._last or now > self._told + _SIGN_OF_LIFE_S:
            self._last, self._told = function, now
            self._send({"at": function})
        return self._candidate.call_many(calls)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._candidate, name)


def _grade(request: Request, warm: Any, limit_s: float, send: Send) -> dict[str, Any]:
    from msgspec import to_builtins

    from gradcheck.catalog import find_exercise
    from gradcheck.grading.grade import unless_we_fail, verification_of
    from gradcheck.grading.last_results import digest_of
    from gradcheck.grading.load import load_candidate
    from gradcheck.grading.report import ExerciseReport
    from gradcheck.reports.computation import computation_of
    from gradcheck.reports.heatmap import picture_lines
    from gradcheck.reports.matrices import comparison_of
    from gradcheck.reports.message import failure_lines
    from gradcheck.reports.reproduce import snippet
    from gradcheck.showing.text import printable

    exercise, path, shown = find_exercise(request["grade"]), Path(request["path"]), str(request["shown"])
    digest = digest_of(path)
    candidate = load_candidate(exercise, path, shown, limit_s)
    verification = verification_of(exercise, _Telling(candidate, send), warm.seed, warm.cache)
    verification.benches = warm.benches(exercise)
    report = unless_we_fail(exercise, warm.seed, lambda: ExerciseReport(exercise, tuple(verification.results())))
    results, failures = report.results, report.told
    matrix = comparison_of(failures[0], verification) if failures else None
    return {
        "exercise": exercise.name,
        "digest": digest,
        "state": report.state,
        "checks": [[result.function, result.check, result.status] for result in results],
        "failure": {each: failure_lines(failures[0], shown, width=each) for each in WIDTHS} if failures else {},
        "computation": to_builtins(computation_of(failures[0])) if failures else None,
        "picture": {each: picture_lines(matrix, width=each) for each in WIDTHS} if matrix else {},
        "snippet": snippet(failures[0], shown) if failures else "",
        "code": failures[0].code if failures else "",
        "more": [f"{result.function}.{result.check}" for result in failures[1:]],
        "printed": printable(candidate.printed.take()).splitlines()[: PRINTED + 1],
        # An interrupted call may have left anything half done.
        "fresh": not any(result.code == "timed-out" for result in failures),
    }


def _used(unit: str, folder: Path, limit_s: float) -> dict[str, Any]:
    """What the pieces of a unit do together. Whatever goes wrong in it, they have passed: then nothing is said."""
    from gradcheck.catalog import find_exercise
    from gradcheck.grading.load import load_candidate
    from gradcheck.grading.located import locate

    def find(name: str) -> Candidate | None:
        path = locate(folder, find_exercise(name))
        return load_candidate(find_exercise(name), path, path.name, limit_s) if path.is_file() else None

    try:
        from gradcheck.reports.uses import use_of

        return {"used": use_of(unit, find), "fresh": True}
    except Exception:
        return {"used": "", "fresh": False}


def _remember(answer: dict[str, Any], state: Path) -> None:
    from gradcheck.catalog import find_exercise
    from gradcheck.grading.last_results import remember

    checks = {f"{function}.{check}": status for function, check, status in answer["checks"]}
    remember(find_exercise(answer["exercise"]), answer["digest"], checks, state)


if __name__ == "__main__":
    main()
