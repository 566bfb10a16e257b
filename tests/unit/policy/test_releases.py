"""For each row of the table of releases that the validators go by: an object whose verdict changes where it begins and
where it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from tests.unit.policy.builders import JSON, Servers
from webhook.mesh.releases import ROWS, Line, Release, at, line
from webhook.policy.objectreferences import GATEWAY, POLICY
from webhook.policy.regex.judge import ROW, judge_for
from webhook.policy.registry import LINKERD, check

WEB: JSON = {"podSelector": {"matchLabels": {"app": "web"}}}
SERVICE: JSON = {"group": "core", "kind": "Service", "name": "web", "port": 80}
SERVER: JSON = {"group": POLICY, "kind": "Server", "name": "web"}
BALANCER = "balancer.linkerd.io/failure-accrual"
STATUS = {"status": {"min": 500, "max": 599}}


class Case(NamedTuple):
    """An object, and the rule that it breaks where the row holds (or, with `absent`, where it does not)."""

    rule: str
    kind: str
    spec: Any
    absent: bool = False
    group: str = POLICY
    version: str = "v1alpha1"
    metadata: Mapping[str, Any] = MappingProxyType({})


def later(kind: str, group: str = POLICY) -> Case:
    return Case("kind-not-validated", kind, {}, absent=True, group=group)


def unserved(kind: str, version: str) -> Case:
    return Case("api-version-unknown", kind, {}, absent=True, version=version)


def route(rule: str, spec: JSON, absent: bool = False, **options: Any) -> Case:
    """A policy HTTPRoute with this rule, or with a spec of its own."""
    spec = spec if "parentRefs" in spec else {"parentRefs": [SERVER], "rules": [spec]}
    return Case(rule, "HTTPRoute", spec, absent, **options)


def match(rule: str, matched: JSON, absent: bool = False) -> Case:
    return route(rule, {"matches": [matched]}, absent)


def filtered(rule: str, kind: str, field: str, value: JSON) -> Case:
    return route(rule, {"filters": [{"type": kind, field: value}]}, absent=True)


def target(kind: str) -> Case:
    reference = {"group": GATEWAY, "kind": kind, "name": "web"}
    spec = {"targetRef": reference, "requiredAuthenticationRefs": []}
    return Case("authorizationpolicy-target", "AuthorizationPolicy", spec, absent=True)


def annotated(rule: str, **annotations: str) -> Case:
    metadata = {"annotations": {key.replace("__", "/").replace("_", "."): value for key, value in annotations.items()}}
    return route(rule, {"parentRefs": [SERVICE]}, metadata=metadata)


CASES = {
    "policy/gateway.HTTPRoute": later("HTTPRoute", GATEWAY),
    "policy/gateway.GRPCRoute": later("GRPCRoute", GATEWAY),
    "policy/gateway.TLSRoute": later("TLSRoute", GATEWAY),
    "policy/gateway.TCPRoute": later("TCPRoute", GATEWAY),
    "policy/EgressNetwork": later("EgressNetwork"),
    "policy/HTTPLocalRateLimitPolicy": later("HTTPLocalRateLimitPolicy"),
    "policy/HTTPRoute.v1beta2": unserved("HTTPRoute", "v1beta2"),
    "policy/HTTPRoute.v1beta3": unserved("HTTPRoute", "v1beta3"),
    "policy/Server.v1beta2": unserved("Server", "v1beta2"),
    "policy/Server.v1beta3": unserved("Server", "v1beta3"),
    "policy/HTTPRoute.servers-only": route("httproute-parent", {"parentRefs": [SERVICE]}),
    "policy/HTTPRoute.servers-and-services-only": route(
        "httproute-parent", {"parentRefs": [{**SERVICE, "kind": "ConfigMap"}]}
    ),
    "policy/HTTPRoute.query-regex": match(
        "route-regex", {"queryParams": [{"type": "RegularExpression", "name": "x", "value": "("}]}
    ),
    "policy/HTTPRoute.redirect-path": filtered(
        "httproute-redirect-path",
        "RequestRedirect",
        "requestRedirect",
        {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/"}},
    ),
    "policy/HTTPRoute.backendRefs": route(
        "field-allowed", {"backendRefs": [{"name": "web", "filters": [{"type": "Other"}]}]}
    ),
    "policy/HTTPRoute.timeouts": route("httproute-timeout-negative", {"timeouts": {"request": "-1s"}}),
    "policy/HTTPRoute.response-header-modifier": filtered(
        "field-allowed", "ResponseHeaderModifier", "responseHeaderModifier", {}
    ),
    "policy/server-overlap": Case("server-overlap", "Server", {**WEB, "port": 80}, version="v1beta1"),
    "policy/Server.externalWorkloadSelector": Case(
        "field-missing", "Server", {"externalWorkloadSelector": {}, "port": 81}, absent=True
    ),
    "policy/Server.accessPolicy": Case("server-access-policy", "Server", {**WEB, "port": 81, "accessPolicy": "nobody"}),
    "policy/MeshTLSAuthentication.identities": Case(
        "identity-invalid", "MeshTLSAuthentication", {"identities": ["spiffe://"]}
    ),
    "policy/MeshTLSAuthentication.no-empty-list": Case("schema-value", "MeshTLSAuthentication", {"identities": []}),
    "policy/AuthorizationPolicy.targetRef.GRPCRoute": target("GRPCRoute"),
    "policy/AuthorizationPolicy.targetRef.gateway-HTTPRoute": target("HTTPRoute"),
    "policy/route-annotations": annotated("route-annotation-invalid", timeout_linkerd_io__request="10"),
    "policy/route-balancer-annotations": annotated("route-balancer-invalid", **{BALANCER.replace(".", "_"): "unified"}),
    "policy/backend-port": Case(
        "route-backend-port", "HTTPRoute", {"rules": [{"backendRefs": [{"name": "web"}]}]}, group=GATEWAY
    ),
    "policy/gateway-structures": Case(
        "grpcroute-method-regex",
        "GRPCRoute",
        {"rules": [{"matches": [{"method": {"type": "RegularExpression", "method": "a"}}]}]},
        group=GATEWAY,
    ),
    "policy/gateway-filters": route(
        "field-allowed", {"backendRefs": [{"name": "web", "filters": [{"type": "CORS"}]}]}, absent=True
    ),
    "policy/gateway-lenient": Case("gateway-not-read", "HTTPRoute", {"rules": 5}, group=GATEWAY),
    "policy/method-is-token": match("httproute-method", {"method": "GET BOOKS"}),
    "policy/quote-in-header-name": match(
        "route-header-name", {"headers": [{"type": "Exact", "name": 'a"b', "value": "c"}]}, absent=True
    ),
    "policy/namespace-in-object": Case(
        "field-missing", "NetworkAuthentication", {"networks": [{"cidr": "10.0.0.0/8"}]}, metadata={"namespace": None}
    ),
    "policy/empty-group-is-core": Case(
        "meshtlsauthentication-kind",
        "MeshTLSAuthentication",
        {"identityRefs": [{"group": "", "kind": "ServiceAccount", "name": "web"}]},
        absent=True,
    ),
    "policy/iso-8601-times": Case(
        "field-range",
        "NetworkAuthentication",
        {"networks": [{"cidr": "10.0.0.0/8"}]},
        absent=True,
        metadata={"creationTimestamp": "20260801T101112Z"},
    ),
    "policy/metadata.clusterName": Case(
        "sp-unknown-field",
        "ServiceProfile",
        {"routes": []},
        absent=True,
        group=LINKERD,
        version="v1alpha2",
        metadata={"clusterName": "east"},
    ),
    "policy/ServiceProfile.response-not-is-list": Case(
        "sp-schema-not",
        "ServiceProfile",
        {
            "routes": [
                {
                    "name": "a",
                    "condition": {"method": "GET"},
                    "responseClasses": [{"isFailure": True, "condition": {"not": STATUS}}],
                }
            ]
        },
        group=LINKERD,
        version="v1alpha2",
    ),
    ROW: match("route-regex", {"path": {"type": "RegularExpression", "value": "/(?<n>a)"}}, absent=True),
}


def is_broken(case: Case, on: Line) -> bool:
    """Whether the object breaks the case's rule at a release."""
    body = {
        "apiVersion": f"{case.group}/{case.version}",
        "kind": case.kind,
        "metadata": {"name": "web.shop.svc.cluster.local", "namespace": "shop", **case.metadata},
        "spec": case.spec,
    }
    others = Servers(other={**WEB, "port": 80})
    problems = check(case.group, case.kind, body, line=on, catalog=others, judge=judge_for(on))
    return case.rule in {finding.rule.id for finding in problems}


def edge(version: str) -> Release:
    year, month, number = map(int, version.split("."))
    return Release((year, month, number))


def before(version: str) -> Release:
    """The last release before an edge release, or a place between the two."""
    year, month, number = map(int, version.split("."))
    if number > 1:
        return Release((year, month, number - 1))
    return Release((year, month - 1, 99) if month > 1 else (year - 1, 12, 99))


def stable(version: str) -> Release:
    _, branch, patch = map(int, version.split("."))
    return line(f"stable-2.{branch}").release._replace(patch=patch)


def bounds() -> Iterator[Any]:
    """Each row with a release on either side of each of its bounds, and whether the row holds there."""
    for row in CASES:
        span = ROWS[row]
        if span.since:
            yield pytest.param(row, before(span.since), False, id=f"{row}-before-{span.since}")
            yield pytest.param(row, edge(span.since), True, id=f"{row}-at-{span.since}")
        if span.until:
            yield pytest.param(row, before(span.until), True, id=f"{row}-before-{span.until}")
            yield pytest.param(row, edge(span.until), False, id=f"{row}-at-{span.until}")
        if span.stable_until:
            patch = stable(span.stable_until)
            earlier = patch._replace(patch=patch.patch - 1)
            yield pytest.param(row, earlier, True, id=f"{row}-before-{span.stable_until}")
            yield pytest.param(row, patch, False, id=f"{row}-at-{span.stable_until}")


def test_every_row_of_the_validators_has_an_object() -> None:
    assert set(CASES) == {row for row in ROWS if row.startswith("policy/")} | {ROW}


@pytest.mark.parametrize(("row", "release", "holds"), list(bounds()))
def test_a_verdict_changes_where_its_row_begins_and_ends(row: str, release: Release, holds: bool) -> None:
    case = CASES[row]
    assert at(release).has(row) is holds
    assert is_broken(case, at(release)) is (holds is not case.absent)
