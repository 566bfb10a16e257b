"""Values of annotations with which `linkerd-init` or the proxy does not start."""

from __future__ import annotations

import pytest

from tests.unit.injector.builders import CONFIG, LINES, STABLE, decide, injector, pod
from webhook.advice import about
from webhook.injector.advice.objects import Advisor


def said(name: str, text: str, line: str = LINES[0], **values: bool) -> list[str]:
    """The warnings about an annotation of a Pod, without its key."""
    using = injector(line, **values)
    return [
        warning.removeprefix(f"{CONFIG}{name} ") for warning in decide(pod({f"{CONFIG}{name}": text}), using).warnings
    ]


class TestSubnets:
    FAILS = "which is not a subnet, so linkerd-init fails and the Pod does not start"

    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize(
        ("entry", "advice"),
        [
            ("172.17.0.5", "write 172.17.0.5/32"),
            ("fd00::1", "remove it, and write IPv4 subnets only"),
            ("10.0.0.0/33", "write a length from 0 to 32"),
            ("10.0.0.0/255.0.0.0", "write a length from 0 to 32"),
            ("office", "write subnets such as 10.0.0.0/8 with commas between"),
        ],
    )
    def test_an_entry_that_is_not_a_subnet_is_told(self, line: str, entry: str, advice: str) -> None:
        for text in (entry, f"10.0.0.0/8, {entry}", f"{entry}\n"):
            assert said("skip-subnets", text, line) == [f'has "{entry}", {self.FAILS}: {advice} (inject-no-start)']

    def test_each_bad_entry_is_told(self) -> None:
        assert len(said("skip-subnets", "172.17.0.5, 10.0.0.0/33")) == 2
        assert len(said("skip-subnets", ",".join(["x"] * 100))) == 3

    @pytest.mark.parametrize(
        "text", ["10.0.0.0/8", " 10.0.0.0/8 ,\t192.168.1.7/16", "10.0.0.0/8\n", "", '"10.0.0.0/8"']
    )
    def test_subnets_are_passed_over_with_spaces_around_them_too(self, text: str) -> None:
        assert said("skip-subnets", text) == []

    def test_a_comma_too_many_is_told(self) -> None:
        (warning,) = said("skip-subnets", "10.0.0.0/8,")
        assert "remove the comma too many" in warning

    def test_a_subnet_of_ipv6_is_told_for_the_rules_of_ipv4_are_written_first(self) -> None:
        (warning,) = said("skip-subnets", "10.0.0.0/8,fd00::/8")
        assert warning == (
            'has "fd00::/8", which is an IPv6 subnet, which iptables does not take, so linkerd-init fails and the Pod '
            "does not start: remove it, and write IPv4 subnets only (inject-no-start)"
        )

    def test_with_the_cni_plugin_that_fails(self) -> None:
        (warning,) = said("skip-subnets", "172.17.0.5", cniEnabled=True)
        assert "so the CNI plugin fails and the Pod does not start" in warning


class TestPortsToSkip:
    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize(
        ("text", "entry", "advice"),
        [
            ("3306;5432", "3306;5432", "write 3306,5432"),
            ("80, 9090", " 9090", "write 9090 without spaces"),
            ("80 9090", "80 9090", "write 80,9090"),
            ("22,ssh", "ssh", "write ports and ranges such as 3306,4000-4010"),
            ("80,9-8", "9-8", "write ports and ranges such as 3306,4000-4010"),
            ("80,65536", "65536", "write ports and ranges such as 3306,4000-4010"),
        ],
    )
    def test_an_entry_that_is_not_read_is_not_skipped(self, line: str, text: str, entry: str, advice: str) -> None:
        assert said("skip-inbound-ports", text, line) == [
            f'has "{entry}", which is not a port or a range, so linkerd-init does not skip it: {advice} '
            "(inject-port-not-skipped)"
        ]

    def test_without_any_outbound_port_that_is_read_linkerd_init_fails(self) -> None:
        (warning,) = said("skip-outbound-ports", "3306;5432")
        assert warning == (
            'is "3306;5432", which is not a list of ports, so linkerd-init fails and the Pod does not start: '
            "write 3306,5432 (inject-no-start)"
        )
        (warning,) = said("skip-outbound-ports", "80,x")
        assert warning.endswith("(inject-port-not-skipped)")

    @pytest.mark.parametrize("text", ["3306", "3306,5432", "4000-4010,80", "3306,", "", "0", "65535"])
    def test_ports_and_ranges_are_passed_over(self, text: str) -> None:
        assert said("skip-inbound-ports", text) == said("skip-outbound-ports", text) == []

    def test_a_list_for_the_proxy_itself_stops_the_proxy(self) -> None:
        (warning,) = said("pod-inbound-ports", "80, 90;91", STABLE)
        assert warning == (
            'has "90;91", which is not a port or a range, so the proxy does not start: write 90,91 (inject-no-start)'
        )
        assert said("pod-inbound-ports", " 80, 90-91,", STABLE) == []


class TestLogLevel:
    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize(
        ("text", "directive"),
        [
            ("warn, linkerd=info", " linkerd=info"),
            ("linkerd=inf", "linkerd=inf"),
            ("linkerd=info ", "linkerd=info "),
            ("*=debug", "*=debug"),
            ("=debug", "=debug"),
            ("linkerd=6", "linkerd=6"),
            ("info, ", " "),
        ],
    )
    def test_what_the_proxy_cannot_read_is_told(self, line: str, text: str, directive: str) -> None:
        (warning,) = said("proxy-log-level", text, line)
        assert warning.startswith(f'has "{directive}", which the proxy cannot read, so it does not start: write for ex')
        assert warning.endswith("(inject-no-start)")

    @pytest.mark.parametrize(
        "text",
        [
            "info",
            "WARN,linkerd=Debug",
            "warn,linkerd=info,hickory=error",
            "linkerd2_proxy_http::server=trace,off",
            "warn,[{headers}]=off,[{request}]=off",
            "linkerd=info,linkerd[span{field=1}]=trace",
            "linkerd=4,",
            "linkerd=",
            "5",
            "",
        ],
    )
    def test_what_the_proxy_reads_is_passed_over(self, text: str) -> None:
        assert said("proxy-log-level", text) == []

    def test_another_programs_name_of_a_level_is_told(self) -> None:
        (warning,) = said("proxy-log-level", "Warning")
        assert warning.startswith('is "Warning", which the proxy takes for the name of a module: write for example')
        assert said("proxy-log-level", "verbose=info") == []


class TestImages:
    def test_a_name_with_a_version_is_told_to_be_split(self) -> None:
        (warning,) = said("proxy-image", "cr.l5d.io/linkerd/proxy:edge-1")
        assert warning == (
            'is "cr.l5d.io/linkerd/proxy:edge-1", to which a version is added, so the Pod does not start: write '
            "cr.l5d.io/linkerd/proxy, and the version apart (inject-no-start)"
        )

    @pytest.mark.parametrize(
        "name", ["My/Proxy", "a b", "", "https://cr.l5d.io/linkerd/proxy", "/proxy", "a/" * 128 + "a"]
    )
    def test_what_cannot_name_an_image_is_told(self, name: str) -> None:
        (warning,) = said("proxy-image", name)
        assert "which cannot name an image" in warning

    @pytest.mark.parametrize("version", ["edge 1", "-a", "x" * 129, "é", "v1@sha256:abc"])
    def test_what_cannot_be_a_tag_is_told(self, version: str) -> None:
        (warning,) = said("proxy-version", version)
        assert "which cannot be the tag of an image, so the Pod does not start: write a tag such as edge-" in warning

    @pytest.mark.parametrize(
        "name", ["proxy", "cr.l5d.io/linkerd/proxy", "localhost:5000/a/b__c", "a-b.example:1/x.y-z"]
    )
    def test_names_are_passed_over(self, name: str) -> None:
        assert said("proxy-image", name) == []

    @pytest.mark.parametrize("version", ["", "edge-26.8.3", "v1_2", f"v1@sha256:{'a' * 64}"])
    def test_versions_are_passed_over(self, version: str) -> None:
        assert said("proxy-version", version) == []

    def test_the_init_containers_image_counts_where_it_has_one(self) -> None:
        (warning,) = said("init-image-version", "", STABLE)
        assert warning.endswith("write a tag such as v2 (inject-no-start)")
        assert said("init-image-version", "", STABLE, cniEnabled=True) == []


def test_a_namespace_is_told_at_its_annotation_and_so_are_its_pods() -> None:
    key = f"{CONFIG}skip-subnets"
    body = {"kind": "Namespace", "metadata": {"name": "shop", "annotations": {key: "172.17.0.5"}}}
    (warnings,) = about(Advisor(injector()), "namespace", body, (), None)
    assert (warnings.rule.id, warnings.path) == ("inject-no-start", ("metadata", "annotations", key))
    (warning,) = decide(pod(), namespace={key: "172.17.0.5"}).warnings
    assert warning.startswith(f'{key} on Namespace shop has "172.17.0.5"')
