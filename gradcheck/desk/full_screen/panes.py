"""What stands on the desk: text that knows its width, and the lines of each part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from textual.containers import VerticalScroll
from textual.content import Content
from textual.css.styles import RulesMap
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual
from textual.widgets import Static

from gradcheck.catalog import Exercise
from gradcheck.desk.hints import steps_of
from gradcheck.desk.listing import ListedExercise
from gradcheck.desk.watch import Line
from gradcheck.desk.watch.lines import (
    failure_lines,
    fitted,
    head_line,
    more_lines,
    printed_lines,
    styled,
)
from gradcheck.desk.watch.session import WatchVerdict
from gradcheck.reports.terminal import paragraph
from gradcheck.reports.words import LEVELS, STYLES, WORDS
from gradcheck.showing.text import plural, points

_COLOURS = {
    "green": "$text-success",
    "red": "$text-error",
    "yellow": "$text-warning",
    "cyan": "$text-accent",
    "magenta": "$text-secondary",
    "dim": "$foreground-muted",
}
"""The colours that lines are set in, in the terms of the theme."""

SIGNS = {
    "passed": "✓",
    "failed": "✗",
    "errored": "✗",
    "unfinished": "◐",
    "missing": "✗",
    "ungraded": "?",
    "not_checked": "·",
    "skipped": "…",
    "not_started": "○",
}
"""By status and state, beside the colour."""


def content_of(lines: Sequence[Line]) -> Content:
    """Lines in their styles, as the screen takes them."""
    made = [Content.styled(text, " ".join(_COLOURS.get(each, each) for each in style.split())) for text, style in lines]
    return Content("\n").join(made)


Lines = Callable[[int], Sequence[Line]]
"""What to show in so many columns."""


class ByWidth(Visual):
    """Text that is made for the width it gets, whatever that turns out to be."""

    def __init__(self, made: Callable[[int], Content]) -> None:
        self.made = lru_cache(maxsize=4)(made)

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:  # noqa: ARG002
        return container_width

    def get_minimal_width(self, rules: RulesMap) -> int:  # noqa: ARG002
        return 1

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self.made(width).get_height(rules, width)

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        return self.made(width).render_strips(width, height, style, options)


class Wrapped(Static):
    """Text that is made anew whenever its width changes."""

    def tell(self, lines: Lines) -> None:
        self.draw(lambda width: content_of(lines(width)))

    def draw(self, content: Callable[[int], Content]) -> None:
        self.update(ByWidth(content))


class Pane(VerticalScroll):
    """Text that is taller than its place, and can be scrolled."""

    def compose(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 — Textual's own type is a generator of widgets
        yield Wrapped()

    def tell(self, lines: Lines, *, end: bool = False) -> None:
        """Show the lines from their beginning, or their end."""
        self.query_one(Wrapped).tell(lines)
        self.call_after_refresh(self.scroll_end if end else self.scroll_home, animate=False)


def heading(file: str, status: str, width: int) -> Content:
    """Which file, as far as there is room for it, and what is going on."""
    room = max(0, width - len(status) - 4)
    name = file.rpartition("/")[2]
    where = next((each for each in (file, name, name.removesuffix(".py")) if len(each) <= room), "")
    told = f" {where:<{room}}  {status} " if room else f" {status}"
    return Content(told).truncate(width, ellipsis=True)


def task_lines(
    exercise: Exercise,
    shown: str,
    entry: ListedExercise,
    functions: dict[str, str],
    definition: Sequence[str],
    hints: Sequence[Callable[[int], list[str]]],
    width: int,
) -> list[Line]:
    """What is asked: the lecture's statement, the functions, the definition, and the hints that were taken."""
    about = exercise.about
    lines: list[Line] = styled(paragraph(exercise.title, width, ""), "bold")
    facts = f"{exercise.unit}   about {about.minutes} minutes   {LEVELS[about.difficulty]}"
    lines += styled(paragraph(facts, width, ""), "dim")
    lines += [("", ""), *styled(paragraph(about.statement, width, ""), "")]
    if definition:
        lines += [("", ""), *styled(fitted([f"  {each}" for each in definition], width), "cyan")]
    lines += [("", ""), (f"To write in {shown}" if len(shown) + 12 <= width else "To write", "bold")]
    for graded in exercise.functions:
        spec, state = graded.spec, functions.get(graded.spec.name, "")
        worth = f"{points(graded.points)} {plural(graded.points, 'point')}"
        sign = SIGNS.get(state) or SIGNS[entry.state if entry.state in ("not_started", "passed") else "not_checked"]
        call = f"{spec.name}({', '.join(spec.parameters)})"
        style = STYLES.get(state or entry.state, "red" if state == "errored" else "dim")
        text = f"  {sign} {call}   {worth}"
        lines += styled(paragraph(text, width, "", "    ") if len(text) > width else [text], style)
    for step, body in enumerate(hints, 1):
        lines += [("", ""), (f"Hint {step} of {steps_of(exercise)}", "bold yellow"), *styled(body(width), "")]
    return lines


def verdict_lines(verdict: WatchVerdict, drawn: Lines | None, joy: Lines | None, width: int) -> list[Line]:
    """The verdict without the thought and what comes next, which stand where they are always seen."""
    lines = styled(paragraph(head_line(verdict), width, ""), f"bold {STYLES[verdict.state]}")
    if verdict.functions:
        states = "   ".join(f"{SIGNS[state]} {name} {WORDS[state]}" for name, state in verdict.functions.items())
        lines += styled(paragraph(states, width, ""), "dim")
    if joy is not None:
        lines += [("", ""), *joy(width)]
    without = ("think",) if verdict.state == "ungraded" else ("think", "command")
    if failed := failure_lines(verdict, width, lambda kind: kind not in without):
        lines += [("", ""), *failed]
    if drawn is not None:
        lines += [("", ""), *drawn(width)]
    return lines + more_lines(verdict, width) + printed_lines(verdict.printed, width)


def pinned_lines(
    verdict: WatchVerdict | None,
    current: Exercise,
    following: Exercise | None,
    beyond: Exercise | None,
    problem: str,
    width: int,
) -> list[Line]:
    """The thought, and where to go on: never scrolled away."""
    lines: list[Line] = []
    if verdict is not None:
        lines += failure_lines(verdict, width, lambda kind: kind == "think")
    if following is None and beyond is not None:
        lines += styled(paragraph(f"All that is open here has passed. Next: {beyond.title}", width, ""), "bold green")
    elif following is None and (verdict is None or verdict.state == "passed"):
        lines += [("All done.", "bold green")]
    elif following is not None and following is not current:
        lines += styled(paragraph(f"Next: {following.name}, {following.title}   (n)", width, "", "  "), "bold")
    if problem:
        lines += styled(paragraph(f"{problem}.", width, ""), "yellow")
    return lines
