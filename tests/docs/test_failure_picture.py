"""The README shows a failure as the grader tells it today."""

from __future__ import annotations

import re

import pytest

from tests.docs.doc_pages import ROOT
from tests.docs.failure_picture import BACKWARD, EXERCISE, FILE, picture_of, printed, text_in


@pytest.mark.outside
def test_the_picture_of_a_failure_says_what_the_grader_says_today():
    told = printed()
    plain = re.sub(r"\x1b\[[\d;]*m", "", told).splitlines()
    shown = text_in(FILE.read_text(encoding="utf-8"))
    assert shown == [*BACKWARD.splitlines(), "", f"$ pytest {EXERCISE} -k backward", *plain], (
        "run: python -m tests.docs.failure_picture"
    )
    assert shown == text_in(picture_of(told))


def test_the_picture_is_small_and_loads_nothing():
    picture = FILE.read_bytes()
    assert len(picture) < 100_000
    assert re.findall(rb"@import|@font-face|<script|<image|(?:href|src)=|url\((?!#)", picture) == []


def test_who_cannot_see_the_picture_is_told_what_it_shows():
    told = re.findall(r"!\[([^\]]*)\]\(docs/assets/failure\.svg\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(told) == 1
    # The mistake, as the picture has it in its second line of the failure.
    shown = " ".join(" ".join(text_in(FILE.read_text(encoding="utf-8"))).split())
    mistake = re.findall(r"\[missing-term\] (.+?) x = ", shown)
    assert len(mistake) == 1
    assert mistake[0] in " ".join(told[0].split())
