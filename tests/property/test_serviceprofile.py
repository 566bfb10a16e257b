"""Whatever stands in a ServiceProfile, the findings are well formed, and the same in any order of its fields."""

from __future__ import annotations

import copy
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.cluster.interface import NothingKnown
from webhook.findings.finding import RULES, Severity
from webhook.mesh.releases import LINES, line
from webhook.policy.serviceprofile.check import check

BOUNDED = settings(max_examples=300, deadline=None)
ON = st.sampled_from([line(name) for name in LINES])

FIELDS = [
    *("metadata", "spec", "kind", "labels", "creationTimestamp", "generation", "managedFields"),
    *("routes", "retryBudget", "dstOverrides", "opaquePorts", "retryRatio", "minRetriesPerSecond", "ttl"),
    *("name", "condition", "responseClasses", "isRetryable", "timeout", "isFailure", "authority", "weight"),
    *("all", "any", "not", "pathRegex", "method", "status", "min", "max"),
    *("Routes", "NAME", "\u017ftatus", "\u212aind", "other"),
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 700)
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1s", "0", "GET", "/a", "a|b", "500m", "a.b.svc.c", "2026-01-02T03:04:05Z"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=3), inner),
    max_leaves=25,
)

GOOD: dict[str, Any] = {
    "apiVersion": "linkerd.io/v1alpha2",
    "kind": "ServiceProfile",
    "metadata": {"name": "web.emojivoto.svc.cluster.local", "labels": {"a": "b"}, "generation": 1},
    "spec": {
        "routes": [
            {
                "name": "books",
                "condition": {"all": [{"method": "GET"}, {"not": {"pathRegex": "/a"}}]},
                "responseClasses": [{"condition": {"status": {"min": 500, "max": 599}}, "isFailure": True}],
                "isRetryable": True,
                "timeout": "300ms",
            }
        ],
        "retryBudget": {"retryRatio": 0.2, "minRetriesPerSecond": 10, "ttl": "10s"},
        "dstOverrides": [{"authority": "a:80", "weight": "500m"}],
    },
}


def places(value: Any) -> list[tuple[Any, Any]]:
    result: list[tuple[Any, Any]] = []
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        result += [(value, key), *places(value[key])]
    return result


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """A good object with a few values replaced, and fields put beside others."""
    body = copy.deepcopy(GOOD)
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(places(body)))
        if isinstance(container, dict) and draw(st.booleans()):
            key = draw(st.sampled_from(FIELDS) | st.just(key.upper()))
        container[key] = draw(JSON)
    return body


BODIES = (
    JSON | changed() | JSON.map(lambda spec: GOOD | {"spec": spec}) | JSON.map(lambda meta: GOOD | {"metadata": meta})
)


def reordered(value: Any, by: random.Random) -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        by.shuffle(items)
        return {key: reordered(inner, by) for key, inner in items}
    return [reordered(inner, by) for inner in value] if isinstance(value, list) else value


@BOUNDED
@given(body=BODIES, on=ON)
def test_any_json_gets_well_formed_findings(body: Any, on: Any) -> None:
    before = repr(body)
    problems = check(body, line=on, catalog=NothingKnown(), judge=lambda pattern: None)
    assert repr(body) == before
    for one in problems:
        assert RULES[one.rule.id] is one.rule
        assert all(isinstance(part, str | int) for part in one.path)
        assert one.message
    order = [list(Severity).index(one.rule.severity) for one in problems]
    assert order == sorted(order)


@BOUNDED
@given(body=BODIES, on=ON, seed=st.integers(0, 1000))
def test_the_order_of_fields_changes_nothing(body: Any, on: Any, seed: int) -> None:
    def said(value: Any) -> list[tuple[str, str]]:
        return sorted(
            (one.rule.id, one.field) for one in check(value, line=on, catalog=NothingKnown(), judge=lambda pattern: "")
        )

    assert said(body) == said(reordered(body, random.Random(seed)))
