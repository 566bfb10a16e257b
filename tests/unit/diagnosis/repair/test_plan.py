"""Which workloads a restart mends."""

from __future__ import annotations

from webhook.diagnosis.dataplane.podstate import BEFORE
from webhook.diagnosis.dataplane.survey import DataPlane, Plight, Why
from webhook.diagnosis.dataplane.workloads import Owner, Remedy
from webhook.diagnosis.repair.plan import plan
from webhook.diagnosis.repair.report import as_text


def plight(name: str, why: Why = "unmeshed", pods: int = 1, remedy: Remedy = Remedy.RESTART) -> Plight:
    """What there is to tell of a Deployment."""
    owner = Owner("Deployment", "shop", name)
    return Plight(owner, why, pods, remedy, BEFORE if why == "unmeshed" else "", (), f"{name}-1", None)


def test_a_workload_that_can_be_restarted_is_to_be_restarted() -> None:
    todo = plan(DataPlane(unmeshed=(plight("cart", pods=2),)))
    assert [restart.as_json() for restart in todo.workloads] == [
        {
            "object": "Deployment shop/cart",
            "why": "unmeshed",
            "pods": 2,
            "command": "kubectl -n shop rollout restart deployment/cart",
            "result": "todo",
            "message": todo.workloads[0].about,
        }
    ]
    assert "2 of its Pods have no proxy" in todo.workloads[0].about
    assert not todo.mended


def test_a_workload_is_restarted_once_for_both_reasons() -> None:
    todo = plan(DataPlane(unmeshed=(plight("cart", pods=2),), outdated=(plight("cart", "outdated", pods=3),)))
    assert [(restart.why, restart.pods) for restart in todo.workloads] == [("unmeshed", 5)]


def test_workloads_come_by_namespace_and_name() -> None:
    todo = plan(DataPlane(unmeshed=(plight("b"),), outdated=(plight("a", "outdated"),)))
    assert [(restart.owner.name, restart.why) for restart in todo.workloads] == [("a", "drifted"), ("b", "unmeshed")]


def test_what_no_restart_mends_is_told_and_not_touched() -> None:
    for remedy in set(Remedy) - {Remedy.RESTART}:
        todo = plan(DataPlane(unmeshed=(plight("cart", remedy=remedy),)))
        assert not todo.workloads
        assert todo.others[0].object == "Deployment shop/cart"
        assert todo.others[0].advice
        assert not todo.mended


def test_nothing_to_mend_is_mended() -> None:
    assert plan(DataPlane()).mended


def test_skipping_leaves_what_is_done() -> None:
    todo = plan(DataPlane(unmeshed=(plight("a"), plight("b"))))
    todo.workloads[0].result = "done"
    todo.skip("why")
    assert [(restart.result, restart.message) for restart in todo.workloads] == [("done", ""), ("skipped", "why")]


def test_nothing_is_restarted_in_a_spared_namespace() -> None:
    todo = plan(DataPlane(unmeshed=(plight("cart"),)), spared=["shop"])
    assert not todo.workloads
    assert "nothing is restarted in Namespace shop" in todo.others[0].advice


def test_workloads_that_were_left_out_are_told() -> None:
    todo = plan(DataPlane(more=3))
    assert "3 more workloads" in todo.others[0].why
    assert not todo.mended


def test_codes_of_names_do_not_reach_the_terminal() -> None:
    text = "\n".join(as_text(plan(DataPlane(unmeshed=(plight("ca\x1b[2Jrt"),))), acts=False))
    assert "\x1b[2J" not in text
    assert "rollout restart" in text
