"""Writes findings as a JSON array with one object for each finding.

    {"file": "a.yaml", "line": 7, "column": 3, "severity": "error", "rule": "…", "field": "spec.port", "message": "…",
     "help": "docs/rules.md#…", "object": {"apiVersion": "…", "kind": "Server", "namespace": "shop", "name": "cart"}}

`severity` is `error` or `warning`. Lines and columns count from 1; both are 0 where the file itself cannot be read.
`help` is the address at which the rule is explained. `object` is null for what could not be read (rule
`manifest-unreadable`), and its `namespace` and `name` are empty where the manifest has none.
"""

from __future__ import annotations

from typing import Any

import orjson

from webhook.lint.check import Reported, Result
from webhook.lint.reports.addresses import PAGE, address


def write(result: Result, page: str = PAGE) -> str:
    """The indented JSON array. `page` is the address of the page of rules."""
    entries = [_entry(one, page) for one in result.findings]
    return orjson.dumps(entries, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _entry(one: Reported, page: str) -> dict[str, Any]:
    known = one.object
    return {
        "file": one.file,
        "line": one.line,
        "column": one.column,
        "severity": one.level,
        "rule": one.rule.id,
        "field": one.field,
        "message": one.message,
        "help": address(one.rule, page),
        "object": known
        and {
            "apiVersion": known.api_version,
            "kind": known.kind,
            "namespace": known.namespace,
            "name": known.name,
        },
    }
