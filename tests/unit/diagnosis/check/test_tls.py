"""What the lines say of certificates."""

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
    SERVICE,
    Site,
    forbidden,
    new_ca,
    new_leaf,
)
from tests.unit.diagnosis.check.installed_cluster import InstalledCluster, said, skipped
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import Line
from webhook.diagnosis.check.server_facts import DryRun, ServerFacts
from webhook.diagnosis.check.tls import ca_bundle, certificate, expiry
from webhook.diagnosis.finding import CheckFinding, CheckSeverity
from webhook.diagnosis.selftest import SelfTestResult
from webhook.diagnosis.unseen import NotRead
from webhook.kube.interface import JSON

LINES = [certificate, ca_bundle, expiry]


async def facts(site: Site, configuration: JSON | None = None) -> ClusterFacts:
    """The facts about a site; its configuration as it is listed with the cluster's."""
    server = ServerFacts(
        services={SERVICE: {}},
        certificates={SERVICE: await site.look()},
        self_test=SelfTestResult("pod-1"),
        dry_run=DryRun("shop"),
    )
    cluster = InstalledCluster()
    if configuration is not None:
        cluster.objects["MutatingWebhookConfiguration", "linkerd-webhook"] = configuration
    return cluster.facts(at=NOW, server=server)


async def findings_of(line: Line, site: Site) -> list[CheckFinding]:
    """What a line says of it."""
    return said(line, await facts(site))


def site_of(leaf_lifetime: timedelta = timedelta(days=30), names: tuple[str, ...] = ()) -> Site:
    """A site whose leaf is served and stored."""
    site = Site()
    site.leaf = new_leaf(site.ca, leaf_lifetime, names)
    return site.self_managed()


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.code)
async def test_nothing_is_said_where_all_is_well(line: Line) -> None:
    assert await findings_of(line, Site().self_managed()) == []


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.code)
async def test_a_failure_to_read_is_told(line: Line) -> None:
    whole = await facts(Site().self_managed())
    assert isinstance(whole.server, ServerFacts)
    broken = ServerFacts(
        services={}, certificates={SERVICE: NotRead("broken")}, self_test=SelfTestResult(), dry_run=DryRun("")
    )
    [finding] = said(line, InstalledCluster().facts(server=broken))
    assert finding.message == "broken"


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.code)
async def test_without_a_right_and_a_way_to_the_replicas_they_are_skipped(line: Line) -> None:
    site = Site().self_managed()
    site.replicas(None)
    for path in (CA_PATH, LEAF_PATH):
        site.failures[path] = forbidden("secrets")
    assert "grant get on secrets/linkerd-webhook-tls" in skipped(line, await facts(site))


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.code)
async def test_unreachable_replicas_are_no_fault_of_theirs(line: Line) -> None:
    site = Site().self_managed()
    site.replicas(None)
    assert await findings_of(line, site) == []


class TestCertificate:
    async def test_an_expired_one_is_an_error(self) -> None:
        site = Site()
        site.leaf = issue_leaf(site.ca, SERVICE.dns_names(), lifetime=timedelta(hours=1), now=NOW - timedelta(days=1))
        site.self_managed()
        findings = await findings_of(certificate, site)
        assert {finding.code for finding in findings} == {"certificate"}
        assert all(finding.severity is CheckSeverity.ERROR and "expired" in finding.message for finding in findings)
        assert {finding.object for finding in findings} == {
            "Secret linkerd/linkerd-webhook-tls",
            "replica 10.0.0.1:8443 (Pod pod-1)",
        }

    async def test_one_that_is_served_alone_is_seen(self) -> None:
        site = Site().self_managed()
        old = issue_leaf(site.ca, SERVICE.dns_names(), lifetime=timedelta(hours=1), now=NOW - timedelta(days=1))
        site.replicas(site.leaf, old)
        [finding] = await findings_of(certificate, site)
        assert finding.object == "replica 10.0.0.2:8443 (Pod pod-2)"

    async def test_one_that_is_not_valid_yet_is_an_error(self) -> None:
        site = Site()
        site.leaf = issue_leaf(site.ca, SERVICE.dns_names(), now=NOW + timedelta(days=2))
        findings = await findings_of(certificate, site.self_managed())
        assert findings
        assert all("not valid before" in finding.message for finding in findings)

    async def test_one_for_another_name_is_an_error(self) -> None:
        findings = await findings_of(certificate, site_of(names=("another.linkerd.svc",)))
        assert findings
        assert all("has to be for linkerd-webhook.linkerd.svc" in finding.message for finding in findings)

    async def test_a_key_of_another_pair_is_an_error(self) -> None:
        site = Site().self_managed()
        other = new_leaf(site.ca)
        site.secret(LEAF_PATH, **{"tls.crt": site.leaf.certificate, "tls.key": other.key})
        [finding] = await findings_of(certificate, site)
        assert (finding.object, finding.field) == ("Secret linkerd/linkerd-webhook-tls", "data[tls.key]")


class TestCaBundle:
    async def test_one_of_a_stranger_is_an_error(self) -> None:
        site = Site().self_managed()
        site.configure("linkerd-webhook", new_ca("a stranger").certificate)
        findings = await findings_of(ca_bundle, site)
        assert findings
        assert {finding.code for finding in findings} == {"ca-bundle"}
        assert all(finding.object == "MutatingWebhookConfiguration linkerd-webhook" for finding in findings)
        assert all("does not trust" in finding.message for finding in findings)
        assert await findings_of(certificate, site) == []

    async def test_an_empty_one_is_an_error(self) -> None:
        site = Site().self_managed()
        site.configure("linkerd-webhook", b"")
        [finding] = await findings_of(ca_bundle, site)
        assert "is empty" in finding.message

    async def test_who_wrote_it_is_named(self) -> None:
        site = Site().self_managed()
        site.configure("linkerd-webhook", b"")
        webhook: JSON = {'k:{"name":"linkerd-webhook.example.org"}': {"f:clientConfig": {"f:caBundle": {}}}}
        owners = [{"manager": who, "fieldsV1": {"f:webhooks": webhook}} for who in ("linkerd-webhook", "kubectl-edit")]
        configuration = {"metadata": {"name": "linkerd-webhook", "managedFields": owners}}
        [finding] = said(ca_bundle, await facts(site, configuration))
        assert "(written by kubectl-edit, as managedFields say)" in finding.message

    def test_the_leader_is_waited_for(self) -> None:
        assert ca_bundle.awaited


class TestExpiry:
    def late(self, days: int) -> Site:
        """A self-managed leaf of thirty days, so many of which are over."""
        site = Site()
        site.leaf = issue_leaf(
            site.ca, SERVICE.dns_names(), lifetime=timedelta(days=30), now=NOW - timedelta(days=days)
        )
        return site.self_managed()

    async def test_a_self_managed_one_is_told_of_once_its_renewal_is_overdue(self) -> None:
        assert await findings_of(expiry, self.late(10)) == []
        [finding] = await findings_of(expiry, self.late(26))
        assert finding.severity is CheckSeverity.WARNING
        assert "should have been renewed" in finding.message

    def files(self, lifetime: timedelta, annotations: JSON | None = None) -> Site:
        """A certificate in a Secret of somebody's."""
        site = site_of(lifetime)
        site.secret(f"{SECRETS}/mine", **{"tls.crt": site.leaf.certificate, "tls.key": site.leaf.key})
        site.objects[f"{SECRETS}/mine"]["metadata"]["annotations"] = annotations or {}
        del site.objects[CA_PATH], site.objects[LEAF_PATH], site.objects[DEPLOYMENT]
        site.deploy("--certs=files", secret="mine")
        return site

    async def test_one_that_nobody_renews_is_told_of_sixty_days_before(self) -> None:
        assert await findings_of(expiry, self.files(timedelta(days=90))) == []
        [finding] = await findings_of(expiry, self.files(timedelta(days=50)))
        assert (finding.object, finding.message) == ("Secret linkerd/mine", "expires in 50 days")
        assert "certs issue" in finding.fix

    async def test_one_that_cert_manager_renews_is_not(self) -> None:
        kept = {"cert-manager.io/certificate-name": "mine"}
        assert await findings_of(expiry, self.files(timedelta(days=50), kept)) == []

    async def test_where_the_secret_may_not_be_read_what_is_served_tells(self) -> None:
        site = self.files(timedelta(days=50))
        for name in ("mine", "linkerd-webhook-ca"):
            site.failures[f"{SECRETS}/{name}"] = forbidden("secrets")
        [finding] = await findings_of(expiry, site)
        assert finding.object == "replica 10.0.0.1:8443 (Pod pod-1)"
