"""A Pod as a release makes it."""

from __future__ import annotations

from typing import Final

from webhook.comparison.sides import Given, Step
from webhook.injector.patch import applied
from webhook.injector.shapes import shape
from webhook.review import JSON

INJECTED: Final = "injected"


def inject(step: Step, given: Given) -> tuple[JSON, str] | None:
    """The Pod after injection, and what became of it: `injected`, `skipped: …` or `refused: …`.

    None where the values are none of that release's. The Pod that was given is left as it is.
    """
    injector = step.injector
    if injector is None:
        return None
    answer = injector.decide(given.subject, given.namespace, given.workload)
    if not answer.allowed:
        return given.pod, f"refused: {answer.message}"
    pod = applied(given.pod, answer.patch) if answer.patch else given.pod
    return pod, INJECTED if answer.decision == INJECTED else f"skipped: {answer.reason}"


def shaped(step: Step, given: Given) -> JSON | None:
    """The Pod after injection, as it is compared; None where the values are none of that release's."""
    result = inject(step, given)
    return None if result is None else shape(*result)
