"""Files that are no files, files that point elsewhere, and files beside the exercises that nobody may load."""

from __future__ import annotations

import os
from pathlib import Path

from tests.hostile.hostile_record import FULL, PATHS, RELU, Expect, Hostile, Maker, Place, backward

FAMILY = "files"
REFUSED = Expect("errored", 0)
UNTOUCHED = Expect("not_started", 0)
DESK = "exercises/.desk.json"


def link(target: str, folder: bool = False) -> Maker:
    def make(path: Path, place: Place) -> None:
        path.symlink_to(place.fill(target), target_is_directory=folder)

    return make


def fifo(path: Path, _place: Place) -> None:
    os.mkfifo(path)


def device(path: Path, _place: Place) -> None:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero


def folder(path: Path, _place: Place) -> None:
    path.mkdir()


def unix_socket(path: Path, _place: Place) -> None:
    import socket

    here = Path.cwd()
    os.chdir(path.parent)  # the name of such a socket may have 108 bytes only
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)


def unreadable(path: Path, _place: Place) -> None:
    path.write_text(RELU)
    path.chmod(0)


def sparse(path: Path, _place: Place) -> None:
    with path.open("wb") as file:
        file.write(RELU.encode())
        file.truncate(50 << 20)


def hard_link(path: Path, place: Place) -> None:
    os.link(place.victims / "kept", path)


def odd(name: str, relu: Maker | str | bytes, expect: Expect = REFUSED) -> Hostile:
    """A submission whose relu.py is an odd file, beside right ones."""
    return Hostile(name, FAMILY, {PATHS["relu"]: relu}, {"relu": expect})


MARKER = "open('@MARKERS@/{name}', 'w').close()\n"
BESIDE = {
    name: MARKER.format(name=name.replace("/", "-"))
    for name in (
        "conftest.py",
        "sitecustomize.py",
        "usercustomize.py",
        "torch.py",
        "numpy.py",
        "json.py",
        "gradcheck/__init__.py",
        "gradcheck.py",
        "setup.py",
        "exercises/conftest.py",
        "exercises/__init__.py",
        "exercises/04_modules/__init__.py",
        "exercises/04_modules/conftest.py",
        "exercises/04_modules/torch.py",
        "exercises/04_modules/numpy.py",
        "exercises/04_modules/struct.py",
        "exercises/04_modules/test_relu.py",
        "exercises/04_modules/extra.py",
    )
} | {
    "pytest.ini": "[pytest]\naddopts = -p marker\n",
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p marker'\n",
    "marker.py": MARKER.format(name="plugin"),
    "marker.pth": "import os; open('@MARKERS@/pth', 'w')\n",
    ".github/workflows/grade.yml": "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: touch @MARKERS@/workflow}]}}\n",
    "Makefile": "all:\n\ttouch @MARKERS@/make\n",
    "course.toml": "[points]\nrelu = 1000\n",
    "exercises/course.toml": "[points]\nrelu = 1000\n",
    "report.json": '{"schema": "gradcheck/report/v1", "score": 1000}',
    "exercises/04_modules/relu.pyc": "not code",
}

# Everything is right in these, so that only what stands beside it could matter.
CASES: list[Hostile] = [
    odd("link-to-a-solution", link("@SOLUTIONS@/04_modules/relu.py")),
    odd("link-to-a-neighbour", link("@CLASS_FOLDER@/zz-honest/exercises/04_modules/relu.py")),
    odd("link-within-the-submission", link("add.py")),
    odd("link-to-itself", link("relu.py")),
    odd("link-to-nowhere", link("@VICTIMS@/nothing")),
    odd("link-to-zeros", link("/dev/zero")),
    odd("link-to-memory", link("/proc/self/mem")),
    odd("link-to-the-terminal", link("/dev/stdin")),
    odd("fifo", fifo),
    odd("device", device),
    odd("folder", folder),
    odd("unix-socket", unix_socket),
    odd("sparse-50-megabytes", sparse),
    odd("hard-link-to-a-victim", hard_link, Expect("any", 0)),
    Hostile(
        "link-for-a-unit",
        FAMILY,
        {"exercises/04_modules": link("@SOLUTIONS@/04_modules", folder=True)},
        dict.fromkeys(FULL, Expect("any", 0)),
    ),
    Hostile(
        "link-for-all-exercises",
        FAMILY,
        {"exercises": link("@SOLUTIONS@", folder=True)},
        dict.fromkeys(FULL, Expect("any", 0)),
    ),
    Hostile("fifo-for-a-unit", FAMILY, {"exercises/04_modules": fifo}, dict.fromkeys(FULL, Expect("any", 0))),
    Hostile("file-for-a-unit", FAMILY, {"exercises/04_modules": "x"}, dict.fromkeys(FULL, Expect("any", 0))),
    Hostile("empty-folder", FAMILY, {"": folder}, dict.fromkeys(FULL, UNTOUCHED)),
    Hostile("empty-exercises", FAMILY, {"exercises": folder}, dict.fromkeys(FULL, UNTOUCHED)),
    Hostile("nothing-but-others'-files", FAMILY, {"notes.txt": "relu = 4 points\n"}, dict.fromkeys(FULL, UNTOUCHED)),
    Hostile("loaded-from-beside", FAMILY, BESIDE),
    Hostile(
        "asks-for-what-is-beside",
        FAMILY,
        {
            PATHS["relu"]: backward("import extra\nreturn grad_output * (x > 0)"),
            "exercises/04_modules/extra.py": MARKER.format(name="extra"),
        },
        {"relu": Expect("errored", 2, 0, "extra")},
    ),
    Hostile("desk-link", FAMILY, {DESK: link("@VICTIMS@/kept")}),
    Hostile("desk-fifo", FAMILY, {DESK: fifo}),
    Hostile("desk-zeros", FAMILY, {DESK: link("/dev/zero")}),
    Hostile("desk-folder", FAMILY, {DESK: folder}),
    Hostile("desk-deep", FAMILY, {DESK: "[" * 60_000}),
    Hostile(
        "desk-lies",
        FAMILY,
        {DESK: '{"schema": "gradcheck/desk/v1", "exercises": {"relu": {"hint": -100, "gave_up": "no", "score": 99}}}'},
    ),
    Hostile("desk-not-json", FAMILY, {DESK: b"\xff\xfe\x00"}),
    # names that a report, a table, a shell or a web page could take for something else
    Hostile("odd-name-a", FAMILY, {}, folder=b"odd-name-a-\xff\xfe"),
    Hostile("odd-name-b", FAMILY, {}, folder=b"odd-name-b-<script>alert(1)<"),
    Hostile("odd-name-c", FAMILY, {}, folder=b"=odd-name-c-cmd()"),
    Hostile("odd-name-d", FAMILY, {}, folder=b"odd-name-d-\n::error::\x1b[2J"),
    Hostile("odd-name-e", FAMILY, {}, folder="odd-name-e-\u202egpj.\u00e9".encode()),
    Hostile("odd-name-f", FAMILY, {}, folder=b"odd-name-f-" + b"x" * 240),
    Hostile("odd-name-g", FAMILY, {}, folder=b"--odd-name-g --out=@MARKERS@"),
    Hostile(
        "names-that-are-not-utf-8",
        FAMILY,
        {
            "exercises/04_modules/\udcff\udcfe.py": "x",
            "exercises/\udcff/relu.py": "x",
            "exercises/04_modules/relu\udcff.py": "x",
        },
    ),
    Hostile(
        "names-in-capitals", FAMILY, {"exercises/04_modules/RELU.py": "x = (", "EXERCISES/04_modules/relu.py": "x = ("}
    ),
]
if os.geteuid():
    CASES = [each for each in CASES if each.name != "device"]  # only root may make one
    CASES.append(odd("unreadable", unreadable))
