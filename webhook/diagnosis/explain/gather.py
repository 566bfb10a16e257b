"""Reads what is needed to explain one Pod or workload. All I/O is here: a few reads, never the whole cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from webhook.cluster.offline import flatten
from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.control_plane import mesh_of
from webhook.diagnosis.check.gather_installation import gather_installation
from webhook.diagnosis.check.installation import Installation
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.dataplane.podstate import annotated_at
from webhook.diagnosis.dataplane.workloads import Workloads, controller
from webhook.diagnosis.explain.facts import ExplainFacts
from webhook.diagnosis.explain.target import KINDS, Target
from webhook.diagnosis.unseen import Fact, NotAsked, NotRead, NotSeen, Unseen, known
from webhook.kube.api import ApiServer, ConfigurationError
from webhook.kube.fields import mapping, text
from webhook.kube.interface import JSON
from webhook.kube.labelselector import query
from webhook.kube.objects import Namespace, namespace_of
from webhook.kube.webhookconfigurations import MUTATING, ServiceReference
from webhook.mesh.config import ConfigError, Mesh
from webhook.mesh.configmaps import BUNDLE, CONFIG, ROOTS, VALUES, path
from webhook.mesh.defaults import default_trust_anchors, default_values

_OFFLINE: Final = "the webhooks of a cluster are not known: it is taken that the injector is called"

Connect = Callable[[], Awaitable[ApiServer]]


class ExplainError(Exception):
    """There is nothing to explain. `reason` is `not_found`, `forbidden` or `unavailable`; the message is a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainRequest:
    """By which mesh. `linkerd_namespace` is that of the control plane, `release_line` one to use in place of the mesh's
    own, "" for none. `values` and `trust_anchors` are given contents, None to read them from the cluster. `mesh` is one
    that is known already, and stands in place of all of them."""

    linkerd_namespace: str = "linkerd"
    release_line: str = ""
    values: bytes | None = None
    trust_anchors: bytes | None = None
    mesh: Mesh | None = None


class _Around(NamedTuple):
    """What is the same for all objects of a cluster."""

    mesh: Mesh
    mesh_known: bool
    configurations: tuple[JSON, ...] | None
    services: frozenset[ServiceReference]
    notes: tuple[str, ...]


async def gather_target(api: ApiServer, target: Target, request: ExplainRequest) -> ExplainFacts:
    """The facts about an object of a cluster. Raises `ExplainError`."""
    asker = Asker(api)
    resource = f"{target.kind.resource}/{target.name}"
    result, namespace_body, around = await asyncio.gather(
        asker.get(target.kind.path(target.namespace, target.name), resource, target.namespace),
        asker.get(f"/api/v1/namespaces/{target.namespace}", f"namespaces/{target.namespace}"),
        _around(asker, request),
    )
    body = _there(result, target.object)
    if body is None:
        if known(namespace_body, {}) is None:
            raise ExplainError("not_found", f"{target.object} does not exist: there is no Namespace {target.namespace}")
        raise ExplainError(
            "not_found",
            f"{target.object} does not exist: Namespace {target.namespace} has no {target.kind.kind} of that name: "
            "pass -n NAMESPACE for another one",
        )
    namespace = namespace_of(_there(namespace_body, f"Namespace {target.namespace}"))
    body = {**body, "kind": target.kind.kind}
    workloads = Workloads()
    (pods, notes), limit_ranges = await asyncio.gather(
        _family(asker, target, body, workloads),
        asker.list(f"/api/v1/namespaces/{target.namespace}/limitranges", "limitranges", target.namespace),
    )
    events = await _events(asker, target, body, workloads, pods)
    return ExplainFacts(
        kind=target.kind,
        name=target.name,
        body=body,
        runs=True,
        namespace=namespace or Namespace(target.namespace, {}, {}),
        annotated=annotated_at(known(namespace_body, None)),
        mesh=around.mesh,
        mesh_known=around.mesh_known,
        configurations=around.configurations,
        services=around.services,
        workloads=workloads,
        pods=pods,
        limit_ranges=known(limit_ranges, ()),
        events=known(events, ()),
        notes=(*around.notes, *notes, *_unread("LimitRanges", limit_ranges), *_unread("Events", events)),
    )


def _there(fact: Fact[JSON | None], name: str) -> JSON | None:
    if isinstance(fact, NotSeen):
        raise ExplainError("forbidden", f"{name} cannot be read: {'; '.join(fact.texts())}")
    if isinstance(fact, NotRead | NotAsked):
        raise ExplainError("unavailable", f"{name} cannot be read: {fact.reason}")
    return fact


def _unread(what: str, fact: object) -> Iterable[str]:
    if isinstance(fact, NotSeen | NotRead | NotAsked):
        yield f"{what} are not known: {Unseen(fact)}"


async def _around(asker: Asker, request: ExplainRequest) -> _Around:
    namespace = request.linkerd_namespace
    maps, installed = await asyncio.gather(
        _config_maps(asker, request), gather_installation(asker, namespace, Scope.PROXY)
    )
    installation = known(installed.installation, None)
    told = installation.release_line if isinstance(installation, Installation) else ""
    result = request.mesh or mesh_of(*maps, namespace, request.release_line or told or None)
    notes: list[str] = []
    if isinstance(result, NotSeen | NotRead | NotAsked):
        _check_given(request, result)
        notes.append(f"Linkerd's configuration is not known, so its defaults are taken: {Unseen(result)}")
    configurations = None
    if isinstance(installed.configurations, Mapping):
        configurations = tuple(body for (kind, _), body in installed.configurations.items() if kind == MUTATING)
    else:
        notes.append(f"the webhook configurations are not known: {Unseen(installed.configurations)}")
    mesh = result if isinstance(result, Mesh) else defaults_of(request)
    services = installation.services if isinstance(installation, Installation) else ()
    return _Around(mesh, isinstance(result, Mesh), configurations, frozenset(services), tuple(notes))


def _check_given(request: ExplainRequest, result: NotSeen | NotRead | NotAsked) -> None:
    """Raises `ExplainError` where it is the given values that cannot be used."""
    if isinstance(result, NotAsked) and "cannot be used" in result.reason and request.values is not None:
        raise ExplainError("unavailable", f"--values: {result.reason.partition(': ')[2]}")


async def _config_maps(asker: Asker, request: ExplainRequest) -> tuple[Fact[JSON | None], Fact[JSON | None]]:
    """The ConfigMaps with the mesh's values and trust anchors; none where the mesh is known already."""
    if request.mesh is not None:
        return None, None
    return await asyncio.gather(
        _config_map(asker, request.linkerd_namespace, CONFIG, VALUES, request.values),
        _config_map(asker, request.linkerd_namespace, ROOTS, BUNDLE, request.trust_anchors),
    )


async def _config_map(asker: Asker, namespace: str, name: str, key: str, given: bytes | None) -> Fact[JSON | None]:
    if given is not None:
        return {"data": {key: given.decode(errors="replace")}}
    return await asker.get(path(namespace, name), f"configmaps/{name}", namespace)


def defaults_of(request: ExplainRequest) -> Mesh:
    """The mesh by what is given, and by Linkerd's defaults for the rest. Raises `ExplainError` for what cannot be
    used."""
    line = request.release_line
    values = request.values
    if values is None:
        values = default_values(line) if line else default_values()
    try:
        return Mesh.load(
            values,
            request.trust_anchors or default_trust_anchors(),
            linkerd_namespace=request.linkerd_namespace,
            release_line=line or None,
        )
    except ConfigError as error:
        raise ExplainError("unavailable", f"--values: {error.problems[0]}") from None


async def _family(
    asker: Asker, target: Target, body: JSON, workloads: Workloads
) -> tuple[tuple[JSON, ...], Sequence[str]]:
    """The Pods of a workload, and why they are not known; what the object belongs to is added to `workloads`."""
    if target.kind.kind != "Pod":
        workloads.add(target.kind.kind, body)
    missing = await _above(asker, target.namespace, body, workloads)
    if target.kind.kind == "Pod":
        return (), missing
    jobs: frozenset[str] = frozenset()
    if target.kind.kind == "CronJob":
        listed = await asker.list(KINDS["Job"].path(target.namespace), "jobs.batch", target.namespace)
        missing = [*missing, *_unread("Jobs", listed)]
        owned = [body for body in known(listed, ()) if text(controller(body), "name") == target.name]
        for job in owned:
            workloads.add("Job", job)
        jobs = frozenset(text(candidate, "metadata", "name") for candidate in owned)
    listed = await asker.list(f"/api/v1/namespaces/{target.namespace}/pods", "pods", target.namespace, _selecting(body))
    pods = tuple(pod for pod in known(listed, ()) if _is_of(pod, target, workloads, jobs))
    return pods, [*missing, *_unread("Pods", listed)]


def _selecting(body: JSON) -> dict[str, str]:
    """The query that a workload's selector makes."""
    selector = mapping(body, "spec", "selector")
    return query({"matchLabels": selector} if text(body, "kind") == "ReplicationController" else selector)


def _is_of(pod: JSON, target: Target, workloads: Workloads, jobs: frozenset[str]) -> bool:
    if target.kind.kind == "Deployment":
        owner = workloads.owner(pod)
        return (owner.kind, owner.name) == (target.kind.kind, target.name)
    reference = controller(pod)
    kind, name = text(reference, "kind"), text(reference, "name")
    if target.kind.kind == "CronJob":
        return kind == "Job" and name in jobs
    return (kind, name) == (target.kind.kind, target.name)


async def _above(asker: Asker, namespace: str, body: JSON, workloads: Workloads) -> list[str]:
    """Add what controls an object, and what controls that."""
    notes: list[str] = []
    for _ in range(2):
        reference = controller(body)
        kind, name = text(reference, "kind"), text(reference, "name")
        if kind not in KINDS or not name:
            break
        value: Fact[JSON | None] = await asker.get(
            KINDS[kind].path(namespace, name), f"{KINDS[kind].resource}/{name}", namespace
        )
        notes += _unread(f"{kind} {namespace}/{name} and what it belongs to", value)
        above = known(value, None)
        if above is None:
            break
        workloads.add(kind, above)
        body = above
    return notes


async def _events(
    asker: Asker, target: Target, body: JSON, workloads: Workloads, pods: Sequence[JSON]
) -> Fact[tuple[JSON, ...]]:
    """The Events of the object, of what it belongs to, and of what is between a Deployment and its Pods."""
    names = {target.name, *(workload.owner.name for workload in workloads), text(controller(body), "name")}
    names |= {text(controller(pod), "name") for pod in pods[:1]}
    path = f"/api/v1/namespaces/{target.namespace}/events"
    queries = [{"fieldSelector": f"involvedObject.name={name}"} for name in sorted(names - {""})]
    listed = await asyncio.gather(*(asker.list(path, "events", target.namespace, query) for query in queries))
    result: list[JSON] = []
    for events in listed:
        if isinstance(events, NotSeen | NotRead | NotAsked):
            return events
        result += [event for event in events if text(event, "involvedObject", "name") in names]
    return tuple(result)


class GivenObjects:
    """Objects of files: what is to be explained, and what else is known."""

    def __init__(self, objects: Iterable[JSON], manifests: Iterable[JSON], namespace: str) -> None:
        """`namespace` is that of objects without one."""
        self.namespace = namespace
        own = list(flatten(objects))
        every = [*flatten(manifests), *own]
        self.namespaces = {body.name: body for body in map(_namespace, every) if body is not None}
        self.configurations = tuple(body for body in every if text(body, "kind") == MUTATING)
        self.workloads = Workloads()
        for body in every:
            if text(body, "kind") in KINDS and text(body, "kind") != "Pod":
                self.workloads.add(text(body, "kind"), self.placed(body))
        self.subjects = tuple(self.placed(body) for body in own if text(body, "kind") in KINDS)

    def placed(self, body: JSON) -> JSON:
        """The object, in its Namespace."""
        metadata = mapping(body, "metadata")
        within = text(metadata, "namespace") or self.namespace
        return {**body, "metadata": {**metadata, "namespace": within}}

    def unknown_namespaces(self) -> list[str]:
        """Those of the subjects that no file has."""
        wanted = dict.fromkeys(text(subject, "metadata", "namespace") for subject in self.subjects)
        return [name for name in wanted if name not in self.namespaces]


def _namespace(body: JSON) -> Namespace | None:
    return namespace_of(body) if text(body, "kind") == "Namespace" else None


async def gather_given(given: GivenObjects, request: ExplainRequest, connect: Connect) -> list[ExplainFacts]:
    """The facts about objects of files. A cluster is asked only for what is not given; where it does not answer,
    Linkerd's defaults stand in, with a note. Raises `ExplainError`."""
    missing = given.unknown_namespaces()
    namespaces = dict(given.namespaces)
    if missing or request.values is None or request.trust_anchors is None:
        around = await _from_cluster(request, connect, missing, namespaces)
    else:
        around = _Around(defaults_of(request), True, None, frozenset(), ())
    if given.configurations:
        service = ServiceReference(request.linkerd_namespace, "linkerd-webhook")
        around = around._replace(configurations=given.configurations, services=around.services | {service})
    elif around.configurations is None:
        around = around._replace(notes=(*around.notes, _OFFLINE))
    return [_given(body, namespaces, given, around) for body in given.subjects]


async def _from_cluster(
    request: ExplainRequest, connect: Connect, missing: Sequence[str], into: dict[str, Namespace]
) -> _Around:
    try:
        api = await connect()
    except ConfigurationError as error:
        note = f"what is not given is not known, so Linkerd's defaults are taken: {error}"
        return _Around(defaults_of(request), False, None, frozenset(), (note, *map(_blank, missing)))
    try:
        asker = Asker(api)
        reads = [asker.get(f"/api/v1/namespaces/{name}", f"namespaces/{name}") for name in missing]
        around, bodies = await asyncio.gather(_around(asker, request), asyncio.gather(*reads))
    finally:
        await api.close()
    notes = list(around.notes)
    for name, body in zip(missing, bodies, strict=True):
        result = namespace_of(known(body, None))
        if result is None:
            notes.append(_blank(name))
        else:
            into[name] = result
    return around._replace(notes=tuple(notes))


def _blank(name: str) -> str:
    return f"Namespace {name} is not known, so it counts as one without annotations: add its manifest with --manifests"


def _given(body: JSON, namespaces: Mapping[str, Namespace], given: GivenObjects, around: _Around) -> ExplainFacts:
    within = text(body, "metadata", "namespace")
    return ExplainFacts(
        kind=KINDS[text(body, "kind")],
        name=text(body, "metadata", "name") or text(body, "metadata", "generateName"),
        body=body,
        runs=False,
        namespace=namespaces.get(within) or Namespace(within, {}, {}),
        mesh=around.mesh,
        mesh_known=around.mesh_known,
        configurations=around.configurations,
        services=around.services,
        workloads=given.workloads,
        notes=around.notes,
    )
