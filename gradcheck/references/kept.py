"""What was derived or computed of an operator, kept between runs: it is there again without SymPy or torch.

A file per operator under the cache folder. Its name carries a digest of the mathematics' source and of the libraries'
versions, so a stale one is never found rather than detected; its first line is a digest of name and content, so one
that is broken or somebody else's counts as empty.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import Any

from gradcheck.operators.record import Operator

LIBRARIES = ("sympy", "python-flint", "numpy", "torch")
"""Those whose versions an expected value may depend on."""


@cache
def digest_of_mathematics() -> str:
    """A digest of all that expected values and formulas depend on, besides the record and the inputs."""
    from importlib.metadata import version

    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for folder in ("operators", "references", "numbers"):
        for path in sorted((package / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    for library in LIBRARIES:
        digest.update(version(library).encode())
    return digest.hexdigest()[:16]


class KeptFile:
    """Of one operator, or of what `name` and `described` (all that it depends on) stand for. Without a folder, or with
    one that cannot be written, it only remembers.
    """

    def __init__(self, of: Operator | str, folder: Path | None, described: str = "") -> None:
        self.name = of if isinstance(of, str) else of.name
        described = described if isinstance(of, str) else _described(of)
        self.path = folder / f"{self.name}-{_digest(digest_of_mathematics() + described)[:16]}.json" if folder else None
        self.texts: dict[str, Any] = _load(self.path)
        self.dirty = False

    def known(self, key: str) -> str:
        """What was noted under `key`; empty where nothing was."""
        found = self.texts.get(f"noted {key}")
        return found if isinstance(found, str) else ""

    def note(self, key: str, found: str) -> None:
        """Keep what was found, until `save` writes it."""
        self.texts[f"noted {key}"] = found
        self.dirty = True

    def text(self, key: str, make: Callable[[], str]) -> str:
        """What was noted under `key`, made and saved on first use."""
        if not self.known(key):
            self.note(key, make())
            self.save()
        return self.known(key)

    def save(self) -> None:
        """Write what is new. Two processes may do so at once: each replaces the whole file, none leaves half of one."""
        if not self.dirty or self.path is None:
            return
        self.texts = _load(self.path) | self.texts | self._fresh()
        self.dirty = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, suffix=".part")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(sealed(self.path.name, json.dumps(self.texts)))
            Path(name).replace(self.path)
        except OSError:
            return  # a read-only folder costs time on the next run, nothing else

    def _fresh(self) -> dict[str, Any]:
        """What else is to be written."""
        return {}


def sealed(name: str, body: str) -> str:
    """The text of the file of that name, which says by itself whether it was changed since."""
    return f"{_digest(name + body)}\n{body}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _described(operator: Operator) -> str:
    # A record may live outside this package (a new exercise's), so its own text counts too.
    return repr([getattr(operator, name) for name in operator.__dataclass_fields__ if name != "function"])


def _load(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        status = path.stat()
        return dict(_parsed(path, status.st_mtime_ns, status.st_size)) if S_ISREG(status.st_mode) else {}
    except (OSError, ValueError, RecursionError):
        return {}


@lru_cache(maxsize=32)
def _parsed(path: Path, _changed: int, _size: int) -> dict[str, Any]:
    """A file's records; read once while it stays as it is."""
    text = path.read_text(encoding="utf-8")
    body = text.partition("\n")[2]
    loaded = json.loads(body) if text == sealed(path.name, body) else {}
    return loaded if isinstance(loaded, dict) else {}
