"""A Pod as a release makes it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from webhook.comparison.sides import ABSENT, Given, Step
from webhook.injector.patch import applied
from webhook.injector.shapes import Path, container, look, shape
from webhook.review import JSON, Patch

INJECTED: Final = "injected"


class Injection(NamedTuple):
    """A Pod after injection, and what became of it: `injected`, `skipped: …` or `refused: …`."""

    pod: JSON
    outcome: str


class Traced:
    """A Pod as releases make it. What is asked for is made, and made once, for releases that make the same as well."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._made: dict[int, Injection | None] = {}
        self._pods: dict[bytes, JSON] = {}
        self._containers: dict[tuple[int, str], JSON | None] = {}

    def injection(self, step: Step) -> Injection | None:
        """What a release makes of it; None where the values are none of that release's. The Pod that was given is left
        as it is."""
        if id(step) not in self._made:
            self._made[id(step)] = self._inject(step)
        return self._made[id(step)]

    def _inject(self, step: Step) -> Injection | None:
        if step.injector is None:
            return None
        given = self._given
        answer = step.injector.decide(given.subject, given.namespace, given.workload, given.root)
        if not answer.allowed:
            return Injection(given.pod, f"refused: {answer.message}")
        outcome = INJECTED if answer.decision == INJECTED else f"skipped: {answer.reason}"
        return Injection(self._patched(answer.patch) if answer.patch else given.pod, outcome)

    def _patched(self, patch: Any) -> JSON:
        text = patch.text if isinstance(patch, Patch) else orjson.dumps(patch)
        if text not in self._pods:
            self._pods[text] = applied(self._given.pod, patch)
        return self._pods[text]

    def at(self, step: Step, path: Path) -> Any:
        """What the Pod's shape has at a path with a release: `ABSENT` for nothing, None where the values are none of
        that release's."""
        made = self.injection(step)
        if made is None:
            return None
        if path[0] != "containers":
            return look(shape(*made), path, ABSENT)
        name, *rest = path[1:]
        key = (id(made.pod), name)
        if key not in self._containers:
            self._containers[key] = container(made.pod, name)
        return look(self._containers[key], rest, ABSENT)
