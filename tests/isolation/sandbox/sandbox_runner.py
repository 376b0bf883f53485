"""One process as a grader would start it: enters namespaces, prepares, and runs each snippet in a confined child.

`python sandbox_runner.py REQUEST`, a JSON object: "module" and "table" of the snippets, "without" (layers left out),
"torch", "place", "limits". Prints a JSON object: "layers", and "outcomes" by name.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
import zlib
from dataclasses import astuple
from pathlib import Path

from gradcheck.isolation.sandbox.confine import Confinement, readable_places
from gradcheck.isolation.sandbox.limits import Limits
from gradcheck.isolation.sandbox.namespaces import enter, keep_only


def main():
    request = json.loads(sys.argv[1])
    place = Path(request["place"])
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        os.environ["PORT"] = str(server.getsockname()[1])
        abstract.bind(f"\0gradcheck {zlib.crc32(str(place).encode())}")  # tests beside this one have places too
        abstract.listen()
        layers = [astuple(layer) for layer in enter(without=tuple(request["without"]))]
        module = importlib.import_module(request["module"])
        if request.get("torch"):
            warm_up()
        places = readable_places()
        layers.append(astuple(keep_only(places, request["without"])))
        confinement = Confinement.prepare(Limits(**request.get("limits", {})), places, without=request["without"])
        outcomes = {}
        for name, snippet in getattr(module, request["table"]).items():
            outcomes[name], confined = run(confinement, snippet, place)
        print(json.dumps({"layers": [*layers, *confined], "outcomes": outcomes}))


def warm_up():
    import torch

    torch.set_num_threads(1)
    x = torch.ones(3, 3, requires_grad=True)
    (x @ x).sum().backward()


def run(confinement, snippet, place):
    """The snippet's outcome in a child, and the child's layers."""
    function = snippet[0] if isinstance(snippet, tuple) else snippet
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            signal.alarm(60)
            null = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1, 2):
                os.dup2(null, standard)
            layers = confinement.apply([writer])
            os.write(writer, json.dumps([astuple(layer) for layer in layers]).encode() + b"\n")
            try:
                outcome = "succeeded" if function(place) else "refused"
            except BaseException as error:
                outcome = f"raised {type(error).__name__}: {error}"
            os.write(writer, json.dumps(outcome).encode() + b"\n")
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        lines = answer.read().splitlines()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    confined = json.loads(lines[0]) if lines else []
    if len(lines) > 1:
        return json.loads(lines[1]), confined
    if code < 0:
        return f"killed by {signal.Signals(-code).name}", confined
    return "replaced" if lines else "nothing", confined


if __name__ == "__main__":
    main()
