"""What the workload of a Pod is told in Events: whoever wrote it does not see the answers that its Pods get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from webhook.injector import decision
from webhook.injector.decision import Decision
from webhook.injector.subject import Subject
from webhook.review import EVENT_LENGTH, Event, fit

INJECTED: Final = Event("Injected", "Linkerd sidecar proxy injected")
SKIPPED: Final = "InjectionSkipped"
WARNED: Final = "InjectionWarning"

# Room for "; and 99 more: see the webhook's log".
_MORE: Final = 48


def skipped(
    verdict: Decision, subject: Subject, annotations: Mapping[str, str], namespace: str, *, wanted: bool
) -> Event:
    """That a Pod was not injected: each reason with the value, its place, what to write, and its identifier.

    `annotations` are those of its Namespace, whose name is `namespace`. `wanted`: somebody asked for the injection.
    """
    reasons = [f"{decision.explain(reason, subject, annotations, namespace)} ({reason})" for reason in verdict.reasons]
    return Event(SKIPPED, _joined([f"not injected: {reasons[0]}", *reasons[1:]]), "Warning" if wanted else "Normal")


def warned(warnings: Sequence[str]) -> list[Event]:
    """One Event for all warnings; none where there are none."""
    return [Event(WARNED, _joined(warnings), "Warning")] if warnings else []


def _joined(sentences: Sequence[str]) -> str:
    """As many whole sentences as an Event has room for; the first one is always there."""
    text = fit(sentences[0], EVENT_LENGTH - _MORE)
    for count, sentence in enumerate(sentences[1:], 1):
        longer = f"{text}; {sentence}"
        if len(longer) > EVENT_LENGTH - _MORE:
            return f"{text}; and {len(sentences) - count} more: see the webhook's log"
        text = longer
    return text
