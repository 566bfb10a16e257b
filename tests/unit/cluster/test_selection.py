"""Which Servers select the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.cluster.catalog import servers as servers_of
from webhook.cluster.selection import Selection, requirements_of, sharing

LABELS = st.dictionaries(st.sampled_from(["app", "tier", "zone"]), st.sampled_from(["a", "b"]), max_size=3)
EXPRESSIONS = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(["app", "tier"]),
            "operator": st.sampled_from(["In", "NotIn", "Exists"]),
            "values": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        }
    ),
    max_size=2,
)
SELECTOR = st.fixed_dictionaries({}, optional={"matchLabels": LABELS, "matchExpressions": EXPRESSIONS})
SPEC = st.fixed_dictionaries(
    {"port": st.sampled_from([80, "80", "http"])},
    optional={"podSelector": SELECTOR, "externalWorkloadSelector": st.one_of(st.none(), SELECTOR)},
)
STEPS = st.lists(st.tuples(st.sampled_from("abcdef"), st.one_of(st.none(), SPEC)), max_size=12)


def shares(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """By a look at both."""
    ours, theirs = requirements_of(one), requirements_of(other)
    same_port = type(one["port"]) is type(other["port"]) and one["port"] == other["port"]
    return ours is not None and theirs is not None and same_port and (ours <= theirs or theirs <= ours)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, spec=SPEC)
def test_are_found_as_by_a_look_at_each_of_them(steps: list[tuple[str, Any]], spec: dict[str, Any]) -> None:
    store = servers_of()
    specs: dict[str, Any] = {}
    for name, element in steps:
        metadata = {"namespace": "shop", "name": name}
        if element is not None:
            store.put({"metadata": metadata, "spec": element})
            specs[name] = element
        else:
            store.remove({"metadata": metadata})
            specs.pop(name, None)
    expected = sorted(name for name, candidate in specs.items() if name != "a" and shares(spec, candidate))
    assert sorted(sharing(store.within("shop"), "a", spec)) == expected


def test_that_select_every_pod_share_with_all_of_their_port() -> None:
    servers = {"web": Selection({"podSelector": {"matchLabels": {"app": "web"}}, "port": 80})}
    assert sharing(servers, "all", {"podSelector": {}, "port": 80}) == ["web"]
    assert sharing(servers, "all", {"podSelector": {}, "port": 81}) == []


def test_of_pods_and_of_external_workloads_share_nothing() -> None:
    servers = {"web": Selection({"podSelector": {}, "port": 80})}
    assert sharing(servers, "outside", {"externalWorkloadSelector": {}, "port": 80}) == []


def test_are_compared_with_their_own_spec_alone() -> None:
    servers = {"web": Selection({"podSelector": 5, "port": 80}), "db": Selection({"port": [80]})}
    assert servers == {"web": {"podSelector": 5, "port": 80}, "db": {"port": [80]}}
    assert sharing(servers, "all", {"podSelector": {}, "port": 80}) == []
