"""The webhook that only speaks: about what, to whom, and that it allows whatever comes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.serving import LogFile, Serving, review
from tests.unit.injector.builders import injector, pod
from tests.unit.injector.test_webhook import BrokenCluster
from webhook.cluster.offline import OfflineCluster
from webhook.review import JSON, AdmissionRequest, Answer, GroupVersionKind, GroupVersionResource
from webhook.webhooks.interface import Current
from webhook.webhooks.proxy_injector import ProxyInjector
from webhook.webhooks.registry import Registry
from webhook.webhooks.workload_advisor import WorkloadAdvisor

SHOP: JSON = {"kind": "Namespace", "metadata": {"name": "shop", "annotations": {"linkerd.io/inject": "enabled"}}}
PLAIN: JSON = {"kind": "Namespace", "metadata": {"name": "plain"}}
TYPO = {"config.linkerd.io/skip-oubound-ports": "5000"}

GROUPS = {
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"), "apps"),
    **dict.fromkeys(("Job", "CronJob"), "batch"),
    "ReplicationController": "",
}


def workload(kind: str = "Deployment", annotations: dict[str, str] | None = None, **metadata: Any) -> JSON:
    """A workload with these annotations in its Pod template."""
    template = {
        "metadata": {"annotations": annotations or {}},
        "spec": {"containers": [{"name": "a", "image": "example.org/a:1"}]},
    }
    spec: JSON = {"template": template}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    return {"kind": kind, "metadata": {"name": "cart", **metadata}, "spec": spec}


def asked(body: Any, before: Any = None, *, kind: str = "", namespace: str = "shop") -> AdmissionRequest:
    """What the API server asks: a creation, or with `before` a change."""
    kind = kind or body["kind"]
    what = GroupVersionKind(GROUPS.get(kind, ""), "v1", kind)
    operation = "CREATE" if before is None else "UPDATE"
    return AdmissionRequest(
        "u", "admission.k8s.io/v1", what, GroupVersionResource(), namespace, "cart", operation, body, before
    )


async def answer(request: AdmissionRequest) -> Answer:
    """The webhook's answer, which always allows, and never changes or records anything."""
    given = await WorkloadAdvisor(Current(injector()), OfflineCluster([SHOP, PLAIN])).answer(request)
    assert (given.allowed, given.decision, given.patch, given.effects) == (True, "allowed", None, [])
    return given


async def warnings(body: Any, before: Any = None, **options: Any) -> list[str]:
    """What is said about an object."""
    return (await answer(asked(body, before, **options))).warnings


class TestWorkloads:
    @pytest.mark.parametrize("kind", GROUPS)
    async def test_of_every_kind_are_told_of_an_annotation_without_effect(self, kind: str) -> None:
        (said,) = await warnings(workload(kind, TYPO))
        assert "did you mean config.linkerd.io/skip-outbound-ports" in said
        assert said.endswith("(inject-unknown-annotation)")

    async def test_are_told_why_their_pods_will_not_be_injected(self) -> None:
        body = workload()
        body["spec"]["template"]["spec"]["hostNetwork"] = True
        (said,) = await warnings(body)
        assert said.startswith("not injected: the Pod template has hostNetwork: true")
        assert await warnings(body, namespace="plain") == []

    async def test_are_told_of_what_their_namespace_got_wrong(self) -> None:
        wrong = {"kind": "Namespace", "metadata": {"name": "shop", "annotations": {"linkerd.io/inject": "true"}}}
        given = await WorkloadAdvisor(Current(injector()), OfflineCluster([wrong])).answer(asked(workload()))
        assert given.reason == "inject-value"
        assert "Namespace shop has linkerd.io/inject" in given.warnings[0]

    async def test_of_a_namespace_that_is_not_known_yet_are_told_what_they_say_themselves(self) -> None:
        advisor = WorkloadAdvisor(Current(injector()), BrokenCluster("timed_out", namespaces=False))
        assert len((await advisor.answer(asked(workload(annotations=TYPO)))).warnings) == 1
        assert (await advisor.answer(asked(workload()))).warnings == []

    async def test_that_would_be_refused_are_allowed_and_told(self) -> None:
        (said,) = await warnings(workload(annotations={"config.linkerd.io/proxy-log-http-headers": "all"}))
        assert said.endswith("(inject-pod-refused)")

    async def test_that_ask_for_nothing_are_told_nothing(self) -> None:
        assert await warnings(workload(), namespace="plain") == []

    async def test_silence_what_they_know(self) -> None:
        annotations = {**TYPO, "linkerd-webhook/ignore": "inject-unknown-annotation"}
        assert await warnings(workload(annotations=annotations)) == []

    @pytest.mark.parametrize("kind", ["ReplicaSet", "Job"])
    async def test_that_a_controller_made_were_told_at_their_owner(self, kind: str) -> None:
        owner = {"kind": "Deployment", "name": "cart", "controller": True}
        given = await answer(asked(workload(kind, TYPO, ownerReferences=[owner])))
        assert (given.warnings, given.reason) == ([], "controlled")
        assert await warnings(workload(kind, TYPO, ownerReferences=[{**owner, "controller": False}]))

    async def test_that_an_operator_made_are_told_as_nobody_else_was(self) -> None:
        owner = {"kind": "Shop", "name": "cart", "controller": True}
        assert await warnings(workload("StatefulSet", TYPO, ownerReferences=[owner]))


class TestNamespaces:
    async def test_are_told_of_a_label_in_place_of_the_annotation(self) -> None:
        body = {"kind": "Namespace", "metadata": {"name": "new", "labels": {"linkerd.io/inject": "enabled"}}}
        (said,) = await warnings(body, namespace="new")
        assert "move it to metadata.annotations" in said

    async def test_are_told_of_a_value_that_means_nothing(self) -> None:
        body = {"kind": "Namespace", "metadata": {"name": "new", "annotations": {"linkerd.io/inject": "true"}}}
        (said,) = await warnings(body, namespace="new")
        assert "write enabled, disabled or ingress (did you mean enabled?)" in said

    async def test_that_are_right_are_told_nothing(self) -> None:
        assert await warnings(SHOP) == []
        assert await warnings(PLAIN) == []


class TestUpdates:
    async def test_that_leave_template_annotations_and_labels_alone_get_nothing(self) -> None:
        body = workload(annotations=TYPO)
        after = deepcopy(body)
        after["spec"]["replicas"] = 3
        after["metadata"]["resourceVersion"] = "2"
        given = await answer(asked(after, body))
        assert (given.warnings, given.reason) == ([], "unchanged")

    @pytest.mark.parametrize("group", ["annotations", "labels"])
    @pytest.mark.parametrize(
        "key", ["kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision", "team"]
    )
    async def test_of_what_linkerd_does_not_read_get_nothing(self, key: str, group: str) -> None:
        namespace: JSON = {"kind": "Namespace", "metadata": {"annotations": TYPO}}
        for body in (workload(annotations=TYPO), namespace):
            after = deepcopy(body)
            after["metadata"].setdefault(group, {})[key] = "2"
            assert await warnings(after, body) == []

    async def test_of_the_template_are_told_again(self) -> None:
        body = workload(annotations=TYPO)
        after = deepcopy(body)
        after["spec"]["template"]["spec"]["containers"][0]["image"] = "example.org/a:2"
        assert len(await warnings(after, body)) == 1

    @pytest.mark.parametrize("group", ["annotations", "labels"])
    async def test_of_annotations_or_labels_are_told(self, group: str) -> None:
        body = workload()
        after = deepcopy(body)
        after["metadata"][group] = {"linkerd.io/inject": "enabled"}
        (said,) = await warnings(after, body)
        assert said.endswith("(inject-misplaced)")

    async def test_of_the_job_s_annotations_in_a_cronjob_are_told(self) -> None:
        body = workload("CronJob")
        after = deepcopy(body)
        after["spec"]["jobTemplate"]["metadata"] = {"annotations": {"linkerd.io/inject": "enabled"}}
        assert len(await warnings(after, body)) == 1

    async def test_of_a_namespace_count_its_metadata_alone(self) -> None:
        body: JSON = {"kind": "Namespace", "metadata": {"name": "n", "labels": {"linkerd.io/inject": "enabled"}}}
        assert await warnings({**body, "spec": {"finalizers": []}}, body, namespace="n") == []
        before = {"kind": "Namespace", "metadata": {"name": "n"}}
        assert len(await warnings(body, before, namespace="n")) == 1

    async def test_of_what_is_being_deleted_get_nothing(self) -> None:
        body = workload(annotations=TYPO, deletionTimestamp="2026-01-01T00:00:00Z")
        given = await answer(asked(body, workload()))
        assert (given.warnings, given.reason) == ([], "being_deleted")

    @pytest.mark.parametrize("before", [[], "x", 1])
    async def test_from_what_is_no_object_count_as_changes(self, before: Any) -> None:
        assert len(await warnings(workload(annotations=TYPO), before)) == 1


class TestWhatever:
    @pytest.mark.parametrize("body", [None, [], "x", 1, {}, {"metadata": []}, {"metadata": {"annotations": 1}}])
    async def test_comes_is_allowed(self, body: Any) -> None:
        for kind in (*GROUPS, "Namespace", "Pod", "Service", "Widget", ""):
            await answer(asked(body, kind=kind or "Widget"))

    @pytest.mark.parametrize("value", [None, 1, [], {}, "x", [1], {"a": 1}])
    async def test_stands_in_a_template_is_allowed(self, value: Any) -> None:
        for kind in GROUPS:
            for where in ("metadata", "spec"):
                body = workload(kind, TYPO)
                template = body["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else body["spec"]
                template["template"][where] = value
                await answer(asked(body))
                await answer(asked(body, value))
            await answer(asked({**workload(kind, TYPO), "spec": value}))
            await answer(asked(workload(kind, TYPO, ownerReferences=value, labels=value)))

    async def test_is_nested_too_deeply_to_be_read_is_allowed(self) -> None:
        nested: Any = {}
        for _ in range(600):
            nested = {"a": nested}
        body = workload(annotations=TYPO)
        body["spec"]["template"]["spec"]["nodeSelector"] = nested
        await answer(asked(body))

    @pytest.mark.parametrize("kind", ["Pod", "Service", "Widget"])
    async def test_is_of_another_kind_gets_no_word(self, kind: str) -> None:
        given = await answer(asked({**pod(TYPO), "kind": kind}))
        assert (given.warnings, given.reason) == ([], "unsupported_kind")


class TestEndpoint:
    async def test_allows_what_is_no_review_as_long_as_it_has_a_uid(self, serving: Serving) -> None:
        site = await serving()
        broken = review(object=1).replace(b"admission.k8s.io/v1", b"admission.k8s.io/v9", 1)
        for path, allowed in (("/workload-advisor", True), ("/proxy-injector", False)):
            response = (await site.post(path, broken)).json()["response"]
            assert (response["uid"], response["allowed"]) == ("uid-1", allowed)

    async def test_allows_where_the_webhook_fails_and_that_is_logged_and_counted(
        self, serving: Serving, log_file: LogFile
    ) -> None:
        site = await serving()

        def fail(_: AdmissionRequest) -> Answer:
            raise RuntimeError("a bug")

        site.webhook.respond = fail
        response = (await site.post("/workload-advisor")).json()["response"]
        assert response == {"uid": "uid-1", "allowed": True}
        assert site.metrics.registry.get_sample_value(
            "linkerd_webhook_internal_errors_total", {"webhook": "workload-advisor"}
        )
        assert any("this is a bug" in str(event) for event in await log_file.events())


class TestRegistry:
    def webhooks(self) -> list[Any]:
        cluster = OfflineCluster([SHOP])
        return [ProxyInjector(Current(injector()), cluster), WorkloadAdvisor(Current(injector()), cluster)]

    def test_workloads_and_namespaces_on_the_root_path_are_the_injector_s_as_linkerd_s_own(self) -> None:
        registry = Registry(self.webhooks())
        for body in (workload(), SHOP):
            assert registry.choose("/", asked(body)).name == "proxy-injector"
            assert registry.choose("/workload-advisor", asked(body)).name == "workload-advisor"

    def test_only_the_advisor_allows_whatever_is_posted(self) -> None:
        registry = Registry(self.webhooks())
        assert [path for path in (*registry.paths, "/nowhere") if registry.allows_all(path)] == ["/workload-advisor"]
        assert Registry(self.webhooks(), "workload-advisor").allows_all("/")
