"""A line for whatever is another between two looks, and none for what is not."""

from __future__ import annotations

from datetime import timedelta

from tests.unit.diagnosis.certificates.site import CA_PATH, LEAF_PATH, MUTATING, NOW, Site, forbidden, new_ca, new_leaf
from webhook.diagnosis.certificates.changes import changes


class TestChanges:
    async def test_nothing_changed(self) -> None:
        site = Site().self_managed()
        assert changes(await site.look(), await site.look(NOW + timedelta(days=1))) == []

    async def test_a_new_leaf_in_the_secret_and_then_in_the_replica(self) -> None:
        site = Site().self_managed()
        before = await site.look()
        new = new_leaf(site.ca)
        site.store(new)
        between = await site.look()
        (line,) = changes(before, between)
        assert line.startswith("Secret linkerd/linkerd-webhook-tls: leaf: serial ")
        site.replicas(new)
        (line,) = changes(between, await site.look())
        assert line.startswith("replica 10.0.0.1:8443 (Pod pod-1): serves serial ")

    async def test_a_next_ca_and_a_bundle_that_has_both(self) -> None:
        site = Site().self_managed()
        before = await site.look()
        new = new_ca("new CA")
        pair = {"tls.crt": site.ca.certificate, "tls.key": site.ca.key}
        site.secret(CA_PATH, **pair, **{"next.crt": new.certificate, "next.key": new.key})
        site.configure("linkerd-webhook", site.ca.certificate + new.certificate)
        stored, added = changes(before, await site.look())
        assert stored.startswith("Secret linkerd/linkerd-webhook-ca: next CA: none -> serial ")
        assert "caBundle + CN=new CA serial " in added

    async def test_what_stops_fitting_is_told_with_its_fix_and_its_end(self) -> None:
        site = Site().self_managed()
        good = await site.look()
        site.configure("linkerd-webhook", new_ca("foreign").certificate)
        bad = await site.look()
        lines = changes(good, bad)
        assert any(line.startswith("problem: ") and "fix: " in line for line in lines)
        assert changes(bad, good)[-1] == "all problems are solved"

    async def test_replicas_come_and_go(self) -> None:
        site = Site().self_managed()
        before = await site.look()
        site.replicas(site.leaf, None)
        now = await site.look()
        (line,) = changes(before, now)
        assert line == "replica 10.0.0.2:8443 (Pod pod-2): ready, cannot be reached from here (no handshake within 2 s)"
        assert changes(now, before) == ["replica 10.0.0.2:8443 (Pod pod-2): no longer ready"]

    async def test_a_configuration_points_elsewhere(self) -> None:
        site = Site().self_managed()
        site.configure("another", site.ca.certificate)
        before = await site.look()
        site.remove(f"{MUTATING}/another")
        assert changes(before, await site.look()) == [
            "MutatingWebhookConfiguration another: another.example.org: no longer points at the Service"
        ]

    async def test_a_right_that_was_taken_away_hides_no_secret(self) -> None:
        site = Site().self_managed()
        before = await site.look()
        site.failures[LEAF_PATH] = forbidden("secrets")
        lines = changes(before, await site.look())
        assert [line.partition(":")[0] for line in lines] == ["cannot read"]
