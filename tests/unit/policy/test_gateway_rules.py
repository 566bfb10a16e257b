"""The rules of the Gateway API's CRDs that no schema can say."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.cluster.interface import NothingKnown
from webhook.mesh.releases import EDGE_26_8, line
from webhook.policy import registry
from webhook.policy.regex.judge import judge_inline

JSON = dict[str, Any]
PREFIX: JSON = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
EXACT: JSON = {"path": {"type": "Exact", "value": "/a"}}


def told(kind: str, spec: JSON) -> list[str]:
    """The fields where a rule of the CRD is broken."""
    body = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "a", "namespace": "b"},
        "spec": spec,
    }
    problems = registry.check(
        "gateway.networking.k8s.io", kind, body, line=line(EDGE_26_8), catalog=NothingKnown(), judge=judge_inline
    )
    return [finding.field for finding in problems if finding.rule.id == "gateway-rule"]


def http(**rule: Any) -> list[str]:
    """Those of an HTTPRoute with one rule, from the rule on."""
    return [field.removeprefix("spec.rules[0].") for field in told("HTTPRoute", {"rules": [rule]})]


def grpc(**method: str) -> list[str]:
    """Those of a GRPCRoute that matches one method."""
    return told("GRPCRoute", {"rules": [{"matches": [{"method": method}]}]})


@pytest.mark.parametrize(
    ("parents", "expected"),
    [
        ([{"name": "a"}, {"name": "b"}], []),
        ([{"name": "a"}, {"name": "a"}], ["spec.parentRefs[1]"]),
        ([{"name": "a"}, {"name": "a", "kind": "Gateway"}], ["spec.parentRefs[1]"]),
        ([{"name": "a"}, {"name": "a", "kind": "Other"}], []),
        ([{"name": "a"}, {"name": "a", "namespace": "c"}], []),
        ([{"name": "a", "port": 1}, {"name": "a", "port": 2}], []),
        ([{"name": "a", "port": 1}, {"name": "a", "sectionName": "s"}], ["spec.parentRefs[1]"]),
        ([{"name": "a", "port": 1}, {"name": "a"}], ["spec.parentRefs[1]"]),
    ],
)
def test_the_same_parent_twice_has_to_differ_in_section_or_port(parents: list[JSON], expected: list[str]) -> None:
    assert told("HTTPRoute", {"parentRefs": parents}) == expected


def test_a_filter_holds_what_its_type_says_and_nothing_else() -> None:
    extension = {"group": "g", "kind": "K", "name": "n"}
    assert http(filters=[{"type": "ExtensionRef", "extensionRef": extension}]) == []
    assert http(filters=[{"type": "ExtensionRef"}]) == ["filters[0].extensionRef"]
    assert http(filters=[{"type": "URLRewrite", "urlRewrite": {}, "extensionRef": extension}]) == [
        "filters[0].extensionRef"
    ]


def test_filters_stand_once_but_for_extensions_and_mirrors() -> None:
    rewrite: JSON = {"type": "URLRewrite", "urlRewrite": {}}
    mirror: JSON = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "a", "port": 80}}}
    assert http(filters=[rewrite, rewrite]) == ["filters[1].type"]
    assert http(filters=[mirror, mirror]) == []
    assert http(backendRefs=[{"name": "a", "port": 80, "filters": [rewrite, rewrite]}]) == [
        "backendRefs[0].filters[1].type"
    ]


def test_a_redirect_goes_neither_to_a_backend_nor_with_a_rewrite() -> None:
    redirect: JSON = {"type": "RequestRedirect", "requestRedirect": {}}
    assert http(filters=[redirect], backendRefs=[{"name": "a", "port": 80}]) == ["backendRefs"]
    assert http(filters=[redirect, {"type": "URLRewrite", "urlRewrite": {}}]) == ["filters"]


def test_who_replaces_a_prefix_matches_one() -> None:
    rewrite: JSON = {"type": "URLRewrite", "urlRewrite": PREFIX}
    backend: JSON = {"name": "a", "port": 80, "filters": [rewrite]}
    assert http(filters=[rewrite]) == []
    assert http(filters=[rewrite], matches=[{}]) == []
    assert http(filters=[rewrite], matches=[EXACT]) == ["filters"]
    assert http(filters=[rewrite], matches=[{}, {}]) == ["filters"]
    assert http(backendRefs=[backend], matches=[EXACT]) == ["backendRefs[0].filters"]
    assert http(backendRefs=[backend, backend], matches=[EXACT]) == []


def test_a_path_that_is_replaced_says_what_its_type_wants() -> None:
    path = {"type": "ReplaceFullPath", "replacePrefixMatch": "/"}
    assert http(filters=[{"type": "URLRewrite", "urlRewrite": {"path": path}}]) == [
        "filters[0].urlRewrite.path.replaceFullPath",
        "filters[0].urlRewrite.path.replacePrefixMatch",
    ]


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        ({"percent": 5}, []),
        ({"percent": 5, "fraction": {"numerator": 1}}, ["percent"]),
        ({"fraction": {"numerator": 100}}, []),
        ({"fraction": {"numerator": 101}}, ["fraction.numerator"]),
        ({"fraction": {"numerator": 3, "denominator": 2}}, ["fraction.numerator"]),
        ({"backendRef": {"name": "a"}}, ["backendRef.port"]),
        ({"backendRef": {"name": "a", "kind": "Other"}}, []),
    ],
)
def test_a_mirror_has_a_port_and_one_share(mirror: JSON, expected: list[str]) -> None:
    entry = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "a", "port": 80}, **mirror}}
    assert http(filters=[entry]) == [f"filters[0].requestMirror.{field}" for field in expected]


def test_a_star_stands_alone_among_origins() -> None:
    assert http(filters=[{"type": "CORS", "cors": {"allowOrigins": ["*"]}}]) == []
    assert http(filters=[{"type": "CORS", "cors": {"allowOrigins": ["*", "http://a"]}}]) == [
        "filters[0].cors.allowOrigins"
    ]


def test_an_external_authorization_speaks_the_protocol_that_it_says() -> None:
    auth: JSON = {"backendRef": {"name": "a", "port": 80}, "protocol": "GRPC", "http": {}}
    assert http(filters=[{"type": "ExternalAuth", "externalAuth": auth}]) == [
        "filters[0].externalAuth.http",
        "filters[0].externalAuth.grpc",
    ]


@pytest.mark.parametrize("value", ["/", "/a", "/a/", "/a.b/c..d", "/%41", "/...", "/~!$&'()*+,;=:@-_"])
def test_paths_of_urls_are_right(value: str) -> None:
    assert http(matches=[{"path": {"value": value}}]) == []


@pytest.mark.parametrize(
    "value", ["//", "/a//b", "/./a", "/..", "/.", "/a/../b", "/%2f", "/%2F", "/a#b", "/a?b", "/a b", "/%4", "/é"]
)
def test_paths_that_no_url_has_are_refused_unless_they_are_patterns(value: str) -> None:
    assert http(matches=[{"path": {"value": value}}]) == ["matches[0].path.value"]
    assert http(matches=[{"path": {"type": "RegularExpression", "value": value}}]) == []


def test_a_long_path_that_is_wrong_is_judged_at_once() -> None:
    assert http(matches=[{"path": {"value": "/" + "a" * 1000 + " "}}]) == ["matches[0].path.value"]


def test_rules_have_no_more_than_128_matches_together() -> None:
    rules: list[Any] = [{"matches": [{}] * 64}, {"matches": [{}] * 63}, {}]
    assert told("HTTPRoute", {"rules": rules}) == []
    assert told("HTTPRoute", {"rules": [*rules, {}]}) == ["spec.rules"]
    # A gRPC rule without matches has none; that of HTTP has one by default.
    assert told("GRPCRoute", {"rules": [*rules, {}]}) == []


@pytest.mark.parametrize(
    ("whole", "single", "wrong"),
    [("1s", "1000ms", False), ("1s", "1001ms", True), ("0s", "1h", False), ("1m30s", "91s", True)],
)
def test_a_try_takes_no_longer_than_the_request(whole: str, single: str, wrong: bool) -> None:
    timeouts = {"request": whole, "backendRequest": single}
    assert http(timeouts=timeouts) == (["timeouts.backendRequest"] if wrong else [])


def test_a_session_cookie_is_configured_where_there_is_one() -> None:
    permanent = {"lifetimeType": "Permanent"}
    assert http(sessionPersistence={"cookieConfig": permanent, "absoluteTimeout": "1h"}) == []
    assert http(sessionPersistence={"cookieConfig": permanent}) == ["sessionPersistence.absoluteTimeout"]
    assert http(sessionPersistence={"type": "Header", "cookieConfig": {}}) == ["sessionPersistence.cookieConfig"]


def test_a_grpc_method_is_matched_by_names() -> None:
    at = "spec.rules[0].matches[0].method"
    assert grpc(service="a.B_1", method="M") == []
    assert grpc(service=".a") == []
    assert grpc(type="Exact") == [at]
    assert grpc(service="a-b") == [f"{at}.service"]
    assert grpc(method="1m") == [f"{at}.method"]


def test_a_tls_route_has_names_of_hosts_and_a_backend_at_a_port() -> None:
    rules: list[JSON] = [{"backendRefs": [{"name": "a", "port": 80}]}]
    assert told("TLSRoute", {"hostnames": ["a.b", "*.a"], "rules": rules}) == []
    assert told("TLSRoute", {"hostnames": ["1.2.3.4"], "rules": rules}) == ["spec.hostnames[0]"]
    assert told("TCPRoute", {"rules": [{"backendRefs": [{"name": "a"}]}]}) == ["spec.rules[0].backendRefs[0].port"]
