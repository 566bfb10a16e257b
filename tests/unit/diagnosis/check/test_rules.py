"""What the rules of webhooks match."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.diagnosis.check.rules import covered, matches


def rule(groups: list[str], resources: list[str], operations: list[str]) -> dict[str, Any]:
    """A rule of a webhook."""
    return {"apiGroups": groups, "apiVersions": ["v1"], "resources": resources, "operations": operations}


PODS = rule([""], ["pods"], ["CREATE"])


@pytest.mark.parametrize(
    "other",
    [PODS, rule(["*"], ["*"], ["*"]), rule([""], ["*/*"], ["CREATE"]), rule(["apps", ""], ["a", "pods"], ["CREATE"])],
    ids=str,
)
def test_rules_that_match_as_much_or_more_cover(other: dict[str, Any]) -> None:
    assert covered([PODS], [other]) == []
    assert matches({"rules": [other]}, "", "pods")


@pytest.mark.parametrize(
    "other",
    [
        rule(["apps"], ["pods"], ["CREATE"]),
        rule([""], ["pods/status"], ["CREATE"]),
        rule([""], ["pods"], ["UPDATE"]),
        {},
    ],
    ids=str,
)
def test_rules_that_match_something_else_do_not(other: dict[str, Any]) -> None:
    assert covered([PODS], [other]) == ["CREATE of pods"]
    assert not matches({"rules": [other]}, "", "pods")


def test_what_is_not_covered_is_named_by_operation() -> None:
    wanted = rule(["linkerd.io"], ["a", "b"], ["CREATE", "UPDATE"])
    assert covered([wanted], [rule(["linkerd.io"], ["a"], ["CREATE"])]) == [
        "UPDATE of a.linkerd.io, b.linkerd.io",
        "CREATE of b.linkerd.io",
    ]
