"""What whoever applies a workload or a Namespace is told, through an API server, and the Events that its Pods leave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.api import JSON, MERGE, ApiServer, Reply
from tests.e2e.installation import Installation
from tests.e2e.mesh import Manifests, installed
from tests.e2e.objects import ENABLED, INJECT, Room, meshed, namespace, unique, workload
from tests.e2e.waiting import until
from webhook.install.configurations import ADVISOR

VALIDATING = "ValidatingWebhookConfiguration"
TYPO = {"config.linkerd.io/skip-oubound-ports": "5000"}
KINDS = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("v1", "ReplicationController"),
]


@pytest.fixture(scope="module")
def ours(api: ApiServer, newest: Manifests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose advice is heard."""
    folder = tmp_path_factory.mktemp("advice")
    with installed(api, newest, folder / "linkerd"), Installation(api, newest, folder) as installation:
        installation.start()
        until("configurations in force", installation.in_force, within=30)
        body = namespace(unique("heard"), {INJECT: "maybe"})
        until("a word of the advisor's", lambda: api.create(body, dry_run=True).warnings, within=30)
        yield installation


@pytest.fixture
def meshed_room(ours: Installation, api: ApiServer) -> Room:
    """A Namespace that asks for injection, and that the server knows."""
    room = Room.create(api, "advised", ENABLED)
    until("a meshed Pod", lambda: meshed(room.pod(dry_run=True).ok()), within=10)
    return room


def applied(room: Room, api_version: str = "apps/v1", kind: str = "Deployment", owner: JSON | None = None) -> JSON:
    """A workload with a misspelt annotation in its Pod template."""
    body = workload(api_version, kind, room.name, "web", owner)
    template = body["spec"]["jobTemplate"]["spec"]["template"] if kind == "CronJob" else body["spec"]["template"]
    template["metadata"]["annotations"] = dict(TYPO)
    if kind == "ReplicationController":
        body["spec"]["selector"] = {"app": "web"}
    return body


def changed(api: ApiServer, body: JSON, change: JSON) -> Reply:
    """What the API server says to a change."""
    return api.request("PATCH", api.path(body), change, content_type=MERGE)


class TestWorkloads:
    @pytest.mark.parametrize(("api_version", "kind"), KINDS)
    def test_of_every_kind_are_told_of(self, meshed_room: Room, api: ApiServer, api_version: str, kind: str) -> None:
        reply = api.create(applied(meshed_room, api_version, kind))
        reply.ok()
        (warning,) = reply.warnings
        assert "did you mean config.linkerd.io/skip-outbound-ports" in warning

    def test_that_ask_by_their_namespace_are_told_why_they_will_not_get_it(
        self, meshed_room: Room, api: ApiServer
    ) -> None:
        body = workload("apps/v1", "Deployment", meshed_room.name, "agent")
        body["spec"]["template"]["spec"]["hostNetwork"] = True
        (warning,) = api.create(body).warnings
        assert warning.startswith("not injected: the Pod template has hostNetwork: true")

    def test_that_a_controller_makes_are_not_told_of_again(self, meshed_room: Room, api: ApiServer) -> None:
        deployment = api.create(applied(meshed_room)).ok()
        reply = api.create(applied(meshed_room, kind="ReplicaSet", owner=deployment))
        assert (reply.status, reply.warnings) == (201, [])

    @pytest.mark.parametrize(
        "change",
        [
            {"spec": {"replicas": 3}},
            {"metadata": {"annotations": {"example.org/other": "1"}, "labels": {"team": "a"}}},
        ],
    )
    def test_are_not_told_of_where_an_update_changes_nothing_that_counts(
        self, meshed_room: Room, api: ApiServer, change: dict[str, Any]
    ) -> None:
        body = applied(meshed_room)
        assert api.create(body).warnings
        reply = changed(api, body, change)
        assert (reply.status, reply.warnings) == (200, [])

    def test_are_told_of_again_where_the_template_changes(self, meshed_room: Room, api: ApiServer) -> None:
        body = applied(meshed_room)
        api.create(body).ok()
        change = {"spec": {"template": {"metadata": {"labels": {"app": "web", "restarted": "now"}}}}}
        assert len(changed(api, body, change).warnings) == 1

    def test_leave_one_event_about_all_that_their_pods_are_warned_of(self, meshed_room: Room, api: ApiServer) -> None:
        deployment = api.create(applied(meshed_room)).ok()
        owner = api.create(applied(meshed_room, kind="ReplicaSet", owner=deployment)).ok()
        for _ in range(2):
            meshed_room.pod(TYPO, owner=owner).ok()
        (event,) = until("the Event", lambda: meshed_room.events("web", "InjectionWarning"), within=5)
        assert (event["type"], event["involvedObject"]["kind"]) == ("Warning", "Deployment")
        assert "did you mean config.linkerd.io/skip-outbound-ports" in event["message"]


class TestNamespaces:
    def test_are_told_of_a_label_in_place_of_the_annotation_once(self, ours: Installation, api: ApiServer) -> None:
        body = namespace(unique("labelled"))
        body["metadata"]["labels"] = dict(ENABLED)
        reply = api.create(body)
        (warning,) = reply.warnings
        assert "move it to metadata.annotations" in warning
        assert changed(api, body, {"metadata": {"labels": {"team": "a"}}}).warnings == []

    def test_that_are_right_hear_nothing(self, ours: Installation, api: ApiServer) -> None:
        assert api.create(namespace(unique("right"), ENABLED)).warnings == []


def test_once_nobody_answers_any_more_nobody_is_told_anything_and_nothing_is_refused(
    ours: Installation, api: ApiServer
) -> None:
    """The last one here: it ends the replicas."""
    for replica in ours.replicas:
        replica.kill()
    assert ours.get(VALIDATING, ADVISOR)["webhooks"]
    body = namespace(unique("alone"), {INJECT: "maybe"})
    for element in (body, applied(Room(api, body["metadata"]["name"]))):
        reply = api.create(element)
        assert (reply.status, reply.warnings) == (201, [])
