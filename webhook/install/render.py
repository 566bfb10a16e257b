"""Renders the objects of an installation for given values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.install.objects.all import OBJECTS
from webhook.install.settings import CONFLICTS
from webhook.install.tree import Context, evaluate, holds
from webhook.install.validatedkinds import CONFIGURATION, has_policy_rules, lacking, written_for
from webhook.mesh.releases import Line

JSON = dict[str, Any]

# The newest Kubernetes version that was tested, and the oldest that supports every object that is never left out.
NEWEST: Final = (1, 36)
OLDEST: Final = (1, 21)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects, in the order in which they are applied.

    `needs` is the oldest Kubernetes version (major, minor) that supports all of them. `left_out` are sentences about
    the fields and objects that were left out for an older version, and the kinds for an older release of Linkerd.
    """

    objects: list[JSON]
    needs: tuple[int, int]
    left_out: list[str]


def render(
    values: Mapping[str, Any], namespace: str, kubernetes: tuple[int, int] = NEWEST, line: Line | None = None
) -> Rendered:
    """The objects for complete and valid values. `kubernetes` is the version (major, minor) of the API server, `line`
    Linkerd's release line, None where it is not known: the policy validator's rules name all kinds then."""
    context = Context(values, namespace, kubernetes)
    bodies = [
        evaluate(conditional.tree, context)
        for conditional in OBJECTS
        if conditional.condition is None or holds(conditional.condition, context)
    ]
    left_out = [f"{what} (from Kubernetes {version} on)" for what, version in context.unknown.items()]
    needs = max(context.known, default=OLDEST)
    if line is None:
        return Rendered(bodies, needs, left_out)
    narrowed = [written_for(body, line) if _has_kinds(body) else body for body in bodies]
    if any(_has_kinds(body) for body in bodies) and (kinds := lacking(line)):
        left_out.append(f"rules for {', '.join(kinds)} ({line.name} does not validate them)")
    return Rendered(narrowed, needs, left_out)


def _has_kinds(body: JSON) -> bool:
    """Whether it is the configuration whose rules depend on the release line, and has them already."""
    return (body["kind"], body["metadata"]["name"]) == CONFIGURATION and has_policy_rules(body)


def conflicts(values: Mapping[str, Any]) -> list[str]:
    """A message for each pair of settings in valid values that cannot be combined."""
    context = Context(values, "", NEWEST)
    return [conflict.message for conflict in CONFLICTS if holds(conflict.condition, context)]
