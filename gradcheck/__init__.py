"""Learn backpropagation by writing it, and verify hand-written gradients."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck.desk.notebook import check as check
    from gradcheck.numbers.rules import rule as rule
    from gradcheck.operators import all_operators as all_operators
    from gradcheck.pytest_verify import verifies as verifies
    from gradcheck.verification.verdict import GradientError as GradientError
    from gradcheck.verification.verdict import Verdict as Verdict
    from gradcheck.verification.verify import verify as verify

_HOMES = {
    "GradientError": "gradcheck.verification.verdict",
    "Verdict": "gradcheck.verification.verdict",
    "all_operators": "gradcheck.operators",
    "check": "gradcheck.desk.notebook",
    "rule": "gradcheck.numbers.rules",
    "verifies": "gradcheck.pytest_verify",
    "verify": "gradcheck.verification.verify",
}

__version__ = "0.1.0"
__all__ = ["GradientError", "Verdict", "__version__", "all_operators", "check", "rule", "verifies", "verify"]


def __getattr__(name: str) -> Any:
    # On first use only: `gradcheck --help` should not wait for anything.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
