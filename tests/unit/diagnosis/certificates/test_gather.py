"""What is looked at, and what is said where that cannot be."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from certs.issue import issue_ca, issue_leaf
from tests.unit.diagnosis.certificates.site import (
    DEPLOYMENTS,
    LEAF_PATH,
    MUTATING,
    NOW,
    SERVICE,
    SERVICES,
    SLICE,
    SLICES,
    VALIDATING,
    Site,
    forbidden,
    new_ca,
)
from webhook.diagnosis.certificates.checks import check, remarks
from webhook.diagnosis.certificates.facts import read_bundle
from webhook.diagnosis.certificates.gather import GatherError
from webhook.diagnosis.certificates.report import as_json, text
from webhook.kube.errors import ApiError


class TestLooking:
    async def test_everything_has_its_place(self) -> None:
        state = await Site().self_managed().look()
        assert [certificate.role for certificate in state.certificates] == ["CA", "leaf"]
        assert [(element.where, bool(element.leaf)) for element in state.ready] == [
            ("replica 10.0.0.1:8443 (Pod pod-1)", True)
        ]
        assert [ca_bundle.webhook for ca_bundle in state.ca_bundles] == ["linkerd-webhook.example.org"]
        assert state.self_managed
        assert state.leaf_of_ca
        assert set(state.trust.values()) == {""}

    async def test_configurations_of_others_are_passed_over(self) -> None:
        site = Site().self_managed()
        site.objects[f"{VALIDATING}/x"] = {"metadata": {"name": "x"}, "webhooks": [{"clientConfig": {}}, None]}
        assert len((await site.look()).ca_bundles) == 1

    async def test_replicas_that_are_not_ready_do_not_count(self) -> None:
        site = Site().self_managed()
        site.replicas(site.leaf, site.leaf)
        endpoints = site.objects[SLICE]["endpoints"]
        endpoints[0]["conditions"]["ready"] = False
        # Nothing said is ready, by the API's own rule.
        del endpoints[1]["conditions"]
        assert [element.pod for element in (await site.look()).ready] == ["pod-2"]

    async def test_an_expired_certificate_is_still_shown(self) -> None:
        state = await Site().self_managed().look(NOW + timedelta(days=31))
        leaf = state.kept_as("leaf")
        assert leaf is not None
        assert leaf.certificate is not None
        assert leaf.field == "data[tls.crt]"
        assert "expired" in leaf.why_not

    async def test_a_reason_is_the_same_at_every_look(self) -> None:
        site = Site().self_managed()
        site.configure("linkerd-webhook", new_ca().certificate)
        assert not any("seen at" in why for why in (await site.look()).trust.values())


class TestWhatCannotBeLookedAt:
    async def test_everything_forbidden_is_told_at_once_with_what_to_grant(self) -> None:
        site = Site().self_managed()
        site.failures = {path: forbidden(path) for path in (LEAF_PATH, SLICES, MUTATING)}
        assert [right.text() for right in (await site.look()).unseen] == [
            "may not list mutatingwebhookconfigurations.admissionregistration.k8s.io: grant list on "
            'mutatingwebhookconfigurations.admissionregistration.k8s.io to user "jane"',
            "may not get secrets/linkerd-webhook-tls: grant get on secrets/linkerd-webhook-tls in namespace linkerd "
            'to user "jane"',
            "may not list endpointslices.discovery.k8s.io: grant list on endpointslices.discovery.k8s.io in namespace "
            'linkerd to user "jane"',
        ]

    async def test_who_may_not_read_the_deployment_sees_the_rest_and_is_told_what_to_grant(self) -> None:
        """The server's own ServiceAccount may not."""
        site = Site().self_managed()
        site.failures = {path: forbidden(path) for path in (DEPLOYMENTS, SERVICES)}
        state = await site.look()
        assert state.unseen == ()
        assert state.self_managed
        assert check(state) == []
        (remark,) = remarks(state)
        assert "grant list on deployments.apps in namespace linkerd" in remark.fix
        site.replicas()
        (one,) = check(await site.look())
        assert one.message == "no replica is ready: nothing is served"

    async def test_the_deployment_of_the_service_s_name_will_do_where_the_service_may_not_be_read(self) -> None:
        site = Site().self_managed()
        site.failures = {SERVICES: forbidden(SERVICES)}
        state = await site.look()
        assert state.server is not None
        assert remarks(state) == []

    @pytest.mark.parametrize(
        "failure", [TimeoutError(), ApiError(0, "refused"), ApiError(401, "Unauthorized"), ApiError(503, "busy")]
    )
    async def test_an_api_server_that_does_not_answer_is_no_state(self, failure: Exception) -> None:
        site = Site().self_managed()
        site.failures[MUTATING] = failure
        with pytest.raises(GatherError, match="the API server"):
            await site.look()


class TestBundles:
    def test_what_go_passes_over_is_told_and_the_rest_is_read(self) -> None:
        one, two = issue_ca("one"), issue_ca("two")
        damaged = one.certificate.replace(b"MII", b"!!!", 1)
        endless = one.certificate.partition(b"-----END")[0]
        bundle, junk = read_bundle(b"hello\n" + one.key + damaged + endless + two.certificate + two.certificate)
        assert [finding.subject.rfc4514_string() for finding in bundle] == ["CN=two"]
        assert junk == (
            "block 1 is PRIVATE KEY: only CERTIFICATE counts",
            "block 2 is a certificate that cannot be read",
            "block 3 is a certificate that cannot be read",
            "text outside of PEM blocks",
        )

    def test_nothing_is_neither_a_certificate_nor_junk(self) -> None:
        assert read_bundle(b" \n") == ((), ())


class TestReport:
    async def test_no_key_is_in_it(self) -> None:
        site = Site().self_managed()
        state = await site.look()
        shown = text(state) + json.dumps(as_json(state))
        for pair in (site.ca, site.leaf):
            for line in pair.key.decode().splitlines():
                assert line not in shown

    async def test_certificates_come_with_their_end_in_utc_and_the_days_left(self) -> None:
        state = await Site().self_managed().look()
        shown = text(state)
        end = NOW + timedelta(days=30)
        assert f"{end:%Y-%m-%d %H:%MZ} (30 d left)" in shown
        assert "renewal due" in shown
        assert "ECDSA P-256" in shown

    async def test_columns_are_aligned(self) -> None:
        lines = text(await Site().self_managed().look()).splitlines()
        kept = [line for line in lines if line.startswith("  Secret")]
        assert len({line.index("serial") for line in kept}) == 1

    async def test_what_was_not_seen_is_not_said_to_be_missing(self) -> None:
        site = Site().self_managed()
        site.failures = {path: forbidden(path) for path in (SLICES, MUTATING)}
        state = await site.look()
        assert "none is ready" not in text(state)
        assert as_json(state)["fits"] is None

    async def test_a_leaf_of_a_wildcard_fits(self) -> None:
        site = Site().self_managed()
        wild = issue_leaf(site.ca, ["*.linkerd.svc"], now=NOW)
        site.store(wild)
        site.replicas(wild)
        result = as_json(await site.look())
        assert result["fits"] is True
        assert any(SERVICE.dns_name in remark for remark in result["remarks"])
