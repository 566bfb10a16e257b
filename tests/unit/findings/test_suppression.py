"""Warnings that an annotation silences."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import JSON, Said, gateway, say
from webhook.findings.finding import RULES
from webhook.findings.suppression import ANNOTATION

UNKNOWN = f"metadata.annotations[{ANNOTATION}]: ignore-unknown-rule"
# A Server with an error and two warnings, and something that only the CRD forbids.
SPEC: JSON = {
    "podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]},
    "port": "",
    "proxyProtocol": "tcp",
    "unknown": 1,
}
EMPTY_PORT = "spec.port: server-port-empty"
NO_VALUES = "spec.podSelector.matchExpressions[0].values: selector-values-missing"
ERRORS = ["spec.proxyProtocol: field-allowed"]


def server(ignore: Any = ..., **annotations: Any) -> Said:
    if ignore is not ...:
        annotations[ANNOTATION] = ignore
    return say("Server", SPEC, annotations=annotations)


def test_without_the_annotation_all_is_said() -> None:
    said = server()
    assert (said.errors, said.warnings) == (ERRORS, sorted([EMPTY_PORT, NO_VALUES]))
    assert "spec.unknown: schema-unknown" in said.schema


@pytest.mark.parametrize(
    ("ignore", "warnings"),
    [
        ("server-port-empty", [NO_VALUES]),
        ("selector-values-missing", [EMPTY_PORT]),
        (" server-port-empty ,\tselector-values-missing,", []),
        ("server-port-empty,server-port-empty", [NO_VALUES]),
        ("server-port-shared", [EMPTY_PORT, NO_VALUES]),
        ("", [EMPTY_PORT, NO_VALUES]),
        (" , ", [EMPTY_PORT, NO_VALUES]),
    ],
)
def test_the_named_warnings_are_silent(ignore: str, warnings: list[str]) -> None:
    said = server(ignore)
    assert (said.errors, said.warnings) == (ERRORS, sorted(warnings))


@pytest.mark.parametrize("ignore", ["field-allowed", "schema-unknown", "Server-Port-Empty", "*", "all", "port"])
def test_what_is_no_warning_is_warned_of_and_silences_nothing(ignore: str) -> None:
    said = server(ignore)
    assert (said.errors, said.warnings) == (ERRORS, sorted([EMPTY_PORT, NO_VALUES, UNKNOWN]))
    assert said.schema == server().schema


def test_a_name_that_is_nearly_right_is_recognised() -> None:
    assert '(did you mean "server-port-empty"?)' in server("server-port-emtpy").message("ignore-unknown-rule")


def test_an_error_is_said_to_be_none_to_silence() -> None:
    assert "correct the object" in server("field-allowed").message("ignore-unknown-rule")


def test_each_unknown_name_is_warned_of() -> None:
    assert server("x,server-port-empty,y").warnings == sorted([NO_VALUES, UNKNOWN, UNKNOWN])


@pytest.mark.parametrize("ignore", [None, 5, ["server-port-empty"]])
def test_a_value_that_is_no_string_silences_nothing(ignore: Any) -> None:
    said = server(ignore)
    assert said.warnings == sorted([EMPTY_PORT, NO_VALUES])


def test_annotations_that_are_no_object_silence_nothing() -> None:
    metadata = {"name": "subject", "namespace": "shop", "annotations": [ANNOTATION]}
    said = say("Server", SPEC, metadata=metadata)
    assert said.warnings == sorted([EMPTY_PORT, NO_VALUES])


def test_a_deprecated_version_can_be_silenced_too() -> None:
    spec = {"podSelector": {}, "port": 80}
    loud = say("Server", spec, version="v1beta1")
    silent = say("Server", spec, version="v1beta1", annotations={ANNOTATION: "api-version-deprecated"})
    assert (loud.warnings, silent.warnings) == (["apiVersion: api-version-deprecated"], [])


def test_a_route_that_linkerd_passes_over_cannot_be_silenced() -> None:
    annotations = {ANNOTATION: "gateway-not-read"}
    said = gateway("HTTPRoute", {"rules": 5}, annotations=annotations)
    assert said.schema == [": gateway-not-read", "spec.rules: field-type"]
    assert said.warnings == [UNKNOWN]


def test_every_rule_says_what_it_is_about() -> None:
    for identifier, rule in RULES.items():
        assert rule.id == identifier
        assert rule.summary.endswith(".")
        assert rule.reason.startswith("FieldValue")
