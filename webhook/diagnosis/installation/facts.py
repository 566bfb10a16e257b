"""Facts about a cluster before anything is installed there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from webhook.diagnosis.unseen import NotSeen
from webhook.kube.webhookconfigurations import ConfigurationName

JSON = dict[str, Any]

# Linkerd's CustomResourceDefinitions, of every release line.
LINKERD_CRDS: Final = (
    "authorizationpolicies.policy.linkerd.io",
    "httproutes.policy.linkerd.io",
    "meshtlsauthentications.policy.linkerd.io",
    "networkauthentications.policy.linkerd.io",
    "serverauthorizations.policy.linkerd.io",
    "servers.policy.linkerd.io",
    "serviceprofiles.linkerd.io",
)
POD_MONITORS: Final = "podmonitors.monitoring.coreos.com"
CERTIFICATES: Final = "certificates.cert-manager.io"

# ConfigMaps of Linkerd's control plane that the server reads.
LINKERD_CONFIG: Final = "linkerd-config"
CONFIG_MAPS: Final = (LINKERD_CONFIG, "linkerd-identity-trust-roots")


@dataclass(frozen=True, slots=True)
class InstallationFacts:
    """What the cluster has of what an installation needs. Objects are as the API server returns them, None where they
    do not exist, and are only looked up where the installation needs them."""

    at: datetime
    # `/version` of the API server.
    version: JSON
    crds: frozenset[str] = frozenset()
    config_maps: frozenset[str] = frozenset()
    # Linkerd's values, as ConfigMap linkerd-config has them.
    values: str | None = None
    # The namespaces that hold Linkerd's configuration, where the installation's namespace does not.
    linkerd_namespaces: tuple[str, ...] = ()
    # Deployments with our label, in all namespaces.
    deployments: tuple[JSON, ...] = ()
    # Linkerd's webhook configurations, and our own, that exist.
    linkerds_configurations: Mapping[ConfigurationName, JSON] = field(default_factory=dict)
    own_configurations: tuple[ConfigurationName, ...] = ()
    # The Secret of --existing-secret, and the Certificate of --inject-ca-from.
    existing_secret: JSON | None = None
    certificate: JSON | None = None
    metrics_api: bool = False
    priority_class: bool = False
    pull_secrets: frozenset[str] = frozenset()
    namespace: JSON | None = None
    # Whether Helm has a release of our name in the namespace.
    helm_release: bool | NotSeen = False
