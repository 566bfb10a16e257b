"""One installation, in daily use: Pods, policies, the self-test, and how its own Pods run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.installation import NAME, NAMESPACE
from tests.e2e.program import ROOT
from tests.e2e.waiting import until
from tests.kubernetes import images, workloads
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.installation import Installation
from webhook.cli.main import COMMANDS
from webhook.install.configurations import REACHED_LABEL, SELF_TEST


def policy(within: str, kind: str, name: str, **spec: Any) -> dict[str, Any]:
    """A policy of Linkerd's."""
    metadata = {"name": name, "namespace": within}
    return {"apiVersion": "policy.linkerd.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


# A line for each command, what it reads, and the exit code. No replica has the rights of an administrator.
REVIEW = (ROOT / "deploy" / "samples" / "1-injected.json").read_text()
OFFICE = policy("shop", "NetworkAuthentication", "office", networks=[{"cidr": "10.0.0.0/8"}])
EVERY_COMMAND = {
    "serve": ("--values=/nowhere", "", 2),
    "review": ("-", REVIEW, 1),
    "validate": (
        "-",
        json.dumps(policy("shop", "NetworkAuthentication", "office", networks=[{"cidr": "10.0.0.0/8"}])),
        0,
    ),
    "diff-lines": ("version-2.16 version-2.16", "", 0),
    "check": ("--wait=0s", "", 1),
    "explain": ("pod/none", "", 2),
    "repair": ("", "", 2),
    "inject": ("--ignore-cluster -", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n", 0),
    "uninject": ("-", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n", 0),
    "krm": ("", "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: []\n", 0),
    "profile": ("--template --ignore-cluster -n shop web", "", 0),
    "dashboard": ("--show=url --wait=0s", "", 1),
    "install": ("--ignore-cluster --image=registry.example.org/a:1", "", 0),
    "uninstall": ("", "", 2),
    "certs": ("inspect", "", 0),
    "version": ("", "", 1),
    "completion": ("bash", "", 0),
    "demo": ("--once --addr=127.0.0.1:0 --admin-addr=127.0.0.1:0", "", 0),
}


@pytest.fixture(scope="module")
def within(installation: Installation) -> str:
    """A Namespace that asks to be meshed."""
    return workloads.namespace(installation.cluster, "everyday")


def metrics(installation: Installation) -> list[str]:
    """What all replicas measure."""
    names = [body["metadata"]["name"] for body in installation.replicas()]
    return [line for name in names for line in installation.get(name, "/metrics").splitlines()]


def warnings(installation: Installation) -> list[str]:
    """The Events of type Warning about the replicas that run."""
    names = {body["metadata"]["name"] for body in installation.replicas()}
    events = installation.cluster.get("events", "-n", NAMESPACE, "--field-selector=type=Warning")
    return [event["message"] for event in events if event["involvedObject"]["name"] in names]


class TestSelfTest:
    def test_comes_back_through_the_api_server(self, installation: Installation) -> None:
        until("the mark of it", lambda: self._labels(installation).get(REACHED_LABEL) == "true", within=20)
        until("the leader's word", lambda: "linkerd_webhook_self_test_success 1.0" in metrics(installation), within=20)

    def _labels(self, installation: Installation) -> dict[str, str]:
        webhook_configuration = installation.configuration("MutatingWebhookConfiguration", SELF_TEST)
        return dict(webhook_configuration["metadata"]["labels"])


class TestPolicies:
    def test_that_are_wrong_are_refused_with_everything_that_is_wrong(self, cluster: Cluster, within: str) -> None:
        networks = [
            {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/7"]},
            {"cidr": "10.1.0.0/255.255.0.0"},
        ]
        done = workloads.create(cluster, policy(within, "NetworkAuthentication", "office", networks=networks))
        assert done.code != 0
        (first, second) = [line for line in done.err.splitlines() if line.startswith("* ")]
        assert "spec.networks[0].except[0]" in first
        assert '"10.0.0.0/7"' in first
        assert "spec.networks[1].cidr" in second
        assert '"10.1.0.0/255.255.0.0"' in second

    def test_profiles_that_are_wrong_are_refused(self, cluster: Cluster, within: str) -> None:
        body = {
            "apiVersion": "linkerd.io/v1alpha2",
            "kind": "ServiceProfile",
            "metadata": {"name": f"web.{within}.svc.cluster.local", "namespace": within},
            "spec": {"routes": [{"name": "a", "condition": {}}]},
        }
        done = workloads.create(cluster, body)
        assert done.code != 0
        assert "spec.routes[0].condition" in done.err

    def test_that_refer_to_nothing_are_taken_with_a_warning(self, cluster: Cluster, within: str) -> None:
        target = {"group": "policy.linkerd.io", "kind": "Server", "name": "nothing"}
        required = [{"kind": "ServiceAccount", "name": "default"}]
        body = policy(within, "AuthorizationPolicy", "web", targetRef=target, requiredAuthenticationRefs=required)
        done = workloads.create(cluster, body)
        assert "created" in done.ok()
        (warning,) = done.warnings
        assert "(reference-target-missing)" in warning
        assert "spec.targetRef.name" in warning

    def test_that_are_right_are_taken_in_silence(self, cluster: Cluster, within: str) -> None:
        body = policy(within, "Server", "web", podSelector={"matchLabels": {"app": "app"}}, port=8080)
        done = workloads.create(cluster, {**body, "apiVersion": "policy.linkerd.io/v1beta3"})
        assert "created" in done.ok()
        assert done.err == ""


class TestImage:
    def test_names_a_user_that_is_not_root(self, archive: Path) -> None:
        assert images.configuration(archive)["User"] == "2103:2103"

    def test_runs_as_that_user_on_a_file_system_that_nobody_can_write_to(self, installation: Installation) -> None:
        program = "import os; print(os.getuid(), os.getgid()); open('/tmp/any', 'w')"
        done = installation.kubectl("exec", f"deploy/{NAME}", "--", "python", "-c", program)
        assert done.out.split() == ["2103", "2103"]
        assert "Read-only file system" in done.err

    def test_runs_where_only_the_strictest_level_is_allowed(self, installation: Installation) -> None:
        labels = installation.cluster.get("namespace", NAMESPACE)["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        privileged = workloads.pod(NAMESPACE, "privileged")
        refused = workloads.create(installation.cluster, privileged, "--dry-run=server")
        assert 'violates PodSecurity "restricted' in refused.err
        assert len(installation.replicas()) == 2

    def test_starts_without_a_warning_among_the_events(self, installation: Installation) -> None:
        # On a machine that others keep busy, a start may take longer than the first probe waits: that is no rule.
        for _ in range(3):
            said = warnings(installation)
            if not said:
                return
            installation.kubectl("rollout", "restart", f"deploy/{NAME}").ok()
            installation.roll_out()
        assert said == []

    def test_has_a_command_line_that_says_its_version(self, installation: Installation) -> None:
        done = installation.kubectl("exec", f"deploy/{NAME}", "--", "linkerd-webhook", "version", "--short", "--client")
        assert done.ok().strip()

    @pytest.mark.parametrize("name", COMMANDS)
    def test_has_all_that_each_command_needs(self, installation: Installation, name: str) -> None:
        """What the image leaves out, nobody asks for. A command may be refused; it must not lack a module."""
        arguments, stdin, code = EVERY_COMMAND[name]
        line = [
            "exec",
            "-i",
            f"deploy/{NAME}",
            "--",
            "env",
            "TMPDIR=/dev/shm",
            "linkerd-webhook",
            name,
            *arguments.split(),
        ]
        done = installation.kubectl(*line, stdin=stdin)
        assert (done.code, "Traceback" in done.err) == (code, False), f"{done.out}{done.err}"

    def test_is_small(self, archive: Path) -> None:
        """All of it has to be pulled before the first Pod of a new node is answered."""
        assert images.own_layer(archive) < 90_000_000
