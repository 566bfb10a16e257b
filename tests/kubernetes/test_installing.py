"""Every way to install: applied, rolled out, Pods meshed and ready, and taken away again."""

from __future__ import annotations

from pathlib import Path

import pytest

from certs.issue import issue_ca
from tests.e2e.api import ApiServer
from tests.kubernetes import workloads
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.images import OURS
from tests.kubernetes.installation import SECRET, Installation, Release, command, left, put_secret, remove
from tests.unit.install.helmcli import needs_helm
from webhook.install.configurations import ADMISSION

WAYS = (
    (),
    ("--adopt",),
    ("--ha",),
    ("--failure-policy=Fail",),
    ("--ha", "--failure-policy=Fail", "--guard=deny", "--autoscaling", "--network-policy"),
)


def settle(installation: Installation) -> None:
    """Apply it without a warning, and wait until it is in force; then what is served fits what is trusted."""
    done = installation.apply()
    done.ok()
    assert done.warnings == []
    installation.roll_out()
    installation.wait_in_force()
    command(installation.cluster, "certs", "inspect").ok()


@pytest.mark.usefixtures("clean")
class TestInstalling:
    @pytest.mark.parametrize("flags", WAYS, ids=lambda flags: " ".join(flags) or "default")
    def test_meshes_pods_and_goes_away_again(self, cluster: Cluster, api: ApiServer, flags: tuple[str, ...]) -> None:
        settle(Installation(cluster, api, flags))
        within = workloads.namespace(cluster, "meshed")
        workloads.assert_meshed(workloads.roll_out(cluster, workloads.deployment(within)))
        plain = workloads.namespace(cluster, "plain", inject="disabled")
        workloads.assert_bare(workloads.roll_out(cluster, workloads.deployment(plain, 1)))
        remove(cluster, api)
        assert left(api) == []

    def test_by_opt_in_meshes_only_in_labelled_namespaces(self, cluster: Cluster, api: ApiServer) -> None:
        settle(Installation(cluster, api, ("--opt-in",)))
        asked = workloads.namespace(cluster, "opted-in", {ADMISSION: "enabled"})
        workloads.assert_meshed(workloads.roll_out(cluster, workloads.deployment(asked)))
        silent = workloads.namespace(cluster, "not-opted-in")
        workloads.assert_bare(workloads.roll_out(cluster, workloads.deployment(silent, 1)))

    def test_with_a_secret_of_somebody_elses_meshes_pods(self, cluster: Cluster, api: ApiServer) -> None:
        put_secret(cluster)
        settle(Installation(cluster, api, ("--existing-secret", SECRET)))
        within = workloads.namespace(cluster, "meshed")
        workloads.assert_meshed(workloads.roll_out(cluster, workloads.deployment(within)))

    def test_with_a_secret_without_its_ca_and_the_ca_as_a_file_meshes_pods(
        self, cluster: Cluster, api: ApiServer, tmp_path: Path
    ) -> None:
        bundle = tmp_path / "ca.pem"
        bundle.write_bytes(put_secret(cluster, with_ca=False))
        settle(Installation(cluster, api, ("--existing-secret", SECRET, "--ca-bundle", str(bundle))))
        within = workloads.namespace(cluster, "meshed")
        workloads.assert_meshed(workloads.roll_out(cluster, workloads.deployment(within)))

    def test_with_a_ca_that_did_not_sign_the_secret_is_refused_and_unseen_is_never_ready_and_refuses_no_pod(
        self, cluster: Cluster, api: ApiServer, tmp_path: Path
    ) -> None:
        put_secret(cluster, with_ca=False)
        bundle = tmp_path / "ca.pem"
        bundle.write_bytes(issue_ca("stranger").certificate)
        flags = ("--existing-secret", SECRET, "--ca-bundle", str(bundle), "--failure-policy=Fail", "--guard=deny")
        refused = command(cluster, "install", f"--image={OURS}", *flags)
        assert (refused.code, refused.out) == (1, "")
        installation = Installation(cluster, api, (*flags, "--ignore-cluster"))
        installation.apply().ok()
        waited = installation.kubectl("rollout", "status", "deploy/linkerd-webhook", "--timeout=20s")
        assert waited.code != 0
        assert not installation.in_force()
        within = workloads.namespace(cluster, "waiting")
        workloads.assert_bare(workloads.roll_out(cluster, workloads.deployment(within, 1)))

    @needs_helm
    def test_by_helm_meshes_pods_and_leaves_no_webhook_behind(
        self, cluster: Cluster, api: ApiServer, tmp_path: Path
    ) -> None:
        release = Release(cluster, api, tmp_path)
        settle(release)
        within = workloads.namespace(cluster, "meshed")
        workloads.assert_meshed(workloads.roll_out(cluster, workloads.deployment(within)))
        release.remove()
        # What the server has stored itself is no part of the release.
        assert {body.split()[0] for body in left(api)} <= {"Secret", "Lease"}
