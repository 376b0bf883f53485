"""Saves are noticed, graded in a warm process, and told: in plain lines here, on a full screen by the desk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Post = Callable[[str, Any], None]
"""Tells the loop that something happened: what kind of thing, and what."""

Line = tuple[str, str]
"""Text, and its style in the terms of rich."""
