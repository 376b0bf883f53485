"""What starts warm does as Python does: folder, arguments, streams, exit status, and an end with whoever asked."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests import warm_start

pytestmark = [
    pytest.mark.outside,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing starts warm"),
]

SCRIPT = """
import os, sys
print(os.getcwd(), sys.argv[1:], os.environ["WORD"], "OMP_WAS" in os.environ, "gradcheck" in sys.modules)
print("ö", input(), sys.path[:2], __name__, sys.stdout.encoding, file=sys.stderr)
"""


def both(*arguments: str, folder, text: str = "said\n", **environment: str):
    """What comes of it cold and warm."""
    base = {"PATH": os.environ["PATH"], "PYTHONUTF8": "1", "WORD": "here", **environment}
    return [
        subprocess.run([*start, *arguments], cwd=folder, env=base, input=text, capture_output=True, encoding="utf-8")
        for start in ([sys.executable], warm_start.python())
    ]


@pytest.mark.parametrize("form", ["-c", "-m", "script"])
def test_it_sees_what_it_would_see(form, tmp_path):
    (tmp_path / "own.py").write_text(SCRIPT)
    started = {"-c": ["-c", SCRIPT], "-m": ["-m", "own"], "script": ["own.py"]}[form]
    cold, warm = both(*started, "a", "b c", folder=tmp_path, PYTHONPATH=str(tmp_path / "first"))
    assert (warm.stdout, warm.stderr, warm.returncode) == (cold.stdout, cold.stderr, cold.returncode)
    assert "here False False" in warm.stdout


@pytest.mark.parametrize(
    "code", ["import sys; sys.exit(3)", "import sys; sys.exit('so it is')", "import os; os.kill(os.getpid(), 15)",
             "import atexit; atexit.register(print, 'last'); print('first')", "raise SystemExit", "open('none')"]
)  # fmt: skip
def test_it_ends_as_it_would_end(code, tmp_path):
    cold, warm = both("-c", code, folder=tmp_path)
    assert (warm.stdout, warm.returncode) == (cold.stdout, cold.returncode)
    assert warm.stderr.splitlines()[-1:] == cold.stderr.splitlines()[-1:]


def test_how_python_starts_is_left_to_python(tmp_path):
    cold, warm = both("-c", "import sys; print(sys.stdout.encoding)", folder=tmp_path, PYTHONIOENCODING="latin-1")
    assert warm.stdout == cold.stdout == "iso8859-1\n"


def test_it_ends_with_whoever_started_it(tmp_path):
    code = "import time\nwhile True:\n    open('alive', 'w').write(str(time.monotonic()))\n    time.sleep(0.02)"
    started = subprocess.Popen([*warm_start.python(), "-c", code], cwd=tmp_path)
    while not (tmp_path / "alive").exists():
        time.sleep(0.02)
    started.kill()
    started.wait()
    before = None
    while (now := (tmp_path / "alive").read_text()) != before:
        before = now
        time.sleep(0.3)
