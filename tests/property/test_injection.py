"""Whatever is asked, the answer is well-formed, and any patch applies."""

from __future__ import annotations

import base64
import json
from copy import deepcopy
from typing import Any

import jsonpatch
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.strategies import ANNOTATIONS, KINDS, OBJECTS, TEXTS, VALUES, sound
from tests.unit.injector.builders import ENABLED, INJECT, LINES, OPAQUE, answer_to, injector, request
from webhook.injector.inject import Injector
from webhook.injector.settings import SETTINGS
from webhook.kube.objects import Namespace
from webhook.review import Answer, render

BOUNDED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

NAMESPACES: st.SearchStrategy[dict[str, str]] = st.one_of(
    st.just(ENABLED), st.just({}), st.just({OPAQUE: "1-2"}), TEXTS
)
WORKLOADS = st.sampled_from([None, ("deployment", "web"), ("rollout", "x"), ("job", 'quo"te')])
ROWS = st.fixed_dictionaries({}, optional={row.annotation: VALUES for row in SETTINGS})


def ask(using: Injector, body: Any, *, namespace: dict[str, str], kind: str = "Pod", **options: Any) -> Answer:
    """The answer about an object, and that it is the same as text and parsed."""
    workload = options.get("workload")
    within = Namespace("shop", namespace, {})
    answer = answer_to(request(body, kind=kind), using, within, workload)
    parsed = answer_to(request(deepcopy(body), kind=kind, parsed=True), Injector(using.mesh), within, workload)
    assert parsed == answer
    return answer


def check(body: Any, answer: Answer) -> Any:
    """That an answer is well-formed and its patch applies; what the object is then comes out."""
    review = json.loads(render("the-uid", "admission.k8s.io/v1", answer))
    assert set(review) == {"apiVersion", "kind", "response"}
    response = review["response"]
    assert set(response) <= {"uid", "allowed", "status", "patch", "patchType", "warnings", "auditAnnotations"}
    assert response["uid"] == "the-uid"
    assert all(len(warning) <= 256 and "\n" not in warning for warning in response.get("warnings", ()))
    assert len(response.get("warnings", ())) <= 10
    assert all(isinstance(value, str) for value in response["auditAnnotations"].values())
    if not response["allowed"]:
        assert response["status"]["message"]
        assert 400 <= response["status"]["code"] < 600
        assert "patch" not in response
        return body
    if "patch" not in response:
        return body
    return jsonpatch.apply_patch(deepcopy(body), json.loads(base64.b64decode(response["patch"], validate=True)))


@pytest.mark.parametrize("line", LINES)
class TestAnyObject:
    @BOUNDED
    @given(body=OBJECTS, namespace=NAMESPACES, kind=st.sampled_from(KINDS), workload=WORKLOADS)
    def test_is_answered_and_patched_twice_the_same(
        self, line: str, body: Any, namespace: dict[str, str], kind: str, workload: tuple[str, str] | None
    ) -> None:
        using = injector(line)
        answer = ask(using, body, namespace=namespace, kind=kind, workload=workload)
        got = check(body, answer)
        if answer.patch:
            again = ask(using, got, namespace=namespace, kind=kind, workload=workload)
            assert (again.allowed, again.patch) == (True, None)

    @BOUNDED
    @given(body=sound(TEXTS), namespace=NAMESPACES)
    def test_of_a_mesh_that_can_inject_nothing_is_answered(
        self, line: str, body: Any, namespace: dict[str, str]
    ) -> None:
        answer = ask(injector(line, anchors=b""), body, namespace=namespace)
        check(body, answer)
        assert answer.decision != "injected"


@pytest.mark.parametrize("line", LINES)
class TestAnyAnnotations:
    @BOUNDED
    @given(body=sound(ROWS), namespace=st.one_of(st.just(ENABLED), ROWS.map(lambda rows: {**rows, **ENABLED})))
    def test_of_known_names_are_answered_and_an_injected_pod_is_left_alone(
        self, line: str, body: Any, namespace: dict[str, str]
    ) -> None:
        using = injector(line)
        answer = ask(using, body, namespace=namespace)
        assert answer.decision in ("injected", "denied")
        got = check(body, answer)
        if answer.decision == "injected":
            again = ask(using, got, namespace=namespace)
            assert (again.patch, again.warnings, again.reason) == (None, [], "sidecar_already_exists")

    @BOUNDED
    @given(name=st.sampled_from(ANNOTATIONS), text=st.text(st.characters(codec="utf-8"), max_size=200))
    def test_of_any_text_are_carried_verbatim(self, line: str, name: str, text: str) -> None:
        body = {"metadata": {"annotations": {**ENABLED, name: text}, "labels": {name: text}}, "spec": {}}
        answer = ask(injector(line), body, namespace={})
        got = check(body, answer)
        assert got["metadata"]["annotations"][name] == text
        assert got["metadata"]["labels"][name] == text
        if name == INJECT:
            assert answer.allowed
