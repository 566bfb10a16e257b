"""A comparison as unified diffs of the Pods' YAML."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff

import yaml

from webhook.comparison.compare import Comparison, PodComparison
from webhook.review import JSON


def write(comparison: Comparison) -> str:
    """The diffs of all Pods that change, one after the other. Empty where none does."""
    return "".join(line for pod in comparison.pods if pod.changes for line in _diff(pod, comparison))


def _diff(pod: PodComparison, comparison: Comparison) -> Iterator[str]:
    name = f"{pod.object} ({pod.mode})"
    yield from unified_diff(
        _yaml(pod.before),
        _yaml(pod.after),
        f"{name} {comparison.before}",
        f"{name} {comparison.after}",
    )


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes what occurs twice twice, not as an alias."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _yaml(pod: JSON) -> list[str]:
    return yaml.dump(pod, Dumper=_Dumper, sort_keys=False, width=4096).splitlines(keepends=True)
