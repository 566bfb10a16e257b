"""The webhook of the self-test: what it answers."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.diagnosis.selftest import ANSWERED_BY
from webhook.review import AdmissionRequest, GroupVersionKind, GroupVersionResource
from webhook.webhooks.self_test import SelfTest


def request(body: Any) -> AdmissionRequest:
    """A review of the self-test's ConfigMap."""
    kind = GroupVersionKind("", "v1", "ConfigMap")
    return AdmissionRequest(
        "u", "admission.k8s.io/v1", kind, GroupVersionResource(), "linkerd", "n", "UPDATE", body, dry_run=True
    )


class TestAnswer:
    @pytest.mark.parametrize("body", [{}, {"metadata": {}}, {"metadata": None}, None, {"metadata": {"annotations": 1}}])
    async def test_an_object_without_annotations_gets_some(self, body: Any) -> None:
        answer = await SelfTest("pod-1").answer(request(body))
        assert answer.allowed
        assert answer.patch == [
            {"op": "add", "path": "/metadata/annotations", "value": {ANSWERED_BY: "pod-1"}},
        ]

    async def test_annotations_that_are_there_stay(self) -> None:
        answer = await SelfTest("pod-1").answer(request({"metadata": {"annotations": {"a": "b"}}}))
        path = "/metadata/annotations/linkerd-webhook~1answered-by"
        assert answer.patch == [{"op": "add", "path": path, "value": "pod-1"}]
