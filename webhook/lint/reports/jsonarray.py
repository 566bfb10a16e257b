"""For programs: a JSON array with an object a finding.

    {"file": "a.yaml", "line": 7, "column": 3, "severity": "error", "rule": "…", "field": "spec.port", "message": "…",
     "object": {"apiVersion": "…", "kind": "Server", "namespace": "shop", "name": "cart"}}

`severity` is `error` or `warning`. Lines and columns count from 1; both are 0 where the file itself cannot be read.
`object` is null for what could not be read (rule `manifest-unreadable`), and its `namespace` and `name` are empty where
the manifest says none.
"""

from __future__ import annotations

from typing import Any

import orjson

from webhook.lint.check import Reported, Result


def write(result: Result) -> str:
    """The array, indented."""
    entries = [_entry(one) for one in result.found]
    return orjson.dumps(entries, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _entry(one: Reported) -> dict[str, Any]:
    known = one.object
    return {
        "file": one.file,
        "line": one.line,
        "column": one.column,
        "severity": one.level,
        "rule": one.rule.id,
        "field": one.field,
        "message": one.message,
        "object": known
        and {
            "apiVersion": known.api_version,
            "kind": known.kind,
            "namespace": known.namespace,
            "name": known.name,
        },
    }
