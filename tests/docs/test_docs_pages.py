"""The documentation holds together: every command in it exists and is run, every link leads somewhere."""

from __future__ import annotations

import re
import tomllib

import click
import pytest

from gradcheck.catalog import all_exercises
from gradcheck.commands.cli import cli
from tests.docs.doc_commands import looks_typed, options_of, ours, problem_with, words_of
from tests.docs.doc_pages import ROOT, Block, all_pages, anchors_of, blocks_of, links_of, spans_of
from tests.docs.site import configuration

PAGES = all_pages()
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
TYPED = [
    (f"{block.page}:{step.line}", step.command)
    for block in BLOCKS
    if block.language == "console"
    for step in block.steps()
]
TYPED += [(block.where, command) for block in BLOCKS for command in block.first]

NOT_RUN = {
    ("desk",): "needs a screen, and keys; tests/desk runs it",
    ("watch",): "waits for files to be saved; tests/desk runs it in a terminal",
    ("list", "--check"): "grades everything; tests/desk/test_listing.py runs it",
    ("grade", "--dask"): "needs a cluster; tests/classes/test_cluster.py starts one",
    ("train",): "trains for a minute; tests/training/test_session.py runs it",
    ("ensemble",): "trains ten networks; tests/training/test_session.py runs it",
}
"""Commands, or options of commands, that no page runs: who does."""

TOLD_BY_TEST = {"-n": "needs pytest-xdist, and two cores for itself", "--lf": "pytest's own"}


def told() -> list[tuple[str, str]]:
    """Every command of ours or pytest that stands on a page without being run: inline, or in a block that says why."""
    found = [(f"{page}:{line}", span) for page in PAGES for line, span in spans_of(page)]
    found += [
        (block.where, line.strip().removeprefix("- ").removeprefix("run: "))
        for block in BLOCKS
        if block.language != "console"
        for line in block.text.replace("\\\n", " ").splitlines()
    ]
    return [(where, text) for where, text in found if re.match(r"(python3? -m )?(gradcheck|pytest)( |$)", text)]


TOLD = told()


def test_there_is_something_to_check():
    assert len(PAGES) > 10
    assert len(TYPED) > 20
    assert len(TOLD) > 20


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_a_block_says_what_it_is_and_what_is_typed_is_run(block: Block):
    assert block.language, f"{block.where}: a fenced block without a language; for what a program prints it is text"
    if block.language == "console":
        assert block.steps(), f"{block.where}: a console block without a line `$ command`"
    elif block.file:
        later = [each for each in BLOCKS if each.page == block.page and each.line > block.line]
        typed = [step.command for each in later if each.language == "console" for step in each.steps()]
        assert any(block.file in command for command in typed), f"{block.where}: nothing below runs {block.file}"
    elif not block.reason_not_run:
        typed = [line for line in block.text.splitlines() if looks_typed(line)]
        assert not typed, (
            f"{block.where}: {typed[0].strip()!r} is something to type. Make it a console block, which a test runs, or "
            "say above it why it cannot be run: <!-- not run: … -->"
        )


@pytest.mark.outside
def test_commands_that_are_told_can_be_typed():
    problems = [
        f"{where}: `{command}`: {problem}" for where, command in TOLD + TYPED if (problem := problem_with(command))
    ]
    assert not problems, "\n".join(problems)


def split_of(commands: list[tuple[str, str]]) -> list[tuple[str, tuple[str, ...], set[str]]]:
    """Where it stands, the command, and its options, of the commands of ours."""
    found = []
    for where, command in commands:
        split = ours(command)
        if split and split[0]:
            options = {
                word.partition("=")[0]
                for word in split[1]
                if word.startswith("-") and word not in {"-", "-h", "--help"}
            }
            found.append((where, split[0], options))
    return found


def test_every_command_that_is_told_is_run_somewhere():
    done: dict[tuple[str, ...], set[str]] = {}
    for _, path, options in split_of(TYPED):
        done.setdefault(path, set()).update(options)
    missing = []
    for where, path, options in split_of(TOLD):
        named = " ".join(("gradcheck", *path))
        if path not in NOT_RUN and path not in done and not isinstance(_found(path), click.Group):
            missing.append(f"{where}: no page runs `{named}`")
        missing += [
            f"{where}: no page runs `{named} {option}`"
            for option in sorted(options - done.get(path, set()))
            if path not in NOT_RUN and (*path, option) not in NOT_RUN
        ]
    assert not missing, "\n".join(missing)


def _found(path: tuple[str, ...]) -> click.Command:
    found: click.Command = cli
    for name in path:
        found = found.commands[name]
    return found


def test_every_option_of_pytest_that_is_told_is_run_somewhere():
    def options(commands: list[tuple[str, str]]) -> set[str]:
        return {
            word
            for _, text in commands
            if "pytest" in words_of(text)[:3]
            for word in words_of(text)
            if word.startswith("-")
        } - {"-m"}

    assert options(TOLD) - options(TYPED) <= set(TOLD_BY_TEST)


def test_every_command_is_documented():
    def visible(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        found = []
        for name, each in group.commands.items():
            if not each.hidden:
                found += visible(each, (*path, name)) if isinstance(each, click.Group) else [(*path, name)]
        return found

    written = {path for _, path, _ in split_of(TOLD + TYPED)}
    assert set(visible(cli)) <= written


def test_make_targets_that_are_told_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    spans = [(page, span) for page in PAGES for _, span in spans_of(page)]
    spans += [(block.where, line.strip()) for block in BLOCKS for line in block.text.splitlines()]
    told_targets = {
        match[1]: where for where, span in spans if (match := re.fullmatch(r"(?:\$ )?make ([a-z-]+)", span))
    }
    assert told_targets
    assert set(told_targets) <= targets


def test_options_in_inline_code_belong_to_some_command():
    """A span of one option alone, `--require-sandbox`, is an option of some command of ours or of pytest's plugin."""
    plugin = (ROOT / "gradcheck/pytest_plugin.py").read_text()
    known = set(re.findall(r'"(--[\w-]+)"', plugin)) | {"--lf", "--help"}

    def collect(group: click.Group, path: tuple[str, ...] = ()) -> None:
        for name, each in group.commands.items():
            if isinstance(each, click.Group):
                collect(each, (*path, name))
            else:
                known.update(options_of((*path, name)))

    collect(cli)
    elsewhere = {"docs/cluster.md"}  # Dask's own options
    unknown = [
        f"{page}:{line}: {span}"
        for page in PAGES
        if page not in elsewhere
        for line, span in spans_of(page)
        if re.match(r"--[a-z]", span) and span.split()[0].partition("=")[0] not in known
    ]
    assert not unknown, "\n".join(unknown)


def test_links_lead_somewhere():
    broken = []
    for page in PAGES:
        here = ROOT / page
        for line, link in links_of(page):
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            path = (here.parent / target) if target else here
            outside = page.startswith("docs/") and not path.resolve().is_relative_to(ROOT / "docs")
            if not path.exists() or outside or (anchor and anchor not in anchors_of(path)):
                broken.append(f"{page}:{line}: {link}")
    assert not broken, "\n".join(broken)


def _places(nav: list[object]) -> list[str]:
    places: list[str] = []
    for each in nav:
        value = next(iter(each.values())) if isinstance(each, dict) else each
        places += _places(value) if isinstance(value, list) else [str(value)]
    return places


def test_the_site_has_every_page_once():
    written = [page.removeprefix("docs/") for page in PAGES if page != "README.md"]
    made = ["gallery.md", "exercises/index.md", *(f"exercises/{name}.md" for name in all_exercises())]
    nav = tomllib.loads(configuration())["project"]["nav"]
    assert sorted(_places(nav)) == sorted(written + made)


def test_readme_links_to_the_start_of_every_reader():
    linked = {link.partition("#")[0] for _, link in links_of("README.md")}
    assert {f"docs/{reader}/start.md" for reader in ("learner", "instructor", "developer", "library")} <= linked


def test_pages_say_nothing_of_the_machine_they_were_written_on():
    told_paths = [
        page for page in PAGES if re.search(r"/(work|home|root|Users)/\w", (ROOT / page).read_text(encoding="utf-8"))
    ]
    assert not told_paths


@pytest.mark.outside
@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("gradcheck hint relu --step 2", ""),
        ("python -m gradcheck grade SUBMISSIONS --out DIR | tee log", ""),
        ("gradcheck bundle gradescope --out x.zip", ""),
        ("gradcheck hints relu", "no command `gradcheck hints`"),
        ("gradcheck bundle moodle --out x", "no command `gradcheck bundle moodle`"),
        ("gradcheck hint relu --steps 2", "no option --steps"),
        ("gradcheck hint rleu", "no exercise rleu"),
        ("gradcheck report exercises --only rleu", "no exercise rleu"),
        ("gradcheck export graded --format gradescop", "--format is one of"),
        ("pytest exercises --show-answer -x", ""),
        ("pytest exercises --show-answers", "no option --show-answers"),
        ("pytest exercises/04_modules/rleu.py", "no exercises/04_modules/rleu.py"),
    ],
)
def test_a_command_that_cannot_be_typed_is_found_out(command, problem):
    found = problem_with(command)
    assert bool(found) == bool(problem)
    assert problem in found
