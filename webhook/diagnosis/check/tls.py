"""The lines about the server's certificates: what `certs inspect` says of them, as lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final

from webhook.diagnosis import fixes
from webhook.diagnosis.certificates import ca_bundles, checks
from webhook.diagnosis.certificates.facts import CaBundle, CertificateFacts, KeptCertificate
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import Section, line
from webhook.diagnosis.check.server import running
from webhook.diagnosis.finding import Check, CheckFinding, errors
from webhook.diagnosis.unseen import NotAsked, NotSeen, Unseen, seen
from webhook.kube.webhookconfigurations import FIELD_MANAGER, managers

# A certificate that nobody renews by itself is told of so long before it expires.
SOON: Final = timedelta(days=60)
# The leader renews within minutes; cert-manager by default once two thirds of the lifetime are over.
_LATE: Final = timedelta(hours=1)
_CERT_MANAGERS_REST: Final = 1 / 10

_VALID_HINT: Final = "l5d-proxy-injector-webhook-cert-valid"


def _all(facts: ClusterFacts) -> list[CertificateFacts]:
    """The certificates of each Service. Raises `Unseen`."""
    _, server = running(facts)
    return [seen(certificate) for certificate in server.certificates.values()]


def _of(check: Check, findings: Iterable[CheckFinding], *codes: Check) -> Iterator[CheckFinding]:
    wanted = {code.code for code in codes}
    return (check.again(finding) for finding in errors(findings) if finding.code in wanted)


def _require_a_leaf(facts: CertificateFacts) -> None:
    """Raise `Unseen` where nobody knows which certificate is served: none was seen, and none may be read."""
    if any(replica.leaf for replica in facts.ready) or (facts.kept_as("leaf") is not None):
        return
    if isinstance(facts.kept, NotSeen):
        raise Unseen(facts.kept)
    if facts.unreachable:
        why = "; ".join(replica.unreachable for replica in facts.unreachable)
        raise Unseen(NotAsked(f"no replica can be asked for its certificate from here ({why})"))


@line(
    Section.TLS,
    "certificate",
    "webhook has valid cert",
    hint=_VALID_HINT,
    optional=True,
)
def certificate(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether what is served and stored is a pair that is valid now, for the name of the Service."""
    for state in _all(facts):
        yield from _of(check, checks.check(state), checks.STORED, checks.VALID)
        _require_a_leaf(state)


@line(
    Section.TLS,
    "ca-bundle",
    "webhook configurations trust the cert",
    hint=_VALID_HINT,
    awaited=True,
    optional=True,
)
def ca_bundle(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether each caBundle that points at the server trusts what is served and stored; who wrote those that do not."""
    for state in _all(facts):
        for finding in _of(check, checks.check(state), ca_bundles.FILLED, ca_bundles.TRUSTED):
            wrote = _writers(facts, state.ca_bundles, finding)
            yield replace(finding, message=f"{finding.message}{wrote}")
        _require_a_leaf(state)


def _writers(facts: ClusterFacts, bundles: Iterable[CaBundle], finding: CheckFinding) -> str:
    """Who wrote the caBundle of a finding, by the managedFields, as a half sentence; "" where it was only us."""
    configurations = {" ".join(name): body for name, body in seen(facts.configurations).items()}
    for bundle in bundles:
        if (bundle.where, bundle.field) == (finding.object, finding.field):
            owners = [owner for owner in managers(configurations.get(bundle.where, {}), bundle.webhook) if owner]
            others = [owner for owner in dict.fromkeys(owners) if owner != FIELD_MANAGER]
            return f" (written by {', '.join(others)}, as managedFields say)" if others else ""
    return ""


@line(
    Section.TLS,
    "certificate-60-days",
    "webhook cert is valid for at least 60 days, or is renewed in time",
    hint="l5d-proxy-injector-webhook-cert-not-expiring-soon",
    optional=True,
)
def expiry(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether a certificate expires soon that nobody renews, or its renewal is overdue."""
    for state in _all(facts):
        kept = [one for one in state.certificates if one.certificate is not None and not one.why_not]
        for one in kept:
            yield from _soon(check, state, one)
        # Where Secrets may not be read, what is served tells.
        for replica in state.ready if isinstance(state.kept, NotSeen) else ():
            leaf = replica.leaf
            if leaf and not state.self_managed and not state.by_cert_manager and leaf.not_after - facts.at < SOON:
                yield _expires(check, state, replica.where, "served certificate", leaf.not_after - facts.at)
        _require_a_leaf(state)


def _soon(check: Check, facts: CertificateFacts, kept: KeptCertificate) -> Iterator[CheckFinding]:
    certificate = kept.certificate
    if certificate is None or certificate.not_after <= facts.at:
        return
    left = certificate.not_after - facts.at
    if facts.self_managed:
        if kept.role != "next CA" and certificate.renewal + _LATE < facts.at:
            due = f"{certificate.renewal:%Y-%m-%dT%H:%M:%SZ}"
            server = facts.server.name if facts.server else facts.service.name
            yield check.warning(
                kept.where,
                kept.field,
                f"expires in {left.days} days, and should have been renewed at {due}",
                f"the leader renews it: see {fixes.logs(facts.service.namespace, server)}",
            )
        return
    by_cert_manager = facts.by_cert_manager or any(bundle.cert_manager for bundle in facts.ca_bundles)
    if by_cert_manager and left > (certificate.not_after - certificate.not_before) * _CERT_MANAGERS_REST:
        return
    if left < SOON:
        yield _expires(check, facts, kept.where, kept.field, left)


def _expires(check: Check, facts: CertificateFacts, where: str, field: str, left: timedelta) -> CheckFinding:
    return check.warning(where, field, f"expires in {left.days} days", checks.fix_leaf(facts))
