"""Webhooks that were born without rules get them, once the API server has reached us.

A webhook with `failurePolicy: Fail` and nobody to answer refuses every object that its rules match, so until then it
has none and matches nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from webhook.kube.interface import JSON

Rules = Mapping[str, Sequence[JSON]]


def with_rules(configuration: JSON, rules: Rules) -> JSON | None:
    """The configuration with the rules of each of its webhooks (by name) that has none; None where all have some."""
    missing = [
        index
        for index, webhook in enumerate(configuration.get("webhooks") or ())
        if isinstance(webhook, dict) and not webhook.get("rules") and webhook.get("name") in rules
    ]
    if not missing:
        return None
    changed = copy.deepcopy(configuration)
    for index in missing:
        webhook = changed["webhooks"][index]
        webhook["rules"] = [dict(rule) for rule in rules[webhook["name"]]]
    return changed
