from __future__ import annotations

import copy

from tests.unit.diagnosis.dataplane.plane import CONFIGURATION, namespace
from webhook.diagnosis.explain.webhooks import WebhookCall, calls
from webhook.injector.decision import INJECT
from webhook.install.configurations import INJECTOR_CONDITIONS
from webhook.kube.objects import Namespace
from webhook.kube.webhookconfigurations import ServiceReference
from webhook.review import JSON

SERVICES = {ServiceReference("linkerd", "linkerd-webhook")}


def changed(name: str = "", **fields: object) -> JSON:
    body = copy.deepcopy(CONFIGURATION)
    body["metadata"]["name"] = name or body["metadata"]["name"]
    body["webhooks"][0].update(fields)
    return body


def called(body: JSON, **annotations: str) -> WebhookCall:
    return next(iter(calls([body], SERVICES, namespace(), {}, annotations)))


def test_a_webhook_whose_rules_and_selectors_match_is_called() -> None:
    call = called(CONFIGURATION)
    assert (call.calls, call.ours) == (True, True)


def test_configurations_come_by_their_names() -> None:
    result = calls([changed("z"), changed("a")], SERVICES, namespace(), {}, {})
    assert [finding.configuration for finding in result] == ["a", "z"]


def test_a_webhook_without_a_rule_about_pods_is_not_called() -> None:
    assert called(changed(rules=[])).why == "it has no rules"
    others = [{"apiGroups": [""], "operations": ["CREATE"], "resources": ["configmaps"]}]
    assert called(changed(rules=others)).calls is False


def test_rules_of_cluster_scope_are_not_about_pods() -> None:
    rule = {"apiGroups": ["*"], "operations": ["*"], "resources": ["*"], "scope": "Cluster"}
    assert called(changed(rules=[rule])).calls is False


def test_a_selector_that_keeps_the_webhook_away_is_named() -> None:
    (call,) = calls(
        [CONFIGURATION],
        SERVICES,
        Namespace("shop", {INJECT: "enabled"}, {"config.linkerd.io/admission-webhooks": "disabled"}),
        {},
        {},
    )
    assert call.calls is False
    assert "namespaceSelector" in call.why
    assert "config.linkerd.io/admission-webhooks" in call.why


def test_foreign_match_conditions_are_shown_and_not_judged() -> None:
    call = called(changed(matchConditions=[{"name": "odd", "expression": "object.metadata.name == 'x'"}]))
    assert call.calls is None
    assert "odd: object.metadata.name == 'x'" in call.why


def test_our_own_match_condition_is_evaluated() -> None:
    body = changed(matchConditions=[dict(injector_condition) for injector_condition in INJECTOR_CONDITIONS])
    assert called(body).calls is True
    assert called(body, **{"kubernetes.io/config.mirror": "x"}).calls is False
