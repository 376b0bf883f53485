"""The site's page of every exercise: all that a learner wants, and no answer outside of a closed fold."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from gradcheck.authoring import pages
from gradcheck.authoring.pages import ROOT, write_pages
from gradcheck.catalog import all_exercises
from gradcheck.catalog.exercise import function
from gradcheck.classes.course_here import whole_catalog
from gradcheck.desk.watch.session import exercises_to_watch
from gradcheck.errors import GradcheckError
from gradcheck.references.mathml import markup, markup_of_text

EXERCISES = list(all_exercises().values())
by_name = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)


@pytest.fixture(scope="module")
def docs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    write_pages(folder, messages=False)
    return folder


def page_of(docs, exercise):
    return (docs / "exercises" / f"{exercise.name}.md").read_text(encoding="utf-8")


class Read(HTMLParser):
    """What a page says `outside` of folds, each fold's `summaries` and insides, and every link and id."""

    def __init__(self, text):
        super().__init__()
        self.outside, self.folds, self.summaries, self.links, self.ids, self.opened = "", [], [], [], [], []
        self.depth, self.summary = 0, False
        self.feed(re.sub(r"\[([^\]]*)\]\(([^)\s]+)\)", r'<a href="\2">\1</a>', text))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.links += [given["href"]] if tag == "a" else []
        self.ids += [given["id"]] if "id" in given else []
        if tag == "details":
            self.depth += 1
            self.folds.append("")
            self.opened += ["open"] if "open" in given else []
        self.summaries += [""] if tag == "summary" else []
        self.summary = tag == "summary" or self.summary

    def handle_endtag(self, tag):
        self.depth -= tag == "details"
        self.summary = self.summary and tag != "summary"

    def handle_data(self, data):
        if self.summary:
            self.summaries[-1] += data
        elif self.depth:
            self.folds[-1] += data
        else:
            self.outside += data


def flat(text):
    """Without what invisible signs, spaces and escapes make of it."""
    return re.sub(r"[\s\u2061-\u2063]", "", text)


def said(sentence, exercise):
    """A sentence as the page has it, all of its markup taken off."""
    names = {name for graded in exercise.functions for name in graded.spec.parameters}
    return flat(Read(markup_of_text(sentence, names)).outside)


@by_name
def test_a_page_has_what_a_learner_wants(docs, exercise):
    text = page_of(docs, exercise)
    page = Read(text)
    outside, folds = flat(page.outside), [flat(fold) for fold in page.folds]
    assert f"# {exercise.name}: " in text
    assert said(exercise.about.statement, exercise) in outside
    assert said(exercise.about.purpose, exercise) in outside
    assert f"about {exercise.about.minutes} minutes" in page.outside
    assert f"$ gradcheck desk --only {exercise.name}\n$ pytest exercises/{exercise.path}\n" in text
    assert exercises_to_watch(ROOT / "exercises", [exercise.name], whole_catalog()) == [exercise]
    assert f"$ gradcheck hint {exercise.name}\n" in text
    for graded in exercise.functions:
        assert f"{graded.spec.name}({', '.join(graded.spec.parameters)})" in page.outside
    for hint in exercise.hints:
        assert sum(said(hint, exercise) in fold for fold in folds) == 1
    for mistake in exercise.misconceptions:
        assert any(said(mistake.text, exercise) in fold and mistake.code in fold for fold in folds)
    for name in exercise.about.torch:
        assert any(flat(name) in fold for fold in folds)
    levels = [len(found) for found in re.findall("^(#+) ", text, re.MULTILINE)]
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    assert len(page.ids) == len(set(page.ids))


@by_name
def test_nothing_that_gives_the_answer_away_stands_outside_of_a_closed_fold(docs, exercise):
    text = page_of(docs, exercise)
    page = Read(text)
    outside = flat(page.outside)
    assert not page.opened
    assert len(page.summaries) == len(page.folds)
    told = [*exercise.hints, exercise.about.idea, *filter(None, exercise.formula.split("\n"))]
    told += [each.text for each in exercise.misconceptions]
    assert not [each for each in told if said(each, exercise) in outside]
    unfolded = re.sub(r"<details.*?</details>", "", text, flags=re.DOTALL)
    for made in [each for operator in exercise.operators for each in markup(operator)]:
        assert made.mathml in text
        assert made.kind == "definition" or made.mathml not in unfolded
        assert made.kind == "definition" or flat(Read(made.mathml).outside) not in outside
    assert "<svg" not in unfolded
    assert not [line for line in solved(exercise) if flat(line) in flat(text)]


def solved(exercise):
    """The lines of the solution's bodies, but for those that say nothing."""
    source = (ROOT / "solutions" / exercise.path).read_text(encoding="utf-8")
    tree = ast.parse(source)
    for node in tree.body:
        for statement in node.body[1:] if isinstance(node, ast.FunctionDef) else ():
            line = ast.get_source_segment(source, statement) or ""
            if len(line) > 25:
                yield line


def test_links_lead_somewhere_and_from_each_exercise_to_the_next(docs):
    for path in sorted(docs.rglob("*.md")):
        for link in Read(path.read_text(encoding="utf-8")).links:
            target, _, anchor = link.partition("#")
            if target.startswith("https://"):
                assert re.match(r"https://(docs\.pytorch\.org/docs/stable|atcold\.github\.io/NYU-DLSP20)/", target)
                continue
            place = (path.parent / re.sub(r"\.html$", ".md", target)).resolve()
            if not place.exists():  # a page of docs/, beside which these are written
                place = ROOT / "docs" / place.relative_to(docs.resolve())
            assert place.exists(), f"{path.name}: {link}"
            headings = re.findall("^#+ (.+)", place.read_text(encoding="utf-8"), re.MULTILINE)
            assert not anchor or anchor in {each.lower().replace(" ", "-") for each in headings}
    for here, there in pairwise(EXERCISES):
        assert f"- Next: [`{there.name}`]({there.name}.md)" in page_of(docs, here)
        assert f"- Before: [`{here.name}`]({here.name}.md)" in page_of(docs, there)


def test_the_overview_has_every_exercise_and_the_gallery_every_picture(docs):
    overview = (docs / "exercises/index.md").read_text(encoding="utf-8")
    gallery = (docs / "gallery.md").read_text(encoding="utf-8")
    for exercise in EXERCISES:
        assert f'<a href="{exercise.name}.html"><code>{exercise.name}</code></a>' in overview
        pictures = page_of(docs, exercise).count("<svg")
        assert gallery.count(f'<a href="exercises/{exercise.name}.html">') == pictures
        assert bool(pictures) or not any(not graded.spec.reference for graded in exercise.functions)
    assert len(re.findall(r'<svg role="img" aria-label="∂\S+, [^"]{10,}"', gallery)) == gallery.count("<svg")
    assert (docs / "assets/pictures.css").read_text(encoding="utf-8").count("--gc-p4:") == 2


def test_a_mistake_is_graded_and_told_as_a_learner_reads_it_and_pages_are_made_alike(tmp_path):
    for folder in ("one", "two"):
        write_pages(tmp_path / folder, ["relu"])
    one, two = ((tmp_path / folder / "exercises/relu.md").read_text(encoding="utf-8") for folder in ("one", "two"))
    assert one == two
    relu = all_exercises()["relu"]
    mistake = next(each for each in relu.misconceptions if each.function == "backward")
    shown = one[one.index("<pre ") : one.index("</pre>")]
    assert f"relu.backward   [{mistake.code}]" in shown
    assert 'class="bad">' in shown
    assert "you returned" in shown
    assert "pytest exercises/04_modules/relu.py -k backward" in shown
    assert one.count('<figure class="computation">') == 1
    assert "your dC/dx" in one
    assert 'href="exercises/relu.html#when-it-goes-wrong"' in (tmp_path / "one/gallery.md").read_text(encoding="utf-8")
    assert not (tmp_path / "one/exercises/softmax.md").exists()


def test_an_exercise_that_is_added_has_a_page_at_once(tmp_path, monkeypatch):
    add = all_exercises()["add"]
    of = next(graded for graded in all_exercises()["graph"].functions if graded.spec.reference)
    added = replace(
        add, name="doubled", unit="09_more", title="Twice <x> & more", operator=None, formula="", misconceptions=(),
        functions=(function("twice", "x", reference=of.spec.reference),), about=replace(add.about, torch=()),
    )  # fmt: skip
    monkeypatch.setattr(pages, "all_exercises", lambda: {"add": add, "doubled": added})
    for folder, text in (("solutions/09_more", 'def twice(x):\n    """2 x_i, shaped like x."""\n'), ("docs", "")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / ("lecture-map.md" if folder == "docs" else "doubled.py")).write_text(text)
    written = write_pages(tmp_path / "site", ["doubled"], root=tmp_path)
    page = (tmp_path / "site/exercises/doubled.md").read_text(encoding="utf-8")
    assert tmp_path / "site/exercises/doubled.md" in written
    assert "# doubled: Twice &lt;x&gt; &amp; more" in page
    assert re.search("shaped like (<span [^>]*>)?<math><mi>x</mi></math>", page)
    assert "Before: [`add`](add.md)" in page
    assert "<h2" not in page
    assert "When it goes wrong" in page
    assert "09 More" in (tmp_path / "site/exercises/index.md").read_text(encoding="utf-8")


def test_without_the_source_it_says_what_is_missing(tmp_path):
    with pytest.raises(GradcheckError, match="no solutions/"):
        write_pages(tmp_path / "site", root=tmp_path)
    assert not (tmp_path / "site").exists()
