"""What is known of this grader from its installation: the libraries that it needs, and what a wheel says of itself."""

from __future__ import annotations

import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from gradcheck import __version__
from gradcheck.errors import GradcheckError

PACKAGE = Path(__file__).parent.parent

_AGAIN = "install it again (pip install -e .), then do this again"


def installed() -> Distribution:
    """The installed gradcheck. Raises GradcheckError where there is none, or where the files here have moved on since:
    a release would then ask for the wrong libraries.
    """
    try:
        found = distribution("gradcheck")
    except PackageNotFoundError:
        raise GradcheckError(f"gradcheck is not installed here, only its files are; {_AGAIN}") from None
    if found.version != __version__:
        raise GradcheckError(f"the installed gradcheck is {found.version}, its files here are {__version__}; {_AGAIN}")
    wanted, known = _wanted(), {_spelled(each) for each in found.requires or []}
    if not wanted <= known:
        news = ", ".join(sorted(wanted - known))
        raise GradcheckError(f"pyproject.toml asks for {news} since gradcheck was installed; {_AGAIN}")
    return found


def _wanted() -> set[str]:
    """The libraries of the pyproject.toml beside the package; none where gradcheck was installed from a wheel."""
    path = PACKAGE.parent / "pyproject.toml"
    if not path.is_file():
        return set()
    project: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    if project.get("name") != "gradcheck":
        return set()
    return {_spelled(each) for each in project.get("dependencies", [])}


def _spelled(requirement: str) -> str:
    return "".join(requirement.split()).replace("'", '"')
