"""An object's metadata, and that of what it was before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import BOTH, EDGE, JSON, STABLE, Said, examine, manifest
from webhook.policy.objectreferences import GATEWAY

SPEC: JSON = {"networks": [{"cidr": "10.0.0.0/8"}]}
NAMED: JSON = {"name": "subject", "namespace": "shop"}


def metadata(value: Any, **options: Any) -> Said:
    """What is said of an object with this metadata."""
    body = {
        "apiVersion": "policy.linkerd.io/v1alpha1",
        "kind": "NetworkAuthentication",
        "metadata": value,
        "spec": SPEC,
    }
    return examine(body, "NetworkAuthentication", **options)


def fields(**values: Any) -> JSON:
    return {**NAMED, **values}


# What an API server adds to an object, and what an update brings along.
LIVED = fields(
    uid="5b3f5a3e-2b3b-4a1c-8f0e-3c7a4f4d2b11",
    resourceVersion="4711",
    generation=3,
    creationTimestamp="2026-02-28T10:11:12Z",
    labels={"team": "web"},
    annotations={"note": "gr\u00fc\u00dfe"},
    ownerReferences=[{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1", "controller": True}],
    finalizers=["example.org/hold"],
    managedFields=[
        {
            "manager": "kubectl",
            "operation": "Apply",
            "apiVersion": "policy.linkerd.io/v1alpha1",
            "time": "2026-01-31T23:59:59Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:networks": {}}},
        }
    ],
)

READABLE = [
    NAMED,
    LIVED,
    fields(labels=None, annotations=None, generation=None, creationTimestamp=None, finalizers=None, managedFields=None),
    fields(labels={}, annotations={"a": ""}, ownerReferences=[], managedFields=[{}]),
    fields(generation=-(2**63), deletionGracePeriodSeconds=2**63 - 1),
    fields(generateName="x", selfLink="", uid=None, name=None),
    fields(unknown=5, initializers={"pending": []}),
    fields(ownerReferences=[{"name": None, "controller": None, "other": []}]),
    fields(managedFields=[{"fieldsV1": 5, "time": None}]),
]
# Each with the errors that it makes.
UNREADABLE: list[tuple[JSON, list[str]]] = [
    (fields(labels={"a": None}), ["metadata.labels.a: field-type"]),
    (fields(labels={"a": 1}), ["metadata.labels.a: field-type"]),
    (fields(labels=[]), ["metadata.labels: field-type"]),
    (fields(annotations={"a/b": True}), ["metadata.annotations[a/b]: field-type"]),
    (fields(generation=1.0), ["metadata.generation: field-type"]),
    (fields(generation="1"), ["metadata.generation: field-type"]),
    (fields(generation=True), ["metadata.generation: field-type"]),
    (fields(generation=2**63), ["metadata.generation: field-range"]),
    (fields(deletionGracePeriodSeconds=-(2**63) - 1), ["metadata.deletionGracePeriodSeconds: field-range"]),
    (fields(finalizers="x"), ["metadata.finalizers: field-type"]),
    (fields(finalizers=[None]), ["metadata.finalizers[0]: field-type"]),
    (fields(name=5), ["metadata.name: field-type"]),
    (fields(uid=[]), ["metadata.uid: field-type"]),
    (fields(ownerReferences={}), ["metadata.ownerReferences: field-type"]),
    (fields(ownerReferences=[[]]), ["metadata.ownerReferences[0]: field-type"]),
    (fields(ownerReferences=[None]), ["metadata.ownerReferences[0]: field-type"]),
    (fields(ownerReferences=[{"controller": "true"}]), ["metadata.ownerReferences[0].controller: field-type"]),
    (fields(managedFields=[{"time": "now"}]), ["metadata.managedFields[0].time: field-range"]),
    (fields(managedFields=["kubectl"]), ["metadata.managedFields[0]: field-type"]),
    (fields(creationTimestamp=0), ["metadata.creationTimestamp: field-type"]),
    (fields(deletionTimestamp="2026-02-30T10:11:12Z"), ["metadata.deletionTimestamp: field-range"]),
    (
        fields(labels={"a": 1, "b": "c"}, generation=0.5, finalizers=["x", 5]),
        ["metadata.finalizers[1]: field-type", "metadata.generation: field-type", "metadata.labels.a: field-type"],
    ),
]


class TestFields:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("value", READABLE)
    def test_of_the_right_types_are_accepted(self, value: JSON, line: Any) -> None:
        assert metadata(value, line=line) == []

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(("value", "errors"), UNREADABLE)
    def test_of_other_types_are_refused(self, value: JSON, errors: list[str], line: Any) -> None:
        assert metadata(value, line=line).errors == errors

    def test_are_no_array(self) -> None:
        assert metadata(["x"]).errors == ["metadata: field-type"]

    @pytest.mark.parametrize("value", [None, 5, "x"])
    def test_are_an_object(self, value: Any) -> None:
        assert metadata(value).errors == ["metadata: field-type"]

    def test_are_read_even_where_the_spec_cannot_be(self) -> None:
        body = manifest("NetworkAuthentication", {"networks": 5}, metadata=fields(labels=[]))
        assert examine(body, "NetworkAuthentication").errors == [
            "metadata.labels: field-type",
            "spec.networks: field-type",
        ]

    def test_are_strict_for_routes_that_are_otherwise_read_leniently(self) -> None:
        body = manifest("HTTPRoute", {}, group=GATEWAY, metadata=fields(labels={"a": None}))
        assert examine(body, "HTTPRoute", group=GATEWAY).errors == ["metadata.labels.a: field-type"]


class TestNamespace:
    def test_may_be_missing_at_later_lines(self) -> None:
        body = {key: part for key, part in manifest("NetworkAuthentication", SPEC).items() if key != "metadata"}
        assert examine(body, "NetworkAuthentication").errors == []
        assert metadata({"name": "subject"}).errors == []

    @pytest.mark.parametrize("value", [{}, {"name": "subject"}, {"namespace": None}])
    def test_has_to_be_in_the_object_at_earlier_lines(self, value: Any) -> None:
        assert metadata(value, line=STABLE).errors == ["metadata.namespace: field-missing"]

    def test_has_to_be_there_without_any_metadata_too(self) -> None:
        body = {key: part for key, part in manifest("NetworkAuthentication", SPEC).items() if key != "metadata"}
        assert examine(body, "NetworkAuthentication", line=STABLE).errors == ["metadata.namespace: field-missing"]

    def test_may_be_empty(self) -> None:
        assert metadata({"name": "subject", "namespace": ""}, line=STABLE).errors == []


class TestTimes:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "text",
        [
            *("2026-08-01T10:11:12Z", "2026-08-01 10:11:12Z", "2024-02-29T10:11:12Z", "2026-08-01T10:11:60Z"),
            *(
                "2026-08-01T10:11:12.1Z",
                "2026-08-01T10:11:12.123456789Z",
                "2026-08-01T10:11:12+02:00",
                "2026-08-01T10:11:12z",
            ),
            *("2026-08-01T10:11:12-00:00", "0000-01-01T00:00:00Z", "2026-08-01T10:11:12+0200"),
        ],
    )
    def test_are_those_of_rfc_3339(self, text: str, line: Any) -> None:
        assert metadata(fields(creationTimestamp=text), line=line).errors == []

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "text",
        [
            *("", "now", "2026-08-01", "2026-08-01T10:11:12", "10:11:12Z", "2026-08-01_10:11:12Z"),
            *("2026-02-30T10:11:12Z", "2023-02-29T10:11:12Z", "2026-13-01T10:11:12Z", "2026-00-01T10:11:12Z"),
            *("2026-08-00T10:11:12Z", "2026-04-31T10:11:12Z", "1900-02-29T10:11:12Z"),
            *("2026-08-01T24:00:00Z", "2026-08-01T10:60:12Z", "2026-08-01T10:11:61Z", "2026-08-01T10:11:12.Z"),
            *("2026-08-01T10:11:12Zx", "2026-08-01T10:11:12-26:00", "2026-W10-1T10:11:12Z", "2026-213T10:11:12Z"),
        ],
    )
    def test_that_there_are_not_are_refused(self, text: str, line: Any) -> None:
        assert metadata(fields(creationTimestamp=text), line=line).errors == ["metadata.creationTimestamp: field-range"]

    @pytest.mark.parametrize(
        "text",
        [
            *("20260801T101112Z", "20260801T10:11:12Z", "2026-08-01T1011Z", "2026-08-01T10Z", "2026-08-01T10:11Z"),
            *(
                "2026-08-01t10:11:12Z",
                "2026-08-01T10:11:12,5Z",
                "2026-08-01T10:11:12+02",
                "2026-08-01T10:11:12+02:00:30",
            ),
            *("2026-08-01T10:11:12-25:59", "2026-08-01T10:11:12Z[UTC]", "2026-08-01T10:11:12+02:00[!Europe/Berlin]"),
        ],
    )
    def test_may_be_written_in_more_ways_at_later_lines(self, text: str) -> None:
        assert metadata(fields(creationTimestamp=text), line=EDGE).errors == []
        said = metadata(fields(creationTimestamp=text), line=STABLE)
        assert said.errors == ["metadata.creationTimestamp: field-range"]

    @pytest.mark.parametrize(
        "text",
        [
            *("2026-8-1T1:2:3Z", " 2026-08-01T10:11:12Z", "2026-08-01T10:11:12 Z", "2026 - 08-01T10:11:12Z"),
            *("2026-08-01T10:11:12.12345678901Z", "2026-08-01T10:11:12+02 00", "-000000-01-01T00:00:00Z"),
        ],
    )
    def test_may_be_written_in_fewer_digits_at_earlier_lines(self, text: str) -> None:
        assert metadata(fields(creationTimestamp=text), line=STABLE).errors == []
        assert metadata(fields(creationTimestamp=text), line=EDGE).errors == ["metadata.creationTimestamp: field-range"]

    @pytest.mark.parametrize(
        ("text", "edge", "stable"),
        [
            ("+002026-08-01T10:11:12Z", True, True),
            ("-009999-01-02T02:00:00Z", True, True),
            ("-009999-01-01T00:00:00Z", False, True),
            ("9999-12-30T22:00:00Z", True, True),
            ("9999-12-31T23:59:59Z", False, True),
            ("+012026-08-01T10:11:12Z", False, True),
            ("+262143-08-01T10:11:12Z", False, True),
            ("+262144-08-01T10:11:12Z", False, False),
        ],
    )
    def test_lie_within_what_a_line_can_hold(self, text: str, edge: bool, stable: bool) -> None:
        assert (metadata(fields(creationTimestamp=text), line=EDGE).errors == []) is edge
        assert (metadata(fields(creationTimestamp=text), line=STABLE).errors == []) is stable


class TestOldObject:
    def old(self, value: Any, **options: Any) -> Said:
        return examine(manifest("NetworkAuthentication", SPEC), "NetworkAuthentication", others=[value], **options)

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "value", [None, {}, {"metadata": LIVED, "spec": 5}, {"metadata": {"name": "x"}, "spec": {}}]
    )
    def test_has_to_have_metadata_that_can_be_read(self, value: Any, line: Any) -> None:
        assert self.old(value, line=line) == []

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        ("value", "error"),
        [
            ({"metadata": {"labels": {"a": None}}}, "oldObject.metadata.labels.a: field-type"),
            ({"metadata": {"creationTimestamp": "now"}}, "oldObject.metadata.creationTimestamp: field-range"),
            ({"metadata": None}, "oldObject.metadata: field-type"),
            ([], "oldObject: field-type"),
            ("x", "oldObject: field-type"),
        ],
    )
    def test_counts_where_it_cannot(self, value: Any, error: str, line: Any) -> None:
        assert self.old(value, line=line).errors == [error]
