"""A rotation, asked for and followed from outside: the running server's leader does it, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from certs.secrets import ROTATE
from webhook.diagnosis.certificates.facts import Bundle, Replica, State, Summary, serial
from webhook.diagnosis.certificates.gather import CannotReach, ask, grant
from webhook.kube.errors import ApiError, Forbidden, NotFound
from webhook.kube.interface import Api
from webhook.kube.webhookconfigurations import FIELD_MANAGER, Service

Kind = Literal["ca", "leaf"]


class Refused(Exception):
    """A rotation that cannot be asked for: the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is done, a sentence each, in order; and what is waited for and why, "" where all is done."""

    done: tuple[str, ...]
    waits_for: str = ""
    why: str = ""


async def request(api: Api, before: State, kind: Kind) -> str:
    """Ask the leader for a rotation; a sentence of what was done comes out. Raises `Refused` and `CannotReach`."""
    service = before.service
    where = f"Secret {service.namespace}/{service.name}-ca"
    if before.one("CA") is None:
        raise CannotReach("; ".join(before.unseen))
    if before.certificate("CA") is None:
        raise Refused(_instead(before, where))
    if kind == "ca" and before.certificate("next CA") is not None:
        return f"a rotation of the CA is under way already: {where} holds the next CA"
    value = f"{kind}@{before.at:%Y-%m-%dT%H:%M:%SZ}"
    body = {"metadata": {"annotations": {ROTATE: value}}}
    path = f"/api/v1/namespaces/{service.namespace}/secrets/{service.name}-ca"
    try:
        await ask(api, "PATCH", path, body, {"fieldManager": f"{FIELD_MANAGER}-certs"})
    except ApiError as error:
        if isinstance(error, NotFound):
            raise Refused(
                f"{where} was deleted: the leader makes a new CA by itself, and all follows from that"
            ) from None
        if isinstance(error, Forbidden):
            what = grant(error, "patch", f"secrets/{service.name}-ca", service.namespace)
            raise CannotReach(f"may not ask for a rotation: {what}") from None
        raise CannotReach(f"{where} cannot be annotated: HTTP {error.status}: {error.message}") from None
    return f"asked for a new {'CA' if kind == 'ca' else 'leaf'}: {where} has annotation {ROTATE}={value}"


def _instead(state: State, where: str) -> str:
    by = next((each for each in state.bundles if each.cert_manager), None)
    kept = state.one("CA")
    if kept is not None and kept.why_not != "there is none":
        return f"{where}: {kept.field}: {kept.why_not}: the leader makes a new CA by itself, and all follows from that"
    what = f"{where} is not there, so the certificates are not self-managed"
    if by is not None:
        namespace, _, name = by.certificate_of.rpartition("/")
        return (
            f"{what}: cert-manager keeps them ({by.where} has annotation {by.cert_manager}); renew there: "
            f"cmctl renew -n {namespace or state.service.namespace} {name or 'CERTIFICATE'}"
        )
    return (
        f"{what}: issue new ones with linkerd-webhook certs issue --out DIR --ca-cert ca.crt --ca-key ca.key, and put "
        "them into the Secret that the replicas mount"
    )


def progress(before: State, now: State, kind: Kind) -> Progress:
    """How far a rotation is. Pure. Steps that went by between two looks count as done."""
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


# A step: the sentence that tells it, and why it is not done, "" where it is.
_Step = tuple[str, str]


def _reached(steps: list[_Step]) -> int:
    """How many of a CA's steps are done. What can only be so afterwards proves what came before."""
    stored, side_by_side, signs, leaf, replicas, gone = (not why for _, why in steps)
    if signs and leaf:
        return 4 if not replicas else 6 if gone else 5
    if signs:
        return 3
    return 0 if not stored else 2 if side_by_side else 1


def _new_ca(before: State, now: State) -> Summary | None:
    old = before.certificate("CA")
    for found in (now.certificate("next CA"), now.certificate("CA")):
        if found is not None and (old is None or found.fingerprint != old.fingerprint):
            return found
    return None


def _stored(now: State, new: Summary | None) -> _Step:
    if new is not None:
        return f"the next CA is stored: {_named(new)}", ""
    return "the next CA is stored", _by_the_leader(now)


def _side_by_side(now: State, new: Summary | None) -> _Step:
    lacking = [each for each in _writable(now) if new is None or new.fingerprint not in each.fingerprints]
    return "old and new CA are side by side in every caBundle", _named_bundles(lacking, "lacks the next CA")


def _signs(now: State, new: Summary | None) -> _Step:
    signing = now.certificate("CA")
    ok = new is not None and signing is not None and signing.fingerprint == new.fingerprint
    return "the new CA signs", "" if ok else "every API server has to hear of the new caBundles first"


def _new_leaf(before: State, now: State, new: Summary | None = None) -> _Step:
    old, leaf = before.certificate("leaf"), now.certificate("leaf")
    fresh = leaf is not None and (old is None or leaf.fingerprint != old.fingerprint)
    if fresh and leaf is not None and (new is None or now.leaf_of_ca):
        return f"a new leaf is stored: {_named(leaf)}, until {leaf.not_after:%Y-%m-%dT%H:%M:%SZ}", ""
    return "a new leaf is stored", _by_the_leader(now)


def _replicas(now: State) -> _Step:
    leaf = now.certificate("leaf")
    seen = [each for each in now.replicas if each.leaf is not None]
    behind = [each for each in seen if leaf is None or each.leaf is None or serial(each.leaf.serial) != leaf.serial]
    sentence = f"every replica serves it ({len(seen)})"
    if not now.replicas:
        return sentence, "no replica is ready"
    if behind:
        return sentence, "; ".join(f"{each.where} still serves {_served(each)}" for each in behind)
    if not seen:
        return f"whether the {len(now.replicas)} replicas serve it cannot be seen from here", ""
    hidden = len(now.replicas) - len(seen)
    return f"{sentence}, {hidden} more cannot be reached from here" if hidden else sentence, ""


def _old_gone(before: State, now: State, new: Summary | None) -> _Step:
    old = before.certificate("CA")
    left = [
        each
        for each in _writable(now)
        if (old is not None and old.fingerprint in each.fingerprints)
        or (new is not None and new.fingerprint not in each.fingerprints)
    ]
    return "the old CA is out of every caBundle", _named_bundles(left, "still holds the old CA")


def _writable(state: State) -> list[Bundle]:
    return [each for each in state.bundles if not each.cert_manager]


def _named_bundles(bundles: list[Bundle], what: str) -> str:
    return "; ".join(f"{each.where}: {each.field} of {each.webhook} {what}" for each in bundles)


def _by_the_leader(state: State) -> str:
    return "the leader has not taken it up" if state.asked else "the leader is at it"


def _served(replica: Replica) -> str:
    return f"serial {serial(replica.leaf.serial)}" if replica.leaf else "nothing that can be seen"


def _named(certificate: Summary) -> str:
    return f"{certificate.subject}, serial {certificate.serial}"


# Seconds between two looks.
INTERVAL: Final = 1.0


async def follow(
    before: State, kind: Kind, look: Callable[[], Awaitable[State]], within: float, interval: float = INTERVAL
) -> AsyncIterator[Progress]:
    """The progress whenever it is another, until all is done or the time (seconds) is over.

    A look that fails is made again: the API server may be away for a moment.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    seen = Progress((), "an answer of the API server")
    told: Progress | None = None
    most = 0
    while True:
        try:
            state = await look()
            found = (
                Progress((), seen.waits_for, "; ".join(state.unseen)) if state.unseen else progress(before, state, kind)
            )
            # A step that is done stays done: what comes later may hide it.
            seen = found if len(found.done) >= most else Progress(seen.done, found.waits_for, found.why)
        except CannotReach as error:
            seen = Progress(seen.done, seen.waits_for, str(error))
        most = max(most, len(seen.done))
        if seen != told:
            told = seen
            yield seen
        if not seen.waits_for or loop.time() >= end:
            return
        await asyncio.sleep(min(interval, max(0.0, end - loop.time())))


async def leader(api: Api, service: Service, now: datetime) -> str:
    """Who leads, in words, as far as that can be seen."""
    where = f"Lease {service.namespace}/{service.name}"
    path = f"/apis/coordination.k8s.io/v1/namespaces/{service.namespace}/leases/{service.name}"
    try:
        spec = (await ask(api, "GET", path)).get("spec")
    except ApiError as error:
        return (
            f"{where} is not there: no server runs with --service={service.name}" if isinstance(error, NotFound) else ""
        )
    except CannotReach:
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
