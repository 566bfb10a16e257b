"""Facts about a cluster before anything is installed there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from webhook.diagnosis.installation.request import InstallRequest
from webhook.diagnosis.unseen import Fact, NotAsked

JSON = dict[str, Any]

POD_MONITORS: Final = "podmonitors.monitoring.coreos.com"
PROMETHEUS_RULES: Final = "prometheusrules.monitoring.coreos.com"
CERTIFICATES: Final = "certificates.cert-manager.io"

NOT_NEEDED: Final = NotAsked("the installation does not need it")


class Review(NamedTuple):
    """What the API server says to the question whether the user may create objects of a kind in a Namespace (""
    where the kind has none). `objects` are those that `install` prints, `resource` is what RBAC calls the kind."""

    objects: tuple[str, ...]
    resource: str
    namespace: str
    allowed: Fact[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupFacts:
    """What a cluster has of what this installation needs. Objects are as the API server returns them, None where they
    do not exist, and are only looked up where the installation needs them."""

    request: InstallRequest
    # Deployments with our label, in all Namespaces.
    deployments: Fact[tuple[JSON, ...]]
    # Whether Helm has a release of our name in the Namespace.
    helm_release: Fact[bool] = False
    # The Secret of --existing-secret, and the Certificate of --inject-ca-from.
    existing_secret: Fact[JSON | None] = NOT_NEEDED
    certificate: Fact[JSON | None] = NOT_NEEDED
    metrics_api: Fact[JSON | None] = NOT_NEEDED
    priority_class: Fact[JSON | None] = NOT_NEEDED
    pull_secrets: Mapping[str, Fact[JSON | None]] = field(default_factory=dict)
    # Whether the user may create what is to be installed, by kind.
    reviews: Mapping[str, tuple[Review, ...]] = field(default_factory=dict)
    # When each Node last said that it is there.
    heartbeats: Fact[Mapping[str, datetime]] = NOT_NEEDED
