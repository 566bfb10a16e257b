"""The image in the place of Linkerd's, in Linkerd's own Deployment, whose mounts and configuration it finds."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from certs.issue import issue_ca, issue_leaf
from tests.e2e.api import ApiServer
from tests.e2e.installation import NAMESPACE
from tests.e2e.mesh import DNS_NAME, SERVICE, Manifests
from tests.kubernetes import workloads
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.images import OURS
from tests.kubernetes.installation import tls_secret

ENFORCE = "pod-security.kubernetes.io/enforce"
SECRET = "linkerd-proxy-injector-k8s-tls"


@pytest.fixture
def injector(cluster: Cluster, api: ApiServer) -> Iterator[None]:
    """Linkerd's Deployment of its injector, with a certificate, as `linkerd install` would issue it."""
    manifests = Manifests("edge-26.8", cluster.script.parents[1] / "linkerd")
    configuration = manifests.one("MutatingWebhookConfiguration", "linkerd-proxy-injector-webhook-config")
    webhooks = api.request("GET", api.path(configuration)).ok()["webhooks"]
    ca = issue_ca("linkerd-proxy-injector")
    (webhook,) = webhooks
    client = webhook["clientConfig"] | {"caBundle": base64.b64encode(ca.certificate).decode()}
    api.patch(configuration, {"webhooks": [webhook | {"clientConfig": client}]})
    cluster.apply(tls_secret(SECRET, issue_leaf(ca, [DNS_NAME]))).ok()
    # Its init container needs more than the strictest level allows.
    cluster.kubectl("label", "namespace", NAMESPACE, "--overwrite", f"{ENFORCE}=privileged").ok()
    cluster.apply(manifests.one("Deployment", SERVICE)).ok()
    yield
    cluster.kubectl("-n", NAMESPACE, "delete", f"deploy/{SERVICE}", f"secret/{SECRET}").ok()
    cluster.kubectl("label", "namespace", NAMESPACE, "--overwrite", f"{ENFORCE}=restricted").ok()
    api.patch(configuration, {"webhooks": webhooks})


@pytest.mark.usefixtures("clean", "injector")
def test_the_image_set_in_linkerds_deployment_meshes_pods_through_linkerds_configuration(cluster: Cluster) -> None:
    cluster.kubectl("-n", NAMESPACE, "set", "image", f"deploy/{SERVICE}", f"proxy-injector={OURS}").ok()
    cluster.kubectl("-n", NAMESPACE, "rollout", "status", f"deploy/{SERVICE}", "--timeout=120s").ok()
    within = workloads.namespace(cluster, "swapped")
    workloads.assert_meshed(workloads.roll_out(cluster, workloads.deployment(within)))
