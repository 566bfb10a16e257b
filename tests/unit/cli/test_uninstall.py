"""`linkerd-webhook uninstall`: what it prints, refuses and deletes, and in which order."""

from __future__ import annotations

import copy
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from tests.kube.http import FakeApiServer, kubeconfig, served
from webhook.cli.main import cli
from webhook.install import adoption
from webhook.install.adoption import ADOPTED_FROM
from webhook.kube.errors import ApiError
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ServiceReference
from webhook.uninstall.objects import INSTALLED_OBJECTS, OWN_INJECTOR, SELF_TEST, InstalledObject, Stage

NAME = "linkerd-webhook"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/linkerd/endpointslices"
ROOT = "/apis/admissionregistration.k8s.io/v1"
INJECTOR = f"{ROOT}/mutatingwebhookconfigurations/linkerd-proxy-injector-webhook-config"
VALIDATOR = f"{ROOT}/validatingwebhookconfigurations/linkerd-policy-validator-webhook-config"

ALL = {installed.describe("linkerd") for installed in INSTALLED_OBJECTS}


def path(kind: str, name: str = NAME) -> str:
    """Where one of ours is."""
    return next(
        installed.path("linkerd") for installed in INSTALLED_OBJECTS if (installed.kind, installed.name) == (kind, name)
    )


DEPLOYMENT = path("Deployment")


def stored(thing: InstalledObject, namespace: str = "linkerd") -> JSON:
    """One of ours, as install makes it; the server's Lease has no labels."""
    labels = {} if thing.kind == "Lease" else {"app.kubernetes.io/name": NAME, "app.kubernetes.io/managed-by": NAME}
    body = {**thing.reference(namespace), "metadata": {"name": thing.name, "labels": labels}}
    if "Webhook" in thing.kind:
        service = {"namespace": namespace, "name": NAME}
        body["webhooks"] = [{"name": "x", "clientConfig": {"service": service}}]
    if thing.kind == "ClusterRoleBinding":
        body["subjects"] = [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}]
    return body


def pod(name: str, namespace: str = "shop") -> JSON:
    """A Pod in the mesh."""
    labels = {"linkerd.io/control-plane-ns": "linkerd"}
    return {
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": {"containers": [{"name": "linkerd-proxy"}]},
    }


def endpoints(*, ready: bool = True) -> JSON:
    """The EndpointSlice of Linkerd's own injector."""
    endpoint = {"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}
    metadata = {"name": "a", "labels": {"kubernetes.io/service-name": "linkerd-proxy-injector"}}
    return {"metadata": metadata, "ports": [{"name": "https", "port": 8443}], "endpoints": [endpoint]}


def run_pods(cluster: FakeApiServer, *pods: JSON) -> None:
    """These Pods run."""
    for body in pods:
        metadata = body["metadata"]
        cluster.put(f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}", body)


def left(cluster: FakeApiServer) -> set[str]:
    """The paths of all that is there but Pods and EndpointSlices, which are none of the command's business."""
    return {where for where in cluster.objects if "/pods/" not in where and not where.startswith(SLICES)}


def linkerds(name: str) -> JSON:
    """One of Linkerd's configurations."""
    service = {"namespace": "linkerd", "name": name, "path": "/"}
    webhook = {"name": f"{name}.linkerd.io", "clientConfig": {"service": service, "caBundle": "bGlua2VyZA=="}}
    return {"metadata": {"name": name, "annotations": {"example.org/kept": "yes"}}, "webhooks": [webhook]}


def adopt(body: JSON) -> JSON:
    """As the server does it."""
    return adoption.adopted(body, "/x", ServiceReference("linkerd", NAME), "b3Vycw==")


@pytest.fixture
def reached(tmp_path: Path) -> Iterator[tuple[FakeApiServer, Path]]:
    """A cluster without anything, and its kubeconfig."""
    with served(tmp_path) as (server, where):
        # Lists come in pages, as the API server gives them.
        server.page = 2
        yield server, where


@pytest.fixture
def cluster(reached: tuple[FakeApiServer, Path]) -> FakeApiServer:
    """The cluster, with all that an installation can have."""
    for thing in INSTALLED_OBJECTS:
        reached[0].put(thing.path("linkerd"), stored(thing))
    return reached[0]


@pytest.fixture
def adopting(cluster: FakeApiServer) -> FakeApiServer:
    """The cluster, with two of Linkerd's configurations adopted and none of ours but the self-test's."""
    for thing in INSTALLED_OBJECTS:
        if thing.stage is Stage.CALLS and thing != SELF_TEST:
            del cluster.objects[thing.path("linkerd")]
    cluster.put(INJECTOR, adopt(linkerds("linkerd-proxy-injector")))
    cluster.put(VALIDATOR, adopt(linkerds("linkerd-policy-validator")))
    return cluster


def run(reached: tuple[FakeApiServer, Path], *arguments: str) -> Result:
    """The command's end."""
    return CliRunner().invoke(cli, ["uninstall", f"--kubeconfig={reached[1]}", *arguments])


def printed(result: Result) -> list[str]:
    """What is to be deleted."""
    outcome = [body for body in yaml.safe_load_all(result.stdout) if body]
    by_reference = {
        json.dumps(installed.reference("linkerd")): installed.describe("linkerd") for installed in INSTALLED_OBJECTS
    }
    return [by_reference[json.dumps(finding)] for finding in outcome]


class TestPrinting:
    """The default: a stream for kubectl."""

    def test_all_that_is_there_is_printed_in_the_order_in_which_it_can_go(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        result = run(reached)
        assert result.exit_code == 0
        assert printed(result) == [installed.describe("linkerd") for installed in INSTALLED_OBJECTS]
        assert not cluster.writes

    def test_what_is_not_there_is_not_printed(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        del cluster.objects[path("PodMonitor")]
        assert set(printed(run(reached))) == ALL - {"PodMonitor linkerd/linkerd-webhook"}

    def test_others_objects_of_our_names_are_left_alone_and_said(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        """The certificate may be somebody's own, made for --existing-secret."""
        where = path("Secret", "linkerd-webhook-tls")
        cluster.put(where, {"type": "kubernetes.io/tls", "metadata": {"labels": {"team": "security"}}})
        result = run(reached)
        assert set(printed(result)) == ALL - {"Secret linkerd/linkerd-webhook-tls"}
        assert "Secret linkerd/linkerd-webhook-tls has the name of one of ours" in result.stderr

    def test_without_an_installation_nothing_is_printed_and_all_is_well(
        self, reached: tuple[FakeApiServer, Path]
    ) -> None:
        run_pods(reached[0], pod("a"))
        result = run(reached)
        assert (result.exit_code, result.stdout) == (0, "")
        assert "not installed in namespace linkerd" in result.stderr

    def test_ignore_cluster_prints_all_there_may_be_without_asking(self, reached: tuple[FakeApiServer, Path]) -> None:
        result = run(reached, "--ignore-cluster")
        assert result.exit_code == 0
        # kubectl fails on a kind that the cluster does not know.
        brought = {"PodMonitor", "PrometheusRule"}
        assert printed(result) == [
            installed.describe("linkerd") for installed in INSTALLED_OBJECTS if installed.kind not in brought
        ]
        asked_for = run(reached, "--ignore-cluster", "--pod-monitor", "--alerts")
        assert printed(asked_for) == [installed.describe("linkerd") for installed in INSTALLED_OBJECTS]
        assert "PrometheusRule linkerd/linkerd-webhook" not in printed(
            run(reached, "--ignore-cluster", "--pod-monitor")
        )
        assert not reached[0].requests

    @pytest.mark.parametrize("flag", ["--pod-monitor", "--alerts"])
    def test_the_cluster_tells_whether_it_is_there(self, flag: str, reached: tuple[FakeApiServer, Path]) -> None:
        result = run(reached, flag)
        assert result.exit_code == 2
        assert f"{flag} goes with --ignore-cluster" in result.stderr

    def test_ignore_cluster_deletes_nothing(self, reached: tuple[FakeApiServer, Path]) -> None:
        result = run(reached, "--ignore-cluster", "--delete")
        assert result.exit_code == 2
        assert "--delete needs a cluster" in result.stderr

    def test_a_helm_release_is_said(self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer) -> None:
        cluster.objects[DEPLOYMENT]["metadata"]["annotations"] = {"meta.helm.sh/release-name": "webhook"}
        assert "helm uninstall --namespace linkerd webhook" in run(reached).stderr


class TestRefusals:
    """What stands against it."""

    def test_pods_in_the_mesh_are_listed_and_nothing_is_printed(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        """In pages, as the API server gives them."""
        run_pods(cluster, *(pod(f"a{number:02}") for number in range(23)), pod("proxy-injector", "linkerd"))
        result = run(reached)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "  shop/a00\n" in result.stderr
        assert "  shop/a19\n" in result.stderr
        assert "shop/a20" not in result.stderr
        assert "and 3 more" in result.stderr
        assert "--force" in result.stderr

    def test_pods_that_linkerds_own_injector_would_mesh_again_do_not_stand_against_it(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        """Ours answers beside it: with ours gone, it goes on."""
        run_pods(cluster, pod("a"))
        cluster.put(INJECTOR, linkerds("linkerd-proxy-injector"))
        cluster.put(f"{SLICES}/a", endpoints())
        assert set(printed(run(reached))) == ALL

    def test_they_do_where_it_does_not_run_or_nothing_calls_it(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        run_pods(cluster, pod("a"))
        result = run(reached)
        assert result.exit_code == 1
        assert "as MutatingWebhookConfiguration linkerd-proxy-injector-webhook-config does not exist" in result.stderr
        cluster.put(INJECTOR, linkerds("linkerd-proxy-injector"))
        for slices in ([], [endpoints(ready=False)]):
            for body in slices:
                cluster.put(f"{SLICES}/a", body)
            result = run(reached)
            assert (result.exit_code, result.stdout) == (1, "")
            what = "Service linkerd/linkerd-proxy-injector of Linkerd's own injector has no ready endpoint"
            assert what in result.stderr
            assert "have Linkerd's own injector run first" in result.stderr

    def test_the_rule_is_the_same_after_an_adoption(
        self, reached: tuple[FakeApiServer, Path], adopting: FakeApiServer
    ) -> None:
        """What Linkerd gets back has to be answered."""
        run_pods(adopting, pod("a"))
        result = run(reached, "--delete")
        assert result.exit_code == 1
        assert "linkerd/linkerd-proxy-injector of Linkerd's own injector has no ready endpoint" in result.stderr
        assert not adopting.writes
        adopting.put(f"{SLICES}/a", endpoints())
        assert run(reached, "--delete").exit_code == 0

    def test_by_force_it_is_printed_all_the_same(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        run_pods(cluster, pod("a"))
        result = run(reached, "--force")
        assert result.exit_code == 0
        assert set(printed(result)) == ALL

    def test_with_adopted_configurations_printing_is_not_enough(
        self, reached: tuple[FakeApiServer, Path], adopting: FakeApiServer
    ) -> None:
        for arguments in ([], ["--force"]):
            result = run(reached, *arguments)
            assert (result.exit_code, result.stdout) == (1, "")
            assert "linkerd-webhook uninstall --delete" in result.stderr
        assert not adopting.writes

    def test_what_cannot_be_given_back_stands_against_deleting(
        self, reached: tuple[FakeApiServer, Path], adopting: FakeApiServer
    ) -> None:
        adopting.objects[INJECTOR]["metadata"]["annotations"] = {}
        result = run(reached, "--delete", "--force")
        assert result.exit_code == 1
        assert "linkerd upgrade" in result.stderr
        assert not adopting.writes

    def test_an_installation_in_another_namespace_is_named(self, reached: tuple[FakeApiServer, Path]) -> None:
        for thing in INSTALLED_OBJECTS:
            reached[0].put(thing.path("mesh"), stored(thing, "mesh"))
        result = run(reached, "--delete")
        assert result.exit_code == 1
        assert "not installed in namespace linkerd but in mesh" in result.stderr
        assert run(reached, "--delete", "--linkerd-namespace=mesh").exit_code == 0
        assert not reached[0].objects

    def test_what_cannot_be_read_is_said_and_nothing_is_deleted(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        for where in (DEPLOYMENT, path("Lease")):
            cluster.failures[f"GET {where}"] = ApiError(403, "no GET of linkerd-webhook today")
        result = run(reached, "--delete")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == (
            "linkerd-webhook: cannot read Deployment linkerd/linkerd-webhook, Lease linkerd/linkerd-webhook: "
            "not allowed: grant this to the requesting user (no GET of linkerd-webhook today)\n"
        )
        assert not cluster.writes

    def test_one_cause_is_said_once_however_many_objects_it_is_met_with(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        """The API server's own words name each object."""
        for thing in INSTALLED_OBJECTS:
            message = f'{thing.plural} "x" is forbidden: User "jane" cannot get that'
            cluster.failures[thing.path("linkerd")] = ApiError(403, message)
        result = run(reached, "--delete")
        assert (result.exit_code, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        assert f"and {len(INSTALLED_OBJECTS) - 5} more objects" in line
        assert line.endswith('user "jane" may not read them: run this as a user who may, such as a cluster-admin')
        cluster.failures.clear()
        for thing in INSTALLED_OBJECTS:
            if thing.stage is not Stage.CALLS:
                message = f'{thing.plural} "x" is forbidden: User "jane" cannot delete that'
                cluster.failures["DELETE " + thing.path("linkerd")] = ApiError(403, message)
        result = run(reached, "--delete")
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        assert 'user "jane" may not delete them' in line

    def test_where_nobody_answers_it_is_said(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            where = kubeconfig(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}")
            result = CliRunner().invoke(cli, ["uninstall", f"--kubeconfig={where}"])
        assert (result.exit_code, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        assert "no connection to the API server" in line


class TestDeleting:
    """--delete: through the API server."""

    def test_all_goes_in_order(self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer) -> None:
        result = run(reached, "--delete")
        assert result.exit_code == 0
        assert cluster.writes == [("DELETE", installed.path("linkerd")) for installed in INSTALLED_OBJECTS]
        assert not cluster.objects
        assert result.stdout.splitlines()[0] == f"deleted {SELF_TEST.describe('linkerd')}"

    def test_what_somebody_else_deletes_meanwhile_is_no_failure(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        def before(method: str, where: str) -> None:
            if method == "DELETE" and where == DEPLOYMENT:
                cluster.remove(DEPLOYMENT)

        cluster.before = before
        assert run(reached, "--delete").exit_code == 0
        assert not cluster.objects

    def test_after_a_failure_the_rest_is_tried_and_the_next_run_finishes(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        cluster.failures[f"DELETE {DEPLOYMENT}"] = ApiError(500, "no DELETE")
        result = run(reached, "--delete")
        assert result.exit_code == 2
        assert (
            "cannot delete Deployment linkerd/linkerd-webhook: the API server refuses the request (HTTP 500): no DELETE"
            in result.stderr
        )
        assert set(cluster.objects) == {DEPLOYMENT}
        cluster.failures.clear()
        assert run(reached, "--delete").exit_code == 0
        assert not cluster.objects

    def test_the_server_stays_while_a_configuration_still_sends_it_requests(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        cluster.failures["DELETE " + OWN_INJECTOR.path("linkerd")] = ApiError(403, "no DELETE")
        result = run(reached, "--delete")
        assert result.exit_code == 2
        assert "the server and its Secrets are kept" in result.stderr
        stay = {thing for thing in INSTALLED_OBJECTS if thing.stage is not Stage.CALLS or thing == OWN_INJECTOR}
        assert left(cluster) == {thing.path("linkerd") for thing in stay}

    def test_pods_in_the_mesh_do_not_keep_a_second_run_from_finishing(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        """What injected them is gone already."""
        run_pods(cluster, pod("a"))
        assert run(reached, "--delete").exit_code == 1
        cluster.failures[f"DELETE {DEPLOYMENT}"] = ApiError(500, "no DELETE")
        assert run(reached, "--delete", "--force").exit_code == 2
        cluster.failures.clear()
        assert run(reached, "--delete").exit_code == 0


class TestGivingBack:
    """Configurations that were adopted from Linkerd."""

    def test_they_are_as_before_ahead_of_the_server_s_end(
        self, reached: tuple[FakeApiServer, Path], adopting: FakeApiServer
    ) -> None:
        """Pods in the mesh do not stand against it: Linkerd's own webhook answers again."""
        run_pods(adopting, pod("a"))
        adopting.put(f"{SLICES}/a", endpoints())
        result = run(reached, "--delete")
        assert result.exit_code == 0
        for where, name in ((INJECTOR, "linkerd-proxy-injector"), (VALIDATOR, "linkerd-policy-validator")):
            body = copy.deepcopy(adopting.objects[where])
            for key in ("resourceVersion", "managedFields"):
                del body["metadata"][key]
            assert body == {**linkerds(name), "kind": body["kind"]}
        assert left(adopting) == {INJECTOR, VALIDATOR}
        writes = adopting.writes
        assert writes[:3] == [("DELETE", SELF_TEST.path("linkerd")), ("PUT", INJECTOR), ("PUT", VALIDATOR)]
        assert [write for write in writes if write[0] == "PUT"] == [("PUT", INJECTOR), ("PUT", VALIDATOR)]

    def test_a_conflicting_write_in_between_is_kept(
        self, reached: tuple[FakeApiServer, Path], adopting: FakeApiServer
    ) -> None:
        times = [0]

        def before(method: str, where: str) -> None:
            if (method, where) == ("PUT", INJECTOR) and times[0] < 2:
                times[0] += 1
                body = copy.deepcopy(adopting.objects[INJECTOR])
                body["metadata"]["labels"] = {"written": str(times[0])}
                adopting.put(INJECTOR, body)

        adopting.before = before
        assert run(reached, "--delete").exit_code == 0
        manifests = adopting.objects[INJECTOR]
        assert manifests["metadata"]["labels"] == {"written": "2"}
        assert ADOPTED_FROM not in manifests["metadata"]["annotations"]

    def test_one_that_cannot_be_given_back_keeps_the_server_and_the_others_are_given_back(
        self, reached: tuple[FakeApiServer, Path], adopting: FakeApiServer
    ) -> None:
        adopting.failures[f"PUT {INJECTOR}"] = ApiError(403, "no PUT")
        result = run(reached, "--delete")
        assert result.exit_code == 2
        assert "cannot restore MutatingWebhookConfiguration linkerd-proxy-injector-webhook-config" in result.stderr
        assert DEPLOYMENT in adopting.objects
        assert path("Secret", "linkerd-webhook-tls") in adopting.objects
        assert ADOPTED_FROM not in adopting.objects[VALIDATOR]["metadata"]["annotations"]
        adopting.failures.clear()
        run_pods(adopting, pod("a"))
        adopting.put(f"{SLICES}/a", endpoints())
        assert run(reached, "--delete").exit_code == 0
        assert left(adopting) == {INJECTOR, VALIDATOR}

    def test_a_server_that_adopts_again_at_the_last_moment_does_not_win(
        self, reached: tuple[FakeApiServer, Path], adopting: FakeApiServer
    ) -> None:
        def before(method: str, where: str) -> None:
            if (method, where) == ("DELETE", DEPLOYMENT):
                body = adopting.objects[INJECTOR]
                assert ADOPTED_FROM not in body["metadata"]["annotations"]
                adopting.put(INJECTOR, adopt(body))

        adopting.before = before
        assert run(reached, "--delete").exit_code == 0
        manifests = adopting.objects[INJECTOR]
        assert manifests["webhooks"] == linkerds("linkerd-proxy-injector")["webhooks"]

    def test_one_that_was_never_adopted_is_left_alone(
        self, reached: tuple[FakeApiServer, Path], cluster: FakeApiServer
    ) -> None:
        cluster.put(INJECTOR, linkerds("linkerd-proxy-injector"))
        assert run(reached, "--delete").exit_code == 0
        assert ("PUT", INJECTOR) not in cluster.writes
