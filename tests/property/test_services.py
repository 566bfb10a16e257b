"""Services, types and selectors with anything in them: nothing raises, and what selects agrees with its parts."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from webhook.findings.finding import Severity
from webhook.policy import circuitbreaking, portnames, service, unknownkinds
from webhook.policy.identities import what_is_missing
from webhook.policy.selectors import selects

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        *circuitbreaking._CHECKS,
        "balancer.linkerd.io/x",
        "config.linkerd.io/opaque-ports",
        "retry.linkerd.io/limit",
    ]
)
VALUES = ANYTHING | st.sampled_from(
    ["consecutive", "unified", "0", "1", "5s", "0s", "1ms", "80", "80-90", "http", "true", "x", "-1", "1e400", "9" * 50]
)
PORT = st.fixed_dictionaries(
    {}, optional={"port": st.integers() | VALUES, "targetPort": st.integers(0, 99) | VALUES, "name": VALUES}
)


@given(st.dictionaries(KEYS, VALUES), st.lists(PORT, max_size=4) | ANYTHING)
def test_whatever_a_service_holds_is_warned_of_at_its_annotations_and_never_refused(
    annotations: dict[str, Any], ports: Any
) -> None:
    for finding in service.check({"metadata": {"annotations": annotations}, "spec": {"ports": ports}}):
        assert finding.severity is Severity.WARNING
        assert finding.path[:2] == ("metadata", "annotations")
        assert finding.path[2] in annotations
        assert "\n" not in finding.message


@given(ANYTHING)
def test_a_service_that_makes_no_sense_is_passed_over(body: Any) -> None:
    service.check(body)
    service.check({"metadata": body, "spec": body})


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_type_is_judged(api_version: str, kind: str) -> None:
    unknownkinds.check(api_version, kind)
    unknownkinds.check(f"policy.linkerd.io/{api_version}", kind)


@given(st.text(max_size=20))
def test_the_names_of_ports_are_those_of_kubernetes(name: str) -> None:
    expected = (
        0 < len(name) <= 15
        and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        and any(c.isalpha() for c in name)
        and not (name[0] == "-" or name[-1] == "-" or "--" in name)
    )
    assert portnames.is_port_name(name) is expected


@given(
    st.from_regex(r"[a-z]{1,5}\.[a-z]{1,5}\.serviceaccount\.identity\.[a-z]{1,7}(\.[a-z]{1,5}){1,3}", fullmatch=True)
)
def test_a_full_identity_lacks_nothing(identity: str) -> None:
    assert what_is_missing(identity) == ""
    assert what_is_missing("*." + identity.partition(".")[2]) == ""


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), max_size=3)


@given(LABELS, LABELS)
def test_labels_are_selected_as_the_same_in_expressions(wanted: dict[str, str], labels: dict[str, str]) -> None:
    expressions = [{"key": key, "operator": "In", "values": [value]} for key, value in wanted.items()]
    assert selects({"matchLabels": wanted}, labels) is selects({"matchExpressions": expressions}, labels)
    assert selects({"matchLabels": wanted}, labels) is (wanted.items() <= labels.items())


@given(st.sampled_from("abc"), st.lists(st.sampled_from("xyz"), min_size=1), LABELS)
def test_an_operator_and_its_opposite_never_agree(key: str, values: list[str], labels: dict[str, str]) -> None:
    for one, other in (("In", "NotIn"), ("Exists", "DoesNotExist")):
        said = [
            selects({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}, labels)
            for operator in (one, other)
        ]
        assert set(said) == {True, False}
