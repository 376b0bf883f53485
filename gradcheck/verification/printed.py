"""A verdict as text, as HTML and as JSON."""

from __future__ import annotations

import html
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradcheck.verification.facts import Verified


def as_text(verdict: Verified) -> str:
    head = f"{verdict.candidate} against {verdict.reference}: {'passed' if verdict.passed else 'FAILED'}"
    return "\n".join([head, *(f"  {each}" for each in (*verdict.failures, *verdict.notes))])


def as_html(verdict: Verified) -> str:
    return f"<pre>{html.escape(as_text(verdict))}</pre>"


def as_json(verdict: Verified) -> str:
    return json.dumps([asdict(each) for each in verdict.failures])
