"""Writes the facts and the findings as text for people and as JSON for programs, without any private key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from certs.inspect import LeafCertificate
from webhook.diagnosis.certificates.checks import check, remarks
from webhook.diagnosis.certificates.facts import CertificateFacts, CertificateSummary, KeptCertificate, serial
from webhook.diagnosis.unseen import NotSeen

JSON = dict[str, Any]


def text(facts: CertificateFacts) -> str:
    """All facts in aligned columns, and the findings at the end."""
    return "\n".join([*_head(facts), *_kept(facts), *_replicas(facts), *_ca_bundles(facts), "", *_verdict(facts)])


def as_json(facts: CertificateFacts) -> JSON:
    """All facts and findings. Times are RFC 3339 in UTC; `fits` is null if something could not be read."""
    findings = check(facts)
    return {
        "service": f"{facts.service.namespace}/{facts.service.name}",
        "dnsName": facts.service.dns_name,
        "time": stamp(facts.at),
        "fits": False if findings else (None if facts.unseen or facts.unreachable else True),
        "selfManaged": facts.self_managed,
        "rotationAsked": facts.asked or None,
        "certificates": [
            {
                "object": kept.where,
                "role": kept.role,
                "field": kept.field,
                "problem": kept.why_not or None,
                "certificate": _summary(kept.certificate) if kept.certificate else None,
            }
            for kept in facts.certificates
        ],
        "replicasAskedBy": facts.way or None,
        "replicas": [
            {
                "address": replica.address,
                "pod": replica.pod or None,
                "unreachable": replica.unreachable or None,
                "certificate": _leaf(replica.leaf) if replica.leaf else None,
            }
            for replica in facts.ready
        ],
        "caBundles": [
            {
                "object": ca_bundle.where,
                "field": ca_bundle.field,
                "webhook": ca_bundle.webhook,
                "certificates": [_summary(anchor) for anchor in ca_bundle.anchors],
                "junk": list(ca_bundle.junk),
                "writtenBy": ca_bundle.cert_manager or None,
            }
            for ca_bundle in facts.ca_bundles
        ],
        "findings": [finding.as_json() for finding in findings],
        "remarks": [remark.line() for remark in remarks(facts)],
        "unseen": [right.text() for right in facts.unseen],
    }


def stamp(moment: datetime) -> str:
    """A time in UTC, RFC 3339."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _head(facts: CertificateFacts) -> Iterator[str]:
    service = facts.service
    yield f"Service {service.namespace}/{service.name} ({service.dns_name}), {stamp(facts.at)}"
    if facts.asked:
        yield f"a rotation is requested: {facts.asked}"


def _kept(facts: CertificateFacts) -> Iterator[str]:
    if not facts.certificates:
        return
    yield ""
    yield "Certificates"
    due = "renew by" if facts.files else "renewal due"
    yield from table([(kept.where, kept.role, *_of(kept, facts.at, due)) for kept in facts.certificates])


def _of(kept: KeptCertificate, now: datetime, due: str) -> tuple[str, ...]:
    certificate = kept.certificate
    if certificate is None:
        return (f"{kept.field}: {kept.why_not}" if kept.exists else kept.why_not,)
    renewal = "" if kept.role == "next CA" else f"{due} {certificate.renewal:%Y-%m-%d}"
    why = f"{kept.field}: {kept.why_not}" if kept.why_not else renewal
    return (
        certificate.subject,
        f"serial {_short(certificate.serial)}",
        certificate.key,
        _from_until(certificate, now),
        why,
    )


_WAYS = {
    "direct": "dialled directly, at their addresses",
    "port-forward": "asked through the API server, by port-forward to each Pod",
}


def _replicas(facts: CertificateFacts) -> Iterator[str]:
    if facts.files:
        return
    yield ""
    yield f"Replicas ({_WAYS[facts.way]})" if facts.way in _WAYS else "Replicas"
    rows = [
        (
            replica.where.removeprefix("replica "),
            *(
                (
                    replica.leaf.subject,
                    f"serial {_short(serial(replica.leaf.serial))}",
                    _from_until(replica.leaf, facts.at),
                )
                if replica.leaf
                else (f"cannot be reached from here: {replica.unreachable}",)
            ),
        )
        for replica in facts.ready
    ]
    nothing = "  not seen" if isinstance(facts.replicas, NotSeen) else "  none is ready"
    yield from table(rows) if rows else (nothing,)


def _ca_bundles(facts: CertificateFacts) -> Iterator[str]:
    yield ""
    yield "CA files" if facts.files else "caBundles"
    rows: list[tuple[str, ...]] = []
    for ca_bundle in facts.ca_bundles:
        about = (ca_bundle.where, ca_bundle.webhook) if ca_bundle.webhook else (ca_bundle.where,)
        rows += [
            (*about, anchor.subject, f"serial {_short(anchor.serial)}", _until(anchor.not_after, facts.at))
            for anchor in ca_bundle.anchors
        ]
        if not ca_bundle.anchors:
            rows.append((*about, "no certificate"))
    nothing = "  none" if facts.configurations_seen else "  not seen"
    yield from table(rows) if rows else (nothing,)


def _verdict(facts: CertificateFacts) -> Iterator[str]:
    for remark in remarks(facts):
        yield f"note: {remark.line()}"
    findings = check(facts)
    if not findings:
        if facts.unreachable:
            count = f"{len(facts.unreachable)} of {len(facts.ready)}"
            yield f"not known whether it fits: {count} replicas could not be reached from here"
        elif not facts.unseen:
            yield f"fits: every caBundle trusts the served certificate for {facts.service.dns_name}"
        return
    yield f"does not fit, {len(findings)} {'finding' if len(findings) == 1 else 'findings'}:"
    for finding in findings:
        yield f"- {finding.text()}"
        yield f"  fix: {finding.fix}"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows with their columns aligned, indented by two spaces; a row's last column may have any length."""
    widths: dict[int, int] = {}
    for row in rows:
        for number, cell in enumerate(row[:-1]):
            widths[number] = max(widths.get(number, 0), len(cell))
    return [
        "  " + "  ".join([*(cell.ljust(widths[number]) for number, cell in enumerate(row[:-1])), row[-1]]).rstrip()
        for row in rows
        if row
    ]


def _from_until(certificate: CertificateSummary | LeafCertificate, now: datetime) -> str:
    return f"{certificate.not_before:%Y-%m-%d} to {_until(certificate.not_after, now).removeprefix('until ')}"


def _until(end: datetime, now: datetime) -> str:
    left = end - now
    if left.total_seconds() <= 0:
        return f"until {end:%Y-%m-%d %H:%MZ} (expired)"
    days, hours = left.days, left.seconds // 3600
    return f"until {end:%Y-%m-%d %H:%MZ} ({f'{days} d' if days else f'{hours} h' if hours else 'minutes'} left)"


def _short(number: str) -> str:
    return number if len(number) <= 12 else f"{number[:12]}…"


def _summary(certificate: CertificateSummary) -> JSON:
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": certificate.serial,
        "sha256": certificate.fingerprint,
        "notBefore": stamp(certificate.not_before),
        "notAfter": stamp(certificate.not_after),
        "key": certificate.key,
        "names": list(certificate.names),
        "renewalDue": stamp(certificate.renewal),
    }


def _leaf(certificate: LeafCertificate) -> JSON:
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": serial(certificate.serial),
        "notBefore": stamp(certificate.not_before),
        "notAfter": stamp(certificate.not_after),
        "names": list(certificate.names),
    }
