"""The kinds that our policy validator's rules name: those that a release of Linkerd validates.

As in Linkerd's own configuration, a rule leaves out the kinds that came with a later release. It names all versions of
an API: so does Linkerd from edge-23.9.1 on, and before, the versions that it names stand for all of them
(`matchPolicy: Equivalent`).

A configuration whose rules were written for a release says so in an annotation. So it is known after an upgrade of
Linkerd which kinds the rules lack because of their age, and which because somebody wants it so.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.install.configurations import GATEWAY_GROUP, NAME, POLICIES, POLICY_GROUP, POLICY_WEBHOOK, ROUTES, RULES
from webhook.kube.webhookconfigurations import VALIDATING, ConfigurationName
from webhook.mesh.releases import Line, choose

JSON = dict[str, Any]

# The configuration with the policy validator, and its annotation: the release line for which its rules were written.
CONFIGURATION: Final[ConfigurationName] = (VALIDATING, NAME)
WRITTEN_FOR: Final = "linkerd-webhook/rules-for-release-line"

# The row of `webhook.mesh.releases` for each resource. A kind that every release validates has none there.
_ROWS: Final = {
    **{(POLICY_GROUP, resource): f"policy/{kind}" for resource, kind in POLICIES.items()},
    **{(GATEWAY_GROUP, resource): f"policy/gateway.{kind}" for resource, kind in ROUTES.items()},
}
_KINDS: Final = {
    **{(POLICY_GROUP, resource): f"{kind}.{POLICY_GROUP}" for resource, kind in POLICIES.items()},
    **{(GATEWAY_GROUP, resource): f"{kind}.{GATEWAY_GROUP}" for resource, kind in ROUTES.items()},
}


def rules_for(line: Line | None) -> Mapping[str, tuple[JSON, ...]]:
    """The rules of each webhook for a release line; with the kinds of all releases where it is not known (None)."""
    return {**RULES, POLICY_WEBHOOK: _policy_rules(line)}


def _policy_rules(line: Line | None) -> tuple[JSON, ...]:
    if line is None:
        return RULES[POLICY_WEBHOOK]
    rules = []
    for rule in RULES[POLICY_WEBHOOK]:
        (group,) = rule["apiGroups"]
        known = [resource for resource in rule["resources"] if line.knows(_ROWS[group, resource])]
        if known:
            rules.append({**rule, "resources": known})
    return tuple(rules)


def lacking(line: Line) -> list[str]:
    """The kinds, with their groups, that a release line does not validate and later ones do."""
    return [_KINDS[element] for element, row in _ROWS.items() if not line.knows(row)]


def written_for(configuration: JSON, line: Line | None) -> JSON:
    """A copy of the configuration with the policy validator in which that webhook has the rules for a release line, and
    the annotation says so; all kinds and no annotation where the line is not known. Other fields stay."""
    changed = copy.deepcopy(configuration)
    webhook = _policy_webhook(changed)
    if webhook is not None:
        webhook["rules"] = [copy.deepcopy(rule) for rule in _policy_rules(line)]
        metadata = changed["metadata"]
        annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != WRITTEN_FOR}
        metadata["annotations"] = annotations if line is None else {**annotations, WRITTEN_FOR: line.name}
    return changed


def has_policy_rules(configuration: JSON) -> bool:
    """Whether a configuration has the policy validator, with rules."""
    webhook = _policy_webhook(configuration)
    return webhook is not None and bool(webhook.get("rules"))


@dataclass(frozen=True, slots=True)
class Outdated:
    """Rules of a configuration that were written for a release line which validates less than the one in force.

    `in_force` is empty where that line is not known. `kinds` are those that it may validate, the earlier line does not,
    and the rules do not name, so that their objects are stored unchecked. `as_written`: nobody has changed the rules
    since.
    """

    written_for: str
    in_force: str
    kinds: tuple[str, ...]
    as_written: bool


def outdated(configuration: JSON, line: Line | None) -> Outdated | None:
    """What the rules of the configuration with the policy validator lack since an upgrade to this release line (None:
    one that is not known).

    None where they lack nothing, or do not say for which line they were written: then it is somebody's choice.
    """
    before = _annotated(configuration)
    if before is None or not has_policy_rules(configuration):
        return None
    webhook = _policy_webhook(configuration) or {}
    kinds = tuple(
        _KINDS[element]
        for element, row in _ROWS.items()
        if (line is None or line.knows(row)) and not before.knows(row) and not _name(webhook["rules"], *element)
    )
    if not kinds:
        return None
    as_written = webhook["rules"] == list(_policy_rules(before))
    return Outdated(before.name, line.name if line is not None else "", kinds, as_written)


def _annotated(configuration: JSON) -> Line | None:
    name = (configuration["metadata"].get("annotations") or {}).get(WRITTEN_FOR)
    try:
        return choose(name).line if isinstance(name, str) else None
    except ValueError:
        return None


def _name(rules: Any, group: str, resource: str) -> bool:
    """Whether rules name a resource."""
    return any(
        not {"*", group}.isdisjoint(rule.get("apiGroups") or ())
        and not {"*", "*/*", resource}.isdisjoint(rule.get("resources") or ())
        for rule in rules
    )


def _policy_webhook(configuration: JSON) -> JSON | None:
    webhooks = configuration.get("webhooks") or ()
    return next(
        (webhook for webhook in webhooks if isinstance(webhook, dict) and webhook.get("name") == POLICY_WEBHOOK), None
    )
