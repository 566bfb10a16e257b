"""What stands in the way of an installation, and what is only noted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tests.kube.store import Store
from tests.unit.diagnosis.check.test_control_plane import ROOTS, config
from webhook.diagnosis.check import crds
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.gather import CheckRequest, of_cluster
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.finding import CheckFinding, errors, lines, notes
from webhook.diagnosis.installation.facts import SetupFacts
from webhook.diagnosis.installation.look import Look, look
from webhook.diagnosis.installation.request import InstallRequest
from webhook.diagnosis.unseen import MissingRight, NotSeen
from webhook.install.adoption import ADOPTED_FROM, LINKERD_CONFIGURATIONS
from webhook.install.assign import merged
from webhook.install.render import render
from webhook.install.settings import defaults
from webhook.kube.api import ApiServer
from webhook.kube.errors import ApiError
from webhook.kube.webhookconfigurations import MUTATING, path
from webhook.mesh.releases import line

JSON = dict[str, Any]

CRD_ROOT = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CONFIG_MAPS = "/api/v1/namespaces/linkerd/configmaps"
SECRETS = "/api/v1/namespaces/linkerd/secrets"
NEEDED = crds.needed(line("edge-26.8"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Cluster(Store):
    """Linkerd is there, its webhook configurations are not."""

    def __init__(self) -> None:
        super().__init__()
        self.put("/version", {"major": "1", "minor": "36+", "gitVersion": "v1.36.1"})
        for name, version in NEEDED.items():
            self.put(f"{CRD_ROOT}/{name}", {"spec": {"versions": [{"name": version, "served": True}]}})
        self.put(f"{CONFIG_MAPS}/linkerd-config", config())
        self.put(f"{CONFIG_MAPS}/linkerd-identity-trust-roots", ROOTS)
        self.put("/api/v1/namespaces/linkerd", {})

    def deploy(self, namespace: str, annotations: dict[str, str] | None = None) -> None:
        """Put a Deployment of ours."""
        metadata = {"labels": {"app.kubernetes.io/name": "linkerd-webhook"}, "annotations": annotations or {}}
        self.put(f"/apis/apps/v1/namespaces/{namespace}/deployments/linkerd-webhook", {"metadata": metadata})

    host = "https://cluster.example.org"

    @property
    def api(self) -> ApiServer:
        """As the code wants it."""
        return cast("ApiServer", self)


@pytest.fixture
def cluster() -> Cluster:
    """A cluster with Linkerd."""
    return Cluster()


def linkerds(cluster: Cluster, *, annotations: JSON | None = None, service: str = "linkerd-proxy-injector") -> None:
    """Add Linkerd's configurations."""
    for kind, name in LINKERD_CONFIGURATIONS:
        client = {"service": {"namespace": "linkerd", "name": service}}
        webhooks = [{"name": "a", "clientConfig": client}]
        body = {"kind": kind, "metadata": {"annotations": annotations or {}}, "webhooks": webhooks}
        cluster.put(path((kind, name)), body)


def request(**settings: Any) -> InstallRequest:
    """What is to be installed, by default with default settings."""
    return InstallRequest(**{"namespace": "linkerd", "adopt": False, "needs": (1, 30), **settings})


async def looked(cluster: Cluster, **settings: Any) -> Look:
    """What `install` sees."""
    install = request(**settings)
    return look(await of_cluster(CheckRequest(Scope.PRE, "linkerd", install=install), cluster.api))


async def checked(cluster: Cluster, **settings: Any) -> list[CheckFinding]:
    """All findings."""
    result = await looked(cluster, **settings)
    assert not result.unseen
    return list(result.findings)


async def problems(cluster: Cluster, **settings: Any) -> list[str]:
    """What stands in the way, a line each."""
    return lines(errors(await checked(cluster, **settings)))


async def remarks(cluster: Cluster, **settings: Any) -> list[str]:
    """What is only noted, a line each."""
    return lines(notes(await checked(cluster, **settings)))


class TestChecks:
    """What is in the way, and what is only noted."""

    async def test_finds_nothing_where_all_is_well(self, cluster: Cluster) -> None:
        assert await checked(cluster) == []

    async def test_tells_all_problems_at_once(self, cluster: Cluster) -> None:
        cluster.objects["/version"] = {"major": "1", "minor": "27"}
        for gone in (f"{CRD_ROOT}/servers.policy.linkerd.io", f"{CONFIG_MAPS}/linkerd-config"):
            del cluster.objects[gone]
        version, crds, config = await problems(cluster)
        assert "Kubernetes 1.27" in version and "--kube-version 1.27" in version
        assert (
            crds.startswith("CustomResourceDefinition servers.policy.linkerd.io: not found: ")
            and "linkerd install --crds | kubectl apply -f -" in crds
        )
        assert "linkerd/linkerd-config" in config and "linkerd install | kubectl apply -f -" in config

    async def test_an_api_server_that_knows_all_of_it_is_new_enough(self, cluster: Cluster) -> None:
        cluster.objects["/version"] = {"major": "1", "minor": "27"}
        assert await problems(cluster, needs=(1, 27)) == []

    async def test_names_the_namespace_where_linkerd_is(self, cluster: Cluster) -> None:
        cluster.add("/api/v1/configmaps", "mesh", "linkerd-config")
        cluster.remove(f"{CONFIG_MAPS}/linkerd-config")
        (problem,) = await problems(cluster)
        assert "--linkerd-namespace mesh" in problem

    async def test_refuses_a_second_installation_but_not_the_same_again(self, cluster: Cluster) -> None:
        for namespace in ("linkerd", "old"):
            cluster.deploy(namespace)
        (problem,) = await problems(cluster)
        assert "Deployment old/linkerd-webhook" in problem
        assert "linkerd-webhook uninstall --linkerd-namespace old" in problem

    @pytest.mark.parametrize(
        ("now", "wanted", "says"),
        [
            ("", "mine", "issues its certificate itself, and would take it from Secret linkerd/mine: "),
            ("mine", "", "takes its certificate from Secret linkerd/mine, and would issue it itself: "),
            ("", "", ""),
            ("mine", "mine", ""),
        ],
    )
    async def test_refuses_to_change_where_certificates_come_from_in_a_running_deployment(
        self, cluster: Cluster, now: str, wanted: str, says: str
    ) -> None:
        """The rollout would wait for itself."""
        values = merged(defaults(), {"image": {"repository": "a/b"}, "certificates": {"existingSecret": now}})
        ours = next(body for body in render(values, "linkerd").objects if body["kind"] == "Deployment")
        cluster.put("/apis/apps/v1/namespaces/linkerd/deployments/linkerd-webhook", ours)
        result = [problem for problem in await problems(cluster, existing_secret=wanted) if "Deployment" in problem]
        assert len(result) == bool(says)
        assert all(
            says.removesuffix(": ") in finding and "kubectl -n linkerd delete deploy linkerd-webhook first" in finding
            for finding in result
        )

    async def test_notes_linkerds_own_configurations(self, cluster: Cluster) -> None:
        linkerds(cluster)
        assert await problems(cluster) == []
        (note,) = await remarks(cluster)
        assert note == (
            "MutatingWebhookConfiguration linkerd-proxy-injector-webhook-config, ValidatingWebhookConfiguration "
            "linkerd-policy-validator-webhook-config, linkerd-sp-validator-webhook-config: is Linkerd's own, and "
            "still calls Linkerd's webhook: pass --adopt to point it here instead"
        )

    async def test_has_nothing_to_adopt_where_none_is_there(self, cluster: Cluster) -> None:
        (problem,) = await problems(cluster, adopt=True)
        assert "none of Linkerd's webhook configurations" in problem

    async def test_adopts_none_that_cert_manager_writes(self, cluster: Cluster) -> None:
        linkerds(cluster, annotations={"cert-manager.io/inject-ca-from": "linkerd/x"})
        findings = await checked(cluster, adopt=True)
        assert [error.object for error in errors(findings)] == [
            f"{kind} {name}" for kind, name in LINKERD_CONFIGURATIONS
        ]
        assert {finding.field for finding in findings} == {"metadata.annotations[cert-manager.io/inject-ca-from]"}

    async def test_notes_ours_that_stay_when_linkerds_are_adopted(self, cluster: Cluster) -> None:
        linkerds(cluster)
        cluster.put(path((MUTATING, "linkerd-webhook")), {})
        (note,) = await remarks(cluster, adopt=True)
        assert "kubectl delete mutatingwebhookconfiguration/linkerd-webhook" in note

    async def test_refuses_configurations_of_ours_beside_adopted_ones(self, cluster: Cluster) -> None:
        linkerds(cluster, annotations={ADOPTED_FROM: "{}"}, service="linkerd-webhook")
        [problem] = await problems(cluster)
        assert "pass --adopt, or give them back first with linkerd-webhook uninstall --delete" in problem
        assert await problems(cluster, adopt=True) == []

    async def test_notes_a_helm_release_by_its_deployment_and_by_its_records_once(self, cluster: Cluster) -> None:
        cluster.deploy("linkerd", {"meta.helm.sh/release-name": "webhook"})
        (note,) = await remarks(cluster)
        assert "helm upgrade --namespace linkerd webhook" in note
        cluster.deploy("linkerd", {"meta.helm.sh/release-name": "linkerd-webhook"})
        labels = {"owner": "helm", "name": "linkerd-webhook"}
        record = {"type": "helm.sh/release.v1", "metadata": {"labels": labels}}
        cluster.put(f"{SECRETS}/sh.helm.release.v1.linkerd-webhook.v1", record)
        (note,) = await remarks(cluster)
        assert "helm upgrade --namespace linkerd linkerd-webhook" in note

    async def test_passes_on_what_else_the_api_server_says(self, cluster: Cluster) -> None:
        cluster.failures["/apis/apps/v1/deployments"] = ApiError(500, "etcd is away")
        result = await looked(cluster)
        assert (result.host, result.findings) == ("https://cluster.example.org", ())
        assert result.unseen == (
            "GET /apis/apps/v1/deployments: the API server refuses the request (HTTP 500): etcd is away",
        )

    async def test_what_may_not_be_read_is_named_once_with_the_right_to_grant(self, cluster: Cluster) -> None:
        cluster.failures["/apis/apps/v1/deployments"] = ApiError(403, 'User "jane" cannot list')
        assert (await looked(cluster)).unseen == (
            'may not list deployments.apps: grant list on deployments.apps to user "jane"',
        )

    async def test_does_not_ask_what_the_user_may_create(self, cluster: Cluster) -> None:
        assert await checked(cluster) == []
        assert not cluster.tried


class TestPure:
    """Facts in, findings out: no API server is needed."""

    def facts(self, **more: Any) -> ClusterFacts:
        """All is well; `helm_release` is of the facts about what is to be installed."""
        setup = SetupFacts(request=request(), deployments=(), helm_release=more.pop("helm_release", False))
        all_well = {
            "at": NOW,
            "scope": Scope.PRE,
            "namespace": "linkerd",
            "version": {"major": "1", "minor": "36"},
            "crds": {name: frozenset({version}) for name, version in NEEDED.items()},
            "linkerd_config": config(),
            "trust_roots": ROOTS,
            "linkerd_namespaces": (),
            "configurations": {},
            "setup": setup,
        }
        return ClusterFacts(**{**all_well, **more})

    def test_nothing_is_found_where_all_is_well(self) -> None:
        observation = look(self.facts())
        assert (observation.findings, observation.unseen) == ((), ())

    def test_a_version_that_cannot_be_read_is_noted(self) -> None:
        (note,) = look(self.facts(version={"gitVersion": "v-next"})).findings
        assert (note.code, note.severity) == ("k8s-version", "note")
        assert note.line() == "API server: its version is not known, as it reports v-next"

    def test_secrets_that_may_not_be_listed_come_with_what_to_grant(self) -> None:
        right = MissingRight("list", "secrets", "linkerd", 'user "jane"')
        (note,) = look(self.facts(helm_release=NotSeen((right,)))).findings
        assert (note.code, note.fix) == ("helm-release", right.text())

    def test_each_config_map_that_is_missing_is_told(self) -> None:
        findings = look(self.facts(linkerd_config=None, trust_roots=None)).findings
        assert [(finding.code, finding.object) for finding in findings] == [
            ("linkerd-config", "ConfigMap linkerd/linkerd-config"),
            ("trust-roots", "ConfigMap linkerd/linkerd-identity-trust-roots"),
        ]

    def test_findings_that_differ_by_their_object_share_a_line(self) -> None:
        served = {name: frozenset({version}) for name, version in list(NEEDED.items())[2:]}
        (told,) = lines(look(self.facts(crds=served)).findings)
        first, second = list(NEEDED)[:2]
        assert told.startswith(f"CustomResourceDefinition {first}, {second}: not found: ")
