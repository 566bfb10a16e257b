"""The annotations that set retries and timeouts, on routes and on Services."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import BOTH, EDGE, JSON, SERVER, SERVICE, STABLE, Said, gateway, say
from webhook.policy.objectreferences import GATEWAY, POLICY
from webhook.policy.routeannotations import check_service

LIMIT = "retry.linkerd.io/limit"
HTTP = "retry.linkerd.io/http"
GRPC = "retry.linkerd.io/grpc"
RETRY_TIMEOUT = "retry.linkerd.io/timeout"
TIMEOUTS = [f"timeout.linkerd.io/{name}" for name in ("request", "response", "idle")]

EGRESS: JSON = {"group": POLICY, "kind": "EgressNetwork", "name": "out", "port": 443}
GATEWAYS: JSON = {"group": GATEWAY, "kind": "Gateway", "name": "front"}


def route(annotations: JSON, *parents: JSON, **options: Any) -> Said:
    """What is said of a policy HTTPRoute with these parents, a Service unless others are named."""
    return say("HTTPRoute", {"parentRefs": list(parents or (SERVICE,))}, annotations=annotations, **options)


def grpc_route(annotations: JSON, *parents: JSON) -> Said:
    spec = {"parentRefs": list(parents or (SERVICE,)), "rules": [{}]}
    return gateway("GRPCRoute", spec, annotations=annotations)


def invalid(annotation: str) -> list[str]:
    return [f"metadata.annotations[{annotation}]: route-annotation-invalid"]


def without_effect(annotation: str) -> list[str]:
    return [f"metadata.annotations[{annotation}]: route-annotation-no-effect"]


class TestLimit:
    @pytest.mark.parametrize("value", ["1", "65535", "+3", "007"])
    def test_is_a_number_of_16_bits(self, value: str) -> None:
        said = route({LIMIT: value})
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize("value", ["", "-1", "-0", "65536", "1.0", " 1", "1 ", "one", "0x1", "1_0", "\u0661"])
    def test_is_nothing_else(self, value: str) -> None:
        assert route({LIMIT: value}).errors == invalid(LIMIT)
        assert grpc_route({LIMIT: value}).errors == invalid(LIMIT)

    @pytest.mark.parametrize("value", ["0", "+0", "00"])
    def test_of_none_is_warned_of(self, value: str) -> None:
        said = route({LIMIT: value})
        assert (said.errors, said.warnings) == ([], without_effect(LIMIT))


class TestTimeouts:
    @pytest.mark.parametrize("annotation", [*TIMEOUTS, RETRY_TIMEOUT])
    def test_are_all_durations(self, annotation: str) -> None:
        assert route({annotation: "10s"}) == []
        assert route({annotation: "1.5s"}).errors == invalid(annotation)
        assert grpc_route({annotation: "1.5s"}).errors == invalid(annotation)

    def test_of_a_try_that_are_0_are_warned_of(self) -> None:
        said = route({RETRY_TIMEOUT: "0s"})
        assert (said.errors, said.warnings) == ([], without_effect(RETRY_TIMEOUT))

    @pytest.mark.parametrize("annotation", TIMEOUTS)
    def test_of_a_request_that_are_0_are_not(self, annotation: str) -> None:
        assert route({annotation: "0"}) == []


class TestHttpConditions:
    @pytest.mark.parametrize(
        "value",
        [
            *("5xx", "gateway-error", "503", "500-504", "500-500", "100", "599", "5xx,gateway-error,503,100-599"),
            *("5XX", "Gateway-Error", "+503", "+500-+504", "0503", "5xx,5xx"),
        ],
    )
    def test_are_names_statuses_and_ranges(self, value: str) -> None:
        said = route({HTTP: value})
        assert (said.errors, said.warnings) == ([], [])
        assert gateway("HTTPRoute", {"parentRefs": [SERVICE]}, annotations={HTTP: value}).errors == []

    @pytest.mark.parametrize(
        "value",
        [
            *("", ",", "5xx,", ",5xx", "5xx, 503", " 5xx", "4xx", "99", "600", "0", "-503", "503.0", "internal"),
            *("504-500", "500-", "-504", "500-600", "99-500", "500-504-599", "500 - 504", "500\u2013504", "4294967297"),
            "gateway\u2010error",
        ],
    )
    def test_are_nothing_else(self, value: str) -> None:
        assert route({HTTP: value}).errors == invalid(HTTP)
        said = gateway("HTTPRoute", {"parentRefs": [SERVICE], "rules": [{}]}, annotations={HTTP: value})
        assert said.errors == invalid(HTTP)

    def test_have_no_effect_on_a_grpc_route(self) -> None:
        said = grpc_route({HTTP: "nonsense"})
        assert (said.errors, said.warnings) == ([], without_effect(HTTP))

    def test_with_white_space_are_told_so(self) -> None:
        assert '" 503" has white space around it' in route({HTTP: "5xx, 503"}).message("route-annotation-invalid")


class TestGrpcConditions:
    @pytest.mark.parametrize(
        "value",
        ["cancelled", "deadline-exceeded,internal", "resource-exhausted", "UNAVAILABLE", "Cancelled,cancelled"],
    )
    def test_are_five_names(self, value: str) -> None:
        said = grpc_route({GRPC: value})
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "canceled",
            "internal,",
            "internal, cancelled",
            "14",
            "5xx",
            "deadline_exceeded",
            "\u212aancelled",
            "unava\u0131lable",
        ],
    )
    def test_are_nothing_else(self, value: str) -> None:
        assert grpc_route({GRPC: value}).errors == invalid(GRPC)

    def test_that_are_nearly_right_are_recognised(self) -> None:
        said = grpc_route({GRPC: "canceled"})
        assert '(did you mean "cancelled"?)' in said.message("route-annotation-invalid")

    def test_have_no_effect_on_an_http_route(self) -> None:
        said = route({GRPC: "nonsense"})
        assert (said.errors, said.warnings) == ([], without_effect(GRPC))


class TestParents:
    @pytest.mark.parametrize(
        "parents",
        [
            (SERVICE,),
            ({"kind": "Service", "name": "web"},),
            ({"group": "", "kind": "service", "name": "web"},),
            (EGRESS,),
            ({**EGRESS, "group": POLICY.upper(), "kind": "egressnetwork"},),
            (SERVER, SERVICE),
            (EGRESS, GATEWAYS),
        ],
    )
    def test_of_a_service_or_an_egress_network_make_annotations_count(self, parents: Any) -> None:
        assert route({LIMIT: "x"}, *parents).errors == invalid(LIMIT)
        assert grpc_route({LIMIT: "x"}, *parents).errors == invalid(LIMIT)

    @pytest.mark.parametrize(
        "parents",
        [
            (SERVER,),
            (GATEWAYS, SERVER),
        ],
    )
    def test_of_another_kind_do_not(self, parents: Any) -> None:
        for said in (route({LIMIT: "x"}, *parents), grpc_route({LIMIT: "x"}, *parents)):
            assert (said.errors, [w for w in said.warnings if "parent" not in w]) == ([], without_effect(LIMIT))

    @pytest.mark.parametrize("parent", [GATEWAYS, {"group": "core", "kind": "\u017fervice", "name": "web"}])
    def test_of_another_controller_s_do_not_and_only_linkerd_s_own_routes_are_told(self, parent: Any) -> None:
        said = route({LIMIT: "x"}, parent)
        kind = "spec.parentRefs[0].kind: route-parent-kind"
        assert (said.errors, said.warnings) == ([], [*without_effect(LIMIT), kind])
        said = grpc_route({LIMIT: "x"}, parent)
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize(
        "parent",
        [
            {"group": "core", "name": "web"},
            {"group": POLICY, "kind": "Service", "name": "web"},
            {"kind": "EgressNetwork", "name": "out", "port": 1, "group": "core"},
        ],
    )
    def test_that_are_written_wrong_are_told_of_alone(self, parent: Any) -> None:
        for said in (route({LIMIT: "x"}, parent), grpc_route({LIMIT: "x"}, parent)):
            assert said.errors == []
            assert [w.rpartition(": ")[2] for w in said.warnings] in (["route-parent-group"], ["route-parent-kind"])

    def test_of_no_kind_at_all_do_not(self) -> None:
        said = say("HTTPRoute", {}, annotations={LIMIT: "x"})
        assert (said.errors, said.warnings) == ([], without_effect(LIMIT))

    def test_do_not_count_for_routes_of_bytes(self) -> None:
        spec = {"parentRefs": [SERVICE], "rules": [{"backendRefs": []}]}
        assert gateway("TCPRoute", spec, annotations={LIMIT: "x"}).errors == []

    def test_do_not_count_at_earlier_lines(self) -> None:
        said = route({LIMIT: "x"}, SERVER, line=STABLE)
        assert (said.errors, said.warnings) == ([], [])


class TestNames:
    @pytest.mark.parametrize("line", [EDGE])
    @pytest.mark.parametrize(
        "annotation", ["timeout.linkerd.io/requests", "retry.linkerd.io/", "retry.linkerd.io/Limit"]
    )
    def test_that_are_not_read_are_warned_of(self, annotation: str, line: Any) -> None:
        said = route({annotation: "x"}, line=line)
        assert (said.errors, said.warnings) == ([], [f"metadata.annotations[{annotation}]: route-annotation-unknown"])

    @pytest.mark.parametrize("annotation", ["example.org/limit", "retry.linkerd.io", "x/retry.linkerd.io/limit"])
    def test_of_others_are_not(self, annotation: str) -> None:
        assert route({annotation: "x"}) == []

    def test_that_are_nearly_right_are_recognised(self) -> None:
        said = route({"timeout.linkerd.io/requests": "1s"})
        assert said.message("route-annotation-unknown") == (
            'Linkerd does not read the annotation "timeout.linkerd.io/requests" '
            '(did you mean "timeout.linkerd.io/request"?)'
        )

    @pytest.mark.parametrize("line", BOTH)
    def test_with_a_value_that_is_no_string_are_metadata_s_business(self, line: Any) -> None:
        said = route({LIMIT: 5}, SERVER, line=line)
        assert said.errors == [f"metadata.annotations[{LIMIT}]: field-type"]

    def test_are_judged_one_by_one(self) -> None:
        said = route({LIMIT: "x", HTTP: "4xx", TIMEOUTS[0]: "5", TIMEOUTS[1]: "5s"})
        assert said.errors == sorted(invalid(LIMIT) + invalid(HTTP) + invalid(TIMEOUTS[0]))


class TestService:
    @pytest.mark.parametrize(
        ("annotations", "rules"),
        [
            ({}, []),
            ({LIMIT: "3", HTTP: "5xx", GRPC: "internal", TIMEOUTS[0]: "10s", RETRY_TIMEOUT: "1s"}, []),
            ({"example.org/limit": "x"}, []),
            ({TIMEOUTS[0]: "10"}, ["service-annotation-invalid"]),
            ({HTTP: "4xx", GRPC: "14"}, ["service-annotation-invalid"] * 2),
            ({LIMIT: "0"}, ["route-annotation-no-effect"]),
            ({"retry.linkerd.io/limits": "1"}, ["route-annotation-unknown"]),
        ],
    )
    def test_is_warned_of_what_cannot_be_read(self, annotations: JSON, rules: list[str]) -> None:
        result = check_service(annotations)
        assert [finding.rule.id for finding in result] == rules
        assert {finding.severity.value for finding in result} <= {"warning"}
