"""The values of a control plane, as a typed model."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from webhook.mesh.config import ConfigError, Mesh
from webhook.mesh.releases import line
from webhook.mesh.values import Values, known_to

ANCHORS = b"some trust anchors"


def load(data: dict[str, Any], release_line: str = "edge-26.8") -> Values:
    """The values of a file that holds this."""
    return Mesh.load(yaml.safe_dump(data).encode(), ANCHORS, release_line=release_line).values


def problems(text: str, release_line: str = "edge-26.8") -> list[str]:
    """Why this text is refused."""
    with pytest.raises(ConfigError) as caught:
        Mesh.load(text.encode(), ANCHORS, release_line=release_line)
    return caught.value.problems


class TestZeroValues:
    def test_absent_sections_are_none(self) -> None:
        values = load({"unrelated": 1})
        assert values.proxy is None
        assert values.proxy_init is None
        assert values.network_validator is None
        assert values.identity is None
        assert values.debug_container is None

    def test_absent_settings_are_as_go_has_them(self) -> None:
        proxy = load({"proxy": {}}).proxy
        assert proxy is not None
        assert (proxy.log_level, proxy.uid, proxy.await_, proxy.ports, proxy.additional_env) == (
            "",
            0,
            False,
            None,
            None,
        )
        assert (proxy.runtime.workers.minimum, proxy.runtime.workers.maximum_cpu_ratio) == (0, 0.0)

    def test_null_is_as_good_as_absent(self) -> None:
        nothing = {"proxy": {"uid": None, "ports": None, "runtime": None, "logLevel": None}}
        assert load(nothing) == load({"proxy": {}})


class TestNames:
    @pytest.mark.parametrize(
        ("section", "read"),
        [
            ({"disableIPv6": True}, lambda v: v.disable_ipv6),
            ({"DISABLEIPV6": True}, lambda v: v.disable_ipv6),
            ({"proxy": {"await": True}}, lambda v: v.proxy.await_),
            ({"proxy": {"logHTTPHeaders": "insecure"}}, lambda v: v.proxy.log_http_headers == "insecure"),
            ({"Proxy": {"LOGLEVEL": "debug"}}, lambda v: v.proxy.log_level == "debug"),
            (
                {"proxy": {"resources": {"ephemeral-storage": {"limit": "1Gi"}}}},
                lambda v: v.proxy.resources.ephemeral_storage.limit == "1Gi",
            ),
            (
                {"proxy": {"runtime": {"workers": {"maximumCPURatio": 0.5}}}},
                lambda v: v.proxy.runtime.workers.maximum_cpu_ratio == 0.5,
            ),
            (
                {"identity": {"serviceAccountTokenProjection": True}},
                lambda v: v.identity.service_account_token_projection,
            ),
            ({"proxy": {"ports": {"admin": 1}}}, lambda v: v.proxy.ports.admin == 1),
        ],
    )
    def test_a_key_is_found_under_its_name_in_any_case(self, section: dict[str, Any], read: Any) -> None:
        assert read(load(section)) is True

    def test_unknown_keys_have_no_effect(self) -> None:
        assert load({"proxy": {"loglevels": "x", "uid": 7}, "shiny": [1]}) == load({"proxy": {"uid": 7}})


class TestParameters:
    def test_any_scope_protocol_and_parameter_is_kept(self) -> None:
        given = {"server": {"http2": {"keepAliveInterval": "10s", "count": 5}, "http3": None}, "odd": None}
        proxy = load({"proxy": {"inbound": given}}).proxy
        assert proxy is not None
        assert proxy.inbound == given

    def test_a_protocol_that_holds_no_parameters_is_refused(self) -> None:
        assert problems("proxy: {inbound: {server: {http2: 10s}}}") == [
            "values: proxy.inbound.server.http2: want an object, got '10s'"
        ]


class TestRefusals:
    def test_all_that_is_wrong_in_a_file_is_told_at_once(self) -> None:
        text = """
            clusterDomain: [cluster.local]
            cniEnabled: "yes"
            proxy: {uid: two, ports: {admin: 99999999999}, runtime: {workers: {minimum: 1.5}}}
            proxyInit: []
        """
        assert sorted(problems(text)) == [
            "values: clusterDomain: want text, got an array",
            "values: cniEnabled: want true or false, got 'yes'",
            "values: proxy.ports.admin: want a whole number from -2147483648 to 2147483647, got 99999999999",
            "values: proxy.runtime.workers.minimum: want a whole number, got 1.5",
            "values: proxy.uid: want a whole number, got 'two'",
            "values: proxyInit: want an object, got an array",
        ]

    def test_a_bad_environment_variable_is_named_by_its_place(self) -> None:
        assert problems("proxy: {additionalEnv: [{name: A}, {name: []}]}") == [
            "values: proxy.additionalEnv.1.name: want text, got an array"
        ]

    def test_environment_variables_that_are_no_list_are_refused(self) -> None:
        assert problems("proxy: {additionalEnv: {}}") == [
            "values: proxy.additionalEnv: Input should be a valid list, got an object"
        ]

    @pytest.mark.parametrize("values", ["policyController: text", "identity: {issuer: []}", "controllerUID: many"])
    def test_what_has_no_part_in_a_pod_may_hold_anything(self, values: str) -> None:
        assert Mesh.load(values.encode(), ANCHORS, release_line="edge-26.8").line.name == "edge-26.8"


class TestKeysOfOtherLines:
    def test_what_a_line_does_not_know_is_ignored_whatever_it_holds(self) -> None:
        given = {"networkValidator": "no object", "proxy": {"tracing": 5, "uid": 3}, "proxyInit": {"privileged": "x"}}
        assert load(given, "stable-2.12") == load({"proxy": {"uid": 3}, "proxyInit": {}}, "stable-2.12")

    def test_a_line_that_knows_it_reads_it(self) -> None:
        assert problems("networkValidator: text") == ["values: networkValidator: want an object, got 'text'"]
        assert problems("proxyInit: {image: text}", "stable-2.12") == [
            "values: proxyInit.image: want an object, got 'text'"
        ]

    def test_they_are_hidden_in_any_case_and_at_any_depth(self) -> None:
        given = {"PROXY": {"NativeSidecar": True, "UID": 1}, "ProxyInit": {"IMAGE": {}, "runAsUser": 2}}
        assert known_to(line("stable-2.12"), given) == {"PROXY": {"UID": 1}, "ProxyInit": {"IMAGE": {}, "runAsUser": 2}}
        assert known_to(line("edge-26.8"), given) == {
            "PROXY": {"NativeSidecar": True, "UID": 1},
            "ProxyInit": {"runAsUser": 2},
        }

    def test_the_given_values_are_left_as_they_are(self) -> None:
        given = {"proxy": {"tracing": 5}}
        known_to(line("stable-2.12"), given)
        assert given == {"proxy": {"tracing": 5}}
