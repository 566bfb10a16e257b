"""`check` from outside of the cluster: healthy after each way to install, and what it tells comes true."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from certs.issue import issue_ca
from tests.e2e.api import ApiServer
from tests.e2e.installation import CONFIGURATION_KINDS, NAME, NAMESPACE
from tests.e2e.mesh import SERVICE
from tests.e2e.objects import INJECT
from tests.e2e.waiting import until
from tests.kubernetes import images, workloads
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.installation import Installation, command, installed
from webhook.injector.settings import PREFIX
from webhook.install.configurations import SELF_TEST

JSON = dict[str, Any]

# What the leader writes caBundles into.
OURS = (*((kind, NAME) for kind in CONFIGURATION_KINDS), (CONFIGURATION_KINDS[0], SELF_TEST))
# The image that no registry has: nothing can be pulled here.
NOWHERE = "registry.example.org/linkerd-webhook:never-pushed"


def check(cluster: Cluster, *flags: str, wait: str = "0s") -> JSON:
    """What `check` prints as JSON."""
    done = command(cluster, "check", f"--wait={wait}", "-o", "json", *flags)
    report: JSON = json.loads(done.out)
    assert done.code == (0 if report["success"] else 1), done.err
    return report


def told(body: JSON) -> dict[str, str]:
    """What is wrong, by the line's code."""
    lines = [check for category in body["categories"] for check in category["checks"]]
    return {line["code"]: line["error"] for line in lines if line["result"] != "success"}


def skipped(body: JSON) -> list[str]:
    """The codes of the lines that were not judged."""
    return [element["code"] for element in body["skipped"]]


@pytest.fixture
def within(cluster: Cluster) -> str:
    """A Namespace that asks to be meshed."""
    return workloads.namespace(cluster, "checked")


def put(cluster: Cluster, within: str, kind: str, spec: JSON) -> None:
    """A ResourceQuota or LimitRange `limits`."""
    cluster.apply(
        {"apiVersion": "v1", "kind": kind, "metadata": {"name": "limits", "namespace": within}, "spec": spec}
    ).ok()


def limited(within: str, limits: Mapping[str, str]) -> JSON:
    """A Pod whose own container has limits."""
    body = workloads.pod(within)
    body["spec"]["containers"][0]["resources"] = {"limits": dict(limits)}
    return body


def bare(cluster: Cluster, within: str) -> None:
    """The Namespace asks for no proxies any more, and takes the same Pod."""
    cluster.kubectl("annotate", "--overwrite", "namespace", within, f"{INJECT}=disabled").ok()
    workloads.create(cluster, workloads.pod(within)).ok()


@pytest.fixture
def lost_replica(cluster: Cluster, installation: Installation) -> Iterator[str]:
    """A replica on a Node whose kubelet has died: it was ready, and its heartbeats have ended. The Node's name."""
    name = "lost"
    metadata = {"name": name, "labels": {"kubernetes.io/os": "linux"}}
    cluster.apply({"apiVersion": "v1", "kind": "Node", "metadata": metadata}).ok()
    heartbeat(cluster, name)
    try:
        cluster.kubectl("cordon", "node").ok()
        installation.kubectl("delete", "--wait=false", "pod", installation.replicas()[0]["metadata"]["name"]).ok()
        there = until("a replica on it", lambda: on_node(installation, name), within=60, interval=0.5)
        cluster.kubectl("uncordon", "node").ok()
        conditions = [{"type": kind, "status": "True"} for kind in ("ContainersReady", "Ready")]
        replica = f"pod/{there[0]}"
        patch_status(cluster, replica, {"phase": "Running", "conditions": conditions}, "-n", NAMESPACE)
        # The last one: from here on the node controller waits for the next.
        heartbeat(cluster, name)

        def declared() -> bool:
            states = cluster.get(replica, "-n", NAMESPACE)["status"]["conditions"]
            return any(state["type"] == "Ready" and state["status"] == "False" for state in states)

        until("the node controller's word", declared, within=120, interval=1)
        yield name
    finally:
        cluster.kubectl("uncordon", "node").ok()
        cluster.kubectl("delete", "node", name).ok()
        for replica in on_node(installation, name):
            installation.kubectl("delete", "pod", replica, "--force", "--grace-period=0").ok()
        installation.roll_out()


def heartbeat(cluster: Cluster, node: str) -> None:
    """Say that a Node is ready, as its kubelet does."""
    amounts = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now}
    patch_status(cluster, f"node/{node}", {"capacity": amounts, "allocatable": amounts, "conditions": [ready]})


def on_node(installation: Installation, node: str) -> list[str]:
    """The names of the replicas on a Node."""
    replicas = installation.replicas()
    return [pod["metadata"]["name"] for pod in replicas if pod["spec"].get("nodeName") == node]


def patch_status(cluster: Cluster, name: str, status: JSON, *more: str) -> None:
    """Write a status as a kubelet does."""
    cluster.kubectl("patch", name, "--subresource=status", "-p", json.dumps({"status": status}), *more).ok()


def distrust(cluster: Cluster, api: ApiServer, installation: Installation) -> None:
    """Another CA in every caBundle of ours, and nobody leads who would mend that."""
    lease = {"holderIdentity": "nobody", "leaseDurationSeconds": 3600, "renewTime": "2099-01-01T00:00:00.000000Z"}
    installation.kubectl("patch", f"lease/{NAME}", "--type=merge", "-p", json.dumps({"spec": lease})).ok()
    # The leader notices when it renews.
    until("nobody leads", lambda: not leads(installation), within=60, interval=0.5)
    ca = base64.b64encode(issue_ca("another").certificate).decode()
    for kind, name in OURS:
        body = installation.configuration(kind, name)
        webhooks = [
            webhook | {"clientConfig": webhook["clientConfig"] | {"caBundle": ca}} for webhook in body["webhooks"]
        ]
        api.patch(body, {"webhooks": webhooks})


def leads(installation: Installation) -> bool:
    """Whether a replica says that it leads."""
    names = [pod["metadata"]["name"] for pod in installation.replicas()]
    return any("\nlinkerd_webhook_leader 1" in installation.get(name, "/metrics") for name in names)


@contextlib.contextmanager
def firewall(cluster: Cluster, installation: Installation) -> Iterator[None]:
    """Within the block the node drops whatever goes from it to the port by which the API server calls the replicas."""
    port = installation.replicas()[0]["spec"]["containers"][0]["ports"]
    (https,) = [named["containerPort"] for named in port if named["name"] == "https"]
    rules = f"""table inet webhook-tests {{
        chain output {{ type filter hook output priority filter; ip daddr 10.244.0.0/16 tcp dport {https} drop; }}
    }}"""
    cluster.on_node("nft", "-f", "-", stdin=rules).ok()
    try:
        yield
    finally:
        cluster.on_node("nft", "delete", "table", "inet", "webhook-tests").ok()


def assert_healthy(cluster: Cluster, within: str, *, unjudged: tuple[str, ...] = ()) -> None:
    """Nothing is told right after the rollout, nor once a workload of the Namespace is meshed."""
    problems = check(cluster, "-n", within, wait="60s")
    assert (told(problems), skipped(problems)) == ({}, list(unjudged))
    workloads.assert_meshed(workloads.roll_out(cluster, workloads.deployment(within)))
    for flags in ((), ("--proxy",)):
        problems = check(cluster, "-n", within, *flags)
        assert told(problems) == {}


@pytest.mark.usefixtures("clean")
class TestHealthyRightAfterTheRollout:
    @pytest.mark.parametrize("flags", [(), ("--failure-policy=Fail",)], ids=["own", "fail"])
    @pytest.mark.usefixtures("linkerds_gone")
    def test_is_an_installation_in_the_place_of_linkerds(
        self, cluster: Cluster, api: ApiServer, within: str, flags: tuple[str, ...]
    ) -> None:
        assert told(check(cluster, "--pre")) == {}
        installation = Installation(cluster, api, flags)
        installation.apply().ok()
        installation.roll_out()
        assert_healthy(cluster, within)

    def test_is_an_adopted_one(self, cluster: Cluster, api: ApiServer, within: str) -> None:
        installation = Installation(cluster, api, ("--adopt",))
        installation.apply().ok()
        installation.roll_out()
        assert_healthy(cluster, within)

    @pytest.mark.usefixtures("injector")
    def test_is_the_image_in_linkerds_deployment(self, cluster: Cluster, within: str) -> None:
        cluster.kubectl("-n", NAMESPACE, "set", "image", f"deploy/{SERVICE}", f"proxy-injector={images.OURS}").ok()
        cluster.kubectl("-n", NAMESPACE, "rollout", "status", f"deploy/{SERVICE}", "--timeout=120s").ok()
        assert_healthy(cluster, within, unjudged=("rights", "webhook-reached"))


@pytest.mark.usefixtures("clean", "linkerds_gone")
class TestForetold:
    def test_an_image_that_cannot_be_pulled_leaves_pods_without_a_proxy(
        self, cluster: Cluster, api: ApiServer, within: str
    ) -> None:
        printed = command(cluster, "install", f"--image={NOWHERE}").ok()
        cluster.kubectl("apply", "-f", "-", stdin=printed).ok()
        result = told(check(cluster, wait="10s"))
        assert NOWHERE in result["replicas"]
        assert "ImagePull" in result["replicas"]
        workloads.create(cluster, workloads.pod(within)).ok()
        workloads.assert_bare(workloads.running(cluster, within))

    def test_a_service_without_endpoints_makes_the_api_server_refuse_pods_under_fail(
        self, cluster: Cluster, api: ApiServer, within: str
    ) -> None:
        with installed(cluster, api, ("--failure-policy=Fail",)) as installation:
            installation.scale(0)
            result = told(check(cluster, "-n", within))
            assert "spec.replicas" in result["replicas"]
            assert "no endpoint" in result["webhook-reached"]
            assert "of ours fails" in result["webhook-injects"]
            done = workloads.create(cluster, workloads.pod(within))
            assert done.code != 0
            # kube-proxy refuses connections to a Service without endpoints; other API servers look for them.
            assert "connection refused" in done.err or "no endpoints available" in done.err

    def test_a_firewall_between_the_api_server_and_the_replicas_leaves_pods_without_a_proxy(
        self, cluster: Cluster, api: ApiServer, within: str
    ) -> None:
        with installed(cluster, api) as installation:
            with firewall(cluster, installation):
                result = told(check(cluster, "-n", within))
                assert "firewall" in result["webhook-reached"]
                # Kubelets reach the replicas, and so does port-forward.
                assert "replicas" not in result
                assert "certificate" not in result
                workloads.create(cluster, workloads.pod(within)).ok()
                workloads.assert_bare(workloads.running(cluster, within))
            assert told(check(cluster, "-n", within, "--suppress=unmeshed")) == {}

    def test_a_certificate_that_ca_bundles_do_not_trust_makes_the_api_server_refuse_pods_under_fail(
        self, cluster: Cluster, api: ApiServer, within: str
    ) -> None:
        with installed(cluster, api, ("--failure-policy=Fail",)) as installation:
            distrust(cluster, api, installation)
            result = told(check(cluster, "-n", within))
            assert "MutatingWebhookConfiguration linkerd-webhook" in result["ca-bundle"]
            assert "written by" in result["ca-bundle"]
            assert "x509" in result["webhook-reached"] or "trust" in result["webhook-reached"]
            assert "of ours fails" in result["webhook-injects"]
            refused = workloads.create(cluster, workloads.pod(within))
            assert refused.code != 0
            assert "x509: certificate signed by unknown authority" in refused.err


@pytest.mark.usefixtures("installation")
class TestADeadNode:
    def test_is_told_of_the_replica_on_it_while_the_other_one_injects(
        self, cluster: Cluster, within: str, lost_replica: str
    ) -> None:
        # Linkerd's own configuration of its injector is there, too.
        result = told(check(cluster, "-n", within, "--suppress=two-injectors"))
        assert list(result) == ["replicas"]
        assert f"spec.nodeName {lost_replica}" in result["replicas"]
        assert "does not answer" in result["replicas"]
        assert workloads.would_be_meshed(cluster, within)


@pytest.mark.usefixtures("installation")
class TestForetoldOfANamespace:
    """What the API server refuses once a Pod is injected, though it would take the Pod as it was written."""

    def test_pod_security(self, cluster: Cluster) -> None:
        within = workloads.namespace(cluster, "level", {"pod-security.kubernetes.io/enforce": "baseline"})
        result = told(check(cluster, "-n", within))
        assert f"Namespace {within}" in result["pod-security"]
        assert "linkerd-init" in result["pod-security"]
        refused = workloads.create(cluster, workloads.pod(within)).err
        assert 'violates PodSecurity "baseline' in refused
        assert "linkerd-init" in refused
        bare(cluster, within)
        assert "pod-security" not in told(check(cluster, "-n", within))

    def test_a_quota_that_a_limit_range_mends(self, cluster: Cluster) -> None:
        within = workloads.namespace(cluster, "quota")
        put(cluster, within, "ResourceQuota", {"hard": {"limits.memory": "4Gi"}})
        result = told(check(cluster, "-n", within))
        assert f"ResourceQuota {within}/limits: spec.hard[limits.memory]" in result["quota"]
        body = limited(within, {"memory": "64Mi"})
        refused = workloads.create(cluster, body).err
        assert "must specify limits.memory for: linkerd-" in refused
        put(cluster, within, "LimitRange", {"limits": [{"type": "Container", "default": {"memory": "256Mi"}}]})
        assert "quota" not in told(check(cluster, "-n", within))
        assert workloads.create(cluster, body).code == 0

    def test_a_limit_range_s_maximum(self, cluster: Cluster) -> None:
        within = workloads.namespace(cluster, "range")
        annotation = f"{PREFIX}proxy-memory-limit=512Mi"
        cluster.kubectl("annotate", "namespace", within, annotation).ok()
        item = {"type": "Container", "max": {"memory": "128Mi"}, "default": {"memory": "64Mi"}}
        put(cluster, within, "LimitRange", {"limits": [item]})
        result = told(check(cluster, "-n", within))
        assert f"LimitRange {within}/limits" in result["quota"]
        assert "at most 128Mi, and linkerd-" in result["quota"]
        refused = workloads.create(cluster, workloads.pod(within)).err
        assert "maximum memory usage per Container is 128Mi" in refused
        cluster.kubectl("annotate", "--overwrite", "namespace", within, f"{PREFIX}proxy-memory-limit=128Mi").ok()
        assert "quota" not in told(check(cluster, "-n", within))
        assert workloads.create(cluster, workloads.pod(within)).code == 0
