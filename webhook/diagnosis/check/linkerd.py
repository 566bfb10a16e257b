"""The lines about Linkerd's control plane: what the server reads of it, and what its proxies trust."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from certs.bundle import salvage
from webhook.diagnosis import fixes
from webhook.diagnosis.check import crds as definitions
from webhook.diagnosis.check.control_plane import bundle, load
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.installation import Installation
from webhook.diagnosis.check.installed import NOT_INSTALLED
from webhook.diagnosis.check.line import Scope, Section, line
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.unseen import NotAsked, Unseen, known, seen
from webhook.injector.inject import Injector
from webhook.kube.fields import mapping
from webhook.mesh import configmaps
from webhook.mesh.config import ConfigError, Mesh
from webhook.mesh.configmaps import ABSENT, BUNDLE, ROOTS
from webhook.mesh.defaults import default_trust_anchors

_INSTALL_CRDS: Final = "run linkerd install --crds | kubectl apply -f -"
_UPGRADE_CRDS: Final = "run linkerd upgrade --crds | kubectl apply -f -, or helm upgrade linkerd-crds"
_INSTALL: Final = "install Linkerd's control plane first: linkerd install | kubectl apply -f -"
_WRITE_ANEW: Final = f"correct it there, or have Linkerd write it anew: {fixes.LINKERD_UPGRADE}"
_RENEW: Final = "replace the trust anchors as in https://linkerd.io/2/tasks/replacing_expired_certificates/"
_ROTATE: Final = (
    "rotate them as in https://linkerd.io/2/tasks/manually-rotating-control-plane-tls-credentials/, and restart all "
    "meshed workloads"
)

SOON: Final = timedelta(days=60)


@line(Section.CRD, "crds", "control plane CustomResourceDefinitions exist", hint="l5d-existence-crd")
def crds(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the CustomResourceDefinitions of the release line in force exist, and serve what it reads."""
    _matters(facts)
    served = seen(facts.crds)
    mesh = _readable(facts)
    # Of a release that is not known nobody knows what it reads.
    release = None if mesh is None or mesh.unknown_version else mesh.line
    for name, version in definitions.needed(release).items():
        where = f"CustomResourceDefinition {name}"
        if name not in served:
            yield check.error(where, "", "not found", _INSTALL_CRDS)
        elif release is not None and version != definitions.ANY and version not in served[name]:
            message = f"does not serve {version}, which {release.name} reads"
            yield check.error(where, "spec.versions", message, _UPGRADE_CRDS)


@line(
    Section.EXISTENCE,
    "linkerd-config",
    "'linkerd-config' config map exists, and its values can be used",
    hint="l5d-existence-linkerd-config",
)
def linkerd_config(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the values are there, and Pods can be injected with them."""
    _matters(facts)
    where = configmaps.where(facts.namespace)
    config = seen(facts.linkerd_config)
    if config is None:
        yield check.error(where, "", "not found", _missing(facts))
        return
    try:
        mesh = load(config, facts.namespace, default_trust_anchors(), _told(facts))
    except ConfigError as error:
        for problem in error.problems:
            yield check.error(where, "data", problem, _WRITE_ANEW)
        return
    refusal = Injector(mesh).refusal
    if refusal is not None:
        yield check.error(where, "data", refusal.message, _WRITE_ANEW)


@line(
    Section.EXISTENCE,
    "trust-roots",
    "'linkerd-identity-trust-roots' config map exists",
    hint="l5d-existence-linkerd-config",
)
def trust_roots(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the trust anchors are there, which every replica mounts."""
    _matters(facts)
    where = configmaps.where(facts.namespace, ROOTS)
    roots = seen(facts.trust_roots)
    if roots is None:
        yield check.error(where, "", "not found", _missing(facts))
    elif not isinstance(mapping(roots, "data").get(BUNDLE), str):
        yield check.error(where, f"data[{BUNDLE}]", "missing, and no replica starts without it", _WRITE_ANEW)


@line(
    Section.EXISTENCE,
    "release-line",
    "the release of Linkerd is known",
    hint="https://linkerd.io/releases/",
)
def release_line(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether it is known what Linkerd's own injector of this release would do."""
    _matters(facts)
    if seen(facts.linkerd_config) is None:
        raise Unseen(NotAsked(f"{configmaps.where(facts.namespace)} {ABSENT}"))
    mesh = _readable(facts)
    if mesh is None:
        raise Unseen(NotAsked(f"the values in {configmaps.where(facts.namespace)} cannot be used"))
    if mesh.unknown_version:
        where = configmaps.where(facts.namespace)
        yield check.warning(where, "data[values]", mesh.warnings[0], "see whether a newer linkerd-webhook knows it")


@line(
    Section.IDENTITY,
    "trust-anchors",
    "trust anchors are within their validity period",
    hint="l5d-identity-trustAnchors-are-time-valid",
)
def trust_anchors(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether proxies that start now can trust anybody."""
    content = _bundle(facts)
    where, field = configmaps.where(facts.namespace, ROOTS), f"data[{BUNDLE}]"
    anchors, why = salvage(content)
    if not anchors:
        message = f"holds no trust anchor (it {why or 'is empty'}), so no proxy that starts gets an identity"
        yield check.error(where, field, message, _WRITE_ANEW)
    elif why:
        yield check.warning(where, field, f"{why}: proxies pass over it, or do not start", _WRITE_ANEW)
    valid = [anchor for anchor in anchors if _begun(anchor, facts.at) and not _over(anchor, facts.at)]
    # While they are rotated, one that is over stands beside its successor.
    tell = check.warning if valid else check.error
    lost = "" if valid else ", so no proxy that starts gets an identity"
    for anchor in anchors:
        if _over(anchor, facts.at):
            message = f"the trust anchor expired on {_day(anchor.not_valid_after_utc)}{lost}"
            fix = _RENEW if not valid else "take it out once no workload's certificate depends on it"
            yield tell(where, field, message, fix, _subject(anchor))
        elif not _begun(anchor, facts.at):
            message = f"the trust anchor is not valid before {_day(anchor.not_valid_before_utc)}{lost}"
            yield tell(where, field, message, "check the clock of whoever made it, or replace it", _subject(anchor))


@line(
    Section.IDENTITY,
    "trust-anchors-60-days",
    "trust anchors are valid for at least 60 days",
    hint="l5d-identity-trustAnchors-not-expiring-soon",
)
def trust_anchors_60_days(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether a trust anchor that is valid now will soon be over: a rotation takes a restart of every workload."""
    content = _bundle(facts)
    for anchor in salvage(content)[0]:
        if not _over(anchor, facts.at) and anchor.not_valid_after_utc < facts.at + SOON:
            yield check.warning(
                configmaps.where(facts.namespace, ROOTS),
                f"data[{BUNDLE}]",
                f"the trust anchor expires on {_day(anchor.not_valid_after_utc)}",
                _ROTATE,
                _subject(anchor),
            )


def _matters(facts: ClusterFacts) -> None:
    """Raises `Unseen`, by which a line is skipped, where nothing of ours is installed: others' Linkerd is none of our
    business."""
    if facts.scope is Scope.INSTALLED and facts.installation is None:
        raise Unseen(NotAsked(NOT_INSTALLED))


def _told(facts: ClusterFacts) -> str | None:
    installation = facts.installation
    return installation.release_line or None if isinstance(installation, Installation) else None


def _readable(facts: ClusterFacts) -> Mesh | None:
    """The mesh by the values alone, whether or not anything can be injected with them; None where they cannot be
    read."""
    try:
        return load(known(facts.linkerd_config, None), facts.namespace, default_trust_anchors(), _told(facts))
    except ConfigError:
        return None


def _missing(facts: ClusterFacts) -> str:
    """What to do where a ConfigMap of the control plane is missing."""
    elsewhere = [namespace for namespace in known(facts.linkerd_namespaces, ()) if namespace != facts.namespace]
    if elsewhere:
        return f"Linkerd is in namespace {', '.join(elsewhere)}: pass --linkerd-namespace {elsewhere[0]}"
    return _INSTALL if facts.scope is Scope.PRE else f"have Linkerd write it anew: {fixes.LINKERD_UPGRADE}"


def _bundle(facts: ClusterFacts) -> bytes:
    _matters(facts)
    roots = seen(facts.trust_roots)
    if not isinstance(mapping(roots, "data").get(BUNDLE), str):
        raise Unseen(NotAsked(f"{configmaps.where(facts.namespace, ROOTS)} {ABSENT}, or has no {BUNDLE}"))
    return bundle(roots)


def _over(anchor: x509.Certificate, at: datetime) -> bool:
    return anchor.not_valid_after_utc <= at


def _begun(anchor: x509.Certificate, at: datetime) -> bool:
    return anchor.not_valid_before_utc <= at


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _subject(anchor: x509.Certificate) -> str:
    return anchor.subject.rfc4514_string()
