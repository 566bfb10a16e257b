"""Addresses as Go writes them."""

from __future__ import annotations

import socket

import pytest

from webhook.server.listen import Address, AddressError, bind, parse


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":8443", "", 8443),
        ("0.0.0.0:8443", "0.0.0.0", 8443),
        ("[::]:8443", "::", 8443),
        ("[::1]:0", "::1", 0),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_go_s_forms_are_read(text: str, host: str, port: int) -> None:
    """With and without a host."""
    assert parse(text) == Address(host, port)


@pytest.mark.parametrize("text", ["", "8443", "::1:8443", ":", ":http", ":65536", ":-1", "[::1]", ":８０"])
def test_what_is_no_address_is_named(text: str) -> None:
    """With what is wanted."""
    with pytest.raises(AddressError, match=r"is not|, not a number"):
        parse(text)


@pytest.mark.parametrize("text", [":0", "[::]:0"])
def test_no_host_listens_on_ipv4_and_ipv6(text: str) -> None:
    """As Go does."""
    with bind(parse(text), "--addr") as server:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "::1") if socket.has_dualstack_ipv6() else ("127.0.0.1",):
            socket.create_connection((host, port)).close()


def test_a_port_in_use_is_an_error_that_names_the_flag() -> None:
    """And says what to do."""
    with bind(Address("127.0.0.1", 0), "--addr") as server, pytest.raises(AddressError) as error:
        bind(Address("127.0.0.1", server.getsockname()[1]), "--admin-addr")
    assert "in use" in str(error.value)
    assert "--admin-addr" in str(error.value)
