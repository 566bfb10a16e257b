"""Whatever a file holds, `profile` makes a ServiceProfile of it or says where it cannot; it never breaks off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from webhook.profiles.openapi import openapi_routes
from webhook.profiles.profile import Routes, Target, Unreadable, findings, service_profile
from webhook.profiles.proto import proto_routes

TARGET = Target("web", "shop")
WORDS = (
    "service",
    "rpc",
    "returns",
    "stream",
    "option",
    "package",
    "message",
    "idempotency_level",
    "IDEMPOTENT",
    "A.b",
)
TOKENS = st.sampled_from((*WORDS, *"{}()[]<>;=,.\n", '"', '"a"', "//", "/*", "*/", "\\", "1", "é"))
NEARLY_PROTO = st.lists(TOKENS, max_size=40).map(" ".join)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
ANY = st.recursive(SCALARS, lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text(max_size=8), of, max_size=3))
PATHS = st.sampled_from(("/", "/a/{id}.json", "a", "", "/{", "/(x", "/a?b", "x-own")) | st.text(max_size=10)
RESPONSES = (
    st.dictionaries(st.sampled_from(("200", "4XX", "default", "600", "99", "abc", "5xx")), ANY, max_size=4) | ANY
)
OPERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "responses": RESPONSES,
        "x-linkerd-retryable": ANY,
        "x-linkerd-timeout": st.sampled_from(("1s", "soon", "-1s", "")) | ANY,
        "servers": ANY,
    },
)
ITEMS = st.dictionaries(st.sampled_from(("get", "PUT", "parameters", "servers", "trace")), OPERATIONS | ANY, max_size=3)
SERVERS = st.lists(st.fixed_dictionaries({"url": PATHS}, optional={"variables": ANY}) | ANY, max_size=2) | ANY
DOCUMENTS = st.fixed_dictionaries(
    {"paths": st.dictionaries(PATHS, ITEMS | ANY, max_size=3) | ANY},
    optional={
        "openapi": st.sampled_from(("3.0.0", "3.1.0", "4", 3)) | ANY,
        "swagger": st.sampled_from(("2.0", 2.0)) | ANY,
        "basePath": PATHS | ANY,
        "servers": SERVERS,
    },
)


def made(read: Callable[[str], Routes], text: str) -> dict[str, Any] | None:
    """The ServiceProfile of a text; None where it says why there is none."""
    try:
        routes = read(text)
    except Unreadable as error:
        assert error.message
        assert 0 <= error.line <= text.count("\n") + 2
        return None
    assert all(line >= 0 and message for line, message in routes.notes)
    return service_profile(TARGET, routes.routes)


def is_told(body: dict[str, Any]) -> None:
    """The validator accepts it, or each finding says what is wrong with it."""
    assert all(finding.warning for finding in findings(body))
    # It is an object as others: JSON takes it.
    assert orjson.loads(orjson.dumps(body)) == body


@given(st.text(max_size=80) | NEARLY_PROTO)
def test_any_text_as_protobuf_makes_a_profile_or_is_refused_with_its_line(text: str) -> None:
    body = made(proto_routes, text)
    if body is not None:
        is_told(body)


@given(st.lists(st.from_regex(r"[A-Z][a-z]{0,5}", fullmatch=True), min_size=1, max_size=4, unique=True))
def test_each_rpc_of_a_service_is_a_route_that_the_validator_accepts(names: list[str]) -> None:
    calls = "".join(f"  rpc {name} (A) returns (stream B) {{}}\n" for name in names)
    body = made(proto_routes, f'syntax = "proto3";\npackage shop.v1;\nservice Web {{\n{calls}}}\n')
    assert body is not None
    assert [route["name"] for route in body["spec"]["routes"]] == names
    assert findings(body) == []


@given(st.text(max_size=80))
def test_any_text_as_openapi_makes_a_profile_or_is_refused_with_its_line(text: str) -> None:
    body = made(openapi_routes, text)
    if body is not None:
        is_told(body)


@given(DOCUMENTS)
def test_any_openapi_document_makes_a_profile_or_is_refused_with_its_line(document: dict[str, Any]) -> None:
    try:
        text = orjson.dumps(document).decode()
    except TypeError:
        # Numbers of more than 64 bits.
        return
    body = made(openapi_routes, text)
    if body is not None:
        is_told(body)
