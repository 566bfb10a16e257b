"""What the webhook configurations ask the API server for, and what they leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook import advice
from webhook.install import configurations as conf

MANIFESTS = Path(__file__).parents[4] / "shared" / "linkerd" / "edge-26.8" / "control-plane.yaml"


def linkerds_rules(name: str) -> list[dict[str, Any]]:
    """The rules of the one webhook in Linkerd's own configuration."""
    if not MANIFESTS.is_file():
        pytest.skip(f"no Linkerd manifests at {MANIFESTS}")
    every = (body for body in yaml.safe_load_all(MANIFESTS.read_text()) if body)
    match = next(body for body in every if body["metadata"]["name"] == name and "webhooks" in body)
    return list(match["webhooks"][0]["rules"])


def matched(rules: Any) -> set[tuple[str, str, str]]:
    """Each operation on each resource of each group that the rules match."""
    return {
        (group, resource, operation)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for operation in rule["operations"]
    }


class TestRules:
    @pytest.mark.parametrize(
        ("ours", "linkerds"),
        [
            (conf.INJECTOR_WEBHOOK, "linkerd-proxy-injector-webhook-config"),
            (conf.POLICY_WEBHOOK, "linkerd-policy-validator-webhook-config"),
            (conf.PROFILE_WEBHOOK, "linkerd-sp-validator-webhook-config"),
        ],
    )
    def test_match_what_linkerd_s_own_match(self, ours: str, linkerds: str) -> None:
        assert matched(conf.RULES[ours]) == matched(linkerds_rules(linkerds))

    def test_of_policies_and_profiles_match_every_version(self) -> None:
        for name in (conf.POLICY_WEBHOOK, conf.PROFILE_WEBHOOK):
            assert [rule["apiVersions"] for rule in conf.RULES[name]] == [["*"]] * len(conf.RULES[name])

    @pytest.mark.parametrize("name", conf.RULES)
    def test_name_every_resource_and_no_subresource(self, name: str) -> None:
        for group, resource, operation in matched(conf.RULES[name]):
            assert "*" not in group + resource + operation
            assert "/" not in resource

    @pytest.mark.parametrize("name", conf.RULES)
    def test_match_nothing_that_lives_in_no_namespace_but_namespaces(self, name: str) -> None:
        scopes = {"Cluster"} if name == conf.NAMESPACE_WEBHOOK else {"Namespaced"}
        assert {rule["scope"] for rule in conf.RULES[name]} == scopes

    def test_of_the_advisor_match_every_kind_that_it_has_a_word_for_and_no_other(self) -> None:
        sent = matched(conf.RULES[conf.WORKLOAD_WEBHOOK]) | matched(conf.RULES[conf.NAMESPACE_WEBHOOK])
        kinds = {
            ("apps", "DaemonSet"),
            ("apps", "Deployment"),
            ("apps", "ReplicaSet"),
            ("apps", "StatefulSet"),
            ("batch", "CronJob"),
            ("batch", "Job"),
            ("", "ReplicationController"),
            ("", "Namespace"),
        }
        assert sent == {(group, f"{kind.lower()}s", op) for group, kind in kinds for op in ("CREATE", "UPDATE")}
        assert all(advice.template(group, kind, {}) is not None for group, kind in kinds)

    @pytest.mark.parametrize("name", conf.RULES)
    def test_never_match_a_deletion(self, name: str) -> None:
        assert not {"DELETE", "CONNECT"} & {operation for *_, operation in matched(conf.RULES[name])}


class TestWebhook:
    def webhook(self, **more: Any) -> conf.JSON:
        return conf.webhook(conf.INJECTOR_WEBHOOK, {}, {}, "Ignore", **more)

    def test_is_called_for_every_version_within_a_short_time_and_says_what_it_does(self) -> None:
        hook = self.webhook()
        assert hook["matchPolicy"] == "Equivalent"
        assert hook["timeoutSeconds"] == 5
        assert hook["sideEffects"] == "NoneOnDryRun"
        assert hook["admissionReviewVersions"] == ["v1"]

    def test_has_no_rules_of_its_own_accord(self) -> None:
        assert "rules" not in self.webhook()

    def test_has_a_reinvocation_policy_only_where_it_is_given(self) -> None:
        assert "reinvocationPolicy" not in self.webhook()
        assert self.webhook(reinvocation="IfNeeded")["reinvocationPolicy"] == "IfNeeded"

    def test_puts_its_arguments_in_untouched(self) -> None:
        client, namespaces, policy = object(), object(), object()
        hook = conf.webhook(conf.POLICY_WEBHOOK, client, namespaces, policy)
        assert hook["clientConfig"] is client
        assert hook["namespaceSelector"] is namespaces
        assert hook["failurePolicy"] is policy

    def test_is_reached_by_our_service_and_trusts_nothing_yet(self) -> None:
        namespace = object()
        result = conf.client_config(namespace, "/proxy-injector")
        assert result["service"]["namespace"] is namespace
        assert result["service"] | {"namespace": ""} == {
            "namespace": "",
            "name": "linkerd-webhook",
            "path": "/proxy-injector",
            "port": 443,
        }
        assert "caBundle" not in result


class TestNamespaces:
    def test_the_system_s_ours_and_the_networks_are_spared_and_those_that_are_named(self) -> None:
        ours, more = object(), object()
        names = conf.spared_namespaces(ours, [more])
        networks = {"linkerd-cni", "calico-system", "calico-apiserver", "tigera-operator", "kube-flannel", "cilium"}
        assert set(names[:-2]) == {"kube-system", "cert-manager", *networks}
        assert names[-2] is ours
        assert names[-1] is more

    def test_are_left_alone_by_linkerd_s_label_or_let_in_by_it(self) -> None:
        key = "config.linkerd.io/admission-webhooks"
        assert conf.opted_out() == {"key": key, "operator": "NotIn", "values": ["disabled"]}
        assert conf.opted_in() == {"key": key, "operator": "In", "values": ["enabled"]}

    def test_are_told_by_the_label_that_nobody_can_change(self) -> None:
        names = object()
        result = conf.not_spared(names)
        assert (result["key"], result["operator"]) == ("kubernetes.io/metadata.name", "NotIn")
        assert result["values"] is names


class TestSelfTest:
    def test_matches_one_label_in_one_namespace(self) -> None:
        namespace, client = object(), object()
        result = conf.self_test(namespace, client)
        (expression,) = result["namespaceSelector"]["matchExpressions"]
        assert (expression["key"], expression["operator"]) == ("kubernetes.io/metadata.name", "In")
        assert len(expression["values"]) == 1
        assert expression["values"][0] is namespace
        assert result["objectSelector"] == {"matchLabels": {"linkerd-webhook/self-test": "true"}}
        assert matched(result["rules"]) == {("", "configmaps", "UPDATE")}
        assert result["clientConfig"] is client

    def test_fails_where_nobody_answers(self) -> None:
        result = conf.self_test("linkerd", {})
        assert result["failurePolicy"] == "Fail"
        assert result["reinvocationPolicy"] == "Never"

    def test_shares_nothing_with_the_constants(self) -> None:
        conf.self_test("linkerd", {})["rules"][0]["scope"] = "*"
        assert conf.RULES[conf.SELF_TEST_WEBHOOK][0]["scope"] == "Namespaced"


class TestAdvisor:
    @pytest.mark.parametrize("name", [conf.WORKLOAD_WEBHOOK, conf.NAMESPACE_WEBHOOK])
    def test_holds_nobody_up_and_refuses_nothing_where_it_does_not_answer(self, name: str) -> None:
        result = conf.advisor(name, {}, {})
        assert (result["failurePolicy"], result["timeoutSeconds"], result["sideEffects"]) == ("Ignore", 1, "None")
        assert result["rules"] == list(conf.RULES[name])


CONDITIONS = (conf.INJECTOR_CONDITIONS, conf.VALIDATOR_CONDITIONS, conf.WORKLOAD_CONDITIONS, conf.NAMESPACE_CONDITIONS)


class TestMatchConditions:
    @pytest.mark.parametrize("conditions", CONDITIONS)
    def test_have_names_of_their_own(self, conditions: tuple[conf.JSON, ...]) -> None:
        assert len({condition["name"] for condition in conditions}) == len(conditions)

    @pytest.mark.parametrize("conditions", CONDITIONS)
    def test_use_nothing_that_api_servers_of_1_28_do_not_know(self, conditions: tuple[conf.JSON, ...]) -> None:
        for condition in conditions:
            assert ".?" not in condition["expression"]
            assert "[?" not in condition["expression"]
