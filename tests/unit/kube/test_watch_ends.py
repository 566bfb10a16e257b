"""Why a watch is over: what the API server said, in words for people, and whether a list must make up for it."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.kube.errors import ApiError
from webhook.kube.watch import Ended, Resource, _ended, _error

SERVERS = Resource("/apis/policy.linkerd.io/v1beta3/servers", "Servers", "servers.policy.linkerd.io")


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        ({"code": 410, "message": "too old resource version"}, "gone", "too old resource version"),
        ({"code": 500, "message": "etcd is away"}, "error", "etcd is away"),
        ({"code": 500}, "error", "the API server ended the watch with an error"),
        ({}, "error", "the API server ended the watch with an error"),
        (None, "error", "the API server ended the watch with an error"),
        ("odd", "error", "the API server ended the watch with an error"),
    ],
)
def test_an_error_event_ends_a_watch_and_a_list_makes_up_for_it(status: Any, reason: str, message: str) -> None:
    result = _error(status)
    assert result.ended == Ended(reason, message, relist=True)
    assert str(result) == message


@pytest.mark.parametrize(
    ("status", "message", "ended"),
    [
        (410, "expired", Ended("gone", "expired", relist=True)),
        (
            404,
            "no such thing",
            Ended("not_served", "the API server does not serve Servers: no such thing", relist=True),
        ),
        (0, "refused", Ended("dropped", "no connection to the API server: refused")),
        (503, "busy", Ended("error", "busy")),
        (
            403,
            'User "system:serviceaccount:linkerd:linkerd-webhook" cannot list',
            Ended(
                "forbidden",
                "watching Servers is forbidden: grant list and watch on servers.policy.linkerd.io to ServiceAccount "
                'linkerd/linkerd-webhook (User "system:serviceaccount:linkerd:linkerd-webhook" cannot list)',
            ),
        ),
    ],
)
def test_a_refused_watch_says_what_to_do(status: int, message: str, ended: Ended) -> None:
    assert _ended(ApiError(status, message), SERVERS) == ended
