"""Who points at the Service, and with what caBundle: found in anything that calls itself a configuration."""

from __future__ import annotations

from typing import Any

import pytest

from certs.issue import issue_ca
from tests.kube.configurations import configuration
from webhook.kube.base64_fields import encode
from webhook.kube.webhookconfigurations import MUTATING, ServiceReference, managers, path, pointing, with_bundle

SERVICE = ServiceReference("linkerd", "linkerd-webhook")
CA = issue_ca("root").certificate


class TestService:
    """Its names."""

    def test_the_name_that_the_api_server_uses_comes_first(self) -> None:
        assert SERVICE.dns_names("example.org") == (
            "linkerd-webhook.linkerd.svc",
            "linkerd-webhook",
            "linkerd-webhook.linkerd",
            "linkerd-webhook.linkerd.svc.example.org",
        )
        assert SERVICE.dns_name == SERVICE.dns_names()[0]


class TestPointing:
    """The webhooks that go to the Service."""

    def test_only_those_of_this_service_are_found_with_their_place(self) -> None:
        body = configuration(MUTATING, "x", CA, webhooks=3)
        body["webhooks"][1]["clientConfig"] = {"url": "https://example.org"}
        body["webhooks"][0]["clientConfig"]["service"]["namespace"] = "other"
        (configurations,) = pointing(body, SERVICE)
        assert (configurations.webhook, configurations.index, configurations.bundle, configurations.name) == (
            "w2.x.io",
            2,
            CA,
            (MUTATING, "x"),
        )
        assert configurations.field == "MutatingWebhookConfiguration x: webhooks[2].clientConfig.caBundle"

    def test_a_ca_bundle_that_cannot_be_read_is_junk_and_said(self) -> None:
        body = configuration(MUTATING, "x")
        body["webhooks"][0]["clientConfig"]["caBundle"] = "%"
        (configurations,) = pointing(body, SERVICE)
        assert (configurations.bundle, configurations.junk[:13]) == (b"", "is not base64")

    @pytest.mark.parametrize("annotation", ["inject-ca-from", "inject-ca-from-secret", "inject-apiserver-ca"])
    def test_cert_manager_s_annotation_is_named(self, annotation: str) -> None:
        key = f"cert-manager.io/{annotation}"
        (configurations,) = pointing(configuration(MUTATING, "x", b"", 1, **{key: "a/b"}), SERVICE)
        assert configurations.cert_manager == key

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"webhooks": None},
            {"webhooks": {"a": 1}},
            {"webhooks": [None, 7, "x", [], {}]},
            {"webhooks": [{"clientConfig": None}, {"clientConfig": {"service": []}}]},
            {"metadata": [], "webhooks": [{"clientConfig": {"service": {"name": {}, "namespace": []}}}]},
            {"metadata": {"annotations": "x", "managedFields": 7}},
            None,
            [],
        ],
    )
    def test_what_makes_no_sense_is_passed_over(self, body: Any) -> None:
        assert pointing(body, SERVICE) == []

    def test_a_webhook_that_is_odd_otherwise_is_found_all_the_same(self) -> None:
        service = {"namespace": "linkerd", "name": "linkerd-webhook"}
        body: Any = {"metadata": None, "webhooks": [{"name": 7, "clientConfig": {"service": service, "caBundle": []}}]}
        (configurations,) = pointing(body, SERVICE)
        assert (configurations.webhook, configurations.configuration, configurations.junk) == (
            "7",
            "",
            "is not a string but list: write PEM in base64",
        )


class TestChange:
    """What is written."""

    def test_only_the_ca_bundle_changes_and_the_object_that_was_read_stays(self) -> None:
        body = configuration(MUTATING, "x", webhooks=2)
        entries = pointing(body, SERVICE)
        changed = with_bundle(body, entries[1:], CA)
        assert changed["webhooks"][1]["clientConfig"].pop("caBundle") == encode(CA)
        assert changed == body == configuration(MUTATING, "x", webhooks=2)

    def test_the_path_is_the_api_server_s(self) -> None:
        assert path((MUTATING, "x")) == "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/x"

    def test_who_wrote_a_ca_bundle_stands_in_the_managed_fields(self) -> None:
        fields: Any = {"f:webhooks": {'k:{"name":"a"}': {"f:clientConfig": {"f:caBundle": {}}}}}
        other: Any = {"f:webhooks": {'k:{"name":"a"}': {"f:clientConfig": {"f:service": {}}}}}
        body = {
            "metadata": {
                "managedFields": [
                    {"manager": "helm", "fieldsV1": fields},
                    {"manager": "kubectl", "fieldsV1": other},
                    {"manager": "x", "fieldsV1": None},
                    None,
                ]
            }
        }
        assert managers(body, "a") == ["helm"]
        assert managers(body, "b") == []
