"""Renders the objects of an installation for given values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.install.objects.all import OBJECTS
from webhook.install.settings import CONFLICTS
from webhook.install.tree import Context, evaluate, holds

JSON = dict[str, Any]

# The newest Kubernetes version that was tested, and the oldest that supports every object that is never left out.
NEWEST: Final = (1, 36)
OLDEST: Final = (1, 21)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects, in the order in which they are applied.

    `needs` is the oldest Kubernetes version (major, minor) that supports all of them. `left_out` are sentences about
    the fields and objects that were left out for an older version.
    """

    objects: list[JSON]
    needs: tuple[int, int]
    left_out: list[str]


def render(values: Mapping[str, Any], namespace: str, kubernetes: tuple[int, int] = NEWEST) -> Rendered:
    """The objects for complete and valid values. `kubernetes` is the version (major, minor) of the API server."""
    context = Context(values, namespace, kubernetes)
    bodies = [
        evaluate(conditional.tree, context)
        for conditional in OBJECTS
        if conditional.condition is None or holds(conditional.condition, context)
    ]
    left_out = [f"{what} (from Kubernetes {version} on)" for what, version in context.unknown.items()]
    return Rendered(bodies, max(context.known, default=OLDEST), left_out)


def conflicts(values: Mapping[str, Any]) -> list[str]:
    """A message for each pair of settings in valid values that cannot be combined."""
    context = Context(values, "", NEWEST)
    return [conflict.message for conflict in CONFLICTS if holds(conflict.condition, context)]
