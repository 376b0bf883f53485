"""The grading process as its parent sees it: asked, listened to, ended and replaced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from gradcheck.checks.limits import WAITING, Allowance, time_of_process
from gradcheck.desk.watch import Post
from gradcheck.errors import GradcheckError

SILENT = 6
"""A grading may go without a new call for so many times as long as one call may take."""

_START = "import sys; sys.path[:] = {path!r}; from gradcheck.desk.watch.worker import main; main()"


class Grader:
    """One process at a time. What it answers is posted as `("answer", object)`.

    `busy` names what is being graded, `at` the learner's function that was called last, `since` when it was asked for,
    `silence` how much longer it may go without a sign of life.
    """

    def __init__(self, post: Post, folder: Path, state: Path, limit_s: float) -> None:
        self.post, self.folder, self.state, self.limit_s = post, folder, state, limit_s
        self.busy, self.at, self.since = "", "", 0.0
        self.ready = False
        self._warmed = ""
        self._failed_starts = 0
        self._start()

    def _start(self) -> None:
        self.busy, self.at, self.ready = "", "", False
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 — closed when the process is
        # A session of its own: Ctrl-C is for the parent, and a fork of the learner's code is ended with the rest.
        self._process = subprocess.Popen(  # noqa: S603 — this very interpreter
            [sys.executable, "-c", _START.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        self.heard()
        self._send({"limit_s": self.limit_s, "folder": str(self.folder), "state": str(self.state)})

    def heard(self) -> None:
        """It gives a sign of life: with every new call, and what the process computes itself takes far less."""
        pid = self._process.pid
        self.silence = Allowance(SILENT * self.limit_s, (WAITING + SILENT) * self.limit_s, lambda: time_of_process(pid))

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with suppress(OSError, ValueError):
            for line in process.stdout:
                self.post("answer", (process.pid, json.loads(line)))
        self.post("silent", process.pid)

    def take(self, told: tuple[int, dict[str, Any]]) -> dict[str, Any] | None:
        """What was posted, if it is a verdict or what a unit now does; what an earlier process said is dropped."""
        pid, answer = told
        if pid != self._process.pid:
            return None
        if "ready" in answer:
            self.ready, self._failed_starts = True, 0
            self.heard()
        elif "at" in answer:
            self.at = answer["at"]
            self.heard()
        elif "exercise" in answer or "used" in answer:
            self.busy = "" if "exercise" in answer else self.busy
            if not answer["fresh"]:
                self.restart()
            return answer
        return None

    def ask(self, name: str, path: Path, shown: str) -> None:
        """Grade a file."""
        self.busy, self.at, self.since = name, "", time.monotonic()
        self.heard()
        self._send({"grade": name, "path": str(path.resolve()), "shown": shown})

    def warm(self, name: str) -> None:
        """Prepare what a grading of `name` will need, while nothing else is asked."""
        if name != self._warmed:
            self._warmed = name
            self._send({"warm": name})

    def use(self, unit: str) -> None:
        """Have it told what the pieces of `unit`, all of which pass, now do."""
        self._send({"use": unit})

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):  # it died: `ended` says so
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def ended(self) -> str:
        """How the process died, in words; empty while it lives."""
        code = self._process.poll()
        if code is None:
            return ""
        if code >= 0:
            return f"exit code {code}"
        with suppress(ValueError):
            return (signal.strsignal(-code) or f"signal {-code}").lower()
        return f"signal {-code}"

    def restart(self) -> None:
        """Another process in place of this one. Raises GradcheckError where none starts."""
        if not self.ready and self._process.poll() is not None:
            self._failed_starts += 1
            if self._failed_starts > 1:
                raise GradcheckError(f"the process that grades does not start: {self._last_words()}")
        self.stop()
        self._warmed = ""
        self._start()

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read()[-4000:].decode("utf-8", errors="replace").split("\n")
        said = [line for line in lines if line.strip()]
        return said[-1].strip() if said else f"it ended with {self.ended()} and said nothing"

    def stop(self) -> None:
        """End it, and all that the learner's code started within it."""
        with suppress(OSError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._errors):
            assert stream is not None
            with suppress(OSError, ValueError):
                stream.close()
