"""The operators' port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from certs.issue import CertificateAndKey
from certs.tls import ServedCertificate
from tests.waiting import until
from webhook.mesh.releases import choose, detect
from webhook.review import Answer
from webhook.server import admin
from webhook.server.metrics import Metrics
from webhook.server.reload import Group


class Port:
    """The admin application, without a socket, and what it looks at."""

    def __init__(self, leaf: CertificateAndKey) -> None:
        self.metrics = Metrics()
        certificate = ServedCertificate()
        certificate.serve(certificate.check(leaf.certificate, leaf.key))
        self.cache = admin.Cache(synced=True, age=12.34, namespaces=3, owners=2)
        self.group = Group("configuration", {"values": Path("/values")}, lambda _: lambda: None)
        self.looks = 0
        self.detected = choose("edge-26.8.3")
        self.status = admin.Status(certificate, [self.group], self._look, lambda: self.detected)
        transport = httpx.ASGITransport(admin.create(self.status, self.metrics))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://admin")

    def _look(self) -> admin.Cache:
        self.looks += 1
        return self.cache

    async def ready(self) -> tuple[int, dict[str, tuple[bool, str]]]:
        """The status of `/ready`, and each condition's state and sentence."""
        response = await self.client.get("/ready")
        conditions = response.json()["conditions"]
        return response.status_code, {
            condition["name"]: (condition["ok"], condition["message"]) for condition in conditions
        }


@pytest.fixture
async def port(leaf: CertificateAndKey) -> AsyncIterator[Port]:
    """Everything well."""
    result = Port(leaf)
    yield result
    await result.client.aclose()


class TestProbes:
    """Liveness and readiness."""

    async def test_live_and_ping_answer_whatever_else_is_wrong(self, port: Port) -> None:
        """`/ping` is what Linkerd's own Deployment asks."""
        port.cache = admin.Cache(synced=False)
        assert (await port.client.get("/live")).status_code == 200
        assert (await port.client.get("/ping")).text == "pong\n"

    async def test_ready_once_all_namespaces_were_listed(self, port: Port) -> None:
        """Before, answers would all need a look-up."""
        port.cache = admin.Cache(synced=False)
        status, conditions = await port.ready()
        assert status == 503
        assert conditions["namespaces"] == (False, "the first list of Namespaces is not complete (API server)")
        port.cache = admin.Cache(synced=True, namespaces=3)
        status, conditions = await port.ready()
        assert status == 200
        assert conditions["namespaces"] == (True, "3 Namespaces known from API server")

    async def test_not_ready_while_it_drains(self, port: Port) -> None:
        """So that no new connections come."""
        port.status.drain()
        status, conditions = await port.ready()
        assert (status, conditions["serving"]) == (503, (False, "shutting down"))

    async def test_a_kubelet_is_told_that_it_is_ready_while_it_drains_unless_something_else_is_wrong(
        self, port: Port
    ) -> None:
        """Each failed probe is a warning Event, and a Pod that is being deleted gets no requests anyway."""
        port.status.drain()
        assert (await port.client.get("/ready?draining=ok")).status_code == 200
        assert (await port.client.get("/ready?draining=no")).status_code == 503
        port.cache = admin.Cache(synced=False)
        assert (await port.client.get("/ready?draining=ok")).status_code == 503

    async def test_why_namespaces_are_not_listed_is_told(self, port: Port) -> None:
        """What to grant, say."""
        port.cache = admin.Cache(synced=False, problem="grant list and watch on namespaces")
        _, conditions = await port.ready()
        assert conditions["namespaces"][1].endswith("(API server): grant list and watch on namespaces")

    async def test_an_old_cache_is_told_and_no_reason_to_be_unready(self, port: Port) -> None:
        """All replicas would go at once when the API server does."""
        port.cache = admin.Cache(synced=True, age=600, problem="connection refused")
        status, conditions = await port.ready()
        assert (status, conditions["cache"]) == (200, (False, "connection refused"))
        assert (await port.client.get("/ready")).json()["cacheAgeSeconds"] == 600

    async def test_a_refused_file_is_told_and_no_reason_to_be_unready(self, port: Port) -> None:
        """What was before is in force."""
        port.group.error = "/values: not YAML"
        status, conditions = await port.ready()
        assert status == 200
        assert conditions["configuration files"] == (
            False,
            "refused, so the earlier contents stay in effect: /values: not YAML",
        )

    async def test_the_release_line_in_force_is_told_with_the_fact_that_decided(self, port: Port) -> None:
        """Anew after each change."""
        for version, line in (("edge-26.8.3", "edge-26.8"), ("stable-2.12.3", "stable-2.12.3")):
            port.detected = detect({"linkerdVersion": version, "proxy": {}, "proxyInit": {}})
            body = (await port.client.get("/ready")).json()
            assert body["releaseLine"] == {"name": line, "release": version, "why": f"linkerdVersion is {version}"}

    async def test_the_certificate_s_expiry_is_told(self, port: Port) -> None:
        """As a time that people and programs can read."""
        body = (await port.client.get("/ready")).json()
        assert body["certificateExpiry"].endswith("Z")
        assert body["certificateExpiry"] in str(body["conditions"])


class TestStartup:
    """The startup probe waits for readiness: a probe that fails is a warning Event."""

    async def test_is_answered_once_the_server_is_ready(self, port: Port) -> None:
        port.cache = admin.Cache(synced=False)
        before = port.looks
        waiting = asyncio.create_task(port.client.get("/startup"))
        await until(lambda: port.looks - before > 3)
        assert not waiting.done()
        port.cache = admin.Cache(synced=True)
        async with asyncio.timeout(10):
            assert (await waiting).status_code == 200

    async def test_is_answered_in_any_case_after_a_while_so_that_nobody_restarts_the_server(
        self, port: Port, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(admin, "STARTUP", 0.1)
        port.cache = admin.Cache(synced=False)
        port.status.started -= 0.2
        async with asyncio.timeout(2):
            assert (await port.client.get("/startup")).status_code == 200

    async def test_does_not_hold_up_a_server_that_shuts_down(self, port: Port) -> None:
        port.cache = admin.Cache(synced=False)
        port.status.drain()
        async with asyncio.timeout(2):
            assert (await port.client.get("/startup")).status_code == 200


class TestPaths:
    """What is there, and what is not."""

    async def test_another_path_is_404(self, port: Port) -> None:
        """No documentation of an API, no schema."""
        for path in ("/docs", "/openapi.json", "/ready/"):
            assert (await port.client.get(path)).status_code == 404


class TestMetrics:
    """`/metrics`."""

    async def test_the_reference_s_dashboards_find_their_counters(self, port: Port) -> None:
        """Same names, same labels."""
        facts = {
            "owner_kind": "deployment",
            "annotation_at": "namespace",
            "skip": "true",
            "skip_reason": "host_network",
        }
        port.metrics.admissions.count("proxy-injector", "emojivoto", Answer(facts=facts), 0.001, 1, 1)
        text = (await port.client.get("/metrics")).text
        assert (
            "proxy_inject_admission_requests_total"
            '{annotation_at="namespace",namespace="emojivoto",owner_kind="deployment"} 1.0\n'
        ) in text
        assert (
            'proxy_inject_admission_responses_total{annotation_at="namespace",namespace="emojivoto",'
            'owner_kind="deployment",skip="true",skip_reason="host_network"} 1.0\n'
        ) in text

    async def test_an_answer_without_facts_counts_as_no_injection(self, port: Port) -> None:
        """A Service, say; and a refused one counts as asked only."""
        port.metrics.admissions.count("proxy-injector", "ns", Answer(), 0.001, 1, 1)
        refused = Answer(facts={"owner_kind": "pod", "annotation_at": ""})
        port.metrics.admissions.count("proxy-injector", "ns", refused, 0.001, 1, 1)
        labels = {"owner_kind": "pod", "namespace": "ns", "annotation_at": ""}
        value = port.metrics.registry.get_sample_value
        assert value("proxy_inject_admission_requests_total", labels) == 1
        text = port.metrics.render().decode()
        assert "proxy_inject_admission_responses_total{" not in text

    async def test_what_did_not_happen_yet_is_told_with_0(self, port: Port) -> None:
        """An alert on the growth of what is not there never fires the first time."""
        port.metrics.expect(["proxy-injector", "sp-validator"])
        text = (await port.client.get("/metrics")).text
        for line in (
            'linkerd_webhook_decisions_total{decision="denied",webhook="proxy-injector"} 0.0',
            'linkerd_webhook_decisions_total{decision="allowed",webhook="sp-validator"} 0.0',
            'linkerd_webhook_decisions_total{decision="denied",webhook="none"} 0.0',
            'linkerd_webhook_internal_errors_total{webhook="sp-validator"} 0.0',
            'linkerd_webhook_rejected_requests_total{status="429"} 0.0',
            'linkerd_webhook_reload_failures_total{file="values"} 0.0',
            'linkerd_webhook_reload_failures_total{file="secret"} 0.0',
            'linkerd_webhook_reloads_total{file="tls.crt"} 0.0',
            'linkerd_webhook_duration_seconds_count{webhook="proxy-injector"} 0.0',
        ):
            assert f"\n{line}\n" in text, line
        port.metrics.admissions.count("proxy-injector", "ns", Answer(decision="denied"), 0.001, 1, 1)
        port.metrics.expect(["proxy-injector"])
        labels = {"webhook": "proxy-injector", "decision": "denied"}
        assert port.metrics.registry.get_sample_value("linkerd_webhook_decisions_total", labels) == 1

    async def test_latency_and_bytes_are_told_by_webhook(self, port: Port) -> None:
        """A histogram's buckets add up."""
        for seconds in (0.0001, 0.0002, 0.02, 5.0):
            port.metrics.admissions.count("proxy-injector", "ns", Answer(decision="injected"), seconds, 100, 200)
        value = port.metrics.registry.get_sample_value
        for bound, count in (("0.0001", 1), ("0.00025", 2), ("0.01", 2), ("0.025", 3), ("1.0", 3), ("+Inf", 4)):
            labels = {"webhook": "proxy-injector", "le": bound}
            assert value("linkerd_webhook_duration_seconds_bucket", labels) == count
        webhook = {"webhook": "proxy-injector"}
        assert value("linkerd_webhook_duration_seconds_count", webhook) == 4
        assert value("linkerd_webhook_received_bytes_total", webhook) == 400
        assert value("linkerd_webhook_sent_bytes_total", webhook) == 800
        assert value("linkerd_webhook_decisions_total", webhook | {"decision": "injected"}) == 4

    async def test_a_gauge_of_1_tells_by_its_labels_what_is_in_force(self, port: Port) -> None:
        """And no longer what was."""
        labels = ("line", "release")
        port.metrics.describe("line_info", "The line.", labels, lambda: (port.detected.line.name, "edge-26.8.1"))
        before = port.metrics.render().decode()
        port.detected = choose("stable-2.14")
        after = port.metrics.render().decode()
        assert 'line_info{line="edge-26.8",release="edge-26.8.1"} 1.0' in before
        assert [line for line in after.splitlines() if line.startswith("line_info")] == [
            'line_info{line="stable-2.14",release="edge-26.8.1"} 1.0'
        ]
