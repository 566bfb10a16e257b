"""What settings need of the cluster, and what is said where it is not there."""

from __future__ import annotations

import base64
from typing import ClassVar

import pytest

from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from tests.unit.diagnosis.installation.test_checks import CRD_ROOT, SECRETS, Cluster, checked, problems, remarks
from webhook.kube.errors import ApiError

NAME = "linkerd-webhook.linkerd.svc"
CA = issue_ca("a CA")
LEAF = issue_leaf(CA, [NAME])
CERTIFICATE = "/apis/cert-manager.io/v1/namespaces/linkerd/certificates/webhook"


@pytest.fixture
def cluster() -> Cluster:
    """Linkerd is there, and nothing else."""
    return Cluster()


def store(cluster: Cluster, pair: CertificateAndKey = LEAF, **more: bytes) -> None:
    """Store Secret mine; an underscore in a key stands for a dot."""
    data = {"tls.crt": pair.certificate, "tls.key": pair.key}
    data |= {key.replace("_", "."): value for key, value in more.items()}
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items() if value}
    cluster.put(f"{SECRETS}/mine", {"kind": "Secret", "type": "kubernetes.io/tls", "data": encoded})


class TestExistingSecret:
    """--existing-secret."""

    async def test_with_its_ca_all_is_well(self, cluster: Cluster) -> None:
        store(cluster, ca_crt=CA.certificate)
        assert await checked(cluster, existing_secret="mine") == []

    async def test_without_ca_crt_and_without_ca_bundle_no_replica_would_get_ready(self, cluster: Cluster) -> None:
        store(cluster)
        (problem,) = await problems(cluster, existing_secret="mine")
        assert problem.startswith("Secret linkerd/mine: data[ca.crt]: missing, and --ca-bundle is not given")
        assert (
            "no replica would become ready: add the CA's certificate to Secret linkerd/mine as ca.crt, or install"
            in problem
        )
        assert await problems(cluster, existing_secret="mine", ca_bundle=CA.certificate.decode()) == []

    async def test_one_that_is_not_there_yet_is_noted_with_what_it_needs(self, cluster: Cluster) -> None:
        (note,) = await remarks(cluster, existing_secret="mine")
        assert note.startswith("Secret linkerd/mine: not found: the Pods start once it is created; it needs ca.crt")
        (note,) = await remarks(cluster, existing_secret="mine", ca_bundle=CA.certificate.decode())
        assert "ca.crt" not in note

    async def test_a_key_of_another_certificate_is_told(self, cluster: Cluster) -> None:
        store(cluster, CertificateAndKey(LEAF.certificate, CA.key), ca_crt=CA.certificate)
        (problem,) = await problems(cluster, existing_secret="mine")
        assert problem.startswith("Secret linkerd/mine: data[tls.key]: ")

    async def test_a_ca_that_has_not_signed_it_is_told(self, cluster: Cluster) -> None:
        other = issue_ca("another")
        store(cluster, ca_crt=other.certificate)
        (problem,) = await problems(cluster, existing_secret="mine")
        assert f"data[tls.crt]: is not trusted by ca.crt for {NAME}: " in problem
        (problem,) = await problems(cluster, existing_secret="mine", ca_bundle=other.certificate.decode())
        assert "is not trusted by --ca-bundle" in problem

    async def test_a_certificate_for_another_name_is_told(self, cluster: Cluster) -> None:
        store(cluster, issue_leaf(CA, ["linkerd-webhook.other.svc"]), ca_crt=CA.certificate)
        (problem,) = await problems(cluster, existing_secret="mine")
        assert f"for {NAME}: Hostname mismatch" in problem


class TestCertManager:
    """--inject-ca-from."""

    WANTED: ClassVar = {"existing_secret": "mine", "inject_ca_from": "linkerd/webhook"}

    async def test_without_it_the_caBundles_would_stay_empty(self, cluster: Cluster) -> None:  # noqa: N802 - a field
        _, note = await remarks(cluster, **self.WANTED)
        assert "cert-manager is not installed" in note and "https://cert-manager.io" in note

    async def test_a_certificate_is_looked_at(self, cluster: Cluster) -> None:
        cluster.put(f"{CRD_ROOT}/certificates.cert-manager.io", {})
        store(cluster)
        (note,) = await remarks(cluster, **self.WANTED)
        assert note == "Certificate linkerd/webhook: not found: cert-manager writes the caBundles once it is created"
        cluster.put(CERTIFICATE, {"spec": {"secretName": "mine", "dnsNames": [NAME]}})
        assert await checked(cluster, **self.WANTED) == []

    async def test_one_of_another_secret_and_name_is_told(self, cluster: Cluster) -> None:
        cluster.put(f"{CRD_ROOT}/certificates.cert-manager.io", {})
        cluster.put(CERTIFICATE, {"spec": {"secretName": "theirs"}})
        store(cluster)
        secret, names = await problems(cluster, **self.WANTED)
        assert "spec.secretName theirs: differs from --existing-secret mine" in secret
        assert f"spec.dnsNames: lacks {NAME}" in names


class TestOthers:
    """What else is needed."""

    async def test_pod_monitors_need_their_definition(self, cluster: Cluster) -> None:
        (problem,) = await problems(cluster, pod_monitor=True)
        assert "podmonitors.monitoring.coreos.com: not found" in problem and "leave out --pod-monitor" in problem
        cluster.put(f"{CRD_ROOT}/podmonitors.monitoring.coreos.com", {})
        assert await problems(cluster, pod_monitor=True) == []

    async def test_alerts_need_their_definition(self, cluster: Cluster) -> None:
        (problem,) = await problems(cluster, alerts=True)
        assert "prometheusrules.monitoring.coreos.com: not found" in problem and "leave out --alerts" in problem
        cluster.put(f"{CRD_ROOT}/prometheusrules.monitoring.coreos.com", {})
        assert await problems(cluster, alerts=True) == []

    async def test_autoscaling_without_metrics_is_noted(self, cluster: Cluster) -> None:
        (note,) = await remarks(cluster, autoscaling=True)
        assert "metrics-server" in note

    async def test_a_priority_class_that_is_not_there_is_told_unless_every_cluster_has_it(
        self, cluster: Cluster
    ) -> None:
        (problem,) = await problems(cluster, priority_class="urgent")
        assert "PriorityClass urgent: not found" in problem
        assert await problems(cluster, priority_class="system-cluster-critical") == []

    async def test_pull_secrets_that_are_not_there_are_noted(self, cluster: Cluster) -> None:
        (note,) = await remarks(cluster, pull_secrets=("pull",))
        assert "Secret linkerd/pull: not found, and image.pullSecrets names it" in note

    @pytest.mark.parametrize(("level", "count"), [("restricted", 1), ("baseline", 1), ("privileged", 0), (None, 0)])
    async def test_the_nodes_network_needs_a_namespace_that_allows_it(
        self, cluster: Cluster, level: str | None, count: int
    ) -> None:
        labels = {"pod-security.kubernetes.io/enforce": level} if level else {}
        cluster.put("/api/v1/namespaces/linkerd", {"metadata": {"labels": labels}})
        assert len(await problems(cluster, host_network=True)) == count

    async def test_who_may_not_list_secrets_is_told_that_helm_was_not_looked_for(self, cluster: Cluster) -> None:
        cluster.failures[SECRETS] = ApiError(403, "secrets is forbidden")
        (note,) = await remarks(cluster)
        assert note == (
            "Namespace linkerd: whether Helm has a release linkerd-webhook here is not known: may not list secrets: "
            "grant list on secrets in namespace linkerd to this user"
        )
