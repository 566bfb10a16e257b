"""What is told of Pods and workloads in each state."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.diagnosis.dataplane.plane import CONFIGURATION, deployment, meshed, namespace, owned, plain, workloads
from tests.unit.injector.builders import injector
from webhook.diagnosis.explain.explanation import Explanation, explain
from webhook.diagnosis.explain.facts import ExplainFacts
from webhook.diagnosis.explain.report import as_text
from webhook.diagnosis.explain.target import KINDS
from webhook.injector.decision import INJECT
from webhook.kube.objects import Namespace
from webhook.kube.webhookconfigurations import ServiceReference
from webhook.review import JSON

NOBODY = Namespace("shop", {}, {})


def facts(body: JSON, kind: str = "Pod", within: Namespace | None = None, **more: Any) -> ExplainFacts:
    """Facts about an object of Deployment cart, or of a workload."""
    fields: dict[str, Any] = {
        "kind": KINDS[kind],
        "name": body["metadata"]["name"],
        "body": body,
        "runs": True,
        "namespace": within or namespace(),
        "mesh": injector().mesh,
        "configurations": (CONFIGURATION,),
        "services": frozenset({ServiceReference("linkerd", "linkerd-webhook")}),
        "workloads": workloads(deployment()),
    }
    return ExplainFacts(**{**fields, **more})


def text(explanation: Explanation) -> str:
    """What people read, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(as_text(explanation)))


def commands(explanation: Explanation) -> str:
    return "\n".join(element.command for element in explanation.advice)


def test_a_meshed_pod_is_as_it_should_be() -> None:
    result = explain(facts(meshed(body=plain(owner=owned()))))
    assert (result.meshed, result.would, result.reason, result.drift) == (True, True, "", ())
    assert (result.inject.value, result.inject.source) == ("enabled", "namespace")
    assert result.as_asked
    assert result.advice == ()
    assert text(result).splitlines()[0] == "Pod shop/cart-1 is meshed, as it should be"


def test_what_nobody_asked_for_is_fine_and_how_to_ask_is_told() -> None:
    result = explain(facts(plain(owner=owned()), within=NOBODY))
    assert (result.meshed, result.reason, result.inject.source) == (
        False,
        "injection_enable_annotation_absent",
        "default",
    )
    assert result.as_asked
    assert f"kubectl annotate namespace shop {INJECT}=enabled" in commands(result)


def test_an_annotation_beside_the_template_is_to_be_moved_into_it() -> None:
    beside = workloads(deployment(metadata={"annotations": {INJECT: "enabled"}}))
    result = explain(facts(plain(owner=owned()), within=NOBODY, workloads=beside))
    assert "patch deployment cart" in commands(result)
    assert "does nothing" in result.advice[0].text


def test_a_host_network_holds_and_a_restart_mends_nothing() -> None:
    result = explain(facts(plain(owner=owned(), hostNetwork=True)))
    assert (result.meshed, result.would, result.reason) == (False, False, "host_network_enabled")
    assert [rule.rule for rule in result.rules if rule.holds] == ["host_network_enabled"]
    assert not result.as_asked
    assert result.advice == ()


def test_a_pod_older_than_the_annotation_is_restarted() -> None:
    pod = plain(owner=owned())
    pod["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    result = explain(facts(pod, annotated=datetime(2026, 1, 2, tzinfo=UTC)))
    assert result.reason == "created_before_annotation"
    assert commands(result) == "kubectl -n shop rollout restart deployment/cart"


def test_what_is_shut_out_is_let_in_and_then_restarted() -> None:
    within = Namespace("shop", {INJECT: "enabled"}, {"config.linkerd.io/admission-webhooks": "disabled"})
    result = explain(facts(plain(owner=owned()), within=within))
    assert result.reason == "shut_out_by_selector"
    assert [webhook.calls for webhook in result.webhooks] == [False]
    assert "kubectl label namespace shop config.linkerd.io/admission-webhooks-" in commands(result)
    assert "rollout restart" in commands(result)


def test_without_a_configuration_the_webhook_is_missing() -> None:
    result = explain(facts(plain(owner=owned()), configurations=()))
    assert result.reason == "webhook_missing"
    assert "linkerd-webhook check" in commands(result)


def test_an_unreached_webhook_comes_with_the_events_of_the_owner() -> None:
    event = {
        "reason": "FailedCreate",
        "message": "failed calling webhook",
        "involvedObject": {"kind": "ReplicaSet", "namespace": "shop", "name": "cart-1"},
    }
    result = explain(facts(plain(owner=owned()), events=(event, {"reason": "Scheduled"})))
    assert result.reason == "webhook_unreachable"
    assert [event.reason for event in result.events] == ["FailedCreate"]
    assert "failed calling webhook" in text(result)


def test_a_proxy_that_has_drifted_is_told_with_the_restart() -> None:
    pod = meshed(body=plain(owner=owned()))
    for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
        if container["name"] == "linkerd-proxy":
            container["image"] = "cr.l5d.io/linkerd/proxy:edge-26.1.1"
    result = explain(facts(pod))
    assert not result.as_asked
    assert result.drift[0].now == "cr.l5d.io/linkerd/proxy:edge-26.1.1"
    assert "rollout restart deployment/cart" in commands(result)
    assert explain(replace(facts(pod), mesh_known=False)).drift == ()


def test_a_finished_pod_is_nobodys_concern() -> None:
    pod = plain(owner=owned())
    pod["status"] = {"phase": "Succeeded"}
    result = explain(facts(pod))
    assert result.as_asked
    assert result.advice == ()


@pytest.mark.parametrize("value", ["enabled", "ingress"])
def test_a_template_that_asks_for_itself(value: str) -> None:
    body = deployment(template={"annotations": {INJECT: value}})
    result = explain(facts(body, "Deployment", NOBODY, workloads=workloads(body)))
    assert (result.meshed, result.would, result.as_asked) == (None, True, True)
    assert (result.inject.value, result.inject.source, result.inject.object) == (
        value,
        "template",
        "Deployment shop/cart",
    )
    assert result.patch


def test_a_workload_is_meshed_when_all_of_its_pods_are() -> None:
    both = (meshed(body=plain("cart-1", owner=owned())), plain("cart-2", owner=owned()))
    result = explain(facts(deployment(), "Deployment", pods=both))
    assert (result.meshed, result.would, result.reason) == (False, True, "webhook_unreachable")
    assert result.pods == {"cart-1": True, "cart-2": False}
    assert explain(facts(deployment(), "Deployment", pods=both[:1])).meshed is True


def test_a_setting_is_told_with_what_it_overrides() -> None:
    key = "config.linkerd.io/proxy-log-level"
    within = namespace(annotations={INJECT: "enabled", key: "debug"})
    (setting,) = explain(facts(plain(owner=owned()), within=within)).settings
    assert (setting.name, setting.value, setting.source) == (key, "debug", "namespace")
    assert [source for _, source in setting.overrides] == ["mesh"]
    every = explain(facts(plain(owner=owned()), within=within), every=True).settings
    assert len(every) > 10
    assert len({body.name for body in every}) == len(every)


def test_a_bad_value_is_warned_about() -> None:
    key = "config.linkerd.io/proxy-memory-limit"
    template = workloads(deployment(template={"annotations": {key: "250MB"}}))
    result = explain(facts(plain(owner=owned()), workloads=template))
    assert any(key in warning and "250MB" in warning for warning in result.warnings)


def test_codes_that_a_terminal_obeys_are_not_printed() -> None:
    pod = plain()
    pod["metadata"]["annotations"] = {INJECT: "\x1b[2Jon"}
    assert "\x1b[2J" not in "\n".join(as_text(explain(facts(pod, within=NOBODY))))


@pytest.mark.parametrize("junk", [None, 7, "x", [], {}, [7], {"a": 1}])
@pytest.mark.parametrize("field", ["metadata", "spec", "status"])
def test_a_field_of_a_wrong_type_stops_nothing(field: str, junk: object) -> None:
    for kind, body in (("Pod", plain(owner=owned())), ("Deployment", deployment())):
        asked = facts(body, kind)
        result = explain(replace(asked, body={**body, field: junk}))
        assert result.as_json()["object"]
        assert text(result)
