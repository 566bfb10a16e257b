"""CA bundles: read as Go reads them, written in a stable order."""

from __future__ import annotations

import pytest

from certs.bundle import BundleError, merge, read, salvage, write
from certs.issue import issue_ca

ONE, TWO = issue_ca("one").certificate, issue_ca("two").certificate


def subjects(pem: bytes) -> list[str]:
    return [finding.subject.rfc4514_string() for finding in read(pem)]


class TestRead:
    """PEM in."""

    def test_certificates_come_in_their_order_and_text_between_them_is_passed_over(self) -> None:
        assert subjects(TWO + b"# a remark\n" + ONE) == ["CN=two", "CN=one"]

    @pytest.mark.parametrize("empty", [b"", b" \n"])
    def test_an_empty_bundle_holds_nothing(self, empty: bytes) -> None:
        assert read(empty) == ()

    @pytest.mark.parametrize(
        ("pem", "says"),
        [
            (b"hello", "does not hold a certificate"),
            (ONE[:100], "it has no end"),
            (ONE + TWO[:100], "it has no end"),
            (ONE + ONE[:60] + b"\n-----END CERTIFICATE-----\n", r"cannot be read \(number 2\)"),
        ],
    )
    def test_junk_is_said(self, pem: bytes, says: str) -> None:
        with pytest.raises(BundleError, match=says):
            read(pem)

    def test_what_can_be_read_beside_junk_is_saved(self) -> None:
        junk = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        certificates, why = salvage(ONE + junk + TWO)
        assert write(certificates) == ONE + TWO
        assert "number 2" in why

    def test_a_beginning_without_an_end_takes_no_certificate_along(self) -> None:
        certificates, why = salvage(ONE[:200] + b"\n" + TWO)
        assert write(certificates) == TWO
        assert "(number 1): it has no end" in why

    def test_blocks_of_other_types_are_passed_over(self) -> None:
        assert subjects(issue_ca("three").key + ONE) == ["CN=one"]

    def test_a_certificate_with_headers_does_not_count(self) -> None:
        certificates, why = salvage(ONE.replace(b"-----\n", b"-----\nA: b\n\n", 1) + TWO)
        assert write(certificates) == TWO
        assert "headers" in why


class TestMerge:
    """Several bundles are one."""

    def test_each_certificate_stands_once_where_it_came_first(self) -> None:
        assert merge(ONE, TWO + ONE, b"", TWO) == ONE + TWO

    def test_the_same_certificate_in_other_lines_is_the_same(self) -> None:
        windows = ONE.replace(b"\n", b"\r\n")
        assert write(read(windows) + read(ONE)) == ONE
