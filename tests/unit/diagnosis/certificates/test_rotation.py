"""A rotation is asked for once, and its steps are told in their order, from whatever can be seen."""

from __future__ import annotations

import pytest

from certs.issue import CertificateAndKey
from tests.unit.diagnosis.certificates.site import CA_PATH, LEASE, NOW, SERVICE, Site, forbidden, new_ca, new_leaf
from webhook.diagnosis.certificates import rotation
from webhook.diagnosis.certificates.facts import CertificateFacts
from webhook.diagnosis.certificates.gather import GatherError
from webhook.diagnosis.certificates.rotation import Progress, progress
from webhook.kube.errors import ApiError


class Rotating(Site):
    """A rotation of the CA, step by step, as the leader does it."""

    def __init__(self) -> None:
        super().__init__()
        self.new = new_ca("new CA")
        self.new_leaf = new_leaf(self.new)
        self.self_managed()

    def step(self, number: int) -> None:
        """Do the step of this number, the first is 1."""
        old, new = self.ca.certificate, self.new.certificate
        if number == 1:
            pair = {"tls.crt": old, "tls.key": self.ca.key}
            self.secret(CA_PATH, **pair, **{"next.crt": new, "next.key": self.new.key})
        elif number == 2:
            self.configure("linkerd-webhook", old + new)
        elif number == 3:
            self.secret(CA_PATH, **{"tls.crt": new, "tls.key": self.new.key})
        elif number == 4:
            self.store(self.new_leaf)
        elif number == 5:
            self.replicas(self.new_leaf)
        else:
            self.configure("linkerd-webhook", new)


class TestAsking:
    @pytest.mark.parametrize("kind", ["ca", "leaf"])
    async def test_it_annotates_the_secret_of_the_ca(self, kind: rotation.Rotated) -> None:
        site = Site().self_managed()
        said = await rotation.request(site, await site.look(), kind)
        value = f"{kind}@{NOW:%Y-%m-%dT%H:%M:%SZ}"
        assert site.patches == [(CA_PATH, {"metadata": {"annotations": {"linkerd-webhook/rotate": value}}})]
        assert value in said
        assert (await site.look()).asked == value

    async def test_a_rotation_that_is_under_way_is_not_asked_for_again(self) -> None:
        site = Rotating()
        site.step(1)
        assert "under way already" in await rotation.request(site, await site.look(), "ca")
        assert site.patches == []

    async def test_without_a_ca_of_ours_it_says_what_to_do(self) -> None:
        site = Site()
        site.configure("linkerd-webhook", site.ca.certificate)
        with pytest.raises(
            rotation.RotationRefused, match="not self-managed: issue new ones with linkerd-webhook certs issue"
        ):
            await rotation.request(site, await site.look(), "leaf")

    async def test_with_cert_manager_it_names_the_certificate(self) -> None:
        site = Site()
        site.configure("linkerd-webhook", b"", {"cert-manager.io/inject-ca-from": "linkerd/webhook"})
        with pytest.raises(rotation.RotationRefused, match="cmctl renew -n linkerd webhook"):
            await rotation.request(site, await site.look(), "leaf")

    async def test_a_ca_that_cannot_be_read_is_made_anew_anyway(self) -> None:
        site = Site().self_managed()
        site.secret(CA_PATH, **{"tls.crt": b"junk", "tls.key": site.ca.key})
        with pytest.raises(
            rotation.RotationRefused, match=r"data\[tls.crt\].*creates a new CA and new certificates by itself"
        ):
            await rotation.request(site, await site.look(), "ca")

    async def test_who_may_not_is_told_what_to_grant(self) -> None:
        site = Site().self_managed()
        site.failures[f"PATCH {CA_PATH}"] = forbidden("secrets")
        with pytest.raises(
            GatherError, match='grant patch on secrets/linkerd-webhook-ca in namespace linkerd to user "j'
        ):
            await rotation.request(site, await site.look(), "leaf")


class TestSteps:
    async def test_each_step_of_a_new_ca_is_seen_as_it_is_done(self) -> None:
        site = Rotating()
        before = await site.look()
        told = []
        for number in range(1, 7):
            result = progress(before, await site.look(), "ca")
            assert len(result.done) == number - 1
            told.append(result.waits_for)
            site.step(number)
        done = progress(before, await site.look(), "ca")
        assert not done.waits_for
        assert [outcome.partition(":")[0] for outcome in done.done] == [
            "the next CA is stored",
            "old and new CA are side by side in every caBundle",
            "the new CA signs",
            "a new leaf is stored",
            "every replica serves it (1)",
            "the old CA is out of every caBundle",
        ]
        assert [message.partition(" (")[0] for message in told] == [
            outcome.partition(":")[0].partition(" (")[0] for outcome in done.done
        ]

    async def test_what_it_waits_for_is_named(self) -> None:
        site = Rotating()
        before = await site.look()
        site.step(1)
        why = progress(before, await site.look(), "ca").why
        assert why == (
            "MutatingWebhookConfiguration linkerd-webhook: webhooks[0].clientConfig.caBundle of "
            "linkerd-webhook.example.org lacks the next CA"
        )
        for number in (2, 3, 4):
            site.step(number)
        assert "replica 10.0.0.1:8443 (Pod pod-1) still serves serial" in progress(before, await site.look(), "ca").why
        site.step(5)
        assert "still holds the old CA" in progress(before, await site.look(), "ca").why

    async def test_without_a_way_to_the_replicas_the_narrowed_bundles_prove_them(self) -> None:
        site = Rotating()
        before = await site.look()
        for number in (1, 2, 3, 4, 6):
            site.step(number)
        site.replicas(None, None)
        result = progress(before, await site.look(), "ca")
        assert not result.waits_for
        assert result.done[4] == "whether the 2 replicas serve it cannot be seen from here"

    async def test_a_new_leaf_of_the_old_ca_is_not_the_one(self) -> None:
        site = Rotating()
        before = await site.look()
        for number in (1, 2, 3):
            site.step(number)
        site.store(new_leaf(site.ca))
        assert progress(before, await site.look(), "ca").waits_for == "a new leaf is stored"

    async def test_it_is_not_over_while_a_replica_lags_behind(self) -> None:
        site = Rotating()
        before = await site.look()
        for number in (1, 2, 3, 4, 6):
            site.step(number)
        assert progress(before, await site.look(), "ca").waits_for == "every replica serves it (1)"

    async def test_what_cert_manager_writes_is_not_waited_for(self) -> None:
        site = Rotating()
        site.configure("other", site.ca.certificate, {"cert-manager.io/inject-ca-from": "a/b"})
        before = await site.look()
        for number in range(1, 7):
            site.step(number)
        assert not progress(before, await site.look(), "ca").waits_for

    async def test_a_new_leaf_has_two_steps(self) -> None:
        site = Site().self_managed()
        before = await site.look()
        assert progress(before, before, "leaf").waits_for == "a new leaf is stored"
        new = new_leaf(site.ca)
        site.store(new)
        assert progress(before, await site.look(), "leaf").waits_for == "every replica serves it (1)"
        site.replicas(new)
        assert len(progress(before, await site.look(), "leaf").done) == 2


class Looks:
    """Looks at a site, before each of which something happens."""

    def __init__(self, site: Site, *events: object) -> None:
        self.site = site
        self.events = list(events)

    async def __call__(self) -> CertificateFacts:
        event = self.events.pop(0) if self.events else None
        if isinstance(event, Exception):
            raise event
        if callable(event):
            event()
        return await self.site.look()


async def told(before: CertificateFacts, kind: rotation.Rotated, looks: Looks, within: float = 5.0) -> list[Progress]:
    """All that is told."""
    return [element async for element in rotation.follow(before, kind, looks, within, interval=0.01)]


class TestFollowing:
    async def test_it_ends_with_the_last_step(self) -> None:
        site = Rotating()
        steps = [lambda n=n: site.step(n) for n in range(1, 7)]
        result = await told(await site.look(), "ca", Looks(site, None, *steps))
        assert [len(finding.done) for finding in result] == [0, 1, 2, 3, 4, 5, 6]

    async def test_an_api_server_that_is_away_for_a_moment_ends_nothing(self) -> None:
        site = Site().self_managed()
        before = await site.look()
        new: CertificateAndKey = new_leaf(site.ca)

        def rotate() -> None:
            site.store(new)
            site.replicas(new)

        result = await told(before, "leaf", Looks(site, GatherError("away"), rotate))
        assert [(len(finding.done), finding.why) for finding in result] == [(0, "away"), (2, "")]

    async def test_what_is_done_stays_done(self) -> None:
        site = Site().self_managed()
        before = await site.look()
        new = new_leaf(site.ca)
        site.store(new)
        # The Secret is back to what it was for a moment: a step less is never told.
        result = await told(before, "leaf", Looks(site, None, lambda: site.store(site.leaf)), within=1.0)
        assert [len(finding.done) for finding in result] == [1, 1]

    async def test_a_right_that_is_taken_away_proves_nothing(self) -> None:
        site = Rotating()
        before = await site.look()
        for number in (1, 3, 4, 5):
            site.step(number)
        site.failures["/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"] = forbidden("them")
        result = await told(before, "ca", Looks(site), within=0.5)
        assert result[-1].waits_for
        assert "may not list mutatingwebhookconfigurations" in result[-1].why

    async def test_time_is_over(self) -> None:
        site = Site().self_managed()
        result = await told(await site.look(), "leaf", Looks(site), within=0.5)
        assert result[-1].waits_for == "a new leaf is stored"


class TestLeader:
    async def test_it_is_named_with_the_age_of_its_lease(self) -> None:
        site = Site()
        spec = {"holderIdentity": "pod-1", "renewTime": f"{NOW:%Y-%m-%dT%H:%M:%S}.000000Z"}
        site.objects[LEASE] = {"metadata": {}, "spec": spec}
        assert await rotation.leader(site, SERVICE, NOW) == (
            "Lease linkerd/linkerd-webhook is held by pod-1, renewed 0 s ago"
        )

    async def test_nobody_leads(self) -> None:
        site = Site()
        assert "no server runs" in await rotation.leader(site, SERVICE, NOW)
        site.objects[LEASE] = {"metadata": {}, "spec": {"holderIdentity": ""}}
        assert "no replica leads" in await rotation.leader(site, SERVICE, NOW)
        site.failures[LEASE] = ApiError(403, "no")
        assert await rotation.leader(site, SERVICE, NOW) == ""
