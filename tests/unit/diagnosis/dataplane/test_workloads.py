"""Each Pod belongs to the workload whose restart makes it anew, and each workload is known by a small record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.dataplane.plane import HASH, deployment, owned, plain, workload, workloads
from tests.unit.injector.builders import ENABLED, INJECT
from webhook.diagnosis.dataplane.restart import advice
from webhook.diagnosis.dataplane.workloads import Owner, Remedy, controller, remedy_of, workload_of


@pytest.mark.parametrize(
    ("owner", "object"),
    [
        (owned(), "Deployment shop/cart"),
        (owned(name=f"other-{HASH}"), f"ReplicaSet shop/other-{HASH}"),
        (owned("StatefulSet", "db"), "StatefulSet shop/db"),
        (owned("StatefulSet", "db", "apps.kruise.io/v1"), "StatefulSet.apps.kruise.io shop/db"),
        (owned("DaemonSet", "agent"), "DaemonSet shop/agent"),
        (owned("Job", "migrate", "batch/v1"), "Job shop/migrate"),
        (owned("Job", "nightly-1", "batch/v1"), "CronJob shop/nightly"),
        (owned("Rollout", "web", "argoproj.io/v1alpha1"), "Rollout shop/web"),
        ({}, "Pod shop/cart-1"),
    ],
)
def test_whom_a_pod_belongs_to(owner: Any, object: str) -> None:
    above = {"ownerReferences": [owned("CronJob", "nightly", "batch/v1")]}
    there = workloads(
        deployment(), deployment("nightly-1", kind="Job", metadata=above), deployment("nightly", kind="CronJob")
    )
    assert there.owner(plain(owner=owner)).object == object


def test_of_several_owners_the_controller_counts() -> None:
    mere = {"kind": "Node", "name": "n", "uid": "n"}
    assert (controller({"metadata": {"ownerReferences": [mere, owned()]}}) or {})["kind"] == "ReplicaSet"
    assert controller({"metadata": {"ownerReferences": [mere, mere]}}) is None
    assert controller({"metadata": {"ownerReferences": [mere]}}) == mere


def test_the_template_of_a_cron_jobs_pod_is_its_jobs() -> None:
    above = {"ownerReferences": [owned("CronJob", "nightly", "batch/v1")]}
    there = workloads(
        deployment("nightly-1", kind="Job", metadata=above, template={"annotations": ENABLED}),
        deployment("nightly", kind="CronJob"),
    )
    template = there.template_of(plain(owner=owned("Job", "nightly-1", "batch/v1")))
    assert template is not None and template.template_annotations == ENABLED


@pytest.mark.parametrize(
    ("kind", "spec", "remedy"),
    [
        ("Deployment", {}, Remedy.RESTART),
        ("Deployment", {"paused": True}, Remedy.PAUSED),
        (
            "StatefulSet",
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}},
            Remedy.RESTART,
        ),
        ("StatefulSet", {"updateStrategy": {"rollingUpdate": {"partition": 2}}}, Remedy.PARTITION),
        ("DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, Remedy.ON_DELETE),
        ("Job", {}, Remedy.JOB),
        ("CronJob", {}, Remedy.CRON_JOB),
    ],
)
def test_what_makes_its_pods_anew(kind: str, spec: dict[str, Any], remedy: Remedy) -> None:
    assert workload(kind=kind, **spec).remedy is remedy


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("Pod", Remedy.BARE),
        ("ReplicaSet", Remedy.DELETE),
        ("Rollout", Remedy.FOREIGN),
        ("StatefulSet.apps.kruise.io", Remedy.FOREIGN),
        ("StatefulSet", Remedy.RESTART),
    ],
)
def test_what_makes_pods_anew_of_which_there_is_no_record(kind: str, remedy: Remedy) -> None:
    assert remedy_of(Owner(kind, "shop", "x"), None) is remedy


def test_a_template_that_has_the_proxy_itself_is_not_mended_by_a_restart() -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"].append({"name": "linkerd-proxy"})
    (result,) = workloads(body)
    assert result.remedy is Remedy.MANUAL
    assert advice(result.owner, result.remedy).command == ""


def test_a_finished_job_is_not_kept() -> None:
    done = deployment("migrate", kind="Job")
    done["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    assert workload_of("Job", done) is None


def test_only_linkerds_annotations_are_kept() -> None:
    made = workload(template={"annotations": {**ENABLED, "checksum/config": "0" * 64}, "labels": {"app": "cart"}})
    assert (made.template_annotations, made.template_labels) == ({INJECT: "enabled"}, {"app": "cart"})


@pytest.mark.parametrize(
    "junk", [{}, {"metadata": 1}, {"spec": []}, {"spec": {"template": {"metadata": {"labels": [1]}}}}]
)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "CronJob", "Job"])
def test_wrong_types_read_as_absent(junk: dict[str, Any], kind: str) -> None:
    result = workload_of(kind, junk)
    assert result is not None and not result.template_annotations


@pytest.mark.parametrize("remedy", Remedy)
def test_each_remedy_has_an_advice(remedy: Remedy) -> None:
    assert advice(Owner("Deployment", "shop", "cart"), remedy, "cart-1").text


def test_the_commands_are_ready_to_paste() -> None:
    cart = Owner("Deployment", "shop", "cart")
    restart = "kubectl -n shop rollout restart deployment/cart"
    assert advice(cart, Remedy.RESTART).command == restart
    assert advice(cart, Remedy.PAUSED).command == f"kubectl -n shop rollout resume deployment/cart && {restart}"
    assert advice(cart, Remedy.ON_DELETE, "cart-1").command == "kubectl -n shop delete pod cart-1"
    assert advice(cart, Remedy.RESTART).line() == f"restart it: {restart}"
