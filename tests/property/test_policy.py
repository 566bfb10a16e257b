"""Whatever stands in a policy's spec, there is a well-formed answer, and the same in any order of its fields."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.policy.builders import BOTH, EDGE, NOTHING_KNOWN, SERVER, SERVICE, STABLE, Servers
from webhook.findings.finding import RULES, Finding, Severity
from webhook.mesh.releases import Line
from webhook.mesh.releases import line as line_of
from webhook.policy.objectreferences import GATEWAY, POLICY
from webhook.policy.regex.judge import judge_for
from webhook.policy.registry import KINDS, CheckedKind, check, find
from webhook.review import AdmissionRequest, GroupVersionKind, GroupVersionResource, render
from webhook.webhooks.validators import POLICY_VALIDATOR, Validator

JSON = dict[str, Any]

BOUNDED = settings(max_examples=25, deadline=None)

NETWORKS = [{"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}]
MODIFIER = {"add": [{"name": "x", "value": "y"}], "set": [{"name": "x", "value": "y"}], "remove": ["x"]}
REDIRECT = {
    "scheme": "https",
    "hostname": "a.b",
    "port": 443,
    "statusCode": 301,
    "path": {"type": "ReplaceFullPath", "replaceFullPath": "/a"},
}
HEADERS = [{"name": "x", "type": "RegularExpression", "value": "a+"}]
MATCH = {
    "path": {"type": "PathPrefix", "value": "/a"},
    "headers": HEADERS,
    "queryParams": [{"name": "x", "type": "Exact", "value": "y"}],
    "method": "GET",
}
FILTERS = [
    {"type": "RequestHeaderModifier", "requestHeaderModifier": MODIFIER},
    {"type": "RequestRedirect", "requestRedirect": REDIRECT},
]
BACKENDS = [{"name": "web", "port": 80, "weight": 1, "group": "", "kind": "Service"}]
PARENTS = [SERVICE | {"port": 80}, {"group": POLICY, "kind": "EgressNetwork", "name": "out", "port": 443}]
HTTP_RULE = {
    "matches": [MATCH],
    "filters": FILTERS,
    "backendRefs": BACKENDS,
    "timeouts": {"request": "10s", "backendRequest": "5s"},
}
ONE_RULE = {"parentRefs": PARENTS, "hostnames": ["a.b"], "rules": [{"backendRefs": BACKENDS}]}
EXPRESSION = {"key": "a", "operator": "In", "values": ["b"]}
SELECTOR = {"matchLabels": {"app": "web"}, "matchExpressions": [EXPRESSION]}

GOOD: dict[tuple[str, str], JSON] = {
    (POLICY, "Server"): {"podSelector": SELECTOR, "port": 80, "proxyProtocol": "HTTP/1", "accessPolicy": "deny"},
    (POLICY, "ServerAuthorization"): {
        "server": {"selector": SELECTOR},
        "client": {
            "networks": NETWORKS,
            "unauthenticated": False,
            "meshTLS": {
                "unauthenticatedTLS": False,
                "identities": ["*.a"],
                "serviceAccounts": [{"name": "web", "namespace": "shop"}],
            },
        },
    },
    (POLICY, "AuthorizationPolicy"): {
        "targetRef": SERVER,
        "requiredAuthenticationRefs": [
            {"group": POLICY, "kind": "MeshTLSAuthentication", "name": "x", "namespace": "y"}
        ],
    },
    (POLICY, "MeshTLSAuthentication"): {
        "identities": ["*"],
        "identityRefs": [{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}],
    },
    (POLICY, "NetworkAuthentication"): {"networks": NETWORKS},
    (POLICY, "EgressNetwork"): {"networks": NETWORKS, "trafficPolicy": "Allow"},
    (POLICY, "HTTPLocalRateLimitPolicy"): {
        "targetRef": SERVER,
        "total": {"requestsPerSecond": 10},
        "identity": {"requestsPerSecond": 5},
        "overrides": [{"requestsPerSecond": 7, "clientRefs": [{"kind": "ServiceAccount", "name": "web"}]}],
    },
    (POLICY, "HTTPRoute"): {"parentRefs": PARENTS, "hostnames": ["a.b"], "rules": [HTTP_RULE, {}]},
    (GATEWAY, "HTTPRoute"): {
        "parentRefs": PARENTS,
        "hostnames": ["a.b"],
        "rules": [
            HTTP_RULE
            | {
                "name": "first",
                "retry": {"attempts": 3, "codes": [503], "backoff": "1s"},
                "sessionPersistence": {"type": "Cookie", "cookieConfig": {"lifetimeType": "Session"}},
            },
            {"filters": [{"type": "URLRewrite", "urlRewrite": {"hostname": "a"}}, {"type": "CORS", "cors": {}}]},
        ],
    },
    (GATEWAY, "GRPCRoute"): {
        "parentRefs": PARENTS,
        "rules": [
            {
                "matches": [{"headers": HEADERS, "method": {"type": "Exact", "service": "a.B", "method": "C"}}],
                "filters": FILTERS[:1],
                "backendRefs": BACKENDS,
            }
        ],
    },
    (GATEWAY, "TLSRoute"): ONE_RULE,
    (GATEWAY, "TCPRoute"): ONE_RULE,
}
ANNOTATIONS = {"retry.linkerd.io/limit": "3", "retry.linkerd.io/http": "5xx", "timeout.linkerd.io/request": "10s"}


def words(value: Any) -> set[str]:
    """The fields and texts of a good object, of which a bad one is made."""
    if isinstance(value, dict):
        return set(value).union(*(words(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(words(inner) for inner in value))
    return {value} if isinstance(value, str) else set()


VALUES = [
    *(
        "",
        "/",
        "a",
        "*",
        "0",
        "5s",
        "-5s",
        "10.0.0.0/8",
        "::/0",
        "fe80::1%eth0",
        "10.0.0.0/255.0.0.0",
        "[",
        "(?=a)",
        "a b",
    ),
    *(
        "Exact",
        "RegularExpression",
        "Server",
        "Service",
        "Namespace",
        "core",
        POLICY,
        "policy",
        "spiffe://a/../b",
        "\u017f",
    ),
    *(
        "externalWorkloadSelector",
        "replacePrefixMatch",
        "requestMirror",
        "responseHeaderModifier",
        "In",
        "Exists",
        "v1",
    ),
]
NUMBERS = st.sampled_from([0, 1, -1, 80, 80.0, 0.5, 301, 65535, 65536, 2**31, 2**32, 2**63, 2**64 - 1]) | st.integers(
    -5, 700
)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=6)


def anything(kind: CheckedKind) -> st.SearchStrategy[Any]:
    """Any JSON, with the fields and the values of a kind in it more often than not."""
    known = sorted(words(GOOD[kind.group, kind.kind]))
    texts = st.sampled_from([*known, *VALUES]) | TEXT
    scalars = st.none() | st.booleans() | NUMBERS | texts
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=12,
    )


def places(value: Any) -> list[tuple[Any, Any]]:
    result: list[tuple[Any, Any]] = []
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        result += [(value, key), *places(value[key])]
    return result


@st.composite
def changed(draw: st.DrawFn, kind: CheckedKind, junk: st.SearchStrategy[Any]) -> Any:
    """A good spec with a few values replaced or taken away, and fields put beside others."""
    spec = copy.deepcopy(GOOD[kind.group, kind.kind])
    for _ in range(draw(st.integers(0, 3))):
        all_of_them = places(spec)
        if not all_of_them:
            break
        container, key = draw(st.sampled_from(all_of_them))
        what = draw(st.integers(0, 3))
        if what == 0:
            del container[key]
        elif what == 1 and isinstance(container[key], dict):
            container[key] = list(container[key].values())
        elif what == 2 and isinstance(container, dict):
            container[draw(st.sampled_from(VALUES))] = draw(junk)
        else:
            container[key] = draw(junk)
    return spec


def bodies(kind: CheckedKind) -> st.SearchStrategy[JSON]:
    """Objects with anything for their spec, now and then in an old version or with annotations of no sense."""
    junk = anything(kind)
    spec = changed(kind, junk) | junk
    versions = st.sampled_from(kind.versions) | st.just("v0")
    annotations = st.just(ANNOTATIONS) | st.dictionaries(
        st.sampled_from([*ANNOTATIONS, "linkerd-webhook/ignore"]), junk
    )
    metadata = st.fixed_dictionaries(
        {"name": st.just("subject")},
        optional={"namespace": st.just("shop"), "annotations": annotations, "labels": junk},
    )
    return st.builds(
        lambda spec, version, metadata: {
            "apiVersion": f"{kind.group}/{version}",
            "kind": kind.kind,
            "metadata": metadata,
            "spec": spec,
        },
        spec,
        versions,
        metadata,
    )


# The lines where the shapes of specs differ.
ON = (*BOTH, *(line_of(name) for name in ("stable-2.14", "version-2.17", "version-2.18")))
CASES = [
    pytest.param(kind, line, id=f"{kind.kind}.{kind.group}-{line.name}")
    for kind in KINDS
    if (kind.group, kind.kind) in GOOD
    for line in ON
    if find(kind.group, kind.kind, line)
]
CATALOG = Servers(other={"podSelector": {}, "port": 80}, subject={"podSelector": {}, "port": "http"})


def said(kind: CheckedKind, line: Line, body: Any) -> list[Finding]:
    return check(kind.group, kind.kind, body, line=line, catalog=CATALOG, judge=judge_for(line))


def leads_somewhere(body: Any, path: tuple[str | int, ...]) -> bool:
    """Whether a path, or what it would be in, is in the object. Below an array that stands for a structure, its names
    are in no object."""
    for part in path[:-1]:
        if isinstance(body, list) and isinstance(part, str):
            return True
        try:
            body = body[part]
        except (KeyError, IndexError, TypeError):
            return False
    return isinstance(body, dict | list)


def ask(kind: CheckedKind, line: Line, body: Any) -> JSON:
    """The webhook's response."""
    about = GroupVersionKind(kind.group, kind.versions[-1], kind.kind)
    request = AdmissionRequest(
        "uid", "admission.k8s.io/v1", about, GroupVersionResource(), "shop", "subject", "CREATE", body
    )
    answer = asyncio.run(Validator(POLICY_VALIDATOR, lambda: line, NOTHING_KNOWN).answer(request))
    response: JSON = json.loads(render("uid", "admission.k8s.io/v1", answer))["response"]
    return response


def reordered(value: Any, by: random.Random) -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        by.shuffle(items)
        return {key: reordered(inner, by) for key, inner in items}
    return [reordered(inner, by) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("kind", "line"), CASES)
def test_the_objects_that_others_are_made_of_are_in_order(kind: CheckedKind, line: Line) -> None:
    spec = copy.deepcopy(GOOD[kind.group, kind.kind])
    if line is STABLE and kind.kind == "HTTPRoute":
        spec["parentRefs"] = [SERVER]
        spec["rules"][0]["filters"][1]["requestRedirect"].pop("path")
    elif kind.kind == "HTTPRoute" and kind.lenient and not line.has("policy/gateway-filters"):
        spec["rules"][1]["filters"] = [entry for entry in spec["rules"][1]["filters"] if entry["type"] != "CORS"]
    body = {"metadata": {"namespace": "shop", "annotations": ANNOTATIONS}, "spec": spec}
    judge = judge_for(line)
    problems = check(kind.group, kind.kind, body, line=line, catalog=NOTHING_KNOWN, judge=judge)
    assert [finding.text for finding in problems if finding.severity is Severity.ERROR] == []
    assert "gateway-not-read" not in {finding.rule.id for finding in problems}


@pytest.mark.parametrize(("kind", "line"), CASES)
def test_anything_gets_well_formed_findings_and_a_well_formed_answer(kind: CheckedKind, line: Line) -> None:
    @BOUNDED
    @given(bodies(kind))
    def holds(body: JSON) -> None:
        before = repr(body)
        result = said(kind, line, body)
        response = ask(kind, line, body)
        assert repr(body) == before
        for one in result:
            assert RULES[one.rule.id] is one.rule
            assert leads_somewhere(body, one.path), one.field
            assert 0 < len(one.message) < 600
            assert "\n" not in one.message
        order = [list(Severity).index(one.severity) for one in result]
        assert order == sorted(order)
        # What the two know of the cluster makes for the only difference.
        errors = [one for one in result if one.severity is Severity.ERROR and one.rule.id != "server-overlap"]
        assert response["allowed"] is (not errors)
        if errors:
            assert response["status"]["code"] == 422
            assert len(response["status"]["details"]["causes"]) == len(errors)
        assert all(0 < len(warning) <= 256 and "\n" not in warning for warning in response.get("warnings", []))

    holds()


@pytest.mark.parametrize(("kind", "line"), CASES)
def test_the_order_of_fields_changes_nothing(kind: CheckedKind, line: Line) -> None:
    @BOUNDED
    @given(bodies(kind), st.integers(0, 1000))
    def holds(body: JSON, seed: int) -> None:
        def told(value: Any) -> list[tuple[str, str]]:
            return sorted((one.rule.id, one.field) for one in said(kind, line, value))

        other = reordered(body, random.Random(seed))
        assert other == body
        assert told(other) == told(body)

    holds()


@BOUNDED
@given(st.sampled_from([(kind, line) for case in CASES for kind, line in [case.values]]), st.data())
def test_what_is_no_object_at_all_is_refused_in_words(case: Any, data: st.DataObject) -> None:
    kind, line = case
    body = data.draw(anything(kind))
    result = said(kind, line, body)
    if not isinstance(body, dict):
        assert [one.rule.id for one in result if one.path == ()]
    assert all(one.message for one in result)


def test_lenient_kinds_are_known_at_later_lines_only() -> None:
    pairs: list[Any] = [case.values for case in CASES]
    assert {kind.kind for kind, line in pairs if line is STABLE} == {
        *("Server", "ServerAuthorization", "AuthorizationPolicy", "MeshTLSAuthentication"),
        *("NetworkAuthentication", "HTTPRoute"),
    }
    assert len([case for case in CASES if case.values[1] is EDGE]) == 12
