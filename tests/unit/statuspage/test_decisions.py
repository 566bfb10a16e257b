"""The last decisions."""

from typing import Any

from webhook.statuspage.decisions import KEPT, Decision, DecisionFilter, DecisionLog


def decision(number: int = 0, **fields: Any) -> Decision:
    """A decision about a Deployment."""
    made = Decision(1.0 * number, "proxy-injector", "shop", f"Deployment/web-{number}", "injected", "", [])
    return made._replace(**fields)


def workloads(log: DecisionLog, **wanted: str) -> list[str]:
    """The workloads of those that are asked for."""
    return [one.workload for _, one in log.newest(DecisionFilter(**wanted))]


def test_the_newest_comes_first_and_the_oldest_goes() -> None:
    log = DecisionLog(kept=3)
    for number in range(5):
        log.add(decision(number))
    assert workloads(log) == ["Deployment/web-4", "Deployment/web-3", "Deployment/web-2"]
    assert [number for number, _ in log.newest(DecisionFilter())] == [5, 4, 3]
    assert len(log) == 3


def test_five_hundred_are_kept() -> None:
    log = DecisionLog()
    for number in range(KEPT + 10):
        log.add(decision(number))
    assert len(log) == KEPT == 500


def test_others_may_be_added_while_those_of_a_moment_are_taken() -> None:
    log = DecisionLog(kept=3)
    for number in range(3):
        log.add(decision(number))
    taken = log.newest(DecisionFilter())
    assert next(taken)[0] == 3
    log.add(decision(3))
    assert [(number, one.workload) for number, one in taken] == [(2, "Deployment/web-1"), (1, "Deployment/web-0")]


def test_a_filter_leaves_those_that_agree_in_every_field() -> None:
    log = DecisionLog()
    log.add(decision(1, webhook="policy-validator", decision="denied"))
    log.add(decision(2, namespace="kitchen"))
    log.add(decision(3, decision="skipped", reason="host_network_enabled,sidecar_already_exists"))
    assert workloads(log, webhook="policy-validator") == ["Deployment/web-1"]
    assert workloads(log, namespace="kitchen") == ["Deployment/web-2"]
    assert workloads(log, decision="skipped", namespace="shop") == ["Deployment/web-3"]
    assert workloads(log, decision="skipped", namespace="kitchen") == []


def test_one_of_several_reasons_is_enough() -> None:
    log = DecisionLog()
    log.add(decision(1, reason="host_network_enabled,sidecar_already_exists"))
    assert workloads(log, reason="sidecar_already_exists") == ["Deployment/web-1"]
    assert workloads(log, reason="sidecar") == []


def test_a_long_text_is_cut_and_so_are_many_warnings() -> None:
    """A warning may quote what somebody wrote into an annotation."""
    log = DecisionLog()
    log.add(decision(1, warnings=["x" * 10_000] * 50, message="y" * 10_000))
    [(_, shown)] = log.newest(DecisionFilter())
    assert len(shown.warnings) == 5
    assert all(len(text) == 500 for text in (*shown.warnings, shown.message))
