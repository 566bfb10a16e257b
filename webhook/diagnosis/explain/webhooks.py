"""Which mutating webhooks the API server calls about a Pod, in its order, and why. Pure.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from webhook.diagnosis.check.rules import matches
from webhook.diagnosis.dataplane.callers import InjectorWebhook, shut_out
from webhook.diagnosis.dataplane.podstate import MIRROR
from webhook.install.configurations import INJECTOR_CONDITIONS, INJECTOR_WEBHOOK
from webhook.kube.fields import mapping, mappings, text
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace
from webhook.kube.webhookconfigurations import ServiceReference

# The conditions that `install` writes, and the annotation that must not be there for each.
_OURS: Final = {text(INJECTOR_CONDITIONS[0], "expression"): MIRROR}


class WebhookCall(NamedTuple):
    """A webhook. `calls` is whether the API server calls it about the Pod, None where that is not known; `ours` is
    whether this program answers. `why` is a sentence."""

    configuration: str
    webhook: str
    ours: bool
    calls: bool | None
    why: str

    def as_json(self) -> JSON:
        """All of it."""
        return self._asdict()


def calls(
    configurations: Iterable[JSON],
    services: Collection[ServiceReference],
    namespace: Namespace,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> Iterator[WebhookCall]:
    """Every webhook of these MutatingWebhookConfigurations in calling order, for a Pod with these labels and
    annotations. `services` are those in front of this program."""
    for body in sorted(configurations, key=lambda configuration: text(configuration, "metadata", "name")):
        for webhook in mappings(body, "webhooks"):
            service = mapping(webhook, "clientConfig", "service")
            target = ServiceReference(text(service, "namespace"), text(service, "name"))
            name = text(webhook, "name")
            called, why = _verdict(body, webhook, namespace, labels, annotations)
            ours = target in services or name == INJECTOR_WEBHOOK
            yield WebhookCall(text(body, "metadata", "name"), name, ours, called, why)


def _verdict(
    body: JSON, webhook: JSON, namespace: Namespace, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> tuple[bool | None, str]:
    rules = [rule for rule in mappings(webhook, "rules") if text(rule, "scope") != "Cluster"]
    if not matches({"rules": rules}, "", "pods"):
        return False, "none of its rules is about the creation of Pods" if rules else "it has no rules"
    entry = InjectorWebhook(
        text(body, "metadata", "name"),
        text(webhook, "name"),
        mapping(webhook, "namespaceSelector"),
        mapping(webhook, "objectSelector"),
    )
    out = shut_out([entry], namespace, labels)
    if out is not None:
        return False, out.text()
    unknown = []
    for condition in mappings(webhook, "matchConditions"):
        name, expression = text(condition, "name"), " ".join(text(condition, "expression").split())
        annotation = _OURS.get(text(condition, "expression"))
        if annotation is None:
            unknown.append(f"{name}: {expression}")
        elif annotation in annotations:
            return False, f"its matchCondition {name} does not hold: the Pod has the annotation {annotation}"
    if unknown:
        return None, f"its matchConditions decide, which the API server alone evaluates: {'; '.join(unknown)}"
    return True, "its rules, its namespaceSelector and its objectSelector match"
