"""Forwards a local port to the admin port of a ready Pod of this program, and to the next one when that Pod goes.

Each local connection is a port-forward of its own through the API server. What a browser has sent is kept until the Pod
answers, so that another Pod can be asked in its place: the admin port answers GET alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from typing import Final

from certs.handshake import ProbeError
from webhook.diagnosis.pod_dialer import Forwarded, forwarded
from webhook.diagnosis.replica_pods import ReplicaPods, why_not_ready
from webhook.install.configurations import NAME
from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.endpoints import Endpoint
from webhook.kube.errors import ApiError, Forbidden, NotFound, Unauthorized, explain

# Seconds between two looks for a ready Pod.
INTERVAL: Final = 1.0
# Seconds that a request waits for a ready Pod while the dashboard runs.
HOLD: Final = 10.0
# Seconds that an answer may take to end once the browser has closed its side.
_REST: Final = 10.0
# Bytes of a request that are kept to ask another Pod; a browser's request for the page has fewer.
_KEPT: Final = 65536
_PIECE: Final = 65536


class ForwardError(Exception):
    """There is nothing to forward to, or no port to forward from: the message is a sentence for the user."""


class Forwarding:
    """Forwards connections to a ready Pod in `namespace`. `note` is called with a sentence when the Pod changes."""

    def __init__(self, api: ApiServer, namespace: str, note: Callable[[str], None]) -> None:
        self.pod: Endpoint | None = None
        self._api = api
        self._namespace = namespace
        self._note = note
        self._choosing = asyncio.Lock()
        self._problem = ""

    async def find(self, seconds: float) -> Endpoint:
        """A ready Pod to which a port can be forwarded, for which it waits so many seconds. Raises `ForwardError`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            seen = await self._look()
            for endpoint in seen.ready:
                if await self._can_forward(endpoint):
                    self.pod = endpoint
                    return endpoint
            if not (seen.ready or seen.others):
                await self._check_installed()
            left = end - loop.time()
            if left <= 0:
                raise ForwardError(self._none_ready(seen, seconds))
            await asyncio.sleep(min(INTERVAL, left))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one local connection to its end."""
        # Nobody waits for this: a cancellation ends here.
        with contextlib.suppress(asyncio.CancelledError):
            connection = _Connection(reader, writer)
            try:
                await self._forward(connection)
            except ConnectionError:
                # The browser has gone.
                return
            except Exception as error:
                # The next connection may do better; asyncio would print a traceback.
                self._note(f"a connection has failed: {type(error).__name__}: {error}")
            finally:
                writer.close()

    async def _forward(self, connection: _Connection) -> None:
        tried: set[str] = set()
        end = asyncio.get_running_loop().time() + HOLD
        while True:
            pod = await self._choose(tried, end)
            if pod is None:
                await connection.refuse(self._problem)
                return
            try:
                async with forwarded(self._api, self._namespace, pod) as stream:
                    if await connection.relay(stream):
                        return
            except (ApiError, TimeoutError, ProbeError) as error:
                self._problem = str(error) if isinstance(error, ProbeError) else self._explained(error)
                if connection.answered:
                    return
            tried.add(pod.pod)

    async def _choose(self, tried: set[str], end: float) -> Endpoint | None:
        """The Pod to ask: the one that was asked last while it is ready, else another that is and was not `tried`. It
        waits for one until the loop's time is `end`. None if there is none; `_problem` says why."""
        loop = asyncio.get_running_loop()
        async with self._choosing:
            while True:
                try:
                    if self.pod is not None and self.pod.pod not in tried and await self._is_ready(self.pod):
                        return self.pod
                    seen = await self._look()
                except ForwardError as error:
                    self._problem = str(error)
                    return None
                another = next((endpoint for endpoint in seen.ready if endpoint.pod not in tried), None)
                if another is not None:
                    if self.pod is not None and another.pod != self.pod.pod:
                        self._note(f"Pod {self.pod.pod} answers no more: forwarding to Pod {another.pod}")
                    self.pod = another
                    return another
                if loop.time() >= end:
                    self._problem = self._problem if tried and seen.ready else self._none_ready(seen, HOLD)
                    return None
                # What was tried may have come back.
                tried.clear()
                await asyncio.sleep(INTERVAL)

    async def _is_ready(self, endpoint: Endpoint) -> bool:
        path = f"/api/v1/namespaces/{self._namespace}/pods/{endpoint.pod}"
        try:
            return not why_not_ready(await self._api.get(path, accept=PLAIN))
        except NotFound:
            return False
        except (ApiError, TimeoutError) as error:
            raise self._failed(error, "get on pods") from None

    async def _look(self) -> ReplicaPods:
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        try:
            listed = await self._api.get(path, accept=PLAIN)
        except (ApiError, TimeoutError) as error:
            raise self._failed(error, "list on pods") from None
        return ReplicaPods.of(listed.get("items") or ())

    async def _can_forward(self, endpoint: Endpoint) -> bool:
        """Whether the API server opens a port-forward to a Pod. Raises `ForwardError` where the user may not."""
        try:
            async with forwarded(self._api, self._namespace, endpoint):
                return True
        except (Forbidden, Unauthorized) as error:
            raise self._failed(error, "get and create on pods/portforward") from None
        except (ApiError, TimeoutError):
            # It has gone since; the next look tells.
            return False

    async def _check_installed(self) -> None:
        """Raise `ForwardError` if there is no Deployment whose Pods might come."""
        try:
            await self._api.get(f"/apis/apps/v1/namespaces/{self._namespace}/deployments/{NAME}")
        except NotFound:
            raise ForwardError(
                f"linkerd-webhook is not installed in namespace {self._namespace}: pass the control plane's namespace "
                "by -L, or install it"
            ) from None
        except (ApiError, TimeoutError):
            return

    def _failed(self, error: ApiError | TimeoutError, right: str) -> ForwardError:
        return ForwardError(self._explained(error, right))

    def _explained(self, error: ApiError | TimeoutError, right: str = "") -> str:
        grant = f"{right} in namespace {self._namespace}" if right else ""
        return f"the cluster at {self._api.host}: {explain(error, grant)}"

    def _none_ready(self, seen: ReplicaPods, seconds: float) -> str:
        why = f" ({'; '.join(seen.others)})" if seen.others else ""
        return (
            f"no Pod of linkerd-webhook in namespace {self._namespace} is ready after {seconds:g} s{why}: "
            "run linkerd-webhook check to see why"
        )


class _Connection:
    """A local connection, which one Pod after the other may be asked to answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.answered = False
        self._reader = reader
        self._writer = writer
        self._sent = bytearray()

    async def relay(self, stream: Forwarded) -> bool:
        """Carry bytes both ways until one side ends. Returns whether that was all, and False where the Pod went before
        it answered what was sent. Raises `ProbeError` and `ConnectionError`."""
        if self._sent:
            await stream.send(bytes(self._sent))
        up, down = asyncio.create_task(self._up(stream)), asyncio.create_task(self._down(stream))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            if up.done() and not down.done() and not self.answered:
                # Who closes one side only waits for the answer on the other.
                await asyncio.wait({down}, timeout=_REST)
            if down.done():
                down.result()
            gone = down.done() and not self.answered and bool(self._sent) and not up.done()
            return not gone or len(self._sent) >= _KEPT
        finally:
            await _ended(up, down)

    async def refuse(self, why: str) -> None:
        """Answer that nobody is there, once the browser has asked."""
        if not self._sent and not await self._reader.read(_PIECE):
            return
        body = f"{why}\n".encode()
        head = "HTTP/1.1 503 Service Unavailable", "Content-Type: text/plain; charset=utf-8", "Retry-After: 2"
        lines = *head, "Cache-Control: no-store", f"Content-Length: {len(body)}", "Connection: close", "", ""
        self._writer.write("\r\n".join(lines).encode() + body)
        await self._writer.drain()

    async def _up(self, stream: Forwarded) -> None:
        while piece := await self._reader.read(_PIECE):
            if not self.answered and len(self._sent) < _KEPT:
                self._sent += piece
            await stream.send(piece)

    async def _down(self, stream: Forwarded) -> None:
        while piece := await stream.receive():
            self.answered = True
            self._writer.write(piece)
            await self._writer.drain()


async def _ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def bind(address: str, port: int) -> list[socket.socket]:
    """Listen on a port of an address, 0 for any that is free: on each address that a name such as localhost has, at the
    same port. Raises `ForwardError`."""
    try:
        places = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ForwardError(
            f'--address "{address}": {error.strerror}: write an address of this machine, such as localhost'
        ) from None
    bound: list[socket.socket] = []
    with contextlib.ExitStack() as undo:
        for family, kind, protocol, _, place in dict.fromkeys(places):
            listener = socket.socket(family, kind, protocol)
            undo.callback(listener.close)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            taken = bound[0].getsockname()[1] if bound else port
            try:
                listener.bind((place[0], taken, *place[2:]))
                # Two may be bound to a port as long as neither listens.
                listener.listen()
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL and (bound or len(places) > 1):
                    # A name of two families on a machine that has one.
                    continue
                raise ForwardError(_unbound(address, port, error)) from None
            bound.append(listener)
        undo.pop_all()
    if not bound:
        raise ForwardError(f'--address "{address}" is not an address of this machine: write one such as localhost')
    return bound


def _unbound(address: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} of {address} is taken: pass another by --port, or --port 0 for any that is free"
        case errno.EACCES:
            return f"port {port} of {address} is not allowed to this user: pass one above 1023 by --port"
        case errno.EADDRNOTAVAIL:
            return f'--address "{address}" is not an address of this machine: write one such as localhost'
        case _:
            return f"cannot listen on port {port} of {address}: {error.strerror}"
