"""The image in the place of Linkerd's, in Linkerd's own Deployment, whose mounts and configuration it finds."""

from __future__ import annotations

import pytest

from tests.e2e.installation import NAMESPACE
from tests.e2e.mesh import SERVICE
from tests.kubernetes import workloads
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.images import OURS


@pytest.mark.usefixtures("clean", "injector")
def test_the_image_set_in_linkerds_deployment_meshes_pods_through_linkerds_configuration(cluster: Cluster) -> None:
    cluster.kubectl("-n", NAMESPACE, "set", "image", f"deploy/{SERVICE}", f"proxy-injector={OURS}").ok()
    cluster.kubectl("-n", NAMESPACE, "rollout", "status", f"deploy/{SERVICE}", "--timeout=120s").ok()
    within = workloads.namespace(cluster, "swapped")
    workloads.assert_meshed(workloads.roll_out(cluster, workloads.deployment(within)))
