"""The rules against an injection agree with the decision."""

from __future__ import annotations

import itertools

import pytest

from webhook.injector.decision import INJECT, decide, rules
from webhook.injector.subject import Subject

VALUES = ("", "enabled", "disabled", "ingress", "on")


@pytest.mark.parametrize(("pod", "namespace"), list(itertools.product(VALUES, VALUES)))
@pytest.mark.parametrize("host_network", [True, False])
def test_every_reason_is_a_rule_that_holds_in_the_same_order(pod: str, namespace: str, host_network: bool) -> None:
    body = {"metadata": {"annotations": {INJECT: pod}}, "spec": {"hostNetwork": host_network, "containers": []}}
    subject = Subject.of("Pod", body)
    asked = rules(subject, {INJECT: namespace}, token_projection=False, native_names=True)
    decided = decide(subject, {INJECT: namespace}, token_projection=False, native_names=True)
    holding = [rule for rule, holds in asked if holds]
    assert [element for element in holding if element in decided.reasons] == decided.reasons
    assert decided.inject == (not decided.reasons)


def test_a_kind_without_a_pod_is_not_supported() -> None:
    subject = Subject.of("ConfigMap", {"kind": "ConfigMap"})
    assert rules(subject, {}, token_projection=True, native_names=True) == [("unsupported_resource", True)]
