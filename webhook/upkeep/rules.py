"""Adds rules to webhooks that were installed without rules.

With `failurePolicy: Fail`, the API server refuses every object that a webhook's rules match while no replica answers.
So the webhook is installed without rules, and gets them once the API server has reached the server.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from webhook.kube.interface import JSON

Rules = Mapping[str, Sequence[JSON]]


def with_rules(configuration: JSON, rules: Rules) -> JSON | None:
    """A copy of the configuration with `rules` (by webhook name) in webhooks without rules; None if all have some."""
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
