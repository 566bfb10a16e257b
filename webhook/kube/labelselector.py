"""Evaluates label selectors, such as a webhook's namespaceSelector, on labels. Pure.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.kube.fields import mappings, sequence, text, texts


@dataclass(frozen=True, slots=True)
class LabelRequirement:
    """What a selector requires of one label: `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, Any]) -> bool:
        """Whether these labels meet it. NotIn holds for objects without the label, too; an operator that Kubernetes
        does not know never holds."""
        match self.operator:
            case "In":
                return self.key in labels and labels[self.key] in self.values
            case "NotIn":
                return self.key not in labels or labels[self.key] not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
        return False

    def text(self) -> str:
        """As kubectl writes it: `key in (a,b)`, `key=a`, `!key`."""
        match self.operator:
            case "In" if len(self.values) == 1:
                return f"{self.key}={self.values[0]}"
            case "NotIn" if len(self.values) == 1:
                return f"{self.key}!={self.values[0]}"
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"
        return f"{self.key} {self.operator.lower()} ({','.join(self.values)})"


def requirements(selector: object) -> Iterator[LabelRequirement]:
    """What a LabelSelector requires, as the API server returns it; nothing for an empty or absent one, which selects
    every object."""
    for key, value in texts(selector, "matchLabels").items():
        yield LabelRequirement(key, "In", (value,))
    for expression in mappings(selector, "matchExpressions"):
        values = tuple(value for value in sequence(expression, "values") if isinstance(value, str))
        yield LabelRequirement(text(expression, "key"), text(expression, "operator"), values)


def query(selector: object) -> dict[str, str]:
    """The parameters of a list request that selects by a LabelSelector; none for a selector that selects all."""
    written = ",".join(requirement.text() for requirement in requirements(selector))
    return {"labelSelector": written} if written else {}


def unmet(selector: object, labels: Mapping[str, Any]) -> LabelRequirement | None:
    """The first requirement of a LabelSelector that labels do not meet, None where it selects them."""
    return next((requirement for requirement in requirements(selector) if not requirement.holds(labels)), None)


def selects(selector: object, labels: Mapping[str, Any]) -> bool:
    """Whether a LabelSelector selects an object with these labels."""
    return unmet(selector, labels) is None
