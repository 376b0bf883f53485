"""Finding out what holds, and saying so: probes, the doctor, and systems that have none of it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from gradcheck.commands.instructor import doctor
from gradcheck.errors import GradcheckError
from gradcheck.isolation.sandbox import health, probe
from gradcheck.isolation.sandbox.health import Health, Version, examine, fits, lines, versions
from gradcheck.isolation.sandbox.layers import BASELINE, KINDS, Layer, baseline_missing, in_order, none_held

pytestmark = pytest.mark.outside

NAMES = [kind.name for kind in KINDS]
linux = pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")


def python(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def layers(held=True):
    return tuple(Layer(name, held=held, detail="because") for name in NAMES)


PROBE = """
import json
from dataclasses import astuple
from gradcheck.isolation.sandbox import confine, landlock, limits, namespaces, probe, seccomp
{sabotage}
print(json.dumps([astuple(layer) for layer in probe.probe_layers({only})]))
"""


@linux
def test_every_layer_is_tried():
    found = json.loads(python(PROBE.format(sabotage="", only=NAMES)))
    assert [name for name, _, _ in found] == NAMES
    assert not [detail for _, _, detail in found if detail in {"", "its trial ended early", "left out"}]
    assert all("no effect" not in detail for _, _, detail in found)


@linux
def test_what_is_said_is_the_same_every_time():
    # It goes into reports, which must not differ from run to run.
    assert python(PROBE.format(sabotage="", only=NAMES)) == python(PROBE.format(sabotage="", only=NAMES))


SABOTAGE = {
    "address space": "limits.resource.RLIMIT_AS = limits.resource.RLIMIT_CORE",
    "cpu time": "limits.resource.RLIMIT_CPU = limits.resource.RLIMIT_CORE",
    "file size": "limits.resource.RLIMIT_FSIZE = limits.resource.RLIMIT_CORE",
    "processes": "limits.resource.RLIMIT_NPROC = limits.resource.RLIMIT_CORE",
    "Landlock": "landlock.restrict = lambda ruleset: None",
    "seccomp": "seccomp.Filter.put_on = lambda self, pid: None",
    "no_new_privs": "confine.kernel.PR_SET_NO_NEW_PRIVS = 3",
    "user namespace": "namespaces._new_user = namespaces._try_user = lambda: None",
    "network namespace": "namespaces._NEW_NETWORK = namespaces._NEW_UTS",
    "mount namespace": "namespaces._become_root = lambda *_: None",
}


@linux
@pytest.mark.parametrize("name", SABOTAGE)
def test_a_layer_without_effect_is_found_out(name):
    [[_, held, detail]] = json.loads(python(PROBE.format(sabotage="", only=[name])))
    if not held:
        pytest.skip(f"{name} does not hold here: {detail}")
    [[_, held, detail]] = json.loads(python(PROBE.format(sabotage=SABOTAGE[name], only=[name])))
    assert not held
    assert "no effect" in detail


OTHER_SYSTEM = """
import sys
sys.platform = {system!r}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {absent!r}:
            raise ModuleNotFoundError(name)
for name in {absent!r}:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
import importlib, pkgutil
import gradcheck.isolation.sandbox as room
for module in pkgutil.iter_modules(room.__path__):
    importlib.import_module(room.__name__ + '.' + module.name)
from gradcheck.isolation.sandbox.confine import Confinement, readable_places
from gradcheck.isolation.sandbox.limits import Limits
from gradcheck.isolation.sandbox.namespaces import keep_only
from gradcheck.isolation.sandbox.namespaces import enter
from gradcheck.isolation.sandbox.probe import probe_layers
layers = [*enter(), keep_only([]), *Confinement.prepare(Limits(), []).apply([])]
assert not any(layer.held for layer in layers), layers
assert {{layer.detail for layer in layers}} == {{'only Linux has it'}}
assert [layer.name for layer in probe_layers()] == sorted((layer.name for layer in layers), key={names!r}.index)
assert not {{'torch', 'numpy', 'rich', 'sympy'}} & sys.modules.keys()
"""


@pytest.mark.parametrize(
    ("system", "absent"), [("darwin", ()), ("win32", ("resource", "fcntl", "pwd", "grp", "termios"))]
)
def test_elsewhere_nothing_holds_and_nothing_breaks(system, absent):
    python(OTHER_SYSTEM.format(system=system, absent=absent, names=NAMES))


@linux
def test_an_unknown_architecture():
    script = "import platform; platform.machine = lambda: 'riscv64'\n"
    script += "from gradcheck.isolation.sandbox.probe import probe_layers\nprint(probe_layers()[0])"
    assert "not known for riscv64, only for 64-bit x86_64 and aarch64" in python(script)


def test_the_baseline_takes_no_privileges():
    assert {"Landlock", "seccomp", "no_new_privs", "address space", "cpu time", "file size"} == BASELINE


def test_layers_are_sorted_and_the_latest_counts():
    mixed = in_order([Layer("seccomp", True, "a"), Layer("address space", True, "b"), Layer("seccomp", False, "c")])
    assert mixed == [Layer("address space", True, "b"), Layer("seccomp", False, "c")]
    assert baseline_missing(mixed) == ["cpu time", "file size", "no_new_privs", "Landlock", "seccomp"]
    assert baseline_missing(layers()) == []
    assert [layer.name for layer in none_held("why")] == NAMES


@pytest.mark.parametrize("width", [80, 60, 40])
@pytest.mark.parametrize("held", [True, False])
def test_the_table_fits(width, held):
    checkup = Health("Linux 6.8.0-1017-azure x86_64", layers(held), tuple(versions()))
    text = list(lines(checkup, width))
    assert max(len(line) for line in text) <= width
    body = "\n".join(text)
    for name in NAMES:
        assert name in body


def test_a_missing_layer_says_why_and_what_to_do():
    some = (*layers()[:-1], Layer("other user", held=False, detail="needs root"))
    text = " ".join(" ".join(lines(Health("Linux", some, ()), 80)).split())
    assert "missing other user Needs root. Start as root, with Python where every user can read it." in text
    assert "The baseline holds. Reports name the layers that are missing." in text
    without = tuple(Layer("seccomp", False, "why") if layer.name == "seccomp" else layer for layer in layers())
    text = " ".join(" ".join(lines(Health("Linux", without, ()), 80)).split())
    assert "The baseline does not hold: seccomp." in text


@pytest.mark.parametrize(
    ("version", "required", "verdict"),
    [
        ("2.13.0+cpu", ">=2.6", True), ("2.5.1", ">=2.6", False), ("3.14.2", "<3.15,>=3.10", True),
        ("3.15.0", "<3.15,>=3.10", False), ("3.9", ">=3.10", False), ("9.1", "", True), ("8.3", ">=8.3.0", True),
        ("1.2", "==1.2.0", True), ("1.2", "!=1.2", False), ("1.3", "~=1.2", True), ("2", ">1,<=2", True),
    ],
)  # fmt: skip
def test_versions_are_compared_by_their_numbers(version, required, verdict):
    assert fits(version, required) == verdict


def test_versions_that_do_not_fit_are_named():
    some = (
        Version("torch", "2.5.1", ">=2.6", "2.13.0", fits=False),
        Version("numpy", "", ">=1.26", "", fits=False),
        Version("sympy", "1.13.0", ">=1.13", "1.14.0", fits=True),
        Version("rich", "15.0.0", ">=13", "15.0.0", fits=True),
    )
    text = "\n".join(lines(Health("Linux", layers(), some), 80))
    assert "wrong   torch                2.5.1; needs >=2.6" in text
    assert "wrong   numpy                not installed; needs >=1.26" in text
    assert "fits    sympy                1.13.0; tested with 1.14.0" in text
    assert "fits    rich                 15.0.0\n" in text


def test_versions_of_this_environment():
    found = {version.name: version for version in versions()}
    assert {"python", "torch", "numpy"} <= found.keys()
    assert all(version.fits for version in found.values())


def report(monkeypatch, held, *arguments):
    monkeypatch.setattr(probe, "probe_layers", lambda: list(layers(held)))
    return CliRunner().invoke(doctor, arguments)


def test_doctor_exits_by_the_baseline(monkeypatch):
    good = report(monkeypatch, True)
    assert (good.exit_code, "Every layer holds." in good.output) == (0, True)
    bad = report(monkeypatch, False)
    assert (bad.exit_code, "Nothing holds here" in bad.output) == (1, True)


def test_doctor_as_json(monkeypatch, tmp_path):
    result = report(monkeypatch, True, "--json", "-")
    found = json.loads(result.output)
    assert (found["schema"], found["baseline_held"]) == ("gradcheck/doctor/v1", True)
    assert [layer["name"] for layer in found["layers"]] == NAMES
    assert found["layers"][0].keys() == {"name", "held", "detail", "baseline", "remedy"}
    result = report(monkeypatch, False, "--json", str(tmp_path / "new" / "doctor.json"))
    assert result.exit_code == 1
    assert json.loads((tmp_path / "new" / "doctor.json").read_text())["baseline_held"] is False


def test_doctor_says_where_it_could_not_write(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    result = report(monkeypatch, True, "--json", str(tmp_path / "file" / "doctor.json"))
    assert isinstance(result.exception, GradcheckError)
    assert "cannot be written" in str(result.exception)


def test_a_checkout_that_was_never_installed(monkeypatch):
    def absent(_name):
        raise health.importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(health.importlib.metadata, "metadata", absent)
    assert [version.name for version in versions()] == ["python"]
    monkeypatch.setattr(probe, "probe_layers", list)
    assert examine().layers == ()
