"""How the CA's and the leaf's Secrets are written: by whom, over which version, and made anew only where nobody changed
them meanwhile."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certs.authority import Authority
from certs.issue import issue_ca
from certs.secrets import LABELS, TYPE
from tests.kube.store import Request, Store
from webhook.kube.errors import ApiError
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ServiceReference

SERVICE = ServiceReference("linkerd", "linkerd-webhook")
ROOT = "/api/v1/namespaces/linkerd/secrets"
CA = f"{ROOT}/linkerd-webhook-ca"
OURS = {"fieldManager": "linkerd-webhook"}


class Willing:
    """caBundles that are ready for whatever comes next."""

    def present(self, ca: x509.Certificate) -> bool:
        return True

    alone = settled = accept = present


def rigid(**more: object) -> JSON:
    """A CA's Secret of ours that must be made anew, as its CA has run out and it cannot be written."""
    pair = issue_ca("old", now=datetime(2020, 1, 1, tzinfo=UTC))
    data = {"tls.crt": base64.b64encode(pair.certificate).decode(), "tls.key": base64.b64encode(pair.key).decode()}
    metadata = {"name": "linkerd-webhook-ca", "labels": dict(LABELS)}
    return {"kind": "Secret", "type": TYPE, "immutable": True, "metadata": metadata, "data": data, **more}


async def step(api: Store) -> str:
    """Look, and do what comes next."""
    authority = Authority(api, SERVICE, SERVICE.dns_names())
    await authority.read()
    return await authority.step(Willing())


def sent(request: Request, method: str, path: str, query: dict[str, str]) -> JSON:
    """The body of a write of which the rest is as it should be."""
    assert (request.method, request.path, dict(request.query or {})) == (method, path, query)
    assert request.body is not None
    return request.body


async def test_a_first_ca_is_made_in_our_namespace_and_in_our_name() -> None:
    api = Store()
    await step(api)
    body = sent(api.tried[0], "POST", ROOT, OURS)
    metadata = body["metadata"]
    assert (body["apiVersion"], body["kind"], body["type"]) == ("v1", "Secret", "kubernetes.io/tls")
    assert (metadata["name"], metadata["namespace"]) == ("linkerd-webhook-ca", "linkerd")
    assert metadata["labels"] == LABELS
    assert set(body["data"]) == {"tls.crt", "tls.key"}


async def test_what_can_be_written_is_written_in_our_name_over_the_version_that_was_read() -> None:
    api = Store()
    body = rigid()
    del body["immutable"]
    api.put(CA, body)
    version = api.objects[CA]["metadata"]["resourceVersion"]
    await step(api)
    written = sent(api.tried[0], "PUT", CA, OURS)
    assert written["metadata"]["resourceVersion"] == version


async def test_what_cannot_be_written_is_deleted_only_as_it_was_read_and_made_anew() -> None:
    api = Store()
    api.put(CA, rigid())
    version = api.objects[CA]["metadata"]["resourceVersion"]
    await step(api)
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": version}}
    assert sent(api.tried[0], "DELETE", CA, {}) == options
    sent(api.tried[1], "POST", ROOT, OURS)


async def test_what_somebody_changed_meanwhile_is_not_deleted() -> None:
    api = Store()
    api.put(CA, rigid())
    authority = Authority(api, SERVICE, SERVICE.dns_names())
    await authority.read()
    theirs = api.put(CA, rigid(data={"tls.crt": "", "tls.key": ""}))
    with pytest.raises(ApiError) as error:
        await authority.step(Willing())
    assert error.value.status == 409
    assert api.objects[CA] == theirs


LEAF = f"{ROOT}/linkerd-webhook-tls"


async def test_a_refusal_of_one_secret_keeps_the_other_from_nothing() -> None:
    """And the one that is refused is not tried again in this round."""
    api = Store()
    await step(api)
    authority = Authority(api, SERVICE, SERVICE.dns_names())
    # A new leaf is due, and somebody asks for a new CA, which the API server refuses.
    body = dict(api.objects[CA])
    body["metadata"] = {**body["metadata"], "annotations": {"linkerd-webhook/rotate": "ca@2026-05-01T00:00:00Z"}}
    api.put(CA, body)
    api.failures[f"PUT {CA}"] = ApiError(422, "no")
    await authority.read()
    done = await authority.step(Willing())
    assert done.startswith("Secret linkerd/linkerd-webhook-tls: ")
    assert LEAF in api.objects
    tries = len([attempt for attempt in api.tried if (attempt.method, attempt.path) == ("PUT", CA)])
    await authority.step(Willing())
    assert len([attempt for attempt in api.tried if (attempt.method, attempt.path) == ("PUT", CA)]) == tries
    assert len(authority.problems) == 1


@pytest.mark.parametrize("status", [0, 404, 409])
async def test_what_the_next_round_may_mend_ends_this_one(status: int) -> None:
    api = Store()
    api.failures[f"POST {ROOT}"] = ApiError(status, "no")
    authority = Authority(api, SERVICE, SERVICE.dns_names())
    await authority.read()
    with pytest.raises(ApiError) as error:
        await authority.step(Willing())
    assert error.value.status == status
    assert authority.problems == []


async def test_the_description_has_both_certificates_and_a_next_ca_if_there_is_one() -> None:
    api = Store()
    authority = Authority(api, SERVICE, SERVICE.dns_names())
    assert authority.state() == {
        "leaf": "the Secret has not been read",
        "CA": "the Secret has not been read",
    }
    await step(api)
    await step(api)
    await authority.read()
    assert authority.serving() is not None
    fingerprint = authority.serving().fingerprint(hashes.SHA256()).hex()[:12]  # type: ignore[union-attr]
    description = authority.state()
    assert set(description) == {"leaf", "CA"}
    assert description["leaf"].startswith(f"sha256 {fingerprint}, expires ")
    assert description["CA"] != description["leaf"]
