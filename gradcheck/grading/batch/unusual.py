"""Words in a file that no exercise needs: for the instructor's eyes, never for the score.

A worker notices automatic differentiation with the help of the very process that a submission runs in, and who takes
that process over can hide it: the numbers are then right, and nothing that comes back tells. What such a file is made
of can be read all the same. Whoever spells these words in pieces is not found; a person who looks will wonder why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_WORDS = (
    r"gradcheck|autodiff_guard|AutodiffGuard|TorchFunctionMode|TorchDispatchMode|DisableTorchFunction|torch\._C|"
    r"torch\.overrides|_getframe|__subclasses__|__globals__|__builtins__|__import__|__code__|f_back|f_locals|"
    r"\bctypes\b|\bgc\b|\binspect\b|\bmarshal\b|\bpickle\b|\bsubprocess\b|\bsocket\b|\bsignal\b|\bthreading\b|"
    r"\bos\.(?:_exit|fork|kill|system|dup2?|exec\w*|spawn\w*|posix_spawn)\b|\beval\s*\(|\bexec\s*\(|"
    r"\bsys\.(?:modules|settrace|setprofile|meta_path)\b"
)
_FOUND = re.compile(_WORDS.encode())
_MOST = 4


def unusual(sources: Mapping[str, bytes]) -> tuple[str, ...]:
    """A sentence for each exercise's file that has such words."""
    told = []
    for name, source in sources.items():
        words = list(dict.fromkeys(found.group().decode().rstrip("( \t") for found in _FOUND.finditer(source)))
        if words:
            more = ", …" if len(words) > _MOST else ""
            told.append(f"{name} has words that no exercise needs ({', '.join(words[:_MOST])}{more}); look at it")
    return tuple(told)
