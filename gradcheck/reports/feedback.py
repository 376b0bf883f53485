"""What one student gets back, as Markdown and as a page: what holds, then the first thing to mend in each exercise.

For every exercise that is not complete, in the course's order: the first check that stopped, its smallest case, one
thing to think about, and the commands to go on with. Never the correct value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from gradcheck.classes.written import FinalReport
from gradcheck.reports.escaping import markdown_code_block, markdown_text, visible
from gradcheck.reports.feedback_view import Item, feedback_of
from gradcheck.reports.message import hanging
from gradcheck.showing.templating import environment

if TYPE_CHECKING:
    from jinja2 import Template


def feedback_markdown(report: FinalReport) -> str:
    """The feedback as Markdown, ending in a newline."""
    said = feedback_of(report)
    blocks = [f"# Feedback for {markdown_text(said.who)}"]
    if said.ungraded:
        blocks.append(f"**There is no mark yet.** {markdown_text(said.ungraded)}")
        blocks.append(f"{said.earned} of {said.max_score} points in the other exercises. {said.opening}".strip())
    else:
        blocks.append(f"**{said.score} of {said.max_score} points.** {said.opening}")
    if said.penalties:
        blocks.append("\n".join([said.counted, "", *(f"- {markdown_text(each)}" for each in said.penalties)]))
    if said.problems:
        blocks.append("\n".join(["About the files:", "", *(f"- {markdown_text(each)}" for each in said.problems)]))
    if said.complete:
        blocks += ["## Complete", _lists(said.complete)]
    if said.items:
        blocks += ["## What to look at next", *(_markdown_item(item) for item in said.items)]
    if said.brief:
        lines = [f"- {_code(item.name)}, {markdown_text(item.headline)}" for item in said.brief]
        blocks += ["### After these", "\n".join(lines)]
    if said.untouched:
        blocks += ["## Not started yet", _lists(said.untouched)]
    return "\n\n".join(blocks) + "\n"


def _markdown_item(item: Item) -> str:
    blocks = [f"### {_code(item.name)} {markdown_text(item.title)} ({item.score} of {item.max_score} points)"]
    if item.right:
        blocks.append(f"Right so far: {', '.join(map(_code, item.right))}.")
    code = f" ({_code(item.code)})" if item.code else ""
    blocks.append(f"**{_code(item.found.function)}** {markdown_text(item.found.message)}{code}")
    if item.found.lines:
        blocks.append(markdown_code_block("\n".join(item.found.lines)))
    if item.rows:
        margin = max(len(row.name) for row in item.rows)
        lines = [hanging(f"{row.name:<{margin}} = ", row.text) for row in item.rows]
        blocks.append(markdown_code_block("\n".join((*lines, *item.notes))))
    if item.found.diagnosis and item.found.diagnosis.think:
        blocks.append(f"> Think: {markdown_text(item.found.diagnosis.think)}")
    if item.others:
        blocks.append(f"Then: {', '.join(map(_code, item.others))}.")
    if item.unwritten:
        blocks.append(f"Not written yet: {', '.join(map(_code, item.unwritten))}.")
    blocks.append(f"- Check it again: {_code(item.again)}\n- A hint: {_code(f'gradcheck hint {item.name}')}")
    return "\n\n".join(blocks)


def _lists(units: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    return "\n".join(f"- {_code(unit)}: {', '.join(map(_code, names))}" for unit, names in units)


def _code(text: str) -> str:
    """A span of code that `text` cannot close: names are plain, and where one is not, it is shown as text."""
    return f"`{text}`" if re.fullmatch(r"[\w./ \-]+", text) and text == text.strip() else markdown_text(text)


def feedback_html(report: FinalReport) -> str:
    """The feedback as a page of its own: nothing loaded, no script, everything escaped."""
    return _template().render(said=feedback_of(report))


@cache
def _template() -> Template:
    return environment(visible).get_template("feedback.html")
