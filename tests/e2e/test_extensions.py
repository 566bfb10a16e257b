"""Linkerd's extensions viz and jaeger: their injectors beside the proxy's in any order, and adopted."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from tests.e2e.api import JSON, ApiServer
from tests.e2e.installation import NAME, Installation, command
from tests.e2e.mesh import ENDPOINT, Manifests, installed, tls_files
from tests.e2e.objects import ENABLED, Room, bare, env, meshed, namespace, pod
from tests.e2e.program import Mount, Webhook
from tests.e2e.waiting import until
from webhook.install.adoption import ADOPTED_FROM, JAEGER_INJECTOR, LINKERD_CONFIGURATIONS, TAP_INJECTOR
from webhook.kube.webhookconfigurations import MUTATING

TAP = "tap.linkerd-viz.serviceaccount.identity.linkerd.cluster.local"
COLLECTOR = "collector.linkerd-jaeger:55678"
# The arguments that the extensions' own charts give their injectors.
TAP_ARGUMENTS = ["injector", f"-tap-service-name={TAP}", "-log-level=info", "-log-format=plain", "-enable-pprof=false"]
JAEGER_ARGUMENTS = [
    f"-collector-svc-addr={COLLECTOR}",
    "-collector-trace-protocol=opencensus",
    "-collector-trace-svc-name=linkerd-proxy",
    "-collector-svc-account=collector",
    "-log-level=info",
    "-cluster-domain=cluster.local",
    "-linkerd-namespace=linkerd",
    "-enable-pprof=false",
]
TAPPED, TRACED = "LINKERD2_PROXY_TAP_SVC_NAME", "LINKERD2_PROXY_TRACE_COLLECTOR_SVC_ADDR"

PODS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}


@pytest.fixture(scope="module")
def manifests(manifests_folder: Path, kubeconfig: Path) -> Manifests:
    """A line that has both extensions' additions."""
    return Manifests("edge-26.8", manifests_folder)


class Injectors:
    """Servers behind one Service each, and configurations that are called in the order of their names."""

    WITHIN = "extensions"

    def __init__(self, api: ApiServer, manifests: Manifests, kubeconfig: Path, folder: Path) -> None:
        self.api = api
        self.ca: CertificateAndKey = issue_ca("extensions")
        self.servers: dict[str, Webhook] = {}
        self._folder = folder
        self._kubeconfig = kubeconfig
        self._mesh = [
            f"--values={Mount(folder / 'config', {'values': manifests.values_text.encode()}).path / 'values'}",
            f"--trust-anchors={self._trust_anchors(manifests)}",
        ]
        self._configurations: list[JSON] = []

    def _trust_anchors(self, manifests: Manifests) -> Path:
        files = {"ca-bundle.crt": manifests.trust_anchors.encode()}
        return Mount(self._folder / "trust-roots", files).path / "ca-bundle.crt"

    def serve(self, name: str, *flags: str) -> None:
        """A proxy injector behind the Service of this name."""
        self.start(name, ["serve", *self._mesh, *flags])

    def start(self, name: str, arguments: list[str]) -> None:
        """A program with these arguments, behind the Service of this name."""
        leaf = issue_leaf(self.ca, [f"{name}.{self.WITHIN}.svc"])
        tls = Mount(self._folder / f"tls-{name}", tls_files(leaf))
        here = [f"--tls-dir={tls.path}", f"--kubeconfig={self._kubeconfig}"]
        self.servers[name] = Webhook([*arguments, *here], self._folder / f"log-{name}")
        self.servers[name].wait_ready()
        annotations = {ENDPOINT: self.servers[name].endpoint}
        metadata = {"name": name, "namespace": self.WITHIN, "annotations": annotations}
        self.api.apply(
            {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 443}]}}
        )

    def register(self, room: Room, *calls: tuple[str, str]) -> None:
        """Have the API server call these (Service and path) for the room's Pods, in this order."""
        self.forget()
        until("a Pod that nobody was asked about", lambda: bare(room.pod(dry_run=True).ok()), within=15)
        for number, (service, path) in enumerate(calls):
            client = {
                "service": {"namespace": self.WITHIN, "name": service, "path": path, "port": 443},
                "caBundle": base64.b64encode(self.ca.certificate).decode(),
            }
            webhook = {
                "name": f"call-{number}.example.org",
                "admissionReviewVersions": ["v1"],
                "clientConfig": client,
                "failurePolicy": "Fail",
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": room.name}},
                "reinvocationPolicy": "IfNeeded",
                "rules": [PODS],
                "sideEffects": "None",
            }
            body = {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": MUTATING,
                "metadata": {"name": f"{room.name}-{number}"},
                "webhooks": [webhook],
            }
            self._configurations.append(self.api.create(body).ok())

    def forget(self) -> None:
        """Have the API server call nobody."""
        for body in self._configurations:
            self.api.delete(body)
        self._configurations = []

    def end(self) -> None:
        """End the servers."""
        self.forget()
        for server in self.servers.values():
            server.kill()


@pytest.fixture(scope="module")
def injectors(
    api: ApiServer, manifests: Manifests, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Injectors]:
    """The proxy injector alone, with tap, and both extensions' injectors."""
    api.apply(namespace(Injectors.WITHIN))
    result = Injectors(api, manifests, kubeconfig, tmp_path_factory.mktemp("extensions"))
    try:
        result.serve("proxy")
        result.serve("both", f"--tap-service-name={TAP}")
        result.start("tap", TAP_ARGUMENTS)
        result.start("jaeger", JAEGER_ARGUMENTS)
        yield result
    finally:
        result.end()


@pytest.fixture
def extensions_room(injectors: Injectors, api: ApiServer) -> Iterator[Room]:
    """A Namespace that asks for injection."""
    yield Room.create(api, "ordered", ENABLED)
    injectors.forget()


def stored(room: Room) -> JSON:
    """A Pod as the API server would store it."""
    body = pod(room.name)
    body["metadata"]["name"] = "web"

    def created() -> Any:
        reply = room.api.create(body, dry_run=True)
        return reply.body if reply.status == 201 and meshed(reply.body) else None

    return canonical(until("a meshed Pod", created, within=15))


def canonical(body: JSON) -> JSON:
    """What of a Pod does not differ from one creation to the next; variables and volumes are sorted by name."""
    spec = body["spec"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    tokens = {name: "kube-api-access" for name in volumes if name.startswith("kube-api-access-")}
    for every in (*spec["containers"], *spec.get("initContainers", ())):
        every["env"] = sorted(every.get("env", ()), key=lambda variable: str(variable["name"]))
        mounts = [{**mount, "name": tokens.get(mount["name"], mount["name"])} for mount in every["volumeMounts"]]
        every["volumeMounts"] = sorted(mounts, key=lambda mount: str(mount["mountPath"]))
    names = sorted(tokens.get(name, name) for name in volumes)
    kept = {"volumes": names, "containers": spec["containers"], "initContainers": spec.get("initContainers")}
    return {"spec": kept, "labels": body["metadata"]["labels"], "annotations": body["metadata"]["annotations"]}


CALLS = {
    "proxy": ("proxy", "/proxy-injector"),
    "tap": ("tap", "/"),
    "jaeger": ("jaeger", "/"),
}


class TestOnePodThroughAllThree:
    def test_is_the_same_in_each_order(self, injectors: Injectors, extensions_room: Room) -> None:
        results = {}
        for order in itertools.permutations(CALLS):
            injectors.register(extensions_room, *(CALLS[name] for name in order))
            whole = until("a Pod with everything", lambda: _complete(stored(extensions_room)), within=15)
            results[order] = whole
        first, *others = results.values()
        assert all(other == first for other in others), results.keys()
        assert first["annotations"]["viz.linkerd.io/tap-enabled"] == "true"
        assert first["annotations"]["jaeger.linkerd.io/tracing-enabled"] == "true"

    def test_has_tap_in_one_call_where_the_proxy_injector_knows_the_tap_service(
        self, injectors: Injectors, extensions_room: Room
    ) -> None:
        injectors.register(extensions_room, CALLS["proxy"], CALLS["tap"])
        by_two = until("a Pod with tap", lambda: _tapped(stored(extensions_room)), within=15)
        injectors.register(extensions_room, ("both", "/proxy-injector"))
        by_one = until("a Pod with tap in one call", lambda: _tapped(stored(extensions_room)), within=15)
        assert by_one == by_two

    def test_leaves_a_later_tap_call_nothing_to_do(self, injectors: Injectors, extensions_room: Room) -> None:
        tap = injectors.servers["tap"]
        injectors.register(extensions_room, ("both", "/proxy-injector"), CALLS["tap"])
        before, told = _calls(tap), tap.log.count("tap_enabled_already")

        def called() -> JSON | None:
            body = stored(extensions_room)
            return body if _calls(tap) > before else None

        assert _tapped(until("a call of tap's", called, within=15))
        until("its reason", lambda: tap.log.count("tap_enabled_already") > told, within=5)


def _complete(body: JSON) -> JSON | None:
    return body if TRACED in _variables(body) and TAPPED in _variables(body) else None


def _tapped(body: JSON) -> JSON | None:
    return body if TAPPED in _variables(body) else None


def _variables(body: JSON) -> dict[str, str]:
    every = [*body["spec"]["containers"], *(body["spec"]["initContainers"] or ())]
    proxy = next(one for one in every if one["name"] == "linkerd-proxy")
    names = [variable["name"] for variable in proxy["env"]]
    assert len(names) == len(set(names)), "a variable is set twice"
    return {variable["name"]: variable.get("value", "") for variable in proxy["env"]}


def _calls(server: Webhook) -> float:
    return server.metric("linkerd_webhook_decisions_total", webhook="tap-injector")


def extension(name: tuple[str, str], within: str, service: str, ca: bytes) -> JSON:
    """An extension's configuration, as its chart writes it."""
    client = {
        "service": {"namespace": within, "name": service, "path": "/"},
        "caBundle": base64.b64encode(ca).decode(),
    }
    webhook = {
        "name": f"{service}.linkerd.io",
        "admissionReviewVersions": ["v1", "v1beta1"],
        "clientConfig": client,
        "failurePolicy": "Ignore",
        "namespaceSelector": {
            "matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", "cert-manager"]}
            ]
        },
        "reinvocationPolicy": "IfNeeded",
        "rules": [PODS],
        "sideEffects": "None",
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": name[0],
        "metadata": {"name": name[1], "labels": {"linkerd.io/extension": within.removeprefix("linkerd-")}},
        "webhooks": [webhook],
    }


def deployment(within: str, name: str, arguments: list[str]) -> JSON:
    """The Deployment of an extension's injector."""
    labels = {"component": name}
    pod_spec = {"containers": [{"name": name, "image": "cr.l5d.io/linkerd/x:y", "args": arguments}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": within},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod_spec}},
    }


class TestAdoption:
    EXTENSIONS = (
        (TAP_INJECTOR, "linkerd-viz", "tap-injector", TAP_ARGUMENTS),
        (JAEGER_INJECTOR, "linkerd-jaeger", "jaeger-injector", JAEGER_ARGUMENTS),
    )
    NAMES = (*LINKERD_CONFIGURATIONS, TAP_INJECTOR, JAEGER_INJECTOR)

    @pytest.fixture
    def before(self, api: ApiServer) -> Iterator[list[JSON]]:
        """The extensions' own objects."""
        ca = issue_ca("an-extension").certificate
        applied = []
        for name, within, service, arguments in self.EXTENSIONS:
            api.apply(namespace(within))
            applied.append(api.apply(deployment(within, service, arguments)))
            applied.append(api.apply(extension(name, within, service, ca)))
        yield [body for body in applied if body["kind"] == MUTATING]
        for body in applied:
            api.delete(body)

    @pytest.fixture
    def taken(
        self,
        api: ApiServer,
        manifests: Manifests,
        manifests_folder: Path,
        tmp_path: Path,
        kubeconfig: Path,
        before: list[JSON],
    ) -> Iterator[Installation]:
        """This program, installed over Linkerd and both extensions by what `install --adopt` finds."""
        for body in yaml.safe_load_all((manifests_folder / manifests.line / "crds.yaml").read_text()):
            if body:
                api.apply(body)
        with installed(api, manifests, tmp_path / "linkerd"):
            for name in LINKERD_CONFIGURATIONS:
                api.apply(manifests.one(*name))
            flags = ["--adopt", "--guard=off", "--image=registry.example.org/linkerd-webhook"]
            printed = command("install", *flags, f"--kubeconfig={kubeconfig}")
            installation = Installation(api, manifests, tmp_path, ["--adopt", "--guard=off"])
            installation.objects = [body for body in yaml.safe_load_all(printed) if body]
            with installation:
                yield installation

    def test_takes_them_over_and_gives_them_back(
        self, taken: Installation, api: ApiServer, kubeconfig: Path, before: list[JSON]
    ) -> None:
        assert f"--tap-service-name={TAP}" in taken.arguments
        assert f"--collector-svc-addr={COLLECTOR}" in taken.arguments
        taken.start(2)
        until("the adoption", lambda: all(_points_here(taken.get(*name)) for name in self.NAMES), within=30)
        room = Room.create(api, "adopted", ENABLED)
        body = until("a Pod with everything", lambda: _with_everything(room), within=10)
        assert env(body)[TAPPED] == TAP
        assert env(body)[TRACED] == COLLECTOR

        api.apply({**before[0], "metadata": {"name": TAP_INJECTOR[1]}})
        leader = taken.leader()
        until("its notice", lambda: not leader.condition("adoption")["ok"], within=10)
        assert TAP_INJECTOR[1] in leader.condition("adoption")["message"]
        assert leader.ready()[0] == 200
        command("install", "--adopt", "--again", f"--kubeconfig={kubeconfig}")
        until("the adoption", lambda: _points_here(taken.get(*TAP_INJECTOR)), within=30)
        assert not any("forbidden" in replica.log for replica in taken.replicas)

        command("uninstall", "--delete", "--force", f"--kubeconfig={kubeconfig}")
        after = [taken.get(*name) for name in (TAP_INJECTOR, JAEGER_INJECTOR)]
        assert [one["webhooks"] for one in after] == [one["webhooks"] for one in before]
        assert not any(ADOPTED_FROM in one["metadata"].get("annotations", {}) for one in after)


def _with_everything(room: Room) -> JSON | None:
    reply = room.pod(dry_run=True)
    if reply.status != 201 or not meshed(reply.body):
        return None
    return reply.body if {TAPPED, TRACED} <= env(reply.body).keys() else None


def _points_here(body: JSON) -> bool:
    return all(webhook["clientConfig"]["service"]["name"] == NAME for webhook in body["webhooks"])
