"""What `install --adopt` reads of Linkerd's extensions in a cluster."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.kube.store import Store
from tests.unit.diagnosis.check.installed_cluster import CA_BUNDLE, SERVICE, linkerds, settings
from webhook.diagnosis.installation.extensions import ExtensionFlags, find_extensions
from webhook.diagnosis.installation.request import InstallRequest
from webhook.install.adoption import JAEGER_INJECTOR, PATHS, TAP_INJECTOR, adopted
from webhook.install.render import render
from webhook.kube.api import ApiServer
from webhook.kube.errors import Forbidden
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ConfigurationName, path

TAP = "tap.linkerd-viz.serviceaccount.identity.linkerd.cluster.local"
TAP_ARGUMENTS = ["injector", f"-tap-service-name={TAP}", "-log-level=info", "-log-format=plain", "-enable-pprof=false"]
JAEGER_ARGUMENTS = [
    "-collector-svc-addr=collector.linkerd-jaeger:55678",
    "-collector-trace-protocol=opencensus",
    "-collector-svc-account=collector",
    "-log-level=info",
    "-cluster-domain=cluster.local",
    "-linkerd-namespace=linkerd",
]


def deployment(namespace: str, name: str, arguments: list[str]) -> JSON:
    """The Deployment of an extension's injector."""
    pod = {"containers": [{"name": "linkerd-proxy"}, {"name": name, "args": arguments}]}
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": {"spec": pod}}}


def extension(configuration: ConfigurationName, namespace: str) -> JSON:
    """The configuration as the extension writes it."""
    body = linkerds(configuration)
    service = configuration[1].removeprefix("linkerd-").removesuffix("-webhook-config")
    body["webhooks"][0]["clientConfig"]["service"] |= {"namespace": namespace, "name": service}
    return body


@pytest.fixture
def store() -> Store:
    """A cluster with both extensions."""
    store = Store()
    for configuration, namespace, name, arguments in (
        (TAP_INJECTOR, "linkerd-viz", "tap-injector", TAP_ARGUMENTS),
        (JAEGER_INJECTOR, "linkerd-jaeger", "jaeger-injector", JAEGER_ARGUMENTS),
    ):
        store.put(path(configuration), extension(configuration, namespace))
        where = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
        store.put(where, deployment(namespace, name, arguments))
    return store


async def found(store: Store, *given: str, adopt: bool = True, cluster_domain: str = "cluster.local") -> ExtensionFlags:
    """What is found with these extra arguments."""
    values = settings(adopt=adopt)
    request = InstallRequest.of(values, "linkerd", render(values, "linkerd"))
    return await find_extensions(cast("ApiServer", store), request, given, cluster_domain)


TAP_FLAGS = (f"--tap-service-name={TAP}",)
JAEGER_FLAGS = (
    "--collector-svc-addr=collector.linkerd-jaeger:55678",
    "--collector-svc-account=collector",
    "--collector-trace-protocol=opencensus",
)


async def test_the_server_gets_what_the_extensions_injectors_are_told(store: Store) -> None:
    result = await found(store)
    assert result.arguments == (*TAP_FLAGS, *JAEGER_FLAGS)
    assert [name[1] in note for name, note in zip((TAP_INJECTOR, JAEGER_INJECTOR), result.notes, strict=True)] == [
        True,
        True,
    ]


async def test_an_adopted_configuration_still_tells_where_its_injector_is(store: Store) -> None:
    for name in (TAP_INJECTOR, JAEGER_INJECTOR):
        body = adopted(store.objects[path(name)], PATHS[name], SERVICE, CA_BUNDLE)
        store.put(path(name), body)
    assert (await found(store)).arguments == (*TAP_FLAGS, *JAEGER_FLAGS)


async def test_without_extensions_there_is_nothing_to_report() -> None:
    assert await found(Store()) == ExtensionFlags()


async def test_without_adopt_nothing_is_read(store: Store) -> None:
    assert await found(store, adopt=False) == ExtensionFlags()
    assert store.calls == []


async def test_a_flag_that_the_user_gives_stays(store: Store) -> None:
    assert (await found(store, "--tap-service-name=mine")).arguments == JAEGER_FLAGS


def _without_deployment(store: Store) -> None:
    store.remove("/apis/apps/v1/namespaces/linkerd-viz/deployments/tap-injector")


def _forbidden(store: Store) -> None:
    store.failures["/apis/apps/v1/namespaces/linkerd-viz/deployments"] = Forbidden(403, "deployments.apps is forbidden")


def _cert_manager(store: Store) -> None:
    body: Any = store.objects[path(TAP_INJECTOR)]
    store.put(path(TAP_INJECTOR), {**body, "metadata": {**body["metadata"], "annotations": CERT_MANAGER}})


def _url(store: Store) -> None:
    body: Any = store.objects[path(TAP_INJECTOR)]
    webhook = {**body["webhooks"][0], "clientConfig": {"url": "https://tap.example.org"}}
    store.put(path(TAP_INJECTOR), {**body, "webhooks": [webhook]})


CERT_MANAGER = {"cert-manager.io/inject-ca-from": "linkerd-viz/tap-injector"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_without_deployment, "no Deployment in Namespace linkerd-viz has a container tap-injector"),
        (_forbidden, "deployments.apps is forbidden"),
        (_cert_manager, "cert-manager writes its caBundle"),
        (_url, "does not say which Service"),
    ],
)
async def test_what_cannot_be_read_stays_with_the_extension_and_is_a_note(store: Store, change: Any, why: str) -> None:
    change(store)
    result = await found(store)
    assert result.arguments == JAEGER_FLAGS
    assert "stays with Linkerd viz" in result.notes[0]
    assert why in result.notes[0]


async def test_tracing_in_another_cluster_domain_stays_with_the_extension(store: Store) -> None:
    result = await found(store, cluster_domain="example.org")
    assert result.arguments == TAP_FLAGS
    assert "pass --cluster-domain cluster.local" in result.notes[1]
