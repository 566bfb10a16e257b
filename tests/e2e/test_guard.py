"""The guard on a real API server: it speaks up for Pods that the injector would have injected, and for no others."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.api import JSON, ApiServer, Reply
from tests.e2e.mesh import ControlPlane
from tests.e2e.objects import ENABLED, INJECT, Room, container, init_containers, meshed, namespace, unique
from tests.e2e.objects import pod as pod_in
from tests.e2e.program import Webhook
from tests.e2e.waiting import until
from tests.unit.injector.builders import request
from webhook.injector import decision
from webhook.injector.subject import SERVICE_ACCOUNT_PATH, read
from webhook.install import configurations, guard

SPARED = [configurations.opted_out(), configurations.not_spared(configurations.spared_namespaces("linkerd"))]

PROXY_IMAGE = "cr.l5d.io/linkerd/proxy:edge-26.8.3"
PROXY = {"name": "linkerd-proxy", "image": PROXY_IMAGE}
INIT = {"name": "linkerd-init", "image": PROXY_IMAGE}
VALIDATOR = {"name": "linkerd-network-validator", "image": PROXY_IMAGE}
NOOP = {"name": "noop", "image": "gcr.io/google_containers/pause:3.2"}
WEB = {"name": "web", "image": "nginx:1.27"}

# A Pod with a token of its service account's.
WITH_MOUNT: JSON = {
    "containers": [WEB | {"volumeMounts": [{"name": "token", "mountPath": SERVICE_ACCOUNT_PATH}]}],
    "volumes": [{"name": "token", "emptyDir": {}}],
}

ANNOTATIONS: tuple[dict[str, str], ...] = (
    {},
    *({INJECT: value} for value in ("", "enabled", "disabled", "ingress", "true")),
)


def also(name: str, image: str) -> list[JSON]:
    """A container beside the Pod's own."""
    return [WEB, {"name": name, "image": image}]


def before(name: str, image: str) -> list[JSON]:
    """An init container."""
    return [{"name": name, "image": image}]


# Pods that have nothing of Linkerd's by name.
SPECS: dict[str, JSON] = {
    "plain": {},
    "host network": {"hostNetwork": True},
    "own network": {"hostNetwork": False},
    "no token": {"automountServiceAccountToken": False},
    "init container": {"initContainers": before("setup", "busybox")},
    "no init containers": {"initContainers": []},
    "Istio's name": {"containers": also("istio-proxy", "example.org/proxy:1")},
    "Istio's image": {"containers": also("mesh", "gcr.io/istio-release/proxyv2:1.20")},
    "Linkerd's image": {"containers": also("mesh", PROXY_IMAGE)},
    "Linkerd's image of another registry": {"containers": also("mesh", "example.org/linkerd/proxy:1")},
    "Istio's init name": {"initContainers": before("istio-init", "example.org/init:1")},
    "Istio's native sidecar": {"initContainers": before("istio-proxy", "example.org/proxy:1")},
    "Istio's init image": {"initContainers": before("setup", "gcr.io/istio-release/proxy_init:1.2")},
    "Istio's image among init containers": {"initContainers": before("setup", "gcr.io/istio-release/proxyv2:1.20")},
    "Linkerd's init image": {"initContainers": before("setup", "cr.l5d.io/linkerd/proxy-init:v2")},
    "Linkerd's image among init containers": {"initContainers": before("setup", PROXY_IMAGE)},
    "a name that begins like Istio's": {"containers": also("istio-proxy-metrics", "example.org/metrics:1")},
}

# Pods that have some of Linkerd's containers, and what is missing; "" where nothing is.
PARTS: dict[str, tuple[JSON, str]] = {
    "proxy alone": ({"containers": [WEB, PROXY]}, "init container linkerd-init or linkerd-network-validator"),
    "init alone": ({"initContainers": [INIT]}, "container linkerd-proxy"),
    "validator alone": ({"initContainers": [VALIDATOR]}, "container linkerd-proxy"),
    "native proxy alone": ({"initContainers": [PROXY]}, "init container linkerd-init or linkerd-network-validator"),
    "both": ({"containers": [PROXY, WEB], "initContainers": [INIT]}, ""),
    "both, native": ({"initContainers": [INIT, PROXY]}, ""),
    "proxy and validator": ({"containers": [WEB, PROXY], "initContainers": [VALIDATOR]}, ""),
    "proxy and an old line's stand-in": ({"containers": [WEB, PROXY], "initContainers": [NOOP]}, ""),
}


@contextlib.contextmanager
def guarded(api: ApiServer, actions: list[str], conditions: tuple[JSON, ...] = guard.CONDITIONS) -> Iterator[None]:
    """The guard in force within the block."""
    metadata = {"name": guard.NAME}
    policy = guard.policy(metadata, {"matchExpressions": SPARED}, list(conditions), "'linkerd'")
    binding = guard.binding(metadata, actions)
    probe = Room.create(api, "probe", ENABLED)
    # The injector would leave this alone, so it is refused beside the injector as well.
    odd: JSON = {"containers": [WEB, PROXY]}
    try:
        api.apply(policy)
        api.apply(binding)
        until("the guard", lambda: speaks(probe.pod(dry_run=True, **odd)), within=20)
        yield
    finally:
        api.delete(binding)
        api.delete(policy)
        until("the guard's end", lambda: not speaks(probe.pod(dry_run=True, **odd)), within=20)


def speaks(reply: Reply) -> bool:
    """Whether the guard had something to say."""
    said = [reply.message] if reply.status >= 400 else reply.warnings
    return any(guard.NAME in text for text in said)


def refused(reply: Reply) -> bool:
    """Whether the guard, and nobody else, kept the object out."""
    assert reply.status in (201, 403), f"HTTP {reply.status}: {reply.message}"
    assert reply.status == 201 or guard.NAME in reply.message
    return reply.status == 403


def would_inject(body: JSON, of_namespace: dict[str, str], *, token_projection: bool = True) -> bool:
    """What the injector decides."""
    subject = read(request(body))
    return decision.decide(subject, of_namespace, token_projection=token_projection, native_names=True).inject


def checks(api: ApiServer, action: str) -> float:
    """How often the API server counts that the guard spoke up in this way."""
    text = str(api.request("GET", "/metrics").body["message"])
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "apiserver_validating_admission_policy_check_total"
        and sample.labels["policy"] == guard.NAME
        and sample.labels["enforcement_action"] == action
    )


@pytest.fixture(scope="class")
def deny(api: ApiServer) -> Iterator[None]:
    """The guard, refusing, for a class of tests."""
    with guarded(api, ["Deny"]):
        yield


@pytest.fixture(scope="class")
def deny_for_tokens(api: ApiServer) -> Iterator[None]:
    """The same for a mesh that projects no tokens."""
    with guarded(api, ["Deny"], (*guard.CONDITIONS, guard.TOKEN_CONDITION)):
        yield


@pytest.fixture(scope="class")
def deny_beside_injector(webhook: Webhook, api: ApiServer) -> Iterator[None]:
    """The guard, refusing, with the injector before it."""
    with guarded(api, ["Deny"]):
        yield


class TestWithoutInjector:
    @pytest.mark.parametrize("of_namespace", ANNOTATIONS, ids=str)
    def test_it_refuses_what_would_have_been_injected_and_nothing_else(
        self, deny: None, api: ApiServer, of_namespace: dict[str, str]
    ) -> None:
        room = Room.create(api, "guarded", of_namespace)
        wrong = []
        for of_pod in ANNOTATIONS:
            for name, spec in SPECS.items():
                body = pod_in(room.name, of_pod, **spec)
                wants = would_inject(body, of_namespace)
                if refused(api.create(body, dry_run=True)) != wants:
                    wrong.append((of_pod, name, "injected" if wants else "not injected"))
        assert wrong == []

    def test_the_truth_table_has_both_sides(self) -> None:
        table = [
            would_inject(pod_in("shop", of_pod, **spec), of_namespace)
            for of_namespace in ANNOTATIONS
            for of_pod in ANNOTATIONS
            for spec in SPECS.values()
        ]
        assert 50 < sum(table) < len(table) - 50

    @pytest.mark.parametrize("name", PARTS)
    def test_it_says_what_is_missing(self, deny: None, api: ApiServer, name: str) -> None:
        spec, missing = PARTS[name]
        reply = Room.create(api, "parts", ENABLED).pod(dry_run=True, **spec)
        assert refused(reply) == bool(missing)
        assert not missing or f"it has no {missing}, though" in reply.message

    @pytest.mark.parametrize("name", PARTS)
    def test_it_is_silent_about_parts_where_nobody_asks(self, deny: None, api: ApiServer, name: str) -> None:
        assert not refused(Room.create(api, "parts").pod(dry_run=True, **PARTS[name][0]))

    def test_it_names_the_pod_who_asked_and_what_to_do(self, deny: None, api: ApiServer) -> None:
        room = Room.create(api, "named", ENABLED)
        body = pod_in(room.name)
        message = api.create(body, dry_run=True).message
        assert f"Pod {body['metadata']['name']} is not meshed" in message
        assert f"Namespace {room.name} asks for it with linkerd.io/inject: enabled" in message
        assert "kubectl -n linkerd get deploy linkerd-webhook" in message
        assert "kubectl rollout restart" in message

    def test_it_says_when_the_pod_itself_asked(self, deny: None, api: ApiServer) -> None:
        reply = Room.create(api, "named").pod({INJECT: "ingress"}, dry_run=True)
        assert refused(reply)
        assert "though it asks for it with linkerd.io/inject: ingress" in reply.message

    def test_it_names_a_pod_that_has_no_name_yet(self, deny: None, api: ApiServer) -> None:
        room = Room.create(api, "named", ENABLED)
        _, owner = room.deployment("cart")
        message = room.pod(owner=owner, dry_run=True).message
        assert re.search(r"Pod cart-7d4b9c6f5-\S* is not meshed", message)

    def test_a_mirror_pod_is_no_business_of_its(self, deny: None, api: ApiServer) -> None:
        room = Room.create(api, "mirrored", ENABLED)
        assert not refused(room.pod({"kubernetes.io/config.mirror": "8d1f"}, dry_run=True))

    @pytest.mark.parametrize("name", ["kube-system", "cert-manager", "linkerd"])
    def test_namespaces_that_the_injector_spares_are_spared(self, deny: None, api: ApiServer, name: str) -> None:
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        assert not refused(api.create(pod_in(name, ENABLED), dry_run=True))

    def test_an_opted_out_namespace_is_spared(self, deny: None, api: ApiServer) -> None:
        body = namespace(unique("out"), ENABLED)
        body["metadata"]["labels"] = {configurations.ADMISSION: "disabled"}
        api.create(body).ok()
        assert not refused(api.create(pod_in(body["metadata"]["name"]), dry_run=True))


class TestWithoutTokenProjection:
    @pytest.mark.parametrize(
        ("spec", "wants"),
        [
            (WITH_MOUNT, True),
            (WITH_MOUNT | {"automountServiceAccountToken": True}, True),
            (WITH_MOUNT | {"automountServiceAccountToken": False}, False),
            ({"automountServiceAccountToken": False}, False),
        ],
        ids=["mount", "asked for", "declined, with a mount", "declined"],
    )
    def test_only_a_pod_with_a_token_can_be_meshed(
        self, deny_for_tokens: None, api: ApiServer, spec: JSON, wants: bool
    ) -> None:
        room = Room.create(api, "tokens", ENABLED)
        body = pod_in(room.name, **spec)
        assert would_inject(body, ENABLED, token_projection=False) == wants
        assert refused(api.create(body, dry_run=True)) == wants


class TestActions:
    def test_a_warning_reaches_the_client_and_the_pod_is_made(self, api: ApiServer) -> None:
        room = Room.create(api, "warned", ENABLED)
        with guarded(api, ["Warn", "Audit"]):
            before = checks(api, "warn"), checks(api, "audit")
            body = pod_in(room.name)
            reply = api.create(body)
            assert reply.status == 201
            assert [guard.NAME in warning and "is not meshed" in warning for warning in reply.warnings] == [True]
            assert api.request("GET", api.path(body)).status == 200
            assert (checks(api, "warn"), checks(api, "audit")) == (before[0] + 1, before[1] + 1)
        api.delete(body)

    def test_a_refusal_is_forbidden_and_counted(self, api: ApiServer) -> None:
        room = Room.create(api, "denied", ENABLED)
        with guarded(api, ["Deny"]):
            before = checks(api, "deny")
            body = pod_in(room.name)
            assert api.create(body).body["reason"] == "Forbidden"
            assert api.request("GET", api.path(body)).status == 404
            assert checks(api, "deny") == before + 1


@pytest.mark.usefixtures("deny_beside_injector")
class TestWithInjector:
    """Linkerd's own configuration, with this program behind it."""

    @pytest.mark.parametrize(
        "annotations",
        [
            {},
            {INJECT: "ingress"},
            *(
                {f"{prefix}.linkerd.io/proxy-enable-native-sidecar": value}
                for prefix in ("config", "config.beta", "config.alpha")
                for value in ("true", "false")
            ),
            {"config.linkerd.io/enable-debug-sidecar": "true"},
            {"config.linkerd.io/proxy-await": "disabled"},
            {"config.linkerd.io/proxy-image": "example.org/proxy"},
        ],
        ids=str,
    )
    def test_it_never_speaks(self, room: Room, annotations: dict[str, str]) -> None:
        reply = room.pod(annotations, dry_run=True)
        assert not refused(reply)
        assert meshed(reply.body)

    @pytest.mark.parametrize("name", SPECS)
    def test_it_never_speaks_about_what_is_skipped(self, room: Room, name: str) -> None:
        assert not refused(room.pod(dry_run=True, **SPECS[name]))

    def test_it_never_speaks_about_a_pod_that_asks_by_itself(self, plain_room: Room) -> None:
        reply = plain_room.pod(ENABLED, dry_run=True)
        assert not refused(reply)
        assert meshed(reply.body)

    def test_it_never_speaks_where_the_cni_plugin_redirects(self, control_plane: ControlPlane, room: Room) -> None:
        values: dict[str, Any] = copy.deepcopy(control_plane.manifests.values)
        values["cniEnabled"] = True
        first = "linkerd-network-validator" if control_plane.line == "edge-26.8" else "noop"
        with mounted(control_plane, yaml.safe_dump(values)):
            replies = []

            def under_cni() -> bool:
                replies.append(room.pod(dry_run=True))
                return container(replies[-1].body, first) is not None if replies[-1].status == 201 else False

            until("Pods without linkerd-init", under_cni, within=20)
            assert not any(refused(reply) for reply in replies)
            assert "linkerd-init" not in init_containers(replies[-1].body)

    def test_it_speaks_once_the_injector_answers_no_more(
        self, control_plane: ControlPlane, webhook: Webhook, room: Room, api: ApiServer
    ) -> None:
        body = control_plane.manifests.one("MutatingWebhookConfiguration", "linkerd-proxy-injector-webhook-config")
        stored = api.request("GET", api.path(body)).ok()
        open_to_failure = [webhook | {"failurePolicy": "Ignore", "timeoutSeconds": 1} for webhook in stored["webhooks"]]
        webhook.freeze()
        try:
            api.patch(body, {"webhooks": open_to_failure})
            until("a Pod that is let through", lambda: speaks(room.pod(dry_run=True)), within=30)
            reply = room.pod(dry_run=True)
            assert refused(reply)
            assert "it has no container linkerd-proxy" in reply.message
        finally:
            webhook.thaw()
            api.patch(body, {"webhooks": stored["webhooks"]})
        until("the injector", lambda: not speaks(room.pod(dry_run=True)), within=30)
        assert meshed(room.pod(dry_run=True).ok())


@contextlib.contextmanager
def mounted(control_plane: ControlPlane, values: str) -> Iterator[None]:
    """Other values within the block."""
    config = control_plane.volumes.config
    before = config["values"]
    config.update({"values": values.encode()})
    try:
        yield
    finally:
        config.update({"values": before})
        room = Room.create(control_plane.api, "probe", ENABLED)

        def back() -> bool:
            reply = room.pod(dry_run=True)
            return reply.status == 201 and meshed(reply.body)

        until("the values from before", back, within=20)
