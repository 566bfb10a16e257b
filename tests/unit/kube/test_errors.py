"""Requests that failed: their classes, and their words."""

from __future__ import annotations

import pytest

from webhook.kube.errors import (
    ApiError,
    ApiServerUnreachable,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    Unauthorized,
    explain,
)

MESSAGE = 'secrets is forbidden: User "system:serviceaccount:linkerd:web" cannot list resource "secrets"'


@pytest.mark.parametrize(
    ("status", "kind"),
    [(0, ApiServerUnreachable), (401, Unauthorized), (403, Forbidden), (404, NotFound), (409, Conflict), (410, Gone)],
)
def test_an_error_is_of_the_class_of_its_status(status: int, kind: type[ApiError]) -> None:
    error = ApiError(status, "no")
    assert type(error) is kind
    assert (error.status, error.message, str(error)) == (status, "no", "no")


def test_another_status_has_no_class_of_its_own() -> None:
    assert type(ApiError(422, "no")) is ApiError
    assert type(NotFound(404, "no")) is NotFound


@pytest.mark.parametrize(
    ("message", "user"),
    [(MESSAGE, "ServiceAccount linkerd/web"), ('User "jane" cannot', 'user "jane"'), ("no", "")],
)
def test_who_asked_is_read_from_the_refusal(message: str, user: str) -> None:
    assert ApiError(403, message).user == user


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "the API server does not answer in time"),
        (ApiError(0, "refused"), "no connection to the API server: refused"),
        (ApiError(401, "who?"), "the API server does not accept the credentials (401): log in again, or pass another"),
        (ApiError(403, MESSAGE), f"not allowed: grant list on secrets to ServiceAccount linkerd/web ({MESSAGE})"),
        (ApiError(403, "no"), "not allowed: grant list on secrets to the requesting user (no)"),
        (
            ApiError(409, "modified"),
            "the object has changed since it was read, the next attempt follows: modified",
        ),
        (ApiError(500, "etcd"), "the API server refuses the request (HTTP 500): etcd"),
    ],
)
def test_each_failure_has_words_that_say_what_to_do(error: ApiError | TimeoutError, words: str) -> None:
    assert explain(error, "list on secrets").startswith(words)
