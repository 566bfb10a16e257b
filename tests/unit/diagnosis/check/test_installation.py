"""What is installed, and with which settings, by the objects that are there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.check.installed_cluster import NAMESPACE, InstalledCluster, linkerds, settings
from webhook.diagnosis.check.installation import Installation, InstallMode, elsewhere, read
from webhook.diagnosis.unseen import MissingRight, NotRead, NotSeen
from webhook.install.adoption import LINKERD_CONFIGURATIONS
from webhook.install.configurations import NAME
from webhook.install.render import render

FORBIDDEN = NotSeen((MissingRight("list", "deployments.apps", NAMESPACE),))


def installation(cluster: InstalledCluster, **more: Any) -> Installation:
    contents = read(cluster.traces(**more))
    assert isinstance(contents, Installation), contents
    return contents


WAYS: list[dict[str, Any]] = [
    {},
    {"adopt": True},
    {"adopt": True, "workloadAdvice": False},
    {"failurePolicy": "Fail", "replicas": 3},
    {"guard": "deny", "tokenProjection": False},
    {"guard": "off"},
    {"namespaces__optIn": True, "namespaces__exclude": ["billing", "shop"]},
    {"certificates__existingSecret": "mine"},
    {"certificates__existingSecret": "mine", "certificates__injectCAFrom": "linkerd/mine"},
    {"hostNetwork": True, "port": 9443, "adminPort": 9996, "clusterDomain": "corp.example"},
    {"statusPage": True},
    {"extraArgs": ["--release-line=edge-26.8"], "logLevel": "debug", "logFormat": "json"},
    {"image__digest": "sha256:" + "0" * 64, "image__tag": ""},
]


class TestSettings:
    @pytest.mark.parametrize("paths", WAYS, ids=str)
    def test_the_objects_tell_the_settings_by_which_they_were_printed(self, paths: dict[str, Any]) -> None:
        cluster = InstalledCluster(**paths)
        cluster_state = installation(cluster)
        assert cluster_state.rendered().objects == render(settings(**paths), NAMESPACE).objects
        assert cluster_state.mode is (InstallMode.ADOPTED if paths.get("adopt") else InstallMode.OWN)

    def test_the_release_line_of_the_arguments_is_told(self) -> None:
        assert installation(InstalledCluster(extraArgs=["--release-line=edge-26.8"])).release_line == "edge-26.8"
        assert installation(InstalledCluster()).release_line == ""

    def test_a_right_to_write_the_advisor_tells_that_it_belongs_there(self) -> None:
        cluster = InstalledCluster()
        del cluster["ValidatingWebhookConfiguration", "linkerd-webhook-workload-advisor"]
        assert installation(cluster).values["workloadAdvice"] is True

    @pytest.mark.parametrize(("guard", "gone"), [("warn", 0), ("warn", 1), ("deny", 0), ("deny", 1), ("deny", 2)])
    def test_what_is_left_of_the_guard_tells_its_setting(self, guard: str, gone: int) -> None:
        cluster = InstalledCluster(guard=guard)
        names = [name for name in cluster.objects if name[0].startswith("ValidatingAdmissionPolicy")]
        del cluster[names[gone]]
        assert installation(cluster).values["guard"] == guard


class TestModes:
    def test_nothing_is_installed_where_only_linkerd_is(self) -> None:
        cluster = InstalledCluster()
        cluster.objects = {name: linkerds(name) for name in LINKERD_CONFIGURATIONS}
        assert read(cluster.traces()) is None

    def test_the_image_in_linkerds_deployments_is_an_installation(self) -> None:
        cluster_state = installation(InstalledCluster.image(arguments=["-release-line", "stable-2.12"]))
        assert cluster_state.mode is InstallMode.IMAGE
        assert [service.name for service in cluster_state.services] == [
            "linkerd-proxy-injector",
            "linkerd-sp-validator",
        ]
        assert cluster_state.release_line == "stable-2.12"
        assert cluster_state.rendered().objects == []

    def test_only_the_containers_that_run_the_image_count(self) -> None:
        cluster_state = installation(InstalledCluster.image("sp-validator"))
        assert cluster_state.service.name == "linkerd-sp-validator"
        assert isinstance(cluster_state.deployments, tuple)
        assert [body["metadata"]["name"] for body in cluster_state.deployments] == ["linkerd-destination"]

    @pytest.mark.parametrize("adopt", [True, False])
    def test_an_installation_without_its_deployment_is_still_one(self, adopt: bool) -> None:
        cluster = InstalledCluster(adopt=adopt)
        del cluster["Deployment", NAME]
        cluster_state = installation(cluster)
        assert cluster_state.mode is (InstallMode.ADOPTED if adopt else InstallMode.OWN)
        assert cluster_state.deployments == ()

    def test_one_whose_configurations_were_all_deleted_is_still_one(self) -> None:
        assert installation(InstalledCluster(), configurations={}).mode is InstallMode.OWN
        assert installation(InstalledCluster(adopt=True), configurations={}).mode is InstallMode.ADOPTED

    def test_an_overwritten_adoption_is_still_one(self) -> None:
        cluster = InstalledCluster(adopt=True)
        del cluster["Deployment", NAME]
        for kind, name in LINKERD_CONFIGURATIONS:
            cluster.webhooks(kind, name)[0]["clientConfig"]["service"]["name"] = "another"
        assert installation(cluster).mode is InstallMode.ADOPTED


class TestUnknown:
    def test_configurations_tell_where_deployments_may_not_be_seen(self) -> None:
        cluster_state = installation(InstalledCluster(adopt=True), deployments=FORBIDDEN, service=FORBIDDEN)
        assert cluster_state.mode is InstallMode.ADOPTED
        assert cluster_state.deployments == FORBIDDEN

    def test_whether_there_is_one_is_not_known_without_the_rights(self) -> None:
        other = NotSeen((MissingRight("list", "mutatingwebhookconfigurations.admissionregistration.k8s.io"),))
        contents = read(InstalledCluster().traces(configurations=other, deployments=FORBIDDEN, service=None))
        assert contents == NotSeen((*other.missing, *FORBIDDEN.missing))

    def test_a_failure_is_told(self) -> None:
        broken = NotRead("GET /: no answer")
        assert read(InstalledCluster().traces(configurations=broken, deployments=(), service=None)) == broken


def test_an_installation_in_another_namespace_is_found_by_its_configurations() -> None:
    cluster = InstalledCluster()
    cluster.webhooks("MutatingWebhookConfiguration", NAME)[0]["clientConfig"]["service"]["namespace"] = "mesh"
    configurations = cluster.traces().configurations
    assert isinstance(configurations, dict)
    assert elsewhere(configurations, NAMESPACE) == ["mesh"]
    assert elsewhere(configurations, "mesh") == [NAMESPACE]
