"""The patch: its operations, and that it fits every shape of object."""

from __future__ import annotations

from base64 import b64decode
from copy import deepcopy
from typing import Any

import jsonpatch
import orjson
import pytest

from tests.unit.injector.builders import (
    EDGE,
    ENABLED,
    LINES,
    STABLE,
    container,
    decide,
    inject,
    injector,
    names,
    patched,
    pod,
    pod_of,
)
from webhook.injector import patch
from webhook.injector.encoded import encode
from webhook.review import JSON

WORKLOADS = ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"]
ADDED_LABELS = {"linkerd.io/control-plane-ns": "linkerd", "linkerd.io/workload-ns": "shop"}


ITEMS = [[encode(b'{"a":1}')], [encode(b'{"b":'), encode(b"2}")]]
FIRST = b'{"op":"add","path":"/first","value":{}}'


def parsed(operations: list[bytes]) -> list[JSON]:
    """Operations that are text, as objects."""
    return [orjson.loads(operation) for operation in operations]


def decoded(pieces: list[bytes]) -> list[JSON]:
    """The operations behind the first one, of pieces in Base64."""
    text = b64decode(orjson.loads(b"".join((patch.begin([FIRST]), *pieces, patch.END))), validate=True)
    return orjson.loads(text)[1:]  # type: ignore[no-any-return]


def workload(kind: str, template: Any, **metadata: Any) -> JSON:
    """A workload with this Pod template."""
    spec: JSON = {"template": template}
    return {
        "kind": kind,
        "metadata": {"name": "web", "namespace": "own", **metadata},
        "spec": {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec,
    }


class TestOperations:
    @pytest.mark.parametrize(
        ("key", "pointer"),
        [
            ("a/b", "a~1b"),
            ("a~b", "a~0b"),
            ("~1", "~01"),
            ("~/", "~0~1"),
            ("plain", "plain"),
            ("", ""),
            ('q"\\', 'q"\\'),
        ],
    )
    def test_a_key_is_escaped_for_its_pointer(self, key: str, pointer: str) -> None:
        assert patch.escape(key) == pointer
        operations = patch.add_entries("/m", {"x": ""}, {key: 'v"'})
        assert parsed(patch.add_entries_text("/m", {"x": ""}, {key: 'v"'})) == operations
        assert parsed(patch.add_entries_text("/m", None, {key: 'v"'})) == patch.add_entries("/m", None, {key: 'v"'})
        assert jsonpatch.apply_patch({"m": {"x": ""}}, patch.add_entries("/m", {"x": ""}, {key: "v"}))["m"][key] == "v"

    @pytest.mark.parametrize("present", [None, {}])
    def test_where_there_is_no_map_one_is_added_whole(self, present: Any) -> None:
        assert patch.add_entries("/m", present, {"a": "1", "b": "2"}) == [
            {"op": "add", "path": "/m", "value": {"a": "1", "b": "2"}}
        ]

    def test_where_there_is_one_each_entry_is_added(self) -> None:
        assert patch.add_entries("/m", {"x": "0"}, {"a": "1", "b/c": "2"}) == [
            {"op": "add", "path": "/m/a", "value": "1"},
            {"op": "add", "path": "/m/b~1c", "value": "2"},
        ]

    @pytest.mark.parametrize("present", [None, []])
    def test_where_there_is_no_list_one_is_added_whole(self, present: Any) -> None:
        whole = [{"op": "add", "path": "/l", "value": [{"a": 1}, {"b": 2}]}]
        assert decoded(patch.append_items("/l", present, ITEMS)) == whole
        assert decoded(patch.prepend_items("/l", present, ITEMS)) == whole

    def test_items_go_behind_those_of_a_list(self) -> None:
        operations = decoded(patch.append_items("/l", [0], ITEMS))
        assert jsonpatch.apply_patch({"l": [0]}, operations) == {"l": [0, {"a": 1}, {"b": 2}]}

    def test_items_go_before_those_of_a_list_in_their_order(self) -> None:
        operations = decoded(patch.prepend_items("/l", [0], ITEMS))
        assert jsonpatch.apply_patch({"l": [0]}, operations) == {"l": [{"a": 1}, {"b": 2}, 0]}

    def test_nothing_to_add_is_no_operation(self) -> None:
        assert patch.add_entries("/m", None, {}) == []
        assert patch.append_items("/l", None, []) == []
        assert patch.prepend_items("/l", [1], []) == []


@pytest.mark.parametrize("line", LINES)
class TestPods:
    def test_nothing_of_the_users_is_changed(self, line: str) -> None:
        body = pod({"a": "b"}, labels={"app": "x"}, volumes=[{"name": "v"}], initContainers=[container("i")], other=[1])
        answer = decide(body, injector(line))
        assert {operation["op"] for operation in answer.patch or ()} == {"add"}
        got = patched(body, answer)
        assert {"a": "b", **ENABLED}.items() <= got["metadata"]["annotations"].items()
        assert got["metadata"]["labels"]["app"] == "x"
        assert container() in got["spec"]["containers"]
        assert container("i") in got["spec"]["initContainers"]
        assert got["spec"]["volumes"][0] == {"name": "v"}
        assert got["spec"]["other"] == [1]

    @pytest.mark.parametrize("empty", [None, [], ...])
    def test_lists_that_are_null_empty_or_absent_are_made(self, line: str, empty: Any) -> None:
        body = pod()
        for key in ("containers", "initContainers", "volumes"):
            body["spec"].pop(key, None)
            if empty is not ...:
                body["spec"][key] = empty
        got = inject(body, injector(line))["spec"]
        assert "linkerd-proxy" in names(got.get("initContainers", []) + (got.get("containers") or []))
        assert "linkerd-identity-end-entity" in names(got["volumes"])

    @pytest.mark.parametrize("spec", [None, {}, ...])
    def test_a_spec_that_is_null_empty_or_absent_is_made(self, line: str, spec: Any) -> None:
        body = pod()
        del body["spec"]
        if spec is not ...:
            body["spec"] = spec
        assert "linkerd-init" in names(inject(body, injector(line))["spec"]["initContainers"])

    @pytest.mark.parametrize("metadata", [None, {}, ..., {"annotations": None, "labels": None}, {"labels": {}}])
    def test_metadata_that_is_null_empty_or_absent_is_made(self, line: str, metadata: Any) -> None:
        body = pod()
        del body["metadata"]
        if metadata is not ...:
            body["metadata"] = metadata
        got = inject(body, injector(line), namespace=ENABLED)["metadata"]
        assert got["labels"] == ADDED_LABELS
        assert got["annotations"]["linkerd.io/inject"] == "enabled"
        assert set(got) == {"labels", "annotations"}

    @pytest.mark.parametrize("key", ["containers", "initContainers"])
    def test_null_among_containers_stays_where_it_is(self, line: str, key: str) -> None:
        body = pod()
        body["spec"][key] = [None, container("b")]
        got = inject(body, injector(line))["spec"][key]
        assert None in got
        assert container("b") in got

    @pytest.mark.parametrize(
        ("workload", "label"),
        [
            (("deployment", "web"), {"linkerd.io/proxy-deployment": "web"}),
            (("job", "nightly"), {"linkerd.io/proxy-job": "nightly"}),
            (("statefulset", "db"), {"linkerd.io/proxy-statefulset": "db"}),
            (("cronjob", "nightly"), {}),
            (("rollout", "web"), {}),
            (None, {}),
        ],
    )
    def test_a_workload_that_is_known_by_kind_is_a_label(
        self, line: str, workload: tuple[str, str] | None, label: dict[str, str]
    ) -> None:
        got = inject(pod(), injector(line), workload=workload)
        assert got["metadata"]["labels"] == {**ADDED_LABELS, **label}

    def test_the_object_is_left_as_it_was(self, line: str) -> None:
        body = pod(labels={"a": "b"}, volumes=[])
        before = deepcopy(body)
        decide(body, injector(line))
        assert body == before

    def test_of_an_object_that_names_no_kind_the_request_does(self, line: str) -> None:
        body = pod()
        del body["kind"]
        answer = decide(body, injector(line), kind="Pod")
        assert answer.decision == "injected"

    def test_its_name_is_known_from_its_beginning(self, line: str) -> None:
        body = pod()
        body["metadata"] = {"generateName": "web-", "annotations": ENABLED}
        assert inject(body, injector(line))["metadata"]["generateName"] == "web-"


@pytest.mark.parametrize("line", LINES)
class TestTemplates:
    @pytest.mark.parametrize("kind", [*WORKLOADS, "CronJob"])
    def test_a_workload_is_injected_at_its_template(self, line: str, kind: str) -> None:
        body = workload(kind, pod(labels={"app": "x"}))
        got = inject(body, injector(line))
        # Known by its own kind and namespace, not by the request's.
        template = got["spec"]["jobTemplate"]["spec"]["template"] if kind == "CronJob" else got["spec"]["template"]
        assert template["metadata"]["labels"] == {
            "app": "x",
            "linkerd.io/control-plane-ns": "linkerd",
            "linkerd.io/workload-ns": "own",
            f"linkerd.io/proxy-{kind.lower()}": "web",
        }
        assert "linkerd-init" in names(template["spec"]["initContainers"])
        assert got["metadata"] == body["metadata"]

    @pytest.mark.parametrize("kind", [*WORKLOADS, "CronJob"])
    @pytest.mark.parametrize("spec", [None, {}, ...])
    def test_one_without_a_template_gets_one_where_its_namespace_asks(self, line: str, kind: str, spec: Any) -> None:
        body: JSON = {"kind": kind, "metadata": {"name": "web"}, "spec": spec}
        if spec is ...:
            del body["spec"]
        got = inject(body, injector(line), namespace=ENABLED)
        assert "linkerd-init" in names(pod_of(got)["spec"]["initContainers"])

    def test_one_without_metadata_is_injected(self, line: str) -> None:
        body: JSON = {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [container()]}}}}
        got = inject(body, injector(line), namespace=ENABLED)
        assert got["spec"]["template"]["metadata"]["labels"]["linkerd.io/proxy-deployment"] == ""
        assert "metadata" not in got

    def test_the_inject_annotation_of_the_template_decides(self, line: str) -> None:
        assert decide(workload("Deployment", {}, annotations=ENABLED), injector(line)).patch is None

    def test_the_kinds_case_does_not_matter(self, line: str) -> None:
        body = workload("Deployment", pod())
        body["kind"] = "DEPLOYMENT"
        assert decide(body, injector(line)).decision == "injected"

    @pytest.mark.parametrize("kind", ["ConfigMap", "PodTemplate", "Rollout", "deployments", ""])
    def test_other_kinds_are_left_alone(self, line: str, kind: str) -> None:
        body = workload(kind, pod())
        answer = decide(body, injector(line), kind="Widget")
        assert (answer.allowed, answer.patch, answer.decision) == (True, None, "unchanged")
        assert answer.warnings == []


class TestInheritanceOfTemplates:
    """At 2.12 the template's own annotations are as good as the workload's; at edge the Namespace's win over them."""

    KEY = "config.linkerd.io/proxy-log-level"

    @pytest.mark.parametrize(("line", "level"), [(STABLE, "pod"), (EDGE, "namespace")])
    def test_the_templates_annotation_against_the_namespaces(self, line: str, level: str) -> None:
        got = inject(workload("Deployment", pod({self.KEY: "pod"})), injector(line), namespace={self.KEY: "namespace"})
        assert got["spec"]["template"]["metadata"]["annotations"][self.KEY] == level

    @pytest.mark.parametrize("line", LINES)
    def test_the_workloads_annotation_keeps_the_namespaces_away(self, line: str) -> None:
        body = workload("Deployment", pod(), annotations={self.KEY: "workload"})
        got = inject(body, injector(line), namespace={self.KEY: "namespace"})
        assert self.KEY not in got["spec"]["template"]["metadata"]["annotations"]
