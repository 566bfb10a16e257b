"""Compares the facts about certificates at two times: one line for each change. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.diagnosis.certificates.checks import check
from webhook.diagnosis.certificates.facts import (
    CaBundle,
    CertificateFacts,
    CertificateSummary,
    KeptCertificate,
    Replica,
    serial,
)


def changes(before: CertificateFacts, now: CertificateFacts) -> list[str]:
    """Sentences about changed certificates, caBundles and replicas, and about new and solved findings."""
    return [
        *_kept(before, now),
        *_ca_bundles(before, now),
        *_replicas(before, now),
        *(f"cannot read: {right.text()}" for right in now.unseen if right not in before.unseen),
        *(f"granted again: {right.verb} {right.resource}" for right in before.unseen if right not in now.unseen),
        *_fit(before, now),
    ]


def _kept(before: CertificateFacts, now: CertificateFacts) -> Iterator[str]:
    if not before.certificates or not now.certificates:
        return
    old = {(kept.where, kept.role): kept for kept in before.certificates}
    new = {(kept.where, kept.role): kept for kept in now.certificates}
    for key in dict.fromkeys([*old, *new]):
        was, here = old.get(key), new.get(key)
        if _what(was) != _what(here):
            yield f"{key[0]}: {key[1]}: {_what(was)} -> {_what(here)}"


def _what(kept: KeptCertificate | None) -> str:
    if kept is None or not kept.exists:
        return "none"
    if kept.certificate is None:
        return kept.why_not
    about = f"serial {kept.certificate.serial} until {kept.certificate.not_after:%Y-%m-%dT%H:%M:%SZ}"
    return f"{about} ({kept.why_not})" if kept.why_not else about


def _ca_bundles(before: CertificateFacts, now: CertificateFacts) -> Iterator[str]:
    old = {(ca_bundle.where, ca_bundle.webhook): ca_bundle for ca_bundle in before.ca_bundles}
    new = {(ca_bundle.where, ca_bundle.webhook): ca_bundle for ca_bundle in now.ca_bundles}
    for key in dict.fromkeys([*old, *new]):
        was, here = old.get(key), new.get(key)
        about = f"{key[0]}: {key[1]}"
        if here is None:
            yield f"{about}: no longer points at the Service"
        elif was is None:
            yield f"{about}: points at the Service, caBundle: {_anchors(here.anchors)}"
        else:
            yield from (f"{about}: caBundle {change}" for change in _ca_bundle(was, here))


def _ca_bundle(was: CaBundle, here: CaBundle) -> Iterator[str]:
    if added := [anchor for anchor in here.anchors if anchor.fingerprint not in was.fingerprints]:
        yield f"+ {_anchors(added)}"
    if gone := [anchor for anchor in was.anchors if anchor.fingerprint not in here.fingerprints]:
        yield f"- {_anchors(gone)}"
    if was.junk != here.junk:
        yield f"junk: {'; '.join(here.junk) or 'none'}"


def _anchors(anchors: tuple[CertificateSummary, ...] | list[CertificateSummary]) -> str:
    return "; ".join(f"{anchor.subject} serial {anchor.serial}" for anchor in anchors) or "empty"


def _replicas(before: CertificateFacts, now: CertificateFacts) -> Iterator[str]:
    old = {replica.where: replica for replica in before.ready}
    new = {replica.where: replica for replica in now.ready}
    for where in dict.fromkeys([*old, *new]):
        was, here = old.get(where), new.get(where)
        if here is None:
            yield f"{where}: no longer ready"
        elif was is None:
            yield f"{where}: ready, {_serves(here)}"
        elif _serves(was) != _serves(here):
            yield f"{where}: {_serves(here)}"


def _serves(replica: Replica) -> str:
    if replica.leaf is None:
        return f"cannot be reached from here ({replica.unreachable})"
    return f"serves serial {serial(replica.leaf.serial)} until {replica.leaf.not_after:%Y-%m-%dT%H:%M:%SZ}"


def _fit(before: CertificateFacts, now: CertificateFacts) -> Iterator[str]:
    old, new = [finding.text() for finding in check(before)], check(now)
    yield from (f"problem: {finding.text()}; fix: {finding.fix}" for finding in new if finding.text() not in old)
    still = {finding.text() for finding in new}
    yield from (f"solved: {text}" for text in old if text not in still)
    if old and not new:
        yield "all problems are solved"
