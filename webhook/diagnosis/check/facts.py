"""The facts that the lines of `check` judge: everything that is known of a cluster at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from webhook.diagnosis.check.installation import Configurations, Installation
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.check.server_facts import ServerFacts
from webhook.diagnosis.dataplane.facts import PlaneFacts
from webhook.diagnosis.installation.facts import SetupFacts
from webhook.diagnosis.unseen import Fact, NotAsked
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace
from webhook.mesh.config import Mesh

_NOT_REACHED: Final = NotAsked("the API server could not be asked")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What is known of a cluster. Objects are as the API server returns them, None where they do not exist; whatever
    stands in them may be of a wrong type.

    `namespace` is that of Linkerd's control plane, `only` the Namespace to which Pods are bounded, "" for all.
    `client` says why there is no client of the API server, and `problem` why it did not answer, both "" where all is
    well.
    """

    at: datetime
    scope: Scope
    namespace: str
    only: str = ""
    client: str = ""
    problem: str = ""
    host: str = ""
    # `/version` of the API server.
    version: Fact[JSON] = _NOT_REACHED
    # Of the control plane: its ConfigMaps, the mesh by them, and the release line in force, or a release of it,
    # such as stable-2.12.3, "" where it is not known.
    linkerd_config: Fact[JSON | None] = _NOT_REACHED
    trust_roots: Fact[JSON | None] = _NOT_REACHED
    mesh: Fact[Mesh] = _NOT_REACHED
    release_line: str = ""
    # The versions that each CustomResourceDefinition serves, of those that were asked for and exist.
    crds: Fact[Mapping[str, frozenset[str]]] = _NOT_REACHED
    # The Namespaces that hold Linkerd's configuration, looked for where the control plane's own lacks it.
    linkerd_namespaces: Fact[tuple[str, ...]] = _NOT_REACHED
    # All Namespaces by their names, with what decisions depend on.
    namespaces: Fact[Mapping[str, Namespace]] = _NOT_REACHED
    # All webhook configurations of the cluster, by kind and name.
    configurations: Fact[Configurations] = _NOT_REACHED
    # What of this program is installed in Linkerd's Namespace, None for nothing.
    installation: Fact[Installation | None] = _NOT_REACHED
    # The ServiceAccount of the server, its roles and their bindings, by kind.
    rights: Mapping[str, Fact[JSON | None]] = field(default_factory=dict)
    # The policy and the bindings of the guard that exist, by kind and name.
    guards: Fact[Mapping[tuple[str, str], JSON]] = _NOT_REACHED
    # The server that is installed, and what the API server makes of it.
    server: Fact[ServerFacts] = _NOT_REACHED
    # The workloads, the Pods, and what bounds them.
    plane: PlaneFacts = field(default_factory=PlaneFacts)
    # What the cluster has of what is to be installed.
    setup: Fact[SetupFacts] = _NOT_REACHED
