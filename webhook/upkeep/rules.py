"""Adds rules to webhooks that were installed without rules.

With `failurePolicy: Fail`, the API server refuses every object that a webhook's rules match while no replica answers.
So the webhook is installed without rules, and gets them once the API server has reached the server. Rules that were
written for an older release of Linkerd than the one in force get the kinds that came with it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from webhook.install.validatedkinds import has_policy_rules, outdated, rules_for, written_for
from webhook.kube.interface import JSON
from webhook.mesh.releases import Line

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


def with_rules_for(configuration: JSON, line: Line | None) -> JSON | None:
    """As `with_rules`, with the rules for a release line (None: not known). They say for which line they are."""
    changed = with_rules(configuration, rules_for(line))
    return changed if changed is None or has_policy_rules(configuration) else written_for(changed, line)


def with_new_kinds(configuration: JSON, line: Line | None) -> JSON | None:
    """A copy of the configuration whose rules name the kinds that came with this release line (None: not known), too.

    None where none is missing, and where somebody has changed the rules since they were written: they stay as they are.
    """
    old = outdated(configuration, line)
    return written_for(configuration, line) if old is not None and old.as_written else None
