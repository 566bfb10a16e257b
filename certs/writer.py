"""Puts CA bundles where they belong: into our webhook configurations, and back when somebody overwrites them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final

import structlog
from cryptography import x509

from certs.bundle import merge, read, salvage, write
from webhook.kube.errors import ApiError, Conflict, NotFound, Unreachable, explain
from webhook.kube.interface import JSON, Api
from webhook.kube.webhookconfigurations import (
    FIELD_MANAGER,
    Entry,
    Name,
    Service,
    managers,
    path,
    pointing,
    with_bundle,
)

# Seconds between two times that a caBundle is put back: doubled each time, and forgotten after a calm while.
BACK_OFF: Final = (1.0, 300.0)
CALM: Final = 600.0
# Seconds until a configuration that changed under our hands is looked at again.
CONFLICT: Final = 0.5
# CAs that are kept in a caBundle although nobody asks for them: an object has its limits.
MOST_KEPT: Final = 32


log = structlog.get_logger(__name__)


class BundleWriter:
    """Writes caBundles of the owned configurations that point at the Service, where cert-manager does not.

    `restored` counts by configuration how often one was put back. Of the round that `begin` began: `problems` are
    sentences, `blocked` the configurations that could not be written, `retry_in` the seconds until it is worth a try.
    """

    def __init__(
        self,
        api: Api,
        service: Service,
        owned: Callable[[], Collection[Name]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.restored: Counter[str] = Counter()
        self.problems: list[str] = []
        self.blocked: set[Name] = set()
        self.retry_in: float | None = None
        self._api = api
        self._service = service
        self._owned = owned
        self._monotonic = monotonic
        self._conflicts: set[Name] = set()
        self._written: dict[Name, bytes] = {}
        # What came of our writes, by the resourceVersion that was written over: what is handed in may be older.
        self._newer: dict[Name, dict[str, JSON]] = {}
        self._streak: dict[Name, int] = {}
        self._last: dict[Name, float] = {}

    def begin(self) -> None:
        """A new round: what was found in the one before is forgotten."""
        self.problems, self.blocked, self.retry_in = [], set(), None
        self._conflicts = set()

    def current(self, configurations: Sequence[JSON]) -> list[JSON]:
        """The configurations, our own writes included that a watch has not told of yet."""
        return [self._current(each) for each in configurations]

    def _current(self, configuration: JSON) -> JSON:
        name = _name(configuration)
        newer = self._newer.get(name, {})
        if _version(configuration) not in newer:
            self._newer.pop(name, None)
        while _version(configuration) in newer:
            configuration = newer[_version(configuration)]
        return configuration

    def entries(self, configurations: Sequence[JSON]) -> list[Entry]:
        """The webhooks whose caBundle is ours to write."""
        return [entry for entry in self._owned_entries(configurations) if not entry.cert_manager]

    def not_ours(self, configurations: Sequence[JSON]) -> list[Entry]:
        """The webhooks of owned configurations whose caBundle cert-manager writes."""
        return [entry for entry in self._owned_entries(configurations) if entry.cert_manager]

    def _owned_entries(self, configurations: Sequence[JSON]) -> list[Entry]:
        owned = set(self._owned())
        found = (entry for each in configurations for entry in pointing(each, self._service))
        return [entry for entry in found if entry.name in owned]

    async def write(self, configurations: Sequence[JSON], wanted: bytes, *, exactly: bool = False) -> list[JSON]:
        """See that each caBundle holds what is wanted, beside what it holds already, or `exactly` that.

        The configurations as they are then. Raises `ApiError` where the API server is away, and `TimeoutError`.
        """
        found = []
        for configuration in configurations:
            entries = self.entries([configuration])
            bundles = [self._bundle(configuration, entry, wanted, exactly) for entry in entries]
            stale = any(bundle != entry.bundle for entry, bundle in zip(entries, bundles, strict=True))
            if entries and not stale and not self._overwritten(configuration, entries):
                self._written[entries[0].name] = entries[0].bundle
            if stale and wanted and self._may(configuration, entries):
                found.append(await self._put(configuration, entries, merge(*bundles)))
            else:
                found.append(configuration)
        return found

    def _bundle(self, configuration: JSON, entry: Entry, wanted: bytes, exactly: bool) -> bytes:
        """What a caBundle is to hold. One that holds just that is left as it is, in whatever order.

        Expired CAs stay, too, until it is proven that nobody needs them: the clock that finds them so may be wrong.
        """
        needed = read(wanted)
        held, junk = salvage(entry.bundle)
        kept: list[x509.Certificate] = []
        if not exactly:
            before = self._written.get(entry.name, b"") if self._overwritten(configuration, [entry]) else b""
            kept = [each for each in dict.fromkeys((*held, *read(before))) if each not in needed][-MOST_KEPT:]
        if set(held) == {*needed, *kept} and not entry.junk and not junk:
            return entry.bundle
        return write([*needed, *kept])

    def _overwritten(self, configuration: JSON, entries: Sequence[Entry]) -> bool:
        """Whether somebody else wrote since we did. Another replica of ours is nobody else."""
        before = self._written.get(entries[0].name)
        if before is None:
            return False
        changed = (entry for entry in entries if entry.bundle != before or entry.junk)
        return any(managers(configuration, entry.webhook) != [FIELD_MANAGER] for entry in changed)

    def _may(self, configuration: JSON, entries: Sequence[Entry]) -> bool:
        """Whether a caBundle may be written now: one that is overwritten again and again has to wait."""
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
        others = {who for entry in entries for who in managers(configuration, entry.webhook)} - {FIELD_MANAGER}
        self._say(
            f"{entries[0].field} was overwritten by {', '.join(sorted(others)) or 'somebody'} (put back "
            f"{self.restored[name[1]]} times, {f'next in {wait:.0f} s' if wait else 'now again'}): two that write one "
            "field never end; let that one leave caBundle alone, or install with --existing-secret or --inject-ca-from"
        )
        if wait:
            self._retry(wait)
            self.blocked.add(name)
        return not wait

    async def _put(self, configuration: JSON, entries: Sequence[Entry], bundle: bytes) -> JSON:
        name = entries[0].name
        again = self._overwritten(configuration, entries)
        body = with_bundle(configuration, entries, bundle)
        try:
            stored = await self._api.send("PUT", path(name), body, query={"fieldManager": FIELD_MANAGER})
        except (NotFound, Conflict):
            # Changed or gone since it was read: the next look tells.
            self._conflicts.add(name)
            self._retry(CONFLICT)
            return configuration
        except Unreachable:
            raise
        except ApiError as error:
            # One that cannot be written must not keep the certificates of all others from being renewed.
            self.blocked.add(name)
            self._say(f"{entries[0].field}: {explain(error)}")
            return configuration
        log.info(
            "the caBundle was put back" if again else "the caBundle was written",
            kind=name[0],
            configuration=name[1],
            CAs=len(read(bundle)),
        )
        if again:
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

    def _say(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _name(configuration: JSON) -> Name:
    metadata = configuration.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return str(configuration.get("kind")), str(name)


def _version(configuration: JSON) -> str:
    metadata = configuration.get("metadata")
    return str(metadata.get("resourceVersion") or "") if isinstance(metadata, dict) else ""
