"""Writes the caBundles of this server's webhook configurations, and restores those that another client overwrites."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final

import structlog
from cryptography import x509

from certs.bundle import merge, read, salvage, write
from webhook.kube.errors import ApiError, ApiServerUnreachable, Conflict, NotFound, explain
from webhook.kube.interface import JSON, Api
from webhook.kube.webhookconfigurations import (
    FIELD_MANAGER,
    ConfigurationName,
    Entry,
    ServiceReference,
    managers,
    path,
    pointing,
    with_bundle,
)

# Seconds until a caBundle that was overwritten again is restored again: the first and the longest pause, doubled each
# time. After `CALM` seconds without an overwrite the pause starts anew.
BACK_OFF: Final = (1.0, 300.0)
CALM: Final = 600.0
# Seconds until the next attempt after a conflict.
CONFLICT: Final = 0.5
# The most CAs that are kept in a caBundle beside the required ones, as the size of an object is limited.
MOST_KEPT: Final = 32


log = structlog.get_logger(__name__)


class BundleWriter:
    """Writes the caBundles of the owned configurations' webhooks that point at the Service.

    It does not write those that cert-manager writes. `restored` counts by configuration how often its caBundle was
    restored. `begin` resets the others: `problems` are messages, `blocked` the configurations that could not be
    written, `retry_in` the seconds until another attempt makes sense (None if no attempt is needed).
    """

    def __init__(
        self,
        api: Api,
        service: ServiceReference,
        owned: Callable[[], Collection[ConfigurationName]],
        monotonic: Callable[[], float] = time.monotonic,
        beside: Callable[[JSON], Collection[x509.Certificate]] = lambda _: (),
    ) -> None:
        """`owned` returns the configurations to write, `beside` the CAs that a configuration's caBundles must hold
        beside the required ones. `monotonic` returns seconds."""
        self.restored: Counter[str] = Counter()
        self.problems: list[str] = []
        self.blocked: set[ConfigurationName] = set()
        self.retry_in: float | None = None
        self._api = api
        self._service = service
        self._owned = owned
        self._monotonic = monotonic
        self._beside = beside
        self._conflicts: set[ConfigurationName] = set()
        self._written: dict[ConfigurationName, bytes] = {}
        # The configurations after this server's writes, by the resourceVersion before: a watch may deliver them later.
        self._newer: dict[ConfigurationName, dict[str, JSON]] = {}
        self._streak: dict[ConfigurationName, int] = {}
        self._last: dict[ConfigurationName, float] = {}

    def begin(self) -> None:
        """Begin a round: reset `problems`, `blocked` and `retry_in`."""
        self.problems, self.blocked, self.retry_in = [], set(), None
        self._conflicts = set()

    def current(self, configurations: Sequence[JSON]) -> list[JSON]:
        """The configurations, with the writes of this server that a watch has not delivered yet."""
        return [self._current(configuration) for configuration in configurations]

    def _current(self, configuration: JSON) -> JSON:
        name = _name(configuration)
        newer = self._newer.get(name, {})
        if _version(configuration) not in newer:
            self._newer.pop(name, None)
        while _version(configuration) in newer:
            configuration = newer[_version(configuration)]
        return configuration

    def entries(self, configurations: Sequence[JSON]) -> list[Entry]:
        """The webhooks of owned configurations whose caBundle this server writes."""
        return [entry for entry in self._owned_entries(configurations) if not entry.cert_manager]

    def not_ours(self, configurations: Sequence[JSON]) -> list[Entry]:
        """The webhooks of owned configurations whose caBundle cert-manager writes."""
        return [entry for entry in self._owned_entries(configurations) if entry.cert_manager]

    def _owned_entries(self, configurations: Sequence[JSON]) -> list[Entry]:
        owned = set(self._owned())
        entries = (entry for configuration in configurations for entry in pointing(configuration, self._service))
        return [entry for entry in entries if entry.name in owned]

    async def write(self, configurations: Sequence[JSON], wanted: bytes, *, exactly: bool = False) -> list[JSON]:
        """Write the caBundles that lack a CA of `wanted` (PEM), or one that they must hold beside those, and return the
        configurations as they are then.

        A caBundle keeps the other CAs that it holds, unless `exactly` is set. Raises `ApiError` if the API server
        cannot be reached, and `TimeoutError`.
        """
        written = []
        for configuration in configurations:
            entries = self.entries([configuration])
            bundles = [self._bundle(configuration, entry, wanted, exactly) for entry in entries]
            stale = any(bundle != entry.bundle for entry, bundle in zip(entries, bundles, strict=True))
            if entries and not stale and not self._overwritten(configuration, entries):
                self._written[entries[0].name] = entries[0].bundle
            if stale and wanted and self._may_write(configuration, entries):
                written.append(await self._put(configuration, entries, merge(*bundles)))
            else:
                written.append(configuration)
        return written

    def _bundle(self, configuration: JSON, entry: Entry, wanted: bytes, exactly: bool) -> bytes:
        """The PEM that a caBundle must hold; its present PEM if that holds the same CAs in another order.

        Expired CAs are kept like others until `exactly` is set, as the clock of this machine may be wrong.
        """
        needed = tuple(dict.fromkeys((*read(wanted), *self._beside(configuration))))
        held, junk = salvage(entry.bundle)
        kept: list[x509.Certificate] = []
        if not exactly:
            before = self._written.get(entry.name, b"") if self._overwritten(configuration, [entry]) else b""
            kept = [ca for ca in dict.fromkeys((*held, *read(before))) if ca not in needed][-MOST_KEPT:]
        if set(held) == {*needed, *kept} and not entry.junk and not junk:
            return entry.bundle
        return write([*needed, *kept])

    def _overwritten(self, configuration: JSON, entries: Sequence[Entry]) -> bool:
        """Whether a client other than this server's replicas has written the caBundle since this replica did."""
        before = self._written.get(entries[0].name)
        if before is None:
            return False
        changed = (entry for entry in entries if entry.bundle != before or entry.junk)
        return any(managers(configuration, entry.webhook) != [FIELD_MANAGER] for entry in changed)

    def _may_write(self, configuration: JSON, entries: Sequence[Entry]) -> bool:
        """Whether a configuration may be written now. One that is overwritten repeatedly has to wait."""
        name = entries[0].name
        if name in self.blocked or name in self._conflicts:
            return False
        if not self._overwritten(configuration, entries):
            return True
        now = self._monotonic()
        last = self._last.get(name)
        if last is not None and now - last > CALM:
            self._streak.pop(name, None)
        streak = self._streak.get(name, 0)
        least, most = BACK_OFF
        pause = min(most, least * 2 ** min(streak - 1, 20)) if streak else 0.0
        wait = 0.0 if last is None else max(0.0, last + pause - now)
        owners = {manager for entry in entries for manager in managers(configuration, entry.webhook)}
        others = ", ".join(sorted(owners - {FIELD_MANAGER})) or "another client"
        self._add_problem(
            f"{entries[0].field} was overwritten by {others} (restored {self.restored[name[1]]} times, "
            f"{f'next in {wait:.0f} s' if wait else 'and now again'}): configure {others} not to write caBundle, "
            "or install with --existing-secret or --inject-ca-from"
        )
        if wait:
            self._retry(wait)
            self.blocked.add(name)
        return not wait

    async def _put(self, configuration: JSON, entries: Sequence[Entry], bundle: bytes) -> JSON:
        name = entries[0].name
        restores = self._overwritten(configuration, entries)
        body = with_bundle(configuration, entries, bundle)
        try:
            stored = await self._api.send("PUT", path(name), body, query={"fieldManager": FIELD_MANAGER})
        except (NotFound, Conflict):
            # The configuration was changed or deleted since it was read; the next round reads it again.
            self._conflicts.add(name)
            self._retry(CONFLICT)
            return configuration
        except ApiServerUnreachable:
            raise
        except ApiError as error:
            # A configuration that cannot be written must not prevent the renewal of certificates.
            self.blocked.add(name)
            self._add_problem(f"{entries[0].field}: {explain(error)}")
            return configuration
        log.info(
            "restored the caBundle" if restores else "wrote the caBundle",
            kind=name[0],
            configuration=name[1],
            CAs=len(read(bundle)),
        )
        if restores:
            self.restored[name[1]] += 1
            self._streak[name] = self._streak.get(name, 0) + 1
            self._last[name] = self._monotonic()
        stored = {**stored, "kind": name[0]}
        self._written[name] = bundle
        if _version(configuration):
            self._newer.setdefault(name, {})[_version(configuration)] = stored
        return stored

    def _retry(self, seconds: float) -> None:
        self.retry_in = seconds if self.retry_in is None else min(seconds, self.retry_in)

    def _add_problem(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _name(configuration: JSON) -> ConfigurationName:
    metadata = configuration.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return str(configuration.get("kind")), str(name)


def _version(configuration: JSON) -> str:
    metadata = configuration.get("metadata")
    return str(metadata.get("resourceVersion") or "") if isinstance(metadata, dict) else ""
