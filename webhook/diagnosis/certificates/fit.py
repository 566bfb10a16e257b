"""Whether what is served is trusted by every caBundle that points at it. Pure: facts in, findings out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from certs.inspect import Leaf
from webhook.diagnosis.certificates.facts import Bundle, Kept, Replica, State, Summary, serial
from webhook.kube.webhookconfigurations import Service


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not fit: the object, the field's path, the value there, what is wrong, and how to put it right."""

    object: str
    field: str
    value: str
    message: str
    fix: str

    def __str__(self) -> str:
        value = f" {self.value}" if self.value else ""
        return f"{self.object}: {self.field}{value}: {self.message}"


def findings(state: State) -> list[Finding]:
    """Everything that does not fit; none where it does."""
    found = [*_serving(state), *_kept(state), *_nobody(state)]
    for bundle in state.bundles:
        found += _empty(state, bundle)
    judged: list[Replica | Kept] = [*state.replicas, *(each for each in state.kept if each.role == "leaf")]
    for server in judged:
        found += _served(state, server)
    return found


def remarks(state: State) -> list[str]:
    """What is worth a look and breaks nothing: junk and expired CAs in a caBundle, who is judged by the Secret."""
    found = []
    for bundle in state.bundles:
        found += [f"{bundle.where}: {bundle.field}: {each}, passed over" for each in bundle.junk]
        found += [
            f"{bundle.where}: {bundle.field}: {anchor.subject} ({_short(anchor.serial)}) has expired, no longer of use"
            for anchor in bundle.anchors
            if anchor.not_after <= state.at
        ]
    leaf = state.one("leaf")
    by = f": judged by {leaf.where}" if leaf and leaf.certificate else ""
    found += [f"{each.where} cannot be reached from here ({each.unreachable}){by}" for each in state.unreachable]
    missing = [each for each in state.names if leaf and leaf.certificate and each not in leaf.certificate.names]
    if leaf and missing and state.self_managed:
        found.append(f"{leaf.where}: {leaf.field} is not for {', '.join(missing)}: the leader issues a new one")
    if state.guessed:
        found.append(f"which Secret is served from is guessed, as the Deployment is not seen: {state.guessed}")
    return found


def _nobody_serves(state: State) -> bool:
    return not state.replicas and not state.files and not state.hidden("endpointslices")


def _serving(state: State) -> Iterator[Finding]:
    """That no replica is ready: then nothing is served, whatever is stored."""
    if not _nobody_serves(state):
        return
    server, namespace = state.server, state.service.namespace
    if server is None:
        if state.bundles:
            yield _nobody_known(state)
        return
    if server.wanted == 0:
        fix = f"kubectl -n {namespace} scale deploy/{server.name} --replicas=2"
        yield Finding(server.where, "spec.replicas", "0", "no replica is wanted: nothing is served", fix)
        return
    why = f" ({server.why})" if server.why else ""
    yield Finding(
        server.where,
        "status.readyReplicas",
        str(server.ready),
        f"no replica is ready yet, of {server.wanted} wanted: nothing is served{why}",
        f"wait for kubectl -n {namespace} rollout status deploy/{server.name}; why it takes long: "
        f"kubectl -n {namespace} describe pods -l {server.selector}, and {_logs(state)}",
    )


def _nobody_known(state: State) -> Finding:
    """That no replica is ready, where no Deployment is known."""
    namespace, name = state.service.namespace, state.service.name
    if state.guessed:
        fix = f"kubectl -n {namespace} get pods, and their Events and logs, say why"
        return Finding(f"Service {namespace}/{name}", "endpoints", "", "no replica is ready: nothing is served", fix)
    return Finding(
        f"Service {namespace}/{name}",
        "spec.selector",
        "",
        "no Deployment has Pods that it selects, and no replica is ready: nothing is served",
        f"{_install(state)} | kubectl apply -f - (or name another --service or --linkerd-namespace)",
    )


def _awaited(state: State) -> bool:
    """Whether what is missing comes once a replica runs, so that it is no fault of its own."""
    return state.self_managed and _nobody_serves(state)


def _kept(state: State) -> Iterator[Finding]:
    leaf = state.one("leaf")
    for kept in state.kept:
        if not kept.why_not:
            continue
        missing = kept.certificate is None and kept.why_not == "there is none"
        if missing and _awaited(state):
            continue
        if missing and kept.role == "leaf" and not state.self_managed and not _mounted(state) and _all_seen(state):
            # The replicas have theirs from somewhere else, and that was looked at.
            continue
        if missing and kept.role == "CA" and not (leaf and leaf.certificate and state.self_managed):
            continue
        value = "" if kept.certificate is None else _named(kept.certificate)
        yield Finding(kept.where, kept.field, value, kept.why_not, _fix_kept(state, kept))


def _mounted(state: State) -> bool:
    """Whether the leaf's Secret is known to be the one that replicas mount."""
    return state.server is not None and bool(state.server.secret)


def _all_seen(state: State) -> bool:
    return bool(state.replicas) and not state.unreachable


def _nobody(state: State) -> Iterator[Finding]:
    if state.bundles or state.hidden("webhookconfigurations"):
        return
    service = state.service
    if state.files:
        yield Finding(
            "files", "--ca-bundle", "", "no CA certificate to trust is given", "pass --ca-bundle FILE, or add ca.crt"
        )
        return
    yield Finding(
        f"Service {service.namespace}/{service.name}",
        "webhooks[].clientConfig.service",
        "",
        "no webhook configuration points at it",
        f"{_install(state)} | kubectl apply -f - (or name another --service or --linkerd-namespace)",
    )


def _empty(state: State, bundle: Bundle) -> Iterator[Finding]:
    if not bundle.anchors and not (_awaited(state) and not bundle.junk):
        says = f"holds no certificate ({'; '.join(bundle.junk)})" if bundle.junk else "is empty: nothing is trusted"
        yield Finding(bundle.where, bundle.field, "", says, _fix_bundle(state, bundle))


def _served(state: State, server: Replica | Kept) -> Iterator[Finding]:
    """What is wrong with what one server serves: with itself once, else with each caBundle that does not trust it."""
    leaf = server.leaf if isinstance(server, Replica) else server.certificate
    if leaf is None:
        return
    place = server.field if isinstance(server, Kept) else "served certificate"
    own = _unusable(leaf, state.service, state.at)
    if own:
        # A Secret's end of life was told with the Secret.
        if not (isinstance(server, Kept) and server.why_not):
            yield Finding(server.where, place, _named(leaf), own, _fix_leaf(state))
        return
    if isinstance(server, Kept) and server.why_not:
        return
    for bundle in state.bundles:
        why = state.trust.get((server.where, bundle.pem), "") if bundle.anchors else ""
        if why:
            value = ", ".join(_named(each) for each in bundle.anchors)
            message = f"does not trust {_named(leaf)} of {server.where} for {state.service.dns_name}: {why}"
            yield Finding(bundle.where, bundle.field, value, message, _fix_bundle(state, bundle))


def _unusable(leaf: Leaf | Summary, service: Service, now: datetime) -> str:
    if leaf.not_after <= now:
        return f"has expired since {leaf.not_after:%Y-%m-%dT%H:%M:%SZ}"
    if leaf.not_before > now:
        return f"is not valid before {leaf.not_before:%Y-%m-%dT%H:%M:%SZ}"
    if not _covers(leaf.names, service.dns_name):
        return f"is for {', '.join(leaf.names) or 'no name'}, and has to be for {service.dns_name}"
    return ""


def _covers(names: tuple[str, ...], wanted: str) -> bool:
    above = wanted.partition(".")[2]
    return any(each.lower() in (wanted.lower(), f"*.{above}".lower()) for each in names)


def _named(certificate: Leaf | Summary) -> str:
    number = certificate.serial if isinstance(certificate.serial, str) else serial(certificate.serial)
    return f"{certificate.subject} ({_short(number)})"


def _short(number: str) -> str:
    return f"serial {number if len(number) <= 12 else number[:12] + '…'}"


def _fix_kept(state: State, kept: Kept) -> str:
    if state.files:
        return _fix_leaf(state)
    if state.self_managed:
        return f"the leader makes a new one by itself within a minute; if not, {_logs(state)} says why"
    if state.service.name in _LINKERDS:
        return _LINKERDS_OWN
    if kept.certificate is None and kept.why_not == "there is none":
        if _mounted(state):
            return (
                "create it: Pods start once it is there (linkerd-webhook certs issue --out DIR makes one, and says how)"
            )
        return "pass --secret NAME where the certificate is in another Secret"
    return _fix_leaf(state)


def _fix_leaf(state: State) -> str:
    by_cert_manager = next((each.certificate_of for each in state.bundles if each.cert_manager), "")
    if state.service.name in _LINKERDS and not state.files and not by_cert_manager:
        return _LINKERDS_OWN
    if state.files:
        return "linkerd-webhook certs issue --out DIR --force, and the new ca.crt where the old one is trusted"
    if state.self_managed:
        return f"linkerd-webhook certs rotate --leaf --linkerd-namespace {state.service.namespace}"
    if by_cert_manager:
        namespace, _, name = by_cert_manager.rpartition("/")
        return f"cmctl renew -n {namespace or state.service.namespace} {name}"
    return f"linkerd-webhook certs issue --out DIR, and put that into {_secret(state)}"


def _fix_bundle(state: State, bundle: Bundle) -> str:
    if state.files:
        return (
            "pass the ca.crt that was issued with tls.crt, or issue anew: linkerd-webhook certs issue --out DIR --force"
        )
    if bundle.cert_manager:
        of = f" for {bundle.certificate_of}" if bundle.certificate_of else ""
        return f"cert-manager's cainjector writes it{of} ({bundle.cert_manager}): its log says why it does not"
    if state.self_managed:
        return f"the leader writes it by itself within a minute; if it does not, {_logs(state)} says why"
    if state.service.name in _LINKERDS:
        return _LINKERDS_OWN
    if state.authority:
        return (
            f"the leader writes ca.crt of {_secret(state)} there within a minute: see that this is the CA of tls.crt; "
            f"if it is, {_logs(state)} says why it is not written"
        )
    name = state.server.secret if state.server and state.server.secret else "NAME"
    return (
        f"add the CA's certificate to {_secret(state)} as ca.crt; or apply the installation again with "
        f"--existing-secret {name} --ca-bundle FILE"
    )


# Services of Linkerd's own, whose Secrets and caBundles come with Linkerd's manifests.
_LINKERDS = frozenset({"linkerd-proxy-injector", "linkerd-sp-validator", "linkerd-policy-validator"})
_LINKERDS_OWN = "have Linkerd write its own again: linkerd upgrade | kubectl apply -f -, or helm upgrade"


def _secret(state: State) -> str:
    if state.server is not None and state.server.secret:
        return f"Secret {state.service.namespace}/{state.server.secret}"
    return "the Secret that the replicas mount"


def _install(state: State) -> str:
    return f"linkerd-webhook install --linkerd-namespace {state.service.namespace} --image REPOSITORY:TAG"


def _logs(state: State) -> str:
    name = state.server.name if state.server is not None else state.service.name
    return f"kubectl -n {state.service.namespace} logs deploy/{name}"
