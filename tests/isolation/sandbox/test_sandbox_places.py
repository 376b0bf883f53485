"""What may be read: never gradcheck, never a home, whatever lies below what."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gradcheck.grading import execute
from gradcheck.grading.execute import top_level
from gradcheck.isolation.sandbox import places
from gradcheck.isolation.sandbox.places import listed_places, needed_places, readable_places

if sys.platform != "linux":
    pytest.skip("places are Linux's", allow_module_level=True)

REPOSITORY = Path(__file__).resolve().parents[3]


def inside(path, folders):
    return any(folder == path or folder in path.parents for folder in folders)


@pytest.fixture(scope="module")
def readable():
    return readable_places()


def test_python_torch_and_numpy_can_be_read(readable):
    for name in ("os", "numpy", "torch", "sympy"):
        module = __import__(name)
        assert inside(Path(module.__file__).resolve(), readable), module
    for path in needed_places():
        assert inside(path.resolve(), readable)


@pytest.mark.outside
def test_mapped_libraries_can_be_read(readable):
    told = subprocess.run(
        [sys.executable, "-c", "import torch; print(open('/proc/self/maps').read())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    mapped = {line.split(maxsplit=5)[-1].strip() for line in told.splitlines() if ".so" in line}
    assert any("torch" in path for path in mapped)
    assert not {path for path in mapped if path.startswith("/") and not inside(Path(path).resolve(), readable)}


def test_nothing_else_can(readable):
    for path in (REPOSITORY / "gradcheck", REPOSITORY / "solutions", REPOSITORY / "tests", Path.cwd(), Path.home()):
        assert not inside(path, readable), path
    for path in ("/proc", "/root", "/home", "/tmp", "/etc/passwd", "/etc/shadow", "/var", "/dev", "/boot"):
        assert not inside(Path(path), readable), path
    for package in ("hypothesis", "_pytest", "gradcheck-0.1.0.dist-info", "flint"):
        for folder in places._package_folders():
            assert not inside(folder / package, readable)


def test_no_place_lies_in_another(readable):
    assert not [place for place in readable if inside(place.parent, readable)]
    assert all(place == place.resolve() for place in readable)


def test_folders_of_imports_can_be_listed(readable):
    import torch

    assert Path(torch.__file__).resolve().parent.parent in listed_places(readable)


def test_what_is_hidden_is_cut_out(tmp_path):
    for name in ("lib/a/x", "lib/a/secret/y", "lib/b/z", "lib/c"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lib" / "file").touch()
    (tmp_path / "lib" / "link").symlink_to(tmp_path / "lib" / "a" / "secret")
    library = tmp_path / "lib"
    secret = library / "a" / "secret"
    cut = places._without(library, [secret])
    assert cut == [library / "a" / "x", library / "b", library / "c", library / "file"]
    assert places._without(library, [library]) == []
    assert places._without(library / "a" / "secret" / "y", [secret]) == []
    assert places._without(library, [tmp_path / "elsewhere"]) == [library]
    assert places._without(tmp_path / "absent", []) == []


def test_the_class_is_hidden_wherever_it_is(readable):
    in_library = Path(os.__file__).resolve().parent / "encodings"
    in_distribution = Path(np.__file__).resolve().parent / "linalg"
    for folder in (in_library, in_distribution):
        assert inside(folder, readable)
        rest = readable_places([folder])
        assert not inside(folder, rest)
        assert not any(folder in place.parents for place in rest)
        assert inside(folder.parent / "random", rest) or inside(folder.parent / "json", rest), "too much was cut out"


class Distribution:
    """As importlib.metadata gives them, without files."""

    def __init__(self, record=None, top=None, requires=()):
        self._files = {"RECORD": record, "top_level.txt": top}
        self.requires = list(requires)
        self.metadata = {"Name": "one"}

    def read_text(self, name):
        return self._files[name]


def test_entries_of_a_distribution():
    record = (
        'pkg/a.py,sha256=x,1\n"odd,name.py",,\nsingle.py,,\n../../bin/tool,,\n__pycache__/x.pyc,,\npkg.libs/a.so,,\n'
    )
    assert top_level(Distribution(record)) == {"pkg", "odd", "single.py", "pkg.libs"}
    assert top_level(Distribution(top="a\nb\n")) == {"a", "a.py", "a.libs", "b", "b.py", "b.libs"}
    assert "one" in top_level(Distribution())


def test_requirements_of_a_distribution():
    requires = ["filelock", "Typing_Extensions>=4.10", "x; extra == 'opt'", "setuptools<82; python_version >= '3.12'"]
    assert execute._requires(Distribution(requires=requires)) == ["filelock", "typing-extensions", "setuptools"]
