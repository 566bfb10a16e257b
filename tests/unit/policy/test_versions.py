"""What depends on the version of the API that an object is written in."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.cluster.interface import NothingKnown
from webhook.mesh.releases import EDGE_26_8, STABLE_2_12, line
from webhook.policy import registry
from webhook.policy.regex.judge import judge_inline

JSON = dict[str, Any]
SERVER: JSON = {"podSelector": {"matchLabels": {"app": "web"}}, "port": 80}


def told(kind: str, version: str, spec: JSON, release: str = EDGE_26_8) -> list[tuple[str, str]]:
    """The rules that have something to say about an object, and where."""
    body = {
        "apiVersion": f"policy.linkerd.io/{version}",
        "kind": kind,
        "metadata": {"name": "a", "namespace": "b"},
        "spec": spec,
    }
    problems = registry.check(
        "policy.linkerd.io", kind, body, line=line(release), catalog=NothingKnown(), judge=judge_inline
    )
    return [(finding.rule.id, finding.field) for finding in problems if not finding.rule.id.startswith("reference")]


@pytest.mark.parametrize(
    ("release", "version", "expected"),
    [
        (EDGE_26_8, "v1alpha1", "api-version-deprecated"),
        (EDGE_26_8, "v1beta1", "api-version-deprecated"),
        (EDGE_26_8, "v1beta2", ""),
        (EDGE_26_8, "v1beta3", ""),
        (EDGE_26_8, "v2", "api-version-unknown"),
        (STABLE_2_12, "v1alpha1", "api-version-deprecated"),
        (STABLE_2_12, "v1beta1", ""),
        (STABLE_2_12, "v1beta2", "api-version-unknown"),
    ],
)
def test_which_versions_are_served_and_deprecated_depends_on_the_line(
    release: str, version: str, expected: str
) -> None:
    assert told("Server", version, SERVER, release) == ([(expected, "apiVersion")] if expected else [])


def test_a_field_that_came_later_is_dropped_from_an_earlier_version() -> None:
    spec = {**SERVER, "accessPolicy": "deny"}
    assert told("Server", "v1beta3", spec) == []
    assert told("Server", "v1beta2", spec) == [("schema-unknown", "spec.accessPolicy")]


def test_what_linkerd_refuses_does_not_depend_on_the_version() -> None:
    spec = {**SERVER, "accessPolicy": "nobody"}
    for version in ("v1alpha1", "v1beta1", "v1beta2", "v1beta3", "v9"):
        assert ("server-access-policy", "spec.accessPolicy") in told("Server", version, spec)


def test_a_server_selects_external_workloads_from_a_version_on() -> None:
    spec = {"externalWorkloadSelector": {}, "port": 80}
    assert told("Server", "v1beta2", spec) == []
    assert told("Server", "v1beta1", spec) == [
        ("schema-missing", "spec.podSelector"),
        ("schema-unknown", "spec.externalWorkloadSelector"),
        ("api-version-deprecated", "apiVersion"),
    ]


def test_the_other_selector_of_a_server_is_looked_at_by_the_schema_that_knows_it_alone() -> None:
    spec = {**SERVER, "podSelector": {"matchLabels": 5}, "externalWorkloadSelector": {}}
    assert ("schema-type", "spec.podSelector.matchLabels") in told("Server", "v1beta1", spec)
    assert told("Server", "v1beta3", spec) == [("server-two-selectors", "spec.podSelector")]


def test_the_oldest_servers_select_by_labels_or_by_expressions() -> None:
    spec = {**SERVER, "podSelector": {}}
    assert ("selector-one-form", "spec.podSelector") in told("Server", "v1alpha1", spec)
    assert told("Server", "v1beta3", spec) == []


def test_an_http_route_has_timeouts_in_the_newest_version_only() -> None:
    spec: JSON = {"rules": [{"timeouts": {"request": ""}}]}
    at = "spec.rules[0].timeouts"
    assert told("HTTPRoute", "v1beta3", spec) == [("schema-value", f"{at}.request")]
    assert told("HTTPRoute", "v1beta2", spec) == [("schema-unknown", at)]


def test_a_mesh_authentication_has_identities_or_references() -> None:
    both = {"identities": ["*"], "identityRefs": [{"kind": "ServiceAccount", "name": "a"}]}
    assert told("MeshTLSAuthentication", "v1alpha1", both) == [("meshtlsauthentication-one-list", "spec")]
    assert told("MeshTLSAuthentication", "v1alpha1", {}) == [("meshtlsauthentication-one-list", "spec")]
    # No list is too short for the older line's CRD.
    assert told("MeshTLSAuthentication", "v1alpha1", {"identities": []}, STABLE_2_12) == [
        ("meshtlsauthentication-empty", "spec")
    ]
