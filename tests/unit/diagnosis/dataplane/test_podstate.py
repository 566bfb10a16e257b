"""Each state of a Pod has its reason, and what is nobody's mistake is spared."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.unit.diagnosis.dataplane.plane import (
    CONFIGURATION,
    container_of,
    judged,
    meshed,
    namespace,
    plain,
    webhooks,
    workload,
)
from tests.unit.injector.builders import CONFIG, ENABLED, INJECT, container, injector
from webhook.diagnosis.dataplane.podstate import Spared, annotated_at
from webhook.kube.objects import Namespace
from webhook.mesh.spared import ADMISSION
from webhook.review import JSON

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 5, 1, 13, tzinfo=UTC)
DISABLED = {INJECT: "disabled"}


def test_a_pod_that_is_as_it_would_be_is_no_finding() -> None:
    state = judged(meshed())
    assert (state.meshed, state.would, state.asked, state.reason, state.message) == (True, True, True, "", "")
    assert not state.is_unmeshed and not state.is_outdated


def test_a_pod_that_is_older_than_its_namespaces_annotation() -> None:
    state = judged(plain(), annotated=LATER)
    assert (state.meshed, state.would, state.reason) == (False, True, "created_before_annotation")
    assert state.is_unmeshed and "Namespace shop" in state.message


@pytest.mark.parametrize("annotated", [NOON, None])
def test_a_pod_that_nobody_answered_about(annotated: datetime | None) -> None:
    state = judged(plain(), annotated=annotated)
    assert (state.would, state.reason) == (True, "webhook_unreachable")


def test_a_pod_whose_template_was_annotated_since() -> None:
    within = namespace("shop", {})
    state = judged(plain(), within, made_from=workload(kind="StatefulSet", template={"annotations": ENABLED}))
    assert (state.would, state.reason) == (True, "created_before_annotation")


def test_a_pod_that_lost_its_proxy() -> None:
    pod = meshed()
    for key in ("containers", "initContainers"):
        pod["spec"][key] = [named for named in pod["spec"].get(key, ()) if named["name"] != "linkerd-proxy"]
    assert judged(pod, annotated=LATER).reason == "removed_later"


def test_a_pod_in_a_namespace_that_is_shut_out() -> None:
    state = judged(plain(), namespace("shop", ENABLED, **{ADMISSION: "disabled"}), annotated=LATER)
    assert (state.meshed, state.would, state.reason) == (False, False, "shut_out_by_selector")
    assert ADMISSION in state.message and state.shut_out is not None and not state.is_unmeshed


def test_a_pod_that_its_own_label_shuts_out() -> None:
    pod = plain(metadata={"labels": {"linkerd.io/control-plane-component": "x"}})
    state = judged(pod)
    assert state.reason == "shut_out_by_selector" and state.shut_out is not None
    assert state.shut_out.selector == "objectSelector"


def test_a_pod_where_no_injector_is_in_force() -> None:
    without = {**CONFIGURATION, "webhooks": [{**CONFIGURATION["webhooks"][0], "rules": []}]}
    state = judged(plain(), asked=webhooks(without))
    assert (state.would, state.reason, state.is_unmeshed) == (False, "webhook_missing", False)


@pytest.mark.parametrize(
    ("pod", "within", "reason", "spared"),
    [
        (plain(), namespace("shop", {}), "injection_enable_annotation_absent", Spared.NOT_ASKED),
        (
            plain(metadata={"annotations": DISABLED}),
            namespace(),
            "injection_disable_annotation_present",
            Spared.DECLINED,
        ),
        (plain(hostNetwork=True), namespace(), "host_network_enabled", Spared.HOST_NETWORK),
        (plain(hostNetwork=True), namespace("shop", {}), "injection_enable_annotation_absent", Spared.NOT_ASKED),
        (
            plain(containers=[container(), container("istio-proxy")]),
            namespace(),
            "sidecar_already_exists",
            Spared.OTHER_MESH,
        ),
        (plain(), namespace("shop", {INJECT: "true"}), "invalid_inject_annotation_at_ns", None),
        (
            plain(metadata={"annotations": {INJECT: "yes"}}),
            namespace(),
            "invalid_inject_annotation_at_workload",
            None,
        ),
    ],
)
def test_a_pod_that_would_not_be_injected(pod: JSON, within: Namespace, reason: str, spared: Spared | None) -> None:
    annotations = pod["metadata"].get("annotations") or {}
    state = judged(pod, within, made_from=workload(template={"annotations": annotations}))
    assert (state.meshed, state.would, state.reason, state.spared) == (False, False, reason, spared)
    assert state.message and not state.is_unmeshed and not state.is_outdated


@pytest.mark.parametrize(
    ("changes", "spared"),
    [
        ({"status": {"phase": "Succeeded"}}, Spared.FINISHED),
        ({"status": {"phase": "Failed", "reason": "Evicted"}}, Spared.FINISHED),
        ({"metadata": {"deletionTimestamp": "2026-05-01T12:00:00Z"}}, Spared.TERMINATING),
        ({"metadata": {"annotations": {"kubernetes.io/config.mirror": "hash"}}}, Spared.MIRROR),
    ],
)
@pytest.mark.parametrize("with_proxy", [False, True])
def test_a_pod_that_no_restart_concerns_is_spared(changes: JSON, spared: Spared, with_proxy: bool) -> None:
    pod = meshed() if with_proxy else plain()
    if with_proxy:
        container_of(pod, "linkerd-proxy")["image"] = "old:1"
    pod["metadata"] |= changes.get("metadata", {})
    pod["status"] = changes.get("status", pod["status"])
    state = judged(pod)
    assert (state.spared, state.drift, state.is_unmeshed, state.is_outdated) == (spared, (), False, False)


def test_the_control_plane_is_spared() -> None:
    assert judged(plain(within="linkerd"), namespace("linkerd")).spared is Spared.CONTROL_PLANE


def test_a_pod_of_another_control_plane_is_spared() -> None:
    pod = meshed(injector(namespace="linkerd-2"))
    state = judged(pod)
    assert (state.meshed, state.spared, state.drift) == (True, Spared.OTHER_MESH, ())


def test_a_pod_that_would_be_refused_says_why() -> None:
    refused = {f"{CONFIG}proxy-log-http-headers": "all"}
    state = judged(plain(), namespace("shop", {**ENABLED, **refused}), using=injector())
    assert (state.would, state.reason) == (False, "invalid_log_http_headers")


@pytest.mark.parametrize("junk", [{}, {"spec": {"containers": "x"}}, {"metadata": {"annotations": [1]}, "spec": 7}])
def test_a_pod_of_wrong_types_is_judged_all_the_same(junk: JSON) -> None:
    assert not judged(junk).is_outdated


class TestAnnotatedAt:
    def entry(self, key: str, time: object) -> JSON:
        return {"time": time, "fieldsV1": {"f:metadata": {"f:annotations": {f"f:{key}": {}}}}}

    def test_it_is_when_the_annotations_owner_wrote_last(self) -> None:
        entries = [self.entry("other", "2026-06-01T00:00:00Z"), self.entry(INJECT, "2026-05-01T13:00:00Z")]
        assert annotated_at({"metadata": {"managedFields": entries}}) == LATER

    @pytest.mark.parametrize("entries", [None, [], [1], "x"])
    def test_without_managed_fields_it_is_not_known(self, entries: object) -> None:
        assert annotated_at({"metadata": {"managedFields": entries}}) is None

    @pytest.mark.parametrize("time", [None, "soon", 7])
    def test_a_time_that_is_none_is_passed_over(self, time: object) -> None:
        assert annotated_at({"metadata": {"managedFields": [self.entry(INJECT, time)]}}) is None
