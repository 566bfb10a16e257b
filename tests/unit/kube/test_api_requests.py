"""What the client asks of the API server, and how it takes the answers; the connection is a stand-in."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import orjson
import pytest

from webhook.kube import api as api_module
from webhook.kube.api import LIST, OBJECT, PLAIN, ApiServer, ConfigurationError
from webhook.kube.client import Configuration
from webhook.kube.errors import ApiError, NotFound


class Answered:
    """A response with a body."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        return self._body


class Recorded(ApiServer):
    """Notes each request, and answers with `body` or `error`."""

    def __init__(self) -> None:
        super().__init__(Configuration(host="http://127.0.0.1:1"))
        self.asked: list[tuple[str, str, Mapping[str, str] | None, dict[str, str], float | None, Any]] = []
        self.body: bytes = b"{}"
        self.error: Exception | None = None

    @contextlib.asynccontextmanager
    async def _request(  # type: ignore[override]
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        headers: dict[str, str],
        bounds: aiohttp.ClientTimeout,
        body: Any = None,
    ) -> AsyncIterator[Answered]:
        self.asked.append((method, path, query, headers, bounds.total, body))
        if self.error is not None:
            raise self.error
        yield Answered(self.body)


@pytest.fixture
async def api() -> AsyncIterator[Recorded]:
    server = Recorded()
    yield server
    await server.close()


async def test_a_read_asks_for_metadata_alone_and_waits_half_a_minute(api: Recorded) -> None:
    await api.get("/a", {"limit": "5"})
    await api.get("/a", accept=LIST)
    assert api.asked == [
        ("GET", "/a", {"limit": "5"}, {"Accept": OBJECT}, 30, None),
        ("GET", "/a", None, {"Accept": LIST}, 30, None),
    ]


async def test_a_write_sends_all_that_it_was_given_and_waits_five_seconds(api: Recorded) -> None:
    await api.send("PATCH", "/a", {"b": 1}, "application/merge-patch+json", {"fieldManager": "me"})
    await api.send("GET", "/a", within=7)
    assert api.asked == [
        (
            "PATCH",
            "/a",
            {"fieldManager": "me"},
            {"Accept": "application/json", "Content-Type": "application/merge-patch+json"},
            5.0,
            {"b": 1},
        ),
        ("GET", "/a", None, {"Accept": "application/json", "Content-Type": "application/json"}, 7, None),
    ]


async def test_what_is_not_there_is_found_to_be_none_and_other_failures_are_raised(api: Recorded) -> None:
    api.body = b'{"kind":"A"}'
    assert await api.find("/a", PLAIN) == {"kind": "A"}
    assert api.asked[0][3] == {"Accept": PLAIN}
    api.error = NotFound(404, "no")
    assert await api.find("/a") is None
    api.error = ApiError(500, "etcd")
    with pytest.raises(ApiError, match="etcd"):
        await api.find("/a")


@pytest.mark.parametrize(("body", "kind"), [(b"[]", "list"), (b"7", "int"), (b"null", "NoneType")])
async def test_an_answer_that_is_no_object_is_told_with_what_it_is(api: Recorded, body: bytes, kind: str) -> None:
    api.body = body
    with pytest.raises(ValueError, match=f"the API server's response is not a JSON object but {kind}"):
        await api.get("/a")


@pytest.mark.parametrize(
    ("error", "alive"),
    [
        (None, True),
        (ApiError(403, "no"), True),
        (ApiError(429, "slow down"), True),
        (ApiError(500, "etcd"), False),
        (ApiError(502, "bad gateway"), False),
        (ApiError(0, "refused"), False),
        (TimeoutError(), False),
    ],
)
async def test_a_refusal_is_an_answer_to_a_ping_and_a_gateway_is_not(
    api: Recorded, error: Exception | None, alive: bool
) -> None:
    api.error = error
    if alive:
        await api.ping()
    else:
        with pytest.raises((ApiError, TimeoutError)):
            await api.ping()
    assert api.asked[0][:2] == ("GET", "/version")
    assert api.asked[0][4] == api_module.PING


async def test_a_fresh_answer_will_do_for_a_ping(api: Recorded) -> None:
    await api.ping(60)
    await api.ping(60)
    assert len(api.asked) == 1
    await api.ping()
    assert len(api.asked) == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"kind":"Status","message":"no such thing"}', "no such thing"),
        (b'{"kind":"Status","message":""}', "HTTP 404 Not Found"),
        (b'{"kind":"Status","message":7}', "HTTP 404 Not Found"),
        (b"<html>", "HTTP 404 Not Found"),
        (b"[]", "HTTP 404 Not Found"),
    ],
)
def test_a_refusal_is_told_in_the_api_servers_words_else_in_those_of_http(body: bytes, message: str) -> None:
    class Response:
        status, reason = 404, "Not Found"

    assert api_module._status_message(body, Response()) == message  # type: ignore[arg-type]


@pytest.mark.parametrize(("status", "message"), [(403, "pods is forbidden"), (404, "HTTP 403 no")])
async def test_a_refused_socket_is_told_in_the_body_that_a_read_of_its_path_gets(
    api: Recorded, status: int, message: str
) -> None:
    """Where the read fails otherwise, its words are about something else."""
    api.error = ApiError(status, "pods is forbidden")
    handshake = aiohttp.WSServerHandshakeError(None, (), status=403, message="no")  # type: ignore[arg-type]
    refused = await api._refusal("/a", {"ports": "1"}, handshake)
    assert (refused.status, refused.message) == (403, message)
    assert api.asked[0][:4] == ("GET", "/a", {"ports": "1"}, {"Accept": PLAIN})


async def test_a_kubeconfig_that_cannot_be_used_is_told_with_the_reason(tmp_path: Any) -> None:
    path = tmp_path / "config"
    path.write_bytes(orjson.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "gone", "contexts": []}))
    with pytest.raises(ConfigurationError) as error:
        await ApiServer.from_kubeconfig(path)
    assert str(error.value).startswith(f"kubeconfig {path} cannot be used: ")
    assert "gone" in str(error.value) or "contexts" in str(error.value)
