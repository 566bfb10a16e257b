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

from webhook.cli.main import cli
from webhook.install.linkerd import ADOPTED_FROM
from webhook.kube.webhookconfigurations import Service
from webhook.uninstall.plan import OWN_INJECTOR, SELF_TEST, THINGS, Stage, Thing
from webhook.upkeep import adoption

from .stored import JSON, Cluster, kubeconfig, served

NAME = "linkerd-webhook"
PODS = "/api/v1/pods"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/linkerd/endpointslices"
ROOT = "/apis/admissionregistration.k8s.io/v1"
INJECTOR = f"{ROOT}/mutatingwebhookconfigurations/linkerd-proxy-injector-webhook-config"
VALIDATOR = f"{ROOT}/validatingwebhookconfigurations/linkerd-policy-validator-webhook-config"

ALL = {each.describe("linkerd") for each in THINGS}


def path(kind: str, name: str = NAME) -> str:
    """Where one of ours is."""
    return next(each.path("linkerd") for each in THINGS if (each.kind, each.name) == (kind, name))


DEPLOYMENT = path("Deployment")


def stored(thing: Thing, namespace: str = "linkerd") -> JSON:
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
    return {"metadata": {"namespace": namespace, "name": name}, "spec": {"containers": [{"name": "linkerd-proxy"}]}}


def endpoints(*, ready: bool = True) -> JSON:
    """The EndpointSlice of Linkerd's own injector."""
    endpoint = {"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}
    return {"metadata": {"name": "a"}, "ports": [{"name": "https", "port": 8443}], "endpoints": [endpoint]}


def linkerds(name: str) -> JSON:
    """One of Linkerd's configurations."""
    service = {"namespace": "linkerd", "name": name, "path": "/"}
    webhook = {"name": f"{name}.linkerd.io", "clientConfig": {"service": service, "caBundle": "bGlua2VyZA=="}}
    return {"metadata": {"name": name, "annotations": {"example.org/kept": "yes"}}, "webhooks": [webhook]}


def adopt(body: JSON) -> JSON:
    """As the server does it."""
    return adoption.adopted(body, "/x", Service("linkerd", NAME), "b3Vycw==")


@pytest.fixture
def reached(tmp_path: Path) -> Iterator[tuple[Cluster, Path]]:
    """A cluster without anything, and its kubeconfig."""
    with served(tmp_path) as found:
        found[0].lists[PODS] = []
        found[0].lists[SLICES] = []
        yield found


@pytest.fixture
def cluster(reached: tuple[Cluster, Path]) -> Cluster:
    """The cluster, with all that an installation can have."""
    for thing in THINGS:
        reached[0].put(thing.path("linkerd"), stored(thing))
    return reached[0]


@pytest.fixture
def adopting(cluster: Cluster) -> Cluster:
    """The cluster, with two of Linkerd's configurations adopted and none of ours but the self-test's."""
    for thing in THINGS:
        if thing.stage is Stage.CALLS and thing != SELF_TEST:
            del cluster.objects[thing.path("linkerd")]
    cluster.put(INJECTOR, adopt(linkerds("linkerd-proxy-injector")))
    cluster.put(VALIDATOR, adopt(linkerds("linkerd-policy-validator")))
    return cluster


def run(reached: tuple[Cluster, Path], *arguments: str) -> Result:
    """The command's end."""
    return CliRunner().invoke(cli, ["uninstall", f"--kubeconfig={reached[1]}", *arguments])


def printed(result: Result) -> list[str]:
    """What is to be deleted."""
    found = [each for each in yaml.safe_load_all(result.stdout) if each]
    by_reference = {json.dumps(each.reference("linkerd")): each.describe("linkerd") for each in THINGS}
    return [by_reference[json.dumps(each)] for each in found]


class TestPrinting:
    """The default: a stream for kubectl."""

    def test_all_that_is_there_is_printed_in_the_order_in_which_it_can_go(
        self, reached: tuple[Cluster, Path], cluster: Cluster
    ) -> None:
        result = run(reached)
        assert result.exit_code == 0
        assert printed(result) == [each.describe("linkerd") for each in THINGS]
        assert not cluster.writes

    def test_what_is_not_there_is_not_printed(self, reached: tuple[Cluster, Path], cluster: Cluster) -> None:
        del cluster.objects[path("PodMonitor")]
        assert set(printed(run(reached))) == ALL - {"PodMonitor linkerd/linkerd-webhook"}

    def test_others_objects_of_our_names_are_left_alone_and_said(
        self, reached: tuple[Cluster, Path], cluster: Cluster
    ) -> None:
        """The certificate may be somebody's own, made for --existing-secret."""
        where = path("Secret", "linkerd-webhook-tls")
        cluster.put(where, {"type": "kubernetes.io/tls", "metadata": {"labels": {"team": "security"}}})
        result = run(reached)
        assert set(printed(result)) == ALL - {"Secret linkerd/linkerd-webhook-tls"}
        assert "Secret linkerd/linkerd-webhook-tls has the name of one of ours" in result.stderr

    def test_without_an_installation_nothing_is_printed_and_all_is_well(self, reached: tuple[Cluster, Path]) -> None:
        reached[0].lists[PODS] = [pod("a")]
        result = run(reached)
        assert (result.exit_code, result.stdout) == (0, "")
        assert "not installed in namespace linkerd" in result.stderr

    def test_ignore_cluster_prints_all_there_may_be_without_asking(self, reached: tuple[Cluster, Path]) -> None:
        reached[0].before = lambda method, path: pytest.fail(f"{method} {path}")
        result = run(reached, "--ignore-cluster")
        assert result.exit_code == 0
        # kubectl fails on a kind that the cluster does not know.
        assert printed(result) == [each.describe("linkerd") for each in THINGS if each.kind != "PodMonitor"]
        asked_for = run(reached, "--ignore-cluster", "--pod-monitor")
        assert printed(asked_for) == [each.describe("linkerd") for each in THINGS]

    def test_the_cluster_tells_whether_there_is_a_pod_monitor(self, reached: tuple[Cluster, Path]) -> None:
        result = run(reached, "--pod-monitor")
        assert result.exit_code == 2
        assert "--pod-monitor goes with --ignore-cluster" in result.stderr

    def test_ignore_cluster_deletes_nothing(self, reached: tuple[Cluster, Path]) -> None:
        result = run(reached, "--ignore-cluster", "--delete")
        assert result.exit_code == 2
        assert "--delete needs a cluster" in result.stderr

    def test_a_helm_release_is_said(self, reached: tuple[Cluster, Path], cluster: Cluster) -> None:
        cluster.objects[DEPLOYMENT]["metadata"]["annotations"] = {"meta.helm.sh/release-name": "webhook"}
        assert "helm uninstall --namespace linkerd webhook" in run(reached).stderr


class TestRefusals:
    """What stands against it."""

    def test_pods_in_the_mesh_are_listed_and_nothing_is_printed(
        self, reached: tuple[Cluster, Path], cluster: Cluster
    ) -> None:
        """In pages, as the API server gives them."""
        cluster.lists[PODS] = [*(pod(f"a{each:02}") for each in range(23)), pod("proxy-injector", "linkerd")]
        result = run(reached)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "  shop/a00\n" in result.stderr
        assert "  shop/a19\n" in result.stderr
        assert "shop/a20" not in result.stderr
        assert "and 3 more" in result.stderr
        assert "--force" in result.stderr

    def test_pods_that_linkerds_own_injector_would_mesh_again_do_not_stand_against_it(
        self, reached: tuple[Cluster, Path], cluster: Cluster
    ) -> None:
        """Ours answers beside it: with ours gone, it goes on."""
        cluster.lists[PODS] = [pod("a")]
        cluster.put(INJECTOR, linkerds("linkerd-proxy-injector"))
        cluster.lists[SLICES] = [endpoints()]
        assert set(printed(run(reached))) == ALL

    def test_they_do_where_it_does_not_run_or_nothing_calls_it(
        self, reached: tuple[Cluster, Path], cluster: Cluster
    ) -> None:
        cluster.lists[PODS] = [pod("a")]
        result = run(reached)
        assert result.exit_code == 1
        assert "as MutatingWebhookConfiguration linkerd-proxy-injector-webhook-config is not there" in result.stderr
        cluster.put(INJECTOR, linkerds("linkerd-proxy-injector"))
        for slices in ([], [endpoints(ready=False)]):
            cluster.lists[SLICES] = slices
            result = run(reached)
            assert (result.exit_code, result.stdout) == (1, "")
            what = "Service linkerd/linkerd-proxy-injector of Linkerd's own injector has no ready endpoint"
            assert what in result.stderr
            assert "have Linkerd's own injector run first" in result.stderr

    def test_the_rule_is_the_same_after_an_adoption(self, reached: tuple[Cluster, Path], adopting: Cluster) -> None:
        """What Linkerd gets back has to be answered."""
        adopting.lists[PODS] = [pod("a")]
        result = run(reached, "--delete")
        assert result.exit_code == 1
        assert "linkerd/linkerd-proxy-injector of Linkerd's own injector has no ready endpoint" in result.stderr
        assert not adopting.writes
        adopting.lists[SLICES] = [endpoints()]
        assert run(reached, "--delete").exit_code == 0

    def test_by_force_it_is_printed_all_the_same(self, reached: tuple[Cluster, Path], cluster: Cluster) -> None:
        cluster.lists[PODS] = [pod("a")]
        result = run(reached, "--force")
        assert result.exit_code == 0
        assert set(printed(result)) == ALL

    def test_with_adopted_configurations_printing_is_not_enough(
        self, reached: tuple[Cluster, Path], adopting: Cluster
    ) -> None:
        for arguments in ([], ["--force"]):
            result = run(reached, *arguments)
            assert (result.exit_code, result.stdout) == (1, "")
            assert "linkerd-webhook uninstall --delete" in result.stderr
        assert not adopting.writes

    def test_what_cannot_be_given_back_stands_against_deleting(
        self, reached: tuple[Cluster, Path], adopting: Cluster
    ) -> None:
        adopting.objects[INJECTOR]["metadata"]["annotations"] = {}
        result = run(reached, "--delete", "--force")
        assert result.exit_code == 1
        assert "linkerd upgrade" in result.stderr
        assert not adopting.writes

    def test_an_installation_in_another_namespace_is_named(self, reached: tuple[Cluster, Path]) -> None:
        for thing in THINGS:
            reached[0].put(thing.path("mesh"), stored(thing, "mesh"))
        result = run(reached, "--delete")
        assert result.exit_code == 1
        assert "not installed in namespace linkerd but in mesh" in result.stderr
        assert run(reached, "--delete", "--linkerd-namespace=mesh").exit_code == 0
        assert not reached[0].objects

    def test_what_cannot_be_read_is_said_and_nothing_is_deleted(
        self, reached: tuple[Cluster, Path], cluster: Cluster
    ) -> None:
        for where in (DEPLOYMENT, path("Lease")):
            cluster.failures["GET", where] = 403
        result = run(reached, "--delete")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == (
            "linkerd-webhook: cannot read Deployment linkerd/linkerd-webhook, Lease linkerd/linkerd-webhook: "
            "not allowed: grant it to whoever asks (no GET of linkerd-webhook today)\n"
        )
        assert not cluster.writes

    def test_one_cause_is_said_once_however_many_objects_it_is_met_with(
        self, reached: tuple[Cluster, Path], cluster: Cluster
    ) -> None:
        """The API server's own words name each object."""
        for thing in THINGS:
            cluster.failures["GET", thing.path("linkerd")] = 403
            cluster.messages[thing.path("linkerd")] = f'{thing.plural} "x" is forbidden: User "jane" cannot get that'
        result = run(reached, "--delete")
        assert (result.exit_code, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        assert f"and {len(THINGS) - 5} more objects" in line
        assert line.endswith('user "jane" may not read them: run this as somebody who may, such as a cluster-admin')
        cluster.failures.clear()
        for thing in THINGS:
            if thing.stage is not Stage.CALLS:
                cluster.failures["DELETE", thing.path("linkerd")] = 403
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

    def test_all_goes_in_order(self, reached: tuple[Cluster, Path], cluster: Cluster) -> None:
        result = run(reached, "--delete")
        assert result.exit_code == 0
        assert cluster.writes == [("DELETE", each.path("linkerd")) for each in THINGS]
        assert not cluster.objects
        assert result.stdout.splitlines()[0] == f"deleted {SELF_TEST.describe('linkerd')}"

    def test_what_somebody_else_deletes_meanwhile_is_no_failure(
        self, reached: tuple[Cluster, Path], cluster: Cluster
    ) -> None:
        def before(method: str, where: str) -> None:
            if method == "DELETE" and where == DEPLOYMENT:
                cluster.objects.pop(DEPLOYMENT, None)

        cluster.before = before
        assert run(reached, "--delete").exit_code == 0
        assert not cluster.objects

    def test_after_a_failure_the_rest_is_tried_and_the_next_run_finishes(
        self, reached: tuple[Cluster, Path], cluster: Cluster
    ) -> None:
        cluster.failures["DELETE", DEPLOYMENT] = 500
        result = run(reached, "--delete")
        assert result.exit_code == 2
        assert (
            "cannot delete Deployment linkerd/linkerd-webhook: the API server refuses (HTTP 500): no DELETE"
            in result.stderr
        )
        assert set(cluster.objects) == {DEPLOYMENT}
        cluster.failures.clear()
        assert run(reached, "--delete").exit_code == 0
        assert not cluster.objects

    def test_the_server_stays_while_a_configuration_still_sends_it_requests(
        self, reached: tuple[Cluster, Path], cluster: Cluster
    ) -> None:
        cluster.failures["DELETE", OWN_INJECTOR.path("linkerd")] = 403
        result = run(reached, "--delete")
        assert result.exit_code == 2
        assert "the server and its Secrets stay" in result.stderr
        left = {each for each in THINGS if each.stage is not Stage.CALLS or each == OWN_INJECTOR}
        assert set(cluster.objects) == {each.path("linkerd") for each in left}

    def test_pods_in_the_mesh_do_not_keep_a_second_run_from_finishing(
        self, reached: tuple[Cluster, Path], cluster: Cluster
    ) -> None:
        """What injected them is gone already."""
        cluster.lists[PODS] = [pod("a")]
        assert run(reached, "--delete").exit_code == 1
        cluster.failures["DELETE", DEPLOYMENT] = 500
        assert run(reached, "--delete", "--force").exit_code == 2
        cluster.failures.clear()
        assert run(reached, "--delete").exit_code == 0


class TestGivingBack:
    """Configurations that were adopted from Linkerd."""

    def test_they_are_as_before_ahead_of_the_server_s_end(
        self, reached: tuple[Cluster, Path], adopting: Cluster
    ) -> None:
        """Pods in the mesh do not stand against it: Linkerd's own webhook answers again."""
        adopting.lists[PODS] = [pod("a")]
        adopting.lists[SLICES] = [endpoints()]
        result = run(reached, "--delete")
        assert result.exit_code == 0
        for where, name in ((INJECTOR, "linkerd-proxy-injector"), (VALIDATOR, "linkerd-policy-validator")):
            found = adopting.objects[where]
            del found["metadata"]["resourceVersion"]
            assert found == {**linkerds(name), "kind": found["kind"]}
        assert set(adopting.objects) == {INJECTOR, VALIDATOR}
        writes = adopting.writes
        assert writes[:3] == [("DELETE", SELF_TEST.path("linkerd")), ("PUT", INJECTOR), ("PUT", VALIDATOR)]
        assert [each for each in writes if each[0] == "PUT"] == [("PUT", INJECTOR), ("PUT", VALIDATOR)]

    def test_a_conflicting_write_in_between_is_kept(self, reached: tuple[Cluster, Path], adopting: Cluster) -> None:
        times = [0]

        def before(method: str, where: str) -> None:
            if (method, where) == ("PUT", INJECTOR) and times[0] < 2:
                times[0] += 1
                body = copy.deepcopy(adopting.objects[INJECTOR])
                body["metadata"]["labels"] = {"written": str(times[0])}
                adopting.put(INJECTOR, body)

        adopting.before = before
        assert run(reached, "--delete").exit_code == 0
        found = adopting.objects[INJECTOR]
        assert found["metadata"]["labels"] == {"written": "2"}
        assert ADOPTED_FROM not in found["metadata"]["annotations"]

    def test_one_that_cannot_be_given_back_keeps_the_server_and_the_others_are_given_back(
        self, reached: tuple[Cluster, Path], adopting: Cluster
    ) -> None:
        adopting.failures["PUT", INJECTOR] = 403
        result = run(reached, "--delete")
        assert result.exit_code == 2
        assert "cannot restore MutatingWebhookConfiguration linkerd-proxy-injector-webhook-config" in result.stderr
        assert DEPLOYMENT in adopting.objects
        assert path("Secret", "linkerd-webhook-tls") in adopting.objects
        assert ADOPTED_FROM not in adopting.objects[VALIDATOR]["metadata"]["annotations"]
        adopting.failures.clear()
        adopting.lists[PODS] = [pod("a")]
        adopting.lists[SLICES] = [endpoints()]
        assert run(reached, "--delete").exit_code == 0
        assert set(adopting.objects) == {INJECTOR, VALIDATOR}

    def test_a_server_that_adopts_again_at_the_last_moment_does_not_win(
        self, reached: tuple[Cluster, Path], adopting: Cluster
    ) -> None:
        def before(method: str, where: str) -> None:
            if (method, where) == ("DELETE", DEPLOYMENT):
                body = adopting.objects[INJECTOR]
                assert ADOPTED_FROM not in body["metadata"]["annotations"]
                adopting.put(INJECTOR, adopt(body))

        adopting.before = before
        assert run(reached, "--delete").exit_code == 0
        found = adopting.objects[INJECTOR]
        assert found["webhooks"] == linkerds("linkerd-proxy-injector")["webhooks"]

    def test_one_that_was_never_adopted_is_left_alone(self, reached: tuple[Cluster, Path], cluster: Cluster) -> None:
        cluster.put(INJECTOR, linkerds("linkerd-proxy-injector"))
        assert run(reached, "--delete").exit_code == 0
        assert ("PUT", INJECTOR) not in cluster.writes
