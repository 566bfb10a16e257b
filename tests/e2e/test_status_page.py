"""The status page on a real API server: what it counts is what is there, with the rights that `install` grants."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from bench import cluster
from tests.e2e.api import JSON, ApiServer
from tests.e2e.installation import ACCOUNT, Installation
from tests.e2e.mesh import Manifests, installed
from tests.e2e.objects import ENABLED, INJECT, Room, meshed, namespace, pod, unique
from tests.e2e.program import Webhook
from tests.e2e.waiting import until
from webhook.injector.names import CONTROL_PLANE, PROXY_VERSION, TRUST_ROOT
from webhook.statuspage.mesh_counts import ASKED
from webhook.statuspage.podlist import KEPT

DISABLED = {INJECT: "disabled"}
RUNNING = {"phase": "Running"}
# More than two pages. `bench/status_page.py` has 20,000, which an API server needs minutes to store.
MANY = 1_200


def page_of(replica: Webhook, query: str) -> JSON:
    """The section of the document; counted anew if what was counted last is old."""
    answer = httpx.get(f"http://127.0.0.1:{replica.admin_port}/status.json{query}", timeout=15)
    counted: JSON = answer.json()["mesh"]
    return counted


def mesh(replica: Webhook, query: str = "") -> JSON:
    """The section, with the Namespaces of all pages: the cluster keeps those of other tests."""
    section = page_of(replica, query)
    for number in range(2, section["pages"] + 1):
        more = page_of(replica, f"{query}&page={number}" if query else f"?page={number}")
        section["namespaces"] += more["namespaces"]
    return section


def row(section: JSON, name: str) -> JSON:
    """The line of a Namespace; empty if there is none."""
    return next((line for line in section["namespaces"] if line["name"] == name), {})


def running(api: ApiServer, within: str = "") -> list[JSON]:
    """The running Pods, as the API server has them."""
    path = f"/api/v1/namespaces/{within}/pods" if within else "/api/v1/pods"
    pods = api.request("GET", path).ok()["items"]
    return [body for body in pods if body.get("status", {}).get("phase") == "Running"]


def numbers(pods: list[JSON], wanted: Mapping[str, str]) -> JSON:
    """What the page has to say of these Pods; `wanted` are the marks of a Pod that is created now."""
    injected = [body["metadata"] for body in pods if CONTROL_PLANE in body["metadata"].get("labels", {})]

    def others(mark: str) -> int:
        return sum(metadata["annotations"][mark] != wanted[mark] for metadata in injected)

    return {
        "pods": len(pods),
        "meshed": len(injected),
        "otherVersion": others(PROXY_VERSION),
        "otherTrustAnchors": others(TRUST_ROOT),
    }


@pytest.fixture(scope="module")
def installation(api: ApiServer, newest: Manifests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """What `install --status-page` prints, with a replica."""
    folder = tmp_path_factory.mktemp("status-page")
    with (
        installed(api, newest, folder / "linkerd"),
        Installation(api, newest, folder / "ours", ("--status-page",)) as made,
    ):
        made.start()
        until("the webhooks", made.in_force, within=20)
        yield made


@pytest.fixture(scope="module")
def replica(installation: Installation) -> Webhook:
    """The replica, with the ServiceAccount's own token."""
    return installation.replicas[0]


@pytest.fixture(scope="module")
def room(api: ApiServer, installation: Installation) -> Room:
    """A Namespace with 3 Pods as they are made now, one of another version, one of other trust anchors, 2 that want no
    proxy, one that has lost it, and 2 that do not run."""
    made = Room.create(api, "counted", ENABLED)
    _, web = made.deployment("web")
    pods = [made.pod(owner=web).ok() for _ in range(8)]
    assert all(map(meshed, pods))
    changes: list[JSON] = [{"status": RUNNING} for _ in pods]
    changes[3] |= {"metadata": {"annotations": {PROXY_VERSION: "edge-1.1.1"}}}
    changes[4] |= {"metadata": {"annotations": {TRUST_ROOT: "another"}}}
    changes[5] |= {"metadata": {"labels": {CONTROL_PLANE: None}}}
    changes[6] = {"status": {"phase": "Pending"}}
    changes[7] = {"status": {"phase": "Succeeded"}}
    pods += [made.pod(DISABLED, owner=web).ok() for _ in range(2)]
    changes += [{"status": RUNNING}] * 2
    for body, change in zip(pods, changes, strict=True):
        api.patch(body, change)
    return made


def test_every_number_is_that_of_the_api_servers_objects(api: ApiServer, room: Room, replica: Webhook) -> None:
    section = mesh(replica)
    assert (section["complete"], section["problem"]) == (True, "")
    wanted = room.pod(dry_run=True).ok()["metadata"]["annotations"]
    there = row(section, room.name)
    assert there["annotation"] == "enabled"
    assert numbers(running(api, room.name), wanted).items() <= there.items()
    assert (there["pods"], there["meshed"], there["otherVersion"], there["otherTrustAnchors"]) == (8, 5, 1, 1)
    assert {reason["reason"]: reason["pods"] for reason in there["notInjected"]} == {
        "injection_disable_annotation_present": 2,
        ASKED: 1,
    }
    every = api.request("GET", "/api/v1/namespaces").ok()["items"]
    assert {line["name"] for line in section["namespaces"]} >= {body["metadata"]["name"] for body in every}
    assert section["pods"] == len(running(api))
    for line in section["namespaces"]:
        assert line["pods"] == len(running(api, line["name"]))


def test_a_namespace_opens_to_its_workloads(room: Room, replica: Webhook) -> None:
    opened = mesh(replica, f"?namespace={room.name}")["opened"]
    assert (opened["complete"], opened["problem"]) == (True, "")
    assert [(line["workload"], line["pods"], line["meshed"]) for line in opened["workloads"]] == [
        # The one that lost its label still has the proxy's container.
        ("ReplicaSet/web-7d4b9c6f5", 8, 6)
    ]


def test_a_new_pod_is_counted_once_the_last_list_is_old(api: ApiServer, room: Room, replica: Webhook) -> None:
    before = row(mesh(replica), room.name)
    api.patch(room.pod().ok(), {"status": RUNNING})
    until(
        "the Pod's being counted",
        lambda: row(mesh(replica), room.name)["meshed"] == before["meshed"] + 1,
        within=KEPT + 5,
    )


def test_the_right_is_to_list_pods_and_nothing_more(api: ApiServer, room: Room, replica: Webhook) -> None:
    as_webhook = api.as_user(ACCOUNT)
    pod_path = f"/api/v1/namespaces/{room.name}/pods/{running(api, room.name)[0]['metadata']['name']}"
    assert as_webhook.request("GET", "/api/v1/pods").status == 200
    assert as_webhook.request("GET", "/api/v1/pods", query={"watch": "1", "timeoutSeconds": "1"}).status == 403
    assert as_webhook.request("GET", pod_path).status == 403
    assert as_webhook.request("DELETE", pod_path).status == 403
    assert as_webhook.request("GET", "/api/v1/secrets").status == 403
    as_webhook.close()


def test_all_pods_of_a_crowd_are_counted(
    api: ApiServer, kubeconfig: Path, installation: Installation, replica: Webhook
) -> None:
    name = unique("crowd")
    crowd = [namespace(name)]
    for number in range(MANY):
        body = pod(name)
        body["metadata"] |= {"name": f"crowd-{number:05}"}
        # The webhook has nothing to do with them.
        body["metadata"]["labels"] |= {CONTROL_PLANE: "linkerd"} if number % 4 else {"linkerd.io/skipped": "yes"}
        crowd.append(body | {"status": RUNNING})
    with cluster.created(cluster.target(kubeconfig), crowd):
        time.sleep(KEPT)
        section = mesh(replica)
        there = row(section, name)
        assert (section["complete"], section["problem"]) == (True, "")
        assert (there["pods"], there["meshed"]) == (MANY, MANY - MANY // 4)
        page = httpx.get(f"http://127.0.0.1:{replica.admin_port}/", timeout=15)
        # Every page has the total; the Namespace itself may be on another.
        assert f"{section['meshed']} of {section['pods']} running Pods" in page.text


@pytest.fixture
def without(api: ApiServer, installation: Installation) -> Iterator[Webhook]:
    """The replica with the rights of an installation that was not asked for the status page."""
    bodies = [body for body in installation.objects if body["metadata"]["name"].endswith("-status-page")]
    assert sorted(body["kind"] for body in bodies) == ["ClusterRole", "ClusterRoleBinding"]
    for body in bodies:
        api.delete(body)
    as_webhook = api.as_user(ACCOUNT)
    until("the right's end", lambda: as_webhook.request("GET", "/api/v1/pods").status == 403, within=10)
    as_webhook.close()
    time.sleep(KEPT)
    yield installation.replicas[0]
    for body in bodies:
        api.apply(body)


def test_without_the_right_the_section_says_so_and_the_replica_stays_ready(without: Webhook, room: Room) -> None:
    section = mesh(without, f"?namespace={room.name}")
    for problem in (section["problem"], section["opened"]["problem"]):
        assert "may not list Pods: apply what `linkerd-webhook install --status-page` prints" in problem
        assert "ServiceAccount linkerd/linkerd-webhook" in problem
    assert section["complete"] is False
    page = httpx.get(f"http://127.0.0.1:{without.admin_port}/", timeout=5)
    assert "may not list Pods" in page.text
    assert without.ready()[0] == 200
    assert meshed(room.pod().ok())
