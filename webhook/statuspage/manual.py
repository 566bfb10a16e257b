"""The pages of `docs/` that come with the program: which section is about a condition, and a page as HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import webhook

# The section about each condition of `/ready` (`diagnosis/condition.py`) that does not hold.
_SECTIONS: Final[Mapping[str, str]] = {
    "namespaces": "troubleshooting#the-servers-pods-never-become-ready",
    "serving": "operating#shutdown",
    "cache": "operating#the-api-server",
    "certificate": "certificates#how-they-are-kept",
    "trusted": "troubleshooting#x509-certificate-signed-by-unknown-authority-certificate-has-expired",
    "caBundles": "certificates#if-somebody-else-writes",
    "certificate Secret": "certificates#how-they-are-kept",
    "webhook configurations": "operating#rights",
    "leader": "operating#rights",
    "adoption": "troubleshooting#linkerd-answers-again-after-its-upgrade",
    "validated kinds": "troubleshooting#linkerd-answers-again-after-its-upgrade",
    "certificates": "certificates#how-they-are-kept",
    "self-test": "troubleshooting#the-self-test-fails-the-api-server-does-not-reach-the-server",
    "trust anchor": "troubleshooting#x509-certificate-signed-by-unknown-authority-certificate-has-expired",
}
_FILES: Final = "operating#files"
_ANSWERS: Final = "answers"

_NAME: Final = re.compile(r"[a-z][a-z-]*")
_HEADING: Final = re.compile(r"#{1,6} +(.+)")
_NOT_IN_ANCHORS: Final = re.compile(r"[^\w\- ]")


def section_about(condition: str) -> str:
    """The address of the section about a condition, relative to the page."""
    section = _SECTIONS.get(condition) or (_FILES if condition.endswith(" files") else "operating")
    return f"docs/{section}"


def section_about_reason(reason: str) -> str:
    """The address of the section about a reason of an answer, relative to the page; "" where there is none."""
    return f"docs/{_ANSWERS}#{reason}" if anchor(reason) in _anchors(_ANSWERS) else ""


def folder() -> Path:
    """The folder of the pages: inside an installed package, else `docs` of the checkout."""
    package = Path(webhook.__file__).parent
    installed = package / "docs"
    return installed if installed.is_dir() else package.parent / "docs"


def text_of(name: str) -> str | None:
    """The Markdown of a page, by its name without `.md`; None if there is none of that name."""
    if not _NAME.fullmatch(name):
        return None
    try:
        return (folder() / f"{name}.md").read_text(encoding="utf-8")
    except OSError:
        return None


def anchor(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return _NOT_IN_ANCHORS.sub("", heading.strip().lower()).replace(" ", "-")


def pieces(text: str) -> list[tuple[str, str]]:
    """A page as its headings, each with the text that follows; the first heading may be empty."""
    result: list[tuple[str, list[str]]] = [("", [])]
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else _HEADING.fullmatch(line)
        if heading is not None:
            result.append((heading[1], []))
        else:
            result[-1][1].append(line)
    return [(heading, "\n".join(lines).strip("\n")) for heading, lines in result if heading or any(lines)]


@cache
def _anchors(name: str) -> frozenset[str]:
    """The anchors of a page, which do not change while the program runs."""
    return frozenset(anchor(heading) for heading, _ in pieces(text_of(name) or ""))
