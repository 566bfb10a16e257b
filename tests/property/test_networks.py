"""Networks mean to the policies what they mean to everybody else, where both can read them."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Network, IPv6Network, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.policy.networks import Cidr, canonical_cidr, parse_cidr

BOUNDED = settings(max_examples=150, deadline=None)

V4 = st.ip_addresses(v=4)
V6 = st.ip_addresses(v=6)


@st.composite
def cidrs(draw: st.DrawFn) -> str:
    """A network as people write it: any of the spellings of an address, with a length or without."""
    if draw(st.booleans()):
        address, bits = str(draw(V4)), 32
    else:
        v6, bits = draw(V6), 128
        v4 = ipaddress.IPv4Address(int(v6) & 0xFFFF_FFFF)
        head = v6.exploded.rpartition(":")[0].rpartition(":")[0]
        address = draw(st.sampled_from([str(v6), v6.exploded, str(v6).upper(), f"{head}:{v4}"]))
    length = draw(st.none() | st.integers(0, bits))
    return address if length is None else f"{address}/{length}"


# What looks like a network at a glance.
NEARLY = st.text("0123456789abcdefF.:/% ", max_size=24) | st.builds(
    lambda text, at, extra: text[:at] + extra + text[at:],
    cidrs(),
    st.integers(0, 40),
    st.sampled_from(["0", "1", ":", "::", ".", "/", "/8", "%1", " ", "-", "f", ""]),
)


def network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def read(text: str) -> Cidr:
    result = parse_cidr(text)
    assert result is not None
    return result


def bounds(cidr: Cidr) -> tuple[int, int, int]:
    return cidr.version, cidr.first, cidr.last


@BOUNDED
@given(cidrs())
def test_every_usual_spelling_is_read_as_python_reads_it(text: str) -> None:
    want = network(text)
    assert want is not None
    assert bounds(read(text)) == (want.version, int(want.network_address), int(want.broadcast_address))


@BOUNDED
@given(NEARLY)
def test_what_both_can_read_means_the_same(text: str) -> None:
    ours, want = parse_cidr(text), network(text)
    if ours is not None and want is not None:
        assert bounds(ours) == (want.version, int(want.network_address), int(want.broadcast_address))
    if want is not None and "%" not in text and "." not in text.partition("/")[2]:
        # Zones and netmasks are Python's alone, and so is a length of many digits.
        digits = 3 if want.version == 6 else 2
        assert ours is not None or len(text.partition("/")[2]) > digits


@BOUNDED
@given(cidrs())
def test_the_canonical_text_is_the_same_network_and_its_own(text: str) -> None:
    contents = read(text)
    canonical = canonical_cidr(contents)
    assert canonical == str(network(text))
    assert bounds(read(canonical)) == bounds(contents)
    assert canonical_cidr(read(canonical)) == canonical


@BOUNDED
@given(cidrs(), cidrs())
def test_one_covers_another_where_python_says_so(left: str, right: str) -> None:
    ours, theirs = network(left), network(right)
    assert ours is not None
    assert theirs is not None
    want = ours.version == theirs.version and theirs.subnet_of(ours)  # type: ignore[arg-type]
    assert read(left).covers(read(right)) is want


@BOUNDED
@given(cidrs(), st.integers(0, 8))
def test_a_wider_network_covers_a_narrower_one(text: str, by: int) -> None:
    narrow = network(text)
    assert narrow is not None
    wide = read(str(narrow.supernet(new_prefix=max(0, narrow.prefixlen - by))))
    assert wide.covers(read(text))
    assert read(text).covers(wide) is (bounds(wide) == bounds(read(text)))
