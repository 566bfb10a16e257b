"""Requests a rotation of certificates, which the leader carries out, and follows its progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from certs.secrets import ROTATE
from webhook.diagnosis import fixes
from webhook.diagnosis.certificates.facts import CaBundle, CertificateFacts, CertificateSummary, serial
from webhook.diagnosis.certificates.gather import GatherError, ask
from webhook.diagnosis.unseen import MissingRight
from webhook.kube.errors import ApiError, Forbidden, NotFound
from webhook.kube.interface import Api
from webhook.kube.webhookconfigurations import FIELD_MANAGER, ServiceReference

Rotated = Literal["ca", "leaf"]


class RotationRefused(Exception):
    """A rotation that cannot be requested: the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a rotation: `done` has a sentence for each completed step, in order. `waits_for` is the next step
    and `why` the reason that it is not completed, both "" once all steps are."""

    done: tuple[str, ...]
    waits_for: str = ""
    why: str = ""


async def request(api: Api, before: CertificateFacts, kind: Rotated) -> str:
    """Ask the leader for a rotation of `kind`, after the facts of `before`; returns a sentence about what was done.

    Raises `RotationRefused` and `GatherError`.
    """
    service = before.service
    where = f"Secret {service.namespace}/{service.name}-ca"
    if before.kept_as("CA") is None:
        raise GatherError("; ".join(right.text() for right in before.unseen))
    if before.certificate("CA") is None:
        raise RotationRefused(_instead(before, where))
    if kind == "ca" and before.certificate("next CA") is not None:
        return f"a rotation of the CA is under way already: {where} holds the next CA"
    value = f"{kind}@{before.at:%Y-%m-%dT%H:%M:%SZ}"
    body = {"metadata": {"annotations": {ROTATE: value}}}
    path = f"/api/v1/namespaces/{service.namespace}/secrets/{service.name}-ca"
    try:
        await ask(api, "PATCH", path, body, {"fieldManager": f"{FIELD_MANAGER}-certs"})
    except ApiError as error:
        if isinstance(error, NotFound):
            raise RotationRefused(
                f"{where} was deleted: the leader creates a new CA and new certificates by itself"
            ) from None
        if isinstance(error, Forbidden):
            right = MissingRight.of(
                error, "patch", f"secrets/{service.name}-ca", service.namespace, lost="request a rotation"
            )
            raise GatherError(right.text()) from None
        raise GatherError(f"{where} cannot be annotated: HTTP {error.status}: {error.message}") from None
    return f"requested a new {'CA' if kind == 'ca' else 'leaf'}: {where} has annotation {ROTATE}={value}"


def _instead(facts: CertificateFacts, where: str) -> str:
    by = next((ca_bundle for ca_bundle in facts.ca_bundles if ca_bundle.cert_manager), None)
    kept = facts.kept_as("CA")
    if kept is not None and kept.exists:
        return f"{where}: {kept.field}: {kept.why_not}: the leader creates a new CA and new certificates by itself"
    what = f"{where} does not exist, so the certificates are not self-managed"
    if by is not None:
        return (
            f"{what}: cert-manager keeps them ({by.where} has annotation {by.cert_manager}); renew there: "
            f"{fixes.renew(by.certificate_of, facts.service.namespace)}"
        )
    return (
        f"{what}: issue new ones with {fixes.ISSUE} --ca-cert ca.crt --ca-key ca.key, and put "
        "them into the Secret that the replicas mount"
    )


def progress(before: CertificateFacts, now: CertificateFacts, kind: Rotated) -> Progress:
    """How far a rotation of `kind` is, by the facts from before it and those of now. Pure.

    Steps that were done and undone between the two count as done.
    """
    if kind == "leaf":
        steps = [_new_leaf(before, now), _replicas(now)]
        reached = 0 if steps[0][1] else 1 if steps[1][1] else 2
    else:
        new = _new_ca(before, now)
        steps = [_stored(now, new), _side_by_side(now, new), _signs(now, new), _new_leaf(before, now, new)]
        steps += [_replicas(now), _old_gone(before, now, new)]
        reached = _reached(steps)
    done = tuple(sentence for sentence, _ in steps[:reached])
    if reached == len(steps):
        return Progress(done)
    return Progress(done, *steps[reached])


# A step: the sentence about it, and why it is not done, "" where it is.
_Step = tuple[str, str]


def _reached(steps: list[_Step]) -> int:
    """How many of the steps of a CA's rotation are done. A later step that is done proves those before it."""
    stored, side_by_side, signs, leaf, replicas, gone = (not why for _, why in steps)
    if signs and leaf:
        return 4 if not replicas else 6 if gone else 5
    if signs:
        return 3
    return 0 if not stored else 2 if side_by_side else 1


def _new_ca(before: CertificateFacts, now: CertificateFacts) -> CertificateSummary | None:
    old = before.certificate("CA")
    for ca in (now.certificate("next CA"), now.certificate("CA")):
        if ca is not None and (old is None or ca.fingerprint != old.fingerprint):
            return ca
    return None


def _stored(now: CertificateFacts, new: CertificateSummary | None) -> _Step:
    if new is not None:
        return f"the next CA is stored: {_named(new)}", ""
    return "the next CA is stored", _by_the_leader(now)


def _side_by_side(now: CertificateFacts, new: CertificateSummary | None) -> _Step:
    lacking = [bundle for bundle in _writable(now) if new is None or new.fingerprint not in bundle.fingerprints]
    return "old and new CA are side by side in every caBundle", _named_bundles(lacking, "lacks the next CA")


def _signs(now: CertificateFacts, new: CertificateSummary | None) -> _Step:
    signing = now.certificate("CA")
    ok = new is not None and signing is not None and signing.fingerprint == new.fingerprint
    return "the new CA signs", "" if ok else "every API server has to see the new caBundles first"


def _new_leaf(before: CertificateFacts, now: CertificateFacts, new: CertificateSummary | None = None) -> _Step:
    old, leaf = before.certificate("leaf"), now.certificate("leaf")
    fresh = leaf is not None and (old is None or leaf.fingerprint != old.fingerprint)
    if fresh and leaf is not None and (new is None or now.leaf_of_ca):
        return f"a new leaf is stored: {_named(leaf)}, until {leaf.not_after:%Y-%m-%dT%H:%M:%SZ}", ""
    return "a new leaf is stored", _by_the_leader(now)


def _replicas(now: CertificateFacts) -> _Step:
    leaf = now.certificate("leaf")
    serials = {replica.where: serial(replica.leaf.serial) for replica in now.ready if replica.leaf is not None}
    behind = [where for where, number in serials.items() if leaf is None or number != leaf.serial]
    sentence = f"every replica serves it ({len(serials)})"
    if not now.ready:
        return sentence, "no replica is ready"
    if behind:
        return sentence, "; ".join(f"{where} still serves serial {serials[where]}" for where in behind)
    if not serials:
        return f"whether the {len(now.ready)} replicas serve it cannot be seen from here", ""
    hidden = len(now.ready) - len(serials)
    return f"{sentence}, {hidden} more cannot be reached from here" if hidden else sentence, ""


def _old_gone(before: CertificateFacts, now: CertificateFacts, new: CertificateSummary | None) -> _Step:
    old = before.certificate("CA")
    left = [
        bundle
        for bundle in _writable(now)
        if (old is not None and old.fingerprint in bundle.fingerprints)
        or (new is not None and new.fingerprint not in bundle.fingerprints)
    ]
    return "the old CA is out of every caBundle", _named_bundles(left, "still holds the old CA")


def _writable(facts: CertificateFacts) -> list[CaBundle]:
    return [bundle for bundle in facts.ca_bundles if not bundle.cert_manager]


def _named_bundles(bundles: list[CaBundle], what: str) -> str:
    return "; ".join(f"{bundle.where}: {bundle.field} of {bundle.webhook} {what}" for bundle in bundles)


def _by_the_leader(facts: CertificateFacts) -> str:
    return "the leader has not started it" if facts.asked else "the leader is working on it"


def _named(certificate: CertificateSummary) -> str:
    return f"{certificate.subject}, serial {certificate.serial}"


# Seconds between two times that the facts are gathered.
INTERVAL: Final = 1.0


async def follow(
    before: CertificateFacts,
    kind: Rotated,
    gather: Callable[[], Awaitable[CertificateFacts]],
    within: float,
    interval: float = INTERVAL,
) -> AsyncIterator[Progress]:
    """The progress whenever it changes, until all is done or `within` seconds are over; `interval` is in seconds too.

    Where gathering fails, it is tried again: the API server may be away for a moment.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    seen = Progress((), "an answer of the API server")
    yielded: Progress | None = None
    most = 0
    while True:
        try:
            latest = _seen(before, await gather(), kind, seen)
            # A step that is done stays done: what comes later may hide it.
            seen = latest if len(latest.done) >= most else Progress(seen.done, latest.waits_for, latest.why)
        except GatherError as error:
            seen = Progress(seen.done, seen.waits_for, str(error))
        most = max(most, len(seen.done))
        if seen != yielded:
            yielded = seen
            yield seen
        if not seen.waits_for or loop.time() >= end:
            return
        await asyncio.sleep(min(interval, max(0.0, end - loop.time())))


def _seen(before: CertificateFacts, now: CertificateFacts, kind: Rotated, last: Progress) -> Progress:
    if now.unseen:
        return Progress((), last.waits_for, "; ".join(right.text() for right in now.unseen))
    return progress(before, now, kind)


async def leader(api: Api, service: ServiceReference, now: datetime) -> str:
    """A sentence about which replica leads, "" if the Lease cannot be read; `now` is in UTC."""
    where = f"Lease {service.namespace}/{service.name}"
    path = f"/apis/coordination.k8s.io/v1/namespaces/{service.namespace}/leases/{service.name}"
    try:
        spec = (await ask(api, "GET", path)).get("spec")
    except ApiError as error:
        return (
            f"{where} does not exist: no server runs with --service={service.name}"
            if isinstance(error, NotFound)
            else ""
        )
    except GatherError:
        return ""
    spec = spec if isinstance(spec, dict) else {}
    holder = spec.get("holderIdentity")
    if not holder:
        return f"{where} has no holder: no replica leads"
    return f"{where} is held by {holder}{_age(spec.get('renewTime'), now)}"


def _age(text: object, now: datetime) -> str:
    try:
        since = (now - datetime.fromisoformat(str(text))).total_seconds()
    except (ValueError, TypeError):
        return ""
    return f", renewed {max(0, since):.0f} s ago"
