"""Connects to a port of a Pod: directly from within the cluster, else through the API server.

Outside of the Pods' network, a Pod's address leads nowhere, or to something else that has the same address. Every
command that asks replicas from outside connects in this one way.
https://kubernetes.io/docs/reference/kubernetes-api/core/pod-v1/#operations (portforward)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final, Literal

import aiohttp

from certs import handshake
from certs.handshake import ProbeError
from certs.inspect import LeafCertificate
from webhook.kube.api import ApiServer
from webhook.kube.endpoints import Endpoint
from webhook.kube.errors import ApiError, Forbidden, Unauthorized

Way = Literal["direct", "port-forward"]

# Seconds for a handshake: over the API server and a kubelet it takes longer.
WITHIN: Final[dict[Way, float]] = {"direct": 2.0, "port-forward": 10.0}

# What all API servers and kubelets understand: a byte for the channel, then the data of a port or the errors about it.
_PROTOCOL: Final = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1

# Characters of a kubelet's error that are repeated.
_SHOWN: Final = 200


class PortForwardForbidden(Exception):
    """The user may not forward ports: the message is the API server's."""


class PodDialer:
    """Connects to the Pods of one namespace; `way` says how."""

    def __init__(self, api: ApiServer, namespace: str, *, direct: bool = False) -> None:
        """It dials directly in a Pod of the cluster, or with `direct`."""
        self.way: Way = "direct" if direct or api.inside else "port-forward"
        self._api = api
        self._namespace = namespace

    async def probe(self, endpoint: Endpoint, name: str, bundle: bytes | None) -> LeafCertificate:
        """The certificate that an endpoint serves, after a handshake that trusts exactly this caBundle (PEM), or any
        certificate for None. Raises `ProbeError` and `PortForwardForbidden`."""
        within = WITHIN[self.way]
        if self.way == "direct":
            return await handshake.probe(endpoint.host, endpoint.port, name, bundle, within)
        if not endpoint.pod:
            raise ProbeError("unreachable", "its EndpointSlice names no Pod to forward a port to")
        try:
            async with asyncio.timeout(within), forwarded(self._api, self._namespace, endpoint) as stream:
                return await handshake.probe_over(stream, name, bundle)
        except TimeoutError:
            raise ProbeError("unreachable", f"no handshake within {within:g} s") from None
        except (Unauthorized, Forbidden) as error:
            raise PortForwardForbidden(error.message) from None
        except ApiError as error:
            raise ProbeError("unreachable", f"port-forward: {error.message}") from None


class Forwarded:
    """A connection to a Pod's port over a WebSocket: a `certs.handshake.Stream`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._opened: set[int] = set()

    async def send(self, data: bytes) -> None:
        """Send all of it. Where the Pod has closed the connection, `receive` says why."""
        with contextlib.suppress(ConnectionError):
            await self._socket.send_bytes(bytes([_DATA]) + data)

    async def receive(self) -> bytes:
        """The next bytes, none at the end. Raises `ProbeError` with the kubelet's error."""
        while True:
            message = await self._socket.receive()
            if message.type is not aiohttp.WSMsgType.BINARY:
                return b""
            channel, data = message.data[0] if message.data else _DATA, message.data[1:]
            if channel not in self._opened:
                # The first message of each channel is the port's number.
                self._opened.add(channel)
                data = data[2:]
            if data and channel == _ERROR:
                raise ProbeError("unreachable", _plain(data.decode(errors="replace")))
            if data:
                return bytes(data)


def _plain(error: str) -> str:
    """The kubelet's error about a port that it could not forward, shortened."""
    if "connection refused" in error:
        return "port-forward: connection refused: nothing in the Pod listens on the port"
    text = " ".join(error.split())
    return f"port-forward: {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}"


@contextlib.asynccontextmanager
async def forwarded(api: ApiServer, namespace: str, endpoint: Endpoint) -> AsyncIterator[Forwarded]:
    """A port of a Pod, forwarded through the API server. Raises `ApiError` and `TimeoutError`."""
    path = f"/api/v1/namespaces/{namespace}/pods/{endpoint.pod}/portforward"
    query = {"ports": str(endpoint.port)}
    async with api.socket(path, query, _PROTOCOL, within=WITHIN["port-forward"]) as socket:
        yield Forwarded(socket)
