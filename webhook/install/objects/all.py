"""All objects, in the order in which they are applied: what others need comes first, what sends requests last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from webhook.install.objects import access, admission, traffic, workload
from webhook.install.objects.names import DENYING, GUARDED, JSON, OWN_CONFIGURATIONS, SCALED
from webhook.install.tree import Condition, More, On, every


@dataclass(frozen=True, slots=True)
class Object:
    """One object, and when it is there. Those with the same `file` share one template of the chart."""

    file: str
    tree: JSON
    condition: Condition | None = None


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
