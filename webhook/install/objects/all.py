"""All objects of an installation, in the order in which they are applied: objects that others need come first, the
webhook configurations and the guard last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from webhook.install.configurations import NAME
from webhook.install.objects import access, admission, monitoring, traffic, workload
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
class ObjectTemplate:
    """An object as a tree, and the condition for its installation (None: always).

    Objects with the same `file` share one template file of the chart.
    """

    file: str
    tree: JSON
    condition: Condition | None = None


def _named(api_version: str, kind: str, name: str) -> JSON:
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata(name)}


OBJECTS: Final = (
    ObjectTemplate("serviceaccount", access.service_account()),
    ObjectTemplate("rbac", access.cluster_role()),
    ObjectTemplate("rbac", access.cluster_role_binding()),
    ObjectTemplate("rbac", access.role()),
    ObjectTemplate("rbac", access.role_binding()),
    ObjectTemplate("rbac", access.status_page_role(), On("statusPage")),
    ObjectTemplate("rbac", access.status_page_binding(), On("statusPage")),
    ObjectTemplate("configmap", traffic.self_test_config_map()),
    ObjectTemplate("service", traffic.service()),
    ObjectTemplate("poddisruptionbudget", traffic.disruption_budget(), More("replicas", 1)),
    ObjectTemplate("networkpolicy", traffic.network_policy(), On("networkPolicy.enabled")),
    ObjectTemplate("deployment", workload.deployment()),
    ObjectTemplate("horizontalpodautoscaler", traffic.autoscaler(), SCALED),
    ObjectTemplate("podmonitor", monitoring.pod_monitor(), On("monitoring.podMonitor")),
    ObjectTemplate("prometheusrule", monitoring.prometheus_rule(), On("monitoring.alerts")),
    ObjectTemplate("board", monitoring.board_config_map(), On("monitoring.dashboards")),
    ObjectTemplate("webhooks", admission.self_test()),
    ObjectTemplate("webhooks", admission.mutating(), OWN_CONFIGURATIONS),
    ObjectTemplate("webhooks", admission.validating(), OWN_CONFIGURATIONS),
    ObjectTemplate("webhooks", admission.advisor(), On("workloadAdvice")),
    ObjectTemplate("guard", admission.guard_policy(), GUARDED),
    ObjectTemplate("guard", admission.guard_binding(), GUARDED),
    ObjectTemplate("guard", admission.guard_binding_until(), every(DENYING, GUARDED)),
)

# Objects that the running server creates: they are not installed, but deleted by an uninstallation.
CREATED_BY_SERVER: Final = (
    _named("v1", "Secret", CA_SECRET),
    _named("v1", "Secret", LEAF_SECRET),
    _named("coordination.k8s.io/v1", "Lease", NAME),
)
