"""Tracks which CAs the caBundles hold, and since when. Which CA may sign and which leaf may be served depends on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509

from certs.bundle import salvage
from certs.inspect import signed_by
from webhook.kube.webhookconfigurations import ConfigurationName, Entry

# Seconds until every API server has read a change of a webhook configuration, and every replica that of a Secret.
SETTLE: Final = 10.0

_Key = tuple[ConfigurationName, str, int]


class BundleAge:
    """The CAs in the caBundles and their age; implements `CABundles`. `note` updates it.

    A caBundle that cannot be written is ignored unless it trusts the served leaf: waiting for it would never end, and
    its webhook is broken already.
    """

    def __init__(
        self,
        settle: float = SETTLE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`settle` is the age in seconds at which a CA counts as settled. `clock` returns the time in UTC, `monotonic`
        seconds."""
        self._settle = settle
        self._clock = clock
        self._monotonic = monotonic
        self._held: dict[_Key, tuple[x509.Certificate, ...]] = {}
        self._since: dict[_Key, dict[x509.Certificate, float]] = {}
        self._blocked: Collection[ConfigurationName] = ()
        self._leaf: x509.Certificate | None = None

    def note(self, before: Sequence[Entry], after: Sequence[Entry], blocked: Collection[ConfigurationName]) -> None:
        """Note the caBundles as they were read (`before`) and as they are after a write (`after`).

        `blocked` are the configurations that could not be written.
        """
        now = self._monotonic()
        read = {_key(entry): set(salvage(entry.bundle)[0]) for entry in before}
        self._held = {_key(entry): salvage(entry.bundle)[0] for entry in after}
        since: dict[_Key, dict[x509.Certificate, float]] = {}
        for key, held in self._held.items():
            known = self._since.get(key, {})
            since[key] = {ca: known.get(ca, now) if ca in read.get(key, ()) else now for ca in held}
        self._since = since
        self._blocked = blocked

    def serve(self, leaf: x509.Certificate | None) -> None:
        """Note the leaf that is served, None if there is no usable one."""
        self._leaf = leaf

    def present(self, ca: x509.Certificate) -> bool:
        """Whether every caBundle that counts holds the CA."""
        return all(ca in self._held[key] for key in self._counting())

    def alone(self, ca: x509.Certificate) -> bool:
        """Whether every caBundle that counts holds the CA and no other valid one."""
        now = self._clock()
        return self.present(ca) and not any(
            other.not_valid_before_utc <= now < other.not_valid_after_utc
            for key in self._counting()
            for other in self._held[key]
            if other != ca
        )

    def settled(self, ca: x509.Certificate) -> bool:
        """Whether every caBundle that counts has held the CA for `settle` seconds."""
        now = self._monotonic()
        times = [self._since[key].get(ca) for key in self._counting()]
        return all(time is not None and now - time >= self._settle for time in times)

    def accept(self, leaf: x509.Certificate) -> bool:
        """Whether every caBundle that counts trusts the leaf."""
        return all(self._trusts(key, leaf) for key in self._counting())

    def _counting(self) -> list[_Key]:
        return [
            key
            for key in self._held
            if key[0] not in self._blocked or (self._leaf is not None and self._trusts(key, self._leaf))
        ]

    def _trusts(self, key: _Key, leaf: x509.Certificate) -> bool:
        now = self._clock()
        return any(
            ca.not_valid_before_utc <= now < ca.not_valid_after_utc and (ca == leaf or signed_by(leaf, ca))
            for ca in self._held[key]
        )


def _key(entry: Entry) -> _Key:
    return entry.name, entry.webhook, entry.index
