"""What becomes of policy objects and ServiceProfiles that are written through the API server."""

from __future__ import annotations

import base64
import copy
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from certs.issue import issue_ca, issue_leaf
from tests.e2e.api import JSON, ApiServer
from tests.e2e.mesh import OUR_ACCOUNT, Manifests, our_rbac, tls_files
from tests.e2e.objects import Room, namespace, service
from tests.e2e.program import ROOT, Mount, Webhook
from tests.e2e.waiting import until
from webhook.mesh.defaults import default_values

POLICY = "policy.linkerd.io"
GATEWAY = "gateway.networking.k8s.io"
SERVICES = ("linkerd-sp-validator", "linkerd-policy-validator")
LINKERDS_ACCOUNT = "sa:linkerd:linkerd-destination"


@pytest.fixture(scope="module")
def admin(kubeconfig: Path) -> Iterator[ApiServer]:
    """The API server as its administrator, without what other tests have learned of its kinds."""
    result = ApiServer.from_kubeconfig(kubeconfig)
    yield result
    result.close()


@pytest.fixture(scope="module")
def manifests(manifests_folder: Path) -> Manifests:
    """Those of the newest line."""
    return Manifests("edge-26.8", manifests_folder)


@pytest.fixture(scope="module")
def crds(admin: ApiServer, manifests_folder: Path) -> None:
    """Linkerd's CRDs of the newest line and the Gateway API's, in force; they stay."""
    for file in (manifests_folder / "edge-26.8" / "crds.yaml", manifests_folder / "gateway-api-crds.yaml"):
        for body in yaml.safe_load_all(file.read_text()):
            if body and body["kind"] == "CustomResourceDefinition":
                admin.apply(body)
    for path in (
        f"/apis/{POLICY}/v1beta3/servers",
        f"/apis/{GATEWAY}/v1/httproutes",
        "/apis/linkerd.io/v1alpha2/serviceprofiles",
    ):
        until(path, lambda path=path: admin.request("GET", path).status == 200, within=20)  # type: ignore[misc]


@pytest.fixture(scope="module")
def config(manifests: Manifests, tmp_path_factory: pytest.TempPathFactory) -> Mount:
    """Linkerd's settings, mounted."""
    return Mount(tmp_path_factory.mktemp("values") / "config", {"values": manifests.values_text.encode()})


@pytest.fixture(scope="module")
def webhook(
    admin: ApiServer, crds: None, manifests: Manifests, config: Mount, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webhook]:
    """The program behind the Services of both of Linkerd's validators, and their webhook configurations, which fail
    where it does: silence is no success."""
    folder = tmp_path_factory.mktemp("validators")
    ca = issue_ca("validators-e2e")
    leaf = issue_leaf(ca, [f"{name}.linkerd.svc" for name in SERVICES])
    admin.apply(namespace("linkerd"))
    applied = [*our_rbac(), *(manifests.one("Service", name) for name in SERVICES)]
    for body in applied:
        admin.apply(body)
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(admin.kubeconfig(OUR_ACCOUNT))
    arguments = [
        "serve",
        f"--kubeconfig={kubeconfig}",
        f"--tls-dir={Mount(folder / 'tls', tls_files(leaf)).path}",
        f"--values={config.path / 'values'}",
        "--trust-anchors="
        f"{Mount(folder / 'roots', {'ca-bundle.crt': manifests.trust_anchors.encode()}).path / 'ca-bundle.crt'}",
    ]
    program = Webhook(arguments, folder / "log")
    try:
        program.wait_ready()
        for name in SERVICES:
            admin.patch(
                manifests.one("Service", name),
                {"metadata": {"annotations": {"testcluster/endpoint": program.endpoint}}},
            )
        for name in SERVICES:
            body = manifests.one("ValidatingWebhookConfiguration", f"{name}-webhook-config")
            for entry in body["webhooks"]:
                entry["clientConfig"]["caBundle"] = base64.b64encode(ca.certificate).decode()
                entry["failurePolicy"] = "Fail"
            admin.apply(body)
            applied.insert(0, body)
        _wait_asked(admin, program)
        yield program
    finally:
        for body in applied:
            admin.delete(body)
        program.kill()


def _wait_asked(admin: ApiServer, program: Webhook) -> None:
    """Wait until the API server asks the program about both kinds."""
    room = Room.create(admin, "probe")
    for body in (server(room.name, "probe"), profile(f"probe.{room.name}.svc.cluster.local", room.name)):
        before = program.admissions

        def asked(body: JSON = body, before: float = before) -> bool:
            return admin.create(body, dry_run=True).status == 201 and program.admissions > before

        until("a review through the API server", asked, within=20)


@pytest.fixture
def shop(webhook: Webhook, admin: ApiServer) -> Room:
    """A new Namespace."""
    return Room.create(admin, "shop")


def server(within: str, name: str = "web", **spec: object) -> JSON:
    """A Server."""
    return {
        "apiVersion": f"{POLICY}/v1beta3",
        "kind": "Server",
        "metadata": {"name": name, "namespace": within},
        "spec": {"podSelector": {"matchLabels": {"app": name}}, "port": "http", **spec},
    }


def network_authentication(within: str, *networks: JSON) -> JSON:
    """A NetworkAuthentication."""
    return {
        "apiVersion": f"{POLICY}/v1alpha1",
        "kind": "NetworkAuthentication",
        "metadata": {"name": "office", "namespace": within},
        "spec": {"networks": list(networks)},
    }


def policy(within: str, target: str = "web", authentications: int = 1) -> JSON:
    """An AuthorizationPolicy for a Server."""
    reference = {"group": POLICY, "kind": "NetworkAuthentication", "name": "office"}
    return {
        "apiVersion": f"{POLICY}/v1alpha1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "web", "namespace": within},
        "spec": {
            "targetRef": {"group": POLICY, "kind": "Server", "name": target},
            "requiredAuthenticationRefs": [reference] * authentications,
        },
    }


def profile(name: str, within: str, **spec: object) -> JSON:
    """A ServiceProfile."""
    route = {"name": "GET /", "condition": {"method": "GET", "pathRegex": "/"}}
    return {
        "apiVersion": "linkerd.io/v1alpha2",
        "kind": "ServiceProfile",
        "metadata": {"name": name, "namespace": within},
        "spec": {"routes": [route], **spec},
    }


def gateway_route(within: str, pattern: str, name: str = "web") -> JSON:
    """A Gateway API HTTPRoute to a Service, with a regular expression for a path."""
    return {
        "apiVersion": f"{GATEWAY}/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": within},
        "spec": {
            "parentRefs": [{"group": "core", "kind": "Service", "name": "web", "port": 80}],
            "rules": [{"matches": [{"path": {"type": "RegularExpression", "value": pattern}}]}],
        },
    }


def stored(admin: ApiServer, body: JSON) -> bool:
    """Whether the object is there."""
    return admin.request("GET", admin.path(body)).status == 200


class TestRefusals:
    def test_say_everything_at_once_and_store_nothing(self, admin: ApiServer, shop: Room) -> None:
        body = network_authentication(
            shop.name, {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/7", "11.0.0.0/8"]}, {"cidr": "10.0.0.0/255.0.0.0"}
        )
        reply = admin.create(body)
        assert reply.status == 422
        assert reply.body["reason"] == "Invalid"
        assert [(cause["field"], cause["reason"]) for cause in reply.body["details"]["causes"]] == [
            ("spec.networks[0].except[0]", "FieldValueInvalid"),
            ("spec.networks[0].except[1]", "FieldValueInvalid"),
            ("spec.networks[1].cidr", "FieldValueInvalid"),
        ]
        assert "netmask" in reply.message
        assert not stored(admin, body)

    def test_suggest_what_was_meant(self, admin: ApiServer, shop: Room) -> None:
        reply = admin.create(server(shop.name, proxyProtocol="http/1", accessPolicy="cluster-authentcated"))
        assert 'did you mean "HTTP/1"?' in reply.message
        assert 'did you mean "cluster-authenticated"?' in reply.message

    def test_are_the_same_on_update_and_on_server_side_apply(self, admin: ApiServer, shop: Room) -> None:
        admin.create(server(shop.name)).ok()
        wrong = server(shop.name, accessPolicy="everybody")
        path = admin.path(wrong)
        merged = admin.request(
            "PATCH", path, {"spec": {"accessPolicy": "everybody"}}, content_type="application/merge-patch+json"
        )
        applied = admin.request(
            "PATCH", path, wrong, {"fieldManager": "me", "force": "true"}, "application/apply-patch+yaml"
        )
        for reply in (merged, applied):
            assert reply.status == 422
            assert [cause["field"] for cause in reply.body["details"]["causes"]] == ["spec.accessPolicy"]
        assert admin.request("GET", path).ok()["spec"]["accessPolicy"] == "deny"

    def test_hold_for_service_profiles(self, admin: ApiServer, shop: Room) -> None:
        body = profile(f"web.{shop.name}.svc.cluster.local", shop.name, retryBudget={"retryRatio": 0.2})
        reply = admin.create(body)
        assert reply.status == 422
        assert "ttl" in reply.message
        assert not stored(admin, body)

    def test_hold_for_regular_expressions_however_costly(self, admin: ApiServer, shop: Room) -> None:
        for pattern, problem in (("(?=/a)", "look-around"), (r"\w{1000}", "counted repetitions"), ("/a{,3}", "{0,3}")):
            reply = admin.create(gateway_route(shop.name, pattern))
            assert reply.status == 422, pattern
            assert problem in reply.message

    def test_let_an_object_go_that_is_being_deleted(self, admin: ApiServer, webhook: Webhook, shop: Room) -> None:
        """What was stored before anybody checked it must not keep its finalizers for ever."""
        body = server(shop.name, accessPolicy="deny")
        body["metadata"]["finalizers"] = ["example.org/cleanup"]
        admin.create(body).ok()
        admin.delete(body)
        change: JSON = {"metadata": {"finalizers": None}, "spec": {"accessPolicy": "everybody"}}
        admin.patch(body, change)
        until("the end of the object", lambda: not stored(admin, body), within=5)


class TestStored:
    def test_is_what_is_in_order_without_a_word(self, admin: ApiServer, shop: Room) -> None:
        admin.create(service(shop.name, "web")).ok()
        until("the Service to be known", lambda: _silent(admin, gateway_route(shop.name, "/api/[0-9]+")), within=10)
        for body in (
            server(shop.name),
            network_authentication(shop.name, {"cidr": "10.0.0.0/8"}),
            gateway_route(shop.name, "/api/[0-9]+"),
            profile(f"web.{shop.name}.svc.cluster.local", shop.name),
        ):
            reply = admin.create(body)
            assert reply.status == 201, reply.message
            assert reply.warnings == []

    def test_is_a_gateway_route_that_linkerd_cannot_read_with_a_warning(self, admin: ApiServer, shop: Room) -> None:
        body = gateway_route(shop.name, "(")
        body["spec"]["rules"][0]["matches"][0]["path"]["type"] = "Glob"
        reply = admin.create(body)
        assert reply.status == 201
        assert any("gateway-not-read" in warning for warning in reply.warnings)

    def test_is_a_burst_of_500_objects(self, admin: ApiServer, webhook: Webhook, shop: Room) -> None:
        bodies = [server(shop.name, f"web-{number}", port=number + 1) for number in range(500)]
        before = webhook.admissions
        with ThreadPoolExecutor(32) as threads:
            replies = list(threads.map(admin.create, bodies))
        assert [reply.message for reply in replies if reply.status != 201] == []
        assert webhook.admissions - before == 500


def _silent(admin: ApiServer, body: JSON) -> bool:
    return admin.create(body, dry_run=True).warnings == []


class TestWarnings:
    def test_tell_of_what_is_not_there_until_it_is(self, admin: ApiServer, shop: Room) -> None:
        admin.create(network_authentication(shop.name, {"cidr": "10.0.0.0/8"})).ok()
        reply = admin.create(policy(shop.name), dry_run=True)
        assert reply.status == 201
        assert [re.sub(r".*\(", "(", warning) for warning in reply.warnings] == ["(reference-target-missing)"]
        admin.create(server(shop.name)).ok()
        until("the Server to be known", lambda: _silent(admin, policy(shop.name)), within=10)

    def test_can_be_silenced(self, admin: ApiServer, shop: Room) -> None:
        body = policy(shop.name, authentications=0)
        admin.create(server(shop.name)).ok()
        until("the warning", lambda: len(admin.create(body, dry_run=True).warnings) == 1, within=10)
        body["metadata"]["annotations"] = {"linkerd-webhook/ignore": "authorizationpolicy-no-authentication"}
        assert admin.create(body).warnings == []


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
class TestKubectl:
    def test_shows_each_error_on_a_line_and_the_warnings(self, admin: ApiServer, kubeconfig: Path, shop: Room) -> None:
        body = server(shop.name, accessPolicy="everybody", proxyProtocol="http/1")
        body["apiVersion"] = f"{POLICY}/v1beta1"
        del body["spec"]["accessPolicy"]
        result = self._create(kubeconfig, body)
        assert result.returncode == 1
        assert re.search(r'spec\.proxyProtocol: .*did you mean "HTTP/1"', result.stderr), result.stderr
        body["spec"]["proxyProtocol"] = "HTTP/1"
        result = self._create(kubeconfig, body)
        assert result.returncode == 0, result.stderr
        assert "(api-version-deprecated)" in result.stderr

    @staticmethod
    def _create(kubeconfig: Path, body: JSON) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        return subprocess.run(
            ["kubectl", "create", "-f", "-"],
            input=json.dumps(body),
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


class TestUpgrade:
    @pytest.fixture(autouse=True)
    def put_back(self, config: Mount, manifests: Manifests) -> Iterator[None]:
        """The newest line's settings, after the test."""
        yield
        config.update({"values": manifests.values_text.encode()})

    def test_two_servers_on_one_port_are_refused_until_linkerd_is_upgraded(
        self, admin: ApiServer, shop: Room, config: Mount
    ) -> None:
        same: JSON = {"podSelector": {"matchLabels": {"app": "web"}}}
        first, second = server(shop.name, "first", **same), server(shop.name, "second", **same)
        for body in (first, second):
            body["apiVersion"] = f"{POLICY}/v1beta1"
        config.update({"values": default_values("stable-2.12")})
        admin.create(first).ok()
        until("the refusal", lambda: admin.create(second, dry_run=True).status != 201, within=20)
        assert "first" in admin.create(second).message
        config.update({"values": default_values("version-2.18")})
        until("the second Server let in", lambda: admin.create(second, dry_run=True).status == 201, within=20)
        admin.create(second).ok()


def test_the_command_looks_references_up_in_the_cluster(
    admin: ApiServer, webhook: Webhook, kubeconfig: Path, shop: Room, tmp_path: Path
) -> None:
    admin.create(network_authentication(shop.name, {"cidr": "10.0.0.0/8"})).ok()
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy(shop.name)))
    command = [sys.executable, "-m", "webhook.cli", "validate", f"--kubeconfig={kubeconfig}", "-o", "json", str(file)]

    def rules_reported() -> list[str]:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return [record["rule"] for record in json.loads(done.stdout)]

    assert rules_reported() == ["reference-target-missing"]
    admin.create(server(shop.name)).ok()
    assert rules_reported() == []


def test_linkerds_own_command_line_starts_a_validator_without_values(
    admin: ApiServer, manifests: Manifests, tmp_path: Path
) -> None:
    """In Linkerd's Deployment it shares a Pod with others, and has no more mounted than its certificate."""
    template = manifests.one("Deployment", "linkerd-destination")["spec"]["template"]["spec"]
    container = next(c for c in template["containers"] if c["name"] == "sp-validator")
    leaf = issue_leaf(issue_ca("sp"), ["linkerd-sp-validator.linkerd.svc"])
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(admin.kubeconfig(LINKERDS_ACCOUNT))
    arguments = [
        *copy.copy(container["args"]),
        f"-kubeconfig={kubeconfig}",
        f"--tls-dir={Mount(tmp_path / 'tls', tls_files(leaf)).path}",
    ]
    program = Webhook(arguments, tmp_path / "log")
    try:
        program.wait_ready()
        assert "release line" in program.log
    finally:
        program.kill()
