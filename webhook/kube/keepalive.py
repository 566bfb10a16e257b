"""Connections to the API server that notice by themselves when the other end is gone.

A watch only reads: where the other end's machine or network vanishes without a word, nothing would ever come, and
nothing would ever fail. The kernel asks the other end now and then, which costs an empty packet, and ends the
connection where no answer comes.
"""

from __future__ import annotations

import socket
from typing import Any, Final

import aiohttp
from kubernetes.aio.client.rest import RESTClientObject

# Seconds: a connection is asked after so long without a byte, then again and again, and ended after so many of both.
IDLE: Final = 15
INTERVAL: Final = 5
TIMES: Final = 3
DEAD: Final = IDLE + INTERVAL * TIMES

# Not every system has all of them; without one the system's own figure holds.
_OPTIONS: Final = (
    ("TCP_KEEPIDLE", IDLE),
    ("TCP_KEEPALIVE", IDLE),
    ("TCP_KEEPINTVL", INTERVAL),
    ("TCP_KEEPCNT", TIMES),
    # What was sent and is not acknowledged is bounded, too (milliseconds).
    ("TCP_USER_TIMEOUT", DEAD * 1000),
)


class Client(RESTClientObject):
    """The official client's connections, each of them kept alive."""

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(limit=self.maxsize, ssl=self.ssl_context, socket_factory=_socket)


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for an address, as `getaddrinfo` returns it."""
    family, kind, protocol, _, _ = address
    found = socket.socket(family, kind, protocol)
    try:
        found.setblocking(False)
        keep_alive(found)
    except OSError:
        found.close()
        raise
    return found


def keep_alive(connection: socket.socket) -> None:
    """Have the kernel notice that the other end is gone, within `DEAD` seconds."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS:
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
