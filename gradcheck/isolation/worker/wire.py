"""Frames on a socket: two lengths, a JSON header, raw bytes. Nothing that arrives is ever unpickled or evaluated.

Whoever reads says how much it takes, and how long it waits: lengths are compared with that before anything is
allocated.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any, Protocol

_LENGTHS = struct.Struct(">II")

MOST_HEADER = 4 << 20
MOST_BODY = 64 << 20
"""Bytes of a frame that a worker may send; the largest right answer of the catalog needs a hundredth of it."""

ANYTHING = 1 << 30
"""As much as that is taken from the judge, who is to be trusted."""

ENDING_S = 0.5
"""Who ends itself closes its socket first; so long its end is waited for, to hear what it was."""

Header = dict[str, Any]


class Patience(Protocol):
    """How long is waited."""

    def left(self) -> float:
        """Seconds to wait before asking again; 0 when it is at its end."""


class Seconds:
    """Patience for some seconds from now."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        return max(0.0, self._until - time.monotonic())


class Closed(Exception):
    """The other side is gone, or closed the socket in the middle of a frame."""


class Silent(Exception):
    """No whole frame came in time."""


class Malformed(Exception):
    """What came is no frame of ours: a length beyond bounds, no JSON, not what was asked for."""


def send(sock: socket.socket, header: Header, body: bytes | bytearray | memoryview = b"") -> None:
    """Send one frame. Raises Closed."""
    text = json.dumps(header).encode()
    try:
        sock.sendall(_LENGTHS.pack(len(text), len(body)) + text)
        if len(body):
            sock.sendall(body)
    except TimeoutError:
        raise Silent from None
    except OSError:
        raise Closed from None


def receive(
    sock: socket.socket,
    *,
    patience: Patience | None = None,
    most_header: int = MOST_HEADER,
    most_body: int = MOST_BODY,
) -> tuple[Header, bytearray]:
    """The next frame; without `patience` it is waited for as long as it takes. Raises Closed, Silent, Malformed."""
    head, length = receive_header(sock, patience=patience, most_header=most_header, most_body=most_body)
    return head, receive_exactly(sock, length, patience)


def receive_header(
    sock: socket.socket, *, patience: Patience | None, most_header: int = MOST_HEADER, most_body: int = MOST_BODY
) -> tuple[Header, int]:
    """The next frame's header and the length of the body that follows, so that it can be judged before it is read."""
    header_length, body_length = _LENGTHS.unpack(receive_exactly(sock, _LENGTHS.size, patience))
    if header_length > most_header or body_length > most_body:
        raise Malformed
    text = receive_exactly(sock, header_length, patience)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed from None
    if not isinstance(header, dict):
        raise Malformed
    return header, body_length


def receive_exactly(sock: socket.socket, length: int, patience: Patience | None) -> bytearray:
    """That many bytes. They are taken in pieces as they come, so that an announced length costs nothing by itself."""
    got = bytearray()
    while len(got) < length:
        try:
            if patience is not None:
                left = patience.left()
                if left <= 0:
                    raise Silent
                sock.settimeout(left)
            piece = sock.recv(min(length - len(got), 1 << 20))
        except TimeoutError:
            if patience is None:
                raise Silent from None
            continue
        except OSError:
            raise Closed from None
        if not piece:
            raise Closed
        got += piece
    return got
