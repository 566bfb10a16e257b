"""The mutating webhooks that inject Linkerd's proxy, and whether the API server asks them about a Pod. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from webhook.install.configurations import INJECTOR_WEBHOOK, NAME
from webhook.kube.fields import mapping, mappings, sequence, text
from webhook.kube.interface import JSON
from webhook.kube.labelselector import LabelRequirement, unmet
from webhook.kube.objects import Namespace
from webhook.mesh.spared import NAMESPACE_NAME

# The Services of an injector, Linkerd's own and ours.
_SERVICES: Final = frozenset(("linkerd-proxy-injector", NAME))
# And the webhooks, for those that are called by a URL.
_WEBHOOKS: Final = frozenset(("linkerd-proxy-injector.linkerd.io", INJECTOR_WEBHOOK))


@dataclass(frozen=True, slots=True)
class InjectorWebhook:
    """A webhook that injects: its configuration, its name, and its selectors as they stand there."""

    configuration: str
    webhook: str
    namespace_selector: JSON
    object_selector: JSON


@dataclass(frozen=True, slots=True)
class ShutOut:
    """Why the API server does not ask a webhook about a Pod: `selector` (`namespaceSelector` or `objectSelector`)
    requires what the labels of `object` (`Namespace shop`, `the Pod`) do not meet. `value` is what these have for the
    requirement's key, None for nothing."""

    configuration: str
    webhook: str
    selector: str
    requirement: LabelRequirement
    object: str
    value: str | None

    def text(self) -> str:
        """A sentence: which selector, and by what label."""
        key = self.requirement.key
        has = f"has the label {key}: {self.value}" if self.value is not None else f"does not have the label {key}"
        return (
            f"the {self.selector} of MutatingWebhookConfiguration {self.configuration} requires "
            f"{self.requirement.text()}, and {self.object} {has}"
        )

    @property
    def mends(self) -> str:
        """What lets the webhook in, as far as one label does; "" where it is the object's name that keeps it out."""
        key, requirement = self.requirement.key, self.requirement
        if key == NAMESPACE_NAME:
            return ""
        if requirement.operator in ("NotIn", "DoesNotExist"):
            return f"{key}-"
        values = requirement.values
        return f"{key}={values[0] if values else 'true'}"


def injector_webhooks(configurations: Iterable[JSON], namespace: str) -> tuple[InjectorWebhook, ...]:
    """The webhooks of MutatingWebhookConfigurations that the API server may ask to inject Pods; one without a rule for
    that is none. `namespace` is that of Linkerd's control plane. Malformed fields read as absent."""
    result = []
    for body in configurations:
        for webhook in mappings(body, "webhooks"):
            name, service = text(webhook, "name"), mapping(webhook, "clientConfig", "service")
            calls = text(service, "namespace") == namespace and text(service, "name") in _SERVICES
            if (calls or name in _WEBHOOKS) and any(map(_creates_pods, mappings(webhook, "rules"))):
                result.append(
                    InjectorWebhook(
                        text(body, "metadata", "name"),
                        name,
                        mapping(webhook, "namespaceSelector"),
                        mapping(webhook, "objectSelector"),
                    )
                )
    return tuple(result)


def _creates_pods(rule: JSON) -> bool:
    def has(field: str, *wanted: str) -> bool:
        return any(value in sequence(rule, field) for value in ("*", *wanted))

    return has("operations", "CREATE") and has("apiGroups", "") and has("resources", "pods", "*/*")


def shut_out(
    webhooks: Sequence[InjectorWebhook], namespace: Namespace, pod_labels: Mapping[str, str] | None = None
) -> ShutOut | None:
    """What keeps the injectors away from the Pods with these labels in a Namespace; None where one of them is asked,
    or where there is none. With `pod_labels` None, only the Namespace counts."""
    first = None
    for webhook in webhooks:
        out = _shut_out(webhook, namespace, pod_labels)
        if out is None:
            return None
        first = first or out
    return first


def _shut_out(webhook: InjectorWebhook, namespace: Namespace, pod: Mapping[str, str] | None) -> ShutOut | None:
    # The API server gives every Namespace this label.
    labels = {NAMESPACE_NAME: namespace.name, **namespace.labels}
    for selector, requires, has, who in (
        ("namespaceSelector", webhook.namespace_selector, labels, f"Namespace {namespace.name}"),
        ("objectSelector", webhook.object_selector, pod, "the Pod"),
    ):
        requirement = None if has is None else unmet(requires, has)
        if has is not None and requirement is not None:
            value = has.get(requirement.key)
            return ShutOut(webhook.configuration, webhook.webhook, selector, requirement, who, value)
    return None
