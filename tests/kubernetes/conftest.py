"""The image, installed on a real Kubernetes as README tells it, and looked at as its users do: through kubectl.

Where things are is told by environment variables; what is not there is skipped, with the reason:

- `WEBHOOK_TEST_KUBERNETES`: the folder of a disposable cluster that `kubernetes.sh up FOLDER` has started. Root is
  needed, as images are put on its node. Whatever is ours there is taken away and made anew.
- `WEBHOOK_TEST_KUBERNETES_SH`: that script, with `linkerd.sh` beside it; else `../shared/kubernetes/kubernetes.sh`.
- `WEBHOOK_TEST_HELM`: helm, where it is not on the PATH.

cluster.py has the cluster and its node, images.py what is put on the node, installation.py our objects, workloads.py
what is to be meshed.

This folder has no `__init__.py`: pytest would then import it as `kubernetes`, in the place of the library.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from certs.issue import issue_ca, issue_leaf
from tests.e2e.api import ApiServer
from tests.e2e.installation import NAME, NAMESPACE
from tests.e2e.mesh import DNS_NAME, SERVICE, Manifests
from tests.e2e.program import ROOT
from tests.kubernetes import images, workloads
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.installation import Installation, installed, remove, tls_secret

FOLDER = "WEBHOOK_TEST_KUBERNETES"
SCRIPT = "WEBHOOK_TEST_KUBERNETES_SH"

ENFORCE = "pod-security.kubernetes.io/enforce"
# What Linkerd's injector serves.
INJECTOR_SECRET = "linkerd-proxy-injector-k8s-tls"

# Linkerd's own configuration of its injector.
LINKERDS = "mutatingwebhookconfiguration/linkerd-proxy-injector-webhook-config"

# Lines of each replica's log that a failed test shows.
LOG_TAIL = 40


@pytest.fixture(scope="session")
def bare_cluster() -> Cluster:
    """The cluster as it was started."""
    folder = os.environ.get(FOLDER)
    if not folder:
        pytest.skip(
            f"{FOLDER} is not set: write the folder of a disposable cluster that `kubernetes.sh up FOLDER` started"
        )
    script = Path(os.environ.get(SCRIPT) or ROOT.parent / "shared" / "kubernetes" / "kubernetes.sh")
    if not script.is_file():
        pytest.skip(f"there is no {script}: set {SCRIPT} to the kubernetes.sh that started the cluster")
    return Cluster(Path(folder), script)


@pytest.fixture(scope="session")
def archive(bare_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our image's archive; the image is on the node."""
    return images.put_ours(bare_cluster, tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def cluster(bare_cluster: Cluster, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """The cluster with images and Linkerd. Linkerd's namespace takes none but Pods that the strictest level allows."""
    images.put_app(bare_cluster, tmp_path_factory.mktemp("app"))
    images.put_linkerd(bare_cluster)
    levels = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]
    bare_cluster.kubectl("label", "namespace", NAMESPACE, "--overwrite", *levels).ok()
    return bare_cluster


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Iterator[ApiServer]:
    """Its API server over REST; an earlier run has left nothing."""
    server = cluster.administrator()
    remove(cluster, server)
    workloads.forget(cluster)
    yield server
    server.close()


@pytest.fixture
def clean(cluster: Cluster, api: ApiServer) -> Iterator[None]:
    """Nothing of ours is left afterwards."""
    yield
    remove(cluster, api)
    workloads.forget(cluster)


@pytest.fixture(scope="module")
def installation(cluster: Cluster, api: ApiServer) -> Iterator[Installation]:
    """What `install` without flags prints, in force."""
    with installed(cluster, api) as result:
        yield result


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
    cluster.apply(tls_secret(INJECTOR_SECRET, issue_leaf(ca, [DNS_NAME]))).ok()
    # Its init container needs more than the strictest level allows.
    cluster.kubectl("label", "namespace", NAMESPACE, "--overwrite", f"{ENFORCE}=privileged").ok()
    cluster.apply(manifests.one("Deployment", SERVICE)).ok()
    yield
    cluster.kubectl("-n", NAMESPACE, "delete", f"deploy/{SERVICE}", f"secret/{INJECTOR_SECRET}").ok()
    cluster.kubectl("label", "namespace", NAMESPACE, "--overwrite", f"{ENFORCE}=restricted").ok()
    api.patch(configuration, {"webhooks": webhooks})


@pytest.fixture
def linkerds_gone(cluster: Cluster, api: ApiServer) -> Iterator[None]:
    """Linkerd's own configuration of its injector is away, as who installs ours beside it is told to do."""
    body = cluster.get(LINKERDS)
    cluster.kubectl("delete", LINKERDS).ok()
    yield
    for key in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
        body["metadata"].pop(key, None)
    cluster.apply(body).ok()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Show what our Pods are doing where a test failed, while they are there."""
    outcome = yield
    report = outcome.get_result()
    result = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(result, Cluster):
        ours = "-n", NAMESPACE, "-l", f"app.kubernetes.io/name={NAME}"
        for title, line in (
            ("Pods", ("get", "pods", "-A", "-o", "wide")),
            ("our Pods' logs", ("logs", *ours, f"--tail={LOG_TAIL}", "--prefix")),
            ("Events", ("get", "events", "-n", NAMESPACE, "--sort-by=.lastTimestamp")),
        ):
            report.sections.append((title, "\n".join(result.kubectl(*line).out.splitlines()[-2 * LOG_TAIL :])))
