"""Networks and their exceptions, in the grammar of the policy controller's parsers (`IpAddr` and the crate `ipnet`).

A network is an address, or an address, a slash and a prefix length. Host bits may be set and the length may have
leading zeros (`10.1.2.3/08`); netmasks and zones are not allowed. An octet may have leading zeros only in front of a
slash, as the two forms have different parsers.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final, NamedTuple

from webhook.findings.finding import Path, Severity, declare, show
from webhook.policy.schema.reading import BAD, Node, Reading
from webhook.policy.schema.shape import Array, Shape, Struct, optional, required

CIDR = declare("network-cidr", Severity.ERROR, "FieldValueInvalid", "A network is neither an address nor a CIDR.")
NEGATED = declare(
    "network-negated",
    Severity.ERROR,
    "FieldValueInvalid",
    "An exception covers the whole network that it is an exception of.",
)
OUTSIDE = declare(
    "network-exception-outside", Severity.ERROR, "FieldValueInvalid", "An exception is outside of its network."
)
EMPTY = declare("network-missing", Severity.ERROR, "FieldValueRequired", "A list of networks is empty.")
NOTHING_LEFT = declare(
    "network-nothing-left",
    Severity.WARNING,
    "FieldValueInvalid",
    "All exceptions of a network together leave nothing of it.",
)
HOST_BITS = declare(
    "network-host-bits",
    Severity.WARNING,
    "FieldValueInvalid",
    "A CIDR names an address within a network, and Linkerd takes the whole network.",
)

_V4 = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})")
_HEX = re.compile(r"[0-9a-fA-F]{1,4}")


class Cidr(NamedTuple):
    """A network: its IP version (4 or 6), its first and last address, its text, and the path of its field."""

    version: int
    first: int
    last: int
    text: str
    path: Path

    def covers(self, other: Cidr) -> bool:
        """Whether every address of the other network is in this one."""
        return self.version == other.version and self.first <= other.first and other.last <= self.last


def _parse_ipv4(text: str, strict: bool) -> int | None:
    match = _V4.fullmatch(text)
    if match is None:
        return None
    value = 0
    for octet in match.groups():
        if int(octet) > 255 or (strict and len(octet) > 1 and octet[0] == "0"):
            return None
        value = value << 8 | int(octet)
    return value


def _parse_ipv6_groups(text: str, strict: bool) -> list[int] | None:
    """The 16-bit groups of one side of `::`; an IPv4 address may be the last of them."""
    groups: list[int] = []
    parts = text.split(":") if text else []
    for index, part in enumerate(parts):
        if "." in part:
            ipv4 = _parse_ipv4(part, strict)
            if ipv4 is None or index != len(parts) - 1:
                return None
            groups += (ipv4 >> 16, ipv4 & 0xFFFF)
        elif _HEX.fullmatch(part):
            groups.append(int(part, 16))
        else:
            return None
    return groups


def _parse_ipv6(text: str, strict: bool) -> int | None:
    head_text, gap, tail_text = text.partition("::")
    head, tail = _parse_ipv6_groups(head_text, strict), _parse_ipv6_groups(tail_text, strict)
    if head is None or tail is None or (gap and "." in head_text):
        return None
    count = len(head) + len(tail)
    # Only the parser of CIDRs allows a `::` that stands for no group.
    fits = len(head) <= 7 and count <= (7 if strict else 8) if gap else count == 8
    if not fits:
        return None
    value = 0
    for group in [*head, *[0] * (8 - count), *tail]:
        value = value << 16 | group
    return value


def parse_cidr(text: str, path: Path = ()) -> Cidr | None:
    """The network that a text stands for; None for a text that is not a network. `path` is that of its field."""
    address, slash, length = text.partition("/")
    if not slash:
        for version, address_number in (
            (4, _parse_ipv4(text, True)),
            (6, _parse_ipv6(text, True) if ":" in text else None),
        ):
            if address_number is not None:
                return Cidr(version, address_number, address_number, text, path)
        return None
    if not (length.isascii() and length.isdecimal()):
        return None
    is_ipv6 = ":" in address
    bits, digits = (128, 3) if is_ipv6 else (32, 2)
    address_number = _parse_ipv6(address, False) if is_ipv6 else _parse_ipv4(address, False)
    if address_number is None or len(length) > digits or int(length) > bits:
        return None
    host = (1 << bits - int(length)) - 1
    return Cidr(6 if is_ipv6 else 4, address_number & ~host, address_number | host, text, path)


class _CidrShape(Shape):
    wanted = "a network such as 10.0.0.0/8"

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        if type(value) is not str:
            return self.wrong_type(value, path, reading)
        cidr = parse_cidr(value, path)
        if cidr is None:
            reading.refuse(CIDR, path, f"{show(value)} is not a network: {_why_not_a_network(value)}")
            return BAD
        return cidr


def _why_not_a_network(text: str) -> str:
    address, slash, length = text.partition("/")
    if "%" in text:
        return "zones are not supported; leave out everything from the %"
    if slash and "." in length:
        return f"write the length of the prefix in place of the netmask {show(length)[1:-1]}"
    if text != text.strip():
        return "take the spaces away"
    if slash and parse_cidr(f"{address}/0") is not None:
        most = 128 if ":" in address else 32
        return f"write a length of the prefix from 0 to {most}"
    return "write an address or a CIDR such as 10.0.0.0/8 or fd00::/8"


_CIDR = _CidrShape()


def _check(node: Node, reading: Reading) -> None:
    cidr, excepts = node.get("cidr"), node.get("except")
    if cidr is None:
        return
    _warn_of_host_bits(cidr, reading)
    if not excepts:
        return
    reported = False
    for exception in excepts:
        if exception.covers(cidr):
            reported = True
            reading.note(
                NEGATED,
                exception.path,
                f'the exception "{exception.text}" leaves nothing of "{cidr.text}": take it out, or narrow it down',
            )
        elif not cidr.covers(exception):
            reported = True
            reading.note(
                OUTSIDE,
                exception.path,
                f'the exception "{exception.text}" is not within "{cidr.text}": take it out, or correct it',
            )
    if not reported and _leaves_nothing(cidr, excepts):
        reading.note(
            NOTHING_LEFT,
            (*node.path, "except"),
            f'these exceptions together leave nothing of "{cidr.text}", so that no client matches it: take some out',
        )


def _warn_of_host_bits(cidr: Cidr, reading: Reading) -> None:
    address, slash, _ = cidr.text.partition("/")
    single = parse_cidr(f"{address}/{128 if cidr.version == 6 else 32}") if slash else None
    if single is not None and single.first != cidr.first:
        reading.note(
            HOST_BITS,
            cidr.path,
            f'Linkerd takes "{cidr.text}" for the whole network: write {canonical_cidr(cidr)}, or the single address',
        )


def _leaves_nothing(cidr: Cidr, excepts: list[Cidr]) -> bool:
    next_address = cidr.first
    for exception in sorted(excepts, key=lambda e: e.first):
        if exception.first > next_address:
            return False
        next_address = max(next_address, exception.last + 1)
    return next_address > cidr.last


NETWORK: Final = Struct({"cidr": required(_CIDR), "except": optional(Array(_CIDR))}, check=_check)
NETWORKS: Final = Array(NETWORK)


def refuse_empty(node: Node, name: str, reading: Reading) -> None:
    """Report a list of networks (the field `name`) that is present and empty."""
    if node.get(name) == [] and not reading.broken:
        reading.note(EMPTY, (*node.path, name), "the list of networks is empty: add one such as cidr: 10.0.0.0/8")


def canonical_cidr(cidr: Cidr) -> str:
    """The canonical form of a network, such as `10.0.0.0/8`."""
    address = IPv4Address(cidr.first) if cidr.version == 4 else IPv6Address(cidr.first)
    bits = 32 if cidr.version == 4 else 128
    return f"{address}/{bits - (cidr.last - cidr.first).bit_length()}"
