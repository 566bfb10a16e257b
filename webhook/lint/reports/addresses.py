"""The address at which a rule is documented: its heading on the page of rules."""

from __future__ import annotations

from urllib.parse import urlsplit

from webhook.findings.finding import Rule

PAGE = "docs/rules.md"
"""The page in this project's repository. `validate --docs-url` gives another address for it."""


def address(rule: Rule, page: str) -> str:
    """The address of a rule; `page` is the address of the page of rules."""
    return f"{page}#{rule.id}"


def is_absolute(page: str) -> bool:
    """Whether the page has an absolute http(s) address, which SARIF requires of a `helpUri`."""
    parts = urlsplit(page)
    return parts.scheme in ("http", "https") and bool(parts.hostname)
