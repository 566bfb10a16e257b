"""Every object that is printed, as the API server takes it: in a dry run, with the validation that kubectl asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.installation import NAME, NAMESPACE
from tests.e2e.program import ROOT
from tests.kubernetes.cluster import Cluster, Done
from tests.kubernetes.images import OURS
from tests.kubernetes.installation import SECRET, Installation, command, objects_of
from tests.unit.install.helmcli import CHART, helm, needs_helm

# Every object and every optional field is in one of these at least.
WAYS = (
    (),
    ("--ha", "--failure-policy=Fail", "--guard=deny", "--autoscaling", "--network-policy"),
    ("--adopt", "--set=tokenProjection=false", "--set=logFormat=json", "--log-level=debug"),
    ("--opt-in", "--guard=off", "--exclude-namespace=one", "--exclude-namespace=two", "--replicas=1"),
    ("--existing-secret", SECRET, "--port=9443", "--admin-port=9444"),
    ("--existing-secret", SECRET, "--inject-ca-from=linkerd/webhook"),
    ("--kube-version=1.21",),
)


def dry_run(cluster: Cluster, manifest: str, *more: str) -> Done:
    """What the API server says of objects, stored nowhere."""
    return cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", *more, stdin=manifest)


class TestEveryObject:
    @pytest.mark.parametrize("flags", WAYS, ids=lambda flags: " ".join(flags) or "default")
    def test_is_taken_without_a_warning(self, cluster: Cluster, flags: tuple[str, ...]) -> None:
        printed = command(cluster, "install", "--ignore-cluster", f"--image={OURS}", *flags).ok()
        done = dry_run(cluster, printed)
        assert done.ok().count("server dry run") == len(objects_of(printed))
        assert done.err == ""

    def test_on_the_nodes_network_is_taken_with_no_warning_but_of_that(self, cluster: Cluster) -> None:
        printed = command(cluster, "install", "--ignore-cluster", f"--image={OURS}", "--host-network").ok()
        done = dry_run(cluster, printed)
        assert done.ok().count("server dry run") == len(objects_of(printed))
        (warning,) = done.err.splitlines()
        assert warning.endswith('would violate PodSecurity "restricted:latest": host namespaces (hostNetwork=true)')

    @needs_helm
    @pytest.mark.parametrize("values", ["", "failurePolicy=Fail,guard=deny,autoscaling.enabled=true"])
    def test_of_the_chart_is_taken_without_a_warning(self, cluster: Cluster, tmp_path: Path, values: str) -> None:
        repository, _, tag = OURS.partition(":")
        where = f"--namespace={NAMESPACE}", "--kube-version=1.36.0"
        image = f"--set=image.repository={repository},image.tag={tag}"
        rendered = helm("template", NAME, str(CHART), *where, image, f"--set={values}", home=tmp_path)
        assert rendered.returncode == 0, rendered.stderr
        done = dry_run(cluster, rendered.stdout)
        assert done.ok().count("server dry run") == len(objects_of(rendered.stdout))
        assert done.err == ""

    def test_for_the_bare_image_is_taken_without_a_warning(self, cluster: Cluster) -> None:
        done = dry_run(cluster, (ROOT / "deploy" / "rbac.yaml").read_text())
        assert "server dry run" in done.ok()
        assert done.err == ""


class TestPolicyOfTheGuard:
    def test_has_nothing_that_the_api_server_warns_about(self, installation: Installation) -> None:
        body = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": f"{NAME}-guard"},
        }
        stored = installation.api.request("GET", installation.api.path(body)).ok()
        assert stored["status"]["observedGeneration"] == stored["metadata"]["generation"]
        assert stored["status"]["typeChecking"] == {}
