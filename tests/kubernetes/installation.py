"""Our objects on the cluster, from `install` or from the chart, and everything that is left of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from tests.e2e.api import ApiServer
from tests.e2e.installation import CONFIGURATION_KINDS, NAME, NAMESPACE
from tests.e2e.program import ROOT
from tests.e2e.waiting import until
from tests.kubernetes.cluster import Cluster, Done, run
from tests.kubernetes.images import OURS
from tests.unit.install.helmcli import CHART, helm
from webhook.install.adoption import ADOPTED_FROM, LINKERD_CONFIGURATIONS
from webhook.install.configurations import REACHED_LABEL, SELF_TEST
from webhook.uninstall.objects import INSTALLED_OBJECTS

JSON = dict[str, Any]

DEPLOYMENT = f"deploy/{NAME}"
# A Secret that somebody else keeps.
SECRET = "my-tls"

# Seconds for the leader to be found, the API server to reach it, and what follows from that.
IN_FORCE = 60


def command(cluster: Cluster, *arguments: str) -> Done:
    """Our own command, on this cluster."""
    return run([sys.executable, "-m", "webhook.cli", *arguments, f"--kubeconfig={cluster.kubeconfig}"], cwd=ROOT)


class Installation:
    """What `install` prints with `flags`, applied."""

    def __init__(self, cluster: Cluster, api: ApiServer, flags: Sequence[str] = ()) -> None:
        self.cluster = cluster
        self.api = api
        self.flags = tuple(flags)

    @property
    def adopts(self) -> bool:
        """Whether Linkerd's configurations are pointed at us."""
        return "--adopt" in self.flags

    def apply(self) -> Done:
        """`linkerd-webhook install | kubectl apply -f -`."""
        printed = command(self.cluster, "install", f"--image={OURS}", *self.flags).ok()
        return self.cluster.kubectl("apply", "-f", "-", stdin=printed)

    def roll_out(self) -> None:
        """Wait until every replica is ready."""
        self.kubectl("rollout", "status", DEPLOYMENT, "--timeout=180s").ok()

    def wait_in_force(self) -> None:
        """Wait until the configurations have all that the leader writes."""
        until("webhooks in force", self.in_force, within=IN_FORCE, interval=0.3)

    def in_force(self) -> bool:
        """Whether every webhook has rules and a caBundle, and where it adopts, is adopted; a guard that denies, too."""
        names = LINKERD_CONFIGURATIONS if self.adopts else [(kind, NAME) for kind in CONFIGURATION_KINDS]
        result = [self.configuration(kind, name) for kind, name in names]
        if self.adopts and not all(ADOPTED_FROM in body["metadata"].get("annotations", {}) for body in result):
            return False
        if "--guard=deny" in self.flags and REACHED_LABEL not in self._self_test()["metadata"].get("labels", {}):
            return False
        webhooks = [webhook for finding in result for webhook in finding["webhooks"]]
        return all(webhook.get("rules") and webhook["clientConfig"].get("caBundle") for webhook in webhooks)

    def _self_test(self) -> JSON:
        """The configuration that bears the mark by which a guard that denies comes into force."""
        return self.configuration("MutatingWebhookConfiguration", SELF_TEST)

    def configuration(self, kind: str, name: str = NAME) -> JSON:
        """A webhook configuration as it is stored."""
        body = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}}
        return self.api.request("GET", self.api.path(body)).ok()

    def kubectl(self, *arguments: str, stdin: str = "") -> Done:
        """kubectl in Linkerd's namespace."""
        return self.cluster.kubectl("-n", NAMESPACE, *arguments, stdin=stdin)

    def replicas(self) -> list[JSON]:
        """Our Pods, those on their way out left aside."""
        every = self.cluster.get("pods", "-n", NAMESPACE, "-l", f"app.kubernetes.io/name={NAME}")
        return [body for body in every if "deletionTimestamp" not in body["metadata"]]

    def scale(self, replicas: int) -> None:
        """So many replicas, and none besides."""
        self.kubectl("scale", DEPLOYMENT, f"--replicas={replicas}").ok()
        if replicas:
            self.roll_out()
        else:
            self.kubectl("wait", "--for=delete", "pod", "-l", f"app.kubernetes.io/name={NAME}", "--timeout=90s").ok()

    def get(self, pod: str, path: str) -> str:
        """What a replica's admin port answers."""
        return self.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:9995/proxy{path}").ok()

    def log(self) -> str:
        """What all replicas have logged; nothing while the container of one is yet to be created."""
        return self.kubectl("logs", "-l", f"app.kubernetes.io/name={NAME}", "--tail=-1", "--prefix").out


class Release(Installation):
    """The chart, installed by Helm. `flags` are Helm's."""

    def __init__(self, cluster: Cluster, api: ApiServer, home: Path, flags: Sequence[str] = ()) -> None:
        super().__init__(cluster, api, flags)
        self._home = home

    def apply(self) -> Done:
        """`helm install`."""
        repository, _, tag = OURS.partition(":")
        values = f"--set=image.repository={repository},image.tag={tag}"
        return self._helm("install", NAME, str(CHART), values, *self.flags)

    def remove(self) -> None:
        """`helm uninstall`."""
        self._helm("uninstall", NAME).ok()

    def _helm(self, *arguments: str) -> Done:
        where = f"--kubeconfig={self.cluster.kubeconfig}", f"--namespace={NAMESPACE}"
        done = helm(*arguments, *where, home=self._home)
        return Done(f"helm {' '.join(arguments)}", done.returncode, done.stdout, done.stderr)


def left(api: ApiServer) -> list[str]:
    """What of ours is there."""
    return [
        installed.describe(NAMESPACE)
        for installed in INSTALLED_OBJECTS
        if api.request("GET", installed.path(NAMESPACE)).status == 200
    ]


def remove(cluster: Cluster, api: ApiServer) -> None:
    """Take away whatever is ours, meshed Pods or not, and wait until no replica runs."""
    command(cluster, "uninstall", "--delete", "--force").ok()
    cluster.kubectl(
        "-n", NAMESPACE, "delete", "pod", "-l", f"app.kubernetes.io/name={NAME}", "--grace-period=0", "--force"
    )
    cluster.kubectl("-n", NAMESPACE, "delete", "secret", SECRET, "--ignore-not-found").ok()
    assert left(api) == []


@contextlib.contextmanager
def installed(cluster: Cluster, api: ApiServer, flags: Sequence[str] = ()) -> Iterator[Installation]:
    """An installation that is in force, within the block."""
    installation = Installation(cluster, api, flags)
    try:
        installation.apply().ok()
        installation.roll_out()
        installation.wait_in_force()
        yield installation
    finally:
        remove(cluster, api)


def put_secret(cluster: Cluster, *, with_ca: bool = True) -> bytes:
    """A certificate for our Service, as somebody else keeps it. Its CA comes out."""
    ca = issue_ca("somebody-else")
    leaf = issue_leaf(ca, [f"{NAME}.{NAMESPACE}.svc"])
    cluster.apply(tls_secret(SECRET, leaf, ca.certificate if with_ca else b"")).ok()
    return ca.certificate


def tls_secret(name: str, leaf: CertificateAndKey, ca: bytes = b"") -> JSON:
    """A Secret in Linkerd's namespace with a certificate, and its CA where that is given."""
    data = {"tls.crt": leaf.certificate.decode(), "tls.key": leaf.key.decode()}
    if ca:
        data["ca.crt"] = ca.decode()
    metadata = {"name": name, "namespace": NAMESPACE}
    body = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata}
    return {**body, "stringData": data}


def objects_of(printed: str) -> list[JSON]:
    """The objects of a manifest."""
    return [body for body in yaml.safe_load_all(printed) if body]
