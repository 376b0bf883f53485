"""A worker: it holds one submission and answers calls until the judge has enough.

Everything that it answers comes out of a process in which a submission ran, so nobody believes a word of it; it is
honest all the same, because honest submissions need good messages.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from gradcheck.checks.candidate import InProcessCandidate, Varied
from gradcheck.checks.outcome import Fault, Outcome
from gradcheck.grading.execute import execute
from gradcheck.isolation.worker import values
from gradcheck.isolation.worker.wire import ANYTHING, Closed, Header, Silent, receive, send

if TYPE_CHECKING:
    from gradcheck.checks.tensors import Prepared


class SubmittedCode:
    """The files of a submission, by exercise; each is run when it is first asked for."""

    def __init__(self, header: Header, body: bytearray, limit_s: float) -> None:
        self.limit_s = limit_s
        self.shown: dict[str, str] = {}
        self.sources: dict[str, bytes] = {}
        self.loaded: dict[str, InProcessCandidate] = {}
        at = 0
        for exercise, shown, length in header["files"]:
            self.shown[exercise], self.sources[exercise] = shown, bytes(body[at : at + length])
            at += length

    def candidate(self, exercise: str) -> InProcessCandidate:
        """The functions of a file. A file that is not there is not started."""
        if exercise not in self.loaded:
            source, shown = self.sources.get(exercise), self.shown.get(exercise, exercise)
            if source is None:
                self.loaded[exercise] = InProcessCandidate({}, shown, Outcome("not_started"), self.limit_s)
            else:
                name = f"gradcheck_submission_{exercise}"
                self.loaded[exercise] = execute(source, name, shown, f"exercises/{shown}", self.limit_s)
                self.loaded[exercise].watched = False  # there is no automatic differentiation here to watch for
        return self.loaded[exercise]


def serve(sock: socket.socket, prepared: dict[str, Prepared]) -> None:
    """Answer until the judge closes the socket. The first frame brings the submission's files. What is `prepared` can
    be asked for once, by its name.
    """
    try:
        header, body = receive(sock, most_header=ANYTHING, most_body=ANYTHING)
        sources = SubmittedCode(header, body, float(header["limit_s"]))
        while True:
            header, body = receive(sock, most_header=ANYTHING, most_body=ANYTHING)
            send(sock, *_answer(header, body, sources, prepared))
    except (Closed, Silent):
        return


def _answer(
    header: Header, body: bytearray, sources: SubmittedCode, prepared: dict[str, Prepared]
) -> tuple[Header, bytes]:
    candidate = sources.candidate(header["exercise"])
    try:
        if header["do"] == "vary":
            return {"made": candidate.vary([Varied(*each) for each in header["variants"]])}, b""
        if "prepared" in header:
            came = candidate.play(prepared.pop(header["prepared"]))
        else:
            came = candidate.call_many(values.unpack_calls(header["calls"], body))
        return values.pack(came, candidate.printed.take())
    except BaseException as error:
        # A submission that broke what our own code stands on broke its own answer.
        fault = Fault(type(error).__name__, "the result could not be read; is something of torch or Python replaced?")
        return values.pack([Outcome("raised", fault=fault)], "")
