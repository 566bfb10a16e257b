"""Networks and their exceptions."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from tests.unit.policy.builders import BOTH, Said, say
from webhook.policy.networks import canonical_cidr, parse_cidr

AT = "spec.networks[0]"


def network(cidr: Any, *excepts: Any, **options: Any) -> Said:
    """What is said of a network with these exceptions."""
    fields = {"cidr": cidr, **({"except": list(excepts)} if excepts else {})}
    return say("NetworkAuthentication", {"networks": [fields]}, **options)


class TestText:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        ("text", "canonical"),
        [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/08", "10.0.0.0/8"),
            ("010.0.0.0/8", "10.0.0.0/8"),
            ("010.000.00.0/08", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("1.2.3.4/00", "0.0.0.0/0"),
            ("1.2.3.4", "1.2.3.4/32"),
            ("1.2.3.4/32", "1.2.3.4/32"),
            ("255.255.255.255", "255.255.255.255/32"),
            ("::/0", "::/0"),
            ("::1", "::1/128"),
            ("fd00::/8", "fd00::/8"),
            ("FD00::1/008", "fd00::/8"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8/128"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0/128"),
            ("1::2:3:4:5:6:7", "1:0:2:3:4:5:6:7/128"),
            ("1::2:3:4:5:6:7:8/64", "1:2:3:4::/64"),
            ("::ffff:1.2.3.4", "::ffff:102:304/128"),
            ("::ffff:1.2.3.4/96", "::ffff:0:0/96"),
            ("1:2:3:4:5:6:1.2.3.4/128", "1:2:3:4:5:6:102:304/128"),
            ("::ffff:01.2.3.4/128", "::ffff:102:304/128"),
        ],
    )
    def test_is_an_address_or_a_range(self, text: str, canonical: str, line: Any) -> None:
        assert network(text, line=line).errors == []
        result = parse_cidr(text)
        assert result is not None
        address, _, length = canonical_cidr(result).partition("/")
        wanted, _, bits = canonical.partition("/")
        assert (ip_address(address), length) == (ip_address(wanted), bits)

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "text",
        [
            *("", " ", "/", "/8", "10.0.0.0/", "10/8", "10.0.0/8", "10.0.0.0.0/8", "10.0.0.256", "10.0.0.0000/8"),
            *("010.0.0.0", "1.2.3.04", "::ffff:01.2.3.4"),
            *("10.0.0.0/33", "10.0.0.0/008", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0"),
            *(" 10.0.0.0/8", "10.0.0.0/8 ", "10.0.0.0 /8", "10.0.0.0/8\n", "10.0.0.0/\u0668", "\u0661.0.0.0"),
            *("::/129", "::/0008", ":::", ":", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "1:"),
            *("1::2:3:4:5:6:7:8", "::1.2.3", "1.2.3.4::", "::1.2.3.4:1", "1.2.3.4:1::"),
            *("fe80::1%eth0", "fe80::1%1/64", "[::1]", "::1/64%eth0", "0x0a.0.0.0", "localhost", "*"),
        ],
    )
    def test_is_nothing_else(self, text: str, line: Any) -> None:
        assert parse_cidr(text) is None
        assert network(text, line=line).errors == [f"{AT}.cidr: network-cidr"]
        assert network("0.0.0.0/0", text, line=line).errors == [f"{AT}.except[0]: network-cidr"]

    @pytest.mark.parametrize("value", [None, 10, ["10.0.0.0/8"], {}])
    def test_is_a_string(self, value: Any) -> None:
        assert network(value).errors == [f"{AT}.cidr: field-type"]

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("10.0.0.0/33", "from 0 to 32"),
            ("fd00::/129", "from 0 to 128"),
            ("10.0.0.0/255.0.0.0", "in place of the netmask 255.0.0.0"),
            ("fe80::1%eth0", "zones are not supported"),
            ("10.0.0.0/8 ", "take the spaces away"),
            ("somewhere", "such as 10.0.0.0/8"),
        ],
    )
    def test_is_told_how_to_be_mended(self, text: str, hint: str) -> None:
        assert hint in network(text).message("network-cidr")


class TestHostBits:
    @pytest.mark.parametrize(
        ("text", "whole"),
        [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.0.0.1/31", "10.0.0.0/31"),
            ("fd00::1/64", "fd00::/64"),
            ("1.2.3.4/0", "0.0.0.0/0"),
        ],
    )
    def test_of_a_network_are_warned_of(self, text: str, whole: str) -> None:
        said = network(text)
        assert (said.errors, said.warnings) == ([], [f"{AT}.cidr: network-host-bits"])
        assert whole in said.message("network-host-bits")

    @pytest.mark.parametrize("text", ["10.0.0.0/8", "10.0.0.0/08", "10.1.2.3", "10.1.2.3/32", "::1/128", "::1", "::/0"])
    def test_that_are_none_are_not(self, text: str) -> None:
        assert network(text).warnings == []


class TestExceptions:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        ("cidr", "excepts"),
        [
            ("10.0.0.0/8", ["10.1.0.0/16", "10.2.3.4"]),
            ("10.0.0.0/8", ["10.0.0.0/9"]),
            ("10.9.9.9/8", ["10.1.2.3/16"]),
            ("0.0.0.0/0", ["255.255.255.255"]),
            ("::/0", ["::ffff:1.2.3.4"]),
            ("fd00::/8", ["fd00::/9", "fd00::1"]),
        ],
    )
    def test_lie_within_their_network(self, cidr: str, excepts: list[str], line: Any) -> None:
        assert network(cidr, *excepts, line=line).errors == []

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        ("cidr", "exception"),
        [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/8", "10.9.9.9/8"),
            ("10.0.0.0/8", "10.0.0.0/7"),
            ("10.0.0.0/8", "0.0.0.0/0"),
            ("1.2.3.4", "1.2.3.4"),
            ("1.2.3.4", "1.2.3.4/32"),
            ("fd00::/8", "::/0"),
        ],
    )
    def test_do_not_cover_it(self, cidr: str, exception: str, line: Any) -> None:
        assert network(cidr, exception, line=line).errors == [f"{AT}.except[0]: network-negated"]

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        ("cidr", "exception"),
        [
            ("10.0.0.0/8", "11.0.0.0/8"),
            ("10.0.0.0/8", "11.0.0.0"),
            ("1.2.3.4", "1.2.3.5"),
            ("0.0.0.0/0", "::1"),
            ("::/0", "10.0.0.0/8"),
            ("::ffff:0:0/96", "1.2.3.4"),
            ("10.0.0.0/8", "::ffff:10.0.0.1"),
        ],
    )
    def test_do_not_lie_outside(self, cidr: str, exception: str, line: Any) -> None:
        assert network(cidr, exception, line=line).errors == [f"{AT}.except[0]: network-exception-outside"]

    def test_are_judged_one_by_one(self) -> None:
        said = network("10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "1.1.1.1", "x", "10.2.0.0/16", 5)
        assert said.errors == [
            f"{AT}.except[1]: network-negated",
            f"{AT}.except[2]: network-exception-outside",
            f"{AT}.except[3]: network-cidr",
            f"{AT}.except[5]: field-type",
        ]

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("excepts", [None, []])
    def test_may_be_none(self, excepts: Any, line: Any) -> None:
        spec = {"networks": [{"cidr": "10.0.0.0/8", "except": excepts}]}
        said = say("NetworkAuthentication", spec, line=line)
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize(
        ("cidr", "excepts", "warned"),
        [
            ("10.0.0.0/8", ["10.0.0.0/9", "10.128.0.0/9"], True),
            ("10.0.0.0/8", ["10.128.0.0/9", "10.64.0.0/10", "10.0.0.0/10", "10.1.0.0/16"], True),
            ("fd00::/8", ["fd80::/9", "fd00::/9"], True),
            ("1.2.3.4/31", ["1.2.3.4", "1.2.3.5"], True),
            ("10.0.0.0/8", ["10.0.0.0/9", "10.128.0.0/10"], False),
            ("10.0.0.0/8", ["10.128.0.0/9"], False),
            ("1.2.3.4/30", ["1.2.3.4", "1.2.3.5", "1.2.3.7"], False),
            ("1.2.3.4/30", ["1.2.3.4", "1.2.3.5", "1.2.3.6"], False),
        ],
    )
    def test_that_together_leave_nothing_are_warned_of(self, cidr: str, excepts: list[str], warned: bool) -> None:
        said = network(cidr, *excepts)
        assert (said.errors, said.warnings) == ([], [f"{AT}.except: network-nothing-left"] if warned else [])

    def test_that_are_refused_are_not_warned_of_as_well(self) -> None:
        assert network("10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9").warnings == []
