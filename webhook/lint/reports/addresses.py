"""Where a finding's rule is explained: its heading on the page of rules."""

from __future__ import annotations

from urllib.parse import urlsplit

from webhook.findings.finding import Rule

PAGE = "docs/rules.md"
"""The page in this project's repository. Whoever publishes it elsewhere gives `validate --docs-url`."""


def address(rule: Rule, page: str) -> str:
    """The address of a rule on a page."""
    return f"{page}#{rule.id}"


def is_absolute(page: str) -> bool:
    """Whether it can be followed from anywhere: SARIF takes no other address."""
    parts = urlsplit(page)
    return parts.scheme in ("http", "https") and bool(parts.hostname)
