"""Raw requests to the API server, over the official client's connection and credentials.

The client's typed APIs are not used: none of them can request PartialObjectMetadata, and its models cost more memory
than all Namespaces of a large cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
import structlog
import yaml
from multidict import CIMultiDict

from webhook.kube.cache import SingleFlight
from webhook.kube.client import (
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_PORT_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    ConfigException,
    Configuration,
    InClusterConfigLoader,
    load_kube_config,
)
from webhook.kube.errors import ApiError, ApiServerUnreachable, NotFound
from webhook.kube.interface import JSON
from webhook.kube.keepalive import Client

PLAIN = "application/json"
OBJECT = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_NOT_PACKED = {"Accept-Encoding": "identity"}
# Bytes: what has come is taken in pieces that are copied at once in no time.
_PIECE = 1 << 15

# Timeouts in seconds: for the response headers of a stream, and for the response to a ping.
OPENING = 30.0
PING = 10.0
# A silent stream is closed after this many failed pings in a row: a single one may fail on a busy machine.
PINGS = 2

# Seconds between two reads of a kubeconfig's credentials (exec plugin, token file). In a cluster the client's own
# loader uses the same interval.
REFRESH = 60.0

log = structlog.get_logger(__name__)


class ConfigurationError(Exception):
    """No usable kubeconfig or service account: the message says what is missing and which option to pass."""


class ApiServer:
    """A client of one API server. Share one instance, as it holds the connections.

    Create and use it in one event loop, and `close` it at the end.
    """

    def __init__(self, configuration: Configuration, loader: Any = None, *, inside: bool = False) -> None:
        """`loader` is a kubeconfig's loader, which reads the credentials again every `REFRESH` seconds. `inside` is
        whether this process runs in a Pod of the cluster."""
        self.inside = inside
        # Headers by which requests are sent as another user.
        self._impersonation: tuple[tuple[str, str], ...] = ()
        self._log_request: Callable[[str], None] | None = None
        # Python 3.13 and later reject CA certificates that break RFC 5280 in details. Go accepts them, and many
        # clusters have such a CA.
        configuration.disable_strict_ssl_verification = True
        self._configuration = configuration
        self._rest = Client(configuration)
        self._pings: SingleFlight[str, None] = SingleFlight()
        self._answered = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None
        if loader is not None:
            self._refreshing = asyncio.ensure_future(_refresh(configuration, loader))

    @classmethod
    async def from_kubeconfig(cls, path: str | Path, context: str | None = None) -> ApiServer:
        """A client that uses a context of the kubeconfig file at `path`, by default the current one.

        Raises `ConfigurationError`.
        """
        configuration = Configuration()
        try:
            loader = await load_kube_config(  # type: ignore[no-untyped-call]
                str(path), context=context, client_configuration=configuration, persist_config=False
            )
            return cls(configuration, loader)
        except (TypeError, AttributeError, KeyError) as error:
            # The loader takes the file for one, whatever it holds.
            raise ConfigurationError(
                f"kubeconfig {path} cannot be used: it is empty, or a part is missing or of another type: write it as "
                "`kubectl config view --raw` prints one"
            ) from error
        except (ConfigException, yaml.YAMLError, OSError, ValueError) as error:
            raise ConfigurationError(f"kubeconfig {path} cannot be used: {_one_line(error)}") from error

    @classmethod
    def in_cluster(
        cls,
        token_file: str = SERVICE_TOKEN_FILENAME,
        ca_file: str = SERVICE_CERT_FILENAME,
        environment: Mapping[str, str] = os.environ,
    ) -> ApiServer:
        """A client of the cluster that this process runs in, with the service account of its Pod.

        The token file is read again every minute, so that a token which the kubelet has rotated is used long before the
        old one expires. Raises `ConfigurationError`.
        """
        for name in (SERVICE_HOST_ENV_NAME, SERVICE_PORT_ENV_NAME):
            if not environment.get(name):
                raise ConfigurationError(
                    f"{name} is not set, so this process does not run in a Pod: pass --kubeconfig FILE, "
                    "or --manifests PATH to run without a cluster"
                )
        configuration = Configuration()
        try:
            loader = InClusterConfigLoader(token_file, ca_file, environ=environment)  # type: ignore[no-untyped-call]
            loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
            return cls(configuration, inside=True)
        except (ConfigException, OSError, ValueError) as error:
            raise ConfigurationError(
                f"cannot use the Pod's service account, {token_file} and {ca_file} ({_one_line(error)}): "
                "set automountServiceAccountToken: true on the Pod, or pass --kubeconfig FILE"
            ) from error

    @property
    def host(self) -> str:
        """The API server's URL."""
        return str(self._configuration.host)

    def act_as(self, user: str, groups: Iterable[str] = ()) -> None:
        """Send requests as another user, "" for nobody else, with these groups. The API server asks for the right.

        https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
        """
        users = [("Impersonate-User", user)] if user else []
        self._impersonation = (*users, *(("Impersonate-Group", group) for group in groups))

    def log_requests(self, log: Callable[[str], None] | None) -> None:
        """Call `log` with a line about each request from now on: its method, path, status and how long it took."""
        self._log_request = log

    async def close(self) -> None:
        """Close all connections."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        await self._pings.cancel()
        await self._rest.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None, accept: str = OBJECT) -> JSON:
        """GET the JSON object at `path`, by default its metadata only, with a timeout of 30 seconds.

        Raises `ApiError` and `TimeoutError`; `ValueError` if the response is not a JSON object.
        """
        async with self._got(path, query, accept) as response:
            # Here, where it counts as a failure of the request.
            return _object(await response.read())

    async def read(self, path: str, query: Mapping[str, str] | None = None, accept: str = OBJECT) -> bytes:
        """As `get`, but returns the response as it came, to be decoded piece by piece."""
        async with self._got(path, query, accept) as response:
            return await response.read()

    async def pieces(self, path: str, query: Mapping[str, str], accept: str = OBJECT) -> AsyncGenerator[bytes, None]:
        """As `read`, but piece by piece, as they come, each of at most `_PIECE` bytes.

        The API server is asked not to compress the response: that takes more of the network, and none of the
        milliseconds in which a long piece is unpacked at once.
        """
        async with self._got(path, query, accept, _NOT_PACKED) as response:
            while piece := await response.content.read(_PIECE):
                yield piece

    def _got(
        self, path: str, query: Mapping[str, str] | None, accept: str, headers: Mapping[str, str] = MappingProxyType({})
    ) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._request("GET", path, query, {"Accept": accept, **headers}, aiohttp.ClientTimeout(total=30))

    async def find(self, path: str, accept: str = OBJECT) -> JSON | None:
        """As `get`, but returns None if the object does not exist or the API server does not serve its kind."""
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
        """Send a request and return the JSON object in the response. `within` is the timeout in seconds.

        Raises `ApiError` and `TimeoutError`; `ValueError` if the response is not a JSON object.
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
        """GET a stream of lines, as a watch sends them, for at most `total` seconds.

        A silent stream need not be broken: the API server sends nothing while the objects do not change. After `quiet`
        seconds without a byte the API server is pinged. Each response to a ping calls `alive`; after `PINGS` failed
        pings in a row the stream is closed. Entering the context waits for the response's status. Entering and reading
        raise `ApiError` and `TimeoutError`.
        """
        timeout = aiohttp.ClientTimeout(total=total, sock_connect=10)
        async with asyncio.timeout(OPENING) as bound:
            async with self._request("GET", path, query, {"Accept": accept}, timeout) as response:
                bound.reschedule(None)
                content = response.content
                pings = asyncio.create_task(self._ping_while_silent(content, quiet, alive, bound), name="pings")
                try:
                    yield content
                finally:
                    pings.cancel()

    async def _ping_while_silent(
        self, content: aiohttp.StreamReader, quiet: float, alive: Callable[[], None], bound: asyncio.Timeout
    ) -> None:
        """Ping while the stream is silent, and let it time out once `PINGS` pings in a row have failed."""
        received, failed = content.total_bytes, 0
        while failed < PINGS:
            await asyncio.sleep(quiet / 3 if failed else quiet)
            if content.total_bytes != received:
                received, failed = content.total_bytes, 0
                continue
            try:
                await self.ping(quiet / 2)
            except (ApiError, TimeoutError):
                failed += 1
            else:
                failed = 0
                alive()
        if not bound.expired():
            bound.reschedule(asyncio.get_running_loop().time())

    async def ping(self, fresh: float = 0.0) -> None:
        """Check that the API server responds, by a GET of `/version`. Concurrent callers share one request.

        No request is sent if the API server has responded to a ping within the last `fresh` seconds. Raises `ApiError`
        and `TimeoutError` if it does not respond.
        """
        if asyncio.get_running_loop().time() - self._answered >= fresh:
            await self._pings.fly("", self._ping)

    async def _ping(self) -> None:
        try:
            await self.send("GET", "/version", within=PING)
        except ApiError as error:
            # A 4xx comes from the API server itself; 502 to 504 may come from a load balancer in front of it.
            if isinstance(error, ApiServerUnreachable) or error.status >= 500:
                raise
        self._answered = asyncio.get_running_loop().time()

    @contextlib.asynccontextmanager
    async def socket(
        self, path: str, query: Mapping[str, str], protocol: str, *, within: float
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket with the subprotocol `protocol`. `within` is the timeout for opening, in seconds.

        Raises `ApiError` and `TimeoutError`.
        """
        session = self._rest.pool_manager
        if session is None:
            session = self._rest.pool_manager = self._rest._create_pool_manager()
        asked = f"{path}?{urlencode(query)}"
        url = self.host + asked
        if self._log_request is not None:
            self._log_request(f"GET {asked}: a WebSocket")
        headers = await self._headers()
        options: dict[str, Any] = {"proxy": self._rest.proxy, "proxy_headers": self._rest.proxy_headers}
        # Closing does not wait long for the other side's close frame.
        options["timeout"] = aiohttp.ClientWSTimeout(ws_close=0.5)
        try:
            async with asyncio.timeout(within):
                websocket = await session.ws_connect(url, headers=headers, protocols=(protocol,), **options)
        except TimeoutError:
            raise
        except aiohttp.WSServerHandshakeError as error:
            raise await self._refusal(path, query, error) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ApiError(0, _one_line(error)) from error
        try:
            yield websocket
        finally:
            await websocket.close()

    async def _refusal(self, path: str, query: Mapping[str, str], error: aiohttp.WSServerHandshakeError) -> ApiError:
        """The error for a refused WebSocket, with the API server's message.

        aiohttp drops the body of the refusal, which holds the message, so the same path is requested once more by GET.
        """
        try:
            await self.get(path, query, PLAIN)
        except (ApiError, TimeoutError, ValueError) as refusal:
            if isinstance(refusal, ApiError) and refusal.status == error.status:
                return refusal
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
        asked = path + (f"?{urlencode(query)}" if query else "")
        url, begin, outcome = self.host + asked, time.monotonic(), "failed"
        try:
            sent = await self._headers(headers)
            answer = await self._rest.request(  # type: ignore[no-untyped-call]
                method, url, headers=sent, body=body, _request_timeout=bounds
            )
            # Leaving the block early closes the connection, which is the only way to end a watch.
            async with answer.response as response:
                outcome = str(response.status)
                if response.status >= 400:
                    raise ApiError(response.status, _status_message(await response.read(), response))
                yield response
        except TimeoutError:
            outcome = "no answer in time"
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            outcome = _one_line(error)
            raise ApiError(0, outcome) from error
        finally:
            if self._log_request is not None:
                self._log_request(f"{method} {asked}: {outcome} ({(time.monotonic() - begin) * 1000:.0f} ms)")

    async def _headers(self, more: Mapping[str, str] = MappingProxyType({})) -> CIMultiDict[str]:
        """The headers of every request, and these; a header of impersonation may be there several times."""
        headers = CIMultiDict({"User-Agent": "linkerd-webhook", **more, **await self._authorization()})
        headers.extend(self._impersonation)
        return headers

    async def _authorization(self) -> dict[str, str]:
        try:
            await self._configuration.auth_settings()
        except (OSError, ConfigException) as error:
            # The file cannot be read while the kubelet replaces it; the previous token may still be valid.
            log.warning("cannot reload the service account's token, using the previous one", error=_one_line(error))
        token = self._configuration.api_key.get("BearerToken")
        return {"Authorization": token.strip()} if token else {}


async def _refresh(configuration: Configuration, loader: Any) -> None:
    while True:
        await asyncio.sleep(REFRESH)
        try:
            await loader.load_and_set(configuration)
        except (ConfigException, OSError, ValueError) as error:
            log.warning("cannot reload the kubeconfig's credentials, using the previous ones", error=_one_line(error))


def _object(body: bytes) -> JSON:
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise ValueError(f"the API server's response is not a JSON object but {type(document).__name__}")
    return document


def _status_message(body: bytes, response: aiohttp.ClientResponse) -> str:
    """The message of the Status in the body, or the HTTP status and reason if the body is not a Status."""
    with contextlib.suppress(ValueError):
        message = _object(body).get("message")
        if isinstance(message, str) and message:
            return message
    return f"HTTP {response.status} {response.reason}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
