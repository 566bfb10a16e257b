"""The ServiceAccount of the server, and its RBAC rules."""

from __future__ import annotations

from typing import Final

from webhook.install.adoption import ADOPTABLE
from webhook.install.configurations import ADVISOR, NAME, SELF_TEST
from webhook.install.objects.names import (
    CA_SECRET,
    JSON,
    LEAF_SECRET,
    OWN_CONFIGURATIONS,
    SELF_MANAGED,
    STATUS_PAGE,
    metadata,
)
from webhook.install.tree import If, InstallNamespace, Node, On
from webhook.kube.webhookconfigurations import MUTATING, VALIDATING

# Linkerd's own webhook configurations and those of its extensions, which the server writes if they are adopted.
LINKERDS_MUTATING: Final = tuple(name for kind, name in ADOPTABLE if kind == MUTATING)
LINKERDS_VALIDATING: Final = tuple(name for kind, name in ADOPTABLE if kind == VALIDATING)

_RBAC: Final = "rbac.authorization.k8s.io"
_READ: Final = ["get", "list", "watch"]


def service_account() -> JSON:
    """The ServiceAccount."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(NAME)}


def cluster_role() -> JSON:
    """The permissions in the whole cluster: to read, to write Events, and to update webhook configurations by name."""
    admission = "admissionregistration.k8s.io"
    mutating, validating = "mutatingwebhookconfigurations", "validatingwebhookconfigurations"
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": metadata(NAME, namespaced=False),
        "rules": [
            # Annotations of Namespaces are defaults of the Pods in them.
            _allow("", ["namespaces"], _READ),
            # From a Pod's ReplicaSet or Job to its workload.
            _allow("apps", ["replicasets"], ["get"]),
            _allow("batch", ["jobs"], ["get"]),
            _allow("", ["events"], ["create", "patch"]),
            # What policies and ServiceProfiles refer to.
            _allow("", ["services", "serviceaccounts"], ["list", "watch"]),
            _allow(
                "policy.linkerd.io",
                [
                    "servers",
                    "httproutes",
                    "meshtlsauthentications",
                    "networkauthentications",
                    "egressnetworks",
                    "httplocalratelimitpolicies",
                ],
                ["list", "watch"],
            ),
            _allow("gateway.networking.k8s.io", ["httproutes", "grpcroutes"], ["list", "watch"]),
            _allow(admission, [mutating, validating], _READ),
            _allow(admission, [mutating], ["update"], [SELF_TEST, *_written(LINKERDS_MUTATING)]),
            _allow(
                admission,
                [validating],
                ["update"],
                [*_written(LINKERDS_VALIDATING), If(On("workloadAdvice"), ADVISOR)],
            ),
        ],
    }


def _written(linkerds: tuple[str, ...]) -> list[Node]:
    return [If(OWN_CONFIGURATIONS, NAME), *(If(On("adopt"), name) for name in linkerds)]


def role() -> JSON:
    """The permissions in the server's own Namespace. They exclude other Secrets, Pods and Deployments."""
    keep = [*_READ, "update", "patch", "delete"]
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "Role",
        "metadata": metadata(NAME),
        "rules": [
            # RBAC cannot restrict `create` by name.
            _allow("coordination.k8s.io", ["leases"], ["create"]),
            # With a watch, a replica takes the Lease as soon as it is released.
            _allow("coordination.k8s.io", ["leases"], [*_READ, "update"], [NAME]),
            _allow("", ["configmaps"], ["patch"], [SELF_TEST]),
            _allow("discovery.k8s.io", ["endpointslices"], ["list"]),
            If(SELF_MANAGED, _allow("", ["secrets"], ["create"])),
            If(SELF_MANAGED, _allow("", ["secrets"], keep, [CA_SECRET, LEAF_SECRET])),
        ],
    }


def cluster_role_binding() -> JSON:
    """Binds the ClusterRole to the ServiceAccount."""
    return _binding("ClusterRoleBinding", "ClusterRole", namespaced=False)


def status_page_role() -> JSON:
    """The permission to list Pods, which the status page counts."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": metadata(STATUS_PAGE, namespaced=False),
        "rules": [_allow("", ["pods"], ["list"])],
    }


def status_page_binding() -> JSON:
    """Binds it to the ServiceAccount."""
    return _binding("ClusterRoleBinding", "ClusterRole", namespaced=False, name=STATUS_PAGE)


def role_binding() -> JSON:
    """Binds the Role to the ServiceAccount."""
    return _binding("RoleBinding", "Role", namespaced=True)


def _allow(group: str, resources: list[str], verbs: list[str], names: list[Node] | None = None) -> JSON:
    rule: JSON = {"apiGroups": [group], "resources": list(resources)}
    if names is not None:
        rule["resourceNames"] = names
    return {**rule, "verbs": list(verbs)}


def _binding(kind: str, role_kind: str, *, namespaced: bool, name: str = NAME) -> JSON:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": metadata(name, namespaced=namespaced),
        "roleRef": {"apiGroup": _RBAC, "kind": role_kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": InstallNamespace()}],
    }
