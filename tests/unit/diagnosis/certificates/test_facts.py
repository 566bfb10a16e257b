"""What the facts themselves tell, and what checks make of facts that were not seen: no cluster is needed for it."""

from __future__ import annotations

from tests.unit.diagnosis.certificates.site import NOW, SERVICE
from webhook.diagnosis.certificates.checks import check, remarks
from webhook.diagnosis.certificates.facts import CaBundle, CertificateFacts, Replica
from webhook.diagnosis.unseen import MissingRight, NotSeen

SLICES = MissingRight("list", "endpointslices.discovery.k8s.io", "linkerd")
MUTATING = MissingRight("list", "mutatingwebhookconfigurations.admissionregistration.k8s.io")
FORWARD = MissingRight("get and create", "pods/portforward", "linkerd")
EMPTY = CaBundle("ValidatingWebhookConfiguration a", "webhooks[0].clientConfig.caBundle", "a.example.org")


class TestNotSeen:
    def test_endpoints_that_were_not_seen_are_not_taken_for_none(self) -> None:
        facts = CertificateFacts(SERVICE, NOW, replicas=NotSeen((SLICES,)), configurations={"a": (EMPTY,)})
        assert [finding.code for finding in check(facts)] == ["ca-bundle-filled"]
        assert facts.unseen == (SLICES,)
        none = CertificateFacts(SERVICE, NOW, configurations={"a": (EMPTY,)})
        assert [finding.code for finding in check(none)] == ["replicas-ready", "ca-bundle-filled"]

    def test_configurations_of_one_kind_that_were_not_seen_may_point_at_the_service(self) -> None:
        serving = (Replica("10.0.0.1:8443", unreachable="no handshake within 2 s"),)
        facts = CertificateFacts(SERVICE, NOW, replicas=serving, configurations={"a": NotSeen((MUTATING,)), "b": ()})
        assert check(facts) == []
        seen = CertificateFacts(SERVICE, NOW, replicas=serving, configurations={"a": (), "b": ()})
        assert [finding.code for finding in check(seen)] == ["service-is-called"]

    def test_a_right_to_forward_ports_is_missing_once_for_all_replicas(self) -> None:
        replicas = tuple(
            Replica(address, unreachable="pods/portforward is forbidden", not_seen=NotSeen((FORWARD,)))
            for address in ("10.0.0.1:8443", "10.0.0.2:8443")
        )
        facts = CertificateFacts(SERVICE, NOW, replicas=replicas)
        assert facts.unseen == (FORWARD,)
        assert [note.code for note in remarks(facts)] == ["replicas-seen", "replicas-seen"]

    def test_a_deployment_that_was_not_seen_is_only_remarked_on(self) -> None:
        right = MissingRight("list", "deployments.apps", "linkerd")
        facts = CertificateFacts(SERVICE, NOW, deployment=NotSeen((right,)), configurations={"a": (EMPTY,)})
        assert facts.unseen == ()
        assert [note.fix for note in remarks(facts)] == [right.text()]
