"""The workloads of one Namespace."""

import json

from tests.unit.diagnosis.dataplane.plane import judged, meshed, namespace, owned, plain
from tests.unit.injector.builders import injector
from webhook.diagnosis.check.page import page_of
from webhook.diagnosis.dataplane.podstate import REMOVED, UNREACHABLE, PodJudge
from webhook.injector.decision import DISABLE_PRESENT, HOST_NETWORK, INJECT
from webhook.review import JSON
from webhook.statuspage.workload_rows import WorkloadRow, WorkloadTable, owner_of


def rows(*pods: JSON) -> tuple[WorkloadRow, ...]:
    """The rows of these Pods of a Namespace that asks for proxies."""
    table = WorkloadTable(PodJudge(injector(), None), namespace())
    body = json.dumps({"metadata": {"continue": "next"}, "items": list(pods)}).encode()
    assert list(table.add_parts([page_of(body)]))[-1] == "next"
    return table.rows()


def test_a_row_counts_a_workload_s_pods_and_tells_why_some_are_not_meshed() -> None:
    [row] = rows(meshed(name="cart-1"), meshed(name="cart-2"), plain(name="cart-3"))
    assert (row.workload, row.pods, row.meshed, row.outdated) == ("Deployment/cart", 3, 2, 0)
    [reason] = row.reasons
    assert (reason.reason, reason.pods) == (UNREACHABLE, 1)
    assert reason.text == judged(plain()).message


def test_reasons_are_those_of_the_injector() -> None:
    declined = plain(name="a", owner=owned("StatefulSet", "db"), metadata={"annotations": {INJECT: "disabled"}})
    on_the_node = plain(name="b", owner=owned("DaemonSet", "agent"), hostNetwork=True)
    assert {row.workload: [reason.reason for reason in row.reasons] for row in rows(declined, on_the_node)} == {
        "DaemonSet/agent": [HOST_NETWORK],
        "StatefulSet/db": [DISABLE_PRESENT],
    }


def test_a_proxy_that_was_taken_out_again_is_told() -> None:
    pod = meshed(name="cart-1")
    pod["spec"]["containers"] = [one for one in pod["spec"]["containers"] if one["name"] != "linkerd-proxy"]
    pod["spec"].pop("initContainers", None)
    [row] = rows(pod)
    assert [reason.reason for reason in row.reasons] == [REMOVED]


def test_a_proxy_that_would_be_another_one_now_is_counted() -> None:
    pod = meshed(using=injector("stable-2.12"), name="cart-1")
    [row] = rows(pod, meshed(name="cart-2"))
    assert (row.meshed, row.outdated) == (2, 1)


def test_owners_need_no_right_to_read_them() -> None:
    assert owner_of(plain())[::2] == ("Deployment", "cart")
    assert owner_of(plain(owner=owned(name="lone")))[::2] == ("ReplicaSet", "lone")
    assert owner_of(plain(owner=owned("Job", "once", "batch/v1")))[::2] == ("Job", "once")
    assert owner_of(plain(name="bare", owner={}))[::2] == ("Pod", "bare")


def test_any_junk_among_the_pods_is_a_row_or_nothing() -> None:
    for junk in ({}, {"metadata": 5}, {"metadata": {"name": [], "labels": "x"}, "spec": {"containers": [3]}}):
        assert sum(row.pods for row in rows(junk)) == 1
