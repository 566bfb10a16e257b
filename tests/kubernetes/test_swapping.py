"""The image in the place of Linkerd's, in Linkerd's own Deployment, whose mounts and configuration it finds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.api import ApiServer
from tests.e2e.installation import NAMESPACE
from tests.e2e.mesh import SERVICE, Manifests
from tests.kubernetes import workloads
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.images import OURS

ENFORCE = "pod-security.kubernetes.io/enforce"


@pytest.fixture
def injector(cluster: Cluster, api: ApiServer) -> Iterator[None]:
    """Linkerd's Deployment of its injector. Its own init container needs more than the strictest level allows."""
    manifests = Manifests("edge-26.8", cluster.script.parents[1] / "linkerd")
    cluster.kubectl("label", "namespace", NAMESPACE, "--overwrite", f"{ENFORCE}=privileged").ok()
    body = manifests.one("Deployment", SERVICE)
    cluster.apply(body).ok()
    yield
    cluster.kubectl("-n", NAMESPACE, "delete", "deploy", SERVICE).ok()
    cluster.kubectl("label", "namespace", NAMESPACE, "--overwrite", f"{ENFORCE}=restricted").ok()


@pytest.mark.usefixtures("clean", "injector")
def test_the_image_set_in_linkerds_deployment_meshes_pods_through_linkerds_configuration(cluster: Cluster) -> None:
    cluster.kubectl("-n", NAMESPACE, "set", "image", f"deploy/{SERVICE}", f"proxy-injector={OURS}").ok()
    cluster.kubectl("-n", NAMESPACE, "rollout", "status", f"deploy/{SERVICE}", "--timeout=120s").ok()
    within = workloads.namespace(cluster, "swapped")
    workloads.assert_meshed(workloads.roll_out(cluster, workloads.deployment(within)))
