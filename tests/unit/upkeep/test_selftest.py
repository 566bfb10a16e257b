"""The self-test: what the API server is asked, and what its answers mean."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.kube.store import Store
from webhook.install.configurations import SELF_TEST_LABEL as LABEL
from webhook.review import AdmissionRequest, GroupVersionKind
from webhook.upkeep import selftest
from webhook.upkeep.selftest import ANSWERED_BY, SelfTest, reach

from .conftest import JSON, SERVICE, refused


def request(body: Any) -> AdmissionRequest:
    """A review of the self-test's ConfigMap."""
    kind = GroupVersionKind("", "v1", "ConfigMap")
    return AdmissionRequest("u", "admission.k8s.io/v1", kind, kind, "linkerd", "n", "UPDATE", body, dry_run=True)


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


PATH = "/api/v1/namespaces/linkerd/configmaps/linkerd-webhook-self-test"


@pytest.fixture
def api() -> Store:
    """An API server with the self-test's ConfigMap, that calls nobody."""
    store = Store()
    store.put(PATH, {"kind": "ConfigMap"})
    return store


class TestReach:
    async def test_it_is_a_dry_run_on_our_own_config_map(self, api: Store) -> None:
        def answered(body: JSON) -> JSON:
            labelled = body["metadata"].get("labels") == {LABEL: "true"}
            annotations = {ANSWERED_BY: "pod-1"} if labelled else {}
            return {**body, "metadata": {**body["metadata"], "annotations": annotations}}

        api.admit = answered
        before = copy.deepcopy(api.objects)
        assert (await reach(api, SERVICE)).answered_by == "pod-1"  # type: ignore[arg-type]
        assert api.writes == [("PATCH", PATH)]
        assert api.done[0].query["dryRun"] == "All"
        assert api.objects == before

    async def test_no_answer_of_ours_in_it_is_no_success(self, api: Store) -> None:
        found = await reach(api, SERVICE)  # type: ignore[arg-type]
        assert found.answered_by == ""
        assert "MutatingWebhookConfiguration linkerd-webhook-self-test" in found.problem

    @pytest.mark.parametrize(
        ("status", "text", "says"),
        [
            (500, 'failed calling webhook "self-test": context deadline exceeded', "context deadline exceeded"),
            (500, "x509: certificate signed by unknown authority", "x509"),
            (404, "not found", "apply what `linkerd-webhook install` prints"),
            (403, 'User "system:serviceaccount:linkerd:linkerd-webhook" cannot patch', "grant patch"),
            (0, "connection refused", "no connection to the API server"),
        ],
    )
    async def test_the_reason_is_told_in_the_api_server_s_words_with_what_to_do(
        self, api: Store, status: int, text: str, says: str
    ) -> None:
        api.failures[PATH] = refused(status, text)
        found = await reach(api, SERVICE)  # type: ignore[arg-type]
        assert found.answered_by == ""
        assert says in found.problem

    async def test_silence_is_told(self, api: Store) -> None:
        api.failures[PATH] = TimeoutError()
        found = await reach(api, SERVICE)  # type: ignore[arg-type]
        assert f"{selftest.WITHIN:.0f} s" in found.problem
