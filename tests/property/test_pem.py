"""PEM bundles with all that people leave in them: what can be read is read, whatever lies before and behind it."""

from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from certs.bundle import contents, salvage, write
from certs.inspect import chain
from certs.issue import issue_ca
from certs.pem import Block, blocks

BOUNDED = settings(max_examples=200, deadline=None)

CAS = [issue_ca(f"ca {number}") for number in range(3)]
GOOD = st.sampled_from([ca.certificate for ca in CAS])
# Each ends its line, or what follows would not begin at one.
JUNK = st.one_of(
    st.sampled_from([ca.key for ca in CAS]),
    st.builds(lambda ca, size: ca.certificate[:size].rstrip(b"\n") + b"\n", st.sampled_from(CAS), st.integers(28, 400)),
    st.builds(lambda ca: ca.certificate.replace(b"MII", b"!!!", 1), st.sampled_from(CAS)),
    st.sampled_from([b"# a remark\n", b"\n", b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"]),
    st.text("abc \t", max_size=20).map(lambda text: text.encode() + b"\n"),
)
PARTS = st.lists(
    st.tuples(st.booleans(), GOOD, JUNK).map(lambda element: (element[0], element[1] if element[0] else element[2]))
)


@BOUNDED
@given(PARTS, st.booleans())
def test_every_whole_certificate_is_read_and_nothing_else(parts: list[tuple[bool, bytes]], windows: bool) -> None:
    pem = b"".join(part for _, part in parts)
    good = [part for is_good, part in parts if is_good]
    result = contents(pem.replace(b"\n", b"\r\n") if windows else pem)
    assert [write([certificate]) for certificate in result.certificates] == good
    assert salvage(pem)[0] == result.certificates
    if good:
        assert write([chain(pem)[0]]) == good[0]


@BOUNDED
@given(st.lists(st.tuples(st.text("ABC ", max_size=5), st.binary(max_size=60)), max_size=4), st.integers(1, 70))
def test_what_was_written_comes_back(given: list[tuple[str, bytes]], width: int) -> None:
    written = b""
    for name, content in given:
        encoded = base64.b64encode(content)
        lines = b"".join(encoded[at : at + width] + b"\n" for at in range(0, len(encoded), width))
        written += b"-----BEGIN %s-----\n%s-----END %s-----\n" % (name.encode(), lines, name.encode())
    result = [block for block in blocks(written) if isinstance(block, Block)]
    assert [(finding.type, finding.content) for finding in result] == given


@BOUNDED
@given(st.lists(st.one_of(st.binary(max_size=20), JUNK, GOOD), max_size=8).map(b"".join))
def test_no_byte_is_lost_and_nothing_is_invented(data: bytes) -> None:
    for part in blocks(data):
        text = part.text.strip() if isinstance(part, Block) else part
        assert text in data
