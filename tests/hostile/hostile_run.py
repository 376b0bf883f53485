"""Grades the whole hostile class with the real command, once, and looks at everything it could have touched."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hostile.hostile_record import FULL, Place
from tests.hostile.submissions import SUBMISSIONS, write

ROOT = Path(__file__).parents[2]
LIMIT_S = 400
TOKEN = "gradcheck-hostile-marker"
WRITABLE_BY_ALL = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
COURSE = f"""[course]
title = "A hostile class"
[exercises]
only = {json.dumps(list(FULL))}
[limits]
call_s = 1.0
submission_s = 12.0
"""
VICTIM = "kept as it is\n"
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: orphans become this process's children, whatever session they are in


@dataclass
class Graded:
    """What came of the run."""

    place: Place
    code: int
    said: str
    seconds: float
    class_report: dict[str, Any]
    reports: dict[str, dict[str, Any]]
    connections: int
    survivors: list[str]
    markers: list[str]
    victim: tuple[str, int, int]
    victim_before: tuple[str, int, int]
    layers: set[str] = field(default_factory=set)


def _strict(text: str) -> Any:
    def no_constant(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, parse_constant=no_constant)


@contextmanager
def _listening() -> Iterator[tuple[int, list[int]]]:
    """A server on the loopback, TCP and UDP on one port, and a list with an entry for everything that reached it."""
    reached: list[int] = []
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        port = server.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        server.settimeout(0.2)
        datagrams.settimeout(0.2)
        done = threading.Event()

        def listen() -> None:
            while not done.is_set():
                with suppress(OSError):
                    server.accept()[0].close()
                    reached.append(1)

        def hear() -> None:
            while not done.is_set():
                with suppress(OSError):
                    datagrams.recv(99)
                    reached.append(1)

        threads = [threading.Thread(target=each) for each in (listen, hear)]
        for thread in threads:
            thread.start()
        try:
            yield port, reached
        finally:
            done.set()
            for thread in threads:
                thread.join()


def _state(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return path.read_text(), found.st_mode, found.st_mtime_ns


def _children() -> set[str]:
    found: set[str] = set()
    with suppress(OSError):
        for task in Path("/proc/self/task").iterdir():
            found |= set((task / "children").read_text().split())
    return found


def _survivors(token: str, before: set[str]) -> list[str]:
    """Processes that the run left behind: those with its environment, and orphans that came to us."""
    found = set()
    for pid in _children() - before:
        with suppress(OSError):  # an orphan that came to us: dead, unless this gives nothing
            if os.waitpid(int(pid), os.WNOHANG) == (0, 0):
                found.add(pid)
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if token.encode() in (each / "environ").read_bytes():
                found.add(each.name)
    return sorted(f"{pid} {_command(pid)}" for pid in found)


def _command(pid: str) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200]
    return ""


def _markers(place: Place, home: Path, here: Path) -> list[str]:
    found = list(place.markers.rglob("*"))
    for folder in (*WRITABLE_BY_ALL, home, here, place.out / "reports", place.class_folder, place.package):
        found += folder.glob(f"*{TOKEN}*") if folder in WRITABLE_BY_ALL else folder.rglob(f"*{TOKEN}*")
    found += place.package.rglob("gradcheck_hostile_marker*")
    return sorted(map(repr, map(str, found)))


def run(root: Path, names: list[str]) -> Graded:
    """Write the submissions of these names below `root` and grade them."""
    for folder in WRITABLE_BY_ALL:
        (folder / TOKEN).unlink(missing_ok=True)
    made = [root / name for name in ("markers", "victims", "class", "home", "here")]
    for folder in made:
        folder.mkdir()
    markers, victims, class_folder, home, here = made
    victim = victims / "kept"
    victim.write_text(VICTIM)
    token = f"GRADCHECK_HOSTILE_RUN_{uuid.uuid4().hex}"
    with _listening() as (port, reached):
        place = Place(markers, victims, class_folder, root / "out", ROOT / "solutions", ROOT / "gradcheck", port)
        for name in names:
            write(SUBMISSIONS[name], place)
        (root / "course.toml").write_text(COURSE)
        before = _state(victim)
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None
        if libc:
            libc.prctl(_SUBREAPER, 1, 0, 0, 0)
        ours = _children()
        start = time.monotonic()
        code, said = _command_run(root, home, here, token)
        seconds = time.monotonic() - start
        time.sleep(0.5)  # for what would write a little later
        survivors = _survivors(token, ours)
        if libc:
            libc.prctl(_SUBREAPER, 0, 0, 0, 0)
    class_file = place.out / "class.json"
    class_report = _strict(class_file.read_text()) if class_file.exists() else {"submissions": []}
    reports = {row["name"]: _strict((place.out / row["report"]).read_text()) for row in class_report["submissions"]}
    layers = {layer["name"] for layer in class_report.get("sandbox", ()) if layer["held"]}
    after, found = _state(victim) if victim.exists() else ("", 0, 0), _markers(place, home, here)
    graded = Graded(
        place, code, said, seconds, class_report, reports, len(reached), survivors, found, after, before, layers
    )
    shutil.rmtree(class_folder, ignore_errors=True)
    return graded


def _command_run(root: Path, home: Path, here: Path, token: str) -> tuple[int, str]:
    """The command's exit code, and all that it wrote."""
    line = [sys.executable, "-m", "gradcheck", "grade", str(root / "class"), "--out", str(root / "out")]
    environment = {**os.environ, token: "1", "HOME": str(home), "COLUMNS": "100", "GRADCHECK_HOSTILE": "1"}
    with (root / "said").open("wb") as said:
        process = subprocess.Popen(
            [*line, "--course", str(root / "course.toml")],
            cwd=here,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            code = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            code = -1
    return code, (root / "said").read_text(errors="surrogateescape")
