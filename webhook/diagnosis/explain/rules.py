"""The injector's rules for one Pod, in the order in which it asks them, each with a sentence. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from webhook.injector import decision
from webhook.injector.decision import INJECT
from webhook.injector.inject import Injector
from webhook.injector.subject import Subject
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace


class RuleVerdict(NamedTuple):
    """A rule against the injection. `holds` is whether its condition is true for the Pod; `text` says what is so."""

    rule: str
    holds: bool
    text: str

    def as_json(self) -> JSON:
        """All of it."""
        return self._asdict()


# What is so where the condition is not true.
_OTHERWISE: Final = {
    decision.HOST_NETWORK: "the Pod does not have hostNetwork: true",
    decision.SIDECAR_EXISTS: "the Pod has no proxy of Linkerd's or Istio's before the injection",
    decision.INVALID_AT_NAMESPACE: f"{INJECT} of the Namespace has a value that Linkerd knows, or is not there",
    decision.INVALID_AT_WORKLOAD: f"{INJECT} of the Pod has a value that Linkerd knows, or is not there",
    decision.ENABLE_ABSENT: f"the Pod or its Namespace has {INJECT}: enabled or ingress",
    decision.DISABLE_PRESENT: f"the Pod does not have {INJECT}: disabled",
    decision.NO_TOKEN: "the proxy gets a service account token",
}


def rules(injector: Injector, subject: Subject, namespace: Namespace) -> tuple[RuleVerdict, ...]:
    """The verdict of every rule."""
    return tuple(
        RuleVerdict(
            rule,
            holds,
            decision.explain(rule, subject, namespace.annotations, namespace.name) if holds else _OTHERWISE[rule],
        )
        for rule, holds in injector.rules(subject, namespace)
    )
