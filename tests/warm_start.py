"""Python as it is typed, with torch, SymPy and flint loaded already: what takes two seconds is done once for all tests.

A server has loaded them and forks for each start; what a test starts in Python's place is a small client, which hands over
arguments, folder, environment and streams, and ends as the fork ends. Only third-party modules are loaded before. With
GRADCHECK_ALL=1, elsewhere than on Linux, and where the environment says how Python itself starts, it starts cold.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile

LOADED = ("numpy", "torch", "sympy", "flint", "rich.console", "click", "jinja2")
COLD = ("PYTHONIOENCODING", "PYTHONWARNINGS", "PYTHONHASHSEED", "PYTHONSTARTUP", "PYTHONDEVMODE")


@functools.cache
def python() -> tuple[str, ...]:
    """What to write in the place of `sys.executable`, before -m, -c or a script."""
    if sys.platform != "linux" or os.environ.get("GRADCHECK_ALL") == "1":
        return (sys.executable,)
    folder = tempfile.TemporaryDirectory(prefix="warm")
    address = f"{folder.name}/socket"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    server = subprocess.Popen(  # -P: what lies beside this file is not to be taken for modules of Python
        [sys.executable, "-P", "-X", "utf8", __file__, str(listener.fileno())],
        stdin=subprocess.PIPE,  # its end tells the server that this process has ended
        stdout=subprocess.DEVNULL,
        pass_fds=[listener.fileno()],
        env=environment,
        cwd="/",
    )
    listener.close()

    def end() -> None:
        server.kill()
        server.communicate()
        folder.cleanup()

    atexit.register(end)
    return sys.executable, "-S", "-E", "-P", __file__, address


def _start(address: str, arguments: list[str]) -> int:
    """The client: stands where Python would, and ends as it does."""
    if os.environ.get("PYTHONUTF8") == "0" or any(name in os.environ for name in COLD):
        os.execv(sys.executable, [sys.executable, *arguments])
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        asked = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()
        socket.send_fds(server, [struct.pack("!I", len(asked))], [0, 1, 2])
        server.sendall(asked)
        answer = server.recv(4)
    status = struct.unpack("!i", answer)[0] if len(answer) == 4 else 1
    if status < 0:
        if -status not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _serve(listener: socket.socket) -> None:
    import importlib

    for name in LOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while 0 not in select.select([listener, 0], [], [])[0]:
        client, _ = listener.accept()
        if not os.fork():
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _look_after(client)
            os._exit(0)
        client.close()


def _look_after(client: socket.socket) -> None:
    """Fork what was asked for; end it where whoever asked is gone."""
    head, streams, _, _ = socket.recv_fds(client, 4, 3)
    asked = b""
    while len(asked) < struct.unpack("!I", head)[0]:
        asked += client.recv(1 << 16)
    arguments, folder, environment = json.loads(asked)
    child = os.fork()
    if not child:
        client.close()
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os._exit(_as_python(arguments, folder, environment))
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(child)
    if ended in select.select([client, ended], [], [])[0]:
        client.sendall(struct.pack("!i", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
    else:
        os.killpg(child, signal.SIGKILL)


def _as_python(arguments: list[str], folder: str, environment: dict[str, str]) -> int:
    import importlib
    import runpy
    import threading
    import traceback
    import types
    from pathlib import Path

    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        stream = open(
            number,
            mode,
            buffering=1 if name == "stderr" or os.isatty(number) else -1,
            encoding="utf-8",
            errors="backslashreplace" if name == "stderr" else "surrogateescape",
            closefd=False,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    importlib.invalidate_caches()
    kind, *rest = arguments
    first = folder if kind == "-m" else "" if kind == "-c" else str(Path(kind).resolve().parent)
    given = [each for each in environment.get("PYTHONPATH", "").split(os.pathsep) if each]
    sys.path[:0] = [first, *given]
    status = 0
    try:
        if kind == "-m":
            sys.argv = ["-m", *rest[1:]]
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif kind == "-c":
            sys.argv = ["-c", *rest[1:]]
            sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(rest[0], "<string>", "exec"), vars(sys.modules["__main__"]))
        else:
            sys.argv = arguments
            runpy.run_path(kind, run_name="__main__")
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if ended.code is not None and not isinstance(ended.code, int):
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or 120
    return status & 0xFF


if __name__ == "__main__":
    if len(sys.argv) == 2:
        _serve(socket.socket(fileno=int(sys.argv[1])))
    else:
        sys.exit(_start(sys.argv[1], sys.argv[2:]))
