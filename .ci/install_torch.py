"""Install torch into the environment of the Python that runs this, and say first what that downloads.

On Linux it is PyTorch's own build for CPUs: the usual index brings gigabytes of CUDA libraries there. Where PyTorch's
index cannot be reached, or what it has does not install, the usual one serves. GRADCHECK_TORCH_INDEX may name a mirror.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gradcheck.hosts.grader import TORCH_CPU_INDEX  # noqa: E402 — nothing is installed yet, so it is found by its path

CONSTRAINTS = ROOT / "constraints.txt"
INDEX = os.environ.get("GRADCHECK_TORCH_INDEX", TORCH_CPU_INDEX)
PIP = (sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check")
ASKING_S = 15
"""How long asking for the build may take in all; a server that does not answer is given up after 4 seconds."""


def main() -> int:
    wanted = re.findall(r"(?m)^torch==(\S+)", CONSTRAINTS.read_text("utf-8"))[0]
    if installed() == wanted:
        return 0
    if sys.platform != "linux":
        say("torch: about 100 MB to download.")
        return install()
    if has_build_for_cpus(wanted):
        say("torch: PyTorch's build for CPUs, 190 MB to download, 700 MB on disk.")
        if install("--extra-index-url", INDEX) == 0:
            return 0
        say("PyTorch's build for CPUs did not install.")
    else:
        say(f"{INDEX}, PyTorch's builds for CPUs, cannot be reached, or has no torch {wanted} for this Python.")
    say("torch: from the usual index, which may bring gigabytes of CUDA libraries.")
    return install()


def installed() -> str:
    """The version of torch that is here, its build left out; empty where there is none."""
    try:
        return version("torch").partition("+")[0]
    except PackageNotFoundError:
        return ""


def has_build_for_cpus(wanted: str) -> bool:
    """Whether the index has it for this Python. pip is asked, because it knows of wheels, proxies and certificates,
    without its files of settings, which may name other places to look.
    """
    asking = [*PIP, "--retries", "0", "--timeout", "4", "index", "versions", "torch", "--index-url", INDEX]
    alone = {name: value for name, value in os.environ.items() if name not in {"PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"}}
    alone |= {"PIP_CONFIG_FILE": os.devnull}
    try:
        asked = subprocess.run(asking, env=alone, capture_output=True, text=True, timeout=ASKING_S, check=False)  # noqa: S603 — pip
    except subprocess.TimeoutExpired:
        return False
    return re.search(rf"^Available versions:.*\b{re.escape(wanted)}\+cpu\b", asked.stdout, re.MULTILINE) is not None


def install(*options: str) -> int:
    return subprocess.run(  # noqa: S603 — pip
        [*PIP, "install", "--quiet", "--no-compile", "--constraint", str(CONSTRAINTS), *options, "torch"], check=False
    ).returncode


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
