"""The versions that a release and a bundle install: those that this grader runs with, and so was tested with."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution

from gradcheck.authoring.installed import installed
from gradcheck.errors import GradcheckError

TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of builds without CUDA (https://pytorch.org/get-started/locally/)."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def pinned(*extras: str) -> str:
    """Lines `name==version` of everything that gradcheck imports by itself, torch first, then by name.

    What those libraries need in turn is left to pip. `extras` are those of pyproject.toml that are wanted too.
    Raises GradcheckError where a library is not installed here.
    """
    names = {name for name, extra in _requirements() if not extra or extra in extras} - {"gradcheck"}
    lines = [f"{name}=={_version(name)}" for name in sorted(names, key=lambda name: (name != "torch", name))]
    return "\n".join(lines) + "\n"


def _requirements() -> list[tuple[str, str]]:
    """Each required library and the extra that it belongs to, empty for none. Those for another Python are left out:
    they are not installed here.
    """
    found = []
    for line in installed().requires or []:
        requirement, _, marker = line.partition(";")
        if "python_version" in marker:
            continue
        name, extra = _NAME.match(requirement.strip()), _EXTRA.search(marker)
        assert name, line
        found.append((name[0].lower(), extra[1] if extra else ""))
    return found


def _version(name: str) -> str:
    try:
        # The build's tag is dropped: 2.13.0+cpu is 2.13.0 to whoever installs elsewhere.
        return distribution(name).version.partition("+")[0]
    except PackageNotFoundError:
        raise GradcheckError(f"{name} is not installed here, so no version of it can be pinned; install it") from None
