"""Routes of OpenAPI documents."""

from __future__ import annotations

import pytest

from webhook.profiles.openapi import openapi_routes
from webhook.profiles.profile import Unreadable


def names(text: str) -> list[str]:
    """The names of the routes."""
    return [route["name"] for route in openapi_routes(text).routes]


def test_a_route_takes_the_path_behind_the_base_path_with_parameters_as_patterns() -> None:
    text = "swagger: '2.0'\nbasePath: /v1/\npaths: {'/carts/{id}.json': {get: {}}}"
    (route,) = openapi_routes(text).routes
    assert route == {
        "name": "GET /v1/carts/{id}.json",
        "condition": {"method": "GET", "pathRegex": r"/v1/carts/[^/]*\.json"},
    }


def test_statuses_become_response_classes_in_their_order() -> None:
    text = "swagger: '2.0'\npaths: {/a: {put: {responses: {503: {}, 200: {}, default: {}}}}}"
    assert openapi_routes(text).routes[0]["responseClasses"] == [
        {"condition": {"status": {"min": 200, "max": 200}}},
        {"condition": {"status": {"min": 503, "max": 503}}, "isFailure": True},
    ]


def test_a_range_of_statuses_comes_after_single_ones_in_openapi_3() -> None:
    text = "openapi: 3.1.0\npaths: {/a: {put: {responses: {4XX: {}, '404': {}}}}}"
    spans = [one["condition"]["status"] for one in openapi_routes(text).routes[0]["responseClasses"]]
    assert spans == [{"min": 404, "max": 404}, {"min": 400, "max": 499}]


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ("[]", ["GET /a"]),
        ("[{url: 'https://shop.example/api/'}]", ["GET /api/a"]),
        ("[{url: /v1}, {url: 'https://shop.example/v2'}]", ["GET /v1/a", "GET /v2/a"]),
        ("[{url: 'https://one.example'}, {url: 'https://two.example/'}]", ["GET /a"]),
        ("[{url: '/{v}', variables: {v: {default: v3}}}]", ["GET /v3/a"]),
        ("[{url: 'https://[broken/api'}]", ["GET /api/a"]),
    ],
)
def test_the_paths_of_servers_stand_in_front_in_openapi_3(servers: str, expected: list[str]) -> None:
    assert names(f"openapi: 3.0.0\nservers: {servers}\npaths: {{/a: {{get: {{}}}}}}") == expected


def test_the_servers_of_an_operation_count_in_place_of_the_documents() -> None:
    text = "openapi: 3.0.0\nservers: [{url: /x}]\npaths: {/a: {get: {servers: [{url: /y}]}, put: {}}}"
    assert sorted(names(text)) == ["GET /y/a", "PUT /x/a"]


def test_settings_of_another_type_are_passed_over_with_a_note_at_their_line() -> None:
    text = "swagger: '2.0'\npaths:\n  /a:\n    get:\n      x-linkerd-retryable: 'yes'\n      x-linkerd-timeout: 5\n"
    read = openapi_routes(text)
    assert "isRetryable" not in read.routes[0]
    assert "timeout" not in read.routes[0]
    assert [line for line, _ in read.notes] == [5, 6]


def test_settings_of_the_right_type_are_taken() -> None:
    text = "swagger: '2.0'\npaths: {/a: {get: {x-linkerd-retryable: true, X-Linkerd-Timeout: 1s}}}"
    route = openapi_routes(text).routes[0]
    assert (route["isRetryable"], route["timeout"]) == (True, "1s")


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("", 0, "the file is empty"),
        ("- a", 1, "write an OpenAPI document"),
        ("kind: Pod", 1, "neither openapi nor swagger"),
        ("swagger: '1.2'", 1, "version of Swagger"),
        ("info: {}\nopenapi: 4.0.0", 2, "version of OpenAPI"),
        ("swagger: '2.0'\npaths:\n- /a", 2, "paths is"),
        ("swagger: '2.0'\npaths:\n  /a:\n    get: []", 4, "write a mapping"),
        ("swagger: '2.0'\na: [b", 2, "is never closed: write"),
        ("openapi: 3.0.0\nservers: [a]", 2, "a mapping with url"),
    ],
)
def test_what_is_not_an_openapi_document_is_named_with_its_line(text: str, line: int, part: str) -> None:
    with pytest.raises(Unreadable, match=part) as caught:
        openapi_routes(text)
    assert caught.value.line == line
