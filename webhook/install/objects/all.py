"""All objects of an installation, in the order in which they are applied: those that others need come first, webhook
configurations and the guard last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from webhook.install.configurations import NAME
from webhook.install.objects import access, admission, traffic, workload
from webhook.install.objects.names import (
    CA_SECRET,
    DENYING,
    GUARDED,
    JSON,
    LEAF_SECRET,
    OWN_CONFIGURATIONS,
    SCALED,
    metadata,
)
from webhook.install.tree import Condition, More, On, every


@dataclass(frozen=True, slots=True)
class Object:
    """An object, and when it is installed. Those with the same `file` share one template of the chart."""

    file: str
    tree: JSON
    condition: Condition | None = None


def _named(api_version: str, kind: str, name: str) -> JSON:
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata(name)}


OBJECTS: Final = (
    Object("serviceaccount", access.service_account()),
    Object("rbac", access.cluster_role()),
    Object("rbac", access.cluster_role_binding()),
    Object("rbac", access.role()),
    Object("rbac", access.role_binding()),
    Object("configmap", traffic.self_test_config_map()),
    Object("service", traffic.service()),
    Object("poddisruptionbudget", traffic.disruption_budget(), More("replicas", 1)),
    Object("networkpolicy", traffic.network_policy(), On("networkPolicy.enabled")),
    Object("deployment", workload.deployment()),
    Object("horizontalpodautoscaler", traffic.autoscaler(), SCALED),
    Object("podmonitor", traffic.pod_monitor(), On("podMonitor.enabled")),
    Object("webhooks", admission.self_test()),
    Object("webhooks", admission.mutating(), OWN_CONFIGURATIONS),
    Object("webhooks", admission.validating(), OWN_CONFIGURATIONS),
    Object("webhooks", admission.advisor(), On("workloadAdvice")),
    Object("guard", admission.guard_policy(), GUARDED),
    Object("guard", admission.guard_binding(), GUARDED),
    Object("guard", admission.guard_binding_until(), every(DENYING, GUARDED)),
)

# What the running server creates itself: nobody applies it, and an uninstallation deletes it.
CREATED_BY_SERVER: Final = (
    _named("v1", "Secret", CA_SECRET),
    _named("v1", "Secret", LEAF_SECRET),
    _named("coordination.k8s.io/v1", "Lease", NAME),
)
