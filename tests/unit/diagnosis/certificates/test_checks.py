"""What fits, and what each thing that does not is told with."""

from __future__ import annotations

from datetime import timedelta

import pytest

from certs.issue import issue_leaf
from tests.unit.diagnosis.certificates.site import (
    CA_PATH,
    DEPLOYMENT,
    LEAF_PATH,
    NOW,
    SECRETS,
    SLICE,
    Site,
    new_ca,
    new_leaf,
)
from webhook.diagnosis.certificates.checks import check, remarks
from webhook.diagnosis.finding import CheckFinding

MINE = f"{SECRETS}/mine"


async def findings_of(site: Site, **more: object) -> list[CheckFinding]:
    """What does not fit."""
    return check(await site.look(**more))  # type: ignore[arg-type]


class TestFits:
    async def test_nothing_is_found_where_all_is_well(self) -> None:
        state = await Site().self_managed().look()
        assert check(state) == []
        assert remarks(state) == []

    async def test_old_and_new_ca_side_by_side(self) -> None:
        site = Site().self_managed()
        site.configure("linkerd-webhook", new_ca("another").certificate + site.ca.certificate)
        assert await findings_of(site) == []

    async def test_a_chain_over_an_intermediate_is_trusted_by_it(self) -> None:
        site = Site().self_managed()
        # Any certificate of the bundle is an anchor, the leaf itself included.
        site.configure("linkerd-webhook", site.leaf.certificate)
        assert await findings_of(site) == []

    async def test_certificates_from_somewhere_else_need_no_secret_of_ours(self) -> None:
        site = Site().self_managed()
        del site.objects[CA_PATH], site.objects[LEAF_PATH], site.objects[DEPLOYMENT]
        assert await findings_of(site) == []
        site.deploy("--certs=files")
        assert await findings_of(site) == []

    async def test_a_secret_of_another_name_is_the_one_that_the_deployment_mounts(self) -> None:
        site = Site().self_managed()
        site.objects[MINE] = site.objects.pop(LEAF_PATH)
        site.deploy("--certs=files", secret="mine")
        state = await site.look()
        assert check(state) == []
        assert [(certificate.where, certificate.role) for certificate in state.certificates] == [
            ("Secret linkerd/mine", "leaf")
        ]


class TestNobodyServes:
    async def test_right_after_the_apply_it_says_to_wait_and_gives_no_other_advice(self) -> None:
        site = Site().self_managed()
        del site.objects[CA_PATH], site.objects[LEAF_PATH]
        site.configure("linkerd-webhook", b"")
        site.replicas()
        site.deploy("--certs=self-managed", replicas=2)
        (one,) = await findings_of(site)
        assert one.object == "Deployment linkerd/linkerd-webhook"
        assert one.message == "no replica is ready yet, of 2 wanted: nothing is served"
        assert "kubectl -n linkerd rollout status deploy/linkerd-webhook" in one.fix
        assert "describe pods -l app.kubernetes.io/name=linkerd-webhook" in one.fix
        assert "--existing-secret" not in one.fix

    async def test_what_the_deployment_says_of_it_is_told(self) -> None:
        site = Site().self_managed()
        site.replicas()
        refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods"}
        fine = {"type": "Progressing", "status": "True", "message": "is progressing"}
        site.deploy("--certs=self-managed", conditions=[fine, refused])
        (one,) = await findings_of(site)
        assert one.message.endswith("nothing is served (exceeded quota: pods)")

    async def test_a_good_secret_does_not_make_up_for_it(self) -> None:
        site = Site().self_managed()
        site.remove(SLICE)
        site.objects[DEPLOYMENT]["status"]["readyReplicas"] = 0
        assert [finding.field for finding in await findings_of(site)] == ["status.readyReplicas"]

    async def test_ready_replicas_that_the_service_does_not_select_serve_nobody(self) -> None:
        site = Site().self_managed()
        site.remove(SLICE)
        [finding] = await findings_of(site)
        assert finding.text() == (
            "Service linkerd/linkerd-webhook: endpoints: no endpoint is ready, though Deployment "
            "linkerd/linkerd-webhook has 1 of 1 replicas ready: nothing is served"
        )

    async def test_a_deployment_of_no_replicas_is_to_be_scaled(self) -> None:
        site = Site().self_managed()
        site.replicas()
        site.deploy("--certs=self-managed", replicas=0)
        (one,) = await findings_of(site)
        assert (one.field, one.value) == ("spec.replicas", "0")
        assert "kubectl -n linkerd scale deploy/linkerd-webhook" in one.fix

    async def test_no_deployment_at_all_is_said(self) -> None:
        site = Site().self_managed()
        site.replicas()
        site.remove(DEPLOYMENT)
        (one,) = await findings_of(site)
        assert (one.object, one.field) == ("Service linkerd/linkerd-webhook", "spec.selector")

    async def test_a_mounted_secret_that_is_missing_is_why(self) -> None:
        site = Site().self_managed()
        del site.objects[CA_PATH], site.objects[LEAF_PATH]
        site.replicas()
        site.deploy("--certs=files", secret="mine")
        served, missing = await findings_of(site)
        assert served.field == "status.readyReplicas"
        assert (missing.object, missing.message) == ("Secret linkerd/mine", "the Secret does not exist")
        assert "create it: Pods start once it exists" in missing.fix


class TestFilesThatNobodyTrusts:
    @pytest.fixture
    def site(self) -> Site:
        """Replicas with a Secret of somebody else's, and empty caBundles."""
        site = Site().self_managed()
        del site.objects[CA_PATH], site.objects[LEAF_PATH]
        site.deploy("--certs=files", secret="mine")
        site.configure("linkerd-webhook", b"")
        return site

    async def test_without_a_ca_in_the_secret_it_says_where_to_put_one(self, site: Site) -> None:
        site.secret(MINE, **{"tls.crt": site.leaf.certificate, "tls.key": site.leaf.key})
        (one,) = await findings_of(site)
        assert one.fix == (
            "add the CA's certificate to Secret linkerd/mine as ca.crt, or install again with --existing-secret mine "
            "--ca-bundle FILE, or, where cert-manager keeps the Secret, with --existing-secret mine --inject-ca-from "
            "NAMESPACE/CERTIFICATE"
        )

    async def test_with_a_ca_in_the_secret_it_is_the_leader_s_to_write(self, site: Site) -> None:
        ca = {"ca.crt": site.ca.certificate}
        site.secret(MINE, **{"tls.crt": site.leaf.certificate, "tls.key": site.leaf.key, **ca})
        (one,) = await findings_of(site)
        assert "the leader writes ca.crt of Secret linkerd/mine there" in one.fix


class TestDoesNot:
    async def test_a_stale_bundle_names_itself_its_cas_and_who_is_not_trusted(self) -> None:
        site = Site().self_managed()
        site.configure("linkerd-webhook", new_ca("yesterday's").certificate)
        first, second = await findings_of(site)
        assert first.object == "MutatingWebhookConfiguration linkerd-webhook"
        assert first.field == "webhooks[0].clientConfig.caBundle"
        assert first.value.startswith("CN=yesterday's (serial ")
        assert "replica 10.0.0.1:8443 (Pod pod-1)" in first.message
        assert "for linkerd-webhook.linkerd.svc: unable to get local issuer certificate" in first.message
        assert "leader writes it" in first.fix
        assert "Secret linkerd/linkerd-webhook-tls" in second.message

    async def test_one_replica_that_lags_behind_is_named_alone(self) -> None:
        site = Site().self_managed()
        site.replicas(site.leaf, new_leaf(new_ca("gone")), site.leaf)
        (one,) = await findings_of(site)
        assert "replica 10.0.0.2:8443" in one.message

    async def test_an_empty_bundle(self) -> None:
        site = Site().self_managed()
        site.configure("linkerd-webhook", b"")
        assert [finding.message for finding in await findings_of(site)] == ["is empty: nothing is trusted"]

    async def test_an_expired_leaf_is_told_once_a_place_and_not_for_every_bundle(self) -> None:
        site = Site().self_managed()
        site.configure("another", site.ca.certificate)
        places = [(finding.object, finding.field) for finding in await findings_of(site, now=NOW + timedelta(days=31))]
        assert places == [
            ("Secret linkerd/linkerd-webhook-tls", "data[tls.crt]"),
            ("replica 10.0.0.1:8443 (Pod pod-1)", "served certificate"),
        ]

    async def test_a_leaf_for_another_name_says_which_is_wanted(self) -> None:
        site = Site().self_managed()
        site.replicas(issue_leaf(site.ca, ["elsewhere.example.org"], now=NOW))
        (one,) = await findings_of(site)
        assert one.message == "is for elsewhere.example.org, and has to be for linkerd-webhook.linkerd.svc"
        assert one.fix == "linkerd-webhook certs rotate --leaf --linkerd-namespace linkerd"

    async def test_a_key_of_another_certificate(self) -> None:
        site = Site().self_managed()
        site.secret(LEAF_PATH, **{"tls.crt": site.leaf.certificate, "tls.key": site.ca.key})
        (one,) = await findings_of(site)
        assert (one.object, one.field) == ("Secret linkerd/linkerd-webhook-tls", "data[tls.key]")
        assert "does not belong" in one.message

    async def test_a_deleted_ca_of_a_leaf_of_ours(self) -> None:
        site = Site().self_managed()
        del site.objects[CA_PATH]
        assert [finding.object for finding in await findings_of(site)] == ["Secret linkerd/linkerd-webhook-ca"]

    async def test_a_deleted_leaf_of_our_ca(self) -> None:
        site = Site().self_managed()
        del site.objects[LEAF_PATH]
        assert [finding.object for finding in await findings_of(site)] == ["Secret linkerd/linkerd-webhook-tls"]

    async def test_no_configuration_points_there(self) -> None:
        site = Site().self_managed()
        site.remove("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/linkerd-webhook")
        (one,) = await findings_of(site)
        assert one.object == "Service linkerd/linkerd-webhook"
        assert "linkerd-webhook install" in one.fix

    async def test_out_of_reach_and_no_secret_to_go_by(self) -> None:
        site = Site().self_managed()
        del site.objects[CA_PATH], site.objects[LEAF_PATH], site.objects[DEPLOYMENT]
        site.replicas(None)
        (one,) = await findings_of(site)
        assert one.object == "Secret linkerd/linkerd-webhook-tls"
        assert "--secret NAME" in one.fix

    async def test_what_cert_manager_writes_is_cert_managers_to_mend(self) -> None:
        site = Site().self_managed()
        del site.objects[CA_PATH], site.objects[LEAF_PATH]
        site.deploy("--certs=files")
        annotation = {"cert-manager.io/inject-ca-from": "linkerd/webhook"}
        site.configure("linkerd-webhook", new_ca().certificate, annotation)
        (one,) = await findings_of(site)
        assert "cainjector writes it for linkerd/webhook (cert-manager.io/inject-ca-from)" in one.fix
        site.replicas(issue_leaf(site.ca, ["elsewhere.example.org"], now=NOW))
        (one,) = await findings_of(site)
        assert one.fix == "cmctl renew -n linkerd webhook"


class TestRemarks:
    async def test_out_of_reach_goes_by_the_secret(self) -> None:
        site = Site().self_managed()
        site.replicas(None)
        state = await site.look()
        assert check(state) == []
        assert [remark.line() for remark in remarks(state)] == [
            "replica 10.0.0.1:8443 (Pod pod-1): cannot be reached from here (no handshake within 2 s): its certificate "
            "is assumed to be that of Secret linkerd/linkerd-webhook-tls"
        ]

    async def test_an_expired_ca_beside_a_good_one(self) -> None:
        site = Site().self_managed()
        state = await site.look(NOW + timedelta(days=400))
        assert any("CN=old CA" in remark.message and "has no effect" in remark.message for remark in remarks(state))
