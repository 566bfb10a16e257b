"""The self-test: what the API server is asked, and what its answers mean."""

from __future__ import annotations

import copy

import pytest

from tests.kube.store import Store
from webhook.diagnosis import selftest
from webhook.diagnosis.selftest import ANSWERED_BY, run
from webhook.install.configurations import SELF_TEST_LABEL as LABEL
from webhook.kube.errors import ApiError
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ServiceReference

SERVICE = ServiceReference("linkerd", "linkerd-webhook")
PATH = "/api/v1/namespaces/linkerd/configmaps/linkerd-webhook-self-test"


@pytest.fixture
def api() -> Store:
    """An API server with the self-test's ConfigMap, that calls nobody."""
    store = Store()
    store.put(PATH, {"kind": "ConfigMap"})
    return store


class TestRun:
    async def test_it_is_a_dry_run_on_our_own_config_map(self, api: Store) -> None:
        def answered(body: JSON) -> JSON:
            labelled = body["metadata"].get("labels") == {LABEL: "true"}
            annotations = {ANSWERED_BY: "pod-1"} if labelled else {}
            return {**body, "metadata": {**body["metadata"], "annotations": annotations}}

        api.admit = answered
        before = copy.deepcopy(api.objects)
        assert (await run(api, SERVICE)).answered_by == "pod-1"  # type: ignore[arg-type]
        assert api.writes == [("PATCH", PATH)]
        assert api.done[0].query["dryRun"] == "All"
        assert api.objects == before

    async def test_no_answer_of_ours_in_it_is_no_success(self, api: Store) -> None:
        result = await run(api, SERVICE)  # type: ignore[arg-type]
        assert result.answered_by == ""
        assert "MutatingWebhookConfiguration linkerd-webhook-self-test" in result.problem

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
        api.failures[PATH] = ApiError(status, text)
        result = await run(api, SERVICE)  # type: ignore[arg-type]
        assert result.answered_by == ""
        assert says in result.problem

    async def test_silence_is_told(self, api: Store) -> None:
        api.failures[PATH] = TimeoutError()
        result = await run(api, SERVICE)  # type: ignore[arg-type]
        assert f"{selftest.WITHIN:.0f} s" in result.problem
