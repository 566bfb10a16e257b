"""The webhook configurations on a real API server: what they send to the program, and what they spare it."""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from tests.e2e.api import JSON, MERGE, ApiServer, Reply
from tests.e2e.mesh import ENDPOINT, OUR_ACCOUNT, Manifests, our_rbac, tls_files
from tests.e2e.objects import ENABLED, Room, meshed, namespace, pod, service, unique
from tests.e2e.program import Mount, Webhook
from tests.e2e.waiting import until
from webhook.install import configurations as conf

OURS = "linkerd"
API_VERSION = "admissionregistration.k8s.io/v1"
CONFIG_MAP = "linkerd-webhook-self-test"

SERVER = {"podSelector": {"matchLabels": {"app": "web"}}, "port": "http"}
TARGET = {"group": "policy.linkerd.io", "kind": "Server", "name": "web"}
PARENT = {"group": "core", "kind": "Service", "name": "web", "port": 80}
BACKEND = {"backendRefs": [{"name": "web", "port": 80}]}
PATH = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}

# An object of each kind that is validated: its group and a spec.
KINDS: dict[str, tuple[str, JSON]] = {
    "Server": ("policy.linkerd.io", SERVER),
    "ServerAuthorization": ("policy.linkerd.io", {"server": {"name": "web"}, "client": {"unauthenticated": True}}),
    "AuthorizationPolicy": ("policy.linkerd.io", {"targetRef": TARGET, "requiredAuthenticationRefs": []}),
    "MeshTLSAuthentication": ("policy.linkerd.io", {"identities": ["*"]}),
    "NetworkAuthentication": ("policy.linkerd.io", {"networks": [{"cidr": "10.0.0.0/8"}]}),
    "HTTPLocalRateLimitPolicy": ("policy.linkerd.io", {"targetRef": TARGET, "total": {"requestsPerSecond": 10}}),
    "EgressNetwork": ("policy.linkerd.io", {"trafficPolicy": "Allow"}),
    "HTTPRoute": ("policy.linkerd.io", {"parentRefs": [PARENT], "rules": [PATH]}),
    "gateway HTTPRoute": ("gateway.networking.k8s.io", {"parentRefs": [PARENT], "rules": [PATH]}),
    "gateway GRPCRoute": ("gateway.networking.k8s.io", {"parentRefs": [PARENT]}),
    "gateway TLSRoute": ("gateway.networking.k8s.io", {"parentRefs": [PARENT], "rules": [BACKEND]}),
    "gateway TCPRoute": ("gateway.networking.k8s.io", {"parentRefs": [PARENT], "rules": [BACKEND]}),
    "ServiceProfile": ("linkerd.io", {"routes": []}),
}


@dataclass(frozen=True, slots=True)
class Installed:
    """The program, and the API server whose reviews it gets."""

    api: ApiServer
    program: Webhook

    def calls(self, method: str, path: str, body: JSON | None, query: dict[str, str] | None = None) -> int:
        """How many reviews a request that succeeds has cost."""
        return self.watch(method, path, body, query)[0]

    def watch(
        self, method: str, path: str, body: JSON | None, query: dict[str, str] | None = None
    ) -> tuple[int, Reply]:
        """The same, and the answer."""
        before = self.program.admissions
        content_type = MERGE if method == "PATCH" else "application/json"
        reply = self.api.request(method, path, body, query, content_type)
        reply.ok()
        return int(self.program.admissions - before), reply

    def created(self, body: JSON, *, dry_run: bool = True) -> int:
        """How many reviews creating an object has cost."""
        collection = self.api.path(body).rpartition("/")[0]
        return self.calls("POST", collection, body, {"dryRun": "All"} if dry_run else None)

    def room(self, *, labels: dict[str, str] | None = None) -> Room:
        """A new Namespace that asks for injection."""
        body = namespace(unique("matched"), ENABLED)
        body["metadata"]["labels"] = labels or {}
        self.api.create(body).ok()
        return Room(self.api, body["metadata"]["name"])


def ours(ca: CertificateAndKey, *, opt_in: bool = False) -> list[JSON]:
    """The configurations with a CA, failing where the program does: silence is no success."""
    names = conf.not_spared(conf.spared_namespaces(OURS))

    def client(path: str) -> JSON:
        return conf.client_config(OURS, path) | {"caBundle": base64.b64encode(ca.certificate).decode()}

    def webhook(name: str, path: str, conditions: tuple[JSON, ...], *, in_only: bool = False, **more: str) -> JSON:
        selector = {"matchExpressions": [conf.opted_in() if in_only else conf.opted_out(), names]}
        hook = conf.webhook(name, client(path), selector, "Fail", **more)
        return hook | {"rules": copy.deepcopy(list(conf.RULES[name])), "matchConditions": list(conditions)}

    injector = webhook(
        conf.INJECTOR_WEBHOOK,
        "/proxy-injector",
        conf.INJECTOR_CONDITIONS,
        in_only=opt_in,
        reinvocation="IfNeeded",
    )
    validators = [
        webhook(conf.POLICY_WEBHOOK, "/policy-validator", conf.VALIDATOR_CONDITIONS),
        webhook(conf.PROFILE_WEBHOOK, "/sp-validator", conf.VALIDATOR_CONDITIONS),
    ]
    return [
        configuration("Mutating", conf.NAME, injector),
        configuration("Validating", conf.NAME, *validators),
        configuration("Mutating", conf.SELF_TEST, conf.self_test(OURS, client("/self-test"))),
    ]


def configuration(kind: str, name: str, *webhooks: JSON) -> JSON:
    """A configuration of these webhooks."""
    return {
        "apiVersion": API_VERSION,
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": list(webhooks),
    }


@pytest.fixture(scope="module")
def manifests(manifests_folder: Path) -> Manifests:
    """Those of the newest line."""
    return Manifests("edge-26.8", manifests_folder)


@pytest.fixture(scope="module")
def admin(kubeconfig: Path, manifests_folder: Path) -> Iterator[ApiServer]:
    """The API server as its administrator, with Linkerd's CRDs and the Gateway API's; they stay."""
    server = ApiServer.from_kubeconfig(kubeconfig)
    for file in (manifests_folder / "edge-26.8" / "crds.yaml", manifests_folder / "gateway-api-crds.yaml"):
        for body in yaml.safe_load_all(file.read_text()):
            if body and body["kind"] == "CustomResourceDefinition":
                server.apply(body)
    for group, kind in {(group, kind.removeprefix("gateway ")) for kind, (group, _) in KINDS.items()}:
        until(kind, lambda group=group, kind=kind: versions(server, group, kind), within=20)  # type: ignore[misc]
    yield server
    server.close()


def versions(api: ApiServer, group: str, kind: str) -> list[str]:
    """The versions in which the API server serves a kind."""
    reply = api.request("GET", f"/apis/{group}")
    offered = [version["version"] for version in reply.body["versions"]] if reply.status == 200 else []
    result = []
    for version in offered:
        listed = api.request("GET", f"/apis/{group}/{version}").ok()["resources"]
        if any(body["kind"] == kind for body in listed):
            result.append(version)
    return result


@pytest.fixture(scope="module")
def ca() -> CertificateAndKey:
    """The CA that the configurations trust."""
    return issue_ca("configurations-e2e")


@pytest.fixture(scope="module")
def installed(
    admin: ApiServer, ca: CertificateAndKey, manifests: Manifests, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """The program behind our own Service, and our configurations."""
    folder = tmp_path_factory.mktemp("configurations")
    admin.apply(namespace(OURS))
    applied = [*our_rbac(), service(OURS, conf.NAME)]
    for body in applied:
        admin.apply(body)
    program = start(admin, ca, manifests, folder)
    try:
        program.wait_ready()
        admin.patch(applied[-1], {"metadata": {"annotations": {ENDPOINT: program.endpoint}}})
        for body in ours(ca):
            admin.apply(body)
            applied.insert(0, body)
        result = Installed(admin, program)
        wait_asked(result)
        yield result
    finally:
        for body in applied:
            admin.delete(body)
        program.kill()


def start(admin: ApiServer, ca: CertificateAndKey, manifests: Manifests, folder: Path) -> Webhook:
    """The program, with what its Deployment would mount."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(admin.kubeconfig(OUR_ACCOUNT))
    leaf = issue_leaf(ca, [f"{conf.NAME}.{OURS}.svc"])
    values = Mount(folder / "config", {"values": manifests.values_text.encode()})
    roots = Mount(folder / "roots", {"ca-bundle.crt": manifests.trust_anchors.encode()})
    arguments = [
        "serve",
        f"--kubeconfig={kubeconfig}",
        f"--tls-dir={Mount(folder / 'tls', tls_files(leaf)).path}",
        f"--values={values.path / 'values'}",
        f"--trust-anchors={roots.path / 'ca-bundle.crt'}",
    ]
    return Webhook(arguments, folder / "log")


def wait_asked(installed: Installed) -> None:
    """Wait until the API server sends the reviews of each configuration."""
    room = installed.room()

    def tried(body: JSON) -> bool:
        before = installed.program.admissions
        reply = installed.api.create(body, dry_run=True)
        return reply.status == 201 and installed.program.admissions > before

    for body in (pod(room.name), policy("Server", room.name), policy("ServiceProfile", room.name)):
        until(f"a review of a {body['kind']}", lambda body=body: tried(body), within=20)  # type: ignore[misc]
    config_map(installed.api)
    until("the self-test's configuration", lambda: asked_to_test(label(installed.api, OURS, CONFIG_MAP)), within=20)


def policy(kind: str, within: str, version: str = "", name: str = "web") -> JSON:
    """An object of a kind, in a version, the first that there is by default."""
    group, spec = KINDS[kind]
    first = {"Server": "v1beta3", "ServiceProfile": "v1alpha2"}
    if kind == "ServiceProfile":
        name = f"{name}.{within}.svc.cluster.local"
    return {
        "apiVersion": f"{group}/{version or first[kind]}",
        "kind": kind.removeprefix("gateway "),
        "metadata": {"name": name, "namespace": within},
        "spec": spec,
    }


def config_map(api: ApiServer, within: str = OURS, name: str = CONFIG_MAP) -> None:
    """An empty ConfigMap."""
    api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": within}})


def label(api: ApiServer, within: str, name: str, value: str = "true") -> Reply:
    """Label a ConfigMap as the self-test does, in a dry run."""
    path = f"/api/v1/namespaces/{within}/configmaps/{name}"
    change = {"metadata": {"labels": {conf.SELF_TEST_LABEL: value}}}
    return api.request("PATCH", path, change, {"dryRun": "All"}, MERGE)


def asked_to_test(reply: Reply) -> bool:
    """Whether the self-test's webhook was asked. The program of these tests does not know its path, so it fails."""
    if reply.status < 400:
        return False
    assert conf.SELF_TEST_WEBHOOK in reply.message
    return True


class TestInjector:
    def test_is_sent_pods_and_its_answer_is_taken(self, installed: Installed) -> None:
        room = installed.room()
        body = pod(room.name)
        calls, reply = installed.watch("POST", f"/api/v1/namespaces/{room.name}/pods", body, {"dryRun": "All"})
        assert calls == 1
        assert meshed(reply.body)

    @pytest.mark.parametrize("annotations", [None, {"config.linkerd.io/opaque-ports": "3306"}], ids=str)
    def test_is_sent_services(self, installed: Installed, annotations: dict[str, str] | None) -> None:
        assert installed.created(service(installed.room().name, "web", annotations)) == 1

    def test_is_spared_mirror_pods(self, installed: Installed) -> None:
        room = installed.room()
        assert installed.created(pod(room.name, {"kubernetes.io/config.mirror": "8d1f"})) == 0
        assert installed.created(pod(room.name, {"kubernetes.io/config.hash": "8d1f"})) == 1

    def test_is_sent_pods_without_annotations(self, installed: Installed) -> None:
        body = pod(installed.room().name)
        del body["metadata"]["annotations"]
        assert installed.created(body) == 1

    def test_is_sent_a_service_that_says_it_is_a_mirror(self, installed: Installed) -> None:
        assert installed.created(service(installed.room().name, "web", {"kubernetes.io/config.mirror": "8d1f"})) == 1

    @pytest.mark.parametrize("name", [*conf.SPARED, OURS])
    def test_is_spared_system_namespaces_and_ours(self, installed: Installed, name: str) -> None:
        exists = installed.api.request("GET", f"/api/v1/namespaces/{name}").status == 200
        body = namespace(name, ENABLED)
        if not exists:
            installed.api.create(body).ok()
        try:
            assert installed.created(pod(name, ENABLED)) == 0
            assert installed.created(service(name, "web")) == 0
        finally:
            if not exists:
                installed.api.delete(body)

    def test_is_spared_namespaces_that_opt_out(self, installed: Installed) -> None:
        room = installed.room(labels={conf.ADMISSION: "disabled"})
        assert installed.created(pod(room.name)) == 0

    def test_is_sent_what_has_the_label_with_another_value(self, installed: Installed) -> None:
        room = installed.room(labels={conf.ADMISSION: "enabled"})
        assert installed.created(pod(room.name)) == 1

    def test_is_spared_whatever_becomes_of_a_pod(self, installed: Installed) -> None:
        room = installed.room()
        body = pod(room.name)
        assert installed.created(body, dry_run=False) == 1
        path = installed.api.path(body)
        assert installed.calls("PATCH", path, {"metadata": {"labels": {"app": "other"}}}) == 0
        assert installed.calls("PATCH", path, {"status": {"phase": "Running"}}) == 0
        assert installed.calls("DELETE", path, None) == 0

    def test_is_spared_leases_events_and_workloads(self, installed: Installed) -> None:
        within = installed.room().name
        about = {"apiVersion": "v1", "kind": "Pod", "name": "web", "namespace": within}
        for body in (
            {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"holderIdentity": "a"}},
            {"apiVersion": "v1", "kind": "Event", "involvedObject": about, "reason": "Injected", "type": "Normal"},
            {"apiVersion": "v1", "kind": "ConfigMap", "data": {}},
        ):
            body["metadata"] = {"name": unique("other"), "namespace": within}
            assert installed.created(body) == 0
        workload = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": within}}
        workload["spec"] = {"selector": {}, "template": {"metadata": {"annotations": ENABLED}, "spec": {}}}
        assert installed.created(workload) == 0

    def test_is_spared_namespaces_themselves(self, installed: Installed) -> None:
        assert installed.created(namespace(unique("new"), ENABLED)) == 0


class TestOptIn:
    @pytest.fixture
    def opt_in(self, installed: Installed, ca: CertificateAndKey) -> Iterator[Installed]:
        installed.api.apply(ours(ca, opt_in=True)[0])
        room = installed.room()
        until("opting in", lambda: installed.created(pod(room.name)) == 0, within=20)
        yield installed
        installed.api.apply(ours(ca)[0])
        until("opting out", lambda: installed.created(pod(room.name)) == 1, within=20)

    def test_only_namespaces_with_the_label_are_injected(self, opt_in: Installed) -> None:
        for labels, calls in (({conf.ADMISSION: "enabled"}, 1), ({}, 0), ({conf.ADMISSION: "disabled"}, 0)):
            assert opt_in.created(pod(opt_in.room(labels=labels).name)) == calls

    def test_policies_are_checked_without_it(self, opt_in: Installed) -> None:
        assert opt_in.created(policy("Server", opt_in.room().name)) == 1


class TestValidators:
    @pytest.mark.parametrize("kind", KINDS)
    def test_are_sent_every_version_once(self, installed: Installed, kind: str) -> None:
        room = installed.room()
        served_versions = versions(installed.api, KINDS[kind][0], kind.removeprefix("gateway "))
        assert served_versions
        for version in served_versions:
            body = policy(kind, room.name, version)
            before = installed.program.admissions
            # Whether an old version's schema takes this spec does not matter once the program was asked.
            reply = installed.api.create(body, dry_run=True)
            assert reply.status in (201, 422), reply.message
            assert installed.program.admissions - before == 1, f"{version}: {reply.message}"

    def test_are_sent_updates_but_no_deletion(self, installed: Installed) -> None:
        body = policy("Server", installed.room().name)
        assert installed.created(body, dry_run=False) == 1
        path = installed.api.path(body)
        assert installed.calls("PATCH", path, {"spec": {"port": 8080}}) == 1
        assert installed.calls("DELETE", path, None) == 0

    def test_are_spared_what_is_on_its_way_out(self, installed: Installed) -> None:
        body = policy("Server", installed.room().name)
        body["metadata"]["finalizers"] = ["example.org/later"]
        assert installed.created(body, dry_run=False) == 1
        path = installed.api.path(body)
        assert installed.calls("PATCH", path, {"metadata": {"annotations": {"a": "b"}}}) == 1
        assert installed.calls("DELETE", path, None) == 0
        assert installed.calls("PATCH", path, {"metadata": {"finalizers": None}}) == 0
        assert installed.api.request("GET", path).status == 404

    def test_are_sent_a_new_object_that_says_it_is_on_its_way_out(self, installed: Installed) -> None:
        body = policy("Server", installed.room().name)
        body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        assert installed.created(body) == 1

    def test_refuse_what_is_wrong(self, installed: Installed) -> None:
        body = policy("NetworkAuthentication", installed.room().name, "v1alpha1")
        body["spec"] = {"networks": [{"cidr": "10.0.0.0/255.0.0.0"}]}
        reply = installed.api.create(body, dry_run=True)
        assert reply.status == 422
        assert conf.POLICY_WEBHOOK in reply.message

    def test_are_spared_namespaces_that_opt_out(self, installed: Installed) -> None:
        room = installed.room(labels={conf.ADMISSION: "disabled"})
        assert installed.created(policy("Server", room.name)) == 0
        assert installed.created(policy("ServiceProfile", room.name)) == 0

    def test_are_spared_other_kinds_of_linkerd_s(self, installed: Installed) -> None:
        body = {
            "apiVersion": "workload.linkerd.io/v1beta1",
            "kind": "ExternalWorkload",
            "metadata": {"name": "web", "namespace": installed.room().name},
            "spec": {"meshTLS": {"identity": "spiffe://example.org/web", "serverName": "web.example.org"}},
        }
        assert installed.created(body) == 0


class TestSelfTest:
    @pytest.fixture(autouse=True)
    def here(self, installed: Installed) -> Iterator[Room]:
        config_map(installed.api)
        yield Room(installed.api, OURS)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP, "namespace": OURS}}
        installed.api.delete(body)

    def test_is_asked_about_its_config_map_once_that_has_the_label(self, here: Room) -> None:
        assert asked_to_test(label(here.api, OURS, CONFIG_MAP))

    @pytest.mark.parametrize("value", ["false", ""])
    def test_is_not_asked_while_the_label_has_another_value(self, here: Room, value: str) -> None:
        assert not asked_to_test(label(here.api, OURS, CONFIG_MAP, value))

    def test_is_not_asked_about_other_changes(self, here: Room) -> None:
        path = f"/api/v1/namespaces/{OURS}/configmaps/{CONFIG_MAP}"
        change = {"metadata": {"annotations": {"a": "b"}}}
        assert not asked_to_test(here.api.request("PATCH", path, change, {"dryRun": "All"}, MERGE))

    def test_is_not_asked_in_another_namespace(self, installed: Installed, here: Room) -> None:
        room = installed.room()
        config_map(here.api, room.name)
        assert not asked_to_test(label(here.api, room.name, CONFIG_MAP))

    def test_is_not_asked_when_one_is_created_or_deleted(self, installed: Installed, here: Room) -> None:
        body: JSON = {"apiVersion": "v1", "kind": "ConfigMap"}
        body["metadata"] = {"name": unique("labelled"), "namespace": OURS, "labels": {conf.SELF_TEST_LABEL: "true"}}
        assert not asked_to_test(here.api.create(body))
        assert not asked_to_test(here.api.delete(body))

    def test_is_not_asked_about_anything_else_that_has_the_label(self, here: Room) -> None:
        body: JSON = {"apiVersion": "v1", "kind": "Secret"}
        body["metadata"] = {"name": unique("labelled"), "namespace": OURS}
        here.api.create(body).ok()
        change = {"metadata": {"labels": {conf.SELF_TEST_LABEL: "true"}}}
        try:
            reply = here.api.request("PATCH", here.api.path(body), change, {"dryRun": "All"}, MERGE)
            assert not asked_to_test(reply)
            assert reply.status == 200
        finally:
            here.api.delete(body)


class TestBornWithoutRules:
    def test_a_webhook_that_fails_closed_keeps_nothing_out(self, installed: Installed) -> None:
        client = conf.client_config(OURS, "/proxy-injector")
        selector = {"matchExpressions": [conf.opted_out()]}
        hook = conf.webhook(conf.INJECTOR_WEBHOOK, client, selector, "Fail", reinvocation="IfNeeded")
        body = configuration("Mutating", unique("newborn"), hook)
        installed.api.create(body).ok()
        try:
            assert "rules" not in installed.api.request("GET", installed.api.path(body)).ok()["webhooks"][0]
            assert installed.created(pod(installed.room().name)) == 1
        finally:
            installed.api.delete(body)
