"""Checks that every caBundle that points at a Service trusts the certificate that is served there. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from certs.inspect import LeafCertificate
from webhook.diagnosis import fixes
from webhook.diagnosis.certificates import ca_bundles
from webhook.diagnosis.certificates.facts import (
    CaBundle,
    CertificateFacts,
    CertificateSummary,
    KeptCertificate,
    Replica,
    serial,
)
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.unseen import NotSeen
from webhook.kube.webhookconfigurations import ServiceReference

REPLICAS: Final = Check("replicas-ready", "replicas are ready and serve a certificate")
CALLED: Final = Check("service-is-called", "a webhook configuration points at the Service")
STORED: Final = Check("certificate-usable", "every certificate that is stored can be used")
VALID: Final = Check("certificate-valid", "every certificate that is served is valid now, for the name of the Service")
CLEAN: Final = Check("ca-bundle-clean", "caBundles hold nothing but certificates that are valid")
REACHED: Final = Check("replicas-seen", "every ready replica was asked for its certificate")
NAMES: Final = Check("certificate-names", "the certificate has all names of the Service")
DEPLOYMENT: Final = Check("deployment-seen", "the Deployment behind the Service is known")


def check(facts: CertificateFacts) -> list[CheckFinding]:
    """The errors; none if every caBundle trusts the served certificates, as far as these could be read."""
    findings = [*serving(facts), *_stored(facts), *_called(facts)]
    for ca_bundle in facts.ca_bundles:
        findings += _filled(facts, ca_bundle)
    judged: list[Replica | KeptCertificate] = [*facts.ready]
    judged += [kept for kept in facts.certificates if kept.role == "leaf"]
    for server in judged:
        findings += _trusted(facts, server)
    return findings


def remarks(facts: CertificateFacts) -> list[CheckFinding]:
    """Notes about what does no harm: junk and expired CAs in a caBundle, replicas that could not be reached."""
    notes = [note for ca_bundle in facts.ca_bundles for note in _junk(ca_bundle, facts.at)]
    leaf = facts.kept_as("leaf")
    by = f": its certificate is assumed to be that of {leaf.where}" if leaf and leaf.certificate else ""
    notes += [
        REACHED.note(replica.where, "", f"cannot be reached from here ({replica.unreachable}){by}")
        for replica in facts.unreachable
    ]
    if leaf and leaf.certificate and facts.self_managed:
        missing = [name for name in facts.names if name not in leaf.certificate.names]
        if missing:
            message = f"the certificate is not for {', '.join(missing)}; the leader issues a new one by itself"
            notes.append(NAMES.note(leaf.where, leaf.field, message))
    if isinstance(facts.deployment, NotSeen):
        where = f"Service {facts.service.namespace}/{facts.service.name}"
        message = "the Deployment behind it could not be read, so the name of the certificate's Secret is a guess"
        notes.append(DEPLOYMENT.note(where, "", message, "; ".join(facts.deployment.texts())))
    return notes


def _junk(ca_bundle: CaBundle, now: datetime) -> Iterator[CheckFinding]:
    for junk in ca_bundle.junk:
        yield CLEAN.note(ca_bundle.where, ca_bundle.field, f"{junk}, ignored")
    for anchor in ca_bundle.anchors:
        if anchor.not_after <= now:
            message = f"{anchor.subject} ({_short(anchor.serial)}) has expired and has no effect"
            yield CLEAN.note(ca_bundle.where, ca_bundle.field, message)


def _nothing_serves(facts: CertificateFacts) -> bool:
    return facts.replicas == () and not facts.files


def serving(facts: CertificateFacts) -> Iterator[CheckFinding]:
    """The error if no replica is ready: then no certificate is served, whatever is stored."""
    if not _nothing_serves(facts):
        return
    server, namespace = facts.server, facts.service.namespace
    if server is None:
        if facts.ca_bundles:
            yield _no_deployment(facts)
        return
    if server.wanted == 0:
        fix = f"kubectl -n {namespace} scale deploy/{server.name} --replicas=2"
        message = "the Deployment asks for no replica: nothing is served"
        yield REPLICAS.error(server.where, "spec.replicas", message, fix, value="0")
        return
    if server.ready:
        # The Service selects other Pods, or has another port than they have.
        service = f"Service {namespace}/{facts.service.name}"
        ready = f"{server.where} has {server.ready} of {server.wanted} replicas ready"
        message = f"no endpoint is ready, though {ready}: nothing is served"
        pods = f"kubectl -n {namespace} get pods --show-labels -l {server.selector}"
        fix = f"see whether its selector and port fit the Pods: {pods}, and kubectl -n {namespace} describe service"
        yield REPLICAS.error(service, "endpoints", message, f"{fix} {facts.service.name}")
        return
    why = f" ({server.why})" if server.why else ""
    yield REPLICAS.error(
        server.where,
        "status.readyReplicas",
        f"no replica is ready yet, of {server.wanted} wanted: nothing is served{why}",
        f"wait for kubectl -n {namespace} rollout status deploy/{server.name}; why it takes long: "
        f"kubectl -n {namespace} describe pods -l {server.selector}, and {_logs(facts)}",
        value=str(server.ready),
    )


def _no_deployment(facts: CertificateFacts) -> CheckFinding:
    """The error if no replica is ready and the Deployment is not known."""
    namespace, where = facts.service.namespace, f"Service {facts.service.namespace}/{facts.service.name}"
    if isinstance(facts.deployment, NotSeen):
        fix = f"see the Events and logs of the Pods: kubectl -n {namespace} get pods"
        return REPLICAS.error(where, "endpoints", "no replica is ready: nothing is served", fix)
    message = "it selects the Pods of no Deployment, and no replica is ready: nothing is served"
    return REPLICAS.error(where, "spec.selector", message, fixes.install_here(namespace))


def _awaited(facts: CertificateFacts) -> bool:
    """Whether a replica will create what is missing once it runs, so that it is not an error of its own."""
    return facts.self_managed and _nothing_serves(facts)


def _stored(facts: CertificateFacts) -> Iterator[CheckFinding]:
    for kept in facts.certificates:
        if kept.why_not and (kept.exists or not _missing_is_fine(facts, kept)):
            value = "" if kept.certificate is None else _named(kept.certificate)
            yield STORED.error(kept.where, kept.field, kept.why_not, _fix_stored(facts, kept), value)


def _missing_is_fine(facts: CertificateFacts, kept: KeptCertificate) -> bool:
    if _awaited(facts):
        return True
    leaf = facts.kept_as("leaf")
    if kept.role == "CA":
        return not (leaf and leaf.certificate and facts.self_managed)
    # If all replicas were reached, they have their certificate from another place.
    all_asked = bool(facts.ready) and not facts.unreachable
    return kept.role == "leaf" and not facts.self_managed and not _mounted(facts) and all_asked


def _mounted(facts: CertificateFacts) -> bool:
    """Whether the Secret of the serving certificate is known to be the one that replicas mount."""
    return facts.server is not None and bool(facts.server.secret)


def _called(facts: CertificateFacts) -> Iterator[CheckFinding]:
    if facts.ca_bundles or not facts.configurations_seen:
        return
    if facts.files:
        fix = "pass --ca-bundle FILE, or add ca.crt to the folder"
        yield CALLED.error("files", "--ca-bundle", "no CA certificate to trust is given", fix)
        return
    namespace, name = facts.service.namespace, facts.service.name
    yield CALLED.error(
        f"Service {namespace}/{name}",
        "webhooks[].clientConfig.service",
        "no webhook configuration points at it",
        fixes.install_here(namespace),
    )


def _filled(facts: CertificateFacts, ca_bundle: CaBundle) -> Iterator[CheckFinding]:
    if ca_bundle.anchors or (_awaited(facts) and not ca_bundle.junk):
        return
    yield ca_bundles.empty(ca_bundle.where, ca_bundle.field, ca_bundle.junk, _fix_ca_bundle(facts, ca_bundle))


def _trusted(facts: CertificateFacts, server: Replica | KeptCertificate) -> Iterator[CheckFinding]:
    """The errors about one served certificate: one if it is not valid, else one for each caBundle that does not trust
    it."""
    leaf = server.leaf if isinstance(server, Replica) else server.certificate
    if leaf is None:
        return
    # An unusable certificate in a Secret is reported by `_stored`.
    if isinstance(server, KeptCertificate) and server.why_not:
        return
    place = server.field if isinstance(server, KeptCertificate) else "served certificate"
    own = _unusable(leaf, facts.service, facts.at)
    if own:
        yield VALID.error(server.where, place, own, fix_leaf(facts), _named(leaf))
        return
    for ca_bundle in facts.ca_bundles:
        why = facts.trust.get((server.where, ca_bundle.pem), "") if ca_bundle.anchors else ""
        if why:
            yield ca_bundles.distrusts(
                ca_bundle.where,
                ca_bundle.field,
                f"{_named(leaf)} of {server.where}",
                facts.service.dns_name,
                why,
                fix=_fix_ca_bundle(facts, ca_bundle),
                value=", ".join(_named(anchor) for anchor in ca_bundle.anchors),
            )


def _unusable(leaf: LeafCertificate | CertificateSummary, service: ServiceReference, now: datetime) -> str:
    if leaf.not_after <= now:
        return f"has expired since {leaf.not_after:%Y-%m-%dT%H:%M:%SZ}"
    if leaf.not_before > now:
        return f"is not valid before {leaf.not_before:%Y-%m-%dT%H:%M:%SZ}"
    if not _covers(leaf.names, service.dns_name):
        return f"is for {', '.join(leaf.names) or 'no name'}, and has to be for {service.dns_name}"
    return ""


def _covers(names: tuple[str, ...], wanted: str) -> bool:
    above = wanted.partition(".")[2]
    return any(name.lower() in (wanted.lower(), f"*.{above}".lower()) for name in names)


def _named(certificate: LeafCertificate | CertificateSummary) -> str:
    number = certificate.serial if isinstance(certificate.serial, str) else serial(certificate.serial)
    return f"{certificate.subject} ({_short(number)})"


def _short(number: str) -> str:
    return f"serial {number if len(number) <= 12 else number[:12] + '…'}"


def _fix_stored(facts: CertificateFacts, kept: KeptCertificate) -> str:
    if facts.files:
        return fix_leaf(facts)
    if facts.self_managed:
        return f"the leader creates a new one within a minute; if not, see its log: {_logs(facts)}"
    if facts.service.name in _LINKERDS:
        return _LINKERDS_OWN
    if not kept.exists:
        if _mounted(facts):
            return f"create it: Pods start once it exists ({fixes.ISSUE} issues a certificate and prints the command)"
        return "pass --secret NAME where the certificate is in another Secret"
    return fix_leaf(facts)


def fix_leaf(facts: CertificateFacts) -> str:
    """How to get a new serving certificate."""
    certificate = next((ca_bundle.certificate_of for ca_bundle in facts.ca_bundles if ca_bundle.cert_manager), "")
    if facts.service.name in _LINKERDS and not facts.files and not certificate:
        return _LINKERDS_OWN
    if facts.files:
        return f"{fixes.ISSUE} --force, and the new ca.crt where the old one is trusted"
    if facts.self_managed:
        return f"linkerd-webhook certs rotate --leaf --linkerd-namespace {facts.service.namespace}"
    if certificate:
        return fixes.renew(certificate, facts.service.namespace)
    return f"{fixes.ISSUE}, and put the new certificate into {_secret(facts)}"


def _fix_ca_bundle(facts: CertificateFacts, ca_bundle: CaBundle) -> str:
    if facts.files:
        return f"pass the ca.crt that was issued with tls.crt, or issue anew: {fixes.ISSUE} --force"
    if ca_bundle.cert_manager:
        of = f" for {ca_bundle.certificate_of}" if ca_bundle.certificate_of else ""
        return f"cert-manager's cainjector writes it{of} ({ca_bundle.cert_manager}): see the log of cainjector"
    if facts.self_managed:
        return fixes.leader_writes_it(f"see its log: {_logs(facts)}")
    if facts.service.name in _LINKERDS:
        return _LINKERDS_OWN
    if facts.authority:
        return fixes.leader_writes_ca_crt(_secret(facts), f"see the leader's log: {_logs(facts)}")
    name = facts.server.secret if facts.server and facts.server.secret else "NAME"
    return fixes.name_the_ca(_secret(facts), name)


# Services of Linkerd's own, whose Secrets and caBundles come with Linkerd's manifests.
_LINKERDS: Final = frozenset({"linkerd-proxy-injector", "linkerd-sp-validator", "linkerd-policy-validator"})
_LINKERDS_OWN: Final = f"have Linkerd write its own again: {fixes.LINKERD_UPGRADE}"


def _secret(facts: CertificateFacts) -> str:
    if facts.server is not None and facts.server.secret:
        return f"Secret {facts.service.namespace}/{facts.server.secret}"
    return fixes.MOUNTED


def _logs(facts: CertificateFacts) -> str:
    name = facts.server.name if facts.server is not None else facts.service.name
    return fixes.logs(facts.service.namespace, name)
