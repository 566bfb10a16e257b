"""The rights that `check`, `explain`, `repair` and `dashboard` need, as RBAC objects for whoever calls them. Pure.

A test records what the commands ask of a cluster and holds it against these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from webhook.install.configurations import NAME, SELF_TEST
from webhook.install.objects.names import CA_SECRET, LEAF_SECRET

JSON = dict[str, Any]

_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"
_READ: Final = ("get", "list")


class RightsFor(StrEnum):
    """The commands that have a set of rights each."""

    CHECK = "check"
    EXPLAIN = "explain"
    REPAIR = "repair"
    DASHBOARD = "dashboard"


# Those that look at the whole cluster.
_LOOKERS: Final = frozenset({RightsFor.CHECK, RightsFor.EXPLAIN, RightsFor.REPAIR})


@dataclass(frozen=True, slots=True)
class Right:
    """What RBAC calls a rule: these verbs on these resources of a group; on those with one of the `names`, () for all.
    `commands` are those that need it."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...] = _READ
    names: tuple[str, ...] = ()
    commands: frozenset[RightsFor] = _LOOKERS

    def rule(self) -> JSON:
        """As a rule of a role."""
        rule: JSON = {"apiGroups": [self.group], "resources": list(self.resources), "verbs": list(self.verbs)}
        return rule | {"resourceNames": list(self.names)} if self.names else rule


_WORKLOADS: Final = ("daemonsets", "deployments", "statefulsets")
# `repair` refuses unless the lines of `check` hold that tell whether anybody injects.
_LOOKS: Final = frozenset({RightsFor.CHECK, RightsFor.REPAIR})
_CHECK: Final = frozenset({RightsFor.CHECK})
_REPAIR: Final = frozenset({RightsFor.REPAIR})
_DASHBOARD: Final = frozenset({RightsFor.DASHBOARD})

# In the whole cluster.
CLUSTER: Final[tuple[Right, ...]] = (
    Right("", ("limitranges", "namespaces", "pods")),
    Right("", ("resourcequotas", "nodes"), commands=_LOOKS),
    Right("", ("events", "replicationcontrollers"), commands=frozenset({RightsFor.EXPLAIN, RightsFor.REPAIR})),
    Right("apps", (*_WORKLOADS, "replicasets")),
    Right("batch", ("cronjobs", "jobs")),
    Right(_ADMISSION, ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")),
    Right(_ADMISSION, ("validatingadmissionpolicies", "validatingadmissionpolicybindings"), commands=_LOOKS),
    Right(_RBAC, ("clusterroles", "clusterrolebindings"), ("get",), (NAME,), _LOOKS),
    Right("apiextensions.k8s.io", ("customresourcedefinitions",), commands=_LOOKS),
    # What an installation with such settings needs, for --pre.
    Right("scheduling.k8s.io", ("priorityclasses",), ("get",), commands=_CHECK),
    Right("apiregistration.k8s.io", ("apiservices",), ("get",), ("v1beta1.metrics.k8s.io",), _CHECK),
    Right("cert-manager.io", ("certificates",), ("get",), commands=_CHECK),
    Right("apps", _WORKLOADS, ("patch",), commands=_REPAIR),
    # A dry run: the API server asks all webhooks and stores nothing.
    Right("", ("pods",), ("create",), commands=_REPAIR),
)

# In the Namespace of Linkerd's control plane.
NAMESPACED: Final[tuple[Right, ...]] = (
    Right("", ("configmaps",), ("get",), ("linkerd-config", "linkerd-identity-trust-roots")),
    Right("", ("services",)),
    Right("", ("serviceaccounts",), ("get",), (NAME,), _LOOKS),
    Right(_RBAC, ("roles", "rolebindings"), ("get",), (NAME,), _LOOKS),
    Right("discovery.k8s.io", ("endpointslices",), commands=_LOOKS),
    Right("coordination.k8s.io", ("leases",), ("get",), (NAME,), _LOOKS),
    # A dry run by which the API server calls the server; nothing is changed.
    Right("", ("configmaps",), ("patch",), (SELF_TEST,), _LOOKS),
    Right("", ("pods",), commands=_DASHBOARD),
    Right("", ("pods/portforward",), ("get", "create"), commands=_DASHBOARD),
    Right("apps", ("deployments",), ("get",), (NAME,), _DASHBOARD),
)

# With --with-secrets: whether the pairs that are stored fit. They hold private keys.
SECRETS: Final = Right("", ("secrets",), ("get",), (CA_SECRET, LEAF_SECRET))


class SubjectError(ValueError):
    """A text does not name a subject; the message says what to write."""


def subject(text: str) -> JSON:
    """The subject of a binding, of `Group:NAME`, `User:NAME` or `ServiceAccount:NAMESPACE/NAME`. Raises
    `SubjectError`."""
    kind, _, name = text.partition(":")
    if kind in ("Group", "User") and name:
        return {"kind": kind, "apiGroup": _RBAC, "name": name}
    match = re.fullmatch(r"([^/]+)/([^/]+)", name)
    if kind == "ServiceAccount" and match:
        return {"kind": kind, "namespace": match[1], "name": match[2]}
    raise SubjectError(f'"{text}": write Group:NAME, User:NAME or ServiceAccount:NAMESPACE/NAME')


def objects(command: RightsFor, namespace: str, subjects: Iterable[JSON] = (), *, secrets: bool = False) -> list[JSON]:
    """A ClusterRole (where the command needs one) and a Role with the rights of a command, and bindings to the
    subjects, if there are any.

    `namespace` is that of Linkerd's control plane; with `secrets`, the webhook's two Secrets may be read.
    """
    name = f"{NAME}-{command}"
    labels = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": str(command)}
    cluster: JSON = {"name": name, "labels": labels}
    within: JSON = {"name": name, "namespace": namespace, "labels": labels}
    everywhere = [right.rule() for right in CLUSTER if command in right.commands]
    held = [right for right in NAMESPACED if command in right.commands] + ([SECRETS] if secrets else [])
    made = [_object("ClusterRole", cluster, rules=everywhere)] if everywhere else []
    made.append(_object("Role", within, rules=[right.rule() for right in held]))
    bound = list(subjects)
    if bound and everywhere:
        made.append(_object("ClusterRoleBinding", cluster, roleRef=_reference("ClusterRole", name), subjects=bound))
    if bound:
        made.append(_object("RoleBinding", within, roleRef=_reference("Role", name), subjects=bound))
    return made


def _object(kind: str, metadata: JSON, **fields: object) -> JSON:
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": dict(metadata), **fields}


def _reference(kind: str, name: str) -> JSON:
    return {"apiGroup": _RBAC, "kind": kind, "name": name}
