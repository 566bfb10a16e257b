"""The configuration of a mesh: values, trust anchors and the line that they belong to."""

from __future__ import annotations

import hashlib

import pytest

from webhook.mesh.config import ConfigError, Mesh
from webhook.mesh.defaults import default_trust_anchors, default_values
from webhook.mesh.releases import LINES

ANCHORS = b"-----BEGIN CERTIFICATE-----\r\nAAAA\r\n-----END CERTIFICATE-----\r\n"

FIX = "give the text that the ConfigMap linkerd-config has under `values`"


def load(values: bytes | str = b"linkerdVersion: edge-26.8.1", anchors: bytes = ANCHORS) -> Mesh:
    """A mesh of these files."""
    return Mesh.load(values.encode() if isinstance(values, str) else values, anchors)


def problems(values: bytes) -> list[str]:
    """Why these values cannot be read."""
    with pytest.raises(ConfigError) as caught:
        load(values)
    return caught.value.problems


class TestFiles:
    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (b"", f"the values are empty: {FIX}"),
            (
                b"# nothing\n---\n",
                f"the values are empty: {FIX}",
            ),
            (b"null", f"the values are empty: {FIX}"),
            (
                b"- a",
                f"the values are an array, and must be an object: {FIX}",
            ),
            (
                b"just text",
                f"the values are 'just text', and must be an object: {FIX}",
            ),
            (
                b"7",
                f"the values are 7, and must be an object: {FIX}",
            ),
        ],
    )
    def test_values_that_are_no_object_are_refused(self, values: bytes, message: str) -> None:
        assert problems(values) == [message]

    @pytest.mark.parametrize("values", [b"{", b"a: b: c", b"\tx: 1", b"a: *nowhere", b"a: \xff", b"\x00", b"[" * 5000])
    def test_values_that_are_not_yaml_are_refused(self, values: bytes) -> None:
        (message,) = problems(values)
        assert message.startswith("the values are not YAML: ")
        assert "\n" not in message

    def test_the_first_document_counts_and_what_follows_has_no_effect(self) -> None:
        assert load("linkerdVersion: edge-26.8.2\n---\nb: [\n").line.name == "edge-26.8"

    def test_tags_of_other_programs_have_no_effect(self) -> None:
        values = load("clusterDomain: !!python/object/apply:os.getcwd x\nlinkerdVersion: edge-26.8.1").values
        assert values.cluster_domain == "x"

    def test_dates_and_numbers_of_base_60_are_text(self) -> None:
        values = load("clusterNetworks: 2026-08-01\nclusterDomain: 1:30\nproxy: {logLevel: on}").values
        assert values.cluster_networks == "2026-08-01"
        assert values.cluster_domain == "1:30"
        assert values.proxy is not None
        assert values.proxy.log_level == "true"

    def test_an_error_shows_all_its_problems(self) -> None:
        assert str(ConfigError(["one", "two"])) == "one\ntwo"

    def test_the_defaults_make_a_mesh_without_problems(self) -> None:
        mesh = load(default_values(), default_trust_anchors())
        assert (mesh.line.name, mesh.problems, mesh.warnings) == ("edge-26.8", [], [])


class TestTrustAnchors:
    def test_they_are_hashed_as_they_are_in_the_file(self) -> None:
        assert load().trust_anchors_sha256 == hashlib.sha256(ANCHORS).hexdigest()

    def test_those_in_the_values_do_not_count(self) -> None:
        mesh = load("linkerdVersion: edge-26.8.1\nidentityTrustAnchorsPEM: other\n")
        assert mesh.trust_anchors == ANCHORS.decode()

    def test_an_empty_file_is_a_problem(self) -> None:
        assert load(anchors=b"").problems == [
            "the trust anchors are empty, and no proxy gets an identity without one: give a certificate in PEM"
        ]

    def test_bytes_that_are_no_utf_8_are_replaced_and_hashed_all_the_same(self) -> None:
        mesh = load(anchors=b"\xff")
        assert mesh.trust_anchors == "\ufffd"
        assert mesh.trust_anchors_sha256 == hashlib.sha256(b"\xff").hexdigest()


class TestReleaseLine:
    def test_the_values_tell_it(self) -> None:
        assert load("linkerdVersion: stable-2.12.4").line.name == "stable-2.12.4"

    def test_a_given_one_wins(self) -> None:
        mesh = Mesh.load(b"linkerdVersion: edge-99.1.1", ANCHORS, release_line="stable-2.12")
        assert (mesh.line.name, mesh.warnings, mesh.unknown_version) == ("stable-2.12", [], False)

    def test_a_given_one_that_is_unknown_is_refused(self) -> None:
        with pytest.raises(ValueError, match='"newest" is not a release line'):
            Mesh.load(b"linkerdVersion: edge-26.8.1", ANCHORS, release_line="newest")

    def test_a_version_that_is_none_of_the_lines_is_a_warning(self) -> None:
        mesh = load("linkerdVersion: edge-99.1.1")
        assert mesh.unknown_version
        assert len(mesh.warnings) == 1
        assert "edge-99.1.1" in mesh.warnings[0]


class TestClusterNetworks:
    @pytest.mark.parametrize(
        "networks",
        [
            "",
            "10.0.0.0/8",
            "10.1.2.3/8",
            "0.0.0.0/0,::/0",
            "fd00::/8",
            "::ffff:10.0.0.0/104",
            "10.0.0.0/8,",
            ",10.0.0.0/8,,",
            "10.0.0.0/032",
        ],
    )
    def test_networks_with_commas_between_are_taken(self, networks: str) -> None:
        assert load(f'linkerdVersion: edge-26.8.1\nclusterNetworks: "{networks}"').problems == []

    @pytest.mark.parametrize(
        ("networks", "bad"),
        [
            ("10.0.0.0", "10.0.0.0"),
            ("10.0.0.0/33", "10.0.0.0/33"),
            ("10.0.0.0/-1", "10.0.0.0/-1"),
            ("10.0.0/8", "10.0.0/8"),
            ("10.0.0.0/8, fd00::/8", " fd00::/8"),
            ("10.0.0.0/255.0.0.0", "10.0.0.0/255.0.0.0"),
            ("10.0.0.01/8", "10.0.0.01/8"),
            ("fe80::1%eth0/64", "fe80::1%eth0/64"),
            ("fd00::/129", "fd00::/129"),
            ("10.0.0.0/8,,fd00::/8", ""),
            ("cluster", "cluster"),
            ("10.0.0.0/", "10.0.0.0/"),
            ("10.0.0.0/٨", "10.0.0.0/٨"),
        ],
    )
    def test_anything_else_is_a_problem_that_names_it(self, networks: str, bad: str) -> None:
        assert load(f'linkerdVersion: edge-26.8.1\nclusterNetworks: "{networks}"').problems == [
            f'values: clusterNetworks: "{bad}" is not a network such as 10.0.0.0/8: write networks with commas '
            "between and nothing else"
        ]

    def test_each_bad_one_is_a_problem(self) -> None:
        assert len(load("linkerdVersion: edge-26.8.1\nclusterNetworks: a,10.0.0.0/8,b").problems) == 2


class TestNetworkValidatorTimeout:
    """A number without a unit is easily written, and keeps every Pod from starting under CNI."""

    TEXT = "linkerdVersion: edge-26.8.1\ncniEnabled: {cni}\nnetworkValidator: {{timeout: {timeout}}}"

    def test_one_that_cannot_be_read_is_warned_of(self) -> None:
        assert load(self.TEXT.format(cni="true", timeout=5)).warnings == [
            'values: networkValidator.timeout is "5", not a duration such as 300ms, 1.5s or 1h30m: '
            "no injected Pod starts with it"
        ]

    @pytest.mark.parametrize(("cni", "timeout"), [("true", "10s"), ("false", "5")])
    def test_one_that_can_or_that_nobody_uses_is_not(self, cni: str, timeout: str) -> None:
        assert load(self.TEXT.format(cni=cni, timeout=timeout)).warnings == []


class TestKeysOfAnotherLine:
    """Values name one release, and have keys of another: the name decides."""

    def told(self, values: str) -> list[str]:
        """The warnings about keys without effect."""
        return [warning for warning in load(values).warnings if "no effect" in warning]

    def test_one_key_is_named_with_the_release_that_it_came_with(self) -> None:
        values = "linkerdVersion: stable-2.12.2\nproxy: {nativeSidecar: true}"
        mesh = load(values)
        assert mesh.line.name == "stable-2.12"
        assert mesh.values.proxy is not None
        assert not mesh.values.proxy.native_sidecar
        assert self.told(values) == [
            "values: proxy.nativeSidecar has no effect in stable-2.12: it came with edge-23.11.4 (version-2.15)"
        ]

    def test_one_that_is_gone_is_named_with_the_release_that_removed_it(self) -> None:
        assert self.told("linkerdVersion: edge-26.8.3\nproxyInit: {image: {name: a}}") == [
            "values: proxyInit.image has no effect in edge-26.8: it was removed with edge-25.11.3 (version-2.20)"
        ]

    def test_several_are_named_in_one_warning(self) -> None:
        values = "linkerdVersion: version-2.15\nproxy: {GID: 7, metrics: {hostnameLabels: true}}\ndisableIPv6: true"
        (warning,) = self.told(values)
        assert warning == (
            "values: 3 keys have no effect in version-2.15: proxy.GID came with edge-24.5.4 (version-2.16), "
            "proxy.metrics came with edge-25.3.4 (version-2.18), disableIPv6 came with edge-24.4.1 (version-2.16)"
        )

    @pytest.mark.parametrize(
        "proxy", ["{}", "{nativeSidecar: false}", "{gid: -1}", "{metrics: {}}", "{metrics: {hostnameLabels: false}}"]
    )
    def test_one_that_sets_nothing_is_not_worth_a_warning(self, proxy: str) -> None:
        assert self.told(f"linkerdVersion: stable-2.12.2\nproxy: {proxy}\nproxyInit: {{runAsGroup: -1}}") == []

    @pytest.mark.parametrize("name", LINES)
    def test_a_line_s_own_values_have_none(self, name: str) -> None:
        assert load(default_values(name), default_trust_anchors()).warnings == []

    @pytest.mark.parametrize("name", LINES)
    def test_the_fact_that_decided_is_kept(self, name: str) -> None:
        assert load(default_values(name)).why.startswith("linkerdVersion is ")
