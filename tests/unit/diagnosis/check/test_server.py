"""Whether replicas are ready, are called, and inject."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.diagnosis.certificates.site import SERVICE, SLICE, Site
from tests.unit.diagnosis.check.installed_cluster import InstalledCluster, said, skipped
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.server import replicas, replicas_fail, webhook_injects, webhook_reached
from webhook.diagnosis.check.server_facts import DryRun, ServerFacts
from webhook.diagnosis.finding import CheckFinding, CheckSeverity
from webhook.diagnosis.selftest import SelfTestResult, failed
from webhook.diagnosis.unseen import MissingRight, NotAsked, NotRead, NotSeen, seen
from webhook.install.configurations import NAME
from webhook.kube.errors import ApiError

MUTATING = "MutatingWebhookConfiguration"
MESHED = {"spec": {"initContainers": [{"name": "linkerd-init"}], "containers": [{"name": "linkerd-proxy"}]}}
NATIVE = {"spec": {"initContainers": [{"name": "linkerd-proxy"}], "containers": [{"name": "check"}]}}


async def facts(cluster: InstalledCluster | None = None, site: Site | None = None, **server: Any) -> ClusterFacts:
    """A cluster with a server that is well, but for what is given."""
    site = site or Site().self_managed()
    result: dict[str, Any] = {
        "services": {SERVICE: {"kind": "Service"}},
        "certificates": {SERVICE: await site.look()},
        "self_test": SelfTestResult("pod-1"),
        "dry_run": DryRun("shop", MESHED),
    }
    return (cluster or InstalledCluster()).facts(server=ServerFacts(**{**result, **server}))


def on_node(name: str, ready: str = "True") -> dict[str, Any]:
    """A Pod whose containers are ready, as far as its kubelet has told."""
    conditions = [{"type": "ContainersReady", "status": "True"}, {"type": "Ready", "status": ready}]
    return {
        "metadata": {"name": f"webhook-{name}"},
        "spec": {"nodeName": f"node-{name}"},
        "status": {"phase": "Running", "conditions": conditions},
    }


class TestReplicas:
    async def test_nothing_is_said_of_replicas_that_are_ready(self) -> None:
        assert said(replicas, await facts()) == []
        assert replicas.awaited

    async def test_none_is_an_error(self) -> None:
        site = Site().self_managed()
        site.replicas()
        site.deploy("--certs=self-managed")
        [finding] = said(replicas, await facts(site=site))
        assert (finding.code, finding.severity) == ("replicas", CheckSeverity.ERROR)
        assert finding.object == "Deployment linkerd/linkerd-webhook"

    async def test_what_the_pods_wait_for_is_told(self) -> None:
        site = Site().self_managed()
        site.replicas()
        site.deploy("--certs=self-managed")
        waits = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'}
        pulling = {
            "metadata": {"name": "webhook-1"},
            "status": {"containerStatuses": [{"name": "webhook", "state": {"waiting": waits}}]},
        }
        unscheduled = {
            "metadata": {"name": "webhook-2"},
            "status": {
                "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]
            },
        }
        [finding] = said(replicas, await facts(site=site, pods={SERVICE: (pulling, unscheduled)}))
        assert finding.message.endswith(
            '(Pod webhook-1: container webhook waits: ImagePullBackOff: Back-off pulling image "x"; '
            "Pod webhook-2 is on no node: 0/3 nodes are available)"
        )

    async def test_a_replica_on_a_node_that_does_not_answer_is_a_warning_though_others_are_ready(self) -> None:
        [finding] = said(replicas, await facts(pods={SERVICE: (on_node("1"), on_node("2", ready="False"))}))
        assert finding.severity is CheckSeverity.WARNING
        assert finding.object == "Pod linkerd/webhook-2"
        assert finding.value == "node-2"
        assert "does not answer" in finding.message
        assert "kubectl delete node node-2" in finding.fix

    async def test_nodes_that_do_not_answer_are_why_no_replica_is_ready(self) -> None:
        site = Site().self_managed()
        site.replicas()
        site.deploy("--certs=self-managed")
        error, lost = said(replicas, await facts(site=site, pods={SERVICE: (on_node("1", ready="False"),)}))
        assert error.severity is CheckSeverity.ERROR
        assert error.message.endswith("(Pod webhook-1 is on Node node-1, which does not answer)")
        assert lost.severity is CheckSeverity.WARNING

    async def test_a_pod_that_is_not_ready_for_another_reason_is_on_no_such_node(self) -> None:
        gated, leaving, failing = (on_node(name, ready="False") for name in ("1", "2", "3"))
        gated["spec"]["readinessGates"] = [{"conditionType": "example.org/gate"}]
        leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        failing["status"]["conditions"][0]["status"] = "False"
        assert said(replicas, await facts(pods={SERVICE: (gated, leaving, failing)})) == []

    async def test_a_deployment_that_is_gone_is_told(self) -> None:
        cluster = InstalledCluster()
        del cluster["Deployment", NAME]
        [finding] = said(replicas, await facts(cluster))
        assert finding.object == "Deployment linkerd/linkerd-webhook"
        assert "does not exist" in finding.message

    async def test_a_service_that_is_gone_is_told(self) -> None:
        [finding] = said(replicas, await facts(services={SERVICE: None}))
        assert finding.object == "Service linkerd/linkerd-webhook"
        assert "linkerd-webhook install" in finding.fix

    async def test_without_the_right_to_list_endpoints_it_is_an_error_that_names_it(self) -> None:
        site = Site().self_managed()
        site.failures[SLICE.rpartition("/")[0]] = ApiError(403, 'User "jane" cannot list resource')
        [finding] = said(replicas, await facts(site=site))
        assert "list endpointslices.discovery.k8s.io" in finding.message

    async def test_a_failure_is_told(self) -> None:
        [finding] = said(replicas, await facts(certificates={SERVICE: NotRead("the API server went away")}))
        assert finding.message == "the API server went away"

    async def test_nothing_is_judged_without_an_installation(self) -> None:
        nothing = InstalledCluster().facts(installation=None)
        for line in (replicas, replicas_fail, webhook_reached, webhook_injects):
            assert skipped(line, nothing) == "linkerd-webhook is not installed"


class TestOneReplica:
    def alone(self, **paths: Any) -> InstalledCluster:
        return InstalledCluster(**{"replicas": 1, **paths})

    async def test_one_under_fail_is_a_warning(self) -> None:
        [finding] = said(replicas_fail, await facts(self.alone(failurePolicy="Fail")))
        assert finding.severity is CheckSeverity.WARNING
        assert "MutatingWebhookConfiguration linkerd-webhook" in finding.message
        assert "scale deploy/linkerd-webhook --replicas=2" in finding.fix

    async def test_two_are_fine_and_so_is_one_under_ignore(self) -> None:
        assert said(replicas_fail, await facts(InstalledCluster(failurePolicy="Fail"))) == []
        # The self-test fails always, and stops nobody.
        assert said(replicas_fail, await facts(self.alone())) == []

    def test_linkerds_deployment_counts_for_its_own_configuration(self) -> None:
        cluster = InstalledCluster.image()
        assert said(replicas_fail, cluster.facts()) == []
        cluster.webhooks(MUTATING, "linkerd-proxy-injector-webhook-config")[0]["failurePolicy"] = "Fail"
        [finding] = said(replicas_fail, cluster.facts())
        assert finding.object == "Deployment linkerd/linkerd-proxy-injector"


CALL = 'Internal error occurred: failed calling webhook "self-test.x": failed to call webhook: '
POST = f'{CALL}Post "https://linkerd-webhook.linkerd.svc:443/self-test?timeout=2s": '


class TestReached:
    async def test_nothing_is_said_where_a_replica_answered(self) -> None:
        assert said(webhook_reached, await facts()) == []

    async def test_its_finding_is_the_self_test_s(self) -> None:
        result = SelfTestResult(finding=failed(ApiError(500, f"{POST}EOF"), SERVICE))
        [finding] = said(webhook_reached, await facts(self_test=result))
        assert (finding.code, finding.object) == ("webhook-reached", "Service linkerd/linkerd-webhook")

    @pytest.mark.parametrize(
        ("message", "says"),
        [
            (f"{POST}dial tcp 10.0.0.1:8443: connect: connection refused", "the connection is refused"),
            (f"{POST}context deadline exceeded", "timed out"),
            (f"{POST}dial tcp 10.0.0.1:8443: i/o timeout", "--host-network"),
            (f"{POST}net/http: TLS handshake timeout", "timed out"),
            (
                f"{POST}tls: failed to verify certificate: x509: certificate has expired",
                "does not accept the certificate",
            ),
            (f'{POST}no endpoints available for service "linkerd-webhook"', "no replica is ready"),
            (f'{POST}service "linkerd-webhook" not found', "it does not exist"),
            (f"{CALL}the server could not find the requested resource", "HTTP 4xx"),
            (f"{CALL}the server rejected our request for an unknown reason", "HTTP 4xx"),
            (f'{CALL}an error on the server ("") has prevented the request from succeeding', "HTTP 5xx"),
            (f"{CALL}the server is currently unable to handle the request", "HTTP 5xx"),
            (f"{POST}EOF", "the call failed"),
        ],
    )
    def test_each_cause_has_a_sentence_of_its_own(self, message: str, says: str) -> None:
        finding = failed(ApiError(500, message), SERVICE)
        assert says in finding.line()
        assert "Internal error" not in finding.line()
        assert finding.fix

    def test_a_long_answer_is_cut(self) -> None:
        assert len(failed(ApiError(500, f"{CALL}an error on the server ({'x' * 5000})"), SERVICE).line()) < 1000

    async def test_a_refused_connection_to_a_service_without_endpoints_is_told_as_that(self) -> None:
        error = ApiError(500, f"{POST}dial tcp 10.0.0.1:443: connect: connection refused")
        result = SelfTestResult(finding=failed(error, SERVICE), error=error)
        [finding] = said(webhook_reached, await facts(self_test=result))
        assert "nothing listens on the port" in finding.message
        given = await facts(self_test=result)
        server = seen(given.server)
        held = seen(server.certificates[SERVICE])
        bare = replace(server, certificates={SERVICE: replace(held, replicas=())})
        [finding] = said(webhook_reached, replace(given, server=bare))
        assert "it has no endpoint, as no replica is ready" in finding.message
        assert "connection refused" in finding.message

    async def test_it_is_skipped_where_there_is_no_self_test(self) -> None:
        assert skipped(webhook_reached, await facts(self_test=NotAsked("there is none"))) == "there is none"


class TestInjects:
    async def refused(self, message: str, cluster: InstalledCluster | None = None, status: int = 403) -> CheckFinding:
        tried = DryRun("shop", status=status, message=message)
        [finding] = said(webhook_injects, await facts(cluster, dry_run=tried))
        assert finding.severity is CheckSeverity.ERROR
        return finding

    @pytest.mark.parametrize("pod", [MESHED, NATIVE])
    async def test_nothing_is_said_of_a_pod_with_a_proxy(self, pod: Any) -> None:
        assert said(webhook_injects, await facts(dry_run=DryRun("shop", pod))) == []

    @pytest.mark.parametrize("pod", [{"spec": {"containers": [{"name": "check"}]}}, {}, {"spec": []}])
    async def test_one_without_a_proxy_is_an_error(self, pod: Any) -> None:
        [finding] = said(webhook_injects, await facts(dry_run=DryRun("shop", pod)))
        assert finding.object == "Namespace shop"
        assert "comes back without container linkerd-proxy" in finding.message
        assert finding.fix.endswith("kubectl -n linkerd logs deploy/linkerd-webhook")

    async def test_somebody_else_s_webhook_is_named(self) -> None:
        cluster = InstalledCluster()
        cluster.objects["ValidatingWebhookConfiguration", "corp"] = {
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "corp"},
            "webhooks": [{"name": "pods.corp.example"}],
        }
        for message in (
            'admission webhook "pods.corp.example" denied the request: no',
            'failed calling webhook "pods.corp.example": x',
        ):
            finding = await self.refused(message, cluster)
            assert finding.object == "ValidatingWebhookConfiguration corp"
            assert message in finding.message

    async def test_one_of_unknown_configuration_is_named_all_the_same(self) -> None:
        finding = await self.refused('admission webhook "a.b.c" denied the request: no')
        assert finding.object == "webhook a.b.c"

    async def test_our_own_that_fails_is_told_as_ours(self) -> None:
        message = 'failed calling webhook "proxy-injector.linkerd-webhook.linkerd.io": no endpoints available'
        finding = await self.refused(message)
        assert finding.object == "Namespace shop"
        assert "of ours fails" in finding.message
        cluster = InstalledCluster()
        cluster.webhooks(MUTATING, NAME)[0]["clientConfig"]["service"]["name"] = "another"
        assert "of ours fails" in (await self.refused(message, cluster)).message

    async def test_somebody_else_s_policy_is_named(self) -> None:
        message = "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'corp' with binding 'b' denied request: no"
        assert (await self.refused(message)).object == "ValidatingAdmissionPolicy corp"

    async def test_our_guard_tells_that_the_proxy_is_missing(self) -> None:
        message = "ValidatingAdmissionPolicy 'linkerd-webhook-guard' with binding 'b' denied request: no"
        finding = await self.refused(message)
        assert "comes without a proxy" in finding.message

    @pytest.mark.parametrize(
        "message",
        [
            'pods "x" is forbidden: exceeded quota: q, requested: pods=1',
            'pods "x" is forbidden: failed quota: q: must specify limits.cpu for: linkerd-proxy',
            'pods "x" is forbidden: violates PodSecurity "restricted:latest": linkerd-init',
            'pods "x" is forbidden: maximum cpu usage per Container is 1, but limit is 2',
            'pods "x" is forbidden: unable to create new content in namespace shop because it is being terminated',
            'pods "x" is forbidden: error looking up service account shop/default: serviceaccount "default" not found',
            'admission webhook "a" does not support dry run',
            "something else",
        ],
    )
    async def test_what_is_no_injector_s_fault_is_skipped_with_the_reason(self, message: str) -> None:
        tried = DryRun("shop", status=403, message=message)
        assert message in skipped(webhook_injects, await facts(dry_run=tried))

    async def test_without_the_right_to_create_pods_it_is_skipped(self) -> None:
        right = NotSeen((MissingRight("create", "pods", "shop"),))
        assert "grant create on pods" in skipped(webhook_injects, await facts(dry_run=right))
