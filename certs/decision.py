"""What to do next about the two Secrets: pure, decided from what is stored and what the caBundles hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, Protocol

from cryptography import x509

from certs import secrets
from certs.inspect import describe, signed_by
from certs.issue import CLOCK_SKEW
from certs.secrets import Stored

# A certificate is renewed at this part of its life, give or take: not all clusters' at the same time, and the same
# certificate always at the same.
RENEW_AT: Final = 2 / 3
JITTER: Final = 0.05


class CABundles(Protocol):
    """What the caBundles hold that are ours to write."""

    def present(self, ca: x509.Certificate) -> bool:
        """Whether all of them hold a CA."""

    def alone(self, ca: x509.Certificate) -> bool:
        """Whether all of them hold a CA, and none beside it that is valid."""

    def settled(self, ca: x509.Certificate) -> bool:
        """Whether all of them have held a CA for long enough that every API server has heard of it."""

    def accept(self, leaf: x509.Certificate) -> bool:
        """Whether all of them trust a leaf."""


class Do(Enum):
    """What the next write is."""

    NEW_CA = "a new CA"
    STORE_NEXT = "a next CA"
    DROP_NEXT = "no next CA"
    PROMOTE = "the next CA signs"
    NEW_LEAF = "a new serving certificate"
    GRANTED = "a wish that was granted is taken off"
    WAIT = "something has to settle first"


@dataclass(frozen=True, slots=True)
class Step:
    """The next write, and why."""

    do: Do
    why: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What the next step is decided from. `names`: those that the serving certificate has to be valid for."""

    now: datetime
    ca: Stored
    leaf: Stored
    names: Sequence[str]
    bundles: CABundles


def decide(seen: Observed) -> list[Step]:
    """The next steps, the most important first; each may be taken where those before cannot be. None: all is well."""
    return [step for step in (_about_ca(seen), _about_leaf(seen)) if step is not None]


def _about_ca(seen: Observed) -> Step | None:
    ca = seen.ca
    if ca.held is None:
        return Step(Do.NEW_CA if ca.next is None else Do.PROMOTE, ca.why_not)
    if ca.next_why_not:
        return Step(Do.DROP_NEXT, ca.next_why_not)
    if ca.next is None:
        if ca.wish == "ca":
            return Step(Do.STORE_NEXT, f"asked for by {secrets.ROTATE}={ca.asked}")
        if due(ca.held.certificate) <= seen.now:
            return Step(Do.STORE_NEXT, f"the CA expires {time(ca.held.certificate.not_valid_after_utc)}")
        return None
    if seen.bundles.settled(ca.next.certificate):
        return Step(Do.PROMOTE, "every caBundle holds it")
    return Step(Do.WAIT, "the next CA signs once every caBundle has held it for some seconds")


def _about_leaf(seen: Observed) -> Step | None:
    if seen.ca.held is None:
        return None
    signing = seen.ca.held.certificate
    why = _why_new_leaf(seen, signing)
    if why:
        if _ready(seen, signing):
            return Step(Do.NEW_LEAF, why)
        return Step(Do.WAIT, f"a new serving certificate ({why}) once every caBundle has held its CA for some seconds")
    if seen.ca.asked and (seen.ca.wish != "leaf" or seen.leaf.granted == seen.ca.asked):
        return Step(Do.GRANTED, seen.ca.asked)
    return None


def _why_new_leaf(seen: Observed, signing: x509.Certificate) -> str:
    held = seen.leaf.held
    if held is None:
        return seen.leaf.why_not
    if not signed_by(held.certificate, signing):
        return "the CA is another"
    missing = set(seen.names) - set(describe(held.certificate).names)
    if missing:
        return f"it is not valid for {', '.join(sorted(missing))}"
    if due(held.certificate) <= seen.now:
        return f"it expires {time(held.certificate.not_valid_after_utc)}"
    if seen.ca.wish == "leaf" and seen.leaf.granted != seen.ca.asked:
        return f"asked for by {secrets.ROTATE}={seen.ca.asked}"
    return ""


def _ready(seen: Observed, signing: x509.Certificate) -> bool:
    """Whether a leaf of this CA may be served in place of the one that is there."""
    held = seen.leaf.held
    if held is None:
        # Replicas may still serve one that is stored no more, as long as it is trusted.
        return seen.bundles.alone(signing) or seen.bundles.settled(signing)
    if not seen.bundles.accept(held.certificate):
        # Nothing is lost that was not lost before.
        return seen.bundles.present(signing)
    # Of the same CA, it is trusted wherever the one before is.
    return signed_by(held.certificate, signing) or seen.bundles.settled(signing)


def due(certificate: x509.Certificate) -> datetime:
    """When a certificate is to be renewed: at two thirds of its life, with a jitter that its serial number decides."""
    begin = certificate.not_valid_before_utc + CLOCK_SKEW
    jitter = (certificate.serial_number % 1000 / 999 - 0.5) * 2 * JITTER
    return begin + (certificate.not_valid_after_utc - begin) * (RENEW_AT + jitter)


def time(moment: datetime) -> str:
    """A time for people, in UTC."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
