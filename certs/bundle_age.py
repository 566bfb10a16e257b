"""What the caBundles hold, and since when: what may be signed and served is decided from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509

from certs.bundle import salvage
from certs.inspect import signed_by
from webhook.kube.webhookconfigurations import Entry, Name

# Seconds after which every API server has heard of a webhook configuration, and every replica of a Secret.
SETTLE: Final = 10.0

_Key = tuple[Name, str, int]


class Standing:
    """Level: `note` tells it what there is, as often as there is something else.

    A caBundle that cannot be written and does not trust what is served has nothing to lose: it holds nothing up.
    """

    def __init__(
        self,
        settle: float = SETTLE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`settle`: seconds."""
        self._settle = settle
        self._clock = clock
        self._monotonic = monotonic
        self._held: dict[_Key, tuple[x509.Certificate, ...]] = {}
        self._since: dict[_Key, dict[x509.Certificate, float]] = {}
        self._blocked: Collection[Name] = ()
        self._leaf: x509.Certificate | None = None

    def note(self, before: Sequence[Entry], after: Sequence[Entry], blocked: Collection[Name]) -> None:
        """The caBundles as they were found and as they were written; those in `blocked` could not be written."""
        now = self._monotonic()
        found = {_key(entry): set(salvage(entry.bundle)[0]) for entry in before}
        self._held = {_key(entry): salvage(entry.bundle)[0] for entry in after}
        since: dict[_Key, dict[x509.Certificate, float]] = {}
        for key, held in self._held.items():
            known = self._since.get(key, {})
            since[key] = {ca: known.get(ca, now) if ca in found.get(key, ()) else now for ca in held}
        self._since = since
        self._blocked = blocked

    def serve(self, leaf: x509.Certificate | None) -> None:
        """What is served now, None for nothing that is any good."""
        self._leaf = leaf

    def present(self, ca: x509.Certificate) -> bool:
        """Whether every caBundle that counts holds a CA."""
        return all(ca in self._held[key] for key in self._counting())

    def alone(self, ca: x509.Certificate) -> bool:
        """Whether every caBundle that counts holds a CA, and none beside it that is valid."""
        now = self._clock()
        return self.present(ca) and not any(
            other.not_valid_before_utc <= now < other.not_valid_after_utc
            for key in self._counting()
            for other in self._held[key]
            if other != ca
        )

    def settled(self, ca: x509.Certificate) -> bool:
        """Whether every caBundle that counts has held a CA for long enough."""
        now = self._monotonic()
        since = [self._since[key].get(ca) for key in self._counting()]
        return all(each is not None and now - each >= self._settle for each in since)

    def accept(self, leaf: x509.Certificate) -> bool:
        """Whether every caBundle that counts trusts a leaf."""
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
