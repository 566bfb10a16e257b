"""Addresses in the syntax of Go's net.Listen (`:8443`, `0.0.0.0:8443`, `[::]:8443`), and listening sockets."""

from __future__ import annotations

import socket
from typing import NamedTuple

BACKLOG = 2048


class Address(NamedTuple):
    """A host ("" is every address of this machine, IPv4 and IPv6) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class AddressError(ValueError):
    """An address that cannot be read or bound: the message names it, and what to do."""


def parse(text: str) -> Address:
    """Read `host:port`, `[host]:port` or `:port`. Raises `AddressError`."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or (":" in host and not bracketed):
        raise AddressError(f'address "{text}" is not host:port, [IPv6 address]:port or :port')
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise AddressError(f'address "{text}": the port is "{port}", not a number from 0 to 65535')
    return Address(host[1:-1] if bracketed else host, int(port))


def bind(address: Address, flag: str) -> socket.socket:
    """A socket that listens on the address. Raises `AddressError`, whose message names `flag`."""
    try:
        if address.host in ("", "::"):
            return _everywhere(address.port)
        family, kind, protocol, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return _listen(socket.socket(family, kind, protocol), where)
    except OSError as error:
        why = error.strerror or str(error)
        raise AddressError(f"cannot listen on {address}: {why}: choose another address with {flag}") from error


def _everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        both = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return _listen(both, ("::", port))
    return _listen(socket.socket(socket.AF_INET, socket.SOCK_STREAM), ("0.0.0.0", port))


def _listen(sock: socket.socket, where: tuple[object, ...]) -> socket.socket:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
