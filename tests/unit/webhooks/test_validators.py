"""The validating webhooks: who answers what, in which words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from typing import Any, ClassVar

import pytest

from tests.unit.injector.builders import injector
from tests.unit.policy.builders import BOTH, EDGE, NOTHING_KNOWN, STABLE, manifest
from webhook.cluster.offline import OfflineCluster
from webhook.mesh.releases import Line
from webhook.policy.objectreferences import GATEWAY, POLICY
from webhook.policy.regex.judge import judge_for
from webhook.policy.registry import KINDS
from webhook.review import JSON, AdmissionRequest, Answer, parse, render, shorten
from webhook.webhooks.interface import Current
from webhook.webhooks.proxy_injector import ProxyInjector
from webhook.webhooks.registry import Registry
from webhook.webhooks.validators import POLICY_VALIDATOR, SP_VALIDATOR, RequestJudge, Validator, judging_at_once

UID = "0b6d3e52-8e1f-4f0c-9d52-000000000001"
SERVER: JSON = {"podSelector": {}, "port": 80}
PROFILE: JSON = {
    "apiVersion": "linkerd.io/v1alpha2",
    "kind": "ServiceProfile",
    "metadata": {"name": "web.shop.svc.cluster.local", "namespace": "shop"},
    "spec": {"routes": []},
}


def server(**fields: Any) -> JSON:
    """A Server of which some fields are others."""
    return manifest("Server", SERVER | fields)


def request(
    body: Any,
    *,
    kind: str = "Server",
    group: str = POLICY,
    version: str = "v1beta3",
    resource: str = "",
    operation: str = "CREATE",
    old: Any = None,
    raw: bytes | None = None,
    raw_old: bytes | None = None,
) -> AdmissionRequest:
    """What the API server asks; `raw` stands in place of the object's text, `raw_old` in that of the old one."""
    about = {
        "uid": UID,
        "kind": {"group": group, "version": version, "kind": kind},
        "resource": {"group": group, "version": version, "resource": resource or f"{kind.lower()}s"},
        "name": "subject",
        "namespace": "shop",
        "operation": operation,
        "object": body if raw is None else "OBJECT",
        "oldObject": old if raw_old is None else "OLD",
    }
    text = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": about})
    return parse(text.encode().replace(b'"OBJECT"', raw or b"").replace(b'"OLD"', raw_old or b""))


def validator(name: str = POLICY_VALIDATOR, line: Line = EDGE, **options: Any) -> Validator:
    return Validator(name, lambda: line, NOTHING_KNOWN, **options)


def decide(body: Any, *, by: str = POLICY_VALIDATOR, line: Line = EDGE, **options: Any) -> Answer:
    """The answer to a request; options as for `request`."""
    asked = request(body, **options)
    answer = asyncio.run(validator(by, line).answer(asked))
    rendered = json.loads(render(asked.uid, asked.api_version, answer))["response"]
    assert (rendered["uid"], rendered["allowed"]) == (UID, answer.allowed)
    assert "patch" not in rendered
    return answer


def decide_profile(body: Any, **options: Any) -> Answer:
    about = {"kind": "ServiceProfile", "group": "linkerd.io", "version": "v1alpha2"} | options
    return decide(body, by=SP_VALIDATOR, **about)


class TestAllowed:
    def test_of_an_object_in_order_says_nothing(self) -> None:
        answer = decide(server())
        assert (answer.allowed, answer.decision, answer.reason, answer.warnings) == (True, "allowed", "", [])

    def test_with_something_to_say_warns_and_names_the_rules(self) -> None:
        answer = decide(server(port="", podSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}))
        assert (answer.allowed, answer.details) == (True, None)
        assert answer.reason.split(",") == ["server-port-empty", "selector-values-missing"]
        assert [warning.partition(" [")[2] for warning in answer.warnings] == [
            "spec.port] (server-port-empty)",
            "spec.podSelector.matchExpressions[0].values] (selector-values-missing)",
        ]

    def test_names_a_rule_once_however_often_it_is_broken(self) -> None:
        answer = decide(server(one=1, two=2))
        assert (answer.reason, len(answer.warnings)) == ("schema-unknown", 2)


def gateway_route(parent: JSON, **rule: Any) -> AdmissionRequest:
    """A request about a Gateway API route with two equal rules."""
    rules = [{"matches": [{"path": {"value": "/a"}}], **rule}] * 2
    body = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "a", "namespace": "shop", "annotations": {"timeout.linkerd.io/request": "5"}},
        "spec": {"parentRefs": [parent], "rules": rules},
    }
    return request(body, kind="HTTPRoute", group="gateway.networking.k8s.io")


def test_a_service_profile_s_name_ends_in_the_domain_of_the_cluster() -> None:
    body = {**PROFILE, "metadata": {"name": "web.shop.svc.cluster.local", "namespace": "shop"}}
    asked = request(body, kind="ServiceProfile", group="linkerd.io", version="v1alpha2")
    for domain, rules in (("", ""), ("cluster.local", ""), ("k8s.example.org", "sp-name-not-full")):
        subject = validator(SP_VALIDATOR, cluster_domain=lambda domain=domain: domain)
        assert asyncio.run(subject.answer(asked)).reason == rules


class TestAnotherController:
    FRONT: ClassVar[JSON] = {"name": "front"}

    def test_gets_no_warning_about_its_route(self) -> None:
        answer = asyncio.run(validator().answer(gateway_route(self.FRONT, unknown=1)))
        assert (answer.allowed, answer.warnings) == (True, [])

    def test_gets_the_refusals_that_linkerd_has(self) -> None:
        answer = asyncio.run(validator().answer(gateway_route(self.FRONT, backendRefs=[{"name": "web"}])))
        assert (answer.allowed, answer.reason, answer.warnings) == (False, "route-backend-port", [])

    def test_is_not_one_where_the_parent_is_a_service(self) -> None:
        parent = {"group": "core", "kind": "Service", "name": "web", "port": 80}
        answer = asyncio.run(validator().answer(gateway_route(parent, unknown=1)))
        assert (answer.allowed, answer.reason) == (False, "route-annotation-invalid")
        assert answer.warnings


class TestRefused:
    def test_is_422_invalid_with_a_cause(self) -> None:
        answer = decide(server(port=0))
        assert (answer.allowed, answer.decision) == (False, "denied")
        assert (answer.code, answer.status_reason, answer.reason) == (422, "Invalid", "field-type")
        message = "0 is not a port: write a port's number from 1 to 65535, or its name"
        assert answer.message == f'Server.policy.linkerd.io "subject" is invalid: spec.port: {message}'
        assert answer.details == {
            "name": "subject",
            "group": POLICY,
            "kind": "Server",
            "causes": [{"reason": "FieldValueTypeInvalid", "message": message, "field": "spec.port"}],
        }

    def test_of_several_errors_has_a_line_for_each(self) -> None:
        answer = decide(server(port=0, proxyProtocol="tcp"))
        first, *rest = answer.message.split("\n")
        assert first == 'Server.policy.linkerd.io "subject" is invalid: 2 errors'
        assert [line.partition(":")[0] for line in rest] == ["* spec.port", "* spec.proxyProtocol"]
        assert answer.details is not None
        assert [(cause["field"], cause["reason"]) for cause in answer.details["causes"]] == [
            ("spec.port", "FieldValueTypeInvalid"),
            ("spec.proxyProtocol", "FieldValueNotSupported"),
        ]

    @pytest.mark.parametrize(
        ("count", "spelled_out", "more"), [(10, 10, ""), (11, 10, "* and 1 more"), (50, 10, "* and 40 more")]
    )
    def test_spells_out_ten_errors_and_holds_all(self, count: int, spelled_out: int, more: str) -> None:
        body = manifest("MeshTLSAuthentication", {"identities": [""] * count})
        answer = decide(body, kind="MeshTLSAuthentication", version="v1alpha1")
        assert answer.details is not None
        assert len(answer.details["causes"]) == count
        _, *rest = answer.message.split("\n")
        assert len(rest) == spelled_out + bool(more)
        assert (rest[-1] == more) is bool(more)
        assert answer.reason == "identity-invalid"

    def test_warns_beside_of_what_is_no_error(self) -> None:
        answer = decide(server(port=0, podSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}))
        assert answer.reason == "field-type"
        assert answer.details is not None
        assert len(answer.details["causes"]) == 1
        assert [warning.rpartition(" ")[2] for warning in answer.warnings] == ["(selector-values-missing)"]

    def test_of_the_whole_object_has_no_field(self) -> None:
        answer = decide([])
        assert (
            answer.message == 'Server.policy.linkerd.io "subject" is invalid: the object is an array: write an object'
        )
        assert answer.details is not None
        assert answer.details["causes"][0]["field"] == ""

    def test_reaches_the_api_server_whole(self) -> None:
        asked = request(server(port=0))
        answer = asyncio.run(validator().answer(asked))
        status = json.loads(render(asked.uid, asked.api_version, answer))["response"]["status"]
        assert (status["code"], status["reason"], status["message"]) == (422, "Invalid", answer.message)
        assert status["details"] == answer.details


class TestWarnings:
    @pytest.mark.parametrize("length", [1, 40, 53, 54, 55, 200, 5000])
    def test_have_256_characters_and_keep_their_rule(self, length: int) -> None:
        (warning,) = shorten(decide(server(**{"x" * length: 1})).warnings)
        assert len(warning) <= 256
        assert warning.endswith(" (schema-unknown)")
        assert ("…" in warning) is (len(warning) == 256)

    def test_are_one_line_each(self) -> None:
        (warning,) = decide(server(**{"a\n\n b": 1})).warnings
        assert r"[spec.a\n\n b]" in warning


GOING: JSON = {"name": "subject", "namespace": "shop", "deletionTimestamp": "2026-08-01T10:11:12Z"}


class TestOperation:
    @pytest.mark.parametrize("line", BOTH)
    def test_update_of_an_object_on_its_way_out_is_allowed(self, line: Line) -> None:
        broken = {**server(port=0), "metadata": GOING}
        answer = decide(broken, operation="UPDATE", line=line)
        assert (answer.allowed, answer.reason, answer.warnings) == (True, "being_deleted", [])

    def test_update_of_a_profile_on_its_way_out_is_allowed_too(self) -> None:
        answer = decide_profile({**PROFILE, "metadata": GOING, "spec": 5}, operation="UPDATE")
        assert (answer.allowed, answer.reason) == (True, "being_deleted")

    @pytest.mark.parametrize("operation", ["CREATE", "DELETE", "update", ""])
    def test_other_operations_are_not_excused(self, operation: str) -> None:
        broken = {**server(port=0), "metadata": GOING}
        assert decide(broken, operation=operation).reason == "field-type"

    @pytest.mark.parametrize("timestamp", [None, 5, [], {}])
    def test_update_without_a_time_of_deletion_is_not_excused(self, timestamp: Any) -> None:
        broken = {**server(port=0), "metadata": {**GOING, "deletionTimestamp": timestamp}}
        assert not decide(broken, operation="UPDATE").allowed

    def test_update_reads_the_metadata_of_what_was_before(self) -> None:
        old = {**server(port=0), "metadata": {"name": "subject", "labels": {"a": None}}}
        answer = decide(server(), operation="UPDATE", old=old)
        assert (answer.allowed, answer.reason) == (False, "field-type")
        assert "oldObject.metadata.labels.a" in answer.message

    def test_update_does_not_read_the_rest_of_what_was_before(self) -> None:
        assert decide(server(), operation="UPDATE", old=server(port=0)).allowed

    def test_create_does_not_look_at_what_was_before(self) -> None:
        old = {"metadata": 5}
        assert decide(server(), operation="CREATE", old=old).allowed

    def test_update_of_a_profile_does_not_either(self) -> None:
        assert decide_profile(PROFILE, operation="UPDATE", old={"metadata": 5}).allowed

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.group != "linkerd.io"])
    def test_delete_has_no_object_and_is_refused_but_for_lenient_kinds(self, kind: Any) -> None:
        old = manifest(kind.kind, {}, group=kind.group)
        answer = decide(None, kind=kind.kind, group=kind.group, version="v1", operation="DELETE", old=old)
        assert answer.allowed is kind.lenient
        assert "object-missing" in answer.reason


class TestKind:
    @pytest.mark.parametrize(
        ("kind", "group"),
        [("Server", POLICY), ("SERVER", POLICY), ("server", "Policy.LINKERD.io")],
    )
    def test_is_that_of_the_request_whatever_its_case(self, kind: str, group: str) -> None:
        assert decide(server(), kind=kind, group=group).allowed
        assert decide(server(port=0), kind=kind, group=group).code == 422

    @pytest.mark.parametrize(
        ("kind", "group"),
        [
            ("Pod", ""),
            ("Server", ""),
            ("Server", GATEWAY),
            ("GRPCRoute", POLICY),
            ("Gateway", GATEWAY),
            ("ServiceProfile", "linkerd.io"),
            ("\u017ferver", POLICY),
            ("", ""),
        ],
    )
    def test_that_is_not_validated_is_refused_with_those_that_are(self, kind: str, group: str) -> None:
        answer = decide(server(), kind=kind, group=group, version="v1")
        assert (answer.allowed, answer.code, answer.reason) == (False, 400, "unsupported_kind")
        shown = json.dumps(f"{kind}.v1.{group}", ensure_ascii=False)
        assert answer.message.startswith(f"unsupported resource type {shown}: edge-26.8 validates Server.")
        for validated in KINDS:
            listed = f"{validated.kind}.{validated.group}" in answer.message.partition(":")[2]
            assert listed == (validated.kind != "ServiceProfile")

    @pytest.mark.parametrize(
        ("kind", "group"),
        [
            ("EgressNetwork", POLICY),
            ("HTTPLocalRateLimitPolicy", POLICY),
            ("HTTPRoute", GATEWAY),
            ("GRPCRoute", GATEWAY),
            ("TLSRoute", GATEWAY),
            ("TCPRoute", GATEWAY),
        ],
    )
    def test_of_later_lines_is_let_in_by_earlier_ones_with_a_warning(self, kind: str, group: str) -> None:
        assert decide({"spec": 5}, kind=kind, group=group, line=EDGE).reason != "kind-not-validated"
        answer = decide({"spec": 5}, kind=kind, group=group, line=STABLE)
        assert (answer.allowed, answer.reason) == (True, "kind-not-validated")
        (warning,) = answer.warnings
        assert f"stable-2.12 does not validate {kind}.{group}, as Linkerd does from edge-2" in warning

    def test_of_later_lines_is_refused_by_a_validator_that_is_strict(self) -> None:
        strict = validator(line=STABLE, strict=True)
        answer = asyncio.run(strict.answer(request({}, kind="EgressNetwork")))
        assert answer.reason == "unsupported_kind"
        assert "stable-2.12 validates" in answer.message
        assert "EgressNetwork.policy.linkerd.io," not in answer.message.partition(": ")[2]

    def test_is_any_to_the_validator_of_profiles(self) -> None:
        assert decide(PROFILE, by=SP_VALIDATOR, kind="Whatever", group="example.org").allowed
        answer = decide({**PROFILE, "spec": 5}, by=SP_VALIDATOR, kind="Whatever", group="example.org")
        assert not answer.allowed


class TestDifference:
    """A request whose kind, resource and object are not of one kind goes by its kind."""

    def test_of_the_object_is_allowed_with_a_warning(self) -> None:
        answer = decide(server() | {"kind": "Serveur"})
        assert answer.allowed
        assert answer.warnings == [
            "the object's kind is \"Serveur\", and the request's, Server.policy.linkerd.io, counts: write one in both "
            "(review-object-differs)"
        ]

    def test_of_the_object_s_group_is_too(self) -> None:
        answer = decide(server() | {"apiVersion": "example.org/v1"})
        assert (answer.allowed, answer.reason) == (True, "review-object-differs")

    def test_of_the_resource_is_too(self) -> None:
        answer = decide(server(), resource="pods")
        assert answer.allowed
        assert answer.warnings == [
            "the request names the resource pods and the object was checked as Server, the request's kind: write the "
            "resource of that kind (review-object-differs)"
        ]

    def test_of_both_is_told_twice(self) -> None:
        answer = decide(server() | {"kind": "Pod"}, resource="pods")
        assert [warning.rpartition(" ")[2] for warning in answer.warnings] == ["(review-object-differs)"] * 2

    @pytest.mark.parametrize(
        "body",
        [
            server() | {"kind": "SERVER"},
            server() | {"kind": 5},
            {"metadata": {}, "spec": SERVER},
            server() | {"kind": None},
        ],
    )
    def test_of_case_or_of_nothing_said_is_none(self, body: JSON) -> None:
        assert "review-object-differs" not in decide(body).reason

    @pytest.mark.parametrize(
        ("kind", "version", "resource", "spec"),
        [
            ("AuthorizationPolicy", "v1alpha1", "authorizationpolicies", {}),
            ("HTTPLocalRateLimitPolicy", "v1alpha1", "httplocalratelimitpolicies", {}),
            ("Server", "v1beta3", "SERVERS", SERVER),
        ],
    )
    def test_is_none_between_a_kind_and_its_plural(self, kind: str, version: str, resource: str, spec: JSON) -> None:
        answer = decide(manifest(kind, spec), kind=kind, version=version, resource=resource)
        assert [warning for warning in answer.warnings if "review-object-differs" in warning] == []

    def test_does_not_excuse_the_object(self) -> None:
        answer = decide(server(port=0) | {"kind": "Pod"})
        assert (answer.code, answer.reason) == (422, "field-type")
        assert [warning.rpartition(" ")[2] for warning in answer.warnings] == ["(review-object-differs)"]


class TestBrokenText:
    # These are JSON to those who do not look at each value.
    @pytest.mark.parametrize("raw", [b'{"a": "\xff"}', b'{"a": 1e999}'])
    @pytest.mark.parametrize(("by", "kind"), [(POLICY_VALIDATOR, "Server"), (SP_VALIDATOR, "ServiceProfile")])
    def test_of_an_object_is_refused(self, raw: bytes, by: str, kind: str) -> None:
        asked = request(None, kind=kind, raw=raw)
        answer = asyncio.run(validator(by).answer(asked))
        assert (answer.allowed, answer.code, answer.reason) == (False, 400, "bad_object")
        assert answer.message.startswith("request.object is not JSON: ")

    def test_of_what_was_before_is_refused_where_it_is_looked_at(self) -> None:
        def answer(operation: str) -> Answer:
            asked = request(server(), operation=operation, raw_old=b'{"a": 1e999}')
            return asyncio.run(validator().answer(asked))

        assert answer("CREATE").allowed
        assert answer("UPDATE").reason == "bad_object"
        assert answer("UPDATE").message.startswith("request.oldObject is not JSON: ")


class Slow:
    """A judge that knows nothing until it is settled."""

    late: Collection[str] = ()

    def __init__(self, line: Line) -> None:
        self._judge = judge_for(line)
        self._asked: set[str] = set()
        self._known: dict[str, str] = {}
        self.settled = 0

    @property
    def unknown(self) -> Collection[str]:
        """What was asked in vain."""
        return self._asked - set(self._known)

    def __call__(self, pattern: str) -> str | None:
        self._asked.add(pattern)
        return self._known.get(pattern)

    async def settle(self) -> None:
        """Find out."""
        self.settled += 1
        self._known = {pattern: self._judge(pattern) for pattern in self._asked}


class Helpless(Slow):
    """A judge that does not find out either."""

    async def settle(self) -> None:
        """Give up."""
        self.settled += 1
        self.late = set(self._asked)


def matching(*patterns: str) -> JSON:
    matches = [{"path": {"type": "RegularExpression", "value": pattern}} for pattern in patterns]
    return manifest("HTTPRoute", {"rules": [{"matches": matches}]})


class TestPatterns:
    async def ask(self, judge: Slow, body: JSON) -> Answer:
        return await validator(judge=lambda line: judge).answer(request(body, kind="HTTPRoute"))

    async def test_that_take_long_are_settled_and_the_check_repeated(self) -> None:
        judge = Slow(EDGE)
        answer = await self.ask(judge, matching("/a", "/(", "/b", "/(?=a)"))
        assert judge.settled == 1
        assert answer.details is not None
        assert [cause["field"] for cause in answer.details["causes"]] == [
            "spec.rules[0].matches[1].path.value",
            "spec.rules[0].matches[3].path.value",
        ]

    async def test_that_are_good_are_allowed_after_that(self) -> None:
        judge = Slow(EDGE)
        answer = await self.ask(judge, matching("/a"))
        assert (answer.allowed, answer.warnings, judge.settled) == (True, [], 1)

    async def test_that_nobody_asks_about_are_not_settled(self) -> None:
        judge = Slow(EDGE)
        assert (await self.ask(judge, manifest("HTTPRoute", {}))).allowed
        assert judge.settled == 0

    async def test_that_nobody_judges_in_time_are_allowed_with_a_warning_as_a_busy_machine_is_nobody_s_fault(
        self,
    ) -> None:
        judge = Helpless(EDGE)
        answer = await self.ask(judge, matching("/("))
        assert (answer.allowed, answer.reason, judge.settled) == (True, "regex-unchecked", 1)
        [warning] = answer.warnings
        assert warning.startswith("the regular expression `/(` was not checked")
        assert warning.endswith("(regex-unchecked)")

    async def test_that_nobody_judges_in_time_do_not_hide_what_is_wrong_elsewhere(self) -> None:
        body = matching("/(")
        body["spec"]["rules"][0]["matches"].append({"method": "NONSENSE"})
        answer = await self.ask(Helpless(EDGE), body)
        assert not answer.allowed
        assert len(answer.warnings) == 1

    @pytest.mark.parametrize(("line", "good"), [(EDGE, True), (STABLE, False)])
    async def test_are_judged_as_the_line_does(self, line: Line, good: bool) -> None:
        answer = await validator(line=line).answer(request(matching("/(?<n>a)"), kind="HTTPRoute", version="v1beta1"))
        assert answer.allowed is good
        asked: RequestJudge = judging_at_once(line)
        assert (asked("(?<n>a)") == "") is good
        await asked.settle()
        assert not asked.unknown


class TestLine:
    async def test_is_asked_for_anew_by_each_request(self) -> None:
        lines = [EDGE, STABLE]
        one = Validator(POLICY_VALIDATOR, lambda: lines.pop(0), NOTHING_KNOWN)
        body = server(accessPolicy="nonsense")
        assert (await one.answer(request(body))).reason == "server-access-policy"
        assert (await one.answer(request(body))).allowed


class TestRegistry:
    def registry(self, on_root: str | None = None) -> Registry:
        cluster = OfflineCluster([{"kind": "Namespace", "metadata": {"name": "shop"}}])
        injecting = ProxyInjector(Current(injector()), cluster)
        return Registry([injecting, validator(), validator(SP_VALIDATOR)], on_root)

    @pytest.mark.parametrize(
        ("group", "kind", "name"),
        [
            ("linkerd.io", "ServiceProfile", SP_VALIDATOR),
            ("LINKERD.io", "ServiceProfile", SP_VALIDATOR),
            (POLICY, "Server", POLICY_VALIDATOR),
            (GATEWAY, "HTTPRoute", POLICY_VALIDATOR),
            ("Gateway.Networking.K8s.io", "HTTPRoute", POLICY_VALIDATOR),
            ("", "Pod", "proxy-injector"),
            ("", "Service", "proxy-injector"),
            ("apps", "Deployment", "proxy-injector"),
            ("example.org", "Server", "proxy-injector"),
        ],
    )
    def test_chooses_by_the_resource_s_group_on_the_root(self, group: str, kind: str, name: str) -> None:
        assert self.registry().choose("/", request({}, kind=kind, group=group)).name == name

    def test_chooses_by_the_path_elsewhere(self) -> None:
        for path in ("/proxy-injector", "/policy-validator", "/sp-validator"):
            assert self.registry().choose(path, request({}, kind="Pod", group="")).path == path

    def test_chooses_the_named_one_on_the_root(self) -> None:
        chosen = self.registry(SP_VALIDATOR).choose("/", request(server()))
        assert chosen.name == SP_VALIDATOR

    def test_serves_a_path_for_each_and_the_root(self) -> None:
        assert self.registry().paths == ("/", "/proxy-injector", "/policy-validator", "/sp-validator")

    @pytest.mark.parametrize(
        ("annotations", "rules"),
        [
            ({"timeout.linkerd.io/request": "10"}, ["timeout.linkerd.io/request"]),
            (
                {"retry.linkerd.io/http": "4xx", "retry.linkerd.io/limit": "0"},
                ["retry.linkerd.io/http", "retry.linkerd.io/limit"],
            ),
            ({"timeout.linkerd.io/request": "10s"}, []),
            ({}, []),
        ],
    )
    async def test_s_injector_warns_of_a_service_s_annotations(self, annotations: JSON, rules: list[str]) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": "shop", "annotations": annotations},
            "spec": {"ports": [{"port": 80}]},
        }
        asked = request(body, kind="Service", group="", version="v1")
        answer = await self.registry().choose("/", asked).answer(asked)
        assert answer.allowed
        assert len(answer.warnings) == len(rules)
        assert all(name in warning for name, warning in zip(rules, answer.warnings, strict=True))


def test_a_request_goes_by_one_line_and_one_domain_though_the_mesh_changes_while_it_waits() -> None:
    """The configuration is read once: half of the answer by the old one and half by the new would be neither's."""
    lines, domains, judged = iter([EDGE, STABLE]), iter(["cluster.local", "other"]), []

    class Slow:
        unknown: ClassVar[set[str]] = {"a"}
        late: ClassVar[set[str]] = set()

        def __init__(self, line: Line) -> None:
            judged.append(line)

        def __call__(self, pattern: str) -> str | None:
            return ""

        async def settle(self) -> None:
            """The mesh has changed by then."""

    webhook = Validator(SP_VALIDATOR, lambda: next(lines), NOTHING_KNOWN, Slow, lambda: next(domains))
    answer = asyncio.run(webhook.answer(request(PROFILE, kind="ServiceProfile", group="linkerd.io")))
    assert (answer.decision, answer.warnings, judged) == ("allowed", [], [EDGE])
    assert (next(lines), next(domains)) == (STABLE, "other")
