"""What is refused of a ServiceProfile, what only its CRD forbids, and what is warned of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from webhook.cluster.interface import Catalog, NothingKnown, Presence
from webhook.cluster.selection import Selection
from webhook.findings.finding import Severity
from webhook.mesh.releases import line
from webhook.policy.regex.judge import Judge
from webhook.policy.serviceprofile.check import check

EDGE = line("edge-26.8")
STABLE = line("stable-2.12")
NAME = "web.emojivoto.svc.cluster.local"

# What an API server adds to an object, and what a second update of it brings along.
LIVED = {
    "name": NAME,
    "namespace": "emojivoto",
    "uid": "5b3f5a3e-2b3b-4a1c-8f0e-3c7a4f4d2b11",
    "resourceVersion": "4711",
    "generation": 3,
    "creationTimestamp": "2026-02-28T10:11:12Z",
    "labels": {"team": "web"},
    "annotations": {"note": "grüße"},
    "ownerReferences": [
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1", "controller": True},
    ],
    "finalizers": ["example.org/hold"],
    "managedFields": [
        {
            "manager": "kubectl",
            "operation": "Apply",
            "apiVersion": "linkerd.io/v1alpha2",
            "time": "2026-01-31T23:59:59Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:routes": {}}},
        }
    ],
}
GET = {"method": "GET", "pathRegex": "/books"}
FAILURE = {"condition": {"status": {"min": 500, "max": 599}}, "isFailure": True}


def profile(spec: Any = None, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "linkerd.io/v1alpha2",
        "kind": "ServiceProfile",
        "metadata": {"name": NAME} | metadata,
        "spec": {} if spec is None else spec,
    }


def route(**fields: Any) -> dict[str, Any]:
    return profile({"routes": [{"name": "books", "condition": GET} | fields]})


def budget(*, retryable: bool = True, **fields: Any) -> dict[str, Any]:
    full = {"retryRatio": 0.2, "minRetriesPerSecond": 10, "ttl": "10s"} | fields
    routes = [{"name": "books", "condition": GET, "isRetryable": retryable}]
    return profile({"routes": routes, "retryBudget": full})


def condition(**fields: Any) -> dict[str, Any]:
    return route(condition=fields)


def response(**fields: Any) -> dict[str, Any]:
    return route(responseClasses=[{"condition": fields}])


def override(**fields: Any) -> dict[str, Any]:
    return profile({"dstOverrides": [{"authority": "web.emojivoto.svc.cluster.local:80", "weight": 1} | fields]})


def findings(
    body: Any, on: Any = EDGE, *, catalog: Catalog | None = None, judge: Judge = lambda pattern: ""
) -> set[tuple[str, str]]:
    problems = check(body, line=on, catalog=catalog or NothingKnown(), judge=judge)
    assert [one.rule.severity for one in problems] == sorted(
        (one.rule.severity for one in problems), key=[Severity.ERROR, Severity.SCHEMA, Severity.WARNING].index
    )
    assert all(one.message and "\n" not in one.message for one in problems)
    return {(one.field, one.rule.id) for one in problems}


def message(body: Any, field: str, on: Any = EDGE, judge: Judge = lambda pattern: "") -> str:
    texts = [one.message for one in check(body, line=on, catalog=NothingKnown(), judge=judge) if one.field == field]
    assert len(texts) == 1, texts
    return texts[0]


FULL = profile(
    {
        "routes": [
            {
                "name": "books",
                "condition": {"all": [GET, {"not": {"pathRegex": "/books/secret"}}]},
                "responseClasses": [FAILURE, {"condition": {"any": [{"not": {"status": {"min": 200, "max": 299}}}]}}],
                "isRetryable": True,
                "timeout": "1.5s",
            },
            {"name": "rest", "condition": {"pathRegex": ".*"}},
        ],
        "retryBudget": {"retryRatio": 0.2, "minRetriesPerSecond": 10, "ttl": "10s"},
        "dstOverrides": [{"authority": "web-v2.emojivoto.svc.cluster.local:80", "weight": "500m"}],
    },
    **LIVED,
)


@pytest.mark.parametrize("on", [EDGE, STABLE])
@pytest.mark.parametrize(
    "body",
    [FULL, profile(), {"metadata": {"name": NAME}}, profile({"routes": []}), profile(creationTimestamp=None)],
)
def test_a_good_profile_has_no_findings(body: Any, on: Any) -> None:
    assert findings(body, on) == set()


REFUSED: list[tuple[Any, set[tuple[str, str]]]] = [
    (None, {("", "sp-required")}),
    (5, {("", "sp-type")}),
    ([], {("", "sp-type")}),
    ({}, {("metadata.name", "sp-required")}),
    ({"metadata": {"name": NAME}, "kind": 5}, {("kind", "sp-type")}),
    ({"metadata": {"name": NAME}, "status": {}}, {("status", "sp-unknown-field")}),
    ({"metadata": 5}, {("metadata", "sp-type")}),
    (profile(name=""), {("metadata.name", "sp-required")}),
    (profile(name="Web.emojivoto"), {("metadata.name", "sp-name")}),
    (profile(name="web_svc.emojivoto"), {("metadata.name", "sp-name")}),
    (profile(name="a" * 254), {("metadata.name", "sp-name")}),
    (profile(name=[]), {("metadata.name", "sp-type")}),
    (profile(generation=1.5), {("metadata.generation", "sp-type")}),
    (profile(creationTimestamp="2026-02-29T00:00:00Z"), {("metadata.creationTimestamp", "sp-type")}),
    (profile(labels={"a": []}), {("metadata.labels.a", "sp-type")}),
    (profile(labels={"a": "\x7f"}), {("metadata.labels.a", "sp-character")}),
    (profile(clusterName="east"), {("metadata.clusterName", "sp-unknown-field")}),
    (profile(ownerReferences=[{"controller": "yes"}]), {("metadata.ownerReferences[0].controller", "sp-type")}),
    (profile({"routes": {}}), {("spec.routes", "sp-type")}),
    (profile({"routes": [None]}), {("spec.routes[0]", "sp-required")}),
    (profile({"routes": ["x"]}), {("spec.routes[0]", "sp-type")}),
    (profile({"routes": [{}]}), {("spec.routes[0].name", "sp-required"), ("spec.routes[0].condition", "sp-required")}),
    (route(name=""), {("spec.routes[0].name", "sp-required")}),
    (route(name=[]), {("spec.routes[0].name", "sp-type")}),
    (route(condition=None), {("spec.routes[0].condition", "sp-required")}),
    (route(isRetriable=True), {("spec.routes[0].isRetriable", "sp-unknown-field")}),
    (route(isRetryable="true"), {("spec.routes[0].isRetryable", "sp-type")}),
    (route(timeout="5"), {("spec.routes[0].timeout", "sp-duration")}),
    (route(timeout=" 1s"), {("spec.routes[0].timeout", "sp-duration")}),
    (route(responseClasses=[None]), {("spec.routes[0].responseClasses[0]", "sp-required")}),
    (route(responseClasses=[{}]), {("spec.routes[0].responseClasses[0].condition", "sp-required")}),
    (condition(), {("spec.routes[0].condition", "sp-match-empty")}),
    (condition(pathRegex=""), {("spec.routes[0].condition", "sp-match-empty")}),
    (condition(all=[None]), {("spec.routes[0].condition.all[0]", "sp-match-empty")}),
    (condition(all=[GET, {"any": [{}]}]), {("spec.routes[0].condition.all[1].any[0]", "sp-match-empty")}),
    (condition(**{"not": [GET]}), {("spec.routes[0].condition.not", "sp-type")}),
    (condition(path="/"), {
        ("spec.routes[0].condition.path", "sp-unknown-field"),
        ("spec.routes[0].condition", "sp-match-empty"),
    }),
    (response(), {("spec.routes[0].responseClasses[0].condition", "sp-match-empty")}),
    (response(status={"min": 99, "max": 600}), {
        ("spec.routes[0].responseClasses[0].condition.status.min", "sp-status"),
        ("spec.routes[0].responseClasses[0].condition.status.max", "sp-status"),
    }),
    (response(status={"min": 500, "max": 400}), {
        ("spec.routes[0].responseClasses[0].condition.status.max", "sp-status"),
    }),
    (response(status={"min": -1, "max": 400}), {("spec.routes[0].responseClasses[0].condition.status.min", "sp-type")}),
    (response(all=[{"not": None}]), {("spec.routes[0].responseClasses[0].condition.all[0]", "sp-match-empty")}),
    (budget(retryRatio=-1), {("spec.retryBudget.retryRatio", "sp-retry-ratio")}),
    (budget(retryRatio=1e39), {("spec.retryBudget.retryRatio", "sp-type")}),
    (budget(minRetriesPerSecond=2**32), {("spec.retryBudget.minRetriesPerSecond", "sp-type")}),
    (budget(ttl=""), {("spec.retryBudget.ttl", "sp-required")}),
    (budget(ttl="1 s"), {("spec.retryBudget.ttl", "sp-duration")}),
    (override(weight="1K"), {("spec.dstOverrides[0].weight", "sp-type")}),
    (override(weight=True), {("spec.dstOverrides[0].weight", "sp-type")}),
    (override(port=80), {("spec.dstOverrides[0].port", "sp-unknown-field")}),
    (profile({"opaquePorts": ["80"]}), {("spec.opaquePorts", "sp-opaque-ports")}),
    (profile({"opaquePorts": []}), {("spec.opaquePorts", "sp-opaque-ports")}),
    (profile({"opaquePorts": {"http": {}}}), {("spec.opaquePorts", "sp-opaque-ports")}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), REFUSED)
def test_what_linkerd_refuses_is_an_error_at_its_field(body: Any, expected: set[tuple[str, str]]) -> None:
    assert findings(body) == expected


def test_all_that_is_wrong_is_told_at_once() -> None:
    body = profile(
        {"routes": [{"name": "a", "condition": {}, "timeout": "x"}, None], "retryBudget": {"ttl": "y"}}, name="A"
    )
    assert findings(body) == {
        ("metadata.name", "sp-name"),
        ("spec.routes[0].condition", "sp-match-empty"),
        ("spec.routes[0].timeout", "sp-duration"),
        ("spec.routes[1]", "sp-required"),
        ("spec.retryBudget.ttl", "sp-duration"),
        ("spec.retryBudget.minRetriesPerSecond", "sp-schema-required"),
        ("spec.retryBudget.retryRatio", "sp-schema-required"),
        ("spec.retryBudget", "sp-retry-budget-unused"),
    }


SCHEMA = [
    (profile(None) | {"spec": None}, {("spec", "sp-schema-type")}),
    (profile(labels={"a": 5}, namespace=5), {
        ("metadata.labels.a", "sp-schema-type"),
        ("metadata.namespace", "sp-schema-type"),
    }),
    (profile({"routes": None}), {("spec.routes", "sp-schema-type")}),
    (route(name=5), {("spec.routes[0].name", "sp-schema-type")}),
    (route(timeout=0), {
        ("spec.routes[0].timeout", "sp-schema-type"),
        ("spec.routes[0].timeout", "sp-timeout-ignored"),
    }),
    (condition(all=[{"method": 5}]), set()),
    (condition(**{"not": GET}), {("spec.routes[0].condition.not", "sp-schema-not")}),
    (condition(all=[{"not": GET}]), set()),
    (response(**{"not": {"status": {"min": 200, "max": 299}}}), set()),
    (route(Condition=GET), {("spec.routes[0].Condition", "sp-schema-field")}),
    (budget(minRetriesPerSecond=1.0), set()),
    (budget(minRetriesPerSecond=2**31), {
        ("spec.retryBudget.minRetriesPerSecond", "sp-schema-type"),
        ("spec.retryBudget.minRetriesPerSecond", "sp-retries-off"),
    }),
    (override(weight=1.5), {("spec.dstOverrides[0].weight", "sp-schema-type")}),
    (override(weight=" 1 "), {("spec.dstOverrides[0].weight", "sp-schema-type")}),
    (override(weight="1e3"), set()),
    (profile({"dstOverrides": [None]}), {("spec.dstOverrides[0]", "sp-schema-type")}),
    (profile({"opaquePorts": {"80": {}}}), {("spec.opaquePorts", "sp-schema-type")}),
    (profile({}) | {"apiVersion": "linkerd.io/v1alpha1"}, {("spec.routes", "sp-schema-required")}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), SCHEMA)
def test_what_only_the_schema_forbids_is_no_error(body: Any, expected: set[tuple[str, str]]) -> None:
    assert findings(body) == expected


WARNED = [
    (route(timeout="0s"), {("spec.routes[0].timeout", "sp-timeout-ignored")}),
    (route(timeout="-1s"), {("spec.routes[0].timeout", "sp-timeout-ignored")}),
    (route(responseClasses=[]), {("spec.routes[0].responseClasses", "sp-response-classes-empty")}),
    (condition(method="GET,POST"), {("spec.routes[0].condition.method", "sp-match-ignored")}),
    (condition(method="propfind"), set()),
    (condition(any=[]), {("spec.routes[0].condition.any", "sp-match-ignored")}),
    (condition(all=[]), set()),
    (condition(pathRegex="books"), {("spec.routes[0].condition.pathRegex", "sp-path-never")}),
    (condition(pathRegex="/a|/b"), {("spec.routes[0].condition.pathRegex", "sp-path-loose")}),
    (response(status={"min": 500}), {("spec.routes[0].responseClasses[0].condition.status", "sp-match-ignored")}),
    (response(any=[]), {("spec.routes[0].responseClasses[0].condition.any", "sp-match-ignored")}),
    (budget(retryable=False), {("spec.retryBudget", "sp-retry-budget-unused")}),
    (budget(ttl="500ms"), {("spec.retryBudget.ttl", "sp-retries-off")}),
    (budget(ttl="2m"), {("spec.retryBudget.ttl", "sp-retries-off")}),
    (budget(ttl="60s"), set()),
    (budget(retryRatio=1001), {("spec.retryBudget.retryRatio", "sp-retries-off")}),
    (budget(retryRatio=0, minRetriesPerSecond=0), {("spec.retryBudget", "sp-retries-off")}),
    (budget(retryRatio=0), set()),
    (override(authority=""), {("spec.dstOverrides[0].authority", "sp-override-ignored")}),
    (override(weight="-1"), {("spec.dstOverrides[0].weight", "sp-override-ignored")}),
    (override(weight="1M"), {("spec.dstOverrides[0].weight", "sp-override-ignored")}),
    (override(weight=0), set()),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), WARNED)
def test_what_is_legal_and_likely_wrong_is_warned_of(body: Any, expected: set[tuple[str, str]]) -> None:
    assert findings(body) == expected


class TestShadows:
    def shadows(self, *conditions: Any) -> set[tuple[str, str]]:
        return findings(profile({"routes": [{"name": str(i), "condition": c} for i, c in enumerate(conditions)]}))

    def test_a_route_with_the_condition_of_an_earlier_one_never_applies(self) -> None:
        assert self.shadows(GET, {"method": "POST"}, {"method": "get", "pathRegex": "^/books$"}) == {
            ("spec.routes[2].condition", "sp-route-shadowed")
        }

    def test_a_route_after_one_that_takes_every_request_never_applies(self) -> None:
        assert self.shadows({"pathRegex": "/.*"}, GET) == {("spec.routes[1].condition", "sp-route-shadowed")}

    def test_conditions_with_the_same_parts_in_another_order_are_equal(self) -> None:
        first = {"all": [{"method": "GET", "pathRegex": "/a"}], "any": [GET]}
        second = {"any": [GET], "all": [{"pathRegex": "/a", "method": "GET"}]}
        assert self.shadows(first, second) == {("spec.routes[1].condition", "sp-route-shadowed")}

    def test_a_method_alone_takes_nothing_from_a_path_with_it(self) -> None:
        assert self.shadows({"method": "GET"}, GET, {"method": "GET", "pathRegex": "/"}) == set()


def test_two_routes_of_one_name_are_warned_of() -> None:
    routes = [{"name": "a", "condition": GET}, {"name": "a", "condition": {"method": "POST"}}]
    assert findings(profile({"routes": routes})) == {("spec.routes[1].name", "sp-route-name-twice")}


def test_a_pattern_is_warned_of_where_the_judge_finds_something_wrong() -> None:
    body = condition(pathRegex=" /(")
    asked: list[str] = []

    def judge(pattern: str) -> str:
        asked.append(pattern)
        return "a group is not closed"

    assert findings(body, judge=judge) == {("spec.routes[0].condition.pathRegex", "sp-path-regex")}
    assert asked == ["/("]
    assert "a group is not closed" in message(body, "spec.routes[0].condition.pathRegex", judge=judge)


def test_nothing_is_said_of_a_pattern_that_is_not_judged_yet() -> None:
    assert findings(condition(pathRegex="/("), judge=lambda pattern: None) == set()


class _Services(NothingKnown):
    """A catalog that knows all Services, which are none."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str, str]] = []

    def look(self, group: str, kind: str, namespace: str, name: str) -> Presence:
        self.asked.append((group, kind, namespace, name))
        return Presence.ABSENT

    def servers(self, namespace: str) -> Mapping[str, Selection] | None:
        return None


def test_a_profile_of_no_service_is_warned_of() -> None:
    catalog = _Services()
    assert findings(profile(), catalog=catalog) == {("metadata.name", "sp-service-absent")}
    assert catalog.asked == [("", "Service", "emojivoto", "web")]


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("web", "web.emojivoto.svc.cluster.local"),
        ("web.shop", "web.shop.svc.cluster.local"),
        ("web.shop.svc", "web.shop.svc.cluster.local"),
        ("web-0.web.shop.svc.cluster.local", "web.shop.svc.cluster.local"),
        ("www.example.org", "one such as web.emojivoto.svc.cluster.local"),
        ("web.shop.cluster.local", "one such as web.emojivoto.svc.cluster.local"),
    ],
)
def test_a_name_that_is_not_a_service_s_full_name_is_warned_of_and_not_looked_up(name: str, write: str) -> None:
    catalog = _Services()
    body = profile(name=name, namespace="emojivoto")
    assert findings(body, catalog=catalog) == {("metadata.name", "sp-name-not-full")}
    assert message(body, "metadata.name").endswith(f": write {write}")
    assert catalog.asked == []


def test_a_name_that_ends_in_another_domain_than_the_cluster_s_is_told_that_one() -> None:
    def said(name: str, domain: str) -> list[str]:
        body = profile(name=name)
        problems = check(body, line=EDGE, catalog=NothingKnown(), judge=lambda pattern: "", cluster_domain=domain)
        return [f"{one.rule.id}: {one.message.rpartition('write ')[2]}" for one in problems]

    assert said(NAME, "cluster.local") == said("web.shop.svc.k8s.example.org", "k8s.example.org") == []
    assert said(NAME, "k8s.example.org") == ["sp-name-not-full: web.emojivoto.svc.k8s.example.org"]
    assert said("web.shop", "k8s.example.org") == ["sp-name-not-full: web.shop.svc.k8s.example.org"]


@pytest.mark.parametrize("name", [NAME, "web.shop.svc.k8s.example.org", "web.shop.svc.local"])
def test_a_service_s_full_name_ends_in_any_cluster_s_domain(name: str) -> None:
    assert findings(profile(name=name)) == set()


class TestLines:
    def test_metadata_had_a_cluster_name(self) -> None:
        assert findings(profile(clusterName="east"), STABLE) == set()

    def test_the_crd_had_a_list_for_the_not_of_a_response(self) -> None:
        body = response(**{"not": {"status": {"min": 200, "max": 299}}})
        assert findings(body, STABLE) == {("spec.routes[0].responseClasses[0].condition.not", "sp-schema-not")}


class TestMessages:
    def test_an_unknown_field_is_told_what_was_meant(self) -> None:
        assert 'did you mean "isRetryable"?' in message(route(isRetriable=True), "spec.routes[0].isRetriable")

    def test_a_value_is_shown_with_what_is_allowed(self) -> None:
        text = message(route(timeout="5"), "spec.routes[0].timeout")
        assert text == '"5" is not a duration: write a duration such as 300ms, 1.5s or 1h30m'

    def test_opaque_ports_are_sent_to_the_annotation(self) -> None:
        assert "config.linkerd.io/opaque-ports" in message(profile({"opaquePorts": ["80"]}), "spec.opaquePorts")

    def test_a_list_for_not_is_shown_the_way_that_suits_both(self) -> None:
        body = condition(**{"not": [GET]})
        assert '"all": [{"not": {…}}]' in message(body, "spec.routes[0].condition.not")
        body = response(**{"not": [FAILURE["condition"]]})
        field = "spec.routes[0].responseClasses[0].condition.not"
        assert message(body, field) == "Linkerd cannot read a list here: write an object"
        assert '"all": [{"not": {…}}]' in message(body, field, STABLE)

    def test_a_container_is_named_and_not_shown(self) -> None:
        assert message(route(timeout={"a": "secret"}), "spec.routes[0].timeout").startswith(
            "Linkerd cannot read an object here: "
        )


class TestHugeObjects:
    def test_nesting_has_no_limit(self) -> None:
        for key in ("all", "not"):
            deep: Any = {}
            for _ in range(20_000):
                deep = {key: [deep] if key == "all" else deep}
            problems = check(route(condition=deep), line=EDGE, catalog=NothingKnown(), judge=lambda pattern: "")
            assert "sp-match-empty" in {one.rule.id for one in problems}

    def test_errors_are_told_up_to_a_number_that_can_be_read(self) -> None:
        problems = check(profile({"routes": [None] * 100_000}), line=EDGE, catalog=NothingKnown(), judge=lambda p: "")
        assert 100 <= len(problems) <= 400

    def test_warnings_do_not_crowd_out_an_error(self) -> None:
        routes = [{"name": "a", "condition": GET}] * 1000 + [{"name": "", "condition": GET}]
        assert ("spec.routes[1000].name", "sp-required") in findings(profile({"routes": routes}))
