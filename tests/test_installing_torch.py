"""What `make learn` begins with: torch for CPUs where PyTorch's index can be reached, and never no torch for want of it.

Both indexes are folders served on the loopback, and torch a wheel that weighs nothing.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from tests.authoring.light_wheels import wheelhouse

pytestmark = [
    pytest.mark.outside,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the usual index has no CUDA"),
]
ROOT = Path(__file__).parents[1]
VERSION = re.findall(r"(?m)^torch==(\S+)", (ROOT / "constraints.txt").read_text())[0]


class Index(SimpleHTTPRequestHandler):
    """The folders below `cpu` and `usual`; `asked` notes what for."""

    asked: ClassVar = []

    def do_GET(self):
        self.asked.append(self.path)
        if "/broken/" in self.path and self.path.endswith(".whl"):
            self.send_error(404)
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("indexes")
    # The first wheel of a house leads to the real libraries, and so is another one.
    for name, version in {
        "cpu": f"{VERSION}+cpu",
        "broken": f"{VERSION}+cpu",
        "old": "1.0+cpu",
        "usual": VERSION,
    }.items():
        wheelhouse(folder / name / "torch", f"nothing==1 torch=={version}")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Index, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    made = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(made)], check=True, timeout=120)
    return made


@pytest.fixture
def install(address, environment):
    """Runs the script with an index of builds for CPUs; what it said, and the version that is there afterwards."""

    def run(index):
        settings = {"PIP_INDEX_URL": f"{address}/usual", "PIP_CONFIG_FILE": "/dev/null", "GRADCHECK_TORCH_INDEX": index}
        command = [str(environment / "bin/python"), str(ROOT / ".ci/install_torch.py")]
        done = subprocess.run(command, env=settings, capture_output=True, encoding="utf-8", timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout, *(each.name.split("-")[1][:-5] for each in environment.rglob("torch-*.dist-info"))

    yield run
    for each in environment.rglob("torch-*.dist-info"):
        shutil.rmtree(each)


def test_the_build_for_cpus_is_taken_where_its_index_is_there_and_nothing_is_asked_again(install, address):
    said, version = install(f"{address}/cpu")
    assert version == f"{VERSION}+cpu"
    assert said == "torch: PyTorch's build for CPUs, 190 MB to download, 700 MB on disk.\n"
    Index.asked.clear()
    assert install(f"{address}/cpu") == ("", version)
    assert Index.asked == []


def silent():
    """A server that takes connections, and says nothing for ever."""
    taking = socket.create_server(("127.0.0.1", 0))
    return taking, f"http://127.0.0.1:{taking.getsockname()[1]}/cpu"


@pytest.mark.parametrize("trouble", ["closed", "silent", "missing", "old"])
def test_the_usual_index_serves_where_the_other_does_not_answer_or_has_no_such_build(install, address, trouble):
    taking, deaf = silent()
    if trouble == "closed":
        taking.close()
    with taking:
        index = deaf if trouble in {"closed", "silent"} else f"{address}/{trouble}"
        said, version = install(index)
    assert version == VERSION
    assert said.splitlines() == [
        f"{index}, PyTorch's builds for CPUs, cannot be reached, or has no torch {VERSION} for this Python.",
        "torch: from the usual index, which may bring gigabytes of CUDA libraries.",
    ]


def test_a_build_that_does_not_come_is_no_end_of_it(install, address):
    said, version = install(f"{address}/broken")
    assert version == VERSION
    assert said.splitlines()[1] == "PyTorch's build for CPUs did not install."


def test_the_readme_tells_the_sizes_that_are_told_when_installing():
    """Of all that a learner downloads, to the next ten megabytes."""
    said = (ROOT / ".ci/install_torch.py").read_text() + (ROOT / "Makefile").read_text()
    downloads = [int(re.findall(pattern, said)[0]) for pattern in (r"CPUs, (\d+) MB", r"once: (\d+) MB")]
    assert f"{sum(downloads)} MB" in (ROOT / "README.md").read_text(encoding="utf-8")
