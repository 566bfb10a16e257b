"""A handshake over a stream that somebody else has opened."""

from __future__ import annotations

import ssl

import pytest

from certs.handshake import ProbeError, probe_over
from certs.issue import issue_leaf
from tests.unit.certs.test_handshake import CA, JUNK, LEAF, NAME, OTHER, server


class Wire:
    """The other end in memory: a server that speaks TLS, and may hang up after so many pieces."""

    def __init__(self, context: ssl.SSLContext, pieces: int = 100) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._server = context.wrap_bio(self._in, self._out, server_side=True)
        self._left = pieces
        self.is_done = False

    async def send(self, data: bytes) -> None:
        """Take what the client sends."""
        self._in.write(data)
        self._step()

    async def receive(self) -> bytes:
        """Hand out what the server answers."""
        self._left -= 1
        return self._out.read() if self._left >= 0 else b""

    def _step(self) -> None:
        try:
            self._server.do_handshake()
            self.is_done = True
        except ssl.SSLError:
            pass


async def test_the_leaf_that_is_served_comes_out_and_the_server_is_left_with_a_whole_handshake() -> None:
    wire = Wire(server(LEAF))
    result = await probe_over(wire, NAME, CA.certificate)
    assert NAME in result.names[0]
    assert wire.is_done


async def test_without_a_bundle_anything_that_is_served_comes_out() -> None:
    stranger = issue_leaf(OTHER, ["other.svc"])
    assert "other.svc" in (await probe_over(Wire(server(stranger)), NAME, None)).names[0]


@pytest.mark.parametrize(
    ("bundle", "name", "says"),
    [
        (OTHER.certificate, NAME, "certificate signature failure|unable to get local issuer"),
        (CA.certificate, "other.svc", "Hostname mismatch"),
        (b"", NAME, "is empty: write the CA certificates into it, in PEM"),
        (JUNK, NAME, "cannot be read"),
    ],
)
async def test_what_the_bundle_does_not_trust_is_untrusted(bundle: bytes, name: str, says: str) -> None:
    with pytest.raises(ProbeError, match=says) as caught:
        await probe_over(Wire(server(LEAF)), name, bundle)
    assert caught.value.kind == "untrusted"
    assert caught.value.message == str(caught.value)


async def test_a_stream_that_ends_early_is_unreachable() -> None:
    with pytest.raises(ProbeError, match="the connection was closed during the TLS handshake") as caught:
        await probe_over(Wire(server(LEAF), pieces=0), NAME, CA.certificate)
    assert caught.value.kind == "unreachable"


async def test_what_does_not_speak_tls_is_unreachable() -> None:
    class Noise(Wire):
        async def receive(self) -> bytes:
            return b"HTTP/1.1 400 Bad Request\r\n\r\n"

    with pytest.raises(ProbeError) as caught:
        await probe_over(Noise(server(LEAF)), NAME, CA.certificate)
    assert caught.value.kind == "unreachable"
    assert caught.value.message not in ("", "None")
