"""Decides the next step of a renewal or rotation, from the stored Secrets and the caBundles. Pure, without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from cryptography import x509

from certs import secrets
from certs.inspect import describe, signed_by
from certs.renewal import due
from certs.secrets import Stored


class CABundles(Protocol):
    """The caBundles that this server writes."""

    def present(self, ca: x509.Certificate) -> bool:
        """Whether all of them hold the CA."""

    def alone(self, ca: x509.Certificate) -> bool:
        """Whether all of them hold the CA and no other valid one."""

    def settled(self, ca: x509.Certificate) -> bool:
        """Whether all of them have held the CA for so long that every API server has read them."""

    def accept(self, leaf: x509.Certificate) -> bool:
        """Whether all of them trust the leaf."""


class Do(Enum):
    """The kinds of steps; each value continues a sentence that begins with "cannot"."""

    NEW_CA = "create a new CA"
    STORE_NEXT = "store a next CA"
    DROP_NEXT = "remove the next CA"
    PROMOTE = "make the next CA the current one"
    NEW_LEAF = "issue a new serving certificate"
    CLEAR_REQUEST = "remove the annotation of a handled rotation request"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Step:
    """A step, and the reason for it."""

    do: Do
    why: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What `decide` depends on. `now` is in UTC, `names` are the DNS names that the serving certificate must have."""

    now: datetime
    ca: Stored
    leaf: Stored
    names: Sequence[str]
    bundles: CABundles


def decide(seen: Observed) -> list[Step]:
    """The next steps, the most important first; [] if nothing needs to be done.

    The steps do not depend on each other: if one of them fails, the next one may be taken.
    """
    return [step for step in (_about_ca(seen), _about_leaf(seen)) if step is not None]


def _about_ca(seen: Observed) -> Step | None:
    ca = seen.ca
    if ca.held is None:
        return Step(Do.NEW_CA if ca.next is None else Do.PROMOTE, ca.why_not)
    if ca.next_why_not:
        return Step(Do.DROP_NEXT, ca.next_why_not)
    if ca.next is None:
        if ca.requested_part == "ca":
            return Step(Do.STORE_NEXT, f"requested by the annotation {secrets.ROTATE}={ca.request}")
        if due(ca.held.certificate) <= seen.now:
            return Step(Do.STORE_NEXT, f"the CA expires {time(ca.held.certificate.not_valid_after_utc)}")
        return None
    if seen.bundles.settled(ca.next.certificate):
        return Step(Do.PROMOTE, "every caBundle holds it")
    return Step(Do.WAIT, "the next CA becomes the current one once every caBundle has held it for some seconds")


def _about_leaf(seen: Observed) -> Step | None:
    if seen.ca.held is None:
        return None
    ca = seen.ca.held.certificate
    why = _why_new_leaf(seen, ca)
    if why:
        if _may_replace_leaf(seen, ca):
            return Step(Do.NEW_LEAF, why)
        text = f"a new serving certificate ({why}) is issued once every caBundle has held its CA for some seconds"
        return Step(Do.WAIT, text)
    if seen.ca.request and (seen.ca.requested_part != "leaf" or seen.leaf.handled_request == seen.ca.request):
        return Step(Do.CLEAR_REQUEST, seen.ca.request)
    return None


def _why_new_leaf(seen: Observed, ca: x509.Certificate) -> str:
    held = seen.leaf.held
    if held is None:
        return seen.leaf.why_not
    if not signed_by(held.certificate, ca):
        return "the current CA did not sign it"
    missing = set(seen.names) - set(describe(held.certificate).names)
    if missing:
        return f"it is not valid for {', '.join(sorted(missing))}"
    if due(held.certificate) <= seen.now:
        return f"it expires {time(held.certificate.not_valid_after_utc)}"
    if seen.ca.requested_part == "leaf" and seen.leaf.handled_request != seen.ca.request:
        return f"requested by the annotation {secrets.ROTATE}={seen.ca.request}"
    return ""


def _may_replace_leaf(seen: Observed, ca: x509.Certificate) -> bool:
    """Whether a leaf that this CA signs may be served in place of the current leaf."""
    held = seen.leaf.held
    if held is None:
        # Replicas may still serve a leaf that is no longer stored, and that the caBundles trust.
        return seen.bundles.alone(ca) or seen.bundles.settled(ca)
    if not seen.bundles.accept(held.certificate):
        # The current leaf is not trusted anyway, so there is no reason to wait.
        return seen.bundles.present(ca)
    # If the same CA signed both leaves, caBundles that trust one of them trust the other.
    return signed_by(held.certificate, ca) or seen.bundles.settled(ca)


def time(moment: datetime) -> str:
    """A time in UTC as text in ISO 8601 format."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
