"""The sources of a status page, each of which a test may change, and the page that they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from webhook.diagnosis import condition
from webhook.injector.decision import ENABLE_ABSENT, INJECT
from webhook.kube.objects import Namespace
from webhook.mesh.releases import choose
from webhook.review import JSON
from webhook.statuspage import render
from webhook.statuspage.decisions import Decision, DecisionLog
from webhook.statuspage.document import document
from webhook.statuspage.mesh_counts import ASKED, NamespaceCount
from webhook.statuspage.mesh_reader import MeshCounts, WorkloadRows
from webhook.statuspage.query import PageQuery
from webhook.statuspage.sources import CertificateFact, FileFact, StatusSources
from webhook.statuspage.traffic import Counts, Traffic

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"


def sources(**changes: Any) -> StatusSources:
    """A replica that is well, with one decision."""
    log = DecisionLog()
    log.add(
        Decision(
            NOW.timestamp() - 5, "proxy-injector", "shop", "Deployment/web", "skipped", ENABLE_ABSENT, ["a warning"]
        )
    )
    counts = {"proxy-injector": Counts((100, 0), 0, 0), "sp-validator": Counts((0, 0), 0, 0)}
    made = StatusSources(
        replica="linkerd-webhook-7d9-x2v4c",
        where=lambda: ("linkerd", "linkerd-webhook-7d9-x2v4c", 9995),
        conditions=lambda: [condition.serving(False), condition.leader("", "linkerd-webhook-7d9-abcde")],
        uptime=lambda: 3725.4,
        leader=lambda: "linkerd-webhook-7d9-abcde",
        linkerd_version=lambda: "edge-26.8.3",
        release_line=lambda: choose("edge-26.8.3"),
        certificates=lambda: [CertificateFact("served", "linkerd-webhook.linkerd.svc", NOW + timedelta(days=12))],
        files=lambda: [FileFact("/var/run/linkerd/config/values", "0123456789ab", NOW.timestamp() - 60)],
        cache=lambda: "API server: 2 Namespaces, 1 owners, updated 3 s ago",
        in_flight=lambda: 4,
        traffic=Traffic(lambda: counts, (0.001,), lambda: 1.0),
        decisions=log,
        flags={"--addr": ":8443"},
        namespaces=lambda: {
            "shop": Namespace("shop", {INJECT: "enabled"}, {}),
            "kitchen": Namespace("kitchen", {}, {}),
        },
        clock=NOW.timestamp,
    )
    return replace(made, **changes)


def counts(
    complete: bool = True, problem: str = "", namespaces: Mapping[str, NamespaceCount] | None = None
) -> MeshCounts:
    """Counts of the mesh: of the Namespace `shop`, unless others are given."""
    shop = NamespaceCount(pods=5, meshed=3, other_version=1, other_anchors=2)
    shop.reasons[ASKED] = 2
    return MeshCounts(namespaces or {"shop": shop}, complete, problem, NOW.timestamp())


def facts(mesh: MeshCounts | None = None, opened: WorkloadRows | None = None, query: str = "", **changes: Any) -> JSON:
    """The document of these sources."""
    made = document(sources(**changes), asked(query), mesh, opened)
    if made["mesh"] is not None:
        made["mesh"]["namespaces"] = list(made["mesh"]["namespaces"])
    return made | {"decisions": list(made["decisions"])}


def asked(query: str) -> PageQuery:
    """The query of an address."""
    return PageQuery.of(dict(part.split("=", 1) for part in query.split("&") if part))


def page(mesh: MeshCounts | None = None, opened: WorkloadRows | None = None, query: str = "", **changes: Any) -> str:
    """The page of these sources."""
    return "".join(render.page(facts(mesh, opened, query, **changes), asked(query)))
