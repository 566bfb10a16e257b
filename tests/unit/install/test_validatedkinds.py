"""Rules that name the kinds of one release line, and what they lack after an upgrade of Linkerd."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.unit.install.test_chart import CASES, rendered
from webhook.install import validatedkinds as kinds
from webhook.install.configurations import POLICIES, POLICY_WEBHOOK, PROFILE_WEBHOOK, ROUTES, RULES
from webhook.install.render import render
from webhook.install.settings import defaults
from webhook.mesh import releases
from webhook.policy.registry import KINDS

JSON = dict[str, Any]

FIRST = {
    "authorizationpolicies",
    "httproutes",
    "meshtlsauthentications",
    "networkauthentications",
    "serverauthorizations",
    "servers",
}
ALL = (FIRST | {"egressnetworks", "httplocalratelimitpolicies"}, {"httproutes", "grpcroutes", "tlsroutes", "tcproutes"})
# What Linkerd's own configuration names in each line, of its own group and of the Gateway API's.
NAMED: dict[str, tuple[set[str], set[str]]] = {
    "stable-2.12": (FIRST, set()),
    "stable-2.13": (FIRST, set()),
    "stable-2.14": (FIRST, set()),
    "version-2.15": (FIRST, {"httproutes"}),
    "version-2.16": (FIRST, {"httproutes", "grpcroutes"}),
    "version-2.17": ALL,
    "version-2.18": ALL,
    "version-2.19": ALL,
    "version-2.20": ALL,
    "edge-26.8": ALL,
}
OLD, NEW = releases.line("version-2.16"), releases.line("version-2.17")
CAME = (
    "EgressNetwork.policy.linkerd.io",
    "HTTPLocalRateLimitPolicy.policy.linkerd.io",
    "TCPRoute.gateway.networking.k8s.io",
    "TLSRoute.gateway.networking.k8s.io",
)


def configuration(line: releases.Line | None, failure_policy: str = "Ignore") -> JSON:
    """Our ValidatingWebhookConfiguration, as `install` prints it for a release line."""
    values = {**defaults(), "failurePolicy": failure_policy}
    result = [body for body in render(values, "linkerd", line=line).objects if _key(body) == kinds.CONFIGURATION]
    return copy.deepcopy(result[0])


def _key(body: JSON) -> tuple[str, str]:
    return body["kind"], body["metadata"]["name"]


def policy_rules(body: JSON) -> list[JSON]:
    """The rules of the policy validator."""
    (result,) = [webhook for webhook in body["webhooks"] if webhook["name"] == POLICY_WEBHOOK]
    return list(result.get("rules", ()))


def resources(body: JSON) -> list[str]:
    """The resources that these rules name."""
    return [f"{resource}.{rule['apiGroups'][0]}" for rule in policy_rules(body) for resource in rule["resources"]]


class TestRules:
    """What `install` prints."""

    @pytest.mark.parametrize("line", releases.LINES)
    def test_name_what_linkerd_s_own_configuration_names_in_that_line(self, line: str) -> None:
        policies, routes = NAMED[line]
        wanted = {f"{name}.policy.linkerd.io" for name in policies}
        wanted |= {f"{name}.gateway.networking.k8s.io" for name in routes}
        body = configuration(releases.line(line))
        assert sorted(resources(body)) == sorted(wanted)
        assert all(rule["resources"] and rule["apiVersions"] == ["*"] for rule in policy_rules(body))

    @pytest.mark.parametrize("line", releases.LINES)
    def test_name_a_kind_exactly_where_the_validator_checks_it(self, line: str) -> None:
        here = releases.line(line)
        checked = {f"{kind.kind}.{kind.group}" for kind in KINDS if kind.group != "linkerd.io"}
        lacking = {f"{kind.kind}.{kind.group}" for kind in KINDS if kind.row and not here.has(kind.row)}
        assert set(kinds.lacking(here)) == lacking
        assert checked == {f"{kind}.policy.linkerd.io" for kind in POLICIES.values()} | {
            f"{kind}.gateway.networking.k8s.io" for kind in ROUTES.values()
        }

    def test_differ_between_edges_of_one_line_as_the_rows_do(self) -> None:
        before = resources(configuration(releases.choose("edge-24.10.3").line))
        after = resources(configuration(releases.choose("edge-24.10.4").line))
        assert set(after) - set(before) == {
            "egressnetworks.policy.linkerd.io",
            "tcproutes.gateway.networking.k8s.io",
            "tlsroutes.gateway.networking.k8s.io",
        }

    def test_of_the_newest_line_and_of_one_that_is_not_known_name_all_kinds(self) -> None:
        for line in (releases.line(releases.NEWEST), None):
            assert policy_rules(configuration(line)) == list(RULES[POLICY_WEBHOOK])

    def test_of_other_webhooks_are_the_same_in_all_lines(self) -> None:
        assert {
            line: kinds.rules_for(releases.line(line))[PROFILE_WEBHOOK] for line in releases.LINES
        } == dict.fromkeys(releases.LINES, RULES[PROFILE_WEBHOOK])
        [old, new] = [render(defaults(), "linkerd", line=line).objects for line in (OLD, None)]
        assert [_key(one) for one, other in zip(old, new, strict=True) if one != other] == [kinds.CONFIGURATION]

    def test_say_for_which_line_they_were_written_where_that_is_known(self) -> None:
        assert configuration(OLD)["metadata"]["annotations"] == {kinds.WRITTEN_FOR: "version-2.16"}
        assert "annotations" not in configuration(None)["metadata"]

    def test_that_are_left_out_are_told(self) -> None:
        assert render(defaults(), "linkerd", line=OLD).left_out == [
            f"rules for {', '.join(CAME)} (version-2.16 does not validate them)"
        ]
        assert render(defaults(), "linkerd", line=NEW).left_out == []

    @pytest.mark.parametrize("values", [{"failurePolicy": "Fail"}, {"adopt": True}])
    def test_that_install_does_not_write_depend_on_no_line(self, values: JSON) -> None:
        complete = {**defaults(), **values}
        of_line, of_none = render(complete, "linkerd", line=OLD), render(complete, "linkerd")
        assert of_line.objects == of_none.objects
        assert of_line.left_out == []

    def test_of_the_chart_name_all_kinds(self) -> None:
        assert CASES
        assert policy_rules(rendered({})[kinds.CONFIGURATION]) == list(RULES[POLICY_WEBHOOK])


class TestOutdated:
    """What rules lack once Linkerd was upgraded."""

    def test_rules_name_what_came_since_they_were_written(self) -> None:
        assert kinds.outdated(configuration(OLD), NEW) == kinds.Outdated("version-2.16", "version-2.17", CAME, True)

    def test_rules_may_lack_all_later_kinds_at_a_release_that_is_not_known(self) -> None:
        assert kinds.outdated(configuration(OLD), None) == kinds.Outdated("version-2.16", "", CAME, True)
        assert kinds.outdated(configuration(NEW), None) is None

    @pytest.mark.parametrize(("written", "in_force"), [(OLD, OLD), (NEW, OLD), (None, NEW), (NEW, NEW)])
    def test_rules_are_not_where_they_name_what_the_line_validates(
        self, written: releases.Line | None, in_force: releases.Line
    ) -> None:
        assert kinds.outdated(configuration(written), in_force) is None

    def test_rules_without_the_annotation_are_somebody_s_choice(self) -> None:
        body = configuration(OLD)
        del body["metadata"]["annotations"]
        assert kinds.outdated(body, NEW) is None

    def test_what_somebody_took_out_before_is_not_missed(self) -> None:
        body = configuration(OLD)
        policy_rules(body)[0]["resources"].remove("servers")
        result = kinds.outdated(body, NEW)
        assert result is not None
        assert (result.kinds, result.as_written) == (CAME, False)

    @pytest.mark.parametrize(
        ("rule", "missing"),
        [
            ({"apiGroups": ["*"], "resources": ["*"]}, ()),
            ({"apiGroups": ["policy.linkerd.io"], "resources": ["*/*"]}, CAME[2:]),
            ({"apiGroups": ["gateway.networking.k8s.io"], "resources": ["tcproutes", "tlsroutes"]}, CAME[:2]),
            ({"apiGroups": ["other"], "resources": ["tcproutes"]}, CAME),
            ({}, CAME),
        ],
    )
    def test_a_rule_that_somebody_added_counts(self, rule: JSON, missing: tuple[str, ...]) -> None:
        body = configuration(OLD)
        next(one for one in body["webhooks"] if one["name"] == POLICY_WEBHOOK)["rules"].append(rule)
        result = kinds.outdated(body, NEW)
        assert (result.kinds if result is not None else ()) == missing

    @pytest.mark.parametrize("value", ["", "version-9", "stable-2.1.0", "x" * 5000, 7])
    def test_an_annotation_that_names_no_release_counts_as_none(self, value: Any) -> None:
        body = configuration(OLD)
        body["metadata"]["annotations"][kinds.WRITTEN_FOR] = value
        assert kinds.outdated(body, NEW) is None

    def test_a_configuration_without_the_validator_or_without_rules_lacks_nothing(self) -> None:
        body = configuration(OLD)
        assert kinds.outdated({**body, "webhooks": []}, NEW) is None
        assert kinds.outdated({**body, "webhooks": [{"name": POLICY_WEBHOOK}]}, NEW) is None
