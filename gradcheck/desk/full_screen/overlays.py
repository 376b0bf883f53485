"""What is laid over the desk for a while: the list, a question, a page of text, the solution, the end."""

from __future__ import annotations

import ast
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.highlight import highlight
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from gradcheck.catalog import Exercise
from gradcheck.desk.full_screen.panes import SIGNS, Lines, Pane, Wrapped, content_of
from gradcheck.desk.listing import ListedExercise
from gradcheck.desk.watch import Line
from gradcheck.desk.watch.lines import fitted, styled
from gradcheck.desk.watch.session import Session
from gradcheck.reports.terminal import paragraph
from gradcheck.reports.words import LEVELS, STYLES
from gradcheck.showing.text import counted, points

BACK = Binding("escape", "dismiss", show=False)


class Listing(ModalScreen[Exercise]):
    """Every exercise, those that fit what is typed; Enter chooses one."""

    BINDINGS: ClassVar = [BACK, Binding("down", "move(1)", priority=True), Binding("up", "move(-1)", priority=True)]

    def __init__(self, listed: Sequence[ListedExercise], current: Exercise) -> None:
        super().__init__()
        self.listed, self.current = listed, current

    def compose(self) -> ComposeResult:
        with Vertical(classes="sheet"):
            yield Input(placeholder="search: a name, a unit, passed, open …", compact=True)
            yield OptionList(compact=True)

    def on_mount(self) -> None:
        self._fill("")

    def on_resize(self, _: events.Resize) -> None:
        self._fill(self.query_one(Input).value)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def _fill(self, typed: str) -> None:
        found = [entry for entry in self.listed if all(word in _searched(entry) for word in typed.lower().split())]
        options = self.query_one(OptionList)
        options.clear_options()
        width = max(28, options.scrollable_content_region.width - 2)
        for unit in dict.fromkeys(entry.exercise.unit for entry in found):
            members = [entry for entry in found if entry.exercise.unit == unit]
            options.add_option(Option(Content.styled(unit, "bold"), disabled=True))
            options.add_options(Option(_row(entry, width), entry.exercise.name) for entry in members)
        if not found:
            options.add_option(Option("Nothing fits.", disabled=True))
            return
        names = [entry.exercise.name for entry in found]
        chosen = self.current.name if self.current.name in names else names[0]
        options.highlighted = options.get_option_index(chosen)
        if chosen == names[0]:
            self.set_timer(0.05, partial(options.scroll_home, animate=False))  # the name of its unit too

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        options.action_cursor_down() if by > 0 else options.action_cursor_up()

    def on_input_submitted(self) -> None:
        self.query_one(OptionList).action_select()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(next(entry.exercise for entry in self.listed if entry.exercise.name == event.option_id))


def _searched(entry: ListedExercise) -> str:
    """What a search looks through."""
    about = entry.exercise
    state = "" if entry.state in ("passed", "ungraded") else "open"
    return f"{about.name} {about.unit} {about.title} {entry.word} {state}".lower()


def _row(entry: ListedExercise, width: int) -> Content:
    exercise, about = entry.exercise, entry.exercise.about
    score = "?" if entry.score is None else points(entry.score)
    columns = f"  {SIGNS[entry.state]} {exercise.name:<18}"
    if width >= 48:
        columns += f" {entry.word:<11} {score + '/' + points(exercise.max_score):>6}"
    if width >= 68:
        columns += f" {about.minutes:>3} min {LEVELS[about.difficulty]:<6}  {_helped(entry):<8}"
    if width >= 96:
        columns += f" {exercise.title}"
    return content_of([(columns, STYLES[entry.state])]).truncate(width, ellipsis=True)


def _helped(entry: ListedExercise) -> str:
    """`2 hints*`, with a star where the solution was shown before it passed."""
    return f"{counted(entry.help.hint, 'hint') if entry.help.hint else ''}{'*' if entry.help.gave_up else ''}"


class Question(ModalScreen[bool]):
    """Yes or no."""

    BINDINGS: ClassVar = [
        Binding("y", "answer(True)"),
        Binding("n", "answer(False)"),
        Binding("escape", "answer(False)", show=False),
    ]

    def __init__(self, told: str) -> None:
        super().__init__()
        self.told = told

    def compose(self) -> ComposeResult:
        with Container(classes="question"):
            yield Static(Content(self.told))
            yield Static(
                Content.from_markup(
                    "\n[@click=screen.answer(True)][b]y[/b] yes[/]   [@click=screen.answer(False)][b]n[/b] no[/]"
                )
            )

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


class Page(ModalScreen[None]):
    """A text to scroll through; any of the keys that leave it leaves it."""

    BINDINGS: ClassVar = [
        BACK,
        *(Binding(key, "dismiss", show=False) for key in ("q", "R", "i", "p", "question_mark", "enter")),
    ]

    def __init__(self, title: str, text: Lines | str) -> None:
        """`text` as it stands is Python."""
        super().__init__()
        self.heading, self.text = title, text

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="sheet"):
            yield Static(Content.styled(self.heading, "bold"))
            yield Static(Content(""))
            yield Static(highlight(self.text, language="python")) if isinstance(self.text, str) else Wrapped()
            yield Static(Content.styled("\nEscape goes back", "dim"))

    def on_mount(self) -> None:
        if not isinstance(self.text, str):
            self.query_one(Wrapped).tell(self.text)


class Keys(Page):
    """All keys, a line each."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        moving = {
            "↑ ↓ PgUp PgDn": "scroll, as j and k do",
            "Tab": "the other side",
            "Ctrl-C": "copy what is selected, or leave",
        }
        rows = [f"{key}   {told}" for key, told in {**keys, **moving}.items()]
        super().__init__(
            "Keys", lambda width: [(line, "") for row in rows for line in paragraph(row, width, "  ", "    ")]
        )


class Solution(ModalScreen[None]):
    """The solution beside the learner's own file, one below the other where it is narrow."""

    BINDINGS: ClassVar = [BACK, *(Binding(key, "dismiss", show=False) for key in ("q", "s"))]

    def __init__(self, exercise: Exercise, own: Path, source: str) -> None:
        super().__init__()
        self.exercise, self.own, self.source = exercise, own, source

    def compose(self) -> ComposeResult:
        try:
            own = self.own.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            own = "# your file cannot be read"
        with Container(classes="sheet beside"):
            for title, text in (("yours", own), ("the solution", self.source)):
                with VerticalScroll():
                    yield Static(Content.styled(title, "bold"))
                    yield Static(highlight(_without_opening(text), language="python"))


def _without_opening(source: str) -> str:
    """A file from its first function on: what stands above it is the same in both."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError):
        return source
    starts = [each.lineno - 1 for each in body if isinstance(each, (ast.FunctionDef, ast.ClassDef))]
    return "\n".join(source.splitlines()[min(starts, default=0) :])


class Finished(ModalScreen[None]):
    """All has passed: one picture of the learner's own network, and what to read next."""

    BINDINGS: ClassVar = [BACK, Binding("q", "dismiss", show=False), Binding("p", "draw", show=False)]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session, self._drawn = session, "p draws one picture, made of your own trained network."

    def compose(self) -> ComposeResult:
        yield Pane(classes="sheet")

    def on_mount(self) -> None:
        self.query_one(Pane).tell(self._lines)

    def _lines(self, width: int) -> list[Line]:
        from gradcheck.reports.training import READ_NEXT

        most = points(sum(entry.exercise.max_score for entry in self.session.listed))
        told = f"{most} of {most} points. Every gradient of the course is yours, derived and written by hand."
        lines = styled(paragraph(told, width, ""), "bold green")
        lines += [("", ""), *styled(paragraph(self._drawn, width, ""), "")]
        lines += [("", ""), ("To read next", "bold")]
        for title, why, address in READ_NEXT:
            lines += [("", ""), *styled(paragraph(title, width, "  "), "bold")]
            lines += [*styled(paragraph(why, width, "  "), ""), *styled(fitted([f"  {address}"], width), "dim")]
        return lines

    def action_draw(self) -> None:
        self._tell("drawing: your network is being trained …")
        self.run_worker(self._draw(), exclusive=True)

    async def _draw(self) -> None:
        """In a process of its own: it runs the learner's files, and takes a while."""
        plots = self.session.state / "plots"
        process = await create_subprocess_exec(
            *(sys.executable, "-c", _KEEPSAKE, str(self.session.folder), str(plots)),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            said, _ = await process.communicate()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        lines = said.decode(errors="replace").split("\n")
        self._tell(lines[0] or "The picture could not be drawn; gradcheck train says why.")

    def _tell(self, told: str) -> None:
        self._drawn = told
        self.query_one(Pane).tell(self._lines)


_KEEPSAKE = """
import sys
from pathlib import Path
from gradcheck.errors import GradcheckError
from gradcheck.reports.training import keepsake
try:
    print(f"Your picture: {keepsake(Path(sys.argv[1]), Path(sys.argv[2])).as_posix()}")
except GradcheckError as error:
    print(f"No picture: {error}")
"""
