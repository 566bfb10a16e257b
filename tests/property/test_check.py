"""Every line of `check` survives whatever stands in any field of any object."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kube.rules import place
from tests.property.strategies import ANYTHING, TEXT
from tests.unit.diagnosis.check.installed_cluster import InstalledCluster
from tests.unit.diagnosis.check.test_control_plane import ROOTS, config
from webhook.diagnosis.check import crds
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.gather import CheckRequest, of_cluster
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.check.registry import LINES
from webhook.diagnosis.check.report import as_json, as_text
from webhook.diagnosis.check.run import judge
from webhook.kube.api import OBJECT, ApiServer
from webhook.kube.errors import ApiError, NotFound
from webhook.mesh.releases import line

JSON = dict[str, Any]

BOUNDED: Final = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

_ROOTS: Final = {
    "v1": "/api/v1",
    **{group: f"/apis/{group}" for group in ("apps/v1", "policy/v1", "rbac.authorization.k8s.io/v1")},
    "admissionregistration.k8s.io/v1": "/apis/admissionregistration.k8s.io/v1",
}


def _path(body: JSON) -> str:
    kind, metadata = body["kind"].lower(), body["metadata"]
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    within = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{_ROOTS[body.get('apiVersion', 'apps/v1')]}{within}/{plural}/{metadata['name']}"


def _workload(name: str, namespace: str = "shop") -> dict[str, JSON]:
    """A Deployment, its ReplicaSet and its Pod, whose Namespace asks for the proxy."""
    template: JSON = {
        "metadata": {"labels": {"app": name}, "annotations": {"config.linkerd.io/proxy-log-level": "debug"}},
        "spec": {"containers": [{"name": "web", "image": "nginx", "ports": [{"containerPort": 80}]}]},
    }
    proxy = {"name": "linkerd-proxy", "image": "cr.l5d.io/linkerd/proxy:edge-26.1.1", "env": [{"name": "A"}]}
    root = "/apis/apps/v1/namespaces"
    of_deployment = [{"kind": "Deployment", "apiVersion": "apps/v1", "name": name, "uid": "1", "controller": True}]
    of_set = [{"kind": "ReplicaSet", "apiVersion": "apps/v1", "name": f"{name}-1", "uid": "2", "controller": True}]
    metadata: JSON = {"name": name, "namespace": namespace, "uid": "1"}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}
    pod = {
        "metadata": {
            **template["metadata"],
            "name": f"{name}-1-a",
            "namespace": namespace,
            "ownerReferences": of_set,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {**template["spec"], "initContainers": [proxy]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    owned = {**metadata, "name": f"{name}-1", "uid": "2", "ownerReferences": of_deployment}
    return {
        f"{root}/{namespace}/deployments/{name}": {"metadata": metadata, "spec": spec, "status": {"replicas": 1}},
        f"{root}/{namespace}/replicasets/{name}-1": {"metadata": owned, "spec": spec},
        f"/api/v1/namespaces/{namespace}/pods/{name}-1-a": pod,
    }


def _objects(**settings: Any) -> dict[str, JSON]:
    """A cluster with Linkerd, this program, and somebody's workload, by path."""
    installed = {_path(body): body for body in InstalledCluster(**settings).objects.values()}
    linkerds = "/api/v1/namespaces/linkerd/configmaps"
    annotations = {"linkerd.io/inject": "enabled"}
    hard = {"hard": {"limits.memory": "1Gi"}}
    limits = {"limits": [{"type": "Container", "default": {"memory": "1Gi"}}]}
    return {
        "/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.0"},
        f"{linkerds}/linkerd-config": config(),
        f"{linkerds}/linkerd-identity-trust-roots": ROOTS,
        **{
            f"{crds.ROOT}/{name}": {"spec": {"versions": [{"name": version, "served": True}]}}
            for name, version in crds.needed(line("edge-26.8")).items()
        },
        "/api/v1/namespaces/linkerd": {"metadata": {"name": "linkerd", "labels": {"a": "b"}}},
        "/api/v1/namespaces/shop": {"metadata": {"name": "shop", "annotations": annotations, "labels": {"a": "b"}}},
        "/api/v1/namespaces/shop/resourcequotas/q": {"metadata": {"name": "q", "namespace": "shop"}, "spec": hard},
        "/api/v1/namespaces/shop/limitranges/l": {"metadata": {"name": "l", "namespace": "shop"}, "spec": limits},
        "/api/v1/nodes/one": {
            "metadata": {"name": "one"},
            "status": {"conditions": [{"type": "Ready", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]},
        },
        **installed,
        **_workload("cart"),
    }


class Spoiled:
    """An API server that answers what stands in `objects`, whatever that is, and `posted` to all that is sent."""

    host = "https://cluster.example.org"
    inside = False

    def __init__(self, objects: Mapping[str, Any], posted: Any) -> None:
        self.objects = objects
        self.posted = posted

    async def get(self, path: str, query: Mapping[str, str] | None = None, accept: str = OBJECT) -> JSON:
        """An object, or a list of them."""
        if path in self.objects:
            return self._object(self.objects[path])
        collection = place(path)
        if collection is None or collection.name:
            raise NotFound(404, "not found")
        places = ((place(at), body) for at, body in self.objects.items())
        return {"items": [body for at, body in places if at is not None and collection.holds(at)]}

    async def read(self, path: str, query: Mapping[str, str] | None = None, accept: str = OBJECT) -> bytes:
        """As `get`, as text."""
        return json.dumps(await self.get(path, query, accept)).encode()

    async def find(self, path: str, accept: str = OBJECT) -> JSON | None:
        """An object, if it is there."""
        try:
            return await self.get(path, accept=accept)
        except NotFound:
            return None

    async def send(self, method: str, path: str, *_: Any, **__: Any) -> JSON:
        """Whatever is sent, GET aside, is answered alike."""
        return await self.get(path) if method == "GET" else self._object(self.posted)

    @contextlib.asynccontextmanager
    async def socket(self, *_: Any, **__: Any) -> AsyncIterator[None]:
        """No port can be forwarded."""
        raise ApiError(0, "refused")
        yield

    @staticmethod
    def _object(body: Any) -> JSON:
        if not isinstance(body, dict):
            # As the client says it of such an answer.
            raise ValueError("the API server's response is not a JSON object")
        return body


CLUSTERS: Final = {
    "own": _objects(),
    "adopted": _objects(adopt=True, replicas=1),
    "files": _objects(certificates__existingSecret="mine", failurePolicy="Fail"),
}


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of each value within a value, its own (the empty one) among them."""
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, below in inner for place in places(below, (*at, key)))]


PLACES: Final = {name: places(objects)[1:] for name, objects in CLUSTERS.items()}


def spoil(objects: dict[str, Any], path: tuple[Any, ...], junk: Any) -> None:
    """Put something else in a place, where an earlier one has left it there."""
    value: Any = objects
    for key in path[:-1]:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return
    with contextlib.suppress(IndexError, TypeError):
        value[path[-1]] = copy.deepcopy(junk)


def checked(objects: Mapping[str, Any], scope: Scope, posted: Any = None) -> tuple[ClusterFacts, list[str]]:
    """The facts, and all that the lines report, which has no mistake of the program's own in it."""
    api = cast("ApiServer", Spoiled(objects, posted))
    facts = asyncio.run(of_cluster(CheckRequest(scope, "linkerd"), api))
    report = judge(LINES, facts)
    text = json.dumps(as_json(report)) + "\n".join(as_text(report))
    assert "inside linkerd-webhook" not in text
    return facts, [line.code for line in report.skipped]


@pytest.mark.parametrize("name", CLUSTERS)
@pytest.mark.parametrize("scope", Scope)
def test_the_clusters_are_looked_at_to_the_end(name: str, scope: Scope) -> None:
    facts, _ = checked(CLUSTERS[name], scope, {"status": {"allowed": True}})
    assert facts.problem == ""
    assert facts.release_line == "edge-26.8"


@given(st.data())
@BOUNDED
def test_any_junk_in_any_field_of_any_object_is_survived(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CLUSTERS)))
    scope = data.draw(st.sampled_from(Scope))
    objects = copy.deepcopy(CLUSTERS[name])
    for path in data.draw(st.lists(st.sampled_from(PLACES[name]), min_size=1, max_size=8)):
        spoil(objects, path, data.draw(ANYTHING))
    checked(objects, scope, data.draw(ANYTHING))


@given(st.data())
@BOUNDED
def test_objects_that_are_nothing_but_junk_are_survived(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CLUSTERS)))
    fields = ("metadata", "spec", "status", "data", "webhooks")
    junk = st.one_of(ANYTHING, st.dictionaries(st.sampled_from(fields), ANYTHING))
    objects: dict[str, Any] = {"/version": {}}
    for path in data.draw(st.lists(st.sampled_from(sorted(CLUSTERS[name])), max_size=12)):
        objects[path] = data.draw(junk)
    checked(objects, data.draw(st.sampled_from(Scope)), data.draw(junk))


@given(st.dictionaries(st.sampled_from(["values", "ca-bundle.crt"]), st.one_of(TEXT, ANYTHING)))
@BOUNDED
def test_any_text_in_the_control_planes_config_maps_is_survived(data: JSON) -> None:
    root = "/api/v1/namespaces/linkerd/configmaps"
    names = ("linkerd-config", "linkerd-identity-trust-roots")
    checked({**CLUSTERS["own"], **{f"{root}/{name}": {"data": data} for name in names}}, Scope.INSTALLED)
