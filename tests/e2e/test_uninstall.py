"""`uninstall` on a real API server: an installation goes, Linkerd gets back what is its own, nobody is locked out."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.api import JSON, ApiServer
from tests.e2e.installation import CONFIGURATION_KINDS, NAME, NAMESPACE, STORED, Installation, configuration, rendered
from tests.e2e.mesh import Manifests, installed
from tests.e2e.objects import ENABLED, Room, namespace, pod
from tests.e2e.program import ROOT
from tests.e2e.waiting import until
from webhook.install import adoption
from webhook.install.adoption import ADOPTED_FROM, LINKERD_CONFIGURATIONS
from webhook.install.configurations import RULES
from webhook.kube.webhookconfigurations import ServiceReference
from webhook.uninstall.objects import INSTALLED_OBJECTS
from webhook.upkeep.rules import with_rules

# Seconds in which a server that may adopt does so.
ADOPTION = 30.0
# Seconds of looking whether it does so once more: longer than between two of its self-tests.
AFTERWARDS = 8.0


@pytest.fixture(autouse=True)
def clean(api: ApiServer) -> Iterator[None]:
    """Nothing of ours before and after, and Linkerd's namespace."""
    api.create(namespace(NAMESPACE))
    purge(api)
    yield
    purge(api)


def purge(api: ApiServer) -> None:
    """Delete whatever there may be, without the program."""
    for element in INSTALLED_OBJECTS:
        api.request("DELETE", element.path(NAMESPACE))
    for kind, name in LINKERD_CONFIGURATIONS:
        api.delete(configuration(kind, name))


def left(api: ApiServer) -> list[str]:
    """What of ours is there."""
    return [
        installed.describe(NAMESPACE)
        for installed in INSTALLED_OBJECTS
        if api.request("GET", installed.path(NAMESPACE)).status == 200
    ]


def run(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, ended."""
    line = [sys.executable, "-m", "webhook.cli", "uninstall", f"--kubeconfig={kubeconfig}", *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def apply(api: ApiServer, *flags: str) -> None:
    """Install, and let there be what the server stores."""
    for body in rendered(*flags):
        if api.serves(body["apiVersion"], body["kind"]):
            api.apply(body)
    labels = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/managed-by": NAME}
    for name in (f"{NAME}-ca", f"{NAME}-tls"):
        metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
        data = {"tls.crt": "", "tls.key": ""}
        api.create(
            {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": data}
        ).ok()
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    api.create({**lease, "metadata": {"name": NAME, "namespace": NAMESPACE}, "spec": {"holderIdentity": "x"}}).ok()


# Of kinds that another program brings: the test cluster has none of them.
OTHERS_KINDS = ("PodMonitor", "PrometheusRule")


class TestAll:
    """An installation with every option that the cluster knows."""

    FLAGS = ("--ha", "--autoscaling", "--network-policy", "--guard=deny", "--dashboards", "--status-page")

    @pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
    def test_what_is_printed_is_deleted_by_kubectl_and_installing_again_works(
        self, api: ApiServer, kubeconfig: Path
    ) -> None:
        for _ in range(2):
            apply(api, *self.FLAGS)
            printed = run(kubeconfig, "--force")
            assert printed.returncode == 0, printed.stderr
            assert printed.stdout.count("---\n") == len(left(api)) >= len(INSTALLED_OBJECTS) - len(OTHERS_KINDS)
            kubectl = ["kubectl", f"--kubeconfig={kubeconfig}", "delete", "-f", "-"]
            done = subprocess.run(kubectl, input=printed.stdout, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert left(api) == []

    def test_everything_that_install_prints_is_known(self, api: ApiServer, kubeconfig: Path) -> None:
        """Whatever is added to an installation has to be taken out again."""
        known = {(installed.kind, installed.name) for installed in INSTALLED_OBJECTS}
        every = rendered(*self.FLAGS, "--pod-monitor", "--alerts", "--dashboards")
        assert {(body["kind"], body["metadata"]["name"]) for body in every} <= known
        assert set(STORED) <= {installed.path(NAMESPACE) for installed in INSTALLED_OBJECTS}

    def test_deleting_leaves_nothing_and_can_be_repeated(self, api: ApiServer, kubeconfig: Path) -> None:
        apply(api, *self.FLAGS)
        done = run(kubeconfig, "--delete", "--force")
        assert done.returncode == 0, done.stderr
        assert left(api) == []
        again = run(kubeconfig, "--delete")
        assert again.returncode == 0, again.stderr
        assert "nothing to delete" in again.stderr

    def test_pods_in_the_mesh_stand_against_it(self, api: ApiServer, kubeconfig: Path) -> None:
        apply(api)
        room = Room.create(api, "meshed")
        body = pod(room.name)
        body["metadata"]["labels"]["linkerd.io/control-plane-ns"] = NAMESPACE
        body["spec"]["containers"].append({"name": "linkerd-proxy", "image": "proxy"})
        created = api.create(body).ok()
        refused = run(kubeconfig, "--delete")
        assert refused.returncode == 1
        assert "would come back without it" in refused.stderr
        assert f"{NAME}-tls" in str(left(api))
        api.delete(created)


class TestDeadServer:
    """Nobody answers, and every Pod is refused for it."""

    def test_with_fail_in_force_it_is_deleted_and_pods_come_in_again(self, api: ApiServer, kubeconfig: Path) -> None:
        apply(api, "--failure-policy=Fail")
        room = Room.create(api, "locked", ENABLED)
        for kind in CONFIGURATION_KINDS:
            body = api.request("GET", api.path(configuration(kind, NAME))).ok()
            api.request("PUT", api.path(configuration(kind, NAME)), with_rules(body, RULES)).ok()
        until("a refusal", lambda: room.pod(dry_run=True).status == 500, within=10)
        done = run(kubeconfig, "--delete", "--force")
        assert done.returncode == 0, done.stderr
        assert left(api) == []
        until("a Pod", lambda: room.pod(dry_run=True).status == 201, within=10)


class TestAdopted:
    """Linkerd's own configurations, pointed at our Service."""

    @pytest.fixture
    def before(self, api: ApiServer, newest: Manifests) -> list[JSON]:
        """Linkerd's configurations as Linkerd made them."""
        result = []
        for kind, name in LINKERD_CONFIGURATIONS:
            body = copy.deepcopy(newest.one(kind, name))
            for webhook in body["webhooks"]:
                # In this cluster nobody is behind Linkerd's Services.
                webhook["failurePolicy"] = "Ignore"
            result.append(api.apply(body))
        return result

    def now(self, api: ApiServer) -> list[JSON]:
        """The same as they are."""
        return [api.request("GET", api.path(configuration(kind, name))).ok() for kind, name in LINKERD_CONFIGURATIONS]

    def given_back(self, api: ApiServer, before: list[JSON]) -> bool:
        """Whether they are as before."""
        return [(body["webhooks"], body["metadata"].get("annotations")) for body in self.now(api)] == [
            (body["webhooks"], body["metadata"].get("annotations")) for body in before
        ]

    def test_they_are_given_back_to_the_byte_by_a_dead_server(
        self, api: ApiServer, kubeconfig: Path, before: list[JSON]
    ) -> None:
        apply(api, "--adopt")
        for name, body in zip(LINKERD_CONFIGURATIONS, self.now(api), strict=True):
            ours = adoption.adopted(body, adoption.PATHS[name], ServiceReference(NAMESPACE, NAME), "b3Vycw==")
            api.request("PUT", api.path(body), ours).ok()
        assert not self.given_back(api, before)
        refused = run(kubeconfig)
        assert refused.returncode == 1
        assert refused.stdout == ""
        done = run(kubeconfig, "--delete", "--force")
        assert done.returncode == 0, done.stderr
        assert self.given_back(api, before)
        assert left(api) == []

    def test_a_server_that_runs_does_not_adopt_them_again(
        self, api: ApiServer, kubeconfig: Path, newest: Manifests, tmp_path: Path
    ) -> None:
        with installed(api, newest, tmp_path / "linkerd"):
            linkerds = [api.apply(newest.one(kind, name)) for kind, name in LINKERD_CONFIGURATIONS]
            with Installation(api, newest, tmp_path / "ours", ("--adopt",)) as installation:
                installation.start(1)
                until("the adoption", lambda: all(_adopted(element) for element in self.now(api)), within=ADOPTION)
                done = run(kubeconfig, "--delete", "--force")
                assert done.returncode == 0, done.stderr
                end = time.monotonic() + AFTERWARDS
                while time.monotonic() < end:
                    assert self.given_back(api, linkerds)
                    time.sleep(0.2)
                assert left(api) == []


def _adopted(body: JSON) -> bool:
    return ADOPTED_FROM in (body["metadata"].get("annotations") or {})
