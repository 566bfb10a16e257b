"""`linkerd-webhook certs` as a process, on a real API server, with replicas that serve certificates from files."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from tests.e2e.api import JSON, ApiServer
from tests.e2e.objects import namespace, unique
from tests.e2e.program import ROOT, Mount, Webhook
from tests.e2e.waiting import until
from webhook.kube.webhookconfigurations import ServiceReference

NAME = "linkerd-webhook"
HOOK = "proxy-injector.linkerd-webhook.linkerd.io"
TLS = "kubernetes.io/tls"


class Site:
    """A namespace with a Service's Secrets, EndpointSlice and configuration, and the replica behind it."""

    def __init__(self, api: ApiServer, kubeconfig: Path, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.service = ServiceReference(unique("certs"), NAME)
        self.ca = issue_ca("old CA")
        self.replicas: list[Webhook] = []
        self._kubeconfig = kubeconfig
        self._made: list[JSON] = []
        api.create(namespace(self.service.namespace)).ok()

    def leaf(self, lifetime: timedelta = timedelta(days=30), ca: CertificateAndKey | None = None) -> CertificateAndKey:
        """A serving certificate for the Service."""
        return issue_leaf(ca or self.ca, self.service.dns_names(), lifetime=lifetime)

    def serve(self, leaf: CertificateAndKey, number: int = 0) -> Webhook:
        """Start a replica, and make it an endpoint."""
        tls = Mount(self.folder / f"tls-{number}", {"tls.crt": leaf.certificate, "tls.key": leaf.key})
        nothing = self.folder / "nothing.yaml"
        nothing.write_text("")
        arguments = ["serve", f"--tls-dir={tls.path}", f"--manifests={nothing}", "--webhook=policy-validator"]
        replica = Webhook(arguments, self.folder / f"log-{number}")
        self.replicas.append(replica)
        replica.wait_ready()
        self.route(replica.port, number)
        return replica

    def route(self, port: int, number: int = 0) -> None:
        """Make a port on loopback a ready endpoint."""
        self.put(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            f"{NAME}-{number}",
            {
                "addressType": "IPv4",
                "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
                "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
            },
            {"kubernetes.io/service-name": NAME},
        )

    def secret(self, name: str, **data: bytes) -> JSON:
        """Store a Secret; an underscore in a key stands for a dot."""
        encoded = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in data.items()}
        return self.put("v1", "Secret", name, {"type": TLS, "data": encoded})

    def self_managed(self, leaf: CertificateAndKey) -> None:
        """Store both Secrets."""
        self.secret(f"{NAME}-ca", tls_crt=self.ca.certificate, tls_key=self.ca.key)
        self.secret(f"{NAME}-tls", tls_crt=leaf.certificate, tls_key=leaf.key, ca_crt=self.ca.certificate)

    def configure(self, bundle: bytes, annotations: dict[str, str] | None = None) -> str:
        """Point a configuration without rules at the Service; its name comes out."""
        service = {"namespace": self.service.namespace, "name": NAME, "path": "/proxy-injector", "port": 443}
        webhook = {
            "name": HOOK,
            "clientConfig": {"service": service, "caBundle": base64.b64encode(bundle).decode()},
            "sideEffects": "None",
            "failurePolicy": "Ignore",
            "admissionReviewVersions": ["v1"],
        }
        name = self.service.namespace
        body: JSON = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name, "annotations": annotations or {}},
            "webhooks": [webhook],
        }
        self.api.apply(body)
        self._made.append(body)
        return name

    def put(self, api_version: str, kind: str, name: str, content: JSON, labels: dict[str, str] | None = None) -> JSON:
        """Apply an object in the namespace."""
        metadata = {"name": name, "namespace": self.service.namespace, "labels": labels or {}}
        body = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
        self.api.apply(body)
        self._made.append(body)
        return body

    def certs(self, *arguments: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        return subprocess.run(
            self.line(*arguments, kubeconfig=kubeconfig),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def line(self, *arguments: str, kubeconfig: Path | None = None) -> list[str]:
        """The command line."""
        # Replicas are processes here, and no Pods.
        where = f"--linkerd-namespace={self.service.namespace}", f"--kubeconfig={kubeconfig or self._kubeconfig}"
        return [sys.executable, "-m", "webhook.cli", "certs", *arguments, *where, "--direct"]

    def inspect(self) -> tuple[int, JSON]:
        """The exit code and what is found."""
        done = self.certs("inspect", "-o", "json")
        assert "-----BEGIN" not in done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout)

    def forbidden(self) -> Path:
        """A kubeconfig of a ServiceAccount that may do nothing."""
        path = self.folder / "kubeconfig"
        path.write_text(self.api.kubeconfig(f"sa:{self.service.namespace}:guest"))
        return path

    def remove(self) -> None:
        """Take everything away."""
        for replica in self.replicas:
            replica.kill()
        for body in self._made:
            self.api.delete(body)
        self.api.delete(namespace(self.service.namespace))


@pytest.fixture
def site(api: ApiServer, kubeconfig: Path, tmp_path: Path) -> Iterator[Site]:
    """An empty site."""
    result = Site(api, kubeconfig, tmp_path)
    yield result
    result.remove()


class TestInspect:
    def test_it_fits_where_every_replica_is_trusted(self, site: Site) -> None:
        leaf = site.leaf()
        site.self_managed(leaf)
        site.configure(site.ca.certificate)
        site.serve(leaf)
        code, report = site.inspect()
        assert (code, report["fits"], report["findings"], report["unseen"]) == (0, True, [], [])
        assert [certificate["role"] for certificate in report["certificates"]] == ["CA", "leaf"]
        served, stored = report["replicas"][0]["certificate"], report["certificates"][1]["certificate"]
        assert served["serial"] == stored["serial"]
        assert stored["key"] == "ECDSA P-256"
        text = site.certs("inspect").stdout
        assert f"fits: every caBundle trusts the served certificate for {site.service.dns_name}" in text
        assert "(29 d left)" in text

    def test_a_stale_ca_bundle_is_named_with_its_field_and_fix(self, site: Site) -> None:
        leaf = site.leaf()
        site.self_managed(leaf)
        name = site.configure(issue_ca("a CA of yesterday").certificate)
        site.serve(leaf)
        code, report = site.inspect()
        assert code == 1
        # The replica's and the Secret's, each.
        for finding in report["findings"]:
            assert finding["object"] == f"MutatingWebhookConfiguration {name}"
            assert finding["field"] == "webhooks[0].clientConfig.caBundle"
            assert finding["value"].startswith("CN=a CA of yesterday (serial ")
            assert "kubectl -n" in finding["fix"]
        assert "replica 127.0.0.1:" in report["findings"][0]["message"]
        assert "Secret" in report["findings"][1]["message"]

    def test_a_leaf_that_expires_while_it_is_served_is_found(self, site: Site) -> None:
        leaf = site.leaf(timedelta(seconds=12))
        site.configure(site.ca.certificate)
        site.serve(leaf)
        code, answer = until("expiry", lambda: _unless_fit(site.inspect()), within=30, interval=1)
        assert code == 1
        assert [finding["field"] for finding in answer["findings"]] == ["served certificate"]
        assert "expired" in answer["findings"][0]["message"]

    def test_junk_beside_a_good_ca_is_told_and_breaks_nothing(self, site: Site) -> None:
        damaged = issue_ca("damaged").certificate.replace(b"MII", b"!!!", 1)
        leaf = site.leaf()
        site.configure(damaged + site.ca.certificate)
        site.serve(leaf)
        code, report = site.inspect()
        assert (code, report["fits"]) == (0, True)
        assert report["caBundles"][0]["junk"] == ["block 1 is a certificate that cannot be read"]
        assert any("cannot be read" in remark for remark in report["remarks"])

    def test_a_ca_bundle_of_nothing_but_junk_does_not_fit(self, site: Site) -> None:
        site.configure(site.ca.key)
        site.serve(site.leaf())
        code, report = site.inspect()
        assert code == 1
        assert "holds no certificate (block 1 is PRIVATE KEY" in report["findings"][0]["message"]

    def test_a_deleted_secret_of_self_managed_certificates_is_missed(self, site: Site) -> None:
        leaf = site.leaf()
        site.self_managed(leaf)
        site.configure(site.ca.certificate)
        site.serve(leaf)
        site.api.request("DELETE", f"/api/v1/namespaces/{site.service.namespace}/secrets/{NAME}-tls").ok()
        code, report = site.inspect()
        assert code == 1
        assert [(finding["object"], finding["message"]) for finding in report["findings"]] == [
            (f"Secret {site.service.namespace}/{NAME}-tls", "the Secret does not exist")
        ]

    def test_with_an_endpoint_out_of_reach_it_is_not_known_to_fit(self, site: Site) -> None:
        leaf = site.leaf()
        site.self_managed(leaf)
        site.configure(site.ca.certificate)
        site.route(1)
        code, report = site.inspect()
        assert (code, report["fits"]) == (2, None)
        assert report["replicas"][0]["unreachable"]
        assert any("is assumed to be that of Secret" in remark for remark in report["remarks"])

    def test_without_a_configuration_it_does_not_fit(self, site: Site) -> None:
        site.self_managed(site.leaf())
        code, report = site.inspect()
        assert code == 1
        assert report["findings"][0]["message"] == "no webhook configuration points at it"

    def test_a_forbidden_user_is_told_what_to_grant(self, site: Site) -> None:
        done = site.certs("inspect", kubeconfig=site.forbidden())
        assert done.returncode == 2
        user = f"ServiceAccount {site.service.namespace}/guest"
        assert f"grant get on secrets/{NAME}-tls in namespace {site.service.namespace} to {user}" in done.stderr
        assert f"grant list on endpointslices.discovery.k8s.io in namespace {site.service.namespace}" in done.stderr
        assert "grant list on mutatingwebhookconfigurations.admissionregistration.k8s.io to" in done.stderr
        assert "fits:" not in done.stdout

    def test_no_api_server_is_exit_code_2(self, site: Site) -> None:
        path = site.folder / "away"
        path.write_text(site.api.kubeconfig("x").replace(site.api.host, "https://127.0.0.1:1"))
        done = site.certs("inspect", kubeconfig=path)
        assert done.returncode == 2
        assert done.stdout == ""
        assert "cannot be asked" in done.stderr
        assert "Traceback" not in done.stderr


def _unless_fit(body: tuple[int, JSON]) -> tuple[int, JSON] | None:
    return body if body[0] else None


class TestIssue:
    def test_what_it_issues_is_served_and_fits(self, site: Site) -> None:
        out = site.folder / "out"
        given = [f"--out={out}", f"--linkerd-namespace={site.service.namespace}"]
        line = [sys.executable, "-m", "webhook.cli", "certs", "issue", *given]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        site.configure((out / "ca.crt").read_bytes())
        site.serve(CertificateAndKey((out / "tls.crt").read_bytes(), (out / "tls.key").read_bytes()))
        assert site.inspect()[0] == 0


class TestRotate:
    def test_without_a_ca_of_the_servers_own_it_is_refused(self, site: Site) -> None:
        site.configure(site.ca.certificate)
        done = site.certs("rotate")
        assert done.returncode == 1
        assert "not self-managed" in done.stderr
        assert "linkerd-webhook certs issue" in done.stderr

    def test_where_cert_manager_keeps_them_its_command_is_named(self, site: Site) -> None:
        annotation = {"cert-manager.io/inject-ca-from": f"{site.service.namespace}/webhook"}
        site.configure(site.ca.certificate, annotation)
        done = site.certs("rotate", "--ca")
        assert done.returncode == 1
        assert f"cmctl renew -n {site.service.namespace} webhook" in done.stderr

    def test_it_asks_by_an_annotation_and_says_what_it_waits_for(self, site: Site) -> None:
        site.self_managed(site.leaf())
        site.configure(site.ca.certificate)
        done = site.certs("rotate", "--ca", "--timeout=1s")
        assert done.returncode == 1
        assert "waiting for this: the next CA is stored" in done.stderr
        assert f"Lease {site.service.namespace}/{NAME} does not exist" in done.stderr
        body = site.api.request("GET", f"/api/v1/namespaces/{site.service.namespace}/secrets/{NAME}-ca").ok()
        what, _, when = body["metadata"]["annotations"]["linkerd-webhook/rotate"].partition("@")
        assert what == "ca"
        assert abs(datetime.fromisoformat(when) - datetime.now(UTC)) < timedelta(minutes=1)

    def test_who_may_not_annotate_is_told_what_to_grant(self, site: Site) -> None:
        done = site.certs("rotate", kubeconfig=site.forbidden())
        assert done.returncode == 2
        assert f"secrets/{NAME}-ca" in done.stderr


class TestWatch:
    def test_a_change_is_a_line_and_an_interrupt_ends_it(self, site: Site) -> None:
        leaf = site.leaf()
        site.self_managed(leaf)
        site.serve(leaf)
        site.configure(site.ca.certificate)
        log = site.folder / "watch"
        with log.open("wb") as output:
            watching = subprocess.Popen(
                site.line("watch", "--interval=200ms", "-o", "json"), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            until("the first look", lambda: b"\n" in log.read_bytes(), within=20)
            new = site.leaf()
            site.secret(f"{NAME}-tls", tls_crt=new.certificate, tls_key=new.key, ca_crt=site.ca.certificate)
            until("the change", lambda: log.read_bytes().count(b"\n") > 1, within=10)
            time.sleep(0.5)
            watching.send_signal(signal.SIGINT)
            assert watching.wait(10) == 0
        finally:
            watching.kill()
            watching.wait(10)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        assert lines[0]["fits"] is True
        changes = [line["change"] for line in lines[1:]]
        assert len(changes) == 1
        assert changes[0].startswith(f"Secret {site.service.namespace}/{NAME}-tls: leaf: serial ")
