"""The labels with the last of a Pod's owners, which edge-25.10.2 alone writes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.unit.injector.builders import ENABLED, answer_to, patched, pod, release, request
from tests.unit.injector.releases import SHOWN, mesh_of, values_with
from webhook.cluster.interface import ClusterError
from webhook.cluster.offline import OfflineCluster
from webhook.cluster.owners import DEEPEST, find_root
from webhook.injector.inject import Injector
from webhook.injector.owner import Root, group_of
from webhook.injector.removal import removed
from webhook.kube.objects import Namespace, ObjectReference
from webhook.mesh.releases import choose
from webhook.review import JSON
from webhook.webhooks.interface import Current
from webhook.webhooks.proxy_injector import ProxyInjector

EDGE = "edge-25.10.2"
SHOP = Namespace("shop", ENABLED, {})
ROOT = "linkerd.io/proxy-root-parent"

Owner = tuple[str, str, str]
REPLICASET: Owner = ("apps/v1", "ReplicaSet", "web-1")
DEPLOYMENT: Owner = ("apps/v1", "Deployment", "web")
JOB: Owner = ("batch/v1", "Job", "tick-1")
CRONJOB: Owner = ("batch/v1", "CronJob", "tick")
ROLLOUT: Owner = ("argoproj.io/v1alpha1", "Rollout", "web")
KAFKA: Owner = ("kafka.example/v1", "Kafka", "logs")


def owned(body: JSON, *owners: Owner) -> JSON:
    """The object with these owners."""
    out = deepcopy(body)
    out["metadata"]["ownerReferences"] = [{"apiVersion": v, "kind": k, "name": n, "uid": "u"} for v, k, n in owners]
    return out


def thing(of: Owner, *owners: Owner) -> JSON:
    """An object in `shop` with these owners."""
    version, kind, name = of
    return owned({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}}, *owners)


class Counted(OfflineCluster):
    """A cluster in which every owner has to be read, and that counts the reads."""

    def __init__(self, objects: list[JSON]) -> None:
        super().__init__([{"kind": "Namespace", "metadata": {"name": "shop", "annotations": ENABLED}}, *objects])
        self.read: list[str] = []

    def known_owners(self, reference: ObjectReference) -> tuple[ObjectReference, ...] | None:
        """Nothing but that a kind has none."""
        known = super().known_owners(reference)
        return known if known == () and reference.kind in ("Rollout", "Kafka") else None

    async def find_owners(self, reference: ObjectReference) -> tuple[ObjectReference, ...]:
        """Those of the manifests."""
        self.read.append(reference.kind)
        known = super().known_owners(reference)
        if known is None:
            raise ClusterError("forbidden", f"{reference.kind} {reference.name}")
        return known


def labels_of(body: JSON) -> dict[str, str]:
    """The labels that name owners."""
    labels = body["metadata"]["labels"]
    return {key.removeprefix("linkerd.io/proxy-"): labels[key] for key in labels if key.startswith("linkerd.io/proxy-")}


async def labels(body: JSON, objects: list[JSON], edge: str = EDGE) -> dict[str, str]:
    """The labels that the webhook gives a Pod in a cluster of these objects."""
    given = await ProxyInjector(Current(release(edge)), Counted(objects)).answer(request(body))
    assert given.decision == "injected", given.message
    return labels_of(patched(body, given))


def root(name: str, kind: str, group: str, **others: str) -> dict[str, str]:
    """The labels of a root, and others."""
    return {"root-parent": name, "root-parent-kind": kind, "root-parent-group": group, **others}


WEB = root("web", "Deployment", "apps", deployment="web")


@pytest.mark.parametrize(
    ("owners", "objects", "wanted"),
    [
        ([], [], root("shop-1", "Pod", "")),
        ([REPLICASET, DEPLOYMENT], [], root("shop-1", "Pod", "")),
        ([REPLICASET], [thing(REPLICASET, DEPLOYMENT), thing(DEPLOYMENT)], WEB),
        ([REPLICASET], [thing(REPLICASET, DEPLOYMENT)], WEB),
        ([REPLICASET], [], root("web-1", "ReplicaSet", "apps", replicaset="web-1")),
        ([REPLICASET], [thing(REPLICASET)], root("web-1", "ReplicaSet", "apps", replicaset="web-1")),
        ([REPLICASET], [thing(REPLICASET, ROLLOUT)], root("web", "Rollout", "argoproj.io")),
        (
            [REPLICASET],
            [thing(REPLICASET, DEPLOYMENT), thing(DEPLOYMENT, KAFKA)],
            root("logs", "Kafka", "kafka.example"),
        ),
        ([REPLICASET], [thing(REPLICASET, DEPLOYMENT), thing(DEPLOYMENT, KAFKA, ROLLOUT)], WEB),
        ([JOB], [thing(JOB, CRONJOB), thing(CRONJOB)], root("tick", "CronJob", "batch")),
        ([JOB], [thing(JOB)], root("tick-1", "Job", "batch", job="tick-1")),
        ([("v1", "Node", "n")], [], root("n", "Node", "")),
        ([("apps/v1", "", "n")], [], root("shop-1", "Pod", "")),
    ],
)
async def test_a_pod_is_labelled_with_the_last_owner_that_can_be_read(
    owners: list[Owner], objects: list[JSON], wanted: dict[str, str]
) -> None:
    body = pod()
    assert await labels(owned(body, *owners) if owners else body, objects) == wanted


@pytest.mark.parametrize("edge", ["edge-25.10.1", "edge-25.10.3"])
async def test_the_releases_beside_it_label_the_workload_alone_and_read_no_further(edge: str) -> None:
    body = owned(pod(), REPLICASET)
    cluster = Counted([thing(REPLICASET, DEPLOYMENT), thing(DEPLOYMENT, KAFKA)])
    given = await ProxyInjector(Current(release(edge)), cluster).answer(request(body))
    assert labels_of(patched(body, given)) == {"deployment": "web"}
    assert cluster.read == ["ReplicaSet"]


async def test_the_climb_ends_where_owners_own_each_other() -> None:
    cluster = Counted([thing(REPLICASET, DEPLOYMENT), thing(DEPLOYMENT, REPLICASET)])
    first = ObjectReference("apps/v1", "ReplicaSet", "shop", "web-1")
    assert await find_root(cluster, [first]) is not None
    assert len(cluster.read) == DEEPEST


@pytest.mark.parametrize(
    ("version", "group"), [("apps/v1", "apps"), ("v1", ""), ("", ""), ("/", ""), ("a/b/c", ""), ("a.b/v1", "a.b")]
)
def test_the_group_is_what_stands_before_the_version(version: str, group: str) -> None:
    assert group_of(version) == group


def made(body: JSON, root: Root | None = None, using: Injector | None = None) -> Any:
    """The object that is injected."""
    using = using or release(EDGE)
    answer = answer_to(request(body), using, SHOP, None, root)
    return patched(deepcopy(body), answer)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_the_pods_of_a_template_are_labelled_with_its_workload(kind: str) -> None:
    template = {"metadata": {}, "spec": {"containers": [{"name": "web"}]}}
    metadata = {"name": "web", "namespace": "shop"}
    body = {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"template": template}}
    assert labels_of(made(body)["spec"]["template"]) == root("web", kind, "apps", **{kind.lower(): "web"})


def test_those_of_a_cronjob_have_no_root() -> None:
    template = {"template": {"metadata": {}, "spec": {"containers": [{"name": "web"}]}}}
    metadata = {"name": "tick", "namespace": "shop"}
    body: JSON = {"kind": "CronJob", "metadata": metadata, "spec": {"jobTemplate": {"spec": template}}}
    body["apiVersion"] = "batch/v1"
    assert labels_of(made(body)["spec"]["jobTemplate"]["spec"]["template"]) == {"cronjob": "tick"}


def test_two_pods_that_differ_in_their_root_alone_get_each_its_own() -> None:
    first, other = Root("web", "Deployment", "apps"), Root("web", "Deployment", "example.org")
    using = Injector(release(EDGE).mesh)
    for wanted in (first, other, first):
        assert made(pod(), wanted, using)["metadata"]["labels"][f"{ROOT}-group"] == wanted.group
    for name in ("a", "b"):
        body = pod()
        body["metadata"]["name"] = name
        assert made(body, None, using)["metadata"]["labels"][ROOT] == name


def test_they_are_taken_away_with_the_sidecar() -> None:
    assert not labels_of(removed(made(pod())))


def attributes(body: JSON, edge: str = EDGE) -> str:
    """The resource attributes of the proxy's traces."""
    using = Injector(mesh_of(choose(edge).line, values_with(SHOWN["rule/trace-labels"].values)))
    (proxy,) = [c for c in made(body, None, using)["spec"]["containers"] if c["name"] == "linkerd-proxy"]
    (text,) = [v["value"] for v in proxy["env"] if v["name"] == "LINKERD2_PROXY_TRACE_EXTRA_ATTRIBUTES"]
    return str(text)


def test_traces_are_of_a_service_that_is_called_by_the_root() -> None:
    body = owned(pod(), DEPLOYMENT)
    assert attributes(body) == "a=b\nservice.name=web-linkerd-proxy\n"
    assert attributes(body, "edge-25.10.3") == "a=b\n"
    body["metadata"]["labels"] = {"app.kubernetes.io/name": "shop"}
    assert attributes(body) == "a=b\nservice.name=shop\n"
