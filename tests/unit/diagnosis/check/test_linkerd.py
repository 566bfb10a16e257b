"""The lines about Linkerd's control plane: each with what fails and what passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.unit.diagnosis.check.installed_cluster import InstalledCluster, said, skipped
from tests.unit.diagnosis.check.test_control_plane import ROOTS, config
from webhook.diagnosis.check import crds, linkerd
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.finding import CheckFinding
from webhook.diagnosis.unseen import MissingRight, NotSeen
from webhook.mesh.releases import line

JSON = dict[str, Any]

AT = datetime(2026, 6, 1, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
FRESH = timedelta(days=365)


def anchor(begins: timedelta = -FRESH, ends: timedelta = FRESH, name: str = "root") -> str:
    """A trust anchor (PEM), whose validity is told from the moment of the check."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(AT + begins)
        .not_valid_after(AT + ends)
        .sign(KEY, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()


def served(name: str = "edge-26.8", **over: str) -> dict[str, frozenset[str]]:
    """The CustomResourceDefinitions of a release line, a version of each."""
    return {element: frozenset({version}) for element, version in (crds.needed(line(name)) | over).items()}


def facts(**more: Any) -> ClusterFacts:
    """Of a cluster in which all is well."""
    all_well = {
        "at": AT,
        "linkerd_config": config(),
        "trust_roots": {"data": {"ca-bundle.crt": anchor()}},
        "crds": served(),
        "linkerd_namespaces": (),
    }
    return InstalledCluster().facts(**{**all_well, **more})


def anchors(*pem: str) -> ClusterFacts:
    """With these trust anchors."""
    return facts(trust_roots={"data": {"ca-bundle.crt": "".join(pem)}})


def only(findings: list[CheckFinding]) -> tuple[str, str]:
    """The severity of the only finding, and its line."""
    (finding,) = findings
    return str(finding.severity), finding.line()


@pytest.mark.parametrize(
    "element",
    [
        linkerd.crds,
        linkerd.linkerd_config,
        linkerd.trust_roots,
        linkerd.release_line,
        linkerd.trust_anchors,
        linkerd.trust_anchors_60_days,
    ],
    ids=lambda element: str(element.code),
)
class TestAll:
    """What holds of each of them."""

    def test_says_nothing_where_all_is_well(self, element: Any) -> None:
        assert said(element, facts()) == []

    def test_is_skipped_where_nothing_of_ours_is_installed(self, element: Any) -> None:
        gone = facts(installation=None, linkerd_config=None, trust_roots=None, crds={})
        assert skipped(element, gone) == "linkerd-webhook is not installed"


class TestCrds:
    """Linkerd's CustomResourceDefinitions."""

    def test_one_that_is_missing_is_an_error_with_the_command_that_installs_it(self) -> None:
        there = served()
        del there["servers.policy.linkerd.io"]
        assert only(said(linkerd.crds, facts(crds=there))) == (
            "error",
            "CustomResourceDefinition servers.policy.linkerd.io: not found: run linkerd install --crds | kubectl apply "
            "-f -",
        )

    def test_one_that_does_not_serve_what_the_release_reads_is_an_error(self) -> None:
        old = facts(crds=served() | {"servers.policy.linkerd.io": frozenset({"v1beta1"})})
        severity, text = only(said(linkerd.crds, old))
        assert severity == "error"
        assert "servers.policy.linkerd.io: spec.versions: does not serve v1beta3, which edge-26.8 reads: run" in text
        assert "linkerd upgrade --crds" in text

    def test_an_older_release_needs_fewer_and_older_ones(self) -> None:
        old = facts(crds=served("stable-2.12"), linkerd_config=config("stable-2.12"))
        assert said(linkerd.crds, old) == []
        assert "egressnetworks.policy.linkerd.io" not in served("stable-2.12")
        assert len(said(linkerd.crds, facts(crds=served("stable-2.12")))) == len(served()) - len(
            [name for name, versions in served().items() if versions == served("stable-2.12").get(name)]
        )

    def test_of_a_release_that_is_not_known_only_those_of_every_one_are_looked_for(self) -> None:
        some = dict.fromkeys(crds.EVERY_LINES, frozenset({"v9"}))
        assert said(linkerd.crds, facts(crds=some, linkerd_config=config(linkerdVersion="edge-30.1.1"))) == []
        assert said(linkerd.crds, facts(crds=some, linkerd_config=None)) == []
        assert len(said(linkerd.crds, facts(crds={}, linkerd_config=None))) == len(crds.EVERY_LINES) == 7

    def test_the_line_that_the_server_was_told_counts(self) -> None:
        cluster = InstalledCluster(extraArgs=["--release-line=stable-2.12"])
        told = replace(facts(crds=served("stable-2.12")), installation=cluster.facts().installation)
        assert said(linkerd.crds, told) == []

    def test_a_missing_right_is_named(self) -> None:
        unseen = NotSeen((MissingRight("get", "customresourcedefinitions.apiextensions.k8s.io"),))
        _, text = only(said(linkerd.crds, facts(crds=unseen)))
        assert "grant get on customresourcedefinitions.apiextensions.k8s.io" in text


class TestConfigMaps:
    """linkerd-config and the trust roots."""

    @pytest.mark.parametrize(
        ("config_map", "says"),
        [
            ({}, "ConfigMap linkerd/linkerd-config: data: data has no values: correct it there"),
            ({"data": {"values": "a: [1"}}, "the values are not YAML: line 1: "),
            (config(proxy=None), "values: proxy is missing, and no Pod can be injected without it"),
            (config(clusterNetworks="10/8"), 'values: clusterNetworks: "10/8" is not a network'),
            (config(linkerdVersion="stable-2.11.0"), "linkerdVersion is stable-2.11.0, older than stable-2.12"),
        ],
    )
    def test_values_that_cannot_be_used_are_an_error(self, config_map: JSON, says: str) -> None:
        severity, text = only(said(linkerd.linkerd_config, facts(linkerd_config=config_map)))
        assert severity == "error"
        assert says in text
        assert "linkerd upgrade | kubectl apply -f -" in text

    @pytest.mark.parametrize("name", ["linkerd_config", "trust_roots"])
    def test_one_that_is_missing_is_an_error(self, name: str) -> None:
        element = getattr(linkerd, name)
        _, text = only(said(element, facts(**{name: None})))
        assert "not found: have Linkerd write it anew: linkerd upgrade" in text
        _, text = only(said(element, facts(**{name: None}, scope=Scope.PRE)))
        assert "linkerd install | kubectl apply -f -" in text
        _, text = only(said(element, facts(**{name: None}, linkerd_namespaces=("mesh",))))
        assert text.endswith("not found: Linkerd is in namespace mesh: pass --linkerd-namespace mesh")

    @pytest.mark.parametrize("body", [{}, {"data": {}}, {"data": {"ca-bundle.crt": 3}}, {"data": []}])
    def test_trust_roots_without_their_key_are_an_error(self, body: JSON) -> None:
        severity, text = only(said(linkerd.trust_roots, facts(trust_roots=body)))
        assert (severity, "data[ca-bundle.crt]: missing" in text) == ("error", True)
        assert "has no ca-bundle.crt" in skipped(linkerd.trust_anchors, facts(trust_roots=body))


class TestReleaseLine:
    """Whether the release is known."""

    def test_a_newer_one_than_is_known_is_a_warning(self) -> None:
        severity, text = only(said(linkerd.release_line, facts(linkerd_config=config(linkerdVersion="edge-30.1.1"))))
        assert severity == "warning"
        assert 'linkerdVersion "edge-30.1.1" is newer than edge-26.8' in text

    @pytest.mark.parametrize(
        ("config_map", "says"),
        [(None, "does not exist"), ({}, "the values in ConfigMap linkerd/linkerd-config cannot")],
    )
    def test_values_that_cannot_be_read_are_told_by_another_line(self, config_map: JSON | None, says: str) -> None:
        assert says in skipped(linkerd.release_line, facts(linkerd_config=config_map))


class TestTrustAnchors:
    """Their validity."""

    @pytest.mark.parametrize(
        ("pem", "says"),
        [
            ("", "holds no trust anchor (it is empty), so"),
            ("not PEM", "holds no trust anchor (it does not hold a certificate: write certificates in PEM), so"),
            (anchor(ends=timedelta(days=-2)), "CN=root: the trust anchor expired on 2026-05-30"),
            (anchor(begins=timedelta(days=3)), "CN=root: the trust anchor is not valid before 2026-06-04"),
        ],
    )
    def test_none_that_is_valid_now_is_an_error(self, pem: str, says: str) -> None:
        severity, text = only(said(linkerd.trust_anchors, anchors(pem)))
        assert severity == "error"
        assert text.startswith("ConfigMap linkerd/linkerd-identity-trust-roots: data[ca-bundle.crt]")
        assert says in text
        assert "no proxy that starts gets an identity: " in text

    def test_an_expired_one_beside_its_successor_is_a_warning(self) -> None:
        severity, text = only(
            said(linkerd.trust_anchors, anchors(anchor(ends=timedelta(days=-2), name="old"), anchor()))
        )
        assert (severity, "CN=old: the trust anchor expired on" in text) == ("warning", True)

    def test_one_that_cannot_be_read_beside_a_good_one_is_a_warning(self) -> None:
        broken = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"
        severity, text = only(said(linkerd.trust_anchors, anchors(anchor(), broken)))
        assert (severity, "cannot be read (number 2)" in text) == ("warning", True)

    @pytest.mark.parametrize(("days", "warns"), [(59, True), (61, False), (-1, False)])
    def test_one_that_ends_within_60_days_is_a_warning(self, days: int, warns: bool) -> None:
        findings = said(linkerd.trust_anchors_60_days, anchors(anchor(ends=timedelta(days=days))))
        assert [str(finding.severity) for finding in findings] == ["warning"] * warns
        assert all(
            "expires on 2026-07-30: rotate them as in https://linkerd.io/" in finding.line() for finding in findings
        )

    def test_the_defaults_are_valid(self) -> None:
        assert said(linkerd.trust_anchors, facts(trust_roots=ROOTS, at=datetime.now(UTC))) == []
