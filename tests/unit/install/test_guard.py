"""The guard's objects. What its expressions mean is tested on an API server."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from webhook.injector import decision
from webhook.install import configurations, guard

# What an API server takes at most: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
MOST_CONDITIONS = 64

# What no name in CEL may be: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
RESERVED = set(
    re.findall(
        r"\w+",
        "in true false null as break const continue else for function if import let loop namespace package return var"
        " void while",
    )
)


def policy(namespace: object = "'linkerd'") -> guard.JSON:
    """The policy of a mesh that projects tokens."""
    return guard.policy({"name": guard.NAME}, {}, list(guard.CONDITIONS), namespace)


def expressions() -> Iterator[str]:
    """Every CEL expression of the policy."""
    spec = policy()["spec"]
    for condition in (*spec["matchConditions"], *spec["variables"], guard.TOKEN_CONDITION):
        yield condition["expression"]
    for condition in spec["validations"]:
        yield condition["expression"]
        yield condition["messageExpression"]


class TestPolicy:
    def test_looks_at_pods_when_they_are_created_and_at_nothing_else(self) -> None:
        constraints = policy()["spec"]["matchConstraints"]
        (rule,) = constraints["resourceRules"]
        assert constraints["matchPolicy"] == "Equivalent"
        assert rule == {**configurations.RULES[configurations.INJECTOR_WEBHOOK][0], "resources": ["pods"]}

    def test_is_no_obstacle_where_it_cannot_be_evaluated(self) -> None:
        assert policy()["spec"]["failurePolicy"] == "Ignore"

    def test_puts_its_arguments_in_untouched(self) -> None:
        metadata, selector, conditions, namespace = object(), object(), object(), object()
        policy_body = guard.policy(metadata, selector, conditions, namespace)
        assert policy_body["metadata"] is metadata
        assert policy_body["spec"]["matchConstraints"]["namespaceSelector"] is selector
        assert policy_body["spec"]["matchConditions"] is conditions
        assert [
            variable["expression"]
            for variable in policy_body["spec"]["variables"]
            if variable["expression"] is namespace
        ]

    def test_shares_nothing_with_the_constants(self) -> None:
        policy()["spec"]["variables"][0]["expression"] = "broken"
        assert policy()["spec"]["variables"][0]["expression"] != "broken"

    def test_uses_each_of_its_variables(self) -> None:
        text = "\n".join(expressions())
        for variable in policy()["spec"]["variables"]:
            assert f"variables.{variable['name']}" in text

    def test_names_its_variables_as_an_api_server_takes_them(self) -> None:
        for variable in policy()["spec"]["variables"]:
            assert re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", variable["name"])
            assert variable["name"] not in RESERVED

    def test_has_variables_only_of_those_before_them(self) -> None:
        known: set[str] = set()
        for variable in policy()["spec"]["variables"]:
            assert set(re.findall(r"variables\.(\w+)", variable["expression"])) <= known
            known.add(variable["name"])


class TestExpressions:
    def test_are_lines_that_can_be_read(self) -> None:
        assert max(len(line) for expression in expressions() for line in expression.splitlines()) <= 120

    def test_have_as_many_brackets_open_as_closed(self) -> None:
        for expression in expressions():
            assert expression.count("(") == expression.count(")")
            assert expression.count("[") == expression.count("]")

    def test_name_what_they_walk_over_with_no_word_that_cel_reserves(self) -> None:
        names = {name for expression in expressions() for name in re.findall(r"\.(?:exists|map)\((\w+),", expression)}
        assert names
        assert not names & RESERVED

    def test_know_every_value_of_the_annotation_that_the_injector_knows(self) -> None:
        values = {variable["name"]: variable["expression"] for variable in policy()["spec"]["variables"]}
        lists = re.findall(r"in \[(.*?)\]", values["valid"])
        assert [{part.strip(" '") for part in element.split(",")} for element in lists] == [decision.VALID] * 2
        lists = re.findall(r"in \[(.*?)\]", values["asked"])
        assert [{part.strip(" '") for part in element.split(",")} for element in lists] == [decision.ENABLING] * 2


class TestConditions:
    def test_have_names_of_their_own_and_are_few_enough(self) -> None:
        every = [*guard.CONDITIONS, guard.TOKEN_CONDITION]
        assert len({body["name"] for body in every}) == len(every) <= MOST_CONDITIONS

    @pytest.mark.parametrize("missing", ["namespaceObject", "variables."])
    def test_use_nothing_that_conditions_do_not_have(self, missing: str) -> None:
        for condition in (*guard.CONDITIONS, guard.TOKEN_CONDITION):
            assert missing not in condition["expression"]


class TestBinding:
    def test_binds_the_policy_by_its_name(self) -> None:
        binding_body = guard.binding({"name": guard.NAME}, ["Deny"])
        assert binding_body["spec"]["policyName"] == guard.NAME
        assert "matchResources" not in binding_body["spec"]

    def test_puts_its_arguments_in_untouched(self) -> None:
        metadata, actions, parameters = object(), object(), object()
        binding_body = guard.binding(metadata, actions, parameters)
        assert binding_body["metadata"] is metadata
        assert binding_body["spec"]["validationActions"] is actions
        assert binding_body["spec"]["paramRef"] is parameters

    def test_counts_either_until_the_server_is_reached_or_from_then_on(self) -> None:
        until, once = guard.until_reached(), guard.once_reached()
        waiting = dict(configurations.SELF_TEST_LABELS)
        reached = {**waiting, configurations.REACHED_LABEL: "true"}
        assert [_selects(until, waiting), _selects(once, waiting)] == [True, False]
        assert [_selects(until, reached), _selects(once, reached)] == [False, True]

    @pytest.mark.parametrize("body", [guard.until_reached(), guard.once_reached()])
    def test_counts_no_more_once_the_self_test_s_configuration_is_gone(self, body: guard.JSON) -> None:
        assert body["parameterNotFoundAction"] == "Allow"
        assert not _selects(body, {"app.kubernetes.io/name": "linkerd-webhook"})


def _selects(parameters: guard.JSON, labels: dict[str, str]) -> bool:
    selector = parameters["selector"]
    result = all(labels.get(key) == value for key, value in selector["matchLabels"].items())
    return result and all(expression["key"] not in labels for expression in selector.get("matchExpressions", ()))
