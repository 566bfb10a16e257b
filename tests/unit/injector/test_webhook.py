"""The proxy injector as a webhook: what it asks the cluster, and what it does when the cluster cannot tell."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.injector.builders import ENABLED, INJECT, injector, patched, pod, request
from webhook.cluster.interface import Cluster, ClusterError
from webhook.cluster.offline import OfflineCluster
from webhook.kube.objects import Namespace, ObjectReference
from webhook.review import JSON, Answer
from webhook.webhooks.interface import Current
from webhook.webhooks.proxy_injector import ProxyInjector

SHOP: JSON = {"kind": "Namespace", "metadata": {"name": "shop", "annotations": ENABLED}}
PLAIN: JSON = {"kind": "Namespace", "metadata": {"name": "plain"}}
CPU_LIMIT = "config.linkerd.io/proxy-cpu-limit"


class Recorder:
    """Events, kept."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str, str, str]] = []

    def record(self, about: ObjectReference, reason: str, message: str, type: str = "Normal") -> None:
        """Keep an Event."""
        self.events.append((about.kind, about.name, reason, message, type))


class BrokenCluster(OfflineCluster):
    """A cluster that knows its Namespaces and can tell nothing else."""

    def __init__(self, reason: str, *, namespaces: bool = True) -> None:
        super().__init__([SHOP] if namespaces else [])
        self._reason = reason

    async def find_namespace(self, name: str) -> Namespace:
        """Fail."""
        raise ClusterError(self._reason, f"namespace {name}: {self._reason}")

    async def find_owners(self, reference: ObjectReference) -> tuple[ObjectReference, ...]:
        """Fail."""
        raise ClusterError(self._reason, f"{reference.kind} {reference.name}: {self._reason}")


def owned(*owners: tuple[str, str], **annotations: str) -> JSON:
    """A Pod with these owners and no wish of its own."""
    body = pod()
    body["metadata"]["annotations"] = annotations
    body["metadata"]["ownerReferences"] = [{"apiVersion": "x/v1", "kind": k, "name": n, "uid": "u"} for k, n in owners]
    return body


def replica_set(name: str, *owners: tuple[str, str]) -> JSON:
    """A ReplicaSet in `shop` with these owners."""
    references = [{"apiVersion": "x/v1", "kind": k, "name": n} for k, n in owners]
    return {"kind": "ReplicaSet", "metadata": {"name": name, "namespace": "shop", "ownerReferences": references}}


async def answer(body: Any, cluster: Cluster | None = None, events: Recorder | None = None, **options: Any) -> Answer:
    """The webhook's answer, its effects done as the server does them."""
    cluster = cluster or OfflineCluster([SHOP, PLAIN])
    asked = request(body, **options)
    given = await ProxyInjector(Current(injector()), cluster, events).answer(asked)
    for effect in given.effects:
        effect()
    return given


class TestNamespaces:
    async def test_its_annotations_decide(self) -> None:
        assert (await answer(owned())).decision == "injected"
        assert (await answer(owned(), namespace="plain")).decision == "skipped"

    async def test_one_that_does_not_exist_refuses_the_pod(self) -> None:
        given = await answer(owned(), namespace="gone")
        assert (given.allowed, given.code, given.status_reason) == (False, 404, "NotFound")
        assert given.reason == "namespace_not_found"
        assert given.message == ("namespace gone is not among the given manifests: add its manifest with --manifests")

    @pytest.mark.parametrize(
        ("reason", "code", "status"),
        [
            ("not_found", 404, "NotFound"),
            ("forbidden", 403, "Forbidden"),
            ("timed_out", 504, "Timeout"),
            ("unavailable", 503, "ServiceUnavailable"),
        ],
    )
    async def test_one_that_cannot_be_read_refuses_it_each_time_differently(
        self, reason: str, code: int, status: str
    ) -> None:
        given = await answer(owned(), BrokenCluster(reason, namespaces=False))
        assert (given.allowed, given.patch, given.code, given.status_reason) == (False, None, code, status)
        assert (given.reason, given.message) == (f"namespace_{reason}", f"namespace shop: {reason}")

    @pytest.mark.parametrize(("name", "said"), [("", "has no namespace"), ("Not/A/Name", "cannot be the name of")])
    async def test_a_name_that_none_can_have_refuses_it(self, name: str, said: str) -> None:
        given = await answer(owned(), namespace=name)
        assert (given.allowed, given.code) == (False, 404)
        assert said in given.message

    async def test_what_no_object_is_in_it_is_still_asked_for(self) -> None:
        assert not (await answer(None, namespace="gone")).allowed


class TestOwners:
    @pytest.mark.parametrize(
        ("owners", "objects", "label"),
        [
            ([], [], None),
            ([("StatefulSet", "db")], [], ("statefulset", "db")),
            ([("ReplicaSet", "web-1")], [replica_set("web-1", ("Deployment", "web"))], ("deployment", "web")),
            ([("ReplicaSet", "web-1")], [replica_set("web-1")], ("replicaset", "web-1")),
            ([("ReplicaSet", "web-1")], [replica_set("web-1", ("Rollout", "web"))], ("replicaset", "web-1")),
            ([("StatefulSet", "a"), ("StatefulSet", "b")], [], None),
            ([("CronJob", "x")], [], None),
        ],
    )
    async def test_the_workload_is_a_label(
        self, owners: list[tuple[str, str]], objects: list[JSON], label: tuple[str, str] | None
    ) -> None:
        body = owned(*owners)
        given = await answer(body, OfflineCluster([SHOP, *objects]))
        labels = patched(body, given)["metadata"]["labels"]
        result = {key: value for key, value in labels.items() if key.startswith("linkerd.io/proxy-")}
        assert result == ({f"linkerd.io/proxy-{label[0]}": label[1]} if label else {})
        if label:
            kind, _, name = given.workload.partition("/")
            assert (kind.lower(), name) == label, "the log names it, too"

    @pytest.mark.parametrize("reason", ["not_found", "forbidden", "timed_out", "unavailable"])
    async def test_one_that_cannot_be_looked_up_costs_no_sidecar(self, reason: str) -> None:
        body = owned(("ReplicaSet", "web-1"))
        given = await answer(body, BrokenCluster(reason))
        assert given.decision == "injected"
        assert given.warnings == [f"ReplicaSet web-1: {reason} (inject-owner-unknown)"]
        assert patched(body, given)["metadata"]["labels"]["linkerd.io/proxy-replicaset"] == "web-1"

    async def test_templates_have_none(self) -> None:
        body = {"kind": "Deployment", "metadata": owned(("ReplicaSet", "x"))["metadata"], "spec": {"template": pod()}}
        assert (await answer(body, BrokenCluster("unavailable"))).warnings == []

    async def test_of_a_malformed_pod_none_are_looked_up(self) -> None:
        body = owned(("ReplicaSet", "x"))
        body["spec"] = []
        given = await answer(body, BrokenCluster("unavailable"))
        assert (given.reason, given.warnings) == ("malformed_object", [])


class TestEvents:
    OWNER = ("StatefulSet", "db")

    @pytest.mark.parametrize(
        ("annotations", "event"),
        [
            ({}, ("Injected", "Linkerd sidecar proxy injected", "Normal")),
            (
                {INJECT: "disabled"},
                (
                    "InjectionSkipped",
                    "not injected: the Pod template has linkerd.io/inject: disabled; remove it to mesh the Pod "
                    "(injection_disable_annotation_present)",
                    "Normal",
                ),
            ),
            (
                {INJECT: "true"},
                (
                    "InjectionSkipped",
                    'not injected: the Pod template has linkerd.io/inject: "true"; write enabled, disabled or ingress '
                    "(did you mean enabled?) (invalid_inject_annotation_at_workload)",
                    "Warning",
                ),
            ),
        ],
    )
    async def test_one_is_recorded_about_the_owner(
        self, annotations: dict[str, str], event: tuple[str, str, str]
    ) -> None:
        events = Recorder()
        await answer(owned(self.OWNER, **annotations), events=events)
        assert events.events == [(*self.OWNER, *event)]

    async def test_a_pod_that_only_got_its_opaque_ports_counts_as_skipped(self) -> None:
        events = Recorder()
        body = owned(self.OWNER, **{INJECT: "disabled"})
        body["spec"]["containers"][0]["ports"] = [{"containerPort": 3306}]
        assert (await answer(body, events=events)).decision == "annotated"
        assert [event[2] for event in events.events] == ["InjectionSkipped"]

    async def test_warnings_about_an_injected_pod_are_one_more_for_its_workload(self) -> None:
        events = Recorder()
        body = owned(self.OWNER, **{CPU_LIMIT: "many", "config.linkerd.io/skip-oubound-ports": "5000"})
        given = await answer(body, events=events)
        assert len(given.warnings) == 2
        assert [event[2:] for event in events.events] == [
            ("Injected", "Linkerd sidecar proxy injected", "Normal"),
            ("InjectionWarning", "; ".join(given.warnings), "Warning"),
        ]

    async def test_the_next_pod_of_the_template_tells_the_same_so_that_they_are_counted_together(self) -> None:
        webhook_events, body = Recorder(), owned(self.OWNER, **{CPU_LIMIT: "many"})
        for name in ("db-0", "db-1"):
            body["metadata"]["name"] = name
            await answer(body, events=webhook_events)
        assert webhook_events.events[:2] == webhook_events.events[2:]

    async def test_what_a_skip_says_is_not_said_again_as_a_warning(self) -> None:
        events = Recorder()
        body = owned(self.OWNER, **{CPU_LIMIT: "many"})
        body["spec"]["hostNetwork"] = True
        given = await answer(body, events=events)
        (skip, warning) = events.events
        assert (skip[2], skip[4]) == ("InjectionSkipped", "Warning")
        assert skip[3].endswith("(host_network_enabled)")
        assert (warning[2], warning[4]) == ("InjectionWarning", "Warning")
        assert "proxy-cpu-limit" in warning[3]
        assert "hostNetwork" not in warning[3]
        assert len(given.warnings) == 2

    async def test_a_skip_whose_warning_is_silenced_is_no_warning(self) -> None:
        events = Recorder()
        body = owned(self.OWNER, **{"linkerd-webhook/ignore": "inject-skipped"})
        body["spec"]["hostNetwork"] = True
        await answer(body, events=events)
        assert [(event[2], event[4]) for event in events.events] == [("InjectionSkipped", "Normal")]

    async def test_every_reason_is_told_with_its_identifier(self) -> None:
        events = Recorder()
        body = owned(self.OWNER, **{INJECT: "disabled"})
        body["spec"]["hostNetwork"] = True
        await answer(body, events=events)
        ((*_, message, _type),) = events.events
        assert "(host_network_enabled); " in message
        assert message.endswith("(injection_disable_annotation_present)")

    async def test_a_pod_that_was_injected_a_moment_ago_has_none_that_says_otherwise(self) -> None:
        events = Recorder()
        body = owned(self.OWNER)
        injected = patched(body, await answer(body))
        assert (await answer(injected, events=events)).reason == "sidecar_already_exists"
        assert events.events == []

    async def test_a_dry_run_has_no_effect_but_the_same_answer(self) -> None:
        events = Recorder()
        dry = await answer(owned(self.OWNER), events=events, dry_run=True)
        assert (events.events, dry.effects) == ([], [])
        wet = await answer(owned(self.OWNER), events=events)
        assert (dry.patch, dry.decision, dry.warnings) == (wet.patch, wet.decision, wet.warnings)
        assert len(events.events) == 1

    @pytest.mark.parametrize("body", [owned(), owned(("A", "a"), ("B", "b")), {"kind": "Service"}, None])
    async def test_where_there_is_no_owner_there_is_none(self, body: Any) -> None:
        events = Recorder()
        await answer(body, events=events)
        assert events.events == []

    async def test_a_refused_pod_has_none(self) -> None:
        events = Recorder()
        body = owned(self.OWNER, **{"config.linkerd.io/proxy-log-http-headers": "all"})
        assert not (await answer(body, events=events)).allowed
        assert events.events == []

    async def test_without_anywhere_to_record_them_all_is_well(self) -> None:
        assert (await answer(owned(self.OWNER), events=None)).decision == "injected"
