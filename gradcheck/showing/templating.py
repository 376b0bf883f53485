"""How reports and other files are made from templates: nothing undefined; in HTML everything escaped and tamed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def environment(shown: Callable[[str], str]) -> Environment:
    """Jinja2 for the folder of templates. A template's own markup passes; any text goes through `shown` first, whatever
    a submission put into it: control codes, half of a surrogate pair, a megabyte.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    return Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )


def filled(template: Path, /, **values: Any) -> str:
    """The text of a template, with `[[ value ]]` and `[% block %]` filled in: marks of its own, since GitHub's
    expressions have double braces too. Nothing is escaped: each value is, for where it goes.
    """
    return _plain().from_string(template.read_text(encoding="utf-8")).render(values)


@cache
def _plain() -> Environment:
    from jinja2 import Environment, StrictUndefined

    return Environment(
        autoescape=False,  # noqa: S701 — Markdown, YAML, TOML and Python
        undefined=StrictUndefined,
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
