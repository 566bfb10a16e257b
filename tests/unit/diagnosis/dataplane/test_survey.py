"""Pods are folded by workload, and Pods of one template are judged once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.diagnosis.dataplane.plane import (
    HASH,
    container_of,
    deployment,
    meshed,
    namespace,
    owned,
    plain,
    webhooks,
    workloads,
)
from tests.unit.injector.builders import CONFIG, ENABLED, injector
from webhook.diagnosis.dataplane import survey as module
from webhook.diagnosis.dataplane.podstate import PodJudge, PodState
from webhook.diagnosis.dataplane.survey import DataPlane, Survey, likeness
from webhook.diagnosis.dataplane.workloads import Workloads
from webhook.kube.objects import Namespace
from webhook.review import JSON

OLD = "cr.l5d.io/linkerd/proxy:edge-26.1.1"


class Counting(PodJudge):
    """Counts the Pods that were judged, not remembered."""

    judged = 0

    def judge(self, *given: Any, **options: Any) -> PodState:
        self.judged += 1
        return super().judge(*given, **options)


def surveyed(*pods: JSON, within: Namespace | None = None, there: Workloads | None = None) -> tuple[DataPlane, int]:
    """What there is to tell of these Pods, and how many were judged."""
    judge = Counting(injector(), webhooks())
    survey = Survey(judge, {"shop": within or namespace()}, there or workloads())
    for pod in pods:
        survey.add(pod)
    return survey.result(), judge.judged


def old(**fields: Any) -> JSON:
    """A Pod with an old proxy."""
    pod = meshed(**fields)
    container_of(pod, "linkerd-proxy")["image"] = OLD
    return pod


def test_pods_without_a_proxy_are_told_by_workload() -> None:
    survey, _ = surveyed(plain("cart-1"), plain("cart-2"), plain("db-0", owner=owned("StatefulSet", "db")))
    assert (survey.pods, survey.meshed, survey.outdated) == (3, 0, ())
    told = [(workload.owner.object, workload.pods, workload.advice.command) for workload in survey.unmeshed]
    assert told == [
        ("Deployment shop/cart", 2, "kubectl -n shop rollout restart deployment/cart"),
        ("StatefulSet shop/db", 1, "kubectl -n shop rollout restart statefulset/db"),
    ]
    assert survey.unmeshed[0].message.startswith("2 of its Pods have no proxy: no injector answered")


def test_pods_with_an_old_proxy_are_told_with_both_versions() -> None:
    survey, _ = surveyed(old(), meshed(name="cart-2"))
    (plight,) = survey.outdated
    assert (plight.owner.object, plight.pods, survey.meshed) == ("Deployment shop/cart", 1, 2)
    assert plight.message.startswith("the proxy of its Pod is not the one that it would get now: proxy version (")
    assert f"{OLD} now, would be " in plight.message


def test_a_bare_pod_is_told_by_itself() -> None:
    (plight,) = surveyed(plain(owner={}, metadata={"annotations": ENABLED}))[0].unmeshed
    assert plight.owner.object == "Pod shop/cart-1"
    assert plight.message.startswith("it has no proxy")
    assert plight.advice.text.startswith("nothing makes it anew")


def test_pods_of_one_template_are_judged_once() -> None:
    pods = [meshed(name=f"cart-{number}") for number in range(20)]
    for number, pod in enumerate(pods):
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            for mount in container["volumeMounts"]:
                mount["name"] = mount["name"].replace("x7k2p", f"{number:05d}")
    survey, judged = surveyed(*pods)
    assert (survey.meshed, survey.outdated, judged) == (20, (), 1)


@pytest.mark.parametrize(
    "other",
    [
        plain(),
        old(),
        meshed(body=plain(owner=owned(name=f"cart-{HASH}-2"))),
        meshed(annotations={**ENABLED, f"{CONFIG}proxy-log-level": "debug"}),
        {**meshed(), "status": {"phase": "Succeeded"}},
    ],
)
def test_pods_that_differ_in_what_counts_are_judged_each(other: JSON) -> None:
    assert likeness(other) != likeness(meshed())


def test_a_pod_of_no_template_is_never_remembered() -> None:
    assert likeness(plain(owner={})) is None
    without = plain(owner=owned("DaemonSet", "agent"))
    del without["metadata"]["labels"]["pod-template-hash"]
    assert likeness(without) is None


def test_pods_older_than_the_annotation_are_told_so() -> None:
    survey, _ = surveyed(plain())
    assert survey.namespaces() == ("shop",)
    dated = survey.dated({"shop": datetime(2026, 6, 1, tzinfo=UTC)})
    assert [workload.reason for workload in dated.unmeshed] == ["created_before_annotation"]
    before = survey.dated({"shop": datetime(2026, 1, 1, tzinfo=UTC)})
    assert [workload.reason for workload in before.unmeshed] == ["webhook_unreachable"]
    assert survey.dated({}) == survey


def test_the_newest_pod_decides_whether_all_are_older() -> None:
    newer = plain("cart-2", metadata={"creationTimestamp": "2026-05-03T00:00:00Z"})
    survey, _ = surveyed(plain(), newer)
    dated = survey.dated({"shop": datetime(2026, 5, 2, tzinfo=UTC)})
    assert [workload.reason for workload in dated.unmeshed] == ["webhook_unreachable"]


def test_there_is_an_end_to_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    pods = [plain(f"db-{number}", owner=owned("StatefulSet", f"db-{number}")) for number in range(5)]
    survey, _ = surveyed(*pods)
    assert (len(survey.unmeshed), survey.more) == (3, 2)


def test_namespaces_that_are_not_known_ask_for_nothing() -> None:
    assert surveyed(plain(within="other"))[0] == DataPlane(pods=1)


def test_a_pod_that_took_over_a_setting_is_judged_by_its_template() -> None:
    within = {**ENABLED, f"{CONFIG}proxy-log-level": "debug"}
    pod = meshed(annotations=within)
    assert surveyed(pod, within=namespace("shop", within))[0].outdated == ()
    assert len(surveyed(pod)[0].outdated) == 1
    own = deployment(template={"annotations": {f"{CONFIG}proxy-log-level": "debug"}})
    assert surveyed(pod, there=workloads(own))[0].outdated == ()
