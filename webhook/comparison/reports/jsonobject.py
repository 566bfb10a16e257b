"""A comparison as one JSON object, for programs."""

from __future__ import annotations

from typing import Any

import orjson

from webhook.comparison.compare import Comparison


def write(comparison: Comparison) -> str:
    """The object, with an end of line."""
    return orjson.dumps(body(comparison), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def body(comparison: Comparison) -> dict[str, Any]:
    """The object: `docs/diff-lines.md` describes it."""
    return {
        "from": comparison.before,
        "to": comparison.after,
        "pods": [
            {
                "object": pod.object,
                "mode": pod.mode,
                "changes": [
                    {
                        "path": change.path,
                        "kind": change.kind,
                        "from": change.old,
                        "to": change.new,
                        "since": change.since,
                        "todo": change.todo,
                    }
                    for change in pod.changes
                ],
            }
            for pod in comparison.pods
        ],
        "annotations": [
            {
                "annotation": one.annotation,
                "at": one.at,
                "effect": "begins" if one.begins else "ends",
                "since": one.since,
                "todo": one.todo,
                "objects": list(one.objects),
            }
            for one in comparison.annotations
        ],
        "defaults": [{"key": one.key, "from": one.old, "to": one.new} for one in comparison.defaults],
        "policies": [
            {"object": one.object, "file": one.file, "line": one.line, "from": list(one.old), "to": list(one.new)}
            for one in comparison.policies
        ],
        "proxies": [
            {"version": one.version, "pods": one.pods, "namespaces": one.namespaces} for one in comparison.proxies
        ],
    }
