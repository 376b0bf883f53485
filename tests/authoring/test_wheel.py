"""The grader's own wheel and the versions that go with it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from importlib.metadata import requires, version

import pytest

from gradcheck import __version__
from gradcheck.errors import GradcheckError
from gradcheck.hosts import grader as installation
from gradcheck.hosts.grader import grader_wheel, pinned

pytestmark = pytest.mark.outside


@pytest.fixture(scope="module")
def wheel():
    name, content = grader_wheel()
    assert name == f"gradcheck-{__version__}-py3-none-any.whl"
    return zipfile.ZipFile(io.BytesIO(content))


def test_it_has_the_same_bytes_every_time():
    assert grader_wheel() == grader_wheel()


def test_its_record_lists_every_file_with_its_hash(wheel):
    info = f"gradcheck-{__version__}.dist-info"
    rows = list(csv.reader(io.StringIO(wheel.read(f"{info}/RECORD").decode())))
    assert {row[0] for row in rows} == set(wheel.namelist())
    for name, digest, size in rows:
        if name != f"{info}/RECORD":
            content = wheel.read(name)
            own = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert (digest, int(size)) == (f"sha256={own}", len(content)), name


def test_it_brings_commands_templates_licence_and_what_it_needs(wheel):
    info = f"gradcheck-{__version__}.dist-info"
    assert "gradcheck = gradcheck.commands.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert "MIT License" in wheel.read(f"{info}/licenses/LICENSE").decode()
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert f"\nVersion: {__version__}\n" in metadata
    assert "\nRequires-Dist: torch" in metadata
    assert metadata.count("\n\n") == 0, "headers only"
    assert any(name.startswith("gradcheck/showing/templates/") for name in wheel.namelist())
    assert any(name.startswith("gradcheck/authoring/templates/release/") for name in wheel.namelist())


def test_nothing_but_the_package_is_in_it(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"gradcheck", f"gradcheck-{__version__}.dist-info"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name or name.endswith(".pyc")]


def test_the_versions_are_those_that_run_here_torch_first():
    lines = pinned().splitlines()
    assert lines[0] == f"torch=={version('torch').partition('+')[0]}"
    assert f"sympy=={version('sympy')}" in lines
    assert not [line for line in lines if line.startswith(("gradcheck", "matplotlib", "ruff"))]


def test_an_installation_that_the_files_have_left_behind_is_told(monkeypatch, tmp_path):
    package = tmp_path / "gradcheck"
    package.mkdir()
    monkeypatch.setattr(installation, "PACKAGE", package)
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "gradcheck"\ndependencies = ["torch>=2.6", "abacus >= 7"]\n')
    with pytest.raises(GradcheckError, match=r"asks for abacus>=7 since .* install it again"):
        pinned()
    textual = next(each for each in requires("gradcheck") if each.startswith("textual"))
    bounds = textual.removeprefix("textual").split(",")
    for order in (bounds, bounds[::-1]):
        project.write_text(f'[project]\nname = "gradcheck"\ndependencies = ["textual {", ".join(order)}"]\n')
        assert pinned()
    project.write_text('[project]\nname = "something else"\ndependencies = ["abacus"]\n')
    assert pinned()
    monkeypatch.setattr(installation, "__version__", "9.9")
    with pytest.raises(GradcheckError, match=rf"the installed gradcheck is {__version__}, its files here are 9.9"):
        pinned()
