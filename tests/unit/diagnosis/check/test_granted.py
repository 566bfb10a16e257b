"""Which rights RBAC rules lack."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.diagnosis.check.granted import lacking


def rule(group: str, resource: str, *verbs: str, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """A rule of a Role."""
    more = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs), **more}


@pytest.mark.parametrize(
    "held",
    [
        [rule("", "secrets", "get", "list")],
        [rule("", "secrets", "get"), rule("", "secrets", "list")],
        [rule("*", "*", "*")],
        [rule("", "secrets", "get", "list", "watch"), rule("apps", "deployments", "get")],
    ],
    ids=str,
)
def test_nothing_lacks_where_rules_grant_as_much_or_more(held: list[Any]) -> None:
    assert lacking([rule("", "secrets", "get", "list")], held) == []


def test_what_lacks_is_named_with_its_verbs() -> None:
    wanted = [rule("coordination.k8s.io", "leases", "get", "update", names=("a",)), rule("", "pods", "get", "update")]
    assert lacking(wanted, []) == ["get, update on leases.coordination.k8s.io/a, pods"]
    assert lacking(wanted, [rule("", "pods", "get")]) == [
        "get, update on leases.coordination.k8s.io/a",
        "update on pods",
    ]


def test_a_right_by_name_is_no_right_to_all() -> None:
    wanted = [rule("", "secrets", "get")]
    assert lacking(wanted, [rule("", "secrets", "get", names=("a",))]) == ["get on secrets"]
    assert lacking([rule("", "secrets", "get", names=("a", "b"))], [rule("", "secrets", "get", names=("a",))]) == [
        "get on secrets/b"
    ]


@pytest.mark.parametrize("junk", [{}, {"apiGroups": "apps"}, {"verbs": [1]}, {"resources": {"a": 1}}], ids=str)
def test_malformed_rules_grant_nothing(junk: dict[str, Any]) -> None:
    assert lacking([rule("", "secrets", "get")], [junk]) == ["get on secrets"]
