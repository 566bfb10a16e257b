"""Raw requests to the API server, over the official client's connection and credentials.

The client's typed APIs are left aside on purpose: none of them asks for PartialObjectMetadata, and its models cost
more memory than all Namespaces of a large cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
import structlog
import yaml
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException, load_kube_config
from kubernetes.aio.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_PORT_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)

from webhook.kube.cache import SingleFlight
from webhook.kube.errors import ApiError, NotFound, Unreachable
from webhook.kube.interface import JSON
from webhook.kube.keepalive import Client

PLAIN = "application/json"
OBJECT = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

# Seconds that the API server has for the first bytes of a stream, and for the answer to a ping.
OPENING = 30.0
PING = 10.0
# Pings that in a row get no answer before a silent stream is given up: one may be lost on a busy machine.
PINGS = 2

# Seconds. How often a kubeconfig's credentials (exec plugin, token file) are looked at; in a cluster the client's own
# loader does it as often.
REFRESH = 60.0

log = structlog.get_logger(__name__)


class ConfigurationError(Exception):
    """There is no way to the API server: the message says what is missing and what to pass."""


class ApiServer:
    """One API server. Share it: it holds the connections. Made and used in one event loop; `close` it at the end."""

    def __init__(self, configuration: Configuration, loader: Any = None, *, inside: bool = False) -> None:
        """`loader`: a kubeconfig's, to read its credentials again from time to time. `inside`: this runs in a Pod."""
        self.inside = inside
        # Go's TLS does not insist on RFC 5280 to the letter, and many clusters' CAs would not pass from Python 3.13 on.
        configuration.disable_strict_ssl_verification = True
        self._configuration = configuration
        self._rest = Client(configuration)
        self._pings: SingleFlight[str, None] = SingleFlight()
        self._answered = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None
        if loader is not None:
            self._refreshing = asyncio.ensure_future(_refresh(configuration, loader))

    @classmethod
    async def from_kubeconfig(cls, path: str | Path) -> ApiServer:
        """The current context of a kubeconfig file. Raises `ConfigurationError`."""
        configuration = Configuration()
        try:
            loader = await load_kube_config(  # type: ignore[no-untyped-call]
                str(path), client_configuration=configuration, persist_config=False
            )
            return cls(configuration, loader)
        except (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise ConfigurationError(f"kubeconfig {path} cannot be used: {_one_line(error)}") from error

    @classmethod
    def in_cluster(
        cls,
        token_file: str = SERVICE_TOKEN_FILENAME,
        ca_file: str = SERVICE_CERT_FILENAME,
        environment: Mapping[str, str] = os.environ,
    ) -> ApiServer:
        """The cluster this runs in, as its Pod's service account. Raises `ConfigurationError`.

        The token file is read again every minute, so a token that the kubelet rotates is used long before the old
        one expires.
        """
        for name in (SERVICE_HOST_ENV_NAME, SERVICE_PORT_ENV_NAME):
            if not environment.get(name):
                raise ConfigurationError(
                    f"{name} is not set, so this does not run in a Pod: pass --kubeconfig FILE, "
                    "or --manifests PATH to run without a cluster"
                )
        configuration = Configuration()
        try:
            loader = InClusterConfigLoader(token_file, ca_file, environ=environment)  # type: ignore[no-untyped-call]
            loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
            return cls(configuration, inside=True)
        except (ConfigException, OSError, ValueError) as error:
            raise ConfigurationError(
                f"no service account to use ({_one_line(error)}; looked for {token_file} and {ca_file}): "
                "set automountServiceAccountToken: true on the Pod, or pass --kubeconfig FILE"
            ) from error

    @property
    def host(self) -> str:
        """The API server's URL."""
        return str(self._configuration.host)

    async def close(self) -> None:
        """Close all connections."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        await self._pings.cancel()
        await self._rest.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None, accept: str = OBJECT) -> JSON:
        """GET one JSON object, within 30 seconds. Raises `ApiError` and `TimeoutError`."""
        timeout = aiohttp.ClientTimeout(total=30)
        async with self._request("GET", path, query, {"Accept": accept}, timeout) as response:
            return _object(await response.read())

    async def find(self, path: str, accept: str = OBJECT) -> JSON | None:
        """GET one object, by default its metadata alone; None where there is none, or nothing of its kind.

        Raises `ApiError` and `TimeoutError`.
        """
        try:
            return await self.get(path, accept=accept)
        except NotFound:
            return None

    async def send(
        self,
        method: str,
        path: str,
        body: JSON | None = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        within: float = 5.0,
    ) -> JSON:
        """GET, POST, PUT, PATCH or DELETE one whole JSON object, within so many seconds.

        Raises `ApiError` and `TimeoutError`.
        """
        headers = {"Accept": "application/json", "Content-Type": content_type}
        async with self._request(method, path, query, headers, aiohttp.ClientTimeout(total=within), body) as response:
            return _object(await response.read())

    @contextlib.asynccontextmanager
    async def stream(
        self,
        path: str,
        query: Mapping[str, str],
        *,
        total: float,
        quiet: float,
        accept: str = OBJECT,
        alive: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """GET lines, as a watch sends them: for `total` seconds at most.

        Silence is no fault: an API server has nothing to tell of objects that do not change. After `quiet` seconds
        without a byte it is asked something else; `alive` is told that it answered, and where it does not, the stream
        is given up. Entering waits for the status. Raises `ApiError` and `TimeoutError`, the lines likewise.
        """
        timeout = aiohttp.ClientTimeout(total=total, sock_connect=10)
        async with asyncio.timeout(OPENING) as bound:
            async with self._request("GET", path, query, {"Accept": accept}, timeout) as response:
                bound.reschedule(None)
                content = response.content
                watching = asyncio.create_task(self._listen(content, quiet, alive, bound), name="pings")
                try:
                    yield content
                finally:
                    watching.cancel()

    async def _listen(
        self, content: aiohttp.StreamReader, quiet: float, alive: Callable[[], None], bound: asyncio.Timeout
    ) -> None:
        """Let the stream's time be over once it is silent and the API server does not answer either."""
        seen, missed = content.total_bytes, 0
        while missed < PINGS:
            await asyncio.sleep(quiet / 3 if missed else quiet)
            if content.total_bytes != seen:
                seen, missed = content.total_bytes, 0
                continue
            try:
                await self.ping(quiet / 2)
            except (ApiError, TimeoutError):
                missed += 1
            else:
                missed = 0
                alive()
        # Now, unless the stream is over by itself.
        if not bound.expired():
            bound.reschedule(asyncio.get_running_loop().time())

    async def ping(self, fresh: float = 0.0) -> None:
        """See whether the API server answers at all, by the cheapest read there is; those who ask at once share it.

        An answer of the last `fresh` seconds will do. Raises `ApiError` and `TimeoutError` where there is none.
        """
        if asyncio.get_running_loop().time() - self._answered >= fresh:
            await self._pings.fly("", self._ping)

    async def _ping(self) -> None:
        try:
            await self.send("GET", "/version", within=PING)
        except ApiError as error:
            # Also a refusal is an answer; what stands in front of an API server that is gone says 502 to 504.
            if isinstance(error, Unreachable) or error.status >= 500:
                raise
        self._answered = asyncio.get_running_loop().time()

    @contextlib.asynccontextmanager
    async def socket(
        self, path: str, query: Mapping[str, str], protocol: str, *, within: float
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket of a subprotocol, opened within so many seconds. Raises `ApiError` and `TimeoutError`."""
        session = self._rest.pool_manager
        if session is None:
            session = self._rest.pool_manager = self._rest._create_pool_manager()
        url = f"{self.host}{path}?{urlencode(query)}"
        headers = {"User-Agent": "linkerd-webhook", **await self._authorization()}
        options: dict[str, Any] = {"proxy": self._rest.proxy, "proxy_headers": self._rest.proxy_headers}
        # The other side's goodbye is not worth a wait.
        options["timeout"] = aiohttp.ClientWSTimeout(ws_close=0.5)
        try:
            async with asyncio.timeout(within):
                opened = await session.ws_connect(url, headers=headers, protocols=(protocol,), **options)
        except TimeoutError:
            raise
        except aiohttp.WSServerHandshakeError as error:
            raise await self._refused(path, query, error) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ApiError(0, _one_line(error)) from error
        try:
            yield opened
        finally:
            await opened.close()

    async def _refused(self, path: str, query: Mapping[str, str], error: aiohttp.WSServerHandshakeError) -> ApiError:
        """A refused WebSocket in the API server's words: they are in the body, which a WebSocket's client skips."""
        try:
            await self.get(path, query, PLAIN)
        except (ApiError, TimeoutError, ValueError) as asked:
            if isinstance(asked, ApiError) and asked.status == error.status:
                return asked
        return ApiError(error.status, f"HTTP {error.status} {error.message}")

    @contextlib.asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        headers: dict[str, str],
        bounds: aiohttp.ClientTimeout,
        body: JSON | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = self.host + path + (f"?{urlencode(query)}" if query else "")
        try:
            headers |= {"User-Agent": "linkerd-webhook", **await self._authorization()}
            answer = await self._rest.request(  # type: ignore[no-untyped-call]
                method, url, headers=headers, body=body, _request_timeout=bounds
            )
            # Leaving the block early closes the connection: there is no other way to end a watch.
            async with answer.response as response:
                if response.status >= 400:
                    raise ApiError(response.status, _status_message(await response.read(), response))
                yield response
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ApiError(0, _one_line(error)) from error

    async def _authorization(self) -> dict[str, str]:
        try:
            await self._configuration.auth_settings()
        except (OSError, ConfigException) as error:
            # A token file that is unreadable for a moment (the kubelet swaps it): the token before may still do.
            log.warning("the service account's token cannot be read again", error=_one_line(error))
        token = self._configuration.api_key.get("BearerToken")
        return {"Authorization": token.strip()} if token else {}


async def _refresh(configuration: Configuration, loader: Any) -> None:
    while True:
        await asyncio.sleep(REFRESH)
        try:
            await loader.load_and_set(configuration)
        except (ConfigException, OSError, ValueError) as error:
            log.warning("the kubeconfig's credentials cannot be refreshed", error=_one_line(error))


def _object(body: bytes) -> JSON:
    found = orjson.loads(body)
    if not isinstance(found, dict):
        raise ValueError(f"want a JSON object from the API server, got {type(found).__name__}")
    return found


def _status_message(body: bytes, response: aiohttp.ClientResponse) -> str:
    """The message of the Status that the API server answered with, else HTTP's own words."""
    with contextlib.suppress(ValueError):
        message = _object(body).get("message")
        if isinstance(message, str) and message:
            return message
    return f"HTTP {response.status} {response.reason}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
