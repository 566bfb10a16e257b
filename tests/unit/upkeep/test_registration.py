"""Configurations that wait for the API server to reach us: rules at last, or Linkerd's pointed here."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from certs.issue import CertificateAndKey, issue_ca
from tests.kube.store import Store
from tests.unit.install import test_validatedkinds as printed
from webhook.install import adoption
from webhook.install.adoption import ADOPTABLE, ADOPTED_FROM, JAEGER_INJECTOR, PATHS, TAP_INJECTOR, AdoptionStatus
from webhook.install.configurations import INJECTOR_WEBHOOK, REACHED_LABEL, RULES
from webhook.install.validatedkinds import CONFIGURATION, WRITTEN_FOR
from webhook.kube.base64_fields import encode
from webhook.kube.webhookconfigurations import MUTATING, VALIDATING, ConfigurationName, path
from webhook.mesh.releases import Line
from webhook.upkeep.registration import SELF_TEST, Duties, Registration

from .conftest import INJECTOR, JSON, SERVICE, Known, bundles, configuration, refused, webhook

LINKERDS_INJECTOR = (MUTATING, "linkerd-proxy-injector-webhook-config")
LINKERDS_PROFILES = (VALIDATING, "linkerd-sp-validator-webhook-config")


class Leader:
    """A registration over these configurations. `said` is what stood in the way, by what it is about. `line` is the
    release line in force."""

    def __init__(
        self,
        *bodies: JSON,
        adopt: bool = False,
        line: Line | None = None,
        extensions: tuple[ConfigurationName, ...] = (),
    ) -> None:
        self.api = Store()
        self.known = Known(*[self.api.put(path((body["kind"], body["metadata"]["name"])), body) for body in bodies])
        self.said: dict[str, str] = {}
        self.line = line
        duties = Duties(SERVICE, "me", adopt=adopt, extensions=extensions, line=lambda: self.line)
        self.registration = Registration(
            self.api,  # type: ignore[arg-type]
            duties,
            self.known,  # type: ignore[arg-type]
            self.said.__setitem__,
        )


def self_test(ca: CertificateAndKey) -> JSON:
    """The configuration that the API server has just reached us through."""
    return configuration(SELF_TEST, webhook("self-test.linkerd-webhook.linkerd.io", ca.certificate, rules=[{}]))


def marked(body: JSON) -> JSON:
    """A self-test's configuration that tells that the server has been reached."""
    return {**body, "metadata": {**body["metadata"], "labels": {REACHED_LABEL: "true"}}}


class TestRules:
    async def test_a_webhook_that_was_born_without_gets_its_own(self, ca: CertificateAndKey) -> None:
        leader = Leader(self_test(ca), configuration(INJECTOR, webhook(INJECTOR_WEBHOOK, ca.certificate)))
        await leader.registration.write_waiting()
        [sent] = leader.api.done
        assert (sent.method, sent.path) == ("PUT", path(INJECTOR))
        assert leader.api.objects[path(INJECTOR)]["webhooks"][0]["rules"] == list(RULES[INJECTOR_WEBHOOK])
        assert sent.query == {"fieldManager": "linkerd-webhook"}

    async def test_rules_that_are_there_stay_as_they_are(self, ca: CertificateAndKey) -> None:
        narrowed = webhook(INJECTOR_WEBHOOK, ca.certificate, rules=[{"operations": ["CREATE"]}])
        leader = Leader(marked(self_test(ca)), configuration(INJECTOR, narrowed))
        await leader.registration.write_waiting()
        assert leader.api.calls == []
        assert leader.registration.waiting() == []

    async def test_a_webhook_that_is_not_ours_gets_none(self, ca: CertificateAndKey) -> None:
        stranger = webhook("somebody.example.org", ca.certificate)
        leader = Leader(marked(self_test(ca)), configuration(INJECTOR, stranger))
        await leader.registration.write_waiting()
        assert leader.api.calls == []

    @pytest.mark.parametrize("bundle", [b"", b"other"])
    async def test_a_configuration_with_another_ca_bundle_than_the_self_test_s_has_to_wait(
        self, ca: CertificateAndKey, other_ca: CertificateAndKey, bundle: bytes
    ) -> None:
        held = other_ca.certificate if bundle else b""
        leader = Leader(self_test(ca), configuration(INJECTOR, webhook(INJECTOR_WEBHOOK, held)))
        await leader.registration.write_waiting()
        assert leader.api.calls == []

    async def test_a_conflict_is_left_to_the_next_look(self, ca: CertificateAndKey) -> None:
        leader = Leader(self_test(ca), configuration(INJECTOR, webhook(INJECTOR_WEBHOOK, ca.certificate)))
        leader.api.put(path(INJECTOR), leader.api.objects[path(INJECTOR)])
        await leader.registration.write_waiting()
        assert leader.api.calls == [("PUT", path(INJECTOR))]
        assert leader.api.done == []
        assert leader.said == {}

    async def test_a_refusal_names_the_configuration(self, ca: CertificateAndKey) -> None:
        leader = Leader(self_test(ca), configuration(INJECTOR, webhook(INJECTOR_WEBHOOK, ca.certificate)))
        leader.api.failures[path(INJECTOR)] = refused(403, "cannot update")
        await leader.registration.write_waiting()
        assert "MutatingWebhookConfiguration linkerd-webhook could not be given its rules" in leader.said[INJECTOR[1]]
        leader.api.failures.clear()
        await leader.registration.write_waiting()
        assert leader.said[INJECTOR[1]] == ""


class TestMark:
    """The label by which a guard that refuses Pods comes into force."""

    def in_force(self, ca: CertificateAndKey) -> JSON:
        return configuration(INJECTOR, webhook(INJECTOR_WEBHOOK, ca.certificate, rules=[{}]))

    async def test_is_put_on_the_self_test_s_configuration_and_all_else_stays(self, ca: CertificateAndKey) -> None:
        before = self_test(ca)
        before["metadata"]["labels"] = {"app.kubernetes.io/component": "self-test"}
        leader = Leader(before, self.in_force(ca))
        assert leader.registration.waiting() == [SELF_TEST]
        await leader.registration.write_waiting()
        assert leader.api.writes == [("PUT", path(SELF_TEST))]
        body = leader.api.objects[path(SELF_TEST)]
        assert body["metadata"]["labels"] == {"app.kubernetes.io/component": "self-test", REACHED_LABEL: "true"}
        assert body["webhooks"] == before["webhooks"]
        assert REACHED_LABEL not in before["metadata"]["labels"]

    async def test_waits_for_the_rules_of_the_webhooks(self, ca: CertificateAndKey) -> None:
        leader = Leader(self_test(ca), configuration(INJECTOR, webhook(INJECTOR_WEBHOOK, ca.certificate)))
        assert leader.registration.waiting() == [INJECTOR]
        await leader.registration.write_waiting()
        assert leader.api.writes == [("PUT", path(INJECTOR))]

    @pytest.mark.parametrize("held", [b"", b"other"])
    def test_waits_for_the_ca_bundle_that_the_self_test_came_through_with(
        self, ca: CertificateAndKey, other_ca: CertificateAndKey, held: bytes
    ) -> None:
        bundle = other_ca.certificate if held else b""
        others = configuration(INJECTOR, webhook(INJECTOR_WEBHOOK, bundle, rules=[{}]))
        assert Leader(self_test(ca), others).registration.waiting() == []

    def test_waits_for_something_that_injects(self, ca: CertificateAndKey) -> None:
        assert Leader(self_test(ca)).registration.waiting() == []
        assert Leader(self_test(ca), adopt=True).registration.waiting() == []

    def test_waits_for_the_adoption_of_linkerd_s_configurations(
        self, ca: CertificateAndKey, other_ca: CertificateAndKey
    ) -> None:
        foreign = configuration(LINKERDS_INJECTOR, webhook("w", other_ca.certificate, "linkerd-proxy-injector"))
        assert Leader(self_test(ca), foreign, adopt=True).registration.waiting() == [LINKERDS_INJECTOR]
        for bundle in (ca.certificate, ca.certificate + other_ca.certificate, other_ca.certificate + ca.certificate):
            adopted = configuration(LINKERDS_INJECTOR, webhook("w", bundle), annotations={ADOPTED_FROM: "{}"})
            assert Leader(self_test(ca), adopted, adopt=True).registration.waiting() == [SELF_TEST]
        without = configuration(LINKERDS_INJECTOR, webhook("w", other_ca.certificate), annotations={ADOPTED_FROM: "{}"})
        assert Leader(self_test(ca), without, adopt=True).registration.waiting() == []

    async def test_that_is_there_is_not_written_again(self, ca: CertificateAndKey) -> None:
        leader = Leader(marked(self_test(ca)), self.in_force(ca))
        await leader.registration.write_waiting()
        assert leader.api.calls == []
        assert leader.registration.waiting() == []


class TestAdoption:
    async def test_every_webhook_points_here_with_our_ca_in_one_write_and_all_else_stays(
        self, ca: CertificateAndKey, other_ca: CertificateAndKey
    ) -> None:
        before = configuration(
            LINKERDS_INJECTOR,
            webhook("linkerd-proxy-injector.linkerd.io", other_ca.certificate, "linkerd-proxy-injector", rules=[1]),
        )
        leader = Leader(self_test(ca), before, adopt=True)
        await leader.registration.write_waiting()
        assert leader.api.writes == [("PUT", path(LINKERDS_INJECTOR))]
        body = leader.api.objects[path(LINKERDS_INJECTOR)]
        assert bundles(body) == [ca.certificate + other_ca.certificate]
        client = body["webhooks"][0].pop("clientConfig")
        assert client["service"] == {
            "namespace": "linkerd",
            "name": "linkerd-webhook",
            "path": "/proxy-injector",
            "port": 443,
        }
        old = before["webhooks"][0]["clientConfig"]
        assert json.loads(body["metadata"]["annotations"][ADOPTED_FROM]) == {"linkerd-proxy-injector.linkerd.io": old}
        assert body["webhooks"][0] == {"name": "linkerd-proxy-injector.linkerd.io", "rules": [1]}

    async def test_a_ca_of_linkerds_that_has_expired_is_left_out(self, ca: CertificateAndKey) -> None:
        over = issue_ca("over", lifetime=timedelta(days=1), now=datetime.now(UTC) - timedelta(days=3))
        before = configuration(LINKERDS_INJECTOR, webhook("w", over.certificate, "linkerd-proxy-injector"))
        leader = Leader(self_test(ca), before, adopt=True)
        await leader.registration.write_waiting()
        assert bundles(leader.api.objects[path(LINKERDS_INJECTOR)]) == [ca.certificate]

    async def test_nothing_is_adopted_before_the_self_test_s_ca_bundle_is_there(
        self, other_ca: CertificateAndKey
    ) -> None:
        foreign = configuration(LINKERDS_PROFILES, webhook("w", other_ca.certificate, "linkerd-sp-validator"))
        leader = Leader(configuration(SELF_TEST, webhook("self-test")), foreign, adopt=True)
        await leader.registration.write_waiting()
        assert leader.api.calls == []

    async def test_what_somebody_has_pointed_elsewhere_since_is_left_there_and_said_with_the_command(
        self, ca: CertificateAndKey, other_ca: CertificateAndKey
    ) -> None:
        overwritten = configuration(
            LINKERDS_PROFILES,
            webhook("w", other_ca.certificate, "linkerd-sp-validator"),
            annotations={ADOPTED_FROM: "{}"},
        )
        leader = Leader(self_test(ca), overwritten, adopt=True)
        await leader.registration.write_waiting()
        leader.registration.report_adoption()
        assert leader.api.calls == []
        assert leader.registration.overwritten() == [LINKERDS_PROFILES]
        [problem] = [text for text in leader.said.values() if text]
        assert LINKERDS_PROFILES[1] in problem
        assert "linkerd-webhook install --adopt --again" in problem

    async def test_what_cert_manager_writes_is_never_adopted(
        self, ca: CertificateAndKey, other_ca: CertificateAndKey
    ) -> None:
        annotated = configuration(
            LINKERDS_PROFILES,
            webhook("w", other_ca.certificate, "linkerd-sp-validator"),
            annotations={"cert-manager.io/inject-ca-from": "linkerd/sp"},
        )
        leader = Leader(self_test(ca), annotated, adopt=True)
        await leader.registration.write_waiting()
        leader.registration.report_adoption()
        assert leader.api.calls == []
        assert any("cert-manager" in text for text in leader.said.values())

    def test_an_adopted_configuration_has_nothing_left_to_do(self, ca: CertificateAndKey) -> None:
        adopted = configuration(LINKERDS_PROFILES, webhook("w", ca.certificate), annotations={ADOPTED_FROM: "{}"})
        assert adoption.status(adopted, SERVICE) is AdoptionStatus.ADOPTED
        assert Leader(marked(self_test(ca)), adopted, adopt=True).registration.waiting() == []

    def test_one_of_two_webhooks_pointed_elsewhere_is_overwritten(self, ca: CertificateAndKey) -> None:
        half = configuration(
            LINKERDS_PROFILES,
            webhook("a", ca.certificate),
            webhook("b", ca.certificate, "linkerd-sp-validator"),
            annotations={ADOPTED_FROM: "{}"},
        )
        assert adoption.status(half, SERVICE) is AdoptionStatus.OVERWRITTEN

    def test_without_the_flag_linkerd_s_configurations_are_nobody_s_business(
        self, ca: CertificateAndKey, other_ca: CertificateAndKey
    ) -> None:
        foreign = configuration(LINKERDS_PROFILES, webhook("w", other_ca.certificate, "linkerd-sp-validator"))
        leader = Leader(self_test(ca), foreign)
        assert leader.registration.waiting() == []
        assert leader.registration.overwritten() == []

    async def test_an_extension_s_is_adopted_where_the_server_can_answer_for_it_and_no_other(
        self, ca: CertificateAndKey, other_ca: CertificateAndKey
    ) -> None:
        bodies = [
            configuration(name, webhook("w", other_ca.certificate, "an-injector"))
            for name in (TAP_INJECTOR, JAEGER_INJECTOR)
        ]
        leader = Leader(self_test(ca), *bodies, adopt=True, extensions=(TAP_INJECTOR,))
        await leader.registration.write_waiting()
        assert leader.api.writes == [("PUT", path(TAP_INJECTOR))]
        [adopted] = leader.api.objects[path(TAP_INJECTOR)]["webhooks"]
        assert adopted["clientConfig"]["service"]["path"] == "/tap-injector"
        assert bundles(leader.api.objects[path(TAP_INJECTOR)]) == [ca.certificate + other_ca.certificate]

    def test_an_extension_that_is_not_there_is_neither_awaited_nor_missed(self, ca: CertificateAndKey) -> None:
        leader = Leader(self_test(ca), adopt=True, extensions=(TAP_INJECTOR, JAEGER_INJECTOR))
        leader.registration.report_adoption()
        assert leader.registration.waiting() == []
        assert leader.registration.overwritten() == []
        assert not any(leader.said.values())

    def test_an_extension_s_that_was_written_anew_is_reported(
        self, ca: CertificateAndKey, other_ca: CertificateAndKey
    ) -> None:
        anew = configuration(
            TAP_INJECTOR, webhook("w", other_ca.certificate, "tap-injector"), annotations={ADOPTED_FROM: "{}"}
        )
        leader = Leader(self_test(ca), anew, adopt=True, extensions=(TAP_INJECTOR,))
        leader.registration.report_adoption()
        assert leader.registration.overwritten() == [TAP_INJECTOR]
        assert any(TAP_INJECTOR[1] in text and "install --adopt --again" in text for text in leader.said.values())

    def test_every_configuration_of_linkerd_s_has_a_path(self) -> None:
        assert set(PATHS) == set(ADOPTABLE)
        assert set(PATHS.values()) == {
            "/proxy-injector",
            "/sp-validator",
            "/policy-validator",
            "/tap-injector",
            "/jaeger-injector",
        }


class TestNewKinds:
    """Kinds that came with an upgrade of Linkerd, which the rules of our configuration lack."""

    async def test_are_added_to_rules_that_nobody_has_changed(self, ca: CertificateAndKey) -> None:
        leader = Leader(marked(self_test(ca)), validators(ca), line=printed.NEW)
        assert leader.registration.waiting() == [CONFIGURATION]
        leader.registration.report_outdated()
        assert leader.said["validated kinds"] == ""
        await leader.registration.write_waiting()
        [sent] = leader.api.done
        assert (sent.method, sent.path) == ("PUT", path(CONFIGURATION))
        stored = leader.api.objects[path(CONFIGURATION)]
        assert printed.policy_rules(stored) == printed.policy_rules(printed.configuration(printed.NEW))
        assert stored["metadata"]["annotations"][WRITTEN_FOR] == "version-2.17"

    async def test_are_added_when_the_line_in_force_changes(self, ca: CertificateAndKey) -> None:
        leader = Leader(marked(self_test(ca)), validators(ca), line=printed.OLD)
        assert leader.registration.waiting() == []
        assert leader.registration.outdated() is None
        leader.line = printed.NEW
        assert leader.registration.waiting() == [CONFIGURATION]
        assert leader.registration.outdated() is not None

    async def test_that_another_writer_takes_out_again_stay_out_and_are_reported(self, ca: CertificateAndKey) -> None:
        leader = Leader(marked(self_test(ca)), validators(ca), line=printed.NEW)
        await leader.registration.write_waiting()
        # The configuration that is watched is still, or once more, the one from before.
        assert leader.registration.waiting() == []
        await leader.registration.write_waiting()
        assert len(leader.api.done) == 1
        leader.registration.report_outdated()
        assert "objects of EgressNetwork.policy.linkerd.io, HTTPLocal" in leader.said["validated kinds"]
        assert "linkerd-webhook install … | kubectl apply -f -" in leader.said["validated kinds"]

    async def test_are_added_again_after_a_write_that_failed(self, ca: CertificateAndKey) -> None:
        leader = Leader(marked(self_test(ca)), validators(ca), line=printed.NEW)
        leader.api.failures[path(CONFIGURATION)] = refused(403, "no")
        await leader.registration.write_waiting()
        assert leader.registration.waiting() == [CONFIGURATION]

    async def test_are_reported_only_where_somebody_has_changed_the_rules(self, ca: CertificateAndKey) -> None:
        body = validators(ca)
        printed.policy_rules(body)[0]["resources"].remove("servers")
        leader = Leader(marked(self_test(ca)), body, line=printed.NEW)
        assert leader.registration.waiting() == []
        leader.registration.report_outdated()
        assert "has the rules for version-2.16, and Linkerd is version-2.17 now" in leader.said["validated kinds"]
        assert "somebody has changed the rules, so the server leaves them as they are" in leader.said["validated kinds"]

    async def test_are_linkerd_s_own_business_where_its_configurations_are_adopted(self, ca: CertificateAndKey) -> None:
        leader = Leader(marked(self_test(ca)), validators(ca), adopt=True, line=printed.NEW)
        await leader.registration.write_waiting()
        assert leader.registration.outdated() is None
        assert leader.api.calls == []


def validators(ca: CertificateAndKey) -> JSON:
    """Our configuration of the validators as it was installed at an older line, with a caBundle by now."""
    body = printed.configuration(printed.OLD)
    for entry in body["webhooks"]:
        entry["clientConfig"]["caBundle"] = encode(ca.certificate)
    return body
