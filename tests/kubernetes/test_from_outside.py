"""The commands that look at a cluster from outside: `certs inspect`, and what `install` and `uninstall` refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.api import ApiServer
from tests.e2e.installation import NAME, NAMESPACE
from tests.e2e.waiting import until
from tests.kubernetes import workloads
from tests.kubernetes.cluster import Cluster, run
from tests.kubernetes.images import OURS
from tests.kubernetes.installation import SECRET, Installation, command, left, put_secret, remove

JSON = dict[str, Any]

pytestmark = pytest.mark.usefixtures("clean")

INJECTOR = "linkerd-proxy-injector"


def inspect(cluster: Cluster) -> tuple[int, JSON]:
    """The exit code of `certs inspect`, and what it finds."""
    done = command(cluster, "certs", "inspect", "-o", "json")
    return done.code, json.loads(done.out)


def fields(body: JSON) -> list[tuple[str, str]]:
    """What does not fit, by object and field."""
    return [(finding["object"], finding["field"]) for finding in body["findings"]]


def settled(cluster: Cluster, api: ApiServer, *flags: str) -> Installation:
    """An installation that is in force."""
    installation = Installation(cluster, api, flags)
    installation.apply().ok()
    installation.roll_out()
    installation.wait_in_force()
    return installation


@pytest.fixture
def guest(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of a ServiceAccount that may read all that `certs inspect` reads, and forward no ports."""
    name = "looks-from-outside"
    rules = [
        {
            "apiGroups": ["", "apps", "discovery.k8s.io", "admissionregistration.k8s.io"],
            "resources": [
                "deployments",
                "services",
                "secrets",
                "endpointslices",
                "mutatingwebhookconfigurations",
                "validatingwebhookconfigurations",
            ],
            "verbs": ["get", "list"],
        }
    ]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}
    cluster.apply({**role, "rules": rules}).ok()
    cluster.kubectl("-n", "default", "create", "serviceaccount", name)
    cluster.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--serviceaccount=default:{name}")
    token = cluster.kubectl("-n", "default", "create", "token", name).ok().strip()
    body = yaml.safe_load(cluster.kubeconfig.read_text())
    body["users"][0]["user"] = {"token": token}
    path = tmp_path / "guest"
    path.write_text(yaml.safe_dump(body))
    yield path
    cluster.kubectl("delete", f"clusterrolebinding/{name}", f"clusterrole/{name}")


class TestInspecting:
    def test_right_after_the_apply_it_says_to_wait_and_then_that_all_fits(
        self, cluster: Cluster, api: ApiServer
    ) -> None:
        installation = Installation(cluster, api)
        installation.apply().ok()
        code, report = inspect(cluster)
        if code:
            # Else the replicas were the faster ones.
            assert code == 1
            assert fields(report) == [(f"Deployment {NAMESPACE}/{NAME}", "status.readyReplicas")]
        installation.roll_out()
        installation.wait_in_force()
        code, report = inspect(cluster)
        assert (code, report["fits"], report["replicasAskedBy"]) == (0, True, "port-forward")
        assert len(report["replicas"]) == 2
        assert all(replica["certificate"] for replica in report["replicas"])

    def test_in_a_replica_s_own_pod_replicas_are_dialled(self, cluster: Cluster, api: ApiServer) -> None:
        installation = settled(cluster, api)
        program = "exec", f"deploy/{NAME}", "--", "linkerd-webhook"
        done = installation.kubectl(*program, "certs", "inspect", "-o", "json")
        report = json.loads(done.out)
        assert (done.code, report["fits"], report["replicasAskedBy"]) == (0, True, "direct"), done.err

    def test_with_nothing_served_it_never_fits(self, cluster: Cluster, api: ApiServer) -> None:
        installation = settled(cluster, api)
        installation.scale(0)
        code, report = inspect(cluster)
        assert (code, report["fits"]) == (1, False)
        assert fields(report) == [(f"Deployment {NAMESPACE}/{NAME}", "spec.replicas")]

    def test_the_secret_is_the_one_that_replicas_mount(self, cluster: Cluster, api: ApiServer) -> None:
        put_secret(cluster)
        settled(cluster, api, "--existing-secret", SECRET)
        code, report = inspect(cluster)
        assert code == 0
        assert [(certificate["object"], certificate["role"]) for certificate in report["certificates"]] == [
            (f"Secret {NAMESPACE}/{SECRET}", "leaf")
        ]

    def test_who_may_not_forward_ports_is_told_what_to_grant(
        self, cluster: Cluster, api: ApiServer, guest: Path
    ) -> None:
        settled(cluster, api)
        line = (*command_line("certs", "inspect"), f"--kubeconfig={guest}")
        done = run(line)
        assert done.code == 2
        grant = f"grant get and create on pods/portforward in namespace {NAMESPACE} to ServiceAccount default/looks"
        assert grant in done.err
        assert "not known whether it fits" in done.out
        allow = {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]}
        change = json.dumps([{"op": "add", "path": "/rules/-", "value": allow}])
        cluster.kubectl("patch", "clusterrole", "looks-from-outside", "--type=json", "-p", change).ok()
        until("the right", lambda: run(line).code == 0, within=10, interval=0.5)


def command_line(*arguments: str) -> tuple[str, ...]:
    """Our own command, on a cluster that is still to be named."""
    import sys

    return (sys.executable, "-m", "webhook.cli", *arguments)


class TestWhatInstallRefuses:
    def refused(self, cluster: Cluster, *flags: str) -> str:
        """What it says; nothing is printed."""
        done = command(cluster, "install", f"--image={OURS}", *flags)
        assert (done.code, done.out) == (1, "")
        return done.err

    def test_a_secret_without_its_ca(self, cluster: Cluster) -> None:
        put_secret(cluster, with_ca=False)
        said = self.refused(cluster, "--existing-secret", SECRET)
        assert f"Secret {NAMESPACE}/{SECRET}: data[ca.crt]: missing, and --ca-bundle is not given" in said

    def test_a_pod_monitor_without_its_definition(self, cluster: Cluster) -> None:
        said = self.refused(cluster, "--pod-monitor")
        assert "CustomResourceDefinition podmonitors.monitoring.coreos.com: not found" in said

    def test_a_change_from_one_kind_of_certificate_to_the_other(self, cluster: Cluster, api: ApiServer) -> None:
        settled(cluster, api)
        put_secret(cluster)
        said = self.refused(cluster, "--existing-secret", SECRET)
        assert f"kubectl -n {NAMESPACE} delete deploy {NAME} first" in said
        # As it says: the way out works.
        cluster.kubectl("-n", NAMESPACE, "delete", "deploy", NAME).ok()
        settled(cluster, api, "--existing-secret", SECRET)


class TestUninstalling:
    @pytest.mark.parametrize("flags", [(), ("--adopt",)], ids=["own", "adopted"])
    def test_is_refused_where_nobody_would_inject_again_and_not_where_linkerds_own_injector_would(
        self, cluster: Cluster, api: ApiServer, flags: tuple[str, ...]
    ) -> None:
        settled(cluster, api, *flags)
        within = workloads.namespace(cluster, "meshed")
        workloads.assert_meshed(workloads.roll_out(cluster, workloads.deployment(within, 1)))
        done = command(cluster, "uninstall", "--delete")
        assert done.code == 1
        assert f"Service {NAMESPACE}/{INJECTOR} of Linkerd's own injector has no ready endpoint" in done.err
        # Linkerd's own injector comes up, as far as can be seen.
        endpoint = {"addresses": ["192.0.2.1"], "conditions": {"ready": True}}
        slice_ = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "stand-in",
                "namespace": NAMESPACE,
                "labels": {"kubernetes.io/service-name": INJECTOR},
            },
            "addressType": "IPv4",
            "ports": [{"name": "proxy-injector", "port": 8443}],
            "endpoints": [endpoint],
        }
        cluster.apply(slice_).ok()
        try:
            command(cluster, "uninstall", "--delete").ok()
        finally:
            cluster.kubectl("-n", NAMESPACE, "delete", "endpointslice", "stand-in").ok()
        assert left(api) == []

    def test_what_is_printed_without_a_look_can_be_deleted(self, cluster: Cluster, api: ApiServer) -> None:
        settled(cluster, api)
        printed = run(command_line("uninstall", "--ignore-cluster")).ok()
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=printed).ok()
        assert left(api) == []
        remove(cluster, api)
