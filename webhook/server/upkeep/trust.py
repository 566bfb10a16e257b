"""Whether who is sent here will trust what is served here: each caBundle that points at our Service, tried."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator

from certs.configurations import Entry, pointing
from certs.handshake import trusted
from webhook.server.tls import Certificate, offer
from webhook.server.upkeep.configurations import Configurations

# Outcomes of handshakes that are kept, and for how many seconds: certificates expire.
KEPT = 64
FRESH = 60.0


class Trust:
    """Asked by the readiness probe, so it answers from what is known."""

    def __init__(
        self,
        certificate: Certificate,
        configurations: Configurations,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._certificate = certificate
        self._configurations = configurations
        self._clock = clock
        self._tried: dict[tuple[int, bytes], tuple[float, str]] = {}

    def problem(self) -> str:
        """Why the certificate served here is not trusted by a caBundle that points here; "" where all do."""
        leaf = self._certificate.leaf
        if leaf is None:
            return "no certificate is served yet"
        if not self._configurations.synced:
            return self._configurations.problem or "the webhook configurations are not listed yet"
        for entry in self._entries():
            why = self._try(leaf.serial, entry)
            if why:
                return self._say(entry, why)
        return ""

    def refuses(self, chain: bytes, key: bytes) -> str:
        """Why a pair that is to be served next has to wait: a caBundle trusts what is served, and would not trust it.

        "" where it need not wait, as nothing is lost by it. Raises `CertificateError` for what is no pair.
        """
        leaf = self._certificate.leaf
        if leaf is None or self._certificate.expired:
            return ""
        context: ssl.SSLContext | None = None
        for entry in self._entries():
            if self._try(leaf.serial, entry):
                continue
            context = context or offer(chain, key)
            why = trusted(context, entry.bundle, self._configurations.service.dns_name)
            if why:
                return self._say(entry, why)
        return ""

    def _entries(self) -> Iterator[Entry]:
        for configuration in self._configurations.all():
            yield from pointing(configuration, self._configurations.service)

    def _say(self, entry: Entry, why: str) -> str:
        service = self._configurations.service
        return f"{entry.field} of {entry.webhook} does not trust what is served for {service.dns_name}: {why}"

    def _try(self, serial: int, entry: Entry) -> str:
        key, now = (serial, entry.bundle), self._clock()
        found = self._tried.get(key)
        if found is None or now - found[0] > FRESH:
            while len(self._tried) >= KEPT:
                del self._tried[next(iter(self._tried))]
            why = trusted(self._certificate.context, entry.bundle, self._configurations.service.dns_name)
            found = self._tried[key] = now, why
        return found[1]
