"""Certificates that never end: first start, renewal, rotation, and what people and clusters do to them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs import secrets
from certs.authority import Lifetimes
from certs.inspect import signed_by
from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from certs.reconciler import Round
from certs.renewal import due
from tests.kube.configurations import configuration
from tests.unit.certs.world import CA, LEAF, NAMES, SERVICE, START, World, installed
from webhook.kube.errors import ApiError
from webhook.kube.webhookconfigurations import CERT_MANAGER, path

DAY = timedelta(days=1)


def problems(rounds: list[Round]) -> str:
    return " | ".join(problem for element in rounds for problem in element.problems)


class TestFirstStart:
    """Nothing is there."""

    async def test_one_round_makes_a_ca_puts_it_into_every_ca_bundle_and_then_issues_a_leaf(self) -> None:
        world = World()
        upkeep_round = await world.round()
        assert [method for method, _ in world.api.calls] == ["POST", "PUT", "PUT", "PUT", "POST"]
        assert world.settled()
        assert len(upkeep_round.steps) == 2
        assert upkeep_round.problems == []

    async def test_without_any_configuration_the_leaf_is_issued_all_the_same(self) -> None:
        world = World(names=[])
        await world.round()
        assert signed_by(world.certificate(LEAF), world.certificate(CA))

    async def test_the_leaf_is_valid_for_every_form_of_the_service_s_name(self) -> None:
        world = await installed()
        names = world.certificate(LEAF).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [
            "linkerd-webhook.linkerd.svc",
            "linkerd-webhook",
            "linkerd-webhook.linkerd",
            "linkerd-webhook.linkerd.svc.cluster.local",
        ]

    async def test_the_secrets_are_labelled_and_of_the_type_for_certificates(self) -> None:
        world = await installed()
        for element in (CA, LEAF):
            assert world.api.objects[element]["type"] == "kubernetes.io/tls"
            assert world.api.objects[element]["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "linkerd-webhook"
        assert world.data(LEAF, "ca.crt") == world.data(CA)

    async def test_nothing_is_written_while_all_is_well(self) -> None:
        world = await installed()
        await world.run(3600)
        assert world.api.calls == []

    async def test_a_ca_bundle_that_cannot_be_written_yet_holds_the_leaf_up_only_where_that_helps(self) -> None:
        world = World()
        world.api.failures[f"PUT {path(NAMES[0])}"] = ApiError(409, "changed")
        await world.round()
        assert LEAF not in world.api.objects, "a conflict passes: the bundle comes first"
        world.api.failures[f"PUT {path(NAMES[0])}"] = ApiError(403, "forbidden: update of x")
        upkeep_round = await world.round()
        assert LEAF in world.api.objects, "a refusal stays: the other configurations must not wait for it"
        assert "grant this to the requesting user (forbidden: update of x)" in problems([upkeep_round])


class TestRenewal:
    """Time goes by."""

    async def test_a_year_and_more_pass_and_nobody_is_ever_locked_out(self) -> None:
        world = await installed()
        world.watch()
        first = world.certificate(CA)
        await world.days(500)
        assert world.settled()
        assert world.certificate(CA) != first
        assert world.certificate(CA).not_valid_after_utc - world.now > 60 * DAY

    async def test_a_leaf_is_renewed_at_two_thirds_of_its_life_give_or_take_a_twentieth(self) -> None:
        world = await installed()
        first = world.certificate(LEAF)
        at = due(first)
        assert START + 18.4 * DAY < at < START + 21.6 * DAY
        world.pass_time((at - world.now).total_seconds() - 1)
        await world.round()
        assert world.certificate(LEAF) == first
        world.pass_time(2)
        await world.round()
        assert world.certificate(LEAF) != first

    def test_the_jitter_is_the_certificate_s_own(self) -> None:
        ca = issue_ca("root", now=START)
        leaves = [x509.load_pem_x509_certificate(issue_leaf(ca, ["a"], now=START).certificate) for _ in range(20)]
        assert len({due(leaf) for leaf in leaves}) > 10
        assert [due(leaf) for leaf in leaves] == [due(leaf) for leaf in leaves]

    async def test_a_leaf_never_outlives_its_ca(self) -> None:
        world = await installed(lifetimes=Lifetimes(ca=10 * DAY, leaf=30 * DAY))
        assert world.certificate(LEAF).not_valid_after_utc <= world.certificate(CA).not_valid_after_utc

    async def test_a_leaf_of_the_same_ca_is_renewed_even_where_somebody_fights_for_a_ca_bundle(self) -> None:
        world = await installed()
        first = world.certificate(LEAF)
        world.api.before = lambda method, p: ApiError(403, "no") if method == "PUT" and p == path(NAMES[1]) else None
        world.edit_bundle(NAMES[1], issue_ca("other", now=world.now).certificate)
        world.pass_time(22 * 86400)
        await world.round()
        assert world.certificate(LEAF) != first

    async def test_a_new_leader_does_not_wait_where_a_leaf_is_due_of_the_ca_that_everybody_trusts(self) -> None:
        world = await installed()
        first = world.certificate(LEAF)
        world.pass_time(22 * 86400)
        world.restart()
        await world.round()
        assert world.certificate(LEAF) != first

    @pytest.mark.parametrize("minutes", [5, -5])
    async def test_a_leader_whose_clock_is_five_minutes_off_locks_nobody_out(self, minutes: int) -> None:
        world = await installed()
        world.watch()
        world.skew = timedelta(minutes=minutes)
        world.ask("ca")
        await world.run(60)
        assert world.settled()

    async def test_a_leader_whose_clock_is_a_year_off_takes_nothing_away_that_is_served(self) -> None:
        world = await installed()
        world.watch()
        before = [replica.served for replica in world.replicas]
        world.skew = 400 * DAY
        await world.run(60)
        assert [replica.served for replica in world.replicas] == before
        world.skew = timedelta()
        await world.run(60)
        assert world.settled()


class TestRotation:
    """A new CA."""

    async def test_it_is_stored_spread_settled_promoted_and_alone_in_the_end(self) -> None:
        world = await installed()
        world.watch()
        old, leaf = world.certificate(CA), world.certificate(LEAF)
        world.ask("ca")
        await world.round()
        new = world.certificate(CA, "next.crt")
        assert secrets.ROTATE not in world.api.objects[CA]["metadata"]["annotations"], "it was taken up"
        assert all(set(world.bundle(name)) == {old, new} for name in NAMES)
        result = await world.run(9)
        assert world.certificate(LEAF) == leaf, "API servers have to hear of it first"
        assert "every caBundle has held it" in result[-1].state["waiting"]
        await world.run(3)
        assert world.certificate(CA) == new
        assert signed_by(world.certificate(LEAF), new)
        assert all(set(world.bundle(name)) == {old, new} for name in NAMES)
        await world.run(12)
        assert world.settled()

    async def test_the_old_ca_stays_as_long_as_a_replica_has_not_seen_the_new_secret(self) -> None:
        world = await installed()
        world.watch()
        world.replicas[1].late = 100.0
        old = world.certificate(CA)
        world.ask("ca")
        rounds = await world.run(95)
        assert old in world.bundle()
        assert "a replica does not serve the new certificate yet: 1:8443" in problems(rounds)
        await world.run(40)
        assert world.settled()

    async def test_the_old_ca_stays_where_a_replica_cannot_be_reached(self) -> None:
        world = await installed()
        old = world.certificate(CA)
        world.unreachable = "0"
        world.ask("ca")
        rounds = await world.run(300)
        assert old in world.bundle()
        assert "0:8443: no handshake" in problems(rounds)

    async def test_the_old_ca_stays_where_replicas_cannot_be_listed_and_where_there_is_none(self) -> None:
        world = await installed()
        old = world.certificate(CA)
        world.no_endpoints = ApiError(403, "endpointslices is forbidden")
        world.ask("ca")
        assert "endpointslices is forbidden" in problems(await world.run(60))
        assert old in world.bundle()
        world.no_endpoints, world.replicas = None, []
        assert "no ready replica" in problems(await world.run(60))
        assert old in world.bundle()

    async def test_a_leaf_is_rotated_where_that_is_asked_for_and_once_only(self) -> None:
        world = await installed()
        world.watch()
        ca, leaf = world.certificate(CA), world.certificate(LEAF)
        world.ask("leaf")
        await world.run(30)
        assert world.settled()
        assert (world.certificate(CA), world.certificate(LEAF) != leaf) == (ca, True)
        assert [p for _, p in world.api.calls] == [LEAF, CA]

    async def test_a_wish_that_makes_no_sense_is_taken_off(self) -> None:
        world = await installed()
        leaf = world.certificate(LEAF)
        world.ask("everything")
        await world.run(30)
        assert world.settled()
        assert world.certificate(LEAF) == leaf

    async def test_a_ca_whose_life_is_two_thirds_over_is_followed_by_another(self) -> None:
        world = await installed(lifetimes=Lifetimes(ca=90 * DAY, leaf=5 * DAY))
        world.watch()
        first = world.certificate(CA)
        await world.days(67)
        assert world.certificate(CA) != first
        assert world.settled()

    async def test_a_next_ca_that_is_no_good_is_dropped(self) -> None:
        world = await installed()
        world.edit_data(CA, {"next.crt": b"junk"})
        await world.run(60)
        assert world.settled()

    async def test_a_configuration_that_comes_late_gets_time_to_be_heard_of(self) -> None:
        world = await installed(names=NAMES[:2])
        world.ask("ca")
        await world.run(8)
        world.names.append(NAMES[2])
        world.api.put(path(NAMES[2]), configuration(*NAMES[2]))
        await world.run(8)
        assert "next.crt" in world.api.objects[CA]["data"], "its caBundle is younger than ten seconds"
        await world.run(60)
        assert world.settled()


class TestDamage:
    """What is done to the Secrets. Whoever is still trusted stays so."""

    @pytest.mark.parametrize("which", [CA, LEAF], ids=["CA", "leaf"])
    async def test_a_deleted_secret_is_made_anew(self, which: str) -> None:
        world = await installed()
        world.watch()
        world.api.remove(which)
        await world.run(60)
        assert world.settled()

    @pytest.mark.parametrize("which", [CA, LEAF], ids=["CA", "leaf"])
    @pytest.mark.parametrize("key", ["tls.crt", "tls.key"])
    @pytest.mark.parametrize("value", [b"", b"junk"], ids=["empty", "junk"])
    async def test_half_a_pair_is_made_anew(self, which: str, key: str, value: bytes) -> None:
        world = await installed()
        world.watch()
        world.edit_data(which, {key: value})
        result = await world.run(60)
        assert world.settled()
        assert f"data[{key}]" in result[0].steps[0], "it says what was wrong"

    async def test_the_key_of_another_certificate_is_found(self) -> None:
        world = await installed()
        world.watch()
        world.edit_data(CA, {"tls.key": issue_ca("other").key})
        result = await world.run(60)
        assert "does not belong to the certificate" in result[0].steps[0]
        assert world.settled()

    async def test_a_ca_that_is_no_ca_is_replaced(self) -> None:
        world = await installed()
        world.watch()
        world.store(CA, issue_leaf(issue_ca("x", now=world.now), ["x"], now=world.now))
        result = await world.run(60)
        assert "is not a CA" in result[0].steps[0]
        assert world.settled()

    async def test_an_expired_ca_is_replaced_though_the_leaf_is_valid(self) -> None:
        world = World()
        ca = issue_ca("brought", lifetime=10 * DAY, now=START)
        world.store(CA, ca)
        world.store(LEAF, self_made_leaf(ca, 90 * DAY))
        await world.run(60)
        world.pass_time(11 * 86400)
        upkeep_round = await world.round()
        assert "expired at" in upkeep_round.steps[0]
        assert world.locked_out() == [], "nobody trusted the old one any more: there was nothing to wait for"
        await world.run(60)
        assert world.settled()

    async def test_a_ca_that_was_recreated_meets_stale_ca_bundles_and_both_get_together(self) -> None:
        world = await installed()
        world.watch()
        world.store(CA, issue_ca("another", now=world.now))
        await world.run(60)
        assert world.settled()
        assert world.certificate(CA).subject.rfc4514_string() == "CN=another"

    async def test_an_rsa_ca_that_an_admin_brought_signs(self) -> None:
        world = World()
        world.store(CA, rsa_ca())
        await world.run(60)
        assert world.settled()
        assert isinstance(world.certificate(CA).public_key(), rsa.RSAPublicKey)

    async def test_a_chain_with_an_intermediate_stands_in_the_ca_bundles_whole(self) -> None:
        root, intermediate = chain()
        world = World()
        world.store(CA, CertificateAndKey(intermediate.certificate + root.certificate, intermediate.key))
        await world.run(60)
        assert world.locked_out() == []
        subjects = [finding.subject.rfc4514_string() for finding in world.bundle()]
        assert subjects == ["CN=intermediate", "CN=root"]
        assert world.certificate(LEAF).issuer.rfc4514_string() == "CN=intermediate"

    @pytest.mark.parametrize("which", [CA, LEAF], ids=["CA", "leaf"])
    @pytest.mark.parametrize("change", [{"type": "Opaque"}, {"immutable": True}], ids=["of another type", "immutable"])
    async def test_a_secret_of_ours_that_cannot_be_written_is_made_anew_and_keeps_the_ca(
        self, which: str, change: dict[str, object]
    ) -> None:
        world = await installed()
        world.watch()
        ca = world.certificate(CA)
        world.edit(which, **change)
        world.ask("ca")
        await world.run(60)
        assert world.settled()
        assert ("DELETE", which) in world.api.calls
        assert world.api.objects[which]["type"] == "kubernetes.io/tls"
        assert "immutable" not in world.api.objects[which]
        assert world.certificate(CA) != ca
        assert ca not in world.bundle(), "rotated, not thrown away: whoever was trusted stayed so on the way"

    async def test_a_secret_of_somebody_else_is_never_touched_and_two_ways_out_are_said(self) -> None:
        world = World()
        world.store(CA, issue_leaf(issue_ca("x", now=START), ["x"], now=START), ours=False)
        before = dict(world.api.objects[CA])
        rounds = await world.run(60)
        assert world.api.objects[CA] == before
        assert "Secret linkerd/linkerd-webhook-ca: cannot create a new CA" in problems(rounds)
        assert "delete the Secret" in problems(rounds)
        assert "--existing-secret" in problems(rounds)

    async def test_leaves_go_on_where_the_ca_is_somebody_else_s_and_cannot_be_followed_by_another(self) -> None:
        world = World()
        world.store(CA, issue_ca("theirs", lifetime=100 * DAY, now=START), ours=False)
        await world.run(60)
        world.watch()
        rounds = await world.days(95)
        assert "cannot store a next CA" in problems(rounds)
        assert world.locked_out() == []

    async def test_a_leaf_that_lacks_a_name_is_replaced(self) -> None:
        world = await installed()
        ca = CertificateAndKey(world.data(CA), world.data(CA, "tls.key"))
        world.store(LEAF, issue_leaf(ca, [SERVICE.dns_name], now=world.now))
        await world.run(60)
        assert world.settled()

    async def test_an_emptied_ca_bundle_in_the_midst_of_a_rotation_gets_the_old_ca_back_as_well(self) -> None:
        world = await installed()
        old = world.certificate(CA)
        world.replicas[0].late = 100
        world.ask("ca")
        await world.run(20)
        assert signed_by(world.certificate(LEAF), world.certificate(CA))
        world.edit_bundle(NAMES[0], b"")
        await world.round()
        assert old in world.bundle(), "a replica serves a leaf of it"
        assert world.locked_out() == []

    async def test_a_new_leader_finds_the_old_ca_beside_the_leaf_where_the_ca_bundles_are_empty(self) -> None:
        world = await installed()
        for replica in world.replicas:
            replica.late = 50.0
        world.ask("ca")
        await world.run(6)
        for name in NAMES:
            world.edit_bundle(name, b"")
        world.store(CA, issue_ca("recreated", now=world.now))
        world.restart()
        await world.round()
        assert world.locked_out() == [], "replicas serve the leaf of the old one still"
        await world.run(120)
        assert world.settled()


class TestApiServer:
    """It says no, or nothing."""

    @pytest.mark.parametrize("error", [ApiError(500, "etcd"), ApiError(0, "refused"), TimeoutError()])
    async def test_a_round_never_raises_and_the_next_one_puts_it_right(self, error: Exception) -> None:
        world = await installed()
        world.api.before = lambda method, p: error
        upkeep_round = await world.round()
        assert upkeep_round.problems
        world.api.before = lambda method, p: None
        await world.run(30)
        assert world.settled()

    async def test_what_is_forbidden_is_named(self) -> None:
        world = World()
        world.api.before = lambda method, p: (
            ApiError(403, 'cannot create resource "secrets"') if method == "POST" else None
        )
        upkeep_round = await world.round()
        assert 'not allowed: grant this to the requesting user (cannot create resource "secrets")' in problems(
            [upkeep_round]
        )

    async def test_something_is_looked_at_soon_while_under_way_and_seldom_otherwise(self) -> None:
        world = await installed()
        assert (await world.round()).pause == 10
        world.ask("ca")
        assert (await world.round()).pause <= 10


class TestCertManager:
    """It writes a caBundle where its annotation stands."""

    @pytest.mark.parametrize("annotation", CERT_MANAGER)
    async def test_its_configurations_are_not_touched_and_that_is_said(self, annotation: str) -> None:
        world = World(names=NAMES[:1])
        world.api.put(path(NAMES[0]), configuration(*NAMES[0], b"", 1, **{annotation: "linkerd/x"}))
        rounds = await world.run(30)
        assert not [call for call in world.api.calls if call[1] == path(NAMES[0])]
        assert annotation in problems(rounds)
        assert "--inject-ca-from" in problems(rounds)


def builder(subject: str, issuer: str, key: object, path_length: int | None) -> x509.CertificateBuilder:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key)  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(START - timedelta(minutes=5))
        .not_valid_after(START + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    )


def pem(certificate: x509.Certificate, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> CertificateAndKey:
    return CertificateAndKey(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ),
    )


def rsa_ca() -> CertificateAndKey:
    key = rsa.generate_private_key(65537, 2048)
    return pem(builder("rsa", "rsa", key.public_key(), None).sign(key, hashes.SHA256()), key)


def chain() -> tuple[CertificateAndKey, CertificateAndKey]:
    root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    return (
        pem(builder("root", "root", root.public_key(), None).sign(root, hashes.SHA256()), root),
        pem(builder("intermediate", "root", key.public_key(), 0).sign(root, hashes.SHA256()), key),
    )


def self_made_leaf(ca: CertificateAndKey, lifetime: timedelta) -> CertificateAndKey:
    """A leaf that outlives its CA, as no authority here would issue it."""
    signer = serialization.load_pem_private_key(ca.key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate(ca.certificate).subject
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START - timedelta(minutes=5))
        .not_valid_after(START + lifetime)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in SERVICE.dns_names()]), critical=True)
        .sign(signer, hashes.SHA256())
    )
    return pem(certificate, key)


def accepted_by_linkerd_check(world: World, leaf: x509.Certificate, name: str) -> str:
    """What `linkerd check` says of a leaf in one of Linkerd's own Secrets, "" for nothing: it goes by the caBundle of
    Linkerd's configuration, of which every CA has to be valid."""
    anchors = world.bundle(NAMES[0])
    if any(not anchor.not_valid_before_utc <= world.now < anchor.not_valid_after_utc for anchor in anchors):
        return "anchors not within their validity period"
    try:
        builder = x509.verification.PolicyBuilder().store(x509.verification.Store(anchors)).time(world.now)
        builder.build_server_verifier(x509.DNSName(name)).verify(leaf, [])
    except x509.verification.VerificationError as error:
        return str(error)
    return ""


class TestOthersCas:
    """CAs that stay beside ours, as Linkerd verifies its own Secrets by an adopted caBundle."""

    NAME = "linkerd-proxy-injector.linkerd.svc"

    def linkerds(self, days: int = 365) -> tuple[bytes, x509.Certificate]:
        """Linkerd's CA, and a leaf of it."""
        ca = issue_ca("linkerd-proxy-injector.linkerd.svc", lifetime=days * DAY, now=START - DAY)
        return ca.certificate, x509.load_pem_x509_certificate(issue_leaf(ca, [self.NAME], now=START - DAY).certificate)

    async def test_linkerd_check_fails_without(self) -> None:
        _, leaf = self.linkerds()
        assert accepted_by_linkerd_check(await installed(), leaf, self.NAME) != ""

    async def test_are_there_and_nothing_else_is_written(self) -> None:
        ca, leaf = self.linkerds()
        world = await installed(beside={NAMES[0]: ca})
        assert accepted_by_linkerd_check(world, leaf, self.NAME) == ""
        assert len(world.bundle(NAMES[1])) == 1
        await world.run(3600)
        assert world.api.calls == []

    @pytest.mark.parametrize("what", ["ca", "leaf"])
    async def test_stay_through_every_rotation_of_ours(self, what: str) -> None:
        ca, leaf = self.linkerds()
        world = await installed(beside={NAMES[0]: ca})
        before = world.certificate(CA)
        world.watch()
        world.ask(what)
        for _ in range(60):
            await world.run(2)
            assert accepted_by_linkerd_check(world, leaf, self.NAME) == ""
        assert world.settled()
        assert (world.certificate(CA) == before) is (what == "leaf")

    async def test_are_put_back_beside_ours_where_somebody_takes_them_out(self) -> None:
        ca, leaf = self.linkerds()
        world = await installed(beside={NAMES[0]: ca})
        world.edit_bundle(NAMES[0], world.data(CA))
        await world.run(20)
        assert accepted_by_linkerd_check(world, leaf, self.NAME) == ""

    async def test_come_into_a_ca_bundle_that_an_earlier_version_has_written(self) -> None:
        ca, leaf = self.linkerds()
        world = await installed()
        world.beside[NAMES[0]] = ca
        await world.run(20)
        assert accepted_by_linkerd_check(world, leaf, self.NAME) == ""
        assert world.settled()

    async def test_that_are_replaced_go(self) -> None:
        (old, _), (new, leaf) = self.linkerds(), self.linkerds()
        world = await installed(beside={NAMES[0]: old})
        world.beside[NAMES[0]] = new
        await world.run(60)
        assert world.settled()
        assert accepted_by_linkerd_check(world, leaf, self.NAME) == ""

    async def test_that_expire_go_as_linkerd_check_refuses_them_for_ours_as_well(self) -> None:
        ca, _ = self.linkerds(days=30)
        world = await installed(beside={NAMES[0]: ca})
        await world.days(40)
        assert world.settled()
        assert len(world.bundle(NAMES[0])) == 1
