"""Every command in the documentation is run: in a copy of the project, without a network, page by page."""

from __future__ import annotations

import pytest

from tests.docs.doc_pages import all_pages, blocks_of
from tests.docs.doc_shell import Original, run_page, shows

pytestmark = pytest.mark.outside

PAGES = [
    page
    for page in all_pages()
    if any(block.language in {"console", "python"} and not block.reason_not_run for block in blocks_of(page))
]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    return Original(tmp_path_factory.mktemp("docs"))


@pytest.mark.parametrize("page", PAGES)
def test_what_the_page_says_to_type_works(page, original, tmp_path):
    ran = run_page(page, tmp_path / page.replace("/", "-"), original)
    assert ran
    assert not [each.problem for each in ran if each.problem], "\n\n".join(each.problem for each in ran if each.problem)


PAGE = """# A page

<!-- first: echo kept > file.txt -->
<!-- exits 3: on purpose -->

```console
$ cat file.txt
kept
$ mkdir docs && cd docs && export WORD=hello
$ echo $WORD; basename "$PWD"
hel…
docs
$ (exit 3)
```

<!-- file: said.py -->

```python
print("said")
```

```console
$ python ../said.py
said
```

```text
$ false
```
"""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("", "", ""),
        ("exits 3", "exits 4", "exits 3, not 4"),
        ("$ cat file.txt\nkept", "$ cat file.txt\nlost", "does not print\nlost"),
        ("$ cat file.txt", "$ cat other.txt", "exits 1, not 0"),
        ("hel…\ndocs", "docs\nhel…", "does not print\ndocs"),
        ('print("said")', 'print("not")', "does not print\nsaid"),
        ("```text\n$ false", "```console\n$ false", "exits 1, not 0"),
        ("```text\n$ false", "```python\nassert False", "exits 1, not 0"),
    ],
)
def test_a_page_that_does_not_hold_is_found_out(old, new, complaint, tmp_path):
    ran = run_page("docs/page.md", tmp_path / "run", Original(tmp_path, ("LICENSE",)), text=PAGE.replace(old, new))
    problems = [each.problem for each in ran if each.problem]
    assert len(problems) == bool(complaint)
    assert complaint in "".join(problems)


@pytest.mark.parametrize(
    ("shown", "printed", "right"),
    [
        ("", "anything", True),
        ("a  b\nc", "x a b c y", True),
        ("a … d", "a b c\n d", True),
        ("a …", "a", True),
        ("0.12…", "0.123 s", True),
        ("a b", "b a", False),
        ("a … e", "a b c d", False),
        ("[1.]", "[1,]", False),
    ],
)
def test_what_is_shown_must_be_printed(shown, printed, right):
    assert shows(shown, printed) is right
