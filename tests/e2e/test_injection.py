"""What becomes of Pods and Services that are created through the API server."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.api import JSON, ApiServer
from tests.e2e.mesh import Manifests
from tests.e2e.objects import (
    ENABLED,
    INJECT,
    Room,
    bare,
    container,
    containers,
    env,
    init_containers,
    meshed,
    pod,
    service,
    unique,
)
from tests.e2e.program import Webhook
from tests.e2e.waiting import until


class TestMeshedPod:
    def test_the_containers_are_where_the_line_puts_them(self, room: Room, manifests: Manifests) -> None:
        stored = room.pod(initContainers=[{"name": "setup", "image": "busybox"}]).ok()
        if manifests.line == "edge-26.8":
            assert init_containers(stored) == ["linkerd-init", "linkerd-proxy", "setup"]
            assert containers(stored) == ["web"]
            proxy = container(stored, "linkerd-proxy")
            assert proxy is not None
            assert proxy["restartPolicy"] == "Always"
        else:
            assert containers(stored) == ["linkerd-proxy", "web"]
            assert init_containers(stored) == ["setup", "linkerd-init"]

    def test_the_proxy_is_told_what_the_mesh_is_like(self, room: Room, manifests: Manifests) -> None:
        values = manifests.values
        variables = env(room.pod().ok())
        assert _log_level_is(variables, values["proxy"]["logLevel"])
        assert variables["LINKERD2_PROXY_INBOUND_PORTS"] == "8080"
        assert variables["LINKERD2_PROXY_DESTINATION_SVC_ADDR"].startswith("linkerd-dst-headless.linkerd.svc.")
        assert variables["LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS"] == f"{manifests.trust_anchors.strip()}\n"

    def test_the_init_container_sends_traffic_to_the_proxy_s_ports(self, room: Room) -> None:
        init = container(room.pod().ok(), "linkerd-init")
        assert init is not None
        arguments = dict(zip(init["args"], init["args"][1:], strict=False))
        assert arguments["--incoming-proxy-port"] == "4143"
        assert arguments["--outgoing-proxy-port"] == "4140"
        assert arguments["--proxy-uid"] == "2102"

    def test_labels_annotations_and_volumes_say_which_mesh_it_is_in(self, room: Room, manifests: Manifests) -> None:
        stored = room.pod().ok()
        labels, annotations = stored["metadata"]["labels"], stored["metadata"]["annotations"]
        assert labels["app"] == "web"
        assert labels["linkerd.io/control-plane-ns"] == "linkerd"
        assert labels["linkerd.io/workload-ns"] == room.name
        assert annotations["linkerd.io/proxy-version"] == manifests.values["linkerdVersion"]
        digest = hashlib.sha256(manifests.trust_anchors.encode()).hexdigest()
        assert annotations["linkerd.io/trust-root-sha256"] == digest
        volumes = {volume["name"] for volume in stored["spec"]["volumes"]}
        assert {"linkerd-identity-end-entity", "linkerd-identity-token", "linkerd-proxy-init-xtables-lock"} <= volumes

    def test_the_pod_s_annotation_is_taken_before_the_namespace_s(self, plain_room: Room) -> None:
        plain_room.annotate({**ENABLED, "config.linkerd.io/proxy-log-level": "info"})
        until("the Namespace's", lambda: _has_log_level(plain_room.pod(dry_run=True).ok(), "info"), within=2)
        assert _has_log_level(plain_room.pod({"config.linkerd.io/proxy-log-level": "debug"}).ok(), "debug")

    def test_what_is_stored_is_what_the_client_was_answered(self, room: Room, api: ApiServer) -> None:
        created = room.pod().ok()
        path = f"/api/v1/namespaces/{room.name}/pods/{created['metadata']['name']}"
        assert api.request("GET", path).ok()["spec"] == created["spec"]

    def test_a_hostile_annotation_arrives_as_it_was_written(self, room: Room) -> None:
        text = 'quote " backslash \\ newline \n and ünïcode {{ .Values }}'
        stored = room.pod({"example.org/note": text, "config.linkerd.io/proxy-log-level": 'warn,"a\\b"=info'}).ok()
        assert meshed(stored)
        assert stored["metadata"]["annotations"]["example.org/note"] == text
        assert _has_log_level(stored, 'warn,"a\\b"=info')


class TestOwners:
    def test_a_pod_of_a_deployment_is_meshed_and_says_which(self, room: Room) -> None:
        _, replicaset = room.deployment("shop")
        stored = room.pod(owner=replicaset).ok()
        assert meshed(stored)
        assert _owner_labels(stored) == {"linkerd.io/proxy-deployment": "shop"}

    def test_a_pod_of_a_job_is_meshed_and_says_which(self, room: Room) -> None:
        stored = room.pod(owner=room.workload("batch/v1", "Job", "once")).ok()
        assert meshed(stored)
        assert _owner_labels(stored) == {"linkerd.io/proxy-job": "once"}

    def test_a_pod_of_a_cron_job_s_job_counts_as_the_cron_job_s(self, room: Room, webhook: Webhook) -> None:
        cron_job = room.workload("batch/v1", "CronJob", "nightly")
        stored = room.pod(owner=room.workload("batch/v1", "Job", "nightly-29000000", cron_job)).ok()
        assert meshed(stored)
        # Linkerd has a label for each kind of workload but this one.
        assert _owner_labels(stored) == {}
        counted = {"namespace": room.name, "owner_kind": "cronjob", "skip": "false"}
        assert webhook.metric("proxy_inject_admission_responses_total", **counted) == 1
        event = until("the Event", lambda: room.events("nightly", "Injected"), within=5)[0]
        assert event["involvedObject"]["kind"] == "CronJob"

    def test_a_bare_pod_is_meshed_and_names_no_owner(self, room: Room) -> None:
        stored = room.pod().ok()
        assert meshed(stored)
        assert _owner_labels(stored) == {}

    def test_an_owner_that_does_not_exist_costs_the_pod_no_sidecar(self, room: Room) -> None:
        _, replicaset = room.deployment("ghost")
        room.api.delete({**replicaset, "metadata": {"name": "ghost-7d4b9c6f5", "namespace": room.name}}).ok()
        reply = room.pod(owner=replicaset)
        assert meshed(reply.ok())
        assert _owner_labels(reply.body) == {"linkerd.io/proxy-replicaset": "ghost-7d4b9c6f5"}


class TestOptingOut:
    def test_a_pod_that_opts_out_stays_bare_and_hears_nothing(self, room: Room) -> None:
        reply = room.pod({INJECT: "disabled"})
        assert bare(reply.ok())
        assert reply.warnings == []

    def test_a_pod_that_nobody_asked_to_inject_stays_bare(self, plain_room: Room) -> None:
        reply = plain_room.pod()
        assert bare(reply.ok())
        assert reply.warnings == []

    def test_a_pod_that_opts_in_by_itself_is_meshed(self, plain_room: Room) -> None:
        assert meshed(plain_room.pod(ENABLED).ok())


class TestNamespaces:
    def test_one_annotated_after_the_fact_takes_effect_within_two_seconds(self, plain_room: Room) -> None:
        assert bare(plain_room.pod().ok())
        plain_room.annotate(dict(ENABLED))
        until("the next Pod meshed", lambda: meshed(plain_room.pod(dry_run=True).ok()), within=2)
        assert meshed(plain_room.pod().ok())

    def test_a_pod_right_after_its_namespace_is_meshed(self, webhook: Webhook, api: ApiServer) -> None:
        result = [Room.create(api, "fresh", ENABLED).pod().ok() for _ in range(20)]
        assert all(meshed(finding) for finding in result)


class TestServices:
    def test_one_with_opaque_ports_gets_the_namespace_s_annotation(self, plain_room: Room, api: ApiServer) -> None:
        plain_room.annotate({"config.linkerd.io/opaque-ports": "3306"})

        def annotated() -> bool:
            stored = api.create(service(plain_room.name, unique("db"))).ok()
            annotations: dict[str, str] = stored["metadata"].get("annotations", {})
            return annotations.get("config.linkerd.io/opaque-ports") == "3306"

        until("the annotation on the next Service", annotated, within=2)

    def test_one_keeps_its_own_opaque_ports(self, room: Room, api: ApiServer) -> None:
        own = {"config.linkerd.io/opaque-ports": "80"}
        assert api.create(service(room.name, "own", own)).ok()["metadata"]["annotations"] == own

    def test_a_default_opaque_port_is_said_on_the_service(self, room: Room, api: ApiServer) -> None:
        stored = api.create(service(room.name, "mysql")).ok()
        assert stored["metadata"]["annotations"]["config.linkerd.io/opaque-ports"] == "3306"


class TestWarnings:
    BAD = {"config.linkerd.io/proxy-cpu-limit": "lots"}  # noqa: RUF012

    def test_a_bad_annotation_is_told_to_the_client_and_the_pod_is_meshed(self, room: Room) -> None:
        reply = room.pod(self.BAD)
        assert meshed(reply.ok())
        assert len(reply.warnings) == 1
        assert "proxy-cpu-limit" in reply.warnings[0]
        assert "lots" in reply.warnings[0]

    def test_kubectl_prints_it(self, room: Room, kubeconfig: Path) -> None:
        kubectl = shutil.which("kubectl")
        if kubectl is None:
            pytest.skip("no kubectl on PATH")
        done = subprocess.run(
            [kubectl, f"--kubeconfig={kubeconfig}", "create", "-f", "-"],
            input=json.dumps(pod(room.name, self.BAD)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Warning: " in done.stderr
        assert "proxy-cpu-limit" in done.stderr

    def test_a_misspelt_annotation_is_told_with_the_name_that_was_meant(self, room: Room) -> None:
        reply = room.pod({"config.linkerd.io/proxy-cpu-limits": "1"})
        assert meshed(reply.ok())
        assert any("proxy-cpu-limit" in warning for warning in reply.warnings)

    def test_a_pod_that_asks_and_is_skipped_is_told_why(self, room: Room) -> None:
        reply = room.pod(dict(ENABLED), hostNetwork=True)
        assert bare(reply.ok())
        assert any("hostNetwork" in warning for warning in reply.warnings)


class TestEvents:
    def test_injected_appears_on_the_deployment(self, room: Room) -> None:
        deployment, replicaset = room.deployment("shop")
        room.pod(owner=replicaset).ok()
        event = until("the Event", lambda: room.events("shop", "Injected"), within=5)[0]
        assert event["involvedObject"]["kind"] == "Deployment"
        assert event["involvedObject"]["uid"] == deployment["metadata"]["uid"]
        assert event["source"]["component"] == "linkerd-proxy-injector"

    def test_injection_skipped_appears_with_the_reason(self, room: Room) -> None:
        _, replicaset = room.deployment("node-agent")
        room.pod(owner=replicaset, hostNetwork=True).ok()
        event = until("the Event", lambda: room.events("node-agent", "InjectionSkipped"), within=5)[0]
        assert event["type"] == "Warning"
        assert "the Pod template has hostNetwork: true" in event["message"]
        assert event["message"].endswith("(host_network_enabled)")

    def test_warnings_appear_on_the_deployment_with_the_full_text(self, room: Room) -> None:
        _, replicaset = room.deployment("typo")
        room.pod({"config.linkerd.io/proxy-cpu-limits": "1"}, owner=replicaset).ok()
        event = until("the Event", lambda: room.events("typo", "InjectionWarning"), within=5)[0]
        assert event["type"] == "Warning"
        assert "did you mean config.linkerd.io/proxy-cpu-limit" in event["message"]

    def test_a_dry_run_leaves_none(self, room: Room) -> None:
        _, tried = room.deployment("tried")
        _, done = room.deployment("done")
        assert meshed(room.pod(owner=tried, dry_run=True).ok())
        room.pod(owner=done).ok()
        # Events are sent in order: once the later one is there, the earlier one would be.
        until("the later Event", lambda: room.events("done", "Injected"), within=5)
        assert room.events("tried", "Injected") == []

    def test_many_pods_of_a_deployment_make_one_event_with_a_count(self, room: Room) -> None:
        _, replicaset = room.deployment("wide")
        for _ in range(5):
            room.pod(owner=replicaset).ok()
        until("the count", lambda: [e for e in room.events("wide", "Injected") if e["count"] == 5], within=5)
        assert len(room.events("wide", "Injected")) == 1


class TestMetrics:
    def test_responses_are_counted_as_linkerd_s_dashboards_want_them(self, room: Room, webhook: Webhook) -> None:
        _, replicaset = room.deployment("shop")
        for _ in range(3):
            room.pod(owner=replicaset).ok()
        room.pod({INJECT: "disabled"}, owner=replicaset).ok()
        name = "proxy_inject_admission_responses_total"
        of_deployment = {"namespace": room.name, "owner_kind": "deployment"}
        assert webhook.metric(name, **of_deployment, annotation_at="namespace", skip="false") == 3
        assert webhook.metric(name, **of_deployment, annotation_at="workload", skip="true") == 1
        assert webhook.metric("proxy_inject_admission_requests_total", **of_deployment) == 4

    def test_the_api_server_calls_the_webhook_by_linkerd_s_configuration(self, api: ApiServer) -> None:
        kind = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
        path = f"{kind}/linkerd-proxy-injector-webhook-config"
        webhook = api.request("GET", path).ok()["webhooks"][0]
        assert webhook["clientConfig"]["service"]["path"] == "/"
        assert b"BEGIN CERTIFICATE" in base64.b64decode(webhook["clientConfig"]["caBundle"])


def _owner_labels(body: JSON) -> dict[str, str]:
    return {name: value for name, value in body["metadata"]["labels"].items() if name.startswith("linkerd.io/proxy-")}


def _has_log_level(body: JSON, level: str) -> bool:
    return meshed(body) and _log_level_is(env(body), level)


def _log_level_is(variables: dict[str, str], level: str) -> bool:
    """At edge the level is followed by what keeps HTTP headers out of the log."""
    return variables["LINKERD2_PROXY_LOG"] in (level, f"{level},[{{headers}}]=off,[{{request}}]=off")
