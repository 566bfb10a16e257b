"""The pages of the documentation, and the blocks of code on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md", "bench/*.md", "tests/**/*.md")
    for path in ROOT.glob(pattern)
)

_NOT_RUN = re.compile(r"<!--\s*not run: (.+?)\s*-->", re.DOTALL)
_EXIT_CODE = re.compile(r"<!--\s*exit code (\d+)\s*-->")


class Block(NamedTuple):
    """A block of code. `line` counts from 1. `not_run` says why its commands are not run, empty where they are;
    `prints` is the block of text right after it, which is what they print."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str
    exit_code: int
    prints: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def tokens(page: Path) -> list[Token]:
    """The Markdown of a page."""
    return MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text())


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of code of a page, in order."""
    page_tokens = tokens(page)
    for index, token in enumerate(page_tokens):
        if token.type not in ("fence", "code_block"):
            continue
        before = page_tokens[index - 1].content if index and page_tokens[index - 1].type == "html_block" else ""
        after = _text(page_tokens, index)
        reason, code = _NOT_RUN.search(before), _EXIT_CODE.search(before)
        assert token.map is not None
        yield Block(
            page,
            token.map[0] + 1,
            token.info.strip() if token.type == "fence" else "",
            token.content,
            reason[1] if reason else "",
            int(code[1]) if code else 0,
            after,
        )


def _text(page_tokens: list[Token], index: int) -> str:
    """The block of text right after a block, where there is one."""
    after = page_tokens[index + 1] if index + 1 < len(page_tokens) else None
    return after.content if after is not None and after.type == "fence" and after.info.strip() == "text" else ""


def anchors(page: Path) -> set[str]:
    """Where links can lead to on a page: its headings, as GitHub writes them."""
    result: set[str] = set()
    headings = tokens(page)
    for heading, inline in pairwise(headings):
        if heading.type != "heading_open":
            continue
        words = re.sub(r"[^\w\- ]", "", inline.content.lower()).replace(" ", "-")
        number = 0
        while (anchor := words if not number else f"{words}-{number}") in result:
            number += 1
        result.add(anchor)
    return result


def links(page: Path) -> Iterator[str]:
    """Where the links of a page lead to."""
    for token in tokens(page):
        for child in token.children or ():
            if child.type == "link_open":
                yield str(child.attrGet("href"))
