"""A page as a strict reader sees it: tags in order, the text that is shown; what is left open is a defect."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """`void` are tags that are never closed; `closed` those that close themselves."""

    void: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.style = "", ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in self.closed
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["style"]:
            self.style += data
        else:
            self.text += data
