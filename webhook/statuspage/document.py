"""The document of the status page, as `/status.json` has it: the page shows the same facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from webhook import __version__
from webhook.diagnosis.condition import Condition
from webhook.injector.decision import INJECT
from webhook.injector.decision import SENTENCES as INJECTORS
from webhook.kube.objects import Namespace
from webhook.statuspage import mesh_counts
from webhook.statuspage.decisions import Decision
from webhook.statuspage.manual import section_about
from webhook.statuspage.mesh_counts import NamespaceCount
from webhook.statuspage.mesh_reader import MeshCounts, WorkloadRows
from webhook.statuspage.query import PageQuery
from webhook.statuspage.sources import CertificateFact, StatusSources

JSON = dict[str, Any]

# Namespaces on one page.
PER_PAGE: Final = 200

_NOBODY: Final = NamespaceCount()


def document(
    sources: StatusSources, query: PageQuery, counts: MeshCounts | None, workloads: WorkloadRows | None
) -> JSON:
    """All sections, in the order in which the page shows them.

    `counts` are what was counted of the mesh, None where the server does not count. `workloads` are those of the
    Namespace that the query opens, None if it opens none. The Namespaces of the mesh and the decisions are
    iterators: they are most of the work, and who takes them one by one can do other work in between. The decisions are
    those of this moment; while Pods are still being counted, a Namespace may have more of them than the sums say.
    """
    conditions, certificates = sources.conditions(), sources.certificates()
    return {
        "head": _head(sources, conditions),
        "problems": problems(conditions, certificates, sources.clock()),
        "mesh": None if counts is None else _mesh(sources.namespaces(), query, counts, workloads),
        "decisions": map(_decision, sources.decisions.newest(query.wanted)),
        "traffic": {
            "inFlight": sources.in_flight(),
            "webhooks": [
                {"webhook": webhook, "windows": {name: window._asdict() for name, window in windows.items()}}
                for webhook, windows in sources.traffic.windows().items()
            ],
        },
        "certificates": [
            {
                "role": certificate.role,
                "names": certificate.names,
                "notAfter": f"{certificate.not_after:%Y-%m-%dT%H:%M:%SZ}" if certificate.not_after else None,
                "problem": certificate.problem,
            }
            for certificate in certificates
        ],
        "configuration": {
            "files": [
                {"path": file.path, "sha256": file.digest, "readAt": moment(file.read_at), "refused": file.refused}
                for file in sources.files()
            ],
            "flags": dict(sources.flags),
        },
    }


def _head(sources: StatusSources, conditions: Iterable[Condition]) -> JSON:
    detected = sources.release_line()
    return {
        "ready": all(condition["ok"] for condition in conditions if condition["required"]),
        "replica": sources.replica,
        "leader": sources.leader(),
        "version": __version__,
        "linkerdVersion": sources.linkerd_version(),
        "releaseLine": {"name": detected.line.name, "release": detected.line.release.name, "why": detected.why},
        "cluster": sources.cache(),
        "uptimeSeconds": round(sources.uptime()),
        "time": moment(sources.clock()),
    }


def problems(conditions: Iterable[Condition], certificates: Iterable[CertificateFact], now: float) -> list[JSON]:
    """What is not well, worst first: what keeps the replica from being ready, then all else. `now` is in seconds since
    1970."""
    failing = sorted((one for one in conditions if not one["ok"]), key=lambda one: not one["required"])
    result = [
        {
            "name": condition["name"],
            "severity": "error" if condition["required"] else "warning",
            "message": condition["message"],
            "docs": section_about(condition["name"]),
        }
        for condition in failing
    ]
    for certificate in certificates:
        expired = certificate.not_after is not None and certificate.not_after.timestamp() <= now
        if certificate.role == "trust anchor" and (expired or certificate.problem):
            what = certificate.problem or f"it expired at {certificate.not_after:%Y-%m-%d %H:%M} UTC"
            message = f"{certificate.names}: {what}: renew it, and take it out once every proxy has its successor"
            result.append(
                {
                    "name": "trust anchor",
                    "severity": "warning",
                    "message": message,
                    "docs": section_about("trust anchor"),
                }
            )
    return result


def _decision(numbered: tuple[int, Decision]) -> JSON:
    number, decision = numbered
    return {
        "number": number,
        "time": moment(decision.time),
        "webhook": decision.webhook,
        "namespace": decision.namespace,
        "workload": decision.workload,
        "decision": decision.decision,
        "reason": decision.reason,
        "warnings": decision.warnings,
        "message": decision.message,
    }


def _mesh(
    namespaces: Mapping[str, Namespace], query: PageQuery, counts: MeshCounts, workloads: WorkloadRows | None
) -> JSON:
    names = sorted(namespaces.keys() | counts.namespaces.keys())
    pages = max(1, -(-len(names) // PER_PAGE))
    page = min(query.page, pages)
    shown = names[(page - 1) * PER_PAGE : page * PER_PAGE]
    return {
        "complete": counts.complete,
        "problem": counts.problem,
        "countedAt": moment(counts.at),
        **_total(counts.namespaces.values()),
        "namespaces": (_namespace(name, namespaces.get(name), counts.namespaces.get(name, _NOBODY)) for name in shown),
        "namespacesKnown": len(names),
        "page": page,
        "pages": pages,
        "opened": None if workloads is None else _opened(namespaces, workloads),
    }


def _total(counts: Iterable[NamespaceCount]) -> JSON:
    counted = list(counts)
    return {
        "pods": sum(count.pods for count in counted),
        "meshed": sum(count.meshed for count in counted),
        "otherVersion": sum(count.other_version for count in counted),
        "otherTrustAnchors": sum(count.other_anchors for count in counted),
    }


def _namespace(name: str, namespace: Namespace | None, count: NamespaceCount) -> JSON:
    return {
        "name": name,
        "annotation": namespace.annotations.get(INJECT) if namespace is not None else None,
        **_total([count]),
        "notInjected": [
            {"reason": reason, "text": explanation(reason), "pods": pods}
            for reason, pods in count.reasons.most_common()
        ],
    }


def explanation(reason: str) -> str:
    """A reason as a sentence."""
    return mesh_counts.SENTENCES.get(reason) or INJECTORS.get(reason, reason)


def _opened(namespaces: Mapping[str, Namespace], workloads: WorkloadRows) -> JSON:
    name, problem = workloads.namespace, workloads.problem
    if not problem and name not in namespaces:
        problem = f"Namespace {name} is not known: check its name"
    return {
        "namespace": name,
        "complete": workloads.complete,
        "problem": problem,
        "workloads": [asdict(row) for row in workloads.rows],
    }


def moment(seconds: float) -> str:
    """A time as RFC 3339, given in seconds since 1970."""
    return _moment(int(seconds))


@lru_cache(maxsize=1024)
def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
