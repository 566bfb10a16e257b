"""The program with this project's own RBAC, which grants less than Linkerd's: all works, and nothing else may."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.api import ApiServer
from tests.e2e.mesh import OUR_ACCOUNT, ControlPlane, our_rbac
from tests.e2e.objects import ENABLED, Room, bare, meshed
from tests.e2e.program import Webhook
from tests.e2e.waiting import until


@pytest.fixture(scope="module")
def account(control_plane: ControlPlane, api: ApiServer) -> Iterator[str]:
    """The service account of `deploy/rbac.yaml`, with its rights in force."""
    manifests = our_rbac()
    for body in manifests:
        api.apply(body)
    as_webhook = api.as_user(OUR_ACCOUNT)
    until("the rights", lambda: as_webhook.request("GET", "/api/v1/namespaces").status == 200, within=10)
    yield OUR_ACCOUNT
    as_webhook.close()
    for body in manifests:
        api.delete(body)


@pytest.fixture(scope="module")
def as_webhook(api: ApiServer, account: str) -> Iterator[ApiServer]:
    """The API server as the program sees it."""
    result = api.as_user(account)
    yield result
    result.close()


class TestWhatIsGranted:
    def test_injection_owners_and_events_work(self, room: Room, webhook: Webhook) -> None:
        _, replicaset = room.deployment("shop")
        stored = room.pod(owner=replicaset).ok()
        assert meshed(stored)
        assert stored["metadata"]["labels"]["linkerd.io/proxy-deployment"] == "shop"
        until("the Event", lambda: room.events("shop", "Injected"), within=5)
        # The second one is counted on the first: a patch.
        room.pod(owner=replicaset).ok()
        until("its count", lambda: room.events("shop", "Injected")[0]["count"] == 2, within=5)

    def test_a_cron_job_is_found(self, room: Room) -> None:
        cron_job = room.workload("batch/v1", "CronJob", "nightly")
        assert meshed(room.pod(owner=room.workload("batch/v1", "Job", "nightly-1", cron_job)).ok())
        until("the Event", lambda: room.events("nightly", "Injected"), within=5)

    def test_namespaces_are_watched(self, plain_room: Room) -> None:
        assert bare(plain_room.pod().ok())
        plain_room.annotate(dict(ENABLED))
        until("the next Pod meshed", lambda: meshed(plain_room.pod(dry_run=True).ok()), within=2)

    def test_the_program_was_never_refused_anything(self, webhook: Webhook) -> None:
        assert "forbidden" not in webhook.log
        assert webhook.condition("cache")["ok"]


@pytest.mark.usefixtures("webhook")
class TestWhatIsNot:
    @pytest.mark.parametrize(
        "path",
        [
            "/api/v1/pods",
            "/api/v1/secrets",
            "/api/v1/configmaps",
            "/api/v1/endpoints",
            "/api/v1/events",
            "/apis/apps/v1/deployments",
            "/apis/apps/v1/replicasets",
            "/apis/batch/v1/jobs",
            "/apis/batch/v1/cronjobs",
            "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        ],
    )
    def test_listing_is_forbidden(self, as_webhook: ApiServer, path: str) -> None:
        assert as_webhook.request("GET", path).status == 403

    def test_nothing_can_be_changed(self, as_webhook: ApiServer, room: Room) -> None:
        pod = room.pod().ok()
        path = f"/api/v1/namespaces/{room.name}"
        change = {"metadata": {"annotations": {"example.org/note": "changed"}}}
        merge = "application/merge-patch+json"
        assert as_webhook.request("PATCH", path, change, content_type=merge).status == 403
        assert as_webhook.request("DELETE", path).status == 403
        assert as_webhook.request("DELETE", f"{path}/pods/{pod['metadata']['name']}").status == 403
