"""Learn backpropagation by writing it, and verify hand-written gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck.checks.engine import verify as verify
    from gradcheck.desk.notebook import check as check
    from gradcheck.numbers.rules import rule as rule
    from gradcheck.operators import all_operators as all_operators

__version__ = "0.1.0"
__all__ = ["__version__", "all_operators", "check", "rule", "verify"]


def __getattr__(name: str) -> Any:
    # On first use only: `gradcheck --help` should not wait for anything.
    if name == "verify":
        from gradcheck.checks.engine import verify

        return verify
    if name == "check":
        from gradcheck.desk.notebook import check

        return check
    if name == "rule":
        from gradcheck.numbers.rules import rule

        return rule
    if name == "all_operators":
        from gradcheck.operators import all_operators

        return all_operators
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
