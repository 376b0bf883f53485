"""Small files that outlive a command and that several processes change: read up to a bound, replaced whole.

The lock is by hand, in a dozen lines: it is a file that is gone afterwards, so that nothing of it is handed in beside
the exercises, while filelock leaves its file behind where the system locks, and is one more import of every command.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STALE_S = 10.0
"""A lock this old was left by a process that died: a change takes milliseconds."""
_PATIENCE_S = 2.0


def read_small(path: Path, most: int) -> bytes | None:
    """What a plain file holds, or None: it is absent, no plain file (a pipe would never end), or beyond `most` bytes.

    Raises OSError where it may not be read.
    """
    if not path.is_file():
        return None
    with path.open("rb") as file:
        content = file.read(most + 1)
    return content if len(content) <= most else None


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file in one step, so that nobody ever reads half of it. Its mode stays.

    Raises OSError; the file is then as it was.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        with suppress(FileNotFoundError):
            part.chmod(target.stat().st_mode & 0o777)
        part.replace(target)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """While nobody else changes `path`. Raises OSError where the folder takes no file, or the lock is not given up."""
    lock = path.with_name(f"{path.name}.lock")
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            with suppress(FileNotFoundError):
                if time.time() - lock.lstat().st_mtime > _STALE_S:
                    lock.unlink()
            if time.monotonic() > until:
                raise OSError(errno.EBUSY, "another command is changing it", str(path)) from None
            time.sleep(0.01)
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()
