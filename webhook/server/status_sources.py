"""Gathers what the status page shows from the parts of the server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from time import monotonic
from typing import TYPE_CHECKING, Final

from certs.bundle import salvage
from certs.tls import ServedCertificate
from webhook.server.admin import Status
from webhook.server.listen import parse
from webhook.server.metrics import BOUNDS, Metrics
from webhook.server.options import Options
from webhook.server.reload import Group
from webhook.statuspage.decisions import DecisionLog
from webhook.statuspage.mesh_counts import Configured
from webhook.statuspage.mesh_reader import MeshReader
from webhook.statuspage.sources import CertificateFact, FileFact, StatusSources
from webhook.statuspage.traffic import Traffic
from webhook.statuspage.turns import Turns

if TYPE_CHECKING:
    from webhook.kube.objects import Namespace
    from webhook.server.cluster import ClusterAccess
    from webhook.server.configuration import Configuration
    from webhook.statuspage.workload_rows import WorkloadTable
    from webhook.upkeep.leader import Upkeep

# Options that are no flags.
_NO_FLAGS: Final = frozenset(("admin_socket", "times", "pace", "collector"))
# The start of a digest tells two files apart.
_DIGEST: Final = 12
# Nothing of a private key is shown.
_KEY: Final = "tls.key"


def sources_of(
    options: Options,
    status: Status,
    metrics: Metrics,
    decisions: DecisionLog,
    view: ClusterAccess,
    configuration: Configuration | None,
    upkeep: Upkeep | None,
) -> StatusSources:
    """What the page is made from. `configuration` is None for a server without values."""
    turns = Turns()
    return StatusSources(
        replica=options.identity,
        where=lambda: (options.linkerd_namespace, options.identity, parse(options.admin_addr).port),
        conditions=status.conditions,
        uptime=lambda: status.uptime,
        leader=lambda: None if upkeep is None else upkeep.election.holder,
        linkerd_version=lambda: configuration.mesh.values.linkerd_version if configuration is not None else "",
        release_line=status.release_line,
        certificates=lambda: list(_certificates(status.certificate, configuration, upkeep)),
        files=lambda: list(_files(status.groups)),
        cache=lambda: _cache(status),
        in_flight=lambda: metrics.admissions.in_flight,
        traffic=Traffic(metrics.admissions.traffic, BOUNDS, monotonic),
        decisions=decisions,
        flags=_flags(options),
        namespaces=view.namespaces,
        mesh=_mesh(options, view, configuration, turns),
        turns=turns,
    )


def _mesh(
    options: Options, view: ClusterAccess, configuration: Configuration | None, turns: Turns
) -> MeshReader | None:
    if not options.status_page or view.api is None or configuration is None:
        return None

    def configured() -> Configured:
        mesh = configuration.mesh
        proxy = mesh.values.proxy
        image = proxy.image if proxy is not None else None
        version = image.version if image is not None else ""
        return Configured(version or mesh.values.linkerd_version, mesh.trust_anchors_sha256)

    def table(namespace: Namespace) -> WorkloadTable:
        # Imported when a Namespace is opened.
        from webhook.diagnosis.dataplane.podstate import PodJudge
        from webhook.statuspage.workload_rows import WorkloadTable

        return WorkloadTable(PodJudge(configuration.injector.value, None), namespace)

    return MeshReader(view.api, view.namespaces, configured, table, turns=turns)


def _certificates(
    certificate: ServedCertificate, configuration: Configuration | None, upkeep: Upkeep | None
) -> Iterator[CertificateFact]:
    leaf = certificate.leaf
    if leaf is not None:
        yield CertificateFact("served", ", ".join(leaf.names) or leaf.subject, leaf.not_after)
    if upkeep is not None:
        yield from _ca_bundles(upkeep)
    if configuration is not None:
        yield from _bundle("trust anchor", configuration.mesh.trust_anchors.encode())


def _ca_bundles(upkeep: Upkeep) -> Iterator[CertificateFact]:
    from webhook.kube.webhookconfigurations import pointing

    for body in upkeep.configurations.all():
        for entry in pointing(body, upkeep.duties.service):
            role = f"caBundle of {entry.configuration}, {entry.webhook}"
            if entry.junk or not entry.bundle:
                yield CertificateFact(role, "", None, entry.junk or "it is empty")
            yield from _bundle(role, entry.bundle)


def _bundle(role: str, pem: bytes) -> Iterator[CertificateFact]:
    certificates, why = salvage(pem)
    for one in certificates:
        yield CertificateFact(role, one.subject.rfc4514_string(), one.not_valid_after_utc)
    if why:
        yield CertificateFact(role, "", None, why)


def _files(groups: Sequence[Group]) -> Iterator[FileFact]:
    for group in groups:
        for label, path in group.files.items():
            content = group.contents.get(label, b"")
            digest = "not shown" if label == _KEY else hashlib.sha256(content).hexdigest()[:_DIGEST]
            yield FileFact(str(path), digest, group.read_at, group.error)


def _cache(status: Status) -> str:
    cache = status.cache()
    return f"{cache.source}: {cache.namespaces} Namespaces, {cache.owners} owners, updated {cache.age:.0f} s ago"


def _flags(options: Options) -> dict[str, str]:
    """The options by the names of their flags. None of them is a secret."""
    values = {
        f"--{option.name.replace('_', '-')}": getattr(options, option.name)
        for option in fields(options)
        if option.name not in _NO_FLAGS
    }
    return {name: text for name, value in values.items() if (text := _text(value))}


def _text(value: object) -> str:
    if value is None or value is False or value in ("", ()):
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "yes" if value is True else str(value)
