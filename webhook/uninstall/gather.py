"""Takes an installation out of a cluster, through the API server alone: our own server may be dead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from webhook.install.linkerd import LINKERDS
from webhook.kube.api import OBJECT, PLAIN, ApiServer
from webhook.kube.endpoints import listing, ready
from webhook.kube.errors import ApiError, Conflict, Forbidden, NotFound, explain
from webhook.kube.objects import helm_release
from webhook.kube.webhookconfigurations import FIELD_MANAGER, MUTATING, Service
from webhook.uninstall import plan as removal
from webhook.uninstall.plan import JSON, Stage, Thing

# Whole objects are read of these: what they point at tells whose they are.
_WHOLE: Final = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ClusterRoleBinding")

# Pods a page, and attempts at writing what others write, too.
_PAGE: Final = 500
_ATTEMPTS: Final = 5

# Objects that a sentence names.
_NAMED: Final = 5


class Unreadable(Exception):
    """What is there could not be found out: one sentence a line, each cause once."""


@dataclass(slots=True)
class Survey:
    """What is there. `found` is ours, in the order in which it goes; `foreign` has our names and is not ours.

    `adopted` are Linkerd's configurations that have something to get back; `unrestorable` says why one cannot.
    `elsewhere`: the namespaces of an installation that is not the one asked about. `release`: the Helm release of ours.
    """

    found: list[Thing] = field(default_factory=list)
    foreign: list[Thing] = field(default_factory=list)
    adopted: list[Thing] = field(default_factory=list)
    unrestorable: list[str] = field(default_factory=list)
    elsewhere: set[str] = field(default_factory=set)
    release: str = ""
    # Linkerd's own injector's configuration as it is once all of ours is gone, None where it is not there.
    successor: JSON | None = None

    @property
    def injects(self) -> bool:
        """Whether it is through our server that Pods get their proxy, as far as configurations tell."""
        adopted = any((each.kind, each.name) == _LINKERDS_INJECTOR for each in self.adopted)
        return adopted or removal.OWN_INJECTOR in self.found


_LINKERDS_INJECTOR: Final = next(each for each in LINKERDS if each[0] == MUTATING)


def linkerds() -> list[Thing]:
    """Linkerd's own webhook configurations."""
    version = "admissionregistration.k8s.io/v1"
    return [Thing(Stage.CALLS, version, kind, f"{kind.lower()}s", name, namespaced=False) for kind, name in LINKERDS]


async def survey(api: ApiServer, namespace: str) -> Survey:
    """Look at everything there may be. Raises `Unreadable` with all that could not be read."""
    named = [*removal.THINGS, *linkerds()]
    bodies = await asyncio.gather(*(_read(api, each, namespace) for each in named), return_exceptions=True)
    failures = [
        (thing.describe(namespace), error)
        for thing, error in zip(named, bodies, strict=True)
        if isinstance(error, ApiError | TimeoutError)
    ]
    if failures:
        raise Unreadable("\n".join(by_cause("read", failures)))
    seen = Survey()
    serves: set[str] = set()
    for thing, body in zip(named, bodies, strict=True):
        if isinstance(body, BaseException):
            raise body
        if body is None:
            continue
        if thing not in removal.THINGS:
            _see_linkerds(seen, thing, body, namespace)
        elif removal.is_ours(thing, body):
            seen.found.append(thing)
            seen.release = seen.release or helm_release(body)
            serves |= removal.installed_in(body)
        else:
            seen.foreign.append(thing)
    seen.elsewhere = serves if namespace not in serves else set()
    return seen


async def pods_in_mesh(api: ApiServer, namespace: str) -> list[str]:
    """namespace/name of all Pods that this control plane's proxy is in, sorted. Raises `Unreadable`."""
    query = {"labelSelector": f"{removal.CONTROL_PLANE_NS}={namespace}", "limit": str(_PAGE)}
    found: list[str] = []
    while True:
        try:
            page = await api.get("/api/v1/pods", query, PLAIN)
        except (ApiError, TimeoutError) as error:
            raise Unreadable(*by_cause("list", [("Pods", error)])) from error
        found += removal.in_mesh(page.get("items") or (), namespace)
        following = (page.get("metadata") or {}).get("continue")
        if not following:
            return sorted(found)
        query["continue"] = following


async def nobody_else(api: ApiServer, seen: Survey) -> str:
    """Why nobody injects once all of ours is gone, "" where Linkerd's own injector does. Raises `Unreadable`."""
    what = " ".join(_LINKERDS_INJECTOR)
    if seen.successor is None:
        return f"{what} is not there"
    service = removal.target(seen.successor)
    if service is None:
        return ""
    where, query = listing(Service(*service))
    try:
        body = await api.get(where, query, PLAIN)
    except (ApiError, TimeoutError) as error:
        raise Unreadable(*by_cause("list", [(f"EndpointSlices in namespace {service[0]}", error)])) from error
    if any(True for piece in body.get("items") or () for _ in ready(piece)):
        return ""
    return f"Service {service[0]}/{service[1]} of Linkerd's own injector has no ready endpoint"


async def remove(
    api: ApiServer, namespace: str, seen: Survey, done: Callable[[str], None], failed: Callable[[str], None]
) -> bool:
    """Give Linkerd's configurations back and delete what is ours; whether all of that was done.

    A failure is told and the rest is tried all the same, but the server stays while anybody may still be sent to it.
    """
    tell = _Told(done, failed)
    calls = [each for each in seen.found if each.stage is Stage.CALLS]
    for thing in calls[:1] if calls[:1] == [removal.SELF_TEST] else ():
        await _delete(api, thing, namespace, tell)
    for thing in seen.adopted:
        await _restore(api, thing, namespace, tell)
    for thing in calls:
        if thing != removal.SELF_TEST:
            await _delete(api, thing, namespace, tell)
    if tell.failures:
        tell.flush()
        failed("the server and its Secrets stay until that is done, as they may still be needed: uninstall again")
        return False
    for stage in (Stage.SERVER, Stage.STATE):
        for thing in seen.found:
            if thing.stage is stage:
                await _delete(api, thing, namespace, tell)
        # A server that was about to adopt when this began has done so by now, and may do so no more.
        for thing in seen.adopted:
            await _restore(api, thing, namespace, tell)
    tell.flush()
    return not tell.failures


class _Told:
    """Says what was done, and at the end what was not, each cause once."""

    def __init__(self, done: Callable[[str], None], failed: Callable[[str], None]) -> None:
        self.failures: list[tuple[str, str, Exception]] = []
        self.done = done
        self._failed = failed

    def failed(self, verb: str, what: str, error: Exception) -> None:
        """Note a failure."""
        self.failures.append((verb, what, error))

    def flush(self) -> None:
        """Say what has failed."""
        for verb in dict.fromkeys(verb for verb, _, _ in self.failures):
            for line in by_cause(verb, [(what, error) for each, what, error in self.failures if each == verb]):
                self._failed(line)


def by_cause(verb: str, failures: Sequence[tuple[str, Exception]]) -> list[str]:
    """What was not done to which objects, a sentence for each cause."""
    causes: dict[str, list[str]] = {}
    for what, error in failures:
        causes.setdefault(_why(error, verb), []).append(what)
    return [f"cannot {verb} {_listed(whats)}: {why}" for why, whats in causes.items()]


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more objects" if more > 0 else "")


def _see_linkerds(seen: Survey, thing: Thing, body: JSON, namespace: str) -> None:
    if not removal.is_adopted(body, namespace):
        if (thing.kind, thing.name) == _LINKERDS_INJECTOR:
            seen.successor = body
        return
    seen.adopted.append(thing)
    try:
        body = removal.restored(body, namespace)
    except removal.RestoreError as error:
        seen.unrestorable.append(str(error))
        return
    if (thing.kind, thing.name) == _LINKERDS_INJECTOR:
        seen.successor = body


async def _read(api: ApiServer, thing: Thing, namespace: str) -> JSON | None:
    """The object, None where there is none, or nothing of its kind. Raises `ApiError` and `TimeoutError`."""
    whole = thing.kind in _WHOLE
    body = await api.find(thing.path(namespace), PLAIN if whole else OBJECT)
    return None if body is None else {**body, "kind": thing.kind}


async def _delete(api: ApiServer, thing: Thing, namespace: str, tell: _Told) -> None:
    try:
        await api.send("DELETE", thing.path(namespace))
    except NotFound:
        pass
    except (ApiError, TimeoutError) as error:
        tell.failed("delete", thing.describe(namespace), error)
        return
    tell.done(f"deleted {thing.describe(namespace)}")


async def _restore(api: ApiServer, thing: Thing, namespace: str, tell: _Told) -> None:
    """Give a configuration of Linkerd's back, if that is still to be done, in one write."""
    for attempt in range(_ATTEMPTS):
        try:
            body = await _read(api, thing, namespace)
            if body is None or not removal.is_adopted(body, namespace):
                return
            await api.send(
                "PUT", thing.path(namespace), removal.restored(body, namespace), query={"fieldManager": FIELD_MANAGER}
            )
        except (ApiError, TimeoutError, removal.RestoreError) as error:
            # Somebody wrote it in between: what they wrote counts.
            if isinstance(error, Conflict) and attempt + 1 < _ATTEMPTS:
                continue
            tell.failed("restore", thing.describe(namespace), error)
            return
        tell.done(f"restored {thing.describe(namespace)}")
        return


def _why(error: Exception, verb: str) -> str:
    """A cause without the object that it was met with."""
    if isinstance(error, Forbidden) and error.user:
        return f"{error.user} may not {verb} them: run this as somebody who may, such as a cluster-admin"
    return explain(error) if isinstance(error, ApiError | TimeoutError) else str(error)
