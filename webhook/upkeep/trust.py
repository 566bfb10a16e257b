"""Checks that every caBundle that points at our Service trusts the certificate that this replica serves."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Collection

from certs.handshake import trusted
from certs.tls import ServedCertificate, server_context
from webhook.diagnosis.certificates import ca_bundles
from webhook.diagnosis.finding import CheckFinding
from webhook.kube.webhookconfigurations import ConfigurationName, Entry, pointing
from webhook.upkeep.watched_configurations import Configurations

# How many results of handshakes are cached, and for how many seconds (certificates expire).
KEPT = 64
FRESH = 60.0


class Trust:
    """Checks the caBundles of the watched configurations. It does no I/O, as readiness probes depend on it."""

    def __init__(
        self,
        certificate: ServedCertificate,
        configurations: Configurations,
        counted: Callable[[], Collection[ConfigurationName]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`counted` returns the configurations that readiness depends on; if none of them points here, all that point
        here count. `clock` returns seconds."""
        self._certificate = certificate
        self._configurations = configurations
        self._counted = counted
        self._clock = clock
        self._was_trusted = False
        self._tried: dict[tuple[int, bytes], tuple[float, str]] = {}

    def problem(self) -> str:
        """Why this replica should get no requests; "" if the caBundles trust the certificate that it serves.

        At first, every caBundle that counts must trust it. Later one is enough: if one caBundle is overwritten, making
        every replica not ready would also stop the webhooks whose caBundles are right.
        """
        leaf = self._certificate.leaf
        if leaf is None:
            return "no certificate is served yet"
        if not self._configurations.synced:
            return self._configurations.problem or "the webhook configurations are not listed yet"
        entries = self._entries()
        problems = [self._finding(entry, why).text() for entry in entries if (why := self._try(leaf.serial, entry))]
        self._was_trusted = self._was_trusted or not problems
        if not problems or (self._was_trusted and len(problems) < len(entries)):
            return ""
        return problems[0]

    def others(self) -> list[str]:
        """A sentence for each caBundle that points here and does not trust the served certificate."""
        leaf = self._certificate.leaf
        if leaf is None:
            return []
        reasons = [(entry, self._try(leaf.serial, entry)) for entry in self._pointing()]
        return [self._finding(entry, why).text() for entry, why in reasons if why]

    def refuses(self, chain: bytes, key: bytes) -> str:
        """Why a new pair (PEM) must not be served yet: a caBundle trusts the served certificate, but not the new one.

        "" if it may be served. Raises `CertificateError` if the key does not belong to the chain.
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
                return self._finding(entry, why).text()
        return ""

    def _entries(self) -> list[Entry]:
        entries, counted = self._pointing(), set(self._counted())
        return [entry for entry in entries if entry.name in counted] or entries

    def _pointing(self) -> list[Entry]:
        service = self._configurations.service
        return [entry for body in self._configurations.all() for entry in pointing(body, service)]

    def _finding(self, entry: Entry, why: str) -> CheckFinding:
        if not entry.bundle:
            return ca_bundles.empty(entry.where, entry.path, (entry.junk,) if entry.junk else ())
        name = self._configurations.service.dns_name
        return ca_bundles.distrusts(entry.where, entry.path, "what this replica serves", name, why)

    def _try(self, serial: int, entry: Entry) -> str:
        key, now = (serial, entry.bundle), self._clock()
        tried = self._tried.get(key)
        if tried is None or now - tried[0] > FRESH:
            while len(self._tried) >= KEPT:
                del self._tried[next(iter(self._tried))]
            why = trusted(self._certificate.context, entry.bundle, self._configurations.service.dns_name)
            tried = self._tried[key] = now, why
        return tried[1]
