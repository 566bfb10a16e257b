"""Ports: what a Pod listens on, what is opaque to the proxy, and what a Service says of that."""

from __future__ import annotations

import pytest

from tests.unit.injector.builders import (
    EDGE,
    LINES,
    OPAQUE,
    STABLE,
    container,
    decide,
    env_of,
    inject,
    injector,
    patched,
    pod,
)
from webhook.injector.ports import MOST_EXPANDED, parse_range, read_opaque_ports
from webhook.review import JSON

DEFAULTS = {"proxy__opaquePorts": "25,3306,9000-9002"}


def opaque(body: JSON) -> str | None:
    """The ports that the proxy is told are opaque."""
    result = env_of(body).get("LINKERD2_PROXY_INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION")
    return result if result is None else str(result)


def ports(*numbers: int, names: tuple[str, ...] = ()) -> list[JSON]:
    """Container ports, the first of them named."""
    listed: list[JSON] = [{"containerPort": number} for number in numbers]
    for port, name in zip(listed, names, strict=False):
        port["name"] = name
    return listed


class TestRanges:
    @pytest.mark.parametrize(
        ("text", "bounds"),
        [
            ("80", (80, 80)),
            ("0", (0, 0)),
            ("65535", (65535, 65535)),
            ("80-90", (80, 90)),
            ("80-80", (80, 80)),
            ("+80", (80, 80)),
            ("007", (7, 7)),
        ],
    )
    def test_a_port_or_two_with_a_dash_are_one(self, text: str, bounds: tuple[int, int]) -> None:
        assert parse_range(text) == bounds

    @pytest.mark.parametrize(
        "text",
        ["", "-", "80-", "-80", "90-80", "65536", "1-65536", "80-90-100", "http", "8 0", "80 - 90", "0x50", "٨٠"],
    )
    def test_anything_else_is_none(self, text: str) -> None:
        assert parse_range(text) is None


class TestOpaquePortsAnnotation:
    @pytest.mark.parametrize(
        ("text", "edge", "stable"),
        [
            ("80,443", "80,443", "80,443"),
            (" 80 ,\t443", "80,443", "80,443"),
            ("80,", "80", "80"),
            ("4000-4003", "4000-4003", "4000,4001,4002,4003"),
            ("80-80", "80", "80"),
            ("mysql", "3306", "3306"),
            ("mysql,mysql,1-2", "3306,3306,1-2", "3306,3306,1,2"),
            ("+80,007", "80,7", "80,7"),
        ],
    )
    def test_ports_ranges_and_names_are_taken(self, text: str, edge: str, stable: str) -> None:
        body = pod({OPAQUE: text}, containers=[container(ports=ports(3306, names=("mysql",)))])
        for line, expected in ((EDGE, edge), (STABLE, stable)):
            answer = decide(body, injector(line))
            assert opaque(patched(body, answer)) == expected
            assert answer.warnings == []

    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize(
        ("text", "left", "bad"),
        [
            ("80,mysql", "80", ["mysql"]),
            ("90-80,1", "1", ["90-80"]),
            ("80,,81", "80,81", [""]),
            ("70000,x", None, ["70000", "x"]),
            (",", None, [""]),
        ],
    )
    def test_bad_entries_are_left_out_each_with_a_warning(
        self, line: str, text: str, left: str | None, bad: list[str]
    ) -> None:
        answer = decide(pod({OPAQUE: text}), injector(line))
        assert opaque(patched(pod({OPAQUE: text}), answer)) == left
        assert answer.warnings == [
            f'{OPAQUE} has "{entry}", which is not a port (3306), a range (4000-4010) or the name of a container port: '
            "Linkerd leaves it out (inject-setting)"
            for entry in bad
        ]

    def test_of_many_bad_entries_five_are_told(self) -> None:
        assert len(decide(pod({OPAQUE: "a,b,c,d,e,f,g"})).warnings) == 5

    @pytest.mark.parametrize(("line", "expected"), [(EDGE, "2"), (STABLE, "1")])
    def test_of_two_ports_of_one_name_lines_take_another(self, line: str, expected: str) -> None:
        twice = [container("a", ports=ports(1, names=("x",))), container("b", ports=ports(2, names=("x",)))]
        assert opaque(inject(pod({OPAQUE: "x"}, containers=twice), injector(line))) == expected

    def test_edge_knows_the_names_of_init_containers(self) -> None:
        body = pod({OPAQUE: "x"}, initContainers=[container("i", ports=ports(7, names=("x",)))])
        assert opaque(inject(body, injector(EDGE))) == "7"
        assert opaque(inject(body, injector(STABLE))) is None

    @pytest.mark.parametrize("line", LINES)
    def test_the_pods_hides_the_namespaces(self, line: str) -> None:
        assert opaque(inject(pod({OPAQUE: "1"}), injector(line), namespace={OPAQUE: "2"})) == "1"
        assert opaque(inject(pod(), injector(line), namespace={OPAQUE: "2"})) == "2"
        assert opaque(inject(pod({OPAQUE: ""}), injector(line), namespace={OPAQUE: "2"})) is None


class TestExpansion:
    def test_two_times_all_ports_are_the_most(self) -> None:
        value, refused = read_opaque_ports("0-65535,0-65535", {}, expand=True)
        assert (value.count(",") + 1, refused) == (MOST_EXPANDED, []) == (131072, [])

    def test_more_is_left_out_with_its_entry(self) -> None:
        value, refused = read_opaque_ports(",".join(["1-65535"] * 50), {}, expand=True)
        assert value.count(",") + 1 <= MOST_EXPANDED
        assert refused == ["1-65535"] * 48

    def test_where_ranges_stay_nothing_is_too_much(self) -> None:
        text = ",".join(["1-65535"] * 50)
        assert read_opaque_ports(text, {}, expand=False) == (text, [])


class TestDefaultOpaquePorts:
    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize(
        ("listened", "annotation", "told"),
        [
            ((80,), None, "25,3306,9000-9002"),
            ((80, 3306), "3306", "3306"),
            ((3306, 25, 3306), "3306,25,3306", "3306,25,3306"),
            ((9001,), None, "25,3306,9000-9002"),
        ],
    )
    def test_those_that_a_pod_exposes_are_written_on_it(
        self, line: str, listened: tuple[int, ...], annotation: str | None, told: str
    ) -> None:
        body = pod(containers=[container(ports=ports(*listened))])
        answer = decide(body, injector(line, **DEFAULTS))
        got = patched(body, answer)
        assert got["metadata"]["annotations"].get(OPAQUE) == annotation
        assert opaque(got) == told
        assert "settings" not in answer.audit

    def test_edge_counts_init_containers_and_first(self) -> None:
        body = pod(initContainers=[container("i", ports=ports(25))], containers=[container(ports=ports(3306))])
        for line, expected in ((EDGE, "25,3306"), (STABLE, "3306")):
            assert inject(body, injector(line, **DEFAULTS))["metadata"]["annotations"][OPAQUE] == expected

    @pytest.mark.parametrize("line", LINES)
    def test_a_skipped_pod_gets_them_all_the_same(self, line: str) -> None:
        body = pod({"linkerd.io/inject": "disabled"}, containers=[container(ports=ports(3306))])
        answer = decide(body, injector(line, **DEFAULTS))
        assert answer.decision == "annotated"
        assert answer.patch == [
            {"op": "add", "path": "/metadata/annotations/config.linkerd.io~1opaque-ports", "value": "3306"}
        ]
        assert (answer.facts["skip"], answer.facts["skip_reason"]) == ("false", "")

    @pytest.mark.parametrize("line", LINES)
    def test_a_skipped_pod_gets_its_namespaces_instead(self, line: str) -> None:
        body = pod({"linkerd.io/inject": "disabled"}, containers=[container(ports=ports(3306))])
        answer = decide(body, injector(line, **DEFAULTS), namespace={OPAQUE: "7,x"})
        assert patched(body, answer)["metadata"]["annotations"][OPAQUE] == "7,x"

    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize("own", ["", "1", "junk"])
    def test_a_skipped_pod_that_has_its_own_is_left_alone(self, line: str, own: str) -> None:
        body = pod({"linkerd.io/inject": "disabled", OPAQUE: own}, containers=[container(ports=ports(3306))])
        assert decide(body, injector(line, **DEFAULTS), namespace={OPAQUE: "7"}).patch is None


class TestInboundPorts:
    def probe(self, port: int | str) -> JSON:
        """A probe over HTTP."""
        return {"httpGet": {"path": "/", "port": port}}

    def listened(self, body: JSON, line: str) -> str:
        """The ports that the proxy is told the Pod listens on."""
        return str(env_of(inject(body, injector(line)))["LINKERD2_PROXY_INBOUND_PORTS"])

    @pytest.mark.parametrize("line", LINES)
    def test_they_are_the_containers_sorted_as_texts_each_once(self, line: str) -> None:
        containers = [container("a", ports=ports(9000, 80)), container("b", ports=ports(443, 80))]
        assert self.listened(pod(containers=containers), line) == "443,80,9000"

    @pytest.mark.parametrize("line", LINES)
    def test_probes_over_http_count_by_number(self, line: str) -> None:
        probed = container(
            ports=ports(80),
            readinessProbe=self.probe(8081),
            livenessProbe=self.probe(8082),
            startupProbe=self.probe(8083),
        )
        assert self.listened(pod(containers=[probed]), line) == "80,8081,8082"

    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize(
        "probe", [{"httpGet": {"port": "http"}}, {"httpGet": None}, {"tcpSocket": {"port": 9}}, {"exec": {}}, None]
    )
    def test_other_probes_do_not(self, line: str, probe: JSON | None) -> None:
        assert self.listened(pod(containers=[container(ports=ports(80), livenessProbe=probe)]), line) == "80"

    @pytest.mark.parametrize(("line", "expected"), [(EDGE, "7,80,9"), (STABLE, "80")])
    def test_init_containers_count_at_edge(self, line: str, expected: str) -> None:
        first = container("i", ports=ports(7), livenessProbe=self.probe(9))
        body = pod(initContainers=[first], containers=[container(ports=ports(80))])
        assert self.listened(body, line) == expected

    @pytest.mark.parametrize("line", LINES)
    def test_none_are_none(self, line: str) -> None:
        assert self.listened(pod(), line) == ""


@pytest.mark.parametrize("line", LINES)
class TestServices:
    def service(self, *listed: JSON, annotations: dict[str, str] | None = None) -> JSON:
        """A Service with these ports."""
        return {
            "kind": "Service",
            "metadata": {"name": "db", "annotations": annotations or {}},
            "spec": {"ports": list(listed)},
        }

    @pytest.mark.parametrize(
        ("port", "annotation"),
        [
            ({"port": 3306}, "3306"),
            ({"port": 3306, "targetPort": 0}, "3306"),
            ({"port": 3306, "targetPort": None}, "3306"),
            ({"port": 80, "targetPort": 3306}, "80"),
            ({"port": 3306, "targetPort": 80}, None),
            ({"port": 3306, "targetPort": "mysql"}, None),
            ({"port": 80}, None),
            ({}, None),
            (None, None),
        ],
    )
    def test_a_port_is_opaque_by_its_target(self, line: str, port: JSON | None, annotation: str | None) -> None:
        body = self.service(port)  # type: ignore[arg-type]
        answer = decide(body, injector(line, **DEFAULTS))
        assert patched(body, answer)["metadata"]["annotations"].get(OPAQUE) == annotation
        assert answer.decision == ("annotated" if annotation else "unchanged")
        assert answer.warnings == []

    def test_its_own_ports_are_listed_in_their_order(self, line: str) -> None:
        body = self.service({"port": 90, "targetPort": 3306}, {"port": 80}, {"port": 25})
        got = patched(body, decide(body, injector(line, **DEFAULTS)))
        assert got["metadata"]["annotations"] == {OPAQUE: "90,25"}

    def test_its_namespaces_annotation_comes_first(self, line: str) -> None:
        body = self.service({"port": 3306})
        got = patched(body, decide(body, injector(line, **DEFAULTS), namespace={OPAQUE: "1-2"}))
        assert got["metadata"]["annotations"] == {OPAQUE: "1-2"}

    def test_its_own_annotation_is_left_alone(self, line: str) -> None:
        body = self.service({"port": 3306}, annotations={OPAQUE: "9"})
        assert decide(body, injector(line, **DEFAULTS), namespace={OPAQUE: "1"}).patch is None

    @pytest.mark.parametrize("metadata", [None, ...])
    def test_one_without_metadata_gets_them(self, line: str, metadata: None) -> None:
        body = self.service({"port": 3306})
        del body["metadata"]
        if metadata is None:
            body["metadata"] = None
        got = patched(body, decide(body, injector(line, **DEFAULTS)))
        assert got["metadata"] == {"annotations": {OPAQUE: "3306"}}

    @pytest.mark.parametrize("annotations", [None, {}])
    def test_one_without_annotations_gets_them(self, line: str, annotations: dict[str, str] | None) -> None:
        body = self.service({"port": 3306})
        body["metadata"]["annotations"] = annotations
        got = patched(body, decide(body, injector(line, **DEFAULTS)))
        assert got["metadata"] == {"name": "db", "annotations": {OPAQUE: "3306"}}

    @pytest.mark.parametrize("spec", [None, {}, {"ports": None}, {"ports": []}])
    def test_one_without_ports_is_left_alone(self, line: str, spec: JSON | None) -> None:
        body = {"kind": "Service", "metadata": {"name": "db"}, "spec": spec}
        answer = decide(body, injector(line, **DEFAULTS))
        assert (answer.allowed, answer.patch, answer.reason) == (True, None, "unsupported_resource")

    def test_what_nobody_knows_gets_the_namespaces_too(self, line: str) -> None:
        body = {"kind": "ConfigMap", "metadata": {"name": "c"}}
        got = patched(body, decide(body, injector(line), namespace={OPAQUE: "1"}))
        assert got["metadata"]["annotations"] == {OPAQUE: "1"}
        assert decide(body, injector(line)).patch is None

    @pytest.mark.parametrize("kind", ["ConfigMap", "Deployment", "CronJob"])
    @pytest.mark.parametrize("body", [{}, {"metadata": None}, {"metadata": {}}, {"metadata": {"annotations": None}}])
    def test_a_skipped_object_of_any_kind_without_annotations_gets_them(self, line: str, kind: str, body: JSON) -> None:
        body = {"kind": kind, **body}
        got = patched(body, decide(body, injector(line), namespace={OPAQUE: "1"}))
        assert got["metadata"] == {"annotations": {OPAQUE: "1"}}
