"""What is asked about a running server; nothing of it is ever stored."""

from __future__ import annotations

import copy
from typing import cast

import pytest

from tests.unit.diagnosis.certificates.site import DEPLOYMENTS, SERVICE, SERVICES, Site
from tests.unit.diagnosis.check.installed_cluster import InstalledCluster
from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.gather_server import gather_server
from webhook.diagnosis.check.installed import needed
from webhook.diagnosis.check.server_facts import ServerFacts
from webhook.diagnosis.selftest import ANSWERED_BY
from webhook.diagnosis.unseen import NotAsked, NotRead, NotSeen, seen
from webhook.install.configurations import SELF_TEST
from webhook.install.objects.names import SELECTOR
from webhook.kube.api import ApiServer
from webhook.kube.errors import ApiError
from webhook.kube.interface import JSON

PODS = "/api/v1/namespaces/shop/pods"
CONFIG_MAP = f"/api/v1/namespaces/linkerd/configmaps/{SELF_TEST}"


@pytest.fixture
def site() -> Site:
    """A server that is well."""
    site = Site().self_managed()
    site.put(CONFIG_MAP, {"kind": "ConfigMap"})

    def admitted(body: JSON) -> JSON:
        metadata = {**body.get("metadata", {}), "annotations": {ANSWERED_BY: "pod-1"}}
        return {**body, "metadata": metadata}

    site.admit = admitted
    return site


async def gathered(site: Site, cluster: InstalledCluster | None = None) -> ServerFacts:
    facts = (cluster or InstalledCluster()).facts()
    # As a Pod of the cluster would: `Site` is no API server that forwards ports.
    return await gather_server(Asker(cast("ApiServer", site)), facts, needed(facts))


async def test_all_is_asked_and_nothing_is_stored(site: Site) -> None:
    site.put("/api/v1/namespaces/linkerd/pods/mine", {"metadata": {"labels": SELECTOR}})
    site.put("/api/v1/namespaces/linkerd/pods/another", {"metadata": {"labels": {"app": "another"}}})
    before = copy.deepcopy(site.objects)
    result = await gathered(site)
    assert seen(result.services[SERVICE]) is not None
    assert seen(result.self_test).answered_by == "pod-1"
    assert [pod["metadata"]["name"] for pod in seen(result.pods[SERVICE])] == ["mine"]
    dry_run = seen(result.dry_run)
    assert dry_run.namespace == "shop"
    assert dry_run.pod is not None
    assert site.objects == before
    writes = [request for request in site.done if request.method != "GET"]
    assert writes
    assert all(request.query["dryRun"] == "All" for request in writes)


async def test_a_missing_right_to_create_pods_is_a_fact(site: Site) -> None:
    message = 'pods is forbidden: User "jane" cannot create resource "pods" in API group "" in the namespace "shop"'
    site.failures[PODS] = ApiError(403, message)
    dry_run = (await gathered(site)).dry_run
    assert isinstance(dry_run, NotSeen)
    assert dry_run.texts() == ('may not create pods: grant create on pods in namespace shop to user "jane"',)


async def test_a_refusal_is_kept(site: Site) -> None:
    site.failures[PODS] = ApiError(403, 'admission webhook "a" denied the request: no')
    dry_run = seen((await gathered(site)).dry_run)
    assert (dry_run.pod, dry_run.status) == (None, 403)
    assert dry_run.message.endswith("denied the request: no")


@pytest.mark.parametrize("error", [TimeoutError(), ApiError(0, "connection refused")])
async def test_silence_is_a_fact(site: Site, error: Exception) -> None:
    site.failures[PODS] = error
    assert isinstance((await gathered(site)).dry_run, NotRead)


async def test_an_api_server_that_goes_away_is_a_fact_of_each(site: Site) -> None:
    site.failures[SERVICES] = site.failures[DEPLOYMENTS] = ApiError(500, "etcd is away")
    result = await gathered(site)
    assert isinstance(result.services[SERVICE], NotRead)
    assert isinstance(result.certificates[SERVICE], NotRead)
    assert seen(result.self_test).answered_by


async def test_where_the_image_was_exchanged_each_service_is_asked_about_and_there_is_no_self_test(site: Site) -> None:
    result = await gathered(site, InstalledCluster.image())
    assert [service.name for service in result.certificates] == ["linkerd-proxy-injector", "linkerd-sp-validator"]
    assert isinstance(result.self_test, NotAsked)
