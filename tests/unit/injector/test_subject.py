"""Objects of every wrong shape: what the injector reads must be of the right type, and the rest may be anything."""

from __future__ import annotations

import json
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest

from tests.unit.injector.builders import (
    ENABLED,
    INJECT,
    LINES,
    answer_to,
    container,
    decide,
    injector,
    patched,
    pod,
    request,
)
from webhook.injector.refusal import Refusal
from webhook.injector.subject import Subject, read
from webhook.kube.objects import Namespace
from webhook.review import JSON, AdmissionRequest, ReviewError, parse

NUMBER = "a whole number of 32 bits"


def with_value(path: str, value: Any) -> JSON:
    """An injected Pod with this value at a path such as `spec.containers[0].ports[0].name`."""
    body = pod(labels={"app": "x"}, containers=[container()])
    parts: list[str | int] = []
    for step in path.replace("]", "").split("."):
        name, *indices = step.split("[")
        parts += [name, *(int(index) for index in indices)]
    node: Any = body
    for part, following in pairwise(parts):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(part, int):
            node += [deepcopy(empty)] * (part + 1 - len(node))
        elif part not in node:
            node[part] = empty
        node = node[part]
    if isinstance(parts[-1], int):
        node += [None] * (parts[-1] + 1 - len(node))
    node[parts[-1]] = value
    return body


def around(text: bytes) -> AdmissionRequest:
    """A request about a Pod of this text."""
    return parse(
        b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview",'
        b'"request":{"uid":"u","kind":{"group":"","version":"v1","kind":"Pod"},"object":' + text + b"}}"
    )


WRONG_TYPES = [
    ("metadata", [], "an array", "an object"),
    ("metadata", "x", '"x"', "an object"),
    ("metadata.annotations", [], "an array", "an object"),
    ("metadata.annotations", "a=b", '"a=b"', "an object"),
    ("metadata.labels", 7, "7", "an object"),
    ("metadata.name", [], "an array", "a string"),
    ("metadata.generateName", {}, "an object", "a string"),
    ("metadata.namespace", ["x"], "an array", "a string"),
    ("metadata.ownerReferences", {}, "an object", "an array"),
    ("metadata.ownerReferences[0]", "web", '"web"', "an object"),
    ("metadata.ownerReferences[0].kind", {}, "an object", "a string"),
    ("spec", [], "an array", "an object"),
    ("spec", True, "true", "an object"),
    ("spec.hostNetwork", "true", '"true"', "true or false"),
    ("spec.hostNetwork", 1, "1", "true or false"),
    ("spec.automountServiceAccountToken", "no", '"no"', "true or false"),
    ("spec.volumes", {}, "an object", "an array"),
    ("spec.volumes[0]", "v", '"v"', "an object"),
    ("spec.containers", {}, "an object", "an array"),
    ("spec.containers", "app", '"app"', "an array"),
    ("spec.containers[1]", [], "an array", "an object"),
    ("spec.containers[0].name", {}, "an object", "a string"),
    ("spec.containers[0].image", [], "an array", "a string"),
    ("spec.containers[0].ports", 80, "80", "an array"),
    ("spec.containers[0].ports[1]", 80, "80", "an object"),
    ("spec.containers[0].ports[0].containerPort", "http", '"http"', NUMBER),
    ("spec.containers[0].ports[0].containerPort", 80.5, "80.5", NUMBER),
    ("spec.containers[0].ports[0].containerPort", 2**31, "2147483648", NUMBER),
    ("spec.containers[0].ports[0].containerPort", True, "true", NUMBER),
    ("spec.containers[0].ports[0].name", [], "an array", "a string"),
    ("spec.containers[0].volumeMounts", "x", '"x"', "an array"),
    ("spec.containers[0].volumeMounts[0]", [], "an array", "an object"),
    ("spec.containers[0].volumeMounts[0].mountPath", {}, "an object", "a string"),
    ("spec.containers[0].volumeMounts[0].name", [], "an array", "a string"),
    ("spec.containers[0].volumeMounts[0].readOnly", "yes", '"yes"', "true or false"),
    ("spec.containers[0].securityContext", [], "an array", "an object"),
    ("spec.containers[0].securityContext.capabilities", [], "an array", "an object"),
    ("spec.containers[0].securityContext.capabilities.add", "ALL", '"ALL"', "an array"),
    ("spec.containers[0].securityContext.capabilities.drop[0]", {}, "an object", "a string"),
    ("spec.containers[0].readinessProbe", [], "an array", "an object"),
    ("spec.containers[0].livenessProbe.httpGet", "x", '"x"', "an object"),
    ("spec.containers[0].livenessProbe.httpGet.port", [], "an array", NUMBER),
    ("spec.containers[0].readinessProbe.httpGet.port", True, "true", NUMBER),
    ("spec.containers[0].readinessProbe.httpGet.port", 2**40, "1099511627776", NUMBER),
    ("spec.initContainers", {}, "an object", "an array"),
    ("spec.initContainers[0]", 5, "5", "an object"),
    ("spec.initContainers[0].ports[0].containerPort", "x" * 99, f'"{"x" * 40}"', NUMBER),
]


@pytest.mark.parametrize("line", LINES)
class TestWrongTypes:
    @pytest.mark.parametrize(("path", "value", "shown", "wanted"), WRONG_TYPES)
    def test_a_pod_is_refused_with_path_value_and_what_is_wanted(
        self, line: str, path: str, value: Any, shown: str, wanted: str
    ) -> None:
        answer = decide(with_value(path, value), injector(line), namespace=ENABLED)
        assert (answer.allowed, answer.patch) == (False, None)
        assert (answer.code, answer.status_reason, answer.reason) == (400, "BadRequest", "malformed_object")
        assert answer.message == f"object.{path} is {shown}, and must be {wanted}: correct the manifest"

    @pytest.mark.parametrize("key", ["annotations", "labels"])
    @pytest.mark.parametrize(("value", "shown"), [([], "an array"), ({}, "an object")])
    def test_so_is_one_whose_map_of_texts_holds_another(self, line: str, key: str, value: Any, shown: str) -> None:
        body = pod()
        body["metadata"][key] = {"a/b": value, **ENABLED}
        answer = decide(body, injector(line))
        assert answer.message == f"object.metadata.{key}[a/b] is {shown}, and must be a string: correct the manifest"

    @pytest.mark.parametrize(("body", "shown"), [([], "an array"), ("pod", '"pod"'), (7, "7"), (True, "true")])
    def test_so_is_what_is_no_object_at_all(self, line: str, body: Any, shown: str) -> None:
        answer = decide(body, injector(line))
        assert answer.message == f"object is {shown}, and must be an object: correct the manifest"

    @pytest.mark.parametrize(
        ("path", "value", "where", "shown", "wanted"),
        [
            (("spec",), [], "spec", "an array", "an object"),
            (("spec", "template"), "x", "spec.template", '"x"', "an object"),
            (("spec", "replicas"), "3", "spec.replicas", '"3"', NUMBER),
            (("spec", "template", "metadata"), 5, "spec.template.metadata", "5", "an object"),
            (("spec", "template", "spec"), [], "spec.template.spec", "an array", "an object"),
            (("spec", "template", "spec", "containers"), {}, "spec.template.spec.containers", "an object", "an array"),
            (("metadata",), [], "metadata", "an array", "an object"),
        ],
    )
    def test_so_is_a_workload(
        self, line: str, path: tuple[str, ...], value: Any, where: str, shown: str, wanted: str
    ) -> None:
        body: JSON = {"kind": "Deployment", "spec": {"template": pod()}}
        node = body
        for part in path[:-1]:
            node = node[part]
        node[path[-1]] = value
        answer = decide(body, injector(line), namespace=ENABLED)
        assert answer.message == f"object.{where} is {shown}, and must be {wanted}: correct the manifest"

    @pytest.mark.parametrize(
        ("spec", "where", "shown", "wanted"),
        [
            ([], "spec", "an array", "an object"),
            ({"ports": {}}, "spec.ports", "an object", "an array"),
            ({"ports": ["80"]}, "spec.ports[0]", '"80"', "an object"),
            ({"ports": [{"port": "80"}]}, "spec.ports[0].port", '"80"', NUMBER),
            ({"ports": [{}, {"targetPort": []}]}, "spec.ports[1].targetPort", "an array", NUMBER),
        ],
    )
    def test_so_is_a_service(self, line: str, spec: Any, where: str, shown: str, wanted: str) -> None:
        answer = decide({"kind": "Service", "spec": spec}, injector(line))
        assert (answer.allowed, answer.message) == (
            False,
            f"object.{where} is {shown}, and must be {wanted}: correct the manifest",
        )


@pytest.mark.parametrize("line", LINES)
class TestScalarsThatBecomeText:
    @pytest.mark.parametrize(
        ("value", "text"), [(True, "true"), (False, "false"), (5, "5"), (0.5, "0.5"), (1e6, "1e+06"), (None, "")]
    )
    def test_an_annotation_counts_as_its_text(self, line: str, value: Any, text: str) -> None:
        body = pod()
        body["metadata"]["annotations"] = {INJECT: "enabled", "config.linkerd.io/access-log": value}
        got = patched(body, decide(body, injector(line)))
        env = {
            variable["name"]: variable.get("value")
            for c in (*got["spec"]["initContainers"], *got["spec"]["containers"])
            for variable in c.get("env", ())
        }
        assert env.get("LINKERD2_PROXY_ACCESS_LOG", "") == text

    def test_an_inject_annotation_that_is_a_boolean_is_invalid(self, line: str) -> None:
        body = pod()
        body["metadata"]["annotations"] = {INJECT: True}
        assert decide(body, injector(line)).reason == "invalid_inject_annotation_at_workload"

    @pytest.mark.parametrize("key", ["name", "image"])
    def test_names_and_images_may_be_numbers(self, line: str, key: str) -> None:
        assert decide(with_value(f"spec.containers[0].{key}", 5), injector(line)).decision == "injected"


@pytest.mark.parametrize("line", LINES)
class TestWhatIsTakenAsItComes:
    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("spec.affinity", []),
            ("spec.tolerations", "all"),
            ("spec.containers[0].env", {}),
            ("spec.containers[0].resources", [1]),
            ("spec.containers[0].startupProbe.periodSeconds", "x"),
            ("spec.containers[0].ports[0].hostPort", "x"),
            ("spec.containers[0].readinessProbe.grpc", []),
            ("spec.ephemeralContainers", 5),
            ("metadata.managedFields", "x"),
            ("metadata.creationTimestamp", 5),
            ("status", []),
            ("spec.containers[0].ports[0].containerPort", 80.0),
            ("spec.containers[0].readinessProbe.httpGet.port", "http"),
        ],
    )
    def test_what_nobody_reads_may_be_anything(self, line: str, path: str, value: Any) -> None:
        body = with_value(path, value)
        answer = decide(body, injector(line))
        assert answer.decision == "injected"
        patched(body, answer)

    @pytest.mark.parametrize(
        "path",
        [
            "metadata.labels",
            "metadata.ownerReferences",
            "spec.volumes",
            "spec.containers",
            "spec.initContainers",
            "spec.hostNetwork",
            "spec.containers[0].ports",
            "spec.containers[0].ports[0]",
            "spec.containers[0].ports[0].containerPort",
            "spec.containers[0].volumeMounts",
            "spec.containers[0].volumeMounts[0]",
            "spec.containers[0].securityContext",
            "spec.containers[0].securityContext.capabilities",
            "spec.containers[0].securityContext.capabilities.add",
            "spec.containers[0].securityContext.capabilities.add[0]",
            "spec.containers[0].readinessProbe",
            "spec.containers[0].readinessProbe.httpGet",
            "spec.containers[0].readinessProbe.httpGet.port",
            "spec.containers[0].name",
            "spec.initContainers[1]",
        ],
    )
    def test_null_reads_as_absent(self, line: str, path: str) -> None:
        body = with_value(path, None)
        answer = decide(body, injector(line))
        assert answer.decision == "injected", answer.message
        patched(body, answer)


class TestReading:
    def test_the_object_says_its_kind_before_the_request(self) -> None:
        assert Subject.of("Pod", {"kind": "StatefulSet"}).kind == "statefulset"

    @pytest.mark.parametrize("kind", [None, "", 5])
    def test_the_request_says_it_where_the_object_does_not(self, kind: Any) -> None:
        assert Subject.of("Pod", {"kind": kind}).kind == "pod"

    def test_a_name_that_is_yet_to_be_chosen_is_known_by_its_beginning(self) -> None:
        assert read(request({"metadata": {"generateName": "web-"}})).name == "web-"
        assert read(request({"metadata": {"name": "web-1", "generateName": "web-"}})).name == "web-1"
        assert read(request({})).name == ""

    @pytest.mark.parametrize(
        "text", [b'{"spec":{"containers":[{"image":"\xff\xfe"}]}}', b'{"metadata":{"annotations":{"a":"\xc3"}}}']
    )
    def test_bytes_that_are_no_utf_8_are_refused_where_they_are_read(self, text: bytes) -> None:
        answer = answer_to(around(text), injector(), Namespace("shop", ENABLED, {}))
        assert (answer.allowed, answer.reason) == (False, "malformed_object")
        assert answer.message.startswith("request.object is not JSON: ")

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (b'{"spec":' + b'{"a":' * 10_000 + b"1", b"}" * 10_001),
            (b'{"spec":{"containers":' + b"[" * 10_000, b"]" * 10_000 + b"}}"),
        ],
    )
    def test_ten_thousand_levels_are_no_json_to_us(self, before: bytes, after: bytes) -> None:
        with pytest.raises(ReviewError, match="depth limit exceeded"):
            around(before + after)

    @pytest.mark.parametrize("kind", ["Pod", "pod", "Deployment"])
    def test_text_that_is_not_json_is_refused(self, kind: str) -> None:
        with pytest.raises(Refusal, match="the object is not JSON: "):
            Subject.of(kind, b'{"spec":')

    @pytest.mark.parametrize("body", [pod(), {"kind": "Deployment", "spec": {"template": pod()}}, {"kind": "Service"}])
    def test_an_object_is_the_same_as_text_and_parsed(self, body: JSON) -> None:
        text = json.dumps(body).encode()
        assert Subject.of(body["kind"], text) == Subject.of(body["kind"], body)
        assert Subject.of(body["kind"], memoryview(text)) == Subject.of(body["kind"], body)

    def test_of_two_keys_of_one_name_the_last_counts(self) -> None:
        text = b'{"spec":{"hostNetwork":true},"spec":{"hostNetwork":false},"metadata":{"labels":{"a":"1","a":"2"}}}'
        subject = read(around(text))
        assert subject.spec is not None
        assert subject.spec.host_network is False
        assert subject.pod_labels == {"a": "2"}
