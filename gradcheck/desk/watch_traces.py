"""What a learner's code leaves behind in the process that ran it. A file must be graded by what it holds, not by what
an earlier one did.
"""

from __future__ import annotations

import builtins
import math
import sys
import sysconfig
import threading
from pathlib import Path
from types import ModuleType

_OWN = Path(__file__).parents[1]
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
