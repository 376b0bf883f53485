"""How a learners' repository comes by its grader: a wheel that it carries, or a pinned requirement."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gradcheck.authoring.wheel import grader_wheel
from gradcheck.errors import GradcheckError

_PINNED = re.compile(
    r"gradcheck(\[[a-z,]+\])?( ?== ?[0-9][A-Za-z0-9.!+-]*"
    r"| @ https://[!-~]+\.(whl|zip|tar\.gz)([?#][!-~]*)?"
    r"| @ git\+https://[^\s@]+@[A-Za-z0-9._/+-]+(#[!-~]*)?)"
)
"""A version, a file, or a commit or tag: what installs the same grader tomorrow."""


@dataclass(frozen=True)
class GraderRequirement:
    """Its line in requirements.txt, and the files that this line needs."""

    line: str
    files: Mapping[str, bytes]


def grader_of(requirement: str, root: Path) -> GraderRequirement:
    """`requirement`, if it is pinned; where it is empty, the grader's own wheel in `vendor/`, with its licence.

    Raises GradcheckError.
    """
    if requirement:
        if not _PINNED.fullmatch(requirement):
            raise GradcheckError(
                f"--grader {requirement!r} is no pinned requirement; write gradcheck==0.1.0, "
                "gradcheck @ https://…/gradcheck-0.1.0-py3-none-any.whl, or gradcheck @ git+https://…@TAG"
            )
        return GraderRequirement(requirement, {})
    name, wheel = grader_wheel()
    files = {f"vendor/{name}": wheel}
    licence = root / "LICENSE"
    if licence.is_file():
        files["vendor/LICENSE"] = licence.read_bytes()
    return GraderRequirement(f"./vendor/{name}", files)
