"""No module decides by a sentence that another one wrote, or by the name of a case: facts are handed over as fields."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent.parent / "gradcheck"

SENTENCES = {"message", "where", "about", "think", "answer"}
"""Fields that hold sentences for people."""

TAKEN_APART = {
    "count", "endswith", "find", "index", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rpartition", "rsplit",
    "split", "splitlines", "startswith",
}  # fmt: skip
SEARCHED = {"findall", "finditer", "fullmatch", "match", "search", "split", "sub"}

ALLOWED = {
    "authoring/dev_check/record.py: _TODO.search(each.text + each.think)": "a text is what is checked there",
    "authoring/new/trial.py: bad.message.splitlines()": "the first line is printed",
    "diagnosis/codes.py: '{g}' in known.think": "a thought's own place for a name is filled there",
    "hosts/github/findings.py: each.message in seen": "what several checks say is printed once",
    "reports/feedback.py: each.message != found.message": "what stops every function is printed once",
    "hosts/gradescope/result.py: found.message not in seen": "what several checks say is printed once",
    "reports/message.py: result.message.replace('\\n', ' ')": "one line is printed",
}
"""Every place that looks into a sentence, and why it may."""


def is_sentence(node: ast.AST) -> bool:
    """message, where, about of something; the name of a case; the text of an error of ours."""
    if isinstance(node, ast.Attribute):
        of_a_case = node.attr == "name" and ast.unparse(node.value).rsplit(".", 1)[-1].endswith("case")
        return of_a_case or (node.attr in SENTENCES and ast.unparse(node.value) not in NO_SENTENCES)
    told = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str"
    return told and any(isinstance(each, ast.Name) and each.id == "failure" for each in node.args)


NO_SENTENCES = {"np", "torch", "columns", "self.numbers"}
"""What has a `where` that says nothing: numpy.where, the places of a table's columns."""


def has_sentence(node: ast.AST) -> bool:
    return any(is_sentence(each) for each in ast.walk(node))


def readings(source: str) -> list[str]:
    """Every comparison with a sentence, every method and regular expression that takes one apart."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            read = has_sentence(node) and not all(isinstance(each, (ast.Is, ast.IsNot)) for each in node.ops)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            apart = node.func.attr in TAKEN_APART and (is_sentence(node.func.value) or is_local(node.func.value))
            read = apart or (node.func.attr in SEARCHED and any(map(has_sentence, node.args)))
        else:
            read = isinstance(node, ast.Subscript) and is_sentence(node.value)
        if read:
            found.append(ast.unparse(node))
    return found


def is_local(node: ast.AST) -> bool:
    """A variable that is called like a sentence."""
    return isinstance(node, ast.Name) and node.id == "message"


def test_no_module_reads_back_what_another_one_wrote():
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}: {reading}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for reading in readings(path.read_text(encoding="utf-8"))
    }
    assert found - set(ALLOWED) == set()
    assert set(ALLOWED) - found == set(), "no longer there: take it off the list"


@pytest.mark.parametrize(
    "source",
    [
        "'missing' in factor.message",
        "example.where.split(' differs', 1)[0]",
        "re.search(r'\\d+', example.where)",
        "_PLACE.findall(example.where)",
        "all('single sample' in seen[0].trial.case.name for seen in wrong)",
        "trial.case.name.rsplit(',', 1)[0]",
        "result.message[:3] == 'the'",
        "diagnosis.think.startswith('Read')",
    ],
)
def test_the_walk_sees_what_it_must(source):
    assert readings(source)


@pytest.mark.parametrize(
    "source",
    ["np.where(x > 0, x, 0) > 1", "lines.append(result.message)", "kept[case.name] = 1", "if example.where: show(example.where)"],
)  # fmt: skip
def test_what_prints_or_keeps_is_no_reading(source):
    assert readings(source) == []
