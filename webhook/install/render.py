"""From settings to objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.install.objects.all import OBJECTS
from webhook.install.settings import CONFLICTS
from webhook.install.tree import Context, evaluate, holds

JSON = dict[str, Any]

# The newest API server that was tried, and the oldest that knows all that is never left out.
NEWEST: Final = (1, 36)
OLDEST: Final = (1, 21)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects, in the order in which they are applied.

    `needs` is the oldest version of an API server (major, minor) that knows all that is in them; `left_out` says what
    is not in them for the sake of an older one, and which version knows it.
    """

    objects: list[JSON]
    needs: tuple[int, int]
    left_out: list[str]


def render(values: Mapping[str, Any], namespace: str, kubernetes: tuple[int, int] = NEWEST) -> Rendered:
    """The objects for these (whole and valid) values. The same values give the same objects."""
    context = Context(values, namespace, kubernetes)
    bodies = [
        evaluate(conditional.tree, context)
        for conditional in OBJECTS
        if conditional.condition is None or holds(conditional.condition, context)
    ]
    left_out = [f"{what} (from Kubernetes {version} on)" for what, version in context.unknown.items()]
    return Rendered(bodies, max(context.known, default=OLDEST), left_out)


def conflicts(values: Mapping[str, Any]) -> list[str]:
    """What does not go together in valid values."""
    context = Context(values, "", NEWEST)
    return [conflict.message for conflict in CONFLICTS if holds(conflict.condition, context)]
