"""The defaults of a route's CRD, which a release that cannot do without them gets as the API server sends them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.unit.policy.builders import EDGE, JSON, STABLE
from webhook.mesh.releases import line
from webhook.policy.objectreferences import GATEWAY, POLICY
from webhook.policy.routedefaults import with_defaults

OLD = line("version-2.17")
MATCH: JSON = {"path": {}, "headers": [{"name": "a", "value": "b"}], "queryParams": [{"name": "a", "value": "b"}]}
FILLED: JSON = {
    "path": {"type": "PathPrefix", "value": "/"},
    "headers": [{"name": "a", "value": "b", "type": "Exact"}],
    "queryParams": [{"name": "a", "value": "b", "type": "Exact"}],
}
PARENT: JSON = {"kind": "Server", "name": "web"}


def route(matched: Any, **spec: Any) -> JSON:
    return {"spec": {"rules": [{"matches": [matched]}], **spec}}


@pytest.mark.parametrize(("group", "kind"), [(POLICY, "HTTPRoute"), (GATEWAY, "httproute"), (GATEWAY, "GRPCRoute")])
def test_types_are_filled_in_for_releases_that_need_them(group: str, kind: str) -> None:
    body = route(MATCH)
    before = copy.deepcopy(body)
    assert with_defaults(group, kind, body, OLD) == route(FILLED)
    assert body == before
    assert with_defaults(group, kind, body, EDGE) is body


def test_what_is_there_stays() -> None:
    there = {"path": {"type": "Exact", "value": "/a"}, "headers": [{"type": "RegularExpression"}], "queryParams": []}
    assert with_defaults(POLICY, "HTTPRoute", route(there), OLD) == route(there)


def test_a_parent_has_the_group_of_its_route_where_only_some_kinds_may_be_parents() -> None:
    body = route({}, parentRefs=[PARENT, None])
    filled = with_defaults(POLICY, "HTTPRoute", body, STABLE)
    assert filled["spec"]["parentRefs"] == [{**PARENT, "group": POLICY}, None]
    assert with_defaults(POLICY, "HTTPRoute", body, OLD)["spec"]["parentRefs"] == [PARENT, None]


@pytest.mark.parametrize(
    "body", [None, [], {}, {"spec": 5}, {"spec": {"rules": 5}}, {"spec": {"rules": [5]}}, route(5), route({"path": 5})]
)
def test_what_is_not_a_route_stays_as_it_is(body: Any) -> None:
    assert with_defaults(POLICY, "HTTPRoute", body, OLD) == body
    assert with_defaults(POLICY, "Server", body, OLD) is body
