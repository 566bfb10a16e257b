"""Whether who is sent here will trust what is served here: each caBundle that points at our Service, tried."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Collection

from certs.handshake import trusted
from certs.tls import ServedCertificate, server_context
from webhook.kube.webhookconfigurations import Entry, Name, pointing
from webhook.upkeep.watched_configurations import Configurations

# Outcomes of handshakes that are kept, and for how many seconds: certificates expire.
KEPT = 64
FRESH = 60.0


class Trust:
    """Asked by the readiness probe, so it answers from what is known."""

    def __init__(
        self,
        certificate: ServedCertificate,
        configurations: Configurations,
        counted: Callable[[], Collection[Name]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`counted`: the configurations that readiness hangs on. Where none of these points here, all that do count."""
        self._certificate = certificate
        self._configurations = configurations
        self._counted = counted
        self._clock = clock
        self._was_trusted = False
        self._tried: dict[tuple[int, bytes], tuple[float, str]] = {}

    def problem(self) -> str:
        """Why nobody should be sent here; "" where who is sent here trusts what is served.

        At first every caBundle that counts has to. Later one is enough: a caBundle that somebody has spoilt is no
        replica's fault, and all of them unready would take down what the other caBundles are for.
        """
        leaf = self._certificate.leaf
        if leaf is None:
            return "no certificate is served yet"
        if not self._configurations.synced:
            return self._configurations.problem or "the webhook configurations are not listed yet"
        entries = self._entries()
        problems = [self._say(entry, why) for entry in entries if (why := self._try(leaf.serial, entry))]
        self._was_trusted = self._was_trusted or not problems
        if not problems or (self._was_trusted and len(problems) < len(entries)):
            return ""
        return problems[0]

    def others(self) -> list[str]:
        """Each caBundle that points here, whoever's it is, and does not trust what is served."""
        leaf = self._certificate.leaf
        if leaf is None:
            return []
        return [self._say(entry, why) for entry in self._pointing() if (why := self._try(leaf.serial, entry))]

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
            context = context or server_context(chain, key)
            why = trusted(context, entry.bundle, self._configurations.service.dns_name)
            if why:
                return self._say(entry, why)
        return ""

    def _entries(self) -> list[Entry]:
        entries, counted = self._pointing(), set(self._counted())
        return [entry for entry in entries if entry.name in counted] or entries

    def _pointing(self) -> list[Entry]:
        service = self._configurations.service
        return [entry for each in self._configurations.all() for entry in pointing(each, service)]

    def _say(self, entry: Entry, why: str) -> str:
        name, where = self._configurations.service.dns_name, f"{entry.field} of {entry.webhook}"
        if not entry.bundle:
            return f"{where} is empty, so nothing is trusted that is served for {name}"
        return f"{where} does not trust what is served for {name}: {why}"

    def _try(self, serial: int, entry: Entry) -> str:
        key, now = (serial, entry.bundle), self._clock()
        found = self._tried.get(key)
        if found is None or now - found[0] > FRESH:
            while len(self._tried) >= KEPT:
                del self._tried[next(iter(self._tried))]
            why = trusted(self._certificate.context, entry.bundle, self._configurations.service.dns_name)
            found = self._tried[key] = now, why
        return found[1]
