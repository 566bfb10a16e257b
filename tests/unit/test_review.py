"""AdmissionReview in and out."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from webhook.pod import ObjectMeta, Pod
from webhook.review import (
    AdmissionRequest,
    Answer,
    GroupVersionKind,
    GroupVersionResource,
    ReviewError,
    deny,
    from_object,
    parse,
    render,
)

UID = "0f1c6a3e-1111-4222-8333-444455556666"
V1 = "admission.k8s.io/v1"
V1BETA1 = "admission.k8s.io/v1beta1"


def review(**fields: Any) -> dict[str, Any]:
    """An AdmissionReview whose request has these fields beside its uid; `...` takes one away."""
    request = {"uid": UID, **fields}
    return {
        "apiVersion": V1,
        "kind": "AdmissionReview",
        "request": {key: value for key, value in request.items() if value is not ...},
    }


def refused(body: Any) -> ReviewError:
    """The error that a body is refused with, the same as text and parsed."""
    with pytest.raises(ReviewError) as caught:
        from_object(body)
    with pytest.raises(ReviewError) as from_text:
        parse(json.dumps(body).encode())
    assert vars(from_text.value) == vars(caught.value)
    return caught.value


def response(answer: Answer) -> dict[str, Any]:
    """What the API server reads of an answer."""
    return dict(json.loads(render(UID, V1, answer))["response"])


def fields(request: AdmissionRequest) -> tuple[Any, ...]:
    """All that a request says."""
    return (
        request.uid,
        request.api_version,
        request.kind,
        request.resource,
        request.namespace,
        request.name,
        request.operation,
        request.object,
        request.old_object,
        request.dry_run,
        request.has_object,
    )


NOTHING = (UID, V1, GroupVersionKind(), GroupVersionResource(), "", "", "", None, None, False, False)


@pytest.fixture(params=["text", "parsed"])
def read(request: pytest.FixtureRequest) -> Callable[[Any], AdmissionRequest]:
    """Reads a review both ways: as the server gets it, and as `review` has it from YAML."""
    return from_object if request.param == "parsed" else lambda body: parse(json.dumps(body).encode())


Read = Callable[[Any], AdmissionRequest]


class TestReading:
    def test_every_field_of_the_request_is_read(self, read: Read) -> None:
        body = review(
            kind={"group": "apps", "version": "v1", "kind": "Deployment"},
            resource={"group": "apps", "version": "v1", "resource": "deployments"},
            namespace="shop",
            name="web",
            operation="UPDATE",
            object={"kind": "Deployment"},
            oldObject={"kind": "Deployment", "spec": {}},
            dryRun=True,
        )
        assert fields(read(body)) == (
            UID,
            V1,
            GroupVersionKind("apps", "v1", "Deployment"),
            GroupVersionResource("apps", "v1", "deployments"),
            "shop",
            "web",
            "UPDATE",
            {"kind": "Deployment"},
            {"kind": "Deployment", "spec": {}},
            True,
            True,
        )

    def test_a_uid_is_all_that_a_request_needs(self, read: Read) -> None:
        assert fields(read(review())) == NOTHING

    def test_null_reads_as_absent(self, read: Read) -> None:
        keys = ("kind", "resource", "namespace", "name", "operation", "object", "oldObject", "dryRun")
        assert fields(read(review(**dict.fromkeys(keys)))) == NOTHING

    @pytest.mark.parametrize("body", [{}, [], 0, "", False])
    def test_an_empty_object_is_one(self, read: Read, body: Any) -> None:
        request = read(review(object=body))
        assert request.has_object
        assert request.object == body

    def test_v1beta1_is_read_and_remembered(self, read: Read) -> None:
        assert read({**review(), "apiVersion": V1BETA1}).api_version == V1BETA1

    def test_fields_of_a_newer_kubernetes_are_no_error(self, read: Read) -> None:
        assert read({**review(shiny=[1]), "extra": {}}).uid == UID

    def test_of_two_keys_of_one_name_the_last_counts(self) -> None:
        text = f'{{"apiVersion":"{V1}","kind":"AdmissionReview","request":{{"uid":"first","uid":"{UID}"}}}}'
        assert parse(text.encode()).uid == UID


class TestPods:
    """As an API server writes them, they are decoded with their review."""

    def read(self, rest: str) -> AdmissionRequest:
        """The request of a Pod with this text behind its kind."""
        rest = f'"uid":"{UID}","kind":{{"group":"","version":"v1","kind":"Pod"}}{rest}'
        return parse(f'{{"apiVersion":"{V1}","kind":"AdmissionReview","request":{{{rest}}}}}'.encode())

    def test_what_webhooks_read_is_there_at_once_and_the_whole_object_when_asked_for(self) -> None:
        request = self.read(',"object":{"metadata":{"name":"web"},"status":{"phase":"Pending"}},"name":"web"')
        assert request.pod == Pod(metadata=ObjectMeta(name="web"))
        assert request.has_object
        assert request.object == {"metadata": {"name": "web"}, "status": {"phase": "Pending"}}
        assert (request.uid, request.name, request.kind) == (UID, "web", GroupVersionKind("", "v1", "Pod"))

    @pytest.mark.parametrize("rest", ["", ',"object":null'])
    def test_there_may_be_none(self, rest: str) -> None:
        request = self.read(rest)
        assert (request.pod, request.has_object, request.object) == (None, False, None)

    def test_one_that_does_not_fit_is_an_object_like_others(self) -> None:
        request = self.read(',"object":{"metadata":{"name":7}}')
        assert request.pod is None
        assert request.object == {"metadata": {"name": 7}}

    def test_other_objects_stay_text_until_they_are_asked_for(self) -> None:
        request = parse(
            f'{{"apiVersion":"{V1}","kind":"AdmissionReview","request":{{"uid":"{UID}","object":"'.encode() + b'\xff"}}'
        )
        assert request.has_object
        with pytest.raises(ReviewError, match=r"request\.object is not JSON"):
            _ = request.object

    def test_the_old_one_is_not_read_before_it_is_asked_for(self) -> None:
        request = self.read(',"oldObject":{"metadata":{"name":7}},"object":{}')
        assert (request.pod, request.old_object) == (Pod(), {"metadata": {"name": 7}})

    def test_a_review_that_is_wrong_elsewhere_is_refused(self) -> None:
        with pytest.raises(ReviewError, match=r"request\.namespace is a number"):
            self.read(',"namespace":1,"object":{}')


class TestBodiesThatAreNoReview:
    """Where no uid is found there is nothing to answer."""

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"", "the body is empty: post an AdmissionReview as JSON"),
            (b"[]", "the body is an array, and must be an AdmissionReview object"),
            (b"null", "the body is missing, and must be an AdmissionReview object"),
            (b"7", "the body is a number, and must be an AdmissionReview object"),
            (b"true", "the body is a boolean, and must be an AdmissionReview object"),
            (b'"Pod"', "the body is a string, and must be an AdmissionReview object"),
            (b"{}", "request is missing, and must be an AdmissionRequest object"),
            (b'{"request":[]}', "request is an array, and must be an AdmissionRequest object"),
            (b'{"request":{}}', "request.uid is missing, and must be the string that the API server chose"),
            (
                b'{"request":{"uid":""}}',
                "request.uid is an empty string, and must be the string that the API server chose",
            ),
            (b'{"request":{"uid":7}}', "request.uid is a number, and must be the string that the API server chose"),
        ],
    )
    def test_the_message_says_what_is_there_and_what_should_be(self, body: bytes, message: str) -> None:
        with pytest.raises(ReviewError) as caught:
            parse(body)
        assert caught.value.message == message
        assert caught.value.uid is None

    @pytest.mark.parametrize(
        "body",
        [
            b" ",
            b"{",
            b"apiVersion: v1",
            b'{"a":1}{"a":2}',
            b"{'a':1}",
            b"\x00",
            b"NaN",
            b'{"request":{"uid":"\xff\xfe"}}',
        ],
    )
    def test_what_is_no_json_in_utf_8_is_said_to_be_none(self, body: bytes) -> None:
        with pytest.raises(ReviewError, match=r"^the body is not JSON: ") as caught:
            parse(body)
        assert caught.value.uid is None

    @pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
    def test_ten_thousand_levels_are_refused_without_a_crash(self, opening: str, closing: str) -> None:
        with pytest.raises(ReviewError):
            parse((opening * 10_000 + "1" + closing * 10_000).encode())

    @pytest.mark.parametrize("key", ["object", "oldObject", "shiny"])
    def test_ten_thousand_levels_within_the_request_crash_nothing(self, key: str) -> None:
        deep = "[" * 10_000 + "]" * 10_000
        text = f'{{"apiVersion":"{V1}","kind":"AdmissionReview","request":{{"uid":"{UID}","{key}":{deep}}}}}'
        with contextlib.suppress(ReviewError):
            request = parse(text.encode())
            assert (request.uid, request.object or request.old_object) == (UID, None)


class TestReviewsThatCanBeAnswered:
    """Where a uid is found, the error carries it and the version to answer in."""

    @pytest.mark.parametrize("version", [V1, "admission.k8s.io/v1beta1"])
    @pytest.mark.parametrize("rest", ['"object":{', f'"object":{"[" * 2000}{"]" * 2000}}}}}', ""])
    def test_a_uid_that_comes_before_the_text_breaks_is_answered(self, version: str, rest: str) -> None:
        text = f'{{"kind":"AdmissionReview","apiVersion":"{version}","request":{{"uid":"{UID}",{rest}'
        try:
            request = parse(text.encode())
            with pytest.raises(ReviewError) as caught:
                _ = request.object
        except ReviewError:
            with pytest.raises(ReviewError) as caught:
                parse(text.encode())
        assert (caught.value.uid, caught.value.api_version) == (UID, version)

    def test_a_uid_elsewhere_in_a_broken_text_is_not_the_request_s(self) -> None:
        with pytest.raises(ReviewError) as caught:
            parse(f'{{"object":{{"uid":"{UID}"'.encode())
        assert caught.value.uid is None

    @pytest.mark.parametrize("version", ["admission.k8s.io/v2", "v1", "apps/v1"])
    def test_an_unknown_version_is_answered_in_kind(self, version: str) -> None:
        error = refused({**review(), "apiVersion": version})
        assert (error.uid, error.api_version) == (UID, version)
        assert error.message == (
            f'apiVersion is "{version}", and must be admission.k8s.io/v1 or admission.k8s.io/v1beta1: write one of '
            "them in the webhook configuration's admissionReviewVersions"
        )

    @pytest.mark.parametrize(("version", "shown"), [(None, "missing"), ("", '""'), (1, "a number"), ([], "an array")])
    def test_a_version_that_says_nothing_is_answered_as_v1(self, version: Any, shown: str) -> None:
        error = refused({**review(), "apiVersion": version})
        assert (error.uid, error.api_version) == (UID, V1)
        assert error.message.startswith(f"apiVersion is {shown}, and must be admission.k8s.io/v1 or ")

    @pytest.mark.parametrize(
        ("kind", "shown"), [("Pod", '"Pod"'), (None, "missing"), ({}, "an object"), ("K" * 100, f'"{"K" * 59}…"')]
    )
    def test_another_kind_is_refused(self, kind: Any, shown: str) -> None:
        error = refused({**review(), "kind": kind})
        assert (error.uid, error.message) == (UID, f"kind is {shown}, and must be AdmissionReview")

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"namespace": 7}, "request.namespace is a number, and must be a string"),
            ({"name": ["x"]}, "request.name is an array, and must be a string"),
            ({"operation": {}}, "request.operation is an object, and must be a string"),
            ({"dryRun": "true"}, "request.dryRun is a string, and must be true or false"),
            ({"dryRun": 1}, "request.dryRun is a number, and must be true or false"),
            ({"kind": "Pod"}, "request.kind is a string, and must be an object of group, version and kind"),
            ({"resource": []}, "request.resource is an array, and must be an object of group, version and resource"),
            ({"kind": {"kind": 5}}, "request.kind.kind is a number, and must be a string"),
            ({"resource": {"group": ["apps"]}}, "request.resource.group is an array, and must be a string"),
        ],
    )
    def test_a_wrong_type_is_named_by_its_path(self, fields: dict[str, Any], message: str) -> None:
        error = refused(review(**fields))
        assert error.message == message
        assert (error.uid, error.api_version) == (UID, V1)

    @pytest.mark.parametrize("value", [False, 0, [], {}])
    def test_an_empty_value_of_a_wrong_type_is_wrong_too(self, value: Any) -> None:
        assert refused(review(kind={"kind": value})).message.startswith("request.kind.kind is ")


class TestWriting:
    def test_an_answer_without_a_change_is_brief(self) -> None:
        assert json.loads(render(UID, V1, Answer())) == {
            "apiVersion": V1,
            "kind": "AdmissionReview",
            "response": {"uid": UID, "allowed": True},
        }

    def test_v1beta1_is_answered_in_kind(self) -> None:
        assert json.loads(render(UID, V1BETA1, Answer()))["apiVersion"] == V1BETA1

    def test_a_patch_is_base64_of_json(self) -> None:
        operations = [{"op": "add", "path": "/metadata/labels", "value": {"größe": 'a"b\\c\n'}}]
        answer = response(Answer(patch=operations))
        assert answer["patchType"] == "JSONPatch"
        assert json.loads(base64.b64decode(answer["patch"], validate=True)) == operations

    @pytest.mark.parametrize("patch", [None, []])
    def test_no_operations_are_no_patch(self, patch: list[dict[str, Any]] | None) -> None:
        assert response(Answer(patch=patch)) == {"uid": UID, "allowed": True}

    def test_a_denial_has_code_reason_and_message(self) -> None:
        answer = deny("no such namespace", code=404, status_reason="NotFound", reason="namespace_not_found")
        assert response(answer) == {
            "uid": UID,
            "allowed": False,
            "status": {"code": 404, "reason": "NotFound", "message": "no such namespace"},
        }

    def test_a_denial_carries_no_patch(self) -> None:
        answer = deny("no")
        answer.patch = [{"op": "add", "path": "/a", "value": 1}]
        assert set(response(answer)) == {"uid", "allowed", "status"}

    def test_details_are_part_of_the_status(self) -> None:
        answer = deny("no")
        answer.details = {"causes": [{"field": "spec.port"}]}
        assert response(answer)["status"]["details"] == {"causes": [{"field": "spec.port"}]}

    def test_the_request_is_not_echoed(self) -> None:
        request = parse(json.dumps(review(object={"metadata": {"name": "a-secret-name"}})).encode())
        written = render(request.uid, request.api_version, Answer(audit={"decision": "unchanged"}))
        assert b"a-secret-name" not in written
        assert "request" not in json.loads(written)


class TestWarnings:
    def test_one_of_256_characters_is_shown_whole(self) -> None:
        assert response(Answer(warnings=["w" * 256]))["warnings"] == ["w" * 256]

    def test_a_longer_one_is_cut_to_256_and_whole_in_the_audit_log(self) -> None:
        answer = response(Answer(warnings=["w" * 257]))
        assert answer["warnings"] == ["w" * 128 + "…" + "w" * 127]
        assert answer["auditAnnotations"] == {"warnings": "w" * 257}

    def test_long_names_lose_their_middle_and_the_advice_stays(self) -> None:
        text = f'Server "web-{"x" * 300}-end" does not exist in Namespace shop-{"y" * 60}: create it (a-rule)'
        (warning,) = response(Answer(warnings=[text]))["warnings"]
        assert len(warning) == 256
        assert warning.startswith('Server "web-xxx')
        assert warning.endswith(f'-end" does not exist in Namespace shop-{"y" * 60}: create it (a-rule)')

    def test_a_value_with_blanks_in_quotes_is_one_name(self) -> None:
        value = "quite " * 60
        (warning,) = response(Answer(warnings=[f'config.linkerd.io/proxy-uid is "{value}": write a number (a-rule)']))[
            "warnings"
        ]
        assert len(warning) == 256
        assert warning.startswith('config.linkerd.io/proxy-uid is "quite quite')
        assert warning.endswith('quite ": write a number (a-rule)')

    def test_a_sentence_of_short_words_alone_loses_its_middle(self) -> None:
        (warning,) = response(Answer(warnings=["no " * 200 + "end (a-rule)"]))["warnings"]
        assert len(warning) == 256
        assert warning.startswith("no no")
        assert warning.endswith("no end (a-rule)")

    def test_line_breaks_become_blanks(self) -> None:
        assert response(Answer(warnings=["one\ntwo\r\n\tthree"]))["warnings"] == ["one two three"]

    def test_ten_are_shown(self) -> None:
        assert response(Answer(warnings=[str(n) for n in range(10)]))["warnings"] == list("0123456789")

    def test_of_more_the_tenth_counts_the_rest(self) -> None:
        answer = response(Answer(warnings=[f"w{n}" for n in range(12)]))
        assert answer["warnings"] == [
            *(f"w{n}" for n in range(9)),
            "3 more warnings: see the audit log or the webhook's log",
        ]
        assert answer["auditAnnotations"]["warnings"] == "; ".join(f"w{n}" for n in range(12))

    def test_the_audit_log_is_not_flooded(self) -> None:
        audit = response(Answer(audit={"settings": "s" * 5000}))["auditAnnotations"]
        assert audit == {"settings": "s" * 4095 + "…"}
