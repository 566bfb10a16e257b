"""TCP keepalive on the connections to the API server.

A watch only reads, so it would wait for ever if the other end's machine or network fails without closing the
connection. With keepalive the kernel sends an empty packet from time to time, and closes the connection if it is not
acknowledged.
"""

from __future__ import annotations

import socket
from typing import Any, Final

import aiohttp

from webhook.kube.client import RESTClientObject

# Seconds without a byte until the first probe, seconds between probes, and failed probes until the connection closes.
IDLE: Final = 15
INTERVAL: Final = 5
TIMES: Final = 3
DEAD: Final = IDLE + INTERVAL * TIMES

# Not every operating system has all of these options; its default applies for one that it lacks.
_OPTIONS: Final = (
    ("TCP_KEEPIDLE", IDLE),
    ("TCP_KEEPALIVE", IDLE),
    ("TCP_KEEPINTVL", INTERVAL),
    ("TCP_KEEPCNT", TIMES),
    # Milliseconds until a connection is closed whose sent data is not acknowledged.
    ("TCP_USER_TIMEOUT", DEAD * 1000),
)


class Client(RESTClientObject):
    """The official client's REST client, with TCP keepalive on all of its connections."""

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(limit=self.maxsize, ssl=self.ssl_context, socket_factory=_socket)


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for an address, as `getaddrinfo` returns it."""
    family, kind, protocol, _, _ = address
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        keep_alive(connection)
    except OSError:
        connection.close()
        raise
    return connection


def keep_alive(connection: socket.socket) -> None:
    """Have the kernel close the connection within `DEAD` seconds after the other end stops responding."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS:
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
